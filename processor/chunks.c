/* chunks.c - see chunks.h.
 *
 * The CRC is of the body alone: everything else in a chunk is compared with what must stand there. Only the number of chunks is believed, by the
 * first one, and then demanded of all others; a wrong one cannot come together, as the bytes in all are known from the metadata. */
#include "processor/chunks.h"

#include <inttypes.h>
#include <zlib.h>

#include "schemas/schemas.h"

int32_t chunks_count(size_t snapshot_bytes, size_t chunk_bytes)
{
	size_t n = snapshot_bytes ? (snapshot_bytes - 1) / chunk_bytes + 1 : 1;

	return n > INT32_MAX ? 0 : (int32_t)n;
}

static int64_t crc_of(struct str body)
{
	return (int64_t)crc32_z(crc32_z(0, NULL, 0), (const Bytef *)body.p, body.len);
}

int chunks_encode(const struct chunk_id *id, struct str snapshot, size_t chunk_bytes, int32_t index, struct buf *out, struct err *err)
{
	size_t from = (size_t)index * chunk_bytes;
	struct state_chunk chunk = {
		.topic = str_from(id->topic),
		.epoch = id->epoch,
		.partition = id->partition,
		.snapshot_id = id->snapshot_id,
		.index = index,
		.of = chunks_count(snapshot.len, chunk_bytes),
		.body = {snapshot.p + from, snapshot.len - from < chunk_bytes ? snapshot.len - from : chunk_bytes},
	};

	chunk.crc32 = crc_of(chunk.body);
	return state_chunk_encode(&chunk, out, err);
}

static int check_identity(const struct chunk_set *set, const struct chunk_id *id, const struct state_chunk *c, struct err *err)
{
	if (!str_eq(c->topic, str_from(id->topic)) || c->partition != id->partition)
		return err_set(err, ERR_REJECT, "a chunk of " STR_FMT " %" PRId32, STR_ARG(c->topic), c->partition);
	if (c->epoch != id->epoch)
		return err_set(err, ERR_REJECT, "a chunk of epoch %" PRId64 ", not %" PRId64, c->epoch, id->epoch);
	if (c->snapshot_id != id->snapshot_id)
		return err_set(err, ERR_REJECT, "a chunk of snapshot %" PRId64 ", not %" PRId64, c->snapshot_id, id->snapshot_id);
	if (c->of < 1 || c->index != set->next || (set->of && c->of != set->of) || c->index >= c->of)
		return err_set(err, ERR_REJECT, "chunk %" PRId32 " of %" PRId32 " where %" PRId32 " of %" PRId32 " must stand", c->index, c->of,
			       set->next, set->of);
	if (crc_of(c->body) != c->crc32)
		return err_set(err, ERR_REJECT, "chunk %" PRId32 " fails its CRC", c->index);
	return 0;
}

int chunks_peek(struct str record, struct arena *scratch, struct chunk_id *out, int32_t *index, struct err *err)
{
	struct state_chunk c;

	if (state_chunk_decode(record, scratch, &c, err) < 0)
		return -1;
	*out = (struct chunk_id){NULL, c.epoch, c.partition, c.snapshot_id};
	*index = c.index;
	return 0;
}

int chunks_take(struct chunk_set *set, const struct chunk_id *id, int64_t bytes, struct str record, struct arena *scratch, struct err *err)
{
	struct state_chunk c;

	if (state_chunk_decode(record, scratch, &c, err) < 0 || check_identity(set, id, &c, err) < 0)
		return -1;
	if (bytes != CHUNKS_ANY_BYTES && set->body.len + c.body.len > (uint64_t)bytes)
		return err_set(err, ERR_REJECT, "a snapshot of more than the %" PRId64 " bytes it was committed with", bytes);
	buf_add(&set->body, c.body.p, c.body.len);
	if (buf_failed(&set->body))
		return err_nomem(err, "a snapshot");
	set->of = c.of;
	set->next++;
	if (set->next < set->of)
		return 0;
	if (bytes != CHUNKS_ANY_BYTES && set->body.len != (uint64_t)bytes)
		return err_set(err, ERR_REJECT, "a snapshot of %zu bytes that was committed with %" PRId64, set->body.len, bytes);
	return 1;
}
