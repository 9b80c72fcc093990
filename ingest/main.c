/* main.c - millrace-ingest: the Push API in front of Kafka.
 *
 * One thread, one loop: signals, a timer, Kafka's wake-ups and HTTP are descriptors in one poll(). README.md lists the rooms; this
 * file opens them, in order, and closes them in reverse. It starts serving before it knows Kafka: until the tables of cells
 * and sites have been read to their end it answers 503 and is not ready.
 *
 * SIGTERM: not ready, no new connections, requests in flight end, the producer is flushed, exit 0. */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>

#include "common/admin.h"
#include "common/events.h"
#include "common/metrics.h"
#include "common/program.h"
#include "common/report.h"
#include "common/table.h"
#include "ingest/account.h"
#include "ingest/admission.h"
#include "ingest/conf.h"
#include "ingest/listen.h"
#include "ingest/producer.h"
#include "ingest/push.h"
#include "ingest/server.h"
#include "ingest/sites.h"

enum {
	TICK_MS = 1000,
	ROWS_A_TURN = 1000,     /* of tables, so that a long one does not hold up requests */
	REACH_TIMEOUT_MS = 100, /* what a question to Kafka may hold up requests, while there are no tables to serve from */
	STALE_MS = 60000,       /* without news of the brokers, an unknown key may be a new one */
	BUDGET_SHARE = 4,       /* of memory.budget, what may be in flight */
};

struct app {
	struct program program;
	struct ingest_conf conf;
	struct metrics *metrics;
	struct admin *admin;
	struct report *report;
	struct account account;
	struct sites *sites;
	struct tables *tables; /* not open: Kafka or its topics have not been there yet */
	struct admission admission;
	struct producer *producer;
	struct push *push;
	struct server *server;
	struct events events;
	bool draining;
	int64_t drain_deadline_mono_ms;
	struct log_repeat complaint;
};

/* Logs a failure that the loop outlives, but not the same one all the time. */
static void complain(struct app *app, const char *event, const struct err *err)
{
	if (log_repeat_due(&app->complaint, err->msg, clock_mono_ms()))
		log_warn(&app->program.log, event, LOG_STR("error", err->msg));
}

/* A quarter: payloads are held a second time while they are decoded, librdkafka has its own copy of what it sends, and the rest
 * is connections, tables and slack. */
static void init_admission(struct app *app)
{
	int64_t share = app->program.common.memory_budget_bytes / BUDGET_SHARE;

	app->admission = (struct admission){
		.sites = app->sites,
		.account = &app->account,
		.max_body_bytes = app->conf.max_body_bytes,
		.budget_bytes = app->conf.inflight_budget_bytes < share ? app->conf.inflight_budget_bytes : share,
	};
}

static int make_tables(struct app *app, struct err *err)
{
	const struct table_spec specs[] = {
		{"millrace.cells", sites_take_cell, app->sites},
		{"millrace.sites", sites_take_site, app->sites},
	};

	app->tables = tables_new(&app->program, specs, sizeof(specs) / sizeof(specs[0]), err);
	if (!app->tables)
		return -1;
	tables_wake_on(app->tables, app->events.wake_fd);
	return 0;
}

/* The server comes last: from then on requests may come in. The admin port comes early, so that a start that hangs can be seen. */
static int open_rooms(struct app *app, struct err *err)
{
	app->metrics = metrics_new(app->program.name);
	app->sites = sites_new();
	if (!app->metrics || !app->sites)
		return err_nomem(err, "tables and metrics");
	account_init(&app->account, app->metrics);
	init_admission(app);
	app->admin = admin_new(app->program.common.admin_listen, app->metrics, err);
	if (!app->admin)
		return -1;
	app->producer = producer_new(&app->program, &app->conf, app->events.wake_fd, err);
	if (!app->producer)
		return -1;
	app->push = push_new(&(struct push_rooms){&app->program.clock, app->sites, &app->admission, app->producer, &app->account},
			     (size_t)app->conf.max_body_bytes, (size_t)app->conf.max_record_bytes);
	if (!app->push)
		return err_nomem(err, "payloads");
	app->report = report_new(&app->program, app->admin, NULL, err);
	if (!app->report || make_tables(app, err) < 0)
		return -1;
	app->server = server_new(&(struct server_rooms){&app->admission, app->push, &app->account}, &app->conf, err);
	return app->server ? 0 : -1;
}

/* Starts reading the tables once Kafka and the topics are there. */
static void open_tables(struct app *app)
{
	struct err err = ERR_INIT;

	if (tables_open(app->tables, REACH_TIMEOUT_MS, &err) < 0)
		complain(app, "tables_unavailable", &err);
}

/* The last table was read to its end: from now on an unknown key is an unknown key. */
static void set_loaded(struct app *app)
{
	app->admission.tables_loaded = true;
	log_info(&app->program.log, "tables_loaded", LOG_UINT("sites", sites_count(app->sites)));
	if (!app->draining)
		admin_set_ready(app->admin, true, NULL);
}

