/* test_producer.c - each delivery ends exactly once, well or badly, whatever happens to the client; on librdkafka's mock cluster. */
#include <poll.h>

#include "common/clock.h"
#include "common/events.h"
#include "ingest/producer.h"
#include "tests/unit/common/kafka_mock.h"

#define TOPIC "millrace.c.main.samples"

enum { PARTITIONS = 4, PATIENCE_MS = 30000 };

struct ends {
	int ok, failed;
	char error[128];
};

struct bench {
	struct mock mock;
	struct ingest_conf conf;
	int wake_fd;
	struct producer *producer;
	struct ends ends;
};

static void on_end(void *ctx, bool ok, const char *error)
{
	struct ends *e = ctx;

	e->ok += ok;
	e->failed += !ok;
	snprintf(e->error, sizeof(e->error), "%s", error);
}

/* message_timeout_ms: when a record is given up. */
static void bench_init_patient(struct bench *b, int64_t message_timeout_ms)
{
	struct err err = ERR_INIT;

	memset(&b->ends, 0, sizeof(b->ends));
	mock_init(&b->mock);
	mock_topic(&b->mock, TOPIC, PARTITIONS);
	b->conf = (struct ingest_conf){.max_record_bytes = 100000, .inflight_budget_bytes = 1 << 20, .message_timeout_ms = message_timeout_ms,
				       .linger_ms = 5, .stall_timeout_ms = 1000};
	b->wake_fd = events_wake_fd(&err);
	b->producer = producer_new(&b->mock.program, &b->conf, b->wake_fd, &err);
	ck_assert_msg(b->producer != NULL, "%s", err.msg);
}

/* A busy machine must not lose what the mock cluster would take. */
static void bench_init(struct bench *b)
{
	bench_init_patient(b, 20000);
}

static void bench_fini(struct bench *b)
{
	producer_free(b->producer);
	close(b->wake_fd);
	mock_fini(&b->mock);
}

/* One part of a topic for each of n partitions from the first one on. */
static struct parts make_parts(struct part *part, const char *topic, int first, int n)
{
	for (int i = 0; i < n; i++) {
		part[i] = (struct part){.topic = topic, .partition = first + i, .samples = 1, .record = STR("a record")};
	}
	return (struct parts){part, (size_t)n};
}

/* Serves the producer once, as the loop does: woken by the descriptor, or by a tick. */
static int turn(struct bench *b, int64_t deadline_mono_ms, struct err *err)
{
	struct pollfd fd = {.fd = b->wake_fd, .events = POLLIN};

	ck_assert_msg(clock_mono_ms() < deadline_mono_ms, "%d ended well, %d badly, and no more", b->ends.ok, b->ends.failed);
	poll(&fd, 1, 1000);
	events_read(b->wake_fd);
	return producer_poll(b->producer, err);
}

/* Until so many deliveries have ended. */
static void wait_ends(struct bench *b, int n)
{
	int64_t deadline = clock_mono_ms() + PATIENCE_MS;
	struct err err = ERR_INIT;

	while (b->ends.ok + b->ends.failed < n)
		turn(b, deadline, &err);
}

static int send_to(struct bench *b, const char *topic, int first, int n)
{
	struct part part[8];
	struct parts parts = make_parts(part, topic, first, n);
	struct err err = ERR_INIT;

	return producer_send(b->producer, str_from("shop"), &parts, on_end, &b->ends, &err);
}

static int send_parts(struct bench *b, int first, int n)
{
	return send_to(b, TOPIC, first, n);
}

START_TEST(a_delivery_ends_when_all_parts_are_there)
{
	struct bench b;

	bench_init(&b);
	ck_assert_int_eq(send_parts(&b, 0, PARTITIONS), 0);
	ck_assert_int_eq(b.ends.ok, 0); /* never from within the call */
	wait_ends(&b, 1);
	ck_assert(b.ends.ok == 1 && b.ends.failed == 0);
	for (int i = 0; i < 50; i++)
		ck_assert_int_eq(send_parts(&b, i % PARTITIONS, 1), 0);
	wait_ends(&b, 51);
	ck_assert(b.ends.ok == 51 && b.ends.failed == 0);
	bench_fini(&b);
}
END_TEST

