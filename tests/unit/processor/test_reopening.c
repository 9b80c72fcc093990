/* test_reopening.c - pauses after failures, as a story told by the minute. */
#include "processor/reopening.h"

#include "tests/unit/unit.h"

START_TEST(opens_at_once)
{
	const struct reopening r = {0};

	ck_assert(reopening_due(&r, 0));
}
END_TEST

START_TEST(pauses_grow_and_end)
{
	static const struct {
		bool fenced;
		int64_t lasted_ms, pause_ms;
	} story[] = {
		{false, 100, 1000}, {false, 100, 2000}, {false, 100, 4000}, {true, 100, 15000}, {true, 100, 30000}, {true, 100, 60000},
		{true, 100, 120000}, {true, 300000, 240000}, {true, 300000, 300000}, {true, 599999, 300000}, {true, 600000, 15000}, {false, 1, 30000},
		{false, 600000, 1000},
	};
	struct reopening r = {0};
	int64_t now_ms = 5000;

	for (size_t i = 0; i < NR(story); i++) {
		reopening_note_open(&r, now_ms);
		now_ms += story[i].lasted_ms;
		ck_assert_msg(reopening_note_failure(&r, story[i].fenced, now_ms) == story[i].pause_ms, "%zu: %lld", i, (long long)r.pause_ms);
		ck_assert(!reopening_due(&r, now_ms + story[i].pause_ms - 1));
		now_ms += story[i].pause_ms;
		ck_assert(reopening_due(&r, now_ms));
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("reopening");
	TCase *tc = tcase_create("reopening");

	tcase_add_test(tc, opens_at_once);
	tcase_add_test(tc, pauses_grow_and_end);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
