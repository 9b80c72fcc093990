/* settle.h - what follows from a payload's events, once all of it is decoded.
 *
 * Fills in what the payload says for all (host, environment, revision), names each event's group (group.h), derives samples from events: error.count,
 * transaction.count and transaction.duration; and keeps of the transactions only the slowest few of each action, as the others are
 * in the samples. */
#ifndef MILLRACE_INGEST_SETTLE_H
#define MILLRACE_INGEST_SETTLE_H

#include "ingest/payload.h"

enum { SETTLE_SLOWEST = 3 }; /* transactions of one action that are kept of a payload, and by the processor of a minute */

/* Settles p, whose site is known; call once, after check_payload(). -1 when memory is short. */
int settle_events(struct payload *p, struct str site);

#endif
