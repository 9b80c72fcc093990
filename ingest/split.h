/* split.h - a payload becomes parts, one for each partition it touches, of samples and of events.
 *
 * A pure function of payload, route and limit, without I/O or time: a retry of the same payload under the same routing history gives
 * the same bytes for the same partitions, which is what makes dedup by (agent_id, seq) and partition possible. Where a part is too large
 * for a record, and the payload is divisible, it becomes several of the same partition, one behind the other (divide.h). All parts are
 * encoded and measured before any is sent, so that a payload is taken whole or not at all.
 *
 * Samples go by their series to partitions of the one topic, events by their group to partitions of the same numbers of the other: parts of samples come
 * first, then those of events, each in the route's order.
 *
 * One of the site's partitions of samples is an agent's home, picked by the agent's random id: it gets a part of each of its payloads, an empty one if no
 * series is at home there. So one processor sees every number that the agent gives, and knows which payloads never came. */
#ifndef MILLRACE_INGEST_SPLIT_H
#define MILLRACE_INGEST_SPLIT_H

#include <stddef.h>
#include <stdint.h>

#include "common/str.h"
#include "ingest/payload.h"
#include "ingest/refusal.h"

/* Where a site's data goes. */
struct split_route {
	struct str site;
	const char *topic, *events_topic; /* of samples, of events */
	const int32_t *partitions; /* the site's own, of both topics, ascending; at least one */
	size_t partitions_len;
	int64_t since_ms; /* effective_from */
};

struct part {
	const char *topic; /* one of the route's two, borrowed */
	int32_t partition;
	size_t samples, events; /* one of them is 0 */
	struct str record;      /* SampleBatch or EventBatch in the wire format; in the buffer that split_payload() was given */
};

struct parts {
	struct part *part; /* in the payload's arena, in the order told above; none is empty but the home's */
	size_t len;
};

/* Splits p along route: the records one behind the other into records, whose old content is forgotten, and what they are into out, which is
 * good until records changes; on the way secrets are taken out of the tags of series in p, and their fingerprints are set. No samples, no events and no agent: no parts. Refuses a part longer than
 * record_max_bytes, unless p is divisible: then no more than a single sample or event of that length. */
int split_payload(struct payload *p, const struct split_route *route, size_t record_max_bytes, struct buf *records, struct parts *out,
		  struct refusal *no);

/* Bytes of all records. */
size_t split_record_bytes(const struct parts *parts);

#endif
