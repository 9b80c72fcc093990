/* scout.h - a second consumer that reads one partition at a time, apart from the group.
 *
 * A restore must read a snapshot's chunks, and find where a partition begins, without touching the group's assignment. The scout is assigned by hand,
 * commits nothing, joins nothing. Not thread-safe: one owner. */
#ifndef MILLRACE_PROCESSOR_SCOUT_H
#define MILLRACE_PROCESSOR_SCOUT_H

#include <librdkafka/rdkafka.h>
#include <stdint.h>

#include "common/err.h"
#include "common/program.h"

struct scout;

/* Would the client that is made here be refused for p's kafka.*? Makes none. 0, or -1 with *err set. */
int scout_check(const struct program *p, struct err *err);

/* Borrows p. NULL with *err set on failure. */
struct scout *scout_new(const struct program *p, struct err *err);

/* NULL is a no-op. */
void scout_free(struct scout *s, int timeout_ms);

/* Makes fd (of events_wake_fd()) readable when there is something to read. */
void scout_wake_on(struct scout *s, int fd);

/* The client, for requests that belong to no partition: borrowed until scout_free(). */
rd_kafka_t *scout_client(const struct scout *s);

/* Reads one partition from offset (or RD_KAFKA_OFFSET_BEGINNING) on; ends what it read before. Borrows topic until then. */
int scout_send(struct scout *s, const char *topic, int32_t partition, int64_t offset, struct err *err);

/* Stops reading. */
void scout_recall(struct scout *s);

/* Where the present partition ends as its leader saw it at the last fetch, behind what open transactions have written; -1: not fetched yet.
 * When that lies beyond the end of partition that scout_poll() tells of, a transaction is open there. */
int64_t scout_end(const struct scout *s);

/* The next record, end of partition, or error of the present partition; NULL when there is none now. The caller destroys it. */
rd_kafka_message_t *scout_poll(struct scout *s);

#endif
