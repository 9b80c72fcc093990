/* accepted.h - which share of the requests that were ours to take was taken, over the last minute, by the ingests' heartbeats.
 *
 * A heartbeat has counts since its program's start, so what counts is the difference between beats of one instance; a count that falls is a new start. */
#ifndef MILLRACE_STATUS_ACCEPTED_H
#define MILLRACE_STATUS_ACCEPTED_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "sink/status/facts.h"

enum { ACCEPTED_SPAN_MS = 60000, ACCEPTED_STEPS = 12 };

struct accepted_instance;

/* Zeroed it knows nothing. */
struct accepted {
	struct accepted_instance *instances;
	size_t nr, cap;
	struct { int64_t begin_ms; double taken, refused; } steps[ACCEPTED_STEPS]; /* a ring of spans of 5 s, virtual */
	int64_t counted_ms; /* the last heartbeat, virtual */
};

/* Frees the instances; as zeroed. */
void accepted_fini(struct accepted *a);

/* Takes the ingests' newest heartbeats. -1 when memory is short. */
int accepted_take(struct accepted *a, const struct facts *facts, struct err *err);

/* 0 to 1; -1: nothing was asked in the minute before the last heartbeat. */
double accepted_share(const struct accepted *a);

#endif
