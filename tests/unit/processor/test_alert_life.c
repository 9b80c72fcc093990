/* test_alert_life.c - what ends an alert, or keeps it from being told, beside its condition: other triggers, other routes, processing that is behind, caps, time; what an
 * event says; and what a damaged snapshot may not do. */
#include "tests/unit/processor/judged.h"

enum { WEEK_MINUTES = 7 * 24 * 60 };

/* sum > 4, or absent; at once. */
static struct trigger a_trigger(int absent)
{
	struct trigger t = {.id = STR("t"), .site = STR(J_SITE), .description = STR("load is high"), .severity = ALERT_SEVERITY_CRITICAL, .metric = STR("load"),
			    .author = STR("test"), .updated_at = 1};

	t.has_absent_minutes = absent > 0;
	t.absent_minutes = absent;
	t.has_threshold = !absent;
	t.threshold = (struct threshold_rule){TRIGGER_FIELD_SUM, TRIGGER_COMPARISON_GT, 4};
	return t;
}

static void begin(struct world *w, int absent)
{
	struct trigger t = a_trigger(absent);

	j_init(w, INPUT_SAMPLES);
	j_trigger(w, t.id, &t);
}

/* A minute of a series, value 0 for silence, and its closing. */
static void pass(struct world *w, int64_t minute, int number, double value)
{
	j_value(w, -1, j_minute(minute) + 20000, 1, j_minute(minute) + 30000, false);
	if (value != 0)
		j_value(w, number, j_minute(minute) + 20000, value, j_minute(minute) + 30000, false);
	j_close(w, minute);
}

static void must_be_told(struct world *w, const char *text)
{
	ck_assert_msg(strcmp(w->told, text) == 0, "\"%s\", expected \"%s\"", w->told, text);
	w->told_len = 0;
	w->told[0] = '\0';
}

START_TEST(an_event_says_all)
{
	struct trigger t = a_trigger(0);
	struct str receivers[] = {STR("ops"), STR("boss")};
	struct alert_event e;
	struct err err = ERR_INIT;
	uint8_t id[ALERT_ID_BYTES];
	struct tag tag;
	char text[16];
	struct world w;

	j_init(&w, INPUT_SAMPLES);
	t.receivers = receivers;
	t.receivers_len = 2;
	t.cooldown_minutes = 2;
	j_trigger(&w, t.id, &t);
	j_value(&w, 3, j_minute(0), 7.5, j_minute(0) + 30000, false);
	w.rules.judging.now_ms = 12345;
	ck_assert_int_eq(task_close(w.task, j_minute(1) + 45000, &w.rules, &err), 0);
	ck_assert_uint_eq(w.task->alert_outbox.nr, 1);
	ck_assert_int_eq(alert_event_decode(alert_letter_record(w.task->alert_outbox.first), &w.scratch, &e, &err), 0);
	alert_id(STR(J_SITE), STR("t"), j_series(3, &tag, text).fingerprint, j_minute(0), ALERT_EVENT_KIND_OPENED, id);
	ck_assert(memcmp(e.id, id, sizeof(id)) == 0 && memcmp(e.fingerprint, j_series(3, &tag, text).fingerprint, sizeof(e.fingerprint)) == 0);
	ck_assert(str_eq(e.trigger, STR("t")) && str_eq(e.description, t.description) && e.severity == ALERT_SEVERITY_CRITICAL);
	ck_assert(e.receivers_len == 2 && str_eq(e.receivers[1], STR("boss")) && e.cooldown_minutes == 2 && e.warm_up_minutes == 0);
	ck_assert(e.has_series_kind && e.series_kind == SERIES_KIND_GAUGE && str_eq(e.name, STR("load")));
	ck_assert(e.tags_len == 1 && str_eq(e.tags[0].key, STR("n")) && str_eq(e.tags[0].value, STR("3")));
	ck_assert(e.opened_at == j_minute(0) && e.minute == j_minute(0) && e.has_value && e.value == 7.5 && e.at == 12345 && e.reason.len == 0);
	ck_assert(e.condition.len > 0);
	j_fini(&w);
}
END_TEST

