/* consumer.h - the sink's place in its Kafka group, and the records of the partitions it has.
 *
 * The poll thread owns it, and comes round often whatever the database does: rebalances are served in consumer_next(). What is
 * fetched is decided by consumer_fetch(): a partition is taken out of librdkafka's assignment when the database cannot take
 * more, and put back with an explicit offset. The group does not notice: its assignment is another thing.
 * Not rd_kafka_pause_partitions(): in 2.0.2 it forgets the position of a partition of which nothing was consumed yet, and stays
 * in force over a rebalance. Not rd_kafka_consume_batch_queue() either: it loses records at rebalances. */
#ifndef MILLRACE_SINK_MONGO_CONSUMER_H
#define MILLRACE_SINK_MONGO_CONSUMER_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/program.h"
#include "common/report.h"
#include "sink/mongo/meters.h"
#include "sink/mongo/partitions.h"

struct consumer;

/* Partitions are about to move away: bring in what can be had of them in a short time. Called inside consumer_next(); partitions
 * that go have leaving set. */
typedef void (*consumer_revoke_fn)(void *ctx);

struct consumer_spec {
	const struct program *program; /* borrowed, with all below, until consumer_free() */
	struct partitions *parts;
	struct meters *meters;
	struct report *report; /* for notices */
	int64_t epoch;              /* of the cell's topics */
	int wake_fd;                /* readable when there is something to poll for */
	consumer_revoke_fn revoke;
	void *ctx;                  /* of revoke */
};

/* Would the client that is made here be refused for p's kafka.*? Makes none. 0, or -1 with *err set. */
int consumer_check(const struct program *p, struct err *err);

/* Joins group millrace-sink-CELL for the cell's topics, which exist. NULL with *err set. */
struct consumer *consumer_new(const struct consumer_spec *spec, struct err *err);

/* Leaves the group, waiting up to timeout_ms (real), and frees. False when the client does not end: it is left behind, and the
 * process must end without tearing down what it uses. All messages must have been destroyed before. NULL is true. */
bool consumer_free(struct consumer *c, int timeout_ms);

/* The next record of a partition of ours that was not handed over before, its partition in *part. Never waits. The caller takes
 * it, or leaves it: a record whose offset was not entered into the partition's ledger has not been read. NULL when there is none now, or
 * with *err set (ERR_FATAL) when the client broke. */
rd_kafka_message_t *consumer_next(struct consumer *c, struct partition **part, struct err *err);

/* Fetch, or do not, from now on. Partitions that are held are left out either way. */
void consumer_fetch(struct consumer *c, bool fetch);

/* Holds one partition for hold_ms (real), then fetches it again from its ledger's next offset. */
void consumer_hold(struct consumer *c, struct partition *part, int64_t hold_ms);

/* Housekeeping, due at any time and often: asks where to begin, commits, ends holds, measures lags. -1 with *err (ERR_RETRY) when
 * Kafka does not answer. */
int consumer_turn(struct consumer *c, struct err *err);

/* Commits all that may be, waiting up to timeout_ms (real). False when some of it is not. */
bool consumer_commit_now(struct consumer *c, int timeout_ms);

/* Has the group given an assignment (be it an empty one)? */
bool consumer_joined(const struct consumer *c);

/* The lags of all partitions that are ours, as last measured, added up. */
int64_t consumer_lag(const struct consumer *c);

/* "millrace.c.CELL.minutely", ..; borrowed. */
const char *consumer_topic(const struct consumer *c, enum sink_topic topic);

#endif
