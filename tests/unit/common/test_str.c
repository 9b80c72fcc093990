/* test_str.c - strings, buffers and arenas. */
#include "common/str.h"

#include <string.h>

#include "common/arena.h"
#include "tests/unit/unit.h"

static const struct { const char *bytes; bool good; } utf8_cases[] = {
	{"", true}, {"plain", true}, {"\xc3\xa9", true}, {"\xe2\x82\xac", true}, {"\xf0\x9f\x98\x80", true},
	{"\xed\x9f\xbf", true}, {"\xee\x80\x80", true}, {"\xf4\x8f\xbf\xbf", true},
	{"\x80", false}, {"\xc3", false}, {"\xc0\xaf", false}, {"\xc1\xbf", false}, {"\xe0\x9f\xbf", false}, {"\xe2\x82", false},
	{"\xed\xa0\x80", false}, {"\xed\xbf\xbf", false}, {"\xf0\x8f\xbf\xbf", false}, {"\xf4\x90\x80\x80", false},
	{"\xf5\x80\x80\x80", false}, {"\xff", false}, {"a\xc3(", false}, {"\xe2(\xa1", false}, {"\xf0\x9f\x98", false},
};

START_TEST(utf8)
{
	ck_assert_int_eq(str_is_utf8(str_from(utf8_cases[_i].bytes)), utf8_cases[_i].good);
}
END_TEST

/* One byte above the rest, at every place of every length that is read in another way. */
START_TEST(ascii)
{
	for (size_t len = 0; len <= 40; len++) {
		char *text = malloc(len + 1);

		memset(text, 0x7f, len + 1);
		ck_assert(str_is_ascii((struct str){text, len}));
		for (size_t i = 0; i <= len; i++) {
			text[i] = (char)0x80;
			ck_assert_msg(str_is_ascii((struct str){text, len}) == (i == len), "byte %zu of %zu", i, len);
			text[i] = '\0';
		}
		free(text);
	}
}
END_TEST

START_TEST(order)
{
	ck_assert_int_lt(str_cmp(STR("a"), STR("b")), 0);
	ck_assert_int_lt(str_cmp(STR("a"), STR("ab")), 0);
	ck_assert_int_gt(str_cmp(STR("\xff"), STR("a")), 0);
	ck_assert_int_eq(str_cmp(STR("same"), STR("same")), 0);
	ck_assert_int_lt(str_cmp(STR(""), STR("a")), 0);
	ck_assert(str_eq(str_from(NULL), STR("")));
	ck_assert(!str_eq(STR("a"), STR("b")));
}
END_TEST

static const struct { const char *text, *rest; int64_t number; bool taken; } numbers[] = {
	{"0", "", 0, true}, {"12x", "x", 12, true}, {"-5 ", " ", -5, true}, {"9223372036854775807", "", INT64_MAX, true},
	{"-9223372036854775808", "", INT64_MIN, true}, {"9223372036854775808", "", 0, false}, {"-9223372036854775809", "", 0, false},
	{"", "", 0, false}, {"-", "", 0, false}, {"00", "", 0, false}, {"-0", "", 0, false}, {"01", "", 0, false}, {"+1", "", 0, false},
	{" 1", "", 0, false}, {"x", "", 0, false}, {"--1", "", 0, false}, {"1e3", "e3", 1, true},
};

START_TEST(taken_off_the_front)
{
	int64_t number = 77;
	struct str s = str_from(numbers[_i].text), t = STR("abc");

	ck_assert_int_eq(str_take_int(&s, &number), numbers[_i].taken);
	ck_assert_int_eq(number, numbers[_i].taken ? numbers[_i].number : 77);
	ck_assert(str_eq(s, str_from(numbers[_i].taken ? numbers[_i].rest : numbers[_i].text)));
	ck_assert(!str_take(&t, "abcd") && !str_take(&t, "b") && str_take(&t, "ab") && str_eq(t, STR("c")) && str_take(&t, "") && str_take(&t, "c") && !t.len);
}
END_TEST

START_TEST(hexadecimal)
{
	static const uint8_t bytes[] = {0x00, 0x0f, 0xf0, 0x9a, 0xff};
	char out[2 * sizeof(bytes) + 2];

	memset(out, '#', sizeof(out));
	ck_assert_ptr_eq(str_hex(bytes, sizeof(bytes), out), out);
	ck_assert_str_eq(out, "000ff09aff");
	ck_assert_int_eq(out[sizeof(out) - 1], '#');
	ck_assert_str_eq(str_hex(bytes, 0, out), "");
}
END_TEST

START_TEST(buf_grows)
{
	struct buf b = BUF_INIT;

	for (int i = 0; i < 10000; i++)
		buf_printf(&b, "%04d", i);
	ck_assert_uint_eq(b.len, 40000);
	ck_assert_mem_eq(b.p + 4 * 1234, "1234", 4);
	buf_add(&b, "x", 1);
	buf_add(&b, NULL, 0);
	ck_assert_uint_eq(b.len, 40001);
	buf_clear(&b);
	ck_assert_uint_eq(buf_str(&b).len, 0);
	buf_fini(&b);
	ck_assert_ptr_nonnull(buf_str(&b).p);
}
END_TEST

