/* test_escape.c - text in markup: by a table, and by reading back what random texts became. */
#include "sink/status/escape.h"

#include "tests/unit/unit.h"

#define BAD "\xef\xbf\xbd"

static const struct { const char *text, *want; } cases[] = {
	{"", ""},
	{"plain, 100 %", "plain, 100 %"},
	{"<b>&amp;'\"</b>", "&lt;b&gt;&amp;amp;&#39;&quot;&lt;/b&gt;"},
	{"]]>-->", "]]&gt;--&gt;"},
	{"two\nlines\tand a tab", "two\nlines\tand a tab"},
	{"bell\a, return\r, escape\x1b, delete\x7f", "bell" BAD ", return" BAD ", escape" BAD ", delete" BAD},
	{"\xc2\x85 next line, \xc2\xa0 blank", BAD " next line, \xc2\xa0 blank"},
	{"\xef\xbf\xbe\xef\xbf\xbf\xef\xbf\xbc", BAD BAD "\xef\xbf\xbc"},
	{"\xf0\x9f\x9a\x92 \xe2\x82\xac", "\xf0\x9f\x9a\x92 \xe2\x82\xac"},
	{"cut \xe2\x82", "cut " BAD BAD},
	{"\xff<", BAD "&lt;"},
	{"overlong \xc0\xbc", "overlong " BAD BAD},
};

START_TEST(escape_table)
{
	struct buf out = BUF_INIT;

	escape_words(&out, cases[_i].text);
	buf_add(&out, "", 1);
	ck_assert_str_eq((const char *)out.p, cases[_i].want);
	buf_fini(&out);
}
END_TEST

START_TEST(a_nul_is_no_character)
{
	struct buf out = BUF_INIT;

	escape_text(&out, (struct str){"a\0b", 3});
	ck_assert(str_eq(buf_str(&out), STR("a" BAD "b")));
	buf_fini(&out);
}
END_TEST

/* The other way round; what is no reference of the five is a failure. */
static void read_back(struct str s, struct buf *out)
{
	static const struct { const char *reference; char c; } all[] = {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&#39;", '\''}};

	while (s.len) {
		size_t k = 0;

		while (k < NR(all) && !str_take(&s, all[k].reference))
			k++;
		if (k < NR(all)) {
			buf_add(out, &all[k].c, 1);
			continue;
		}
		ck_assert_msg(!strchr("&<>\"'", *s.p), "%c stands there bare", *s.p);
		buf_add(out, s.p++, 1);
		s.len--;
	}
}

START_TEST(what_is_written_is_what_is_read)
{
	static const char *const pieces[] = {"<", ">", "&", "\"", "'", "&lt;", "</title>", "<!--", "x", "\n", "\xc3\xa9", "\xe2\x80\xae", "\xf0\x9f\x98\x80", "&#39;", ";"};
	struct unit_random r = unit_random_new("escape");

	for (int round = 0; round < 2000; round++) {
		struct buf text = BUF_INIT, out = BUF_INIT, back = BUF_INIT;

		for (size_t n = unit_random_below(&r, 30); n > 0; n--)
			markup(&text, pieces[unit_random_below(&r, NR(pieces))]);
		escape_text(&out, buf_str(&text));
		read_back(buf_str(&out), &back);
		ck_assert(str_eq(buf_str(&text), buf_str(&back)));
		buf_fini(&text);
		buf_fini(&out);
		buf_fini(&back);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("escape");
	TCase *tc = tcase_create("escape");

	tcase_add_loop_test(tc, escape_table, 0, NR(cases));
	tcase_add_test(tc, a_nul_is_no_character);
	tcase_add_test(tc, what_is_written_is_what_is_read);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
