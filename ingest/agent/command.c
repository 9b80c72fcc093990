/* command.c - see command.h. */
#include "ingest/agent/command.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "ingest/agent/bundle.h"
#include "ingest/agent/collector.h"
#include "ingest/agent/diagnose.h"
#include "ingest/agent/payload_json.h"
#include "ingest/agent/status_socket.h"

enum { LISTEN_MS = 1200 };

const char command_usage[] =
	"       millrace-agent --once ..      listens for a second, measures the machine, prints the payload it would send, sends nothing\n"
	"       millrace-agent diagnose ..    checks name, connection, TLS, key, clock, spool and sockets; exit code 1 when one fails\n"
	"       millrace-agent status ..      asks the agent that runs how it is, by status.socket\n";

static void take_out(int *argc, char **argv, int i)
{
	memmove(argv + i, argv + i + 1, (size_t)(*argc - i) * sizeof(*argv)); /* with the NULL at its end */
	--*argc;
}

enum command command_take(int *argc, char **argv)
{
	static const struct {
		const char *word;
		enum command command;
	} words[] = {{"diagnose", COMMAND_DIAGNOSE}, {"status", COMMAND_STATUS}};

	for (size_t i = 0; *argc > 1 && i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(argv[1], words[i].word) == 0) {
			take_out(argc, argv, 1);
			return words[i].command;
		}
	for (int i = 1; i < *argc; i++)
		if (strcmp(argv[i], "--once") == 0) {
			take_out(argc, argv, i);
			return COMMAND_ONCE;
		}
	return COMMAND_SERVE;
}

/* For bundle_make(): prints instead of keeping. */
static int print_payload(void *ctx, const struct envelope *e, struct err *err)
{
	struct buf text = BUF_INIT;
	int rc = payload_json(e->body, &text, err);

	if (rc == 0)
		fwrite(text.p, 1, text.len, ctx);
	buf_fini(&text);
	return rc;
}

/* Counters of the machine are differences: it was measured when the collector was made, and is again at the end. */
static void listen_a_while(struct collector *collector)
{
	struct pollfd fds[COLLECTOR_FDS_MAX];
	int64_t until = clock_mono_ms() + LISTEN_MS;

	for (int64_t left; (left = until - clock_mono_ms()) > 0;) {
		size_t nr = collector_fds(collector, fds);

		poll(fds, nr, (int)left);
		collector_turn(collector, fds, nr);
	}
	collector_measure(collector);
}

static int once(const struct program *p, const struct agent_conf *c, const char *host, struct err *err)
{
	const struct bundle_conf conf = {(size_t)c->push_max_bytes, host, c->environment, c->revision};
	struct collector *collector = collector_new(p, c, host, true, err);
	struct bundle *bundle = collector ? bundle_new(&conf, err) : NULL;
	struct identity identity;
	struct bundle_result result;
	int rc = -1;

	if (bundle && identity_init(&identity, err) == 0) {
		struct bundle_flush flush = {
			.store = collector_store(collector),
			.events = collector_events(collector),
			.identity = &identity,
			.take = print_payload,
			.ctx = stdout,
		};

		listen_a_while(collector);
		flush.created_at_ms = clock_now_ms(&p->clock);
		flush.slot_end_ms = INT64_MAX;
		rc = bundle_make(bundle, &flush, &result, err);
	}
	bundle_free(bundle);
	collector_free(collector);
	return rc;
}

static int ask_status(const struct agent_conf *c, struct err *err)
{
	if (!*c->status_socket)
		return err_set(err, ERR_REJECT, "key status.socket is not set: the agent that runs has no such socket, or other settings");
	return status_socket_ask(c->status_socket, stdout, err);
}

int command_run(enum command command, const struct program *p, const struct agent_conf *c, const char *host, struct err *err)
{
	switch (command) {
	case COMMAND_ONCE:
		return once(p, c, host, err);
	case COMMAND_DIAGNOSE:
		return diagnose(p, c, stdout) ? 1 : 0;
	case COMMAND_STATUS:
		return ask_status(c, err);
	case COMMAND_SERVE:
		break;
	}
	return err_set(err, ERR_FATAL, "no command");
}
