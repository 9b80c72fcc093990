/* test_status.c - heartbeats by age, what counts as a problem and how much, the screen and the JSON. */
#include "deploy/ctl/status.h"

#include <string.h>

#include "common/lag_age.h"

#include "tests/unit/unit.h"

enum { INTERVAL = 5000 };

/* A stack of one cell and its programs, which a test then spoils. */
struct fixture {
	struct store store;
	struct clock clock;
	struct status status;
	struct topic_state topic;
	struct lag_partition partition;
	int64_t age_ms, retention_ms; /* of the partition, when it is behind */
	struct lag_group group;
	struct route routes[2];
};

struct beat {
	const char *program, *instance, *cell; /* cell NULL: none */
	const char *build;                     /* NULL: "1" */
	int64_t age_ms;
	bool unready;
	struct figure figures[4];
	size_t nr_figures;
};

static void put(struct fixture *f, const struct beat *b)
{
	struct heartbeat beat = {.program = str_from(b->program), .instance = str_from(b->instance), .build = str_from(b->build ? b->build : "1"),
				 .has_cell = b->cell != NULL, .cell = str_from(b->cell), .interval_ms = INTERVAL, .ready = !b->unready,
				 .figures = (struct figure *)(uintptr_t)b->figures, .figures_len = b->nr_figures};
	char key[128];
	struct buf value = BUF_INIT;
	struct table_row row = {.timestamp_ms = clock_now_ms(&f->clock) - b->age_ms};

	snprintf(key, sizeof(key), "%s/%s", b->program, b->instance);
	ck_assert_int_eq(heartbeat_encode(&beat, &value, NULL), 0);
	row.key = str_from(key);
	row.value = buf_str(&value);
	ck_assert_int_eq(store_take_row(&f->store, STORE_BEATS, &row, NULL), 0);
	buf_fini(&value);
}

static void put_beat(struct fixture *f, const char *program, const char *instance, const char *cell, int64_t age_ms, bool ready)
{
	put(f, &(struct beat){program, instance, cell, .age_ms = age_ms, .unready = !ready});
}

static void put_figure(struct fixture *f, const char *program, const char *key, double value, bool ready)
{
	put(f, &(struct beat){program, "a", "main", .age_ms = 1000, .unready = !ready, .figures = {{str_from(key), value}}, .nr_figures = 1});
}

static void put_breaker(struct fixture *f, const char *instance, int state)
{
	put(f, &(struct beat){"millrace-sink", instance, "main", .age_ms = 1000,
			      .figures = {{STR("breaker_state"), state}, {STR("breaker.network"), 1}}, .nr_figures = state ? 2 : 1});
}

static void put_memory(struct fixture *f, double bytes, double budget_bytes)
{
	put(f, &(struct beat){"millrace-sink", "a", "main", .age_ms = 1000,
			      .figures = {{STR("memory_bytes"), bytes}, {STR("memory_budget_bytes"), budget_bytes}}, .nr_figures = 2});
}

static void put_build(struct fixture *f, const char *program, const char *instance, const char *build)
{
	put(f, &(struct beat){program, instance, "main", .build = build, .age_ms = 1000});
}

static void put_cell(struct fixture *f, int64_t epoch)
{
	struct cell cell = {.name = STR("main"), .partitions = 1, .epoch = epoch};

	ck_assert_int_eq(store_put_cell(&f->store, &cell, NULL), 0);
}

/* A pause of a cell's sink, set so long ago. */
static void put_pause(struct fixture *f, const char *cell, int64_t ago_ms, int64_t for_ms)
{
	int64_t now_ms = clock_now_ms(&f->clock);
	struct control c = {.id = STR("sink/pause/cell=main"), .on = CONTROL_PROGRAM_SINK, .action = CONTROL_ACTION_PAUSE, .has_cell = true,
			    .cell = str_from(cell), .reason = STR("new disks"), .author = STR("ann"), .created_at = now_ms - ago_ms,
			    .expires_at = now_ms - ago_ms + for_ms};
	struct buf value = BUF_INIT;
	struct table_row row = {.key = c.id};

	ck_assert_int_eq(control_encode(&c, &value, NULL), 0);
	row.value = buf_str(&value);
	ck_assert_int_eq(store_take_row(&f->store, STORE_CONTROLS, &row, NULL), 0);
	buf_fini(&value);
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
	*f = (struct fixture){.partition = {.topic = "samples", .committed = 5, .end = 5}, .topic = {.name = "millrace.c.main.samples", .partitions = 1},
			      .age_ms = -1, .retention_ms = -1};
	f->group = (struct lag_group){.name = "millrace-processor-main", .program = "processor", .cell = STR("main"), .partitions = &f->partition, .nr = 1};
	f->status = (struct status){.store = &f->store, .brokers = "b:1", .groups = &f->group, .nr_groups = 1, .max_lag = 10, .max_age_ms = 60000,
				    .topics = {&f->topic, 1, 3}};
	put_cell(f, 1);
	put_beat(f, "millrace-ingest", "a", NULL, 1000, true);
	put_beat(f, "millrace-processor", "a", "main", 1000, true);
	put_beat(f, "millrace-sink", "a", "main", 1000, true);
}

