/* test_hist.c - the histogram against arithmetic that shares nothing with it: long doubles for the boundaries, plain arrays of
 * counts for merging, sorted values for quantiles. */
#include "common/hist.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "tests/unit/unit.h"

/* Is value in (2^(i/32), 2^((i+1)/32)]? A long double holds such a boundary 2^11 times finer than a double. */
static void assert_in_bucket(double value, int32_t index)
{
	long double lower = exp2l((long double)index / 32), upper = exp2l((long double)(index + 1) / 32);

	ck_assert_msg(lower < (long double)value && (long double)value <= upper, "%a is not in bucket %d", value, index);
}

START_TEST(index_at_boundaries)
{
	for (int32_t octave = -1022; octave <= 1023; octave += 5)
		for (int32_t j = 0; j < 32; j++) {
			double at = (double)exp2l((long double)(octave * 32 + j) / 32);

			assert_in_bucket(at, hist_index(at));
			assert_in_bucket(nextafter(at, 0), hist_index(nextafter(at, 0)));
			assert_in_bucket(nextafter(at, INFINITY), hist_index(nextafter(at, INFINITY)));
		}
}
END_TEST

START_TEST(index_at_extremes)
{
	ck_assert_int_eq(hist_index(1), -1);
	ck_assert_int_eq(hist_index(2), 31);
	ck_assert_int_eq(hist_index(nextafter(1, 2)), 0);
	ck_assert_int_eq(hist_index(DBL_MAX), HIST_INDEX_MAX);
	ck_assert_int_eq(hist_index(0x1p-1074), -1074 * 32 - 1);
	assert_in_bucket(DBL_MIN, hist_index(DBL_MIN));
	assert_in_bucket(nextafter(DBL_MIN, 0), hist_index(nextafter(DBL_MIN, 0)));
	assert_in_bucket(3 * 0x1p-1074, hist_index(3 * 0x1p-1074));
}
END_TEST

START_TEST(index_of_random_values)
{
	struct unit_random r = unit_random_new("index_of_random_values");

	for (int i = 0; i < 200000; i++) {
		uint64_t bits = unit_random_next(&r) & ~(UINT64_C(1) << 63);
		double value;

		memcpy(&value, &bits, sizeof(value));
		if (isfinite(value) && value > 0)
			assert_in_bucket(value, hist_index(value));
	}
}
END_TEST

/* The model: one counter a bucket over a narrow range. */
enum { MODEL_MIN = -400, MODEL_MAX = 400, MODEL_LEN = MODEL_MAX - MODEL_MIN };
struct model {
	uint64_t zero, pos[MODEL_LEN], neg[MODEL_LEN];
};

static void fill_random(struct unit_random *r, struct hist *h, struct model *m)
{
	int n = (int)unit_random_below(r, 200);

	for (int i = 0; i < n; i++) {
		int32_t index = (int32_t)unit_random_below(r, MODEL_LEN) + MODEL_MIN;
		double value = exp2((index + 0.5) / 32);
		uint64_t times = 1 + unit_random_below(r, 5);

		switch (unit_random_below(r, 5)) {
		case 0:
			ck_assert_int_eq(hist_add(h, 0, times), 0);
			m->zero += times;
			break;
		case 1:
			ck_assert_int_eq(hist_add(h, -value, times), 0);
			m->neg[index - MODEL_MIN] += times;
			break;
		default:
			ck_assert_int_eq(hist_add(h, value, times), 0);
			m->pos[index - MODEL_MIN] += times;
		}
	}
}

static void assert_side(const struct hist_side *side, const uint64_t *counts)
{
	uint32_t at = 0;

	for (int32_t i = 0; i < MODEL_LEN; i++) {
		if (!counts[i])
			continue;
		ck_assert_uint_lt(at, side->len);
		ck_assert_int_eq(side->buckets[at].index, i + MODEL_MIN);
		ck_assert_uint_eq(side->buckets[at].count, counts[i]);
		at++;
	}
	ck_assert_uint_eq(at, side->len);
}

static void assert_model(const struct hist *h, const struct model *m)
{
	ck_assert_uint_eq(h->zero, m->zero);
	assert_side(&h->pos, m->pos);
	assert_side(&h->neg, m->neg);
}

static void add_model(struct model *to, const struct model *from)
{
	to->zero += from->zero;
	for (int i = 0; i < MODEL_LEN; i++) {
		to->pos[i] += from->pos[i];
		to->neg[i] += from->neg[i];
	}
}

