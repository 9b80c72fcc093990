/* test_conf_value.c - every form a setting's value may have, and those it may not. */
#include "common/conf_value.h"

#include <string.h>

#include "tests/unit/unit.h"

static const struct conf_field whole = {.name = "whole", .type = CONF_INT, .min = 1, .max = 100000};
static const struct conf_field negative = {.name = "negative", .type = CONF_INT, .min = -5, .max = 0};
static const struct conf_field unbounded = {.name = "unbounded", .type = CONF_INT};
static const struct conf_field at_least = {.name = "at_least", .type = CONF_INT, .min = 3};
static const struct conf_field size = {.name = "size", .type = CONF_BYTES, .min = 1 << 20, .max = INT64_C(1) << 36};
static const struct conf_field any_size = {.name = "any_size", .type = CONF_BYTES};
static const struct conf_field duration = {.name = "duration", .type = CONF_MS, .min = 100, .max = 3600000};
static const struct conf_field any_duration = {.name = "any_duration", .type = CONF_MS};
static const struct conf_field share = {.name = "share", .type = CONF_NUM, .min = 0, .max = 2};
static const struct conf_field number = {.name = "number", .type = CONF_NUM};
static const struct conf_field flag = {.name = "flag", .type = CONF_BOOL};
static const struct conf_field text = {.name = "text", .type = CONF_STR, .min = 1, .max = 8};
static const struct conf_field secret = {.name = "secret", .type = CONF_SECRET, .min = 0, .max = 4};
static const struct conf_field any_text = {.name = "any_text", .type = CONF_STR};

static const struct { const struct conf_field *field; const char *text; int64_t value; } good_integers[] = {
	{&whole, "1", 1}, {&whole, "100000", 100000}, {&whole, "007", 7}, {&negative, "-5", -5}, {&negative, "0", 0}, {&negative, "-0", 0},
	{&unbounded, "9223372036854775807", INT64_MAX}, {&unbounded, "-9223372036854775807", -INT64_MAX}, {&unbounded, "0", 0},
	{&at_least, "3", 3}, {&at_least, "9223372036854775807", INT64_MAX},
	{&size, "1048576", 1048576}, {&size, "1Mi", 1048576}, {&size, "1MiB", 1048576}, {&size, "1024Ki", 1048576},
	{&size, "1024KiB", 1048576}, {&size, "2Gi", INT64_C(2) << 30}, {&size, "64GiB", INT64_C(64) << 30}, {&size, "0001Mi", 1048576},
	{&any_size, "0", 0}, {&any_size, "0Gi", 0}, {&any_size, "8589934591Gi", INT64_C(8589934591) << 30},
	{&duration, "100", 100}, {&duration, "250ms", 250}, {&duration, "5s", 5000}, {&duration, "10m", 600000}, {&duration, "1h", 3600000},
	{&any_duration, "14d", INT64_C(1209600000)}, {&any_duration, "0", 0}, {&any_duration, "106751991167d", INT64_C(9223372036828800000)},
};

START_TEST(good_integer)
{
	char complaint[CONF_COMPLAINT_SIZE] = "";
	struct conf_value v;

	ck_assert_msg(conf_value_parse(good_integers[_i].field, good_integers[_i].text, &v, complaint) == 0, "%s", complaint);
	ck_assert_int_eq(v.integer, good_integers[_i].value);
}
END_TEST

static const struct { const struct conf_field *field; const char *text; double value; } good_numbers[] = {
	{&share, "0", 0}, {&share, "2", 2}, {&share, "0.5", 0.5}, {&share, ".5", 0.5}, {&share, "5e-1", 0.5}, {&share, "+1", 1},
	{&number, "-1e300", -1e300}, {&number, "1E3", 1000}, {&number, "3.", 3},
};

START_TEST(good_number)
{
	char complaint[CONF_COMPLAINT_SIZE] = "";
	struct conf_value v;

	ck_assert_msg(conf_value_parse(good_numbers[_i].field, good_numbers[_i].text, &v, complaint) == 0, "%s", complaint);
	ck_assert_double_eq(v.number, good_numbers[_i].value);
}
END_TEST

#define NOT_WHOLE "is not a whole number; range 1..100000"
#define NOT_A_SIZE "is not a size like 64Mi, 4KiB or 1000; range 1Mi..64Gi"
#define NOT_A_TIME "is not a duration like 250ms, 5s, 10m, 2h or 14d; range 100ms..1h"
#define NOT_A_NUMBER "is not a number; range 0..2"
#define NOT_A_TEXT "is not a text without control characters"

