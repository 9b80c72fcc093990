/* main.c - millrace-status: how Millrace is, for everybody who wants to know, and the incidents that it writes by itself.
 *
 * One loop: rows of tables and surveys come in, are judged, and become a page, which the server's thread gives to who asks. Nothing here waits for Kafka: the
 * lag of the groups is asked by a thread of its own (survey), entries are written by a producer that never blocks (journal), and while Kafka is gone the
 * page stays as it was and says so. What is kept on disk is what a start without Kafka begins with.
 *
 * Nothing is judged, and nothing drafted, before the tables have been read to their end and all cells been surveyed, nor while Kafka is gone: what is not
 * known is no incident.
 *
 * SIGTERM: what is not in Kafka yet gets some seconds, the state goes to disk, exit 0. */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/admin.h"
#include "common/build.h"
#include "common/events.h"
#include "common/report.h"
#include "common/table.h"
#include "common/watchdog.h"
#include "sink/status/board.h"
#include "sink/status/house.h"
#include "sink/status/lags.h"
#include "sink/status/meters.h"
#include "sink/status/registry.h"
#include "sink/status/scribe.h"
#include "sink/status/timeline.h"

enum {
	TICK_MS = 100,
	ROWS_A_TURN = 5000,
	RETRY_MS = 2000,
	REACH_MS = 500,    /* what an attempt to open the tables may hold up a stop */
	CONTACT_MS = 5000, /* without news of the brokers for so long they are gone */
	PAGE_EVERY_MS = 1000,
	SAVE_EVERY_MS = 10000,
	STOP_MS = 3000,
	TURN_LIMIT_MS = 60000,  /* of a turn that is not hung */
	STOP_LIMIT_MS = 32000,  /* likewise of a stop: journal, survey, clients */
};

struct app {
	struct program program;
	struct status_conf conf;
	struct metrics *metrics;
	struct meters meters;
	struct admin *admin;
	struct report *report;
	struct house *house;
	struct entry_desk *desk;
	struct journal *journal;
	struct timeline *timeline;
	struct tables *tables, *notices; /* not open: Kafka or its topics have not been there yet */
	struct survey *survey;
	struct lags *lags;
	struct judge *judge;
	struct drafts *drafts;
	struct scribe scribe;       /* of the rooms above */
	struct board board;
	struct server *server;
	struct events events;
	struct watchdog watchdog;
	struct buf cells;           /* names of those that the registry and the survey know, each ended by a comma */
	int64_t surveyed_mono_ms;   /* the last survey that was answered */
	int64_t next_tables_mono_ms, next_page_mono_ms, next_save_mono_ms;
	bool stop;
};

/* Logs a failure that the loop outlives. */
static void complain(const struct app *app, const char *event, const struct err *err)
{
	log_repeat(&app->program.log, event, LOG_STR("error", err->msg));
}

/* The admin port first, so that a start that hangs can be seen. */
static int open_admin(struct app *app, struct err *err)
{
	app->metrics = metrics_new(app->program.name);
	metrics_follow_log(app->metrics, &app->program.log);
	if (!app->metrics)
		return err_nomem(err, "metrics");
	meters_init(&app->meters, app->metrics);
	metric_set(app->meters.memory_budget, (double)app->program.common.memory_budget_bytes);
	app->desk = entry_desk_new(app->events.wake_fd, err);
	app->admin = app->desk ? admin_new(app->program.common.admin_listen, app->metrics, err) : NULL;
	return app->admin ? admin_serve_desk(app->admin, ENTRY_DESK_PATH, app->program.common.admin_token_file, entry_desk_answer, app->desk, err) : -1;
}

static struct tables *make_tables(struct app *app, struct err *err)
{
	const struct table_spec specs[] = {
		{"millrace.cells", house_take_cell, app->house},       {"millrace.heartbeats", house_take_beat, app->house},
		{"millrace.controls", house_take_control, app->house}, {"millrace.sites", house_take_site, app->house},
		{"millrace.triggers", house_take_trigger, app->house}, {TOPIC_STATUS, entry_desk_take_row, app->desk},
	};

	return tables_new(&app->program, specs, sizeof(specs) / sizeof(specs[0]), err);
}

