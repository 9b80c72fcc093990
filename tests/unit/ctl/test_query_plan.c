/* test_query_plan.c - which cells and partitions are read: routes by the time they were in force, and the partitions that the site owned by them. */
#include "deploy/ctl/query_plan.h"

#include <string.h>

#include "common/route.h"
#include "tests/unit/unit.h"

#define HOUR CLOCK_HOUR_MS
#define T0 (INT64_C(1000000) * HOUR)

/* main has 12 partitions, eu 4; lost is a cell that is gone. */
static int32_t partitions_of(void *ctx, struct str cell)
{
	(void)ctx;
	return str_eq(cell, STR("main")) ? 12 : str_eq(cell, STR("eu")) ? 4 : 0;
}

static const struct route routes[] = {{.effective_from = 0, .cell = {"main", 4}, .shards = 2}, {.effective_from = T0, .cell = {"lost", 4}, .shards = 2},
				{.effective_from = T0 + HOUR, .cell = {"eu", 2}, .shards = 3}, {.effective_from = T0 + 100 * HOUR, .cell = {"main", 4}, .shards = 5}};
static const struct site site = {.id = {"shop", 4}, .routes = (struct route *)routes, .routes_len = NR(routes)};

/* Which routes count, as bits; a route is looked at when its shards are among the places. */
static const struct { int64_t from_ms, to_ms; unsigned routes; } spans[] = {
	{T0 - 99 * HOUR, T0 - 98 * HOUR, 1},
	{T0 - 49 * HOUR, T0 - 48 * HOUR, 1},                                  /* a payload that is 48 h late comes just before the second route */
	{T0 - 48 * HOUR, T0 - 47 * HOUR + 1, 1 | 4},                          /* or after the third has begun */
	{T0 + 70 * 60000, T0 + 2 * HOUR, 4},                                  /* ten minutes ahead is no longer the second's */
	{T0 + 50 * HOUR, T0 + 51 * HOUR, 4},
	{T0 + 51 * HOUR, T0 + 52 * HOUR + 1, 4 | 8},
	{T0 + 100 * HOUR + 599999, T0 + 101 * HOUR, 4 | 8},                   /* a clock that was ahead by ten minutes */
	{T0 + 100 * HOUR + 600000, T0 + 101 * HOUR, 8},
	{T0 + 9000 * HOUR, T0 + 9001 * HOUR, 8},
	{0, T0 + 9001 * HOUR, 1 | 4 | 8},
};

static bool has(const struct query_place *places, size_t nr, struct str cell, int32_t partition)
{
	size_t found = 0;

	for (size_t i = 0; i < nr; i++)
		found += str_eq(places[i].cell, cell) && places[i].partition == partition;
	ck_assert_uint_le(found, 1);
	return found == 1;
}

START_TEST(places)
{
	struct arena arena = ARENA_INIT;
	struct err err = ERR_INIT;
	struct query_place *got;
	size_t nr, wanted = 0;

	ck_assert_int_eq(query_plan(&site, spans[_i].from_ms, spans[_i].to_ms, partitions_of, NULL, &arena, &got, &nr, &err), 0);
	for (size_t c = 0; c < 2; c++) {
		struct str cell = c ? STR("eu") : STR("main");

		for (int32_t p = 0; p < 12; p++) {
			bool want = false;

			for (size_t r = 0; r < NR(routes); r++) {
				int32_t owned[8];
				size_t n = str_eq(routes[r].cell, cell) ? route_site_partitions(site.id, partitions_of(NULL, cell), routes[r].shards, owned) : 0;

				for (size_t i = 0; i < n; i++)
					want |= (spans[_i].routes >> r & 1) && owned[i] == p;
			}
			ck_assert_msg(has(got, nr, cell, p) == want, "case %d: " STR_FMT "/%d", _i, STR_ARG(cell), (int)p);
			wanted += want;
		}
	}
	ck_assert_uint_eq(nr, wanted);
	arena_fini(&arena);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ctl/query_plan");
	TCase *tc = tcase_create("query_plan");

	tcase_add_loop_test(tc, places, 0, NR(spans));
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
