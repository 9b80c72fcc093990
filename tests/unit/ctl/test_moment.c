/* test_moment.c - times as operators write them, against the C library's calendar. */
#include "deploy/ctl/moment.h"

#include <time.h>

#include "common/clock.h"
#include "tests/unit/unit.h"

enum { NOW = 1000 * 60000 };

static const struct { const char *text; int64_t at; } good[] = {
	{"1970-01-01T00:00:00Z", 0},
	{"2026-11-26T12:30:00Z", INT64_C(1795696200000)}, /* date -u -d 2026-11-26T12:30 +%s */
	{"2026-11-26T12:30Z", INT64_C(1795696200000)},
	{"2026-11-26T13:30:00+01:00", INT64_C(1795696200000)},
	{"2026-11-26T07:00:00-05:30", INT64_C(1795696200000)},
	{"2026-11-26T12:30:00.000Z", INT64_C(1795696200000)},
	{"2026-11-26T12:30:00.5Z", INT64_C(1795696200500)},
	{"2026-11-26T12:30:07.123000Z", INT64_C(1795696207123)},
	{"2000-02-29T23:59:59Z", INT64_C(951868799000)},
	{"30m", NOW + 30 * 60000},
	{"15m", NOW + 15 * 60000},
	{"1h", NOW + 60 * 60000},
	{"90s", NOW + 2 * 60000}, /* up to the full minute */
	{"2d", NOW + 2 * 24 * 60 * 60000},
};

START_TEST(reads_them)
{
	struct err err = ERR_INIT;
	int64_t at = -1;

	ck_assert_msg(moment_parse(good[_i].text, NOW, &at, &err) == 0, "%s", err.msg);
	ck_assert_msg(at == good[_i].at, "%s: %lld, not %lld", good[_i].text, (long long)at, (long long)good[_i].at);
}
END_TEST

static const char *const bad[] = {
	"", "noon", "12:30", "2026-11-26", "2026-11-26T12:30:00", "2026-11-26 12:30:00Z", "2026-11-26T12:30:00Z ", "2026-11-26T24:00:00Z",
	"2026-11-26T12:60:00Z", "2026-11-26T12:30:60Z", "2026-11-26T12:30:00.Z", "2026-11-26T12:30:00.0001Z", "2026-11-31T00:00:00Z",
	"2026-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-01-00T00:00:00Z",
	"1969-12-31T23:59:00Z", "2026-11-26T12:30:00+1:00", "2026-11-26T12:30:00+24:00", "2026-11-26T12:30:00+0100", "-5m", "5 parsecs", "400d",
};

START_TEST(refuses_others)
{
	struct err err = ERR_INIT;
	int64_t at = 77;

	ck_assert_msg(moment_parse(bad[_i], NOW, &at, &err) == -1, "taken: %s", bad[_i]);
	ck_assert(err.kind == ERR_REJECT && at == 77);
}
END_TEST

/* What clock_iso() wrote with the C library's calendar comes back. */
START_TEST(reads_what_is_shown)
{
	struct unit_random r = unit_random_new("moment");

	for (int i = 0; i < 20000; i++) {
		int64_t t = (int64_t)unit_random_below(&r, UINT64_C(253402300800000)), back = -1;
		char text[CLOCK_ISO_SIZE];

		ck_assert_msg(moment_parse(clock_iso(t, text, sizeof(text)), NOW, &back, NULL) == 0 && back == t, "%s: %lld, not %lld", text,
			      (long long)back, (long long)t);
	}
}
END_TEST

START_TEST(full_minutes)
{
	static const struct { int64_t t, full; } cases[] = {{0, 0}, {1, 60000}, {59999, 60000}, {60000, 60000}, {60001, 120000}};

	for (size_t i = 0; i < NR(cases); i++)
		ck_assert_int_eq(moment_full_minute(cases[i].t), cases[i].full);
}
END_TEST

/* -1: it is none, or lies ahead. */
static const struct { const char *text; int64_t at; } past[] = {
	{"now", NOW}, {"30m", NOW - 30 * 60000}, {"90s", NOW - 90000}, {"0s", NOW}, {"1970-01-01T16:40:00Z", NOW}, {"1970-01-01T16:39:59.999Z", NOW - 1},
	{"1970-01-01T16:40:00.001Z", -1}, {"2026-11-26T12:30:00Z", -1}, {"Now", -1}, {"", -1}, {"yesterday", -1}, {"-5m", -1},
};

START_TEST(what_has_been)
{
	struct err err = ERR_INIT;
	int64_t at = -1;

	ck_assert_int_eq(moment_parse_past(past[_i].text, NOW, &at, &err), past[_i].at < 0 ? -1 : 0);
	ck_assert_msg(at == past[_i].at, "%s: %lld", past[_i].text, (long long)at);
	ck_assert(past[_i].at >= 0 || err.kind == ERR_REJECT);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("moment");
	TCase *tc = tcase_create("moment");

	tcase_add_loop_test(tc, reads_them, 0, (int)NR(good));
	tcase_add_loop_test(tc, refuses_others, 0, (int)NR(bad));
	tcase_add_test(tc, reads_what_is_shown);
	tcase_add_loop_test(tc, what_has_been, 0, (int)NR(past));
	tcase_add_test(tc, full_minutes);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
