/* emission.c - see emission.h.
 *
 * The offset of a snapshot's first chunk goes into the metadata, and is known with that chunk's acknowledgement only: so all partitions are
 * produced first, flushed once together, and their offsets come last. Records are encoded one by one into the same buffer and copied by the
 * client: a partition's fragments may be many times larger than its share of the producer's queue. */
#include "processor/emission.h"

#include "processor/chunks.h"
#include "processor/emit.h"
#include "processor/snapshot.h"

enum { RESERVE_MAX = 1 << 30 };

void emission_fini(struct emission *e)
{
	buf_fini(&e->snapshot);
	buf_fini(&e->record);
	arena_fini(&e->scratch);
}

static int emit_pane(struct emission *e, const struct task *t, const struct pane *pane, struct err *err)
{
	enum txn_topic topic = pane_length_ms(pane->class) == CLOCK_MINUTE_MS ? TXN_MINUTELY : TXN_HOURLY;
	const struct window *w;
	size_t at = 0;

	while ((w = pane_next(pane, &at)) != NULL) {
		struct str key = {(const char *)w->series->fingerprint, sizeof(w->series->fingerprint)};

		buf_clear(&e->record);
		if (emit_fragment(w, pane, e->topics->epoch, &e->scratch, &e->record, err) < 0 ||
		    txn_produce(e->txn, topic, t->partition, key, buf_str(&e->record), NULL, err) < 0)
			return -1;
	}
	return 0;
}

static int emit_letters(struct emission *e, const struct task *t, struct err *err)
{
	for (const struct letter *letter = t->letters.first; letter; letter = letter->next) {
		struct str value = {(const char *)letter->bytes, letter->len};

		if (txn_produce(e->txn, TXN_DEADLETTER, 0, (struct str){0}, value, NULL, err) < 0)
			return -1;
	}
	return 0;
}

static int emit_snapshot(struct emission *e, struct emission_part *part, struct err *err)
{
	struct task *t = part->task;
	struct chunk_id id = {e->topics->samples, e->topics->epoch, t->partition, t->attempt.meta.id};
	int32_t chunks;

	buf_clear(&e->snapshot);
	if (t->saved.bytes > 0 && t->saved.bytes < RESERVE_MAX) /* mostly it is about as large as the last one: growing would copy it */
		buf_reserve(&e->snapshot, (size_t)t->saved.bytes + (size_t)t->saved.bytes / 8);
	if (snapshot_encode(t, &e->snapshot, err) < 0)
		return -1;
	chunks = chunks_count(e->snapshot.len, e->chunk_bytes);
	if (!chunks)
		return err_set(err, ERR_FATAL, "a snapshot of %zu bytes", e->snapshot.len);
	t->attempt.meta.bytes = (int64_t)e->snapshot.len;
	for (int32_t i = 0; i < chunks; i++) {
		buf_clear(&e->record);
		if (chunks_encode(&id, buf_str(&e->snapshot), e->chunk_bytes, i, &e->record, err) < 0 ||
		    txn_produce(e->txn, TXN_STATE, t->partition, (struct str){0}, buf_str(&e->record), i ? NULL : &part->first_chunk,
				err) < 0)
			return -1;
	}
	return 0;
}

/* Everything of one partition but its offset. */
static int emit_part(struct emission *e, struct emission_part *part, struct err *err)
{
	struct task *t = part->task;

	t->attempt = (struct attempt){
		.meta = {.epoch = e->topics->epoch, .id = t->saved.id + 1, .at = t->position},
		.outbox_len = t->outbox.len,
		.nr_letters = t->letters.nr,
	};
	for (size_t i = 0; i < t->outbox.len; i++)
		if (emit_pane(e, t, t->outbox.panes[i], err) < 0)
			return -1;
	if (emit_letters(e, t, err) < 0)
		return -1;
	return emit_snapshot(e, part, err);
}

int emission_add_offset(rd_kafka_topic_partition_list_t *list, const char *topic, int32_t partition, int64_t offset,
			const struct offset_meta *meta, struct err *err)
{
	rd_kafka_topic_partition_t *tp = rd_kafka_topic_partition_list_add(list, topic, partition);
	char text[OFFSET_META_SIZE];

	tp->offset = offset;
	tp->metadata = strdup(offset_meta_format(meta, text)); /* the list's destruction frees it */
	if (!tp->metadata)
		return err_nomem(err, "an offset's metadata");
	tp->metadata_size = strlen(text);
	return 0;
}

int emission_fill(struct emission *e, struct emission_part *parts, size_t nr, rd_kafka_topic_partition_list_t *offsets,
		  const rd_kafka_consumer_group_metadata_t *group, struct err *err)
{
	for (size_t i = 0; i < nr; i++)
		if (emit_part(e, &parts[i], err) < 0)
			return -1;
	buf_fini(&e->snapshot); /* as large as the largest state: not to be kept until the next checkpoint */
	if (txn_flush(e->txn, err) < 0) /* a delivery's offset is known with its acknowledgement only */
		return -1;
	for (size_t i = 0; i < nr; i++) {
		struct task *t = parts[i].task;

		t->attempt.meta.snapshot = parts[i].first_chunk.offset;
		if (t->attempt.meta.snapshot < 0)
			return err_set(err, ERR_RETRY, "the first chunk of a snapshot has no offset");
		if (emission_add_offset(offsets, e->topics->samples, t->partition, t->position, &t->attempt.meta, err) < 0)
			return -1;
	}
	return txn_send_offsets(e->txn, offsets, group, err);
}
