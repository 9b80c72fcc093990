/* test_trial.c - what a trigger would have done, against a search for runs of minutes that knows no states. */
#include "deploy/ctl/trial.h"

#include <string.h>

#include "tests/unit/unit.h"

#define MIN INT64_C(60000)
#define SINCE (1000 * MIN)

enum { MINUTES = 60, ROUNDS = 3000, FOUND_MAX = MINUTES };

struct found {
	int opened, closed; /* minutes of the span; closed -1: open at the end */
	bool has_value;
	double value;
};

struct all {
	struct found list[FOUND_MAX];
	int nr;
};

static int on_finding(void *ctx, const struct trial_finding *f, struct err *err)
{
	struct all *all = ctx;

	(void)err;
	ck_assert_int_lt(all->nr, FOUND_MAX);
	all->list[all->nr++] = (struct found){(int)((f->opened_ms - SINCE) / MIN), f->closed_ms < 0 ? -1 : (int)((f->closed_ms - SINCE) / MIN), f->has_value,
					      f->value};
	return 0;
}

static const struct trial_span whole = {SINCE, SINCE + MINUTES * MIN};

/* Does the condition hold in minute m, and may an alert that is not there yet be asked for it? */
struct verdicts {
	bool holds[MINUTES], asked[MINUTES];
	bool has_value[MINUTES];
	double value[MINUTES];
};

/* How many minutes from m on are like the first so many; stops at the end. */
static int run_of(const struct verdicts *v, int m, bool holds, int most)
{
	int n = 0;

	while (m + n < MINUTES && n < most && v->holds[m + n] == holds)
		n++;
	return n;
}

/* Looks for the first run of warm-up minutes that begins where it may, then for the first run of cooldown minutes behind it, and so on. */
static void search(const struct verdicts *v, int warm_up, int cooldown, struct all *out)
{
	int m = 0;

	warm_up = warm_up ? warm_up : 1;
	cooldown = cooldown ? cooldown : 1;
	out->nr = 0;
	while (m < MINUTES) {
		int held = v->asked[m] ? run_of(v, m, true, warm_up) : 0, opened = m + warm_up - 1;

		if (held < warm_up) {
			m += held + 1;
			continue;
		}
		for (m = opened + 1; m < MINUTES && run_of(v, m, false, cooldown) < cooldown;)
			m++;
		out->list[out->nr++] = (struct found){opened, m < MINUTES ? m + cooldown - 1 : -1, v->has_value[opened], v->value[opened]};
		m += cooldown;
	}
}

static void compare(const struct all *want, const struct all *have)
{
	ck_assert_int_eq(have->nr, want->nr);
	for (int i = 0; i < want->nr; i++) {
		const struct found *w = &want->list[i], *h = &have->list[i];

		ck_assert_msg(w->opened == h->opened && w->closed == h->closed && w->has_value == h->has_value && (!w->has_value || w->value == h->value),
			      "alert %d: %d to %d of %g, not %d to %d of %g", i, h->opened, h->closed, h->value, w->opened, w->closed, w->value);
	}
}

/* Some minutes of a gauge, from a few values, so that runs are common. */
static size_t draw(struct unit_random *r, struct windows_point points[MINUTES], int gaps)
{
	size_t nr = 0;

	for (int m = 0; m < MINUTES; m++) {
		double value = (double)unit_random_below(r, 4);

		if ((int)unit_random_below(r, 10) < gaps)
			continue;
		points[nr++] = (struct windows_point){.start_ms = SINCE + m * MIN,
						      .point = {.kind = SERIES_KIND_GAUGE, .has_max = true, .count = 1, .max = value, .sum = value}};
	}
	return nr;
}

static double threshold_of(int m, const struct windows_point *points, size_t nr, enum trigger_field field, bool *reported, bool *has)
{
	*reported = false;
	*has = field == TRIGGER_FIELD_SUM; /* of nothing it is 0 */
	for (size_t i = 0; i < nr; i++)
		if (points[i].start_ms == SINCE + m * MIN) {
			*reported = *has = true;
			return points[i].point.max;
		}
	return 0;
}

