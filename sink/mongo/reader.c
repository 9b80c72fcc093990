/* reader.c - see reader.h.
 *
 * Invariants:
 *  I1  A record that was taken is in exactly one batch and one open span of its partition's ledger until the batch is finished:
 *      as an entry, or, when a control drops it, as one more in the span's number of those.
 *  I2  A batch is finished when no writer has it and every entry is stored, was stored, or has its dead letter acknowledged;
 *      finish() is the only place that settles spans and frees batches.
 *  I3  Each topic has at most one batch being filled. It goes to the writers when it is full, or old while they have nothing else
 *      to do: a slow database gets larger batches, not more of them.
 *
 * A span remembers the generation of its partition's assignment. What comes back after the partition moved away is counted,
 * but settles nothing: the partition's next owner reads it again, and its _ids refuse it. */
#include "sink/mongo/reader.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/origin.h"
#include "sink/mongo/alarm.h"
#include "sink/mongo/document.h"
#include "sink/mongo/letters.h"

enum { DRAIN_TURN_MS = 50, LETTER_TURN_MS = 5 };

struct reader {
	struct reader_spec spec;
	struct letters *letters;
	struct batch *filling[NR_SINK_TOPICS]; /* NULL: nothing gathered */
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
	struct partition *part = partitions_find(r->spec.parts, b->topic, s->partition);
	struct ledger_outcome outcome;
	struct err err = ERR_INIT;

