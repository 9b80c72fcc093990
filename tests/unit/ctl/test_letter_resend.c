/* test_letter_resend.c - which letters may be sent again, and what goes out: the record as it was, and whose place it names. */
#include "deploy/ctl/letter_resend.h"

#include <string.h>

#include "tests/unit/unit.h"

#define MINUTELY {"millrace.c.main.minutely", 24}
#define OWN "v1 topic=millrace.c.main.minutely epoch=7 partition=3 offset=1001"
#define FIRST "v1 topic=millrace.c.main.minutely epoch=7 partition=3 offset=17"

static const struct dead_letter sound = {.topic = MINUTELY, .epoch = 7, .partition = 3, .offset = 1001, .code = {"undecodable", 11},
					 .has_key = true, .key = {"\0k", 2}, .has_value = true, .value = {"v", 1}};

/* Headers of the record, and those that are to go out; NULL, NULL ends. */
static const struct { const char *in[4][2], *out[4][2]; } cases[] = {
	{{{NULL}}, {{ORIGIN_HEADER, OWN}}},
	{{{"a", "1"}, {"a", "2"}}, {{"a", "1"}, {"a", "2"}, {ORIGIN_HEADER, OWN}}},
	{{{ORIGIN_HEADER, FIRST}, {"a", "1"}}, {{"a", "1"}, {ORIGIN_HEADER, FIRST}}},
	{{{ORIGIN_HEADER, "junk"}}, {{ORIGIN_HEADER, OWN}}},
	{{{ORIGIN_HEADER, NULL}}, {{ORIGIN_HEADER, OWN}}},
	{{{ORIGIN_HEADER, FIRST}, {"a", NULL}, {ORIGIN_HEADER, FIRST}}, {{"a", NULL}, {ORIGIN_HEADER, OWN}}},
	{{{ORIGIN_HEADER, OWN}}, {{ORIGIN_HEADER, OWN}}}, /* itself: no origin of a copy */
	{{{ORIGIN_HEADER, "v1 topic=millrace.c.main.minutely epoch=8 partition=3 offset=17"}}, {{ORIGIN_HEADER, OWN}}},
	{{{ORIGIN_HEADER, "v1 topic=millrace.c.main.hourly epoch=7 partition=3 offset=17"}}, {{ORIGIN_HEADER, OWN}}},
	{{{ORIGIN_HEADER, "v1 topic=millrace.c.main.minutely epoch=7 partition=2 offset=17"}}, {{ORIGIN_HEADER, OWN}}},
	{{{ORIGIN_HEADER, "v1 topic=millrace.c.main.minutely epoch=7 partition=3 offset=1002"}}, {{ORIGIN_HEADER, OWN}}},
};

START_TEST(what_goes_out)
{
	struct header headers[4];
	struct dead_letter letter = sound;
	struct cluster_record out;
	struct arena arena = ARENA_INIT;
	size_t nr = 0;

	letter.headers = headers;
	for (; nr < 4 && cases[_i].in[nr][0]; nr++)
		headers[nr] = (struct header){str_from(cases[_i].in[nr][0]), cases[_i].in[nr][1] != NULL, str_from(cases[_i].in[nr][1])};
	letter.headers_len = nr;
	ck_assert_int_eq(letter_resend_make(&letter, &arena, &out, NULL), 0);
	for (nr = 0; nr < 4 && cases[_i].out[nr][0]; nr++) {
		ck_assert_uint_lt(nr, out.nr_headers);
		ck_assert(str_eq(out.headers[nr].name, str_from(cases[_i].out[nr][0])));
		ck_assert_int_eq(out.headers[nr].has_value, cases[_i].out[nr][1] != NULL);
		ck_assert_msg(str_eq(out.headers[nr].value, str_from(cases[_i].out[nr][1])), STR_FMT, STR_ARG(out.headers[nr].value));
	}
	ck_assert_uint_eq(out.nr_headers, nr);
	ck_assert_str_eq(out.topic, "millrace.c.main.minutely");
	ck_assert(out.partition == 3 && str_eq(out.key, sound.key) && str_eq(out.value, sound.value));
	arena_fini(&arena);
}
END_TEST

START_TEST(nothing_and_empty_are_two)
{
	struct dead_letter letter = sound;
	struct cluster_record out;
	struct arena arena = ARENA_INIT;

	letter.has_key = letter.has_value = false;
	ck_assert_int_eq(letter_resend_make(&letter, &arena, &out, NULL), 0);
	ck_assert(!out.key.p && !out.value.p);
	letter.has_key = letter.has_value = true;
	letter.key = letter.value = STR("");
	ck_assert_int_eq(letter_resend_make(&letter, &arena, &out, NULL), 0);
	ck_assert(out.key.p && !out.key.len && out.value.p && !out.value.len);
	arena_fini(&arena);
}
END_TEST

