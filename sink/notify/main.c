/* main.c - millrace-notify: alerts of one cell become incidents, and incidents notifications.
 *
 * One thread, one loop, no locks. Signals, a timer, Kafka's wake-ups and libcurl's sockets are descriptors in one poll(); a turn takes rows of tables, serves the
 * term (the group, alert events, the transaction), and moves deliveries on. Several instances may run for a cell: one of them notifies, the
 * others stand by.
 *
 * SIGTERM: nothing new is begun, deliveries under way get some seconds, their outcomes are written, the group is left, exit 0. */
#include <curl/curl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/admin.h"
#include "common/build.h"
#include "common/control_desk.h"
#include "common/events.h"
#include "common/retention.h"
#include "common/table.h"
#include "common/watchdog.h"
#include "sink/notify/intake.h"
#include "sink/notify/journal.h"
#include "sink/notify/loading.h"
#include "sink/notify/owner.h"
#include "sink/notify/term.h"

enum {
	TICK_MS = 50,
	ROWS_A_TURN = 1000,
	RETRY_MS = 2000,
	REACH_MS = 500, /* what an attempt to open the tables may hold up a stop */
	DELIVER_MS = 5000,
	CLOSE_MS = 5000,
	STOP_MS = 1000,
	TURN_LIMIT_MS = 120000, /* of a turn that is not hung */
	STOP_LIMIT_MS = 36000,  /* likewise of a stop: deliveries, a transaction, the group */
};

struct app {
	struct program program;
	struct notify_conf conf;
	struct metrics *metrics;
	struct meters meters;
	struct admin *admin;
	struct report *report;
	struct controls *controls;
	struct drops drops;
	struct cell_row cell;
	struct dispatch *dispatch; /* desk and delivery */
	struct tables *tables;
	struct retention *retention;     /* not open: Kafka or its topics have not been there yet */
	struct term *term;         /* NULL: the cell is not known yet */
	int64_t epoch;             /* of the topics that the term reads */
	struct events events;
	struct watchdog watchdog;
	bool stop, more;           /* more: do not wait for a wake-up */
	int64_t next_tables_mono_ms, next_term_mono_ms;
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
	app->controls = controls_new(&app->program.clock, CONTROL_PROGRAM_NOTIFY, err);
	if (!app->controls)
		return -1;
	controls_wake_on(app->controls, app->events.wake_fd);
	app->admin = admin_new(app->program.common.admin_listen, app->metrics, err);
	return app->admin ? admin_serve_controls(app->admin, app->program.common.admin_token_file, control_desk_answer, app->controls, err) : -1;
}

static struct tables *make_tables(struct app *app, struct err *err)
{
	const struct table_spec specs[] = {
		{"millrace.cells", cell_row_take, &app->cell},
		{"millrace.controls", controls_take, app->controls},
		{"millrace.receivers", dispatch_take_receiver, app->dispatch},
		{"millrace.silences", desk_take_silence, dispatch_desk(app->dispatch)},
		{"millrace.acks", desk_take_ack, dispatch_desk(app->dispatch)},
	};

	return tables_new(&app->program, specs, sizeof(specs) / sizeof(specs[0]), err);
}

static int app_open(struct app *app, struct err *err)
{
	struct dispatch_spec dispatch = {&app->program, &app->conf, NULL, NULL, &app->drops, &app->meters};

	if (events_open(&app->events, TICK_MS, err) < 0 || open_admin(app, err) < 0)
		return -1;
	app->cell.name = app->program.common.cell;
	app->report = report_new(&app->program, app->admin, app->cell.name, err);
	if (!app->report)
		return -1;
	dispatch.controls = app->controls;
	dispatch.report = app->report;
	app->dispatch = dispatch_new(&dispatch, err);
	app->tables = app->dispatch ? make_tables(app, err) : NULL;
	if (!app->tables)
		return -1;
	app->retention = retention_new(&app->program, tables_client(app->tables), app->metrics, "millrace_notify_retention_seconds", true,
				       (const char *const[]){"alerts"}, 1, err);
	if (!app->retention)
		return -1;
	tables_wake_on(app->tables, app->events.wake_fd);
	log_info(&app->program.log, "started", LOG_STR("build", build_version()), LOG_STR("cell", app->cell.name),
		 LOG_STR("admin", admin_address(app->admin)));
	return 0;
}

