/* loading.c - see loading.h.
 *
 * A consumer without a group's membership, its assignment made by hand. A topic's end is told by librdkafka after each record before it was handed over;
 * with isolation.level read_committed it lies behind all transactions that have ended, and there are no others (loading.h).
 *
 * A record that cannot be decoded is ours, so somebody has written there who should not: it is passed over and counted, as one incident that is not
 * known again is better than nobody being told of anything. One of a newer schema is another thing: a newer notifier has been here, and by
 * going on without its records we would tell again what it has told. */
#include "sink/notify/loading.h"

#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "common/events.h"
#include "common/kafka.h"

enum { RECORDS_A_TURN = 2000, CLOSE_MS = 2000 };

enum stage { STAGE_INCIDENTS, STAGE_SENT, STAGE_DONE };

struct loading {
	const struct program *program;
	struct loading_hooks hooks;
	rd_kafka_t *rk;
	int wake_fd;
	enum stage stage;
	char names[STAGE_DONE][KAFKA_TOPIC_SIZE];
	struct arena arena;
	uint64_t records, refused;
};

static const struct kafka_prop fixed_props[] = {
	{"group.id", "millrace-notify-loading"}, /* never joined */
	{"enable.auto.commit", "false"},
	{"enable.auto.offset.store", "false"},
	{"enable.partition.eof", "true"},
	{"isolation.level", "read_committed"},
	{"auto.offset.reset", "earliest"},
	{0},
};

int loading_check(const struct program *p, struct err *err)
{
	return kafka_conf_check(kafka_conf(p, "loading", fixed_props, err));
}

static int begin_stage(struct loading *l, struct err *err)
{
	rd_kafka_topic_partition_list_t *list;
	rd_kafka_resp_err_t code;

	if (l->stage == STAGE_DONE)
		return 0;
	list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_topic_partition_list_add(list, l->names[l->stage], 0)->offset = RD_KAFKA_OFFSET_BEGINNING;
	code = rd_kafka_assign(l->rk, list);
	rd_kafka_topic_partition_list_destroy(list);
	return code ? kafka_code(err, code, l->names[l->stage]) : 0;
}

static int open_client(struct loading *l, struct err *err)
{
	rd_kafka_conf_t *conf = kafka_conf(l->program, "loading", fixed_props, err);

	if (!conf)
		return -1;
	rd_kafka_conf_set(conf, "fetch.wait.max.ms", "100", NULL, 0); /* how long an end takes to be seen */
	l->rk = kafka_open(RD_KAFKA_CONSUMER, conf, err);
	if (!l->rk)
		return -1;
	rd_kafka_poll_set_consumer(l->rk);
	kafka_wake_on(l->rk, l->wake_fd);
	return 0;
}

struct loading *loading_new(const struct program *p, const struct loading_hooks *hooks, int wake_fd, struct err *err)
{
	struct loading *l = calloc(1, sizeof(*l));

	if (!l) {
		err_nomem(err, "loading incidents");
		return NULL;
	}
	*l = (struct loading){.program = p, .hooks = *hooks, .wake_fd = wake_fd};
	kafka_cell_topic(l->names[STAGE_INCIDENTS], p->common.cell, "incidents");
	kafka_cell_topic(l->names[STAGE_SENT], p->common.cell, "sent");
	if (open_client(l, err) == 0 && begin_stage(l, err) == 0)
		return l;
	loading_free(l);
	return NULL;
}

bool loading_free(struct loading *l)
{
	bool ended;

	if (!l)
		return true;
	if (l->rk)
		kafka_wake_on(l->rk, -1);
	ended = kafka_close(l->rk, CLOSE_MS);
	arena_fini(&l->arena);
	free(l);
	return ended;
}

static int take_incident(struct loading *l, struct str value, struct err *err)
{
	struct incident incident;

	return incident_decode(value, &l->arena, &incident, err) < 0 ? -1 : l->hooks.incident(l->hooks.ctx, &incident, err);
}

static int take_sent(struct loading *l, struct str value, struct err *err)
{
	struct sent sent;

	return sent_decode(value, &l->arena, &sent, err) < 0 ? -1 : l->hooks.sent(l->hooks.ctx, &sent, err);
}

static int take_record(struct loading *l, const rd_kafka_message_t *m, struct err *err)
{
	const struct str value = {m->payload, m->len};
	struct err why = ERR_INIT;
	int rc;

	l->records++;
	if (!m->payload) /* a tombstone: compaction takes care of what was before */
		return 0;
	arena_clear(&l->arena);
	rc = l->stage == STAGE_INCIDENTS ? take_incident(l, value, &why) : take_sent(l, value, &why);
	if (rc == 0)
		return 0;
	if (why.kind == ERR_REJECT) {
		l->refused++;
		log_warn(&l->program->log, "record_refused", LOG_STR("topic", l->names[l->stage]), LOG_INT("partition", m->partition),
			 LOG_INT("offset", m->offset), LOG_STR("error", why.msg));
		return 0;
	}
	*err = why;
	return err_wrap(err, "%s offset %" PRId64, l->names[l->stage], m->offset);
}

static int take(struct loading *l, const rd_kafka_message_t *m, struct err *err)
{
	const char *topic = m->rkt ? rd_kafka_topic_name(m->rkt) : "";
	bool current = strcmp(topic, l->names[l->stage]) == 0;

	if (!m->err)
		return current ? take_record(l, m, err) : 0;
	if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
		l->stage += current;
		return current ? begin_stage(l, err) : 0;
	}
	log_warn(&l->program->log, "consumer_error", LOG_STR("code", rd_kafka_err2name(m->err)),
			 LOG_STR("topic", m->rkt ? rd_kafka_topic_name(m->rkt) : ""), LOG_INT("partition", m->partition),
			 LOG_STR("error", rd_kafka_message_errstr(m)));
	return 0; /* the client goes on by itself */
}

int loading_turn(struct loading *l, struct err *err)
{
	for (int i = 0; l->stage < STAGE_DONE && i < RECORDS_A_TURN; i++) {
		rd_kafka_message_t *m = rd_kafka_consumer_poll(l->rk, 0);
		int rc;

		if (!m)
			return 0;
		rc = take(l, m, err);
		rd_kafka_message_destroy(m);
		if (rc < 0)
			return -1;
	}
	if (l->stage == STAGE_DONE)
		return 1;
	events_wake(l->wake_fd); /* the queue wakes only when it was empty */
	return 0;
}

void loading_count(const struct loading *l, uint64_t *records, uint64_t *refused)
{
	*records = l->records;
	*refused = l->refused;
}
