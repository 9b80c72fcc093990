/* owner.c - see owner.h.
 *
 * librdkafka 2.0.2, and why each guard is there (processor/consumer.c has met them all):
 *  G1  Metadata to commit with is copied at the top of every rebalance callback and held until the next. A member that was frozen past its session and
 *      asks for it when it commits is given the new generation by the client's thread, and the broker lets its commit through.
 *  G2  A copy without member id or generation is never used: the broker checks nothing with such a one.
 *  G3  An assignment is not marked as lost when the session ends while a callback is already waiting. But the client joins again under another member
 *      id: what was ours when that changed may have been another's meanwhile, and a new term begins.
 *  G4  Nothing is ever assigned to the client itself: there is no fetch to pause or to seek. The group's assignment is another thing, which the client
 *      keeps.
 *  G5  committed() answers with a time-out, or an error on the partition, while a former owner's commit is pending: ask again, never "none". For that
 *      isolation.level is read_committed.
 *  G6  cooperative-sticky, so that an instance that joins takes nothing away from the owner. Its price is a client that cannot be destroyed safely when
 *      it has no assignment (kafka.h): it leaves the group, and the process ends without tearing it down. */
#include "sink/notify/owner.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/events.h"
#include "common/kafka.h"
#include "common/member.h"

enum { OPEN_CLOSE_MS = 1000, CHECK_MS = 2000 };

struct owner {
	const struct program *program;
	rd_kafka_t *rk;
	char topic[KAFKA_TOPIC_SIZE];
	owner_leaving_fn leaving;
	void *ctx;
	struct tenure tenure;
	rd_kafka_consumer_group_metadata_t *group; /* (G1) */
	struct buf member;
	bool joined, closing;
};

static void drop_group(struct owner *o)
{
	if (o->group)
		rd_kafka_consumer_group_metadata_destroy(o->group);
	o->group = NULL;
}

/* (G1). Tells whether we are another member than in the callback before (G3). */
static bool hold_group(struct owner *o)
{
	struct buf member = BUF_INIT;
	int32_t generation = -1;
	bool other;

	drop_group(o);
	o->group = rd_kafka_consumer_group_metadata(o->rk);
	if (o->group)
		generation = member_read(o->group, &member);
	if (o->group && (generation < 0 || !member.len)) /* (G2) */
		drop_group(o);
	other = buf_failed(&member) || !str_eq(buf_str(&member), buf_str(&o->member));
	buf_fini(&o->member);
	o->member = member;
	return other;
}

/* Tells librdkafka that we have taken note (G4). */
static void take_note(struct owner *o, bool assign)
{
	rd_kafka_topic_partition_list_t *none = rd_kafka_topic_partition_list_new(1);
	rd_kafka_error_t *error = assign ? rd_kafka_incremental_assign(o->rk, none) : rd_kafka_incremental_unassign(o->rk, none);

	if (error) {
		log_warn(&o->program->log, "rebalance_call_failed", LOG_STR("error", rd_kafka_error_string(error)));
		rd_kafka_error_destroy(error);
	}
	rd_kafka_topic_partition_list_destroy(none);
}

static void leave(struct owner *o, bool lost)
{
	if (o->tenure.mine && !o->closing)
		o->leaving(o->ctx, lost);
	tenure_revoked(&o->tenure);
}

static void on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t *list, void *opaque)
{
	struct owner *o = opaque;
	bool lost = rd_kafka_assignment_lost(rk) != 0, assign = code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
	bool stale = hold_group(o) && o->tenure.mine;

	if (stale)
		leave(o, true);
	if (assign) {
		o->joined = true;
		if (list->cnt || stale) /* stale: the group still counts it as ours */
			tenure_assigned(&o->tenure);
	} else if (list->cnt && o->tenure.mine) {
		leave(o, lost);
	}
	take_note(o, assign);
	log_info(&o->program->log, assign ? "assigned" : "revoked", LOG_INT("partitions", list->cnt), LOG_BOOL("lost", lost || stale),
		 LOG_STR("phase", tenure_phase_name(tenure_phase(&o->tenure, clock_mono_ms()))));
}

static rd_kafka_conf_t *client_conf(const struct program *p, struct err *err)
{
	char group[KAFKA_TOPIC_SIZE];
	const struct kafka_prop fixed[] = {
		{"group.id", group},
		{"partition.assignment.strategy", "cooperative-sticky"}, /* (G6) */
		{"isolation.level", "read_committed"}, /* (G5) */
		{"enable.auto.commit", "false"},
		{"enable.auto.offset.store", "false"},
		{"auto.offset.reset", "error"},
		{"session.timeout.ms", "10000"}, /* TENURE_WAIT_MS is more */
		{"heartbeat.interval.ms", "3000"},
		{*p->common.instance_id ? "group.instance.id" : NULL, p->common.instance_id}, /* empty: dynamic membership */
		{0},
	};

	snprintf(group, sizeof(group), "millrace-notify-%s", p->common.cell);
	return kafka_conf(p, "owner", fixed, err);
}