static void judge(struct fixture *f)
{
	struct err err = ERR_INIT;

	lag_sum(&f->group);
	if (f->group.nr && f->partition.lag) {
		f->partition.age_ms = f->age_ms;
		f->partition.retention_ms = f->retention_ms;
	}
	lag_age_sum(&f->group, &f->clock);
	ck_assert_msg(status_judge_beats(&f->status, &f->clock, &err) == 0 && status_list_controls(&f->status, &err) == 0 &&
		      status_find_problems(&f->status, &err) == 0, "%s", err.msg);
}

static void fixture_fini(struct fixture *f)
{
	store_fini(&f->store);
	arena_fini(&f->status.arena);
}

static void be_group(struct fixture *f, const char *name, const char *program)
{
	f->group.name = name;
	f->group.program = program;
}

/* One unread record of this age, in a topic of this retention. */
static void be_late(struct fixture *f, int64_t age_ms, int64_t retention_ms)
{
	f->partition.end = 6;
	f->age_ms = age_ms;
	f->retention_ms = retention_ms;
}

static void drop_beat(struct fixture *f, const char *key)
{
	struct table_row row = {.key = str_from(key)};

	ck_assert_int_eq(store_take_row(&f->store, STORE_BEATS, &row, NULL), 0);
}

static void put_junk(struct fixture *f)
{
	static const char junk[] = "\0\0\0\0\x08junk";
	struct table_row row = {.key = STR("millrace-sink/a"), .value = STR(junk)};

	ck_assert_int_eq(store_take_row(&f->store, STORE_BEATS, &row, NULL), 0);
}

static void put_letters(struct fixture *f, uint64_t open, bool partial)
{
	f->status.letters = (struct letter_tally){.held = 9, .last_day = 4, .last_hour = 3, .open = open, .partial = partial, .nr_rows = 2,
						  .rows = {{"hourly", "few", 1, open > 2}, {"minutely", "many", 2, open > 2 ? 2 : open}}};
}

enum { HOURS = 3600000 };