START_TEST(buf_failure_is_sticky)
{
	struct buf b = BUF_INIT;

	buf_add(&b, "kept", 4);
	ck_assert_ptr_null(buf_reserve(&b, SIZE_MAX / 2 + 1));
	ck_assert(buf_failed(&b));
	buf_add(&b, "lost", 4);
	ck_assert_uint_eq(b.len, 4);
	buf_clear(&b);
	ck_assert(!buf_failed(&b));
	buf_fini(&b);
}
END_TEST

START_TEST(arena_aligned_zeroed_apart)
{
	struct arena a = ARENA_INIT;
	uint8_t *last = NULL;

	for (size_t size = 0; size < 3000; size += 7) {
		uint8_t *p = arena_alloc(&a, size);

		ck_assert_ptr_nonnull(p);
		ck_assert_uint_eq((uintptr_t)p % _Alignof(max_align_t), 0);
		for (size_t i = 0; i < size; i++)
			ck_assert_uint_eq(p[i], 0);
		memset(p, 0xff, size);
		ck_assert_ptr_ne(p, last);
		last = size ? p : NULL;
	}
	arena_clear(&a);
	ck_assert_uint_eq(a.used_bytes, 0);
	ck_assert_uint_eq(*(uint8_t *)arena_alloc(&a, 1), 0);
	arena_fini(&a);
}
END_TEST

START_TEST(arena_zeroes_what_it_hands_out_again)
{
	static const uint8_t zeros[64];
	struct arena a = ARENA_INIT;
	uint8_t *raw = arena_alloc_raw(&a, 64);

	memset(raw, 0xff, 64);
	arena_clear(&a);
	ck_assert_ptr_eq(arena_alloc_raw(&a, 64), raw);
	ck_assert_uint_eq(a.used_bytes, 64);
	arena_clear(&a);
	ck_assert_ptr_eq(arena_alloc(&a, 64), raw);
	ck_assert_mem_eq(raw, zeros, 64);
	a.limit_bytes = 100;
	ck_assert_ptr_null(arena_alloc_raw(&a, 64));
	arena_fini(&a);
}
END_TEST

START_TEST(arena_keeps_to_its_limit)
{
	struct arena a = {.limit_bytes = 1000};

	ck_assert_ptr_nonnull(arena_alloc(&a, 600));
	ck_assert_ptr_null(arena_alloc(&a, 600));
	ck_assert_ptr_nonnull(arena_alloc(&a, 300));
	ck_assert_ptr_null(arena_alloc(&a, SIZE_MAX));
	ck_assert_ptr_null(arena_calloc(&a, SIZE_MAX / 2, 3));
	arena_clear(&a);
	ck_assert_ptr_nonnull(arena_alloc(&a, 900));
	arena_fini(&a);
	ck_assert_uint_eq(a.limit_bytes, 1000);
}
END_TEST

static const struct {
	const char *text;
	size_t max, kept;
} cuts[] = {
	{"", 0, 0}, {"abc", 0, 0}, {"abc", 2, 2}, {"abc", 3, 3}, {"abc", 9, 3},
	{"a\xc3\xa9", 2, 1}, {"a\xc3\xa9", 3, 3}, {"\xe2\x82\xac" "b", 1, 0}, {"\xe2\x82\xac" "b", 2, 0}, {"\xe2\x82\xac" "b", 3, 3},
	{"\xf0\x9f\x98\x80\xf0\x9f\x98\x80", 4, 4}, {"\xf0\x9f\x98\x80\xf0\x9f\x98\x80", 5, 4}, {"\xf0\x9f\x98\x80\xf0\x9f\x98\x80", 7, 4},
	{"\xf0\x9f\x98\x80\xf0\x9f\x98\x80", 8, 8},
};

START_TEST(cut_between_characters)
{
	struct str s = str_cut_utf8(str_from(cuts[_i].text), cuts[_i].max);

	ck_assert_uint_eq(s.len, cuts[_i].kept);
	ck_assert_ptr_eq(s.p, cuts[_i].text);
}
END_TEST

START_TEST(arena_str_ends_with_nul)
{
	struct arena a = ARENA_INIT;
	struct str s = arena_str(&a, (struct str){"abcdef", 3});

	ck_assert_str_eq(s.p, "abc");
	ck_assert_uint_eq(s.len, 3);
	ck_assert_str_eq(arena_str(&a, STR("")).p, "");
	arena_fini(&a);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("str");
	TCase *tc = tcase_create("str");

	tcase_add_loop_test(tc, utf8, 0, NR(utf8_cases));
	tcase_add_loop_test(tc, cut_between_characters, 0, (int)NR(cuts));
	tcase_add_test(tc, ascii);
	tcase_add_test(tc, order);
	tcase_add_loop_test(tc, taken_off_the_front, 0, (int)NR(numbers));
	tcase_add_test(tc, hexadecimal);
	tcase_add_test(tc, buf_grows);
	tcase_add_test(tc, buf_failure_is_sticky);
	tcase_add_test(tc, arena_aligned_zeroed_apart);
	tcase_add_test(tc, arena_zeroes_what_it_hands_out_again);
	tcase_add_test(tc, arena_keeps_to_its_limit);
	tcase_add_test(tc, arena_str_ends_with_nul);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
