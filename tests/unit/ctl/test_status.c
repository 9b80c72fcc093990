/* test_status.c - lag as arithmetic, heartbeats by age, and what counts as a problem. */
#include "deploy/ctl/status.h"

#include <string.h>

#include "tests/unit/unit.h"

enum { INTERVAL = 5000 };

static const struct { int64_t committed, begin, end, lag; } lags[] = {
	{-1, 0, 0, 0},     /* nothing there, nothing read */
	{-1, 0, 10, 10},   /* a group that never was */
	{-1, 4, 10, 6},
	{10, 0, 10, 0},
	{7, 0, 10, 3},
	{2, 4, 10, 6},     /* retention has cut what was not read */
	{12, 0, 10, 0},    /* topic made again, or an end asked too early: never negative */
	{0, 0, INT64_MAX, INT64_MAX},
};

START_TEST(lag_table)
{
	struct lag_partition p = {.topic = "samples", .committed = lags[_i].committed, .begin = lags[_i].begin, .end = lags[_i].end};
	struct lag_group g = {.partitions = &p, .nr = 1};

	lag_sum(&g);
	ck_assert_int_eq(p.lag, lags[_i].lag);
	ck_assert_int_eq(g.total, lags[_i].lag);
	ck_assert_ptr_eq(g.worst, lags[_i].lag ? &p : NULL);
}
END_TEST

START_TEST(lag_totals)
{
	struct lag_partition p[] = {
		{.topic = "a", .partition = 0, .committed = 5, .end = 8},
		{.topic = "a", .partition = 1, .committed = 0, .end = 9},
		{.topic = "b", .partition = 0, .committed = 0, .end = 100, .fault = "no leader"},
		{.topic = "b", .partition = 1, .committed = 1, .end = 3},
	};
	struct lag_group g = {.partitions = p, .nr = 4};

	lag_sum(&g);
	ck_assert_int_eq(g.total, 3 + 9 + 2);
	ck_assert_ptr_eq(g.worst, &p[1]);
	ck_assert_int_eq(p[2].lag, 0);
}
END_TEST

START_TEST(lag_plan_of_a_cell)
{
	struct topic_state topics[] = {{.name = "millrace.c.main.alerts", .partitions = 2}, {.name = "millrace.c.main.hourly", .partitions = 1},
				       {.name = "millrace.c.main.incidents", .partitions = 1}, {.name = "millrace.c.main.minutely", .partitions = 2},
				       {.name = "millrace.c.main.samples", .partitions = 3}, {.name = "millrace.c.main2.samples", .partitions = 9}};
	struct topic_list list = {.topics = topics, .nr = 6};
	struct arena arena = ARENA_INIT;
	struct lag_group groups[LAG_GROUPS];

	ck_assert_int_eq(lag_plan(STR("main"), &list, &arena, groups, NULL), 0);
	ck_assert_str_eq(groups[0].name, "millrace-processor-main");
	ck_assert_str_eq(groups[1].name, "millrace-sink-main");
	ck_assert_uint_eq(groups[0].nr, 3);
	ck_assert_uint_eq(groups[1].nr, 6);
	ck_assert_str_eq(groups[2].name, "millrace-notify-main");
	ck_assert_uint_eq(groups[2].nr, 2);
	ck_assert_str_eq(groups[2].partitions[1].topic, "alerts");
	ck_assert_str_eq(groups[0].partitions[2].topic, "samples");
	ck_assert_int_eq(groups[0].partitions[2].partition, 2);
	ck_assert_int_eq(groups[0].partitions[2].committed, -1);
	ck_assert_str_eq(groups[1].partitions[0].topic, "minutely");
	ck_assert_str_eq(groups[1].partitions[2].topic, "hourly");
	ck_assert_str_eq(groups[1].partitions[5].topic, "incidents");
	arena_fini(&arena);
}
END_TEST

/* A stack of one cell and its programs, which a test then spoils. */
struct fixture {
	struct store store;
	struct clock clock;
	struct status status;
	struct lag_partition partition;
	struct lag_group group;
	struct route routes[2];
};

static void put_beat(struct fixture *f, const char *program, const char *instance, const char *cell, int64_t age_ms, bool ready)
{
	struct heartbeat beat = {.program = str_from(program), .instance = str_from(instance), .build = STR("1"), .has_cell = cell != NULL,
				 .cell = str_from(cell), .interval_ms = INTERVAL, .ready = ready};
	char key[128];
	struct buf value = BUF_INIT;
	struct table_row row = {.timestamp_ms = clock_now_ms(&f->clock) - age_ms};

	snprintf(key, sizeof(key), "%s/%s", program, instance);
	ck_assert_int_eq(heartbeat_encode(&beat, &value, NULL), 0);
	row.key = str_from(key);
	row.value = buf_str(&value);
	ck_assert_int_eq(store_take_row(&f->store, STORE_BEATS, &row, NULL), 0);
	buf_fini(&value);
}

