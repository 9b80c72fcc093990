/* test_site_limits.c - what a Site record says of its series, as a partition's share. */
#include "processor/site_limits.h"

#include <stdio.h>

#include "processor/series_caps.h"
#include "schemas/schemas.h"
#include "tests/unit/unit.h"

/* A record whose routes are cells "a" and "b" in turn, ending with the shards given; series_cap < 0: a tombstone. */
static int take(struct site_limits *l, const char *id, int32_t series_cap, size_t nr_routes, int32_t shards)
{
	struct route routes[4];
	struct site site = {.id = str_from(id), .name = STR("n"), .routes = routes, .routes_len = nr_routes, .series_cap = series_cap};
	struct table_row row = {.key = str_from(id)};
	struct buf bytes = BUF_INIT;
	struct err err = ERR_INIT;
	int rc;

	for (size_t i = 0; i < nr_routes; i++)
		routes[i] = (struct route){.effective_from = (int64_t)i * 60000, .cell = i % 2 ? STR("b") : STR("a"), .shards = shards + (int32_t)i};
	ck_assert_int_eq(site_encode(&site, &bytes, &err), 0);
	if (series_cap >= 0)
		row.value = buf_str(&bytes);
	rc = site_limits_take(l, &row, &err);
	buf_fini(&bytes);
	return rc;
}

static const struct {
	int32_t series_cap;
	size_t nr_routes;
	int32_t shards;
	int64_t limit;
} records[] = {
	{100, 1, 2, 50}, {100, 1, 3, 34}, {1, 1, 8, 1}, {INT32_MAX, 1, 1, INT32_MAX}, /* shares, rounded up */
	{0, 1, 2, 0}, {-1, 1, 2, 0},                                                  /* no cap, and no record */
	{100, 3, 2, 25}, {100, 2, 2, 50},                                             /* the last route to this cell, which is "a" */
	{100, 1, 0, 0}, {100, 1, -5, 0}, {100, 0, 2, 0},                              /* nobody's partitions: nothing to share */
};

START_TEST(a_cap_is_shared_among_the_sites_partitions)
{
	struct site_limits l = SITE_LIMITS_INIT;

	l.cell = "a";
	ck_assert_int_eq(take(&l, "shop", 77, 1, 1), 0);
	ck_assert_int_eq(take(&l, "shop", records[_i].series_cap, records[_i].nr_routes, records[_i].shards), 0);
	ck_assert_int_eq(site_limits_get(&l, STR("shop")), records[_i].limit);
	ck_assert_int_eq(site_limits_get(&l, STR("sho")), 0);
	ck_assert_uint_eq(l.by_site.len, records[_i].limit ? 1 : 0);
	site_limits_fini(&l);
	ck_assert_int_eq(site_limits_get(NULL, STR("shop")), 0);
}
END_TEST

/* What cannot be read leaves what was known. */
START_TEST(a_bad_row_changes_nothing)
{
	struct site_limits l = SITE_LIMITS_INIT;
	struct err err = ERR_INIT;

	l.cell = "a";
	ck_assert_int_eq(take(&l, "shop", 10, 1, 1), 0);
	ck_assert_int_eq(site_limits_take(&l, &(struct table_row){.key = STR("shop"), .value = STR("\0\0\0\0\1junk")}, &err), -1);
	ck_assert_int_eq(site_limits_get(&l, STR("shop")), 10);
	site_limits_fini(&l);
}
END_TEST

/* How many of so many series a site gets. */
static int admitted(struct series_caps *c, const char *site, int tried)
{
	int nr = 0;

	for (int i = 0; i < tried; i++) {
		struct series_id id = {.site = str_from(site), .name = STR("s")};
		size_t nr_new = 0;

		if (series_caps_admit(c, &id, &nr_new) != SERIES_ADMITTED)
			continue;
		ck_assert_int_eq(series_caps_enter(c, id.site, false), 0);
		nr++;
	}
	return nr;
}

/* A site's own cap counts instead of the settings', higher or lower; what its record says later, from the next closing on. */
START_TEST(caps_go_by_the_sites_own)
{
	struct site_limits l = SITE_LIMITS_INIT;
	struct series_caps c = {.limits = &l, .site_max = 20};

	l.cell = "a";
	ck_assert_int_eq(take(&l, "small", 10, 1, 2), 0);
	ck_assert_int_eq(take(&l, "large", 100, 1, 2), 0);
	ck_assert_int_eq(admitted(&c, "small", 60), 5);
	ck_assert_int_eq(admitted(&c, "large", 60), 50);
	ck_assert_int_eq(admitted(&c, "other", 60), 20);
	ck_assert_int_eq(take(&l, "small", 16, 1, 2), 0);
	ck_assert_int_eq(take(&l, "large", -1, 1, 2), 0);
	ck_assert_int_eq(take(&l, "other", 44, 1, 2), 0);
	ck_assert_int_eq(admitted(&c, "small", 60) + admitted(&c, "large", 60) + admitted(&c, "other", 60), 0);
	series_caps_close(&c, 0, 60, 0);
	ck_assert_int_eq(admitted(&c, "small", 60), 3);
	ck_assert_int_eq(admitted(&c, "large", 60), 10);
	ck_assert_int_eq(admitted(&c, "other", 60), 2);
	series_caps_fini(&c);
	site_limits_fini(&l);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("site limits");
	TCase *tc = tcase_create("limits");

	tcase_add_loop_test(tc, a_cap_is_shared_among_the_sites_partitions, 0, NR(records));
	tcase_add_test(tc, a_bad_row_changes_nothing);
	tcase_add_test(tc, caps_go_by_the_sites_own);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