static const struct {
	const char *topic, *code, *fault;
	int64_t epoch, offset;
	int32_t partition;
	enum letter_state state;
	bool again;
	const char *says; /* NULL: it may go */
} checks[] = {
	{"millrace.c.main.minutely", "c", NULL, 7, 0, 0, LETTER_OPEN, false, NULL},
	{"millrace.c.main.samples", "c", NULL, 7, 0, 11, LETTER_OPEN, false, NULL},
	{"millrace.c.main.minutely", "c", NULL, 7, 0, 12, LETTER_OPEN, false, "cannot be"},
	{"millrace.c.main.minutely", "c", NULL, 7, 0, -1, LETTER_OPEN, false, "cannot be"},
	{"millrace.c.main.minutely", "c", NULL, 7, -1, 0, LETTER_OPEN, false, "cannot be"},
	{"millrace.c.main.minutely", "c", NULL, 8, 0, 0, LETTER_OPEN, true, "made again since"},
	{"millrace.c.main.minutely", "c", NULL, 7, 0, 0, LETTER_RETRIED, false, "was retried by me at 1970-01-01T00:00:05.000Z: --again"},
	{"millrace.c.main.minutely", "c", NULL, 7, 0, 0, LETTER_DROPPED, false, "was dropped"},
	{"millrace.c.main.minutely", "c", NULL, 7, 0, 0, LETTER_DROPPED, true, NULL},
	{"millrace.c.main.minutely", "cut_off", NULL, 7, 0, 0, LETTER_OPEN, true, "the beginning"},
	{"millrace.c.main.minutely", "c", "bytes left over", 7, 0, 0, LETTER_OPEN, true, "cannot be read: bytes left over"},
	{"millrace.c.other.minutely", "c", NULL, 7, 0, 0, LETTER_OPEN, false, "not there: other"},
	{"millrace.c.main.samples-state", "c", NULL, 7, 0, 0, LETTER_OPEN, false, "nothing is sent again"},
	{"millrace.c.main.incidents", "c", NULL, 7, 0, 0, LETTER_OPEN, false, "nothing is sent again"},
	{"millrace.c.main.", "c", NULL, 7, 0, 0, LETTER_OPEN, false, "nothing is sent again"},
	{"millrace.c..minutely", "c", NULL, 7, 0, 0, LETTER_OPEN, false, "nothing is sent again"},
	{"millrace.c.main", "c", NULL, 7, 0, 0, LETTER_OPEN, false, "nothing is sent again"},
	{"millrace.cells", "c", NULL, 7, 0, 0, LETTER_OPEN, false, "nothing is sent again"},
	{"", "c", NULL, 7, 0, 0, LETTER_OPEN, false, "nothing is sent again"},
};

START_TEST(may_it_go)
{
	struct letter_mark mark = {.state = checks[_i].state, .at_ms = 5000, .author = "me"};
	struct letter letter = {.id = 1, .fault = checks[_i].fault, .mark = mark.state ? &mark : NULL, .record = sound};
	struct cell cell = {.name = STR("main"), .epoch = 7, .partitions = 12};
	struct store store = STORE_INIT;
	struct err err = ERR_INIT;
	int rc;

	letter.record.topic = str_from(checks[_i].topic);
	letter.record.code = str_from(checks[_i].code);
	letter.record.epoch = checks[_i].epoch;
	letter.record.offset = checks[_i].offset;
	letter.record.partition = checks[_i].partition;
	ck_assert_int_eq(store_put_cell(&store, &cell, NULL), 0);
	rc = letter_resend_check(&letter, &store, checks[_i].again, &err);
	ck_assert_msg(rc == (checks[_i].says ? -1 : 0), "%s", err.msg);
	ck_assert_int_eq(err.kind, rc ? ERR_REJECT : 0);
	ck_assert_msg(!rc || strstr(err.msg, checks[_i].says), "%s", err.msg);
	store_fini(&store);
}
END_TEST

/* A filter lets a letter pass by topic, cell, code, time and state. */
static const struct { struct letter_filter filter; bool passes; } filters[] = {
	{{.topic = NULL}, true},
	{{.topic = "minutely"}, true},
	{{.topic = "millrace.c.main.minutely"}, true},
	{{.topic = "main.minutely"}, false},
	{{.topic = "hourly"}, false},
	{{.cell = "main"}, true},
	{{.cell = "mai"}, false},
	{{.code = "undecodable"}, true},
	{{.code = "undecodabl"}, false},
	{{.since_ms = 500}, true},
	{{.since_ms = 501}, false},
	{{.open_only = true}, false},
	{{.topic = "minutely", .cell = "main", .code = "x"}, false},
};

START_TEST(filters_narrow)
{
	struct letter_mark mark = {.state = LETTER_RETRIED};
	struct letter letter = {.id = 5, .record = sound, .mark = &mark};
	struct letter_filter f = filters[_i].filter;

	letter.record.at = 500;
	ck_assert_int_eq(letter_filter_passes(&f, &letter), filters[_i].passes);
	ck_assert_int_eq(letter_ids_parse(&f.ids, STR("4,6-9"), NULL), 0);
	ck_assert(!letter_filter_passes(&f, &letter));
	letter_filter_fini(&f);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ctl/letter_resend");
	TCase *tc = tcase_create("letter_resend");

	tcase_add_loop_test(tc, what_goes_out, 0, (int)NR(cases));
	tcase_add_test(tc, nothing_and_empty_are_two);
	tcase_add_loop_test(tc, may_it_go, 0, (int)NR(checks));
	tcase_add_loop_test(tc, filters_narrow, 0, (int)NR(filters));
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
