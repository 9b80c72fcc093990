/* test_due.c - when a partition checkpoints, as a table of situations. */
#include "processor/budget.h"
#include "processor/due.h"

#include "tests/unit/processor/judged.h"

enum { PARTITIONS = 4 };

static const struct processor_conf conf = {
	.grace_ms = 45000, .late_idle_ms = 300000, .late_max_ms = 1800000, .stagger_ms = 10000, .catchup_lag_ms = 10000,
	.catchup_interval_ms = 30000, .catchup_windows = 100, .position_interval_ms = 5000,
};

static const struct clock real_time = {0};
static const struct due_rules rules = {&conf, &real_time, PARTITIONS, NULL};

#define MONO_MS INT64_C(1000000) /* real time in all situations */

/* A running task that was saved long ago, with one sample at t_ms. */
static struct task *running(int32_t partition, int64_t t_ms, int64_t watermark_ms)
{
	struct task *t = task_new(partition, INPUT_SAMPLES);
	uint8_t fingerprint[SERIES_FINGERPRINT_BYTES];
	struct series_id id = l_id(0, fingerprint);
	struct series *s = series_table_take(&t->windows.series, &id, fingerprint, NULL);

	ck_assert_int_eq(window_store_add_value(&t->windows, s, t_ms, 1, watermark_ms, NULL), 0);
	series_table_drop(&t->windows.series, s);
	t->phase = TASK_RUNNING;
	t->saved.id = 1;
	t->watermark_ms = t->checkpoint_watermark_ms = watermark_ms;
	t->checkpoint_mono_ms = MONO_MS - 1000;
	return t;
}

/* Is a task with one sample of minute 0 due when its watermark and the wall clock stand so many ms after that minute's begin? */
static bool due_at(int32_t partition, int64_t after_ms)
{
	struct task *t = running(partition, L_BEGIN_MS + 10, L_BEGIN_MS + after_ms);
	bool due = due_checkpoint(&rules, t, L_BEGIN_MS + after_ms, MONO_MS);

	task_free(t);
	return due;
}

START_TEST(a_minute_is_due_after_its_end_grace_and_stagger)
{
	ck_assert(!due_at(0, 0));
	ck_assert(!due_at(0, 60000 + 45000 - 1));
	ck_assert(due_at(0, 60000 + 45000));
	for (int32_t p = 0; p < PARTITIONS; p++) {
		int64_t stagger = p * 2500;

		ck_assert_int_eq(due_stagger_ms(&rules, p), stagger);
		ck_assert(!due_at(p, 105000 + stagger - 1));
		ck_assert(due_at(p, 105000 + stagger));
	}
}
END_TEST

START_TEST(an_end_that_is_trusted_closes_by_the_wall_clock)
{
	struct task *t = running(0, L_BEGIN_MS + 10, L_BEGIN_MS + 1000);
	int64_t now = L_BEGIN_MS + 105000;

	t->checkpoint_watermark_ms = now; /* only the windows are looked at here */
	ck_assert(!due_checkpoint(&rules, t, now, MONO_MS));
	t->at_end = true;
	t->end_mono_ms = MONO_MS - DUE_TRUST_MS;
	ck_assert(due_checkpoint(&rules, t, now, MONO_MS));
	ck_assert(!due_checkpoint(&rules, t, now, MONO_MS + 1));
	/* Then the leader is asked again, but not all the time. */
	ck_assert(!due_probe(&rules, t, now, MONO_MS));
	ck_assert(due_probe(&rules, t, now, MONO_MS + 1));
	ck_assert(!due_probe(&rules, t, L_BEGIN_MS + 104999, MONO_MS + 1));
	t->probed_mono_ms = MONO_MS + 1;
	ck_assert(!due_probe(&rules, t, now, MONO_MS + 2));
	ck_assert(due_probe(&rules, t, now, MONO_MS + 2 + DUE_TRUST_MS));
	task_free(t);
}
END_TEST

/* A task of events with an error of minute 0, as running() has a sample. */
static struct task *with_error(int64_t watermark_ms)
{
	const struct exemplars_now now = {L_BEGIN_MS, watermark_ms};
	struct task *t = task_new(PARTITIONS + 2, INPUT_EVENTS);
	struct event event = {.t = L_BEGIN_MS + 10, .has_error = true};
	uint64_t dropped[NR_EXEMPLAR_KINDS] = {0};

