/* scripted_server.h - an HTTP server that answers as a test tells it to, in the test's own thread.
 *
 * server_turn() takes what has come, without waiting. A request that is whole goes to the test's function, which says what comes back:
 * any bytes, and what becomes of the connection. */
#ifndef MILLRACE_TESTS_AGENT_SCRIPTED_SERVER_H
#define MILLRACE_TESTS_AGENT_SCRIPTED_SERVER_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/str.h"
#include "tests/unit/unit.h"

enum { SERVER_CONNECTIONS_MAX = 8 };

/* What becomes of the connection behind an answer's bytes. */
enum server_then {
	SERVER_KEEPS,
	SERVER_CLOSES,
	SERVER_RESETS,
	SERVER_FALLS_SILENT, /* until the client goes */
	SERVER_REPEATS,      /* the last byte, as often as it is asked: a turn, a byte */
	SERVER_FLOODS,       /* the last byte, as fast as it is taken */
};

struct server_request {
	struct str head, body; /* head with the request line, without the empty line */
};

/* Appends the answer to out. */
typedef enum server_then (*server_answer_fn)(void *ctx, const struct server_request *r, struct buf *out);

struct server_connection {
	int fd;         /* -1: free */
	struct buf in, out;
	enum server_then then;
	bool answering; /* a request was whole, and its answer is not out yet */
	void *tag;      /* the test's */
};

struct server {
	int fd;
	int port;
	struct server_connection connections[SERVER_CONNECTIONS_MAX];
	server_answer_fn answer;
	void (*ended)(void *ctx, void *tag); /* an answer is out, or the connection gone; may be NULL */
	void *ctx;
	void *next_tag;  /* set by answer, when it wants to hear of the end */
	size_t requests, accepted, sent; /* sent: bytes */
};

static inline void server_init(struct server *s, server_answer_fn answer, void *ctx)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);

	*s = (struct server){.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), .answer = answer, .ctx = ctx};
	ck_assert_int_ge(s->fd, 0);
	ck_assert_int_eq(bind(s->fd, (struct sockaddr *)&at, sizeof(at)), 0);
	ck_assert_int_eq(listen(s->fd, 16), 0);
	ck_assert_int_eq(getsockname(s->fd, (struct sockaddr *)&at, &len), 0);
	s->port = ntohs(at.sin_port);
	for (size_t i = 0; i < SERVER_CONNECTIONS_MAX; i++)
		s->connections[i].fd = -1;
}

static inline void server_end_answer(struct server *s, struct server_connection *c)
{
	if (c->answering && s->ended)
		s->ended(s->ctx, c->tag);
	c->answering = false;
}

static inline void server_close(struct server *s, struct server_connection *c, bool reset)
{
	struct linger hard = {.l_onoff = 1};

	if (reset)
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	server_end_answer(s, c);
	close(c->fd);
	buf_fini(&c->in);
	buf_fini(&c->out);
	*c = (struct server_connection){.fd = -1};
}

static inline void server_fini(struct server *s)
{
	for (size_t i = 0; i < SERVER_CONNECTIONS_MAX; i++)
		if (s->connections[i].fd >= 0)
			server_close(s, &s->connections[i], false);
	close(s->fd);
}

/* The value of a header, or an empty str. */
static inline struct str server_header(struct str head, const char *name)
{
	size_t n = strlen(name);

	for (const char *at = head.p, *end = head.p + head.len; at < end;) {
		const char *line_end = memmem(at, (size_t)(end - at), "\r\n", 2);

		line_end = line_end ? line_end : end;
		if ((size_t)(line_end - at) > n + 1 && strncasecmp(at, name, n) == 0 && at[n] == ':')
			return (struct str){at + n + 2, (size_t)(line_end - at) - n - 2};
		at = line_end + 2;
	}
	return (struct str){"", 0};
}

/* Takes the first request out of c->in, if it is whole. */
static inline void server_take_request(struct server *s, struct server_connection *c)
{
	const char *end = c->in.len ? memmem(c->in.p, c->in.len, "\r\n\r\n", 4) : NULL;
	struct server_request r;
	size_t length, whole;

	if (!end || c->answering)
		return;
	r.head = (struct str){(const char *)c->in.p, (size_t)(end - (const char *)c->in.p)};
	length = strtoul(server_header(r.head, "Content-Length").p, NULL, 10);
	whole = r.head.len + 4 + length;
	if (c->in.len < whole)
		return;
	r.body = (struct str){end + 4, length};
	s->requests++;
	c->answering = true;
	s->next_tag = NULL;
	c->then = s->answer(s->ctx, &r, &c->out);
	c->tag = s->next_tag;
	memmove(c->in.p, c->in.p + whole, c->in.len - whole);
	c->in.len -= whole;
}

/* Sends what the socket takes. */
static inline void server_send(struct server *s, struct server_connection *c)
{
	ssize_t n = c->out.len ? send(c->fd, c->out.p, c->out.len, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;
	uint8_t last = c->out.len ? c->out.p[c->out.len - 1] : 0;

	if (n < 0 && errno != EAGAIN) {
		server_close(s, c, false);
		return;
	}
	if (n <= 0 && c->out.len)
		return;
	if (n > 0)
		memmove(c->out.p, c->out.p + n, c->out.len - (size_t)n);
	c->out.len -= (size_t)n;
	s->sent += (size_t)n;
	if (c->out.len || !c->answering)
		return;
	if (c->then == SERVER_KEEPS)
		server_end_answer(s, c);
	else if (c->then == SERVER_CLOSES || c->then == SERVER_RESETS)
		server_close(s, c, c->then == SERVER_RESETS);
	for (int i = 0; c->fd >= 0 && c->answering && i < (c->then == SERVER_FLOODS ? 65536 : c->then == SERVER_REPEATS); i++)
		buf_add(&c->out, &last, 1);
}

static inline void server_move(struct server *s, struct server_connection *c)
{
	uint8_t *to = buf_reserve(&c->in, 65536);
	ssize_t n;

	ck_assert_ptr_nonnull(to);
	n = recv(c->fd, to, 65536, MSG_DONTWAIT);
	if (n > 0)
		c->in.len += (size_t)n;
	if (n == 0 || (n < 0 && errno != EAGAIN)) {
		server_close(s, c, false);
		return;
	}
	server_take_request(s, c);
	server_send(s, c);
}

static inline void server_turn(struct server *s)
{
	for (size_t i = 0; i < SERVER_CONNECTIONS_MAX; i++) {
		struct server_connection *c = &s->connections[i];

		if (c->fd < 0) {
			c->fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
			s->accepted += c->fd >= 0;
		}
		if (c->fd >= 0)
			server_move(s, c);
	}
}

/* Waits for the client's descriptor or one of the server's, at most ms. */
static inline void server_wait(const struct server *s, int client_fd, int ms)
{
	struct pollfd fds[2 + SERVER_CONNECTIONS_MAX] = {{.fd = client_fd, .events = POLLIN}, {.fd = s->fd, .events = POLLIN}};

	for (size_t i = 0; i < SERVER_CONNECTIONS_MAX; i++)
		fds[2 + i] = (struct pollfd){.fd = s->connections[i].fd, .events = (short)(POLLIN | (s->connections[i].out.len ? POLLOUT : 0))};
	poll(fds, NR(fds), ms);
}

#endif
