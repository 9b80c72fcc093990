/* scrub_known.c - see scrub_known.h.
 *
 * Sets of eight, a cache line each: the first half of a fingerprint names the set, the second is what stands in it. Two series that agree in both would be
 * taken for one. By chance that does not happen; on purpose it takes knowing all of the other series, its secret included, as the fingerprint is of all of it and
 * of its site.
 *
 * Whoever sends many series, or many for one set, makes others be forgotten, and no more: they are scrubbed as if they came for the first time. */
#include "ingest/scrub_known.h"

#include <stdlib.h>
#include <string.h>

enum { CACHE_LINE = 64 };

struct set {
	uint64_t series[SCRUB_KNOWN_WAYS]; /* 0: free */
};

struct scrub_known {
	struct set *sets;
	unsigned turn; /* whose place is taken next */
};

static inline uint64_t half(const uint8_t *at)
{
	uint64_t v;

	memcpy(&v, at, sizeof(v));
	return v;
}

static inline struct set *set_of(const struct scrub_known *k, const uint8_t *fingerprint)
{
	return &k->sets[half(fingerprint) % SCRUB_KNOWN_SETS];
}

static inline uint64_t name_of(const uint8_t *fingerprint)
{
	uint64_t name = half(fingerprint + SERIES_FINGERPRINT_BYTES / 2);

	return name ? name : 1;
}

struct scrub_known *scrub_known_new(void)
{
	struct scrub_known *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	k->sets = aligned_alloc(CACHE_LINE, SCRUB_KNOWN_SETS * sizeof(*k->sets));
	if (!k->sets) {
		free(k);
		return NULL;
	}
	memset(k->sets, 0, SCRUB_KNOWN_SETS * sizeof(*k->sets));
	return k;
}

void scrub_known_free(struct scrub_known *k)
{
	if (!k)
		return;
	free(k->sets);
	free(k);
}

bool scrub_known_has(const struct scrub_known *k, const uint8_t fingerprint[SERIES_FINGERPRINT_BYTES])
{
	const struct set *set = set_of(k, fingerprint);
	uint64_t name = name_of(fingerprint);
	bool found = false;

	for (int i = 0; i < SCRUB_KNOWN_WAYS; i++)
		found |= set->series[i] == name;
	return found;
}

void scrub_known_add(struct scrub_known *k, const uint8_t fingerprint[SERIES_FINGERPRINT_BYTES])
{
	struct set *set = set_of(k, fingerprint);
	int at = 0;

	while (at < SCRUB_KNOWN_WAYS && set->series[at])
		at++;
	set->series[at < SCRUB_KNOWN_WAYS ? (unsigned)at : k->turn++ % SCRUB_KNOWN_WAYS] = name_of(fingerprint);
}

void scrub_known_prefetch(const struct scrub_known *k, const uint8_t fingerprint[SERIES_FINGERPRINT_BYTES])
{
	__builtin_prefetch(set_of(k, fingerprint));
}
