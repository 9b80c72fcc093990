/* scaled_hist.h - a cumulative histogram as its sender has it, so that two of them can be subtracted.
 *
 * A window's histogram is of scale 5, whatever came in (common/hist.h): finer ones lose nothing that matters, coarser ones go to the midpoints of
 * their buckets. Cumulative points cannot be subtracted in that form: a sender whose values spread lowers its scale from one point to the
 * next, the midpoints move, and buckets seem to shrink. So here a histogram keeps its own scale where that is below 5, and two are brought
 * to the lower one of theirs, which is exact, before one is taken from the other. Not thread-safe. */
#ifndef MILLRACE_PROCESSOR_SCALED_HIST_H
#define MILLRACE_PROCESSOR_SCALED_HIST_H

#include "common/hist.h"
#include "schemas/schemas.h"

struct scaled_hist {
	int32_t scale; /* HIST_SCALE at most */
	struct hist hist; /* its indexes are of scale; its lists have no room to spare, so that its size depends on its content alone */
};

#define SCALED_HIST_INIT {.scale = HIST_SCALE}

/* Frees the buckets. */
void scaled_hist_fini(struct scaled_hist *h);

/* Fills h, fresh from SCALED_HIST_INIT, from a travelling histogram that hist_check_dense() has accepted. -1 when memory is short: h is
 * unchanged. */
int scaled_hist_from(struct scaled_hist *h, const struct histogram *from);

/* Lowers h to a scale, joining buckets; one that is not lower changes nothing. */
void scaled_hist_coarsen(struct scaled_hist *h, int32_t scale);

/* Takes sub from h, bucket by bucket; both of one scale. False when any of h's would fall below 0: h is unchanged then. */
bool scaled_hist_subtract(struct scaled_hist *h, const struct scaled_hist *sub);

/* The travelling form, its arrays in the arena; no wider than what h was made from. -1 when memory is short. */
int scaled_hist_to_dense(const struct scaled_hist *h, struct arena *arena, struct histogram *out);

/* Bytes allocated. */
size_t scaled_hist_bytes(const struct scaled_hist *h);

/* Appends h. Failure is sticky in out. */
void scaled_hist_encode(const struct scaled_hist *h, struct buf *out);

/* Fills h, fresh from SCALED_HIST_INIT, from hostile bytes. -1 with a fault in r, or with *err set when memory is short; h is good for
 * scaled_hist_fini() only then. */
int scaled_hist_decode(struct scaled_hist *h, struct codec_reader *r, struct err *err);

#endif
