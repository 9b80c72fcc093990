/* route.h - which partition a series of a site goes to.
 *
 * A site owns `shards` partitions of its cell, by rendezvous: the ones with the highest XXH3-64(site, 0x00, u16 LE partition),
 * in ascending order (Thaler and Ravishankar, "A Name-Based Mapping Scheme for Rendezvous", 1996; schemas/README.md, "Series, shards, routes").
 * A pure function of its arguments: every retry takes the way of the first attempt. */
#ifndef MILLRACE_ROUTE_H
#define MILLRACE_ROUTE_H

#include <stddef.h>
#include <stdint.h>

#include "common/series.h"
#include "common/str.h"

enum { ROUTE_PARTITIONS_MAX = 1024 };

/* Writes the site's partitions, ascending, into out (room for shards) and returns how many: shards, but at most partitions.
 * 1 <= shards, 1 <= partitions <= ROUTE_PARTITIONS_MAX; ties go to the lower partition. */
size_t route_site_partitions(struct str site, int32_t partitions, int32_t shards, int32_t *out);

/* Index into the site's partitions for a series: low 64 bits of its fingerprint mod nr. */
size_t route_series_index(const uint8_t fingerprint[SERIES_FINGERPRINT_BYTES], size_t nr);

#endif
