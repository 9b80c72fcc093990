/* test_time_words.c - times as pages tell them. Seconds since the epoch in the tables are GNU date's. */
#include "sink/status/time_words.h"

#include "tests/unit/unit.h"

#define NOW INT64_C(1795788158000) /* 2026-11-27T14:02:38Z */

static const struct { int64_t t_ms; const char *want; } ats[] = {
	{NOW, "<time datetime=\"2026-11-27T14:02:38Z\">14:02 UTC</time>"},
	{INT64_C(1795737600000), "<time datetime=\"2026-11-27T00:00:00Z\">00:00 UTC</time>"},
	{INT64_C(1795737599999), "<time datetime=\"2026-11-26T23:59:59Z\">26 Nov, 23:59 UTC</time>"},
	{INT64_C(1798761600000), "<time datetime=\"2027-01-01T00:00:00Z\">1 Jan 2027, 00:00 UTC</time>"},
	{INT64_C(1764252158000), "<time datetime=\"2025-11-27T14:02:38Z\">27 Nov 2025, 14:02 UTC</time>"},
	{INT64_C(253402300799999), "<time datetime=\"9999-12-31T23:59:59Z\">31 Dec 9999, 23:59 UTC</time>"},
	{0, "<time datetime=\"1970-01-01T00:00:00Z\">1 Jan 1970, 00:00 UTC</time>"},
};

START_TEST(at)
{
	struct buf out = BUF_INIT;

	time_words_at(&out, ats[_i].t_ms, NOW);
	buf_add(&out, "", 1);
	ck_assert_str_eq((const char *)out.p, ats[_i].want);
	buf_fini(&out);
}
END_TEST

static const struct { int64_t ago_ms; const char *want; } agos[] = {
	{0, "just now"}, {999, "just now"}, {-999, "just now"}, {1000, "1 s ago"}, {119999, "119 s ago"}, {120000, "2 min ago"},
	{3 * 3600000, "3 h ago"}, {-1000, "in 1 s"}, {-40 * 60000, "in 40 min"}, {INT64_C(72) * 3600000, "3 days ago"}, {-INT64_C(31) * 3600000, "in 31 h"},
	{INT64_C(71) * 3600000, "2 days 23 h ago"},
};

START_TEST(ago)
{
	struct buf out = BUF_INIT, want = BUF_INIT;

	for (const char *c = agos[_i].want; *c; c++) /* no line is broken in it */
		buf_add(&want, *c == ' ' ? "\xc2\xa0" : c, *c == ' ' ? 2 : 1);
	time_words_ago(&out, NOW - agos[_i].ago_ms, NOW);
	ck_assert(str_eq(buf_str(&out), buf_str(&want)));
	buf_fini(&out);
	buf_fini(&want);
}
END_TEST

START_TEST(exact_and_months)
{
	struct buf out = BUF_INIT;

	time_words_exact(&out, NOW, NOW);
	time_words_month(&out, NOW);
	buf_add(&out, "", 1);
	ck_assert_str_eq((const char *)out.p, "<time datetime=\"2026-11-27T14:02:38Z\">14:02:38 UTC</time>November 2026");
	ck_assert_int_eq(time_words_month_begin(NOW), INT64_C(1793491200000));
	ck_assert_int_eq(time_words_month_begin(INT64_C(1793491200000)), INT64_C(1793491200000));
	ck_assert_int_eq(time_words_month_begin(INT64_C(1793491199999)), INT64_C(1790812800000));
	buf_fini(&out);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("time_words");
	TCase *tc = tcase_create("time_words");

	tcase_add_loop_test(tc, at, 0, NR(ats));
	tcase_add_loop_test(tc, ago, 0, NR(agos));
	tcase_add_test(tc, exact_and_months);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
