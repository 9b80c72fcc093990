/* server.c - see server.h.
 *
 * A request's states: READING its body (or DROPPING it, when the answer is known already), WAITING for Kafka while its connection is
 * suspended, ANSWERED. libmicrohttpd tells of a vanished client only once a connection is resumed, so an exchange lives as long
 * as its job may call it; the one exception is server_free(), which makes the jobs forget.
 *
 * A refusal known from the headers is answered at once and costs the connection, as the body would follow; where the body is announced
 * as short it is read and dropped instead, so that an agent keeps its connection and surely sees the answer. */
#include "ingest/server.h"

#include <inttypes.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ingest/listen.h"

enum {
	CONNECTION_MEMORY_BYTES = 16384, /* headers, and what is read at once */
	DROP_MAX_BYTES = 65536,          /* a body of a refused request that is read all the same */
	OVERRUN_FACTOR = 4,              /* a chunked body this many times over the limit ends its connection */
};

enum exchange_state { READING, DROPPING, WAITING, ANSWERED };

/* One request and its answer. */
struct exchange {
	struct server *server;
	struct MHD_Connection *connection;
	struct exchange *next, **link; /* all requests; link: what points here */
	enum exchange_state state;
	struct ticket ticket;
	int64_t arrived_bytes;
	struct buf body;
	struct answer answer;
	struct push_job *job;
};

struct server {
	struct server_rooms rooms;
	struct MHD_Daemon *daemon;
	int listen_fd;               /* ours until the daemon has it; -1 then */
	int epoll_fd;
	struct exchange *exchanges;  /* every request that is not over */
	size_t requests, waiting;    /* how many, and how many of them are suspended */
	char address[LISTEN_ADDRESS_SIZE];
};

/* Fails for lack of memory only; the answer goes out without it then. */
static void add_header(struct MHD_Response *response, const char *name, const char *value)
{
	MHD_add_response_header(response, name, value);
}

static struct MHD_Response *make_response(struct answer *a)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(a->body.len, a->body.p, MHD_RESPMEM_MUST_FREE);
	char seconds[16];

	if (!response)
		return NULL;
	a->body = (struct buf)BUF_INIT; /* the response's now */
	add_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
	if (a->retry_after_s) {
		snprintf(seconds, sizeof(seconds), "%u", a->retry_after_s);
		add_header(response, MHD_HTTP_HEADER_RETRY_AFTER, seconds);
	}
	if (a->status == MHD_HTTP_UNAUTHORIZED)
		add_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
	if (a->status == MHD_HTTP_METHOD_NOT_ALLOWED)
		add_header(response, MHD_HTTP_HEADER_ALLOW, MHD_HTTP_METHOD_POST);
	return response;
}

/* Queues the answer; MHD_NO, which closes the connection, when memory is short. */
static enum MHD_Result send_answer(struct exchange *ex)
{
	struct MHD_Response *response = make_response(&ex->answer);
	enum MHD_Result rc;

	ex->state = ANSWERED;
	if (!response)
		return MHD_NO;
	rc = MHD_queue_response(ex->connection, (unsigned)ex->answer.status, response);
	MHD_destroy_response(response);
	return rc;
}

/* From here on the body is of no interest, and its bytes are nobody's burden any more. */
static void refuse_exchange(struct exchange *ex, const struct refusal *no)
{
	account_refuse(ex->server->rooms.account, no->reason, NULL);
	answer_refuse(&ex->answer, no);
	admission_release(ex->server->rooms.admission, &ex->ticket);
	buf_fini(&ex->body);
	ex->state = DROPPING;
}

/* All exchanges are in one list, for the day the server closes while some of them wait. */
static struct exchange *exchange_new(struct server *s, struct MHD_Connection *connection)
{
	struct exchange *ex = calloc(1, sizeof(*ex));

	if (!ex)
		return NULL;
	ex->server = s;
	ex->connection = connection;
	ex->next = s->exchanges;
	ex->link = &s->exchanges;
	if (ex->next)
		ex->next->link = &ex->next;
	s->exchanges = ex;
	s->requests++;
	return ex;
}

