/* emit.h - a window becomes an Aggregate record. */
#ifndef MILLRACE_PROCESSOR_EMIT_H
#define MILLRACE_PROCESSOR_EMIT_H

#include "processor/pane.h"

/* Appends the encoded fragment that window w of pane makes; out is a whole message. -1 with ERR_FATAL when memory is short. */
int emit_fragment(const struct window *w, const struct pane *pane, int64_t epoch, struct buf *out, struct err *err);

#endif