	ck_assert_int_eq(exemplars_add(&t->exemplars, STR("site-a"), &event, &now, dropped, NULL), 0);
	t->phase = TASK_RUNNING;
	t->saved.id = 1;
	t->watermark_ms = t->checkpoint_watermark_ms = watermark_ms;
	t->checkpoint_mono_ms = MONO_MS - 1000;
	return t;
}

/* Events close with the minutes of the samples' partition of the same number, by the watermark, and by the wall clock where nothing comes. */
START_TEST(exemplars_are_due_as_windows_are)
{
	int64_t due_ms = L_BEGIN_MS + 105000 + 5000;
	struct task *t = with_error(due_ms - 1);

	ck_assert_int_eq(due_stagger_ms(&rules, PARTITIONS + 2), due_stagger_ms(&rules, 2));
	ck_assert(!due_checkpoint(&rules, t, due_ms - 1, MONO_MS));
	t->watermark_ms = t->checkpoint_watermark_ms = due_ms;
	ck_assert(due_checkpoint(&rules, t, due_ms, MONO_MS));
	t->watermark_ms = t->checkpoint_watermark_ms = L_BEGIN_MS + 10;
	t->at_end = true;
	t->end_mono_ms = MONO_MS - DUE_TRUST_MS - 1;
	ck_assert(!due_checkpoint(&rules, t, due_ms, MONO_MS) && due_probe(&rules, t, due_ms, MONO_MS));
	t->end_mono_ms = MONO_MS;
	ck_assert(due_checkpoint(&rules, t, due_ms, MONO_MS) && !due_probe(&rules, t, due_ms, MONO_MS));
	exemplars_flush(&t->exemplars, &t->specimens);
	t->at_end = false;
	ck_assert(due_checkpoint(&rules, t, L_BEGIN_MS, MONO_MS)); /* what an aborted attempt left */
	specimens_drop(&t->specimens, 1);
	t->position = t->saved.at;
	ck_assert(!due_checkpoint(&rules, t, due_ms - 1, MONO_MS));
	t->at_end = true;
	ck_assert(due_checkpoint(&rules, t, due_ms, MONO_MS)); /* what only counts on takes memory that no flush frees */
	exemplars_close(&t->exemplars, L_BEGIN_MS + L_MINUTE_MS, &t->specimens);
	ck_assert(!due_checkpoint(&rules, t, due_ms, MONO_MS) && t->exemplars.groups.len == 0);
	task_free(t);
}
END_TEST

START_TEST(catching_up_goes_by_the_number_of_exemplars_too)
{
	struct processor_conf small = conf;
	struct due_rules sized = {&small, &real_time, PARTITIONS, NULL};
	struct task *t = with_error(L_BEGIN_MS + 200000);
	int64_t now = L_BEGIN_MS + L_HOUR_MS;

	ck_assert(!due_checkpoint(&sized, t, now, MONO_MS));
	small.catchup_windows = 1;
	ck_assert(due_checkpoint(&sized, t, now, MONO_MS));
	task_free(t);
}
END_TEST

/* A partition may be idle for longer than Kafka remembers what was committed of it. */
START_TEST(a_position_is_committed_when_it_moves_and_every_hour)
{
	struct task *t = with_error(L_BEGIN_MS);

	t->position = t->committed = t->saved.at = 7;
	ck_assert_msg(due_position(t, MONO_MS), "whoever owned it before may have been idle for a week");
	t->committed_mono_ms = MONO_MS;
	ck_assert(!due_position(t, MONO_MS) && !due_position(t, MONO_MS + L_HOUR_MS - 1));
	ck_assert(due_position(t, MONO_MS + L_HOUR_MS));
	t->position++;
	ck_assert(due_position(t, MONO_MS));
	t->phase = TASK_HELD;
	ck_assert(due_position(t, MONO_MS));
	t->phase = TASK_READY;
	ck_assert(!due_position(t, MONO_MS));
	t->phase = TASK_RUNNING;
	t->saved.id = 0;
	ck_assert_msg(!due_position(t, MONO_MS), "there is no snapshot yet");
	task_committed(t, MONO_MS);
	ck_assert_int_eq(t->committed_mono_ms, MONO_MS);
	task_free(t);
}
END_TEST

