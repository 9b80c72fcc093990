/* admin.c - see admin.h.
 *
 * libmicrohttpd's own thread serves the port; what the main loop says crosses as two atomics, so that neither ever waits for the
 * other. The port is for operators and scrapers: few connections, small requests, short time-outs, so that a client which
 * says nothing costs nothing else. */
#include "common/admin.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/clock.h"

enum {
	LIVE_MS = 60000, /* the main loop may be silent for this long */
	CONNECTIONS_MAX = 32,
	CONNECTION_MEMORY_BYTES = 16384,
	IDLE_SECONDS = 10,
	ADDRESS_SIZE = INET6_ADDRSTRLEN + sizeof("[]:65535"),
};

struct admin {
	struct MHD_Daemon *daemon; /* NULL: no server */
	struct metrics *metrics;
	_Atomic int64_t beat_mono_ms;
	_Atomic(const char *) unready; /* why not ready; NULL is ready */
	char address[ADDRESS_SIZE];
};

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* "0" to "65535", digits only; -1 otherwise. */
static int parse_port(const char *text)
{
	long port = 0;

	if (!*text || strlen(text) > 5)
		return -1;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -1;
		port = port * 10 + (*text - '0');
	}
	return port <= UINT16_MAX ? (int)port : -1;
}

/* "IPv4:port" or "[IPv6]:port". Numbers only: a name could mean more interfaces than its writer thought. */
static int parse_listen(const char *listen, union address *address, struct err *err)
{
	const char *colon = strrchr(listen, ':');
	int port = colon ? parse_port(colon + 1) : -1;
	size_t n = colon ? (size_t)(colon - listen) : 0;
	bool v6 = n >= 2 && listen[0] == '[' && colon[-1] == ']';
	char host[INET6_ADDRSTRLEN];

	memset(address, 0, sizeof(*address));
	n -= v6 ? 2 : 0;
	if (port < 0 || n >= sizeof(host))
		goto bad;
	memcpy(host, listen + v6, n);
	host[n] = '\0';
	if (v6 && inet_pton(AF_INET6, host, &address->v6.sin6_addr) == 1) {
		address->v6.sin6_family = AF_INET6;
		address->v6.sin6_port = htons((uint16_t)port);
		return 0;
	}
	if (!v6 && inet_pton(AF_INET, host, &address->v4.sin_addr) == 1) {
		address->v4.sin_family = AF_INET;
		address->v4.sin_port = htons((uint16_t)port);
		return 0;
	}
bad:
	return err_set(err, ERR_REJECT, "cannot listen on '%.80s': it is neither IPv4:port nor [IPv6]:port", listen);
}

bool admin_listen_valid(const char *text)
{
	union address address;

	return !*text || parse_listen(text, &address, NULL) == 0;
}

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned int status, struct MHD_Response *response)
{
	enum MHD_Result result;

	if (!response)
		return MHD_NO;
	result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

/* text lives for ever. */
static enum MHD_Result answer_text(struct MHD_Connection *connection, unsigned int status, const char *text)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_PERSISTENT);

	if (response)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/plain; charset=utf-8");
	if (response && status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	return answer(connection, status, response);
}

/* The text goes to libmicrohttpd as it is, and is freed by it. */
static enum MHD_Result answer_metrics(struct admin *a, struct MHD_Connection *connection)
{
	struct buf text = BUF_INIT;
	struct MHD_Response *response;

	metrics_render(a->metrics, &text);
	if (buf_failed(&text)) {
		buf_fini(&text);
		return answer_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory");
	}
	response = MHD_create_response_from_buffer(text.len, text.p, MHD_RESPMEM_MUST_FREE);
	if (!response)
		buf_fini(&text);
	else
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8");
	return answer(connection, MHD_HTTP_OK, response);
}

/* Reads the clock only here: a main loop that is stuck cannot say so itself. */
static enum MHD_Result answer_live(struct admin *a, struct MHD_Connection *connection)
{
	bool live = clock_mono_ms() - atomic_load(&a->beat_mono_ms) <= LIVE_MS;

	return live ? answer_text(connection, MHD_HTTP_OK, "live")
		    : answer_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "the main loop has not come round for 60 s");
}

