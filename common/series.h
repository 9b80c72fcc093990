/* series.h - the identity of a series: (site, kind, name, tags) and its fingerprint.
 *
 * Fingerprint: XXH3-128 with seed 0, canonical (big-endian) byte order, of site, kind (1 byte), name, then tags sorted bytewise
 * by key; each string as u16 little-endian length and bytes (schemas/README.md, "Series, shards, routes"). schemas/vectors.json holds test
 * vectors. Everything that depends on sameness of series depends on this one function. */
#ifndef MILLRACE_SERIES_H
#define MILLRACE_SERIES_H

#include <stddef.h>
#include <stdint.h>

#include "common/codec.h"
#include "common/err.h"
#include "common/str.h"

/* The most values that one sample may stand for: ingest and processor must agree, or what was accepted becomes a dead letter. */
#define SERIES_SAMPLE_COUNT_MAX (INT64_C(1) << 40)

enum { SERIES_FINGERPRINT_BYTES = 16, SERIES_STRING_MAX = 255, SERIES_TAGS_MAX = 32 };

/* What one series is called; borrows its strings. kind is the number of enum series_kind (schemas). */
struct series_id {
	struct str site;
	uint8_t kind;
	struct str name;
	const struct tag *tags; /* sorted bytewise by key, no key twice */
	size_t tags_len;
};

/* Sorts tags bytewise by key, in place. 0, or -1 when a key stands there twice. */
int series_sort_tags(struct tag *tags, size_t len);

/* Writes the fingerprint. Strings are within SERIES_STRING_MAX (the site within 65,535) and tags sorted, as the caller has
 * checked. */
void series_fingerprint(const struct series_id *id, uint8_t out[SERIES_FINGERPRINT_BYTES]);

/* Low 64 bits of a fingerprint (its last 8 canonical bytes, big-endian). */
uint64_t series_fingerprint_low(const uint8_t fingerprint[SERIES_FINGERPRINT_BYTES]);

/* Is s a name or tag key: [A-Za-z0-9_.:/-], 1 to 255 bytes? */
int series_name_valid(struct str s);

#endif
