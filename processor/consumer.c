/* consumer.c - see consumer.h.
 *
 * librdkafka 2.0.2, and why each guard is there:
 *  G1  Records are polled one by one, with rd_kafka_consumer_poll(). rd_kafka_consume_batch_queue() drops the batch being gathered at each
 *      cooperative rebalance while the position moves on: records are lost silently.
 *  G2  The metadata to commit with is copied at the top of every rebalance callback and held until the next. An instance that was frozen past its session,
 *      wakes and asks for it at commit time is given the new generation by the client's thread: the broker lets its commit through, and what
 *      it emitted counts twice.
 *  G3  A copy without member id or generation is never used: with such a one the broker checks nothing at all.
 *  G4  isolation.level is read_committed: committed offsets then wait for a pending owner instead of giving the old one at once.
 *  G5  committed() answers _TIMED_OUT while a former owner's commit is pending, with no offset and no error on the partition: that means
 *      ask again, never "none".
 *  G6  incremental_assign() and _unassign() are called from within the callback only. A rebalance that the client's thread has begun waits for just such
 *      a call: one from outside, about another partition, would be taken for the answer, and the revoked partitions be given away before
 *      their last checkpoint (whose metadata, taken in the late callback, would then be of the new generation: counted twice). It
 *      would also clear the mark that the assignment was lost. So a partition is held back by a pause, and (re)started by a seek: neither
 *      touches the group.
 *  G7  auto.offset.reset is earliest, not error: after the error 2.0.2 fetches the partition no more, and refuses to seek; only an unassign
 *      outside of a callback (G6) would bring it back. Nothing is reset silently for all that: the guard of positions takes no record but the
 *      one at the position, and says what is missing.
 *  G8  A held partition is assigned at a number, not at OFFSET_END: when the answer to a question for a logical offset is outdated (a pause or seek
 *      came meanwhile), 2.0.2 asks again half a second later, and then jumps to the answer, whatever was sought in between. Where the
 *      number lies does not matter: what is fetched from there before the pause takes hold is of an older version and dropped.
 *  G9  seek_partitions()' time-out is 1000 times too short: rd_kafka_seek() is used.
 *  G10 A topic that is not there is not subscribed to: that can crash.
 *  G11 An assignment is not marked as lost when the session ends while a rebalance callback is already waiting: the client skips what would mark it. The
 *      callback then revokes its partitions as if they were still ours, the others are kept, and when the client has joined again the broker
 *      lets through what is committed for them, though another owner may have come and gone: counted twice. But it joins under another member id. So
 *      what was owned when that changed is lost; and if not all of it is being revoked, the consumer is broken: nothing is committed with it any
 *      more, and its owner throws it away.
 *  G12 The group assigns the samples' partitions alone, and whoever has one of them has the events' partition of the same number, too. Were both topics
 *      subscribed to, the sticky assignor, which moves as little as it can and looks at one topic after the other, would give a second member all
 *      partitions of the one and leave it none of the other: seen with the mock cluster. The client takes what it is told to assign, and
 *      what it tells the group that it owns is what the group gave it. Offsets of a topic that nobody subscribes to do not last while nothing is committed:
 *      due_position(). */
#include "processor/consumer.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/events.h"
#include "common/kafka.h"
#include "common/member.h"
#include "processor/shares.h"

enum { OPEN_CLOSE_MS = 1000, CHECK_MS = 3000, SEEK_MS = 1000 };

struct consumer {
	const struct program *program;
	const struct cell_topics *topics;
	struct consumer_hooks hooks;
	rd_kafka_t *rk;
	rd_kafka_topic_t *rkt[NR_INPUT_KINDS];
	rd_kafka_queue_t *queue; /* the consumer's, for its wake-up */
	rd_kafka_consumer_group_metadata_t *group; /* (G2) */
	struct buf member; /* our id in the group, as of the last callback */
	int owned;         /* partitions that the group gave us */
	bool broken;       /* (G11) */
	bool joined;
	bool closing; /* hooks are not called any more */
};

static void drop_group(struct consumer *c)
{
	if (c->group)
		rd_kafka_consumer_group_metadata_destroy(c->group);
	c->group = NULL;
}