/* What is wrong, and what is said of it: severity, then the beginning of the sentence. NULL: nothing. */
static const char *spoil(struct fixture *f, int what, const char **also)
{
	static const char no_sink[] = "stands cell main has no sink that is ready";

	*also = NULL;
	switch (what) {
	case 0: return NULL;
	case 1: drop_beat(f, "millrace-ingest/a"); return "stands there is no ingest that is ready";
	case 2: drop_beat(f, "millrace-processor/a"); return "stands cell main has no processor that is ready";
	case 3: drop_beat(f, "millrace-sink/a"); return no_sink;
	case 4: put_beat(f, "millrace-sink", "a", "main", 1000, false); *also = "degraded millrace-sink/a is not ready"; return no_sink;
	case 5: put_beat(f, "millrace-sink", "a", "main", 3 * INTERVAL + 1000, true); *also = "degraded millrace-sink/a: no heartbeat for 16 s"; return no_sink;
	case 6: put_beat(f, "millrace-sink", "a", "other", 1000, true); return no_sink;
	case 7: put_cell(f, 0); return "stands cell main has no epoch: run millrace-ctl topics apply";
	case 8: f->partition.end = 16; return "delayed millrace-processor-main is 11 records behind (more than 10)";
	case 9: f->partition.fault = "no leader"; return "stands millrace-processor-main: 1 partitions cannot be asked (samples 0: no leader)";
	case 10: f->group.nr = 0; return "stands cell main has no topics for its processor: run millrace-ctl topics apply";
	case 11: put_junk(f); *also = "degraded millrace-sink/a: its heartbeat cannot be read"; return no_sink;
	case 12: put_beat(f, "millrace-sink", "b", "main", 60000, true); return "degraded millrace-sink/b: no heartbeat for 1 m 0 s";
	case 13: put_beat(f, "millrace-sink", "b", "main", STATUS_GONE_MS + 60000, true); return NULL; /* long gone, and replaced */
	case 14: f->partition.end = 15; return NULL; /* as much as is allowed */
	case 15: put_beat(f, "millrace-sink", "b", "main2", STATUS_GONE_MS + 60000, true); return "degraded millrace-sink/b: no heartbeat for 16 m 0 s"; /* and nobody serves its cell */
	case 16: put_trigger(f, 0); return "stands cell main has triggers (1), and no notifier that is ready: nobody is told of alerts";
	case 17: put_trigger(f, 0); put_beat(f, "millrace-notify", "a", "other", 1000, true); return "stands cell main has triggers (1)";
	case 18: put_trigger(f, 0); put_beat(f, "millrace-notify", "a", "main", 1000, true); return NULL;
	case 19: put_trigger(f, clock_now_ms(&f->clock) - 60000); return NULL; /* the site has left */
	case 20: put_trigger(f, clock_now_ms(&f->clock) + 3600000); return "stands cell main has triggers (1)"; /* it will */
	default: return "";
	}
}

/* A record of a schema that nobody here knows. */
static void put_newer(struct fixture *f, enum store_kind kind)
{
	const struct table_row row = {.key = STR("x"), .value = STR("\0\0\0\x27\x0f" "abc")};

	ck_assert_int_eq(store_take_row(&f->store, kind, &row, NULL), 0);
}

