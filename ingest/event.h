/* event.h - which events are good, and how much of one is kept.
 *
 * The judge of events for all decoders, as check.h is of samples. An event that is bad on its own is rejected by place and reason; one that is
 * merely long is shortened and says so: an error report is worth more than its last frame. Secrets are scrubbed here (scrub.h), before anything
 * else sees what stood there. */
#ifndef MILLRACE_INGEST_EVENT_H
#define MILLRACE_INGEST_EVENT_H

#include "ingest/payload.h"

enum { EVENT_BYTES_MAX = 256 << 10 }; /* of one event, encoded, but for what settle.h fills in */

/* Judges, shortens and scrubs e, and moves it into p->events, or rejects it. Borrows e's strings and arrays as p does; arrays and tags are changed in
 * place. -1 when memory is short: p is good for nothing then. */
int event_add(struct payload *p, struct payload_event *e);

#endif
