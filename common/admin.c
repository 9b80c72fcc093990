/* admin.c - see admin.h.
 *
 * libmicrohttpd's own thread serves the port; what the main loop says crosses as two atomics, so that neither ever waits for the
 * other. The port is for operators and scrapers: few connections, small requests, short time-outs, so that a client which
 * says nothing costs nothing else.
 *
 * A request is judged by its head (path, method, token, announced length) before any of its body is taken: who has no token cannot make us
 * keep a byte. The token is compared in constant time and stands in no answer. */
#include "common/admin.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/clock.h"
#include "common/listen.h"
#include "common/token.h"

enum {
	LIVE_MS = 60000, /* the main loop may be silent for this long */
	CONNECTIONS_MAX = 32,
	CONNECTION_MEMORY_BYTES = 16384,
	IDLE_SECONDS = 10,
	BODY_MAX_BYTES = 64 << 10,
};

struct admin {
	struct MHD_Daemon *daemon; /* NULL: no server */
	struct metrics *metrics;
	struct metric *ready_metric; /* set by each scrape */
	_Atomic int64_t beat_mono_ms;
	_Atomic(const char *) unready; /* why not ready; NULL is ready */
	_Atomic(const char *) ready;   /* what is said when it is */
	char address[LISTEN_SIZE];
	atomic_bool serves_desk; /* set last: the next four are constant by then */
	const char *desk;        /* its path */
	admin_controls_fn controls;
	void *controls_ctx;
	struct token token; /* empty: nobody is let in */
};

/* One request whose head was taken. */
struct request {
	const struct route *route;
	enum admin_call call;
	struct buf body; /* of a PUT alone */
};

/* One path. answer is called when the whole request is there; head, unless NULL, judges it before: false when it has answered. */
struct route {
	const char *path;    /* of the desk's: where it is looked for while there is none */
	const char *methods; /* what stands in Allow */
	enum MHD_Result (*answer)(struct admin *a, struct MHD_Connection *connection, const struct request *request);
	bool (*head)(struct admin *a, struct MHD_Connection *connection, enum MHD_Result *result);
};

bool admin_listen_valid(const char *text)
{
	union listen_address address;

	return !*text || listen_parse(text, &address, NULL) == 0;
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

/* text lives for ever; methods, unless NULL, is what Allow says. */
static enum MHD_Result answer_text(struct MHD_Connection *connection, unsigned int status, const char *text, const char *methods)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_PERSISTENT);

	if (response && status != MHD_HTTP_NO_CONTENT)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/plain; charset=utf-8");
	if (response && methods)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, methods);
	if (response && status == MHD_HTTP_UNAUTHORIZED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
	return answer(connection, status, response);
}

/* What is in text goes to libmicrohttpd as it is, and is freed by it. */
static enum MHD_Result answer_buf(struct MHD_Connection *connection, unsigned int status, struct buf *text, const char *type)
{
	struct MHD_Response *response;

	if (buf_failed(text)) {
		buf_fini(text);
		return answer_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory", NULL);
	}
	response = MHD_create_response_from_buffer(text->len, text->p, MHD_RESPMEM_MUST_FREE);
	if (!response)
		buf_fini(text);
	else
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	return answer(connection, status, response);
}

static enum MHD_Result answer_metrics(struct admin *a, struct MHD_Connection *connection, const struct request *request)
{
	struct buf text = BUF_INIT;

	(void)request;
	metric_set(a->ready_metric, admin_is_ready(a));
	metrics_render(a->metrics, &text);
	return answer_buf(connection, MHD_HTTP_OK, &text, "text/plain; version=0.0.4; charset=utf-8");
}

/* Reads the clock only here: a main loop that is stuck cannot say so itself. */
static enum MHD_Result answer_live(struct admin *a, struct MHD_Connection *connection, const struct request *request)
{
	bool live = clock_mono_ms() - atomic_load(&a->beat_mono_ms) <= LIVE_MS;

	(void)request;
	return live ? answer_text(connection, MHD_HTTP_OK, "live", NULL)
		    : answer_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "the main loop has not come round for 60 s", NULL);
}

static enum MHD_Result answer_ready(struct admin *a, struct MHD_Connection *connection, const struct request *request)
{
	const char *unready = atomic_load(&a->unready);

	(void)request;
	return unready ? answer_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE, unready, NULL)
		       : answer_text(connection, MHD_HTTP_OK, atomic_load(&a->ready), NULL);
}

