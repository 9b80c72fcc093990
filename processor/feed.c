/* feed.c - see feed.h.
 *
 * Order matters: ownership and phase first, then the position, then the bytes. A record that fails one of them has changed nothing but what
 * the log says; the position moves exactly when a record was counted or buried. */
#include "processor/feed.h"

#include <inttypes.h>
#include <stdio.h>

enum { START_AGAIN_MS = 200 };

static struct input input_of(const struct feed *f, const struct task *t)
{
	return topics_input(f->with.topics, t->partition);
}

void feed_fini(struct feed *f)
{
	arena_fini(&f->scratch);
	buf_fini(&f->letter);
}

void feed_hold(struct feed *f, struct task *t, int64_t retry_ms)
{
	struct input in = input_of(f, t);
	struct err err = ERR_INIT;

	t->phase = TASK_HELD;
	t->at_end = false;
	t->retry_mono_ms = clock_mono_ms() + retry_ms;
	if (consumer_hold(f->consumer, t->partition, &err) < 0) /* then its records are dropped by its phase */
		log_warn(&f->with.program->log, "hold_failed", LOG_STR("topic", in.topic), LOG_INT("partition", in.partition), LOG_STR("error", err.msg));
}

void feed_refetch(struct feed *f, struct task *t)
{
	struct input in = input_of(f, t);
	struct err err = ERR_INIT;

	if (consumer_refetch(f->consumer, t->partition, t->position, &err) == 0)
		return;
	log_warn(&f->with.program->log, "refetch_failed", LOG_STR("topic", in.topic), LOG_INT("partition", in.partition), LOG_STR("error", err.msg));
	t->phase = TASK_READY;
	t->retry_mono_ms = clock_mono_ms() + START_AGAIN_MS;
}

/* True when the offset is the one to take; everything else about positions is dealt with. */
static bool pass_guard(struct feed *f, struct task *t, int64_t offset)
{
	struct input in = input_of(f, t);
	int64_t position = t->position;
	char text[160];

	switch (task_guard(t, offset)) {
	case GUARD_TAKE:
		return true;
	case GUARD_SKIP:
		return false;
	case GUARD_REFETCH:
		log_warn(&f->with.program->log, "position_off", LOG_STR("topic", in.topic), LOG_INT("partition", in.partition),
			 LOG_INT("position", position), LOG_INT("offset", offset));
		stats_count(f->with.stats, STATS_REFETCHES, 1);
		feed_refetch(f, t);
		return false;
	default:
		snprintf(text, sizeof(text), "records %" PRId64 " to %" PRId64 " are gone: retention was faster than we, or the log was cut",
			 position, offset - 1);
		stats_add(f->with.stats, STATS_GAP_RECORDS, t->partition, (uint64_t)(offset - position));
		alarm_raise(&f->alarm, "gap", t->partition, text);
		return true;
	}
}

/* The partition has been read to its end. */
static void take_end(struct feed *f, struct task *t, int64_t offset)
{
	bool fetched_again = offset < t->position && t->rewound_at == t->position;

	if (pass_guard(f, t, offset)) {
		t->at_end = true;
		t->end_mono_ms = clock_mono_ms();
	} else if (fetched_again) {
		/* What we have taken is not there any more: the log lost its end (an unclean election), and new records will get old offsets. */
		alarm_raise(&f->alarm, "end_before_position", t->partition, "the partition ends before what has been read of it");
	}
}

/* Encodes a dead letter into f->letter. */
static int encode_letter(struct feed *f, const rd_kafka_message_t *message, const char *code, const char *reason, struct err *err)
{
	struct dead_letter letter;

	arena_clear(&f->scratch);
	if (report_deadletter_fill(f->with.program, message, f->with.topics->epoch, code, reason, &f->scratch, &letter, err) < 0)
		return -1;
	return report_deadletter_encode(&letter, &f->letter, err);
}

/* The record at the position was refused: it goes to the dead letters with the next checkpoint, and the partition goes on. */
static int bury(struct feed *f, struct task *t, const rd_kafka_message_t *message, const char *code, const char *reason, struct err *err)
{
	log_warn(&f->with.program->log, "record_rejected", LOG_STR("topic", input_of(f, t).topic), LOG_INT("partition", message->partition),
		 LOG_INT("offset", message->offset), LOG_STR("code", code), LOG_STR("error", reason));
	stats_add(f->with.stats, STATS_DEAD_LETTERS, t->partition, 1);
	if (encode_letter(f, message, code, reason, err) < 0)
		return -1;
	return task_add_letter(t, buf_str(&f->letter)) < 0 ? err_nomem(err, "a dead letter") : 0;
}

/* The site has more than what is remembered of one. */
static void tell_unremembered(struct feed *f, const struct task *t, const struct intake_counts *counts)
{
	char text[200];

	snprintf(text, sizeof(text), "more %s than dedup.%s_max, which is %" PRId64 " here: retries of those beyond count twice",
		 counts->by_key ? "Idempotency-Keys" : "agents", counts->by_key ? "request_keys" : "agents",
		 counts->by_key ? t->request_keys.keys_max : t->dedup.agents_max);
	alarm_warn_site(&f->alarm, counts->by_key ? "request_keys_unremembered" : "agents_unremembered", t->partition, counts->site, text);
}