/* Takes rows that have arrived. Fails only when the tables in memory may be wrong for good. */
static int follow_tables(struct app *app, struct err *err)
{
	struct err row = ERR_INIT;

	if (tables_poll(app->tables, 0, ROWS_A_TURN, &row) < 0) {
		if (row.kind == ERR_FATAL) {
			*err = row;
			return -1;
		}
		complain(app, "table_row_refused", &row);
	}
	if (!app->admission.tables_loaded && tables_loaded(app->tables))
		set_loaded(app);
	app->admission.tables_fresh = clock_mono_ms() - tables_contact_mono_ms(app->tables) < STALE_MS;
	metric_set(app->account.sites, (double)sites_count(app->sites));
	return 0;
}

/* A broken client costs its payloads a 503 and is replaced at the next turn: nothing to stop for. */
static void follow_producer(struct app *app)
{
	struct err err = ERR_INIT;

	if (producer_poll(app->producer, &err) < 0)
		complain(app, "producer_broke", &err);
}

/* Once a second, real time. */
static void tick(struct app *app)
{
	const struct figure figures[] = {
		{STR("accepted_samples"), metric_value(app->account.accepted_samples)},
		{STR("inflight_bytes"), metric_value(app->account.inflight_bytes)},
		{STR("requests"), (double)server_requests(app->server)},
		{STR("sites"), metric_value(app->account.sites)},
	};

	if (!app->draining)
		open_tables(app);
	admin_beat(app->admin);
	report_poll(app->report, figures, sizeof(figures) / sizeof(figures[0]));
	account_log(&app->account, &app->program.log);
}

static void drain(struct app *app, int number)
{
	if (app->draining)
		return;
	app->draining = true;
	app->drain_deadline_mono_ms = clock_mono_ms() + app->conf.drain_timeout_ms;
	app->admission.draining = true;
	admin_set_ready(app->admin, false, "draining");
	server_quiesce(app->server);
	log_info(&app->program.log, "draining", LOG_STR("signal", strsignal(number)),
		 LOG_UINT("requests", server_requests(app->server)));
}

static void take_signals(struct app *app)
{
	int number;

	while ((number = events_signal_read(app->events.signal_fd)) != 0)
		if (number == SIGTERM || number == SIGINT)
			drain(app, number);
}

/* At the end of its patience it goes all the same: who still sends then has no answer, and sends again elsewhere. */
static bool drained(const struct app *app)
{
	return app->draining && (server_requests(app->server) == 0 || clock_mono_ms() >= app->drain_deadline_mono_ms);
}

static void wait_for_events(struct app *app)
{
	struct pollfd fds[] = {
		{.fd = app->events.signal_fd, .events = POLLIN},
		{.fd = app->events.timer_fd, .events = POLLIN},
		{.fd = app->events.wake_fd, .events = POLLIN},
		{.fd = server_fd(app->server), .events = POLLIN},
	};

	poll(fds, sizeof(fds) / sizeof(fds[0]), server_timeout_ms(app->server));
	events_read(app->events.wake_fd);
}

static int run(struct app *app, struct err *err)
{
	log_info(&app->program.log, "listening", LOG_STR("push", server_address(app->server)),
		 LOG_STR("admin", admin_address(app->admin)), LOG_INT("budget_bytes", app->admission.budget_bytes));
	tick(app);
	while (!drained(app)) {
		wait_for_events(app);
		take_signals(app);
		if (follow_tables(app, err) < 0)
			return -1;
		follow_producer(app); /* delivery reports resume connections .. */
		server_run(app->server); /* .. which are answered here */
		if (events_read(app->events.timer_fd))
			tick(app);
	}
	log_info(&app->program.log, "drained", LOG_UINT("requests_left", server_requests(app->server)));
	return 0;
}

/* In reverse. The server goes first, so that nobody comes in any more; jobs end with the producer, before push, which they use. */
static void close_rooms(struct app *app)
{
	server_free(app->server);
	if (app->producer && !producer_flush(app->producer, (int)app->conf.message_timeout_ms))
		log_warn(&app->program.log, "records_given_up", LOG_STR("meaning", "no client was told that they were taken"));
	producer_free(app->producer);
	push_free(app->push);
	tables_free(app->tables);
	report_free(app->report, TICK_MS);
	admin_free(app->admin);
	sites_free(app->sites);
	metrics_free(app->metrics);
	events_close(&app->events);
}

static int check(const struct program *p, const void *target, struct err *err)
{
	const struct ingest_conf *conf = target;

	if (listen_check(conf->listen, NULL) < 0)
		return conf_reject(p->conf, "push.listen", "is neither IPv4:port nor [IPv6]:port", err);
	return tables_check(p, err) < 0 || report_check(p, err) < 0 || producer_check(p, conf, err) < 0 ? -1 : 0;
}

int main(int argc, char **argv)
{
	struct app app = {.events = EVENTS_INIT};
	const struct program_spec spec = {
		.name = "millrace-ingest",
		.summary = "takes payloads by HTTP and answers once Kafka has them",
		.admin_default = "127.0.0.1:9101",
		.section = {ingest_conf_fields, &app.conf},
		.check = check,
	};
	struct err err = ERR_INIT;
	int rc = program_init(&app.program, &spec, argc, argv, &err);

	if (rc == 0)
		rc = events_open(&app.events, TICK_MS, &err) < 0 || open_rooms(&app, &err) < 0 || run(&app, &err) < 0 ? -1 : 0;
	if (rc < 0)
		log_error(&app.program.log, "failed", LOG_STR("error", err.msg));
	close_rooms(&app);
	program_fini(&app.program);
	return rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