/* The token of "Authorization: Bearer TOKEN", or NULL. */
static const char *bearer_of(struct MHD_Connection *connection)
{
	static const char scheme[] = "Bearer ";
	const char *header = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_AUTHORIZATION);

	return header && strncasecmp(header, scheme, sizeof(scheme) - 1) == 0 ? header + sizeof(scheme) - 1 : NULL;
}

/* By what the head announces; a number too large for strtoull() becomes its largest. */
static bool is_too_large(struct MHD_Connection *connection)
{
	const char *length = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);

	return length && strtoull(length, NULL, 10) > BODY_MAX_BYTES;
}

static bool judge_controls(struct admin *a, struct MHD_Connection *connection, enum MHD_Result *result)
{
	if (!atomic_load_explicit(&a->serves_desk, memory_order_acquire))
		*result = answer_text(connection, MHD_HTTP_NOT_FOUND, "not found: this program obeys no controls", NULL);
	else if (!a->token.text[0])
		*result = answer_text(connection, MHD_HTTP_FORBIDDEN,
				      "nobody is let in: admin.token_file must name a file with a token", NULL);
	else if (!token_matches(&a->token, bearer_of(connection)))
		*result = answer_text(connection, MHD_HTTP_UNAUTHORIZED,
				      "this wants the token of admin.token_file: Authorization: Bearer TOKEN", NULL);
	else if (is_too_large(connection))
		*result = answer_text(connection, MHD_HTTP_CONTENT_TOO_LARGE, "64 KiB are allowed", NULL);
	else
		return true;
	return false;
}

static enum MHD_Result answer_controls(struct admin *a, struct MHD_Connection *connection, const struct request *request)
{
	const char *id = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "id");
	struct buf text = BUF_INIT;
	unsigned int status;

	if (request->call == ADMIN_CONTROLS_CLEAR && !id)
		return answer_text(connection, MHD_HTTP_BAD_REQUEST, "which one? DELETE /controls?id=ID", NULL);
	status = a->controls(a->controls_ctx, request->call,
			     request->call == ADMIN_CONTROLS_CLEAR ? str_from(id) : buf_str(&request->body), &text);
	if (status == MHD_HTTP_NO_CONTENT) {
		buf_fini(&text);
		return answer_text(connection, status, "", NULL);
	}
	return answer_buf(connection, status, &text, status == MHD_HTTP_OK ? "application/json" : "text/plain; charset=utf-8");
}

static const struct route routes[] = {
	{"/metrics", "GET, HEAD", answer_metrics, NULL},
	{"/health/live", "GET, HEAD", answer_live, NULL},
	{"/health/ready", "GET, HEAD", answer_ready, NULL},
	{"/controls", "GET, HEAD, PUT, DELETE", answer_controls, judge_controls},
};

/* Is method one of "A, B, C"? */
static bool is_allowed(const char *methods, const char *method)
{
	size_t len = strlen(method);

	for (const char *at = methods; *at; at += strspn(at, ", ")) {
		size_t word = strcspn(at, ",");

		if (word == len && memcmp(at, method, len) == 0)
			return true;
		at += word;
	}
	return false;
}

/* Where a route is: the desk's is where the program said. */
static const char *path_of(struct admin *a, const struct route *route)
{
	return route->head && atomic_load_explicit(&a->serves_desk, memory_order_acquire) ? a->desk : route->path;
}

/* What is refused is answered by its head: that closes the connection, whose body nobody has read. */
static enum MHD_Result begin(struct admin *a, struct MHD_Connection *connection, const char *url, const char *method, void **seen)
{
	struct request *request;
	enum MHD_Result result;
	size_t i = 0;

	while (i < sizeof(routes) / sizeof(routes[0]) && strcmp(path_of(a, &routes[i]), url) != 0)
		i++;
	if (i == sizeof(routes) / sizeof(routes[0]))
		return answer_text(connection, MHD_HTTP_NOT_FOUND, "not found", NULL);
	if (!is_allowed(routes[i].methods, method))
		return answer_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "method not allowed", routes[i].methods);
	if (routes[i].head && !routes[i].head(a, connection, &result))
		return result;
	request = calloc(1, sizeof(*request));
	if (!request)
		return MHD_NO;
	request->route = &routes[i];
	if (strcmp(method, MHD_HTTP_METHOD_PUT) == 0)
		request->call = ADMIN_CONTROLS_PUT;
	else if (strcmp(method, MHD_HTTP_METHOD_DELETE) == 0)
		request->call = ADMIN_CONTROLS_CLEAR;
	*seen = request;
	return MHD_YES;
}

