/* test_consumer.c - the metadata that is committed with is that of the last rebalance callback, whatever the client knows by now (G2, G3), and
 * only while the group has taken us for a member all the time (G11).
 *
 * Two members of a group on the mock cluster. When the second one comes, the first one's client joins again in its own thread and has the new
 * generation before its owner has polled: that window is what is looked into. */
#include "processor/consumer.h"

#include <poll.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/events.h"
#include "common/member.h"
#include "tests/unit/common/kafka_mock.h"

enum { WAIT_MS = 90000, TURN_MS = 20, PARTITIONS = 4, INPUTS = 2 * PARTITIONS, HEARTBEAT_MS = 3000, HEARTBEATS = 2, TRIES = 3 };

/* Serialised group metadata: for comparing; NULL bytes: there is none. */
struct written {
	void *bytes;
	size_t len;
};

static struct written written_of(const rd_kafka_consumer_group_metadata_t *group)
{
	struct written w = {NULL, 0};
	rd_kafka_error_t *error = group ? rd_kafka_consumer_group_metadata_write(group, &w.bytes, &w.len) : NULL;

	ck_assert(!error);
	return w;
}

static bool same(const struct written *a, const struct written *b)
{
	return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

struct member {
	struct program program;
	struct consumer *consumer;
	int wake_fd;
	int owned, callbacks, lost;
	uint32_t mine; /* inputs, by their numbers */
	struct written in_callback; /* what consumer_group() was within the last one */
};

static void note(struct member *m)
{
	free(m->in_callback.bytes);
	m->in_callback = written_of(consumer_group(m->consumer));
	m->callbacks++;
}

static void on_assigned(void *ctx, const int32_t *partitions, size_t nr)
{
	struct member *m = ctx;

	for (size_t i = 0; i < nr; i++) {
		ck_assert(partitions[i] >= 0 && partitions[i] < INPUTS && !(m->mine & 1u << partitions[i]));
		m->mine |= 1u << partitions[i];
	}
	m->owned += (int)nr;
	note(m);
}

static void on_revoked(void *ctx, const int32_t *partitions, size_t nr, bool lost)
{
	struct member *m = ctx;

	for (size_t i = 0; i < nr; i++) {
		ck_assert(m->mine & 1u << partitions[i]);
		m->mine &= ~(1u << partitions[i]);
	}
	m->lost += lost;
	m->owned -= (int)nr;
	note(m);
}

static void member_join(struct member *m, struct mock *mock, const struct cell_topics *topics)
{
	const struct consumer_hooks hooks = {on_assigned, on_revoked, m};
	struct err err = ERR_INIT;

	m->program = mock->program;
	m->wake_fd = events_wake_fd(&err);
	ck_assert_int_ge(m->wake_fd, 0);
	m->consumer = consumer_new(&m->program, topics, &hooks, &err);
	ck_assert_msg(m->consumer != NULL, "%s", err.msg);
	ck_assert_ptr_null(consumer_group(m->consumer)); /* nothing to commit with before the first assignment */
	consumer_wake_on(m->consumer, m->wake_fd);
}

static void member_leave(struct member *m)
{
	ck_assert(consumer_close(m->consumer, WAIT_MS));
	free(m->in_callback.bytes);
	close(m->wake_fd);
}

static void member_poll(struct member *m)
{
	rd_kafka_message_t *message;

	events_read(m->wake_fd);
	while ((message = consumer_poll(m->consumer)) != NULL)
		rd_kafka_message_destroy(message);
}

static bool is_awake(const struct member *m)
{
	struct pollfd fd = {.fd = m->wake_fd, .events = POLLIN};

	return poll(&fd, 1, TURN_MS) > 0;
}

/* Two members; the first has everything, the second has joined just now, and the first's client has a callback waiting for it. */
struct pair {
	struct mock mock;
	struct cell_topics topics;
	struct member first, second;
	char cell[8], dynamic[1];
	int64_t until;
};

static void pair_init(struct pair *p)
{
	*p = (struct pair){.topics.partitions = PARTITIONS, .cell = "main", .until = clock_mono_ms() + WAIT_MS};
	mock_init(&p->mock);
	p->mock.program.common.cell = p->cell;
	p->mock.program.common.instance_id = p->dynamic;
	topics_name(&p->topics, p->cell);
	mock_topic(&p->mock, p->topics.samples, PARTITIONS);
	mock_topic(&p->mock, p->topics.events, PARTITIONS);
	member_join(&p->first, &p->mock, &p->topics);
	while (p->first.owned < INPUTS && clock_mono_ms() < p->until)
		if (is_awake(&p->first))
			member_poll(&p->first);
	ck_assert_int_eq(p->first.owned, INPUTS);
	ck_assert_uint_eq(p->first.mine, (1u << INPUTS) - 1);
	member_poll(&p->first); /* what is still queued of the beginning */
	p->first.callbacks = 0;
}

/* Brings the second one, until it has got an assignment, an empty one: then the first one's client has been told what to give away, and
 * waits to be asked. */
static void pair_join(struct pair *p)
{
	member_join(&p->second, &p->mock, &p->topics);
	while (!p->second.callbacks && clock_mono_ms() < p->until)
		if (is_awake(&p->second))
			member_poll(&p->second);
	ck_assert_int_eq(p->second.callbacks, 1);
	while (!is_awake(&p->first))
		ck_assert_int_lt(clock_mono_ms(), p->until);
}

/* Each has its half of either topic, and both inputs of a partition's number. */
static void must_have_pairs(const struct pair *p)
{
	uint32_t all = (1u << PARTITIONS) - 1, first = p->first.mine & all, second = p->second.mine & all;

	ck_assert_msg((first | second) == all && (first & second) == 0 && __builtin_popcount(first) == PARTITIONS / 2, "%x and %x", p->first.mine,
		      p->second.mine);
	ck_assert_msg(p->first.mine == (first | first << PARTITIONS) && p->second.mine == (second | second << PARTITIONS), "%x and %x",
		      p->first.mine, p->second.mine);
}

/* Polls both until each has its half. */
static void pair_settle(struct pair *p)
{
	while (p->first.owned != INPUTS / 2 || p->second.owned != INPUTS / 2) {
		ck_assert_int_lt(clock_mono_ms(), p->until);
		is_awake(&p->first);
		member_poll(&p->first);
		member_poll(&p->second);
	}
	must_have_pairs(p);
}

/* False: the session ended meanwhile, as it does on a machine that stands still for seconds. */
static bool holds_metadata(struct pair *p)
{
	struct written held, now;
	bool stayed;

	ck_assert(member_is_valid(consumer_group(p->first.consumer)));
	held = written_of(consumer_group(p->first.consumer));
	ck_assert(same(&held, &p->first.in_callback));
	pair_join(p);
	now = written_of(consumer_group(p->first.consumer));
	ck_assert_msg(same(&held, &now), "the client's new generation is committed with before its callback");
	free(now.bytes);

	pair_settle(p);
	stayed = p->first.lost == 0 && !consumer_is_broken(p->first.consumer);
	ck_assert_int_ge(p->first.callbacks, 1);
	now = written_of(consumer_group(p->first.consumer));
	ck_assert_msg(!same(&held, &now), "the callback has brought no new generation: what came before has shown nothing");
	ck_assert(!stayed || same(&p->first.in_callback, &now));
	free(now.bytes);
	free(held.bytes);
	return stayed;
}

START_TEST(metadata_is_held_from_callback_to_callback)
{
	bool held = false;
	struct pair p;

	for (int i = 0; i < TRIES && !held; i++) {
		pair_init(&p);
		held = holds_metadata(&p);
		member_leave(&p.second);
		member_leave(&p.first);
		mock_fini(&p.mock);
	}
	ck_assert_msg(held, "the consumer takes itself for gone each time");
}
END_TEST

/* (G11) The session ends while the callback waits: the client does not say that anything was lost. */
START_TEST(a_session_that_ends_behind_a_waiting_callback_breaks_the_consumer)
{
	struct pair p;

	pair_init(&p);
	pair_join(&p);
	/* One for each of them: whose heartbeat comes first is not known. */
	rd_kafka_mock_push_request_errors(p.mock.cluster, API_HEARTBEAT, 2, RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID, RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID);
	/* The client gets it with its next heartbeat, and tells nobody: two of them, in real time. */
	poll(NULL, 0, HEARTBEATS * HEARTBEAT_MS);
	ck_assert(!consumer_is_broken(p.first.consumer));
	while (!p.first.callbacks && clock_mono_ms() < p.until)
		if (is_awake(&p.first))
			member_poll(&p.first);
	ck_assert_msg(p.first.callbacks && p.first.owned, "the client has told by itself that all is lost: the guard is not needed any more");
	ck_assert(consumer_is_broken(p.first.consumer) && !consumer_group(p.first.consumer));
	ck_assert(p.first.lost || p.first.owned == INPUTS); /* what is revoked must not be saved */
	pair_settle(&p); /* a member that owns nothing may not be closed */
	ck_assert(consumer_is_broken(p.first.consumer) && !consumer_group(p.first.consumer));
	member_leave(&p.second);
	member_leave(&p.first);
	mock_fini(&p.mock);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("consumer");
	TCase *tc = tcase_create("group");

	tcase_add_test(tc, metadata_is_held_from_callback_to_callback);
	tcase_add_test(tc, a_session_that_ends_behind_a_waiting_callback_breaks_the_consumer);
	tcase_set_timeout(tc, TRIES * WAIT_MS / 1000);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
