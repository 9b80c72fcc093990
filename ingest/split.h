/* split.h - a payload becomes parts, one for each partition it touches.
 *
 * A pure function of payload and route, without I/O or time: a retry of the same payload under the same routing history gives
 * the same bytes for the same partitions, which is what makes dedup by (agent_id, seq) and partition possible. All parts are
 * encoded and measured before any is sent, so that a payload is taken whole or not at all. */
#ifndef MILLRACE_INGEST_SPLIT_H
#define MILLRACE_INGEST_SPLIT_H

#include <stddef.h>
#include <stdint.h>

#include "common/str.h"
#include "ingest/payload.h"
#include "ingest/refusal.h"

/* Where a site's samples go. */
struct split_route {
	struct str site;
	const char *topic;
	const int32_t *partitions; /* the site's own, ascending; at least one */
	size_t partitions_len;
};

struct part {
	int32_t partition;
	size_t samples;
	struct buf record; /* SampleBatch in the wire format; owned, malloc'd */
};

struct parts {
	struct part *part; /* in the payload's arena, in the route's order; none is empty */
	size_t len;
};

/* Splits p along route into out, which split_fini() frees after success and failure alike; fingerprints in p are set on the way. No
 * accepted samples: no parts. Refuses a part longer than record_max_bytes. */
int split_payload(struct payload *p, const struct split_route *route, size_t record_max_bytes, struct parts *out,
		  struct refusal *no);

/* Bytes of all records. */
size_t split_record_bytes(const struct parts *parts);

/* Frees the records that nobody has taken (those with a p). */
void split_fini(struct parts *parts);

#endif
