/* test_judge.c - from verdicts to what the page shows: worse at once, better after a while, since when, maintenance, cells that come and go; and the share of
 * requests that ingests took. */
#include "sink/status/judge.h"

#include <string.h>

#include "sink/status/accepted.h"
#include "tests/unit/status/judged_house.h"

#define SETTLE_MS 30000

static const struct status_component *turn(struct judge *j, struct judged_house *h, int64_t at_ms, const struct status_incidents *incidents, const char *id)
{
	static const struct status_incidents none;
	const struct status_component *out;
	struct err err = ERR_INIT;
	size_t nr;

	h->facts.now_ms = at_ms;
	ck_assert_msg(judge_turn(j, &h->facts, incidents ? incidents : &none, &out, &nr, &err) == 0, "%s", err.msg);
	for (size_t i = 0; i < nr; i++)
		if (str_eq(out[i].id, str_from(id)))
			return &out[i];
	return NULL;
}

static void behind(struct judged_house *h, size_t cell, int64_t behind_ms)
{
	h->cells[cell].sink.behind_ms = behind_ms;
	h->cells[cell].sink.draining = true;
}

START_TEST(order_of_the_page)
{
	static const char *const ids[] = {"push", "processing", "storage/amber", "storage/blue", "alerts", "notifications"};
	static const char *const titles[] = {"Push API", "Processing", "Storage, Europe", "Storage, blue", "Alerts", "Notifications"};
	struct judged_house h;
	struct judge *j;
	const struct status_component *first;

	house_build(&h);
	j = judge_new(&h.conf, NULL);
	h.conf.cell_titles = "amber=Europe";
	first = turn(j, &h, NOW, NULL, "push");
	for (size_t i = 0; i < NR(ids); i++) {
		ck_assert(str_eq(first[i].id, str_from(ids[i])) && str_eq(first[i].title, str_from(titles[i])));
		ck_assert_int_eq(first[i].state, COMPONENT_STATE_OPERATIONAL);
		ck_assert_int_eq(first[i].since, NOW);
		ck_assert_int_eq(first[i].left_at, NOW);
	}
	judge_free(j);
}
END_TEST

START_TEST(worse_at_once_better_later)
{
	struct judged_house h;
	struct judge *j;
	const struct status_component *c;

	house_build(&h);
	j = judge_new(&h.conf, NULL);
	turn(j, &h, NOW, NULL, "push");
	behind(&h, 0, 3 * MINUTE);
	c = turn(j, &h, NOW + 1000, NULL, "storage/amber");
	ck_assert_int_eq(c->state, COMPONENT_STATE_DEGRADED);
	ck_assert_int_eq(c->since, NOW + 1000);
	ck_assert_int_eq(c->left_at, NOW + 1000);
	ck_assert_int_eq(c->behind_ms, 3 * MINUTE);
	behind(&h, 0, 20 * MINUTE); /* worse: since is new, left_at is not */
	c = turn(j, &h, NOW + 2000, NULL, "storage/amber");
	ck_assert_int_eq(c->state, COMPONENT_STATE_PARTIAL_OUTAGE);
	ck_assert_int_eq(c->since, NOW + 2000);
	ck_assert_int_eq(c->left_at, NOW + 1000);
	behind(&h, 0, 1000);
	ck_assert_int_eq(turn(j, &h, NOW + 3000, NULL, "storage/amber")->state, COMPONENT_STATE_PARTIAL_OUTAGE);
	ck_assert_int_eq(turn(j, &h, NOW + 3000 + SETTLE_MS - 1, NULL, "storage/amber")->state, COMPONENT_STATE_PARTIAL_OUTAGE);
	c = turn(j, &h, NOW + 3000 + SETTLE_MS, NULL, "storage/amber");
	ck_assert_int_eq(c->state, COMPONENT_STATE_OPERATIONAL);
	ck_assert_int_eq(c->since, NOW + 3000); /* it has been well since then */
	ck_assert_int_eq(c->left_at, NOW + 3000);
	judge_free(j);
}
END_TEST

/* Around a threshold it stays as bad as it was, and what the public sees changes twice. */
START_TEST(no_flicker)
{
	struct judged_house h;
	struct judge *j;
	enum component_state last = COMPONENT_STATE_OPERATIONAL;
	int changes = 0;

	house_build(&h);
	j = judge_new(&h.conf, NULL);
	for (int i = 0; i < 1000; i++) {
		enum component_state now;

		behind(&h, 0, i < 900 && i % 20 < 12 ? 121000 : 119000);
		now = turn(j, &h, NOW + i * 1000, NULL, "storage/amber")->state;
		changes += now != last;
		last = now;
	}
	ck_assert_int_eq(changes, 2);
	ck_assert_int_eq(last, COMPONENT_STATE_OPERATIONAL);
	judge_free(j);
}
END_TEST