/* The operator log is read apart: it is long, of use only when an incident ends, and nothing waits for it. */
static struct tables *make_notices(struct app *app, struct err *err)
{
	const struct table_spec spec = {TOPIC_NOTICES, timeline_take_row, app->timeline};
	struct tables *t = tables_new(&app->program, &spec, 1, err);

	if (t)
		tables_since(t, 0, clock_wall_ms() - clock_real_duration_ms(&app->program.clock, TIMELINE_KEPT_MS));
	return t;
}

static int open_rooms(struct app *app, struct err *err)
{
	app->conf.judge.cell_titles = app->conf.page_cells;
	app->board = (struct board){.conf = &app->conf, .clock = &app->program.clock};
	return (app->report = report_new(&app->program, app->admin, NULL, err)) && (app->house = house_new(&app->program.clock, err)) &&
	       (app->timeline = timeline_new(&app->conf.judge, err)) && (app->lags = lags_new(&app->program.clock, err)) && (app->judge = judge_new(&app->conf.judge, err)) &&
	       (app->drafts = drafts_new(&app->conf.drafts, err)) && (app->journal = journal_new(&app->program, err)) &&
	       (app->tables = make_tables(app, err)) && (app->notices = make_notices(app, err)) &&
	       (app->survey = survey_new(&app->program, app->conf.survey_interval_ms, app->events.wake_fd, err)) ? 0 : -1;
}

/* What is on disk is used where it can be; where not, the page begins empty, and says why in the log. */
static void recall(struct app *app)
{
	struct err err = ERR_INIT;
	int rc = board_recall(&app->board, app->desk, app->journal, &err);

	if (rc > 0)
		rc = judge_recall(app->judge, app->board.components, app->board.nr_components, &err);
	if (rc < 0)
		complain(app, "state_not_used", &err);
}

static int app_open(struct app *app, struct err *err)
{
	if (events_open(&app->events, TICK_MS, err) < 0 || open_admin(app, err) < 0 || open_rooms(app, err) < 0)
		return -1;
	app->scribe = (struct scribe){&app->program, app->report, app->desk, app->journal, app->drafts, app->timeline};
	recall(app);
	tables_wake_on(app->tables, app->events.wake_fd);
	app->server = server_new(app->conf.listen, app->metrics, err);
	if (!app->server)
		return -1;
	log_info(&app->program.log, "started", LOG_STR("build", build_version()), LOG_STR("admin", admin_address(app->admin)),
		 LOG_STR("listen", server_address(app->server)));
	return 0;
}

/* Starts reading once Kafka and the topics are there. Fails only for what waiting does not mend. */
static int open_tables(struct app *app, struct err *err)
{
	struct err why = ERR_INIT;

	if ((tables_opened(app->tables) && tables_opened(app->notices)) || clock_mono_ms() < app->next_tables_mono_ms)
		return 0;
	if (tables_open(app->tables, REACH_MS, &why) == 0 && tables_open(app->notices, REACH_MS, &why) == 0)
		return 0;
	app->next_tables_mono_ms = clock_mono_ms() + RETRY_MS;
	if (why.kind == ERR_RETRY) {
		complain(app, "tables_unavailable", &why);
		return 0;
	}
	*err = why;
	return -1;
}

static int poll_tables(struct app *app, struct tables *tables, struct err *err)
{
	struct err row = ERR_INIT;

	if (tables_poll(tables, 0, ROWS_A_TURN, &row) >= 0)
		return 0;
	if (row.kind == ERR_FATAL) {
		*err = row;
		return -1;
	}
	complain(app, "table_row_refused", &row);
	return 0;
}

/* The survey and the registry follow the cells. */
static void follow_cells(struct app *app, const struct facts *facts)
{
	struct buf now = BUF_INIT;
	struct str *names = calloc(facts->nr_cells + 1, sizeof(*names));
	struct answers *answers = NULL;
	struct err err = ERR_INIT;

	for (size_t i = 0; names && i < facts->nr_cells; i++) {
		names[i] = facts->cells[i].name;
		buf_printf(&now, STR_FMT ",", STR_ARG(names[i]));
	}
	buf_printf(&now, ".");
	if (names && !buf_failed(&now) && !str_eq(buf_str(&now), buf_str(&app->cells))) {
		answers = answers_new(&err);
		if (answers && registry_add(answers, names, facts->nr_cells, &err) == 0 && survey_set_cells(app->survey, names, facts->nr_cells, &err) == 0) {
			server_set_registry(app->server, answers);
			buf_fini(&app->cells);
			app->cells = now;
			now = (struct buf)BUF_INIT;
			answers = NULL;
		}
	}
	if (err.kind)
		complain(app, "cells_not_followed", &err);
	answers_free(answers);
	buf_fini(&now);
	free(names);
}