	batch_outcome(b, span, &outcome);
	metric_add(r->spec.meters->stored[b->topic], outcome.stored);
	metric_add(r->spec.meters->already_stored[b->topic], outcome.already_stored);
	metric_add(r->spec.meters->dead_lettered[b->topic], outcome.dead_lettered);
	metric_add(r->spec.meters->dropped[b->topic], outcome.dropped);
	if (!part || part->state != PARTITION_OWNED || part->generation != s->generation)
		return;
	if (ledger_settle(&part->ledger, s->ledger_id, &outcome, &err) == 0)
		return;
	alarm_raise(&r->spec.program->log, r->spec.report, "ledger_imbalance", sink_topic_name(b->topic), part->id,
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

	if (batch_done(b) && r->filling[b->topic] != b)
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
static void dispatch(struct reader *r, enum sink_topic topic)
{
	struct batch *b = r->filling[topic];

	if (!b)
		return;
	r->filling[topic] = NULL;
	if (b->pending) {
		b->away = true;
		writers_give(r->spec.writers, b);
	} else if (batch_done(b)) {
		finish(r, b);
	}
}

static bool is_filled(const struct reader *r, const struct batch *b)
{
	return b->len >= (size_t)r->spec.conf->batch_documents || b->documents.len >= writers_batch_bytes(r->spec.writers);
}

/* The batch being filled for this topic; a new one where there is none. */
static struct batch *filling(struct reader *r, enum sink_topic topic, struct err *err)
{
	struct batch *b = r->filling[topic];

	if (b)
		return b;
	b = batch_new(topic, ++r->batches_begun, err);
	if (!b)
		return NULL;
	b->begun_mono_ms = clock_mono_ms();
	b->older = r->newest;
	if (b->older)
		b->older->newer = b;
	r->newest = r->filling[topic] = b;
	r->inflight_bytes += b->bytes;
	r->inflight_batches++;
	return b;
}

/* The batch that takes the next record of this partition, with an open span for it at part->span. */
static struct batch *filling_for(struct reader *r, struct partition *part, struct err *err)
{
	struct batch_span span = {.partition = part->id, .generation = part->generation};
	struct batch *b = filling(r, part->topic, err);
	int index;

	if (!b || part->batch_number == b->number)
		return b;
	if (ledger_open(&part->ledger, &span.ledger_id, err) < 0 || (index = batch_add_span(b, &span, err)) < 0)
		return NULL;
	part->batch_number = b->number;
	part->span = (uint32_t)index;
	return b;
}

static void enter(struct reader *r, struct partition *part, int64_t offset)
{
	ledger_take(&part->ledger, offset);
	metric_add(r->spec.meters->consumed[part->topic], 1);
}

/* Puts a record into the batch and the ledger (I1); takes m in any case, as Kafka's client does not end while one of its messages is kept. document is
 * empty for one that is condemned at once. */
static int gather(struct reader *r, struct partition *part, rd_kafka_message_t *m, struct str document, struct batch **to,
		  struct err *err)
{
	struct batch *b = filling_for(r, part, err);
	size_t before = b ? b->bytes : 0;
	int entry = b ? batch_add(b, part->span, m, document, err) : -1;

	if (entry < 0) {
		rd_kafka_message_destroy(m);
		return -1;
	}
	enter(r, part, m->offset);
	r->inflight_bytes += b->bytes - before;
	*to = b;
	return entry;
}

static int drop(struct reader *r, struct partition *part, rd_kafka_message_t *m, struct err *err)
{
	struct batch *b = filling_for(r, part, err);
	size_t before = b ? b->bytes : 0;

	if (!b) {
		rd_kafka_message_destroy(m);
		return -1;
	}
	batch_drop(b, part->span, m->len + m->key_len);
	enter(r, part, m->offset);
	r->inflight_bytes += b->bytes - before;
	rd_kafka_message_destroy(m);
	return READER_TAKEN;
}

/* Does a control drop records of this site, or, where it is "", all of this kind? */
static bool dropped(const struct reader *r, const struct partition *part, struct str site)
{
	return controls_in_force_of_kind(r->spec.controls, CONTROL_ACTION_DROP, STR(""), site, str_from(sink_topic_name(part->topic)), NULL);
}

static int condemn(struct reader *r, struct partition *part, rd_kafka_message_t *m, const char *code, const struct err *why,
		   struct err *err)
{
	struct batch *b;
	int entry = gather(r, part, m, (struct str){"", 0}, &b, err);

	if (entry < 0)
		return -1;
	batch_condemn(b, (size_t)entry, code, why->msg);
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

/* The document of a record, borrowed until the next one; NULL with *why, and *code for a dead letter, when there is none; NULL with
 * *code NULL when it is dropped. */
static const bson_t *make_document(struct reader *r, const struct partition *part, const rd_kafka_message_t *m,
				   const char **code, struct err *why)
{
	struct aggregate a = {0};
	struct document_origin origin;

	arena_clear(&r->arena);
	*code = NULL;
	if (dropped(r, part, STR("")))
		return NULL;
	*code = "undecodable";
	if (!m->payload) {
		err_set(why, ERR_REJECT, "the record has no value");
		return NULL;
	}
	if (aggregate_decode((struct str){m->payload, m->len}, &r->arena, &a, why) < 0)
		return NULL;
	*code = NULL;
	if (dropped(r, part, a.site))
		return NULL;
	*code = ORIGIN_BAD_CODE;
	if (find_origin(m, a.epoch, &origin, why) < 0)
		return NULL;
	*code = "bad_document";
	return document_build(&r->maker, &a, sink_topic_window_ms(part->topic), &origin, why);
}

int reader_take(struct reader *r, struct partition *part, rd_kafka_message_t *m, struct err *err)
{
	struct err why = ERR_INIT;
	const char *code;
	const bson_t *doc = make_document(r, part, m, &code, &why);
	struct batch *b;

	if (!doc && !code)
		return drop(r, part, m, err);
	if (!doc && why.kind == ERR_RETRY) {
		*err = why;
		return READER_UNKNOWN;
	}
	if (!doc && why.kind == ERR_FATAL) {
		rd_kafka_message_destroy(m);
		*err = why;
		return -1;
	}
	if (!doc)
		return condemn(r, part, m, code, &why, err) < 0 ? -1 : READER_TAKEN;
	if (gather(r, part, m, (struct str){(const char *)bson_get_data(doc), doc->len}, &b, err) < 0)
		return -1;
	if (is_filled(r, b) && !writers_busy(r->spec.writers))
		dispatch(r, part->topic);
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

static void dispatch_old(struct reader *r)
{
	int64_t now = clock_mono_ms();

	for (int i = 0; i < NR_SINK_TOPICS; i++) {
		const struct batch *b = r->filling[i];

		if (b && (is_filled(r, b) || now - b->begun_mono_ms >= r->spec.conf->batch_age_ms) &&
		    (!b->pending || !writers_busy(r->spec.writers)))
			dispatch(r, (enum sink_topic)i);
	}
}

int reader_turn(struct reader *r, struct err *err)
{
	struct batch *b;

	while ((b = writers_take(r->spec.writers, 0)) != NULL)
		if (take_back(r, b, err) < 0)
			return -1;
	letters_turn(r->letters);
	dispatch_old(r);
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
	for (int i = 0; i < NR_SINK_TOPICS; i++)
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

	for (int i = 0; i < NR_SINK_TOPICS; i++)
		dispatch(r, (enum sink_topic)i);
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
