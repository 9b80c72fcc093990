/* account.h - what ingest counts, at every door, site by site.
 *
 * Samples, of which each event is one, of payloads that were decoded are conserved: received = accepted + rejected (by reason) + refused (by reason), as soon as
 * nothing is in flight. A payload that is refused as a whole counts all of its samples as refused, the bad ones too, since its retry
 * brings them again. What is refused before decoding has no samples yet: its request is counted.
 *
 * Labels are bounded (common/site_metrics.h): so many sites get figures of their own, in the order they come; the others share
 * site="__other__", and who has no site (no key yet) counts as site="__none__". Any thread may count. */
#ifndef MILLRACE_INGEST_ACCOUNT_H
#define MILLRACE_INGEST_ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/log.h"
#include "common/metrics.h"
#include "common/str.h"
#include "ingest/payload.h"
#include "schemas/reasons.h"

struct account;

/* What concerns no single site. */
enum account_figure {
	ACCOUNT_INFLIGHT_BYTES,
	ACCOUNT_INFLIGHT_LIVE_BYTES,
	ACCOUNT_INFLIGHT_BACKLOG_BYTES,
	ACCOUNT_CONNECTIONS,
	ACCOUNT_WAITING,
	ACCOUNT_EXPECTED_BACK,
	ACCOUNT_SITES,
	ACCOUNT_TABLES_HELD,
	ACCOUNT_MEMORY_BUDGET,
	ACCOUNT_UNDER_REPLICATED,
	ACCOUNT_RECORDS,
	ACCOUNT_RECORD_BYTES,
	ACCOUNT_BODY_BYTES,
	ACCOUNT_INFLATED_BYTES,
	ACCOUNT_BACKLOG_PAYLOADS,
	ACCOUNT_SKEWED_PAYLOADS,
	ACCOUNT_CONNECTIONS_CLOSED_IDLE,
	ACCOUNT_CONNECTIONS_CLOSED_FULL,
	ACCOUNT_STALLS,
	NR_ACCOUNT_FIGURES
};

/* A payload's samples, remembered until it is known whether they count. */
struct tally {
	uint64_t accepted, rejected, truncated_samples, truncated_payloads;
	uint64_t rejected_by[NR_REASONS];
	uint64_t events[NR_PAYLOAD_EVENT_KINDS]; /* of the accepted */
	uint64_t ignored[NR_PAYLOAD_IGNORED];    /* likewise */
};

/* Registers the figures that concern no site; borrows m until account_free(). At most sites_max sites get their own. NULL when memory is
 * short. */
struct account *account_new(struct metrics *m, size_t sites_max);

/* No thread may count any more; NULL is a no-op. */
void account_free(struct account *a);

/* Adds to a counter, or sets a gauge; a NULL account counts nothing. */
void account_add(struct account *a, enum account_figure figure, uint64_t n);
void account_set(struct account *a, enum account_figure figure, double value); /* see above */

/* What a decoded payload holds. */
struct tally account_tally(const struct payload *p);

/* A payload of a site was decoded; it was taken; or it was refused (t NULL: it had not been decoded). site "": nobody's. */
void account_receive(struct account *a, struct str site, const struct tally *t);
void account_accept(struct account *a, struct str site, const struct tally *t);                     /* see above */
void account_refuse(struct account *a, struct str site, enum reason reason, const struct tally *t); /* see above */

/* Samples accepted since the start, of all sites. */
uint64_t account_accepted(const struct account *a);

/* Requests since the start, of all sites: those that were taken, and those that this side had to refuse (status 503) though nothing was wrong with them. */
uint64_t account_accepted_requests(const struct account *a);
uint64_t account_unavailable_requests(const struct account *a); /* see above */

/* Logs once a call and reason how many requests this side (status 503) had to refuse, undecoded, since the last call. One caller. */
void account_log(struct account *a, const struct log *log);

#endif
