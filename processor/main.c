/* main.c - millrace-processor: samples become windows, and some events exemplars, exactly once.
 *
 * One thread, one loop, no locks. Signals, a timer and Kafka's wake-ups are descriptors in one poll(); a turn takes records, and then whatever is
 * due. Until the cell's record is known there is nothing to serve: the program waits for it and is not ready (serving.h).
 *
 * Tables say where the cell is and what operators want of it: controls, sites, triggers.
 *
 * SIGTERM: a last checkpoint of every partition, then the group is left, exit 0. A loop or a stop that hangs ends too (watchdog.h). */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/admin.h"
#include "common/build.h"
#include "common/cell_row.h"
#include "common/control_desk.h"
#include "common/controls.h"
#include "common/events.h"
#include "common/metrics.h"
#include "common/program.h"
#include "common/report.h"
#include "common/retention.h"
#include "common/table.h"
#include "common/watchdog.h"
#include "processor/conf.h"
#include "processor/consumer.h"
#include "processor/judging.h"
#include "processor/scout.h"
#include "processor/serving.h"
#include "processor/txn.h"

enum {
	TICK_MS = 50,        /* due times are looked at this often when nothing comes */
	SECOND_TICKS = 20,
	ROWS_A_TURN = 1000,
	REACH_MS = 500,      /* what an attempt to open the tables may hold up a stop */
	CLOSE_MS = 1000,
	TURN_LIMIT_MS = 120000, /* of a turn that is not hung: one that makes a transaction while brokers are away takes 20 s */
	STOP_LIMIT_MS = 36000,  /* likewise of a stop, and short of the 40 s that it is given (docker-compose.yml) */
};

struct app {
	struct program program;
	struct processor_conf conf;
	struct metrics *metrics;
	struct admin *admin;
	struct report *report;
	struct tables *tables;
	struct retention *retention;   /* not open: Kafka or its topics have not been there yet */
	struct cell_row cell;
	struct site_limits limits;
	struct placements placements;
	struct closures *closures;
	struct rulebook *rulebook;
	struct judging_tables judging;
	struct controls *controls;
	struct serving serving;
	struct events events;
	struct watchdog watchdog;
	bool stop, more;         /* more: records may be waiting, do not wait for a wake-up */
	uint64_t ticks;
};

/* Logs what keeps us waiting. */
static void complain(const struct app *app, const char *event, const char *text)
{
	log_repeat(&app->program.log, event, LOG_STR("error", text));
}

/* The admin port first, so that a start that hangs can be seen. */
static int open_admin(struct app *app, struct err *err)
{
	app->metrics = metrics_new(app->program.name);
	metrics_follow_log(app->metrics, &app->program.log);
	if (!app->metrics)
		return err_nomem(err, "metrics");
	app->controls = controls_new(&app->program.clock, CONTROL_PROGRAM_PROCESSOR, err);
	if (!app->controls)
		return -1;
	controls_wake_on(app->controls, app->events.wake_fd);
	app->admin = admin_new(app->program.common.admin_listen, app->metrics, err);
	return app->admin ? admin_serve_controls(app->admin, app->program.common.admin_token_file, control_desk_answer, app->controls, err) : -1;
}

/* A row of millrace.sites: what a site may have, and where its series belong. */
static int take_site(void *ctx, const struct table_row *row, struct err *err)
{
	struct app *app = ctx;

	if (site_limits_take(&app->limits, row, err) < 0)
		return -1;
	return placements_take(&app->placements, row, err);
}

/* A row of millrace.controls: what we obey, and when ingest was closed. */
static int take_control(void *ctx, const struct table_row *row, struct err *err)
{
	struct app *app = ctx;

	if (controls_take(app->controls, row, err) < 0)
		return -1;
	return closures_take_control(app->closures, row, err);
}

/* What minutes are judged by. */
static int open_judging(struct app *app, struct err *err)
{
	app->placements.cell = app->program.common.cell;
	app->closures = closures_new(app->program.common.cell);
	app->rulebook = rulebook_new(&app->placements);
	if (!app->closures || !app->rulebook)
		return err_nomem(err, "what triggers need");
	app->judging = (struct judging_tables){app->rulebook, &app->placements, app->closures, app->controls};
	return 0;
}

static struct tables *make_tables(struct app *app, struct err *err)
{
	const struct table_spec specs[] = {
		{"millrace.cells", cell_row_take, &app->cell},
		{"millrace.controls", take_control, app},
		{"millrace.sites", take_site, app},
		{"millrace.triggers", rulebook_take, app->rulebook},
		{"millrace.heartbeats", closures_take_heartbeat, app->closures},
	};

	return tables_new(&app->program, specs, sizeof(specs) / sizeof(specs[0]), err);
}

static int app_open(struct app *app, struct err *err)
{
	static const char *const inputs[] = {"samples", "events"};

	if (events_open(&app->events, TICK_MS, err) < 0 || open_admin(app, err) < 0 || open_judging(app, err) < 0)
		return -1;
	app->cell.name = app->limits.cell = app->program.common.cell;
	app->report = report_new(&app->program, app->admin, app->cell.name, err);
	app->tables = app->report ? make_tables(app, err) : NULL;
	if (!app->tables)
		return -1;
	app->retention = retention_new(&app->program, tables_client(app->tables), app->metrics, "millrace_processor_retention_seconds", false,
				       inputs, sizeof(inputs) / sizeof(inputs[0]), err);
	if (!app->retention)
		return -1;
	tables_wake_on(app->tables, app->events.wake_fd);
	app->serving = (struct serving){
		.parts = {&app->program, &app->conf, app->metrics, app->report, app->controls, &app->limits, &app->judging,
			  app->events.wake_fd}, .cell = &app->cell};
	log_info(&app->program.log, "started", LOG_STR("build", build_version()), LOG_STR("cell", app->cell.name),
		 LOG_STR("admin", admin_address(app->admin)));
	return 0;
}

