/* test_budget.c - is the memory counted that malloc really gave, and is it asked back from the right ones? */
#include "processor/budget.h"

#include <math.h>

#include "processor/snapshot.h"
#include "tests/unit/processor/batches.h"

static const struct close_rules close_rules = {45000, {5 * L_MINUTE_MS, 30 * L_MINUTE_MS}, 100000, 100000};

/* What the allocator says; which of the two is there depends on the build. */
int mallctl(const char *name, void *old, size_t *old_len, void *new, size_t new_len) __attribute__((weak));
size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

static size_t allocated_bytes(void)
{
	uint64_t in = 0, out = 0;
	size_t len = sizeof(in);

	if (__sanitizer_get_current_allocated_bytes)
		return __sanitizer_get_current_allocated_bytes();
	ck_assert_msg(mallctl != NULL, "an allocator that cannot be asked");
	ck_assert_int_eq(mallctl("thread.allocated", &in, &len, NULL, 0), 0);
	ck_assert_int_eq(mallctl("thread.deallocated", &out, &len, NULL, 0), 0);
	return (size_t)(in - out);
}

/* One value of one of many series, of all kinds, with strings of all lengths. */
static void add_value(struct task *t, int number, int64_t t_ms, double value)
{
	static const char text[] = "a.name.that.is.rather.long.as.they.are.in.practice.and.then.some.more";
	uint8_t fingerprint[SERIES_FINGERPRINT_BYTES];
	struct tag tags[2] = {{{"host", 4}, {text, (size_t)number % 41}}, {{"route", 5}, {text, (size_t)number % 13}}};
	struct series_id id = {.site = STR("site-a"), .kind = (uint8_t)(number % 3), .name = {text, 3 + (size_t)number % 50}, .tags = tags,
			       .tags_len = (size_t)number % 3};
	struct series *s;

	map_key_of((struct str){(const char *)&number, sizeof(number)}, fingerprint);
	s = series_table_take(&t->windows.series, &id, fingerprint, NULL);
	ck_assert_ptr_nonnull(s);
	ck_assert_int_ge(window_store_add_value(&t->windows, s, t_ms, value, t->watermark_ms, NULL), 0);
	series_table_drop(&t->windows.series, s);
}

/* nr values in the minutes up to the watermark, and some late ones. */
static void add_values(struct task *t, struct unit_random *r, int nr, int nr_series)
{
	for (int i = 0; i < nr; i++) {
		int64_t t_ms = t->watermark_ms - (int64_t)unit_random_below(r, unit_random_below(r, 10) ? 120000 : 3 * L_HOUR_MS);

		add_value(t, (int)unit_random_below(r, (uint64_t)nr_series), t_ms, ldexp(1 + unit_random_unit(r), (int)unit_random_below(r, 9)));
	}
}

static void add_agents(struct task *t, struct unit_random *r, int nr)
{
	struct dedup_outcome outcome;
	struct err err = ERR_INIT;
	struct batch b;

	for (int i = 0; i < nr; i++) {
		int agent = (int)unit_random_below(r, 2000);
		int64_t seq = 1 + (int64_t)unit_random_below(r, 3000);

		batch_init(&b);
		batch_identify(&b, 0, seq, seq > 500 ? seq - 500 : 1, true);
		memcpy(b.record.agent_id, &agent, sizeof(agent));
		ck_assert_int_eq(dedup_take(&t->dedup, &b.record, t->watermark_ms, &outcome, &err), 0);
	}
}

/* Histograms are too small a part of the whole for a factor to show that they are missing: they are walked. */
static void hists_must_add_up(const struct task *t)
{
	for (enum pane_class class = 0; class < NR_PANE_CLASSES; class++)
		for (size_t i = 0; i < t->windows.panes[class].len; i++) {
			const struct pane *pane = t->windows.panes[class].panes[i];
			const struct window *w;
			size_t bytes = 0, at = 0;

			while ((w = pane_next(pane, &at)) != NULL)
				bytes += w->hist.block ? 16 + 8 * (size_t)w->hist.block->cap : 0;
			ck_assert_uint_eq(pane->hist_bytes, bytes);
		}
}

