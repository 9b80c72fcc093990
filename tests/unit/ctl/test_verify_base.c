/* test_verify_base.c - cumulative points, row by row of the table in schemas/README.md, each written out by hand. */
#include "deploy/ctl/verify_base.h"

#include <string.h>

#include "tests/unit/unit.h"

enum { S = 1000, MIN = 60 * S, HOUR = 60 * MIN, T = 100 * HOUR /* some time */, NOTHING = -1, WHOLE = 1, DIFF = 0, POINTS_MAX = 6 };

/* Points of one counter, of single values: what each comes to. */
struct point {
	int64_t t, start;
	double v;
	int outcome;
	double counted;
	int64_t routed_since, watermark;
};

static const struct { const char *what; struct point points[POINTS_MAX]; } sequences[] = {
	{"first sight is a baseline, then the difference", {{T, T - HOUR, 5, NOTHING, 0, 0, 0}, {T + MIN, T - HOUR, 8, DIFF, 3, 0, 0}}},
	{"first, started two minutes before: all of it", {{T, T - 2 * MIN, 5, WHOLE, 5, 0, 0}, {T + MIN, T - 2 * MIN, 5, DIFF, 0, 0, 0}}},
	{"a little longer ago", {{T, T - 2 * MIN - 1, 5, NOTHING, 0, 0, 0}}},
	{"first, but routed here later", {{T, T - MIN, 5, NOTHING, 0, T - MIN + 1, 0}}},
	{"first, routed here when it started", {{T, T - MIN, 5, WHOLE, 5, T - MIN, 0}}},
	{"first, start unknown", {{T, 0, 5, NOTHING, 0, 0, 0}, {T + MIN, 0, 6, DIFF, 1, 0, 0}}},
	{"a repetition, and one that was overtaken",
	 {{T, 0, 5, NOTHING, 0, 0, 0}, {T, 0, 9, NOTHING, 0, 0, 0}, {T - 1, 0, 9, NOTHING, 0, 0, 0}, {T + 1, 0, 7, DIFF, 2, 0, 0}}},
	{"another route", {{T, T - HOUR, 5, NOTHING, 0, 0, 0}, {T + MIN, T - HOUR, 8, NOTHING, 0, T, 0},
			   {T + 2 * MIN, T - HOUR, 9, DIFF, 1, T, 0}}},
	{"a start at its own time", {{T, T - HOUR, 5, NOTHING, 0, 0, 0}, {T + MIN, T + MIN, 8, NOTHING, 0, 0, 0},
				     {T + 2 * MIN, T + MIN, 9, DIFF, 1, 0, 0}}},
	{"a reset that says so", {{T, T - HOUR, 5, NOTHING, 0, 0, 0}, {T + MIN, T, 8, WHOLE, 8, 0, 0}}},
	{"another writer that started before", {{T, T - MIN, 5, WHOLE, 5, 0, 0}, {T + MIN, T - HOUR, 80, NOTHING, 0, 0, 0},
						{T + 2 * MIN, T - MIN, 6, DIFF, 1, 0, 0}}},
	{"that takes over after ten minutes", {{T, T - MIN, 5, WHOLE, 5, 0, 0}, {T + 10 * MIN, T - HOUR, 80, NOTHING, 0, 0, 0},
					       {T + 10 * MIN + 1, T - HOUR, 81, NOTHING, 0, 0, 0},
	  {T + 11 * MIN, T - HOUR, 83, DIFF, 2, 0, 0}}},
	{"a lower value", {{T, T - HOUR, 5, NOTHING, 0, 0, 0}, {T + MIN, T - HOUR, 4, WHOLE, 4, 0, 0}}},
	{"a start put right", {{T, T - HOUR, 5, NOTHING, 0, 0, 0}, {T + MIN, T - MIN, 7, DIFF, 2, 0, 0}}},
	{"remembered for 25 hours, less a bit",
	 {{T, T - HOUR, 5, NOTHING, 0, 0, T}, {T + MIN, T - HOUR, 7, DIFF, 2, 0, T + 25 * HOUR - 1}}},
	{"and then not", {{T, T - HOUR, 5, NOTHING, 0, 0, T}, {T + MIN, T - HOUR, 7, NOTHING, 0, 0, T + 25 * HOUR}}},
};

static struct verify_point single(const struct point *p)
{
	return (struct verify_point){.t_ms = p->t, .start_ms = p->start, .routed_since_ms = p->routed_since, .watermark_ms = p->watermark,
				     .count = 1, .sum = p->v, .single = true};
}

