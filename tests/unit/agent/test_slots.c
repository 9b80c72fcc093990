/* test_slots.c - a day of a clock that runs, waits and leaps: what was told is cut once its slot is over, and never waits for a clock that was set back. */
#include "ingest/agent/slots.h"

#include "tests/unit/unit.h"

#define T0 (INT64_C(1795372000000) / 30000 * 30000)

enum { JITTER_MS = 4000 };

static const struct {
	int64_t now_ms, cut_ms; /* since T0; cut_ms 0: nothing, 1: all */
	uint64_t late;
} day[] = {
	{29999, 0, 0},
	{30000 + JITTER_MS - 1, 0, 0},
	{30000 + JITTER_MS, 30000, 0},
	{30000 + JITTER_MS, 0, 0},
	{59999, 0, 0},
	{5000, 0, 0},                      /* set back within the slot before: it is waited for */
	{60000 + JITTER_MS, 60000, 0},
	{90000 + 60000, 150000, 0},
	{86400000, 86400000, 1},           /* forward by a day */
	{86400000 + 29000, 0, 1},
	{3600000 + 5000, 1, 1},            /* back by most of it */
	{3600000 + 6000, 0, 1},
	{3600000 + 30000 + JITTER_MS, 3600000 + 30000, 1},
	{3600000, 0, 1},                   /* just within what is waited for */
	{3599999, 1, 1},
};

START_TEST(what_is_told_is_cut_whatever_the_clock_does)
{
	struct slots s = {.end_ms = slots_end_after(T0)};

	for (size_t i = 0; i < NR(day); i++) {
		int64_t wanted = day[i].cut_ms == 1 ? INT64_MAX : day[i].cut_ms ? T0 + day[i].cut_ms : 0;
		int64_t got = slots_due(&s, T0 + day[i].now_ms, s.end_ms + JITTER_MS);

		ck_assert_msg(got == wanted && s.late == day[i].late, "%zu: %lld", i, (long long)(got - T0));
		ck_assert(s.end_ms % 30000 == 0);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("slots");
	TCase *tc = tcase_create("slots");

	tcase_add_test(tc, what_is_told_is_cut_whatever_the_clock_does);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