START_TEST(nothing_is_due_where_nothing_is)
{
	struct task *t = _i ? task_new(PARTITIONS, INPUT_EVENTS) : task_new(0, INPUT_SAMPLES);

	t->phase = TASK_RUNNING;
	t->saved.id = 1;
	t->at_end = true;
	t->end_mono_ms = MONO_MS;
	ck_assert(!due_checkpoint(&rules, t, L_BEGIN_MS + 100 * L_HOUR_MS, MONO_MS));
	ck_assert(!due_probe(&rules, t, L_BEGIN_MS + 100 * L_HOUR_MS, MONO_MS + 10 * DUE_TRUST_MS));
	task_free(t);
}
END_TEST

START_TEST(catching_up_goes_by_real_time_or_by_size)
{
	struct processor_conf small = conf;
	struct due_rules sized = {&small, &real_time, PARTITIONS, NULL};
	struct task *t = running(0, L_BEGIN_MS + 10, L_BEGIN_MS + 200000);
	int64_t now = L_BEGIN_MS + L_HOUR_MS; /* far ahead of the watermark */

	ck_assert(!due_checkpoint(&rules, t, now, MONO_MS));
	t->checkpoint_mono_ms = MONO_MS - 29999;
	ck_assert(!due_checkpoint(&rules, t, now, MONO_MS));
	t->checkpoint_mono_ms = MONO_MS - 30000;
	ck_assert(due_checkpoint(&rules, t, now, MONO_MS));
	t->checkpoint_mono_ms = MONO_MS;
	small.catchup_windows = 1;
	ck_assert(due_checkpoint(&sized, t, now, MONO_MS));
	small.catchup_windows = 2;
	ck_assert(!due_checkpoint(&sized, t, now, MONO_MS));
	/* 10 s behind is not catching up. */
	ck_assert(due_checkpoint(&rules, t, t->watermark_ms + 10000, MONO_MS));
	ck_assert(!due_checkpoint(&rules, t, t->watermark_ms + 10001, MONO_MS));
	task_free(t);
}
END_TEST

START_TEST(the_lag_is_measured_in_real_time)
{
	const struct clock fast = {.test = true, .speed = 60};
	const struct due_rules hasty = {&conf, &fast, PARTITIONS, NULL};
	struct task *t = running(0, L_BEGIN_MS + 10, L_BEGIN_MS + 200000);

	ck_assert(due_checkpoint(&hasty, t, t->watermark_ms + 600000, MONO_MS));
	ck_assert(!due_checkpoint(&hasty, t, t->watermark_ms + 600060, MONO_MS));
	task_free(t);
}
END_TEST

START_TEST(what_waits_makes_a_checkpoint_due)
{
	struct task *t = running(0, L_BEGIN_MS + 10, L_BEGIN_MS + 1000);
	int64_t now = L_BEGIN_MS + 1000;

	ck_assert(!due_checkpoint(&rules, t, now, MONO_MS));
	ck_assert_int_eq(task_add_letter(t, STR("letter")), 0);
	ck_assert(!due_checkpoint(&rules, t, now, MONO_MS)); /* a little patience */
	t->checkpoint_mono_ms = MONO_MS - 5000;
	ck_assert(due_checkpoint(&rules, t, now, MONO_MS));
	t->checkpoint_mono_ms = MONO_MS;
	t->letters.bytes = 4 << 20;
	ck_assert(due_checkpoint(&rules, t, now, MONO_MS));
	t->letters.bytes = 6;
	t->outbox.len = 1; /* an aborted attempt's */
	ck_assert(due_checkpoint(&rules, t, now, MONO_MS));
	t->outbox.len = 0;
	ck_assert(!due_checkpoint(&rules, t, now, MONO_MS));
	t->owed_bytes = 1;
	ck_assert(due_checkpoint(&rules, t, now, MONO_MS));
	task_free(t);
}
END_TEST

