/* test_consumer.c - the metadata that is committed with is that of the last rebalance callback, whatever the client knows by now (G2, G3).
 *
 * Two members of a group on the mock cluster. When the second one comes, the first one's client joins again in its own thread and has the new
 * generation before its owner has polled: that window is what is looked into. */
#include "processor/consumer.h"

#include <poll.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/events.h"
#include "tests/unit/common/kafka_mock.h"

enum { WAIT_MS = 90000, TURN_MS = 20, PARTITIONS = 4 };

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
	int owned, callbacks;
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

	(void)partitions;
	m->owned += (int)nr;
	note(m);
}

static void on_revoked(void *ctx, const int32_t *partitions, size_t nr, bool lost)
{
	struct member *m = ctx;

	(void)partitions;
	ck_assert(!lost);
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

START_TEST(metadata_is_held_from_callback_to_callback)
{
	char cell[] = "main", dynamic[] = "";
	struct cell_topics topics = {.partitions = PARTITIONS};
	struct member first = {0}, second = {0};
	struct written held, now;
	struct mock mock;
	int64_t until = clock_mono_ms() + WAIT_MS;

	mock_init(&mock);
	mock.program.common.cell = cell;
	mock.program.common.instance_id = dynamic;
	topics_name(&topics, cell);
	mock_topic(&mock, topics.samples, PARTITIONS);
	member_join(&first, &mock, &topics);
	while (first.owned < PARTITIONS && clock_mono_ms() < until)
		if (is_awake(&first))
			member_poll(&first);
	ck_assert_int_eq(first.owned, PARTITIONS);
	ck_assert(consumer_group_is_valid(consumer_group(first.consumer)));
	held = written_of(consumer_group(first.consumer));
	ck_assert(same(&held, &first.in_callback));

	member_poll(&first); /* what is still queued of the beginning */
	first.callbacks = 0;
	member_join(&second, &mock, &topics);
	while (!is_awake(&first) && clock_mono_ms() < until) /* until its client has something to say, which it is not asked for */
		member_poll(&second);
	now = written_of(consumer_group(first.consumer));
	ck_assert_msg(same(&held, &now), "the client's new generation is committed with before its callback");
	free(now.bytes);

	while (first.owned + second.owned != PARTITIONS || second.owned != PARTITIONS / 2) {
		ck_assert_int_lt(clock_mono_ms(), until);
		is_awake(&first);
		member_poll(&first);
		member_poll(&second);
	}
	ck_assert_int_ge(first.callbacks, 1);
	now = written_of(consumer_group(first.consumer));
	ck_assert_msg(!same(&held, &now), "the callback has brought no new generation: what came before has shown nothing");
	ck_assert(same(&first.in_callback, &now));
	free(now.bytes);
	free(held.bytes);
	member_leave(&second);
	member_leave(&first);
	mock_fini(&mock);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("consumer");
	TCase *tc = tcase_create("group");

	tcase_add_test(tc, metadata_is_held_from_callback_to_callback);
	tcase_set_timeout(tc, 2 * WAIT_MS / 1000);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
