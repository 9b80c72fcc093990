/* test_trim.c - which snapshots may be deleted, against a history that is kept whole; and a broker that cannot delete. */
#include "processor/trim.h"

#include <poll.h>

#include "common/clock.h"
#include "processor/marks.h"
#include "tests/unit/common/kafka_mock.h"

const char *__lsan_default_suppressions(void);

/* librdkafka 2.0.2 forgets to give back a client's queue (176 bytes, once a client) when it was asked for the leaders of partitions. */
const char *__lsan_default_suppressions(void)
{
	return "leak:librdkafka"; /* the module: its frames cannot be told apart */
}

enum { PARTITIONS = 3, STEPS = 20000, ANSWER_MS = 20000 };

static struct offset_meta meta(int64_t epoch, int64_t id, int64_t snapshot)
{
	return (struct offset_meta){.epoch = epoch, .id = id, .snapshot = snapshot};
}

START_TEST(the_last_but_one_stays)
{
	struct marks m;
	struct offset_meta none = {0}, first = meta(7, 1, 10), second = meta(7, 2, 25), third = meta(7, 3, 40);

	ck_assert_int_eq(marks_init(&m, PARTITIONS, NULL), 0);
	marks_committed(&m, 1, &none, &first);
	ck_assert_int_eq(marks_ask(&m, 1), 0);
	marks_committed(&m, 1, &first, &second);
	ck_assert_int_eq(marks_ask(&m, 1), 10);
	marks_committed(&m, 1, &second, &third);
	ck_assert_int_eq(marks_ask(&m, 1), 25);
	ck_assert_int_eq(marks_ask(&m, 0), 0);
	ck_assert_int_eq(marks_done(&m, 1, 25), 0); /* where it began before is not known */
	ck_assert_int_eq(marks_ask(&m, 1), 0);
	marks_committed(&m, 1, &third, &(struct offset_meta){.epoch = 7, .id = 4, .snapshot = 60});
	ck_assert_int_eq(marks_ask(&m, 1), 40);
	ck_assert_int_eq(marks_done(&m, 1, 40), 15);
	marks_fini(&m);
}
END_TEST

START_TEST(what_is_no_pair_of_ours_marks_nothing)
{
	struct marks m;
	struct offset_meta old = meta(7, 5, 500), other_epoch = meta(8, 6, 900), behind = meta(7, 6, 20);

	ck_assert_int_eq(marks_init(&m, PARTITIONS, NULL), 0);
	marks_committed(&m, 0, &old, &other_epoch);
	marks_committed(&m, 1, &old, &behind);
	marks_committed(&m, PARTITIONS, &old, &other_epoch);
	marks_committed(&m, -1, &old, &other_epoch);
	for (int32_t i = -1; i <= PARTITIONS; i++)
		ck_assert_int_eq(marks_ask(&m, i), 0);
	marks_fini(&m);
}
END_TEST

START_TEST(what_failed_is_asked_again_and_what_moved_away_is_not)
{
	struct marks m;
	struct offset_meta first = meta(7, 1, 10), second = meta(7, 2, 25);

	ck_assert_int_eq(marks_init(&m, PARTITIONS, NULL), 0);
	marks_committed(&m, 0, &first, &second);
	ck_assert_int_eq(marks_ask(&m, 0), 10);
	marks_failed(&m, 0);
	ck_assert_int_eq(marks_ask(&m, 0), 10);
	marks_forget(&m, 0);
	ck_assert_int_eq(marks_done(&m, 0, 10), 0); /* the answer to what was asked before it went */
	ck_assert_int_eq(marks_ask(&m, 0), 0);
	marks_committed(&m, 0, &first, &second); /* back again */
	ck_assert_int_eq(marks_ask(&m, 0), 10);
	marks_fini(&m);
}
END_TEST

