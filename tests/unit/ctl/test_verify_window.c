/* test_verify_window.c - what a window of `verify` adds up to, and which differences it sees. */
#include "deploy/ctl/verify_window.h"

#include <math.h>
#include <string.h>

#include "tests/unit/unit.h"

/* A window with something in every field. */
static struct verify_window full(void)
{
	struct verify_window w = VERIFY_WINDOW_INIT;

	ck_assert_int_eq(verify_window_add_value(&w, true, 2000, 3.5), 0);
	ck_assert_int_eq(verify_window_add_value(&w, true, 1000, -2), 0);
	ck_assert_int_eq(verify_window_add_value(&w, true, 2000, 1), 0);
	return w;
}

START_TEST(values_add_up)
{
	struct verify_window w = full();

	ck_assert(w.count == 3 && w.sum == 2.5L && w.magnitude == 6.5 && w.min == -2 && w.max == 3.5 && !w.approximate);
	ck_assert(w.last == 3.5 && w.last_at_ms == 2000); /* of the same time the greater */
	ck_assert_uint_eq(w.hist.len, 3);
	verify_window_fini(&w);
}
END_TEST

START_TEST(what_is_unknown_stays_unknown)
{
	struct verify_window w = VERIFY_WINDOW_INIT, other = VERIFY_WINDOW_INIT;
	const struct verify_part blind = {.count = 4, .sum = 9, .min = -100, .max = 100, .last = 100, .last_at_ms = 99999};
	const struct verify_part seeing = {.count = 1, .sum = 5, .min = 5, .max = 5, .last = 5, .last_at_ms = 10, .has_min = true,
					   .has_max = true, .has_last = true};

	ck_assert_int_eq(verify_window_add_part(&w, &blind), 0);
	ck_assert(w.count == 4 && !w.has_min && !w.has_max && !w.has_last);
	ck_assert_int_eq(verify_window_add_part(&w, &seeing), 0);
	ck_assert_int_eq(verify_window_add_part(&w, &blind), 0);
	ck_assert(w.count == 9 && w.has_min && w.min == 5 && w.has_max && w.max == 5 && w.has_last && w.last == 5 && w.last_at_ms == 10);
	ck_assert_int_eq(verify_window_merge(&other, &w), 0);
	ck_assert_uint_eq(verify_window_compare(&w, &other), 0);
	verify_window_fini(&w);
	verify_window_fini(&other);
}
END_TEST

START_TEST(counts_stop_at_the_end)
{
	struct verify_window w = VERIFY_WINDOW_INIT;
	const struct verify_part much = {.count = INT64_MAX - 1, .errors = INT64_MAX - 1};

	verify_window_add_part(&w, &much);
	verify_window_add_part(&w, &much);
	ck_assert(w.count == INT64_MAX && w.errors == INT64_MAX);
}
END_TEST

static void change(struct verify_window *w, int bit)
{
	switch (bit) {
	case 0:
		w->count++;
		break;
	case 1:
		w->sum += 1e-9L;
		break;
	case 2:
		w->min -= 1;
		break;
	case 3:
		w->has_max = false;
		break;
	case 4:
		w->last_at_ms++;
		break;
	case 5:
		w->hist.buckets[1].count++;
		break;
	case 6:
		w->approximate = true;
		break;
	default:
		w->errors++;
	}
}

START_TEST(each_difference_is_seen)
{
	static const char *const names[] = {"count", "sum", "min", "max", "last", "buckets", "approximate", "errors"};
	struct verify_window a = full(), b = full();

	ck_assert_uint_eq(verify_window_compare(&a, &b), 0);
	change(&b, _i);
	ck_assert_uint_eq(verify_window_compare(&a, &b), 1u << _i);
	ck_assert_uint_eq(verify_window_compare(&b, &a), 1u << _i);
	ck_assert_str_eq(verify_bit_name(_i), names[_i]);
	verify_window_fini(&a);
	verify_window_fini(&b);
}
END_TEST

/* Doubles added in another order: as far apart as that can be, and no farther. */
START_TEST(order_of_adding_is_no_difference)
{
	struct unit_random r = unit_random_new("order_of_adding_is_no_difference");
	struct verify_window expected = VERIFY_WINDOW_INIT, stored = VERIFY_WINDOW_INIT;
	struct verify_part fragment = {.count = 1000};
	double values[1000];

	for (size_t i = 0; i < NR(values); i++) {
		values[i] = ldexp(unit_random_unit(&r) - 0.5, (int)unit_random_below(&r, 30));
		verify_window_add_value(&expected, false, 0, values[i]);
	}
	for (size_t i = NR(values); i > 0; i--)
		fragment.sum += values[i - 1];
	verify_window_add_part(&stored, &fragment);
	ck_assert_uint_eq(verify_window_compare(&expected, &stored) & VERIFY_SUM, 0);
	stored.sum += expected.magnitude * 1e-12L;
	ck_assert_uint_eq(verify_window_compare(&expected, &stored) & VERIFY_SUM, VERIFY_SUM);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ctl/verify_window");
	TCase *tc = tcase_create("verify_window");

	tcase_add_test(tc, values_add_up);
	tcase_add_test(tc, what_is_unknown_stays_unknown);
	tcase_add_test(tc, counts_stop_at_the_end);
	tcase_add_loop_test(tc, each_difference_is_seen, 0, NR_VERIFY_BITS);
	tcase_add_test(tc, order_of_adding_is_no_difference);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
