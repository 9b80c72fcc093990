/* main.c - millrace-ingest: the Push API in front of Kafka.
 *
 * The main thread follows the tables, tells of itself, and takes signals; requests are served by lanes (lane.h), which share with it
 * nothing but admission. README.md lists the rooms; this file opens them, in order, and closes them in reverse. It starts serving before
 * it knows Kafka: until the tables of cells and sites have been read to their end, or found in the file of the last run, it answers
 * 503 and is not ready.
 *
 * SIGTERM: not ready, no new connections, requests in flight end, the producers are flushed, exit 0. SIGHUP: certificates are read again. */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/admin.h"
#include "common/control_desk.h"
#include "common/controls.h"
#include "common/events.h"
#include "common/metrics.h"
#include "common/program.h"
#include "common/report.h"
#include "common/table.h"
#include "common/watchdog.h"
#include "ingest/account.h"
#include "ingest/admission.h"
#include "ingest/conf.h"
#include "ingest/lane.h"
#include "ingest/limits.h"
#include "ingest/listen.h"
#include "ingest/otlp.h"
#include "ingest/producer.h"
#include "ingest/registry.h"
#include "ingest/scrub.h"
#include "ingest/tls.h"

enum {
	TICK_MS = 250,
	TICKS_A_SECOND = 4,
	REACH_TIMEOUT_MS = 100, /* what a question to Kafka may hold up signals and rows */
	TURN_LIMIT_MS = 120000,     /* of a turn that is not hung */
	STOP_LIMIT_MS = 32000,      /* of closing, once requests have ended */
};

struct app {
	struct program program;
	struct ingest_conf conf;
	struct metrics *metrics;
	struct admin *admin;
	struct report *report;
	struct account *account;
	struct sites *sites;
	struct controls *controls;
	struct admission *admission;
	struct scrub *scrub;
	struct registry *registry;
	struct otlp_rules otlp;
	int listen_fd;
	char address[LISTEN_ADDRESS_SIZE];
	struct lane **lanes; /* conf.threads of them, NULL where one could not be made */
	struct events events;
	struct watchdog watchdog;
	unsigned ticks;
	bool draining;
};

static struct admission *make_admission(struct app *app)
{
	const struct admission_rooms rooms = {app->sites, app->account, app->controls, &app->program.clock};
	const struct admission_limits limits = {
		.max_body_bytes = app->conf.max_body_bytes,
		.budget_bytes = limits_inflight_bytes(&app->conf, app->program.common.memory_budget_bytes),
	};

	return admission_new(&rooms, &limits);
}

/* What requests are judged by; nothing of it waits for Kafka. */
static int open_judgement(struct app *app, struct err *err)
{
	otlp_rules_read(&app->otlp, app->conf.otlp_resource_tags); /* as check() has seen it */
	app->metrics = metrics_new(app->program.name);
	metrics_follow_log(app->metrics, &app->program.log);
	app->sites = sites_new();
	app->account = app->metrics ? account_new(app->metrics, (size_t)app->conf.metrics_sites_max) : NULL;
	if (!app->account || !app->sites)
		return err_nomem(err, "tables and metrics");
	account_set(app->account, ACCOUNT_MEMORY_BUDGET, (double)app->program.common.memory_budget_bytes);
	app->controls = controls_new(&app->program.clock, CONTROL_PROGRAM_INGEST, err);
	if (!app->controls)
		return -1;
	controls_wake_on(app->controls, app->events.wake_fd);
	app->scrub = scrub_new(app->conf.scrub_keys, app->conf.scrub_values, app->conf.scrub_except, err);
	if (!app->scrub)
		return -1;
	app->admission = make_admission(app);
	return app->admission ? 0 : err_nomem(err, "admission");
}