static void put_cell(struct fixture *f, int64_t epoch)
{
	struct cell cell = {.name = STR("main"), .partitions = 1, .epoch = epoch};

	ck_assert_int_eq(store_put_cell(&f->store, &cell, NULL), 0);
}

/* A trigger of a site that was in cell main until `until_ms`, and is in cell other from then on. */
static void put_trigger(struct fixture *f, int64_t until_ms)
{
	struct site site = {.id = STR("shop"), .routes = f->routes, .routes_len = until_ms ? 2 : 1};
	struct trigger trigger = {.id = STR("slow"), .site = STR("shop")};

	f->routes[0] = (struct route){.cell = STR("main"), .shards = 1};
	f->routes[1] = (struct route){.effective_from = until_ms, .cell = STR("other"), .shards = 1};
	ck_assert_int_eq(store_put_site(&f->store, &site, NULL), 0);
	ck_assert_int_eq(store_put_trigger(&f->store, &trigger, NULL), 0);
}

static void fixture_init(struct fixture *f)
{
	*f = (struct fixture){.partition = {.topic = "samples", .committed = 5, .end = 5}};
	f->group = (struct lag_group){.name = "millrace-processor-main", .program = "processor", .cell = STR("main"), .partitions = &f->partition, .nr = 1};
	f->status = (struct status){.store = &f->store, .brokers = "b:1", .groups = &f->group, .nr_groups = 1, .max_lag = 10};
	put_cell(f, 1);
	put_beat(f, "millrace-ingest", "a", NULL, 1000, true);
	put_beat(f, "millrace-processor", "a", "main", 1000, true);
	put_beat(f, "millrace-sink", "a", "main", 1000, true);
}

static void judge(struct fixture *f)
{
	struct err err = ERR_INIT;

	lag_sum(&f->group);
	ck_assert_msg(status_judge_beats(&f->status, &f->clock, &err) == 0 && status_find_problems(&f->status, &err) == 0, "%s", err.msg);
}

static void fixture_fini(struct fixture *f)
{
	store_fini(&f->store);
	arena_fini(&f->status.arena);
}

static void spoil(struct fixture *f, int what)
{
	static const char junk[] = "\0\0\0\0\x08junk";
	struct table_row row = {.key = STR("millrace-sink/a"), .value = STR(junk)};
	struct str keys[] = {STR("millrace-ingest/a"), STR("millrace-processor/a"), STR("millrace-sink/a")};

	switch (what) {
	case 0: break;
	case 1: case 2: case 3:
		row = (struct table_row){.key = keys[what - 1]};
		ck_assert_int_eq(store_take_row(&f->store, STORE_BEATS, &row, NULL), 0);
		break;
	case 4: put_beat(f, "millrace-sink", "a", "main", 1000, false); break;
	case 5: put_beat(f, "millrace-sink", "a", "main", 3 * INTERVAL + 1000, true); break;
	case 6: put_beat(f, "millrace-sink", "a", "other", 1000, true); break;
	case 7: put_cell(f, 0); break;
	case 8: f->partition.end = 16; break;
	case 9: f->partition.fault = "no leader"; break;
	case 10: f->group.nr = 0; break;
	case 11: ck_assert_int_eq(store_take_row(&f->store, STORE_BEATS, &row, NULL), 0); break;
	case 12: put_beat(f, "millrace-sink", "b", "main", 60000, true); break;
	case 13: put_beat(f, "millrace-sink", "b", "main", STATUS_GONE_MS + 60000, true); break;
	case 14: f->partition.end = 15; break;
	case 15: put_beat(f, "millrace-sink", "b", "main2", STATUS_GONE_MS + 60000, true); break;
	case 16: put_trigger(f, 0); break;
	case 17:
		put_trigger(f, 0);
		put_beat(f, "millrace-notify", "a", "other", 1000, true);
		break;
	case 18:
		put_trigger(f, 0);
		put_beat(f, "millrace-notify", "a", "main", 1000, true);
		break;
	case 19: put_trigger(f, clock_now_ms(&f->clock) - 60000); break;
	case 20: put_trigger(f, clock_now_ms(&f->clock) + 3600000); break;
	default: ck_abort();
	}
}

