/* test_verdict.c - what one moment's facts say of each component, threshold by threshold, and what the public reads of it. */
#include "sink/status/verdict.h"

#include <string.h>

#include "tests/unit/status/judged_house.h"

enum { OK = COMPONENT_STATE_OPERATIONAL, DEGRADED = COMPONENT_STATE_DEGRADED, PARTIAL = COMPONENT_STATE_PARTIAL_OUTAGE, MAJOR = COMPONENT_STATE_MAJOR_OUTAGE };

struct seen {
	struct verdict push, processing, storage[HOUSE_CELLS], alerts, notifications;
	struct arena arena;
};

static struct seen *look(const struct judged_house *h, double share)
{
	static struct seen s;
	struct verdict_ctx ctx = {&h->conf, &h->facts, &s.arena};

	arena_clear(&s.arena);
	s.push = verdict_push(&ctx, share);
	s.processing = verdict_processing(&ctx);
	for (size_t i = 0; i < h->facts.nr_cells; i++)
		s.storage[i] = verdict_storage(&ctx, &h->facts.cells[i]);
	s.alerts = verdict_alerts(&ctx);
	s.notifications = verdict_notifications(&ctx);
	return &s;
}

START_TEST(all_well)
{
	struct judged_house h;
	struct seen *s;

	house_build(&h);
	s = look(&h, 1);
	ck_assert_int_eq(s->push.state | s->processing.state | s->storage[0].state | s->storage[1].state | s->alerts.state | s->notifications.state, OK);
	ck_assert_str_eq(s->push.detail, "");
	ck_assert_str_eq(s->storage[0].detail, "");
	ck_assert(s->push.known && s->processing.known && s->storage[0].known && s->alerts.known && s->notifications.known);
}
END_TEST

static const struct { double share; int state; } shares[] = {
	{-1, OK}, {1, OK}, {0.99, OK}, {0.989, DEGRADED}, {0.9, DEGRADED}, {0.899, PARTIAL}, {0.5, PARTIAL}, {0.499, MAJOR}, {0, MAJOR},
};

START_TEST(share_taken)
{
	struct judged_house h;

	house_build(&h);
	ck_assert_int_eq(look(&h, shares[_i].share)->push.state, shares[_i].state);
	ck_assert_double_eq(look(&h, shares[_i].share)->push.share, shares[_i].share);
}
END_TEST

static const struct { bool live_1, ready_1, live_2, ready_2; int state; const char *detail; } ingests[] = {
	{true, true, true, true, OK, ""},
	{true, true, true, false, DEGRADED, "1 of 2 instances take data. Agents keep what is not taken, and send it again."},
	{true, true, false, true, OK, ""}, /* one that is gone is gone; who is there takes it all */
	{true, false, true, false, MAJOR, "No instance takes data. Agents keep what is not taken, and send it again."},
	{false, true, false, true, MAJOR, "No instance takes data. Agents keep what is not taken, and send it again."},
};

START_TEST(who_takes)
{
	struct judged_house h;
	struct seen *s;

	house_build(&h);
	h.instances[INGEST_1].live = ingests[_i].live_1;
	h.beats[INGEST_1].ready = ingests[_i].ready_1;
	h.instances[INGEST_2].live = ingests[_i].live_2;
	h.beats[INGEST_2].ready = ingests[_i].ready_2;
	s = look(&h, 1);
	ck_assert_int_eq(s->push.state, ingests[_i].state);
	ck_assert_str_eq(s->push.detail, ingests[_i].detail);
}
END_TEST

START_TEST(valve)
{
	struct judged_house h;

	house_build(&h);
	house_control(&h, CONTROL_PROGRAM_INGEST, CONTROL_ACTION_CLOSE, "", "shop");
	ck_assert_int_eq(look(&h, 1)->push.state, DEGRADED);
	ck_assert_ptr_null(strstr(look(&h, 1)->push.detail, "shop"));
	h.facts.nr_controls = 0;
	house_control(&h, CONTROL_PROGRAM_INGEST, CONTROL_ACTION_CLOSE, "amber", "");
	ck_assert_int_eq(look(&h, 1)->push.state, DEGRADED);
	h.facts.nr_controls = 0;
	house_control(&h, CONTROL_PROGRAM_INGEST, CONTROL_ACTION_CLOSE, "", "");
	ck_assert_int_eq(look(&h, 1)->push.state, MAJOR);
	ck_assert_ptr_nonnull(strstr(look(&h, 1)->push.detail, "operator"));
}
END_TEST