/* Likewise: time, loss, brokers, and what heartbeats tell of a program's inside. */
static const char *spoil_more(struct fixture *f, int what, const char **also)
{
	*also = NULL;
	switch (what) {
	case 0: be_late(f, 60001, -1); return "delayed millrace-processor-main is 1 m 0 s behind, 1 records (more than 1 m 0 s)";
	case 1: be_late(f, 60000, -1); return NULL;
	case 2: be_late(f, 49 * HOURS, 72 * HOURS); f->status.max_age_ms = INT64_MAX; return "loss millrace-processor-main: Kafka deletes what is unread in samples 0 in 23 h 0 m";
	case 3: be_late(f, 48 * HOURS, 72 * HOURS); f->status.max_age_ms = INT64_MAX; return NULL;
	case 4: be_late(f, 1000, 12 * HOURS); return NULL; /* short on purpose, and nothing is used up */
	case 5: be_late(f, 99 * HOURS, 72 * HOURS); *also = "delayed millrace-processor-main is"; return "loss millrace-processor-main: Kafka deletes what is unread in samples 0 in 0 s";
	case 6: f->partition.begin = f->partition.end = 7; return "loss millrace-processor-main has lost up to 2 records";
	case 7: f->topic.leaderless = 2; return "stands 2 partitions have no leader (of millrace.c.main.samples and others)";
	case 8: f->topic.under_replicated = 3; return "degraded 3 partitions have fewer copies";
	case 9: put_memory(f, 95, 100); return "degraded millrace-sink/a takes 95 % of its memory.budget";
	case 10: put_memory(f, 94.9, 100); return NULL;
	case 11: put_memory(f, 94.9, 0); return NULL;
	case 12: put_breaker(f, "a", 2); return "stands cell main: its sink has stopped asking the database (network)";
	case 13: put_breaker(f, "a", 2); put_breaker(f, "b", 1); return "stands cell main: 2 of 2 sinks have stopped asking the database (network)";
	case 14: put_breaker(f, "a", 1); put_breaker(f, "b", 0); return "delayed cell main: 1 of 2 sinks have stopped asking the database (network)";
	case 15: put_figure(f, "millrace-processor", "partitions_refused", 2, false); *also = "stands millrace-processor/a refuses 2 partitions until you confirm: millrace-ctl offsets show main"; return "stands cell main has no processor that is ready";
	case 16: put_figure(f, "millrace-sink", "waiting_partitions", 1, true); return "stands millrace-sink/a: 1 partition waits for you";
	case 17: put_pause(f, "main", STATUS_OBEY_MS + 1000, HOURS); return "degraded control sink/pause/cell=main is not obeyed by sink/a";
	case 18: put_pause(f, "main", STATUS_OBEY_MS - 1000, HOURS); return NULL; /* it may still answer */
	case 19: put_pause(f, "main", 1000, 500); be_group(f, "g", "sink"); be_late(f, 61000, -1); return "delayed g is 1 m 1 s behind"; /* expired */
	case 20: put_pause(f, "main", 1000, HOURS); be_group(f, "g", "sink"); be_late(f, 61000, -1); return "hint g is 1 m 1 s behind, 1 records (more than 1 m 0 s): ann has paused it: new disks";
	case 21: put_pause(f, "main", 1000, HOURS); be_late(f, 61000, -1); return "delayed millrace-processor-main is 1 m 1 s"; /* it is the sink that is paused */
	case 22: be_group(f, "g", "notify"); be_late(f, 99 * HOURS, 100 * HOURS); return NULL; /* there is no notifier, and nobody to be told */
	case 23: put_beat(f, "millrace-notify", "a", "main", 1000, true); be_group(f, "g", "notify"); be_late(f, 61000, -1); return "delayed g is 1 m 1 s";
	case 24: put_letters(f, 1, false); return "degraded 1 dead letter of the last hour is open (most: minutely, many)";
	case 25: put_letters(f, 3, true); return "degraded at least 3 dead letters of the last hour are open (most: minutely, many)";
	case 26: put_letters(f, 0, false); return NULL; /* dealt with */
	case 27: snprintf(f->status.letters.fault, 10, "not there"); return "degraded dead letters cannot be asked for: not there";
	case 28: put_build(f, "millrace-sink", "b", "2"); return "hint millrace-sink runs as 1 (1) and 2 (1)";
	case 29: put_build(f, "millrace-notify", "b", "2"); return NULL; /* between programs: a step of an upgrade */
	case 30: put_newer(f, STORE_SITES); return "degraded 1 of the sites cannot be read by this millrace-ctl, nor by programs of its build (x: ";
	case 31: put_newer(f, STORE_CONTROLS); return "degraded 1 of the controls cannot be read";
	case 32: put_newer(f, STORE_TRIGGERS); return "degraded 1 of the triggers cannot be read";
	case 33: put_figure(f, "millrace-status", "updates_due", 2, true); return "hint 2 incidents on the status page: customers have waited too long";
	case 34: put_figure(f, "millrace-status", "drafts", 1, true); return "hint 1 incident drafted for the status page, and public soon";
	case 35: put_figure(f, "millrace-status", "drafts", 0, true); return NULL;
	default: return "";
	}
}

/* Exactly these are said. */
static void expect(const struct fixture *f, const char *const *wants, int number)
{
	size_t nr = 0;

	for (; nr < 2 && wants[nr]; nr++) {
		char got[600] = "";

		if (nr < f->status.nr_problems)
			snprintf(got, sizeof(got), "%s %s", status_severity_name(f->status.problems[nr].severity), f->status.problems[nr].text);
		ck_assert_msg(strncmp(got, wants[nr], strlen(wants[nr])) == 0, "%d: \"%s\", not \"%s\"", number, got, wants[nr]);
	}
	ck_assert_msg(f->status.nr_problems == nr, "%d: %zu problems, not %zu; last %s", number, f->status.nr_problems, nr,
		      f->status.nr_problems ? f->status.problems[f->status.nr_problems - 1].text : "");
}

START_TEST(problems)
{
	const char *wants[2];
	struct fixture f;

	fixture_init(&f);
	wants[0] = spoil(&f, _i, &wants[1]);
	judge(&f);
	expect(&f, wants, _i);
	fixture_fini(&f);
}
END_TEST

START_TEST(more_problems)
{
	const char *wants[2];
	struct fixture f;

	fixture_init(&f);
	wants[0] = spoil_more(&f, _i, &wants[1]);
	judge(&f);
	expect(&f, wants, _i);
	ck_assert_uint_eq(f.status.nr_hints, wants[0] && strncmp(wants[0], "hint", 4) == 0);
	fixture_fini(&f);
}
END_TEST

