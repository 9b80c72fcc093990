/* account.h - what ingest counts, at every door.
 *
 * Samples of payloads that were decoded are conserved: decoded = accepted + rejected (by reason) + refused (by reason). A payload that
 * is refused as a whole counts all of its samples as refused, the bad ones too, since its retry brings them again. What is refused
 * before decoding has no samples yet: its request is counted. Not thread-safe: one owner (the metrics behind it are). */
#ifndef MILLRACE_INGEST_ACCOUNT_H
#define MILLRACE_INGEST_ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/log.h"
#include "common/metrics.h"
#include "ingest/payload.h"
#include "schemas/reasons.h"

struct account {
	struct metric *inflight_bytes, *connections_waiting, *accepted_samples, *truncated_samples, *requests_accepted, *records,
		*record_bytes, *body_bytes, *sites;
	struct metric *rejected_samples[NR_REASONS]; /* of samples' reasons; NULL for others */
	struct metric *refused_samples[NR_REASONS];  /* of requests' reasons */
	struct metric *refused_requests[NR_REASONS]; /* likewise */
	uint64_t logged[NR_REASONS];                 /* refused requests that account_log() has told of */
};

/* A payload's samples, remembered until it is known whether they count. */
struct tally {
	uint64_t accepted, rejected, truncated;
	uint64_t rejected_by[NR_REASONS];
};

/* Registers all metrics; borrows m. A metric that finds no memory is left out. */
void account_init(struct account *a, struct metrics *m);

/* What a decoded payload holds. */
struct tally account_tally(const struct payload *p);

/* A payload was taken, or was refused with its samples (t NULL: it was not decoded). */
void account_accept(struct account *a, const struct tally *t);
void account_refuse(struct account *a, enum reason reason, const struct tally *t); /* see above */

/* Records were acknowledged. */
void account_records(struct account *a, size_t records, size_t bytes);

/* Logs once a call and reason how many requests this side (status 503) had to refuse since the last call. */
void account_log(struct account *a, const struct log *log);

#endif
