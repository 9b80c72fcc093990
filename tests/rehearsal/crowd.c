/* crowd.c - 200 agents in one process, for the rehearsal: the agent's own store, spool and delivery, told by a plan, with a ledger.
 *
 * One thread, one loop. Every STEP_MS each agent is told what is due, and flushed when its slot is; in between posts are moved on.
 * SIGUSR1: no more telling, the open slots are flushed at once; delivery goes on, and flushes without values tell what losses are open.
 * SIGTERM: the open slots go to the spools, which are on disk; exit 0, and another start in the same folder brings them. The socket tells
 * whoever connects how the crowd is.
 *
 * What it costs, for 200 agents: 1,400 descriptors, 40 MiB of memory, and 120 MiB of disk in the files that each agent allocates for its
 * losses. A flush waits for the disk three times: at twenty times real time the folder is best kept in memory, as a disk that is busy
 * takes 30 ms for it and 200 agents flush every second. */
#include <curl/curl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "common/admin.h"
#include "common/build.h"
#include "common/events.h"
#include "common/watchdog.h"
#include "ingest/agent/status_socket.h"
#include "tests/rehearsal/crowd_agents.h"

enum { STEP_MS = 25, SECOND_MS = 1000, TURN_LIMIT_MS = 120000 };

struct app {
	struct program program;
	struct crowd_conf conf;
	struct crowd_agents agents;
	struct metrics *metrics;
	struct admin *admin;
	struct status_socket socket;
	char socket_path[PATH_MAX];
	struct watchdog watchdog;
	int signal_fd;
	int64_t step_mono_ms, second_mono_ms; /* when the next one is due */
	bool telling, stop;
};

/* Each agent has some ten descriptors. */
static void raise_limits(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

/* SIGUSR1 beside those that every program takes. */
static int open_signals(struct app *app, struct err *err)
{
	sigset_t set;

	app->signal_fd = events_signal_fd(err);
	if (app->signal_fd < 0)
		return -1;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGUSR1);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0 || signalfd(app->signal_fd, &set, 0) < 0)
		return err_set(err, ERR_FATAL, "SIGUSR1 cannot be taken");
	return 0;
}

static int wait_for(struct app *app, int fd, struct err *err)
{
	struct epoll_event e = {.events = EPOLLIN};

	return epoll_ctl(app->agents.epoll_fd, EPOLL_CTL_ADD, fd, &e) == 0 ? 0 : err_set(err, ERR_FATAL, "a descriptor cannot be waited for");
}

static int app_open(struct app *app, struct err *err)
{
	if (open_signals(app, err) < 0)
		return -1;
	app->metrics = metrics_new(app->program.name);
	app->admin = app->metrics ? admin_new(app->program.common.admin_listen, app->metrics, err) : NULL;
	if (!app->admin)
		return app->metrics ? -1 : err_nomem(err, "metrics");
	snprintf(app->socket_path, sizeof(app->socket_path), "%s/crowd.sock", app->conf.dir);
	if (crowd_agents_open(&app->agents, &app->program, &app->conf, err) < 0 || status_socket_open(&app->socket, app->socket_path, err) < 0 ||
	    wait_for(app, app->signal_fd, err) < 0 || wait_for(app, app->socket.fd, err) < 0)
		return -1;
	admin_set_ready(app->admin, true, NULL);
	log_info(&app->program.log, "started", LOG_STR("build", build_version()), LOG_UINT("agents", app->agents.nr));
	return 0;
}

static void app_close(struct app *app)
{
	status_socket_close(&app->socket);
	crowd_agents_close(&app->agents);
	admin_free(app->admin);
	metrics_free(app->metrics);
	if (app->signal_fd >= 0)
		close(app->signal_fd);
	watchdog_stop(&app->watchdog);
}

static void tell_status(struct app *app)
{
	int clients[STATUS_SOCKET_CLIENTS_A_TURN];
	size_t nr = status_socket_accept(&app->socket, clients);
	struct buf text = BUF_INIT;
	struct crowd_status s;

	if (nr == 0)
		return;
	crowd_agents_read(&app->agents, &s);
	s.telling = app->telling;
	crowd_status_json(&s, &text);
	for (size_t i = 0; i < nr; i++)
		status_socket_tell(clients[i], buf_str(&text));
	buf_fini(&text);
}

static int stop_telling(struct app *app, struct err *err)
{
	if (!app->telling)
		return 0;
	app->telling = false;
	crowd_agents_flush_all(&app->agents);
	log_info(&app->program.log, "telling_ended", LOG_STR("meaning", "what was told is spooled, and is delivered"));
	return crowd_ledger_sync(&app->agents.ledger, err);
}

static int take_signals(struct app *app, struct err *err)
{
	int number;

	while ((number = events_signal_read(app->signal_fd)) != 0) {
		app->stop |= number != SIGUSR1;
		if (stop_telling(app, err) < 0)
			return -1;
	}
	return 0;
}

static int work(struct app *app, struct err *err)
{
	int64_t now_ms = clock_mono_ms();

	if (now_ms >= app->step_mono_ms) {
		app->step_mono_ms = now_ms + STEP_MS;
		if (crowd_agents_step(&app->agents, app->telling, err) < 0)
			return -1;
	}
	if (now_ms >= app->second_mono_ms) {
		app->second_mono_ms = now_ms + SECOND_MS;
		admin_beat(app->admin);
		return crowd_agents_every_second(&app->agents, err);
	}
	return 0;
}

static int run(struct app *app, struct err *err)
{
	app->telling = true;
	while (!app->stop) {
		int64_t wait_ms = app->step_mono_ms - clock_mono_ms();

		watchdog_feed(&app->watchdog, TURN_LIMIT_MS, "a turn of the loop");
		crowd_agents_wait(&app->agents, wait_ms < 0 ? 0 : wait_ms < STEP_MS ? (int)wait_ms : STEP_MS);
		if (take_signals(app, err) < 0 || work(app, err) < 0)
			return -1;
		tell_status(app);
	}
	return 0;
}

static int serve(struct app *app, struct err *err)
{
	int rc = watchdog_start(&app->watchdog, &app->program.log, err) < 0 || app_open(app, err) < 0 ? -1 : run(app, err);

	app_close(app);
	return rc;
}

int main(int argc, char **argv)
{
	struct app app = {.signal_fd = -1, .socket = STATUS_SOCKET_INIT, .agents = CROWD_AGENTS_INIT};
	const struct program_spec spec = {
		.name = "crowd",
		.summary = "many agents in one process, with a ledger of what they were told",
		.memory_default = "256Mi",
		.without_kafka = true,
		.section = {crowd_conf_fields, &app.conf},
		.check = crowd_conf_check,
	};
	struct err err = ERR_INIT;
	int rc = program_init(&app.program, &spec, argc, argv, &err);

	if (rc > 0)
		return EXIT_SUCCESS;
	if (rc == 0) {
		raise_limits();
		curl_global_init(CURL_GLOBAL_DEFAULT);
		rc = serve(&app, &err);
		curl_global_cleanup();
	}
	if (rc < 0)
		log_error(&app.program.log, "failed", LOG_STR("error", err.msg));
	program_fini(&app.program);
	return rc != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