/* All of it at once: what most depends on stands first, and what is found first among equals. */
START_TEST(problems_stand_by_what_depends_on_them)
{
	enum status_severity last = STATUS_LOSS;
	struct fixture f;

	fixture_init(&f);
	put_build(&f, "millrace-sink", "b", "2");
	put_letters(&f, 1, false);
	put_breaker(&f, "a", 2);
	drop_beat(&f, "millrace-ingest/a");
	f.topic.under_replicated = 1;
	f.partition.begin = 7;
	be_late(&f, 70 * HOURS, 72 * HOURS);
	f.partition.end = 20;
	judge(&f);
	ck_assert_uint_eq(f.status.nr_problems, 8);
	ck_assert_uint_eq(f.status.nr_hints, 1);
	for (size_t i = 0; i < f.status.nr_problems; i++) {
		ck_assert_int_ge(f.status.problems[i].severity, last);
		last = f.status.problems[i].severity;
	}
	ck_assert_str_eq(f.status.problems[0].runbook, "MillraceRecordsCutOff");
	ck_assert_str_eq(f.status.problems[1].runbook, "MillraceHoursToLossCritical");
	ck_assert_int_eq(last, STATUS_HINT);
	fixture_fini(&f);
}
END_TEST

START_TEST(figures_are_anybodys)
{
	struct status_beat b;
	struct str reason;
	struct fixture f;
	double value;

	fixture_init(&f);
	put(&f, &(struct beat){"millrace-sink", "a", "main", .figures = {{STR("breaker_state"), 77}, {STR("breaker."), 1}, {STR("memory_bytes"), -1},
									  {STR("memory_budget_bytes"), 5}}, .nr_figures = 4});
	judge(&f);
	b = f.status.beats[f.status.nr_beats - 1];
	ck_assert(str_eq(b.item->key, STR("millrace-sink/a")));
	ck_assert_int_eq(status_breaker(&b, &reason), 2);
	ck_assert_uint_eq(reason.len, 0);
	ck_assert_int_eq(status_memory_percent(&b), -1);
	ck_assert(!status_figure(&b, "breaker", &value) && status_figure(&b, "breaker_state", &value) && value == 77);
	put_memory(&f, 1e300, 1);
	judge(&f);
	ck_assert_int_eq(status_memory_percent(&f.status.beats[f.status.nr_beats - 1]), 9999);
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

/* The screen of a stack in which much is wrong. */
static char *screen(struct fixture *f, int width, const char *title)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	status_print(&f->status, false, width, out);
	fclose(out);
	ck_assert_msg(strncmp(text, title, strlen(title)) == 0, "%s", text);
	return text;
}

static void spoil_screen(struct fixture *f)
{
	fixture_init(f);
	f->partition.end = 123456;
	f->age_ms = 70000;
	f->retention_ms = 72 * INT64_C(3600000);
	put_beat(f, "evil\033[2J", "x\ny", "main", 1000, false);
	put(f, &(struct beat){"millrace-sink", "a", "main", .age_ms = 1000, .build = "2",
			      .figures = {{STR("breaker_state"), 1}, {STR("breaker.space"), 1}, {STR("memory_bytes"), 512 << 20},
					  {STR("memory_budget_bytes"), INT64_C(5) << 30}}, .nr_figures = 4});
	put(f, &(struct beat){"millrace-notify", "n", "main", .age_ms = 1000,
			      .figures = {{STR("active"), 1}, {STR("incidents_open"), 7}, {STR("queue"), 8}, {STR("lag_records"), 9}}, .nr_figures = 4});
	put_pause(f, "main", 1000, HOURS);
	put_letters(f, 3, false);
	judge(f);
}

