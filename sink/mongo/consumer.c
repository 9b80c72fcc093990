/* consumer.c - see consumer.h.
 *
 * Invariants:
 *  I1  A record is handed over only when its partition is ours, fetched, and its offset not below ledger.next: each offset at most
 *      once an assignment, in ascending order.
 *  I2  A partition enters librdkafka's assignment only with an explicit offset, and only in fetch_changes(); in the callback
 *      of an assignment none does, since asking for committed offsets can take long and the callback must not.
 *  I3  Offsets are committed inside a revoke callback, or when no rebalance is known to be going on.
 *
 * No gaps are looked for: the topics are written by transactions, whose control and aborted records take offsets that no reader
 * ever sees. An offset above the expected one is ordinary. */
#include "sink/mongo/consumer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/kafka.h"
#include "sink/mongo/alarm.h"
#include "sink/mongo/lag.h"
#include "sink/mongo/offsets.h"

enum {
	ASK_TIMEOUT_MS = 500,
	ASK_INTERVAL_MS = 500,
	COMMIT_INTERVAL_MS = 1000,
	REVOKE_COMMIT_MS = 5000,
	ASSIGN_AGAIN_MS = 1000,
	QUEUE_SHARE = 16,
	QUEUE_MIN_KBYTES = 1024,
	QUEUE_MAX_KBYTES = 16384,
	REBALANCE_LIMIT_MS = 15000, /* a rebalance that takes longer no longer holds back commits */
};

struct consumer {
	struct consumer_spec spec;
	const struct log *log;
	rd_kafka_t *rk;
	struct offsets *offsets;
	char names[NR_SINK_TOPICS][KAFKA_TOPIC_SIZE];
	const char *topics[NR_SINK_TOPICS]; /* names, for others */
	struct lag *lag;
	bool joined, closing, fetch;
	unsigned assigns_awaited;    /* callbacks until the rebalance that is going on is over; 0: none is */
	int64_t revoked_mono_ms;     /* when it began */
	int64_t next_ask_mono_ms, next_commit_mono_ms;
};

/* What correctness rests on. A user who sets one of these is refused (kafka.h). */
static const struct kafka_prop fixed_props[] = {
	{"isolation.level", "read_committed"},
	{"enable.auto.commit", "false"},
	{"enable.auto.offset.store", "false"},
	{"auto.offset.reset", "error"},
	{"enable.partition.eof", "true"},
	{"partition.assignment.strategy", "cooperative-sticky"},
	{0},
};

/* What a user's kafka.* may change. A dead sink's partitions move after ten seconds. Fetches are small, since librdkafka looks at its
 * queue's bound only before a fetch, and counts compressed bytes. */
static const struct kafka_prop own_props[] = {
	{"session.timeout.ms", "10000"},
	{"heartbeat.interval.ms", "3000"},
	{"fetch.max.bytes", "2097152"},
	{"fetch.message.max.bytes", "131072"},
	{0},
};

static bool user_has_set(const struct program *p, const char *property)
{
	const char *name, *value;

	for (size_t i = 0; conf_kafka_at(p->conf, i, &name, &value); i++)
		if (strcmp(name, property) == 0)
			return true;
	return false;
}

static int conf_set(rd_kafka_conf_t *conf, const char *name, const char *value, struct err *err)
{
	char why[256];

	if (rd_kafka_conf_set(conf, name, value, why, sizeof(why)) == RD_KAFKA_CONF_OK)
		return 0;
	return err_set(err, ERR_REJECT, "%s = %s: %s", name, value, why);
}

/* librdkafka's queue of fetched records, of the memory budget (L4): it is looked at before a fetch only, and counts compressed bytes. */
static int conf_set_queue(rd_kafka_conf_t *conf, const struct program *p, struct err *err)
{
	int64_t kbytes = p->common.memory_budget_bytes / QUEUE_SHARE / 1024;
	char text[24];

	if (kbytes < QUEUE_MIN_KBYTES)
		kbytes = QUEUE_MIN_KBYTES;
	if (kbytes > QUEUE_MAX_KBYTES)
		kbytes = QUEUE_MAX_KBYTES;
	snprintf(text, sizeof(text), "%" PRId64, kbytes);
	return user_has_set(p, "queued.max.messages.kbytes") ? 0 : conf_set(conf, "queued.max.messages.kbytes", text, err);
}