/* Of one cell's group: how far behind, whether it moves, whether anybody is there. */
static const struct { const char *what; int64_t waiting, behind_ms, still_ms; bool draining, live; int storage, processing; } lags[] = {
	{"nothing waits", 0, 0, 0, false, true, OK, OK},
	{"nothing waits, nobody is there", 0, 0, 0, false, false, OK, OK},
	{"two minutes less a bit", 10, 2 * MINUTE - 1, 0, true, true, OK, OK},
	{"two minutes", 10, 2 * MINUTE, 0, true, true, DEGRADED, DEGRADED},
	{"two minutes and growing", 10, 2 * MINUTE, 0, false, true, DEGRADED, DEGRADED},
	{"a quarter less a bit", 10, 15 * MINUTE - 1, 0, true, true, DEGRADED, DEGRADED},
	{"a quarter, draining", 10, 15 * MINUTE, 0, true, true, PARTIAL, PARTIAL},
	{"a quarter, growing", 10, 15 * MINUTE, 0, false, true, MAJOR, PARTIAL},
	{"stands still for a minute", 10, 90000, 60000, false, true, MAJOR, PARTIAL},
	{"stands still for less", 10, 90000, 59999, false, true, OK, OK},
	{"still, but what waits is young", 10, 59999, 60000, false, true, OK, OK},
	{"nobody is there", 10, 3000, 0, false, false, MAJOR, PARTIAL},
	{"age not known, moving", 10, -1, 0, true, true, OK, OK},
	{"age not known, still", 10, -1, 60000, false, true, MAJOR, PARTIAL},
};

START_TEST(lag_of_one_cell)
{
	struct judged_house h;
	const struct facts_lag lag = {.known = true, .at_ms = NOW, .waiting_records = lags[_i].waiting, .behind_ms = lags[_i].behind_ms, .still_ms = lags[_i].still_ms,
				      .draining = lags[_i].draining, .left_ms = 48 * 60 * MINUTE, .recovery_ms = -1};
	struct seen *s;

	house_build(&h);
	h.cells[1].sink = lag;
	h.instances[SINK_B].live = lags[_i].live;
	s = look(&h, 1);
	ck_assert_msg(s->storage[1].state == (enum component_state)lags[_i].storage, "%s: %d", lags[_i].what, s->storage[1].state);
	ck_assert_int_eq(s->storage[0].state, OK);
	ck_assert_int_eq(s->processing.state, OK);
	house_build(&h);
	h.cells[1].processor = lag;
	h.instances[PROCESSOR_B].live = lags[_i].live;
	s = look(&h, 1);
	ck_assert_msg(s->processing.state == (enum component_state)lags[_i].processing, "%s: %d", lags[_i].what, s->processing.state);
	ck_assert_int_eq(s->alerts.state, s->processing.state);
	ck_assert_int_eq(s->storage[1].state, OK);
	if (lags[_i].processing != OK) {
		ck_assert_uint_eq(s->processing.nr_cells, 1);
		ck_assert(str_eq(s->processing.cells[0], STR("blue")));
		ck_assert_ptr_nonnull(strstr(s->processing.detail, "Processing in blue is "));
	}
}
END_TEST

/* A major outage of the whole is one of every cell. */
START_TEST(all_cells)
{
	struct judged_house h;

	house_build(&h);
	for (size_t i = 0; i < HOUSE_CELLS; i++)
		h.cells[i].processor = (struct facts_lag){.known = true, .waiting_records = 5, .behind_ms = 10 * MINUTE, .still_ms = 10 * MINUTE, .left_ms = -1, .recovery_ms = -1};
	ck_assert_int_eq(look(&h, 1)->processing.state, MAJOR);
	ck_assert_int_eq(look(&h, 1)->alerts.state, MAJOR);
	ck_assert_str_eq(look(&h, 1)->processing.detail, "Processing in all cells is 10 min behind. Data is delayed, not lost.");
	h.cells[0].has_triggers = false;
	h.cells[1].processor = h.cells[1].sink;
	ck_assert_int_eq(look(&h, 1)->processing.state, PARTIAL);
	ck_assert_int_eq(look(&h, 1)->alerts.state, OK); /* nobody in amber waits for alerts */
}
END_TEST

START_TEST(breakers)
{
	struct judged_house h;

	house_build(&h);
	house_figure(&h, SINK_A, "breaker_state", 2);
	ck_assert_int_eq(look(&h, 1)->storage[0].state, MAJOR);
	ck_assert_int_eq(look(&h, 1)->storage[1].state, OK);
	ck_assert_str_eq(look(&h, 1)->storage[0].detail,
			 "The database does not take data. Storing in amber is 3 s behind. Data is delayed, not lost: it is kept for another 3 days.");
	h.instances[HOUSE_INSTANCES] = h.instances[SINK_A]; /* a second sink, which is well */
	h.beats[HOUSE_INSTANCES] = h.beats[SINK_A];
	h.beats[HOUSE_INSTANCES].figures_len = 0;
	h.instances[HOUSE_INSTANCES].beat = &h.beats[HOUSE_INSTANCES];
	h.facts.nr_instances++;
	ck_assert_int_eq(look(&h, 1)->storage[0].state, DEGRADED);
	h.cells[0].sink.waiting_records = 0;
	ck_assert_int_eq(look(&h, 1)->storage[0].state, OK);
}
END_TEST