START_TEST(late_values_change_nothing)
{
	struct world w;

	begin(&w, 0);
	pass(&w, 0, 0, 1);
	j_value(&w, 0, j_minute(0) + 30000, 9, j_minute(1) + 50000, false);
	j_close(&w, 1);
	j_close(&w, 40);
	must_be_told(&w, "");
	pass(&w, 41, 0, 9);
	j_value(&w, 0, j_minute(3), 1, j_minute(42) + 46000, false);
	j_close(&w, 80);
	must_be_told(&w, "+41 ");
	j_fini(&w);
}
END_TEST

/* The trigger of an open alert becomes another; with or without a restore before. */
static const struct {
	const char *name;
	bool restore, delete_it;
	double threshold;
	const char *description, *told;
} changes[] = {
	{"deleted", false, true, 0, "", "+0 -0 trigger_deleted "},
	{"deleted behind a restore", true, true, 0, "", "+0 -0 trigger_deleted "},
	{"another threshold", false, false, 3, "load is high", "+0 -0 trigger_changed +1 "},
	{"another threshold behind a restore", true, false, 3, "load is high", "+0 -0 trigger_changed +1 "},
	{"another text", false, false, 4, "other words", "+0 "},
	{"another text behind a restore", true, false, 4, "other words", "+0 "},
};

START_TEST(the_trigger_of_an_open_alert_changes)
{
	struct trigger t = a_trigger(0), other = a_trigger(0);
	struct world w;

	j_init(&w, INPUT_SAMPLES);
	j_trigger(&w, t.id, &t);
	other.id = STR("a"); /* so that places among the rules move */
	pass(&w, 0, 0, 5);
	if (changes[_i].restore)
		j_restore(&w);
	other.metric = STR("nothing");
	j_trigger(&w, other.id, &other);
	t.threshold.threshold = changes[_i].threshold;
	t.description = str_from(changes[_i].description);
	j_trigger(&w, t.id, changes[_i].delete_it ? NULL : &t);
	pass(&w, 1, 0, 5);
	must_be_told(&w, changes[_i].told);
	ck_assert_uint_eq(w.task->alerts.nr, !changes[_i].delete_it);
	j_restore(&w);
	pass(&w, 2, 0, 1);
	ck_assert_msg(strcmp(w.told, changes[_i].delete_it ? "" : "-2 ") == 0, "%s: %s", changes[_i].name, w.told);
	j_fini(&w);
}
END_TEST

START_TEST(a_series_moves_away)
{
	const struct route routes[] = {{.effective_from = 0, .cell = STR("main"), .shards = 1},
				       {.effective_from = j_minute(3), .cell = STR("other"), .shards = 1}};
	uint8_t opened[ALERT_ID_BYTES];
	struct world w;

	begin(&w, 0);
	pass(&w, 0, 0, 5);
	memcpy(opened, w.episode, sizeof(opened));
	j_route(&w, routes, 2);
	pass(&w, 1, 0, 5);
	pass(&w, 2, 0, 1); /* the minute before the change, */
	pass(&w, 3, 0, 1); /* and that of it: nobody's */
	must_be_told(&w, "+0 ");
	ck_assert_uint_gt(w.task->alerts.unknown, 0);
	pass(&w, 4, 0, 1);
	pass(&w, 5, 0, 5);
	must_be_told(&w, "-4 moved ");
	ck_assert_uint_eq(w.task->alerts.nr, 0);
	j_fini(&w);
}
END_TEST

