/* intake.c - see intake.h.
 *
 *  I1  A record is handed over only at or behind its partition's position, so each offset once, in order. Gaps are ordinary: the topic is written by
 *      transactions, whose ends and aborted records take offsets.
 *  I2  The client belongs to no group, and its assignment is made by hand, always as a whole and by explicit offsets: rd_kafka_pause_partitions() of 2.0.2 forgets
 *      positions, and a hold is rare.
 *  I3  Offsets are never reset silently: what retention or a broker took away is told (auto.offset.reset=error).
 *
 * How old the oldest record is that was not taken is known where it is held; else Kafka has not handed it over, and a bound must do: it is no older
 * than the last one that was taken, nor than the last look that found none, whichever is later; where there was neither, it is at least as old as
 * the first look. */
#include "sink/notify/intake.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/events.h"
#include "common/kafka.h"

enum { CLOSE_MS = 2000, METADATA_SIZE = 64, QUEUE_SHARE = 16 };

#define METADATA_PREFIX "v1 epoch="

struct part {
	int64_t next;      /* position; -1: at the earliest record, whichever that is */
	int64_t handed;    /* in the last intake_offsets() ... */
	int64_t committed; /* ... and what of it is committed; -1: nothing */
	int64_t held_until_mono_ms; /* 0: it is not held */
	int64_t complained; /* of this offset; -1: of none */
	int64_t complained_ms; /* that record's timestamp */
	int64_t last_ms;    /* the timestamp of the last record taken; 0: none was. As the next two, virtual time */
	int64_t level_ms, looked_ms; /* the last look that found nothing to take, and the first one at all; 0: there was none */
	bool at_end, was_at_end; /* now; once */
};

struct intake {
	struct intake_spec spec;
	rd_kafka_t *rk;
	char topic[KAFKA_TOPIC_SIZE];
	struct part *parts;
	char metadata[METADATA_SIZE];
};

static rd_kafka_conf_t *client_conf(const struct program *p, struct err *err)
{
	char kbytes[24];
	const struct kafka_prop fixed[] = {
		{"group.id", "millrace-notify-intake"}, /* never joined */
		{"enable.auto.commit", "false"},
		{"enable.auto.offset.store", "false"},
		{"enable.partition.eof", "true"},
		{"isolation.level", "read_committed"},
		{"auto.offset.reset", "error"}, /* (I3) */
		{"queued.max.messages.kbytes", kbytes},
		{"queued.min.messages", "1000000"}, /* low values throttle; the bytes are the bound */
		{"fetch.max.bytes", "2097152"},
		{"max.partition.fetch.bytes", "262144"},
		{"fetch.wait.max.ms", "100"}, /* also how long a partition's end takes to be seen */
		{0},
	};

	snprintf(kbytes, sizeof(kbytes), "%" PRId64, p->common.memory_budget_bytes / QUEUE_SHARE / 1024);
	return kafka_conf(p, "intake", fixed, err);
}

int intake_check(const struct program *p, struct err *err)
{
	return kafka_conf_check(client_conf(p, err));
}

static int open_client(struct intake *i, struct err *err)
{
	rd_kafka_conf_t *conf = client_conf(i->spec.program, err);

	if (!conf)
		return -1;
	i->rk = kafka_open(RD_KAFKA_CONSUMER, conf, err);
	if (!i->rk)
		return -1;
	rd_kafka_poll_set_consumer(i->rk);
	kafka_wake_on(i->rk, i->spec.wake_fd);
	return 0;
}

struct intake *intake_new(const struct intake_spec *spec, struct err *err)
{
	struct intake *i = calloc(1, sizeof(*i));

	if (i) {
		i->spec = *spec;
		i->parts = calloc((size_t)spec->partitions, sizeof(*i->parts));
	}
	if (!i || !i->parts) {
		free(i);
		err_nomem(err, "the intake of alerts");
		return NULL;
	}
	kafka_cell_topic(i->topic, spec->program->common.cell, "alerts");
	snprintf(i->metadata, sizeof(i->metadata), METADATA_PREFIX "%" PRId64, spec->epoch);
	if (open_client(i, err) == 0)
		return i;
	intake_free(i);
	return NULL;
}

bool intake_free(struct intake *i)
{
	bool ended;

	if (!i)
		return true;
	if (i->rk)
		kafka_wake_on(i->rk, -1);
	ended = kafka_close(i->rk, CLOSE_MS);
	free(i->parts);
	free(i);
	return ended;
}

rd_kafka_topic_partition_list_t *intake_list(const struct intake *i)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(i->spec.partitions);

	for (int32_t id = 0; id < i->spec.partitions; id++)
		rd_kafka_topic_partition_list_add(list, i->topic, id);
	return list;
}

int intake_parse_epoch(struct str metadata, int64_t *epoch)
{
	int64_t value;

	if (!metadata.len)
		return 0;
	if (!str_take(&metadata, METADATA_PREFIX) || !str_take_int(&metadata, &value) || metadata.len)
		return -1;
	*epoch = value;
	return 1;
}