/* libmicrohttpd calls this once when the head is read and again for the body and its end. Answering the second call, not the first, lets a
 * scraper keep its connection. A body without announced length that becomes too large ends the connection. */
static enum MHD_Result handle(void *ctx, struct MHD_Connection *connection, const char *url, const char *method, const char *version,
			      const char *body, size_t *body_len, void **seen)
{
	struct request *request = *seen;

	(void)version;
	if (!request)
		return begin(ctx, connection, url, method, seen);
	if (*body_len == 0)
		return request->route->answer(ctx, connection, request);
	if (request->call == ADMIN_CONTROLS_PUT) {
		if (request->body.len + *body_len > BODY_MAX_BYTES)
			return MHD_NO;
		buf_add(&request->body, body, *body_len);
	}
	*body_len = 0;
	return buf_failed(&request->body) ? MHD_NO : MHD_YES;
}

/* However it ended. */
static void end(void *ctx, struct MHD_Connection *connection, void **seen, enum MHD_RequestTerminationCode code)
{
	struct request *request = *seen;

	(void)ctx;
	(void)connection;
	(void)code;
	if (request)
		buf_fini(&request->body);
	free(request);
	*seen = NULL;
}

static int start(struct admin *a, const char *listen, struct err *err)
{
	const union MHD_DaemonInfo *info;
	union listen_address address;
	/* Not MHD_USE_EPOLL: with it, 0.9.75 does not see the end of a connection that came right behind half a request, and a few dozen
	 * of those hold all places until the idle time-out. */
	unsigned int flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL;

	if (listen_parse(listen, &address, err) < 0)
		return -1;
	if (address.any.sa_family == AF_INET6)
		flags |= MHD_USE_IPv6;
	errno = 0;
	a->daemon = MHD_start_daemon(flags, 0, NULL, NULL, handle, a, MHD_OPTION_SOCK_ADDR, &address.any,
				     MHD_OPTION_NOTIFY_COMPLETED, end, NULL, MHD_OPTION_CONNECTION_LIMIT, (unsigned int)CONNECTIONS_MAX,
				     MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY_BYTES,
				     MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)IDLE_SECONDS, MHD_OPTION_END);
	if (!a->daemon)
		return err_set(err, ERR_FATAL, "cannot listen on %s: %s", listen, errno ? strerror(errno) : "no HTTP server");
	info = MHD_get_daemon_info(a->daemon, MHD_DAEMON_INFO_BIND_PORT);
	listen_write(&address, info ? info->port : 0, a->address);
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
	a->ready_metric = metrics_gauge(metrics, "millrace_ready", NULL);
	atomic_init(&a->beat_mono_ms, clock_mono_ms());
	atomic_init(&a->unready, "starting");
	atomic_init(&a->ready, "ready");
	atomic_init(&a->serves_desk, false);
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
	token_forget(&a->token);
	free(a);
}

int admin_serve_controls(struct admin *a, const char *token_file, admin_controls_fn fn, void *ctx, struct err *err)
{
	return admin_serve_desk(a, "/controls", token_file, fn, ctx, err);
}

int admin_serve_desk(struct admin *a, const char *path, const char *token_file, admin_controls_fn fn, void *ctx, struct err *err)
{
	if (token_file[0] && token_read(&a->token, token_file, err) < 0)
		return err_wrap(err, "admin.token_file");
	a->desk = path;
	a->controls = fn;
	a->controls_ctx = ctx;
	atomic_store_explicit(&a->serves_desk, true, memory_order_release);
	return 0;
}

int admin_check_token_file(const char *token_file, struct err *err)
{
	struct token token = {0};
	int rc = token_file[0] ? token_read(&token, token_file, err) : 0;

	token_forget(&token);
	return rc < 0 ? err_wrap(err, "admin.token_file") : 0;
}

void admin_beat(struct admin *a)
{
	atomic_store(&a->beat_mono_ms, clock_mono_ms());
}

void admin_set_ready(struct admin *a, bool ready, const char *word)
{
	atomic_store(&a->ready, ready && word ? word : "ready");
	atomic_store(&a->unready, ready ? NULL : word ? word : "not ready");
}

bool admin_is_ready(const struct admin *a)
{
	return atomic_load(&a->unready) == NULL;
}

const char *admin_address(const struct admin *a)
{
	return a->address;
}