/* The header's promise: what malloc gave since before is as much as is counted, and at most 1.3 times as much. */
static void must_be_true(const struct task *t, size_t before, const char *when)
{
	size_t counted = task_bytes(t), truth = allocated_bytes() - before;

	hists_must_add_up(t);
	ck_assert_msg(truth >= counted && (double)truth <= 1.3 * (double)counted, "%s: %zu bytes counted, %zu allocated", when, counted, truth);
}

static void commit(struct task *t)
{
	t->attempt = (struct attempt){.meta = {.id = t->saved.id + 1, .at = t->position}, .outbox_len = t->outbox.len, .nr_letters = t->letters.nr};
	task_committed(t, 0);
}

START_TEST(what_is_counted_is_what_is_allocated)
{
	struct unit_random r = unit_random_new("budget");
	size_t before = allocated_bytes(), grown = 0;
	struct task *t = task_new(0);
	struct err err = ERR_INIT;

	t->watermark_ms = L_BEGIN_MS;
	for (int round = 0; round < 20; round++) {
		add_values(t, &r, 20000, 3000);
		add_agents(t, &r, 200);
		must_be_true(t, before, "values");
		grown = task_bytes(t) > grown ? task_bytes(t) : grown;
		ck_assert_int_eq(task_add_letter(t, (struct str){"0123456789", 1 + unit_random_below(&r, 10)}), 0);
		t->watermark_ms += 40000;
		ck_assert_int_eq(task_close(t, t->watermark_ms, &close_rules, &err), 0);
		must_be_true(t, before, "closed");
		if (unit_random_below(&r, 3) == 0) {
			ck_assert_int_eq(task_flush(t, &err), 0);
			must_be_true(t, before, "flushed");
		}
		if (unit_random_below(&r, 2))
			commit(t);
		must_be_true(t, before, "committed or not");
	}
	ck_assert_int_eq(task_flush(t, &err), 0);
	commit(t);
	must_be_true(t, before, "empty");
	ck_assert_uint_lt(task_bytes(t), grown / 4);
	ck_assert_uint_eq(t->windows.series.bytes, 0);
	task_free(t);
}
END_TEST

START_TEST(a_restored_task_is_counted_too)
{
	struct unit_random r = unit_random_new("budget_restored");
	struct task *t = task_new(0), *back = NULL;
	struct buf bytes = BUF_INIT;
	struct err err = ERR_INIT;
	size_t before;

	t->watermark_ms = L_BEGIN_MS;
	add_values(t, &r, 50000, 3000);
	add_agents(t, &r, 1000);
	ck_assert_int_eq(task_close(t, t->watermark_ms, &close_rules, &err), 0);
	commit(t);
	add_values(t, &r, 20000, 3000);
	for (enum pane_class class = 0; class < NR_PANE_CLASSES; class++)
		ck_assert_uint_gt(t->windows.panes[class].len, 0);
	ck_assert_int_eq(snapshot_encode(t, &bytes, &err), 0);
	before = allocated_bytes();
	back = task_new(0);
	ck_assert_msg(snapshot_decode(buf_str(&bytes), back, &err) == 0, "%s", err.msg);
	must_be_true(back, before, "restored");
	add_values(back, &r, 50000, 3000);
	must_be_true(back, before, "gone on");
	task_free(back);
	task_free(t);
	buf_fini(&bytes);
}
END_TEST

/* Tasks of which each holds so many series, or is not there. */
enum { TASKS = 6 };

struct house {
	struct task *tasks[TASKS];
	size_t bytes;
};

static void house_init(struct house *h, const int nr_series[TASKS])
{
	h->bytes = 0;
	for (int i = 0; i < TASKS; i++) {
		h->tasks[i] = nr_series[i] < 0 ? NULL : task_new(i);
		if (!h->tasks[i])
			continue;
		h->tasks[i]->phase = TASK_RUNNING;
		h->tasks[i]->watermark_ms = L_BEGIN_MS;
		for (int k = 0; k < nr_series[i]; k++)
			add_value(h->tasks[i], k, L_BEGIN_MS, 1);
		h->bytes += task_bytes(h->tasks[i]);
	}
}

static void house_fini(struct house *h)
{
	for (int i = 0; i < TASKS; i++)
		task_free(h->tasks[i]);
}

