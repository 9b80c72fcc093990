/* quiet.h - in which minutes is silence no sign of anything?
 *
 * A series that reported nothing in a minute may have stopped; or nobody listened; or what it reported still waits at its agent. Kept of a partition:
 *   still    the spans in which nothing moved its watermark for longer than QUIET_LEAST_MS: Kafka was away, or we were
 *   lost     the minutes whose windows a flush took before they could be judged (shadow.h): of them nothing is known, silent or not
 *   waiting  of each site, the latest time at which one of its agents said that older payloads than the one it sent were still to come
 *
 * Invariants:
 *  I1  All of it is a pure function of the snapshot, the records and closings since, and the flushes.
 *  I2  It says "unknown" rather than too little: spans beyond QUIET_SPANS_MAX become one with what lies between, sites beyond QUIET_SITES_MAX are all sites.
 * Not thread-safe: its task owns it. */
#ifndef MILLRACE_PROCESSOR_QUIET_H
#define MILLRACE_PROCESSOR_QUIET_H

#include "common/codec.h"
#include "common/map.h"

enum { QUIET_SPANS_MAX = 8, QUIET_SITES_MAX = 10000, QUIET_SITE_BYTES_MAX = 255 };

#define QUIET_LEAST_MS INT64_C(120000)

/* [from_ms, to_ms) */
struct quiet_span {
	int64_t from_ms, to_ms;
};

/* In order, none touching the next. */
struct quiet_spans {
	struct quiet_span spans[QUIET_SPANS_MAX];
	size_t nr;
};

/* Starts zeroed. */
struct quiet {
	struct quiet_spans still, lost;
	struct map waiting;  /* by XXH3-128 of the site's id; owns what it points to */
	int64_t all_waiting; /* of every site (I2); 0: none */
	size_t bytes;        /* allocated, without the map's slots */
};

/* Frees everything. */
void quiet_fini(struct quiet *q);

/* The watermark moves from one time, 0 for none yet, to another. */
void quiet_note_watermark(struct quiet *q, int64_t from_ms, int64_t to_ms);

/* Of this minute windows are gone that nobody has judged. */
void quiet_note_lost(struct quiet *q, int64_t minute_ms);

/* An agent of the site said at t_ms that it has older payloads. Copies. -1 when memory is short. */
int quiet_note_waiting(struct quiet *q, struct str site, int64_t t_ms);

/* Did the watermark stand still in any of this minute? Are windows of it gone? May the site's agents still hold some of it? */
bool quiet_is_still(const struct quiet *q, int64_t minute_ms);
bool quiet_is_lost(const struct quiet *q, int64_t minute_ms);              /* see above */
bool quiet_waits(const struct quiet *q, struct str site, int64_t minute_ms); /* see above */

/* All minutes before closed_ms have been judged: forgets what is of them. */
void quiet_close(struct quiet *q, int64_t closed_ms);

/* Bytes allocated. */
size_t quiet_bytes(const struct quiet *q);

/* Appends all of it; equal states make equal bytes. Failure is sticky in out. */
void quiet_encode(const struct quiet *q, struct buf *out);

/* Fills q, zeroed, from hostile bytes. -1 with a fault in r, or with *err set when memory is short; q is good for quiet_fini() only then. */
int quiet_decode(struct quiet *q, struct codec_reader *r, struct err *err);

#endif