static const struct { int64_t left_ms, lost; const char *says; } safety[] = {
	{-1, 0, "Data is delayed, not lost."},
	{3 * 24 * 60 * MINUTE, 0, "Data is delayed, not lost: it is kept for another 3 days."},
	{60 * MINUTE, 0, "Data is delayed, not lost: it is kept for another 60 min."},
	{60 * MINUTE - 1, 0, "Nothing is lost so far; the oldest data expires in 59 min."},
	{0, 0, "Nothing is lost so far; the oldest data expires in 0 s."},
	{0, 1, "1 record expired before it was read."},
	{60 * 60 * MINUTE, 17, "17 records expired before they were read."},
};

START_TEST(delayed_or_lost)
{
	struct buf b = BUF_INIT;

	verdict_safety(&b, safety[_i].left_ms, safety[_i].lost);
	ck_assert_uint_eq(b.len, strlen(safety[_i].says));
	ck_assert_mem_eq(b.p, safety[_i].says, b.len);
	buf_fini(&b);
}
END_TEST

static const struct { int64_t ms; const char *says; } durations[] = {
	{-5, "0 s"}, {0, "0 s"}, {119999, "119 s"}, {120000, "2 min"}, {119 * 60000, "119 min"}, {120 * 60000, "2 h"}, {200 * 60000, "3 h 20 min"},
	{47 * 3600000 + 59 * 60000, "47 h 59 min"}, {INT64_C(48) * 3600000, "2 days"}, {INT64_C(52) * 3600000, "2 days 4 h"},
};

START_TEST(duration)
{
	char out[VERDICT_DURATION_SIZE];

	ck_assert_str_eq(verdict_duration(durations[_i].ms, out), durations[_i].says);
}
END_TEST

START_TEST(notifications)
{
	struct judged_house h;

	house_build(&h);
	h.instances[NOTIFY_A].live = false;
	ck_assert_int_eq(look(&h, 1)->notifications.state, PARTIAL);
	h.instances[NOTIFY_B].live = false;
	ck_assert_int_eq(look(&h, 1)->notifications.state, MAJOR);
	h.cells[1].has_triggers = false;
	ck_assert_int_eq(look(&h, 1)->notifications.state, MAJOR);
	h.cells[0].has_triggers = false;
	ck_assert_int_eq(look(&h, 1)->notifications.state, OK);
	house_build(&h);
	house_control(&h, CONTROL_PROGRAM_NOTIFY, CONTROL_ACTION_PAUSE, "blue", "");
	ck_assert_int_eq(look(&h, 1)->notifications.state, DEGRADED);
	house_build(&h);
	house_control(&h, CONTROL_PROGRAM_PROCESSOR, CONTROL_ACTION_MUTE, "", "");
	ck_assert_int_eq(look(&h, 1)->alerts.state, DEGRADED);
	ck_assert_int_eq(look(&h, 1)->notifications.state, OK);
}
END_TEST

/* Nobody has ever told of alerts in a cell, and nobody waits for it: there is no notifier, on purpose. */
START_TEST(no_notifier_on_purpose)
{
	struct judged_house h;

	house_build(&h);
	h.instances[NOTIFY_A] = h.instances[SINK_A];
	h.cells[0].notify.waiting_records = 0;
	ck_assert_int_eq(look(&h, 1)->notifications.state, OK);
	h.cells[0].notify.waiting_records = 1;
	ck_assert_int_eq(look(&h, 1)->notifications.state, PARTIAL);
	house_build(&h);
	h.instances[NOTIFY_A].live = false;
	h.cells[0].notify.waiting_records = 0;
	ck_assert_int_eq(look(&h, 1)->notifications.state, PARTIAL);
}
END_TEST

/* Of several cells: the longest recovery of those that are affected; none where one of them has none. What a well cell's queue would take is no matter. */
static const struct { int64_t behind_a, recovery_a; bool draining_a; int64_t behind_b, recovery_b; bool draining_b; int64_t recovery_ms; bool draining; } recoveries[] = {
	{3000, 900 * MINUTE, true, 5 * MINUTE, 10 * MINUTE, true, 10 * MINUTE, true},
	{5 * MINUTE, 10 * MINUTE, true, 3000, -1, false, 10 * MINUTE, true},
	{5 * MINUTE, 10 * MINUTE, true, 6 * MINUTE, 7 * MINUTE, true, 10 * MINUTE, true},
	{5 * MINUTE, 7 * MINUTE, true, 6 * MINUTE, 10 * MINUTE, true, 10 * MINUTE, true},
	{5 * MINUTE, 7 * MINUTE, true, 6 * MINUTE, -1, false, -1, false},
	{5 * MINUTE, -1, false, 6 * MINUTE, 7 * MINUTE, true, -1, false},
	{3000, 1000, true, 3000, 1000, true, -1, false}, /* all is well */
};

