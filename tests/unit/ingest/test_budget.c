/* test_budget.c - live data leaves backlog a tenth, backlog leaves live data half of what is free, and neither passes the whole. */
#include "ingest/budget.h"
#include "tests/unit/unit.h"

enum { TOTAL = 1000 };

/* The most that can be taken at once. */
static int64_t room(struct budget b, enum traffic kind)
{
	for (int64_t n = TOTAL; n > 0; n--)
		if (budget_take(&b, kind, n))
			return n;
	return 0;
}

static const struct {
	int64_t live, backlog; /* held */
	int64_t live_room, backlog_room;
} cases[] = {
	{0, 0, 900, 500},    {400, 0, 500, 300},  {900, 0, 0, 100}, {800, 0, 100, 100}, {799, 0, 101, 100},
	{0, 500, 500, 0},    {0, 100, 900, 400},  {900, 100, 0, 0}, {500, 500, 0, 0},   {600, 300, 100, 0},
	{600, 150, 250, 50}, {850, 50, 50, 50},
};

START_TEST(shares)
{
	struct budget b = {.total_bytes = TOTAL, .held_bytes = {cases[_i].live, cases[_i].backlog}};

	ck_assert_int_eq(room(b, TRAFFIC_LIVE), cases[_i].live_room);
	ck_assert_int_eq(room(b, TRAFFIC_BACKLOG), cases[_i].backlog_room);
	ck_assert(budget_take(&b, TRAFFIC_LIVE, 0) || cases[_i].live > 900);
	ck_assert(!budget_take(&b, TRAFFIC_LIVE, INT64_MAX));
	ck_assert_int_eq(b.held_bytes[TRAFFIC_LIVE], cases[_i].live); /* refused is not taken */
}
END_TEST

/* Whatever is taken and given in whatever order, the whole is never passed, and a tenth stays for backlog. */
START_TEST(never_more_than_all)
{
	struct unit_random r = unit_random_new("never_more_than_all");
	struct budget b = {.total_bytes = TOTAL};
	int64_t held[NR_TRAFFIC] = {0};

	for (int i = 0; i < 200000; i++) {
		enum traffic kind = unit_random_below(&r, 2) ? TRAFFIC_LIVE : TRAFFIC_BACKLOG;
		int64_t n = (int64_t)unit_random_below(&r, 300);

		if (unit_random_below(&r, 2)) {
			held[kind] += budget_take(&b, kind, n) ? n : 0;
		} else {
			n = n < held[kind] ? n : held[kind];
			budget_give(&b, kind, n);
			held[kind] -= n;
		}
		ck_assert_int_le(held[0] + held[1], TOTAL);
		ck_assert_int_le(held[TRAFFIC_LIVE], TOTAL - TOTAL / 10);
		ck_assert(b.held_bytes[0] == held[0] && b.held_bytes[1] == held[1]);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("budget");
	TCase *tc = tcase_create("budget");

	tcase_add_loop_test(tc, shares, 0, (int)NR(cases));
	tcase_add_test(tc, never_more_than_all);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