/* (a + b) + c and c + (b + a) both equal the model's sums: commutative, associative and exact at once. */
START_TEST(merge_algebra)
{
	struct unit_random r = unit_random_new("merge_algebra");

	for (int round = 0; round < 300; round++) {
		struct hist h[3] = {HIST_INIT, HIST_INIT, HIST_INIT}, left = HIST_INIT, right = HIST_INIT, inner = HIST_INIT;
		struct model m[3], sum;

		memset(m, 0, sizeof(m));
		memset(&sum, 0, sizeof(sum));
		for (int i = 0; i < 3; i++) {
			fill_random(&r, &h[i], &m[i]);
			assert_model(&h[i], &m[i]);
			add_model(&sum, &m[i]);
			ck_assert_int_eq(hist_merge(&left, &h[i]), 0);
		}
		ck_assert_int_eq(hist_merge(&inner, &h[1]), 0);
		ck_assert_int_eq(hist_merge(&inner, &h[0]), 0);
		ck_assert_int_eq(hist_merge(&right, &h[2]), 0);
		ck_assert_int_eq(hist_merge(&right, &inner), 0);
		assert_model(&left, &sum);
		assert_model(&right, &sum);
		for (int i = 0; i < 3; i++)
			hist_fini(&h[i]);
		hist_fini(&left);
		hist_fini(&right);
		hist_fini(&inner);
	}
}
END_TEST

START_TEST(merge_with_itself_doubles)
{
	struct hist h = HIST_INIT, copy = HIST_INIT;

	for (double v = 0.5; v < 100; v *= 1.3)
		ck_assert_int_eq(hist_add(&h, v, 3), 0);
	ck_assert_int_eq(hist_merge(&copy, &h), 0);
	ck_assert_int_eq(hist_merge(&copy, &h), 0);
	ck_assert_uint_eq(copy.pos.len, h.pos.len);
	ck_assert_uint_eq(hist_count(&copy), 2 * hist_count(&h));
	hist_fini(&h);
	hist_fini(&copy);
}
END_TEST

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Bound: (b-1)/(b+1), b = 2^(1/32). */
START_TEST(quantile_error)
{
	static const double qs[] = {0, 0.01, 0.25, 0.5, 0.9, 0.95, 0.99, 0.999, 1};
	struct unit_random r = unit_random_new("quantile_error");
	const double bound = (exp2(1.0 / 32) - 1) / (exp2(1.0 / 32) + 1) * (1 + 1e-12);
	enum { N = 5000 };
	double values[N];

	ck_assert_double_lt(bound, 0.01084);
	for (int round = 0; round < 30; round++) {
		struct hist h = HIST_INIT;

		for (int i = 0; i < N; i++) {
			values[i] = exp((unit_random_unit(&r) - 0.4) * 20);
			if (round % 3 == 1 && i % 4 == 0)
				values[i] = -values[i];
			if (round % 3 == 2 && i % 5 == 0)
				values[i] = 0;
			ck_assert_int_eq(hist_add(&h, values[i], 1), 0);
		}
		qsort(values, N, sizeof(values[0]), compare_doubles);
		for (size_t k = 0; k < NR(qs); k++) {
			size_t rank = (size_t)ceil(qs[k] * N);
			double exact = values[rank ? rank - 1 : 0];
			double got = hist_quantile(&h, qs[k], values[0], values[N - 1]);

			ck_assert_msg(fabs(got - exact) <= bound * fabs(exact), "q %g: %g, exactly %g", qs[k], got, exact);
		}
		hist_fini(&h);
	}
}
END_TEST

/* A side may come from elsewhere with any capacity, as a restored snapshot's do. */
START_TEST(grows_from_a_single_bucket)
{
	struct hist h = HIST_INIT;

	h.pos.buckets = malloc(sizeof(*h.pos.buckets));
	h.pos.buckets[0] = (struct hist_bucket){hist_index(3), 1};
	h.pos.len = h.pos.cap = 1;
	for (double v = 1; v < 1e6; v *= 2)
		ck_assert_int_eq(hist_add(&h, v, 1), 0);
	ck_assert_uint_eq(h.pos.len, 21);
	ck_assert_uint_eq(hist_count(&h), 21);
	hist_fini(&h);
}
END_TEST

START_TEST(quantile_is_clamped)
{
	struct hist h = HIST_INIT;

	ck_assert_double_eq(hist_quantile(&h, 0.5, 1, 2), 0);
	ck_assert_int_eq(hist_add(&h, 3.5, 4), 0);
	ck_assert_double_eq(hist_quantile(&h, 0.5, 3.5, 3.5), 3.5);
	hist_fini(&h);
}
END_TEST

START_TEST(dense_round_trip)
{
	struct unit_random r = unit_random_new("dense_round_trip");
	struct arena arena = ARENA_INIT;

	for (int round = 0; round < 200; round++) {
		struct hist h = HIST_INIT, back = HIST_INIT;
		struct hist_dense dense;
		struct model m;
		struct err err = ERR_INIT;
		bool approximate = false;

		memset(&m, 0, sizeof(m));
		fill_random(&r, &h, &m);
		ck_assert_int_eq(hist_to_dense(&h, &arena, &dense), 0);
		ck_assert_msg(hist_add_dense(&back, &dense, &approximate, &err) == 0, "%s", err.msg);
		ck_assert(!approximate);
		assert_model(&back, &m);
		hist_fini(&h);
		hist_fini(&back);
		arena_clear(&arena);
	}
	arena_fini(&arena);
}
END_TEST

