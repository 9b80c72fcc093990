/* test_plan.c - what one receiver is to be told next, and when: a table of what it knows and what there is. */
#include "sink/notify/plan.h"

#include "tests/unit/unit.h"

enum { O = INCIDENT_STATE_OPEN, R = INCIDENT_STATE_RESOLVED };
enum { DELIVERED = SENT_OUTCOME_DELIVERED, GAVE_UP = SENT_OUTCOME_GAVE_UP, DROPPED = SENT_OUTCOME_DROPPED, UNDER_WAY = SENT_OUTCOME_UNDER_WAY };

/* The incident was made at 1000, is over at 7000 where it is, and its last news is version 5. Wait 30, interval 300, repeat 4000. */
static const struct {
	const char *what;
	int state;
	bool acked, no_resolve, no_repeat, not_for_it, by_escalation, reappears;
	struct {
		int64_t sequence, version;
		int state, outcome;
		int64_t at_ms;
		enum told_stage stage;
	} told; /* at_ms 0: nothing */
	enum plan_what next;
	int64_t due_ms;
} cases[] = {
	{"first, after the group wait", O, .next = PLAN_FIRST, .due_ms = 1030},
	{"first, of what is over", R, .next = PLAN_FIRST, .due_ms = 1030},
	{"over, and who wants no ends", R, .no_resolve = true, .next = PLAN_NOTHING},
	{"not for it", O, .not_for_it = true, .next = PLAN_NOTHING},
	{"escalated: at once", O, .by_escalation = true, .next = PLAN_FIRST, .due_ms = 1000},
	{"escalated, and over", R, .by_escalation = true, .next = PLAN_NOTHING},
	{"all told: the repeat", O, .told = {1, 5, O, DELIVERED, 2000, 0}, .next = PLAN_REPEAT, .due_ms = 6000},
	{"all told, acknowledged", O, .acked = true, .told = {1, 5, O, DELIVERED, 2000, 0}, .next = PLAN_NOTHING},
	{"all told, and no repeats", O, .no_repeat = true, .told = {1, 5, O, DELIVERED, 2000, 0}, .next = PLAN_NOTHING},
	{"an older version told: the news", O, .told = {1, 4, O, DELIVERED, 2000, 0}, .next = PLAN_NEWS, .due_ms = 2300},
	{"news though acknowledged", O, .acked = true, .told = {1, 4, O, DELIVERED, 2000, 0}, .next = PLAN_NEWS, .due_ms = 2300},
	{"a newer version told: no news", O, .told = {1, 6, O, DELIVERED, 2000, 0}, .next = PLAN_REPEAT, .due_ms = 6000},
	{"what was silenced is news", O, .reappears = true, .told = {1, 5, O, DELIVERED, 2000, 0}, .next = PLAN_NEWS, .due_ms = 2300},
	{"told as over, open again", O, .told = {2, 5, R, DELIVERED, 2000, 0}, .next = PLAN_NEWS, .due_ms = 2300},
	{"not for it any more", O, .not_for_it = true, .told = {1, 4, O, DELIVERED, 2000, 0}, .next = PLAN_NOTHING},
	{"not for it any more, and over", R, .not_for_it = true, .told = {1, 4, O, DELIVERED, 2000, 0}, .next = PLAN_NEWS, .due_ms = 7000},
	{"over: at once", R, .told = {1, 4, O, DELIVERED, 6999, 0}, .next = PLAN_NEWS, .due_ms = 7000},
	{"over, acknowledged: as well", R, .acked = true, .told = {1, 4, O, DELIVERED, 6999, 0}, .next = PLAN_NEWS, .due_ms = 7000},
	{"over, and told so", R, .told = {2, 5, R, DELIVERED, 7000, 0}, .next = PLAN_NOTHING},
	{"over, told so, over again", R, .told = {2, 4, R, DELIVERED, 6000, 0}, .next = PLAN_NEWS, .due_ms = 6300},
	{"the first was given up", R, .told = {1, 4, O, GAVE_UP, 6000, 0}, .next = PLAN_NOTHING},
	{"the second was", R, .told = {2, 4, O, GAVE_UP, 6000, 0}, .next = PLAN_NEWS, .due_ms = 7000},
	{"the first was dropped on its way", R, .told = {1, 4, O, DROPPED, 6000, 0}, .next = PLAN_NOTHING},
	{"all was dropped", R, .told = {0, 4, O, DROPPED, 6000, 0}, .next = PLAN_NOTHING},
	{"all was dropped, but it changes", O, .told = {0, 4, O, DROPPED, 6000, 0}, .next = PLAN_NEWS, .due_ms = 6300},
	{"decided", O, .told = {1, 4, O, UNDER_WAY, 2000, TOLD_DECIDED}, .next = PLAN_NOTHING},
	{"committed", O, .told = {1, 4, O, UNDER_WAY, 2000, TOLD_READY}, .next = PLAN_NOTHING},
	{"on its way, though it is over", R, .told = {1, 4, O, UNDER_WAY, 2000, TOLD_OUT}, .next = PLAN_NOTHING},
	{"without an outcome, says all", O, .told = {1, 5, O, UNDER_WAY, 2000, 0}, .next = PLAN_AGAIN, .due_ms = 2000},
	{"the same, acknowledged", O, .acked = true, .told = {1, 5, O, UNDER_WAY, 2000, 0}, .next = PLAN_AGAIN, .due_ms = 2000},
	{"without an outcome, says less", O, .told = {1, 4, O, UNDER_WAY, 2000, 0}, .next = PLAN_NEWS, .due_ms = 2000},
	{"without an outcome, of the end", R, .told = {2, 5, R, UNDER_WAY, 7000, 0}, .next = PLAN_AGAIN, .due_ms = 7000},
	{"without an outcome, and it is over", R, .told = {1, 5, O, UNDER_WAY, 2000, 0}, .next = PLAN_NEWS, .due_ms = 2000},
	{"without an outcome, over, and no ends", R, .no_resolve = true, .told = {1, 5, O, UNDER_WAY, 2000, 0}, .next = PLAN_NOTHING},
	{"without an outcome, not for it any more", O, .not_for_it = true, .told = {1, 5, O, UNDER_WAY, 2000, 0}, .next = PLAN_NOTHING},
	{"far in the future", O, .told = {1, 5, O, DELIVERED, INT64_MAX - 5, 0}, .next = PLAN_REPEAT, .due_ms = INT64_MAX},
};

