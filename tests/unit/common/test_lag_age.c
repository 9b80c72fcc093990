/* test_lag_age.c - the oldest unread record of each partition, asked of librdkafka's mock cluster: two groups in one partition, one with
 * nothing but its end before it, and one that does not answer. */
#include "common/lag_age.h"

#include "common/clock.h"
#include "tests/unit/common/kafka_mock.h"

enum { SLOW_RTT_MS = 300 };

struct fixture {
	struct mock mock;
	struct lag_partition samples[2], sink[1], notify[1];
	struct lag_group groups[3];
	int64_t now_ms; /* wall clock at which records were written */
};

static void put(struct fixture *f, const char *topic, int partition, int64_t age_ms)
{
	rd_kafka_resp_err_t code =
		rd_kafka_producev(f->mock.rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
				  RD_KAFKA_V_VALUE((void *)(uintptr_t)"v", 1), RD_KAFKA_V_TIMESTAMP(f->now_ms - age_ms), RD_KAFKA_V_END);

	ck_assert_int_eq(code, RD_KAFKA_RESP_ERR_NO_ERROR);
	mock_flush(&f->mock);
}

static void fixture_init(struct fixture *f)
{
	static char *const no_environment[] = {NULL};

	*f = (struct fixture){
		.samples = {{.topic = "samples", .committed = -1, .end = 1}, {.topic = "samples", .partition = 1, .committed = 0, .end = 1}},
		.sink = {{.topic = "alerts", .committed = 1, .end = 3}}, .notify = {{.topic = "alerts", .committed = 2, .end = 3}},
		.now_ms = clock_wall_ms(),
	};
	f->groups[0] = (struct lag_group){.name = "p", .cell = STR("main"), .partitions = f->samples, .nr = 2};
	f->groups[1] = (struct lag_group){.name = "s", .cell = STR("main"), .partitions = f->sink, .nr = 1};
	f->groups[2] = (struct lag_group){.name = "n", .cell = STR("main"), .partitions = f->notify, .nr = 1};
	mock_init(&f->mock);
	ck_assert_int_eq(conf_set_option(f->mock.program.conf, "kafka.fetch.wait.max.ms=20", NULL), 0); /* as main.c does */
	ck_assert_int_eq(conf_load(f->mock.program.conf, no_environment, NULL), 0);
	mock_topic(&f->mock, "millrace.c.main.samples", 2);
	mock_topic(&f->mock, "millrace.c.main.alerts", 1);
	put(f, "millrace.c.main.samples", 0, 70000);
	put(f, "millrace.c.main.alerts", 0, 100000);
	put(f, "millrace.c.main.alerts", 0, 50000);
	put(f, "millrace.c.main.alerts", 0, 10000);
	for (size_t i = 0; i < NR(f->groups); i++)
		lag_sum(&f->groups[i]);
}

static void ask(struct fixture *f)
{
	struct err err = ERR_INIT;

	ck_assert_msg(lag_age_read(&f->mock.program, f->groups, NR(f->groups), NULL, NULL, &err) == 0, "%s", err.msg);
}

/* As old as it was when it was written, and what has passed since. */
static void assert_age(const struct fixture *f, const struct lag_partition *p, int64_t age_ms)
{
	int64_t since_ms = clock_wall_ms() - f->now_ms;

	ck_assert_msg(p->age_ms >= age_ms && p->age_ms <= age_ms + since_ms, "%s: %lld ms, not %lld + %lld", p->topic, (long long)p->age_ms, (long long)age_ms,
		      (long long)since_ms);
}

START_TEST(each_groups_own_record)
{
	struct fixture f;

	fixture_init(&f);
	ask(&f);
	assert_age(&f, &f.samples[0], 70000);
	assert_age(&f, &f.sink[0], 50000);
	assert_age(&f, &f.notify[0], 10000);
	ck_assert_int_eq(f.samples[1].age_ms, 0); /* its end is all there is */
	mock_fini(&f.mock);
}
END_TEST

START_TEST(ages_in_virtual_time)
{
	struct fixture f;

	fixture_init(&f);
	f.mock.program.clock = (struct clock){.test = true, .start_ms = 5000000, .real_ms = f.now_ms, .speed = 2};
	ask(&f);
	ck_assert_int_ge(f.samples[0].age_ms, 140000);
	ck_assert_int_le(f.samples[0].age_ms, 140000 + 2 * (clock_wall_ms() - f.now_ms));
	mock_fini(&f.mock);
}
END_TEST

