/* test_verify_hist.c - histograms of `verify`: against integer powers for a value's bucket, and against common/hist, which is another's
 * code. */
#include "deploy/ctl/verify_hist.h"

#include <math.h>
#include <string.h>

#include "common/hist.h"
#include "tests/unit/unit.h"

enum { OCTAVE = 32 };

/* The bucket by squaring: five digits of the binary logarithm, one a square, in the exact arithmetic of long doubles near 1. Only for
 * values that are not next to a boundary. */
static int32_t index_by_squares(double value)
{
	int exponent, digits = 0;
	long double m = 2 * (long double)frexp(value, &exponent);

	for (int i = 0; i < 5; i++) {
		m *= m;
		digits = 2 * digits + (m >= 2);
		m = m >= 2 ? m / 2 : m;
	}
	return (exponent - 1) * OCTAVE + digits;
}

START_TEST(known_values)
{
	static const struct { double value; int32_t index; } cases[] = {
		{1, -1}, {1.0000000000000002, 0}, {2, 31}, {2.0000000000000004, 32}, {1.5, 18}, {0.5, -33}, {0.25, -65}, {1024, 319},
		{0x1p-1074, -1074 * 32 - 1}, {0x1.fffffffffffffp1023, 1023 * 32 + 31}, {1.0218971486541166, 0}, {1.0218971486541168, 1},
	};

	for (size_t i = 0; i < NR(cases); i++)
		ck_assert_msg(verify_hist_index(cases[i].value) == cases[i].index, "%a: %d", cases[i].value,
			      (int)verify_hist_index(cases[i].value));
}
END_TEST

START_TEST(values_agree_with_two_others)
{
	struct unit_random r = unit_random_new("values_agree_with_two_others");

	for (int i = 0; i < 200000; i++) {
		double v = ldexp(1 + unit_random_unit(&r), (int)unit_random_below(&r, 2000) - 1000);

		ck_assert_msg(verify_hist_index(v) == index_by_squares(v) && verify_hist_index(v) == hist_index(v), "%a", v);
	}
	for (int k = -2000; k < 2000; k++) { /* both sides of boundaries */
		double edge = exp2((double)k / OCTAVE);

		for (double v = nextafter(nextafter(edge, 0), 0); v <= nextafter(nextafter(edge, 1e300), 1e300); v = nextafter(v, 1e300))
			ck_assert_msg(verify_hist_index(v) == hist_index(v), "%a", v);
	}
}
END_TEST

static void random_side(struct unit_random *r, int32_t *offset, int64_t *counts, size_t *len)
{
	*offset = (int32_t)unit_random_below(r, 40) - 20;
	*len = unit_random_below(r, 12);
	for (size_t i = 0; i < *len; i++)
		counts[i] = (int64_t)unit_random_below(r, 3);
}

/* Is every bucket of h also in ours, and no other? */
static bool same(const struct verify_hist *ours, const struct hist *h)
{
	if (ours->len != hist_len(h))
		return false;
	for (uint32_t i = 0; i < hist_len(h); i++) {
		int64_t key = hist_key(h, i), index = key - (key < HIST_KEY_ZERO ? HIST_KEY_NEGATIVE : HIST_KEY_POSITIVE) + HIST_INDEX_MIN;
		int32_t place = key == HIST_KEY_ZERO ? 0 : key < HIST_KEY_ZERO ? (int32_t)(-100000 - index) : (int32_t)(100000 + index);
		bool found = false;

		for (size_t k = 0; k < ours->len; k++)
			found |= ours->buckets[k].place == place && ours->buckets[k].count == hist_bucket_count(h, i);
		if (!found)
			return false;
	}
	return true;
}

START_TEST(travelling_ones_agree_at_every_scale)
{
	struct unit_random r = unit_random_new("travelling_ones_agree_at_every_scale");

	for (int i = 0; i < 20000; i++) {
		int64_t counts[12], neg[12];
		struct histogram h = {.scale = (int32_t)unit_random_below(&r, 31) - 10, .zero = (int64_t)unit_random_below(&r, 3),
				      .counts = counts, .neg_counts = neg};
		struct verify_hist read = VERIFY_HIST_INIT, sum = VERIFY_HIST_INIT;
		struct hist theirs = HIST_INIT;
		bool ours_approximate = false, theirs_approximate = false;
		uint64_t total;
		const char *fault;
		int rc;

		random_side(&r, &h.offset, counts, &h.counts_len);
		random_side(&r, &h.neg_offset, neg, &h.neg_counts_len);
		fault = verify_hist_fault(&h, &total);
		rc = hist_add_dense(&theirs, &(struct hist_dense){h.scale, (uint64_t)h.zero, h.offset, counts, h.counts_len, h.neg_offset,
								  neg, h.neg_counts_len},
				    &theirs_approximate, NULL);
		ck_assert_msg((fault != NULL) == (rc < 0), "scale %d, offset %d: %s", h.scale, h.offset, fault ? fault : "taken");
		if (!fault) {
			ck_assert(verify_hist_read(&read, &h) == 0 && verify_hist_add(&sum, &read, &ours_approximate) == 0);
			ck_assert_msg(same(&sum, &theirs) && ours_approximate == theirs_approximate && total == hist_count(&theirs),
				      "scale %d", h.scale);
		}
		verify_hist_fini(&read);
		verify_hist_fini(&sum);
		hist_fini(&theirs);
	}
}
END_TEST

