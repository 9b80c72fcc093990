/* test_house.c - what the tables tell of the house: who is alive, which cells there are and which of them have triggers, what controls hold. */
#include "sink/status/house.h"

#include "tests/unit/unit.h"

#define NOW INT64_C(1795372000000)

/* Virtual time stands still at NOW, so that ages are exact. */
static const struct clock frozen = {.test = true, .start_ms = NOW, .real_ms = 0, .speed = 1e-30};

struct world {
	struct house *house;
	struct facts facts;
	struct facts_cell *cells;
};

static void world_init(struct world *w, const struct clock *clock)
{
	struct err err = ERR_INIT;

	*w = (struct world){.house = house_new(clock, &err)};
	ck_assert_msg(w->house != NULL, "%s", err.msg);
}

static void look(struct world *w)
{
	struct err err = ERR_INIT;

	ck_assert_msg(house_facts(w->house, &w->facts, &w->cells, &err) == 0, "%s", err.msg);
	ck_assert_ptr_eq(w->cells, w->facts.cells);
}

typedef int (*take_fn)(void *ctx, const struct table_row *row, struct err *err);

/* value NULL: a deletion. */
static int give(struct world *w, take_fn take, const char *key, struct buf *value, int64_t at_ms, struct err *err)
{
	struct table_row row = {.key = str_from(key), .timestamp_ms = at_ms};
	int rc;

	if (value)
		row.value = buf_str(value);
	rc = take(w->house, &row, err);
	if (value)
		buf_fini(value);
	return rc;
}

static void give_cell(struct world *w, const char *name, int64_t epoch)
{
	struct buf b = BUF_INIT;
	const struct cell cell = {.name = str_from(name), .epoch = epoch, .partitions = 12};

	ck_assert_int_eq(cell_encode(&cell, &b, NULL), 0);
	ck_assert_int_eq(give(w, house_take_cell, name, &b, NOW, NULL), 0);
}

static void give_trigger(struct world *w, const char *id, const char *site)
{
	struct buf b = BUF_INIT;
	const struct trigger trigger = {.id = str_from(id), .site = str_from(site), .metric = STR("m")};

	ck_assert_int_eq(trigger_encode(&trigger, &b, NULL), 0);
	ck_assert_int_eq(give(w, house_take_trigger, id, &b, NOW, NULL), 0);
}

/* Of a cell from first_ms on, and, unless it is NULL, of then from then_ms on. */
static void give_site(struct world *w, const char *id, const char *first, int64_t first_ms, const char *then, int64_t then_ms)
{
	struct buf b = BUF_INIT;
	struct route routes[] = {{first_ms, str_from(first), 2}, {then_ms, str_from(then), 2}};
	const struct site site = {.id = str_from(id), .name = str_from(id), .routes = routes, .routes_len = then ? 2 : 1};

	ck_assert_int_eq(site_encode(&site, &b, NULL), 0);
	ck_assert_int_eq(give(w, house_take_site, id, &b, NOW, NULL), 0);
}

static void give_beat(struct world *w, const char *instance, int64_t at_ms, int32_t interval_ms)
{
	char key[64];
	struct buf b = BUF_INIT;
	const struct heartbeat beat = {.program = STR("millrace-sink"), .instance = str_from(instance), .has_cell = true, .cell = STR("main"),
				       .interval_ms = interval_ms, .ready = true};

	snprintf(key, sizeof(key), "millrace-sink/%s", instance);
	ck_assert_int_eq(heartbeat_encode(&beat, &b, NULL), 0);
	ck_assert_int_eq(give(w, house_take_beat, key, &b, at_ms, NULL), 0);
}

static void give_control(struct world *w, const char *id, int64_t expires_ms)
{
	struct buf b = BUF_INIT;
	const struct control control = {.id = str_from(id), .on = CONTROL_PROGRAM_SINK, .action = CONTROL_ACTION_PAUSE, .reason = STR("r"), .author = STR("a"),
					.created_at = NOW - 1000, .expires_at = expires_ms};

	ck_assert_int_eq(control_encode(&control, &b, NULL), 0);
	ck_assert_int_eq(give(w, house_take_control, id, &b, NOW, NULL), 0);
}

START_TEST(cells_by_name)
{
	struct world w;

	world_init(&w, &frozen);
	look(&w);
	ck_assert_uint_eq(w.facts.nr_cells + w.facts.nr_instances + w.facts.nr_controls, 0);
	give_cell(&w, "other", 7);
	give_cell(&w, "main", 8);
	give_cell(&w, "unmade", 0);
	look(&w);
	ck_assert_uint_eq(w.facts.nr_cells, 2);
	ck_assert(str_eq(w.facts.cells[0].name, STR("main")) && str_eq(w.facts.cells[1].name, STR("other")));
	ck_assert(!w.facts.cells[0].sink.known);
	give(&w, house_take_cell, "main", NULL, NOW, NULL);
	look(&w);
	ck_assert_uint_eq(w.facts.nr_cells, 1);
	house_free(w.house);
}
END_TEST