/* Group and membership: an instance with a fixed name keeps its partitions over a restart. */
static int conf_set_group(rd_kafka_conf_t *conf, const struct program *p, struct err *err)
{
	char group[KAFKA_TOPIC_SIZE];

	snprintf(group, sizeof(group), "millrace-sink-%s", p->common.cell);
	if (conf_set(conf, "group.id", group, err) < 0)
		return -1;
	if (p->common.instance_id[0] && conf_set(conf, "group.instance.id", p->instance, err) < 0)
		return -1;
	for (const struct kafka_prop *own = own_props; own->name; own++)
		if (!user_has_set(p, own->name) && conf_set(conf, own->name, own->value, err) < 0)
			return -1;
	return 0;
}

static struct partition *lookup(const struct consumer *c, const char *topic, int32_t id)
{
	for (int i = 0; i < NR_SINK_TOPICS; i++)
		if (strcmp(c->names[i], topic) == 0)
			return partitions_find(c->spec.parts, (enum sink_topic)i, id);
	return NULL;
}

/* An element of librdkafka's assignment. */
static void list_add(const struct consumer *c, rd_kafka_topic_partition_list_t *list, const struct partition *part)
{
	rd_kafka_topic_partition_t *tp = rd_kafka_topic_partition_list_add(list, c->names[part->topic], part->id);

	tp->offset = part->from_beginning ? RD_KAFKA_OFFSET_BEGINNING : part->ledger.next;
}

/* True when there was no error. */
static bool log_failure(const struct consumer *c, rd_kafka_error_t *error, const char *event)
{
	if (!error)
		return true;
	log_error(c->log, event, LOG_STR("error", rd_kafka_error_string(error)));
	rd_kafka_error_destroy(error);
	return false;
}

/* Is this partition to be fetched? */
static bool wanted(const struct consumer *c, const struct partition *part, int64_t now)
{
	return part->state == PARTITION_OWNED && c->fetch && now >= part->held_until_mono_ms;
}

/* Adds and removes so that librdkafka's assignment is what we want fetched (I2). Called between polls, whatever the group is doing: in a
 * rebalance a partition that is about to be revoked may be added, and goes again with the callback. */
static void fetch_changes(struct consumer *c)
{
	rd_kafka_topic_partition_list_t *add = rd_kafka_topic_partition_list_new(8), *del = rd_kafka_topic_partition_list_new(8);
	int64_t now = clock_mono_ms();
	bool added = true;
	struct partition *part;
	size_t at = 0;

	while ((part = partitions_next(c->spec.parts, &at)) != NULL)
		if (wanted(c, part, now) != part->fetched)
			list_add(c, part->fetched ? del : add, part);
	if (del->cnt)
		log_failure(c, rd_kafka_incremental_unassign(c->rk, del), "unassign_failed");
	if (add->cnt)
		added = log_failure(c, rd_kafka_incremental_assign(c->rk, add), "assign_failed");
	for (at = 0; (part = partitions_next(c->spec.parts, &at)) != NULL;) {
		bool want = wanted(c, part, now);

		/* What librdkafka did not take is tried again a little later: else nobody would ever fetch it. */
		if (want && !part->fetched && !added)
			part->held_until_mono_ms = now + ASSIGN_AGAIN_MS;
		else
			part->fetched = want;
	}
	rd_kafka_topic_partition_list_destroy(add);
	rd_kafka_topic_partition_list_destroy(del);
}