/* A running task of a world with an alert that is open, all minutes before the second closed, and nothing else. */
static struct task *alerted(struct world *w)
{
	struct trigger t = {.id = STR("t"), .site = STR(J_SITE), .metric = STR("load"), .has_threshold = true, .author = STR("test"), .updated_at = 1,
			    .threshold = {TRIGGER_FIELD_SUM, TRIGGER_COMPARISON_GT, 4}};

	j_init(w, INPUT_SAMPLES);
	j_trigger(w, t.id, &t);
	j_value(w, 0, j_minute(0), 5, j_minute(0) + 1000, false);
	j_close(w, 0);
	w->task->phase = TASK_RUNNING;
	w->task->saved = (struct offset_meta){.id = 1, .at = w->task->position};
	w->task->checkpoint_watermark_ms = w->task->watermark_ms;
	w->task->checkpoint_mono_ms = MONO_MS - 999;
	window_store_close(&w->task->windows, w->task->windows.closed_ms, j_minute(100), &(struct late_rules){0, 0}, &w->task->outbox, NULL);
	return w->task;
}

START_TEST(an_alert_closes_every_minute)
{
	struct world w;
	struct task *t = alerted(&w);

	t->watermark_ms = j_minute(2) + 45000 - 1;
	ck_assert(!due_checkpoint(&rules, t, t->watermark_ms, MONO_MS));
	t->watermark_ms++;
	ck_assert(due_checkpoint(&rules, t, t->watermark_ms, MONO_MS));
	t->watermark_ms -= 2000;
	t->at_end = true;
	t->end_mono_ms = MONO_MS - DUE_TRUST_MS - 1;
	ck_assert(due_probe(&rules, t, t->watermark_ms + 2000, MONO_MS));
	alerts_remove(&t->alerts, &t->windows.series, t->alerts.first);
	ck_assert(!due_probe(&rules, t, t->watermark_ms + 2000, MONO_MS));
	t->watermark_ms += 2000;
	ck_assert(!due_checkpoint(&rules, t, t->watermark_ms, MONO_MS));
	j_fini(&w);
}
END_TEST

START_TEST(what_is_to_be_told_of_alerts_waits_for_nothing)
{
	const struct alert_event event = {.trigger = STR("t")};
	struct world w;
	struct task *t = alerted(&w);

	ck_assert(!due_checkpoint(&rules, t, t->watermark_ms, MONO_MS));
	ck_assert_int_eq(alert_outbox_add(&t->alert_outbox, &event, NULL), 0);
	ck_assert(due_checkpoint(&rules, t, t->watermark_ms, MONO_MS));
	ck_assert(task_dirty(t) && budget_owes(&t, 1));
	j_fini(&w);
}
END_TEST

START_TEST(other_triggers_are_gone_by_within_a_second)
{
	struct due_rules changed = rules;
	struct world w;
	struct task *t = alerted(&w);

	changed.triggers = t->alerts.rules;
	ck_assert(!due_checkpoint(&changed, t, t->watermark_ms, MONO_MS + 1000));
	j_trigger(&w, STR("t"), NULL);
	changed.triggers = w.rules.judging.rules;
	ck_assert(!due_checkpoint(&changed, t, t->watermark_ms, MONO_MS));
	ck_assert(due_checkpoint(&changed, t, t->watermark_ms, MONO_MS + 1));
	alerts_remove(&t->alerts, &t->windows.series, t->alerts.first);
	ck_assert(!due_checkpoint(&changed, t, t->watermark_ms, MONO_MS + 1)); /* nobody would notice */
	j_fini(&w);
}
END_TEST

/* Windows may be made to stay open for longer than an alert is news. */
START_TEST(who_is_not_behind_judges_no_minute_late)
{
	struct processor_conf own = conf;
	const struct due_rules with = {&own, &real_time, PARTITIONS, NULL};

	own.alerts_max_age_ms = 600000;
	ck_assert_int_eq(due_max_age_ms(&with), 600000);
	own.grace_ms = 1200000;
	ck_assert_int_eq(due_max_age_ms(&with), 1200000 + 10000 + 60000);
	ck_assert(due_stagger_ms(&with, PARTITIONS - 1) + own.grace_ms < due_max_age_ms(&with));
}
END_TEST

