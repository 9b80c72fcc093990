/* restore.h - how an assigned partition gets its state back.
 *
 * One partition at a time, in short steps between polls, so that the partitions that already run are not held up: after a kill the question for the
 * committed offset has no answer for as long as the dead owner's transaction lives.
 *
 *   ask committed() -> fits: wait for room (room.h), read the chunks that its metadata names -> TASK_READY at P
 *                   -> no offset: read the state topic's partition; it is empty: find where the input begins -> TASK_NEW there
 *                   -> an error: ask again; it never means "none"
 *   whatever does not fit together: TASK_REFUSED, with the reason said once, if committed() still says what it said; looked
 *   at again later, as an operator may have put it right.
 *   where an operator's control allows it (verdict.h): find the newest snapshot in the state topic, then where the input begins and ends
 *   -> TASK_NEW, with that state or without: its first checkpoint, under the cell's epoch, comes before it reads. Until that is committed
 *   nothing has changed in Kafka: a next owner finds what we have found.
 * Not thread-safe: one owner. */
#ifndef MILLRACE_PROCESSOR_RESTORE_H
#define MILLRACE_PROCESSOR_RESTORE_H

#include "processor/acceptance.h"
#include "processor/consumer.h"
#include "processor/scout.h"
#include "processor/task.h"

struct restore;

/* Borrows all. NULL when memory is short. */
struct restore *restore_new(const struct cell_topics *topics, struct consumer *consumer, struct scout *scout, struct err *err);

/* NULL is a no-op. */
void restore_free(struct restore *r);

/* What operators allow from now on; copies. A restore that ends in a refusal though something else was allowed since it began is begun
 * anew. */
void restore_allow(struct restore *r, const struct consent *consent);

/* What a step came to, about the task it was called for. */
enum restore_step {
	RESTORE_WAITING, /* nothing to do before something arrives or some time has passed */
	RESTORE_DONE,    /* the task is TASK_NEW or TASK_READY */
	RESTORE_REFUSED, /* the task is TASK_REFUSED, err says why */
	RESTORE_FAILED,  /* ERR_FATAL */
};

/* Takes t, TASK_PENDING, a step further; begins with it when another one was restored before. Always call it for the same task until it is done, refused or
 * revoked. mono_ms: real time now. */
enum restore_step restore_turn(struct restore *r, struct task *t, int64_t mono_ms, struct err *err);

/* What the restore that goes on takes at most, its snapshot's own bytes included, known before any of it is taken; 0: none goes on, or its snapshot's size
 * is not known. *waits: it does not read before restore_admit(). */
size_t restore_needs(const struct restore *r, bool *waits);

/* There is room for that (room.h). */
void restore_admit(struct restore *r);

/* What an operator's control has made of the partition that was done last; NULL when it needed none. Borrowed until the next restore_turn(). */
const struct acceptance *restore_acceptance(const struct restore *r);

/* Partition was revoked: forgets it if it is the one being restored. */
void restore_forget(struct restore *r, int32_t partition);

#endif