static int open_lanes(struct app *app, struct err *err)
{
	const struct lane_rooms rooms = {&app->program, &app->conf, app->admission, app->account, &app->otlp, app->scrub,
					 app->listen_fd, app->events.wake_fd};

	app->lanes = calloc((size_t)app->conf.threads, sizeof(*app->lanes));
	if (!app->lanes)
		return err_nomem(err, "lanes");
	for (int64_t i = 0; i < app->conf.threads; i++)
		if ((app->lanes[i] = lane_new(&rooms, err)) == NULL)
			return -1;
	for (int64_t i = 0; i < app->conf.threads; i++)
		if (lane_start(app->lanes[i], err) < 0)
			return -1;
	return 0;
}

/* The lanes come last: from then on requests may come in. The admin port comes early, so that a start that hangs can be seen. */
static int open_rooms(struct app *app, struct err *err)
{
	if (open_judgement(app, err) < 0)
		return -1;
	app->admin = admin_new(app->program.common.admin_listen, app->metrics, err);
	if (!app->admin || admin_serve_controls(app->admin, app->program.common.admin_token_file, control_desk_answer, app->controls, err) < 0)
		return -1;
	app->report = report_new(&app->program, app->admin, NULL, err);
	if (!app->report)
		return -1;
	app->registry = registry_new(&(struct registry_rooms){&app->program, &app->conf, app->sites, app->controls, app->admission,
							      app->account, app->admin, app->report}, app->events.wake_fd, err);
	if (!app->registry)
		return -1;
	limits_raise_files(&app->conf, &app->program.log);
	app->listen_fd = listen_open(app->conf.listen, app->address, err);
	return app->listen_fd < 0 ? -1 : open_lanes(app, err);
}

static double sum_lanes(const struct app *app, size_t (*of)(const struct lane *))
{
	size_t sum = 0;

	for (int64_t i = 0; i < app->conf.threads; i++)
		sum += of(app->lanes[i]);
	return (double)sum;
}

static void tell(struct app *app)
{
	const struct figure figures[] = {
		{STR("accepted_samples"), (double)account_accepted(app->account)},
		{STR("accepted_requests"), (double)account_accepted_requests(app->account)},
		{STR("unavailable_requests"), (double)account_unavailable_requests(app->account)},
		{STR("requests"), sum_lanes(app, lane_requests)},
		{STR("connections"), sum_lanes(app, lane_connections)},
		{STR("sites"), (double)sites_count(app->sites)},
		{STR("inflight_bytes"), (double)admission_inflight_bytes(app->admission)},
	};

	report_poll(app->report, figures, sizeof(figures) / sizeof(figures[0]));
}

static void tick(struct app *app)
{
	admin_beat(app->admin);
	log_tick(&app->program.log);
	admission_gauge(app->admission);
	account_set(app->account, ACCOUNT_CONNECTIONS, sum_lanes(app, lane_connections));
	account_set(app->account, ACCOUNT_WAITING, sum_lanes(app, lane_waiting));
	if (!app->draining)
		registry_tick(app->registry, REACH_TIMEOUT_MS);
	tell(app);
	if (app->ticks++ % TICKS_A_SECOND == 0)
		account_log(app->account, &app->program.log);
}

static void drain(struct app *app, int number)
{
	if (app->draining)
		return;
	app->draining = true;
	admission_set(app->admission, ADMISSION_DRAINING, true);
	admin_set_ready(app->admin, false, "draining");
	close(app->listen_fd);
	app->listen_fd = -1;
	for (int64_t i = 0; i < app->conf.threads; i++)
		lane_drain(app->lanes[i]);
	log_info(&app->program.log, "draining", LOG_STR("signal", strsignal(number)), LOG_NUM("requests", sum_lanes(app, lane_requests)));
}

static void reload(struct app *app)
{
	if (!tls_wanted(&app->conf))
		log_info(&app->program.log, "nothing_to_reload", LOG_STR("meaning", "the Push API speaks no TLS"));
	for (int64_t i = 0; i < app->conf.threads && tls_wanted(&app->conf); i++)
		lane_reload(app->lanes[i]);
}