START_TEST(recovery_of_several_cells)
{
	struct judged_house h;
	const struct verdict *v;

	house_build(&h);
	h.cells[0].processor.behind_ms = recoveries[_i].behind_a;
	h.cells[0].processor.recovery_ms = recoveries[_i].recovery_a;
	h.cells[0].processor.draining = recoveries[_i].draining_a;
	h.cells[1].processor.behind_ms = recoveries[_i].behind_b;
	h.cells[1].processor.recovery_ms = recoveries[_i].recovery_b;
	h.cells[1].processor.draining = recoveries[_i].draining_b;
	v = &look(&h, 1)->processing;
	ck_assert_int_eq(v->recovery_ms, recoveries[_i].recovery_ms);
	ck_assert_int_eq(v->draining, recoveries[_i].draining);
	ck_assert_int_eq(v->waiting_records, 20);
	ck_assert_int_eq(v->behind_ms, recoveries[_i].behind_a > recoveries[_i].behind_b ? recoveries[_i].behind_a : recoveries[_i].behind_b);
}
END_TEST

START_TEST(paused_by_an_operator)
{
	struct judged_house h;

	house_build(&h);
	house_control(&h, CONTROL_PROGRAM_SINK, CONTROL_ACTION_PAUSE, "blue", "");
	ck_assert_int_eq(look(&h, 1)->storage[1].state, OK);
	h.cells[1].sink.behind_ms = 3 * MINUTE;
	ck_assert_int_eq(look(&h, 1)->storage[1].state, DEGRADED);
	ck_assert_str_eq(look(&h, 1)->storage[1].detail,
			 "An operator has paused storing. Storing in blue is 3 min behind. Data is delayed, not lost: it is kept for another 3 days.");
	h.cells[0].sink.behind_ms = 3 * MINUTE;
	ck_assert_ptr_null(strstr(look(&h, 1)->storage[0].detail, "operator"));
}
END_TEST

START_TEST(titles_of_cells)
{
	struct judged_house h;
	struct verdict_ctx ctx = {&h.conf, &h.facts, NULL};

	house_build(&h);
	h.conf.cell_titles = "amber=Europe,blue=,green";
	ck_assert(str_eq(verdict_cell_title(&ctx, STR("amber")), STR("Europe")));
	ck_assert(str_eq(verdict_cell_title(&ctx, STR("blue")), STR("blue")));
	ck_assert(str_eq(verdict_cell_title(&ctx, STR("green")), STR("green")));
	ck_assert(str_eq(verdict_cell_title(&ctx, STR("red")), STR("red")));
	h.conf.cell_titles = NULL;
	ck_assert(str_eq(verdict_cell_title(&ctx, STR("amber")), STR("amber")));
}
END_TEST

START_TEST(not_known)
{
	struct judged_house h;

	house_build(&h);
	h.cells[0].sink = h.cells[0].processor = (struct facts_lag){0};
	h.cells[1].notify = (struct facts_lag){0};
	ck_assert(!look(&h, 1)->storage[0].known && !look(&h, 1)->processing.known && !look(&h, 1)->alerts.known && !look(&h, 1)->notifications.known);
	h.cells[1].notify = h.cells[0].notify;
	ck_assert(look(&h, 1)->storage[1].known && look(&h, 1)->notifications.known);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("verdict");
	TCase *tc = tcase_create("verdict");

	tcase_add_test(tc, all_well);
	tcase_add_loop_test(tc, share_taken, 0, NR(shares));
	tcase_add_loop_test(tc, who_takes, 0, NR(ingests));
	tcase_add_test(tc, valve);
	tcase_add_loop_test(tc, lag_of_one_cell, 0, NR(lags));
	tcase_add_test(tc, all_cells);
	tcase_add_test(tc, breakers);
	tcase_add_loop_test(tc, delayed_or_lost, 0, NR(safety));
	tcase_add_loop_test(tc, duration, 0, NR(durations));
	tcase_add_test(tc, notifications);
	tcase_add_test(tc, no_notifier_on_purpose);
	tcase_add_loop_test(tc, recovery_of_several_cells, 0, NR(recoveries));
	tcase_add_test(tc, paused_by_an_operator);
	tcase_add_test(tc, titles_of_cells);
	tcase_add_test(tc, not_known);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
