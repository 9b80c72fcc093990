/* test_budget.c - is memory asked back from the right ones, and as much as is needed? */
#include "processor/budget.h"

#include "tests/unit/processor/batches.h"

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

static void commit(struct task *t)
{
	t->attempt = (struct attempt){.meta = {.id = t->saved.id + 1, .at = t->position}, .outbox_len = t->outbox.len, .nr_letters = t->letters.nr};
	task_committed(t, 0);
}

/* Two marks, and a share that every checkpoint fits into. */
#define MARKS(high, low) ((struct budget){.high_bytes = (high), .low_bytes = (low), .growth_bytes = SIZE_MAX, .snapshot_bytes = SIZE_MAX})

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
		h->tasks[i] = nr_series[i] < 0 ? NULL : task_new(i, INPUT_SAMPLES);
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

START_TEST(the_marks_follow_from_the_shares)
{
	struct budget b = budget_of(&(struct shares){.bytes = {[SHARE_STATE] = 128 << 20, [SHARE_CHECKPOINT] = 7 << 20}});

	ck_assert_uint_eq(b.hard_bytes, 128 << 20);
	ck_assert_uint_eq(b.turn_bytes, (128 << 20) / 200);
	ck_assert_uint_eq(b.high_bytes, (128 << 20) - 12 * b.turn_bytes); /* what a turn may come to fits in between */
	ck_assert_uint_eq(budget_grown(b.turn_bytes), b.hard_bytes - b.high_bytes);
	ck_assert(b.low_bytes > b.high_bytes / 100 * 79 && b.low_bytes <= b.high_bytes / 100 * 80);
	ck_assert_uint_eq(b.unflushable_bytes, 64 << 20);
	ck_assert(b.snapshot_bytes == (7 << 19) && b.growth_bytes == (7 << 19));
	ck_assert_uint_ge(budget_of(&(struct shares){0}).turn_bytes, 1); /* something can be read, however little there is */
}
END_TEST

START_TEST(the_largest_gives_first_and_no_more_than_is_needed)
{
	struct house h;
	char who[TASKS + 1];
	size_t largest;

	house_init(&h, mixed);
	largest = budget_flushable(h.tasks[3]);
	budget_charge(&MARKS(h.bytes, 0), h.tasks, TASKS, 0);
	ck_assert_str_eq(debtors(&h, who), ""); /* at the mark is not over it */
	budget_charge(&MARKS(h.bytes - 1, h.bytes - 1000), h.tasks, TASKS, 0);
	ck_assert_str_eq(debtors(&h, who), "3");
	ck_assert_uint_eq(h.tasks[3]->owed_bytes, 1000);
	h.tasks[3]->owed_bytes = 0;
	budget_charge(&MARKS(h.bytes - 1, h.bytes - largest - 5), h.tasks, TASKS, 0);
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
	b = MARKS(h.bytes - 1, h.bytes - 1 - budget_flushable(h.tasks[3]));
	budget_charge(&b, h.tasks, TASKS, 0);
	ck_assert_str_eq(debtors(&h, who), "35"); /* 5 for the one byte that is missing */
	h.tasks[5]->owed_bytes = 0;
	add_value(h.tasks[1], 1, L_BEGIN_MS, 2);
	budget_charge(&b, h.tasks, TASKS, 0);
	ck_assert_str_eq(debtors(&h, who), "3"); /* what is owed counts as gone */
	/* Flushed, but the transaction was aborted: it is on its way, however much comes meanwhile. */
	ck_assert_int_eq(task_flush(h.tasks[3], &err), 0);
	h.tasks[3]->owed_bytes = 0;
	task_aborted(h.tasks[3]);
	budget_charge(&b, h.tasks, TASKS, 0);
	ck_assert_str_eq(debtors(&h, who), "");
	ck_assert_uint_eq(budget_flushable(h.tasks[3]), 0);
	for (int k = 0; k < 20000; k++)
		add_value(h.tasks[3], k, L_BEGIN_MS, 1);
	budget_charge(&MARKS(3000000, 0), h.tasks, TASKS, 0);
	ck_assert_str_eq(debtors(&h, who), "15");
	commit(h.tasks[3]);
	budget_charge(&MARKS(3000000, 0), h.tasks, TASKS, 0);
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
	budget_charge(&MARKS(8 * 5 * budget_flushable(h.tasks[1]), 0), h.tasks, TASKS, 0);
	ck_assert_str_eq(debtors(&h, who), ""); /* far below the mark */
	budget_charge(&MARKS(h.bytes - 1, 0), h.tasks, TASKS, 0);
	ck_assert_str_eq(debtors(&h, who), "15");
	h.tasks[1]->owed_bytes = h.tasks[5]->owed_bytes = 0;
	/* Whatever cannot be flushed, nothing small is: it would be flushed again with the next record. */
	h.tasks[0]->dedup.bytes += 8 * 5 * budget_flushable(h.tasks[1]) + 8 * 5 + 1000000;
	budget_charge(&MARKS(8 * 5 * (budget_flushable(h.tasks[1]) + 1), 0), h.tasks, TASKS, 0);
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
	budget_charge(&MARKS(kept / 2, kept / 4), h.tasks, TASKS, 0);
	ck_assert_str_eq(debtors(&h, who), "");
	baselines_close(&h.tasks[3]->baselines, L_BEGIN_MS + BASELINE_KEEP_MS, &h.tasks[3]->windows.series);
	ck_assert_uint_eq(h.tasks[3]->baselines.series_bytes, 0);
	house_fini(&h);
}
END_TEST