static enum MHD_Result answer_ready(struct admin *a, struct MHD_Connection *connection)
{
	const char *unready = atomic_load(&a->unready);

	return unready ? answer_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE, unready)
		       : answer_text(connection, MHD_HTTP_OK, "ready");
}

static const struct {
	const char *path;
	enum MHD_Result (*answer)(struct admin *a, struct MHD_Connection *connection);
} routes[] = {
	{"/metrics", answer_metrics},
	{"/health/live", answer_live},
	{"/health/ready", answer_ready},
};

/* libmicrohttpd calls this once when the head is read and again for the body and its end. An answer to the first call closes the
 * connection, which is right for what is refused, whereas a scraper may keep its connection. */
static enum MHD_Result handle(void *ctx, struct MHD_Connection *connection, const char *url, const char *method, const char *version,
			      const char *body, size_t *body_len, void **seen)
{
	size_t i = 0;

	(void)version;
	(void)body;
	while (i < sizeof(routes) / sizeof(routes[0]) && strcmp(routes[i].path, url) != 0)
		i++;
	if (i == sizeof(routes) / sizeof(routes[0]))
		return answer_text(connection, MHD_HTTP_NOT_FOUND, "not found");
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return answer_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "method not allowed");
	if (!*seen || *body_len) {
		*seen = ctx;
		*body_len = 0;
		return MHD_YES;
	}
	return routes[i].answer(ctx, connection);
}

/* The host as it was given, the port as it is. */
static void write_address(struct admin *a, const union address *address, uint16_t port)
{
	char host[INET6_ADDRSTRLEN] = "";

	if (address->any.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &address->v6.sin6_addr, host, sizeof(host));
		snprintf(a->address, sizeof(a->address), "[%s]:%u", host, port);
	} else {
		inet_ntop(AF_INET, &address->v4.sin_addr, host, sizeof(host));
		snprintf(a->address, sizeof(a->address), "%s:%u", host, port);
	}
}

static int start(struct admin *a, const char *listen, struct err *err)
{
	const union MHD_DaemonInfo *info;
	union address address;
	/* Not MHD_USE_EPOLL: with it, 0.9.75 does not see the end of a connection that came right behind half a request, and a few dozen
	 * of those hold all places until the idle time-out. */
	unsigned int flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL;

	if (parse_listen(listen, &address, err) < 0)
		return -1;
	if (address.any.sa_family == AF_INET6)
		flags |= MHD_USE_IPv6;
	errno = 0;
	a->daemon = MHD_start_daemon(flags, 0, NULL, NULL, handle, a, MHD_OPTION_SOCK_ADDR, &address.any,
				     MHD_OPTION_CONNECTION_LIMIT, (unsigned int)CONNECTIONS_MAX,
				     MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY_BYTES,
				     MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)IDLE_SECONDS, MHD_OPTION_END);
	if (!a->daemon)
		return err_set(err, ERR_FATAL, "cannot listen on %s: %s", listen, errno ? strerror(errno) : "no HTTP server");
	info = MHD_get_daemon_info(a->daemon, MHD_DAEMON_INFO_BIND_PORT);
	write_address(a, &address, info ? info->port : 0);
	return 0;
}

struct admin *admin_new(const char *listen, struct metrics *metrics, struct err *err)
{
	struct admin *a = calloc(1, sizeof(*a));

	if (!a) {
		err_nomem(err, "the admin port");
		return NULL;
	}
	a->metrics = metrics;
	atomic_init(&a->beat_mono_ms, clock_mono_ms());
	atomic_init(&a->unready, "starting");
	if (listen && listen[0] && start(a, listen, err) < 0) {
		admin_free(a);
		return NULL;
	}
	return a;
}

void admin_free(struct admin *a)
{
	if (!a)
		return;
	if (a->daemon)
		MHD_stop_daemon(a->daemon);
	free(a);
}

void admin_beat(struct admin *a)
{
	atomic_store(&a->beat_mono_ms, clock_mono_ms());
}

void admin_set_ready(struct admin *a, bool ready, const char *reason)
{
	atomic_store(&a->unready, ready ? NULL : reason ? reason : "not ready");
}

bool admin_is_ready(const struct admin *a)
{
	return atomic_load(&a->unready) == NULL;
}

const char *admin_address(const struct admin *a)
{
	return a->address;
}
