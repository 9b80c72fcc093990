/* server.c - see server.h.
 *
 * Invariants:
 *  I1  An answer is a whole MHD_Response, made when it is added. libmicrohttpd counts who uses one, so a set may be let go while its bytes still go out.
 *  I2  The mutex guards the set and the table of connections. The server's thread holds it to look an answer up and to queue it, the main loop to change sets:
 *      neither for as long as anything waits.
 *
 * Not MHD_USE_EPOLL: with it, 0.9.75 does not see the end of a connection that came right behind half a request. The library's own time-out is of silence, so a
 * client that sends a byte every few seconds would keep its place for ever; hence a table of connections with their begin, from which the main
 * loop cuts what takes too long. */
#include "sink/status/server.h"

#include <errno.h>
#include <inttypes.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "common/clock.h"
#include "common/listen.h"
#include "common/map.h"
#include "sink/status/registry.h"

enum {
	CONNECTIONS_MAX = 1000,
	CONNECTIONS_SPARE = 16, /* places kept free while others leave */
	CONNECTION_MEMORY_BYTES = 16384,
	IDLE_SECONDS = 15,
	REQUEST_MS = 30000, /* of a request and its answer together, and between two */
	ETAG_SIZE = 20,
};

/* Hardly anything of a page may be loaded or done but its own style sheet, and the icon that stands in it. */
#define POLICY "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

struct answer {
	char etag[ETAG_SIZE];
	struct MHD_Response *whole, *unchanged; /* (I1) */
};

struct answers {
	struct map by_path; /* of the path's hash to struct answer * */
};

enum outcome { OUTCOME_OK, OUTCOME_NOT_MODIFIED, OUTCOME_NOT_FOUND, OUTCOME_REFUSED, NR_OUTCOMES };

/* A connection that is open. */
struct place {
	MHD_socket fd;      /* -1: free */
	int64_t begun_ms;   /* of the request that is being read or answered */
	bool ended;         /* it was shut down, and leaves */
};

struct server {
	struct MHD_Daemon *daemon;
	struct metric *requests[NR_OUTCOMES];
	char address[LISTEN_SIZE];
	pthread_mutex_t mutex; /* (I2) guards the next four */
	struct answers *page, *registry; /* NULL: none yet */
	struct place places[CONNECTIONS_MAX];
	size_t nr_places;        /* beyond are none */
};

struct answers *answers_new(struct err *err)
{
	struct answers *a = calloc(1, sizeof(*a));

	if (!a)
		err_nomem(err, "the answers");
	return a;
}

static void answer_free(struct answer *a)
{
	if (a && a->whole)
		MHD_destroy_response(a->whole);
	if (a && a->unchanged)
		MHD_destroy_response(a->unchanged);
	free(a);
}

void answers_free(struct answers *a)
{
	const struct map_slot *slot;
	size_t at = 0;

	if (!a)
		return;
	while ((slot = map_next(&a->by_path, &at)) != NULL)
		answer_free(slot->value);
	map_fini(&a->by_path);
	free(a);
}

static void add_headers(struct MHD_Response *r, const struct answer *a, const char *content_type, int max_age_s)
{
	char cache[48];

	snprintf(cache, sizeof(cache), "public, max-age=%d", max_age_s);
	MHD_add_response_header(r, MHD_HTTP_HEADER_CACHE_CONTROL, cache);
	MHD_add_response_header(r, MHD_HTTP_HEADER_ETAG, a->etag);
	MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
	MHD_add_response_header(r, "Referrer-Policy", "no-referrer");
	if (strncmp(content_type, "text/html", 9) == 0)
		MHD_add_response_header(r, "Content-Security-Policy", POLICY);
	else
		MHD_add_response_header(r, MHD_HTTP_HEADER_ACCESS_CONTROL_ALLOW_ORIGIN, "*");
}

/* Takes the body over, also when it fails. */
static struct answer *make_answer(const char *content_type, int max_age_s, struct buf *body)
{
	struct answer *a = calloc(1, sizeof(*a));

