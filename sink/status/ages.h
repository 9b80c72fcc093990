/* ages.h - how old the oldest unread record of a partition is, from how far its end was when.
 *
 * Whoever asks for a partition's end every few seconds knows when a record came without reading it: between the last time that the end was not behind it and
 * the first time that it was. Only what was there before the first look has to be read. Times are virtual. Not thread-safe: the survey's thread owns it. */
#ifndef MILLRACE_STATUS_AGES_H
#define MILLRACE_STATUS_AGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { AGES_SAMPLES = 128 }; /* two KiB a partition and group */

/* A partition's ends. Zeroed it knows nothing. */
struct ages {
	struct { int64_t at_ms, end; } samples[AGES_SAMPLES]; /* oldest first; at_ms and end rise */
	size_t nr;
};

/* At this time the partition ended here. An end that has gone back begins anew. */
void ages_take(struct ages *a, int64_t at_ms, int64_t end);

/* A record was read: the one at this offset came at_ms. */
void ages_learn(struct ages *a, int64_t offset, int64_t at_ms);

/* How old the record at this offset is at now_ms: never less than it is, and more by no more than *spare_ms. -1: it came before anything is known. Forgets what is
 * of no use for later offsets. */
int64_t ages_of(struct ages *a, int64_t offset, int64_t now_ms, int64_t *spare_ms);

#endif