static void take_signals(struct app *app)
{
	int number;

	while ((number = events_signal_read(app->events.signal_fd)) != 0)
		if (number == SIGHUP)
			reload(app);
		else
			drain(app, number);
}

static bool drained(const struct app *app)
{
	for (int64_t i = 0; i < app->conf.threads; i++)
		if (!lane_drained(app->lanes[i]))
			return false;
	return true;
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
	log_info(&app->program.log, "listening", LOG_STR("push", app->address), LOG_STR("admin", admin_address(app->admin)),
		 LOG_INT("threads", app->conf.threads), LOG_BOOL("tls", tls_wanted(&app->conf)));
	tick(app);
	while (!app->draining || !drained(app)) {
		watchdog_feed(&app->watchdog, TURN_LIMIT_MS, "a turn of the loop");
		wait_for_events(app);
		take_signals(app);
		if (!app->draining && registry_follow(app->registry, err) < 0)
			return -1;
		if (events_read(app->events.timer_fd))
			tick(app);
	}
	log_info(&app->program.log, "drained", LOG_NUM("requests_left", sum_lanes(app, lane_requests)));
	return 0;
}

/* In reverse; the lanes all at once. */
static void close_rooms(struct app *app)
{
	watchdog_feed(&app->watchdog, STOP_LIMIT_MS, "closing");
	for (int64_t i = 0; app->lanes && i < app->conf.threads; i++)
		if (app->lanes[i])
			lane_stop(app->lanes[i]);
	for (int64_t i = 0; app->lanes && i < app->conf.threads; i++)
		lane_free(app->lanes[i]);
	free(app->lanes);
	if (app->listen_fd >= 0)
		close(app->listen_fd);
	registry_free(app->registry);
	report_free(app->report, TICKS_A_SECOND * TICK_MS);
	admin_free(app->admin);
	admission_free(app->admission);
	scrub_free(app->scrub);
	controls_free(app->controls);
	account_free(app->account);
	sites_free(app->sites);
	metrics_free(app->metrics);
	events_close(&app->events);
	watchdog_stop(&app->watchdog);
}

/* Bad rules are known before anything is opened, and by --print-config. */
static int check_scrub(const struct ingest_conf *conf, struct err *err)
{
	struct scrub *s = scrub_new(conf->scrub_keys, conf->scrub_values, conf->scrub_except, err);

	scrub_free(s);
	return s ? 0 : -1;
}

static int check(const struct program *p, const void *target, struct err *err)
{
	const struct ingest_conf *conf = target;
	struct otlp_rules otlp;
	struct tls tls;

	if (otlp_rules_read(&otlp, conf->otlp_resource_tags) < 0)
		return conf_reject(p->conf, "otlp.resource_tags", "is no list of at most 32 keys of [A-Za-z0-9_.:/-]", err);
	if (listen_check(conf->listen, NULL) < 0)
		return conf_reject(p->conf, "push.listen", "is neither IPv4:port nor [IPv6]:port", err);
	if (check_scrub(conf, err) < 0 || limits_check(p, conf, err) < 0 || admin_check_token_file(p->common.admin_token_file, err) < 0 || tls_load(&tls, conf, err) < 0)
		return -1;
	tls_fini(&tls);
	return tables_check(p, err) < 0 || report_check(p, err) < 0 || producer_check(p, conf, err) < 0 ? -1 : 0;
}

int main(int argc, char **argv)
{
	struct app app = {.events = EVENTS_INIT, .listen_fd = -1};
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
		rc = watchdog_start(&app.watchdog, &app.program.log, &err) < 0 || events_open(&app.events, TICK_MS, &err) < 0 || open_rooms(&app, &err) < 0 || run(&app, &err) < 0 ? -1 : 0;
	if (rc < 0)
		log_error(&app.program.log, "failed", LOG_STR("error", err.msg));
	close_rooms(&app);
	program_fini(&app.program);
	return rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
