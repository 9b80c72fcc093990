/* test_rate.c - tokens, by a site's hour. */
#include "sink/notify/rate.h"

#include "common/clock.h"
#include "tests/unit/unit.h"

static const struct str shop = {"shop", 4};

static int64_t take(struct rate *r, struct str site, int64_t now_ms)
{
	return rate_take(r, site, now_ms) - now_ms;
}

START_TEST(no_limit)
{
	struct rate r;

	rate_init(&r, 0);
	for (int i = 0; i < 100000; i++)
		ck_assert_int_eq(take(&r, shop, 0), 0);
	ck_assert_uint_eq(r.sites.len, 0);
	rate_charge(&r, shop, 0, 0);
	rate_fini(&r);
}
END_TEST

START_TEST(an_hour)
{
	struct rate r;

	rate_init(&r, 60);
	for (int i = 0; i < 60; i++)
		ck_assert_int_eq(take(&r, shop, 1000), 0);
	ck_assert_int_eq(take(&r, shop, 1000), 60000);
	ck_assert_int_eq(take(&r, shop, 31000), 30000);
	ck_assert_int_eq(take(&r, (struct str){"other", 5}, 1000), 0);
	ck_assert_int_eq(take(&r, shop, 61000), 0);
	ck_assert_int_eq(take(&r, shop, 61000), 60000);
	ck_assert_int_eq(take(&r, shop, 500), 60000); /* a clock that goes back gives nothing */
	for (int i = 0; i < 60; i++)
		ck_assert_int_eq(take(&r, shop, INT64_C(1) << 50), 0); /* nor does one that leaps more than a bucket */
	ck_assert_int_eq(take(&r, shop, INT64_C(1) << 50), 60000);
	for (int i = 0; i < 61; i++) /* nor less than one, on top of what is there */
		ck_assert_int_eq(take(&r, (struct str){"third", 5}, i == 0 ? 0 : 59 * 60000), 0);
	ck_assert_int_eq(take(&r, (struct str){"third", 5}, 59 * 60000), 60000);
	rate_fini(&r);
}
END_TEST

/* Against a list of all that was taken: in no hour more than twice the rate, and nobody waits who has not used up his own. */
START_TEST(random_takes)
{
	struct unit_random random = unit_random_new("random_takes");
	static int64_t taken[100000];
	size_t nr = 0, first = 0;
	int64_t now_ms = 0;
	struct rate r;

	rate_init(&r, 20);
	for (int i = 0; i < 50000; i++) {
		int64_t wait_ms;

		now_ms += (int64_t)unit_random_below(&random, 200000);
		wait_ms = take(&r, shop, now_ms);
		while (first < nr && taken[first] <= now_ms - CLOCK_HOUR_MS)
			first++;
		if (wait_ms == 0)
			taken[nr++] = now_ms;
		ck_assert_uint_le(nr - first, 40);
		ck_assert(wait_ms == 0 || nr - first >= 20);
		ck_assert_int_le(wait_ms, 180000);
	}
	ck_assert_int_le((int64_t)nr, 20 + now_ms / 180000);
	rate_fini(&r);
}
END_TEST

START_TEST(a_successor_knows)
{
	struct rate r;
	int nr = 0;

	rate_init(&r, 60);
	for (int i = 0; i < 60; i++)
		rate_charge(&r, shop, 0, 1800000); /* sixty, half an hour ago */
	rate_charge(&r, shop, -3600000, 1800000);
	while (take(&r, shop, 1800000) == 0)
		nr++;
	ck_assert_int_eq(nr, 30);
	rate_reset(&r);
	ck_assert_int_eq(take(&r, shop, 1800000), 0);
	rate_fini(&r);
}
END_TEST

START_TEST(who_waits_is_told_once_an_hour)
{
	struct rate r;
	char site[CONTROL_SITE_MAX + 1];
	uint64_t times;

	rate_init(&r, 1);
	take(&r, shop, 0);
	ck_assert(!rate_next_limited(&r, 0, site, &times));
	take(&r, shop, 0);
	take(&r, shop, 0);
	ck_assert(rate_next_limited(&r, 0, site, &times));
	ck_assert_str_eq(site, "shop");
	ck_assert_uint_eq(times, 2);
	ck_assert(!rate_next_limited(&r, 0, site, &times));
	take(&r, shop, 1000);
	ck_assert(!rate_next_limited(&r, 1000, site, &times));
	ck_assert(rate_next_limited(&r, 3600000, site, &times));
	ck_assert_uint_eq(times, 1);
	rate_fini(&r);
}
END_TEST

/* Sites that are quiet again are forgotten when there are too many; one too many that are not is not limited. */
START_TEST(bounded)
{
	struct rate r;
	char site[16];

	rate_init(&r, 1);
	for (int i = 0; i < RATE_SITES_MAX; i++) {
		snprintf(site, sizeof(site), "s%d", i);
		ck_assert_int_eq(take(&r, str_from(site), i < 1000 ? 0 : 1), 0);
	}
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(take(&r, shop, 3599999), 0);
	ck_assert_uint_eq(r.sites.len, RATE_SITES_MAX);
	ck_assert_int_eq(take(&r, shop, 3600000), 0);
	ck_assert_int_eq(take(&r, shop, 3600000), 3600000);
	ck_assert_uint_eq(r.sites.len, RATE_SITES_MAX - 1000 + 1);
	rate_fini(&r);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("rate");
	TCase *tc = tcase_create("rate");

	tcase_add_test(tc, no_limit);
	tcase_add_test(tc, an_hour);
	tcase_add_test(tc, random_takes);
	tcase_add_test(tc, a_successor_knows);
	tcase_add_test(tc, who_waits_is_told_once_an_hour);
	tcase_add_test(tc, bounded);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
