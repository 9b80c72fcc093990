/* main.c - millrace-sink: copies one cell's minutely, hourly, exemplars, alerts and incidents topics into its replica set.
 *
 * One thread, the poll thread, owns all but the writers: it keeps its place in the Kafka group, reads, decodes, batches, and
 * settles; only writers speak to the database (writer.h). Signals, a timer, and one wake-up for records, tables and
 * returning batches are descriptors in one poll().
 *
 * When the database cannot take more, reading stops in two steps. At first the poll thread just does not poll Kafka: what was
 * fetched stays where it is, and a batch that comes back sets it going again. After BRAKE_AFTER_MS it must serve the group, so it
 * takes all partitions out of the fetch, which throws away what was fetched, and polls on (consumer.h).
 *
 * A control that pauses the cell takes all partitions out of the fetch likewise: what is in flight goes its way, and the place in the
 * group stays.
 *
 * SIGTERM: reading stops, what is in flight is stored within a deadline, offsets are committed, the group is left, exit 0. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/admin.h"
#include "common/control_desk.h"
#include "common/controls.h"
#include "common/events.h"
#include "common/metrics.h"
#include "common/mongo_counters.h"
#include "common/program.h"
#include "common/report.h"
#include "common/retention.h"
#include "common/table.h"
#include "common/watchdog.h"
#include "sink/mongo/alarm.h"
#include "sink/mongo/consumer.h"
#include "sink/mongo/database.h"
#include "sink/mongo/meters.h"
#include "sink/mongo/reader.h"
#include "sink/mongo/settings.h"
#include "sink/mongo/watch.h"
#include "sink/mongo/writer.h"

enum {
	TICK_MS = 50,
	RECORDS_A_TURN = 1000,
	ROWS_A_TURN = 1000,
	TABLES_RETRY_MS = 2000,
	REACH_MS = 500, /* what an attempt to open the tables may hold up a stop */
	BRAKE_AFTER_MS = 5000,
	HOLD_MS = 5000, /* until a record of an unknown schema is looked at again */
	DRAIN_MS = 10000,
	COMMIT_MS = 3000,
	STOP_MS = 1000,
	CLOSE_MS = 5000,
	TURN_LIMIT_MS = 120000, /* of a turn that is not hung */
	STOP_LIMIT_MS = 32000,  /* likewise of a stop */
};

struct app {
	struct program program;
	struct sink_conf conf;
	struct metrics *metrics;
	struct meters meters;
	struct admin *admin;
	struct report *report;
	struct retention *retention;
	struct tables *tables; /* NULL: Kafka or its topics have not been there yet */
	struct controls *controls;
	struct database *database;
	struct writers *writers;
	struct partitions parts;
	struct consumer *consumer; /* NULL: the cell has no topics yet */
	struct reader *reader;
	struct watch watch;
	struct events events;
	struct watchdog watchdog;
	bool stop;
	int64_t epoch; /* of the cell's topics; 0: not known */
	bool more;     /* there may be records that no wake-up tells of */
	bool braked;
	bool paused;   /* by a control */
	int64_t stalled_mono_ms;   /* since when the reader is full; 0: it is not */
	int64_t next_tables_mono_ms;
};

/* Logs a failure that the loop outlives. */
static void complain(const struct app *app, const char *event, const struct err *err)
{
	log_repeat(&app->program.log, event, LOG_STR("error", err->msg));
}

/* A row of millrace.cells: all the sink wants is the epoch of its own. */
static int take_cell(void *ctx, const struct table_row *row, struct err *err)
{
	struct app *app = ctx;
	struct arena arena = ARENA_INIT;
	struct cell cell = {0};
	int rc = 0;

	if (!str_eq(row->key, str_from(app->program.common.cell)) || !row->value.p)
		return 0;
	rc = cell_decode(row->value, &arena, &cell, err);
	arena_fini(&arena);
	if (rc < 0)
		return -1;
	if (app->consumer && cell.epoch != app->epoch)
		return err_set(err, ERR_FATAL, "the topics of cell %s were made again: offsets and _ids of the old ones mean nothing now",
			       app->program.common.cell);
	app->epoch = cell.epoch;
	return 0;
}

/* The admin port first, so that a start that hangs can be seen. */
static int open_admin(struct app *app, struct err *err)
{
	app->metrics = metrics_new(app->program.name);
	metrics_follow_log(app->metrics, &app->program.log);
	if (!app->metrics)
		return err_nomem(err, "metrics");
	meters_init(&app->meters, app->metrics, app->program.common.cell);
	metric_set(app->meters.memory_budget, (double)app->program.common.memory_budget_bytes);
	app->controls = controls_new(&app->program.clock, CONTROL_PROGRAM_SINK, err);
	if (!app->controls)
		return -1;
	controls_wake_on(app->controls, app->events.wake_fd);
	app->admin = admin_new(app->program.common.admin_listen, app->metrics, err);
	return app->admin ? admin_serve_controls(app->admin, app->program.common.admin_token_file, control_desk_answer, app->controls, err) : -1;
}