static const struct { const struct conf_field *field; const char *text, *complaint; } bad_values[] = {
	{&whole, "0", "is out of range 1..100000"}, {&whole, "100001", "is out of range 1..100000"}, {&whole, "-1", "is out of range 1..100000"},
	{&whole, "", NOT_WHOLE}, {&whole, " 5", NOT_WHOLE}, {&whole, "5 ", NOT_WHOLE}, {&whole, "5x", NOT_WHOLE}, {&whole, "+5", NOT_WHOLE},
	{&whole, "--5", NOT_WHOLE}, {&whole, "-", NOT_WHOLE}, {&whole, "1e3", NOT_WHOLE}, {&whole, "0x10", NOT_WHOLE}, {&whole, "5.0", NOT_WHOLE},
	{&whole, "9223372036854775808", NOT_WHOLE}, {&whole, "99999999999999999999999", NOT_WHOLE},
	{&unbounded, "9223372036854775808", "is not a whole number"},
	{&negative, "1", "is out of range -5..0"}, {&negative, "-6", "is out of range -5..0"}, {&at_least, "2", "is out of range 3.."},
	{&size, "1023Ki", "is out of range 1Mi..64Gi"}, {&size, "65Gi", "is out of range 1Mi..64Gi"}, {&size, "", NOT_A_SIZE},
	{&size, "1Mi1", NOT_A_SIZE}, {&size, "64M", NOT_A_SIZE}, {&size, "64MB", NOT_A_SIZE}, {&size, "64mi", NOT_A_SIZE},
	{&size, "2000000B", NOT_A_SIZE}, {&size, "64 Mi", NOT_A_SIZE}, {&size, "1.5Gi", NOT_A_SIZE}, {&size, "-1Mi", NOT_A_SIZE},
	{&size, "Mi", NOT_A_SIZE}, {&size, "iB", NOT_A_SIZE}, {&size, "64MiBB", NOT_A_SIZE}, {&size, "64Ti", NOT_A_SIZE},
	{&size, "8589934592Gi", NOT_A_SIZE}, /* 2^63 */
	{&size, "00000000000000000000000000000000000000000000000064Mi", NOT_A_SIZE},
	{&duration, "99", "is out of range 100ms..1h"}, {&duration, "1d", "is out of range 100ms..1h"}, {&duration, "", NOT_A_TIME},
	{&duration, "5 s", NOT_A_TIME}, {&duration, "5sec", NOT_A_TIME}, {&duration, "s", NOT_A_TIME}, {&duration, "1m30s", NOT_A_TIME},
	{&duration, "5S", NOT_A_TIME}, {&duration, "-5s", NOT_A_TIME}, {&duration, "106751991168d", NOT_A_TIME}, /* over 2^63 */
	{&share, "2.0001", "is out of range 0..2"}, {&share, "-0.1", "is out of range 0..2"}, {&share, "", NOT_A_NUMBER},
	{&share, "nan", NOT_A_NUMBER}, {&share, "inf", NOT_A_NUMBER}, {&share, "1e999", NOT_A_NUMBER}, {&share, "0x1", NOT_A_NUMBER},
	{&share, "1e", NOT_A_NUMBER}, {&share, "1 ", NOT_A_NUMBER}, {&share, "1,5", NOT_A_NUMBER}, {&share, "e", NOT_A_NUMBER},
	{&flag, "yes", "is not true or false"}, {&flag, "TRUE", "is not true or false"}, {&flag, "", "is not true or false"},
	{&text, "", "has a length out of range 1..8"}, {&text, "ninebytes", "has a length out of range 1..8"},
	{&text, "a\nb", NOT_A_TEXT "; range 1..8"}, {&text, "\x7f", NOT_A_TEXT "; range 1..8"}, {&text, "\x1b[m", NOT_A_TEXT "; range 1..8"},
	{&any_text, "\t", NOT_A_TEXT}, {&secret, "12345", "has a length out of range 0..4"},
};

START_TEST(bad_value)
{
	char complaint[CONF_COMPLAINT_SIZE] = "";
	struct conf_value v = {.integer = 77};

	ck_assert_msg(conf_value_parse(bad_values[_i].field, bad_values[_i].text, &v, complaint) == -1, "%s", bad_values[_i].text);
	ck_assert_str_eq(complaint, bad_values[_i].complaint);
	ck_assert_int_eq(v.integer, 77);
}
END_TEST

