/* retried.h - has this dead letter, which an operator has sent again, been counted before?
 *
 * What dedup says is not enough. A dead letter is sent again hours later; by then its agent has had its answer and raised its floor over the
 * payload, and what lies below the floor is a duplicate to dedup, though nobody has counted it: that refusal was why it became a dead letter.
 * So it is told by a key among the request_keys, remembered for an hour and over a restore as those are, under the same cap:
 *  - of a payload with an identity, agent_id and seq: two dead letters of the same payload count once;
 *  - of a request with an Idempotency-Key, that key;
 *  - of any other, the origin's epoch and offset.
 * Where dedup has marked the payload, or still can, that holds, too, and for longer. Not thread-safe: the task owns all of it. */
#ifndef MILLRACE_PROCESSOR_RETRIED_H
#define MILLRACE_PROCESSOR_RETRIED_H

#include "common/origin.h"
#include "processor/dedup.h"
#include "processor/request_keys.h"

/* Judges a record that everybody else has accepted, and remembers it: the caller counts it or ends the process. -1 with ERR_FATAL when memory
 * is short: nothing may be saved any more then. */
int retried_take(struct dedup *d, struct request_keys *k, const struct identity *who, const struct origin *origin, int64_t watermark_ms,
		 struct dedup_outcome *outcome, struct err *err);

#endif
