/* test_lags.c - what successive surveys tell of a cell: sums over partitions, what is not work, what is not known for a while, and cells that go. */
#include "sink/status/lags.h"

#include "tests/unit/unit.h"

#define NOW INT64_C(1795372000000)
#define STEP_MS 5000

enum { PARTITIONS = 3 };

/* Surveys of the three groups of one cell, of which a test changes the sink's. */
struct world {
	struct clock clock;
	struct lags *lags;
	struct lag_partition partitions[LAG_GROUPS][PARTITIONS];
	struct lag_group groups[LAG_GROUPS];
	struct survey_view view;
	struct lag_partition *sink; /* its partitions */
};

static void world_init(struct world *w)
{
	static const char *const names[] = {"millrace-processor-main", "millrace-sink-main", "millrace-notify-main"};

	*w = (struct world){.view = {.ok = true, .at_ms = NOW, .groups = w->groups, .nr_groups = LAG_GROUPS}};
	w->lags = lags_new(&w->clock, NULL);
	for (size_t g = 0; g < LAG_GROUPS; g++) {
		w->groups[g] = (struct lag_group){.name = names[g], .cell = STR("main"), .partitions = w->partitions[g], .nr = PARTITIONS};
		for (int32_t p = 0; p < PARTITIONS; p++)
			w->partitions[g][p] = (struct lag_partition){.topic = "minutely", .partition = p, .committed = 1000, .begin = 0, .end = 1000};
	}
	w->sink = w->partitions[1];
}

static void world_fini(struct world *w)
{
	lags_free(w->lags);
}

/* Works out a survey as lag_read() does, each record that waits being as old as it has been there: age_ms for all. Of no age: control records alone. */
static const struct facts_cell *survey(struct world *w, int64_t age_ms)
{
	static struct facts_cell cell;
	struct err err = ERR_INIT;

	for (size_t g = 0; g < w->view.nr_groups; g++) {
		lag_sum(&w->groups[g]);
		for (size_t p = 0; p < w->groups[g].nr; p++) {
			struct lag_partition *part = &w->partitions[g][p];

			part->age_ms = part->lag ? age_ms : 0;
			part->retention_ms = 3600000;
			part->left_ms = part->lag && age_ms > 0 ? part->retention_ms - age_ms : -1;
			w->groups[g].oldest = part->lag && age_ms > 0 ? part : w->groups[g].oldest;
			w->groups[g].next = part->left_ms >= 0 ? part : w->groups[g].next;
			w->groups[g].nr_unknown = 0;
		}
	}
	ck_assert_msg(lags_take(w->lags, &w->view, &err) == 0, "%s", err.msg);
	w->view.at_ms += STEP_MS;
	cell = (struct facts_cell){.name = STR("main")};
	lags_fill(w->lags, &cell);
	return &cell;
}

/* All of the group's partitions. */
static void commit(struct world *w, int64_t more)
{
	for (size_t p = 0; p < PARTITIONS; p++)
		w->sink[p].committed += more;
}

START_TEST(sums_of_partitions)
{
	struct world w;
	const struct facts_cell *cell;

	world_init(&w);
	w.sink[0].end = 1300;
	w.sink[2].end = 1070;
	cell = survey(&w, 7000);
	ck_assert(cell->sink.known && cell->processor.known && cell->notify.known);
	ck_assert_int_eq(cell->sink.waiting_records, 370);
	ck_assert_int_eq(cell->sink.behind_ms, 7000);
	ck_assert_int_eq(cell->sink.left_ms, 3593000);
	ck_assert_int_eq(cell->sink.at_ms, NOW);
	ck_assert_int_eq(cell->sink.lost_records, 0);
	ck_assert_int_eq(cell->processor.waiting_records, 0);
	ck_assert_int_eq(cell->processor.left_ms, -1);
	world_fini(&w);
}
END_TEST