static int open_rooms(struct app *app, struct err *err)
{
	const struct table_spec specs[] = {
		{"millrace.cells", take_cell, app},
		{"millrace.controls", controls_take, app->controls},
	};
	const char *topics[NR_SINK_TOPICS];

	app->report = report_new(&app->program, app->admin, app->program.common.cell, err);
	app->tables = app->report ? tables_new(&app->program, specs, sizeof(specs) / sizeof(specs[0]), err) : NULL;
	if (!app->tables)
		return -1;
	tables_wake_on(app->tables, app->events.wake_fd);
	for (int i = 0; i < NR_SINK_TOPICS; i++)
		topics[i] = sink_topic_name((enum sink_topic)i);
	app->retention = retention_new(&app->program, tables_client(app->tables), app->metrics, "millrace_sink_retention_seconds", true, topics,
				       NR_SINK_TOPICS, err);
	if (!app->retention)
		return -1;
	app->database = database_new(&app->conf, &app->program.log, err);
	if (!app->database)
		return -1;
	app->writers = writers_new(app->database, &app->conf, &app->program.log, &app->meters, app->events.wake_fd, err);
	return app->writers ? 0 : -1;
}

/* Starts reading the tables once Kafka and the topics are there. Fails only for what waiting does not mend: a setting. */
static int open_tables(struct app *app, struct err *err)
{
	struct err why = ERR_INIT;

	if (tables_opened(app->tables) || clock_mono_ms() < app->next_tables_mono_ms)
		return 0;
	if (tables_open(app->tables, REACH_MS, &why) == 0)
		return 0;
	app->next_tables_mono_ms = clock_mono_ms() + TABLES_RETRY_MS;
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
	if (tables_poll(app->tables, 0, ROWS_A_TURN, &row) >= 0)
		return 0;
	if (row.kind == ERR_FATAL) {
		*err = row;
		return -1;
	}
	complain(app, "table_row_refused", &row);
	return 0;
}

/* Partitions are moving away: what is in flight of them gets three seconds. What is left comes again elsewhere. */
static void on_revoke(void *ctx)
{
	struct app *app = ctx;

	if (!reader_drain(app->reader, false, 3000))
		log_info(&app->program.log, "revoked_in_flight", LOG_UINT("inflight_bytes", reader_inflight_bytes(app->reader)));
}

/* Joins the group once the cell is known to have topics. */
static int open_reader(struct app *app, struct err *err)
{
	const struct reader_spec reader = {&app->program, &app->conf, &app->meters, &app->parts, app->writers, app->report, app->controls,
					   app->epoch};
	const struct consumer_spec consumer = {&app->program, &app->parts, &app->meters, app->report, app->epoch,
						app->events.wake_fd, on_revoke, app};

	if (app->consumer || !tables_loaded(app->tables) || app->epoch == 0)
		return 0;
	app->reader = reader_new(&reader, err);
	app->consumer = app->reader ? consumer_new(&consumer, err) : NULL;
	if (!app->consumer)
		return -1;
	consumer_fetch(app->consumer, !app->paused);
	log_info(&app->program.log, "reading", LOG_STR("cell", app->program.common.cell), LOG_INT("epoch", app->epoch));
	return 0;
}

/* Obeys a control that pauses the cell, and its end. Once the tables are loaded, so that a paused sink that starts again fetches
 * nothing. */
static void follow_controls(struct app *app)
{
	bool paused = controls_in_force(app->controls, CONTROL_ACTION_PAUSE, str_from(app->program.common.cell), STR(""), NULL);

	if (!tables_loaded(app->tables))
		return;
	control_desk_follow(app->controls, app->report, &app->program.log);
	if (paused == app->paused)
		return;
	app->paused = paused;
	if (app->consumer)
		consumer_fetch(app->consumer, !app->paused && !app->braked);
	log_info(&app->program.log, paused ? "paused" : "resumed", LOG_STR("cell", app->program.common.cell));
}

/* The two steps of stopping, and the way back. True: poll Kafka in this turn. Braked, a poll brings no records but serves the group.
 * Reading begins again only when half of what may be in flight is through, as each stop throws fetched records away. */
