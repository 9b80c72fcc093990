/* test_verify_compare.c - which windows are held to differ, to be on their way, or to be what a cap made of them; and the sheet they
 * stand in. */
#include "deploy/ctl/verify_compare.h"

#include <string.h>

#include "tests/unit/unit.h"

enum { MIN = 60000, HOUR = 60 * MIN, TOLD_MAX = 8 };

#define H (INT64_C(500) * HOUR)
#define LONG_AFTER (H + 10 * (int64_t)HOUR)

struct told {
	size_t nr;
	struct verify_difference at[TOLD_MAX]; /* the windows of a total are gone by now */
	int64_t expected[TOLD_MAX];
};

static void on_difference(void *ctx, const struct verify_difference *d)
{
	struct told *t = ctx;

	if (t->nr < TOLD_MAX) {
		t->at[t->nr] = *d;
		t->expected[t->nr] = d->expected ? d->expected->count : 0;
	}
	t->nr++;
}

static struct verify_window *put(struct verify_sheet *s, const char *site, uint8_t kind, const char *name, enum verify_side side, int slot,
				 double v)
{
	struct series_id id = {.site = str_from(site), .kind = kind, .name = str_from(name)};
	struct verify_window *w = verify_sheet_window(s, verify_sheet_series(s, &id, NULL), side, slot, NULL);

	ck_assert(w && verify_window_add_value(w, kind == SERIES_KIND_DISTRIBUTION, H + slot * MIN, v) == 0);
	w->newest_ms = H + slot * MIN;
	return w;
}

static void both(struct verify_sheet *s, const char *site, uint8_t kind, const char *name, int slot, double v)
{
	put(s, site, kind, name, VERIFY_EXPECTED, slot, v);
	put(s, site, kind, name, VERIFY_STORED, slot, v);
}

static struct verify_result judge(const struct verify_sheet *s, int64_t now_ms, bool behind, struct told *told)
{
	const struct verify_rules rules = {.now_ms = now_ms, .behind = behind};
	struct verify_result result;

	*told = (struct told){0};
	ck_assert_int_eq(verify_compare(s, &rules, on_difference, told, &result, NULL), 0);
	ck_assert_uint_eq(result.differ, told->nr);
	return result;
}

START_TEST(differences_come_in_order)
{
	struct verify_sheet s = {.hour_ms = H};
	struct verify_result r;
	struct told t;

	both(&s, "b", 0, "same", 3, 1);
	both(&s, "b", 2, "same", 3, 1);
	put(&s, "b", 1, "lost", VERIFY_EXPECTED, 59, 1);
	put(&s, "a", 1, "z", VERIFY_STORED, VERIFY_HOUR_SLOT, 1);
	put(&s, "b", 0, "other", VERIFY_EXPECTED, 0, 1);
	put(&s, "b", 0, "other", VERIFY_STORED, 0, 2);
	r = judge(&s, LONG_AFTER, false, &t);
	ck_assert(r.series == 5 && r.windows == 5 && r.differ == 3 && r.waiting == 0 && r.bounded == 0);
	ck_assert(str_eq(t.at[0].series->id.name, STR("z")) && !t.at[0].expected && t.at[0].slot == VERIFY_HOUR_SLOT);
	ck_assert(str_eq(t.at[1].series->id.name, STR("other")) && t.at[1].bits == (VERIFY_SUM | VERIFY_MIN | VERIFY_MAX | VERIFY_LAST));
	ck_assert(str_eq(t.at[2].series->id.name, STR("lost")) && !t.at[2].stored && (t.at[2].bits & VERIFY_COUNT));
	verify_sheet_fini(&s);
}
END_TEST

/* All of it is to be there ten minutes after the hour, and what came at or behind its minute's end 32 minutes after that. until:
 * minutes. */
