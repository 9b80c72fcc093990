/* reader.c - see reader.h.
 *
 * Invariants:
 *  I1  A record that was taken is in exactly one batch and one open span of its partition's ledger until the batch is finished:
 *      as an entry, or, when a control drops it, as one more in the span's number of those.
 *  I2  A batch is finished when no writer has it and every entry is stored, was stored, or has its dead letter acknowledged;
 *      finish() is the only place that settles spans and frees batches.
 *  I3  Each collection has at most one batch being filled. It goes to the writers when it is full, or old while they have nothing else
 *      to do: a slow database gets larger batches, not more of them. One that has waited for long because others were always full goes first.
 *
 * A record's collection is its topic's, but for exemplars, whose detail says it. One that cannot be decoded belongs to none: it is gathered with
 * those of the topic's first collection, without a document.
 *
 * A batch of which the topic's records go elsewhere for the most part holds, by its few messages, what was fetched with them (batch.c): so all that passes it
 * weighs, and when that is much, it is full.
 *
 * A span remembers the generation of its partition's assignment. What comes back after the partition moved away is counted,
 * but settles nothing: the partition's next owner reads it again, and its _ids refuse it. */
#include "sink/mongo/reader.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/origin.h"
#include "sink/mongo/alarm.h"
#include "sink/mongo/alert_document.h"
#include "sink/mongo/exemplar_document.h"
#include "sink/mongo/incident_document.h"
#include "sink/mongo/letters.h"

enum { DRAIN_TURN_MS = 50, LETTER_TURN_MS = 5, OVERDUE_MS = 5000, BESIDE_SHARE = 8 /* of what may be in flight */ };

struct reader {
	struct reader_spec spec;
	struct letters *letters;
	struct batch *filling[NR_SINK_COLLECTIONS]; /* NULL: nothing gathered */
	struct batch *newest; /* all batches, here or with the writers, hang together by older and newer */
	uint64_t batches_begun;
	size_t inflight_bytes, inflight_batches;
	size_t limit_bytes;
	struct arena arena; /* of the record being decoded */
	struct document_maker maker;
	struct err failure; /* of a callback, for the next reader_turn() */
};

/* Settles the span of one partition, unless the partition has moved away since. */
static void settle_span(struct reader *r, const struct batch *b, uint32_t span)
{
	const struct batch_span *s = &b->spans[span];
	enum sink_topic topic = sink_collection_topic(b->collection);
	struct partition *part = partitions_find(r->spec.parts, topic, s->partition);
	struct ledger_outcome outcome;
	struct err err = ERR_INIT;

	batch_outcome(b, span, &outcome);
	metric_add(r->spec.meters->stored[topic], outcome.stored);
	metric_add(r->spec.meters->already_stored[topic], outcome.already_stored);
	metric_add(r->spec.meters->dead_lettered[topic], outcome.dead_lettered);
	metric_add(r->spec.meters->dropped[topic], outcome.dropped);
	if (!part || part->state != PARTITION_OWNED || part->generation != s->generation)
		return;
	if (ledger_settle(&part->ledger, s->ledger_id, &outcome, &err) == 0)
		return;
	alarm_raise(&r->spec.program->log, r->spec.report, "ledger_imbalance", sink_topic_name(topic), part->id,
		    ledger_committable(&part->ledger), err.msg);
}

static void discard(struct reader *r, struct batch *b)
{
	*(b->newer ? &b->newer->older : &r->newest) = b->older;
	if (b->older)
		b->older->newer = b->newer;
	r->inflight_bytes -= b->bytes;
	r->inflight_batches--;
	batch_free(b);
}

static void finish(struct reader *r, struct batch *b)
{
	for (uint32_t span = 0; span < b->nr_spans; span++)
		settle_span(r, b, span);
	discard(r, b);
}

/* A dead letter of b is safe. While b is being filled or written it is not finished yet. */
static void on_letter(void *ctx, struct batch *b)
{
	struct reader *r = ctx;

	if (batch_done(b) && r->filling[b->collection] != b)
		finish(r, b);
}

