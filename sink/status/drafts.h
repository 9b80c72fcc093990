/* drafts.h - when the page writes an incident by itself, and what it says.
 *
 * Pure: components, incidents and the time go in, entries come out (at most one an incident a turn), for the caller to write. A component that is not operational for
 * drafts.after (1 min) gets an incident drafted, one for all that trouble that has one cause; a draft is posted after drafts.publish_after unless an operator had a
 * hand in it or vetoed it; one that is over before that is vetoed by itself; a posted one that nobody edited is updated when what it says changes (recovery begins, is
 * expected much later), and resolved when its components have been operational for drafts.resolve_after. One that is edited is an operator's, posted or not: they are
 * reminded (once a cadence) when its last words are older than the cadence. A maintenance that is to come hides no trouble of now. */
#ifndef MILLRACE_STATUS_DRAFTS_H
#define MILLRACE_STATUS_DRAFTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/status_incident.h"
#include "common/str.h"
#include "schemas/schemas.h"

struct drafts_conf {
	int64_t after_ms;         /* drafts.after: 60s */
	int64_t publish_after_ms; /* drafts.publish_after: 10m; 0: at once */
	int64_t resolve_after_ms; /* drafts.resolve_after: 5m */
	int64_t cadence_ms;       /* drafts.cadence: 30m */
};

struct drafts;

/* NULL when memory is short. Borrows conf. */
struct drafts *drafts_new(const struct drafts_conf *conf, struct err *err);
void drafts_free(struct drafts *d); /* NULL is a no-op */

/* The timeline of an incident that ends; *out lives until the next call. */
typedef int (*drafts_timeline_fn)(void *ctx, const struct status_incident *i, struct status_moment **out, size_t *nr, struct err *err);

/* What is to be written now. *out (*nr of them) lives until the next call. timeline may be NULL. All times virtual. -1 with *err set when memory is
 * short: call again. */
int drafts_turn(struct drafts *d, int64_t now_ms, const struct status_component *components, size_t nr_components,
		const struct status_incidents *incidents, drafts_timeline_fn timeline, void *ctx, const struct status_entry **out, size_t *nr,
		struct err *err);

/* How many incidents on the page wait for an operator: theirs, and not told of for a cadence. */
size_t drafts_due(const struct drafts_conf *conf, int64_t now_ms, const struct status_incidents *incidents);

#endif
