/* server.c - see server.h.
 *
 * A front is one libmicrohttpd daemon. There is one, and while a reload is under way a second: the retired one, which accepts nothing
 * any more, serves what it has, and is stopped when its last connection is gone. That is how new certificates come into force without
 * a connection being cut.
 *
 * To end a connection from outside of libmicrohttpd's callbacks, its socket is shut down: the daemon sees that as any other end and cleans
 * up by its own rules. What the client is told then is written straight to the socket, where it is not encrypted: libmicrohttpd takes
 * an answer before a body or behind it, but not in its middle. */
#include "ingest/server.h"

#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "ingest/connections.h"
#include "ingest/request.h"
#include "ingest/tls.h"

enum {
	CONNECTION_MEMORY_BYTES = 16384, /* headers, and what is read at once */
	CONNECTIONS_SPARE = 64,          /* beyond our own limit, so that there is room while others leave */
	TIMEOUT_MAX_MS = 100,            /* how late a deadline is noticed */
	RAW_BYTES = 1024,
	RETRY_BYTES = 32,
	LAST_TURNS = 2, /* a resumed connection's answer is made in one, and at the latest in the next it is sent */
};

/* One daemon; daemon NULL: none. */
struct front {
	struct MHD_Daemon *daemon;
	int epoll_fd;
	struct tls tls; /* what the daemon was started with */
};

struct server {
	struct server_rooms rooms;
	const struct ingest_conf *conf;
	int listen_fd; /* ours; each daemon has a copy */
	struct front current, retired;
	struct connections connections;
	struct requests requests;
	int64_t mono_ms; /* real time at the last turn */
	bool evicting;   /* connections are ended to make room, not at their deadline */
};

/* One connection, from accept to close. */
struct peer {
	struct connection place; /* first: the list's pointers are ours */
	struct server *server;
	struct MHD_Connection *connection;
	struct request *request; /* the one that is on; NULL: none */
	int fd;
	bool trusted; /* its certificate has been looked at, or need not be */
	bool closing; /* its next answer is its last */
};

static struct peer *peer_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

