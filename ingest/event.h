/* event.h - which events are good, and how much of one is kept.
 *
 * The judge of events for all decoders, as check.h is of samples. An event that is bad on its own is rejected by place and reason; one that is
 * merely long is shortened and says so: an error report is worth more than its last frame. Secrets are scrubbed here (scrub.h), before anything
 * else sees what stood there. */
#ifndef MILLRACE_INGEST_EVENT_H
#define MILLRACE_INGEST_EVENT_H

#include "ingest/payload.h"

/* What is kept of an event. Texts end between two characters. */
enum {
	EVENT_NAME_BYTES = 255, /* action, class, ids, file, ..; and keys of all kinds, and an event's tags */
	EVENT_MESSAGE_BYTES = 8192,
	EVENT_VALUE_BYTES = 1024, /* of params, metadata, and a span's tags */
	EVENT_TAGS_MAX = 32,      /* of an event, and of a span; sorted, their keys are names */
	EVENT_PARAMS_MAX = 64,    /* of an error, and metadata of a breadcrumb; sorted */
	EVENT_FRAMES_MAX = 200,   /* the first */
	EVENT_BREADCRUMBS_MAX = 50, /* the last */
	EVENT_SPANS_MAX = 500,      /* the first */
	EVENT_BYTES_MAX = 256 << 10 /* of all of it, encoded, but for what settle.h fills in */
};

/* Judges, shortens and scrubs e, and moves it into p->events, or rejects it. Borrows e's strings and arrays as p does; arrays and tags are changed in
 * place. -1 when memory is short: p is good for nothing then. */
int event_add(struct payload *p, struct payload_event *e);

#endif
