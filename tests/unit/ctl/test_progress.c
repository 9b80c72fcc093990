/* test_progress.c - what an operator sees of a command that takes long, and when; the clock is the test's. */
#include "deploy/ctl/progress.h"

#include <string.h>

#include "common/clock.h"
#include "tests/unit/unit.h"

#define CLEAR "\r\033[K"

/* What is written at this time. */
static const char *tick(struct progress_state *s, int64_t now_ms, struct buf *out)
{
	buf_clear(out);
	progress_tick(s, now_ms, out);
	buf_add(out, "", 1);
	return (const char *)out->p;
}

static struct progress_state state_of(bool terminal, const char *what)
{
	struct progress_state s = {.terminal = terminal, .begun_ms = 50000};

	snprintf(s.what, sizeof(s.what), "%s", what);
	return s;
}

START_TEST(a_terminal_is_told_after_a_second_and_in_place)
{
	struct progress_state s = state_of(true, "reading x");
	struct buf out = BUF_INIT;

	ck_assert_str_eq(tick(&s, 50000, &out), "");
	ck_assert_str_eq(tick(&s, 50999, &out), "");
	ck_assert_str_eq(tick(&s, 51000, &out), CLEAR "reading x ..");
	s.done = 1234567;
	s.unit = "records";
	ck_assert_str_eq(tick(&s, 51100, &out), "");
	ck_assert_str_eq(tick(&s, 51250, &out), CLEAR "reading x: 1,234,567 records");
	s.total = 40000000;
	ck_assert_str_eq(tick(&s, 51500, &out), CLEAR "reading x: 1,234,567 of 40,000,000 records");
	buf_clear(&out);
	progress_clear(&s, &out);
	progress_clear(&s, &out);
	buf_add(&out, "", 1);
	ck_assert_str_eq((const char *)out.p, CLEAR);
	ck_assert_str_eq(tick(&s, 60000, &out), ""); /* nothing is being done */
	buf_fini(&out);
}
END_TEST

/* Steps that take less than a second each tell of themselves when the command has taken one. */
START_TEST(the_second_is_the_commands)
{
	struct progress_state s = state_of(true, "one");
	struct buf out = BUF_INIT;

	ck_assert_str_eq(tick(&s, 50900, &out), "");
	progress_clear(&s, &out);
	snprintf(s.what, sizeof(s.what), "two");
	ck_assert_str_eq(tick(&s, 51100, &out), CLEAR "two ..");
	buf_fini(&out);
}
END_TEST

START_TEST(a_script_is_told_every_five_seconds)
{
	struct progress_state s = state_of(false, "reading x");
	struct buf out = BUF_INIT;

	ck_assert_str_eq(tick(&s, 50000, &out), "");
	ck_assert_str_eq(tick(&s, 54999, &out), "");
	ck_assert_str_eq(tick(&s, 55000, &out), "millrace-ctl: reading x ..\n");
	ck_assert_str_eq(tick(&s, 59999, &out), "");
	ck_assert_str_eq(tick(&s, 60000, &out), "millrace-ctl: reading x ..\n");
	buf_clear(&out);
	progress_clear(&s, &out);
	ck_assert_uint_eq(out.len, 0); /* a line that was written stays */
	buf_fini(&out);
}
END_TEST

START_TEST(a_line_makes_way_for_results)
{
	struct progress_state s = state_of(true, "reading x");
	struct buf out = BUF_INIT;

	tick(&s, 52000, &out);
	buf_clear(&out);
	progress_pause(&s, 52100, &out);
	buf_add(&out, "", 1);
	ck_assert_str_eq((const char *)out.p, CLEAR);
	ck_assert_str_eq(tick(&s, 53099, &out), "");
	ck_assert_str_eq(tick(&s, 53100, &out), CLEAR "reading x ..");
	buf_fini(&out);
}
END_TEST

/* A line that wraps could not be taken away; half a character at its end would be no text. */
START_TEST(a_long_line_is_cut)
{
	struct progress_state s = state_of(true, "");
	struct buf out = BUF_INIT;
	const char *got;

	memset(s.what, 'x', 77);
	memcpy(s.what + 77, "\xc3\xbc and more", 12);
	got = tick(&s, 52000, &out);
	ck_assert_uint_eq(strlen(got), strlen(CLEAR) + 77);
	buf_fini(&out);
}
END_TEST

START_TEST(numbers_have_their_commas)
{
	static const struct { uint64_t n; const char *text; } cases[] = {
		{1, "1"}, {999, "999"}, {1000, "1,000"}, {123456, "123,456"}, {UINT64_MAX, "18,446,744,073,709,551,615"}};
	char want[64];

	for (size_t i = 0; i < NR(cases); i++) {
		struct progress_state s = state_of(true, "x");
		struct buf out = BUF_INIT;

		s.done = cases[i].n;
		s.unit = "u";
		snprintf(want, sizeof(want), CLEAR "x: %s u", cases[i].text);
		ck_assert_str_eq(tick(&s, 52000, &out), want);
		buf_fini(&out);
	}
}
END_TEST

/* The thread: writes by itself while this one does nothing, and not a byte after the end. */
START_TEST(a_thread_writes_while_a_call_blocks)
{
	char text[4096] = "", *at = text;
	FILE *out = fmemopen(text, sizeof(text), "w");
	struct progress *p = progress_new(out, true);
	int64_t deadline = clock_mono_ms() + 30000;
	const struct timespec turn = {.tv_nsec = 20000000};
	size_t len;

	ck_assert_ptr_nonnull(p);
	progress_begin(p, "waiting for %s", "a\033b");
	progress_count(p, 5, 10, "things");
	while (ftell(out) <= 0 && clock_mono_ms() < deadline)
		nanosleep(&turn, NULL); /* as a library's call does */
	progress_end(p);
	len = (size_t)ftell(out);
	ck_assert_str_eq(at + len - 3, CLEAR + 1); /* the last thing that was done */
	progress_count(p, 6, 10, "things");
	progress_free(p);
	ck_assert_uint_eq((size_t)ftell(out), len);
	fclose(out);
	at[strlen(CLEAR "waiting for a?b: 5 of 10 things")] = '\0';
	ck_assert_str_eq(text, CLEAR "waiting for a?b: 5 of 10 things");
}
END_TEST

START_TEST(nobody_need_want_to_know)
{
	progress_begin(NULL, "x");
	progress_count(NULL, 1, 2, "x");
	progress_hide(NULL);
	progress_end(NULL);
	progress_free(NULL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ctl/progress");
	TCase *t = tcase_create("progress");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_terminal_is_told_after_a_second_and_in_place);
	tcase_add_test(t, the_second_is_the_commands);
	tcase_add_test(t, a_script_is_told_every_five_seconds);
	tcase_add_test(t, a_line_makes_way_for_results);
	tcase_add_test(t, a_long_line_is_cut);
	tcase_add_test(t, numbers_have_their_commas);
	tcase_add_test(t, a_thread_writes_while_a_call_blocks);
	tcase_add_test(t, nobody_need_want_to_know);
	suite_add_tcase(s, t);
	return unit_main(s);
}