static bool may_poll(struct app *app)
{
	int64_t now = clock_mono_ms();

	if (!reader_full(app->reader)) {
		app->stalled_mono_ms = 0;
		if (app->braked && reader_relaxed(app->reader)) {
			app->braked = false;
			consumer_fetch(app->consumer, !app->paused);
			log_info(&app->program.log, "brake_off", LOG_UINT("inflight_bytes", reader_inflight_bytes(app->reader)));
		}
		return true;
	}
	if (app->paused)
		return true; /* nothing comes that would have to wait */
	if (!app->stalled_mono_ms)
		app->stalled_mono_ms = now;
	if (!app->braked && now - app->stalled_mono_ms >= BRAKE_AFTER_MS) {
		app->braked = true;
		consumer_fetch(app->consumer, false);
		log_warn(&app->program.log, "brake_on", LOG_UINT("inflight_bytes", reader_inflight_bytes(app->reader)),
			 LOG_STR("meaning", "the database does not take more; records wait in Kafka"));
	}
	return app->braked;
}

/* A newer writer's record: the partition waits for a sink that knows its schema, the others go on. */
static void hold(struct app *app, struct partition *part, const rd_kafka_message_t *m, const struct err *why)
{
	consumer_hold(app->consumer, part, HOLD_MS);
	if (part->complained)
		return;
	part->complained = true;
	alarm_raise(&app->program.log, app->report, "schema_unknown", consumer_topic(app->consumer, part->topic), part->id, m->offset,
		    why->msg);
}

static int read_records(struct app *app, struct err *err)
{
	app->more = false;
	for (int i = 0; app->consumer && i < RECORDS_A_TURN; i++) {
		struct err why = ERR_INIT;
		struct partition *part;
		rd_kafka_message_t *m;
		int rc;

		if (!may_poll(app))
			return 0;
		m = consumer_next(app->consumer, &part, &why);
		if (!m) {
			*err = why;
			return why.kind ? -1 : 0;
		}
		rc = reader_take(app->reader, part, m, &why);
		if (rc == READER_UNKNOWN) {
			hold(app, part, m, &why);
			rd_kafka_message_destroy(m);
		} else if (rc < 0) {
			*err = why;
			return -1;
		} else {
			part->complained = false; /* it waits no longer: a control drops what it waited with */
		}
	}
	app->more = app->consumer != NULL;
	return 0;
}

static size_t count_waiting(const struct app *app)
{
	size_t n = partitions_count(&app->parts, PARTITION_REFUSED), at = 0;
	const struct partition *part;

	while ((part = partitions_next(&app->parts, &at)) != NULL)
		n += part->state == PARTITION_OWNED && part->complained;
	return n;
}

/* Why not ready; NULL: ready. A database that is away for a while does not make the sink unready: nobody could do anything about it by
 * taking the sink away. */
static const char *not_ready(const struct app *app, size_t waiting)
{
	if (!tables_opened(app->tables))
		return "Kafka or its topics are not there";
	if (!tables_loaded(app->tables))
		return "the table of cells is not loaded";
	if (!app->consumer)
		return "the cell has no topics yet: run millrace-ctl topics apply";
	if (writers_indexes(app->writers) == WRITERS_INDEXES_CONFLICT)
		return "an index in the database contradicts the settings: see the log";
	if (writers_indexes(app->writers) != WRITERS_INDEXES_READY)
		return "the indexes are not made yet";
	if (!consumer_joined(app->consumer))
		return "the group has not given an assignment yet";
	if (waiting)
		return "partitions wait for an operator: see the log";
	return NULL;
}

/* What is said beside "ready": a pause is an operator's wish, and no reason to take the sink away. */
static const char *ready_word(const struct app *app)
{
	return app->paused ? "ready, and paused by a control: records wait in Kafka" : NULL;
}

/* The heartbeat. The breaker's reason is told while it is not closed: "breaker.network". */
static void beat(struct app *app, const struct gate_view *view, size_t waiting, int64_t lag)
{
	char reason[64];
	struct figure figures[] = {
		{STR("inflight_bytes"), metric_value(app->meters.inflight_bytes)},
		{STR("lag_records"), (double)lag},
		{STR("braked"), app->braked},
		{STR("paused"), app->paused},
		{STR("waiting_partitions"), (double)waiting},
		{STR("breaker_state"), view->state},
		{{0}, 1},
	};
	size_t nr = sizeof(figures) / sizeof(figures[0]);

	snprintf(reason, sizeof(reason), "breaker.%s", breaker_reason_name(view->reason));
	figures[nr - 1].key = str_from(reason);
	report_poll(app->report, figures, view->state == BREAKER_CLOSED ? nr - 1 : nr);
}