/* Starts reading the tables once Kafka and the topics are there. Fails only for what waiting does not mend. */
static int open_tables(struct app *app, struct err *err)
{
	struct err why = ERR_INIT;

	if (tables_opened(app->tables) || clock_mono_ms() < app->next_tables_mono_ms)
		return 0;
	if (tables_open(app->tables, REACH_MS, &why) == 0)
		return 0;
	app->next_tables_mono_ms = clock_mono_ms() + RETRY_MS;
	if (why.kind == ERR_RETRY) {
		complain(app, "tables_unavailable", &why);
		return 0;
	}
	*err = why;
	return -1;
}

static int follow_tables(struct app *app, struct err *err)
{
	struct err row = ERR_INIT;

	if (open_tables(app, err) < 0)
		return -1;
	if (tables_poll(app->tables, 0, ROWS_A_TURN, &row) < 0) {
		if (row.kind == ERR_FATAL) {
			*err = row;
			return -1;
		}
		complain(app, "table_row_refused", &row);
	}
	if (tables_loaded(app->tables))
		control_desk_follow(app->controls, app->report, &app->program.log);
	/* Before an event is taken that one of them drops: somebody is to be charged with it. */
	if (drops_follow(&app->drops, app->controls, app->cell.name, &row) < 0)
		complain(app, "controls_not_read", &row);
	return 0;
}

/* Joins the group once the tables are read and the cell has topics: what is decided without receivers or silences would be wrong. */
static int follow_cell(struct app *app, struct err *err)
{
	const struct term_spec spec = {&app->program, &app->cell, app->report, app->dispatch, &app->drops, &app->meters, app->events.wake_fd};
	struct err why = ERR_INIT;

	if (app->term && app->cell.known && app->cell.epoch != app->epoch)
		return err_set(err, ERR_FATAL, "the topics of cell %s were made again: incidents of the old ones mean nothing now", app->cell.name);
	if (app->term || !tables_loaded(app->tables) || cell_row_why_not(&app->cell) || clock_mono_ms() < app->next_term_mono_ms)
		return 0;
	app->epoch = app->cell.epoch;
	app->term = term_new(&spec, &why);
	if (app->term)
		return 0;
	if (why.kind != ERR_RETRY) {
		*err = why;
		return -1;
	}
	complain(app, "not_joined", &why);
	app->next_term_mono_ms = clock_mono_ms() + RETRY_MS;
	return 0;
}

/* Why not ready; NULL: ready. */
static const char *not_ready(const struct app *app)
{
	if (!tables_opened(app->tables))
		return "Kafka or its topics are not there";
	if (!tables_loaded(app->tables))
		return "the tables are not loaded";
	if (!app->term)
		return cell_row_why_not(&app->cell) ? cell_row_why_not(&app->cell) : "the cell's topics are not as they must be: see the log";
	return term_why_not_ready(app->term);
}

/* What is said beside "ready". A pause is an operator's wish, and no reason to take the notifier away. */
static const char *ready_word(const struct app *app)
{
	if (!term_is_active(app->term))
		return "ready, standing by";
	if (controls_in_force(app->controls, CONTROL_ACTION_PAUSE, str_from(app->cell.name), STR(""), NULL))
		return "ready, and paused by a control: nobody is told of anything";
	return NULL;
}

static void follow_controls(struct app *app)
{
	dispatch_follow_controls(app->dispatch);
	drops_tell(&app->drops, app->report, &app->program.log, app->cell.name, app->term && !term_is_level(app->term), clock_mono_ms());
}

static void report_limited(struct app *app)
{
	char site[CONTROL_SITE_MAX + 1];
	uint64_t times;

	while (desk_next_limited(dispatch_desk(app->dispatch), clock_now_ms(&app->program.clock), site, &times))
		log_warn(&app->program.log, "site_over_its_rate", LOG_STR("site", site), LOG_UINT("times", times));
}