START_TEST(thresholds)
{
	struct unit_random r = unit_random_new("trial");
	struct windows_point points[MINUTES];
	int opened = 0, open = 0;

	for (int round = 0; round < ROUNDS; round++) {
		struct windows_series s = {.points = points, .nr = draw(&r, points, round % 6)};
		struct trigger t = {.has_threshold = true, .threshold = {round % 2 ? TRIGGER_FIELD_SUM : TRIGGER_FIELD_MAX,
					    round % 3 ? TRIGGER_COMPARISON_LT : TRIGGER_COMPARISON_GE, (double)unit_random_below(&r, 4)},
				    .warm_up_minutes = (int32_t)unit_random_below(&r, 5), .cooldown_minutes = (int32_t)unit_random_below(&r, 5)};
		struct verdicts v = {0};
		struct all want, have = {.nr = 0};

		for (int m = 0; m < MINUTES; m++) {
			v.value[m] = threshold_of(m, points, s.nr, t.threshold.field, &v.asked[m], &v.has_value[m]);
			v.holds[m] = v.has_value[m] && (round % 3 ? v.value[m] < t.threshold.threshold : v.value[m] >= t.threshold.threshold);
		}
		search(&v, t.warm_up_minutes, t.cooldown_minutes, &want);
		ck_assert_int_eq(trial_series(&t, &s, whole, on_finding, &have, NULL), 0);
		compare(&want, &have);
		opened += want.nr;
		open += want.nr && want.list[want.nr - 1].closed < 0;
	}
	ck_assert(opened > ROUNDS && open > ROUNDS / 20);
}
END_TEST

START_TEST(absences)
{
	struct unit_random r = unit_random_new("trial");
	struct windows_point points[MINUTES];
	int opened = 0;

	for (int round = 0; round < ROUNDS; round++) {
		struct windows_series s = {.points = points, .nr = draw(&r, points, 2 + round % 8)};
		struct trigger t = {.has_absent_minutes = true, .absent_minutes = 1 + (int32_t)unit_random_below(&r, 6), .warm_up_minutes = 9,
				    .cooldown_minutes = (int32_t)unit_random_below(&r, 4)};
		struct verdicts v = {0};
		struct all want, have = {.nr = 0};
		int last = -1000;
		bool has;

		for (int m = 0; m < MINUTES; m++) {
			bool reported;

			threshold_of(m, points, s.nr, TRIGGER_FIELD_MAX, &reported, &has);
			last = reported ? m : last;
			v.asked[m] = true;
			v.holds[m] = last >= 0 && m - last >= t.absent_minutes;
		}
		search(&v, 1, t.cooldown_minutes, &want);
		ck_assert_int_eq(trial_series(&t, &s, whole, on_finding, &have, NULL), 0);
		compare(&want, &have);
		opened += want.nr;
	}
	ck_assert_int_gt(opened, ROUNDS / 2);
}
END_TEST

/* Random signs, sorted; some before the span. */
static size_t draw_signs(struct unit_random *r, struct trial_sign signs[MINUTES], bool beats)
{
	size_t nr = 0;

	for (int64_t t = SINCE - 3 * MIN; nr < MINUTES && t < SINCE + MINUTES * MIN;) {
		t += (int64_t)unit_random_below(r, 12 * MIN);
		signs[nr++] = (struct trial_sign){t, beats ? CHECK_IN_EVENT_BEAT : unit_random_below(r, 2) ? CHECK_IN_EVENT_START : CHECK_IN_EVENT_FINISH};
	}
	return nr;
}

/* The latest sign of one of two kinds before end, INT64_MIN for none. */
static int64_t latest(const struct trial_sign *signs, size_t nr, int64_t end, enum check_in_event a, enum check_in_event b)
{
	int64_t t = INT64_MIN;

	for (size_t i = 0; i < nr; i++)
		if (signs[i].t_ms < end && (signs[i].event == a || signs[i].event == b))
			t = signs[i].t_ms;
	return t;
}

