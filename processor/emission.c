/* emission.c - see emission.h.
 *
 * The offset of a snapshot's first chunk goes into the metadata, and is known with that chunk's acknowledgement only: so all partitions are
 * produced first, and their offsets come last. Records are encoded one by one into the same buffer and copied by the client.
 *
 * Fragments go out in rounds: of each partition so many as make one request, then all of these are waited for. While librdkafka 2.0.2 has more
 * records of a partition than it may send, its thread polls without a pause and looks at all partitions each time; that was a quarter of the
 * CPU time where series get few samples. (It takes its limit of five requests in flight for one of five records, rdkafka_broker.c:
 * rktp_msgs_inflight.) So there never are more; and no more in all than the queue has room for. */
#include "processor/emission.h"

#include "processor/chunks.h"
#include "processor/emit.h"
#include "processor/snapshot.h"

enum {
	RESERVE_MAX = 1 << 30,
	ROUND_RECORDS = 8000,        /* of one partition: below batch.num.messages, ... */
	ROUND_BYTES = 900000,        /* ... and batch.size */
	RECORD_OVERHEAD_BYTES = 32,  /* in a batch, at most, where keys are short */
	ROUND_CHUNKS = 4,            /* of a partition: each is a request */
};

void emission_fini(struct emission *e)
{
	buf_fini(&e->snapshot);
	buf_fini(&e->record);
}

/* Waits until everything that was produced has been acknowledged. */
static int settle_round(struct emission *e, struct err *err)
{
	e->waiting_bytes = 0;
	return txn_flush(e->txn, err);
}

static struct input input_of(const struct emission *e, const struct task *t)
{
	return topics_input(e->topics, t->partition);
}

static int emit_window(struct emission *e, const struct task *t, const struct pane *pane, const struct window *w, struct err *err)
{
	enum txn_topic topic = pane_length_ms(pane->class) == CLOCK_MINUTE_MS ? TXN_MINUTELY : TXN_HOURLY;
	struct str key = {(const char *)w->series->fingerprint, sizeof(w->series->fingerprint)};
	int rc;

	buf_clear(&e->record);
	rc = e->pinned ? emit_pinned(w, pane, e->topics->epoch, &e->record, err) : emit_fragment(w, pane, e->topics->epoch, &e->record, err);
	return rc < 0 ? -1 : txn_produce(e->txn, topic, input_of(e, t).partition, key, buf_str(&e->record), NULL, err);
}

/* What may be produced of one partition in a round of nr. */
struct round {
	size_t records, bytes;
};

static struct round round_of(const struct emission *e, size_t nr)
{
	struct txn_room room = txn_room(e->txn);
	struct round r = {room.records > nr ? room.records / nr : 1, room.bytes > nr ? room.bytes / nr : 1};

	return (struct round){r.records < ROUND_RECORDS ? r.records : ROUND_RECORDS, r.bytes < ROUND_BYTES ? r.bytes : ROUND_BYTES};
}

/* The next windows of a partition. */
static int emit_round(struct emission *e, struct emission_part *part, const struct round *round, struct err *err)
{
	const struct task *t = part->task;
	size_t records = 0, bytes = 0;

	for (; part->pane < t->attempt.outbox_len; part->pane++, part->window = 0) {
		const struct pane *pane = t->outbox.panes[part->pane];
		const struct window *w;

		while (records < round->records && bytes < round->bytes && (w = pane_next(pane, &part->window)) != NULL) {
			pane_prefetch(pane, part->window);
			if (emit_window(e, t, pane, w, err) < 0)
				return -1;
			records++;
			bytes += e->record.len + sizeof(w->series->fingerprint) + RECORD_OVERHEAD_BYTES;
		}
		if (part->window < pane->len)
			break;
	}
	e->waiting_bytes += bytes;
	return 0;
}

/* All windows of all partitions. */
static int emit_windows(struct emission *e, struct emission_part *parts, size_t nr, struct err *err)
{
	struct round round = round_of(e, nr);
	bool more = true;

	while (more) {
		more = false;
		if (e->waiting_bytes && settle_round(e, err) < 0)
			return -1;
		for (size_t i = 0; i < nr; i++) {
			if (emit_round(e, &parts[i], &round, err) < 0)
				return -1;
			more |= parts[i].pane < parts[i].task->attempt.outbox_len;
		}
	}
	return 0;
}

/* Before one more record of len bytes, in a round of which so many have been produced. */
static int go_on(struct emission *e, const struct round *round, size_t *records, size_t len, struct err *err)
{
	if (((*records)++ == round->records || e->waiting_bytes + len > round->bytes) && e->waiting_bytes) {
		*records = 1;
		return settle_round(e, err);
	}
	return 0;
}