static void tick(struct app *app)
{
	const char *reason = not_ready(app);
	bool active = app->term && term_is_active(app->term);
	double lag = app->term ? (double)term_lag(app->term) : 0;

	follow_controls(app);
	report_limited(app);
	meters_follow(&app->meters, dispatch_desk(app->dispatch), dispatch_delivery(app->dispatch), clock_mono_ms());
	metric_set(app->meters.lag, lag);
	metric_set(app->meters.lag_seconds, app->term ? term_lag_seconds(app->term) : 0);
	retention_turn(app->retention, clock_mono_ms());
	metric_set(app->meters.held, app->term ? term_held(app->term) : 0);
	admin_beat(app->admin);
	log_tick(&app->program.log);
	admin_set_ready(app->admin, reason == NULL, reason ? reason : ready_word(app));
	report_poll(app->report,
		    (const struct figure[]){{STR("active"), active},
					    {STR("incidents_open"), metric_value(app->meters.incidents)},
					    {STR("lag_records"), lag},
					    {STR("queue"), metric_value(app->meters.queue)}}, 4);
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
	const struct delivery *delivery = dispatch_delivery(app->dispatch);
	struct pollfd fds[] = {
		{.fd = app->events.signal_fd, .events = POLLIN},
		{.fd = app->events.timer_fd, .events = POLLIN},
		{.fd = app->events.wake_fd, .events = POLLIN},
		{.fd = delivery_fd(delivery), .events = POLLIN},
	};

	poll(fds, sizeof(fds) / sizeof(fds[0]), app->more ? 0 : delivery_timeout_ms(delivery, clock_mono_ms()));
	events_read(app->events.wake_fd);
}

static int run(struct app *app, struct err *err)
{
	int more = 0;

	while (!app->stop) {
		watchdog_feed(&app->watchdog, TURN_LIMIT_MS, "a turn of the loop");
		wait_for_events(app);
		take_signals(app);
		if (app->stop)
			break; /* nothing new is begun */
		if (follow_tables(app, err) < 0 || follow_cell(app, err) < 0)
			return -1;
		if (app->term && (more = term_turn(app->term, err)) < 0)
			return -1;
		if (dispatch_turn(app->dispatch, err) < 0)
			return -1;
		app->more = more > 0;
		if (events_read(app->events.timer_fd))
			tick(app);
	}
	return 0;
}

/* What is under way may still be delivered, and is written down then; the rest is another instance's, or ours when we are there again. */
static void drain(struct app *app)
{
	watchdog_feed(&app->watchdog, STOP_LIMIT_MS, "stopping: deliveries, the last transaction, leaving the group");
	admin_set_ready(app->admin, false, "stopping");
	if (!app->term || !term_is_active(app->term))
		return;
	dispatch_stop(app->dispatch, DELIVER_MS);
	term_write(app->term);
}

static void app_close(struct app *app, int exit_code)
{
	bool closed = term_free(app->term, CLOSE_MS);

	retention_free(app->retention);
	tables_free(app->tables);
	report_free(app->report, STOP_MS);
	if (!closed) { /* a client's threads go on using what follows */
		log_flush(&app->program.log);
		_exit(exit_code);
	}
	dispatch_free(app->dispatch);
	admin_free(app->admin);
	controls_free(app->controls);
	metrics_free(app->metrics);
	cell_row_fini(&app->cell);
	events_close(&app->events);
	watchdog_stop(&app->watchdog);
}

static int check(const struct program *p, const void *target, struct err *err)
{
	return dispatch_check(target, err) < 0 || admin_check_token_file(p->common.admin_token_file, err) < 0 || tables_check(p, err) < 0 ||
	       report_check(p, err) < 0 || owner_check(p, err) < 0 || journal_check(p, err) < 0 || loading_check(p, err) < 0 ||
	       intake_check(p, err) < 0 ? -1 : 0;
}

int main(int argc, char **argv)
{
	struct app app = {.events = EVENTS_INIT};
	const struct program_spec spec = {
		.name = "millrace-notify",
		.summary = "makes incidents of one cell's alerts, and tells receivers of them",
		.admin_default = "127.0.0.1:9104",
		.section = {notify_conf_fields, &app.conf},
		.check = check,
	};
	struct err err = ERR_INIT;
	int rc = curl_global_init(CURL_GLOBAL_DEFAULT) ? err_set(&err, ERR_FATAL, "libcurl cannot be used") : 0;
	bool opened;

	if (rc == 0)
		rc = program_init(&app.program, &spec, argc, argv, &err);
	opened = rc == 0;
	if (opened) {
		rc = watchdog_start(&app.watchdog, &app.program.log, &err) < 0 || app_open(&app, &err) < 0 || run(&app, &err) < 0 ? -1 : 0;
		if (rc == 0)
			drain(&app);
	}
	if (rc < 0)
		log_error(&app.program.log, "failed", LOG_STR("error", err.msg));
	if (opened)
		app_close(&app, rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
	program_fini(&app.program);
	return rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
