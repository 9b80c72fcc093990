/* test_judge_model.c - random houses over time, judged by the rules as they are written for people: for each component a list of all that can be said against it, of
 * which the worst holds; and over time, the worst of the last half minute, worse at once. */
#include "sink/status/judge.h"

#include <string.h>

#include "tests/unit/status/judged_house.h"

enum { HOUSES = 60, TURNS = 400, SETTLE_S = 30, COMPONENTS = 4 + HOUSE_CELLS };

/* What can be said against a component; the order is that of component_state. */
enum complaint { NONE, UNUSED, SLOW, BAD, DEAD };

static const char *const ids[COMPONENTS] = {"push", "processing", "storage/amber", "storage/blue", "alerts", "notifications"};

struct complaints {
	enum complaint worst;
};

static void against(struct complaints *c, bool is_so, enum complaint what)
{
	if (is_so && what > c->worst)
		c->worst = what;
}

static size_t living(const struct judged_house *h, const char *program, size_t cell, bool must_be_ready)
{
	size_t n = 0;

	for (size_t i = 0; i < h->facts.nr_instances; i++)
		n += h->instances[i].live && strcmp(h->beats[i].program.p, program) == 0 && (!h->beats[i].has_cell || str_eq(h->beats[i].cell, h->cells[cell].name)) &&
		     (!must_be_ready || h->beats[i].ready);
	return n;
}

/* Is a control of this action in force somewhere? whole: for everything, or for all of this cell. */
static bool is_said(const struct judged_house *h, enum control_program on, enum control_action action, bool whole, const char *cell)
{
	for (size_t i = 0; i < h->facts.nr_controls; i++) {
		const struct control *c = h->in_force[i];
		bool here = !c->has_site && (!c->has_cell || (cell && strcmp(c->cell.p, cell) == 0));

		if (c->on == on && c->action == action && (here || !whole))
			return true;
	}
	return false;
}

/* Of one group. */
static enum complaint of_group(const struct facts_lag *lag, bool nobody)
{
	struct complaints c = {NONE};
	bool waits = lag->waiting_records > 0, young = lag->behind_ms >= 0 && lag->behind_ms < MINUTE;

	against(&c, waits && lag->behind_ms >= 2 * MINUTE, SLOW);
	against(&c, waits && lag->behind_ms >= 15 * MINUTE, BAD);
	against(&c, waits && lag->behind_ms >= 15 * MINUTE && !lag->draining, DEAD);
	against(&c, waits && !young && lag->still_ms >= MINUTE, DEAD);
	against(&c, waits && nobody, DEAD);
	return c.worst;
}

/* Over cells: DEAD is for all that count. */
static enum complaint over(const enum complaint *cells, const bool *counts)
{
	struct complaints c = {NONE};
	bool all_dead = true, any = false;

	for (size_t i = 0; i < HOUSE_CELLS; i++) {
		against(&c, counts[i], cells[i] == DEAD ? BAD : cells[i]);
		all_dead &= !counts[i] || cells[i] == DEAD;
		any |= counts[i];
	}
	return any && all_dead ? DEAD : c.worst;
}

static void model(const struct judged_house *h, enum complaint out[COMPONENTS])
{
	static const bool all[] = {true, true};
	bool with[HOUSE_CELLS];
	enum complaint processors[HOUSE_CELLS], notifiers[HOUSE_CELLS];
	size_t ready = living(h, "millrace-ingest", 0, true), live = living(h, "millrace-ingest", 0, false);
	struct complaints push = {NONE}, alerts = {NONE}, notifications = {NONE};

	against(&push, !ready, DEAD);
	against(&push, ready < live, SLOW);
	against(&push, is_said(h, CONTROL_PROGRAM_INGEST, CONTROL_ACTION_CLOSE, true, NULL), DEAD);
	against(&push, is_said(h, CONTROL_PROGRAM_INGEST, CONTROL_ACTION_CLOSE, false, NULL), SLOW);
	for (size_t i = 0; i < HOUSE_CELLS; i++) {
		const struct facts_cell *cell = &h->cells[i];
		struct complaints storage = {of_group(&cell->sink, !living(h, "millrace-sink", i, false))};
		size_t sink = i ? SINK_B : SINK_A;

		against(&storage, cell->sink.waiting_records && h->instances[sink].live && h->figures[sink][0].value > 0, DEAD); /* each has one sink */
		out[2 + i] = storage.worst;
		with[i] = cell->has_triggers;
		processors[i] = of_group(&cell->processor, !living(h, "millrace-processor", i, false));
		notifiers[i] = living(h, "millrace-notify", i, false) ? of_group(&cell->notify, false) : DEAD;
		against(&alerts, with[i] && is_said(h, CONTROL_PROGRAM_PROCESSOR, CONTROL_ACTION_MUTE, true, cell->name.p), SLOW);
		against(&notifications, with[i] && is_said(h, CONTROL_PROGRAM_NOTIFY, CONTROL_ACTION_DROP, true, cell->name.p), SLOW);
	}
	against(&alerts, is_said(h, CONTROL_PROGRAM_PROCESSOR, CONTROL_ACTION_MUTE, true, NULL), SLOW);
	against(&notifications, is_said(h, CONTROL_PROGRAM_NOTIFY, CONTROL_ACTION_DROP, true, NULL), SLOW);
	against(&alerts, true, over(processors, with));
	against(&notifications, true, over(notifiers, with));
	out[0] = push.worst;
	out[1] = over(processors, all);
	out[4] = alerts.worst;
	out[5] = notifications.worst;
}

