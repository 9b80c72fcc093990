/* hist_codec.h - a histogram in a snapshot: zero, then the buckets of either side as (index, count), as they are kept.
 *
 * Another form than the travelling one (schemas/), which is dense: what lives here for hours is mostly holes. Not thread-safe. */
#ifndef MILLRACE_PROCESSOR_HIST_CODEC_H
#define MILLRACE_PROCESSOR_HIST_CODEC_H

#include "common/codec.h"
#include "common/hist.h"

/* Appends h. Failure is sticky in out. */
void hist_codec_write(struct buf *out, const struct hist *h);

/* Fills h, fresh from HIST_INIT, from hostile bytes: sorted, within what a double reaches, no count below 1. -1 with a fault in r, or with
 * *err set when memory is short; h is good for hist_fini() only then. */
int hist_codec_read(struct codec_reader *r, struct hist *h, struct err *err);

#endif