START_TEST(a_held_series_moves_away_without_a_word)
{
	const struct route routes[] = {{.effective_from = 0, .cell = STR("main"), .shards = 1},
				       {.effective_from = j_minute(2), .cell = STR("other"), .shards = 1}};
	struct world w;

	begin(&w, 3);
	pass(&w, 0, 0, 5);
	ck_assert_uint_eq(w.task->alerts.nr_held, 1);
	j_route(&w, routes, 2);
	for (int64_t m = 1; m < 10; m++)
		pass(&w, m, 0, 0);
	must_be_told(&w, "");
	ck_assert_uint_eq(w.task->alerts.nr_held, 0);
	j_fini(&w);
}
END_TEST

/* A minute that is judged when it is so old. */
static void pass_aged(struct world *w, int64_t minute, double value, int64_t age_ms)
{
	w->rules.judging.now_ms = j_minute(minute + 1) + age_ms;
	pass(w, minute, 0, value);
}

START_TEST(what_opened_long_ago_is_told_when_it_is_still_open)
{
	struct world w;

	begin(&w, 0);
	w.rules.judging.max_age_ms = 600000;
	pass_aged(&w, 0, 5, 600000); /* just young enough */
	pass_aged(&w, 1, 1, 600001); /* a closing of what was told is always told */
	must_be_told(&w, "+0 -1 ");
	pass_aged(&w, 2, 5, 600001);
	pass_aged(&w, 3, 1, 600001);
	pass_aged(&w, 4, 6, 600001);
	j_restore(&w);
	pass_aged(&w, 5, 1, 600001);
	pass_aged(&w, 6, 7, 600001);
	pass_aged(&w, 7, 8, 600001);
	must_be_told(&w, "");
	ck_assert(alerts_want_minutes(&w.task->alerts));
	j_restore(&w);
	pass_aged(&w, 8, 9, 60000);
	must_be_told(&w, "+6@8 sum 2..5 3/2 ");
	pass_aged(&w, 9, 9, 60000);
	pass_aged(&w, 10, 1, 600001);
	must_be_told(&w, "-10 ");
	ck_assert(!alerts_want_minutes(&w.task->alerts));
	j_fini(&w);
}
END_TEST

START_TEST(what_has_come_and_gone_is_summed_up_without_anything_open)
{
	struct trigger t = a_trigger(0);
	struct world w;

	begin(&w, 0);
	w.rules.judging.max_age_ms = 600000;
	pass_aged(&w, 0, 5, 700000);
	pass_aged(&w, 1, 1, 700000);
	must_be_told(&w, "");
	pass_aged(&w, 2, 0, 0);
	must_be_told(&w, "sum 0..1 1/1 ");
	pass_aged(&w, 3, 5, 700000);
	t.threshold.threshold = 3;
	j_trigger(&w, t.id, &t); /* the summary does not outlive its trigger's meaning */
	pass_aged(&w, 4, 0, 700000);
	must_be_told(&w, "sum 3..3 1/1 ");
	j_fini(&w);
}
END_TEST

START_TEST(open_ones_that_opened_long_ago_alone_make_no_summary)
{
	struct world w;

	begin(&w, 0);
	w.rules.judging.max_age_ms = 600000;
	pass_aged(&w, 0, 5, 700000);
	pass_aged(&w, 1, 1, 0);
	must_be_told(&w, "sum 0..1 1/1 "); /* it closed in the very minute that was young enough */
	pass_aged(&w, 2, 5, 700000);
	pass_aged(&w, 3, 5, 0);
	must_be_told(&w, "+2@3 ");
	j_fini(&w);
}
END_TEST