START_TEST(unknown_stays)
{
	struct judged_house h;
	struct judge *j;
	const struct status_component *c;

	house_build(&h);
	j = judge_new(&h.conf, NULL);
	behind(&h, 1, 3 * MINUTE);
	turn(j, &h, NOW, NULL, "push");
	h.cells[1].sink = (struct facts_lag){0};
	c = turn(j, &h, NOW + 10 * MINUTE, NULL, "storage/blue");
	ck_assert_int_eq(c->state, COMPONENT_STATE_DEGRADED);
	ck_assert_int_eq(c->since, NOW);
	judge_free(j);
}
END_TEST

/* From an outage to well by way of degraded: each for as long as it was, and no step back. */
START_TEST(step_by_step)
{
	struct judged_house h;
	struct judge *j;
	const struct status_component *c = NULL;
	enum component_state last = COMPONENT_STATE_MAJOR_OUTAGE;

	house_build(&h);
	j = judge_new(&h.conf, NULL);
	behind(&h, 0, 20 * MINUTE);
	h.cells[0].sink.draining = false;
	ck_assert_int_eq(turn(j, &h, NOW, NULL, "storage/amber")->state, last);
	for (int64_t at_ms = NOW + 1000; at_ms <= NOW + 70000; at_ms += 1000) { /* degraded and well in turn, then well from 20 s on */
		behind(&h, 0, at_ms < NOW + 20000 && at_ms / 1000 % 2 ? 3 * MINUTE : 1000);
		c = turn(j, &h, at_ms, NULL, "storage/amber");
		ck_assert_int_le(c->state, last);
		last = c->state;
		ck_assert_int_eq(c->state, at_ms < NOW + 1000 + SETTLE_MS ? COMPONENT_STATE_MAJOR_OUTAGE :
				 at_ms < NOW + 2000 + 2 * SETTLE_MS ? COMPONENT_STATE_DEGRADED : COMPONENT_STATE_OPERATIONAL);
	}
	judge_free(j);
}
END_TEST

/* One cell is not known: what is known of the other makes it worse, and not better. */
START_TEST(half_known)
{
	struct judged_house h;
	struct judge *j;

	house_build(&h);
	j = judge_new(&h.conf, NULL);
	turn(j, &h, NOW, NULL, "push");
	h.cells[1].processor = (struct facts_lag){0};
	ck_assert_int_eq(turn(j, &h, NOW + 1000, NULL, "processing")->state, COMPONENT_STATE_OPERATIONAL);
	h.cells[0].processor.behind_ms = 3 * MINUTE;
	ck_assert_int_eq(turn(j, &h, NOW + 2000, NULL, "processing")->state, COMPONENT_STATE_DEGRADED);
	h.cells[0].processor.behind_ms = 1000;
	ck_assert_int_eq(turn(j, &h, NOW + 3000, NULL, "processing")->state, COMPONENT_STATE_DEGRADED);
	ck_assert_int_eq(turn(j, &h, NOW + 30 * MINUTE, NULL, "processing")->state, COMPONENT_STATE_DEGRADED);
	judge_free(j);
}
END_TEST

START_TEST(cells_come_and_go)
{
	struct judged_house h;
	struct judge *j;

	house_build(&h);
	j = judge_new(&h.conf, NULL);
	behind(&h, 1, 3 * MINUTE);
	turn(j, &h, NOW, NULL, "push");
	h.cells[0] = h.cells[1]; /* amber is gone */
	h.facts.nr_cells = 1;
	ck_assert_ptr_null(turn(j, &h, NOW + 1000, NULL, "storage/amber"));
	ck_assert_int_eq(turn(j, &h, NOW + 1000, NULL, "storage/blue")->since, NOW);
	h.cells[0].name = STR("new");
	ck_assert_int_eq(turn(j, &h, NOW + 2000, NULL, "storage/new")->since, NOW + 2000);
	ck_assert_ptr_null(turn(j, &h, NOW + 2000, NULL, "storage/blue"));
	judge_free(j);
}
END_TEST

static void post_maintenance(struct status_incidents *s, int64_t from_ms)
{
	struct str storage = STR("storage/amber");
	struct status_entry e = {.incident = STR("m"), .entry = STR("0000000000000001"), .at = NOW, .has_author = true, .author = STR("ann"),
				 .action = STATUS_ACTION_POST, .has_impact = true, .impact = STATUS_IMPACT_MAINTENANCE, .components = &storage, .components_len = 1,
				 .title = STR("t"), .text = STR("x"), .has_opened_at = true, .opened_at = from_ms, .has_recovery_at = true,
				 .recovery_at = from_ms + 60 * MINUTE};

	ck_assert_int_eq(status_incidents_take(s, &e, NULL), 1);
}

