/* emit.h - a window becomes an Aggregate record. */
#ifndef MILLRACE_PROCESSOR_EMIT_H
#define MILLRACE_PROCESSOR_EMIT_H

#include "processor/pane.h"

/* Appends the encoded fragment that window w of pane makes, in today's version; out is a whole message. -1 with ERR_FATAL when memory is short. */
int emit_fragment(const struct window *w, const struct pane *pane, int64_t epoch, struct buf *out, struct err *err);

/* Are Aggregates pinned to another version (common/pins.h)? Not asked for each fragment: the answer stays, and it would be a tenth of emit_fragment(). */
bool emit_is_pinned(void);

/* The same as emit_fragment() in the version that is pinned. */
int emit_pinned(const struct window *w, const struct pane *pane, int64_t epoch, struct buf *out, struct err *err);

#endif
