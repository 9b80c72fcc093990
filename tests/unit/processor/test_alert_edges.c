/* test_alert_edges.c - judging where something is out of the way: clocks that are wrong, series that never come back, a partition that slept through a route's change, a
 * trigger that comes in the middle of a minute that was flushed. */
#include "tests/unit/processor/judged.h"

enum { WEEK_MINUTES = 7 * 24 * 60 };

static struct trigger a_trigger(enum trigger_field field, enum trigger_comparison comparison, double threshold)
{
	return (struct trigger){.id = STR("t"), .site = STR(J_SITE), .description = STR("d"), .severity = ALERT_SEVERITY_WARNING, .metric = STR("load"),
				.author = STR("test"), .updated_at = 1, .has_threshold = true, .threshold = {field, comparison, threshold}};
}

static struct trigger an_absence(int minutes)
{
	struct trigger t = a_trigger(TRIGGER_FIELD_SUM, TRIGGER_COMPARISON_GT, 0);

	t.has_threshold = false;
	t.has_absent_minutes = true;
	t.absent_minutes = minutes;
	return t;
}

static struct trigger a_heartbeat(int64_t updated_at)
{
	return (struct trigger){.id = STR("t"), .site = STR(J_SITE), .has_check_in = true, .author = STR("test"), .updated_at = updated_at,
				.check_in = {.name = STR("job"), .cron = STR(""), .every_minutes = 3}};
}

static void must_be_told(struct world *w, const char *text)
{
	ck_assert_msg(strcmp(w->told, text) == 0, "\"%s\", expected \"%s\"", w->told, text);
	w->told_len = 0;
	w->told[0] = '\0';
}

/* A minute in which only another series reports, and its closing. */
static void pass(struct world *w, int64_t minute)
{
	j_value(w, -1, j_minute(minute) + 20000, 1, j_minute(minute) + 30000, false);
	j_close(w, minute);
}

/* An agent's clock stands before 1970. What a snapshot says must be read again. */
START_TEST(a_sender_from_before_1970_waits)
{
	struct trigger t = an_absence(2);
	char text[16];
	struct tag tag;
	struct series_ref series = j_series(0, &tag, text);
	struct value_sample v = {.series = 0, .t = j_minute(0) + 1000, .v = 1};
	struct sample_batch batch = {.series = &series, .series_len = 1, .values = &v, .values_len = 1, .site = STR(J_SITE), .has_agent_id = true,
				     .seq = 7, .floor = 1, .created_at = -86400000, .received_at = j_minute(0) + 30000};
	struct intake_counts counts;
	struct err err = ERR_INIT;
	struct world w;

	j_init(&w, INPUT_SAMPLES);
	j_trigger(&w, t.id, &t);
	ck_assert_int_eq(sample_batch_encode(&batch, &w.bytes, &err), 0);
	buf_clear(&w.bytes);
	ck_assert_int_eq(sample_batch_encode(&batch, &w.bytes, &err), 0);
	ck_assert_msg(task_take(w.task, &(struct record){w.task->position, j_minute(0) + 30000, buf_str(&w.bytes), NULL}, &w.scratch, &counts, &err) == 0, "%s", err.msg);
	j_restore(&w);
	j_fini(&w);
}
END_TEST

/* Whoever wrote a trigger had a clock of his own. */
static const int64_t written[] = {INT64_MAX, INT64_MAX / 2 + 1, J_BEGIN_MS + INT64_C(86400000) * 365, -1, INT64_MIN};

START_TEST(a_job_is_watched_whatever_the_clock_of_its_author)
{
	struct trigger t = a_heartbeat(written[_i]);
	struct world w;

	j_init(&w, INPUT_EVENTS);
	j_trigger(&w, t.id, &t);
	w.task->windows.closed_ms = j_minute(0);
	w.task->watermark_ms = j_minute(0);
	for (int64_t m = 0; m < 8; m++) {
		j_close(&w, m);
		j_restore(&w);
	}
	ck_assert_msg(strncmp(w.told, "+", 1) == 0, "\"%s\"", w.told);
	j_fini(&w);
}
END_TEST

/* Of what has gone a count is 0, and below the threshold for ever. */
START_TEST(a_series_that_is_gone_is_not_low_for_ever)
{
	struct trigger t = a_trigger(TRIGGER_FIELD_COUNT, TRIGGER_COMPARISON_LT, 5);
	int64_t m = 0;
	struct world w;

	j_init(&w, INPUT_SAMPLES);
	j_trigger(&w, t.id, &t);
	j_value(&w, 0, j_minute(0) + 1000, 1, j_minute(0) + 30000, false);
	for (; m < WEEK_MINUTES; m++)
		pass(&w, m);
	must_be_told(&w, "+0 ");
	j_value(&w, 0, j_minute(m) + 1000, 1, j_minute(m) + 30000, false); /* it was not gone */
	for (int64_t end = m + WEEK_MINUTES; m <= end; m++)
		pass(&w, m);
	must_be_told(&w, "");
	pass(&w, m++);
	ck_assert_uint_eq(w.task->alerts.nr, 0);
	ck_assert_msg(strstr(w.told, "forgotten") != NULL, "\"%s\"", w.told);
	j_fini(&w);
}
END_TEST

