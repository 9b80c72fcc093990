/* baseline.h - the last cumulative point of each series of a partition, from which the next one becomes what was counted in between.
 *
 * A point (t, start, value) says: value was counted in (start, t]. OpenTelemetry's rules for such streams (metrics data model, "Resets and
 * Gaps", "Cumulative streams: handling unknown start time", "Overlap"; OTLP may call a start unknown by 0, too) come to these, for a point
 * and the baseline of its series:
 *   time not newer             STALE    a repetition, or overtaken: dropped
 *   baseline of another route  BREAK    in between, the series was counted elsewhere: becomes the baseline, counts nothing
 *   no baseline, start recent  FRESH    all of it is new, unless the route began later: counted whole
 *   no baseline, else          FIRST    becomes the baseline, counts nothing: nobody knows how much of it has been counted elsewhere
 *   start == t (or behind it)  BREAK    a sequence begins anew and its start is unknown: becomes the baseline, counts nothing
 *   start at or after the
 *   baseline's time            RESET    a true reset: counted whole
 *   start before the
 *   baseline's start           FOREIGN  another writer's, overlapping: dropped, as long as the other one is heard; after that it is a BREAK
 *   value lower                RESET    it was counted since the baseline, whoever forgot to say so: counted whole
 *   start newer than the
 *   baseline's, value not lower OVERLAP the start was put right, or there are two writers: the difference, which both readings bear
 *   else                       DELTA    the difference
 * A series that is over a cap (series_caps.h) has no baseline, and what is counted in its place is not its own: OVERFLOW, a point counts nothing,
 * and when the series is admitted later its points begin as those of any new one.
 * A distribution's value is its count and each of its buckets, and not its sum, which falls when something negative is measured. A counter's
 * is its sum and, where it is a summary, its count. When a series changes from single values to summaries or back, that is a BREAK.
 *
 * Invariants:
 *  I1  Between two calls of baselines_close() all of it is a pure function of the snapshot and the records since; it forgets there only, by the
 *      partition's watermark, which never falls.
 *  I2  The list is in order of the last change, so it is the same after a restore, and what is to be forgotten is at its beginning.
 *  I3  A baseline holds one reference to its series. Its start is never later than its t.
 * Not thread-safe: its task owns it. */
#ifndef MILLRACE_PROCESSOR_BASELINE_H
#define MILLRACE_PROCESSOR_BASELINE_H

#include "common/clock.h"
#include "processor/scaled_hist.h"
#include "processor/series_table.h"

/* How long before its point a start is recent: senders report every minute, so this is their first or second word since the start. */
#define BASELINE_FRESH_MS (2 * CLOCK_MINUTE_MS)

/* How much event time a writer must have been silent for another one, which started before it, to take over. */
#define BASELINE_TAKEOVER_MS (10 * CLOCK_MINUTE_MS)

/* How long a baseline is kept after its last change: a sender that comes once a day is still known. */
#define BASELINE_KEEP_MS (25 * CLOCK_HOUR_MS)

enum baseline_verdict {
	BASELINE_DELTA,
	BASELINE_FRESH,
	BASELINE_RESET,
	BASELINE_OVERLAP,
	BASELINE_FIRST,
	BASELINE_BREAK,
	BASELINE_STALE,
	BASELINE_FOREIGN,
	BASELINE_OVERFLOW, /* never of baselines_take() */
	NR_BASELINE_VERDICTS
};

/* "delta", "fresh" and so on. */
const char *baseline_verdict_name(enum baseline_verdict verdict);

/* A point as it arrived, already checked by intake: times, count and sum in range, the histogram adding up. A single value has count 1, and
 * its sum is the value. */
struct baseline_point {
	int64_t t_ms, start_ms; /* start: 0 is unknown */
	int64_t routed_since_ms; /* of its record */
	int64_t count;
	double sum;
	bool single;
	const struct histogram *histogram; /* distributions: not NULL */
};

/* What a point comes to. */
struct baseline_step {
	enum baseline_verdict verdict;
	bool counts;      /* something is to be counted at the point's time: */
	bool whole;       /* the point as it is, its extremes included; else the difference: */
	int64_t count;    /* of a single value 1 */
	double sum;
	struct histogram histogram; /* distributions; its arrays are scratch's */
};

struct baseline {
	struct baseline *older, *newer; /* (I2) */
	struct series *series;          /* (I3) */
	int64_t t_ms, start_ms, routed_since_ms;
	int64_t changed_ms;             /* watermark */
	int64_t count;
	double sum;
	bool single;
	struct scaled_hist hist; /* distributions only */
};

/* Constant outside of baseline.c. */
struct baselines {
	struct map by_series; /* by fingerprint; owns them */
	struct baseline *oldest, *newest;
	size_t bytes;        /* of the baselines */
	size_t series_bytes; /* of the series that they hold, which the table counts too */
};

#define BASELINES_INIT {.by_series = MAP_INIT}

/* Frees everything and gives the series back. */
void baselines_fini(struct baselines *b, struct series_table *series);

/* Judges a point of a series, a counter or a distribution, by what is known and makes it the baseline unless it is dropped. watermark_ms: the
 * partition's, this record's time included. The points of one record must come in order of their times. -1 with ERR_FATAL when memory is
 * short: nothing may be saved any more then. */
int baselines_take(struct baselines *b, struct series *series, const struct baseline_point *point, int64_t watermark_ms,
		   struct arena *scratch, struct baseline_step *step, struct err *err);

/* What a checkpoint does (rule A): forgets what has not changed for BASELINE_KEEP_MS. */
void baselines_close(struct baselines *b, int64_t watermark_ms, struct series_table *series);

/* Sets the number of every series that a baseline knows. */
void baselines_mark(const struct baselines *b, uint32_t mark);

/* Bytes allocated, without the series. */
size_t baselines_bytes(const struct baselines *b);

/* Appends all of it, oldest change first: series' number, watermark - change, t, t - start (-1: unknown), routed since, count (-1: single), sum, for
 * distributions the histogram. Equal states, equally numbered, make equal bytes. Failure is sticky in out. */
void baselines_encode(const struct baselines *b, int64_t watermark_ms, struct buf *out);

/* Fills b, fresh from BASELINES_INIT, from hostile bytes; series: by number. -1 with a fault in r, or with *err set when memory is short;
 * b is good for baselines_fini() only then. */
int baselines_decode(struct baselines *b, struct codec_reader *r, int64_t watermark_ms, struct series *const *series, size_t nr_series,
		     struct err *err);

#endif
