/* checkpoint.h - emission, snapshot and offset in one transaction.
 *
 * The rules:
 *  A  What forgets or depends on the wall clock or on settings happens here only: task_close().
 *  B  A transaction begins and ends within one call of a function below, between two polls or inside one revoke callback.
 *  C  What was emitted is freed after the commit. Aborted: the task keeps it, the next checkpoint emits the same. Outcome unknown: the committed
 *     offset is asked for, and our snapshot's id and offset there mean that it was committed.
 *  D  Offsets are sent with the group metadata that the consumer has held since its last rebalance callback, or not at all.
 * Several partitions share a transaction: one costs 30 to 90 ms, whatever is in it. Not thread-safe: one owner. */
#ifndef MILLRACE_PROCESSOR_CHECKPOINT_H
#define MILLRACE_PROCESSOR_CHECKPOINT_H

#include "processor/consumer.h"
#include "processor/due.h"
#include "processor/stats.h"
#include "processor/task.h"
#include "processor/trim.h"
#include "processor/txn.h"

struct checkpoint;

/* What a checkpoint works with; all borrowed. */
struct checkpoint_parts {
	const struct program *program;
	const struct processor_conf *conf;
	const struct cell_topics *topics;
	struct consumer *consumer;
	struct txn *txn;
	struct stats *stats;
	struct trim *trim; /* is told of what is committed */
	struct report *report; /* takes notices */
	const struct judging_tables *judging; /* NULL: nobody judges */
};

/* NULL when memory is short. */
struct checkpoint *checkpoint_new(const struct checkpoint_parts *parts, struct err *err);

/* NULL is a no-op. */
void checkpoint_free(struct checkpoint *cp);

/* The rules by which partitions are due. Borrowed. */
const struct due_rules *checkpoint_rules(const struct checkpoint *cp);

/* Between two polls: settles what is in doubt, makes the checkpoints that are due, or commits positions when it is time. tasks: nr
 * slots by partition, NULL where none is ours. -1 only with ERR_FATAL; what fails otherwise is logged, counted and tried again. */
int checkpoint_turn(struct checkpoint *cp, struct task **tasks, size_t nr, struct err *err);

/* Makes a checkpoint of every one of these tasks that has anything to save, trying again for up to timeout_ms (real): on revoke, whose tasks are dropped
 * afterwards, and before the end. all: every task that is ours, among which something may be in doubt. 0: all is saved; -1 with ERR_RETRY:
 * not all, which the next owner restores from the checkpoint before. */
int checkpoint_now(struct checkpoint *cp, struct task **all, size_t nr_all, const int32_t *partitions, size_t nr, int timeout_ms,
		   struct err *err);

/* Bytes that the triggers take, as rules and as rows, about: the state cannot have them. */
size_t checkpoint_triggers_bytes(const struct checkpoint *cp);

/* Nothing that an operator would worry about: can transactions be made? */
bool checkpoint_is_able(const struct checkpoint *cp);

#endif