struct reader *reader_new(const struct reader_spec *spec, struct err *err)
{
	struct reader *r = calloc(1, sizeof(*r));

	if (r) {
		r->spec = *spec;
		r->limit_bytes = (size_t)(spec->conf->inflight_bytes ? spec->conf->inflight_bytes
								     : spec->program->common.memory_budget_bytes / 4);
		document_maker_init(&r->maker);
		r->letters = letters_new(spec->program, spec->report, spec->epoch, on_letter, r);
	}
	if (r && r->letters)
		return r;
	reader_free(r);
	err_nomem(err, "the reader");
	return NULL;
}

void reader_free(struct reader *r)
{
	if (!r)
		return;
	letters_free(r->letters);
	while (writers_take(r->spec.writers, 0))
		; /* all are in the list */
	while (r->newest)
		discard(r, r->newest);
	document_maker_fini(&r->maker);
	arena_fini(&r->arena);
	free(r);
}

/* Hands the batch that is being filled to the writers. One with nothing to write (dead letters only) stays here. */
static void dispatch(struct reader *r, enum sink_collection collection)
{
	struct batch *b = r->filling[collection];

	if (!b)
		return;
	r->filling[collection] = NULL;
	if (b->pending) {
		b->away = true;
		writers_give(r->spec.writers, b);
	} else if (batch_done(b)) {
		finish(r, b);
	}
}

static bool is_filled(const struct reader *r, const struct batch *b)
{
	return b->len >= (size_t)r->spec.conf->batch_documents || b->documents.len >= writers_batch_bytes(r->spec.writers) ||
	       b->beside_bytes >= r->limit_bytes / BESIDE_SHARE;
}

/* The batch being filled for this collection; a new one where there is none. */
static struct batch *filling(struct reader *r, enum sink_collection collection, struct err *err)
{
	struct batch *b = r->filling[collection];

	if (b)
		return b;
	b = batch_new(collection, ++r->batches_begun, err);
	if (!b)
		return NULL;
	b->begun_mono_ms = clock_mono_ms();
	b->older = r->newest;
	if (b->older)
		b->older->newer = b;
	r->newest = r->filling[collection] = b;
	r->inflight_bytes += b->bytes;
	r->inflight_batches++;
	return b;
}

/* The batch that takes this partition's next record for a collection, with an open span for it at *at. */
static struct batch *filling_for(struct reader *r, struct partition *part, enum sink_collection collection, uint32_t *at, struct err *err)
{
	struct batch_span span = {.partition = part->id, .generation = part->generation};
	struct partition_place *place = &part->places[collection];
	struct batch *b = filling(r, collection, err);
	int index;

	if (!b)
		return NULL;
	if (place->batch_number != b->number) {
		if (ledger_open(&part->ledger, &span.ledger_id, err) < 0 || (index = batch_add_span(b, &span, err)) < 0)
			return NULL;
		*place = (struct partition_place){b->number, (uint32_t)index};
	}
	*at = place->span;
	return b;
}

static void enter(struct reader *r, struct partition *part, const struct batch *b, uint32_t span, const rd_kafka_message_t *m)
{
	ledger_take(&part->ledger, b->spans[span].ledger_id, m->offset, rd_kafka_message_timestamp(m, NULL));
	metric_add(r->spec.meters->consumed[part->topic], 1);
}

/* A record of so many bytes has gone into b, or was dropped there: it passes the other batches of its topic. */
static void pass_others(struct reader *r, const struct batch *b, size_t bytes)
{
	for (int i = 0; i < NR_SINK_COLLECTIONS; i++) {
		struct batch *other = r->filling[i];
		size_t before = other ? other->bytes : 0;

		if (!other || other == b || sink_collection_topic(other->collection) != sink_collection_topic(b->collection))
			continue;
		batch_pass(other, bytes);
		r->inflight_bytes += other->bytes - before;
	}
}

/* Puts a record into the batch and the ledger (I1); takes m in any case, as Kafka's client does not end while one of its messages is kept. document is
 * empty for one that is condemned at once. */
