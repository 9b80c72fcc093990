/* inlets.h - the sockets by which applications reach the agent, on this machine only.
 *
 * StatsD by UDP and by a Unix datagram socket, JSON lines by a Unix stream socket. All of them are non-blocking, and are waited for in the
 * program's loop: inlets_fds() before poll(), inlets_turn() behind it. A turn takes a bounded number of datagrams and bytes, so that no
 * sender keeps the loop from its other work; poll() is level-triggered, what is left is taken at the next turn.
 *
 * A socket file has mode 0666: who may reach it is its folder's business. One that is there is replaced only when it is a socket to which
 * nobody listens, so a second agent does not take a running one's. Not thread-safe: one owner. */
#ifndef MILLRACE_AGENT_INLETS_H
#define MILLRACE_AGENT_INLETS_H

#include <poll.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/str.h"
#include "ingest/agent/lines.h"

enum {
	INLETS_CONNECTIONS_MAX = 64, /* of JSON lines; others wait in the kernel until one ends */
	INLETS_FDS_MAX = 3 + INLETS_CONNECTIONS_MAX,
	INLETS_DATAGRAM_MAX = 65535,
};

#define INLETS_LINE_MAX ((size_t)LINES_MAX_BYTES) /* a longer line is dropped up to its end, and counted */
#define INLETS_PENDING_MAX ((size_t)2 << 20)      /* likewise when the lines begun on all connections are longer together */
#define INLETS_IDLE_MS (INT64_C(5) * 60000)       /* real; a connection silent for longer is closed */

struct inlets_conf {
	const char *statsd_listen; /* "127.0.0.1:8125", "[::1]:8125": loopback only; port 0: any that is free. NULL or "": none */
	const char *statsd_socket; /* path; NULL or "": none */
	const char *lines_socket;  /* likewise */
};

/* Who takes what comes; bytes are borrowed for the call. */
struct inlets_taker {
	void (*datagram)(void *ctx, struct str bytes);
	void (*line)(void *ctx, struct str line); /* without its end; never empty; also what stood there when a client closed without one */
	void *ctx;
};

/* Since the start; `connections` and what follows it, of now. */
struct inlets_figures {
	uint64_t datagrams, datagram_bytes;
	uint64_t truncated_datagrams; /* longer than INLETS_DATAGRAM_MAX: not taken */
	uint64_t kernel_drops;        /* of UDP: datagrams that found no room in the socket's buffer */
	uint64_t lines, lines_too_long;
	uint64_t connections_accepted, connections_idle; /* the latter were closed as they were silent */
	size_t connections;
	int udp_port;                 /* 0: none */
	int receive_buffer_bytes;     /* of the UDP socket, as the kernel gave it */
};

struct inlets;

/* Opens all that conf names. NULL with *err set: an address that is not this machine's loopback (ERR_REJECT), a socket that somebody has
 * (ERR_RETRY), ..; nothing is left behind then. */
struct inlets *inlets_new(const struct inlets_conf *conf, const struct inlets_taker *taker, struct err *err);

/* Closes all and removes the socket files that are still its own. NULL is a no-op. */
void inlets_free(struct inlets *in);

/* Writes what is to be polled to out, which has room for INLETS_FDS_MAX; how many. */
size_t inlets_fds(const struct inlets *in, struct pollfd *out);

/* Takes what has come; fds are those of inlets_fds() as poll() has left them. now_mono_ms: clock_mono_ms(). */
void inlets_turn(struct inlets *in, const struct pollfd *fds, size_t nr, int64_t now_mono_ms);

/* Takes all that the kernel still holds, of what was sent until now: before the last flush. Bounded. */
void inlets_drain(struct inlets *in, int64_t now_mono_ms);

/* What is counted. Asks the kernel for what it dropped. */
struct inlets_figures inlets_figures(struct inlets *in);

#endif
