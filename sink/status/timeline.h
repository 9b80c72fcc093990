/* timeline.h - what happened during an incident, as the operator log has it, in words for the public.
 *
 * Keeps what matters of the Notices of the last two days, the newest TIMELINE_KEPT of them. Names of sites, persons and hosts, and operators' own words, never
 * come out of it, and a cell goes by its title. Not thread-safe: the main loop owns it. */
#ifndef MILLRACE_STATUS_TIMELINE_H
#define MILLRACE_STATUS_TIMELINE_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/status_incident.h"
#include "common/table.h"
#include "sink/status/judge.h"

enum { TIMELINE_KEPT = 5000, TIMELINE_MOMENTS_MAX = 50 };

#define TIMELINE_KEPT_MS (INT64_C(48) * 3600 * 1000)

struct timeline;

/* conf: what cells are called; borrowed until timeline_free(). NULL when memory is short. */
struct timeline *timeline_new(const struct judge_conf *conf, struct err *err);
void timeline_free(struct timeline *t); /* NULL is a no-op */

/* A row of millrace.notices, for struct table_spec; ctx is the timeline. Events that are of no matter to the public are passed over. */
int timeline_take_row(void *ctx, const struct table_row *row, struct err *err);

/* The moments from a quarter of an hour before opened_at on (what led to it) that matter to the incident's components, oldest first, equal neighbours told once
 * with how often; of more than TIMELINE_MOMENTS_MAX the last ones. *out lives until the next call. A drafts_timeline_fn; ctx is the timeline. -1 when
 * memory is short. */
int timeline_tell(void *ctx, const struct status_incident *i, struct status_moment **out, size_t *nr, struct err *err);

#endif
