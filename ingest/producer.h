/* producer.h - parts go to Kafka, and somebody is told how it ended.
 *
 * Idempotent, acks=all: a part counts as sent only when all in-sync replicas have it. All parts of a payload form one
 * delivery, which ends when the last of them was acknowledged or given up (push.message_timeout at the latest). Nothing here
 * blocks. Not thread-safe: one owner, in whose producer_poll() all callbacks run.
 *
 * Kafka is taken for gone when parts are waiting and none has been acknowledged for push.stall_timeout, which is sooner than a single
 * part is given up: a slow Kafka still takes data, one that is gone must not make clients wait. It is back with the next
 * acknowledgement, for which one payload at a time is let through as soon as none is waiting. All this topic by topic, as a cell whose
 * brokers are gone is no reason to refuse what goes to another. The parts of one delivery may go to several topics.
 *
 * An idempotent producer can end in a fatal error through no fault of ours (librdkafka issue 4438, after a disconnect). Everything
 * in flight then fails, the client is thrown away and another made at the next poll. */
#ifndef MILLRACE_INGEST_PRODUCER_H
#define MILLRACE_INGEST_PRODUCER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/program.h"
#include "common/str.h"
#include "ingest/conf.h"
#include "ingest/split.h"

struct producer;

/* A delivery ended: ok, or the first error of its parts (borrowed for the call). Called exactly once. */
typedef void (*producer_done_fn)(void *ctx, bool ok, const char *error);

/* Would the client that is made here be refused for p's kafka.*? Makes none. 0, or -1 with *err set. */
int producer_check(const struct program *p, const struct ingest_conf *conf, struct err *err);

/* Makes the client; wake_fd (of events_wake_fd()) becomes readable when there is something to poll for. Borrows p and conf until
 * producer_free(). NULL with *err set on failure. */
struct producer *producer_new(const struct program *p, const struct ingest_conf *conf, int wake_fd, struct err *err);

/* Gives up what is still in flight (their done is called) and frees; NULL is a no-op. */
void producer_free(struct producer *pr);

/* Produces all parts, each to its topic, with this key; copies. 0: done will be called, later, from producer_poll() or producer_free(). ERR_RETRY:
 * nothing was queued, and done will not be called. At least one part. */
int producer_send(struct producer *pr, struct str key, const struct parts *parts, producer_done_fn done, void *ctx, struct err *err);

/* Makes ready for a topic: its first record would else wait a second for librdkafka to learn of it. Fails silently, as it is no more. */
void producer_warm(struct producer *pr, const char *topic);

/* Serves delivery reports. -1 with *err set when the client broke (another one is made at the next call). */
int producer_poll(struct producer *pr, struct err *err);

/* Is Kafka gone for any topic, and those who wait for it had better be answered? mono_ms: real time now. Call a few times a second. */
bool producer_hangs(struct producer *pr, int64_t mono_ms);

/* Is Kafka gone for this topic, and another payload had better not come? */
bool producer_gone(const struct producer *pr, const char *topic);

/* Waits up to timeout_ms (real) until all in flight has ended, serving reports. False when the time was over. */
bool producer_flush(struct producer *pr, int timeout_ms);

#endif