START_TEST(drains_or_stands)
{
	struct world w;
	const struct facts_cell *cell = NULL;

	world_init(&w);
	for (size_t p = 0; p < PARTITIONS; p++)
		w.sink[p].end = 11000; /* 30000 wait */
	for (int i = 0; i < 5; i++, commit(&w, 500))
		cell = survey(&w, 60000);
	ck_assert(cell->sink.draining);
	ck_assert_int_eq(cell->sink.waiting_records, 24000);
	ck_assert_int_eq(cell->sink.recovery_ms, 24000 / 300 * 1000); /* 1500 in 5 s, and nothing comes */
	ck_assert_int_eq(cell->sink.still_ms, 0);
	cell = survey(&w, 60000);
	for (int i = 1; i <= 20; i++) {
		cell = survey(&w, 60000);
		ck_assert_int_eq(cell->sink.still_ms, (int64_t)i * STEP_MS);
	}
	ck_assert(!cell->sink.draining);
	ck_assert_int_eq(cell->sink.recovery_ms, -1);
	world_fini(&w);
}
END_TEST

/* A standstill is told in real time: commits come by the wall clock, however fast a test's clock is. */
START_TEST(still_in_real_time)
{
	struct world w;
	const struct facts_cell *cell = NULL;

	world_init(&w);
	w.clock = (struct clock){.test = true, .start_ms = NOW, .real_ms = NOW, .speed = 20};
	w.sink[0].end = 2000;
	for (int i = 0; i < 5; i++)
		cell = survey(&w, 60000);
	ck_assert_int_eq(cell->sink.still_ms, 4 * STEP_MS / 20);
	world_fini(&w);
}
END_TEST

/* One that cannot be asked says nothing of its group; what was known holds for a minute, and other groups go on. */
START_TEST(no_answer)
{
	struct world w;
	const struct facts_cell *cell;

	world_init(&w);
	w.sink[0].end = 1300;
	survey(&w, 7000);
	w.sink[1].fault = "no broker leads it";
	for (int i = 1; i <= 12; i++) {
		cell = survey(&w, 90000);
		ck_assert(cell->sink.known && cell->processor.known);
		ck_assert_int_eq(cell->sink.waiting_records, 300);
		ck_assert_int_eq(cell->sink.behind_ms, 7000);
		ck_assert_int_eq(cell->sink.at_ms, NOW);
	}
	cell = survey(&w, 90000);
	ck_assert(!cell->sink.known && cell->processor.known);
	ck_assert_int_eq(cell->sink.waiting_records, 0);
	w.sink[1].fault = NULL;
	cell = survey(&w, 90000);
	ck_assert(cell->sink.known);
	ck_assert_int_eq(cell->sink.behind_ms, 90000);
	world_fini(&w);
}
END_TEST

START_TEST(control_records_wait_for_nobody)
{
	struct world w;
	const struct facts_cell *cell = NULL;

	world_init(&w);
	w.sink[0].end = w.sink[1].end = 1001;
	for (int i = 0; i < 30; i++)
		cell = survey(&w, 0);
	ck_assert_int_eq(cell->sink.waiting_records, 0);
	ck_assert_int_eq(cell->sink.behind_ms, 0);
	ck_assert_int_eq(cell->sink.still_ms, 0);
	w.sink[0].end = 1003; /* and then there is one */
	cell = survey(&w, 2000);
	ck_assert_int_eq(cell->sink.waiting_records, 4);
	ck_assert_int_le(cell->sink.still_ms, STEP_MS);
	world_fini(&w);
}
END_TEST

/* Retention cuts what is unread: no work, no recovery, and lost until the next commit. */
START_TEST(cut_is_not_drained)
{
	struct world w;
	const struct facts_cell *cell = NULL;

	world_init(&w);
	for (size_t p = 0; p < PARTITIONS; p++)
		w.sink[p].end = 100000;
	for (int i = 0; i < 20; i++) {
		cell = survey(&w, 3000000);
		ck_assert(!cell->sink.draining);
		ck_assert_int_eq(cell->sink.recovery_ms, -1);
		ck_assert_int_eq(cell->sink.still_ms, (int64_t)i * STEP_MS);
		for (size_t p = 0; p < PARTITIONS; p++)
			w.sink[p].begin = 2000 + 1000 * i;
	}
	cell = survey(&w, 3000000);
	ck_assert_int_eq(cell->sink.lost_records, PARTITIONS * 20000);
	for (int i = 0; i < 5; i++) { /* the first commits jump over what is gone */
		for (size_t p = 0; p < PARTITIONS; p++)
			w.sink[p].committed = 21000 + 100 * i;
		cell = survey(&w, 3000000);
		ck_assert_msg(cell->sink.recovery_ms == -1 || cell->sink.recovery_ms == cell->sink.waiting_records * STEP_MS / (PARTITIONS * 100), "turn %d: %lld", i,
			      (long long)cell->sink.recovery_ms);
	}
	ck_assert_int_ne(cell->sink.recovery_ms, -1);
	ck_assert_int_eq(cell->sink.lost_records, 0);
	ck_assert_int_eq(cell->sink.still_ms, 0);
	world_fini(&w);
}
END_TEST

