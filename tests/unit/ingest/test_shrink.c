/* test_shrink.c - which ways down are refused, and that they are measured over five minutes. */
#include "ingest/shrink.h"

#include "tests/unit/unit.h"

static const struct {
	size_t before, after;
	bool refused;
} ways[] = {
	{0, 0, false},	{0, 7, false},	 {1, 1, false},	  {1, 0, false},  {2, 1, false},    {2, 0, true},     {3, 2, false},
	{3, 1, false},	{3, 0, true},	 {4, 3, false},	  {4, 2, false},  {4, 1, true},	    {4, 0, true},     {5, 3, false},
	{5, 2, true},	{7, 4, false},	 {7, 3, true},	  {9, 9, false},  {1000, 500, false}, {1000, 499, true}, {1000, 0, true},
	{1000, 1001, false},
};

START_TEST(ways_down)
{
	ck_assert_msg(shrink_refused(ways[_i].before, ways[_i].after) == ways[_i].refused, "%zu to %zu", ways[_i].before, ways[_i].after);
}
END_TEST

/* A count that says when it was taken: what the window began with is five minutes old, or a step less. */
START_TEST(the_window_is_five_minutes)
{
	static const int64_t turns_ms[] = {100, 1000, 7001, 29999};
	struct shrink s = {0};
	int64_t now = 5000;

	shrink_reset(&s, (size_t)now, now);
	for (; now < 20 * 60000; now += turns_ms[_i]) {
		shrink_roll(&s, (size_t)now, now);
		ck_assert_int_ge(now - (int64_t)shrink_before(&s), now < 5000 + SHRINK_WINDOW_MS ? 0 : SHRINK_WINDOW_MS * 9 / 10 - turns_ms[_i]);
		ck_assert_int_le(now - (int64_t)shrink_before(&s), SHRINK_WINDOW_MS + turns_ms[_i]);
		if (now < 5000 + SHRINK_WINDOW_MS)
			ck_assert_uint_eq(shrink_before(&s), 5000);
	}
}
END_TEST

START_TEST(a_long_pause_is_a_beginning)
{
	struct shrink s = {0};

	shrink_reset(&s, 100, 0);
	shrink_roll(&s, 60, INT64_C(1) << 50);
	ck_assert_uint_eq(shrink_before(&s), 60);
	shrink_roll(&s, 30, (INT64_C(1) << 50) + 60000);
	ck_assert_uint_eq(shrink_before(&s), 60);
	shrink_reset(&s, 30, (INT64_C(1) << 50) + 60000);
	ck_assert_uint_eq(shrink_before(&s), 30);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("shrink");
	TCase *tc = tcase_create("shrink");

	tcase_add_loop_test(tc, ways_down, 0, (int)NR(ways));
	tcase_add_loop_test(tc, the_window_is_five_minutes, 0, 4);
	tcase_add_test(tc, a_long_pause_is_a_beginning);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