/* As schemas/README.md has it (Alerts), minute by minute, due times counted back one after the other. every: of "*" "/EVERY * * * *"; 0: a heartbeat. */
static bool is_missed(const struct check_in_rule *rule, int every, const struct trial_sign *signs, size_t nr, int64_t end)
{
	int64_t grace = rule->grace_minutes * MIN, due, last, finish;

	if (!every) {
		last = latest(signs, nr, end, CHECK_IN_EVENT_BEAT, CHECK_IN_EVENT_BEAT);
		return end - (last > SINCE ? last : SINCE) > rule->every_minutes * MIN + grace;
	}
	for (due = SINCE + MINUTES * MIN; due / MIN % 60 % every || due + grace > end;)
		due -= MIN;
	if (due < SINCE)
		return false;
	last = latest(signs, nr, end, CHECK_IN_EVENT_START, CHECK_IN_EVENT_FINISH);
	finish = latest(signs, nr, end, CHECK_IN_EVENT_FINISH, CHECK_IN_EVENT_FINISH);
	if (last < due - MIN || !rule->runtime_minutes)
		return last < due - MIN;
	while (due / MIN % 60 % every || due + grace + rule->runtime_minutes * MIN >= end) /* the last run that should be through */
		due -= MIN;
	return due >= SINCE && finish < due;
}

START_TEST(check_ins)
{
	static const int steps[] = {0, 5, 10, 15, 20, 30};
	struct unit_random r = unit_random_new("trial");
	struct trial_sign signs[MINUTES];
	int opened = 0;

	for (int round = 0; round < ROUNDS; round++) {
		int every = steps[(size_t)round % NR(steps)];
		char cron[24];
		struct trigger t = {.has_check_in = true, .check_in = {.grace_minutes = (int32_t)unit_random_below(&r, 4)},
				    .warm_up_minutes = (int32_t)unit_random_below(&r, 3), .cooldown_minutes = (int32_t)unit_random_below(&r, 3)};
		size_t nr = draw_signs(&r, signs, !every);
		struct verdicts v = {0};
		struct all want, have = {.nr = 0};

		snprintf(cron, sizeof(cron), "*/%d * * * *", every);
		if (every)
			t.check_in.cron = str_from(cron);
		else
			t.check_in.every_minutes = 1 + (int32_t)unit_random_below(&r, 8);
		t.check_in.runtime_minutes = every ? (int32_t)unit_random_below(&r, 6) : 0;
		for (int m = 0; m < MINUTES; m++) {
			int64_t end = SINCE + (m + 1) * MIN, last = SINCE;

			for (size_t i = 0; i < nr; i++)
				last = signs[i].t_ms < end && signs[i].t_ms > last ? signs[i].t_ms : last;
			v.asked[m] = v.has_value[m] = true;
			v.holds[m] = is_missed(&t.check_in, every, signs, nr, end);
			v.value[m] = (double)(end - last) / 60000.0;
		}
		search(&v, t.warm_up_minutes, t.cooldown_minutes, &want);
		ck_assert_int_eq(trial_check_in(&t, signs, nr, whole, on_finding, &have, NULL), 0);
		compare(&want, &have);
		opened += want.nr;
	}
	ck_assert_int_gt(opened, ROUNDS);
}
END_TEST

/* What lies outside of the span does not count. */
START_TEST(outside)
{
	struct windows_point points[] = {{.start_ms = SINCE - MIN, .point = {.count = 9}}, {.start_ms = SINCE + MINUTES * MIN, .point = {.count = 9}}};
	struct windows_series s = {.points = points, .nr = 2};
	struct trigger t = {.has_threshold = true, .threshold = {TRIGGER_FIELD_COUNT, TRIGGER_COMPARISON_GT, 1}}, absent = {.has_absent_minutes = true,
			    .absent_minutes = 1};
	struct all have = {.nr = 0};

	ck_assert(trial_series(&t, &s, whole, on_finding, &have, NULL) == 0 && trial_series(&absent, &s, whole, on_finding, &have, NULL) == 0);
	ck_assert_int_eq(have.nr, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("trial");
	TCase *tc = tcase_create("trial");

	tcase_add_test(tc, thresholds);
	tcase_add_test(tc, absences);
	tcase_add_test(tc, check_ins);
	tcase_add_test(tc, outside);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
