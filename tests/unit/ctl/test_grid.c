/* test_grid.c - columns, colours, numbers as people say them, and text that is safe to print. */
#include "deploy/ctl/grid.h"

#include <string.h>

#include "deploy/ctl/printable.h"
#include "tests/unit/unit.h"

static char *print(const struct grid *g, int indent, bool colour)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	grid_print(g, indent, colour, out);
	fclose(out);
	return text;
}

START_TEST(columns_align)
{
	struct grid g;
	char *text;

	grid_init(&g, "lrl");
	grid_add(&g, GRID_HEAD, "NAME");
	grid_add(&g, GRID_HEAD, "N");
	grid_add(&g, GRID_HEAD, "LAST");
	grid_add(&g, GRID_PLAIN, "Sch\xc3\xb6n");
	grid_add(&g, GRID_PLAIN, "%d", 1234);
	grid_add(&g, GRID_PLAIN, "%s", "");
	grid_add(&g, GRID_BAD, "b");
	grid_add(&g, GRID_PLAIN, "%s", "");
	grid_add(&g, GRID_PLAIN, "x");
	text = print(&g, 2, false);
	ck_assert_str_eq(text, "  NAME      N  LAST\n"
			       "  Sch\xc3\xb6n  1234\n"
			       "  b            x\n");
	free(text);
	text = print(&g, 0, true);
	ck_assert_str_eq(text, "\033[1mNAME\033[0m      \033[1mN\033[0m  \033[1mLAST\033[0m\n"
			       "Sch\xc3\xb6n  1234\n"
			       "\033[1;31mb\033[0m            x\n");
	free(text);
	grid_fini(&g);
}
END_TEST

/* A name from a topic cannot paint the terminal, nor begin a line. */
START_TEST(control_characters)
{
	struct grid g;
	char *text;

	grid_init(&g, "l");
	grid_add(&g, GRID_PLAIN, "%s", "a\033[31m\r\nb\x7f");
	text = print(&g, 0, false);
	ck_assert_str_eq(text, "a?[31m??b?\n");
	free(text);
	grid_fini(&g);
}
END_TEST

static const struct { const char *text, *printed; } prints[] = {
	{"", ""}, {"plain", "plain"}, {"\xc3\xa4\xe2\x82\xac", "\xc3\xa4\xe2\x82\xac"}, {"a\tb\x7f", "a?b?"}, {"\033[2J", "?[2J"},
	{"\xc2\x9b" "2J", "??2J"}, {"\xc2\xa0", "\xc2\xa0"}, {"\xff\xc3\xa4", "???"}, {"\xc2", "?"}, {"\xe2\x82", "??"},
};

START_TEST(printable_table)
{
	char text[32];

	snprintf(text, sizeof(text), "%s", prints[_i].text);
	ck_assert_str_eq(printable(text), prints[_i].printed);
}
END_TEST

/* Cut at any byte, what is left is UTF-8 and lacks one character at most. */
START_TEST(trimmed_at_any_byte)
{
	static const char whole[] = "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x9b\x92z";

	for (size_t len = 0; len < sizeof(whole); len++) {
		char text[sizeof(whole)] = "";

		memcpy(text, whole, len);
		printable_trim(text);
		ck_assert(str_is_utf8(str_from(text)));
		ck_assert_uint_ge(strlen(text) + 3, len < sizeof(whole) ? len : strlen(whole));
	}
}
END_TEST

START_TEST(no_rows)
{
	struct grid g;
	char *text;

	grid_init(&g, "ll");
	text = print(&g, 0, false);
	ck_assert_str_eq(text, "");
	free(text);
	grid_fini(&g);
}
END_TEST

static const struct { int64_t ms; const char *text; } durations[] = {
	{-5, "0 s"}, {0, "0 s"}, {999, "0 s"}, {1000, "1 s"}, {59999, "59 s"}, {60000, "1 m 0 s"}, {3599999, "59 m 59 s"},
	{3600000, "1 h 0 m"}, {86399999, "23 h 59 m"}, {86400000, "1 d 0 h"}, {INT64_C(100) * 86400000 + 3600000, "100 d 1 h"},
};

START_TEST(duration_table)
{
	char out[GRID_NUMBER_SIZE];

	ck_assert_str_eq(grid_duration(durations[_i].ms, out), durations[_i].text);
}
END_TEST

static const struct { int64_t n; const char *text; } counts[] = {
	{0, "0"}, {9999, "9999"}, {10000, "10.0 k"}, {12345, "12.3 k"}, {99949, "99.9 k"}, {99951, "100 k"}, {999499, "999 k"},
	{999501, "1.00 M"}, {1234567, "1.23 M"}, {9994999, "9.99 M"}, {INT64_C(123456789012), "123 G"}, {INT64_MAX, "9.22 E"}, {-1, "-1"},
};

START_TEST(count_table)
{
	char out[GRID_NUMBER_SIZE];

	ck_assert_str_eq(grid_count(counts[_i].n, out), counts[_i].text);
}
END_TEST

START_TEST(colour_is_for_terminals)
{
	FILE *file = tmpfile();

	ck_assert(!grid_wants_colour(file));
	fclose(file);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ctl/grid");
	TCase *t = tcase_create("grid");

	tcase_add_test(t, columns_align);
	tcase_add_test(t, control_characters);
	tcase_add_loop_test(t, printable_table, 0, NR(prints));
	tcase_add_test(t, trimmed_at_any_byte);
	tcase_add_test(t, no_rows);
	tcase_add_loop_test(t, duration_table, 0, NR(durations));
	tcase_add_loop_test(t, count_table, 0, NR(counts));
	tcase_add_test(t, colour_is_for_terminals);
	suite_add_tcase(s, t);
	return unit_main(s);
}