START_TEST(a_job_is_watched_from_its_trigger_on)
{
	struct trigger job = {.id = STR("j"), .site = STR(J_SITE), .has_check_in = true, .check_in = {.name = STR("job"), .cron = STR(""), .every_minutes = 1},
			      .author = STR("test"), .updated_at = 1};
	struct due_rules changed = rules;
	struct world w;

	j_init(&w, INPUT_EVENTS);
	w.task->phase = TASK_RUNNING;
	w.task->saved.id = 1;
	j_trigger(&w, job.id, &job);
	changed.triggers = w.rules.judging.rules;
	ck_assert(due_checkpoint(&changed, w.task, 0, MONO_MS));
	ck_assert_int_eq(task_close(w.task, j_minute(1) + 45000, &w.rules, NULL), 0);
	ck_assert(!due_checkpoint(&changed, w.task, w.task->watermark_ms, 0));
	w.task->watermark_ms += L_MINUTE_MS + conf.stagger_ms;
	ck_assert(due_checkpoint(&changed, w.task, w.task->watermark_ms, 0));
	j_fini(&w);
}
END_TEST

START_TEST(state_that_a_restore_would_read_again_is_saved_once_a_minute)
{
	struct task *t = running(0, L_BEGIN_MS + 30 * L_MINUTE_MS, L_BEGIN_MS);

	t->checkpoint_mono_ms = MONO_MS - 5000;
	t->watermark_ms = L_BEGIN_MS + 60000;
	ck_assert(!due_checkpoint(&rules, t, t->watermark_ms, MONO_MS)); /* nothing was read */
	t->position = 1;
	ck_assert(due_checkpoint(&rules, t, t->watermark_ms, MONO_MS));
	t->watermark_ms--;
	ck_assert(!due_checkpoint(&rules, t, t->watermark_ms, MONO_MS));
	task_free(t);
}
END_TEST

START_TEST(only_new_and_reading_tasks_checkpoint)
{
	static const struct {
		enum task_phase phase;
		bool due;
	} phases[] = {{TASK_PENDING, false}, {TASK_NEW, true}, {TASK_READY, false}, {TASK_RUNNING, true}, {TASK_HELD, true}, {TASK_REFUSED, false}};

	for (size_t i = 0; i < NR(phases); i++) {
		struct task *t = running(0, L_BEGIN_MS + 10, L_BEGIN_MS + 200000);

		t->phase = phases[i].phase;
		ck_assert_msg(due_checkpoint(&rules, t, t->watermark_ms, MONO_MS) == phases[i].due, "phase %zu", i);
		task_free(t);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("due");
	TCase *tc = tcase_create("due");

	tcase_add_test(tc, a_minute_is_due_after_its_end_grace_and_stagger);
	tcase_add_test(tc, an_end_that_is_trusted_closes_by_the_wall_clock);
	tcase_add_test(tc, exemplars_are_due_as_windows_are);
	tcase_add_test(tc, catching_up_goes_by_the_number_of_exemplars_too);
	tcase_add_test(tc, a_position_is_committed_when_it_moves_and_every_hour);
	tcase_add_loop_test(tc, nothing_is_due_where_nothing_is, 0, NR_INPUT_KINDS);
	tcase_add_test(tc, catching_up_goes_by_real_time_or_by_size);
	tcase_add_test(tc, the_lag_is_measured_in_real_time);
	tcase_add_test(tc, an_alert_closes_every_minute);
	tcase_add_test(tc, what_is_to_be_told_of_alerts_waits_for_nothing);
	tcase_add_test(tc, other_triggers_are_gone_by_within_a_second);
	tcase_add_test(tc, who_is_not_behind_judges_no_minute_late);
	tcase_add_test(tc, a_job_is_watched_from_its_trigger_on);
	tcase_add_test(tc, what_waits_makes_a_checkpoint_due);
	tcase_add_test(tc, state_that_a_restore_would_read_again_is_saved_once_a_minute);
	tcase_add_test(tc, only_new_and_reading_tasks_checkpoint);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
