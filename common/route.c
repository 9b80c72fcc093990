/* route.c - see route.h. */
#include "common/route.h"

#include <string.h>
#define XXH_INLINE_ALL /* the state on the stack, and no call for a short string */
#include <xxhash.h>

static uint64_t weight_of(struct str site, int32_t partition)
{
	const uint8_t tail[3] = {0, (uint8_t)(partition & 0xff), (uint8_t)(partition >> 8 & 0xff)};
	XXH3_state_t state;

	XXH3_64bits_reset(&state);
	XXH3_64bits_update(&state, site.p, site.len);
	XXH3_64bits_update(&state, tail, sizeof(tail));
	return XXH3_64bits_digest(&state);
}

size_t route_site_partitions(struct str site, int32_t partitions, int32_t shards, int32_t *out)
{
	uint64_t weights[ROUTE_PARTITIONS_MAX];
	size_t nr = 0;

	for (int32_t p = 0; p < partitions; p++)
		weights[p] = weight_of(site, p);
	/* A partition is owned when fewer than `shards` others outweigh it; a tie counts for the lower one. */
	for (int32_t p = 0; p < partitions; p++) {
		int32_t above = 0;

		for (int32_t q = 0; q < partitions && above < shards; q++)
			above += weights[q] > weights[p] || (weights[q] == weights[p] && q < p);
		if (above < shards)
			out[nr++] = p;
	}
	return nr;
}

size_t route_series_index(const uint8_t fingerprint[SERIES_FINGERPRINT_BYTES], size_t nr)
{
	return (size_t)(series_fingerprint_low(fingerprint) % nr);
}