/* An answer where libmicrohttpd takes none. As much as the socket takes at once: a client that reads nothing gets nothing. */
static void send_raw(const struct peer *peer, const struct answer *a)
{
	char text[RAW_BYTES], retry[RETRY_BYTES] = "";
	int n;

	if (tls_wanted(peer->server->conf))
		return;
	if (a->retry_after_s)
		snprintf(retry, sizeof(retry), "Retry-After: %u\r\n", a->retry_after_s);
	n = snprintf(text, sizeof(text), "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%sConnection: close\r\n\r\n", a->status,
		     MHD_get_reason_phrase_for((unsigned)a->status), answer_type(a), a->body.len, retry);
	if (n <= 0 || (size_t)n + a->body.len > sizeof(text))
		return;
	memcpy(text + n, buf_str(&a->body).p, a->body.len);
	(void)!send(peer->fd, text, (size_t)n + a->body.len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Its request, if one is being read, is refused for this reason. */
static void give_up(struct peer *peer, enum reason reason)
{
	struct refusal no;

	if (!peer->request || peer->request->state != REQUEST_READING)
		return;
	refuse(&no, reason, "%s", "");
	request_give_up(peer->request, &no);
}

/* The answer that its request has, and that libmicrohttpd has not been given: it would wait for the end of the body. */
static void tell(const struct peer *peer)
{
	if (peer->request && peer->request->answer.status && peer->request->state != REQUEST_ANSWERED)
		send_raw(peer, &peer->request->answer);
}

/* Headers that never end have no request yet. */
static void refuse_headers(struct peer *peer)
{
	struct ticket nobody = {0};
	struct answer answer = ANSWER_INIT;
	struct refusal no;

	refuse(&no, REASON_HEADERS_TOO_SLOW, "%s", "");
	push_refuse(peer->server->rooms.push, &nobody, &no, &answer);
	send_raw(peer, &answer);
	answer_fini(&answer);
}

static void end_connection(void *ctx, struct connection *place, enum connection_phase was)
{
	struct server *s = ctx;
	struct peer *peer = (struct peer *)place;

	if (!s->evicting && was == CONNECTION_HEADERS)
		refuse_headers(peer);
	if (was == CONNECTION_BODY) {
		give_up(peer, REASON_BODY_TOO_SLOW);
		tell(peer);
	}
	account_add(s->rooms.account, s->evicting ? ACCOUNT_CONNECTIONS_CLOSED_FULL : ACCOUNT_CONNECTIONS_CLOSED_IDLE, 1);
	shutdown(peer->fd, SHUT_RDWR);
}

static void open_peer(struct server *s, struct MHD_Connection *connection, void **context)
{
	struct peer *peer = calloc(1, sizeof(*peer));
	int fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;

	*context = peer;
	if (!peer) { /* a connection that nobody watches must not be */
		shutdown(fd, SHUT_RDWR);
		return;
	}
	*peer = (struct peer){.server = s, .connection = connection, .fd = fd, .trusted = s->conf->tls_client_ca_file[0] == '\0'};
	connections_add(&s->connections, &peer->place, s->mono_ms);
	s->evicting = true;
	connections_make_room(&s->connections, end_connection, s);
	s->evicting = false;
}

static void on_connection(void *ctx, struct MHD_Connection *connection, void **context, enum MHD_ConnectionNotificationCode what)
{
	struct server *s = ctx;
	struct peer *peer = *context;

	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		open_peer(s, connection, context);
	} else if (peer) {
		connections_remove(&s->connections, &peer->place);
		free(peer);
		*context = NULL;
	}
}

static void enter(struct peer *peer, enum connection_phase phase)
{
	connections_enter(&peer->server->connections, &peer->place, phase, peer->server->mono_ms);
}

/* A request's first line is in. The result would become the request's context, which on_request() makes itself. */
static void *on_first_line(void *ctx, const char *uri, struct MHD_Connection *connection)
{
	struct peer *peer = peer_of(connection);

	(void)ctx;
	(void)uri;
	if (peer)
		enter(peer, CONNECTION_HEADERS);
	return NULL;
}

static enum connection_phase phase_of(const struct request *r)
{
	switch (r->state) {
	case REQUEST_READING:
	case REQUEST_DROPPING:
		return CONNECTION_BODY;
	case REQUEST_WAITING:
		return CONNECTION_WAITING;
	default:
		return CONNECTION_ANSWERING;
	}
}

static enum MHD_Result begin(struct peer *peer, const char *path, const char *method, void **state)
{
	peer->request = request_new(&peer->server->requests, peer->connection);
	*state = peer->request;
	if (!peer->request)
		return MHD_NO;
	peer->request->closing = peer->closing;
	if (!peer->trusted)
		peer->trusted = tls_client_trusted(peer->connection);
	return request_begin(peer->request, path, method, peer->trusted);
}

static enum MHD_Result end_of_body(struct request *r)
{
	return r->state == REQUEST_READING ? request_finish(r) : request_send(r);
}

/* Called by libmicrohttpd for a request's headers, each piece of its body, its end, and again when it is resumed. */
static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *path, const char *method,
				  const char *version, const char *piece, size_t *size, void **state)
{
	struct peer *peer = peer_of(connection);
	enum connection_phase before;
	enum MHD_Result rc;

	(void)ctx;
	(void)version;
	if (!peer || peer->place.phase == CONNECTION_EXPIRED)
		return MHD_NO;
	before = peer->request ? phase_of(peer->request) : CONNECTION_HEADERS;
	if (!peer->request) {
		rc = begin(peer, path, method, state);
	} else if (*size) {
		rc = request_take(peer->request, piece, *size);
		*size = 0;
		if (rc == MHD_NO)
			tell(peer);
	} else {
		rc = end_of_body(peer->request);
	}
	if (peer->request && phase_of(peer->request) != before)
		enter(peer, phase_of(peer->request));
	return rc;
}

/* A request is over: answered, or its client has gone, or it has closed one side only and can still be told. What is no HTTP libmicrohttpd has
 * answered by itself: then nothing is to be told. A waiting request cannot come here, as it is suspended. */
static void on_completed(void *ctx, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode how)
{
	struct peer *peer = peer_of(connection);

	(void)ctx;
	if (!*state)
		return;
	if (peer) {
		give_up(peer, REASON_BODY_CUT_OFF);
		if (how == MHD_REQUEST_TERMINATED_CLIENT_ABORT || peer->request->state == REQUEST_READY)
			tell(peer);
		peer->request = NULL;
		enter(peer, CONNECTION_IDLE);
	}
	request_free(*state);
	*state = NULL;
}