	if (!a || buf_failed(body)) {
		buf_fini(body);
		free(a);
		return NULL;
	}
	snprintf(a->etag, sizeof(a->etag), "\"%016" PRIx64 "\"", (uint64_t)XXH3_64bits(body->p, body->len));
	a->whole = MHD_create_response_from_buffer(body->len, body->p, body->p ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
	if (!a->whole)
		buf_fini(body);
	*body = (struct buf)BUF_INIT;
	a->unchanged = MHD_create_response_from_buffer(0, (void *)(uintptr_t)"", MHD_RESPMEM_PERSISTENT);
	if (!a->whole || !a->unchanged) {
		answer_free(a);
		return NULL;
	}
	MHD_add_response_header(a->whole, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
	add_headers(a->whole, a, content_type, max_age_s);
	add_headers(a->unchanged, a, content_type, max_age_s);
	return a;
}

int answers_add(struct answers *a, const char *path, const char *content_type, int max_age_s, struct buf *body, struct err *err)
{
	struct answer *one = make_answer(content_type, max_age_s, body), *before;
	uint8_t key[MAP_KEY_BYTES];

	if (!one)
		return err_nomem(err, "an answer");
	map_key_of(str_from(path), key);
	before = map_get(&a->by_path, key);
	if (map_put(&a->by_path, key, one) < 0) {
		answer_free(one);
		return err_nomem(err, "an answer");
	}
	answer_free(before);
	return 0;
}

void answers_refresh(struct answers *a, const char *path, int seconds)
{
	uint8_t key[MAP_KEY_BYTES];
	const struct answer *one;
	char text[16];

	map_key_of(str_from(path), key);
	one = map_get(&a->by_path, key);
	snprintf(text, sizeof(text), "%d", seconds);
	MHD_add_response_header(one->whole, "Refresh", text);
	MHD_add_response_header(one->unchanged, "Refresh", text);
}

static enum MHD_Result queue(struct server *s, struct MHD_Connection *connection, unsigned int status, struct MHD_Response *response, enum outcome outcome)
{
	metric_add(s->requests[outcome], 1);
	return MHD_queue_response(connection, status, response);
}

/* text lives for ever. */
static enum MHD_Result send_text(struct server *s, struct MHD_Connection *connection, unsigned int status, const char *text, const char *type)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_PERSISTENT);
	enum MHD_Result result;

	if (!response)
		return MHD_NO;
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store"); /* what is not there may be a moment later */
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	MHD_add_response_header(response, "Content-Security-Policy", POLICY);
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	result = queue(s, connection, status, response, status == MHD_HTTP_NOT_FOUND ? OUTCOME_NOT_FOUND : OUTCOME_REFUSED);
	MHD_destroy_response(response);
	return result;
}

static bool is_registry(const char *url)
{
	return strncmp(url, "/schemas", 8) == 0 || strncmp(url, "/subjects", 9) == 0;
}

static enum MHD_Result send_error(struct server *s, struct MHD_Connection *connection, unsigned int status, const char *url)
{
	static const char not_found[] = "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">"
					"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><meta name=\"color-scheme\" content=\"light dark\">"
					"<title>Not found</title><body><h1>Not found</h1>"
					"<p>There is nothing at this address. <a href=\"/\">The status page</a></p></body></html>\n";

	if (is_registry(url))
		return send_text(s, connection, status, registry_error(url, status), REGISTRY_TYPE);
	if (status == MHD_HTTP_NOT_FOUND)
		return send_text(s, connection, status, not_found, "text/html; charset=utf-8");
	return send_text(s, connection, status, status == MHD_HTTP_METHOD_NOT_ALLOWED ? "method not allowed\n" : "the page is not there yet\n",
			 "text/plain; charset=utf-8");
}

/* Has the client this version? "*", or a list of tags, weak ones too: the bytes are the same, so both comparisons are. */
static bool has_it(struct MHD_Connection *connection, const char *etag)
{
	const char *known = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_IF_NONE_MATCH);

	return known && (strcmp(known, "*") == 0 || strstr(known, etag));
}

