/* backtrace.h - a backtrace as a text becomes frames.
 *
 * OTLP carries exceptions as the text that their language prints. What is read here is the form of Ruby, Python, Java (and its kin), Go, JavaScript and C
 * (gdb, glibc's backtrace_symbols(), AddressSanitizer); innermost frame first, whatever the text's own order. Which frames are the application's own is told by their
 * paths: no package folder, no standard library. What is no frame is skipped. */
#ifndef MILLRACE_INGEST_BACKTRACE_H
#define MILLRACE_INGEST_BACKTRACE_H

#include <stddef.h>

#include "common/arena.h"
#include "common/str.h"
#include "schemas/schemas.h"

enum { BACKTRACE_FRAMES_MAX = 200 };

/* Reads text into frames in arena, which borrow it; *len 0 when there are none. -1 when memory is short. */
int backtrace_parse(struct str text, struct arena *arena, struct backtrace_frame **frames, size_t *len);

#endif
