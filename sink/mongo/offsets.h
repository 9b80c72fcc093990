/* offsets.h - asking for committed offsets, and committing them.
 *
 * A commit carries the epoch of the cell's topics ("v1 epoch=E"): topics that were made again begin at offset 0, and offsets as
 * well as _ids of the old ones would be taken for theirs. Commits are asynchronous, one at a time, and truthful whenever they
 * arrive: all that lies before a committed offset is settled, so that one of a frozen instance that wakes does no harm.
 * One owner: the poll thread. */
#ifndef MILLRACE_SINK_MONGO_OFFSETS_H
#define MILLRACE_SINK_MONGO_OFFSETS_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/log.h"
#include "common/report.h"
#include "sink/mongo/partitions.h"

struct offsets;

/* Borrows all arguments until offsets_free(); topics: full names by enum sink_topic. NULL with *err set. */
struct offsets *offsets_new(rd_kafka_t *rk, struct partitions *parts, const char *const *topics, int64_t epoch,
			    const struct log *log, struct report *report, struct err *err);

/* Frees; an answer that is still awaited is forgotten. NULL is a no-op. */
void offsets_free(struct offsets *o);

/* Asks for the offsets of the partitions that are PARTITION_ASKING, blocking up to timeout_ms (real); those that are answered
 * become PARTITION_OWNED, or PARTITION_REFUSED. ERR_RETRY when the group does not answer: an error never means "none". */
int offsets_ask(struct offsets *o, int timeout_ms, struct err *err);

/* Sends what may be committed and is not yet, unless a commit is under way. */
void offsets_commit(struct offsets *o);

/* Serves answers to commits. */
void offsets_poll(struct offsets *o);

/* offsets_commit() and waiting up to timeout_ms (real) for its answer. False when something that may be committed is not. */
bool offsets_commit_now(struct offsets *o, int timeout_ms);

/* Reads the epoch in a commit's metadata: 1 and *epoch, 0 when there is none, -1 when it makes no sense (a newer version's). */
int offsets_parse_epoch(const char *metadata, size_t len, int64_t *epoch);

#endif
