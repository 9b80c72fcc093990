/* split.h - a payload becomes parts, one for each partition it touches.
 *
 * A pure function of payload and route, without I/O or time: a retry of the same payload under the same routing history gives
 * the same bytes for the same partitions, which is what makes dedup by (agent_id, seq) and partition possible. All parts are
 * encoded and measured before any is sent, so that a payload is taken whole or not at all.
 *
 * One of the site's partitions is an agent's home, picked by the agent's random id: it gets a part of each of its payloads, an empty one if no
 * series is at home there. So one processor sees every number that the agent gives, and knows which payloads never came. */
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
	int64_t since_ms; /* effective_from */
};

struct part {
	int32_t partition;
	size_t samples;
	struct str record; /* SampleBatch in the wire format; in the buffer that split_payload() was given */
};

struct parts {
	struct part *part; /* in the payload's arena, in the route's order; none is empty but the home's */
	size_t len;
};

/* Splits p along route: the records one behind the other into records, whose old content is forgotten, and what they are into out, which is
 * good until records changes; fingerprints in p are set on the way. No accepted samples and no agent: no parts. Refuses a part longer than
 * record_max_bytes. */
int split_payload(struct payload *p, const struct split_route *route, size_t record_max_bytes, struct buf *records, struct parts *out,
		  struct refusal *no);

/* Bytes of all records. */
size_t split_record_bytes(const struct parts *parts);

#endif
