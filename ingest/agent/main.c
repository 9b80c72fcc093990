/* main.c - millrace-agent: next to the customer's application, losing nothing quietly.
 *
 * One thread, one loop, no locks: inlets, posts, the status socket and signals are descriptors in one poll(), whose time-out is what is due
 * next. A slot is 30 s of virtual time; what it collected is spooled a fixed few seconds after its end, then posted.
 *
 * SIGTERM: the open slot, and those to come, are flushed too, spooled, and its post has stop.timeout for its answer; exit 0 whatever that
 * was, since the spool has it. A loop that hangs ends the process (watchdog.h): kill -9 loses the open slot and nothing else. */
#include <curl/curl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/admin.h"
#include "common/build.h"
#include "common/events.h"
#include "common/watchdog.h"
#include "ingest/agent/collector.h"
#include "ingest/agent/command.h"
#include "ingest/agent/delivery.h"
#include "ingest/agent/slots.h"
#include "ingest/agent/status_socket.h"

enum {
	SECOND_MS = 1000,
	TURN_LIMIT_MS = 120000,      /* of a turn that is not hung: a disk may be slow */
	STOP_SPARE_MS = 30000,      /* what a stop may take beside stop.timeout */
};

struct app {
	struct program program;
	struct agent_conf conf;
	char host[256];
	struct metrics *metrics;
	struct admin *admin;
	struct status_metrics *figures;
	struct status_socket socket;
	struct collector *collector;
	struct delivery *delivery;
	struct watchdog watchdog;
	int signal_fd;
	struct slots slots;
	int64_t second_mono_ms;     /* when the next second's work is due */
	uint64_t flushes;
	bool stop;
};

static void read_status(const struct app *app, struct status *s)
{
	*s = (struct status){
		.version = build_version(),
		.host = app->host,
		.url = app->conf.push_url,
		.started_ms = app->program.started_ms,
		.now_ms = clock_now_ms(&app->program.clock),
		.flushes = app->flushes,
		.late_flushes = app->slots.late,
	};
	delivery_read(app->delivery, s);
	collector_read(app->collector, s);
}

/* The admin port first, so that a start that hangs can be seen. The spool before the inlets: who has its lock is this machine's agent. */
static int app_open(struct app *app, struct err *err)
{
	app->signal_fd = events_signal_fd(err);
	if (app->signal_fd < 0)
		return -1;
	app->metrics = metrics_new(app->program.name);
	metrics_follow_log(app->metrics, &app->program.log);
	app->admin = app->metrics ? admin_new(app->program.common.admin_listen, app->metrics, err) : NULL;
	if (!app->admin)
		return app->metrics ? -1 : err_nomem(err, "metrics");
	app->figures = status_metrics_new(app->metrics);
	app->delivery = delivery_new(&app->program, &app->conf, app->host, err);
	app->collector = app->delivery ? collector_new(&app->program, &app->conf, app->host, false, err) : NULL;
	if (!app->collector || status_socket_open(&app->socket, app->conf.status_socket, err) < 0)
		return -1;
	app->slots.end_ms = slots_end_after(clock_now_ms(&app->program.clock));
	log_info(&app->program.log, "started", LOG_STR("build", build_version()), LOG_STR("push", app->conf.push_url),
		 LOG_STR("spool", app->conf.spool_dir),
		 LOG_STR("admin", admin_address(app->admin)));
	return 0;
}

static void flush(struct app *app, int64_t slot_end_ms)
{
	collector_measure(app->collector);
	delivery_flush(app->delivery, collector_store(app->collector), collector_events(app->collector), slot_end_ms);
	app->flushes++;
}

static void flush_when_due(struct app *app)
{
	int64_t due_ms = delivery_flush_at_ms(app->delivery, app->slots.end_ms);
	int64_t cut_ms = slots_due(&app->slots, clock_now_ms(&app->program.clock), due_ms);

	if (cut_ms)
		flush(app, cut_ms);
}

static void tell_status(struct app *app)
{
	int clients[STATUS_SOCKET_CLIENTS_A_TURN];
	size_t nr = status_socket_accept(&app->socket, clients);
	struct buf text = BUF_INIT;
	struct status s;

	if (nr == 0)
		return;
	read_status(app, &s);
	status_json(&s, &text);
	for (size_t i = 0; i < nr; i++)
		status_socket_tell(clients[i], buf_str(&text));
	buf_fini(&text);
}

static void every_second(struct app *app)
{
	struct status s;
	const char *trouble;

	delivery_every_second(app->delivery);
	read_status(app, &s);
	status_metrics_set(app->figures, &s);
	trouble = status_trouble(&s);
	admin_set_ready(app->admin, strcmp(trouble, "ok") == 0, trouble);
	admin_beat(app->admin);
	log_tick(&app->program.log);
}