/* Values counted at a finer scale by their own formula, then downscaled, must land where hist_add() puts them. */
START_TEST(finer_scales_downscale_exactly)
{
	for (int32_t scale = 6; scale <= 14; scale++)
		for (int k = 0; k < 400; k++) {
			struct hist direct = HIST_INIT, scaled = HIST_INIT;
			struct err err = ERR_INIT;
			double value = exp2(-3 + k * 0.01712345);
			const int64_t one = 1;
			struct hist_dense dense = {.scale = scale, .counts = &one, .counts_len = 1};
			bool approximate = false;

			dense.offset = (int32_t)ceill(log2l((long double)value) * ldexpl(1, scale)) - 1;
			ck_assert_int_eq(hist_add_dense(&scaled, &dense, &approximate, &err), 0);
			ck_assert_int_eq(hist_add(&direct, value, 1), 0);
			ck_assert_int_eq(scaled.pos.buckets[0].index, direct.pos.buckets[0].index);
			ck_assert(!approximate);
			hist_fini(&direct);
			hist_fini(&scaled);
		}
}
END_TEST

START_TEST(coarser_scales_go_to_the_midpoint)
{
	for (int32_t scale = -3; scale <= 4; scale++)
		for (int32_t i = -20; i < 20; i++) {
			struct hist h = HIST_INIT;
			struct err err = ERR_INIT;
			const int64_t counts[] = {0, 7};
			struct hist_dense dense = {.scale = scale, .offset = i - 1, .counts = counts, .counts_len = 2};
			long double log2_middle = ((long double)i + 0.5L) * ldexpl(1, -scale);
			bool approximate = false;

			ck_assert_int_eq(hist_add_dense(&h, &dense, &approximate, &err), 0);
			ck_assert(approximate);
			ck_assert_uint_eq(h.pos.len, 1);
			ck_assert_int_eq(h.pos.buckets[0].index, (int32_t)(log2_middle * 32) - 1);
			ck_assert_uint_eq(h.pos.buckets[0].count, 7);
			hist_fini(&h);
		}
}
END_TEST

static const int64_t one_count[] = {1}, negative_count[] = {3, -1}, large_counts[] = {INT64_C(1) << 61, INT64_C(1) << 61, 1};
static const int64_t too_long[HIST_COUNTS_MAX + 1];
static const struct hist_dense refused[] = {
	{.scale = 21, .counts = one_count, .counts_len = 1},
	{.scale = -11, .counts = one_count, .counts_len = 1},
	{.scale = 5, .counts = negative_count, .counts_len = 2},
	{.scale = 5, .neg_counts = negative_count, .neg_counts_len = 2},
	{.scale = 5, .counts = large_counts, .counts_len = 3},
	{.scale = 5, .counts = too_long, .counts_len = NR(too_long)},
	{.scale = 5, .offset = INT32_MAX, .counts = one_count, .counts_len = 1},
	{.scale = 5, .offset = HIST_INDEX_MAX + 1, .counts = one_count, .counts_len = 1},
	{.scale = 5, .offset = HIST_INDEX_MIN - 1, .counts = one_count, .counts_len = 1},
	{.scale = -10, .offset = INT32_MIN, .counts = one_count, .counts_len = 1},
	{.scale = 5, .zero = (UINT64_C(1) << 62) + 1},
};

START_TEST(dense_refused)
{
	struct hist h = HIST_INIT;
	struct err err = ERR_INIT;
	bool approximate = false;

	ck_assert_int_eq(hist_add(&h, 2.5, 1), 0);
	ck_assert_int_eq(hist_add_dense(&h, &refused[_i], &approximate, &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_uint_eq(hist_count(&h), 1);
	hist_fini(&h);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("hist");
	TCase *tc = tcase_create("hist");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, index_at_boundaries);
	tcase_add_test(tc, index_at_extremes);
	tcase_add_test(tc, index_of_random_values);
	tcase_add_test(tc, merge_algebra);
	tcase_add_test(tc, merge_with_itself_doubles);
	tcase_add_test(tc, quantile_error);
	tcase_add_test(tc, grows_from_a_single_bucket);
	tcase_add_test(tc, quantile_is_clamped);
	tcase_add_test(tc, dense_round_trip);
	tcase_add_test(tc, finer_scales_downscale_exactly);
	tcase_add_test(tc, coarser_scales_go_to_the_midpoint);
	tcase_add_loop_test(tc, dense_refused, 0, NR(refused));
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
