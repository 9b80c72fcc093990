/* intake.h - reads c.CELL.alerts, all partitions, from the group's committed offsets on.
 *
 * One intake for one term. What was committed carries the epoch of the cell's topics ("v1 epoch=E"): offsets of topics that were made again mean
 * nothing, and such a partition is read from its beginning, as one of which nothing was committed. That does no harm: an event taken twice changes
 * nothing. A record is read once it was told by intake_took(); positions go into the journal's transaction with what became of the records.
 * Not thread-safe: one owner. */
#ifndef MILLRACE_SINK_NOTIFY_INTAKE_H
#define MILLRACE_SINK_NOTIFY_INTAKE_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/program.h"
#include "common/report.h"
#include "common/str.h"

struct intake;

struct intake_spec {
	const struct program *program; /* borrowed, with report, until intake_free() */
	struct report *report;         /* for notices */
	int64_t epoch;                 /* of the cell's topics */
	int32_t partitions;
	int wake_fd;                   /* readable when there is something to poll for */
};

/* Would the client that is made here be refused for p's kafka.*? Makes none. 0, or -1 with *err set. */
int intake_check(const struct program *p, struct err *err);

/* Reads nothing yet. NULL with *err set. */
struct intake *intake_new(const struct intake_spec *spec, struct err *err);

/* False when the client has been left behind: end the process by _exit() then. NULL is true. */
bool intake_free(struct intake *i);

/* The list to ask committed offsets for; the caller destroys it. */
rd_kafka_topic_partition_list_t *intake_list(const struct intake *i);

/* Begins where the answer says. Of partitions that begin anew a Notice says so, unless nothing was ever committed. */
int intake_begin(struct intake *i, const rd_kafka_topic_partition_list_t *committed, struct err *err);

/* The next record; NULL when there is none now, or with *err set (ERR_RETRY: begin a new term). The caller destroys it. Of a partition records come in
 * order, each once, unless intake_hold() was called for one. */
rd_kafka_message_t *intake_next(struct intake *i, struct err *err);

/* The record has been dealt with: its offset may be committed. */
void intake_took(struct intake *i, const rd_kafka_message_t *m);

/* The record cannot be read by this version: its partition waits, and it comes again after hold_ms (real). True the first time, of this record. */
bool intake_hold(struct intake *i, const rd_kafka_message_t *m, int64_t hold_ms);

/* Housekeeping: ends holds. Often. */
int intake_turn(struct intake *i, struct err *err);

/* What is to be committed: the positions of all partitions, with their metadata; the caller destroys it. Empty until a partition's position is known. */
rd_kafka_topic_partition_list_t *intake_offsets(struct intake *i);

/* Are there positions that are not committed? */
bool intake_moved(const struct intake *i);

/* What intake_offsets() last gave is committed. */
void intake_committed(struct intake *i);

/* Are there records that were written before now and have not been taken? Held partitions do not count. */
bool intake_behind(const struct intake *i);

/* Has each partition been at its end once, or is it held? So all is taken that was there at the beginning. */
bool intake_caught_up(const struct intake *i);

/* Records that have been written and not been taken, as far as the client knows. */
int64_t intake_lag(const struct intake *i);

/* Virtual time since the oldest of them was written, or the best bound (intake.c); 0: there is none. Once a second. */
int64_t intake_lag_ms(struct intake *i);

/* Partitions that wait for a newer version. */
int32_t intake_held(const struct intake *i);

/* Reads the epoch of a commit's metadata: 1 and *epoch, 0: there is none; -1: it makes no sense. */
int intake_parse_epoch(struct str metadata, int64_t *epoch);

#endif