/* The exemplars of a partition, in rounds as well: but one partition after the other, as they are few. */
static int emit_specimens(struct emission *e, const struct task *t, const struct round *round, struct err *err)
{
	int32_t partition = input_of(e, t).partition;
	const struct specimen *s = t->specimens.first;
	size_t records = 0;

	for (size_t i = 0; i < t->attempt.nr_specimens; i++, s = s->next) {
		struct str key = {(const char *)s->bytes, EXEMPLAR_FINGERPRINT_BYTES};

		buf_clear(&e->record);
		if (go_on(e, round, &records, s->len, err) < 0 || specimen_encode(s, e->topics->epoch, &e->record, err) < 0 ||
		    txn_produce(e->txn, TXN_EXEMPLARS, partition, key, buf_str(&e->record), NULL, err) < 0)
			return -1;
		e->waiting_bytes += e->record.len + key.len + RECORD_OVERHEAD_BYTES;
	}
	return 0;
}

/* What became known of alerts, likewise; their keys are longer than others'. */
static int emit_alerts(struct emission *e, const struct task *t, const struct round *round, struct err *err)
{
	int32_t partition = input_of(e, t).partition;
	const struct alert_letter *l = t->alert_outbox.first;
	size_t records = 0;

	for (size_t i = 0; i < t->attempt.nr_alerts; i++, l = l->next) {
		if (go_on(e, round, &records, l->len, err) < 0 ||
		    txn_produce(e->txn, TXN_ALERTS, partition, alert_letter_key(l), alert_letter_record(l), NULL, err) < 0)
			return -1;
		e->waiting_bytes += l->len + l->key_len + RECORD_OVERHEAD_BYTES;
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

/* Before one more chunk: the queue is not to be filled, or what is in it would have to be sent without us. */
static int make_room(struct emission *e, struct err *err)
{
	return e->waiting_bytes + e->chunk_bytes > txn_room(e->txn).bytes ? settle_round(e, err) : 0;
}

static int emit_snapshot(struct emission *e, struct emission_part *part, struct err *err)
{
	struct task *t = part->task;
	struct input in = input_of(e, t);
	enum txn_topic topic = in.kind == INPUT_SAMPLES ? TXN_SAMPLES_STATE : TXN_EVENTS_STATE;
	struct chunk_id id = {in.topic, e->topics->epoch, in.partition, t->attempt.meta.id};
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
		if ((i && i % ROUND_CHUNKS == 0 && settle_round(e, err) < 0) || make_room(e, err) < 0)
			return -1;
		buf_clear(&e->record);
		if (chunks_encode(&id, buf_str(&e->snapshot), e->chunk_bytes, i, &e->record, err) < 0 ||
		    txn_produce(e->txn, topic, in.partition, (struct str){0}, buf_str(&e->record), i ? NULL : &part->first_chunk,
				err) < 0)
			return -1;
		e->waiting_bytes += e->record.len;
	}
	return 0;
}

/* What the transaction is going to hold of a partition. */
static void begin_attempt(const struct emission *e, struct task *t)
{
	t->attempt = (struct attempt){
		.meta = {.epoch = e->topics->epoch, .id = t->saved.id + 1, .at = t->position},
		.outbox_len = t->outbox.len,
		.nr_specimens = t->specimens.nr,
		.nr_alerts = t->alert_outbox.nr,
		.nr_letters = t->letters.nr,
	};
}

/* Everything of all partitions but their offsets. */
static int emit_parts(struct emission *e, struct emission_part *parts, size_t nr, struct err *err)
{
	struct round round = round_of(e, 1);

	e->waiting_bytes = 0;
	for (size_t i = 0; i < nr; i++)
		begin_attempt(e, parts[i].task);
	if (emit_windows(e, parts, nr, err) < 0)
		return -1;
	for (size_t i = 0; i < nr; i++)
		if (emit_specimens(e, parts[i].task, &round, err) < 0 || emit_alerts(e, parts[i].task, &round, err) < 0 || emit_letters(e, parts[i].task, err) < 0 ||
		    emit_snapshot(e, &parts[i], err) < 0)
			return -1;
	return 0;
}

int emission_add_offset(rd_kafka_topic_partition_list_t *list, const struct cell_topics *topics, int32_t number, int64_t offset,
			const struct offset_meta *meta, struct err *err)
{
	struct input in = topics_input(topics, number);
	rd_kafka_topic_partition_t *tp = rd_kafka_topic_partition_list_add(list, in.topic, in.partition);
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
	e->pinned = emit_is_pinned();
	if (emit_parts(e, parts, nr, err) < 0)
		return -1;
	buf_fini(&e->snapshot); /* as large as the largest state: not to be kept until the next checkpoint */
	if (txn_flush(e->txn, err) < 0) /* a delivery's offset is known with its acknowledgement only */
		return -1;
	for (size_t i = 0; i < nr; i++) {
		struct task *t = parts[i].task;

		t->attempt.meta.snapshot = parts[i].first_chunk.offset;
		if (t->attempt.meta.snapshot < 0)
			return err_set(err, ERR_RETRY, "the first chunk of a snapshot has no offset");
		if (emission_add_offset(offsets, e->topics, t->partition, t->position, &t->attempt.meta, err) < 0)
			return -1;
	}
	return txn_send_offsets(e->txn, offsets, group, err);
}