static void exchange_free(struct exchange *ex)
{
	struct server *s = ex->server;

	*ex->link = ex->next;
	if (ex->next)
		ex->next->link = ex->link;
	s->requests--;
	push_forget(ex->job);
	admission_release(s->rooms.admission, &ex->ticket);
	buf_fini(&ex->body);
	answer_fini(&ex->answer);
	free(ex);
}

static const char *header(struct MHD_Connection *connection, const char *name)
{
	return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

/* A new request's headers are in: nothing of its body has been read, and a client that waits for "100 Continue" has not sent it. */
static enum MHD_Result begin(struct exchange *ex, const char *path, const char *method)
{
	struct MHD_Connection *c = ex->connection;
	struct admission_head head = {
		.method = method,
		.path = path,
		.authorization = header(c, MHD_HTTP_HEADER_AUTHORIZATION),
		.x_api_key = header(c, "X-Api-Key"),
		.api_key = MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, "api_key"),
		.content_type = header(c, MHD_HTTP_HEADER_CONTENT_TYPE),
		.content_encoding = header(c, MHD_HTTP_HEADER_CONTENT_ENCODING),
		.content_length = header(c, MHD_HTTP_HEADER_CONTENT_LENGTH),
	};
	struct refusal no;

	if (admission_enter(ex->server->rooms.admission, &head, &ex->ticket, &no) == 0)
		return MHD_YES;
	refuse_exchange(ex, &no);
	if (ex->ticket.announced_bytes > 0 && ex->ticket.announced_bytes <= DROP_MAX_BYTES && !header(c, MHD_HTTP_HEADER_EXPECT))
		return MHD_YES;
	return send_answer(ex);
}

/* A piece of the body. A connection that goes on sending far beyond its refusal is closed. */
static enum MHD_Result take_piece(struct exchange *ex, const char *piece, size_t size)
{
	struct admission *admission = ex->server->rooms.admission;
	struct refusal no;
	int64_t beyond;

	ex->arrived_bytes += (int64_t)size;
	metric_add(ex->server->rooms.account->body_bytes, size);
	if (ex->state == DROPPING)
		return ex->arrived_bytes <= OVERRUN_FACTOR * admission->max_body_bytes ? MHD_YES : MHD_NO;
	beyond = ex->arrived_bytes - ex->ticket.charged_bytes; /* all of a chunked body; nothing of one that was announced truly */
	if (admission_check_body(admission, ex->arrived_bytes, &no) < 0 ||
	    (beyond > 0 && admission_charge(admission, &ex->ticket, beyond, &no) < 0)) {
		refuse_exchange(ex, &no);
		return MHD_YES;
	}
	if (ex->body.cap == 0 && ex->ticket.announced_bytes > 0)
		buf_reserve(&ex->body, (size_t)ex->ticket.announced_bytes);
	buf_add(&ex->body, piece, size);
	return MHD_YES;
}

/* Kafka has spoken: the connection goes on. */
static void on_answer(void *ctx, struct answer *answer)
{
	struct exchange *ex = ctx;

	ex->job = NULL;
	ex->answer = *answer;
	*answer = (struct answer)ANSWER_INIT;
	metric_set(ex->server->rooms.account->connections_waiting, (double)--ex->server->waiting);
	MHD_resume_connection(ex->connection);
}

/* The body is whole. It is needed no longer than push takes to decode it, though its bytes stay charged until Kafka has spoken. */
static enum MHD_Result finish(struct exchange *ex)
{
	struct server *s = ex->server;
	struct refusal no;

	if (buf_failed(&ex->body)) { /* sticky since the piece that found no memory */
		refuse(&no, REASON_OVER_BUDGET, "out of memory for the body");
		refuse_exchange(ex, &no);
		return send_answer(ex);
	}
	ex->job = push_start(s->rooms.push, &ex->ticket, buf_str(&ex->body), on_answer, ex, &ex->answer);
	buf_fini(&ex->body);
	if (!ex->job)
		return send_answer(ex);
	ex->state = WAITING;
	metric_set(s->rooms.account->connections_waiting, (double)++s->waiting);
	MHD_suspend_connection(ex->connection);
	return MHD_YES;
}