static void take_survey(struct app *app)
{
	struct survey_view *v = survey_take(app->survey);
	struct err err = ERR_INIT;

	if (!v)
		return;
	metric_add(app->meters.surveys, 1);
	if (v->ok && lags_take(app->lags, v, &err) == 0) {
		app->surveyed_mono_ms = clock_mono_ms();
	} else {
		metric_add(app->meters.survey_failures, 1);
		complain(app, "survey_failed", v->ok ? &err : &v->err);
	}
	survey_view_free(v);
}

/* Why what is shown may not be so; NULL: it is. */
static const char *why_not_known(const struct app *app, const struct facts *facts)
{
	int64_t now = clock_mono_ms();

	if (!tables_opened(app->tables))
		return "Kafka or its topics are not there";
	if (!tables_loaded(app->tables))
		return "the tables are not loaded";
	if (now - tables_contact_mono_ms(app->tables) > CONTACT_MS)
		return "Kafka does not answer";
	if (facts->nr_cells && (!lags_know(app->lags, facts->cells, facts->nr_cells) ||
				now - app->surveyed_mono_ms > 3 * app->conf.survey_interval_ms + CONTACT_MS))
		return "the groups have not been surveyed";
	return NULL;
}

/* From facts to the board, where they are known, and from the board to drafts. */
static const char *judge(struct app *app)
{
	const struct status_component *components;
	struct facts facts;
	struct facts_cell *cells;
	struct status_incidents *incidents;
	struct err err = ERR_INIT;
	const char *unknown;
	size_t nr;

	if (house_facts(app->house, &facts, &cells, &err) < 0) {
		complain(app, "facts_not_read", &err);
		return "out of memory";
	}
	follow_cells(app, &facts);
	for (size_t i = 0; i < facts.nr_cells; i++)
		lags_fill(app->lags, &cells[i]);
	unknown = why_not_known(app, &facts);
	if (tables_loaded(app->tables) && entry_desk_settle(app->desk, &err) < 0) {
		complain(app, "incidents_not_read", &err);
		return "out of memory";
	}
	if (unknown)
		return unknown;
	incidents = entry_desk_lock(app->desk);
	if (judge_turn(app->judge, &facts, incidents, &components, &nr, &err) == 0) {
		board_set(&app->board, components, nr);
		if (app->conf.drafts_enabled && scribe_draft(&app->scribe, incidents, components, nr))
			app->next_save_mono_ms = 0;
	} else {
		complain(app, "not_judged", &err);
	}
	entry_desk_unlock(app->desk);
	return NULL;
}

static void render(struct app *app)
{
	struct status_incidents *incidents;
	struct answers *answers;
	struct err err = ERR_INIT;
	struct page page;

	if (clock_mono_ms() < app->next_page_mono_ms)
		return;
	app->next_page_mono_ms = clock_mono_ms() + PAGE_EVERY_MS;
	incidents = entry_desk_lock(app->desk);
	page = board_page(&app->board, incidents);
	answers = board_render(&page, &err);
	meters_follow(&app->meters, &page, journal_waiting(app->journal), drafts_due(&app->conf.drafts, clock_now_ms(&app->program.clock), incidents));
	entry_desk_unlock(app->desk);
	if (answers)
		server_set_page(app->server, answers);
	else
		complain(app, "page_not_made", &err);
	server_turn(app->server);
}

static void save(struct app *app)
{
	struct err err = ERR_INIT;

	if (clock_mono_ms() < app->next_save_mono_ms || !app->board.as_of_ms)
		return;
	app->next_save_mono_ms = clock_mono_ms() + SAVE_EVERY_MS;
	if (board_save(&app->board, app->desk, app->journal, &err) < 0)
		complain(app, "state_not_kept", &err);
}

