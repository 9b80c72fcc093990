/* topics.h - makes the topics that should be there, under the right epoch, and tells what differs.
 *
 * The epoch rule. Ids of documents and checkpoints are made of (epoch, partition, offset), and a topic that
 * is made again starts at offset 0: so no topic whose offsets matter may come into being under an epoch
 * that was in use before. Therefore
 *     1. a cell that has no epoch yet, or lacks any of its epoch-bound topics, is given a new random epoch;
 *     2. its Cell record is written and acknowledged;
 *     3. only then are topics made.
 * A crash behind any step leaves a cell whose present topics are all younger than, or were already there
 * before, its epoch; what is still missing makes the next run draw again. An export's epoch is never used.
 *
 * What is there already is compared and never changed: a partition count cannot shrink, and librdkafka
 * 2.0.2 can only replace a topic's settings as a whole (AlterConfigs), which would drop what an operator
 * has set on purpose.
 *
 * Call order: topics_init, topics_make_control, (read the tables,) topics_make_cell.., topics_compare,
 * print, topics_fini. */
#ifndef MILLRACE_CTL_TOPICS_H
#define MILLRACE_CTL_TOPICS_H

#include <stdbool.h>
#include <stdio.h>

#include "common/arena.h"
#include "deploy/ctl/ctl.h"
#include "deploy/ctl/topic_admin.h"

/* One line of the result. */
struct topics_line {
	enum { TOPICS_MADE, TOPICS_EPOCH, TOPICS_DIFFERS } kind;
	const char *topic;             /* TOPICS_EPOCH: the cell */
	const char *what, *is, *should; /* TOPICS_DIFFERS; TOPICS_EPOCH: is is the epoch in hexadecimal, what "new" or "again" */
	struct topics_line *next;
};

struct topics_run {
	struct ctl *ctl;
	int replicas;
	bool dry_run;          /* say what would be, do nothing */
	bool check_partitions; /* also report partitions without a leader, or with copies behind */
	struct arena arena;    /* owns all that follows */
	struct topic_list before; /* what was there at topics_init() */
	struct topic_wish *wishes; /* all topics that were asked for */
	size_t nr_wishes, cap_wishes;
	struct topics_line *first, **last;
	size_t nr_made, nr_differences;
	uint64_t fault_calls; /* of test fault ctl-after-epoch */
};

/* Lists what is there. Borrows ctl (connected) until topics_fini(). Call topics_fini() in any case. */
int topics_init(struct topics_run *run, struct ctl *ctl, int replicas, bool dry_run, struct err *err);

/* Frees. */
void topics_fini(struct topics_run *run);

/* Makes the control plane's topics that are missing. Sets *readable: the tables can be read now (not so in
 * a dry run without them). */
int topics_make_control(struct topics_run *run, bool *readable, struct err *err);

/* Makes a cell's missing topics, after it has written the Cell record with a new epoch where the rule above
 * asks for one (also when the record is not there yet). Borrows cell for the call. */
int topics_make_cell(struct topics_run *run, const struct cell *cell, struct err *err);

/* Compares every topic that was asked for, and had been there before, with its specification. */
int topics_compare(struct topics_run *run, struct err *err);

/* Prints the lines, and a summary. */
void topics_print(const struct topics_run *run, FILE *out);

/* Writes {"created", "epochs", "differences", "checked"} as members of the object that is open. */
void topics_write_json(const struct topics_run *run, struct json_writer *w);

/* The command `topics apply`. */
int topics_apply_run(struct ctl *ctl, struct err *err);

#endif
