/* scrub_known.h - series whose tags were read once and found to hide nothing.
 *
 * A series comes again with each payload of its sender, and its tags say what they said before: they need not be read again. What is remembered is the
 * fingerprint of the series as it was sent, so what has a secret is never in here. A table of a fixed size that forgets: a series that it has forgotten is
 * scrubbed once more, which costs time and nothing else. Not thread-safe: each serving thread has its own, for the rules it was started with. */
#ifndef MILLRACE_INGEST_SCRUB_KNOWN_H
#define MILLRACE_INGEST_SCRUB_KNOWN_H

#include <stdbool.h>
#include <stdint.h>

#include "common/series.h"

enum { SCRUB_KNOWN_SETS = 32 << 10, SCRUB_KNOWN_WAYS = 8 }; /* 262,144 series in 2 MiB */

struct scrub_known;

/* An empty one; NULL when memory is short. */
struct scrub_known *scrub_known_new(void);
void scrub_known_free(struct scrub_known *k); /* NULL is a no-op */

/* Was the series found clean, and is that still remembered? */
bool scrub_known_has(const struct scrub_known *k, const uint8_t fingerprint[SERIES_FINGERPRINT_BYTES]);

/* Remembers a series that is clean, in place of another if need be. */
void scrub_known_add(struct scrub_known *k, const uint8_t fingerprint[SERIES_FINGERPRINT_BYTES]);

/* Has memory fetched that scrub_known_has() will look at soon. */
void scrub_known_prefetch(const struct scrub_known *k, const uint8_t fingerprint[SERIES_FINGERPRINT_BYTES]);

#endif