START_TEST(what_comes_is_counted_before_it_is_there)
{
	struct house h;
	struct budget b;
	struct err err = ERR_INIT;
	char who[TASKS + 1];
	size_t growth;

	house_init(&h, mixed);
	growth = window_store_growth(&h.tasks[3]->windows);
	ck_assert_uint_gt(growth, window_store_bytes(&h.tasks[3]->windows) / 2); /* its hour has nothing yet */
	b = MARKS(h.bytes, 0);
	budget_charge(&b, h.tasks, TASKS, 1); /* of a restore */
	ck_assert_str_eq(debtors(&h, who), "135");
	for (int i = 0; i < TASKS; i++)
		if (h.tasks[i])
			h.tasks[i]->owed_bytes = 0;
	b.snapshot_bytes = budget_look(h.tasks, TASKS).snapshot_bytes;
	b.growth_bytes = growth;
	budget_charge(&b, h.tasks, TASKS, 0);
	ck_assert_str_eq(debtors(&h, who), "");
	b.snapshot_bytes--;
	budget_charge(&b, h.tasks, TASKS, 0);
	ck_assert_str_eq(debtors(&h, who), "135");
	for (int i = 0; i < TASKS; i++)
		if (h.tasks[i])
			h.tasks[i]->owed_bytes = 0;
	b.snapshot_bytes++;
	b.growth_bytes--;
	budget_charge(&b, h.tasks, TASKS, 0);
	ck_assert_str_eq(debtors(&h, who), "135");
	ck_assert_int_eq(task_flush(h.tasks[3], &err), 0); /* it has grown, and is in the outbox */
	ck_assert_uint_eq(window_store_growth(&h.tasks[3]->windows), 0);
	house_fini(&h);
}
END_TEST

START_TEST(what_all_have_is_seen)
{
	struct house h;
	struct budget_use use;
	size_t bytes = 0, largest = 0, kept, names;

	house_init(&h, mixed);
	h.tasks[1]->dedup.bytes += 1000;
	h.tasks[3]->request_keys.bytes += 500;
	add_baselines(h.tasks[5]);
	for (int i = 0; i < TASKS; i++)
		bytes += h.tasks[i] ? task_bytes(h.tasks[i]) : 0;
	largest = task_bytes(h.tasks[3]);
	use = budget_look(h.tasks, TASKS);
	ck_assert_uint_eq(use.state_bytes, bytes);
	kept = 1500 + baselines_bytes(&h.tasks[5]->baselines) + h.tasks[5]->baselines.series_bytes;
	names = names_bytes(&h.tasks[5]->windows.series.names);
	ck_assert(use.unflushable_bytes > kept + names / 4 && use.unflushable_bytes < kept + names / 2); /* a third of the series are counters */
	ck_assert(use.snapshot_bytes > largest / 3 && use.snapshot_bytes <= largest / 2);
	ck_assert_uint_eq(use.growth_bytes, window_store_growth(&h.tasks[3]->windows));
	ck_assert_int_eq(task_flush(h.tasks[3], NULL), 0);
	ck_assert_uint_lt(budget_look(h.tasks, TASKS).snapshot_bytes, largest / 3); /* what goes out is in no snapshot */
	h.tasks[1]->dedup.bytes -= 1000;
	h.tasks[3]->request_keys.bytes -= 500;
	house_fini(&h);
}
END_TEST

