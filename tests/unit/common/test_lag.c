/* test_lag.c - lag as arithmetic, in records and in time; which partitions a cell's groups read. */
#include "common/lag_age.h"

#include "tests/unit/unit.h"

static const struct { int64_t committed, begin, end, lag, lost; const char *topic; } lags[] = {
	{-1, 0, 0, 0, 0, "samples"},     /* nothing there, nothing read */
	{-1, 0, 10, 10, 0, "samples"},   /* a group that never was */
	{-1, 4, 10, 6, 0, "samples"},    /* nor can it have lost anything */
	{10, 0, 10, 0, 0, "samples"},
	{7, 0, 10, 3, 0, "samples"},
	{2, 4, 10, 6, 2, "samples"},     /* retention has cut what was not read */
	{3, 4, 10, 6, 1, "events"},
	{3, 4, 10, 6, 0, "minutely"},    /* a transaction's end, which nobody reads */
	{2, 4, 10, 6, 2, "minutely"},
	{9, 10, 10, 0, 0, "alerts"},     /* quiet for as long as the retention */
	{12, 0, 10, 0, 0, "samples"},    /* topic made again, or an end asked too early: never negative */
	{0, 0, INT64_MAX, INT64_MAX, 0, "samples"},
};

START_TEST(lag_table)
{
	struct lag_partition p = {.topic = lags[_i].topic, .committed = lags[_i].committed, .begin = lags[_i].begin, .end = lags[_i].end};
	struct lag_group g = {.partitions = &p, .nr = 1};

	lag_sum(&g);
	ck_assert_int_eq(p.lost, lags[_i].lost);
	ck_assert_int_eq(g.lost, lags[_i].lost);
	ck_assert_int_eq(p.age_ms, lags[_i].lag ? -1 : 0);
	ck_assert_int_eq(p.left_ms, -1);
	ck_assert_int_eq(p.lag, lags[_i].lag);
	ck_assert_int_eq(g.total, lags[_i].lag);
	ck_assert_ptr_eq(g.worst, lags[_i].lag ? &p : NULL);
}
END_TEST

START_TEST(lag_totals)
{
	struct lag_partition p[] = {
		{.topic = "a", .partition = 0, .committed = 5, .end = 8},
		{.topic = "a", .partition = 1, .committed = 0, .end = 9},
		{.topic = "b", .partition = 0, .committed = 0, .end = 100, .fault = "no leader"},
		{.topic = "b", .partition = 1, .committed = 1, .end = 3},
	};
	struct lag_group g = {.partitions = p, .nr = 4};

	lag_sum(&g);
	ck_assert_int_eq(g.total, 3 + 9 + 2);
	ck_assert_ptr_eq(g.worst, &p[1]);
	ck_assert_int_eq(p[2].lag, 0);
}
END_TEST

/* Of several partitions the oldest record counts, and the one that is cut next, which need not be the same one's. */
START_TEST(lag_in_time)
{
	struct lag_partition p[] = {
		{.topic = "a", .end = 5}, {.topic = "a", .partition = 1, .end = 5}, {.topic = "b", .end = 5}, {.topic = "c", .end = 5}, {.topic = "d", .committed = 5, .end = 5},
	};
	struct lag_group g = {.partitions = p, .nr = NR(p)};
	struct clock clock = {0}, quick = {.test = true, .speed = 60};

	lag_sum(&g);
	p[0].age_ms = 7000;
	p[0].retention_ms = 100000;
	p[1].age_ms = 9000; /* for ever */
	p[2].age_ms = 8000;
	p[2].retention_ms = 9000;
	p[4].retention_ms = 1; /* nothing waits there */
	lag_age_sum(&g, &clock);
	ck_assert_ptr_eq(g.oldest, &p[1]);
	ck_assert_ptr_eq(g.next, &p[2]);
	ck_assert_uint_eq(g.nr_unknown, 1);
	ck_assert_int_eq(p[0].left_ms, 93000);
	ck_assert_int_eq(p[1].left_ms, -1);
	ck_assert_int_eq(p[2].left_ms, 1000);
	ck_assert_int_eq(p[3].left_ms, -1);
	ck_assert_int_eq(p[4].left_ms, -1);
	p[2].age_ms = 20000; /* should be gone already: Kafka cuts whole segments */
	lag_age_sum(&g, &clock);
	ck_assert_int_eq(p[2].left_ms, 0);
	ck_assert_ptr_eq(g.next, &p[2]);
	p[0].age_ms = 60000; /* retention is Kafka's, so real time */
	lag_age_sum(&g, &quick);
	ck_assert_int_eq(p[0].left_ms, 99000);
}
END_TEST

START_TEST(lag_plan_of_a_cell)
{
	struct topic_state topics[] = {{.name = "millrace.c.main.alerts", .partitions = 2}, {.name = "millrace.c.main.hourly", .partitions = 1},
				       {.name = "millrace.c.main.incidents", .partitions = 1}, {.name = "millrace.c.main.minutely", .partitions = 2},
				       {.name = "millrace.c.main.samples", .partitions = 3}, {.name = "millrace.c.main2.samples", .partitions = 9}};
	struct topic_list list = {.topics = topics, .nr = 6};
	struct arena arena = ARENA_INIT;
	struct lag_group groups[LAG_GROUPS];

	ck_assert_int_eq(lag_plan(STR("main"), &list, &arena, groups, NULL), 0);
	ck_assert_str_eq(groups[0].name, "millrace-processor-main");
	ck_assert_str_eq(groups[1].name, "millrace-sink-main");
	ck_assert_uint_eq(groups[0].nr, 3);
	ck_assert_uint_eq(groups[1].nr, 6);
	ck_assert_str_eq(groups[2].name, "millrace-notify-main");
	ck_assert_uint_eq(groups[2].nr, 2);
	ck_assert_str_eq(groups[2].partitions[1].topic, "alerts");
	ck_assert_str_eq(groups[0].partitions[2].topic, "samples");
	ck_assert_int_eq(groups[0].partitions[2].partition, 2);
	ck_assert_int_eq(groups[0].partitions[2].committed, -1);
	ck_assert_str_eq(groups[1].partitions[0].topic, "minutely");
	ck_assert_str_eq(groups[1].partitions[2].topic, "hourly");
	ck_assert_str_eq(groups[1].partitions[5].topic, "incidents");
	arena_fini(&arena);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("lag");
	TCase *t = tcase_create("lag");

	tcase_add_loop_test(t, lag_table, 0, NR(lags));
	tcase_add_test(t, lag_totals);
	tcase_add_test(t, lag_in_time);
	tcase_add_test(t, lag_plan_of_a_cell);
	suite_add_tcase(s, t);
	return unit_main(s);
}
