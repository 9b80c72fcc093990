/* test_dense.c - what travels is read back as what it was; values too far apart for the lists go at a lower scale, and none is lost. */
#include "ingest/agent/dense.h"

#include <math.h>

#include "tests/unit/buckets.h"
#include "tests/unit/unit.h"

static void same_histograms(const struct hist *a, const struct hist *b)
{
	ck_assert_uint_eq(hist_len(a), hist_len(b));
	for (uint32_t i = 0; i < hist_len(a); i++) {
		ck_assert_uint_eq(hist_key(a, i), hist_key(b, i));
		ck_assert_uint_eq(hist_bucket_count(a, i), hist_bucket_count(b, i));
	}
}

START_TEST(read_back)
{
	struct unit_random r = unit_random_new("dense");
	struct dense *room = malloc(sizeof(*room));

	for (int round = 0; round < 2000; round++) {
		struct hist h = HIST_INIT, back = HIST_INIT;
		struct hist_dense d;
		struct err err = ERR_INIT;
		bool approximate = false;
		int octaves = 1 + (int)unit_random_below(&r, 100), about = (int)unit_random_below(&r, 1800) - 950;
		size_t nr = unit_random_below(&r, 50);

		for (size_t i = 0; i < nr; i++) {
			double v = exp2(about + octaves * unit_random_unit(&r)) * ((double)unit_random_below(&r, 3) - 1);

			ck_assert_int_eq(hist_add(&h, v, 1 + unit_random_below(&r, 100)), 0);
		}
		dense_make(room, &h, &d);
		ck_assert_int_eq(d.scale, HIST_SCALE);
		ck_assert_msg(hist_add_dense(&back, &d, &approximate, &err) == 0, "%s", err.msg);
		ck_assert(!approximate);
		same_histograms(&h, &back);
		hist_fini(&h);
		hist_fini(&back);
	}
	free(room);
}
END_TEST

/* The count of bucket i at scale d->scale, from the buckets of scale 5 by the definition: how many values lie in (b^i, b^(i+1)]. */
static void check_coarse(const struct hist *h, const struct hist_dense *d, int sign)
{
	const int64_t *counts = sign > 0 ? d->counts : d->neg_counts;
	size_t len = sign > 0 ? d->counts_len : d->neg_counts_len;
	int32_t offset = sign > 0 ? d->offset : d->neg_offset;
	double width = exp2(-d->scale); /* in octaves */
	uint64_t all = 0;

	for (size_t at = 0; at < len; at++) {
		double low = (offset + (double)at) * width, high = low + width;
		uint64_t count = 0;

		for (uint32_t i = 0; i < hist_len(h); i++) {
			struct bucket_at b = bucket_at(h, i);
			double middle = (b.index + 0.5) / 32;

			if (b.sign == sign && middle > low && middle < high)
				count += b.count;
		}
		ck_assert_int_eq(counts[at], (int64_t)count);
		all += count;
	}
	for (uint32_t i = 0; i < hist_len(h); i++)
		all -= bucket_at(h, i).sign == sign ? bucket_at(h, i).count : 0;
	ck_assert_uint_eq(all, 0);
}

static const struct {
	double low, high; /* as powers of two */
	int32_t scale;
} spreads[] = {
	{0, 1, 5}, {0.01, 256, 5}, {0.01, 256.04, 4}, {-0.01, 255.99, 4}, {-332, 332, 3}, {-1074, 1023.9, 1}, {-997, -993, 5}, {-10, 10, 5},
};

START_TEST(wide_spreads)
{
	struct dense *room = malloc(sizeof(*room));

	for (size_t i = 0; i < NR(spreads); i++) {
		struct hist h = HIST_INIT;
		struct hist_dense d;
		struct err err = ERR_INIT;
		uint64_t total;

		for (int sign = -1; sign <= 1; sign += 2) {
			ck_assert_int_eq(hist_add(&h, sign * exp2(spreads[i].low), 1), 0);
			ck_assert_int_eq(hist_add(&h, sign * exp2(spreads[i].high), 2), 0);
			ck_assert_int_eq(hist_add(&h, sign * exp2((spreads[i].low + spreads[i].high) / 2), 4), 0);
		}
		hist_add(&h, 0, 8);
		dense_make(room, &h, &d);
		ck_assert_msg(d.scale == spreads[i].scale, "case %zu: %d", i, d.scale);
		ck_assert_msg(hist_check_dense(&d, &total, &err) == 0, "case %zu: %s", i, err.msg);
		ck_assert_uint_eq(total, 22);
		ck_assert_uint_eq(d.zero, 8);
		check_coarse(&h, &d, 1);
		check_coarse(&h, &d, -1);
		hist_fini(&h);
	}
	free(room);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("dense");
	TCase *tc = tcase_create("dense");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, read_back);
	tcase_add_test(tc, wide_spreads);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