static int tick(struct app *app, struct err *err)
{
	size_t waiting = count_waiting(app);
	const char *reason = not_ready(app, waiting);
	int64_t lag = app->consumer ? consumer_lag(app->consumer) : 0;
	struct gate_view view;
	struct err why = ERR_INIT;

	admin_beat(app->admin);
	log_tick(&app->program.log);
	admin_set_ready(app->admin, reason == NULL, reason ? reason : ready_word(app));
	metric_set(app->meters.waiting_partitions, (double)waiting);
	metric_set(app->meters.braked, app->braked);
	metric_set(app->meters.paused, app->paused);
	retention_turn(app->retention, clock_mono_ms());
	writers_look(app->writers, &view);
	watch_turn(&app->watch, &view, app->paused ? 0 : lag, &app->program.log, app->report, &app->meters);
	beat(app, &view, waiting, lag);
	if (app->consumer && consumer_turn(app->consumer, &why) < 0)
		complain(app, "offsets_unknown", &why);
	return open_reader(app, err);
}

static void take_signals(struct app *app)
{
	int number;

	while ((number = events_signal_read(app->events.signal_fd)) != 0)
		if (number == SIGTERM || number == SIGINT)
			app->stop = true;
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
}

static int run(struct app *app, struct err *err)
{
	log_info(&app->program.log, "started", LOG_STR("admin", admin_address(app->admin)), LOG_STR("database", app->conf.mongo_database),
		 LOG_INT("writers", app->conf.writers));
	while (!app->stop) {
		watchdog_feed(&app->watchdog, TURN_LIMIT_MS, "a turn of the loop");
		wait_for_events(app);
		take_signals(app);
		if (app->stop)
			break; /* nothing new is begun */
		if (follow_tables(app, err) < 0)
			return -1;
		follow_controls(app);
		if (read_records(app, err) < 0)
			return -1;
		if (app->reader && reader_turn(app->reader, err) < 0)
			return -1;
		if (events_read(app->events.timer_fd) && tick(app, err) < 0)
			return -1;
	}
	return 0;
}

/* What is in flight is stored and committed, as far as the deadline allows. */
static void drain(struct app *app)
{
	bool stored, committed;

	watchdog_feed(&app->watchdog, STOP_LIMIT_MS, "stopping: what is in flight, leaving the group");
	admin_set_ready(app->admin, false, "draining");
	if (!app->consumer)
		return;
	log_info(&app->program.log, "draining", LOG_UINT("inflight_bytes", reader_inflight_bytes(app->reader)));
	stored = reader_drain(app->reader, true, DRAIN_MS);
	committed = consumer_commit_now(app->consumer, COMMIT_MS);
	log_info(&app->program.log, "drained", LOG_BOOL("stored", stored), LOG_BOOL("committed", committed));
}

/* In this order, since each of them holds what the next one owns: writers batches, the report dead letters, batches Kafka's messages.
 * What hangs cannot be torn down around: the group is left, and the process ends as it is. */
static void close_rooms(struct app *app, int exit_code)
{
	bool ended = !app->writers || writers_stop(app->writers, STOP_MS);

	if (ended) {
		report_free(app->report, STOP_MS);
		reader_free(app->reader);
	}
	if (!consumer_free(app->consumer, CLOSE_MS) || !ended) {
		log_warn(&app->program.log, "left_behind", LOG_BOOL("writers", !ended), LOG_STR("meaning", "ends without tearing down"));
		log_flush(&app->program.log);
		_exit(exit_code);
	}
	writers_free(app->writers);
	database_free(app->database);
	retention_free(app->retention);
	tables_free(app->tables);
	partitions_fini(&app->parts);
	admin_free(app->admin);
	controls_free(app->controls);
	metrics_free(app->metrics);
	events_close(&app->events);
	watchdog_stop(&app->watchdog);
}

static int check(const struct program *p, const void *target, struct err *err)
{
	return database_check(p->conf, target, err) < 0 || tables_check(p, err) < 0 || report_check(p, err) < 0 ||
	       consumer_check(p, err) < 0 || admin_check_token_file(p->common.admin_token_file, err) < 0 ? -1 : 0;
}

int main(int argc, char **argv)
{
	struct app app = {.events = EVENTS_INIT};
	const struct program_spec spec = {
		.name = "millrace-sink",
		.summary = "copies a cell's minutely, hourly, exemplars, alerts and incidents topics into its replica set",
		.admin_default = "127.0.0.1:9103",
		.section = {sink_conf_fields, &app.conf},
		.check = check,
	};
	struct err err = ERR_INIT;
	bool opened;
	int rc;

	mongo_counters_unlink();
	rc = program_init(&app.program, &spec, argc, argv, &err);
	opened = rc == 0;
	if (opened) {
		rc = watchdog_start(&app.watchdog, &app.program.log, &err) < 0 || events_open(&app.events, TICK_MS, &err) < 0 ||
		     open_admin(&app, &err) < 0 || open_rooms(&app, &err) < 0 || run(&app, &err) < 0 ? -1 : 0;
		if (rc == 0)
			drain(&app);
	}
	if (rc < 0)
		log_error(&app.program.log, "failed", LOG_STR("error", err.msg));
	if (opened)
		close_rooms(&app, rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
	program_fini(&app.program);
	return rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