/* Rule D. Tells whether we are another member of the group than in the callback before, or none. */
static bool hold_group(struct consumer *c)
{
	struct buf member = BUF_INIT;
	int32_t generation = -1;
	bool other;

	drop_group(c);
	c->group = rd_kafka_consumer_group_metadata(c->rk);
	if (c->group)
		generation = member_read(c->group, &member);
	if (c->group && (generation < 0 || !member.len)) /* (G3) */
		drop_group(c);
	other = buf_failed(&member) || !str_eq(buf_str(&member), buf_str(&c->member));
	buf_fini(&c->member);
	c->member = member;
	return other;
}

/* The client's warning comes from rd_kafka_assign()'s own log line; what is left to do is to go on. */
static void ignore_error(struct consumer *c, rd_kafka_error_t *error, const char *what)
{
	if (!error)
		return;
	log_warn(&c->program->log, "rebalance_call_failed", LOG_STR("call", what), LOG_STR("error", rd_kafka_error_string(error)));
	rd_kafka_error_destroy(error);
}

/* New partitions join the assignment paused (G6), at whatever number (G8). */
static void take_partitions(struct consumer *c, rd_kafka_topic_partition_list_t *list)
{
	for (int i = 0; i < list->cnt; i++)
		list->elems[i].offset = 0;
	ignore_error(c, rd_kafka_incremental_assign(c->rk, list), "incremental_assign");
	if (list->cnt)
		rd_kafka_pause_partitions(c->rk, list);
}

/* (G11) Has what we owned when the callback came been another's meanwhile? What of it is left behind the callback breaks the consumer. */
static bool check_membership(struct consumer *c, int nr_revoked)
{
	bool stale = hold_group(c) && c->owned;

	if (stale && nr_revoked < c->owned)
		c->broken = true;
	if (c->broken)
		drop_group(c);
	return stale;
}

/* (G12) What the group's word comes to: the partitions that it named, and those that go with them. The caller destroys it. */
static rd_kafka_topic_partition_list_t *with_events(const struct consumer *c, const rd_kafka_topic_partition_list_t *named)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_copy(named);

	for (int i = 0; i < named->cnt; i++)
		rd_kafka_topic_partition_list_add(list, c->topics->events, named->elems[i].partition);
	return list;
}

/* The inputs of a list, which the caller frees. What is none is left out: a partition that kafka_check_topic() has not seen means that the topics were made
 * again, with another number. NULL when memory is short. */
static int32_t *numbers_of(const struct consumer *c, const rd_kafka_topic_partition_list_t *list, size_t *nr)
{
	int32_t *numbers = calloc((size_t)list->cnt + 1, sizeof(*numbers));

	*nr = 0;
	for (int i = 0; numbers && i < list->cnt; i++) {
		int32_t number = topics_number(c->topics, list->elems[i].topic, list->elems[i].partition);

		if (number >= 0)
			numbers[(*nr)++] = number;
	}
	return numbers;
}

static void on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t *named, void *opaque)
{
	struct consumer *c = opaque;
	rd_kafka_topic_partition_list_t *list = with_events(c, named);
	size_t nr;
	int32_t *partitions = numbers_of(c, list, &nr);
	bool lost = rd_kafka_assignment_lost(rk) != 0, revoke = code != RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
	bool stale = check_membership(c, revoke ? named->cnt : 0);

	if (revoke) {
		if (partitions && !c->closing)
			c->hooks.revoked(c->hooks.ctx, partitions, nr, lost || stale || c->broken);
		ignore_error(c, rd_kafka_incremental_unassign(rk, list), "incremental_unassign");
		c->owned -= named->cnt;
	} else {
		take_partitions(c, list);
		c->owned += named->cnt;
		c->joined = true;
		if (partitions && !c->closing)
			c->hooks.assigned(c->hooks.ctx, partitions, nr);
	}
	free(partitions);
	rd_kafka_topic_partition_list_destroy(list);
}

