/* test_comeback.c - refused agents are told integers from 1 to 30, apart from each other, and later the more of them there are. */
#include "ingest/comeback.h"
#include "tests/unit/unit.h"

static unsigned tell(struct comeback *c, int64_t mono_ms, struct unit_random *r)
{
	return comeback_tell(c, mono_ms, 0, (uint32_t)unit_random_next(r));
}

START_TEST(always_within_bounds)
{
	struct unit_random r = unit_random_new("always_within_bounds");
	struct comeback c = {0};
	int64_t now_ms = 0;

	for (int i = 0; i < 100000; i++) {
		unsigned told = comeback_tell(&c, now_ms, (int64_t)unit_random_below(&r, 100000) - 1000, (uint32_t)unit_random_next(&r));

		ck_assert(told >= COMEBACK_MIN_S && told <= COMEBACK_MAX_S);
		if (unit_random_below(&r, 3) == 0)
			comeback_taken(&c, now_ms);
		now_ms += (int64_t)unit_random_below(&r, i % 100 ? 50 : 60000);
	}
}
END_TEST

/* Few come back soon; a thousand for whom there is no pace are spread over the half minute, each second a fair share. */
START_TEST(many_are_spread_further_than_few)
{
	struct unit_random r = unit_random_new("many_are_spread_further_than_few");
	struct comeback c = {0};
	int per_second[COMEBACK_MAX_S + 1] = {0};

	for (int i = 0; i < 5; i++)
		ck_assert_uint_le(tell(&c, 1000, &r), 5);
	for (int i = 0; i < 3000; i++)
		per_second[tell(&c, 1000, &r)]++;
	for (int s = COMEBACK_MIN_S; s <= COMEBACK_MAX_S; s++)
		ck_assert_msg(per_second[s] > 40 && per_second[s] < 250, "second %d: %d", s, per_second[s]);
	ck_assert_uint_eq(comeback_expected(&c, 1000), 3005);
}
END_TEST

/* The same crowd is called back sooner where it can be served faster. */
START_TEST(a_faster_pace_calls_sooner)
{
	struct unit_random r = unit_random_new("a_faster_pace_calls_sooner");
	struct comeback slow = {0}, fast = {0};
	double slow_sum = 0, fast_sum = 0;

	for (int64_t ms = 0; ms < 20000; ms += 10) {
		if (ms % 1000 == 0)
			comeback_taken(&slow, ms);
		comeback_taken(&fast, ms);
	}
	for (int i = 0; i < 500; i++) {
		slow_sum += tell(&slow, 20000, &r);
		fast_sum += tell(&fast, 20000, &r);
	}
	ck_assert_double_gt(slow_sum, 2 * fast_sum);
}
END_TEST

START_TEST(who_was_expected_is_forgotten_in_time)
{
	struct unit_random r = unit_random_new("who_was_expected_is_forgotten_in_time");
	struct comeback c = {0};
	uint32_t before = 100;

	for (int i = 0; i < 100; i++)
		tell(&c, 0, &r);
	for (int64_t ms = 0; ms <= 31000; ms += 1000) {
		uint32_t now = comeback_expected(&c, ms);

		ck_assert_uint_le(now, before);
		before = now;
	}
	ck_assert_uint_eq(before, 0);
	tell(&c, 40000, &r);
	ck_assert_uint_eq(comeback_expected(&c, 100000000), 0);
}
END_TEST

static const struct {
	int64_t least_ms;
	unsigned from, to;
} leasts[] = {{0, 1, 5}, {1, 2, 6}, {1000, 2, 6}, {1001, 3, 7}, {10000, 11, 15}, {29000, 26, 30}, {3600000, 26, 30}};

START_TEST(nobody_is_called_before_his_time)
{
	struct unit_random r = unit_random_new("nobody_is_called_before_his_time");
	unsigned low = 99, high = 0;

	for (int i = 0; i < 200; i++) {
		struct comeback c = {0};
		unsigned told = comeback_tell(&c, 0, leasts[_i].least_ms, (uint32_t)unit_random_next(&r));

		low = told < low ? told : low;
		high = told > high ? told : high;
	}
	ck_assert_uint_eq(low, leasts[_i].from);
	ck_assert_uint_eq(high, leasts[_i].to);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("comeback");
	TCase *tc = tcase_create("comeback");

	tcase_add_test(tc, always_within_bounds);
	tcase_add_test(tc, many_are_spread_further_than_few);
	tcase_add_test(tc, a_faster_pace_calls_sooner);
	tcase_add_test(tc, who_was_expected_is_forgotten_in_time);
	tcase_add_loop_test(tc, nobody_is_called_before_his_time, 0, (int)NR(leasts));
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