static void on_assign(struct consumer *c, const rd_kafka_topic_partition_list_t *list)
{
	rd_kafka_topic_partition_list_t *none = rd_kafka_topic_partition_list_new(1);
	struct err err = ERR_INIT;

	for (int i = 0; i < list->cnt; i++) {
		struct partition *part = NULL;

		for (int k = 0; k < NR_SINK_TOPICS; k++)
			if (strcmp(c->names[k], list->elems[i].topic) == 0)
				part = partitions_get(c->spec.parts, (enum sink_topic)k, list->elems[i].partition, &err);
		if (!part) {
			log_error(c->log, "partition_ignored", LOG_STR("topic", list->elems[i].topic), LOG_STR("error", err.msg));
			continue;
		}
		partition_assign(part);
		part->lag = meters_lag(c->spec.meters, c->names[part->topic], part->id);
		part->lag_seconds = meters_lag_seconds(c->spec.meters, c->names[part->topic], part->id);
	}
	log_failure(c, rd_kafka_incremental_assign(c->rk, none), "assign_failed"); /* tells librdkafka that we have taken note */
	rd_kafka_topic_partition_list_destroy(none);
	c->joined = true;
	c->assigns_awaited -= c->assigns_awaited > 0;
	c->next_ask_mono_ms = 0;
	log_info(c->log, "assigned", LOG_INT("partitions", list->cnt));
}

static void forget(struct consumer *c, struct partition *part)
{
	metrics_remove(c->spec.meters->registry, part->lag);
	metrics_remove(c->spec.meters->registry, part->lag_seconds);
	partition_revoke(part);
}

/* Partitions go. Within the callback they are still ours: what is in flight is brought in and committed, and whoever is next begins behind
 * it. What does not come in time is stored by us all the same, and again by the next owner, whose inserts its _ids refuse.
 * Nothing is committed of an assignment that was lost: the group has given it to somebody else, who asks what is committed. Closing,
 * everything that may be committed is committed already. */
static void on_revoke(struct consumer *c, const rd_kafka_topic_partition_list_t *list)
{
	rd_kafka_topic_partition_list_t *fetched = rd_kafka_topic_partition_list_new(8);
	bool lost = rd_kafka_assignment_lost(c->rk);

	for (int i = 0; i < list->cnt; i++) {
		struct partition *part = lookup(c, list->elems[i].topic, list->elems[i].partition);

		if (part)
			part->leaving = true;
	}
	/* Partitions that were given up make librdkafka call back twice: at once with an empty assignment, after which it joins the
	 * group again, and when that is done. A commit between the two would cost all partitions. */
	c->assigns_awaited = lost ? 1 : 2;
	c->revoked_mono_ms = clock_mono_ms();
	if (!lost && !c->closing) {
		c->spec.revoke(c->spec.ctx);
		offsets_commit_now(c->offsets, REVOKE_COMMIT_MS);
	}
	for (int i = 0; i < list->cnt; i++) {
		struct partition *part = lookup(c, list->elems[i].topic, list->elems[i].partition);

		if (part && part->fetched)
			list_add(c, fetched, part);
		if (part)
			forget(c, part);
	}
	log_failure(c, rd_kafka_incremental_unassign(c->rk, fetched), "unassign_failed");
	rd_kafka_topic_partition_list_destroy(fetched);
	log_info(c->log, "revoked", LOG_INT("partitions", list->cnt), LOG_BOOL("lost", lost));
}

static void on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t *list, void *opaque)
{
	struct consumer *c = opaque;

	if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
		on_assign(c, list);
	} else if (code == RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS) {
		on_revoke(c, list);
	} else {
		log_error(c->log, "rebalance_failed", LOG_STR("error", rd_kafka_err2str(code)));
		rd_kafka_assign(rk, NULL);
	}
}

static rd_kafka_conf_t *client_conf(const struct program *p, struct err *err)
{
	rd_kafka_conf_t *conf = kafka_conf(p, "reader", fixed_props, err);

	if (conf && (conf_set_group(conf, p, err) < 0 || conf_set_queue(conf, p, err) < 0)) {
		rd_kafka_conf_destroy(conf);
		return NULL;
	}
	return conf;
}

int consumer_check(const struct program *p, struct err *err)
{
	return kafka_conf_check(client_conf(p, err));
}