static rd_kafka_conf_t *consumer_conf(const struct program *p, struct err *err)
{
	const struct shares shares = shares_of(p->common.memory_budget_bytes);
	char group[KAFKA_TOPIC_SIZE], kbytes[24], fetch_max[24], partition_max[24];
	const struct kafka_prop fixed[] = {
		{"group.id", group},
		{"partition.assignment.strategy", "cooperative-sticky"},
		{"isolation.level", "read_committed"}, /* (G4) */
		{"enable.auto.commit", "false"},
		{"enable.auto.offset.store", "false"},
		{"auto.offset.reset", "earliest"}, /* (G7) */
		{"enable.partition.eof", "true"},
		{"session.timeout.ms", "10000"},
		{"queued.min.messages", "1000000"}, /* low values throttle; the bytes are the bound */
		{"queued.max.messages.kbytes", kbytes},
		{"fetch.max.bytes", fetch_max}, /* must not be below message.max.bytes, 1 MB */
		{"max.partition.fetch.bytes", partition_max},
		{"fetch.wait.max.ms", "100"}, /* also how long a partition's end takes to be seen */
		{*p->common.instance_id ? "group.instance.id" : NULL, p->common.instance_id}, /* empty: dynamic membership */
		{0},
	};

	snprintf(group, sizeof(group), "millrace-processor-%s", p->common.cell);
	snprintf(kbytes, sizeof(kbytes), "%lld", (long long)shares.fetch_queue_kbytes);
	snprintf(fetch_max, sizeof(fetch_max), "%lld", (long long)shares.fetch_bytes);
	snprintf(partition_max, sizeof(partition_max), "%lld", (long long)shares.partition_fetch_bytes);
	return kafka_conf(p, "in", fixed, err);
}

int consumer_check(const struct program *p, struct err *err)
{
	return kafka_conf_check(consumer_conf(p, err));
}

static int subscribe(struct consumer *c, struct err *err)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_resp_err_t code;

	rd_kafka_topic_partition_list_add(list, c->topics->samples, RD_KAFKA_PARTITION_UA); /* (G12) */
	code = rd_kafka_subscribe(c->rk, list);
	rd_kafka_topic_partition_list_destroy(list);
	return code ? kafka_code(err, code, "join the group") : 0;
}

static int open_topic(struct consumer *c, enum input_kind kind, const char *topic, struct err *err)
{
	if (kafka_check_topic(c->rk, topic, c->topics->partitions, CHECK_MS, err) < 0) /* (G10) */
		return -1;
	c->rkt[kind] = rd_kafka_topic_new(c->rk, topic, NULL);
	return c->rkt[kind] ? 0 : kafka_code(err, rd_kafka_last_error(), topic);
}

static int consumer_open(struct consumer *c, struct err *err)
{
	rd_kafka_conf_t *conf = consumer_conf(c->program, err);

	if (!conf)
		return -1;
	rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
	rd_kafka_conf_set_opaque(conf, c);
	c->rk = kafka_open(RD_KAFKA_CONSUMER, conf, err);
	if (!c->rk)
		return -1;
	rd_kafka_poll_set_consumer(c->rk);
	c->queue = rd_kafka_queue_get_consumer(c->rk);
	if (open_topic(c, INPUT_SAMPLES, c->topics->samples, err) < 0 || open_topic(c, INPUT_EVENTS, c->topics->events, err) < 0)
		return -1;
	return subscribe(c, err);
}

struct consumer *consumer_new(const struct program *p, const struct cell_topics *topics, const struct consumer_hooks *hooks,
			      struct err *err)
{
	struct consumer *c = calloc(1, sizeof(*c));

	if (!c) {
		err_nomem(err, "the consumer");
		return NULL;
	}
	c->program = p;
	c->topics = topics;
	c->hooks = *hooks;
	if (!member_is_readable())
		err_set(err, ERR_FATAL, "librdkafka %s writes group metadata in a form that cannot be checked", rd_kafka_version_str());
	else if (consumer_open(c, err) == 0)
		return c;
	consumer_close(c, OPEN_CLOSE_MS); /* with no time at all the client would be left behind, at every try */
	return NULL;
}

