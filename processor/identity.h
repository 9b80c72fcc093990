/* identity.h - by what a record is known when it comes again, whatever it carries.
 *
 * A SampleBatch and an EventBatch say the same of their payload (schemas/README.md, "Identity of a payload"); what judges repetitions (repeats.h) sees
 * nothing of a record but this. Pure. */
#ifndef MILLRACE_PROCESSOR_IDENTITY_H
#define MILLRACE_PROCESSOR_IDENTITY_H

#include "schemas/schemas.h"

/* Strings and id are borrowed. */
struct identity {
	struct str site;
	const uint8_t *agent_id; /* NULL: none */
	int64_t seq, floor;
	bool home;
	bool has_key; /* an Idempotency-Key */
	struct str key;
	int64_t created_ms; /* by its sender */
};

/* Of a batch, which is borrowed. */
static inline struct identity identity_of_samples(const struct sample_batch *b)
{
	return (struct identity){b->site, b->has_agent_id ? b->agent_id : NULL, b->seq, b->floor, b->home, b->has_idempotency_key, b->idempotency_key,
				 b->created_at};
}

/* See above. No partition of events is an agent's home: gaps are looked for in its samples. */
static inline struct identity identity_of_events(const struct event_batch *b)
{
	return (struct identity){b->site, b->has_agent_id ? b->agent_id : NULL, b->seq, b->floor, false, b->has_idempotency_key, b->idempotency_key,
				 b->created_at};
}

/* When a payload's agent said that older ones were still to come; 0: it did not, or by a clock before 1970, which no snapshot may hold. No later than the
 * watermark, whatever the sender's clock says: a site whose clock is wrong would be taken for one that waits for ever. */
static inline int64_t identity_waiting_ms(const struct identity *who, int64_t watermark_ms)
{
	if (!who->agent_id || who->floor >= who->seq || who->created_ms < 0)
		return 0;
	return who->created_ms < watermark_ms ? who->created_ms : watermark_ms;
}

#endif