START_TEST(malformed_ones_are_refused)
{
	int64_t one = 1, minus = -1, much = INT64_C(1) << 62, long_list[8193] = {1};
	const struct histogram bad[] = {
		{.scale = -11}, {.scale = 21}, {.scale = 5, .zero = -1}, {.scale = 5, .counts = &minus, .counts_len = 1},
		{.scale = 5, .zero = 1, .neg_counts = &much, .neg_counts_len = 1}, {.scale = 5, .counts = long_list, .counts_len = 8193},
		{.scale = 5, .offset = 1024 * 32, .counts = &one, .counts_len = 1},
		{.scale = 5, .neg_offset = -1075 * 32 - 1, .neg_counts = &one, .neg_counts_len = 1},
	};
	uint64_t total;

	for (size_t i = 0; i < NR(bad); i++)
		ck_assert_msg(verify_hist_fault(&bad[i], &total), "%zu", i);
	ck_assert(verify_hist_fault(&(struct histogram){.scale = 5, .counts = &much, .counts_len = 1}, &total) == NULL &&
		  total == UINT64_C(1) << 62);
}
END_TEST

static struct verify_hist read_of(int32_t scale, int32_t offset, const int64_t *counts, size_t len)
{
	struct verify_hist h = VERIFY_HIST_INIT;

	ck_assert_int_eq(verify_hist_read(&h, &(struct histogram){.scale = scale, .offset = offset, .counts = (int64_t *)(uintptr_t)counts,
								  .counts_len = len}), 0);
	return h;
}

START_TEST(differences)
{
	static const struct { int32_t scale, before_scale; int64_t counts[4], before[4], left[4]; int rc; int32_t left_scale; } cases[] = {
		{5, 5, {1, 2, 3, 4}, {1, 1, 0, 4}, {0, 1, 3, 0}, 1, 5},
		{5, 5, {1, 2, 3, 4}, {1, 2, 3, 4}, {0}, 1, 5},
		{5, 5, {1, 2, 3, 4}, {2, 0, 0, 0}, {0}, 0, 5},
		{5, 5, {0, 2, 3, 4}, {1, 0, 0, 0}, {0}, 0, 5},
		{4, 5, {3, 4, 0, 0}, {1, 2, 3, 0}, {0, 1, 0, 0}, 1, 4}, /* 1 + 2 of scale 5 are the first of scale 4 */
		{5, 4, {1, 2, 3, 0}, {3, 2, 0, 0}, {0, 1, 0, 0}, 1, 4},
		{8, 5, {1, 1, 1, 1}, {3, 0, 0, 0}, {1, 0, 0, 0}, 1, 5}, /* all four in one of scale 5 */
	};

	for (size_t i = 0; i < NR(cases); i++) {
		struct verify_hist h = read_of(cases[i].scale, 0, cases[i].counts, 4),
			before = read_of(cases[i].before_scale, 0, cases[i].before, 4);
		struct verify_hist left = read_of(cases[i].left_scale, 0, cases[i].left, 4), out = VERIFY_HIST_INIT;
		int rc = verify_hist_subtract(&h, &before, &out);

		ck_assert_msg(rc == cases[i].rc && (rc == 0 || verify_hist_equal(&out, &left)), "case %zu: %d", i, rc);
		verify_hist_fini(&h);
		verify_hist_fini(&before);
		verify_hist_fini(&left);
		verify_hist_fini(&out);
	}
}
END_TEST

START_TEST(equality)
{
	static const int64_t a[2] = {1, 2}, b[2] = {1, 3}, c[2] = {1, 0};
	struct verify_hist x = read_of(5, 7, a, 2), y = read_of(5, 7, a, 2), other = read_of(5, 7, b, 2), less = read_of(5, 7, c, 2),
		moved = read_of(5, 8, a, 2);
	struct verify_hist coarse = read_of(4, 7, a, 2);

	ck_assert(verify_hist_equal(&x, &y) && !verify_hist_equal(&x, &other) && !verify_hist_equal(&x, &less) &&
		  !verify_hist_equal(&x, &moved) &&
		  !verify_hist_equal(&x, &coarse));
	verify_hist_fini(&x);
	verify_hist_fini(&y);
	verify_hist_fini(&other);
	verify_hist_fini(&less);
	verify_hist_fini(&moved);
	verify_hist_fini(&coarse);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ctl/verify_hist");
	TCase *tc = tcase_create("verify_hist");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, known_values);
	tcase_add_test(tc, values_agree_with_two_others);
	tcase_add_test(tc, travelling_ones_agree_at_every_scale);
	tcase_add_test(tc, malformed_ones_are_refused);
	tcase_add_test(tc, differences);
	tcase_add_test(tc, equality);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
