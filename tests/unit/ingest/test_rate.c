/* test_rate.c - a bucket lets through what its limit says, in bursts and over time, and remembers debt. */
#include "ingest/rate.h"
#include "tests/unit/unit.h"

static bool take(struct rate *r, double limit, int64_t at_ms)
{
	int64_t wait_ms = 0;

	if (!rate_ready(r, limit, at_ms, &wait_ms)) {
		ck_assert_int_gt(wait_ms, 0);
		return false;
	}
	rate_charge(r, limit, 1, at_ms);
	return true;
}

static const struct {
	double limit;
	int burst; /* taken at once from a full bucket */
} bursts[] = {{1, 10}, {5, 50}, {0.5, 5}, {0.01, 1}, {1000, 10000}};

START_TEST(a_full_bucket_is_ten_seconds_of_its_limit)
{
	struct rate r = {0};
	int taken = 0;

	while (take(&r, bursts[_i].limit, 1000) && taken <= bursts[_i].burst)
		taken++;
	ck_assert_int_eq(taken, bursts[_i].burst);
}
END_TEST

START_TEST(no_limit_never_refuses)
{
	struct rate r = {0};

	for (int i = 0; i < 100000; i++)
		ck_assert(take(&r, 0, 5) && take(&r, -1, 5));
}
END_TEST

/* Whoever comes back exactly when told is served, and a millisecond earlier is not. */
START_TEST(the_wait_is_exact)
{
	struct rate r = {0};
	int64_t wait_ms = 0;

	while (take(&r, 4, 0))
		;
	ck_assert(!rate_ready(&r, 4, 0, &wait_ms));
	ck_assert_int_eq(wait_ms, 250);
	ck_assert(!rate_ready(&r, 4, 249, &wait_ms));
	ck_assert(rate_ready(&r, 4, 250, &wait_ms));
}
END_TEST

START_TEST(debt_is_paid_first)
{
	struct rate r = {0};
	int64_t wait_ms = 0;

	ck_assert(rate_ready(&r, 100, 0, &wait_ms));
	rate_charge(&r, 100, 5000, 0); /* the bucket holds 1000 */
	ck_assert(!rate_ready(&r, 100, 0, &wait_ms));
	ck_assert_int_eq(wait_ms, 40010);
	ck_assert(!rate_ready(&r, 100, 40000, &wait_ms));
	ck_assert(rate_ready(&r, 100, 40010, &wait_ms));
}
END_TEST

/* An operator's change counts from now on, in both directions, and does not refill a bucket. */
START_TEST(a_changed_limit_is_in_force_at_once)
{
	struct rate r = {0};
	int64_t wait_ms = 0;

	while (take(&r, 1, 0))
		;
	ck_assert(rate_ready(&r, 2, 0, &wait_ms)); /* the bucket is twice as large */
	rate_charge(&r, 2, 10, 0);
	ck_assert(!rate_ready(&r, 2, 0, &wait_ms));
	ck_assert(!rate_ready(&r, 1, 0, &wait_ms));
	ck_assert_int_eq(wait_ms, 11000);
}
END_TEST

/* Over any long time, however it is asked, no more passes than burst + limit x time, and no less when asked all the time. */
START_TEST(the_rate_is_kept_over_time)
{
	struct unit_random random = unit_random_new("the_rate_is_kept_over_time");

	for (int round = 0; round < 20; round++) {
		double limit = 0.1 + unit_random_unit(&random) * 50;
		struct rate r = {0};
		int64_t now_ms = 0;
		int taken = 0;

		while (now_ms < 1000000) {
			now_ms += (int64_t)unit_random_below(&random, 20);
			taken += take(&r, limit, now_ms);
		}
		ck_assert_double_le(taken, limit * RATE_BURST_S + limit * 1000 + 1);
		ck_assert_double_ge(taken, limit < 50 ? limit * 1000 * 0.99 - 1 : 0);
	}
}
END_TEST

START_TEST(a_clock_that_stands_fills_nothing)
{
	struct rate r = {0};

	while (take(&r, 1, 5000))
		;
	ck_assert(!take(&r, 1, 5000));
	ck_assert(!take(&r, 1, 4000)); /* nor one that goes back */
	ck_assert(take(&r, 1, 6000));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("rate");
	TCase *tc = tcase_create("rate");

	tcase_add_loop_test(tc, a_full_bucket_is_ten_seconds_of_its_limit, 0, (int)NR(bursts));
	tcase_add_test(tc, no_limit_never_refuses);
	tcase_add_test(tc, the_wait_is_exact);
	tcase_add_test(tc, debt_is_paid_first);
	tcase_add_test(tc, a_changed_limit_is_in_force_at_once);
	tcase_set_timeout(tc, 60); /* twenty times a thousand seconds, under sanitizers and beside others */
	tcase_add_test(tc, the_rate_is_kept_over_time);
	tcase_add_test(tc, a_clock_that_stands_fills_nothing);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
