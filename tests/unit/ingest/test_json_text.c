/* test_json_text.c - numbers are exact in every notation, and half surrogate pairs are found wherever they hide. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "ingest/json_text.h"
#include "tests/unit/unit.h"

static const struct {
	const char *text;
	bool integral;
	int64_t value;
} integers[] = {
	{"0", true, 0},
	{"-0", true, 0},
	{"0.0", true, 0},
	{"0e999999999999999999999", true, 0},
	{"0.000e-5", true, 0},
	{"7", true, 7},
	{"-7", true, -7},
	{"10", true, 10},
	{"7.0", true, 7},
	{"7.000e0", true, 7},
	{"1.0e3", true, 1000},
	{"1E+3", true, 1000},
	{"0.7e1", true, 7},
	{"12.5e1", true, 125},
	{"12.50e1", true, 125},
	{"100e-2", true, 1},
	{"0.001e3", true, 1},
	{"1795372012000", true, 1795372012000},
	{"9007199254740993", true, 9007199254740993},       /* no double has it */
	{"9007199254740993.0", true, 9007199254740993},
	{"0.9007199254740993e16", true, 9007199254740993},
	{"9223372036854775807", true, INT64_MAX},
	{"-9223372036854775808", true, INT64_MIN},
	{"-922337203685477580800e-2", true, INT64_MIN},
	{"9223372036854775808", false, 0},
	{"-9223372036854775809", false, 0},
	{"922337203685477581e1", false, 0},
	{"1e18", true, 1000000000000000000},
	{"1e19", false, 0},
	{"1e999999999999", false, 0},
	{"0.5", false, 0},
	{"1.5e0", false, 0},
	{"15e-1", false, 0},
	{"1e-1", false, 0},
	{"1e-999999999999", false, 0},
	{"12.05e1", false, 0},
};

START_TEST(integers_in_every_notation)
{
	const char *text = integers[_i].text;
	int64_t got = 4711;
	int rc = json_number_int((struct str){text, strlen(text)}, &got);

	ck_assert_msg(rc == (integers[_i].integral ? 0 : -1), "%s: rc %d", text, rc);
	ck_assert_msg(got == (integers[_i].integral ? integers[_i].value : 4711), "%s: %" PRId64, text, got);
}
END_TEST

/* Writes n shifted by a power of ten: digits with a point somewhere, and the exponent that undoes it. */
static int write_shifted(char *out, size_t size, int64_t n, int shift)
{
	char digits[64];
	bool negative = n < 0;
	uint64_t magnitude = negative ? -(uint64_t)n : (uint64_t)n;
	int len = snprintf(digits, sizeof(digits), "%020" PRIu64, magnitude); /* leading zeros: room for the point */

	return snprintf(out, size, "%s%.*s.%se%d", negative ? "-" : "", len - shift, digits, digits + len - shift, shift);
}

START_TEST(integers_survive_any_shift)
{
	struct unit_random r = unit_random_new("integers_survive_any_shift");

	for (int i = 0; i < 100000; i++) {
		int64_t n = (int64_t)(unit_random_next(&r) >> unit_random_below(&r, 64)), got = 0;
		char text[128];

		n = unit_random_below(&r, 2) ? n : -n;
		write_shifted(text, sizeof(text), n, 1 + (int)unit_random_below(&r, 18));
		ck_assert_msg(json_number_int((struct str){text, strlen(text)}, &got) == 0 && got == n, "%s: %" PRId64, text, got);
	}
}
END_TEST

START_TEST(doubles_are_the_nearest)
{
	struct unit_random r = unit_random_new("doubles_are_the_nearest");
	struct arena arena = ARENA_INIT;

	for (int i = 0; i < 100000; i++) {
		uint64_t bits = unit_random_next(&r);
		double v, got;
		char text[64];

		memcpy(&v, &bits, sizeof(v));
		if (!isfinite(v))
			continue;
		snprintf(text, sizeof(text), "%.17g,5", v); /* what follows in the body is not read */
		ck_assert_int_eq(json_number_double((struct str){text, strlen(text) - 2}, &arena, &got), 0);
		ck_assert_msg(memcmp(&got, &v, sizeof(v)) == 0, "%s: %.17g", text, got);
	}
	arena_fini(&arena);
}
END_TEST

START_TEST(long_numbers_are_read_whole)
{
	struct arena arena = ARENA_INIT, tiny = {.limit_bytes = 16};
	char text[1001];
	double got = 0;

	memset(text, '0', sizeof(text));
	memcpy(text, "0.", 2);
	text[400] = '1'; /* below the smallest double */
	memcpy(text + 994, "e399", 4);
	ck_assert_int_eq(json_number_double((struct str){text, 998}, &arena, &got), 0);
	ck_assert_double_eq(got, 1.0);
	ck_assert_int_eq(json_number_double((struct str){"1e999", 5}, &arena, &got), 0);
	ck_assert(isinf(got));
	ck_assert_int_eq(json_number_double((struct str){text, 998}, &tiny, &got), -1);
	arena_fini(&arena);
	arena_fini(&tiny);
}
END_TEST