static int gather(struct reader *r, struct partition *part, enum sink_collection collection, rd_kafka_message_t *m, struct str document,
		  struct batch **to, struct err *err)
{
	uint32_t span;
	struct batch *b = filling_for(r, part, collection, &span, err);
	size_t before = b ? b->bytes : 0;
	int entry = b ? batch_add(b, span, m, document, err) : -1;

	if (entry < 0) {
		rd_kafka_message_destroy(m);
		return -1;
	}
	enter(r, part, b, span, m);
	r->inflight_bytes += b->bytes - before;
	pass_others(r, b, m->len + m->key_len);
	*to = b;
	return entry;
}

static int drop(struct reader *r, struct partition *part, enum sink_collection collection, rd_kafka_message_t *m, struct err *err)
{
	uint32_t span;
	struct batch *b = filling_for(r, part, collection, &span, err);
	size_t before = b ? b->bytes : 0;

	if (!b) {
		rd_kafka_message_destroy(m);
		return -1;
	}
	batch_drop(b, span, m->len + m->key_len);
	enter(r, part, b, span, m);
	r->inflight_bytes += b->bytes - before;
	pass_others(r, b, m->len + m->key_len);
	rd_kafka_message_destroy(m);
	return READER_TAKEN;
}

/* Does a control drop records of this site, or, where it is "", all of this kind? */
static bool dropped(const struct reader *r, struct str site, const char *kind)
{
	return controls_in_force_of_kind(r->spec.controls, CONTROL_ACTION_DROP, STR(""), site, str_from(kind), NULL);
}

/* Do controls drop all that this topic may hold, be it what it will? */
static bool all_dropped(const struct reader *r, enum sink_topic topic)
{
	for (int i = sink_topic_first(topic); i < NR_SINK_COLLECTIONS && sink_collection_topic((enum sink_collection)i) == topic; i++)
		if (!dropped(r, STR(""), sink_collection_name((enum sink_collection)i)))
			return false;
	return true;
}

/* What is made of a record besides its document. */
struct making {
	enum sink_collection collection;
	const char *code; /* of a dead letter; NULL: it is dropped */
	struct err why;   /* of a dead letter */
};

static int condemn(struct reader *r, struct partition *part, rd_kafka_message_t *m, const struct making *k, struct err *err)
{
	struct batch *b;
	int entry = gather(r, part, k->collection, m, (struct str){"", 0}, &b, err);

	if (entry < 0)
		return -1;
	batch_condemn(b, (size_t)entry, k->code, k->why.msg);
	writers_letter_made(r->spec.writers);
	return letters_send(r->letters, b, (size_t)entry, err);
}

/* What the record's _id is made of: its own place, or, of a dead letter that was sent again, the first one's. -1 with *why. */
static int find_origin(const rd_kafka_message_t *m, int64_t epoch, struct document_origin *out, struct err *why)
{
	struct origin first;
	int rc = origin_of_message(m, epoch, &first, why);

	if (rc < 0)
		return -1;
	*out = rc ? (struct document_origin){first.epoch, first.partition, first.offset}
		  : (struct document_origin){epoch, m->partition, m->offset};
	return 0;
}

/* The next four: NULL with k->code and k->why for a dead letter, or with k->code NULL when it is dropped. */
static const bson_t *make_of_aggregate(struct reader *r, enum sink_topic topic, const rd_kafka_message_t *m, struct making *k)
{
	struct aggregate a = {0};
	struct document_origin origin;

	if (aggregate_decode((struct str){m->payload, m->len}, &r->arena, &a, &k->why) < 0)
		return NULL;
	k->code = NULL;
	if (dropped(r, a.site, sink_collection_name(k->collection)))
		return NULL;
	k->code = ORIGIN_BAD_CODE;
	if (find_origin(m, a.epoch, &origin, &k->why) < 0)
		return NULL;
	k->code = "bad_document";
	return document_build(&r->maker, &a, sink_topic_window_ms(topic), &origin, &k->why);
}