static int client_open(struct consumer *c, struct err *err)
{
	rd_kafka_conf_t *conf = client_conf(c->spec.program, err);

	if (!conf)
		return -1;
	rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
	rd_kafka_conf_set_opaque(conf, c);
	c->rk = kafka_open(RD_KAFKA_CONSUMER, conf, err);
	if (!c->rk)
		return -1;
	rd_kafka_poll_set_consumer(c->rk);
	return 0;
}

static int subscribe(struct consumer *c, struct err *err)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(NR_SINK_TOPICS);
	rd_kafka_resp_err_t code;

	for (int i = 0; i < NR_SINK_TOPICS; i++)
		rd_kafka_topic_partition_list_add(list, c->names[i], RD_KAFKA_PARTITION_UA);
	code = rd_kafka_subscribe(c->rk, list);
	rd_kafka_topic_partition_list_destroy(list);
	return code == RD_KAFKA_RESP_ERR_NO_ERROR ? 0 : kafka_code(err, code, "subscribe to the cell's topics");
}

struct consumer *consumer_new(const struct consumer_spec *spec, struct err *err)
{
	struct consumer *c = calloc(1, sizeof(*c));

	if (!c) {
		err_nomem(err, "the consumer");
		return NULL;
	}
	*c = (struct consumer){.spec = *spec, .log = &spec->program->log, .fetch = true};
	for (int i = 0; i < NR_SINK_TOPICS; i++)
		c->topics[i] = kafka_cell_topic(c->names[i], spec->program->common.cell, sink_topic_name((enum sink_topic)i));
	if (client_open(c, err) < 0) {
		consumer_free(c, 0);
		return NULL;
	}
	c->offsets = offsets_new(c->rk, spec->parts, c->topics, spec->epoch, c->log, spec->report, err);
	c->lag = lag_new(c->rk, spec->parts, c->topics, &spec->program->clock, err);
	kafka_wake_on(c->rk, spec->wake_fd);
	if (!c->offsets || !c->lag || subscribe(c, err) < 0) {
		consumer_free(c, 1000);
		return NULL;
	}
	return c;
}

bool consumer_free(struct consumer *c, int timeout_ms)
{
	if (!c)
		return true;
	c->closing = true;
	offsets_free(c->offsets);
	lag_free(c->lag);
	if (c->rk)
		kafka_wake_on(c->rk, -1);
	if (!kafka_close(c->rk, timeout_ms))
		return false;
	free(c);
	return true;
}

/* The offset to go on at is no longer, or not yet, there: retention was faster, or a broker lost its end. Go on at the earliest; the next
 * record shows how much is missing. */
static void lose_place(struct consumer *c, struct partition *part)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

	log_error(c->log, "offset_out_of_range", LOG_STR("topic", c->names[part->topic]), LOG_INT("partition", part->id),
		  LOG_INT("offset", part->ledger.next), LOG_STR("error", "goes on at the earliest record"));
	if (part->fetched) {
		list_add(c, list, part);
		log_failure(c, rd_kafka_incremental_unassign(c->rk, list), "unassign_failed");
	}
	rd_kafka_topic_partition_list_destroy(list);
	part->fetched = false;
	part->from_beginning = true;
	fetch_changes(c);
}

/* The first that is heard of a partition that began at its earliest offset, a record or its end: now the offset is known. */
static void find_place(struct consumer *c, struct partition *part, int64_t offset)
{
	int64_t expected = part->ledger.next;
	char text[128];

	part->from_beginning = false;
	if (offset < expected) {
		/* Earlier offsets than ours: the records behind ours were lost and written anew. */
		part->generation++;
		partition_begin(part, offset);
	} else if (part->ledger.consumed || part->committed >= 0) {
		metric_add(c->spec.meters->cut_off[part->topic], (uint64_t)(offset - expected));
		snprintf(text, sizeof(text), "retention removed the records up to %" PRId64 " before they were stored", offset);
		alarm_raise(c->log, c->spec.report, "records_cut_off", c->names[part->topic], part->id, expected, text);
	}
	ledger_skip_to(&part->ledger, offset);
}