START_TEST(single_values)
{
	struct verify_bases b = VERIFY_BASES_INIT;
	const uint8_t fingerprint[16] = {7};

	for (size_t i = 0; i < POINTS_MAX && sequences[_i].points[i].t; i++) {
		const struct point *p = &sequences[_i].points[i];
		struct verify_point point = single(p);
		struct verify_step step;

		ck_assert_int_eq(verify_bases_take(&b, fingerprint, &point, &step, NULL), 0);
		ck_assert_msg(step.counts == (p->outcome != NOTHING), "%s: point %zu counts: %d", sequences[_i].what, i, step.counts);
		if (step.counts)
			ck_assert_msg(step.whole == (p->outcome == WHOLE) && step.count == 1 && (step.whole || step.sum == p->counted),
				      "%s: point %zu", sequences[_i].what, i);
		verify_hist_fini(&step.hist);
	}
	verify_bases_fini(&b);
}
END_TEST

START_TEST(series_are_apart_and_silence_is_doubtful)
{
	struct verify_bases b = VERIFY_BASES_INIT;
	const uint8_t one[16] = {1}, two[16] = {2};
	struct verify_point p = {.t_ms = T, .count = 1, .sum = 5, .single = true, .watermark_ms = T};
	struct verify_step step;

	verify_bases_take(&b, one, &p, &step, NULL);
	p.t_ms += MIN;
	p.sum = 9;
	verify_bases_take(&b, two, &p, &step, NULL);
	ck_assert(!step.counts && b.doubtful == 0);
	p.watermark_ms += 25 * (int64_t)HOUR;
	verify_bases_take(&b, one, &p, &step, NULL);
	ck_assert(!step.counts && b.doubtful == 1);
	verify_bases_fini(&b);
}
END_TEST

static struct verify_hist hist_of(int64_t a, int64_t c)
{
	struct verify_hist h = VERIFY_HIST_INIT;
	int64_t counts[2] = {a, c};

	ck_assert_int_eq(verify_hist_read(&h, &(struct histogram){.scale = 3, .counts = counts, .counts_len = 2}), 0);
	return h;
}

/* Of distributions count and buckets decide, and never the sum. */
START_TEST(summaries)
{
	static const struct { int64_t a, c; double sum; bool counts, whole; int64_t count; double counted; } points[] = {
		{1, 2, 10, false, false, 0, 0}, {2, 3, 4, true, false, 2, -6}, {2, 3, 4, false, false, 0, 0},
		{3, 2, 5, true, true, 5, 0}, /* a bucket has fallen */
		{3, 3, 6, true, false, 1, 1},
	};
	struct verify_bases b = VERIFY_BASES_INIT;
	const uint8_t fingerprint[16] = {7};

	for (size_t i = 0; i < NR(points); i++) {
		struct verify_hist h = hist_of(points[i].a, points[i].c);
		struct verify_point p = {.t_ms = T + (int64_t)i * MIN, .count = points[i].a + points[i].c, .sum = points[i].sum,
					 .hist = &h};
		struct verify_step step;
		uint64_t left = 0;

		ck_assert_int_eq(verify_bases_take(&b, fingerprint, &p, &step, NULL), 0);
		ck_assert_msg(step.counts == points[i].counts && step.whole == points[i].whole, "point %zu", i);
		for (size_t k = 0; k < step.hist.len; k++)
			left += step.hist.buckets[k].count;
		if (step.counts && !step.whole)
			ck_assert_msg(step.count == points[i].count && step.sum == points[i].counted && left == (uint64_t)step.count &&
				      step.hist.scale == 3, "point %zu", i);
		verify_hist_fini(&step.hist);
		verify_hist_fini(&h);
	}
	verify_bases_fini(&b);
}
END_TEST

START_TEST(another_form_is_a_baseline)
{
	struct verify_bases b = VERIFY_BASES_INIT;
	const uint8_t fingerprint[16] = {7};
	struct verify_point p = {.t_ms = T, .count = 3, .sum = 5};
	struct verify_step step;

	verify_bases_take(&b, fingerprint, &p, &step, NULL);
	p = (struct verify_point){.t_ms = T + MIN, .count = 1, .sum = 9, .single = true};
	verify_bases_take(&b, fingerprint, &p, &step, NULL);
	ck_assert(!step.counts);
	verify_bases_fini(&b);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ctl/verify_base");
	TCase *tc = tcase_create("verify_base");

	tcase_add_loop_test(tc, single_values, 0, (int)NR(sequences));
	tcase_add_test(tc, series_are_apart_and_silence_is_doubtful);
	tcase_add_test(tc, summaries);
	tcase_add_test(tc, another_form_is_a_baseline);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