static void change_lag(struct unit_random *r, struct facts_lag *lag)
{
	static const int64_t behind[] = {-1, 0, 3000, MINUTE - 1, MINUTE, 2 * MINUTE - 1, 2 * MINUTE, 15 * MINUTE - 1, 15 * MINUTE, 60 * MINUTE};
	static const int64_t still[] = {0, 0, 0, MINUTE - 1, MINUTE, 10 * MINUTE};

	lag->waiting_records = (int64_t)unit_random_below(r, 4);
	lag->behind_ms = behind[unit_random_below(r, NR(behind))];
	lag->still_ms = still[unit_random_below(r, NR(still))];
	lag->draining = unit_random_below(r, 2);
	lag->recovery_ms = lag->draining ? (int64_t)unit_random_below(r, 1000000) : -1;
	lag->left_ms = (int64_t)unit_random_below(r, 100000000) - 1;
	lag->lost_records = unit_random_below(r, 5) ? 0 : 17;
}

/* One thing. */
static void change(struct unit_random *r, struct judged_house *h)
{
	struct facts_cell *cell = &h->cells[unit_random_below(r, HOUSE_CELLS)];
	size_t instance = unit_random_below(r, HOUSE_INSTANCES);
	static const char *const cells[] = {"", "amber", "blue"}, *const sites[] = {"", "", "shop"};
	static const struct { enum control_program on; enum control_action action; } controls[] = {
		{CONTROL_PROGRAM_INGEST, CONTROL_ACTION_CLOSE}, {CONTROL_PROGRAM_PROCESSOR, CONTROL_ACTION_MUTE}, {CONTROL_PROGRAM_NOTIFY, CONTROL_ACTION_DROP},
		{CONTROL_PROGRAM_SINK, CONTROL_ACTION_PAUSE},
	};
	size_t which = unit_random_below(r, NR(controls));

	switch (unit_random_below(r, 8)) {
	case 0: change_lag(r, &cell->processor); break;
	case 1: change_lag(r, &cell->sink); break;
	case 2: change_lag(r, &cell->notify); break;
	case 3: cell->has_triggers = !cell->has_triggers; break;
	case 4: h->instances[instance].live = unit_random_below(r, 4); break;
	case 5: h->beats[instance].ready = unit_random_below(r, 4); break;
	case 6: h->figures[unit_random_below(r, 2) ? SINK_A : SINK_B][0].value = (double)unit_random_below(r, 3); break;
	default:
		h->facts.nr_controls = 0;
		if (unit_random_below(r, 2))
			house_control(h, controls[which].on, controls[which].action, cells[unit_random_below(r, 3)], sites[unit_random_below(r, 3)]);
	}
}

/* What the page has shown so far, second by second. */
struct shown {
	enum complaint history[TURNS]; /* as the model says of each moment */
	enum complaint state;
	int64_t since_s;
	int64_t settled_s; /* until here the history has been dealt with */
};

/* Worse at once. Better when all of the last half minute was, and then the worst of it. */
static void model_over_time(struct shown *s, int64_t now_s)
{
	int64_t first = now_s;
	enum complaint worst = s->history[now_s];

	if (now_s == 0 || worst > s->state) {
		s->state = worst;
		s->since_s = s->settled_s = now_s;
		return;
	}
	while (first > s->settled_s + 1 && s->history[first - 1] < s->state)
		first--;
	if (worst >= s->state || now_s - first < SETTLE_S)
		return;
	for (int64_t i = first; i <= now_s; i++)
		worst = s->history[i] > worst ? s->history[i] : worst;
	s->state = worst;
	s->since_s = first;
	s->settled_s = now_s;
}

static void check_words(const struct status_component *c, enum complaint now)
{
	if (now == NONE)
		ck_assert_uint_eq(c->detail.len, 0);
	else
		ck_assert(c->detail.len > 10 && c->detail.p[c->detail.len - 1] == '.');
	ck_assert_uint_le(c->detail.len, 240);
	ck_assert_ptr_null(memmem(c->detail.p ? c->detail.p : "", c->detail.len, "shop", 4));
	ck_assert_int_ge(c->recovery_ms, -1);
}

START_TEST(houses)
{
	struct unit_random random = unit_random_new("judge model");

	for (int n = 0; n < HOUSES; n++) {
		static const struct status_incidents none;
		struct judged_house h;
		struct shown shown[COMPONENTS] = {0};
		struct judge *j;

		house_build(&h);
		house_figure(&h, SINK_A, "breaker_state", 0);
		house_figure(&h, SINK_B, "breaker_state", 0);
		j = judge_new(&h.conf, NULL);
		for (int64_t s = 0; s < TURNS; s++) {
			const struct status_component *out;
			enum complaint now[COMPONENTS];
			size_t nr;

			if (unit_random_below(&random, 12) == 0)
				change(&random, &h);
			h.facts.now_ms = NOW + s * 1000;
			model(&h, now);
			ck_assert_int_eq(judge_turn(j, &h.facts, &none, &out, &nr, NULL), 0);
			ck_assert_uint_eq(nr, COMPONENTS);
			for (size_t i = 0; i < COMPONENTS; i++) {
				shown[i].history[s] = now[i];
				model_over_time(&shown[i], s);
				ck_assert(str_eq(out[i].id, str_from(ids[i])));
				ck_assert_msg((int)out[i].state == (int)shown[i].state, "house %d, second %d, %s: %d, not %d (now %d): %.*s", n, (int)s, ids[i], out[i].state,
					      shown[i].state, now[i], (int)out[i].detail.len, out[i].detail.p);
				ck_assert_msg(out[i].since == NOW + shown[i].since_s * 1000, "house %d, second %d, %s: since %lld, not %lld", n, (int)s, ids[i],
					      (long long)(out[i].since - NOW) / 1000, (long long)shown[i].since_s);
				check_words(&out[i], now[i]);
			}
		}
		judge_free(j);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("judge_model");
	TCase *tc = tcase_create("judge_model");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, houses);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