/* libmicrohttpd's own words go nowhere: what matters to a client is in its answer, and to us in our own log. */
static void say_nothing(void *ctx, const char *format, va_list args)
{
	(void)ctx;
	(void)format;
	(void)args;
}

static struct MHD_Daemon *start_daemon(struct server *s, const struct tls *tls, int listen_fd)
{
	struct MHD_OptionItem secure[] = {
		{MHD_OPTION_HTTPS_MEM_CERT, 0, tls->cert.p},
		{MHD_OPTION_HTTPS_MEM_KEY, 0, tls->key.p},
		{tls->client_ca.p ? MHD_OPTION_HTTPS_MEM_TRUST : MHD_OPTION_END, 0, tls->client_ca.p},
		{MHD_OPTION_END, 0, NULL},
	};
	struct MHD_OptionItem *plain = &secure[3];
	bool on = tls_wanted(s->conf);

	return MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | (on ? MHD_USE_TLS : 0), 0, NULL, NULL,
				on_request, s,
				MHD_OPTION_EXTERNAL_LOGGER, say_nothing, NULL,
				MHD_OPTION_LISTEN_SOCKET, listen_fd,
				MHD_OPTION_NOTIFY_COMPLETED, on_completed, s,
				MHD_OPTION_NOTIFY_CONNECTION, on_connection, s,
				MHD_OPTION_URI_LOG_CALLBACK, on_first_line, s,
				MHD_OPTION_CONNECTION_LIMIT, (unsigned)(s->connections.max + CONNECTIONS_SPARE),
				MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY_BYTES,
				MHD_OPTION_STRICT_FOR_CLIENT, 1,
				MHD_OPTION_ARRAY, on ? secure : plain,
				MHD_OPTION_END);
}

static void front_close(struct front *front)
{
	if (front->daemon)
		MHD_stop_daemon(front->daemon);
	tls_fini(&front->tls);
	*front = (struct front){.epoll_fd = -1};
}

/* Starts a front; takes tls in any case. A daemon that does not start has mostly closed the socket, and then the number may be another
 * thread's already: better one that stays open than a stranger's closed. */
