/* event_queue.h - errors, transactions, markers and check-ins, from their acceptance to the next flush.
 *
 * An event is kept as it is sent: packed, as one field of a Payload of schemas/push.proto (tag, length, message). A packed Payload
 * with such fields appended to it is the same Payload with those events in it, whatever their order, so nobody unpacks them again.
 *
 * Bounded by bytes and by number. When it is full the newest is refused: what was accepted stays, and who sends knows no less than
 * before. The last eighth of both bounds is kept for markers and check-ins, of which there are few and each one matters: a flood of
 * transactions does not hide a deploy. What is refused is counted as lost until the flush takes that number. Not thread-safe: one owner. */
#ifndef MILLRACE_AGENT_EVENT_QUEUE_H
#define MILLRACE_AGENT_EVENT_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/str.h"

enum event_kind { EVENT_ERROR, EVENT_TRANSACTION, EVENT_MARKER, EVENT_CHECK_IN, NR_EVENT_KINDS };

enum { EVENT_QUEUE_RESERVE = 8 /* one part in so many is for markers and check-ins */ };

struct event {
	enum event_kind kind;
	struct str field; /* of a Payload; borrowed until the event is dropped */
};

struct event_queue_figures {
	size_t events, bytes;          /* waiting; bytes as they are allocated */
	uint64_t added, lost;          /* since the start */
	uint64_t lost_by[NR_EVENT_KINDS];
};

struct event_queue;

/* Holds at most max_events, in at most max_bytes of memory. NULL with *err set when memory is short. */
struct event_queue *event_queue_new(size_t max_events, size_t max_bytes, struct err *err);
void event_queue_free(struct event_queue *q); /* NULL is a no-op; what waits is gone */

/* Adds a packed Error, Transaction, Marker or CheckIn; copies. False: there is no room, or no memory; it is counted as lost. */
bool event_queue_add(struct event_queue *q, enum event_kind kind, struct str message);

/* The oldest event, which stays; false when there is none. */
bool event_queue_first(const struct event_queue *q, struct event *out);

/* Drops the oldest: it is in a payload now. */
void event_queue_drop(struct event_queue *q);

/* Events lost since the last call. The flush that asks reports them (losses.h), under a seq of its own. */
uint64_t event_queue_take_lost(struct event_queue *q);

/* For status and metrics. */
void event_queue_figures(const struct event_queue *q, struct event_queue_figures *out);

/* "error", "transaction", "marker", "check_in": as they stand in a line, and as a label. */
const char *event_kind_name(enum event_kind kind);

#endif