/* A topic that is known beforehand takes its first record at once; one that is not there harms nobody. */
START_TEST(a_warm_topic_does_not_wait)
{
	struct bench b;
	struct err err = ERR_INIT;
	int64_t begun, deadline = clock_mono_ms() + PATIENCE_MS;

	bench_init(&b);
	producer_warm(b.producer, TOPIC);
	producer_warm(b.producer, TOPIC);
	producer_warm(b.producer, "millrace.c.nothing.samples");
	for (begun = clock_mono_ms(); clock_mono_ms() - begun < 2500;) /* longer than librdkafka's look round, once a second */
		turn(&b, deadline, &err);
	begun = clock_mono_ms();
	ck_assert_int_eq(send_parts(&b, 0, PARTITIONS), 0);
	wait_ends(&b, 1);
	ck_assert_int_eq(b.ends.ok, 1);
	ck_assert_int_lt(clock_mono_ms() - begun, 500);
	bench_fini(&b);
}
END_TEST

START_TEST(one_bad_part_fails_the_delivery)
{
	struct bench b;

	bench_init(&b);
	ck_assert_int_eq(send_parts(&b, 0, PARTITIONS), 0); /* now the client knows how many partitions there are */
	wait_ends(&b, 1);
	ck_assert_int_eq(send_parts(&b, PARTITIONS - 1, 2), 0); /* the second one goes to a partition that is not there */
	wait_ends(&b, 2);
	ck_assert_msg(b.ends.ok == 1 && b.ends.failed == 1 && strstr(b.ends.error, "partition"), "%s", b.ends.error);
	bench_fini(&b);
}
END_TEST

START_TEST(nothing_queued_is_told_at_once)
{
	struct bench b;

	bench_init(&b);
	ck_assert_int_eq(send_parts(&b, 0, 1), 0);
	wait_ends(&b, 1);
	ck_assert_int_eq(send_parts(&b, PARTITIONS, 1), -1);
	ck_assert(b.ends.ok == 1 && b.ends.failed == 0); /* done is not called for it */
	bench_fini(&b);
}
END_TEST

START_TEST(a_broker_that_is_away_fails_in_time)
{
	struct bench b;
	int64_t begun;

	bench_init_patient(&b, 2000);
	ck_assert_int_eq(send_parts(&b, 0, 1), 0);
	wait_ends(&b, 1);
	rd_kafka_mock_broker_set_down(b.mock.cluster, 1);
	begun = clock_mono_ms();
	ck_assert_int_eq(send_parts(&b, 0, PARTITIONS), 0);
	wait_ends(&b, 2);
	ck_assert_int_eq(b.ends.failed, 1);
	ck_assert_int_lt(clock_mono_ms() - begun, 2000 + 3000);
	rd_kafka_mock_broker_set_up(b.mock.cluster, 1);
	for (int n = 3; b.ends.ok < 2; n++) { /* it connects again in its own time, without a restart */
		ck_assert_int_le(n, 12);
		ck_assert_int_eq(send_parts(&b, 0, PARTITIONS), 0);
		wait_ends(&b, n);
	}
	bench_fini(&b);
}
END_TEST

/* A Kafka that has said nothing for the stall's time is gone, long before a record is given up; one answer, and it is back. */
START_TEST(a_silent_broker_is_noticed_and_forgiven)
{
	struct bench b;
	struct err err = ERR_INIT;
	int64_t begun, deadline = clock_mono_ms() + PATIENCE_MS;

	bench_init(&b);
	ck_assert_int_eq(send_parts(&b, 0, 1), 0);
	wait_ends(&b, 1);
	ck_assert(!producer_hangs(b.producer, clock_mono_ms() + 3600000) && !producer_gone(b.producer, TOPIC)); /* nothing waits */
	rd_kafka_mock_broker_set_rtt(b.mock.cluster, 1, 4000);
	begun = clock_mono_ms();
	ck_assert_int_eq(send_parts(&b, 0, 2), 0);
	ck_assert(!producer_hangs(b.producer, begun + 1000) && !producer_gone(b.producer, TOPIC));
	while (!producer_hangs(b.producer, clock_mono_ms()))
		turn(&b, deadline, &err);
	ck_assert_int_ge(clock_mono_ms() - begun, 1000);
	ck_assert_int_lt(clock_mono_ms() - begun, 4000);
	ck_assert(producer_gone(b.producer, TOPIC));
	rd_kafka_mock_broker_set_rtt(b.mock.cluster, 1, 0);
	wait_ends(&b, 2);
	ck_assert(b.ends.ok == 2 && !producer_gone(b.producer, TOPIC) && !producer_hangs(b.producer, clock_mono_ms() + 3600000));
	ck_assert_int_eq(send_parts(&b, 0, 2), 0);
	ck_assert(!producer_gone(b.producer, TOPIC)); /* also while something waits */
	wait_ends(&b, 3);
	bench_fini(&b);
}
END_TEST

