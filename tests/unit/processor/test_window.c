/* test_window.c - merging windows, against a sort of all values: ties of time, values that are not known, any grouping. */
#include "processor/window.h"

#include <string.h>

#include "tests/unit/unit.h"

enum { SAMPLES = 12 };

struct sample {
	int64_t t_ms;
	double value;
};

#define DISTRIBUTION {.kind = SERIES_KIND_DISTRIBUTION}

/* Few times and few values, so that ties are the rule. */
static void make_samples(struct unit_random *r, struct sample samples[SAMPLES])
{
	for (int i = 0; i < SAMPLES; i++)
		samples[i] = (struct sample){(int64_t)unit_random_below(r, 3), (double)unit_random_below(r, 9) - 4};
}

static int by_time_and_value(const void *a, const void *b)
{
	const struct sample *x = a, *y = b;

	if (x->t_ms != y->t_ms)
		return x->t_ms < y->t_ms ? -1 : 1;
	return (x->value > y->value) - (x->value < y->value);
}

static int by_value(const void *a, const void *b)
{
	const struct sample *x = a, *y = b;

	return (x->value > y->value) - (x->value < y->value);
}

static void assert_whole(const struct window *w, struct sample samples[SAMPLES])
{
	double sum = 0;

	for (int i = 0; i < SAMPLES; i++)
		sum += samples[i].value;
	ck_assert_int_eq(w->count, SAMPLES);
	ck_assert_double_eq(w->sum, sum);
	ck_assert_uint_eq(hist_count(&w->hist), SAMPLES);
	qsort(samples, SAMPLES, sizeof(samples[0]), by_value);
	ck_assert(w->has_min && w->has_max && w->has_last);
	ck_assert_double_eq(w->min, samples[0].value);
	ck_assert_double_eq(w->max, samples[SAMPLES - 1].value);
	qsort(samples, SAMPLES, sizeof(samples[0]), by_time_and_value);
	ck_assert_int_eq(w->last_at_ms, samples[SAMPLES - 1].t_ms);
	ck_assert_double_eq(w->last, samples[SAMPLES - 1].value);
}

/* Samples dealt at random to three windows, merged in a random order, are the window of all of them. */
START_TEST(any_grouping_gives_the_same)
{
	struct unit_random r = unit_random_new("any_grouping_gives_the_same");

	for (int round = 0; round < 2000; round++) {
		struct series series = DISTRIBUTION;
		struct window parts[3] = {{.series = &series}, {.series = &series}, {.series = &series}}, whole = {.series = &series};
		struct sample samples[SAMPLES];
		size_t first = unit_random_below(&r, 3);

		make_samples(&r, samples);
		for (int i = 0; i < SAMPLES; i++)
			ck_assert_int_eq(window_add_value(&parts[unit_random_below(&r, 3)], samples[i].t_ms, samples[i].value), 0);
		for (size_t i = 0; i < 3; i++)
			ck_assert_int_eq(window_merge(&whole, &parts[(first + i) % 3]), 0);
		assert_whole(&whole, samples);
		for (size_t i = 0; i < 3; i++)
			hist_fini(&parts[i].hist);
		hist_fini(&whole.hist);
	}
}
END_TEST

/* What an agent did not tell is not invented, and does not hide what another one told. */
START_TEST(unknown_stays_unknown)
{
	struct series series = {.kind = SERIES_KIND_GAUGE};
	struct window w = {.series = &series};
	struct summary_sample bare = {.t = 50, .count = 3, .sum = 6, .last_at = 50};

	ck_assert_int_eq(window_add_summary(&w, &bare), 0);
	ck_assert(!w.has_min && !w.has_max && !w.has_last);
	ck_assert_int_eq(w.last_at_ms, 50);
	ck_assert_int_eq(window_add_value(&w, 20, -1), 0);
	ck_assert(w.has_min && w.has_max && w.has_last);
	ck_assert_double_eq(w.last, -1);
	ck_assert_int_eq(w.last_at_ms, 20);
	ck_assert_int_eq(window_add_summary(&w, &bare), 0);
	ck_assert_double_eq(w.min, -1);
	ck_assert_double_eq(w.last, -1);
	ck_assert_int_eq(w.count, 7);
	ck_assert_double_eq(w.sum, 11);
}
END_TEST

START_TEST(a_count_stops_at_its_end)
{
	struct series series = {.kind = SERIES_KIND_COUNTER};
	struct window w = {.series = &series, .count = INT64_MAX - 1};

	ck_assert_int_eq(window_add_value(&w, 1, 1), 0);
	ck_assert_int_eq(window_add_value(&w, 2, 1), 0);
	ck_assert_int_eq(w.count, INT64_MAX);
}
END_TEST

