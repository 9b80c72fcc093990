/* test_alerts_nomem.c - judging when memory is short in the middle: the error is ERR_FATAL, what is left can be freed, and nothing leaks. Each operation
 * is walked (tests/unit/fail_alloc.h). */
#include "tests/unit/fail_alloc.h"
#include "tests/unit/processor/judged.h"

static void begin(struct world *w, enum input_kind kind)
{
	struct trigger t = {.id = STR("t"), .site = STR(J_SITE), .metric = STR("load"), .author = STR("test"), .updated_at = 1};

	j_init(w, kind);
	t.has_threshold = true;
	t.threshold = (struct threshold_rule){TRIGGER_FIELD_SUM, TRIGGER_COMPARISON_GT, 4};
	j_trigger(w, t.id, &t);
	t.id = STR("absent");
	t.has_threshold = false;
	t.has_absent_minutes = true;
	t.absent_minutes = 1;
	j_trigger(w, t.id, &t);
	t.id = STR("job");
	t.has_absent_minutes = false;
	t.has_check_in = true;
	t.metric = STR("");
	t.check_in = (struct check_in_rule){.name = STR("job"), .cron = STR(""), .every_minutes = 1};
	j_trigger(w, t.id, &t);
}

static void must_be_fatal(int rc, bool failed, const struct err *err)
{
	ck_assert_msg(rc == 0 || (failed && err->kind == ERR_FATAL), "%s: %s", err_kind_name(err->kind), err->msg);
}

/* Openings, closings, a flush that keeps windows back, other rules: all that a partition of samples goes through. */
static int live(struct world *w, struct err *err)
{
	struct task *t = w->task;

	w->rules.judging.now_ms = j_minute(5);
	if (task_close(t, j_minute(1) + 45000, &w->rules, err) < 0 || task_flush(t, err) < 0 || task_close(t, j_minute(2) + 45000, &w->rules, err) < 0)
		return -1;
	return task_close(t, j_minute(3) + 45000, &w->rules, err);
}

START_TEST(minutes_are_judged_or_the_process_ends)
{
	for (struct fail_walk walk = FAIL_WALK_INIT; fail_walk_next(&walk);) {
		struct err err = ERR_INIT;
		struct world w;
		int rc;

		begin(&w, INPUT_SAMPLES);
		for (int i = 0; i < 3; i++)
			j_value(&w, i, j_minute(0), 5, j_minute(0) + 30000, i == 1);
		j_value(&w, 0, j_minute(1), 5, j_minute(1) + 30000, false);
		fail_walk_begin(&walk);
		rc = live(&w, &err);
		must_be_fatal(rc, fail_walk_end(&walk), &err);
		if (rc == 0)
			ck_assert_uint_eq(w.task->alert_outbox.nr, 3 + 2 + 2 + 1 + 1); /* three open, two close and are absent, then the third */
		j_fini(&w);
	}
}
END_TEST

START_TEST(jobs_are_judged_or_the_process_ends)
{
	for (struct fail_walk walk = FAIL_WALK_INIT; fail_walk_next(&walk);) {
		struct err err = ERR_INIT;
		struct world w;
		int rc;

		begin(&w, INPUT_EVENTS);
		w.task->windows.closed_ms = j_minute(0);
		fail_walk_begin(&walk);
		rc = check_ins_take(&w.task->check_ins, STR(J_SITE), w.rules.judging.rules->rule[1].group, CHECK_IN_EVENT_BEAT, j_minute(0), &err);
		if (rc == 0)
			rc = live(&w, &err);
		must_be_fatal(rc, fail_walk_end(&walk), &err);
		if (rc == 0)
			ck_assert_uint_eq(w.task->alert_outbox.nr, 1);
		j_fini(&w);
	}
}
END_TEST

START_TEST(other_rules_are_adopted_or_the_process_ends)
{
	for (struct fail_walk walk = FAIL_WALK_INIT; fail_walk_next(&walk);) {
		struct err err = ERR_INIT;
		struct world w;
		int rc;

		begin(&w, INPUT_SAMPLES);
		j_value(&w, 0, j_minute(0), 5, j_minute(0) + 30000, false);
		j_close(&w, 0);
		j_restore(&w);
		j_trigger(&w, STR("t"), NULL);
		fail_walk_begin(&walk);
		rc = task_close(w.task, j_minute(2) + 45000, &w.rules, &err);
		must_be_fatal(rc, fail_walk_end(&walk), &err);
		if (rc == 0)
			ck_assert_uint_eq(w.task->alert_outbox.nr, 2);
		j_fini(&w);
	}
}
END_TEST

START_TEST(a_snapshot_is_whole_or_not_there)
{
	for (struct fail_walk walk = FAIL_WALK_INIT; fail_walk_next(&walk);) {
		struct buf bytes = BUF_INIT;
		struct err err = ERR_INIT;
		struct task *other;
		struct world w;
		int rc;

		begin(&w, INPUT_SAMPLES);
		for (int i = 0; i < 3; i++)
			j_value(&w, i, j_minute(0), 5, j_minute(0) + 30000, true);
		j_close(&w, 0);
		j_value(&w, 0, j_minute(1), 5, j_minute(1) + 30000, true);
		ck_assert_int_eq(task_flush(w.task, &err), 0);
		ck_assert_int_eq(check_ins_take(&w.task->check_ins, STR("s"), (const uint8_t *)"0123456789abcdef", CHECK_IN_EVENT_BEAT, 5, &err), 0);
		other = task_new(0, INPUT_SAMPLES);
		fail_walk_begin(&walk);
		rc = snapshot_encode(w.task, &bytes, &err);
		if (rc == 0)
			rc = snapshot_decode(buf_str(&bytes), other, &err);
		must_be_fatal(rc, fail_walk_end(&walk), &err);
		ck_assert(rc < 0 || other->alerts.nr == w.task->alerts.nr);
		task_free(other);
		buf_fini(&bytes);
		j_fini(&w);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("alerts_nomem");
	TCase *tc = tcase_create("alerts_nomem");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, minutes_are_judged_or_the_process_ends);
	tcase_add_test(tc, jobs_are_judged_or_the_process_ends);
	tcase_add_test(tc, other_rules_are_adopted_or_the_process_ends);
	tcase_add_test(tc, a_snapshot_is_whole_or_not_there);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
