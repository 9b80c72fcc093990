/* acks.h - the rows of millrace.acks: who takes care of which incident.
 *
 * Remembered whether or not the incident is known, as the topics are read in no order; the oldest go first. Not thread-safe. */
#ifndef MILLRACE_NOTIFY_ACKS_H
#define MILLRACE_NOTIFY_ACKS_H

#include <stdint.h>
#include <sys/queue.h>

#include "common/err.h"
#include "common/map.h"
#include "common/table.h"
#include "schemas/schemas.h"

enum { ACKS_MAX = 10000 };

TAILQ_HEAD(ack_queue, ack_row);

struct acks {
	struct map by_incident; /* owns struct ack_row */
	struct ack_queue order; /* in which they came */
};

/* No rows yet. */
void acks_init(struct acks *a);
void acks_fini(struct acks *a); /* frees the rows */

/* Takes a row, or a deletion. ERR_REJECT: malformed, or its key is not its incident's id; the old one stays. */
int acks_take(struct acks *a, const struct table_row *row, struct err *err);

/* The acknowledgement of an incident, or NULL. */
const struct ack *acks_find(const struct acks *a, const uint8_t incident[16]);

#endif