/* Under the mutex: the answer's responses are counted by libmicrohttpd once they are queued. */
static enum MHD_Result look_up(struct server *s, struct MHD_Connection *connection, const char *url, bool *found)
{
	const struct answers *of = is_registry(url) ? s->registry : s->page;
	uint8_t key[MAP_KEY_BYTES];
	const struct answer *a;

	map_key_of(str_from(url), key);
	a = of ? map_get(&of->by_path, key) : NULL;
	*found = a != NULL;
	if (!a)
		return MHD_NO;
	return has_it(connection, a->etag) ? queue(s, connection, MHD_HTTP_NOT_MODIFIED, a->unchanged, OUTCOME_NOT_MODIFIED)
					   : queue(s, connection, MHD_HTTP_OK, a->whole, OUTCOME_OK);
}

/* Called once when the head is read, and again at the request's end; answering then lets a client keep its connection. A body is read and thrown away. */
static enum MHD_Result handle(void *ctx, struct MHD_Connection *connection, const char *url, const char *method, const char *version, const char *body,
			      size_t *body_len, void **seen)
{
	struct server *s = ctx;
	enum MHD_Result result;
	bool found, ready;

	(void)version;
	(void)body;
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return send_error(s, connection, MHD_HTTP_METHOD_NOT_ALLOWED, url);
	if (!*seen || *body_len) {
		*seen = s;
		*body_len = 0;
		return MHD_YES;
	}
	pthread_mutex_lock(&s->mutex);
	result = look_up(s, connection, url, &found);
	ready = (is_registry(url) ? s->registry : s->page) != NULL;
	pthread_mutex_unlock(&s->mutex);
	return found ? result : send_error(s, connection, ready ? MHD_HTTP_NOT_FOUND : MHD_HTTP_SERVICE_UNAVAILABLE, url);
}

static MHD_socket fd_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

	return info ? info->connect_fd : MHD_INVALID_SOCKET;
}

/* The place of a socket, or a free one, for fd -1. NULL: there is none. */
static struct place *find(struct server *s, MHD_socket fd)
{
	for (size_t i = 0; i < s->nr_places; i++)
		if (s->places[i].fd == fd)
			return &s->places[i];
	return fd < 0 && s->nr_places < CONNECTIONS_MAX ? &s->places[s->nr_places++] : NULL;
}

/* When hardly a place is free, the connection that has taken longest goes: a page that all may ask cannot let those who never finish keep out the others. The
 * socket is shut down; the library sees an end like any other. */
static void make_room(struct server *s)
{
	struct place *oldest = NULL;
	size_t taken = 0;

	for (size_t i = 0; i < s->nr_places; i++) {
		struct place *place = &s->places[i];

		taken += place->fd >= 0;
		if (place->fd >= 0 && !place->ended && (!oldest || place->begun_ms < oldest->begun_ms))
			oldest = place;
	}
	if (!oldest || taken <= CONNECTIONS_MAX - CONNECTIONS_SPARE)
		return;
	oldest->ended = true;
	shutdown(oldest->fd, SHUT_RDWR);
}

static void on_connection(void *ctx, struct MHD_Connection *connection, void **unused, enum MHD_ConnectionNotificationCode code)
{
	struct server *s = ctx;
	MHD_socket fd = fd_of(connection);
	struct place *place;

	(void)unused;
	pthread_mutex_lock(&s->mutex);
	place = find(s, code == MHD_CONNECTION_NOTIFY_STARTED ? -1 : fd);
	if (place)
		*place = (struct place){code == MHD_CONNECTION_NOTIFY_STARTED ? fd : -1, clock_mono_ms(), false};
	if (code == MHD_CONNECTION_NOTIFY_STARTED)
		make_room(s);
	pthread_mutex_unlock(&s->mutex);
}

