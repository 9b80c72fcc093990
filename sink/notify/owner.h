/* owner.h - this instance's place in the group that decides who notifies for the cell.
 *
 * All instances of a cell are members of the group millrace-notify-CELL and subscribe to c.CELL.incidents, which has one partition: whoever is given it
 * is the owner. Nothing is read by this member; what is read is read by others (loading.h, intake.h) for as long as the tenure's term lasts.
 * The offsets of c.CELL.alerts are the group's, and are committed by the journal on behalf of this member. One owner: the main loop. */
#ifndef MILLRACE_SINK_NOTIFY_OWNER_H
#define MILLRACE_SINK_NOTIFY_OWNER_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>

#include "common/err.h"
#include "common/program.h"
#include "sink/notify/tenure.h"

struct owner;

/* The cell is about to move to another instance, or, lost, has done so already. Called inside owner_turn(), and not while the group is being left;
 * the tenure is the old one until it returns. */
typedef void (*owner_leaving_fn)(void *ctx, bool lost);

/* Would the client that is made here be refused for p's kafka.*? Makes none. 0, or -1 with *err set. */
int owner_check(const struct program *p, struct err *err);

/* Joins the group of a cell whose inputs have so many partitions. Borrows p and ctx until owner_free(). wake_fd, of events_wake_fd(), is readable when a
 * turn is due. NULL with *err set: ERR_RETRY when the cell's topics are not there; ERR_REJECT when they are not as they must be: were there two
 * partitions of incidents, there could be two owners. */
struct owner *owner_new(const struct program *p, int32_t partitions, int wake_fd, owner_leaving_fn leaving, void *ctx, struct err *err);

/* Leaves the group, waiting up to timeout_ms (real), and frees. False when the client has to be left behind, which is usual (kafka_close()): end
 * the process by _exit() then. NULL is true. */
bool owner_free(struct owner *o, int timeout_ms);

/* Serves the group; due often. ERR_FATAL when this member cannot go on. */
int owner_turn(struct owner *o, struct err *err);

/* Where we stand. The caller tells it what else happens (tenure_acquired(), tenure_broken()). */
struct tenure *owner_tenure(struct owner *o);

/* Has the group given an assignment, be it an empty one? */
bool owner_joined(const struct owner *o);

/* The metadata to commit with: the copy taken at the last rebalance. NULL when there is none that may be used. Borrowed until the next owner_turn(). */
const rd_kafka_consumer_group_metadata_t *owner_group(const struct owner *o);

/* Asks for the committed offsets of list, waiting up to timeout_ms (real); fills offsets and metadata in. ERR_RETRY: ask again; an error never means
 * "none". */
int owner_committed(struct owner *o, rd_kafka_topic_partition_list_t *list, int timeout_ms, struct err *err);

#endif