/* One whose details do not say what it is has no kind: controls of its whole site drop it. */
static const bson_t *make_of_exemplar(struct reader *r, const rd_kafka_message_t *m, struct making *k)
{
	struct exemplar x = {0};
	struct document_origin origin;
	bool sorted;

	if (exemplar_decode((struct str){m->payload, m->len}, &r->arena, &x, &k->why) < 0)
		return NULL;
	sorted = exemplar_document_collection(&x, &k->collection, &k->why) == 0;
	k->code = NULL;
	if (dropped(r, x.site, sorted ? sink_collection_name(k->collection) : ""))
		return NULL;
	k->code = "bad_document";
	if (!sorted)
		return NULL;
	k->code = ORIGIN_BAD_CODE;
	if (find_origin(m, x.epoch, &origin, &k->why) < 0)
		return NULL;
	k->code = "bad_document";
	return exemplar_document_build(&r->maker, &x, &origin, &k->why);
}

static const bson_t *make_of_alert(struct reader *r, const rd_kafka_message_t *m, struct making *k)
{
	struct alert_event e = {0};
	struct document_origin origin;

	if (alert_event_decode((struct str){m->payload, m->len}, &r->arena, &e, &k->why) < 0)
		return NULL;
	k->code = NULL;
	if (dropped(r, e.site, sink_collection_name(k->collection)))
		return NULL;
	k->code = ORIGIN_BAD_CODE;
	if (find_origin(m, e.epoch, &origin, &k->why) < 0)
		return NULL;
	k->code = "bad_document";
	return alert_document_build(&r->maker, &e, &origin, &k->why);
}

/* An incident does not say of which epoch its topic is: it is the one that is read. */
static const bson_t *make_of_incident(struct reader *r, const rd_kafka_message_t *m, struct making *k)
{
	struct incident n = {0};
	struct document_origin origin;

	if (incident_decode((struct str){m->payload, m->len}, &r->arena, &n, &k->why) < 0)
		return NULL;
	k->code = NULL;
	if (dropped(r, n.site, sink_collection_name(k->collection)))
		return NULL;
	k->code = ORIGIN_BAD_CODE;
	if (find_origin(m, r->spec.epoch, &origin, &k->why) < 0)
		return NULL;
	k->code = "bad_document";
	return incident_document_build(&r->maker, &n, &origin, &k->why);
}

/* The document of a record, borrowed until the next one, and where it belongs; NULL as above. */
static const bson_t *make_document(struct reader *r, enum sink_topic topic, const rd_kafka_message_t *m, struct making *k)
{
	*k = (struct making){.collection = sink_topic_first(topic)};
	arena_clear(&r->arena);
	if (all_dropped(r, topic))
		return NULL;
	k->code = "undecodable";
	if (!m->payload) {
		err_set(&k->why, ERR_REJECT, "the record has no value");
		return NULL;
	}
	switch (topic) {
	case SINK_EXEMPLARS:
		return make_of_exemplar(r, m, k);
	case SINK_ALERTS:
		return make_of_alert(r, m, k);
	case SINK_INCIDENTS:
		return make_of_incident(r, m, k);
	default:
		return make_of_aggregate(r, topic, m, k);
	}
}

/* Gives to the writers what is full, or old enough while they have nothing else to do: first what is overdue, as others were full all the time. */
static void dispatch_due(struct reader *r)
{
	int64_t now = clock_mono_ms();

	for (int i = 0; i < 2 * NR_SINK_COLLECTIONS; i++) {
		enum sink_collection at = (enum sink_collection)(i % NR_SINK_COLLECTIONS);
		const struct batch *b = r->filling[at];
		int64_t age = b ? now - b->begun_mono_ms : 0;
		bool due = b && (i < NR_SINK_COLLECTIONS ? age >= OVERDUE_MS + r->spec.conf->batch_age_ms
							 : is_filled(r, b) || age >= r->spec.conf->batch_age_ms);

		if (due && (!b->pending || !writers_busy(r->spec.writers)))
			dispatch(r, at);
	}
}