/* Called by libmicrohttpd for a request's headers, each piece of its body, its end, and again when it is resumed. */
static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *path, const char *method,
				  const char *version, const char *piece, size_t *size, void **state)
{
	struct exchange *ex = *state;
	enum MHD_Result rc;

	(void)version;
	if (!ex) {
		ex = exchange_new(ctx, connection);
		*state = ex;
		return ex ? begin(ex, path, method) : MHD_NO;
	}
	if (*size) {
		rc = take_piece(ex, piece, *size);
		*size = 0;
		return rc;
	}
	return ex->state == READING ? finish(ex) : send_answer(ex);
}

/* A request is over: answered, or its client has gone. A waiting one cannot come here, as it is suspended. */
static void on_completed(void *ctx, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode how)
{
	struct exchange *ex = *state;

	(void)ctx;
	(void)connection;
	(void)how;
	if (!ex)
		return;
	if (ex->state == READING) /* nobody is there to be answered */
		account_refuse(ex->server->rooms.account, REASON_BODY_CUT_OFF, NULL);
	exchange_free(ex);
	*state = NULL;
}

static int start_daemon(struct server *s, const struct ingest_conf *conf, struct err *err)
{
	const union MHD_DaemonInfo *info;

	s->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, s,
				     MHD_OPTION_LISTEN_SOCKET, s->listen_fd,
				     MHD_OPTION_NOTIFY_COMPLETED, on_completed, s,
				     MHD_OPTION_CONNECTION_LIMIT, (unsigned)conf->connections_max,
				     MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)(conf->idle_timeout_ms / 1000),
				     MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY_BYTES,
				     MHD_OPTION_STRICT_FOR_CLIENT, 1,
				     MHD_OPTION_END);
	if (!s->daemon)
		return err_set(err, ERR_FATAL, "cannot start the HTTP server on %s", s->address);
	s->listen_fd = -1; /* the daemon closes it, or server_quiesce() */
	info = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	if (!info)
		return err_set(err, ERR_FATAL, "the HTTP server has no epoll descriptor");
	s->epoll_fd = info->epoll_fd;
	return 0;
}

struct server *server_new(const struct server_rooms *rooms, const struct ingest_conf *conf, struct err *err)
{
	struct server *s = calloc(1, sizeof(*s));

	if (!s) {
		err_nomem(err, "the HTTP server");
		return NULL;
	}
	s->rooms = *rooms;
	s->listen_fd = listen_open(conf->listen, s->address, err);
	if (s->listen_fd < 0 || start_daemon(s, conf, err) < 0) {
		server_free(s);
		return NULL;
	}
	return s;
}

/* libmicrohttpd may not be stopped while connections are suspended. */
static void abandon_waiting(struct server *s)
{
	struct refusal no;

	refuse(&no, REASON_DRAINING, "%s", "");
	for (struct exchange *ex = s->exchanges; ex; ex = ex->next) {
		if (!ex->job)
			continue;
		push_forget(ex->job);
		ex->job = NULL;
		answer_refuse(&ex->answer, &no);
		MHD_resume_connection(ex->connection);
	}
}

void server_free(struct server *s)
{
	if (!s)
		return;
	if (s->daemon) {
		abandon_waiting(s);
		MHD_run(s->daemon);
		MHD_stop_daemon(s->daemon);
	}
	if (s->listen_fd >= 0)
		close(s->listen_fd);
	free(s);
}

const char *server_address(const struct server *s)
{
	return s->address;
}

int server_fd(const struct server *s)
{
	return s->epoll_fd;
}

int server_timeout_ms(const struct server *s)
{
	MHD_UNSIGNED_LONG_LONG timeout_ms = 0;

	if (MHD_get_timeout(s->daemon, &timeout_ms) != MHD_YES)
		return -1;
	return timeout_ms < 1000 ? (int)timeout_ms : 1000;
}

void server_run(struct server *s)
{
	MHD_run(s->daemon);
}

void server_quiesce(struct server *s)
{
	int fd = MHD_quiesce_daemon(s->daemon);

	if (fd >= 0)
		close(fd);
}

size_t server_requests(const struct server *s)
{
	return s->requests;
}