/* What another cell cannot do is no reason to refuse this one's, however little of it there is. */
START_TEST(a_cell_without_leaders_is_gone_alone)
{
	static const char other[] = "millrace.c.other.samples";
	struct bench b;
	struct err err = ERR_INIT;
	int64_t deadline = clock_mono_ms() + PATIENCE_MS;

	bench_init(&b);
	mock_topic(&b.mock, other, 1);
	rd_kafka_mock_partition_set_leader(b.mock.cluster, other, 0, -1);
	ck_assert_int_eq(send_parts(&b, 0, 1), 0);
	wait_ends(&b, 1);
	ck_assert_int_eq(send_to(&b, other, 0, 1), 0);
	while (!producer_hangs(b.producer, clock_mono_ms()))
		turn(&b, deadline, &err);
	ck_assert(producer_gone(b.producer, other) && !producer_gone(b.producer, TOPIC));
	ck_assert_int_eq(send_parts(&b, 0, 1), 0);
	ck_assert(producer_hangs(b.producer, clock_mono_ms()) && !producer_gone(b.producer, TOPIC));
	wait_ends(&b, 2);
	ck_assert(b.ends.ok == 2 && producer_gone(b.producer, other));
	bench_fini(&b);
}
END_TEST

/* Samples and events of one payload: one end, when both topics have theirs. */
static int send_to_both(struct bench *b, const char *other)
{
	struct part part[3] = {{.topic = TOPIC, .partition = 0, .samples = 1, .record = STR("a record")},
			       {.topic = TOPIC, .partition = 1, .samples = 1, .record = STR("a record")},
			       {.topic = other, .partition = 0, .events = 1, .record = STR("another")}};
	const struct parts parts = {part, NR(part)};
	struct err err = ERR_INIT;

	return producer_send(b->producer, str_from("shop"), &parts, on_end, &b->ends, &err);
}

START_TEST(parts_of_two_topics_are_one_delivery)
{
	static const char events[] = "millrace.c.main.events";
	struct bench b;
	struct err err = ERR_INIT;
	int64_t deadline = clock_mono_ms() + PATIENCE_MS;

	bench_init(&b);
	mock_topic(&b.mock, events, 1);
	ck_assert_int_eq(send_to_both(&b, events), 0);
	wait_ends(&b, 1);
	ck_assert(b.ends.ok == 1 && b.ends.failed == 0);
	rd_kafka_mock_partition_set_leader(b.mock.cluster, events, 0, -1);
	ck_assert_int_eq(send_to_both(&b, events), 0);
	while (!producer_hangs(b.producer, clock_mono_ms()))
		turn(&b, deadline, &err);
	ck_assert(producer_gone(b.producer, events) && !producer_gone(b.producer, TOPIC)); /* only one of them is */
	ck_assert_int_eq(b.ends.ok + b.ends.failed, 1); /* and the payload waits for it */
	ck_assert_int_eq(send_parts(&b, 0, 1), 0);
	wait_ends(&b, 2);
	ck_assert(b.ends.ok == 2 && producer_gone(b.producer, events)); /* what the one has says nothing of the other */
	rd_kafka_mock_partition_set_leader(b.mock.cluster, events, 0, 1);
	wait_ends(&b, 3);
	ck_assert(b.ends.ok == 3 && !producer_gone(b.producer, events));
	bench_fini(&b);
}
END_TEST

START_TEST(a_topic_that_gives_up_fails_both)
{
	static const char events[] = "millrace.c.main.events";
	struct bench b;

	bench_init_patient(&b, 3000);
	mock_topic(&b.mock, events, 1);
	ck_assert_int_eq(send_to_both(&b, events), 0);
	wait_ends(&b, 1);
	rd_kafka_mock_partition_set_leader(b.mock.cluster, events, 0, -1);
	ck_assert_int_eq(send_to_both(&b, events), 0);
	wait_ends(&b, 2);
	ck_assert(b.ends.failed == 1);
	ck_assert(!producer_hangs(b.producer, clock_mono_ms() + 3600000)); /* nothing is left in flight, of neither */
	bench_fini(&b);
}
END_TEST