int reader_take(struct reader *r, struct partition *part, rd_kafka_message_t *m, struct err *err)
{
	struct making k;
	const bson_t *doc = make_document(r, part->topic, m, &k);
	struct batch *b;

	if (!doc && !k.code)
		return drop(r, part, k.collection, m, err);
	if (!doc && k.why.kind == ERR_RETRY) {
		*err = k.why;
		return READER_UNKNOWN;
	}
	if (!doc && k.why.kind == ERR_FATAL) {
		rd_kafka_message_destroy(m);
		*err = k.why;
		return -1;
	}
	if (!doc)
		return condemn(r, part, m, &k, err) < 0 ? -1 : READER_TAKEN;
	if (gather(r, part, k.collection, m, (struct str){(const char *)bson_get_data(doc), doc->len}, &b, err) < 0)
		return -1;
	if (is_filled(r, b) && !writers_busy(r->spec.writers))
		dispatch_due(r);
	return READER_TAKEN;
}

/* A batch is back. What the database refused for good goes to deadletter, each once: its document is forgotten. Entries without one had their
 * letters when they were gathered. With entries pending it goes to the writers again; when they have stopped nobody comes here any more. */
static int take_back(struct reader *r, struct batch *b, struct err *err)
{
	bool any = b->condemned > 0;

	b->away = false;
	for (size_t i = 0; any && i < b->len; i++) {
		if (b->entries[i].state != BATCH_CONDEMNED || b->entries[i].doc_len == 0)
			continue;
		if (letters_send(r->letters, b, i, err) < 0)
			return -1;
		b->entries[i].doc_len = 0;
	}
	/* letters_send() finishes nothing: acknowledgements come from report_poll(). */
	if (batch_done(b)) {
		finish(r, b);
	} else if (b->pending) {
		b->away = true;
		writers_give(r->spec.writers, b);
	}
	return 0;
}

int reader_turn(struct reader *r, struct err *err)
{
	struct batch *b;

	while ((b = writers_take(r->spec.writers, 0)) != NULL)
		if (take_back(r, b, err) < 0)
			return -1;
	letters_turn(r->letters);
	dispatch_due(r);
	metric_set(r->spec.meters->inflight_bytes, (double)r->inflight_bytes);
	metric_set(r->spec.meters->inflight_batches, (double)r->inflight_batches);
	if (r->failure.kind) {
		*err = r->failure;
		return -1;
	}
	return 0;
}

/* Full by bytes, or by dead letters, or because a full batch waits for a place behind the writers: one more record would have nowhere to go. */
bool reader_full(struct reader *r)
{
	if (r->inflight_bytes >= r->limit_bytes || writers_unread(r->spec.writers))
		return true;
	for (int i = 0; i < NR_SINK_COLLECTIONS; i++)
		if (r->filling[i] && is_filled(r, r->filling[i]) && writers_busy(r->spec.writers))
			return true;
	return false;
}

bool reader_relaxed(const struct reader *r)
{
	return r->inflight_bytes <= r->limit_bytes / 2 && !writers_busy(r->spec.writers);
}

/* Is any record open that the drain waits for? */
static bool is_open(const struct reader *r, bool all)
{
	struct partition *part;
	size_t at = 0;

	if (all)
		return r->inflight_batches > 0;
	while ((part = partitions_next(r->spec.parts, &at)) != NULL)
		if (part->leaving && part->ledger.len)
			return true;
	return false;
}

bool reader_drain(struct reader *r, bool all, int64_t timeout_ms)
{
	int64_t deadline = clock_mono_ms() + timeout_ms;
	struct err err = ERR_INIT;

	for (int i = 0; i < NR_SINK_COLLECTIONS; i++)
		dispatch(r, (enum sink_collection)i);
	while (is_open(r, all)) {
		struct batch *b;

		if (clock_mono_ms() >= deadline)
			return false;
		b = writers_take(r->spec.writers, letters_pending(r->letters) ? LETTER_TURN_MS : DRAIN_TURN_MS);
		if (b && take_back(r, b, &err) < 0)
			r->failure = err;
		report_poll(r->spec.report, NULL, 0);
		letters_turn(r->letters);
	}
	return true;
}

size_t reader_inflight_bytes(const struct reader *r)
{
	return r->inflight_bytes;
}