/* No field of a record, and no figure, breaks the screen; it holds what counts, and what is wrong first. */
START_TEST(a_screen)
{
	static const char *const lines[] = {
		"  stands    cell main: its sink has stopped asking the database (space): records wait in Kafka\n"
		"            deploy/runbooks/MillraceBreakerOpen.md\n",
		"  evil?[2J   x?y       main  not ready", "10 % of 5.0G", "  millrace-processor-main    123 k  1 m 10 s    2 d 23 h\n",
		"    samples                  123 k  1 m 10 s    2 d 23 h  123k\n", "Breakers: 0 of 1 closed\n  sink a  main  half-open  space\n",
		"  sink/pause/cell=main  59 m 5", "  0 of 1  ann     new disks\n", "Dead letters: 9 held, 4 of the last day, 3 of the last hour, 3 of these open\n",
		"  minutely  many  2  2 open\n", "  main  n                 7        8       9\n"};
	struct fixture f;
	char *text, *at;

	spoil_screen(&f);
	text = screen(&f, 0, "Millrace at b:1: 3 brokers, 0 cells, 0 sites: 4 problems\n  stands");
	at = text;
	for (size_t i = 0; i < NR(lines); i++)
		ck_assert_msg(strstr(text, lines[i]) != NULL, "%s is not in\n%s", lines[i], text);
	ck_assert_ptr_null(strchr(text, '\033'));
	for (size_t i = 0; i < f.status.nr_problems; i++) { /* in their order, and above all else */
		at = strstr(at, f.status.problems[i].text);
		ck_assert_ptr_nonnull(at);
	}
	ck_assert(at < strstr(text, "Programs"));
	free(text);
	fixture_fini(&f);
}
END_TEST

/* On a narrow one sentences end between words. */
START_TEST(a_narrow_screen)
{
	struct fixture f;
	char *text;

	spoil_screen(&f);
	text = screen(&f, 80, "Millrace at b:1");
	ck_assert_ptr_nonnull(strstr(text, "\n  stands    cell main: its sink has stopped asking the database (space): records\n"
					   "            wait in Kafka\n            deploy/runbooks/MillraceBreakerOpen.md\n"));
	for (const char *line = text; *line; line += strcspn(line, "\n") + 1)
		ck_assert_msg(strcspn(line, "\n") <= 80, "%s", line);
	free(text);
	fixture_fini(&f);
}
END_TEST

/* What is well takes a line. */
START_TEST(a_quiet_screen)
{
	struct fixture f;
	char *text;

	fixture_init(&f);
	judge(&f);
	text = screen(&f, 0, "Millrace at b:1: 3 brokers, 0 cells, 0 sites: all well\n\nPrograms, all of build 1\n");
	ck_assert_ptr_nonnull(strstr(text, "Breakers: 1 of 1 closed\n"));
	ck_assert_ptr_nonnull(strstr(text, "Controls: none in force\n"));
	ck_assert_ptr_nonnull(strstr(text, "Dead letters: none\n"));
	ck_assert_ptr_null(strstr(text, "  samples"));
	free(text);
	fixture_fini(&f);
}
END_TEST

START_TEST(all_of_it_as_json)
{
	static const char *const members[] = {
		"\"well\": false", "\"severity\": \"stands\"", "\"runbook\": \"MillraceBreakerOpen\"", "\"state\": \"not ready\"", "\"lag\": 123451",
		"\"lag_seconds\": 70", "\"deleted_in_seconds\": 259130", "\"retention_seconds\": 259200", "\"lost\": 0", "\"breaker\": \"half-open\"",
		"\"breaker_reason\": \"space\"", "\"memory_percent\": 10", "\"incidents_open\": 7", "\"not_obeyed_by\"", "\"held\": 9",
		"\"code\": \"many\"", "\"partitions_under_replicated\": 0", "\"instances\": 1"};
	struct fixture f;
	struct json_writer w;
	struct buf json = BUF_INIT;

	spoil_screen(&f);
	json_write_begin(&w);
	status_write_json(&f.status, &w);
	ck_assert_int_eq(json_write_end(&w, &json, NULL), 0);
	buf_add(&json, "", 1);
	for (size_t i = 0; i < NR(members); i++)
		ck_assert_msg(strstr((char *)json.p, members[i]) != NULL, "%s is not in\n%s", members[i], (char *)json.p);
	buf_fini(&json);
	fixture_fini(&f);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ctl/status");
	TCase *t = tcase_create("status");

	tcase_add_loop_test(t, problems, 0, 21);
	tcase_add_loop_test(t, more_problems, 0, 36);
	tcase_add_test(t, problems_stand_by_what_depends_on_them);
	tcase_add_test(t, figures_are_anybodys);
	tcase_add_test(t, ages_on_a_test_clock);
	tcase_add_test(t, a_screen);
	tcase_add_test(t, a_narrow_screen);
	tcase_add_test(t, a_quiet_screen);
	tcase_add_test(t, all_of_it_as_json);
	suite_add_tcase(s, t);
	return unit_main(s);
}