/* Starts reading the tables once Kafka and their topics are there. */
static int open_tables(struct app *app, struct err *err)
{
	struct err why = ERR_INIT;

	if (tables_open(app->tables, REACH_MS, &why) == 0)
		return 0;
	if (why.kind == ERR_RETRY) { /* only waiting helps */
		complain(app, "tables_unavailable", why.msg);
		return 0;
	}
	*err = why;
	return -1;
}

/* Takes rows that have arrived. */
static int follow_tables(struct app *app, struct err *err)
{
	struct err why = ERR_INIT;

	if (tables_poll(app->tables, 0, ROWS_A_TURN, &why) >= 0) {
		if (tables_loaded(app->tables))
			control_desk_follow(app->controls, app->report, &app->program.log);
		return 0;
	}
	if (why.kind == ERR_FATAL) {
		*err = why;
		return -1;
	}
	complain(app, "table_row_refused", why.msg);
	return 0;
}

/* Once a second, real time. */
static int every_second(struct app *app, struct err *err)
{
	const char *why_not = tables_opened(app->tables) ? "the tables are not loaded" : "Kafka or its topics are not there";
	struct partitions_figures now = {0};

	if (open_tables(app, err) < 0)
		return -1;
	retention_turn(app->retention, clock_mono_ms());
	if (tables_loaded(app->tables)) {
		if (serving_open(&app->serving, err) < 0)
			return -1;
		why_not = serving_why_not_ready(&app->serving);
	}
	if (app->serving.service)
		service_figures(app->serving.service, &now);
	admin_set_ready(app->admin, why_not == NULL, why_not);
	admin_beat(app->admin);
	log_tick(&app->program.log);
	report_poll(app->report, (const struct figure[]){{STR("partitions"), now.running},
							 {STR("partitions_assigned"), now.assigned},
							 {STR("partitions_refused"), now.refused},
							 {STR("lag_records"), now.lag_records},
							 {STR("lag_seconds"), now.lag_seconds}}, 5);
	return 0;
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

	poll(fds, sizeof(fds) / sizeof(fds[0]), app->more ? 0 : -1);
	events_read(app->events.wake_fd);
	app->ticks += events_read(app->events.timer_fd);
}

static int run(struct app *app, struct err *err)
{
	uint64_t seconds = UINT64_MAX;
	int more;

	while (!app->stop) {
		watchdog_feed(&app->watchdog, TURN_LIMIT_MS, "a turn of the loop");
		wait_for_events(app);
		take_signals(app);
		if (app->stop)
			break; /* nothing new is begun */
		if (follow_tables(app, err) < 0)
			return -1;
		more = serving_turn(&app->serving, err);
		if (more < 0)
			return -1;
		app->more = more > 0;
		if (app->ticks / SECOND_TICKS == seconds)
			continue;
		seconds = app->ticks / SECOND_TICKS;
		if (every_second(app, err) < 0)
			return -1;
	}
	return 0;
}

static void app_close(struct app *app, int rc)
{
	bool closed;

	watchdog_feed(&app->watchdog, STOP_LIMIT_MS, "stopping: the last checkpoint, leaving the group");
	if (app->admin)
		admin_set_ready(app->admin, false, "stopping");
	closed = serving_fini(&app->serving, rc == 0);
	retention_free(app->retention);
	tables_free(app->tables);
	report_free(app->report, CLOSE_MS);
	if (!closed) { /* a client's threads go on using what follows */
		log_flush(&app->program.log);
		_exit(rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
	}
	admin_free(app->admin);
	controls_free(app->controls);
	metrics_free(app->metrics);
	cell_row_fini(&app->cell);
	site_limits_fini(&app->limits);
	rulebook_free(app->rulebook);
	closures_free(app->closures);
	placements_fini(&app->placements);
	events_close(&app->events);
	watchdog_stop(&app->watchdog);
}

static const char *const faults[] = {TXN_FAULT_STALL, SERVICE_FAULT_ZOMBIE, NULL};

static int check(const struct program *p, const void *target, struct err *err)
{
	(void)target;
	if (admin_check_token_file(p->common.admin_token_file, err) < 0)
		return -1;
	return tables_check(p, err) < 0 || report_check(p, err) < 0 || consumer_check(p, err) < 0 || scout_check(p, err) < 0 ||
	       txn_check(p, err) < 0 ? -1 : 0;
}

int main(int argc, char **argv)
{
	struct app app = {.events = EVENTS_INIT, .placements = PLACEMENTS_INIT};
	const struct program_spec spec = {
		.name = "millrace-processor",
		.summary = "turns the samples of one cell into minutely and hourly aggregates, and keeps exemplars of its events, exactly once",
		.admin_default = "127.0.0.1:9102",
		.section = {processor_conf_fields, &app.conf},
		.faults = faults,
		.check = check,
	};
	struct err err = ERR_INIT;
	int rc = program_init(&app.program, &spec, argc, argv, &err);

	if (rc > 0)
		return EXIT_SUCCESS;
	if (rc == 0)
		rc = watchdog_start(&app.watchdog, &app.program.log, &err) < 0 || app_open(&app, &err) < 0 || run(&app, &err) < 0 ? -1 : 0;
	if (rc < 0)
		log_error(&app.program.log, "failed", LOG_STR("error", err.msg));
	app_close(&app, rc);
	program_fini(&app.program);
	return rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
