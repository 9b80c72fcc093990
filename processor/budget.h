/* budget.h - who must give memory back, and how much. Pure.
 *
 * When the state of all tasks together passes its limit, those with the most to give are told to (struct task, owed_bytes), until what is
 * left would be under a low mark: so it does not begin again with the next record. What they owe makes their checkpoint due; it closes what
 * is due anyway, and flushes windows only when that is not enough. Nobody is told twice before his flush is committed.
 *
 * What a flush cannot give (dedup, request keys, baselines and their series) counts as well: when it alone is over the limit, the rest still
 * goes out, but never in parts so small that every record would make a checkpoint. It is to stay under half: what is to be done about it is
 * not decided here (room.h).
 *
 * Counted on top of what is there, as it is needed before anything is freed: what a restore that has been announced is going to take; and what
 * the checkpoint of a partition that is large takes beyond the share of checkpoints, for the hours that grow and for the snapshot. */
#ifndef MILLRACE_PROCESSOR_BUDGET_H
#define MILLRACE_PROCESSOR_BUDGET_H

#include "processor/shares.h"
#include "processor/task.h"

struct budget {
	size_t hard_bytes;        /* the share of the state: nothing is read when it is passed */
	size_t high_bytes;        /* some must give when it is passed ... */
	size_t low_bytes;         /* ... until this is left */
	size_t unflushable_bytes; /* what cannot be flushed is to stay under this */
	size_t growth_bytes;      /* what the hours of all partitions in one transaction may grow by, or one partition's alone, */
	size_t snapshot_bytes;    /* and what its snapshot takes: half of the share of checkpoints each */
	size_t turn_bytes;        /* records that weigh so much (budget_weight()) may be taken between two looks */
};

/* What all tasks have now. */
struct budget_use {
	size_t state_bytes;       /* all of it ... */
	size_t unflushable_bytes; /* ... of which no flush frees this */
	size_t growth_bytes;      /* the most by which one's hours would grow (window_store_growth()) */
	size_t snapshot_bytes;    /* of the largest snapshot that one of them would make, about */
};

/* The marks that follow from the shares. */
struct budget budget_of(const struct shares *shares);

/* What a record weighs: its bytes, and for every pane that it has begun (window_store_panes()) as many as would grow to one. */
size_t budget_weight(size_t record_bytes, size_t new_panes);

/* By how much records of a weight may have made the state grow, at most. */
size_t budget_grown(size_t weight);

/* Bytes of a task that its flush would free, with the commit. 0 when one is under way. */
size_t budget_flushable(const struct task *t);

/* What all of them have, among nr slots of which any may be NULL. */
struct budget_use budget_look(struct task *const *tasks, size_t nr);

/* Sets owed_bytes of the tasks that must give, among nr slots of which any may be NULL. reserved_bytes: what is going to be taken. */
void budget_charge(const struct budget *b, struct task *const *tasks, size_t nr, size_t reserved_bytes);

/* Does anybody owe something, or hold what waits for a transaction? */
bool budget_owes(struct task *const *tasks, size_t nr);

/* Does anybody owe something, or would anybody give? */
bool budget_can_give(const struct budget *b, struct task *const *tasks, size_t nr);

/* Of a snapshot: what the task that it is read into takes, at most, and the snapshot itself meanwhile. */
size_t budget_restored(int64_t snapshot_bytes);

#endif
