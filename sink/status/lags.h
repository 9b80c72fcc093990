/* lags.h - what successive surveys tell of each cell's groups: how far behind, whether it drains, and when it will be over.
 *
 * Remembers a group from one survey to the next. A survey in which a partition of a group has no answer says nothing of that group; what was known holds for a
 * minute (real) of such surveys, then it is not known. How old the newest survey is is the caller's to watch. Not thread-safe: the main loop owns it. */
#ifndef MILLRACE_STATUS_LAGS_H
#define MILLRACE_STATUS_LAGS_H

#include "common/clock.h"
#include "common/err.h"
#include "common/str.h"
#include "sink/status/facts.h"
#include "sink/status/survey.h"

struct lags;

/* NULL when memory is short. Borrows clock. */
struct lags *lags_new(const struct clock *clock, struct err *err);
void lags_free(struct lags *l); /* NULL is a no-op */

/* Takes a survey that is ok; borrows it for the call. Groups that it does not have are forgotten. -1 when memory is short. */
int lags_take(struct lags *l, const struct survey_view *v, struct err *err);

/* Fills in the three lags of a cell by its name, as of the newest survey; those that are not known are zeroed. */
void lags_fill(const struct lags *l, struct facts_cell *cell);

/* Has every one of these cells been surveyed since the start? */
bool lags_know(const struct lags *l, const struct facts_cell *cells, size_t nr);

#endif
