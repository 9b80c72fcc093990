/* divide.h - a part that is too large for one record becomes several, its chunks.
 *
 * For payloads whose sender cannot send less at once, as OTLP's clients cannot: what they are refused is lost. A pure function of the part and
 * record_max_bytes, so a retry gives the same chunks under the same keys.
 *
 * A processor counts one record of an idempotency key. So the first chunk has the payload's key, and each later one a key of its own, made of that key and
 * the chunk's number (schemas/README.md, "Identity of a payload"). */
#ifndef MILLRACE_INGEST_DIVIDE_H
#define MILLRACE_INGEST_DIVIDE_H

#include <stddef.h>

#include "common/str.h"
#include "ingest/payload.h"
#include "ingest/refusal.h"

struct chunk {
	size_t items, bytes; /* samples or events, at least one; of its record */
};

/* The first three are the caller's, borrowed; the last two are what comes of it. */
struct division {
	struct payload *payload;
	size_t record_max_bytes;
	struct buf *records; /* the chunks' records are put behind what stands there */
	struct chunk *chunks; /* in the payload's arena */
	size_t chunks_len, chunks_cap;
};

/* Encodes a part of samples as chunks; whole_bytes is what it takes as one record. Samples go by series and time, those of one chunk in this order within
 * its two lists. Refuses when one sample alone is too large, when all chunks together take more than the arena may, or when memory is short. */
int divide_samples(struct division *d, const struct sample_batch *whole, size_t whole_bytes, struct refusal *no);

/* The same of events, which stay in their order. */
int divide_events(struct division *d, const struct event_batch *whole, size_t whole_bytes, struct refusal *no);

#endif