/* What each spoiling makes status say; NULL: nothing. */
static const char *const sayings[][2] = {
	{NULL},
	{"there is no ingest that is ready"},
	{"cell main has no processor that is ready"},
	{"cell main has no sink that is ready"},
	{"cell main has no sink that is ready", "millrace-sink/a is not ready"},
	{"cell main has no sink that is ready", "millrace-sink/a: no heartbeat for 16 s"},
	{"cell main has no sink that is ready"},
	{"cell main has no epoch: run millrace-ctl topics apply"},
	{"millrace-processor-main is 11 records behind (more than 10)"},
	{"millrace-processor-main: 1 partitions cannot be asked (samples 0: no leader)"},
	{"cell main has no topics for its processor: run millrace-ctl topics apply"},
	{"cell main has no sink that is ready", "millrace-sink/a: its heartbeat cannot be read"},
	{"millrace-sink/b: no heartbeat for 1 m 0 s"},
	{NULL}, /* long gone, and replaced */
	{NULL}, /* as much as is allowed */
	{"millrace-sink/b: no heartbeat for 16 m 0 s"}, /* long gone, and nobody serves its cell */
	{"cell main has triggers (1), and no notifier that is ready: nobody is told of alerts"},
	{"cell main has triggers (1), and no notifier that is ready"},
	{NULL},
	{NULL}, /* the site has left */
	{"cell main has triggers (1), and no notifier that is ready"}, /* it will */
};

START_TEST(problems)
{
	struct fixture f;
	size_t nr = 0;

	fixture_init(&f);
	spoil(&f, _i);
	judge(&f);
	while (nr < 2 && sayings[_i][nr])
		nr++;
	for (size_t i = 0; i < nr && i < f.status.nr_problems; i++)
		ck_assert_msg(strncmp(f.status.problems[i], sayings[_i][i], strlen(sayings[_i][i])) == 0, "%d: %s", _i, f.status.problems[i]);
	ck_assert_msg(f.status.nr_problems == nr, "%d: %zu problems, first %s", _i, f.status.nr_problems,
		      f.status.nr_problems ? f.status.problems[0] : "");
	fixture_fini(&f);
}
END_TEST

/* On a test clock ages of heartbeats stay real: an interval is a real one. */
START_TEST(ages_on_a_test_clock)
{
	struct fixture f;

	fixture_init(&f);
	f.clock = (struct clock){.test = true, .start_ms = 1000000, .real_ms = clock_wall_ms(), .speed = 60};
	put_beat(&f, "millrace-ingest", "a", NULL, 60 * 4000, true);
	put_beat(&f, "millrace-processor", "a", "main", 60 * 4000, true);
	put_beat(&f, "millrace-sink", "a", "main", 60 * 20000, true);
	judge(&f);
	for (size_t i = 0; i < f.status.nr_beats; i++) {
		int64_t want = str_eq(f.status.beats[i].item->key, STR("millrace-sink/a")) ? 20000 : 4000;

		ck_assert_int_ge(f.status.beats[i].age_ms, want);
		ck_assert_int_lt(f.status.beats[i].age_ms, want + 2000);
		ck_assert_int_eq(f.status.beats[i].state, want == 20000 ? STATUS_STALE : STATUS_READY);
	}
	fixture_fini(&f);
}
END_TEST

/* No field of a record, and no figure, breaks the screen; both forms of it hold what counts. */
START_TEST(screen_and_json)
{
	struct fixture f;
	struct json_writer w;
	struct buf json = BUF_INIT;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	fixture_init(&f);
	f.partition.end = 123456;
	put_beat(&f, "evil\033[2J", "x\ny", "main", 1000, false);
	judge(&f);
	status_print(&f.status, false, out);
	fclose(out);
	ck_assert_ptr_nonnull(strstr(text, "Millrace at b:1: 0 brokers, 0 cells, 0 sites: 2 problems\n"));
	ck_assert_ptr_nonnull(strstr(text, "samples 0: 123 k"));
	ck_assert_ptr_nonnull(strstr(text, "evil?[2J"));
	ck_assert_ptr_null(strchr(text, '\033'));
	json_write_begin(&w);
	status_write_json(&f.status, &w);
	ck_assert_int_eq(json_write_end(&w, &json, NULL), 0);
	buf_add(&json, "", 1);
	ck_assert_ptr_nonnull(strstr((char *)json.p, "\"lag\": 123451"));
	ck_assert_ptr_nonnull(strstr((char *)json.p, "\"well\": false"));
	ck_assert_ptr_nonnull(strstr((char *)json.p, "\"state\": \"not ready\""));
	free(text);
	buf_fini(&json);
	fixture_fini(&f);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ctl/status");
	TCase *t = tcase_create("status");

	tcase_add_loop_test(t, lag_table, 0, NR(lags));
	tcase_add_test(t, lag_totals);
	tcase_add_test(t, lag_plan_of_a_cell);
	tcase_add_loop_test(t, problems, 0, NR(sayings));
	tcase_add_test(t, ages_on_a_test_clock);
	tcase_add_test(t, screen_and_json);
	suite_add_tcase(s, t);
	return unit_main(s);
}
