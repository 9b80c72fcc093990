/* draft.h - a metric while a decoder reads it.
 *
 * Formats differ in how fields stand there; what they say does not. A decoder begins a draft where a metric begins, notes what it
 * meets in whatever order, and ends it where the metric ends: only then can it be judged, as name, kind, tags and points
 * are all known. One draft serves all metrics of a payload, one after the other, and keeps the room of its points.
 * A zeroed struct is ready for draft_begin(). */
#ifndef MILLRACE_INGEST_DRAFT_H
#define MILLRACE_INGEST_DRAFT_H

#include <stddef.h>
#include <stdint.h>

#include "common/series.h"
#include "common/str.h"
#include "ingest/payload.h"

struct draft {
	struct str name;
	int kind; /* an enum series_kind, or -1: none of them */
	struct tag tags[SERIES_TAGS_MAX + 1]; /* the last one only shows that there were too many */
	size_t tags_len;
	struct payload_point *points; /* in the payload's arena */
	size_t points_len, points_cap;
};

/* Starts the next metric, without name, kind, tags and points. */
static inline void draft_begin(struct draft *d)
{
	d->name = STR("");
	d->kind = -1;
	d->tags_len = 0;
	d->points_len = 0;
}

/* An empty tag, for the caller to fill with strings that live as long as the payload, before the next one is added. Tags beyond
 * the limit share the last place: that there are too many is all that matters. */
static inline struct tag *draft_add_tag(struct draft *d)
{
	struct tag *t = &d->tags[d->tags_len <= SERIES_TAGS_MAX ? d->tags_len++ : SERIES_TAGS_MAX];

	*t = (struct tag){STR(""), STR("")};
	return t;
}

/* A point with nothing in it, for the caller to fill before the next one is added. NULL when p's memory is short. */
struct payload_point *draft_add_point(struct draft *d, struct payload *p);

/* Room for the figures of a point that is more than a number and a time; NULL when p's memory is short. Most points have none:
 * so a body of nothing but small points does not take many times its size. */
struct payload_figures *draft_add_figures(struct payload_point *pt, struct payload *p);

/* Judges the metric, the index-th of its list, and moves it into p (check_metric()). -1 when memory is short. */
int draft_end(struct draft *d, struct payload *p, uint32_t index);

#endif