START_TEST(next)
{
	struct one_case c = {.rec = {.state = (enum incident_state)cases[_i].state, .created_at = 1000, .resolved_at = 7000, .changed_version = 5,
				     .has_acked_at = cases[_i].acked}};
	struct receiver_row row = {.r = {.group_wait_ms = 30, .group_interval_ms = 300, .repeat_ms = cases[_i].no_repeat ? 0 : 4000,
					 .resolve = !cases[_i].no_resolve}};
	struct told t = {.sequence = cases[_i].told.sequence, .version = cases[_i].told.version, .state = (enum incident_state)cases[_i].told.state,
			 .outcome = (enum sent_outcome)cases[_i].told.outcome, .at_ms = cases[_i].told.at_ms, .stage = cases[_i].told.stage};
	struct plan_member m = {.to = &row, .told = t.at_ms ? &t : NULL, .gets = !cases[_i].not_for_it, .by_escalation = cases[_i].by_escalation};
	struct plan_step got = plan_next(&c, &m, 5, cases[_i].reappears);

	ck_assert_msg(got.what == cases[_i].next, "%s: %d", cases[_i].what, got.what);
	ck_assert_msg(got.what == PLAN_NOTHING || got.due_ms == cases[_i].due_ms, "%s: %lld", cases[_i].what, (long long)got.due_ms);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("plan");
	TCase *tc = tcase_create("plan");

	tcase_add_loop_test(tc, next, 0, NR(cases));
	suite_add_tcase(s, tc);
	return unit_main(s);
}
