/* test_verify_sheet.c - series are listed in one order, however they came: a table in that order, written down by hand and put in shuffled. */
#include "deploy/ctl/verify_sheet.h"

#include <string.h>

#include "tests/unit/unit.h"

enum { MINUTE = 60000, ROUNDS = 50 };
#define H INT64_C(1795701600000) /* 2026-11-26T14:00:00Z */

/* Up to two tags: a tag ends the list where its key is NULL. */
static const struct { const char *site, *name; uint8_t kind; const char *tags[4]; } in_order[] = {
	{"a", "z", SERIES_KIND_DISTRIBUTION, {"z", "z"}}, /* the site goes first, */
	{"b", "y", SERIES_KIND_COUNTER, {"k", "v"}},      /* then the kind, */
	{"b", "a", SERIES_KIND_GAUGE, {NULL}},            /* then the name, */
	{"b", "b", SERIES_KIND_GAUGE, {NULL}},            /* and of one name who has fewer tags: */
	{"b", "b", SERIES_KIND_GAUGE, {"host", "a"}},
	{"b", "b", SERIES_KIND_GAUGE, {"host", "a", "zone", "1"}},
	{"b", "b", SERIES_KIND_GAUGE, {"host", "a", "zone", "2"}},
	{"b", "b", SERIES_KIND_GAUGE, {"host", "b"}},     /* an earlier tag outweighs a later one and their number */
	{"b", "b", SERIES_KIND_GAUGE, {"host", "b", "area", "9"}},
	{"b", "b", SERIES_KIND_GAUGE, {"host", "ba"}},
	{"b", "b", SERIES_KIND_GAUGE, {"host", "\xc3\xa4"}}, /* by bytes, unsigned */
	{"b", "b", SERIES_KIND_GAUGE, {"hosts", "a"}},    /* a key outweighs its value */
	{"b", "b", SERIES_KIND_GAUGE, {"zone", ""}},
	{"b", "ba", SERIES_KIND_GAUGE, {NULL}},
};

static struct verify_series *put(struct verify_sheet *s, size_t row)
{
	struct tag tags[2];
	struct series_id id = {.site = str_from(in_order[row].site), .kind = in_order[row].kind, .name = str_from(in_order[row].name), .tags = tags};
	struct verify_series *series;

	for (; id.tags_len < 2 && in_order[row].tags[2 * id.tags_len]; id.tags_len++)
		tags[id.tags_len] = (struct tag){str_from(in_order[row].tags[2 * id.tags_len]), str_from(in_order[row].tags[2 * id.tags_len + 1])};
	series = verify_sheet_series(s, &id, NULL);
	memset(tags, 0xff, sizeof(tags)); /* they are the sheet's own by now */
	ck_assert_ptr_nonnull(series);
	return series;
}

static void shuffle(size_t *rows, size_t nr, struct unit_random *r)
{
	for (size_t i = 0; i < nr; i++)
		rows[i] = i;
	for (size_t i = nr; i > 1; i--) {
		size_t other = (size_t)unit_random_below(r, i), kept = rows[i - 1];

		rows[i - 1] = rows[other];
		rows[other] = kept;
	}
}

START_TEST(series_are_listed_by_site_kind_name_and_tags)
{
	struct unit_random r = unit_random_new("series_are_listed_by_site_kind_name_and_tags");

	for (int round = 0; round < ROUNDS; round++) {
		struct verify_sheet s = {.hour_ms = H};
		struct verify_series *made[NR(in_order)], **list;
		size_t rows[NR(in_order)], nr;

		shuffle(rows, NR(rows), &r);
		for (size_t i = 0; i < NR(rows); i++)
			made[rows[i]] = put(&s, rows[i]);
		for (size_t i = 0; i < NR(rows); i++)
			ck_assert_msg(put(&s, i) == made[i], "row %zu is made twice", i);
		list = verify_sheet_list(&s, &nr, NULL);
		ck_assert_ptr_nonnull(list);
		ck_assert_uint_eq(nr, NR(rows));
		for (size_t i = 0; i < nr; i++)
			ck_assert_msg(list[i] == made[i], "round %d: another series stands at place %zu", round, i);
		free(list);
		verify_sheet_fini(&s);
	}
}
END_TEST

START_TEST(slots_of_an_hour)
{
	static const struct { int64_t t_ms; int slot; } cases[] = {
		{H - 1, -1}, {H, 0}, {H + MINUTE - 1, 0}, {H + MINUTE, 1}, {H + 60 * MINUTE - 1, 59}, {H + 60 * MINUTE, -1}, {INT64_MIN, -1},
		{INT64_MAX, -1},
	};
	const struct verify_sheet s = {.hour_ms = H};

	for (size_t i = 0; i < NR(cases); i++)
		ck_assert_int_eq(verify_sheet_slot(&s, cases[i].t_ms), cases[i].slot);
	ck_assert(verify_sheet_start(&s, 59) == H + 59 * MINUTE && verify_sheet_start(&s, VERIFY_HOUR_SLOT) == H);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ctl/verify_sheet");
	TCase *tc = tcase_create("verify_sheet");

	tcase_add_test(tc, series_are_listed_by_site_kind_name_and_tags);
	tcase_add_test(tc, slots_of_an_hour);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