/* Payloads that never came are a warning, as somebody's figures lack something; what came twice is how retries work. */
static void tell_identity(struct feed *f, const struct task *t, int64_t offset, const struct intake_counts *counts)
{
	const struct dedup_outcome *found = &counts->dedup;
	const struct input in = input_of(f, t);
	char site[65], agent_id[2 * DEDUP_AGENT_ID_BYTES + 1];

	if (!found->gaps && found->verdict != DEDUP_DUPLICATE)
		return;
	snprintf(site, sizeof(site), STR_FMT, STR_ARG(counts->site));
	str_hex(counts->agent_id, sizeof(counts->agent_id), agent_id);
	log_write(&f->with.program->log, found->gaps ? LOG_LEVEL_WARN : LOG_LEVEL_DEBUG, found->gaps ? "payloads_missing" : "duplicate",
		  (const struct log_field[]){LOG_STR("topic", in.topic), LOG_INT("partition", in.partition), LOG_INT("offset", offset),
					     LOG_STR("site", site), counts->has_agent_id ? LOG_STR("agent_id", agent_id) : LOG_NONE,
					     counts->has_agent_id ? LOG_INT("seq", counts->seq) : LOG_NONE,
					     found->gaps ? LOG_UINT("payloads", found->gaps) : LOG_UINT("samples", counts->duplicate_samples), {0}});
}

/* What dedup, or its like for requests, found in a record that was taken. */
static void note_dedup(struct feed *f, const struct task *t, const struct intake_counts *counts)
{
	const struct dedup_outcome *found = &counts->dedup;

	stats_gaps(f->with.stats, counts->site, found->gaps);
	if (found->verdict == DEDUP_DUPLICATE) {
		stats_add(f->with.stats, STATS_DUPLICATES, t->partition, 1);
		stats_add(f->with.stats, STATS_DUPLICATE_SAMPLES, t->partition, counts->duplicate_samples);
		stats_add(f->with.stats, STATS_DUPLICATE_EVENTS, t->partition, counts->duplicate_events);
	} else if (found->verdict == DEDUP_UNREMEMBERED) {
		stats_add(f->with.stats, counts->by_key ? STATS_UNREMEMBERED_KEYS : STATS_UNREMEMBERED, t->partition, 1);
	}
	if (found->tell)
		tell_unremembered(f, t, counts);
}

/* A record was counted, or was a duplicate. */
static void note_taken(struct feed *f, const struct task *t, const struct intake_counts *counts)
{
	struct stats *stats = f->with.stats;

	stats_count(stats, STATS_RECORDS, 1);
	stats_add(stats, STATS_SAMPLES, t->partition, counts->samples);
	stats_add(stats, STATS_EVENTS, t->partition, counts->events);
	stats_add(stats, STATS_LATE, t->partition, counts->late);
	stats_add(stats, STATS_OVERFLOW_SAMPLES, t->partition, counts->overflow_samples);
	note_dedup(f, t, counts);
	for (enum baseline_verdict v = 0; v < NR_BASELINE_VERDICTS; v++)
		stats_points(stats, t->partition, v, counts->points[v]);
	for (enum exemplar_kind kind = 0; kind < NR_EXEMPLAR_KINDS; kind++)
		stats_exemplars_dropped(stats, t->partition, kind, counts->dropped[kind]);
}

static int take_record(struct feed *f, struct task *t, const rd_kafka_message_t *message, struct err *err)
{
	rd_kafka_timestamp_type_t type;
	int64_t wall_ms = rd_kafka_message_timestamp(message, &type);
	struct record record = {
		.offset = message->offset,
		.timestamp_ms = type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE ? -1 : clock_map_ms(&f->with.program->clock, wall_ms),
		.value = {message->payload ? message->payload : "", message->len},
	};
	struct intake_counts counts;
	struct origin origin;
	struct err why = ERR_INIT;
	int retried;

	if (!pass_guard(f, t, message->offset))
		return 0;
	retried = origin_of_message(message, f->with.topics->epoch, &origin, &why);
	if (retried < 0) {
		task_pass(t, &record);
		return bury(f, t, message, ORIGIN_BAD_CODE, why.msg, err);
	}
	record.origin = retried ? &origin : NULL;
	if (task_take(t, &record, &f->scratch, &counts, &why) == 0) {
		note_taken(f, t, &counts);
		tell_identity(f, t, message->offset, &counts);
		t->complained = false;
		return 0;
	}
	if (why.kind == ERR_REJECT)
		return bury(f, t, message, "undecodable", why.msg, err);
	if (why.kind == ERR_FATAL) {
		*err = why;
		return -1;
	}
	/* An unknown schema is a newer writer, not poison: the partition waits for a newer build. */
	if (!t->complained)
		alarm_raise(&f->alarm, "schema_unknown", t->partition, why.msg);
	t->complained = true;
	feed_hold(f, t, f->with.conf->schema_retry_ms);
	return 0;
}

/* An error that stands in a record's place. */
static int take_error(struct feed *f, const rd_kafka_message_t *message, struct err *err)
{
	if (message->err == RD_KAFKA_RESP_ERR__FATAL || message->err == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID)
		return err_set(err, ERR_RETRY, "the consumer has failed: %s", rd_kafka_message_errstr(message));
	log_warn(&f->with.program->log, "consumer_error", LOG_STR("code", rd_kafka_err2name(message->err)),
		 LOG_STR("topic", message->rkt ? rd_kafka_topic_name(message->rkt) : ""), LOG_INT("partition", message->partition),
		 LOG_STR("error", rd_kafka_message_errstr(message)));
	return 0;
}

int feed_take(struct feed *f, struct task *t, const rd_kafka_message_t *message, struct err *err)
{
	if (message->err && message->err != RD_KAFKA_RESP_ERR__PARTITION_EOF)
		return take_error(f, message, err);
	/* Not ours, or not yet reading: what is still in the queue of a partition that moved or was held is nobody's. */
	if (!t || t->phase != TASK_RUNNING)
		return 0;
	if (message->err) {
		take_end(f, t, message->offset);
		return 0;
	}
	return take_record(f, t, message, err);
}