/* A partition more, with a million records read: nobody has drained those in the last five seconds. */
START_TEST(partitions_come)
{
	struct world w;
	const struct facts_cell *cell = NULL;

	world_init(&w);
	w.groups[1].nr = PARTITIONS - 1;
	w.sink[2].committed = w.sink[2].end = 1000000;
	for (size_t p = 0; p < 2; p++)
		w.sink[p].end = 11000;
	for (int i = 0; i < 10; i++) {
		w.groups[1].nr = i < 5 ? PARTITIONS - 1 : PARTITIONS;
		cell = survey(&w, 60000);
		ck_assert_msg(cell->sink.recovery_ms == -1 || cell->sink.recovery_ms == cell->sink.waiting_records * STEP_MS / 200, "turn %d: %lld", i,
			      (long long)cell->sink.recovery_ms);
		w.sink[0].committed += 100;
		w.sink[1].committed += 100;
	}
	ck_assert_int_ne(cell->sink.recovery_ms, -1);
	world_fini(&w);
}
END_TEST

/* Likewise a group's first commit in a partition: what lies before it was no work of these seconds. */
START_TEST(first_commit)
{
	struct world w;
	const struct facts_cell *cell = NULL;

	world_init(&w);
	w.sink[0] = (struct lag_partition){.topic = "minutely", .committed = -1, .begin = 500000, .end = 600000};
	for (int i = 0; i < 8; i++) {
		cell = survey(&w, 60000);
		ck_assert_msg(cell->sink.recovery_ms == -1 || cell->sink.recovery_ms == cell->sink.waiting_records * STEP_MS / 100, "turn %d: %lld", i,
			      (long long)cell->sink.recovery_ms);
		w.sink[0].committed = 500100 + 100 * i;
	}
	ck_assert_int_ne(cell->sink.recovery_ms, -1);
	world_fini(&w);
}
END_TEST

START_TEST(cells_that_go)
{
	struct world w;
	struct facts_cell cells[] = {{.name = STR("main")}, {.name = STR("other")}};

	world_init(&w);
	ck_assert(!lags_know(w.lags, cells, 1));
	ck_assert(lags_know(w.lags, cells, 0));
	w.sink[0].end = 5000;
	survey(&w, 1000);
	survey(&w, 1000);
	ck_assert(lags_know(w.lags, cells, 1));
	ck_assert(!lags_know(w.lags, cells, 2));
	w.view.nr_groups = 0;
	survey(&w, 1000);
	ck_assert(!lags_know(w.lags, cells, 1));
	lags_fill(w.lags, &cells[0]);
	ck_assert(!cells[0].sink.known);
	w.view.nr_groups = LAG_GROUPS; /* the same name again is another story */
	ck_assert_int_eq(survey(&w, 1000)->sink.still_ms, 0);
	world_fini(&w);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("lags");
	TCase *tc = tcase_create("lags");

	tcase_add_test(tc, sums_of_partitions);
	tcase_add_test(tc, drains_or_stands);
	tcase_add_test(tc, still_in_real_time);
	tcase_add_test(tc, no_answer);
	tcase_add_test(tc, control_records_wait_for_nobody);
	tcase_add_test(tc, cut_is_not_drained);
	tcase_add_test(tc, partitions_come);
	tcase_add_test(tc, first_commit);
	tcase_add_test(tc, cells_that_go);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
