/* test_obeyed.c - who counts as obeying a control, by heartbeats. */
#include "deploy/ctl/obeyed.h"

#include <string.h>

#include "common/control.h"
#include "tests/unit/unit.h"

enum { INTERVAL = 5000 };

/* A store of heartbeats, judged. */
struct fixture {
	struct clock clock;
	struct store store;
	struct status status;
	int64_t offset; /* of the last beat */
};

static void setup(struct fixture *f)
{
	*f = (struct fixture){.clock = {.test = true, .start_ms = 1000000, .real_ms = clock_wall_ms(), .speed = 1}, .offset = -1};
	f->status.store = &f->store;
}

static void teardown(struct fixture *f)
{
	arena_fini(&f->status.arena);
	store_fini(&f->store);
}

/* id: the one control that it lists, or NULL. */
static void put_beat(struct fixture *f, const char *key, const char *cell, int64_t age_ms, const char *id)
{
	struct str controls[] = {STR("ingest/other"), str_from(id)};
	struct str program = {key, strcspn(key, "/")};
	struct heartbeat beat = {.program = program, .instance = str_from(key + program.len + 1), .has_cell = cell, .cell = str_from(cell),
				 .interval_ms = INTERVAL, .ready = age_ms % 2 == 0, .controls = controls, .controls_len = id ? 2 : 1};
	struct buf value = BUF_INIT;
	struct table_row row = {.key = str_from(key), .timestamp_ms = f->clock.start_ms - age_ms, .offset = ++f->offset};

	ck_assert_int_eq(heartbeat_encode(&beat, &value, NULL), 0);
	row.value = buf_str(&value);
	ck_assert_int_eq(store_take_row(&f->store, STORE_BEATS, &row, NULL), 0);
	buf_fini(&value);
}

static struct obeyed ask(struct fixture *f, const struct control *control, int64_t since)
{
	struct obeyed out;

	ck_assert_int_eq(status_judge_beats(&f->status, &f->clock, NULL), 0);
	obeyed_ask(&f->status, control, since, &out);
	return out;
}

static const struct control closing = {.id = {"ingest/close", 12}, .on = CONTROL_PROGRAM_INGEST, .action = CONTROL_ACTION_CLOSE};

/* Those that are alive and of that program, ready or not; the others have no say. */
START_TEST(who_is_asked)
{
	struct obeyed got;
	struct fixture f;

	setup(&f);
	got = ask(&f, &closing, -1);
	ck_assert(got.nr_by == 0 && got.nr_not_by == 0 && !*got.by && !*got.not_by);
	put_beat(&f, "millrace-ingest/a", NULL, 0, "ingest/close");
	put_beat(&f, "millrace-ingest/b", NULL, 1, "ingest/close"); /* not ready */
	put_beat(&f, "millrace-ingest/c", NULL, 0, "ingest/close/site=shop");
	put_beat(&f, "millrace-ingest/d", NULL, 0, NULL);
	put_beat(&f, "millrace-ingest/stale", NULL, 3 * INTERVAL + 2000, "ingest/close");
	put_beat(&f, "millrace-sink/e", "main", 0, "ingest/close");
	got = ask(&f, &closing, -1);
	ck_assert_uint_eq(got.nr_by, 2);
	ck_assert_str_eq(got.by, "ingest/a, ingest/b");
	ck_assert_uint_eq(got.nr_not_by, 2);
	ck_assert_str_eq(got.not_by, "ingest/c, ingest/d");
	teardown(&f);
}
END_TEST

/* Who serves one cell has nothing to do with another's control; who serves all has. */
START_TEST(cells)
{
	struct control muting = {.id = STR("processor/mute/cell=eu"), .on = CONTROL_PROGRAM_PROCESSOR, .has_cell = true, .cell = STR("eu")};
	struct obeyed got;
	struct fixture f;

	setup(&f);
	put_beat(&f, "millrace-processor/main", "main", 0, NULL);
	put_beat(&f, "millrace-processor/eu", "eu", 0, NULL);
	put_beat(&f, "millrace-processor/any", NULL, 0, "processor/mute/cell=eu");
	got = ask(&f, &muting, -1);
	ck_assert_str_eq(got.by, "processor/any");
	ck_assert_str_eq(got.not_by, "processor/eu");
	teardown(&f);
}
END_TEST

/* A control that is set once more has the id of before: only what was said since then tells of it. */
START_TEST(older_beats)
{
	struct obeyed got;
	struct fixture f;

	setup(&f);
	put_beat(&f, "millrace-ingest/a", NULL, 0, "ingest/close");
	put_beat(&f, "millrace-ingest/b", NULL, 0, "ingest/close");
	got = ask(&f, &closing, 0);
	ck_assert_str_eq(got.by, "ingest/b");
	ck_assert_str_eq(got.not_by, "ingest/a");
	put_beat(&f, "millrace-ingest/a", NULL, 0, "ingest/close");
	got = ask(&f, &closing, 0);
	ck_assert_str_eq(got.by, "ingest/a, ingest/b");
	teardown(&f);
}
END_TEST

START_TEST(many_names)
{
	struct obeyed got;
	struct fixture f;
	char key[64];

	setup(&f);
	for (int i = 0; i < 100; i++) {
		snprintf(key, sizeof(key), "millrace-ingest/host-%02d\033[2J", i);
		put_beat(&f, key, NULL, 0, "ingest/close");
	}
	got = ask(&f, &closing, -1);
	ck_assert_uint_eq(got.nr_by, 100);
	ck_assert_ptr_nonnull(strstr(got.by, "ingest/host-00?[2J, ingest/host-01"));
	ck_assert_str_eq(got.by + strlen(got.by) - 4, ", ..");
	ck_assert_ptr_null(strstr(got.by, ".., .."));
	ck_assert_uint_lt(strlen(got.by), OBEYED_NAMES_SIZE);
	teardown(&f);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ctl/obeyed");
	TCase *t = tcase_create("obeyed");

	tcase_add_test(t, who_is_asked);
	tcase_add_test(t, cells);
	tcase_add_test(t, older_beats);
	tcase_add_test(t, many_names);
	suite_add_tcase(s, t);
	return unit_main(s);
}
