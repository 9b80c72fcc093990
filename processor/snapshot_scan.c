/* snapshot_scan.c - see snapshot_scan.h.
 *
 * A first chunk begins a snapshot, and what was found before it is forgotten: also a damaged one, which is nobody's last word any
 * more. Every other chunk must continue the one that was begun. So the finding is always about the newest snapshot, be it whole or not. */
#include "processor/snapshot_scan.h"

#include "processor/snapshot.h"

void snapshot_scan_fini(struct snapshot_scan *s)
{
	buf_fini(&s->chunks.body);
	s->chunks = (struct chunk_set){0};
}

/* What a record that was not taken makes of the newest snapshot. */
static int spoil(struct snapshot_scan *s, int64_t offset, const struct err *why, struct err *err)
{
	if (why->kind == ERR_FATAL) {
		*err = *why;
		return -1;
	}
	s->first = offset;
	s->found = why->kind == ERR_RETRY ? FOUND_NEWER : FOUND_DAMAGED;
	snapshot_scan_fini(s);
	return 0;
}

static void begin(struct snapshot_scan *s, int64_t offset, const struct chunk_id *id)
{
	buf_clear(&s->chunks.body);
	s->chunks.next = s->chunks.of = 0;
	s->found = FOUND_DAMAGED;
	s->first = offset;
	s->id = (struct chunk_id){s->topic, id->epoch, s->partition, id->snapshot_id};
}

int snapshot_scan_take(struct snapshot_scan *s, int64_t offset, struct str record, struct arena *scratch, struct err *err)
{
	struct err why = ERR_INIT;
	struct chunk_id id;
	int32_t index;
	int rc = chunks_peek(record, scratch, &id, &index, &why);
	bool first = rc == 0 && index == 0;

	if (rc == 0 && id.epoch == s->epoch && id.snapshot_id > s->last_id)
		s->last_id = id.snapshot_id;
	if (s->found == FOUND_NEWER && !first && why.kind != ERR_FATAL)
		return 0; /* what we cannot read is not judged by what we can */
	if (first)
		begin(s, offset, &id);
	else if (rc == 0 && (s->found != FOUND_DAMAGED || !s->chunks.next))
		rc = err_set(&why, ERR_REJECT, "a chunk that continues nothing");
	if (rc == 0)
		rc = chunks_take(&s->chunks, &s->id, CHUNKS_ANY_BYTES, record, scratch, &why);
	arena_clear(scratch);
	if (rc < 0)
		return spoil(s, offset, &why, err);
	if (snapshot_is_newer(buf_str(&s->chunks.body)))
		s->found = FOUND_NEWER;
	else if (rc > 0)
		s->found = FOUND_WHOLE;
	return 0;
}