START_TEST(no_more_series_are_held_than_may_be)
{
	uint64_t refused = 0;
	struct world w;
	size_t at = 0;

	begin(&w, 2);
	w.rules.judging.held_max = 2;
	for (int i = 0; i < 4; i++)
		j_value(&w, i, j_minute(0), 1, j_minute(0) + 30000, false);
	j_close(&w, 0);
	ck_assert_uint_eq(w.task->alerts.nr_held, 2);
	ck_assert_ptr_nonnull(alerts_tell_refused(&w.task->alerts, &at, w.task->watermark_ms, &refused));
	ck_assert_uint_eq(refused, 2);
	for (int i = 0; i < 4; i++)
		j_value(&w, i, j_minute(1), 1, j_minute(1) + 30000, false);
	j_close(&w, 1);
	at = 0;
	ck_assert_ptr_null(alerts_tell_refused(&w.task->alerts, &at, w.task->watermark_ms, &refused));
	j_close(&w, 2);
	j_close(&w, 3);
	must_be_told(&w, "+3 +3 ");
	at = 0;
	ck_assert_ptr_nonnull(alerts_tell_refused(&w.task->alerts, &at, w.task->watermark_ms + L_HOUR_MS, &refused));
	ck_assert_uint_eq(refused, 2);
	j_fini(&w);
}
END_TEST

START_TEST(an_absence_of_a_week_is_forgotten)
{
	struct world w;

	begin(&w, 5);
	pass(&w, 0, 0, 1);
	for (int64_t m = 1; m < WEEK_MINUTES; m++)
		j_close(&w, m);
	must_be_told(&w, "+5 ");
	ck_assert_uint_eq(w.task->windows.series.len, 1);
	for (int64_t m = WEEK_MINUTES; m < WEEK_MINUTES + 3; m++)
		j_close(&w, m);
	must_be_told(&w, "-10081 forgotten ");
	ck_assert_uint_eq(w.task->windows.series.len, 0);
	j_fini(&w);
}
END_TEST

/* What holds a series is its alert, and nothing else. */
START_TEST(a_series_stays_as_long_as_it_is_held)
{
	struct trigger t = a_trigger(0);
	struct world w;

	begin(&w, 600);
	pass(&w, 0, 0, 5);
	j_close(&w, 300);
	ck_assert_uint_eq(w.task->windows.series.len, 1);
	ck_assert_uint_gt(w.task->alerts.series_bytes, 0);
	j_restore(&w);
	ck_assert_uint_gt(w.task->alerts.series_bytes, 0);
	j_trigger(&w, t.id, NULL);
	j_close(&w, 301);
	ck_assert_uint_eq(w.task->windows.series.len, 0);
	ck_assert_uint_eq(w.task->alerts.series_bytes, 0);
	j_fini(&w);
}
END_TEST

START_TEST(triggers_of_one_series_do_not_meet)
{
	struct world w;
	struct trigger t;

	j_init(&w, INPUT_SAMPLES);
	for (int i = 0; i < 6; i++) { /* in no order: c, f, a, .. */
		char id[2] = {"cfaebd"[i], '\0'};

		t = a_trigger(i == 1 ? 1 : 0);
		t.id = str_from(id);
		t.threshold.threshold = id[0] - 'a';
		j_trigger(&w, t.id, &t);
	}
	pass(&w, 0, 0, 2.5);
	must_be_told(&w, "+0 +0 +0 ");
	pass(&w, 1, 0, 4.5);
	must_be_told(&w, "+1 +1 ");
	j_restore(&w);
	pass(&w, 2, 0, 1.5);
	must_be_told(&w, "-2 -2 -2 ");
	j_trigger(&w, STR("a"), NULL);
	pass(&w, 3, 0, 0);
	must_be_told(&w, "-2 trigger_deleted -3 +3 "); /* b has closed, and f, who asks about absence, opens */
	ck_assert_uint_eq(w.task->alerts.nr, 1);
	j_fini(&w);
}
END_TEST