/* A series that a route of one shard leads to this partition, and one of four to another. */
static int one_that_moves(struct world *w)
{
	const struct site_place *place = placements_get(&w->placements, STR(J_SITE));
	char text[16];
	struct tag tag;
	int n = 0;

	w->placements.partitions = 4;
	while (w->task->partition < 3 && site_place_judge(&w->placements, place, j_series(0, &tag, text).fingerprint, w->task->partition, j_minute(0)) != PLACE_HERE)
		w->task->partition++;
	while (site_place_judge(&w->placements, place, j_series(n, &tag, text).fingerprint, w->task->partition, j_minute(20)) == PLACE_HERE)
		n++;
	return n;
}

/* The route changes, and then nothing closes a minute for longer than a day. */
START_TEST(a_route_changes_while_nobody_listens_for_days)
{
	const struct route routes[] = {{.effective_from = 0, .cell = STR("main"), .shards = 1},
				       {.effective_from = j_minute(10), .cell = STR("main"), .shards = 4}};
	struct trigger t = a_trigger(TRIGGER_FIELD_SUM, TRIGGER_COMPARISON_GT, 4);
	struct world w;
	int n;

	j_init(&w, INPUT_SAMPLES);
	j_trigger(&w, t.id, &t);
	j_route(&w, routes, 2);
	n = one_that_moves(&w);
	j_value(&w, n, j_minute(0) + 1000, 5, j_minute(0) + 30000, false);
	pass(&w, 0);
	must_be_told(&w, "+0 ");
	j_close(&w, 3000);
	j_close(&w, 3001);
	must_be_told(&w, "-3000 moved ");
	j_fini(&w);
}
END_TEST

/* Half of the minute has left when the trigger comes: the other half is not what it asks about. */
START_TEST(a_trigger_comes_in_a_minute_that_was_flushed)
{
	struct trigger t = a_trigger(TRIGGER_FIELD_COUNT, TRIGGER_COMPARISON_LT, 2), other = t;
	struct err err = ERR_INIT;
	struct world w;

	j_init(&w, INPUT_SAMPLES);
	other.id = STR("other");
	other.metric = STR("other");
	j_trigger(&w, other.id, &other);
	pass(&w, 0);
	w.told_len = 0;
	w.told[0] = '\0';
	j_value(&w, 0, j_minute(1) + 1000, 1, j_minute(1) + 30000, false);
	ck_assert_int_eq(task_close(w.task, w.task->watermark_ms, &w.rules, &err), 0);
	ck_assert_int_eq(task_flush(w.task, &err), 0);
	while (w.task->outbox.len)
		pane_free(pane_list_take(&w.task->outbox, w.task->outbox.len - 1), &w.task->windows.series);
	t.updated_at = j_minute(1) + 40000;
	j_trigger(&w, t.id, &t);
	j_value(&w, 0, j_minute(1) + 50000, 1, j_minute(1) + 50000, false);
	pass(&w, 1);
	must_be_told(&w, "");
	j_fini(&w);
}
END_TEST

/* What opened while the processor was behind is told by no minute in which it is muted. */
START_TEST(what_is_muted_is_not_told_afterwards_either)
{
	struct trigger t = a_trigger(TRIGGER_FIELD_SUM, TRIGGER_COMPARISON_GT, 4);
	struct world w;

	j_init(&w, INPUT_SAMPLES);
	j_trigger(&w, t.id, &t);
	w.rules.judging.max_age_ms = 600000;
	w.rules.judging.now_ms = j_minute(100);
	j_value(&w, 0, j_minute(0) + 1000, 5, j_minute(0) + 30000, false);
	j_value(&w, 1, j_minute(0) + 1000, 5, j_minute(0) + 30000, false);
	pass(&w, 0);
	j_value(&w, 0, j_minute(1) + 1000, 5, j_minute(1) + 30000, false);
	pass(&w, 1); /* the other has come and gone */
	j_mute(&w, "t", 2, 4);
	w.rules.judging.now_ms = j_minute(3);
	pass(&w, 2);
	must_be_told(&w, "");
	j_restore(&w);
	w.clock.start_ms = j_minute(5);
	j_value(&w, 0, j_minute(3) + 1000, 5, j_minute(3) + 30000, false);
	pass(&w, 3);
	must_be_told(&w, "+0@3 sum 0..1 2/1 ");
	j_fini(&w);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("alert_edges");
	TCase *tc = tcase_create("alert_edges");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_sender_from_before_1970_waits);
	tcase_add_loop_test(tc, a_job_is_watched_whatever_the_clock_of_its_author, 0, (int)NR(written));
	tcase_add_test(tc, a_series_that_is_gone_is_not_low_for_ever);
	tcase_add_test(tc, a_route_changes_while_nobody_listens_for_days);
	tcase_add_test(tc, a_trigger_comes_in_a_minute_that_was_flushed);
	tcase_add_test(tc, what_is_muted_is_not_told_afterwards_either);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
