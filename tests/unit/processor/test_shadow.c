/* test_shadow.c - what a flush keeps back for the triggers takes what is in it: not more for a task that has long kept it than for one that was just restored.
 *
 * Which minute is given up depends on it, and with it what becomes known of alerts. The whole of it, with crashes at any time, is in test_simulation.c. */
#include "tests/unit/processor/judged.h"

enum { SERIES = 20, FLUSHES = 12, MINUTES = 4, VALUES = 90, ROUNDS = 20 };

/* Number -1: one that no trigger is about. */
static void distribution_value(struct world *w, int number, int64_t t_ms, double value)
{
	struct tag tag = {STR("n"), STR("1")};
	struct series_id id = {.site = STR(J_SITE), .kind = SERIES_KIND_DISTRIBUTION, .name = number < 0 ? STR("other") : STR("load"), .tags = &tag, .tags_len = 1};
	struct series_ref series = {.kind = id.kind, .name = id.name, .tags = &tag, .tags_len = 1};
	struct value_sample v = {.t = t_ms, .v = value};
	struct sample_batch batch = {.series = &series, .series_len = 1, .values = &v, .values_len = 1, .site = STR(J_SITE), .created_at = t_ms, .received_at = t_ms};
	struct intake_counts counts;
	struct err err = ERR_INIT;
	char text[16];

	snprintf(text, sizeof(text), "%d", number);
	tag.value = str_from(text);
	series_fingerprint(&id, series.fingerprint);
	buf_clear(&w->bytes);
	ck_assert_int_eq(sample_batch_encode(&batch, &w->bytes, &err), 0);
	ck_assert_msg(task_take(w->task, &(struct record){w->task->position, t_ms, buf_str(&w->bytes), NULL}, &w->scratch, &counts, &err) == 0, "%s", err.msg);
}

static void flush(struct world *w)
{
	ck_assert_int_eq(task_close(w->task, w->task->watermark_ms, &w->rules, NULL), 0);
	ck_assert_int_eq(task_flush(w->task, NULL), 0);
	while (w->task->outbox.len)
		pane_free(pane_list_take(&w->task->outbox, w->task->outbox.len - 1), &w->task->windows.series);
}

static void begin(struct world *w)
{
	const struct trigger t = {.id = STR("t"), .site = STR(J_SITE), .severity = ALERT_SEVERITY_CRITICAL, .metric = STR("load"), .author = STR("test"),
				  .updated_at = 1, .has_threshold = true, .threshold = {TRIGGER_FIELD_SUM, TRIGGER_COMPARISON_GT, 1e9}};

	j_init(w, INPUT_SAMPLES);
	j_trigger(w, t.id, &t);
	w->rules.grace_ms = MINUTES * L_MINUTE_MS; /* all stay open */
}

/* What each minute takes. */
static void measure(const struct task *task, size_t bytes[MINUTES])
{
	ck_assert_uint_eq(task->shadow.panes.len, MINUTES);
	for (size_t i = 0; i < MINUTES; i++)
		bytes[i] = pane_bytes(task->shadow.panes.panes[i]);
}

static void measure_restored(const struct task *task, size_t bytes[MINUTES])
{
	struct task *other = task_new(task->partition, task->kind);
	struct buf snapshot = BUF_INIT;
	struct err err = ERR_INIT;

	ck_assert_int_eq(snapshot_encode(task, &snapshot, &err), 0);
	ck_assert_msg(snapshot_decode(buf_str(&snapshot), other, &err) == 0, "%s", err.msg);
	measure(other, bytes);
	task_free(other);
	buf_fini(&snapshot);
}

/* Few values for many series, so that histograms grow by a bucket or two at a time; of the last minute, only what no trigger is about. */
static void send_some(struct world *w, struct unit_random *random)
{
	for (int i = 0; i < VALUES; i++) {
		int64_t t_ms = j_minute((int64_t)unit_random_below(random, MINUTES - 1)) + 1000;
		int series = (int)unit_random_below(random, SERIES);

		distribution_value(w, series, t_ms, (double)(1 + unit_random_below(random, 100000)));
	}
	for (int minute = 0; minute < MINUTES; minute++) /* all of them are there */
		distribution_value(w, minute == MINUTES - 1 ? -1 : SERIES, j_minute(minute) + 1000, 1);
}

START_TEST(what_is_kept_takes_what_a_restored_one_takes)
{
	struct unit_random random = {(uint64_t)_i + 1};
	struct world w;

	begin(&w);
	for (int i = 0; i < FLUSHES; i++) {
		size_t have[MINUTES], restored[MINUTES];

		send_some(&w, &random);
		flush(&w);
		measure(w.task, have);
		measure_restored(w.task, restored);
		for (size_t minute = 0; minute < MINUTES; minute++)
			ck_assert_msg(have[minute] == restored[minute], "flush %d, minute %zu: %zu bytes, %zu after a restore", i, minute, have[minute],
				      restored[minute]);
	}
	j_fini(&w);
}
END_TEST

/* Of two tasks to which the same happens, one is restored all the time. */
START_TEST(a_restored_one_gives_up_the_same_minutes)
{
	struct unit_random random[] = {{(uint64_t)_i + 1}, {(uint64_t)_i + 1}};
	struct world w[NR(random)];
	int lost = 0;

	for (size_t i = 0; i < NR(w); i++) {
		begin(&w[i]);
		w[i].rules.judging.shadow_bytes = (10 << 10) + 500 * (size_t)_i;
	}
	for (int n = 0; n < FLUSHES; n++) {
		for (size_t i = 0; i < NR(w); i++) {
			send_some(&w[i], &random[i]);
			flush(&w[i]);
		}
		j_restore(&w[1]);
		for (int minute = 0; minute < MINUTES; minute++) {
			bool is_lost = quiet_is_lost(&w[0].task->quiet, j_minute(minute));

			ck_assert_msg(is_lost == quiet_is_lost(&w[1].task->quiet, j_minute(minute)), "flush %d, minute %d", n, minute);
			lost += is_lost;
		}
	}
	ck_assert(lost > 0 && lost < FLUSHES * MINUTES);
	for (size_t i = 0; i < NR(w); i++)
		j_fini(&w[i]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("shadow");
	TCase *tc = tcase_create("shadow");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, what_is_kept_takes_what_a_restored_one_takes, 0, ROUNDS);
	tcase_add_loop_test(tc, a_restored_one_gives_up_the_same_minutes, 0, ROUNDS);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
