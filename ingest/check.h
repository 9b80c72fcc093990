/* check.h - which samples are good.
 *
 * The one judge for all decoders. A sample that is bad on its own is rejected by place and reason while the rest of its
 * payload goes on; only what makes the payload as a whole meaningless refuses it. The first reason that applies is given, in
 * the order of schemas/reasons.txt; times count before values. */
#ifndef MILLRACE_INGEST_CHECK_H
#define MILLRACE_INGEST_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "ingest/payload.h"
#include "ingest/refusal.h"

#define CHECK_PAST_MS (INT64_C(48) * 3600 * 1000) /* accepted event times: this far back .. */
#define CHECK_FUTURE_MS (INT64_C(10) * 60 * 1000) /* .. to this far ahead of the time of receipt */
#define CHECK_SEQ_SPAN_MAX INT64_C(65536)         /* seq - floor */

/* Judges a metric and moves it into p: its good points as samples of one new series, its bad ones as rejections. Borrows m, whose
 * tags are sorted in place; strings and histogram counts of accepted samples go on being borrowed by p. Secrets are still in the tags. -1 when
 * memory is short: p is good for nothing then. */
int check_metric(struct payload *p, struct payload_metric *m);

/* What is wrong with a time of the payload, by its sender's clock: time_too_old, time_too_new, or NR_REASONS: nothing. */
enum reason check_time(const struct payload *p, int64_t t_ms);

/* Is a report of loss (with an agent_id that is one) what CHECK_TRUNCATION_WANTS says? */
bool check_truncation(const struct payload_truncation *t);
#define CHECK_TRUNCATION_WANTS "agent_id, 1 <= from_seq <= to_seq and samples >= 0 are expected"

/* Judges what concerns all of the payload, once it is decoded: identity (floor is set to seq where it was left out),
 * created_at, emptiness. */
int check_payload(struct payload *p, struct refusal *no);

#endif