/* A state with all that there can be. */
static void fill(struct world *w)
{
	struct trigger t = a_trigger(2);

	begin(w, 0);
	t.id = STR("absent");
	j_trigger(w, t.id, &t);
	w->rules.judging.max_age_ms = 600000;
	pass_aged(w, 0, 5, 700000);
	pass_aged(w, 1, 1, 700000);
	j_value(w, 1, j_minute(2), 5, j_minute(2) + 30000, true);
	j_value(w, 2, j_minute(5), 5, j_minute(6), false);
	w->rules.judging.now_ms = j_minute(20);
	ck_assert_int_eq(task_close(w->task, j_minute(6), &w->rules, NULL), 0);
	ck_assert_int_eq(task_flush(w->task, NULL), 0);
	quiet_note_lost(&w->task->quiet, j_minute(7));
	ck_assert_uint_eq(w->task->shadow.panes.len, 1);
	ck_assert_uint_eq(w->task->quiet.still.nr, 1);
	ck_assert_uint_eq(w->task->quiet.waiting.len, 0);
	j_value(w, 1, j_minute(6), 5, j_minute(6) + 30000, true);
	ck_assert_uint_eq(w->task->quiet.waiting.len, 1);
	ck_assert_uint_eq(w->task->alerts.nr_untold, 1);
}

/* The last bytes, which are what triggers need, one changed or cut: refused, or read as something else that can be written again. */
START_TEST(damaged_state_does_no_harm)
{
	struct buf bytes = BUF_INIT;
	int nr_refused = 0;
	struct err err;
	struct world w;

	fill(&w);
	ck_assert_int_eq(snapshot_encode(w.task, &bytes, NULL), 0);
	for (size_t i = 0; i < bytes.len; i++)
		for (int bit = -1; bit < 8; bit++) {
			struct task *other = task_new(0, INPUT_SAMPLES);
			struct buf again = BUF_INIT;
			uint8_t was = bytes.p[i];

			bytes.p[i] ^= bit < 0 ? 0 : (uint8_t)(1 << bit);
			err = (struct err)ERR_INIT;
			if (snapshot_decode((struct str){(const char *)bytes.p, bit < 0 ? i : bytes.len}, other, &err) == 0)
				ck_assert_int_eq(snapshot_encode(other, &again, &err), 0);
			else
				nr_refused += err.kind == ERR_REJECT;
			bytes.p[i] = was;
			buf_fini(&again);
			task_free(other);
		}
	ck_assert_int_gt(nr_refused, (int)bytes.len);
	buf_fini(&bytes);
	j_fini(&w);
}
END_TEST

START_TEST(a_whole_state_comes_back)
{
	struct world w;

	fill(&w);
	j_restore(&w);
	ck_assert_uint_eq(w.task->shadow.panes.len, 1);
	ck_assert_uint_eq(w.task->quiet.still.nr, 1);
	ck_assert_uint_eq(w.task->quiet.lost.nr, 1);
	ck_assert_uint_eq(w.task->quiet.waiting.len, 1);
	ck_assert_uint_eq(w.task->alerts.nr_untold, 1);
	w.rules.judging.now_ms = j_minute(6);
	alert_outbox_drop(&w.task->alert_outbox, w.task->alert_outbox.nr);
	j_close(&w, 5);
	j_fini(&w);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("alert_life");
	TCase *tc = tcase_create("alert_life");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, an_event_says_all);
	tcase_add_test(tc, late_values_change_nothing);
	tcase_add_loop_test(tc, the_trigger_of_an_open_alert_changes, 0, (int)NR(changes));
	tcase_add_test(tc, a_series_moves_away);
	tcase_add_test(tc, a_held_series_moves_away_without_a_word);
	tcase_add_test(tc, what_opened_long_ago_is_told_when_it_is_still_open);
	tcase_add_test(tc, what_has_come_and_gone_is_summed_up_without_anything_open);
	tcase_add_test(tc, open_ones_that_opened_long_ago_alone_make_no_summary);
	tcase_add_test(tc, no_more_series_are_held_than_may_be);
	tcase_add_test(tc, an_absence_of_a_week_is_forgotten);
	tcase_add_test(tc, a_series_stays_as_long_as_it_is_held);
	tcase_add_test(tc, triggers_of_one_series_do_not_meet);
	tcase_add_test(tc, damaged_state_does_no_harm);
	tcase_add_test(tc, a_whole_state_comes_back);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