int owner_check(const struct program *p, struct err *err)
{
	return kafka_conf_check(client_conf(p, err));
}

static int join(struct owner *o, int wake_fd, struct err *err)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_resp_err_t code;

	kafka_wake_on(o->rk, wake_fd);
	rd_kafka_topic_partition_list_add(list, o->topic, RD_KAFKA_PARTITION_UA);
	code = rd_kafka_subscribe(o->rk, list);
	rd_kafka_topic_partition_list_destroy(list);
	return code ? kafka_code(err, code, "join the group") : 0;
}

static int check_topics(struct owner *o, int32_t partitions, struct err *err)
{
	char alerts[KAFKA_TOPIC_SIZE], sent[KAFKA_TOPIC_SIZE];

	kafka_cell_topic(alerts, o->program->common.cell, "alerts");
	kafka_cell_topic(sent, o->program->common.cell, "sent");
	return kafka_check_topic(o->rk, o->topic, 1, CHECK_MS, err) < 0 || kafka_check_topic(o->rk, sent, 1, CHECK_MS, err) < 0 ||
	       kafka_check_topic(o->rk, alerts, partitions, CHECK_MS, err) < 0 ? -1 : 0;
}

static int open_client(struct owner *o, struct err *err)
{
	rd_kafka_conf_t *conf = client_conf(o->program, err);

	if (!conf)
		return -1;
	rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
	rd_kafka_conf_set_opaque(conf, o);
	o->rk = kafka_open(RD_KAFKA_CONSUMER, conf, err);
	if (!o->rk)
		return -1;
	rd_kafka_poll_set_consumer(o->rk);
	return 0;
}

struct owner *owner_new(const struct program *p, int32_t partitions, int wake_fd, owner_leaving_fn leaving, void *ctx, struct err *err)
{
	struct owner *o = calloc(1, sizeof(*o));

	if (!o) {
		err_nomem(err, "a member of the group");
		return NULL;
	}
	*o = (struct owner){.program = p, .leaving = leaving, .ctx = ctx};
	kafka_cell_topic(o->topic, p->common.cell, "incidents");
	if (!member_is_readable())
		err_set(err, ERR_FATAL, "librdkafka %s writes group metadata in a form that cannot be checked", rd_kafka_version_str());
	else if (open_client(o, err) == 0 && check_topics(o, partitions, err) == 0 && join(o, wake_fd, err) == 0)
		return o;
	owner_free(o, OPEN_CLOSE_MS);
	return NULL;
}

bool owner_free(struct owner *o, int timeout_ms)
{
	if (!o)
		return true;
	o->closing = true;
	if (o->rk)
		kafka_wake_on(o->rk, -1);
	if (!kafka_close(o->rk, timeout_ms))
		return false; /* the client may still call back */
	drop_group(o);
	buf_fini(&o->member);
	free(o);
	return true;
}

int owner_turn(struct owner *o, struct err *err)
{
	rd_kafka_message_t *m;
	char why[256];
	int rc = 0;

	while (rc == 0 && (m = rd_kafka_consumer_poll(o->rk, 0)) != NULL) {
		if (m->err == RD_KAFKA_RESP_ERR__FATAL) {
			rd_kafka_fatal_error(o->rk, why, sizeof(why));
			rc = err_set(err, ERR_FATAL, "the Kafka client broke: %s", why);
		} else if (m->err) {
			log_warn(&o->program->log, "consumer_error", LOG_STR("code", rd_kafka_err2name(m->err)),
			 LOG_STR("topic", m->rkt ? rd_kafka_topic_name(m->rkt) : ""), LOG_INT("partition", m->partition),
			 LOG_STR("error", rd_kafka_message_errstr(m)));
		}
		rd_kafka_message_destroy(m);
	}
	return rc;
}

struct tenure *owner_tenure(struct owner *o)
{
	return &o->tenure;
}

bool owner_joined(const struct owner *o)
{
	return o->joined;
}

const rd_kafka_consumer_group_metadata_t *owner_group(const struct owner *o)
{
	return o->group;
}

int owner_committed(struct owner *o, rd_kafka_topic_partition_list_t *list, int timeout_ms, struct err *err)
{
	rd_kafka_resp_err_t code = rd_kafka_committed(o->rk, list, timeout_ms);

	for (int i = 0; !code && i < list->cnt; i++)
		code = list->elems[i].err;
	if (!code)
		return 0;
	kafka_code(err, code, "ask for the committed offsets"); /* (G5) */
	if (err)
		err->kind = ERR_RETRY;
	return -1;
}