/* One that nobody leads costs some seconds and no other one's answer. */
START_TEST(what_is_silent_stays_unknown)
{
	int64_t begun_ms;
	struct fixture f;

	fixture_init(&f);
	rd_kafka_mock_partition_set_leader(f.mock.cluster, "millrace.c.main.samples", 1, -1);
	begun_ms = clock_mono_ms();
	ask(&f);
	ck_assert_int_lt(clock_mono_ms() - begun_ms, 15000);
	assert_age(&f, &f.samples[0], 70000);
	ck_assert_int_eq(f.samples[1].age_ms, -1);
	assert_age(&f, &f.sink[0], 50000);
	assert_age(&f, &f.notify[0], 10000); /* asked after the others, and in time still */
	mock_fini(&f.mock);
}
END_TEST

/* Where each answer takes its time, too: connecting, asking for metadata and reading come one after the other. */
START_TEST(what_is_asked_last_has_as_much_time)
{
	struct fixture f;

	fixture_init(&f);
	rd_kafka_mock_partition_set_leader(f.mock.cluster, "millrace.c.main.samples", 1, -1);
	rd_kafka_mock_broker_set_rtt(f.mock.cluster, -1, SLOW_RTT_MS);
	ask(&f);
	assert_age(&f, &f.sink[0], 50000);
	assert_age(&f, &f.notify[0], 10000);
	mock_fini(&f.mock);
}
END_TEST

/* Neither does it take the lag of all others away: a broker that is gone is what the screen is wanted for. */
START_TEST(ends_of_those_that_answer)
{
	static const struct kafka_prop props[] = {{"group.id", "millrace-lag"}, {"enable.auto.commit", "false"}, {0}};
	rd_kafka_t *rk;
	struct arena arena = ARENA_INIT;
	struct err err = ERR_INIT;
	int64_t begun_ms;
	struct fixture f;

	fixture_init(&f);
	rd_kafka_mock_partition_set_leader(f.mock.cluster, "millrace.c.main.samples", 1, -1);
	rk = kafka_open(RD_KAFKA_CONSUMER, kafka_conf(&f.mock.program, "admin", props, &err), &err);
	ck_assert_msg(rk != NULL, "%s", err.msg);
	begun_ms = clock_mono_ms();
	ck_assert_msg(lag_read(rk, f.groups, NR(f.groups), &arena, &err) == 0, "%s", err.msg);
	ck_assert_int_lt(clock_mono_ms() - begun_ms, 30000);
	ck_assert_ptr_nonnull(f.samples[1].fault);
	ck_assert_ptr_null(f.samples[0].fault);
	ck_assert_int_eq(f.samples[0].end, 1);
	ck_assert_int_eq(f.sink[0].end, 3);
	ck_assert_int_eq(lag_read(f.mock.rk, f.groups, NR(f.groups), &arena, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.msg, "by a consumer"));
	kafka_close(rk, 5000);
	arena_fini(&arena);
	mock_fini(&f.mock);
}
END_TEST

/* Nothing is asked where nothing is behind: there need be no cluster. */
START_TEST(nothing_behind_asks_nobody)
{
	struct lag_partition p = {.topic = "samples", .committed = 5, .end = 5};
	struct lag_group g = {.name = "p", .cell = STR("main"), .partitions = &p, .nr = 1};
	struct program program = {.name = "millrace-test"};

	lag_sum(&g);
	ck_assert_int_eq(lag_age_read(&program, &g, 1, NULL, NULL, NULL), 0);
	ck_assert_int_eq(p.age_ms, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("lag_age");
	TCase *t = tcase_create("lag_age");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, each_groups_own_record);
	tcase_add_test(t, ages_in_virtual_time);
	tcase_add_test(t, what_is_silent_stays_unknown);
	tcase_add_test(t, what_is_asked_last_has_as_much_time);
	tcase_add_test(t, ends_of_those_that_answer);
	tcase_add_test(t, nothing_behind_asks_nobody);
	suite_add_tcase(s, t);
	return unit_main(s);
}
