/* consumer.h - the group member: which partitions are ours, their records one by one, and the group metadata we commit with.
 *
 * Partitions are inputs by their numbers here (topics.h), but for those of messages. Both inputs of a partition's number are always one member's.
 *
 * Newly assigned partitions are held back: they are ours, but hand over nothing until consumer_start() names the position. A partition is
 * given back to the group only from within the rebalance callback. Callbacks run inside consumer_poll(), on the caller's thread.
 * Not thread-safe: one owner. */
#ifndef MILLRACE_PROCESSOR_CONSUMER_H
#define MILLRACE_PROCESSOR_CONSUMER_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/program.h"
#include "common/str.h"
#include "processor/topics.h"

/* Called inside consumer_poll(); partitions are borrowed for the call. A revoked one is not ours any more when the call returns; lost: it has
 * not been ours for a while, and nothing may be committed for it. */
struct consumer_hooks {
	void (*assigned)(void *ctx, const int32_t *partitions, size_t nr);
	void (*revoked)(void *ctx, const int32_t *partitions, size_t nr, bool lost);
	void *ctx;
};

struct consumer;

/* Would the client that is made here be refused for p's kafka.*? Makes none. 0, or -1 with *err set. */
int consumer_check(const struct program *p, struct err *err);

/* Joins the group of the cell. Borrows p and topics, copies hooks. ERR_RETRY when a topic is not there or brokers are away; NULL
 * with *err set on failure. */
struct consumer *consumer_new(const struct program *p, const struct cell_topics *topics, const struct consumer_hooks *hooks,
			      struct err *err);

/* Leaves the group, waiting up to timeout_ms (real); hooks are not called any more. False when the client had to be left behind.
 * NULL is a no-op. */
bool consumer_close(struct consumer *c, int timeout_ms);

/* Makes fd (of events_wake_fd()) readable when there is something to poll for. */
void consumer_wake_on(struct consumer *c, int fd);

/* The next record, end of partition, or error; NULL when there is none now. The caller destroys it. */
rd_kafka_message_t *consumer_poll(struct consumer *c);

/* Lets a held partition that is ours hand over its records from offset on. ERR_RETRY: try again later. */
int consumer_start(struct consumer *c, int32_t partition, int64_t offset, struct err *err);

/* Holds a partition back again. */
int consumer_hold(struct consumer *c, int32_t partition, struct err *err);

/* Fetches a started partition again from offset on; what has been fetched and not handed over is forgotten. */
int consumer_refetch(struct consumer *c, int32_t partition, int64_t offset, struct err *err);

/* What stands committed for a partition. */
struct committed {
	int64_t offset; /* -1: none */
	struct str metadata; /* in the buffer given */
};

/* Asks the group's coordinator, waiting up to timeout_ms (real). ERR_RETRY, also when the former owner's commit is still pending: ask again, it never
 * means that there is none. buf takes the metadata. */
int consumer_committed(struct consumer *c, int32_t partition, int timeout_ms, struct committed *out, struct buf *buf, struct err *err);

/* Has another process joined with our instance.id? Then this consumer has failed for good. */
bool consumer_is_fenced(const struct consumer *c);

/* Has the group taken us for gone meanwhile, in a way that leaves partitions with us that were another's? Nothing can be committed then, whatever
 * the client says: the consumer is to be closed. */
bool consumer_is_broken(const struct consumer *c);

/* Has the group given us an assignment yet, be it an empty one? */
bool consumer_joined(const struct consumer *c);

/* The metadata to commit with (rule D), or NULL when there is none that may be used. Borrowed until the next consumer_poll(). */
const rd_kafka_consumer_group_metadata_t *consumer_group(const struct consumer *c);

/* The end of a partition as the client knows it from its last fetch; -1 when it does not. */
int64_t consumer_end_offset(struct consumer *c, int32_t partition);

#endif