static const struct { int64_t newest, now; bool behind, too_much; uint64_t differ, waiting; int until; } waits[] = {
	{H + 50 * MIN, H + 70 * MIN - 1, false, false, 0, 1, 70},
	{H + 50 * MIN, H + 70 * MIN, false, false, 1, 0, 0},
	{H + 51 * MIN - 1, H + 70 * MIN, false, false, 1, 0, 0},
	{H + 51 * MIN, H + 70 * MIN, false, false, 0, 1, 83},
	{H + 51 * MIN, H + 83 * MIN - 1, false, false, 0, 1, 83},
	{H + 51 * MIN, H + 83 * MIN, false, false, 1, 0, 0},
	{H + 51 * MIN, H + 71 * MIN, false, true, 1, 0, 0},
	{H + 50 * MIN, H + 500 * MIN, true, false, 0, 1, 0},
	{H + 50 * MIN, H + 500 * MIN, true, true, 1, 0, 0},
};

START_TEST(what_may_still_come)
{
	struct verify_sheet s = {.hour_ms = H};
	struct verify_result r;
	struct told t;

	both(&s, "a", 0, "n", 50, 1);
	put(&s, "a", 0, "n", waits[_i].too_much ? VERIFY_STORED : VERIFY_EXPECTED, 50, 1);
	put(&s, "a", 0, "n", VERIFY_EXPECTED, 50, 0)->newest_ms = waits[_i].newest;
	put(&s, "a", 0, "n", VERIFY_STORED, 50, 0);
	r = judge(&s, waits[_i].now, waits[_i].behind, &t);
	ck_assert_msg(r.differ == waits[_i].differ && r.waiting == waits[_i].waiting, "%d: %d, %d", _i, (int)r.differ, (int)r.waiting);
	ck_assert_int_eq(r.wait_until_ms, waits[_i].until ? H + waits[_i].until * MIN : 0);
	verify_sheet_fini(&s);
}
END_TEST

START_TEST(a_site_over_its_cap)
{
	struct verify_sheet s = {.hour_ms = H};
	struct verify_result r;
	struct told t;

	for (int slot = 0; slot <= VERIFY_HOUR_SLOT; slot += VERIFY_HOUR_SLOT) {
		both(&s, "a", 0, "kept", slot, 1);
		put(&s, "a", 0, "refused", VERIFY_EXPECTED, slot, 2);
		put(&s, "a", 0, "__overflow__", VERIFY_STORED, slot, 2);
	}
	both(&s, "a", 0, "kept", 5, 1);
	r = judge(&s, LONG_AFTER, false, &t);
	ck_assert(r.differ == 0 && r.bounded == 0 && r.windows == 7);
	put(&s, "a", 0, "__overflow__", VERIFY_STORED, 0, 2); /* too much in total */
	judge(&s, LONG_AFTER, false, &t);
	ck_assert(t.nr == 1 && t.at[0].total && t.at[0].slot == 0 && (t.at[0].bits & VERIFY_COUNT) && t.expected[0] == 2);
	verify_sheet_fini(&s);
}
END_TEST

START_TEST(the_cap_is_no_excuse)
{
	struct verify_sheet s = {.hour_ms = H};
	struct told t;

	put(&s, "a", 0, "kept", VERIFY_EXPECTED, 0, 2);
	put(&s, "a", 0, "refused", VERIFY_EXPECTED, 0, 2);
	put(&s, "a", 0, "refused", VERIFY_EXPECTED, 0, 2);
	put(&s, "a", 0, "kept", VERIFY_STORED, 0, 2);
	put(&s, "a", 0, "kept", VERIFY_STORED, 0, 2);
	put(&s, "a", 0, "__overflow__", VERIFY_STORED, 0, 2); /* the total is right, and this series has too much */
	put(&s, "a", 0, "elsewhere", VERIFY_EXPECTED, 1, 2);  /* a minute without overflow */
	put(&s, "a", 1, "elsewhere", VERIFY_EXPECTED, 0, 2);  /* a kind without */
	put(&s, "b", 0, "elsewhere", VERIFY_EXPECTED, 0, 2);  /* a site without */
	judge(&s, LONG_AFTER, false, &t);
	ck_assert_uint_eq(t.nr, 4);
	ck_assert(str_eq(t.at[0].series->id.name, STR("elsewhere")) && t.at[0].slot == 1);
	ck_assert(str_eq(t.at[1].series->id.name, STR("kept")) && t.at[1].bits == 0 && !t.at[1].total);
	verify_sheet_fini(&s);
}
END_TEST

