/* test_tenure.c - what the group, the journal and time make of an instance: a table of stories, and random ones against a list of what has happened. */
#include "sink/notify/tenure.h"

#include <stdbool.h>
#include <string.h>

#include "tests/unit/unit.h"

/* a assigned, r revoked, q acquired, b broken, f fenced and broken, w: the wait is over, .: a moment later. Phases by their first letter, but aCquiring. */
static const struct { const char *story, *phases; } stories[] = {
	{"", ""},
	{".", "s"},
	{"a", "c"},
	{"aq", "ca"},
	{"aqr", "cas"},
	{"ar", "cs"},
	{"q", "s"},             /* nobody acquires what is not theirs */
	{"aqb", "cac"},         /* begin anew at once */
	{"aqbq", "caca"},
	{"aqf.w", "cawwc"},     /* only when the group had time to find out */
	{"aqfr", "caws"},
	{"aqfra", "cawsc"},     /* the group's new word counts at once */
	{"aqfa", "cawc"},
	{"aa", "cc"},
	{"aqa", "cac"},         /* ours again: it may have been another's meanwhile */
	{"f", "s"},
	{"fa", "sc"},
	{"aqf.wq", "cawwca"},
};

static char letter(enum tenure_phase phase)
{
	return phase == TENURE_ACQUIRING ? 'c' : tenure_phase_name(phase)[0];
}

static void step(struct tenure *t, char what, int64_t *now)
{
	switch (what) {
	case 'a':
		tenure_assigned(t);
		break;
	case 'r':
		tenure_revoked(t);
		break;
	case 'q':
		tenure_acquired(t);
		break;
	case 'b':
	case 'f':
		tenure_broken(t, what == 'f', *now);
		break;
	case 'w':
		*now += TENURE_WAIT_MS - 1; /* and one of the step's own */
		break;
	default:
		break;
	}
}

START_TEST(a_story)
{
	struct tenure t = {0};
	int64_t now = 1000;

	for (size_t i = 0; stories[_i].story[i]; i++) {
		step(&t, stories[_i].story[i], &now);
		ck_assert_msg(letter(tenure_phase(&t, now)) == stories[_i].phases[i], "%s, step %zu: %c", stories[_i].story, i,
			      letter(tenure_phase(&t, now)));
		now += stories[_i].story[i] == 'w' || stories[_i].story[i] == '.';
	}
}
END_TEST

START_TEST(a_wait_ends_when_it_is_over_and_not_before)
{
	struct tenure t = {0};

	tenure_assigned(&t);
	tenure_acquired(&t);
	tenure_broken(&t, true, 5000);
	ck_assert_int_eq(tenure_phase(&t, 5000 + TENURE_WAIT_MS - 1), TENURE_WAITING);
	ck_assert_int_eq(tenure_phase(&t, 5000 + TENURE_WAIT_MS), TENURE_ACQUIRING);
	ck_assert_int_gt(TENURE_WAIT_MS, 10000); /* the session time-out of owner.c */
}
END_TEST

/* Active is only who was assigned and has acquired since, with nothing but time in between; and whatever ends or begins a term changes its number. */
START_TEST(nobody_is_active_by_what_was)
{
	struct unit_random dice = unit_random_new("tenure");
	static const char letters[] = "aarqqbfw.";

	for (int round = 0; round < 20000; round++) {
		struct tenure t = {0};
		char line[13] = "";
		int64_t now = 1;

		for (size_t i = 0; i < sizeof(line) - 1; i++) {
			uint64_t term = t.term;
			bool was_active = tenure_phase(&t, now) == TENURE_ACTIVE, active;
			const char *last;

			line[i] = letters[unit_random_below(&dice, sizeof(letters) - 1)];
			step(&t, line[i], &now);
			active = tenure_phase(&t, now) == TENURE_ACTIVE;
			last = strpbrk(line, "q");
			for (const char *p = last; p; p = strpbrk(p + 1, "q"))
				last = p;
			ck_assert_msg(!active || (last && !strpbrk(last, "arbf")), "%s", line);
			ck_assert_msg((t.term != term) == (strchr("arbf", line[i]) != NULL), "%s", line);
			ck_assert_msg(!was_active || active || t.term != term, "%s", line); /* who keeps things of a term sees its end */
		}
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tenure");
	TCase *tc = tcase_create("tenure");

	tcase_add_loop_test(tc, a_story, 0, NR(stories));
	tcase_add_test(tc, a_wait_ends_when_it_is_over_and_not_before);
	tcase_add_test(tc, nobody_is_active_by_what_was);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
