/* squeeze.h - a message as it travels: zstd, in one frame that tells its size. Pure functions, any thread. */
#ifndef MILLRACE_AGENT_SQUEEZE_H
#define MILLRACE_AGENT_SQUEEZE_H

#include "common/err.h"
#include "common/str.h"

/* Compresses in into out, whose old content is forgotten. ERR_RETRY: memory is short. */
int squeeze_bytes(struct str in, struct buf *out, struct err *err);

/* The way back. ERR_REJECT: not one such frame, or of more than max_bytes; ERR_RETRY: memory is short. */
int squeeze_undo(struct str in, size_t max_bytes, struct buf *out, struct err *err);

/* What in inflates to; 0: it is no such frame. */
size_t squeeze_inflated_bytes(struct str in);

#endif