START_TEST(who_owes_and_who_can_give)
{
	static const int small[TASKS] = {10, 10, 10, 10, 10, 10};
	struct house h;
	struct budget b;

	house_init(&h, small);
	b = MARKS(6 * 8 * budget_flushable(h.tasks[0]), 0);
	ck_assert(!budget_owes(h.tasks, TASKS) && budget_can_give(&b, h.tasks, TASKS));
	b.high_bytes *= 4;
	ck_assert(!budget_can_give(&b, h.tasks, TASKS)); /* none is worth a flush */
	h.tasks[2]->owed_bytes = 1;
	ck_assert(budget_owes(h.tasks, TASKS) && budget_can_give(&b, h.tasks, TASKS));
	h.tasks[2]->phase = TASK_READY;
	ck_assert(!budget_owes(h.tasks, TASKS) && !budget_can_give(&b, h.tasks, TASKS));
	h.tasks[2]->phase = TASK_HELD;
	h.tasks[2]->owed_bytes = 0;
	ck_assert_int_eq(task_flush(h.tasks[2], NULL), 0);
	ck_assert(budget_owes(h.tasks, TASKS));
	commit(h.tasks[2]);
	ck_assert(!budget_owes(h.tasks, TASKS));
	ck_assert_int_eq(task_add_letter(h.tasks[2], STR("letter")), 0);
	ck_assert(budget_owes(h.tasks, TASKS));
	house_fini(&h);
}
END_TEST

START_TEST(a_record_weighs_what_it_may_come_to)
{
	struct task *t = task_new(0, INPUT_SAMPLES);
	size_t before, panes;

	t->watermark_ms = L_BEGIN_MS;
	before = task_bytes(t);
	for (int i = 0; i < 50; i++) /* each in a minute of its own */
		add_value(t, 1, L_BEGIN_MS + i * L_MINUTE_MS, 1);
	panes = window_store_panes(&t->windows);
	ck_assert_uint_eq(panes, 50);
	ck_assert_uint_eq(budget_weight(1000, 0), 1000);
	ck_assert_uint_ge(budget_grown(budget_weight(1000, panes)), task_bytes(t) - before);
	ck_assert_uint_le(budget_grown(budget_weight(0, panes)), 2 * (task_bytes(t) - before));
	task_free(t);
}
END_TEST

START_TEST(what_a_snapshot_comes_to_is_bounded)
{
	ck_assert_uint_eq(budget_restored(0), 0);
	ck_assert_uint_ge(budget_restored(1000), 3000);
	ck_assert_uint_gt(budget_restored(INT64_MAX), budget_restored(INT64_C(1) << 40)); /* does not wrap */
}
END_TEST

START_TEST(letters_are_asked_for_too)
{
	static const int none[TASKS] = {0, 0, 0, 0, 0, 0};
	static const char text[4000];
	struct house h;
	char who[TASKS + 1];

	house_init(&h, none);
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(task_add_letter(h.tasks[4], (struct str){text, sizeof(text)}), 0);
	ck_assert_uint_ge(budget_flushable(h.tasks[4]), 100 * sizeof(text));
	budget_charge(&MARKS(300000, 100000), h.tasks, TASKS, 0);
	ck_assert_str_eq(debtors(&h, who), "4");
	house_fini(&h);
}
END_TEST

START_TEST(no_task_no_debt)
{
	struct house h;
	static const int none[TASKS] = {-1, -1, -1, -1, -1, -1};

	house_init(&h, none);
	budget_charge(&MARKS(0, 0), h.tasks, TASKS, 0);
	budget_charge(&MARKS(0, 0), h.tasks, 0, 0);
	house_fini(&h);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("budget");
	TCase *tc = tcase_create("budget");

	tcase_add_test(tc, the_marks_follow_from_the_shares);
	tcase_add_test(tc, the_largest_gives_first_and_no_more_than_is_needed);
	tcase_add_test(tc, between_the_marks_nobody_is_asked_and_nobody_twice);
	tcase_add_test(tc, small_parts_and_those_that_cannot_are_left_alone);
	tcase_add_test(tc, series_with_a_baseline_are_not_asked_for);
	tcase_add_test(tc, what_comes_is_counted_before_it_is_there);
	tcase_add_test(tc, what_all_have_is_seen);
	tcase_add_test(tc, who_owes_and_who_can_give);
	tcase_add_test(tc, a_record_weighs_what_it_may_come_to);
	tcase_add_test(tc, what_a_snapshot_comes_to_is_bounded);
	tcase_add_test(tc, letters_are_asked_for_too);
	tcase_add_test(tc, no_task_no_debt);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
