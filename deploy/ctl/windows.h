/* windows.h - minutes of series as the aggregates topics have them, put together again from their fragments.
 *
 * Fragments come in any order, from any partition and cell. After windows_merge() each series has at most one point a minute, oldest first. Not
 * thread-safe. */
#ifndef MILLRACE_CTL_WINDOWS_H
#define MILLRACE_CTL_WINDOWS_H

#include <stdint.h>

#include "common/arena.h"
#include "common/err.h"
#include "common/map.h"
#include "common/trigger.h"
#include "schemas/schemas.h"

enum { WINDOWS_FRAGMENTS_MAX = 1000000 };

/* What histograms of all fragments may take. */
#define WINDOWS_HIST_BYTES_MAX (INT64_C(512) << 20)

struct windows_point {
	int64_t start_ms, last_at_ms;
	struct trigger_point point; /* its hist is below, or NULL */
	struct hist hist;
};

struct windows_series {
	struct series_id id;
	struct windows_point *points;
	size_t nr, cap;
};

/* Zeroed it is empty. */
struct windows {
	struct map index; /* of the fingerprint to struct windows_series * */
	struct windows_series **list; /* in the order in which they came */
	size_t nr, cap;
	size_t nr_fragments, hist_bytes;
	struct arena arena; /* series and their names */
};

/* A fragment as a point, which has its histogram: free that with hist_fini(). -1 with *err set, and nothing to free: ERR_REJECT, the histogram is none; ERR_FATAL,
 * memory. */
int windows_point_read(const struct aggregate *a, struct windows_point *out, struct err *err);

/* Adds src, of the same window or another, to dst: count, sum, errors and buckets add; min; max; last by (last_at, value). -1 when memory is short, 1 when there are
 * more values than a histogram holds; dst is to be thrown away then. */
int windows_point_add(struct windows_point *dst, const struct windows_point *src);

/* Frees all; w is as zeroed. */
void windows_fini(struct windows *w);

/* Takes a fragment of a minute; copies. ERR_REJECT: its histogram is none, or there are more than can be held; ERR_FATAL: memory. */
int windows_take(struct windows *w, const struct aggregate *a, struct err *err);

/* Merges fragments of the same minute (windows_point_add()). -1 when memory is short. */
int windows_merge(struct windows *w, struct err *err);

#endif
