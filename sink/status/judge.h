/* judge.h - from facts to components: what is operational, what is not, and how bad it is.
 *
 * Pure but for its memory of since when: a state's `since` is when the component entered it. Thresholds are table-tested and stand in
 * sink/status/README.md. */
#ifndef MILLRACE_STATUS_JUDGE_H
#define MILLRACE_STATUS_JUDGE_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/status_incident.h"
#include "schemas/schemas.h"
#include "sink/status/facts.h"

struct judge;

struct judge_conf {
	const char *cell_titles; /* page.cells: "main=Europe,other=US"; else the cell's name */
	int64_t degraded_ms;     /* judge.degraded: how far behind is degraded (2m) */
	int64_t outage_ms;       /* judge.outage: how far behind is an outage though it drains (15m) */
};

/* Borrows conf. NULL with *err set. */
struct judge *judge_new(const struct judge_conf *conf, struct err *err);
void judge_free(struct judge *j); /* NULL is a no-op */

/* What a restart knows of before: states and since. Copies. */
int judge_recall(struct judge *j, const struct status_component *components, size_t nr, struct err *err);

/* The components of these facts, in the order of the page: push, processing, storage/CELL by name, alerts, notifications. *out lives until the next
 * call. A posted maintenance that is on (incidents) shows its components as in maintenance. */
int judge_turn(struct judge *j, const struct facts *facts, const struct status_incidents *incidents, const struct status_component **out, size_t *nr,
	       struct err *err);

#endif
