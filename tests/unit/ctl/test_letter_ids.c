/* test_letter_ids.c - ids of dead letters as operators type them, against a plain list of what they name. */
#include "deploy/ctl/letter_ids.h"

#include <string.h>

#include "tests/unit/unit.h"

enum { NUMBERS = 60, CASES = 500 };

static const struct { const char *text, *ids; } good[] = {
	{"0", "0"}, {"12", "12"}, {"12-14", "12-14"}, {"7-7", "7"}, {"1,2,5-7", "1,2,5-7"}, {"9,3", "9,3"},
	{"9223372036854775807", "9223372036854775807"}, {"0-9223372036854775807", "0-9223372036854775807"},
};

START_TEST(good_ones)
{
	struct letter_ids ids = LETTER_IDS_INIT;
	struct buf out = BUF_INIT;
	struct err err = ERR_INIT;

	ck_assert_msg(letter_ids_parse(&ids, str_from(good[_i].text), &err) == 0, "%s", err.msg);
	letter_ids_print(&ids, &out);
	ck_assert_msg(str_eq(buf_str(&out), str_from(good[_i].ids)), STR_FMT, STR_ARG(buf_str(&out)));
	buf_fini(&out);
	letter_ids_fini(&ids);
}
END_TEST

static const char *const bad[] = {"", "x", "-1", "1-", "-", "3-2", "1,", ",1", "1,,2", "1 2", " 1", "1-2-3", "1.5", "01", "+1", "1--2", "0x1",
				  "9223372036854775808", "1,2,x", "1\n"};

START_TEST(bad_ones)
{
	struct letter_ids ids = LETTER_IDS_INIT;
	struct err err = ERR_INIT;

	ck_assert_int_eq(letter_ids_add(&ids, 77, &err), 0);
	ck_assert_msg(letter_ids_parse(&ids, str_from(bad[_i]), &err) == -1, "taken: %s", bad[_i]);
	ck_assert(err.kind == ERR_REJECT && ids.nr == 1 && letter_ids_has(&ids, 77) && !letter_ids_has(&ids, 1));
	letter_ids_fini(&ids);
}
END_TEST

/* What was added is there and nothing else, and is read back from its text. */
START_TEST(same_as_a_list)
{
	struct unit_random dice = unit_random_new("ids");

	for (int i = 0; i < CASES; i++) {
		struct letter_ids ids = LETTER_IDS_INIT, back = LETTER_IDS_INIT;
		struct buf text = BUF_INIT;
		bool there[NUMBERS] = {false};
		int64_t id = 0, min = NUMBERS, max = -1;

		do {
			id = (int64_t)unit_random_below(&dice, 3) && id + 1 < NUMBERS ? id + 1 : (int64_t)unit_random_below(&dice, NUMBERS);
			ck_assert_int_eq(letter_ids_add(&ids, id, NULL), 0);
			there[id] = true;
			min = id < min ? id : min;
			max = id > max ? id : max;
		} while (unit_random_below(&dice, 20));
		ck_assert(letter_ids_min(&ids) == min && letter_ids_max(&ids) == max);
		letter_ids_print(&ids, &text);
		ck_assert_int_eq(letter_ids_parse(&back, buf_str(&text), NULL), 0);
		for (int n = 0; n < NUMBERS; n++)
			ck_assert(letter_ids_has(&ids, n) == there[n] && letter_ids_has(&back, n) == there[n]);
		letter_ids_fini(&ids);
		letter_ids_fini(&back);
		buf_fini(&text);
	}
}
END_TEST

START_TEST(followers_make_one_range)
{
	struct letter_ids ids = LETTER_IDS_INIT;

	for (int64_t id = 5; id < 1000; id++)
		ck_assert_int_eq(letter_ids_add(&ids, id, NULL), 0);
	ck_assert_uint_eq(ids.nr, 1);
	letter_ids_clear(&ids);
	ck_assert(!letter_ids_has(&ids, 5));
	letter_ids_fini(&ids);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ctl/letter_ids");
	TCase *tc = tcase_create("letter_ids");

	tcase_add_loop_test(tc, good_ones, 0, (int)NR(good));
	tcase_add_loop_test(tc, bad_ones, 0, (int)NR(bad));
	tcase_add_test(tc, same_as_a_list);
	tcase_add_test(tc, followers_make_one_range);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
