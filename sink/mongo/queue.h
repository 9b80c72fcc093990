/* queue.h - how batches travel between the poll thread and the writers.
 *
 * A first-in, first-out list under one mutex. It carries whole objects: who pushes one gives it away, who pops it owns it, so
 * that no state of the sink is ever shared by two threads. The list is as long as its producers let it grow: the reader looks at
 * queue_len() before it adds (backpressure is its decision, since it must keep polling Kafka), the writers give back no more
 * than they were given. All functions may be called by any thread, but _new and _free. */
#ifndef MILLRACE_SINK_MONGO_QUEUE_H
#define MILLRACE_SINK_MONGO_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

/* Embedded as the first member of what travels. */
struct queue_item {
	struct queue_item *next;
};

struct queue;

/* An empty, open queue. Each push makes wake_fd (of events_wake_fd(), borrowed) readable; -1: none. NULL with *err set. */
struct queue *queue_new(int wake_fd, struct err *err);

/* Frees an empty queue that nobody waits on; NULL is a no-op. */
void queue_free(struct queue *q);

/* Takes item and puts it at the end; a closed queue takes items too. */
void queue_push(struct queue *q, struct queue_item *item);

/* The oldest item, waiting for one up to timeout_ms (real). NULL when the time is over, or when the queue is closed and empty. */
struct queue_item *queue_pop(struct queue *q, int64_t timeout_ms);

/* How many items wait now. */
size_t queue_len(struct queue *q);

/* Says that the work is over: whoever waits returns at once, now and from now on. */
void queue_close(struct queue *q);

/* Waits up to timeout_ms (real; 0: only looks) for queue_close(): a pause that the end of the work cuts short. True when closed. */
bool queue_wait_closed(struct queue *q, int64_t timeout_ms);

#endif
