/* connections.h - the connections of one serving thread, and how long each may take.
 *
 * libmicrohttpd knows one time-out, of inactivity, which a client that sends a byte a second never meets. So each phase of a connection
 * has a deadline here, from its beginning on, whatever moves meanwhile. Within a phase all deadlines are equally far away, so
 * its list is in their order and the earliest is its head. And there is a limit: beyond it, the connection that has been idle for
 * longest makes room, as an agent that comes needs the place more than one that may come back.
 * Not thread-safe: one owner. */
#ifndef MILLRACE_INGEST_CONNECTIONS_H
#define MILLRACE_INGEST_CONNECTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum connection_phase {
	CONNECTION_IDLE,      /* no request, or less than its first line */
	CONNECTION_HEADERS,
	CONNECTION_BODY,
	CONNECTION_ANSWERING, /* the answer is to be taken */
	CONNECTION_WAITING,   /* for Kafka: no deadline of its own */
	CONNECTION_EXPIRED,   /* given up; it goes as soon as libmicrohttpd has seen that */
	NR_CONNECTION_PHASES
};

/* Embedded in what its owner keeps of it. */
struct connection {
	struct connection *next, *prev; /* of its phase */
	enum connection_phase phase;
	int64_t deadline_mono_ms;
};

struct connection_list {
	struct connection *head, *tail;
};

struct connections {
	struct connection_list lists[NR_CONNECTION_PHASES];
	int64_t timeout_ms[NR_CONNECTION_PHASES]; /* real; 0: none */
	size_t len, max;
};

/* Ends a connection whose deadline has passed, or which makes room; was: its phase. It is in CONNECTION_EXPIRED by then, and is to be
 * removed later, when it is really gone. */
typedef void (*connection_end_fn)(void *ctx, struct connection *c, enum connection_phase was);

/* A new connection, idle. It is not copied and must stay where it is until it is removed. */
void connections_add(struct connections *all, struct connection *c, int64_t mono_ms);

/* Takes it out. */
void connections_remove(struct connections *all, struct connection *c);

/* Enters a phase, whose deadline begins; one that has expired stays so. */
void connections_enter(struct connections *all, struct connection *c, enum connection_phase phase, int64_t mono_ms);

/* Ends all whose deadline has passed. */
void connections_expire(struct connections *all, int64_t mono_ms, connection_end_fn end, void *ctx);

/* While there are more than max: ends the one that has been idle, or else reading headers, for longest; false when there is none. Those
 * that have expired do not count. */
bool connections_make_room(struct connections *all, connection_end_fn end, void *ctx);

/* Calls each for every connection. */
void connections_walk(struct connections *all, void (*each)(struct connection *c));

#endif