static const struct {
	const char *text;
	bool fits;
	uint64_t value;
} naturals[] = {
	{"0", true, 0},
	{"-0", true, 0},
	{"-0.00e7", true, 0},
	{"7.0", true, 7},
	{"9223372036854775808", true, UINT64_C(1) << 63},
	{"18446744073709551615", true, UINT64_MAX},
	{"1.8446744073709551615e19", true, UINT64_MAX},
	{"18446744073709551616", false, 0},
	{"1844674407370955162e1", false, 0},
	{"1e20", false, 0},
	{"-1", false, 0},
	{"-1e-1", false, 0},
	{"0.5", false, 0},
};

START_TEST(naturals_have_64_bits)
{
	uint64_t got = 77;
	int rc = json_number_uint(str_from(naturals[_i].text), &got);

	ck_assert_msg(rc == (naturals[_i].fits ? 0 : -1), "%s", naturals[_i].text);
	ck_assert_msg(got == (naturals[_i].fits ? naturals[_i].value : 77), "%s: %" PRIu64, naturals[_i].text, got);
}
END_TEST

static const char *const numbers[] = {"0", "-0", "7", "10", "-12.050", "0.0", "1e5", "1E-05", "1.5e+0", "0e0"};
static const char *const no_numbers[] = {"", "-", "01", "-00", "+1", ".5", "1.", "1.e5", "1e", "1e+", "e5", " 1", "1 ", "1,", "0x1", "1.5.5", "1e5.0",
					 "--1", "NaN", "Infinity", "1a", "\xd9\xa1"};

/* All of both, and each number also with what is behind it in memory. */
START_TEST(text_is_a_number_or_not)
{
	for (size_t i = 0; i < NR(numbers); i++) {
		char longer[32];

		snprintf(longer, sizeof(longer), "%s5.", numbers[i]);
		ck_assert_msg(json_is_number(str_from(numbers[i])), "%s", numbers[i]);
		ck_assert(json_is_number((struct str){longer, strlen(numbers[i])}));
	}
	for (size_t i = 0; i < NR(no_numbers); i++)
		ck_assert_msg(!json_is_number(str_from(no_numbers[i])), "%s", no_numbers[i]);
}
END_TEST

static const struct {
	const char *body;
	const char *detail; /* NULL: good */
} texts[] = {
	{"", NULL},
	{"\"\\u0041\\ud83d\\ude00\\u0000\"", NULL},
	{"\"\\\\ud83d\"", NULL}, /* a backslash, then letters */
	{"\"\\\\\\ud83d\"", "byte 3: half"},
	{"\"\\ud83d", "byte 1: half"},
	{"\"\\ud83d\\", "byte 1: half"},
	{"\"\\ud83d\\ude0", "byte 1: half"},
	{"\"\\ud83d\\ud83d\\ude00\"", "byte 1: half"},
	{"\"\\ud83d\\ude00\\ude00\"", "byte 13: half"},
	{"\"\\uD83D\\uDE00\"", NULL},
	{"\"\\uDE00\"", "byte 1: half"},
	{"\"\\", NULL}, /* the parser's business */
	{"\"\\u12", NULL},
	{"\"\\uzzzz\"", NULL},
	{"\"\xf0\x9f\x98\x80\"", NULL},
	{"\"\xf0\x9f\x98\"", "not UTF-8"},
	{"\"\xed\xb8\x80\"", "not UTF-8"},
	{"\"\xf4\x90\x80\x80\"", "not UTF-8"},
};

START_TEST(text_is_unicode)
{
	size_t n = strlen(texts[_i].body);
	char *exact = malloc(n ? n : 1);
	struct refusal no = {.reason = NR_REASONS};
	int rc;

	memcpy(exact, texts[_i].body, n);
	rc = json_text_check((struct str){exact, n}, &no);
	ck_assert_msg(rc == (texts[_i].detail ? -1 : 0), "case %d: %s", _i, no.detail);
	if (texts[_i].detail)
		ck_assert_msg(no.reason == REASON_BAD_JSON && strstr(no.detail, texts[_i].detail), "case %d: %s", _i, no.detail);
	free(exact);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("json_text");
	TCase *tc = tcase_create("json_text");

	tcase_add_loop_test(tc, integers_in_every_notation, 0, (int)NR(integers));
	tcase_add_test(tc, integers_survive_any_shift);
	tcase_add_test(tc, doubles_are_the_nearest);
	tcase_add_test(tc, long_numbers_are_read_whole);
	tcase_add_loop_test(tc, naturals_have_64_bits, 0, (int)NR(naturals));
	tcase_add_test(tc, text_is_a_number_or_not);
	tcase_add_loop_test(tc, text_is_unicode, 0, (int)NR(texts));
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
