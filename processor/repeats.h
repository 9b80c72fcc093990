/* repeats.h - has this record been counted before? Who judges it, whatever it carries.
 *
 * A dead letter that was sent again is judged by retried.h, a record with an agent_id by dedup.h, one with an Idempotency-Key by request_keys.h; what
 * has none of these is new each time. Not thread-safe: the task owns all of it. */
#ifndef MILLRACE_PROCESSOR_REPEATS_H
#define MILLRACE_PROCESSOR_REPEATS_H

#include "common/origin.h"
#include "processor/dedup.h"
#include "processor/request_keys.h"

/* Is the identity what ingest lets through? Else ERR_REJECT. */
int repeats_check(const struct identity *who, struct err *err);

/* Judges a record that repeats_check() and everybody else has accepted, and remembers it: the caller counts it or ends the process. origin: of a dead
 * letter that was sent again; NULL of a first one. *by_key: it was judged by a key. -1 with ERR_FATAL when memory is short: nothing may be saved
 * any more then. */
int repeats_take(struct dedup *d, struct request_keys *k, const struct identity *who, const struct origin *origin, int64_t watermark_ms,
		 struct dedup_outcome *outcome, bool *by_key, struct err *err);

#endif
