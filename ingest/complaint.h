/* complaint.h - what the log says of a payload that was not taken, or not as a whole.
 *
 * One line a payload, with what identifies it: the site, and the agent's id and sequence number as far as they were read. Of what a payload holds
 * no word gets into the log: a refusal's detail may quote it, so the reason stands alone. */
#ifndef MILLRACE_INGEST_COMPLAINT_H
#define MILLRACE_INGEST_COMPLAINT_H

#include "common/log.h"
#include "ingest/account.h"
#include "ingest/payload.h"
#include "ingest/refusal.h"

/* A payload that may be gone by the time there is something to say of it. */
struct complaint_about {
	bool has_agent_id, has_seq;
	uint8_t agent_id[PAYLOAD_AGENT_ID_BYTES];
	int64_t seq;
};

/* The payload's identity, as far as it has been decoded. */
struct complaint_about complaint_about(const struct payload *p);

/* A payload was refused after its body had been read. samples: where they are known. log NULL: nothing is said, in all of these. */
void complaint_refused(const struct log *log, struct str site, const struct complaint_about *about, enum reason reason, const struct tally *samples);

/* Kafka did not take it: error is its client's word, and topic where the first part should have gone. */
void complaint_unsent(const struct log *log, struct str site, const struct complaint_about *about, const char *topic, const char *error);

/* A payload was taken; says nothing unless some of its samples were rejected. */
void complaint_rejected(const struct log *log, struct str site, const struct complaint_about *about, const struct tally *samples);

#endif
