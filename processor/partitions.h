/* partitions.h - the tasks that are ours, and everything that happens to them.
 *
 * Assigned, restored, started, fed, held, refused, revoked: every change of a task's phase is made here (but TASK_NEW to TASK_READY, which a committed first
 * checkpoint makes). No partition waits for another: one that is refused or held leaves the others running.
 *
 *   assigned -> PENDING -> NEW -> READY -> RUNNING <-> HELD      revoked: any -> gone
 *                      \-> READY           PENDING -> REFUSED -> PENDING, again and again
 * Not thread-safe: the one thread owns it. */
#ifndef MILLRACE_PROCESSOR_PARTITIONS_H
#define MILLRACE_PROCESSOR_PARTITIONS_H

#include "common/report.h"
#include "processor/checkpoint.h"
#include "processor/feed.h"
#include "processor/restore.h"

struct partitions;

/* What the partitions work with; all borrowed. The consumer joins with hooks of partitions_hooks(), so it comes last. */
struct partitions_parts {
	const struct program *program;
	const struct processor_conf *conf;
	const struct cell_topics *topics;
	struct report *report;
	struct controls *controls; /* NULL: operators allow nothing */
	const struct site_limits *limits; /* NULL: no site has any of its own */
	struct stats *stats;
	struct trim *trim; /* is told of what moves away */
};

/* No partition yet. NULL when memory is short. */
struct partitions *partitions_new(const struct partitions_parts *parts, struct err *err);

/* Frees the tasks; NULL is a no-op. */
void partitions_free(struct partitions *ps);

/* What the consumer is to call. */
struct consumer_hooks partitions_hooks(struct partitions *ps);

/* Names the consumer, and what works with it; borrowed. Before any poll. */
void partitions_attach(struct partitions *ps, struct consumer *consumer, struct restore *restore, struct checkpoint *checkpoint);

/* Takes up to max records, fewer when they are large (budget.h), until none is there. 1: there may be more; 0: not; -1 as from feed_take(). */
int partitions_drain(struct partitions *ps, int max, struct err *err);

/* Everything that is due by time: restores, starts, retries, checkpoints. -1 with ERR_FATAL. */
int partitions_turn(struct partitions *ps, struct err *err);

/* Saves all that is not saved yet, trying for up to timeout_ms (real). -1 when something could not be saved: it will be read again. */
int partitions_save(struct partitions *ps, int timeout_ms, struct err *err);

/* For a fault point: one try to save all, and more than would be due. 0: all is saved, or there was nothing to save. */
int partitions_save_as_zombie(struct partitions *ps, struct err *err);

/* Does every partition that is ours run? */
bool partitions_ready(const struct partitions *ps);

/* Why not, as a literal. */
const char *partitions_why_not_ready(const struct partitions *ps);

/* What the heartbeat tells of them; all doubles, as its figures are. */
struct partitions_figures {
	double assigned, running, refused;
	double lag_records; /* of all, added up */
	double lag_seconds; /* of the one that is furthest behind */
};

/* Brings the gauges up to date, and fills *out. */
void partitions_figures(struct partitions *ps, struct partitions_figures *out);

#endif