bool consumer_close(struct consumer *c, int timeout_ms)
{
	bool closed;

	if (!c)
		return true;
	c->closing = true;
	if (c->queue) {
		rd_kafka_queue_io_event_enable(c->queue, -1, NULL, 0);
		rd_kafka_queue_destroy(c->queue);
	}
	for (size_t i = 0; i < NR_INPUT_KINDS; i++)
		if (c->rkt[i])
			rd_kafka_topic_destroy(c->rkt[i]);
	closed = kafka_close(c->rk, timeout_ms);
	if (!closed) /* the client may still call back */
		return false;
	drop_group(c);
	buf_fini(&c->member);
	free(c);
	return true;
}

void consumer_wake_on(struct consumer *c, int fd)
{
	uint64_t one = 1; /* what an eventfd takes */

	rd_kafka_queue_io_event_enable(c->queue, fd, &one, sizeof(one));
	events_wake(fd); /* for what was queued before */
}

rd_kafka_message_t *consumer_poll(struct consumer *c)
{
	return rd_kafka_consumer_poll(c->rk, 0); /* (G1) */
}

/* Pauses or resumes one partition. */
static int set_paused(struct consumer *c, int32_t partition, bool paused, struct err *err)
{
	struct input in = topics_input(c->topics, partition);
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_resp_err_t code;

	rd_kafka_topic_partition_list_add(list, in.topic, in.partition);
	code = paused ? rd_kafka_pause_partitions(c->rk, list) : rd_kafka_resume_partitions(c->rk, list);
	if (!code)
		code = list->elems[0].err;
	rd_kafka_topic_partition_list_destroy(list);
	return code ? kafka_code(err, code, paused ? "pause" : "resume") : 0;
}

int consumer_refetch(struct consumer *c, int32_t partition, int64_t offset, struct err *err)
{
	struct input in = topics_input(c->topics, partition);
	rd_kafka_resp_err_t code = rd_kafka_seek(c->rkt[in.kind], in.partition, offset, SEEK_MS); /* (G9) */

	return code ? kafka_code(err, code, "seek") : 0;
}

int consumer_start(struct consumer *c, int32_t partition, int64_t offset, struct err *err)
{
	/* Seek first: a partition that is resumed before would hand over records from elsewhere. */
	if (consumer_refetch(c, partition, offset, err) < 0)
		return -1;
	return set_paused(c, partition, false, err);
}

int consumer_hold(struct consumer *c, int32_t partition, struct err *err)
{
	return set_paused(c, partition, true, err);
}

int consumer_committed(struct consumer *c, int32_t partition, int timeout_ms, struct committed *out, struct buf *buf, struct err *err)
{
	struct input in = topics_input(c->topics, partition);
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_topic_partition_t *tp = rd_kafka_topic_partition_list_add(list, in.topic, in.partition);
	rd_kafka_resp_err_t code = rd_kafka_committed(c->rk, list, timeout_ms);
	int rc = 0;

	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		code = tp->err;
	buf_clear(buf);
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR) { /* (G5) */
		kafka_code(err, code, "ask for the committed offset");
		if (err)
			err->kind = ERR_RETRY;
		rc = -1;
	} else {
		buf_add(buf, tp->metadata, tp->metadata ? tp->metadata_size : 0);
		out->offset = tp->offset >= 0 ? tp->offset : -1;
		out->metadata = buf_str(buf);
		if (buf_failed(buf))
			rc = err_nomem(err, "an offset's metadata");
	}
	rd_kafka_topic_partition_list_destroy(list);
	return rc;
}

bool consumer_is_fenced(const struct consumer *c)
{
	char text[128];

	return rd_kafka_fatal_error(c->rk, text, sizeof(text)) == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID;
}

bool consumer_is_broken(const struct consumer *c)
{
	return c->broken;
}

bool consumer_joined(const struct consumer *c)
{
	return c->joined;
}

const rd_kafka_consumer_group_metadata_t *consumer_group(const struct consumer *c)
{
	return c->group;
}

int64_t consumer_end_offset(struct consumer *c, int32_t partition)
{
	struct input in = topics_input(c->topics, partition);
	int64_t low = -1, high = -1;

	if (rd_kafka_get_watermark_offsets(c->rk, in.topic, in.partition, &low, &high) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return -1;
	return high >= 0 ? high : -1;
}