static int front_open(struct server *s, struct front *front, struct tls *tls, struct err *err)
{
	const union MHD_DaemonInfo *info;
	int fd = dup(s->listen_fd);

	*front = (struct front){.epoll_fd = -1, .tls = *tls};
	*tls = (struct tls)TLS_INIT;
	if (fd >= 0)
		front->daemon = start_daemon(s, &front->tls, fd);
	info = front->daemon ? MHD_get_daemon_info(front->daemon, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
	if (info) {
		front->epoll_fd = info->epoll_fd;
		return 0;
	}
	front_close(front);
	return err_set(err, ERR_FATAL, "cannot start the HTTP server on %s", s->conf->listen);
}

/* Stops accepting; what is open is served on. */
static void front_quiesce(struct front *front)
{
	int fd = MHD_quiesce_daemon(front->daemon);

	if (fd >= 0)
		close(fd);
}

static void init(struct server *s, const struct server_rooms *rooms, const struct ingest_conf *conf)
{
	s->rooms = *rooms;
	s->conf = conf;
	s->current.epoll_fd = s->retired.epoll_fd = -1;
	s->requests = (struct requests){.rooms = &s->rooms, .max_body_bytes = conf->max_body_bytes};
	s->connections.max = (size_t)((conf->connections_max + conf->threads - 1) / conf->threads);
	s->connections.timeout_ms[CONNECTION_IDLE] = conf->idle_timeout_ms;
	s->connections.timeout_ms[CONNECTION_HEADERS] = conf->header_timeout_ms;
	s->connections.timeout_ms[CONNECTION_BODY] = conf->body_timeout_ms;
	s->connections.timeout_ms[CONNECTION_ANSWERING] = conf->idle_timeout_ms;
	s->mono_ms = clock_mono_ms();
}

struct server *server_new(const struct server_rooms *rooms, const struct ingest_conf *conf, int listen_fd, struct err *err)
{
	struct server *s = calloc(1, sizeof(*s));
	struct tls tls = TLS_INIT;

	if (!s) {
		err_nomem(err, "the HTTP server");
		return NULL;
	}
	init(s, rooms, conf);
	s->listen_fd = dup(listen_fd);
	if (tls_load(&tls, conf, err) < 0 || front_open(s, &s->current, &tls, err) < 0) {
		server_free(s);
		return NULL;
	}
	return s;
}

/* Answers those that wait, and of whose jobs this is true (NULL: all), with a reason; is there any? */
static bool abandon(struct server *s, bool (*which)(const struct push_job *job), enum reason reason, const char *detail)
{
	struct refusal no;
	bool any = false;

	refuse(&no, reason, "%s", detail);
	for (struct request *r = s->requests.first; r; r = r->next)
		if (r->job && (!which || which(r->job))) {
			request_abandon(r, &no);
			any = true;
		}
	return any;
}

static void send_away(struct connection *place)
{
	struct peer *peer = (struct peer *)place;

	if (place->phase != CONNECTION_BODY)
		return;
	give_up(peer, REASON_DRAINING);
	tell(peer);
	shutdown(peer->fd, SHUT_RDWR);
}

/* libmicrohttpd may not be stopped while connections are suspended: nobody begins to wait any more, and who waits is answered. */
void server_free(struct server *s)
{
	if (!s)
		return;
	s->requests.ending = true;
	abandon(s, NULL, REASON_DRAINING, "");
	for (int i = 0; i < LAST_TURNS; i++)
		server_run(s);
	connections_walk(&s->connections, send_away);
	front_close(&s->retired);
	front_close(&s->current);
	if (s->listen_fd >= 0)
		close(s->listen_fd);
	free(s);
}

void server_fds(const struct server *s, int fds[SERVER_FDS])
{
	fds[0] = s->current.epoll_fd;
	fds[1] = s->retired.epoll_fd;
}

static int front_timeout_ms(const struct front *front)
{
	MHD_UNSIGNED_LONG_LONG timeout_ms = 0;

	if (!front->daemon || MHD_get_timeout(front->daemon, &timeout_ms) != MHD_YES || timeout_ms > TIMEOUT_MAX_MS)
		return TIMEOUT_MAX_MS;
	return (int)timeout_ms;
}

int server_timeout_ms(const struct server *s)
{
	int current = front_timeout_ms(&s->current), retired = front_timeout_ms(&s->retired);

	return current < retired ? current : retired;
}

/* The retired front goes when its last connection has gone. */
static void retire(struct server *s)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(s->retired.daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);

	if (!info || info->num_connections == 0)
		front_close(&s->retired);
}

void server_run(struct server *s)
{
	s->mono_ms = clock_mono_ms();
	if (s->current.daemon)
		MHD_run(s->current.daemon);
	if (s->retired.daemon) {
		MHD_run(s->retired.daemon);
		retire(s);
	}
	connections_expire(&s->connections, s->mono_ms, end_connection, s);
}

void server_abandon(struct server *s)
{
	account_add(s->rooms.account, ACCOUNT_STALLS, abandon(s, push_hangs, REASON_KAFKA_UNAVAILABLE, "Kafka has not answered for a while"));
}

static void say_goodbye(struct connection *place)
{
	struct peer *peer = (struct peer *)place;

	peer->closing = true;
	if (peer->request)
		peer->request->closing = true;
}

int server_reload(struct server *s, struct err *err)
{
	struct tls tls = TLS_INIT;
	struct front next;

	if (s->retired.daemon)
		return err_set(err, ERR_RETRY, "connections of the last reload are still open");
	if (tls_load(&tls, s->conf, err) < 0 || front_open(s, &next, &tls, err) < 0)
		return -1;
	front_quiesce(&s->current);
	s->retired = s->current;
	s->current = next;
	connections_walk(&s->connections, say_goodbye);
	return 0;
}

/* The socket listens until its last copy is closed: a client that comes too late must be refused, not left waiting. */
void server_quiesce(struct server *s)
{
	front_quiesce(&s->current);
	close(s->listen_fd);
	s->listen_fd = -1;
	connections_walk(&s->connections, say_goodbye);
}

size_t server_requests(const struct server *s)
{
	return s->requests.len;
}

size_t server_waiting(const struct server *s)
{
	return s->requests.waiting;
}

size_t server_connections(const struct server *s)
{
	return s->connections.len;
}