/* A route that is still to come into force is none; one that is, counts alone. */
START_TEST(which_cells_have_triggers)
{
	struct world w;

	world_init(&w, &frozen);
	give_cell(&w, "a", 1);
	give_cell(&w, "b", 1);
	give_cell(&w, "c", 1);
	give_site(&w, "stays", "a", NOW - 1000, "b", NOW + 1000);
	give_site(&w, "moved", "a", NOW - 2000, "c", NOW);
	give_trigger(&w, "t1", "nobody");
	look(&w);
	ck_assert(!w.facts.cells[0].has_triggers && !w.facts.cells[1].has_triggers && !w.facts.cells[2].has_triggers);
	give_trigger(&w, "t2", "stays");
	look(&w);
	ck_assert(w.facts.cells[0].has_triggers && !w.facts.cells[1].has_triggers && !w.facts.cells[2].has_triggers);
	give_trigger(&w, "t3", "moved");
	look(&w);
	ck_assert(w.facts.cells[0].has_triggers && !w.facts.cells[1].has_triggers && w.facts.cells[2].has_triggers);
	give(&w, house_take_trigger, "t2", NULL, NOW, NULL);
	look(&w);
	ck_assert(!w.facts.cells[0].has_triggers && w.facts.cells[2].has_triggers);
	house_free(w.house);
}
END_TEST

/* At 60 times real time: three intervals of a second are three minutes of virtual time. */
START_TEST(who_is_alive)
{
	struct world w;
	const struct clock fast = {.test = true, .start_ms = NOW, .real_ms = clock_wall_ms(), .speed = 60};
	int64_t now;

	world_init(&w, &fast);
	now = clock_now_ms(&fast);
	give_beat(&w, "alive", now - 2 * CLOCK_MINUTE_MS, 1000);
	give_beat(&w, "dead", now - 4 * CLOCK_MINUTE_MS, 1000);
	give_beat(&w, "slow", now - 4 * CLOCK_MINUTE_MS, 10000);
	give_beat(&w, "yesterday", now - 60 * 24 * CLOCK_HOUR_MS - 1, 1000);
	give_beat(&w, "ahead", now + CLOCK_HOUR_MS, 1000);
	look(&w);
	ck_assert_uint_eq(w.facts.nr_instances, 4);
	for (size_t i = 0; i < 4; i++)
		ck_assert_int_eq(w.facts.instances[i].live, !str_eq(w.facts.instances[i].beat->instance, STR("dead")));
	house_free(w.house);
}
END_TEST

START_TEST(controls_end_by_themselves)
{
	struct world w;

	world_init(&w, &frozen);
	give_control(&w, "sink/pause/cell=main", NOW + 1);
	give_control(&w, "sink/pause/cell=other", NOW);
	look(&w);
	ck_assert_uint_eq(w.facts.nr_controls, 1);
	ck_assert(str_eq(w.facts.controls[0]->id, STR("sink/pause/cell=main")));
	give(&w, house_take_control, "sink/pause/cell=main", NULL, NOW, NULL);
	look(&w);
	ck_assert_uint_eq(w.facts.nr_controls, 0);
	house_free(w.house);
}
END_TEST

/* What was known before stays. */
START_TEST(bad_rows)
{
	static const take_fn takes[] = {house_take_cell, house_take_beat, house_take_control, house_take_site, house_take_trigger};
	const struct cell cell = {.name = STR("main"), .epoch = 3};
	struct world w;

	world_init(&w, &frozen);
	give_cell(&w, "main", 7);
	for (size_t i = 0; i < NR(takes); i++) {
		struct err err = ERR_INIT;
		struct buf b = BUF_INIT;

		buf_add(&b, "\0\0\0\0\1x", 6);
		ck_assert_int_eq(give(&w, takes[i], "main", &b, NOW, &err), -1);
		ck_assert_int_eq(err.kind, ERR_REJECT);
	}
	for (size_t i = 0; i < 2; i++) {
		struct err err = ERR_INIT;
		struct buf b = BUF_INIT;

		ck_assert_int_eq(cell_encode(&cell, &b, NULL), 0);
		ck_assert_int_eq(give(&w, house_take_cell, i ? "main" : "another", &b, NOW, &err), i ? 0 : -1);
	}
	look(&w);
	ck_assert_uint_eq(w.facts.nr_cells, 1);
	house_free(w.house);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("house");
	TCase *tc = tcase_create("house");

	tcase_add_test(tc, cells_by_name);
	tcase_add_test(tc, which_cells_have_triggers);
	tcase_add_test(tc, who_is_alive);
	tcase_add_test(tc, controls_end_by_themselves);
	tcase_add_test(tc, bad_rows);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