static int least_wait(int a, int64_t b)
{
	if (b < 0)
		b = 0;
	return a >= 0 && a < b ? a : (int)(b < SECOND_MS ? b : SECOND_MS);
}

/* Until something comes or is due; a second at most, as virtual time may be set. */
static int wait_ms(const struct app *app)
{
	int64_t flush_in_ms = delivery_flush_at_ms(app->delivery, app->slots.end_ms) - clock_now_ms(&app->program.clock);
	int wait = least_wait(delivery_timeout_ms(app->delivery), app->second_mono_ms - clock_mono_ms());

	return least_wait(wait, flush_in_ms > 0 ? clock_real_duration_ms(&app->program.clock, flush_in_ms) : 0);
}

static void take_signals(struct app *app)
{
	int number;

	while ((number = events_signal_read(app->signal_fd)) != 0)
		if (number == SIGTERM || number == SIGINT) {
			log_info(&app->program.log, "stopping", LOG_STR("signal", strsignal(number)));
			app->stop = true;
		}
}

static void wait_and_collect(struct app *app)
{
	struct pollfd fds[3 + COLLECTOR_FDS_MAX] = {
		{.fd = app->signal_fd, .events = POLLIN},
		{.fd = delivery_fd(app->delivery), .events = POLLIN},
		{.fd = app->socket.fd, .events = POLLIN},
	};
	size_t nr = collector_fds(app->collector, fds + 3);

	poll(fds, 3 + nr, wait_ms(app));
	collector_turn(app->collector, fds + 3, nr);
}

static void run(struct app *app)
{
	while (!app->stop) {
		watchdog_feed(&app->watchdog, TURN_LIMIT_MS, "a turn of the loop");
		wait_and_collect(app);
		take_signals(app);
		flush_when_due(app);
		delivery_turn(app->delivery);
		tell_status(app);
		if (clock_mono_ms() < app->second_mono_ms)
			continue;
		app->second_mono_ms = clock_mono_ms() + SECOND_MS;
		every_second(app);
	}
}

/* What was told before the signal is counted: the kernel still holds some of it; and slots to come, for which samples with times of their
 * own wait, will not be waited for. */
static void app_finish(struct app *app)
{
	watchdog_feed(&app->watchdog, app->conf.stop_timeout_ms + STOP_SPARE_MS, "stopping: the last flush and its post");
	admin_set_ready(app->admin, false, "stopping");
	collector_drain(app->collector);
	flush(app, INT64_MAX);
	delivery_stop(app->delivery, app->conf.stop_timeout_ms);
}

static void app_close(struct app *app)
{
	status_socket_close(&app->socket);
	collector_free(app->collector);
	delivery_free(app->delivery);
	status_metrics_free(app->figures);
	admin_free(app->admin);
	metrics_free(app->metrics);
	if (app->signal_fd >= 0)
		close(app->signal_fd);
	watchdog_stop(&app->watchdog);
}

static int serve(struct app *app, struct err *err)
{
	int rc = watchdog_start(&app->watchdog, &app->program.log, err) < 0 || app_open(app, err) < 0 ? -1 : 0;

	if (rc == 0) {
		run(app);
		app_finish(app);
	}
	app_close(app);
	return rc;
}

int main(int argc, char **argv)
{
	struct app app = {.signal_fd = -1, .socket = STATUS_SOCKET_INIT};
	enum command command = command_take(&argc, argv);
	const struct program_spec spec = {
		.name = "millrace-agent",
		.summary = "collects metrics on this machine and posts them; keeps them on disk while nobody takes them",
		.usage = command_usage,
		.admin_default = "127.0.0.1:9106",
		.memory_default = "64Mi",
		.without_kafka = true,
		.section = {agent_conf_fields, &app.conf},
		.check = agent_conf_check,
	};
	struct err err = ERR_INIT;
	int rc = program_init(&app.program, &spec, argc, argv, &err);

	if (rc > 0)
		return EXIT_SUCCESS;
	if (rc == 0) {
		agent_conf_hide_key(environ);
		agent_conf_host(&app.program, &app.conf, app.host, sizeof(app.host));
		curl_global_init(CURL_GLOBAL_DEFAULT);
		rc = command == COMMAND_SERVE ? serve(&app, &err) : command_run(command, &app.program, &app.conf, app.host, &err);
		curl_global_cleanup();
	}
	if (rc < 0)
		log_error(&app.program.log, "failed", LOG_STR("error", err.msg));
	program_fini(&app.program);
	return rc != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