START_TEST(cumulative_points_over_the_cap_are_bounded)
{
	struct verify_sheet s = {.hour_ms = H};
	struct series_id id = {.site = STR("a"), .name = STR("refused")};
	struct verify_result r;
	struct told t;

	put(&s, "a", 0, "refused", VERIFY_EXPECTED, 0, 2);
	put(&s, "a", 0, "refused", VERIFY_EXPECTED, 0, 2);
	put(&s, "a", 0, "__overflow__", VERIFY_STORED, 0, 2);
	verify_sheet_series(&s, &id, NULL)->cumulative = true;
	r = judge(&s, LONG_AFTER, false, &t);
	ck_assert(r.bounded == 1 && r.differ == 0);
	put(&s, "a", 0, "__overflow__", VERIFY_STORED, 0, 2);
	put(&s, "a", 0, "__overflow__", VERIFY_STORED, 0, 2);
	ck_assert_uint_eq(judge(&s, LONG_AFTER, false, &t).differ, 1);
	verify_sheet_fini(&s);
}
END_TEST

START_TEST(a_tagged_one_is_no_overflow)
{
	struct verify_sheet s = {.hour_ms = H};
	const struct tag tags[] = {{STR("a"), STR("b")}};
	struct series_id id = {.site = STR("a"), .name = STR("__overflow__"), .tags = tags, .tags_len = 1};
	struct verify_window *w = verify_sheet_window(&s, verify_sheet_series(&s, &id, NULL), VERIFY_STORED, 0, NULL);
	struct told t;

	verify_window_add_value(w, false, H, 1);
	put(&s, "a", 0, "n", VERIFY_EXPECTED, 0, 1);
	judge(&s, LONG_AFTER, false, &t);
	ck_assert_uint_eq(t.nr, 2);
	verify_sheet_fini(&s);
}
END_TEST

START_TEST(a_sheet_knows_its_slots)
{
	struct verify_sheet s = {.hour_ms = H};

	ck_assert(verify_sheet_slot(&s, H - 1) == -1 && verify_sheet_slot(&s, H) == 0 && verify_sheet_slot(&s, H + MIN - 1) == 0 &&
		  verify_sheet_slot(&s, H + MIN) == 1 &&
		  verify_sheet_slot(&s, H + HOUR - 1) == 59 && verify_sheet_slot(&s, H + HOUR) == -1);
	ck_assert(verify_sheet_start(&s, 7) == H + 7 * MIN && verify_sheet_start(&s, VERIFY_HOUR_SLOT) == H);
	put(&s, "a", 2, "n", VERIFY_EXPECTED, 0, 1);
	put(&s, "a", 2, "n", VERIFY_EXPECTED, 59, 2);
	ck_assert_int_eq(verify_sheet_add_up(&s, NULL), 0);
	put(&s, "a", 2, "n", VERIFY_STORED, 0, 1);
	put(&s, "a", 2, "n", VERIFY_STORED, 59, 2);
	{
		struct verify_window *hour = put(&s, "a", 2, "n", VERIFY_STORED, VERIFY_HOUR_SLOT, 1);
		struct told t;

		verify_window_add_value(hour, true, H + 59 * MIN, 2);
		hour->last_at_ms = H + 59 * MIN; /* put() dates it to the hour's end */
		hour->last = 2;
		ck_assert_uint_eq(judge(&s, LONG_AFTER, false, &t).differ, 0);
	}
	verify_sheet_fini(&s);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ctl/verify_compare");
	TCase *tc = tcase_create("verify_compare");

	tcase_add_test(tc, differences_come_in_order);
	tcase_add_loop_test(tc, what_may_still_come, 0, (int)NR(waits));
	tcase_add_test(tc, a_site_over_its_cap);
	tcase_add_test(tc, the_cap_is_no_excuse);
	tcase_add_test(tc, cumulative_points_over_the_cap_are_bounded);
	tcase_add_test(tc, a_tagged_one_is_no_overflow);
	tcase_add_test(tc, a_sheet_knows_its_slots);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