/* Who owes, as digits in the order of partitions. */
static const char *debtors(const struct house *h, char out[TASKS + 1])
{
	size_t at = 0;

	for (int i = 0; i < TASKS; i++)
		if (h->tasks[i] && h->tasks[i]->owed_bytes)
			out[at++] = (char)('0' + i);
	out[at] = '\0';
	return out;
}

static const int mixed[TASKS] = {100, 5000, -1, 20000, 0, 9000};

START_TEST(the_marks_follow_from_the_setting)
{
	struct budget b = budget_of(INT64_C(260) << 20);

	ck_assert_uint_eq(b.high_bytes, 60 << 20);
	ck_assert(b.low_bytes > (47 << 20) && b.low_bytes <= (48 << 20));
	ck_assert_uint_eq(budget_turn_bytes(INT64_C(260) << 20), (60 << 20) / 32);
	ck_assert_uint_eq(budget_of(INT64_C(32) << 20).high_bytes, 3 << 20); /* the least that can be set */
}
END_TEST

START_TEST(the_largest_gives_first_and_no_more_than_is_needed)
{
	struct house h;
	char who[TASKS + 1];
	size_t largest;

	house_init(&h, mixed);
	largest = budget_flushable(h.tasks[3]);
	budget_charge(&(struct budget){h.bytes, 0}, h.tasks, TASKS);
	ck_assert_str_eq(debtors(&h, who), ""); /* at the mark is not over it */
	budget_charge(&(struct budget){h.bytes - 1, h.bytes - 1000}, h.tasks, TASKS);
	ck_assert_str_eq(debtors(&h, who), "3");
	ck_assert_uint_eq(h.tasks[3]->owed_bytes, 1000);
	h.tasks[3]->owed_bytes = 0;
	budget_charge(&(struct budget){h.bytes - 1, h.bytes - largest - 5}, h.tasks, TASKS);
	ck_assert_str_eq(debtors(&h, who), "35");
	ck_assert_uint_eq(h.tasks[3]->owed_bytes, largest);
	ck_assert_uint_eq(h.tasks[5]->owed_bytes, 5);
	house_fini(&h);
}
END_TEST

START_TEST(between_the_marks_nobody_is_asked_and_nobody_twice)
{
	struct budget b;
	struct house h;
	struct err err = ERR_INIT;
	char who[TASKS + 1];

	house_init(&h, mixed);
	b = (struct budget){h.bytes - 1, h.bytes - 1 - budget_flushable(h.tasks[3])};
	budget_charge(&b, h.tasks, TASKS);
	ck_assert_str_eq(debtors(&h, who), "35"); /* 5 for the one byte that is missing */
	h.tasks[5]->owed_bytes = 0;
	add_value(h.tasks[1], 1, L_BEGIN_MS, 2);
	budget_charge(&b, h.tasks, TASKS);
	ck_assert_str_eq(debtors(&h, who), "3"); /* what is owed counts as gone */
	/* Flushed, but the transaction was aborted: it is on its way, however much comes meanwhile. */
	ck_assert_int_eq(task_flush(h.tasks[3], &err), 0);
	h.tasks[3]->owed_bytes = 0;
	task_aborted(h.tasks[3]);
	budget_charge(&b, h.tasks, TASKS);
	ck_assert_str_eq(debtors(&h, who), "");
	ck_assert_uint_eq(budget_flushable(h.tasks[3]), 0);
	for (int k = 0; k < 20000; k++)
		add_value(h.tasks[3], k, L_BEGIN_MS, 1);
	budget_charge(&(struct budget){3000000, 0}, h.tasks, TASKS);
	ck_assert_str_eq(debtors(&h, who), "15");
	commit(h.tasks[3]);
	budget_charge(&(struct budget){3000000, 0}, h.tasks, TASKS);
	ck_assert_str_eq(debtors(&h, who), "135");
	house_fini(&h);
}
END_TEST