/* Everything that a poll gives but records. */
static int take_event(struct consumer *c, const rd_kafka_message_t *m, struct partition *part, struct err *err)
{
	char why[256];

	switch (m->err) {
	case RD_KAFKA_RESP_ERR__PARTITION_EOF:
		if (part && part->fetched) {
			if (part->from_beginning)
				find_place(c, part, m->offset);
			ledger_skip_to(&part->ledger, m->offset);
		}
		return 0;
	case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
		if (part && part->fetched && !part->from_beginning)
			lose_place(c, part);
		return 0;
	case RD_KAFKA_RESP_ERR__FATAL:
		rd_kafka_fatal_error(c->rk, why, sizeof(why));
		return err_set(err, ERR_FATAL, "the Kafka client broke: %s", why);
	default:
		/* The client goes on by itself; what it says of its brokers stands in its own log lines. */
		log_warn(c->log, "consumer_error", LOG_STR("code", rd_kafka_err2name(m->err)),
			 LOG_STR("topic", m->rkt ? rd_kafka_topic_name(m->rkt) : ""), LOG_INT("partition", m->partition),
			 LOG_STR("error", rd_kafka_message_errstr(m)));
		return 0;
	}
}

/* Is this record to be read now (I1)? librdkafka drops what it fetched for an assignment that has ended, but not by contract: what
 * slips through is told here by state and offset. */
static bool guard(struct consumer *c, struct partition *part, const rd_kafka_message_t *m)
{
	if (!part || part->state != PARTITION_OWNED || !part->fetched)
		return false;
	if (part->from_beginning)
		find_place(c, part, m->offset);
	if (m->offset >= part->ledger.next)
		return true;
	metric_add(c->spec.meters->repeated[part->topic], 1);
	return false;
}

rd_kafka_message_t *consumer_next(struct consumer *c, struct partition **part, struct err *err)
{
	rd_kafka_message_t *m;

	while ((m = rd_kafka_consumer_poll(c->rk, 0)) != NULL) {
		int rc = 0;

		*part = m->rkt ? lookup(c, rd_kafka_topic_name(m->rkt), m->partition) : NULL;
		if (m->err)
			rc = take_event(c, m, *part, err);
		else if (guard(c, *part, m))
			return m;
		rd_kafka_message_destroy(m);
		if (rc < 0)
			return NULL;
	}
	return NULL;
}

void consumer_fetch(struct consumer *c, bool fetch)
{
	c->fetch = fetch;
	fetch_changes(c);
}

void consumer_hold(struct consumer *c, struct partition *part, int64_t hold_ms)
{
	part->held_until_mono_ms = clock_mono_ms() + hold_ms;
	fetch_changes(c);
}

/* Is no rebalance known to be going on (I3)? */
static bool is_stable(const struct consumer *c, int64_t now)
{
	return c->assigns_awaited == 0 || now - c->revoked_mono_ms > REBALANCE_LIMIT_MS;
}

int consumer_turn(struct consumer *c, struct err *err)
{
	int64_t now = clock_mono_ms();
	int rc = 0;

	offsets_poll(c->offsets);
	if (now >= c->next_ask_mono_ms) {
		rc = offsets_ask(c->offsets, ASK_TIMEOUT_MS, err);
		c->next_ask_mono_ms = clock_mono_ms() + ASK_INTERVAL_MS;
	}
	fetch_changes(c);
	if (now >= c->next_commit_mono_ms && is_stable(c, now)) {
		offsets_commit(c->offsets);
		c->next_commit_mono_ms = now + COMMIT_INTERVAL_MS;
	}
	lag_measure(c->lag);
	return rc;
}

bool consumer_commit_now(struct consumer *c, int timeout_ms)
{
	return offsets_commit_now(c->offsets, timeout_ms);
}

bool consumer_joined(const struct consumer *c)
{
	return c->joined;
}

int64_t consumer_lag(const struct consumer *c)
{
	return lag_total(c->lag);
}

const char *consumer_topic(const struct consumer *c, enum sink_topic topic)
{
	return c->names[topic];
}