START_TEST(retriable_errors_are_survived)
{
	struct bench b;

	bench_init(&b);
	rd_kafka_mock_push_request_errors(b.mock.cluster, API_PRODUCE, 3, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
					  RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT);
	ck_assert_int_eq(send_parts(&b, 0, 1), 0);
	wait_ends(&b, 1);
	ck_assert_msg(b.ends.ok == 1, "%s", b.ends.error);
	bench_fini(&b);
}
END_TEST

/* A fatal error ends the client, not the program: everything in flight fails, and the next client works. */
START_TEST(a_broken_client_is_replaced)
{
	struct bench b;
	struct err err = ERR_INIT;
	int64_t deadline = clock_mono_ms() + PATIENCE_MS;

	bench_init(&b);
	ck_assert_int_eq(send_parts(&b, 0, 1), 0);
	wait_ends(&b, 1);
	rd_kafka_mock_push_request_errors(b.mock.cluster, API_PRODUCE, 1, RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
	ck_assert_int_eq(send_parts(&b, 0, 1), 0);
	while (turn(&b, deadline, &err) == 0)
		;
	ck_assert_msg(strstr(err.msg, "the producer broke"), "%s", err.msg);
	ck_assert_int_eq(b.ends.failed, 1);
	ck_assert_int_eq(send_parts(&b, 0, 1), -1); /* between two clients */
	ck_assert_int_eq(producer_poll(b.producer, &err), 0);
	ck_assert_int_eq(send_parts(&b, 0, PARTITIONS), 0);
	wait_ends(&b, 3);
	ck_assert_int_eq(b.ends.ok, 2);
	bench_fini(&b);
}
END_TEST

START_TEST(freeing_ends_what_is_in_flight)
{
	struct bench b;

	bench_init_patient(&b, 2000);
	rd_kafka_mock_broker_set_down(b.mock.cluster, 1);
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(send_parts(&b, 0, 2), 0);
	ck_assert(!producer_flush(b.producer, 50));
	bench_fini(&b);
	ck_assert(b.ends.ok == 0 && b.ends.failed == 10);
}
END_TEST

/* The promise of a 202 rests on these: nobody sets them by kafka.*. */
START_TEST(what_correctness_rests_on_cannot_be_set)
{
	static const char *const options[] = {"kafka.acks=1", "kafka.enable.idempotence=false", "kafka.message.timeout.ms=0",
					      "kafka.request.required.acks=0", "kafka.message.max.bytes=100"};
	struct ingest_conf conf = {.max_record_bytes = 100000, .inflight_budget_bytes = 1 << 20, .message_timeout_ms = 2000};

	for (size_t i = 0; i < NR(options); i++) {
		struct program p;
		struct err err = ERR_INIT;

		program_make(&p, (const char *const[]){"kafka.bootstrap.servers=127.0.0.1:1", options[i], NULL});
		ck_assert_ptr_null(producer_new(&p, &conf, -1, &err));
		ck_assert_int_eq(err.kind, ERR_REJECT);
		program_unmake(&p);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("producer");
	TCase *tc = tcase_create("producer");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_delivery_ends_when_all_parts_are_there);
	tcase_add_test(tc, a_warm_topic_does_not_wait);
	tcase_add_test(tc, one_bad_part_fails_the_delivery);
	tcase_add_test(tc, nothing_queued_is_told_at_once);
	tcase_add_test(tc, a_broker_that_is_away_fails_in_time);
	tcase_add_test(tc, a_silent_broker_is_noticed_and_forgiven);
	tcase_add_test(tc, a_cell_without_leaders_is_gone_alone);
	tcase_add_test(tc, parts_of_two_topics_are_one_delivery);
	tcase_add_test(tc, a_topic_that_gives_up_fails_both);
	tcase_add_test(tc, retriable_errors_are_survived);
	tcase_add_test(tc, a_broken_client_is_replaced);
	tcase_add_test(tc, freeing_ends_what_is_in_flight);
	tcase_add_test(tc, what_correctness_rests_on_cannot_be_set);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
