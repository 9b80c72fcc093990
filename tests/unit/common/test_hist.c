/* test_hist.c - the histogram against arithmetic that shares nothing with it: long doubles for the boundaries, plain arrays of
 * counts for merging, sorted values for quantiles. */
#include "common/hist.h"

#include <float.h>
#include <malloc.h>
#include <math.h>
#include <string.h>
#include <sys/resource.h>

#include "tests/unit/buckets.h"
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

	for (int i = 0; i < UNIT_ROUNDS(200000); i++) {
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

/* The same buckets and no others, each once and in order, and a total that is their sum. */
static void assert_model(const struct hist *h, const struct model *m)
{
	struct model have;
	uint64_t total = 0;

	memset(&have, 0, sizeof(have));
	for (uint32_t i = 0; i < hist_len(h); i++) {
		struct bucket_at b = bucket_at(h, i);

		ck_assert_uint_gt(b.count, 0);
		ck_assert(i == 0 || hist_key(h, i) > hist_key(h, i - 1));
		ck_assert(b.index >= MODEL_MIN && b.index < MODEL_MAX);
		*(b.sign == 0 ? &have.zero : &(b.sign > 0 ? have.pos : have.neg)[b.index - MODEL_MIN]) = b.count;
		total += b.count;
	}
	ck_assert_mem_eq(&have, m, sizeof(have));
	ck_assert_uint_eq(hist_count(h), total);
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
	ck_assert_uint_eq(hist_len(&copy), hist_len(&h));
	ck_assert_uint_eq(hist_count(&copy), 2 * hist_count(&h));
	ck_assert_int_eq(hist_merge(&copy, &copy), 0);
	ck_assert_uint_eq(hist_count(&copy), 4 * hist_count(&h));
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
	for (int round = 0; round < UNIT_ROUNDS(30); round++) {
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

/* A block is as large as what the allocator gives for it, and no larger than its buckets need. */
START_TEST(blocks_waste_nothing)
{
	static const size_t classes[] = {48, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 640, 768, 896, 1024, 1280};
	struct hist h = HIST_INIT;

	ck_assert_uint_eq(hist_bytes(&h), 0);
	for (size_t n = 1, at = 0; n <= (1280 - 16) / 8; n++) {
		while (classes[at] < 16 + 8 * n)
			at++;
		ck_assert_int_eq(hist_reserve(&h, n), 0);
		ck_assert_uint_eq(hist_bytes(&h), classes[at]);
		hist_fini(&h);
	}
	for (double v = 0x1p-1000; v < 0x1p1000; v *= 1.3) {
		size_t before = hist_bytes(&h), need = 16 + 8 * ((size_t)hist_len(&h) + 1);

		ck_assert_int_eq(hist_add(&h, v, 1), 0);
		ck_assert_uint_eq(hist_bytes(&h), malloc_usable_size(h.block));
		ck_assert(need <= before ? hist_bytes(&h) == before : hist_bytes(&h) < 2 * need + 48);
	}
	hist_fini(&h);
}
END_TEST

/* Trimmed, it takes what one takes that was made at once, however it grew, and is the same otherwise. */
START_TEST(what_is_trimmed_takes_what_its_buckets_need)
{
	struct hist grown = HIST_INIT, made;
	double v = 1;

	for (uint32_t n = 1; n <= 300; n++, v *= 1.3) {
		made = (struct hist)HIST_INIT;
		ck_assert_int_eq(hist_add(&grown, v, n), 0);
		if (n % 7 && n != 300) /* in between it grows as it likes */
			continue;
		ck_assert_int_eq(hist_reserve(&made, n), 0);
		ck_assert_int_eq(hist_merge(&made, &grown), 0);
		hist_trim(&grown);
		ck_assert_uint_eq(hist_bytes(&grown), hist_bytes(&made));
		ck_assert_uint_eq(hist_bytes(&grown), malloc_usable_size(grown.block));
		ck_assert(hist_len(&grown) == n && hist_count(&grown) == hist_count(&made));
		ck_assert_int_eq(memcmp(grown.block->buckets, made.block->buckets, n * sizeof(uint64_t)), 0);
		hist_fini(&made);
	}
	hist_clear(&grown);
	hist_trim(&grown);
	ck_assert_uint_eq(hist_bytes(&grown), 0);
	hist_trim(&grown);
	hist_fini(&grown);
}
END_TEST

/* As much as a histogram can hold, in one bucket between two others, and not one more by any way. */
START_TEST(a_total_stops_before_it_spoils_a_key)
{
	const uint64_t most = (UINT64_C(1) << 46) - 1;
	const int64_t one = 1, huge[] = {INT64_C(1) << 62}, wraps[] = {INT64_C(1) << 46};
	const struct hist_dense more[] = {{.scale = 5, .counts = &one, .counts_len = 1}, {.scale = 4, .counts = &one, .counts_len = 1},
					  {.scale = 5, .counts = huge, .counts_len = 1}, {.scale = 5, .neg_counts = wraps, .neg_counts_len = 1},
					  {.scale = 5, .zero = 1}, {.scale = 5, .zero = UINT64_C(1) << 62}};
	struct hist h = HIST_INIT, single = HIST_INIT, none = HIST_INIT;
	struct err err = ERR_INIT;
	bool approximate = false;

	ck_assert_int_eq(hist_add(&single, 1.01, 1), 0);
	ck_assert_int_eq(hist_add(&h, 1, 1) | hist_add(&h, 1.03, 1) | hist_add(&h, 1.01, most - 3), 0);
	ck_assert_int_eq(hist_add(&h, 1.01, 2), 1);
	ck_assert_int_eq(hist_merge(&h, &single), 0);
	for (size_t i = 0; i < NR(more); i++) {
		ck_assert_int_eq(hist_add_checked(&h, &more[i], &approximate), 1);
		ck_assert_int_eq(hist_add_dense(&h, &more[i], &approximate, &err), -1);
		ck_assert_int_eq(err.kind, ERR_REJECT);
	}
	ck_assert(hist_add(&h, 1.01, 1) == 1 && hist_add(&h, 5, 1) == 1 && hist_add(&h, 1, UINT64_MAX) == 1 && hist_add(&h, 1, 0) == 0);
	ck_assert(hist_merge(&h, &single) == 1 && hist_merge(&h, &h) == 1 && hist_merge(&h, &none) == 0);
	ck_assert_int_eq(hist_append(&h, HIST_KEY_POSITIVE + 60000, 1), 1);
	ck_assert(!approximate && hist_len(&h) == 3 && hist_count(&h) == most);
	for (uint32_t i = 0; i < 3; i++) {
		struct bucket_at b = bucket_at(&h, i);

		ck_assert(b.sign == 1 && b.index == (int32_t)i - 1 && b.count == (i == 1 ? most - 2 : 1));
	}
	hist_fini(&h);
	hist_fini(&single);
}
END_TEST

START_TEST(append_takes_only_what_can_follow)
{
	const int64_t last_negative = 67167, last_positive = 131072 + 67167;
	struct hist h = HIST_INIT;

	ck_assert(hist_append(&h, -1, 1) == 1 && hist_append(&h, 0, 0) == 1 && hist_append(&h, INT64_MAX, 1) == 1 && !h.block);
	ck_assert(hist_append(&h, 0, 5) == 0 && hist_append(&h, 0, 5) == 1);
	ck_assert(hist_append(&h, last_negative, 6) == 0 && hist_append(&h, last_negative + 1, 1) == 1 && hist_append(&h, 131070, 1) == 1);
	ck_assert(hist_append(&h, 131071, 7) == 0 && hist_append(&h, 131072, 8) == 0 && hist_append(&h, last_positive + 1, 1) == 1);
	ck_assert(hist_append(&h, last_positive, 9) == 0 && hist_append(&h, last_positive - 1, 9) == 1);
	ck_assert(hist_len(&h) == 5 && hist_count(&h) == 35);
	ck_assert(bucket_at(&h, 0).index == HIST_INDEX_MIN && bucket_at(&h, 1).index == HIST_INDEX_MAX && bucket_at(&h, 2).sign == 0);
	ck_assert(bucket_at(&h, 3).index == HIST_INDEX_MIN && bucket_at(&h, 4).index == HIST_INDEX_MAX && bucket_at(&h, 4).count == 9);
	hist_clear(&h);
	ck_assert(hist_len(&h) == 0 && hist_count(&h) == 0 && hist_bytes(&h) > 0 && hist_append(&h, 3, 1) == 0);
	hist_fini(&h);
}
END_TEST

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* whose allocators end the process instead */
/* Takes all memory there is; what is in here later frees it. */
static void *exhaust(struct rlimit *before)
{
	struct rlimit none;
	void *taken = NULL, **more;

	ck_assert_int_eq(getrlimit(RLIMIT_AS, before), 0);
	none = (struct rlimit){1, before->rlim_max};
	ck_assert_int_eq(setrlimit(RLIMIT_AS, &none), 0);
	for (size_t bytes = 1 << 18; bytes >= 4096; bytes /= 2)
		while ((more = malloc(bytes)) != NULL) {
			*more = taken;
			taken = more;
		}
	return taken;
}

static void give_back(void *taken, const struct rlimit *before)
{
	ck_assert_int_eq(setrlimit(RLIMIT_AS, before), 0);
	for (void *next; taken; taken = next) {
		next = *(void **)taken;
		free(taken);
	}
}

/* Where what is there already was added, it is taken back. */
START_TEST(a_merge_without_memory_changes_nothing)
{
	enum { OWN = 20000, ALL = 60000 };
	struct hist h = HIST_INIT, more = HIST_INIT;
	struct rlimit before;
	void *taken;
	int rc;

	for (int i = 0; i < ALL; i++) {
		ck_assert_int_eq(hist_append(&more, i, 7), 0);
		if (i < OWN)
			ck_assert_int_eq(hist_append(&h, i, 1 + (uint64_t)i), 0);
	}
	taken = exhaust(&before);
	rc = hist_merge(&h, &more);
	give_back(taken, &before);
	ck_assert_int_eq(rc, -1);
	ck_assert(hist_len(&h) == OWN && hist_count(&h) == (uint64_t)OWN * (OWN + 1) / 2);
	for (uint32_t i = 0; i < OWN; i++)
		ck_assert(hist_key(&h, i) == i && hist_bucket_count(&h, i) == 1 + i);
	ck_assert(hist_merge(&h, &more) == 0 && hist_len(&h) == ALL && hist_bucket_count(&h, 5) == 13);
	hist_fini(&h);
	hist_fini(&more);
}
END_TEST
#endif

START_TEST(quantile_is_clamped)
{
	struct hist h = HIST_INIT;

	ck_assert_double_eq(hist_quantile(&h, 0.5, 1, 2), 0);
	ck_assert_int_eq(hist_add(&h, 3.5, 4), 0);
	ck_assert_double_eq(hist_quantile(&h, 0.5, 3.5, 3.5), 3.5);
	hist_fini(&h);
}
END_TEST

/* Counts at random places of a list, into the model as well; scales of 5 and above, down by their floors. */
static void random_side(struct unit_random *r, int32_t scale, int32_t *offset, int64_t *counts, size_t len, uint64_t *model)
{
	int32_t finer = 1 << (scale - 5);

	*offset = ((int32_t)unit_random_below(r, 300) - 150) * finer + (int32_t)unit_random_below(r, 3);
	for (size_t i = 0; i < len; i++) {
		counts[i] = unit_random_below(r, 3) ? (int64_t)unit_random_below(r, 9) : 0;
		model[(int32_t)floor((double)(*offset + (int32_t)i) / finer) - MODEL_MIN] += (uint64_t)counts[i];
	}
}

/* Short lists and long ones, one after the other into the same histogram: all present, some missing, none there. */
START_TEST(dense_adds_up)
{
	enum { MOST = 220 };
	struct unit_random r = unit_random_new("dense_adds_up");

	for (int round = 0; round < 300; round++) {
		struct hist h = HIST_INIT;
		struct model m;
		bool approximate = false;

		memset(&m, 0, sizeof(m));
		for (int i = 0; i < 12; i++) {
			int64_t counts[MOST], neg_counts[MOST];
			struct hist_dense d = {.scale = 5 + (int32_t)(unit_random_below(&r, 8) / 6), .zero = unit_random_below(&r, 3),
					       .counts = counts, .counts_len = unit_random_below(&r, i % 4 ? 20 : MOST), .neg_counts = neg_counts,
					       .neg_counts_len = unit_random_below(&r, 3) ? 0 : unit_random_below(&r, i % 4 ? 20 : MOST)};
			struct err err = ERR_INIT;
			uint64_t total, before = hist_count(&h);

			random_side(&r, d.scale, &d.offset, counts, d.counts_len, m.pos);
			random_side(&r, d.scale, &d.neg_offset, neg_counts, d.neg_counts_len, m.neg);
			m.zero += d.zero;
			ck_assert_int_eq(hist_check_dense(&d, &total, &err), 0);
			ck_assert_int_eq(hist_add_checked(&h, &d, &approximate), 0);
			ck_assert_uint_eq(hist_count(&h), before + total);
			assert_model(&h, &m);
		}
		ck_assert(!approximate);
		hist_fini(&h);
	}
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
			ck_assert_int_eq(bucket_at(&scaled, 0).index, bucket_at(&direct, 0).index);
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
			ck_assert_uint_eq(hist_len(&h), 1);
			ck_assert_int_eq(bucket_at(&h, 0).index, (int32_t)(log2_middle * 32) - 1);
			ck_assert_uint_eq(bucket_at(&h, 0).count, 7);
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

/* Both bounds are met: what may travel, and buckets that count nothing, wherever they lie. */
START_TEST(dense_checked)
{
	static const int64_t most[] = {(INT64_C(1) << 62) - 3, 1}, none[5];
	const struct hist_dense travels = {.scale = 5, .zero = 1, .counts = most, .counts_len = 2, .neg_counts = most + 1, .neg_counts_len = 1};
	const struct hist_dense nowhere = {.scale = 5, .offset = HIST_INDEX_MAX - 1, .counts = none, .counts_len = 5, .neg_offset = INT32_MIN,
					   .neg_counts = none, .neg_counts_len = 5};
	const int64_t inside[] = {0, 0, 2, 3, 0, 0};
	const struct hist_dense ends = {.scale = 5, .offset = HIST_INDEX_MAX - 3, .counts = inside, .counts_len = 6,
					.neg_offset = HIST_INDEX_MIN - 2, .neg_counts = inside, .neg_counts_len = 6};
	struct hist h = HIST_INIT;
	struct err err = ERR_INIT;
	bool approximate = false;
	uint64_t total;

	ck_assert_int_eq(hist_check_dense(&travels, &total, &err), 0);
	ck_assert_uint_eq(total, UINT64_C(1) << 62);
	ck_assert_int_eq(hist_check_dense(&nowhere, &total, &err), 0);
	ck_assert_uint_eq(total, 0);
	ck_assert(hist_add_checked(&h, &nowhere, &approximate) == 0 && hist_count(&h) == 0 && !h.block);
	ck_assert(hist_add_dense(&h, &ends, &approximate, &err) == 0 && hist_count(&h) == 10 && hist_len(&h) == 4);
	ck_assert(bucket_at(&h, 0).sign == -1 && bucket_at(&h, 0).index == HIST_INDEX_MIN && bucket_at(&h, 3).index == HIST_INDEX_MAX);
	hist_fini(&h);
}
END_TEST

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
	tcase_add_test(tc, blocks_waste_nothing);
	tcase_add_test(tc, what_is_trimmed_takes_what_its_buckets_need);
	tcase_add_test(tc, a_total_stops_before_it_spoils_a_key);
	tcase_add_test(tc, append_takes_only_what_can_follow);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	tcase_add_test(tc, a_merge_without_memory_changes_nothing);
#endif
	tcase_add_test(tc, quantile_is_clamped);
	tcase_add_test(tc, dense_adds_up);
	tcase_add_test(tc, finer_scales_downscale_exactly);
	tcase_add_test(tc, coarser_scales_go_to_the_midpoint);
	tcase_add_test(tc, dense_checked);
	tcase_add_loop_test(tc, dense_refused, 0, NR(refused));
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
