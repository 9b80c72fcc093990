/* test_letter_marks.c - which notices mark which letters, and which marks are another topic's. */
#include "deploy/ctl/letter_marks.h"

#include "tests/unit/unit.h"

#define NOON INT64_C(1795372000000)

enum { FROM = 100, TO = 120 };

static const struct { const char *program, *event, *field, *value; enum letter_state at_105, at_110; } cases[] = {
	{"millrace-ctl", "deadletter_retried", "letters", "105", LETTER_RETRIED, LETTER_OPEN},
	{"millrace-ctl", "deadletter_dropped", "letters", "105-110", LETTER_DROPPED, LETTER_DROPPED},
	{"millrace-ctl", "deadletter_dropped", "letters", "3,110,5000", LETTER_OPEN, LETTER_DROPPED},
	{"millrace-ctl", "deadletter_dropped", "letters", "0-9223372036854775807", LETTER_DROPPED, LETTER_DROPPED},
	{"millrace-ctl", "deadletter_dropped", "letters", "120-9223372036854775807", LETTER_OPEN, LETTER_OPEN},
	{"millrace-ctl", "deadletter_dropped", "letters", "105,x", LETTER_OPEN, LETTER_OPEN},
	{"millrace-ctl", "deadletter_dropped", "letter", "105", LETTER_OPEN, LETTER_OPEN},
	{"millrace-ctl", "control_set", "letters", "105", LETTER_OPEN, LETTER_OPEN},
	{"millrace-sink", "deadletter_dropped", "letters", "105", LETTER_OPEN, LETTER_OPEN},
};

static struct notice make_notice(const char *program, const char *event, struct tag *field)
{
	return (struct notice){.at = NOON, .program = str_from(program), .event = str_from(event), .has_author = true, .author = STR("me"),
			       .fields = field, .fields_len = 1};
}

static enum letter_state state_at(const struct letter_marks *m, int64_t id)
{
	const struct letter_mark *mark = letter_marks_of(m, id, NOON);

	return mark ? mark->state : LETTER_OPEN;
}

START_TEST(each_case)
{
	struct tag field = {str_from(cases[_i].field), str_from(cases[_i].value)};
	struct notice notice = make_notice(cases[_i].program, cases[_i].event, &field);
	struct letter_marks m;

	ck_assert_int_eq(letter_marks_init(&m, FROM, TO, NULL), 0);
	ck_assert_int_eq(letter_marks_take(&m, &notice, NOON, NULL), 0);
	ck_assert(state_at(&m, 105) == cases[_i].at_105 && state_at(&m, 110) == cases[_i].at_110);
	ck_assert(!letter_marks_of(&m, FROM - 1, NOON) && !letter_marks_of(&m, TO, NOON) && !letter_marks_of(&m, -1, NOON));
	letter_marks_fini(&m);
}
END_TEST

START_TEST(the_last_one_counts)
{
	struct tag field = {STR("letters"), STR("105")};
	struct notice dropped = make_notice("millrace-ctl", "deadletter_dropped", &field), retried = make_notice("millrace-ctl", "deadletter_retried", &field);
	struct letter_marks m;

	ck_assert_int_eq(letter_marks_init(&m, FROM, TO, NULL), 0);
	ck_assert_int_eq(letter_marks_take(&m, &dropped, NOON, NULL), 0);
	retried.at = NOON + 5;
	retried.has_author = false;
	ck_assert_int_eq(letter_marks_take(&m, &retried, NOON, NULL), 0);
	ck_assert(state_at(&m, 105) == LETTER_RETRIED && letter_marks_of(&m, 105, NOON)->at_ms == NOON + 5);
	ck_assert_ptr_null(letter_marks_of(&m, 105, NOON)->author);
	letter_marks_fini(&m);
}
END_TEST

/* A mark that is older than the letter is of a topic that was made again since; clocks may differ a little. */
START_TEST(another_topics_mark)
{
	struct tag field = {STR("letters"), STR("105")};
	struct notice notice = make_notice("millrace-ctl", "deadletter_dropped", &field);
	struct letter_marks m;

	ck_assert_int_eq(letter_marks_init(&m, FROM, TO, NULL), 0);
	ck_assert_int_eq(letter_marks_take(&m, &notice, NOON, NULL), 0);
	ck_assert_str_eq(letter_marks_of(&m, 105, NOON + LETTER_MARKS_SLACK_MS)->author, "me");
	ck_assert_ptr_null(letter_marks_of(&m, 105, NOON + LETTER_MARKS_SLACK_MS + 1));
	letter_marks_fini(&m);
}
END_TEST

START_TEST(no_letters_no_marks)
{
	struct letter_marks m;

	ck_assert_int_eq(letter_marks_init(&m, 7, 7, NULL), 0);
	ck_assert_ptr_null(letter_marks_of(&m, 7, NOON));
	letter_marks_fini(&m);
	ck_assert_str_eq(letter_state_name(LETTER_OPEN), "open");
	ck_assert_str_eq(letter_state_name(LETTER_RETRIED), "retried");
	ck_assert_str_eq(letter_state_name(LETTER_DROPPED), "dropped");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ctl/letter_marks");
	TCase *tc = tcase_create("letter_marks");

	tcase_add_loop_test(tc, each_case, 0, (int)NR(cases));
	tcase_add_test(tc, the_last_one_counts);
	tcase_add_test(tc, another_topics_mark);
	tcase_add_test(tc, no_letters_no_marks);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
