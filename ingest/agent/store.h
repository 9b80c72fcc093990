/* store.h - what was told, aggregated by series and by slots of 30 s.
 *
 * A sample belongs to the slot of its time, whenever it comes. A slot that ended is cut: each series that something was told of in it
 * yields one point, and begins anew. What a point says:
 *     counter       v, the weighted sum; t is the slot's start
 *     gauge         v with its own t when there was one reading, else count, sum, min, max, last and last_at, t being the slot's start
 *     distribution  the same, with a histogram of scale 5; v only for one measurement of weight 1
 *     set           a gauge: v, the number of different members; exact up to MEMBERS_MAX, beyond it, or when memory is short, an
 *                   estimate with a standard error of 2.5 % (of 4,096; members.h)
 * A gauge keeps its value from slot to slot for signed additions, but is sent only in slots in which it was told. A sample for a slot that
 * was cut already is sent with the next cut: points merge.
 *
 * Bounds: series_max series and memory_bytes. Samples of new series beyond go into the series `__overflow__` of their kind, without tags,
 * so that totals over all names stay exact. A series is dropped when it was not told for STORE_IDLE_SLOTS (a gauge that had signed
 * additions, after STORE_IDLE_ADDED_SLOTS, as its value is lost then). Not thread-safe: one owner. */
#ifndef MILLRACE_AGENT_STORE_H
#define MILLRACE_AGENT_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/hist.h"
#include "common/series.h"
#include "common/str.h"
#include "ingest/agent/cause.h"

#define STORE_SLOT_MS INT64_C(30000)
#define STORE_OVERFLOW_NAME "__overflow__"

enum {
	STORE_IDLE_SLOTS = 20,
	STORE_IDLE_ADDED_SLOTS = 2880,
	STORE_OPEN_SLOTS_MAX = 64, /* of one series: samples with times of their own may open others than the current one */
};

enum store_kind { STORE_COUNTER, STORE_GAUGE, STORE_GAUGE_ADD, STORE_DISTRIBUTION, STORE_SET, NR_STORE_KINDS };

/* One sample; strings are borrowed for the call. */
struct store_sample {
	enum store_kind kind;
	struct str name;    /* as it came: label.h */
	struct str tags;    /* "key:value,bare", as it came */
	struct str member;  /* of a set; any bytes */
	double value;       /* finite; not of a set */
	uint64_t weight;    /* how often value was measured or counted, at least 1; not of gauges and sets */
	int64_t t_ms;       /* virtual; within what clock_iso() can write */
};

struct store_conf {
	int64_t series_max;     /* at least 1 */
	size_t memory_bytes;    /* of series, histograms and sets */
	const struct tag *tags; /* added to every series that has not the key; sorted or not, valid; copied */
	size_t tags_len;
};

/* What has happened since the start; figures of now are `series` and `memory_bytes`. */
struct store_figures {
	uint64_t samples;          /* taken, overflowed ones among them; a line of weight 10 is one */
	uint64_t overflowed;       /* of them into `__overflow__` */
	uint64_t points;           /* handed out by cuts */
	uint64_t idle_dropped;     /* series dropped as nothing was told of them */
	uint64_t estimated_sets;   /* points of sets that are estimates */
	size_t series;
	size_t memory_bytes;
};

struct store;

/* NULL with *err set when memory is short. */
struct store *store_new(const struct store_conf *conf, struct err *err);
void store_free(struct store *s); /* NULL is a no-op */

/* Takes one sample. CAUSE_NONE: taken, maybe by the overflow series. Else it is not: CAUSE_NAME, CAUSE_TAGS, CAUSE_VALUE,
 * CAUSE_NEGATIVE, CAUSE_RANGE, CAUSE_TIME (more than STORE_OPEN_SLOTS_MAX slots open), CAUSE_MEMORY; nothing has changed. */
enum cause store_add(struct store *s, const struct store_sample *sample);

/* A point as push.proto has it. */
struct store_point {
	int64_t t;
	bool has_v;                            /* v alone; else all that follows */
	double v;
	uint64_t count;
	double sum, min, max, last;
	int64_t last_at;
	bool has_histogram;
	struct hist_dense histogram;           /* scale 5, lower where the values' spread would make a list longer than HIST_COUNTS_MAX */
};

/* One series in one slot; all of it is borrowed for the call. Points of one series follow each other, the oldest first. */
struct store_metric {
	enum store_kind kind;    /* as it is sent: STORE_COUNTER, STORE_GAUGE or STORE_DISTRIBUTION */
	struct str name;
	const struct tag *tags;  /* sorted by key, the configured ones among them */
	size_t tags_len;
	struct store_point point;
};

typedef void (*store_metric_fn)(void *ctx, const struct store_metric *m);

/* Hands over, and forgets, the points of all slots that end at slot_end_ms or before (INT64_MAX: all), and drops idle series. Cannot fail:
 * what each() cannot keep is for its owner to count. each() must not call the store. */
void store_cut(struct store *s, int64_t slot_end_ms, store_metric_fn each, void *ctx);

/* The start of the slot that t_ms is in; the next slot's start is STORE_SLOT_MS later. */
int64_t store_slot(int64_t t_ms);

/* What is counted, and held. */
struct store_figures store_figures(const struct store *s);

#endif
