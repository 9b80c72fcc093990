/* test_letter_tally.c - dead letters counted by topic and code, and where counting ends. */
#include "deploy/ctl/letter_tally.h"

#include <string.h>

#include "tests/unit/unit.h"

static bool add(struct letter_tally *t, const char *topic, const char *code, enum letter_state state, size_t bytes)
{
	static const char record[1];
	const struct letter_mark mark = {.state = state};
	struct letter letter = {.mark = state == LETTER_OPEN ? NULL : &mark, .fault = topic ? NULL : "junk"};

	letter.record = (struct dead_letter){.topic = str_from(topic ? topic : ""), .code = str_from(code), .value = {record, bytes}};
	return letter_tally_add(t, &letter);
}

START_TEST(by_topic_and_code)
{
	struct letter_tally t = {0};

	ck_assert(add(&t, "a", "x", LETTER_OPEN, 1) && add(&t, "a", "y", LETTER_OPEN, 1) && add(&t, "b", "x", LETTER_DROPPED, 1));
	ck_assert(add(&t, "a", "x", LETTER_RETRIED, 1) && add(&t, "a", "x", LETTER_OPEN, 1) && add(&t, NULL, "", LETTER_OPEN, 1));
	ck_assert_uint_eq(t.last_hour, 6);
	ck_assert_uint_eq(t.open, 4);
	ck_assert_uint_eq(t.nr_rows, 4);
	ck_assert_str_eq(t.rows[0].topic, "a");
	ck_assert_str_eq(t.rows[0].code, "x");
	ck_assert_uint_eq(t.rows[0].letters, 3);
	ck_assert_uint_eq(t.rows[0].open, 2);
	ck_assert_uint_eq(t.rows[2].open, 0);
	ck_assert_str_eq(t.rows[3].topic, "?");
	ck_assert_str_eq(t.rows[3].code, "unreadable");
	ck_assert(!t.partial);
}
END_TEST

START_TEST(kinds_beyond_the_rows_are_counted)
{
	struct letter_tally t = {0};
	char code[8];

	for (int i = 0; i < LETTER_TALLY_ROWS + 3; i++) {
		snprintf(code, sizeof(code), "c%d", i);
		ck_assert(add(&t, "a", code, LETTER_OPEN, 1));
	}
	ck_assert(add(&t, "a", "c0", LETTER_OPEN, 1));
	ck_assert_uint_eq(t.nr_rows, LETTER_TALLY_ROWS);
	ck_assert_uint_eq(t.others, 3);
	ck_assert_uint_eq(t.rows[0].letters, 2);
	ck_assert_uint_eq(t.last_hour, LETTER_TALLY_ROWS + 4);
}
END_TEST

START_TEST(an_end_is_kept)
{
	struct letter_tally t = {0};

	for (int i = 1; i < LETTER_TALLY_LETTERS_MAX; i++)
		ck_assert(add(&t, "a", "x", LETTER_OPEN, 1));
	ck_assert(!t.partial);
	ck_assert(!add(&t, "a", "x", LETTER_OPEN, 1));
	ck_assert(t.partial);
	t = (struct letter_tally){0};
	ck_assert(add(&t, "a", "x", LETTER_OPEN, LETTER_TALLY_BYTES_MAX - 1));
	ck_assert(!add(&t, "a", "x", LETTER_OPEN, 1) && t.partial);
}
END_TEST

/* What a program of anybody's wrote as a topic and a code fits. */
START_TEST(long_names_are_cut)
{
	struct letter_tally t = {0};
	char name[4000];

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	ck_assert(add(&t, name, name, LETTER_OPEN, 1) && add(&t, name, name, LETTER_OPEN, 1));
	ck_assert_uint_eq(t.nr_rows, 1);
	ck_assert_uint_eq(strlen(t.rows[0].topic), sizeof(t.rows[0].topic) - 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ctl/letter_tally");
	TCase *t = tcase_create("letter_tally");

	tcase_add_test(t, by_topic_and_code);
	tcase_add_test(t, kinds_beyond_the_rows_are_counted);
	tcase_add_test(t, an_end_is_kept);
	tcase_add_test(t, long_names_are_cut);
	suite_add_tcase(s, t);
	return unit_main(s);
}
