/* query_fold.h - windows of many series, merged exactly by what an operator asks for.
 *
 * Fragments of aggregates come in any order, from any partition and cell; each is added at once to the window of its group, so that memory follows what is shown and not what
 * is read. A group is all that matches, or all that has the same value of one tag. Counts, buckets, min, max and last are exact under merging; a sum is a double. Not
 * thread-safe. */
#ifndef MILLRACE_CTL_QUERY_FOLD_H
#define MILLRACE_CTL_QUERY_FOLD_H

#include <stdbool.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/err.h"
#include "common/map.h"
#include "deploy/ctl/windows.h"

enum {
	QUERY_SLOTS_MAX = 1000000,  /* windows of all groups */
	QUERY_SERIES_MAX = 1000000,
	QUERY_NEAR_MAX = 5,         /* names that are told where there is none */
	QUERY_NAMES_MAX = 10000,    /* that are compared for them */
};

/* What is asked for. Borrowed. */
struct query_spec {
	struct str site, metric;
	bool has_kind;
	enum series_kind kind;
	const struct tag_selector *tags; /* all must hold */
	size_t nr_tags;
	struct str by;             /* a tag's key; p NULL: one group of all */
	int64_t from_ms, to_ms;    /* windows that start in [from, to); full windows */
	int64_t closed_ms;         /* what ends by then has been told by processors that keep up */
	int32_t window_ms;
};

struct query_window {
	bool has; /* something was in it */
	struct windows_point p;
};

struct query_group {
	struct str value;             /* of the tag; p NULL: series without it, or no tag was asked for */
	size_t nr_series;
	struct query_window *windows; /* one of each start from from_ms on */
	struct windows_point total;   /* of all of them; after query_finish() */
};

struct query {
	const struct query_spec *spec;
	struct query_group **groups;
	size_t nr, cap;
	size_t nr_windows;            /* of each */
	struct map by_value, series;  /* groups by the tag's value; fingerprints seen */
	struct windows_point total;   /* of all groups; after query_finish() */
	struct map names;             /* of the site, compared with the metric */
	struct str near[QUERY_NEAR_MAX]; /* the nearest first */
	int distance[QUERY_NEAR_MAX];
	size_t nr_near;
	unsigned kinds;               /* bits of the kinds of what matched */
	int64_t newest_ms;            /* start of the newest window of any series; -1: none */
	size_t nr_fragments;          /* that were taken */
	size_t nr_named, nr_selected; /* of the metric at any time read; of those, with the tags */
	size_t nr_late;               /* taken, that changed a window which had been told */
	bool approximate;             /* some buckets were estimated from another layout */
	size_t hist_bytes;
	struct arena arena;           /* groups and their names */
};

/* Begins; borrows spec. ERR_REJECT: the span has more windows than can be held. Call query_fini() in any case. */
int query_init(struct query *q, const struct query_spec *spec, struct err *err);
void query_fini(struct query *q); /* see above */

/* Takes a fragment of any series of any site. ERR_REJECT: more than can be held; ERR_FATAL: memory. */
int query_take(struct query *q, const struct aggregate *a, struct err *err);

/* All is there: makes the totals. ERR_REJECT: what matches is of several kinds, which do not add up. */
int query_finish(struct query *q, struct err *err);

/* Merges windows [first, end) of a group into out; free its hist. 1: there is something in it, 0: nothing; -1 with *err set. */
int query_range(const struct query *q, const struct query_group *g, size_t first, size_t end, struct windows_point *out, struct err *err);

/* The value of a field (common/trigger.h) of a point that covers so long; a rate is a second's. False: it has none. */
bool query_value(enum trigger_field field, const struct windows_point *p, int64_t length_ms, double *out);

/* Sorts the groups by a field of their totals, the highest first, those without it last. */
void query_sort(struct query *q, enum trigger_field field);

#endif
