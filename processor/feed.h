/* feed.h - from the client's messages to the tasks: the guard of positions, ends, poison.
 *
 * The client is not trusted with positions (2.0.2 has lost records silently, and a reset moves them): the task's own position alone says which record is the next.
 * A record that cannot be decoded goes to the dead letters and the partition goes on; one of an unknown schema is a newer writer's, and
 * its partition waits. Not thread-safe: one owner. */
#ifndef MILLRACE_PROCESSOR_FEED_H
#define MILLRACE_PROCESSOR_FEED_H

#include "processor/alarm.h"
#include "processor/conf.h"
#include "processor/consumer.h"
#include "processor/stats.h"
#include "processor/task.h"

/* What it works with, all borrowed. */
struct feed_parts {
	const struct program *program;
	const struct processor_conf *conf;
	const struct cell_topics *topics;
	struct stats *stats;
};

/* Starts with with, alarm and consumer set and the rest zeroed. */
struct feed {
	struct feed_parts with;
	struct alarm alarm;
	struct consumer *consumer;
	struct arena scratch;
	struct buf letter;
};

/* Frees the scratch memory. */
void feed_fini(struct feed *f);

/* Takes one message for the task of its partition, NULL when that is not ours. -1 with ERR_FATAL, or with ERR_RETRY when the consumer has failed for
 * good and another one must be made. */
int feed_take(struct feed *f, struct task *t, const rd_kafka_message_t *message, struct err *err);

/* The task reads nothing for retry_ms (real), or until it is started anew. */
void feed_hold(struct feed *f, struct task *t, int64_t retry_ms);

/* Fetches again from the task's position; when that fails, the task is TASK_READY, to be started anew a little later. */
void feed_refetch(struct feed *f, struct task *t);

#endif
