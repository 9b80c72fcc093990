/* scaled_hist.h - a cumulative histogram as its sender has it, so that two of them can be subtracted.
 *
 * A window's histogram is of scale 5, whatever came in (common/hist.h): finer ones lose nothing that matters, coarser ones go to the midpoints of
 * their buckets. Cumulative points cannot be subtracted in that form: a sender whose values spread lowers its scale from one point to the
 * next, the midpoints move, and buckets seem to shrink. So here a histogram keeps its own scale where that is below 5, and two are brought
 * to the lower one of theirs, which is exact, when one is taken from the other. It is kept as it stands in a snapshot, a few bytes a bucket:
 * it is looked at only when the series' next point comes. Its counts are those of a sender's whole life, more than what a window takes.
 * Not thread-safe. */
#ifndef MILLRACE_PROCESSOR_SCALED_HIST_H
#define MILLRACE_PROCESSOR_SCALED_HIST_H

#include "common/codec.h"
#include "common/hist.h"
#include "schemas/schemas.h"

struct scaled_hist {
	int32_t scale; /* HIST_SCALE at most */
	uint32_t len_bytes;
	uint8_t *bytes; /* each bucket as hist_codec.h writes it, its index of scale; NULL: none */
};

#define SCALED_HIST_INIT {.scale = HIST_SCALE}

/* Frees the buckets; h is as after SCALED_HIST_INIT. */
void scaled_hist_fini(struct scaled_hist *h);

/* Fills h, fresh from SCALED_HIST_INIT, from a travelling histogram that hist_check_dense() has accepted. -1 when memory is short: h is
 * unchanged. */
int scaled_hist_from(struct scaled_hist *h, const struct histogram *from);

/* All counts, added up. */
uint64_t scaled_hist_count(const struct scaled_hist *h);

/* What is left of h when sub is taken from it, bucket by bucket, at the lower scale of theirs: the travelling form, its arrays in the arena,
 * no wider than what h was made from. 0 when a bucket would fall below 0, else 1; -1 when memory is short. */
int scaled_hist_subtract(const struct scaled_hist *h, const struct scaled_hist *sub, struct arena *arena, struct histogram *out);

/* Bytes allocated, which depend on its content alone. */
size_t scaled_hist_bytes(const struct scaled_hist *h);

/* Appends h. Failure is sticky in out. */
void scaled_hist_encode(const struct scaled_hist *h, struct buf *out);

/* Fills h, fresh from SCALED_HIST_INIT, from hostile bytes. -1 with a fault in r, or with *err set when memory is short; h is good for
 * scaled_hist_fini() only then. */
int scaled_hist_decode(struct scaled_hist *h, struct codec_reader *r, struct err *err);

#endif