START_TEST(small_parts_and_those_that_cannot_are_left_alone)
{
	struct house h;
	char who[TASKS + 1];

	house_init(&h, mixed);
	h.tasks[3]->phase = TASK_READY;
	h.tasks[1]->phase = TASK_HELD;
	/* An eighth of the mark, shared by five. */
	budget_charge(&(struct budget){8 * 5 * budget_flushable(h.tasks[1]), 0}, h.tasks, TASKS);
	ck_assert_str_eq(debtors(&h, who), ""); /* far below the mark */
	budget_charge(&(struct budget){h.bytes - 1, 0}, h.tasks, TASKS);
	ck_assert_str_eq(debtors(&h, who), "15");
	h.tasks[1]->owed_bytes = h.tasks[5]->owed_bytes = 0;
	/* Whatever cannot be flushed, nothing small is: it would be flushed again with the next record. */
	h.tasks[0]->dedup.bytes += 8 * 5 * budget_flushable(h.tasks[1]) + 8 * 5 + 1000000;
	budget_charge(&(struct budget){8 * 5 * (budget_flushable(h.tasks[1]) + 1), 0}, h.tasks, TASKS);
	ck_assert_str_eq(debtors(&h, who), "5");
	h.tasks[0]->dedup.bytes -= 8 * 5 * budget_flushable(h.tasks[1]) + 8 * 5 + 1000000;
	house_fini(&h);
}
END_TEST

/* A baseline for each of a task's series. */
static void add_baselines(struct task *t)
{
	struct arena scratch = ARENA_INIT;
	struct err err = ERR_INIT;
	struct series *s;
	size_t at = 0;

	while ((s = series_table_next(&t->windows.series, &at)) != NULL) {
		struct baseline_point point = {.t_ms = L_BEGIN_MS, .count = 1, .sum = 1, .single = true};
		struct baseline_step step;

		if (s->kind == SERIES_KIND_COUNTER)
			ck_assert_int_eq(baselines_take(&t->baselines, s, &point, t->watermark_ms, &scratch, &step, &err), 0);
	}
	arena_fini(&scratch);
}

/* What a baseline holds stays for a day: whoever is asked for it makes a checkpoint that frees nothing, and then another one. */
START_TEST(series_with_a_baseline_are_not_asked_for)
{
	struct house h;
	struct err err = ERR_INIT;
	char who[TASKS + 1];
	size_t held, kept = 0;

	house_init(&h, mixed);
	for (int i = 0; i < TASKS; i++)
		if (h.tasks[i])
			add_baselines(h.tasks[i]);
	held = h.tasks[3]->baselines.series_bytes;
	ck_assert_uint_gt(held, 0);
	ck_assert_uint_eq(budget_flushable(h.tasks[3]),
			  window_store_bytes(&h.tasks[3]->windows) + h.tasks[3]->windows.series.bytes - held);
	for (int i = 0; i < TASKS; i++) {
		if (!h.tasks[i])
			continue;
		ck_assert_int_eq(task_flush(h.tasks[i], &err), 0);
		commit(h.tasks[i]);
		kept += task_bytes(h.tasks[i]);
	}
	ck_assert_uint_eq(h.tasks[3]->windows.series.bytes, held); /* all that is left */
	budget_charge(&(struct budget){kept / 2, kept / 4}, h.tasks, TASKS);
	ck_assert_str_eq(debtors(&h, who), "");
	baselines_close(&h.tasks[3]->baselines, L_BEGIN_MS + BASELINE_KEEP_MS, &h.tasks[3]->windows.series);
	ck_assert_uint_eq(h.tasks[3]->baselines.series_bytes, 0);
	house_fini(&h);
}
END_TEST

START_TEST(no_task_no_debt)
{
	struct house h;
	static const int none[TASKS] = {-1, -1, -1, -1, -1, -1};

	house_init(&h, none);
	budget_charge(&(struct budget){0, 0}, h.tasks, TASKS);
	budget_charge(&(struct budget){0, 0}, h.tasks, 0);
	house_fini(&h);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("budget");
	TCase *tc = tcase_create("budget");

	tcase_add_test(tc, what_is_counted_is_what_is_allocated);
	tcase_add_test(tc, a_restored_task_is_counted_too);
	tcase_add_test(tc, the_marks_follow_from_the_setting);
	tcase_add_test(tc, the_largest_gives_first_and_no_more_than_is_needed);
	tcase_add_test(tc, between_the_marks_nobody_is_asked_and_nobody_twice);
	tcase_add_test(tc, small_parts_and_those_that_cannot_are_left_alone);
	tcase_add_test(tc, series_with_a_baseline_are_not_asked_for);
	tcase_add_test(tc, no_task_no_debt);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