/* Random checkpoints, some in doubt for a while, requests answered late, never or out of turn: what may still be restored is never asked for. */
START_TEST(nothing_that_may_be_restored_is_deleted)
{
	struct marks m;
	struct unit_random r = unit_random_new("marks");
	int64_t made[2] = {0, 0}, end = 0, id = 0, deleted = 0, asked = 0, highest = 0;

	ck_assert_int_eq(marks_init(&m, PARTITIONS, NULL), 0);
	for (int i = 0; i < STEPS; i++) {
		switch (unit_random_below(&r, 6)) {
		case 0:
		case 1: { /* a checkpoint: committed; what an aborted one has written lies in between */
			struct offset_meta former = meta(7, id, made[1]), present = meta(7, id + 1, end + 1 + (int64_t)unit_random_below(&r, 5));

			marks_committed(&m, 2, &former, &present);
			made[0] = made[1];
			made[1] = present.snapshot;
			end = present.snapshot + (int64_t)unit_random_below(&r, 9);
			id++;
			break;
		}
		case 2:
			asked = asked ? asked : marks_ask(&m, 2);
			break;
		case 3:
			if (asked && asked > deleted)
				deleted = asked;
			if (asked)
				marks_done(&m, 2, deleted);
			asked = 0;
			break;
		case 4:
			if (asked)
				marks_failed(&m, 2);
			asked = 0;
			break;
		default:
			if (unit_random_below(&r, 20) == 0)
				marks_forget(&m, 2);
		}
		highest = deleted > highest ? deleted : highest;
		ck_assert_msg(id < 2 ? asked == 0 : asked <= made[0] && deleted <= made[0], "step %d: asked %lld, deleted %lld, kept from %lld", i,
			      (long long)asked, (long long)deleted, (long long)made[0]);
	}
	ck_assert_int_gt(highest, end / 2); /* it does delete */
	marks_fini(&m);
}
END_TEST

/* The mock cluster knows no DeleteRecords: that is said once and counted, and the end does not wait for what is under way. */
START_TEST(a_broker_that_refuses_does_not_matter)
{
	static struct processor_conf conf = {.trim_interval_ms = 100};
	struct cell_topics topics = {.samples_state = "state", .events_state = "other", .partitions = PARTITIONS};
	struct offset_meta first = meta(7, 1, 10), second = meta(7, 2, 25);
	struct metrics *metrics = metrics_new("millrace-test");
	struct mock mock;
	struct trim_parts parts = {&mock.program, &conf, &topics, stats_new(metrics, PARTITIONS), NULL};
	struct trim *tr;
	char log[65536];
	int64_t until;

	mock_init(&mock);
	mock_topic(&mock, "state", PARTITIONS);
	mock_topic(&mock, "other", PARTITIONS);
	parts.rk = mock.rk;
	tr = trim_new(&parts, NULL);
	ck_assert_ptr_nonnull(tr);
	until = clock_mono_ms() + ANSWER_MS;
	for (int failed = 0; failed < 3;) {
		trim_note(tr, 0, &first, &second);
		trim_turn(tr, clock_mono_ms());
		poll(NULL, 0, 5);
		failed = (int)metric_value(metrics_counter(metrics, "millrace_processor_trims_failed_total", NULL));
		ck_assert_int_lt(clock_mono_ms(), until);
	}
	ck_assert_int_eq(count_of(program_log(&mock.program, log, sizeof(log)), "old_snapshots_stay"), 1);
	trim_note(tr, 0, &first, &second);
	trim_turn(tr, clock_mono_ms() + conf.trim_interval_ms);
	trim_free(tr);
	mock_fini(&mock);
	stats_free(parts.stats);
	metrics_free(metrics);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("trim");
	TCase *tc = tcase_create("trim");

	tcase_add_test(tc, the_last_but_one_stays);
	tcase_add_test(tc, what_is_no_pair_of_ours_marks_nothing);
	tcase_add_test(tc, what_failed_is_asked_again_and_what_moved_away_is_not);
	tcase_add_test(tc, nothing_that_may_be_restored_is_deleted);
	tcase_add_test(tc, a_broker_that_refuses_does_not_matter);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