START_TEST(maintenance)
{
	struct judged_house h;
	struct judge *j;
	struct status_incidents incidents = {0};
	const struct status_component *c;

	house_build(&h);
	j = judge_new(&h.conf, NULL);
	post_maintenance(&incidents, NOW + MINUTE);
	ck_assert_int_eq(turn(j, &h, NOW, &incidents, "storage/amber")->state, COMPONENT_STATE_OPERATIONAL);
	behind(&h, 0, 20 * MINUTE);
	behind(&h, 1, 20 * MINUTE);
	c = turn(j, &h, NOW + MINUTE, &incidents, "storage/amber");
	ck_assert_int_eq(c->state, COMPONENT_STATE_MAINTENANCE);
	ck_assert_int_eq(c->since, NOW + MINUTE);
	ck_assert_int_eq(turn(j, &h, NOW + MINUTE, &incidents, "storage/blue")->state, COMPONENT_STATE_PARTIAL_OUTAGE);
	status_incidents_fini(&incidents);
	ck_assert_int_eq(turn(j, &h, NOW + 2 * MINUTE, NULL, "storage/amber")->state, COMPONENT_STATE_PARTIAL_OUTAGE);
	judge_free(j);
}
END_TEST

/* A restart in the middle of an outage goes on with it; what was in maintenance was well beneath, as far as anybody knows. */
START_TEST(after_a_restart)
{
	struct judged_house h;
	struct judge *j;
	const struct status_component before[] = {
		{.id = STR("storage/amber"), .state = COMPONENT_STATE_DEGRADED, .since = NOW - 5 * MINUTE, .left_at = NOW - 9 * MINUTE},
		{.id = STR("storage/blue"), .state = COMPONENT_STATE_MAINTENANCE, .since = NOW - MINUTE, .left_at = NOW - MINUTE},
		{.id = STR("storage/gone"), .state = COMPONENT_STATE_MAJOR_OUTAGE, .since = 1, .left_at = 1},
	};
	const struct status_component *c;

	house_build(&h);
	j = judge_new(&h.conf, NULL);
	ck_assert_int_eq(judge_recall(j, before, NR(before), NULL), 0);
	behind(&h, 0, 3 * MINUTE);
	c = turn(j, &h, NOW, NULL, "storage/amber");
	ck_assert_int_eq(c->since, NOW - 5 * MINUTE);
	ck_assert_int_eq(c->left_at, NOW - 9 * MINUTE);
	ck_assert_int_eq(turn(j, &h, NOW, NULL, "storage/blue")->state, COMPONENT_STATE_OPERATIONAL);
	ck_assert_ptr_null(turn(j, &h, NOW, NULL, "storage/gone"));
	judge_free(j);
}
END_TEST

/* Heartbeats of two ingests, of which one starts anew. */
START_TEST(share_by_heartbeats)
{
	struct judged_house h;
	struct accepted a = {0};
	static const struct { int64_t at_s; double taken_1, refused_1, taken_2, refused_2, share; } beats[] = {
		{0, 1000, 500, 0, 0, -1},      /* what was before is of no matter */
		{5, 1090, 510, 0, 0, 0.9},
		{10, 1090, 510, 100, 0, 0.95}, /* 190 of 200 */
		{15, 10, 40, 100, 0, 0.8},     /* a new start: 10 and 40 more */
		{80, 10, 40, 100, 0, -1},      /* a minute later nobody asks */
		{85, 10, 40, 101, 0, 1},
		{400, 10, 40, 104, 1, 0.75},   /* heartbeats far apart: the last one holds */
	};

	house_build(&h);
	for (size_t i = 0; i < NR(beats); i++) {
		h.facts.now_ms = NOW + beats[i].at_s * 1000;
		h.beats[INGEST_1].sent_at = h.beats[INGEST_2].sent_at = h.facts.now_ms;
		house_figure(&h, INGEST_1, "accepted_requests", beats[i].taken_1);
		house_figure(&h, INGEST_1, "unavailable_requests", beats[i].refused_1);
		house_figure(&h, INGEST_1, "sites", 1);
		house_figure(&h, INGEST_2, "accepted_requests", beats[i].taken_2);
		house_figure(&h, INGEST_2, "unavailable_requests", beats[i].refused_2);
		house_figure(&h, INGEST_2, "sites", 1);
		for (int again = 0; again < 3; again++) /* a heartbeat counts once, however often it is looked at */
			ck_assert_int_eq(accepted_take(&a, &h.facts, NULL), 0);
		ck_assert_double_eq_tol(accepted_share(&a), beats[i].share, 1e-9);
	}
	h.facts.now_ms += 5 * MINUTE; /* and until the next */
	ck_assert_int_eq(accepted_take(&a, &h.facts, NULL), 0);
	ck_assert_double_eq_tol(accepted_share(&a), 0.75, 1e-9);
	accepted_fini(&a);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("judge");
	TCase *tc = tcase_create("judge");

	tcase_add_test(tc, order_of_the_page);
	tcase_add_test(tc, worse_at_once_better_later);
	tcase_add_test(tc, no_flicker);
	tcase_add_test(tc, unknown_stays);
	tcase_add_test(tc, step_by_step);
	tcase_add_test(tc, half_known);
	tcase_add_test(tc, cells_come_and_go);
	tcase_add_test(tc, maintenance);
	tcase_add_test(tc, after_a_restart);
	tcase_add_test(tc, share_by_heartbeats);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
