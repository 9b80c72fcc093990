/* main.c - millrace-processor: samples become windows, exactly once.
 *
 * One thread, one loop, no locks. Signals, a timer and Kafka's wake-ups are descriptors in one poll(); a turn takes records, and then whatever is
 * due. Until the cell's record is known there is nothing to serve: the program waits for it and is not ready.
 *
 * SIGTERM: a last checkpoint of every partition, then the group is left, exit 0. */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/admin.h"
#include "common/build.h"
#include "common/events.h"
#include "common/metrics.h"
#include "common/program.h"
#include "common/report.h"
#include "common/table.h"
#include "processor/cell_row.h"
#include "processor/conf.h"
#include "processor/consumer.h"
#include "processor/scout.h"
#include "processor/service.h"
#include "processor/txn.h"

enum {
	TICK_MS = 50,        /* due times are looked at this often when nothing comes */
	SECOND_TICKS = 20,
	ROWS_A_TURN = 1000,
	REACH_MS = 500,      /* what an attempt to open the tables may hold up a stop */
	CLOSE_MS = 1000,
};

struct app {
	struct program program;
	struct processor_conf conf;
	struct metrics *metrics;
	struct admin *admin;
	struct report *report;
	struct tables *tables;   /* not open: Kafka or its topics have not been there yet */
	struct cell_row cell;
	struct service *service; /* NULL: the cell is not served yet */
	struct events events;
	bool stop, more;         /* more: records may be waiting, do not wait for a wake-up */
	uint64_t ticks;
	int64_t epoch;           /* that the service was made with */
	struct log_repeat complaint;
};

/* Logs what keeps us waiting, but not the same all the time. */
static void complain(struct app *app, const char *event, const char *text)
{
	if (log_repeat_due(&app->complaint, text, clock_mono_ms()))
		log_warn(&app->program.log, event, LOG_STR("error", text));
}

static int app_open(struct app *app, struct err *err)
{
	const struct table_spec spec = {"millrace.cells", cell_row_take, &app->cell};

	if (events_open(&app->events, TICK_MS, err) < 0)
		return -1;
	app->cell.name = app->program.common.cell;
	app->metrics = metrics_new(app->program.name);
	if (!app->metrics)
		return err_nomem(err, "metrics");
	app->admin = admin_new(app->program.common.admin_listen, app->metrics, err);
	app->report = app->admin ? report_new(&app->program, app->admin, app->cell.name, err) : NULL;
	app->tables = app->report ? tables_new(&app->program, &spec, 1, err) : NULL;
	if (!app->tables)
		return -1;
	tables_wake_on(app->tables, app->events.wake_fd);
	log_info(&app->program.log, "started", LOG_STR("build", build_version()), LOG_STR("cell", app->cell.name),
		 LOG_STR("admin", admin_address(app->admin)));
	return 0;
}

/* An error that only waiting helps against is said and forgotten; another one ends the program. */
static int outlive(struct app *app, const char *event, const struct err *why, struct err *err)
{
	if (why->kind == ERR_RETRY) {
		complain(app, event, why->msg);
		return 0;
	}
	*err = *why;
	return -1;
}

/* Starts reading the table of cells once Kafka and the topic are there. */
static int open_tables(struct app *app, struct err *err)
{
	struct err why = ERR_INIT;

	if (tables_open(app->tables, REACH_MS, &why) < 0)
		return outlive(app, "tables_unavailable", &why, err);
	return 0;
}

/* Takes rows that have arrived. */
static int follow_tables(struct app *app, struct err *err)
{
	struct err why = ERR_INIT;

	if (tables_poll(app->tables, 0, ROWS_A_TURN, &why) >= 0)
		return 0;
	if (why.kind == ERR_FATAL) {
		*err = why;
		return -1;
	}
	complain(app, "table_row_refused", why.msg);
	return 0;
}

/* Joins the group once the cell is known. */
static int open_service(struct app *app, struct err *err)
{
	const struct service_parts parts = {&app->program, &app->conf, app->metrics, app->report, app->events.wake_fd};
	const char *why_not = cell_row_why_not(&app->cell);
	struct err why = ERR_INIT;

	if (!tables_loaded(app->tables))
		return 0;
	if (why_not) {
		complain(app, "cell_unavailable", why_not);
		admin_set_ready(app->admin, false, why_not);
		return 0;
	}
	app->service = service_new(&parts, app->cell.epoch, app->cell.partitions, &why);
	if (!app->service)
		return outlive(app, "service_unavailable", &why, err);
	app->epoch = app->cell.epoch;
	log_info(&app->program.log, "joining", LOG_STR("cell", app->cell.name), LOG_INT("epoch", app->epoch),
		 LOG_INT("partitions", app->cell.partitions));
	return 0;
}

/* Topics that are made again while we run start at offset 0: our positions mean nothing in them, so a new start must judge. */
static int check_epoch(const struct app *app, struct err *err)
{
	if (!app->service || (app->cell.known && app->cell.epoch == app->epoch))
		return 0;
	return err_set(err, ERR_FATAL, "the cell's epoch has changed while it was served: its topics were made again");
}

/* Once a second, real time. */
static int every_second(struct app *app, struct err *err)
{
	const char *why_not = tables_opened(app->tables) ? "the tables are not loaded" : "Kafka or its topics are not there";
	double running = 0, lag = 0;

	if (open_tables(app, err) < 0)
		return -1;
	if (!app->service && open_service(app, err) < 0)
		return -1;
	if (app->service) {
		why_not = service_why_not_ready(app->service);
		service_figures(app->service, &running, &lag);
	}
	if (app->service || !tables_loaded(app->tables))
		admin_set_ready(app->admin, why_not == NULL, why_not);
	admin_beat(app->admin);
	report_poll(app->report, (const struct figure[]){{STR("partitions"), running}, {STR("lag_records"), lag}}, 2);
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

	while (!app->stop) {
		wait_for_events(app);
		take_signals(app);
		if (app->stop)
			break; /* nothing new is begun */
		if (follow_tables(app, err) < 0 || check_epoch(app, err) < 0)
			return -1;
		if (app->service) {
			int more = service_turn(app->service, err); /* records, restores, checkpoints */

			if (more < 0)
				return -1;
			app->more = more > 0;
		}
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

	if (app->admin)
		admin_set_ready(app->admin, false, "stopping");
	closed = service_free(app->service, rc == 0);
	tables_free(app->tables);
	report_free(app->report, CLOSE_MS);
	if (!closed) /* a client's threads go on using what follows */
		_exit(rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
	admin_free(app->admin);
	metrics_free(app->metrics);
	cell_row_fini(&app->cell);
	events_close(&app->events);
}

static const char *const faults[] = {TXN_FAULT_STALL, NULL};

static int check(const struct program *p, const void *target, struct err *err)
{
	(void)target;
	return tables_check(p, err) < 0 || report_check(p, err) < 0 || consumer_check(p, err) < 0 || scout_check(p, err) < 0 ||
	       txn_check(p, err) < 0 ? -1 : 0;
}

int main(int argc, char **argv)
{
	struct app app = {.events = EVENTS_INIT};
	const struct program_spec spec = {
		.name = "millrace-processor",
		.summary = "turns the samples of one cell into minutely and hourly aggregates, exactly once",
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
		rc = app_open(&app, &err) < 0 || run(&app, &err) < 0 ? -1 : 0;
	if (rc < 0)
		log_error(&app.program.log, "failed", LOG_STR("error", err.msg));
	app_close(&app, rc);
	program_fini(&app.program);
	return rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