static void tick(struct app *app)
{
	struct err err = ERR_INIT;
	const char *reason = judge(app);

	if (journal_turn(app->journal, &err) < 0)
		complain(app, "entry_delayed", &err);
	render(app);
	save(app);
	admin_beat(app->admin);
	log_tick(&app->program.log);
	admin_set_ready(app->admin, reason == NULL, reason);
	report_poll(app->report,
		    (const struct figure[]){{STR("drafts"), metric_value(app->meters.drafts)},
					    {STR("updates_due"), metric_value(app->meters.updates_due)},
					    {STR("unwritten_entries"), (double)journal_waiting(app->journal)}}, 3);
}

static void take_signals(struct app *app)
{
	int number;

	while ((number = events_signal_read(app->events.signal_fd)) != 0)
		if (number == SIGTERM || number == SIGINT) {
			log_info(&app->program.log, "stopping", LOG_STR("signal", strsignal(number)));
			app->stop = true;
		}
}

static void wait_for_events(struct app *app)
{
	struct pollfd fds[] = {
		{.fd = app->events.signal_fd, .events = POLLIN},
		{.fd = app->events.timer_fd, .events = POLLIN},
		{.fd = app->events.wake_fd, .events = POLLIN},
	};

	poll(fds, sizeof(fds) / sizeof(fds[0]), -1);
	events_read(app->events.wake_fd);
}

static int run(struct app *app, struct err *err)
{
	while (!app->stop) {
		watchdog_feed(&app->watchdog, TURN_LIMIT_MS, "a turn of the loop");
		wait_for_events(app);
		take_signals(app);
		if (app->stop)
			break;
		if (open_tables(app, err) < 0 || poll_tables(app, app->tables, err) < 0 || poll_tables(app, app->notices, err) < 0)
			return -1;
		take_survey(app);
		if (scribe_take(&app->scribe))
			app->next_save_mono_ms = app->next_page_mono_ms = 0;
		if (events_read(app->events.timer_fd))
			tick(app);
	}
	return 0;
}

/* The page first, whose visitors see a closed door at once; then what may still reach Kafka, and the disk. */
static void app_close(struct app *app, int exit_code)
{
	struct err err = ERR_INIT;
	bool closed;

	watchdog_feed(&app->watchdog, STOP_LIMIT_MS, "stopping: the journal, the survey, clients of Kafka");
	server_free(app->server);
	if (app->board.as_of_ms && app->journal && board_save(&app->board, app->desk, app->journal, &err) < 0)
		complain(app, "state_not_kept", &err);
	closed = survey_free(app->survey, STOP_MS) & journal_free(app->journal, STOP_MS);
	tables_free(app->notices);
	tables_free(app->tables);
	report_free(app->report, STOP_MS);
	if (!closed) { /* a client's threads go on using what follows */
		log_flush(&app->program.log);
		_exit(exit_code);
	}
	drafts_free(app->drafts);
	judge_free(app->judge);
	lags_free(app->lags);
	timeline_free(app->timeline);
	house_free(app->house);
	admin_free(app->admin);
	entry_desk_free(app->desk);
	metrics_free(app->metrics);
	board_fini(&app->board);
	buf_fini(&app->cells);
	events_close(&app->events);
	watchdog_stop(&app->watchdog);
}

static int check(const struct program *p, const void *target, struct err *err)
{
	const struct status_conf *conf = target;

	if (server_check(conf->listen, err) < 0)
		return conf_reject(p->conf, "status.listen", "is neither IPv4:port nor [IPv6]:port", err);
	return admin_check_token_file(p->common.admin_token_file, err) < 0 || tables_check(p, err) < 0 || report_check(p, err) < 0 || journal_check(p, err) < 0 ||
	       survey_check(p, err) < 0 ? -1 : 0;
}

int main(int argc, char **argv)
{
	struct app app = {.events = EVENTS_INIT};
	const struct program_spec spec = {
		.name = "millrace-status",
		.summary = "serves the status page, and writes its incidents",
		.admin_default = "127.0.0.1:9105",
		.section = {status_conf_fields, &app.conf},
		.check = check,
	};
	struct err err = ERR_INIT;
	int rc = program_init(&app.program, &spec, argc, argv, &err);
	bool opened = rc == 0;

	if (opened)
		rc = watchdog_start(&app.watchdog, &app.program.log, &err) < 0 || app_open(&app, &err) < 0 || run(&app, &err) < 0 ? -1 : 0;
	if (rc < 0)
		log_error(&app.program.log, "failed", LOG_STR("error", err.msg));
	if (opened)
		app_close(&app, rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
	program_fini(&app.program);
	return rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