/* (I2) The whole assignment, but for what is held. */
static int assign(struct intake *i, struct err *err)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(i->spec.partitions);
	rd_kafka_resp_err_t code;

	for (int32_t id = 0; id < i->spec.partitions; id++)
		if (!i->parts[id].held_until_mono_ms)
			rd_kafka_topic_partition_list_add(list, i->topic, id)->offset =
				i->parts[id].next < 0 ? RD_KAFKA_OFFSET_BEGINNING : i->parts[id].next;
	code = rd_kafka_assign(i->rk, list);
	rd_kafka_topic_partition_list_destroy(list);
	return code ? kafka_code(err, code, "assign the partitions of alerts") : 0;
}

/* A line for operators, in the log and as a Notice. */
static void tell(struct intake *i, enum severity severity, const char *event, int32_t partition, int64_t offset, const char *text)
{
	char id[16], at[24];
	struct tag fields[4];

	snprintf(id, sizeof(id), "%" PRId32, partition);
	snprintf(at, sizeof(at), "%" PRId64, offset);
	fields[0] = (struct tag){STR("cell"), str_from(i->spec.program->common.cell)};
	fields[1] = (struct tag){STR("offset"), str_from(at)};
	fields[2] = (struct tag){STR("partition"), str_from(id)};
	fields[3] = (struct tag){STR("topic"), str_from(i->topic)};
	log_warn(&i->spec.program->log, event, LOG_STR("topic", i->topic), LOG_INT("partition", partition), LOG_INT("offset", offset),
		 LOG_STR("text", text));
	if (i->spec.report)
		report_notice(i->spec.report, severity, event, text, fields, sizeof(fields) / sizeof(fields[0]));
}

static void place(struct intake *i, int32_t id, const rd_kafka_topic_partition_t *tp)
{
	struct part *part = &i->parts[id];
	const struct str metadata = {tp->metadata ? tp->metadata : "", tp->metadata ? tp->metadata_size : 0};
	int64_t epoch = 0;

	*part = (struct part){.next = -1, .handed = -1, .committed = -1, .complained = -1};
	if (tp->offset < 0)
		return;
	if (intake_parse_epoch(metadata, &epoch) == 1 && epoch == i->spec.epoch) {
		part->next = part->committed = tp->offset;
		return;
	}
	tell(i, SEVERITY_WARNING, "alerts_from_the_beginning", id, tp->offset,
	     "the committed offset is of topics of another epoch: alerts are read from the beginning");
}

int intake_begin(struct intake *i, const rd_kafka_topic_partition_list_t *committed, struct err *err)
{
	for (int n = 0; n < committed->cnt; n++)
		if (committed->elems[n].partition >= 0 && committed->elems[n].partition < i->spec.partitions)
			place(i, committed->elems[n].partition, &committed->elems[n]);
	return assign(i, err);
}

/* The offset to go on at is not there: retention was faster, or the topic lost its end. */
static int lose_place(struct intake *i, int32_t id, struct err *err)
{
	struct part *part = &i->parts[id];

	tell(i, SEVERITY_ALARM, "alerts_cut_off", id, part->next,
	     "alerts from this offset on are gone before they were read: goes on at the earliest there are");
	part->next = -1;
	return assign(i, err);
}

/* Everything that a poll gives but records. */
static int take_event(struct intake *i, const rd_kafka_message_t *m, struct part *part, struct err *err)
{
	switch (m->err) {
	case RD_KAFKA_RESP_ERR__PARTITION_EOF:
		if (part && !part->held_until_mono_ms) {
			part->at_end = part->was_at_end = true;
			if (m->offset > part->next)
				part->next = m->offset;
		}
		return 0;
	case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
		return part && part->next >= 0 ? lose_place(i, m->partition, err) : 0;
	case RD_KAFKA_RESP_ERR__FATAL:
		return err_set(err, ERR_RETRY, "the Kafka client broke: %s", rd_kafka_message_errstr(m));
	default:
		/* The client goes on by itself; what it says of its brokers stands in its own log lines. */
		log_warn(&i->spec.program->log, "consumer_error", LOG_STR("code", rd_kafka_err2name(m->err)),
			 LOG_STR("topic", m->rkt ? rd_kafka_topic_name(m->rkt) : ""), LOG_INT("partition", m->partition),
			 LOG_STR("error", rd_kafka_message_errstr(m)));
		return 0;
	}
}

static struct part *part_of(struct intake *i, const rd_kafka_message_t *m)
{
	bool ours = m->rkt && m->partition >= 0 && m->partition < i->spec.partitions;

	return ours ? &i->parts[m->partition] : NULL;
}

rd_kafka_message_t *intake_next(struct intake *i, struct err *err)
{
	rd_kafka_message_t *m;

	while ((m = rd_kafka_consumer_poll(i->rk, 0)) != NULL) {
		struct part *part = part_of(i, m);
		int rc = 0;

		if (m->err)
			rc = take_event(i, m, part, err);
		else if (part && !part->held_until_mono_ms && m->offset >= part->next) /* (I1) */
			return m;
		rd_kafka_message_destroy(m);
		if (rc < 0)
			return NULL;
	}
	return NULL;
}