/* Errors are a part of count, through any merge, and stop at their end. */
START_TEST(errors_add_up)
{
	struct series series = {.kind = SERIES_KIND_COUNTER};
	struct window w = {.series = &series}, into = {.series = &series, .errors = 7};
	struct summary_sample s = {.t = 1, .count = 10, .sum = 10, .last_at = 1, .errors = 4};

	ck_assert_int_eq(window_add_summary(&w, &s), 0);
	ck_assert_int_eq(window_add_value(&w, 1, 1), 0);
	ck_assert_int_eq(window_add_summary(&w, &s), 0);
	ck_assert(w.count == 21 && w.errors == 8);
	ck_assert_int_eq(window_merge(&into, &w), 0);
	ck_assert_uint_eq(into.errors, 15);
	s.errors = s.count = (int64_t)UINT32_MAX - 15;
	ck_assert_int_eq(window_add_summary(&into, &s), 0);
	ck_assert_uint_eq(into.errors, UINT32_MAX);
	ck_assert_int_eq(window_merge(&w, &into), 0);
	ck_assert_uint_eq(w.errors, UINT32_MAX);
	s.errors = s.count = INT64_MAX;
	w.errors = 1;
	ck_assert_int_eq(window_add_summary(&w, &s), 0);
	ck_assert_uint_eq(w.errors, UINT32_MAX);
}
END_TEST

/* Every series has one of these a minute: what it has more costs as much memory as many agents. */
START_TEST(a_window_is_as_small_as_it_was)
{
	struct window w = {.pane = WINDOW_PANE_MAX, .has_min = true, .has_last = true, .errors = UINT32_MAX};

	ck_assert_uint_eq(sizeof(w), 72);
	ck_assert(w.pane == WINDOW_PANE_MAX && w.has_min && !w.has_max && w.has_last && !w.approximate && w.errors == UINT32_MAX);
}
END_TEST

START_TEST(estimates_are_marked)
{
	struct series series = DISTRIBUTION;
	struct window w = {.series = &series}, into = {.series = &series};
	int64_t counts[] = {4};
	struct summary_sample coarse = {.t = 1, .count = 4, .sum = 6, .last_at = 1, .has_histogram = true,
					.histogram = {.scale = 3, .counts = counts, .counts_len = 1}};

	ck_assert_int_eq(window_add_value(&into, 1, 2), 0);
	ck_assert(!into.approximate);
	ck_assert_int_eq(window_add_summary(&w, &coarse), 0);
	ck_assert(w.approximate);
	ck_assert_int_eq(window_merge(&into, &w), 0);
	ck_assert(into.approximate);
	ck_assert_uint_eq(hist_count(&into.hist), 5);
	hist_fini(&w.hist);
	hist_fini(&into.hist);
}
END_TEST

/* What a site claims to have measured must not grow into counts that no snapshot can hold. */
START_TEST(claims_beyond_all_bounds_are_marked)
{
	struct series series = DISTRIBUTION;
	struct window minute = {.series = &series}, hour = {.series = &series};

	ck_assert_int_eq(hist_add(&minute.hist, 2, HIST_TOTAL_MAX - 1), 0);
	minute.count = (int64_t)HIST_TOTAL_MAX - 1;
	ck_assert_int_eq(window_merge(&hour, &minute), 0);
	ck_assert(!hour.approximate);
	ck_assert_int_eq(window_merge(&hour, &minute), 0);
	ck_assert(hour.approximate);
	ck_assert_uint_eq(hist_count(&hour.hist), HIST_TOTAL_MAX - 1);
	ck_assert_int_eq(hour.count, 2 * ((int64_t)HIST_TOTAL_MAX - 1));
	hist_fini(&minute.hist);
	hist_fini(&hour.hist);
}
END_TEST

/* By any of the ways in: counted and marked, the buckets as they were. */
START_TEST(a_full_window_still_counts)
{
	struct series series = DISTRIBUTION;
	int64_t counts[] = {INT64_C(1) << 40}, life[] = {INT64_C(1) << 62};
	const struct summary_sample rows[] = {
		{.t = 2, .count = INT64_C(1) << 40, .sum = 6, .last_at = 2, .has_histogram = true,
		 .histogram = {.scale = 5, .counts = counts, .counts_len = 1}},
		{.t = 2, .count = INT64_C(1) << 62, .sum = 6, .last_at = 2, .has_histogram = true,
		 .histogram = {.scale = 5, .counts = life, .counts_len = 1}}, /* a cumulative one after a reset */
		{.t = 2, .count = INT64_C(1) << 62, .sum = 6, .last_at = 2, .has_histogram = true,
		 .histogram = {.scale = 5, .zero = INT64_C(1) << 62}},
	};

	for (size_t i = 0; i <= NR(rows); i++) {
		struct window w = {.series = &series};

		ck_assert_int_eq(hist_add(&w.hist, 1.01, HIST_TOTAL_MAX), 0);
		w.count = (int64_t)HIST_TOTAL_MAX;
		ck_assert_int_eq(i < NR(rows) ? window_add_summary(&w, &rows[i]) : window_add_value(&w, 2, 6), 0);
		ck_assert(w.approximate && w.sum == 6 && w.last_at_ms == 2);
		ck_assert_int_eq(w.count, (int64_t)HIST_TOTAL_MAX + (i < NR(rows) ? rows[i].count : 1));
		ck_assert(hist_len(&w.hist) == 1 && hist_count(&w.hist) == HIST_TOTAL_MAX);
		hist_fini(&w.hist);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("window");
	TCase *tc = tcase_create("window");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, any_grouping_gives_the_same);
	tcase_add_test(tc, unknown_stays_unknown);
	tcase_add_test(tc, a_count_stops_at_its_end);
	tcase_add_test(tc, errors_add_up);
	tcase_add_test(tc, a_window_is_as_small_as_it_was);
	tcase_add_test(tc, estimates_are_marked);
	tcase_add_test(tc, claims_beyond_all_bounds_are_marked);
	tcase_add_test(tc, a_full_window_still_counts);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
