/* reopening.h - when a service whose consumer has failed is opened again.
 *
 * A consumer can fail for good, and a new one does what it did. Two processes with one instance.id fence each other: each that joins ends the
 * other, so who was fenced waits for longer than a session, and longer each time, until an operator has ended one of the two. Pure: real time comes in. */
#ifndef MILLRACE_PROCESSOR_REOPENING_H
#define MILLRACE_PROCESSOR_REOPENING_H

#include <stdbool.h>
#include <stdint.h>

/* Zeroed is ready: it may be opened at once. */
struct reopening {
	int64_t pause_ms;         /* the last one; 0: none yet */
	int64_t until_mono_ms;    /* not before */
	int64_t opened_mono_ms;   /* when it was opened last */
};

/* It was opened. */
void reopening_note_open(struct reopening *r, int64_t mono_ms);

/* It has failed, having been opened before; fenced: by another process with our instance.id. Returns the pause. */
int64_t reopening_note_failure(struct reopening *r, bool fenced, int64_t mono_ms);

/* May it be opened now? */
bool reopening_due(const struct reopening *r, int64_t mono_ms);

#endif