static int64_t time_of(const struct intake *i, const rd_kafka_message_t *m)
{
	return clock_map_ms(&i->spec.program->clock, rd_kafka_message_timestamp(m, NULL));
}

void intake_took(struct intake *i, const rd_kafka_message_t *m)
{
	struct part *part = part_of(i, m);

	if (!part)
		return;
	part->next = m->offset + 1;
	part->last_ms = time_of(i, m);
	part->at_end = false;
	part->complained = -1;
}

bool intake_hold(struct intake *i, const rd_kafka_message_t *m, int64_t hold_ms)
{
	struct part *part = part_of(i, m);
	bool first = part && part->complained != m->offset;

	if (!part)
		return false;
	part->next = part->complained = m->offset;
	part->complained_ms = time_of(i, m);
	part->held_until_mono_ms = clock_mono_ms() + hold_ms;
	assign(i, NULL); /* where it fails, what comes of the partition is passed over until the hold ends, and with it comes another assignment */
	if (first)
		tell(i, SEVERITY_ALARM, "schema_unknown", m->partition, m->offset,
		     "a newer version has written here: the partition waits for a notifier that knows it");
	return first;
}

int intake_turn(struct intake *i, struct err *err)
{
	int64_t now = clock_mono_ms();
	bool any = false;

	for (int32_t id = 0; id < i->spec.partitions; id++)
		if (i->parts[id].held_until_mono_ms && now >= i->parts[id].held_until_mono_ms) {
			i->parts[id].held_until_mono_ms = 0;
			any = true;
		}
	return any ? assign(i, err) : 0;
}

rd_kafka_topic_partition_list_t *intake_offsets(struct intake *i)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(i->spec.partitions);

	for (int32_t id = 0; id < i->spec.partitions; id++) {
		rd_kafka_topic_partition_t *tp;
		size_t len = strlen(i->metadata);

		i->parts[id].handed = i->parts[id].next;
		if (i->parts[id].next < 0)
			continue;
		tp = rd_kafka_topic_partition_list_add(list, i->topic, id);
		tp->offset = i->parts[id].next;
		tp->metadata = strdup(i->metadata);
		tp->metadata_size = tp->metadata ? len : 0;
	}
	return list;
}

bool intake_moved(const struct intake *i)
{
	for (int32_t id = 0; id < i->spec.partitions; id++)
		if (i->parts[id].next != i->parts[id].committed)
			return true;
	return false;
}

void intake_committed(struct intake *i)
{
	for (int32_t id = 0; id < i->spec.partitions; id++)
		i->parts[id].committed = i->parts[id].handed;
}

bool intake_behind(const struct intake *i)
{
	for (int32_t id = 0; id < i->spec.partitions; id++)
		if (!i->parts[id].at_end && !i->parts[id].held_until_mono_ms)
			return true;
	return false;
}

bool intake_caught_up(const struct intake *i)
{
	for (int32_t id = 0; id < i->spec.partitions; id++)
		if (!i->parts[id].was_at_end && !i->parts[id].held_until_mono_ms)
			return false;
	return true;
}

/* As far as the client knows; -1: it does not, before its first fetch. */
static int64_t lag_of(const struct intake *i, int32_t id)
{
	int64_t low = -1, high = -1;

	if (i->parts[id].next < 0 || rd_kafka_get_watermark_offsets(i->rk, i->topic, id, &low, &high) || high < 0)
		return -1;
	return high > i->parts[id].next ? high - i->parts[id].next : 0;
}

int64_t intake_lag(const struct intake *i)
{
	int64_t lag = 0;

	for (int32_t id = 0; id < i->spec.partitions; id++) {
		int64_t more = lag_of(i, id);

		lag += more > 0 ? more : 0;
	}
	return lag;
}

/* When the oldest record was written that has not been taken, or a bound. */
static int64_t oldest_of(const struct part *part)
{
	if (part->complained >= 0 && part->complained_ms)
		return part->complained_ms;
	if (part->last_ms || part->level_ms)
		return part->last_ms > part->level_ms ? part->last_ms : part->level_ms;
	return part->looked_ms;
}

int64_t intake_lag_ms(struct intake *i)
{
	int64_t now_ms = clock_now_ms(&i->spec.program->clock), lag_ms = 0;

	for (int32_t id = 0; id < i->spec.partitions; id++) {
		struct part *part = &i->parts[id];
		int64_t lag = lag_of(i, id);

		if (!part->looked_ms)
			part->looked_ms = now_ms;
		if (lag == 0)
			part->level_ms = now_ms;
		else if (lag > 0 && now_ms - oldest_of(part) > lag_ms)
			lag_ms = now_ms - oldest_of(part);
	}
	return lag_ms;
}

int32_t intake_held(const struct intake *i)
{
	int32_t held = 0;

	for (int32_t id = 0; id < i->spec.partitions; id++)
		held += i->parts[id].complained >= 0;
	return held;
}
