/* hist_codec.h - a histogram in a snapshot: how many buckets there are, then each as (key less the one before, count), as they are kept.
 *
 * Another form than the travelling one (schemas/), which is dense: what lives here for hours is mostly holes. The first key is less that of
 * the bucket above 1, which most values are not far from. Not thread-safe. */
#ifndef MILLRACE_PROCESSOR_HIST_CODEC_H
#define MILLRACE_PROCESSOR_HIST_CODEC_H

#include "common/codec.h"
#include "common/hist.h"

/* What the first key of a list of buckets is told from: index 0. */
enum { HIST_CODEC_KEY_BEFORE = HIST_KEY_POSITIVE - HIST_INDEX_MIN };

/* Appends h. Failure is sticky in out. */
void hist_codec_write(struct buf *out, const struct hist *h);

/* Fills h, fresh from HIST_INIT, from hostile bytes: sorted, within what a double reaches, no count below 1, the total within HIST_TOTAL_MAX.
 * -1 with a fault in r, or with *err set when memory is short; h is good for hist_fini() only then. */
int hist_codec_read(struct codec_reader *r, struct hist *h, struct err *err);

#endif