/* A request has ended: the next one has its own time. */
static void on_end(void *ctx, struct MHD_Connection *connection, void **seen, enum MHD_RequestTerminationCode code)
{
	struct server *s = ctx;
	struct place *place;

	(void)code;
	*seen = NULL;
	pthread_mutex_lock(&s->mutex);
	place = find(s, fd_of(connection));
	if (place)
		place->begun_ms = clock_mono_ms();
	pthread_mutex_unlock(&s->mutex);
}

static int start(struct server *s, const char *listen, struct err *err)
{
	const union MHD_DaemonInfo *info;
	union listen_address address;
	unsigned int flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL;

	if (listen_parse(listen, &address, err) < 0)
		return -1;
	if (address.any.sa_family == AF_INET6)
		flags |= MHD_USE_IPv6;
	errno = 0;
	s->daemon = MHD_start_daemon(flags, 0, NULL, NULL, handle, s, MHD_OPTION_SOCK_ADDR, &address.any, MHD_OPTION_NOTIFY_CONNECTION, on_connection, s,
				     MHD_OPTION_NOTIFY_COMPLETED, on_end, s, MHD_OPTION_CONNECTION_LIMIT, (unsigned int)CONNECTIONS_MAX,
				     MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY_BYTES, MHD_OPTION_CONNECTION_TIMEOUT,
				     (unsigned int)IDLE_SECONDS, MHD_OPTION_END);
	if (!s->daemon)
		return err_set(err, ERR_FATAL, "cannot listen on %s: %s", listen, errno ? strerror(errno) : "no HTTP server");
	info = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_BIND_PORT);
	listen_write(&address, info ? info->port : 0, s->address);
	return 0;
}

static void make_meters(struct server *s, struct metrics *metrics)
{
	static const char *const kinds[NR_OUTCOMES] = {[OUTCOME_OK] = "ok", [OUTCOME_NOT_MODIFIED] = "not_modified", [OUTCOME_NOT_FOUND] = "not_found",
						       [OUTCOME_REFUSED] = "refused"};

	for (int i = 0; i < NR_OUTCOMES; i++)
		s->requests[i] = metrics_counter(metrics, "millrace_status_requests_total", "kind", kinds[i], NULL);
}

struct server *server_new(const char *listen, struct metrics *metrics, struct err *err)
{
	struct server *s = calloc(1, sizeof(*s));

	if (!s || pthread_mutex_init(&s->mutex, NULL) != 0) {
		free(s);
		err_nomem(err, "the page's server");
		return NULL;
	}
	make_meters(s, metrics);
	if (start(s, listen, err) == 0)
		return s;
	server_free(s);
	return NULL;
}

void server_free(struct server *s)
{
	if (!s)
		return;
	if (s->daemon)
		MHD_stop_daemon(s->daemon);
	answers_free(s->page);
	answers_free(s->registry);
	pthread_mutex_destroy(&s->mutex);
	free(s);
}

static void replace(struct server *s, struct answers **which, struct answers *a)
{
	struct answers *before;

	pthread_mutex_lock(&s->mutex);
	before = *which;
	*which = a;
	pthread_mutex_unlock(&s->mutex);
	answers_free(before);
}

void server_set_page(struct server *s, struct answers *a)
{
	replace(s, &s->page, a);
}

void server_set_registry(struct server *s, struct answers *a)
{
	replace(s, &s->registry, a);
}

/* A socket in the table is open: its place is freed, under the mutex, before the library closes it. */
void server_turn(struct server *s)
{
	int64_t now_ms = clock_mono_ms();

	pthread_mutex_lock(&s->mutex);
	for (size_t i = 0; i < s->nr_places; i++)
		if (s->places[i].fd >= 0 && now_ms - s->places[i].begun_ms > REQUEST_MS)
			shutdown(s->places[i].fd, SHUT_RDWR);
	pthread_mutex_unlock(&s->mutex);
}

int server_check(const char *listen, struct err *err)
{
	union listen_address address;

	return listen_parse(listen, &address, err);
}

const char *server_address(const struct server *s)
{
	return s->address;
}
