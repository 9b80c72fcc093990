/* test_verify_report.c - the words for a difference, and the same as JSON. */
#include "deploy/ctl/verify_report.h"

#include <stdlib.h>
#include <string.h>

#include "deploy/ctl/verify_raw.h"
#include "tests/unit/unit.h"

#define H INT64_C(1795701600000) /* 2026-11-26T14:00:00Z */

struct fixture {
	struct ctl ctl;
	struct verify_sheet sheet;
	struct verify_report report;
	struct verify_tally tally;
	struct verify_stock stock;
	struct verify_result result;
	char *text;
	size_t len;
};

static void fixture_init(struct fixture *f, bool json, int64_t limit)
{
	*f = (struct fixture){.sheet = {.hour_ms = H}, .tally = {.samples = 5, .records = 4, .duplicates = 1}, .stock = {.documents = 3},
			      .result = {.series = 2, .windows = 6, .differ = 2}};
	f->ctl.json = json;
	f->ctl.out = open_memstream(&f->text, &f->len);
	f->report = (struct verify_report){.ctl = &f->ctl, .cell = "main", .sheet = &f->sheet, .limit = limit};
	verify_report_begin(&f->report);
}

static void fixture_end(struct fixture *f, const char *const *notes, size_t nr_notes)
{
	const struct verify_figures figures = {.tally = &f->tally, .stock = &f->stock, .result = &f->result, .notes = notes,
					       .nr_notes = nr_notes};

	ck_assert_int_eq(verify_report_end(&f->report, &figures, NULL), 0);
	fclose(f->ctl.out);
}

static void fixture_fini(struct fixture *f)
{
	verify_sheet_fini(&f->sheet);
	free(f->text);
}

/* Tells of a series with two tags, one of which would clear the screen. */
static void tell(struct fixture *f, const struct verify_window *expected, const struct verify_window *stored, unsigned bits, bool total,
		 int slot)
{
	const struct tag tags[] = {{STR("host"), STR("a\033[2J")}, {STR("zone"), STR("b")}};
	struct verify_series series = {.id = {.site = STR("shop"), .kind = SERIES_KIND_GAUGE, .name = STR("load"), .tags = tags,
					      .tags_len = 2}};
	const struct verify_difference d = {.series = &series, .total = total, .slot = slot, .bits = bits, .expected = expected,
					    .stored = stored};

	verify_report_difference(&f->report, &d);
}

static const struct verify_window twelve = {.count = 12, .sum = 3.5L, .has_min = true, .min = 1, .has_last = true, .last = 2,
					    .last_at_ms = H + 1};
static const struct verify_window eleven = {.count = 11, .sum = 3, .has_min = true, .min = 1.5, .has_max = true, .max = 4,
					    .approximate = true};

START_TEST(lines_for_people)
{
	static const char *const notes[] = {"something to know"};
	static const char *const wanted[] = {
		"shop gauge load{host=a?[2J,zone=b}, minute 2026-11-26T14:03:00.000Z: count 11, expected 12; sum 3, expected 3.5; min 1.5, expected 1; "
		"max 4, expected unknown; last unknown, expected 2 at 2026-11-26T14:00:00.001Z; approximate true, expected false\n",
		"hour 2026-11-26T14:00:00.000Z: nothing is stored, expected count 12, sum 3.5\n",
		": count 11, sum 3 is stored, expected nothing\n",
		"shop gauge all series together, minute 2026-11-26T14:59:00.000Z: count 11, expected 12\n",
		": count 12, expected at most 11\n",
		"(1 more: --limit)\n",
		"cell main, hour 2026-11-26T14:00:00.000Z: 2 series, 6 windows compared: 2 differ\n",
		"5 samples of the hour in 4 raw records (1 of them second copies, 0 unusable), 3 documents\nnote: something to know\n",
	};
	struct fixture f;

	fixture_init(&f, false, 5);
	tell(&f, &twelve, &eleven, 0x7f & ~(unsigned)VERIFY_BUCKETS, false, 3);
	tell(&f, &twelve, NULL, VERIFY_COUNT, false, VERIFY_HOUR_SLOT);
	tell(&f, NULL, &eleven, VERIFY_COUNT, false, 0);
	tell(&f, &twelve, &eleven, VERIFY_COUNT, true, 59);
	tell(&f, &eleven, &twelve, 0, false, 0);
	tell(&f, &twelve, &eleven, VERIFY_COUNT, false, 3);
	fixture_end(&f, notes, 1);
	for (size_t i = 0; i < NR(wanted); i++)
		ck_assert_msg(strstr(f.text, wanted[i]) != NULL, "%s is not in\n%s", wanted[i], f.text);
	ck_assert(!strchr(f.text, '\033'));
	fixture_fini(&f);
}
END_TEST

START_TEST(unfinished_business_is_in_the_line)
{
	struct fixture f;

	fixture_init(&f, false, 5);
	f.result.waiting = 4;
	fixture_end(&f, NULL, 0);
	ck_assert_msg(strstr(f.text, ": 2 differ, 4 are not complete yet\n") != NULL, "%s", f.text);
	fixture_fini(&f);
}
END_TEST

START_TEST(json_for_scripts)
{
	static const char *const wanted[] = {"\"name\": \"load\"", "\"window\": \"minute\"", "\"start\": \"2026-11-26T14:03:00.000Z\"",
					     "\"sum\": 3.5", "\"last_at\": 1795701600001",
					     "\"cell\": \"main\"", "\"differ\": 2", "\"second_copies\": 1", "\"all_series\": false"};
	struct fixture f;

	fixture_init(&f, true, 1);
	tell(&f, &twelve, &eleven, VERIFY_COUNT, false, 3);
	tell(&f, &twelve, &eleven, VERIFY_SUM, false, 4);
	fixture_end(&f, NULL, 0);
	for (size_t i = 0; i < NR(wanted); i++)
		ck_assert_msg(strstr(f.text, wanted[i]) != NULL, "%s is not in\n%s", wanted[i], f.text);
	ck_assert_msg(!strstr(f.text, "14:04:00"), "beyond the limit: %s", f.text);
	fixture_fini(&f);
}
END_TEST

START_TEST(times_go_back_to_the_wall)
{
	const struct clock wall = {0}, fast = {.test = true, .start_ms = H, .real_ms = 1000000, .speed = 60};
	int64_t back = verify_raw_wall_ms(&fast, H + 60000);

	ck_assert_int_eq(verify_raw_wall_ms(&wall, H), H);
	ck_assert_msg(back <= 1001000 && back >= 1000998, "%lld", (long long)back);
	ck_assert(clock_map_ms(&fast, back) <= H + 60000); /* never too late: a record would be missed */
	ck_assert_int_lt(verify_raw_wall_ms(&fast, H - 60000), 999001);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ctl/verify_report");
	TCase *tc = tcase_create("verify_report");

	tcase_add_test(tc, lines_for_people);
	tcase_add_test(tc, unfinished_business_is_in_the_line);
	tcase_add_test(tc, json_for_scripts);
	tcase_add_test(tc, times_go_back_to_the_wall);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