START_TEST(texts_and_flags)
{
	static const char *const texts[] = {"a", "8 bytes!", "caf\xc3\xa9", "\xff", "#=\"'"};
	char complaint[CONF_COMPLAINT_SIZE];
	struct conf_value v;

	for (size_t i = 0; i < NR(texts); i++) {
		ck_assert_int_eq(conf_value_parse(&text, texts[i], &v, complaint), 0);
		ck_assert_ptr_eq(v.str, texts[i]);
	}
	ck_assert_int_eq(conf_value_parse(&secret, "", &v, complaint), 0);
	ck_assert_int_eq(conf_value_parse(&flag, "true", &v, complaint), 0);
	ck_assert(v.boolean);
	ck_assert_int_eq(conf_value_parse(&flag, "false", &v, complaint), 0);
	ck_assert(!v.boolean);
}
END_TEST

static const struct { const struct conf_field *field; const char *range; } ranges[] = {
	{&whole, "1..100000"}, {&negative, "-5..0"}, {&unbounded, ""}, {&at_least, "3.."}, {&size, "1Mi..64Gi"}, {&any_size, ""},
	{&duration, "100ms..1h"}, {&share, "0..2"}, {&flag, ""}, {&text, "1..8"}, {&secret, "0..4"},
};

START_TEST(range_is_written_in_the_values_syntax)
{
	char out[CONF_RANGE_SIZE];

	ck_assert_str_eq(conf_value_range(ranges[_i].field, out), ranges[_i].range);
}
END_TEST

START_TEST(store_and_drop)
{
	struct target {
		int64_t before;
		char *str;
		int64_t after;
	} target = {.before = 1, .after = 2};
	struct conf_field field = {.name = "f", .type = CONF_STR, .offset = offsetof(struct target, str)};
	char borrowed[] = "text";
	struct conf_value v = {.str = borrowed};

	ck_assert_int_eq(conf_value_store(&field, &v, &target), 0);
	borrowed[0] = 'x';
	ck_assert_str_eq(target.str, "text"); /* copied */
	conf_value_drop(&field, &target);
	ck_assert_ptr_null(target.str);
	field = (struct conf_field){.name = "f", .type = CONF_INT, .offset = offsetof(struct target, after)};
	conf_value_drop(&field, &target); /* not a string: stays */
	ck_assert(target.before == 1 && target.after == 2);
}
END_TEST

/* Random quantities, most of them far too large, against a division. */
START_TEST(quantities_property)
{
	static const struct { const struct conf_field *field; const char *unit; uint64_t factor; } units[] = {
		{&size, "", 1}, {&size, "Ki", 1024}, {&size, "MiB", 1 << 20}, {&size, "Gi", 1 << 30}, {&duration, "", 1}, {&duration, "ms", 1},
		{&duration, "s", 1000}, {&duration, "m", 60000}, {&duration, "h", 3600000}, {&duration, "d", 86400000},
	};
	struct unit_random r = unit_random_new("conf quantities");
	int good_ones = 0;

	for (int round = 0; round < 50000; round++) {
		size_t u = unit_random_below(&r, NR(units));
		uint64_t n = unit_random_next(&r) >> unit_random_below(&r, 64), factor = units[u].factor;
		bool good = n <= (uint64_t)units[u].field->max / factor && n * factor >= (uint64_t)units[u].field->min;
		char value[64], complaint[CONF_COMPLAINT_SIZE];
		struct conf_value v;

		snprintf(value, sizeof(value), "%llu%s", (unsigned long long)n, units[u].unit);
		if ((conf_value_parse(units[u].field, value, &v, complaint) == 0) != good)
			ck_abort_msg("%s", value);
		if (good && (uint64_t)v.integer != n * factor)
			ck_abort_msg("%s has another value", value);
		good_ones += good;
	}
	ck_assert_int_gt(good_ones, 1000);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("conf_value");
	TCase *tc = tcase_create("conf_value");

	tcase_add_loop_test(tc, good_integer, 0, NR(good_integers));
	tcase_add_loop_test(tc, good_number, 0, NR(good_numbers));
	tcase_add_loop_test(tc, bad_value, 0, NR(bad_values));
	tcase_add_test(tc, texts_and_flags);
	tcase_add_loop_test(tc, range_is_written_in_the_values_syntax, 0, NR(ranges));
	tcase_add_test(tc, store_and_drop);
	tcase_add_test(tc, quantities_property);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
