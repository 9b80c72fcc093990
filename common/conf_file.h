/* conf_file.h - reads a file of lines "key = value", and one that is a single setting's text; the part of conf.c that touches bytes from
 * outside.
 *
 * A line is blank, a comment (its first character that is not white space is #), or a key, the first '=', and a value; white space
 * around both is cut off, a carriage return included. There are no quotes, no continued lines, and no comments behind values,
 * so that a value may hold any of these characters. */
#ifndef MILLRACE_CONF_FILE_H
#define MILLRACE_CONF_FILE_H

#include "common/err.h"
#include "common/str.h"

enum { CONF_FILE_BYTES_MAX = 1 << 20 };

/* Takes one entry; key and text are borrowed for the call, line counts from 1. -1 with *err set ends the reading. */
typedef int (*conf_file_fn)(void *ctx, const char *key, const char *text, int line, struct err *err);

/* Hands over every entry, in order. ERR_REJECT: cannot be read (path and cause), larger than CONF_FILE_BYTES_MAX, a NUL byte, a line of another
 * form (path:line); or what entry said. */
int conf_file_read(const char *path, conf_file_fn entry, void *ctx, struct err *err);

/* Puts the whole of a file into text, an empty buf of the caller's, as a string: less the line ends at its end, which editors and echo leave there,
 * and nothing else. ERR_REJECT naming path, never what stands in it: cannot be read (with the cause), larger than CONF_FILE_BYTES_MAX, nothing in it, a
 * NUL byte. ERR_FATAL: out of memory. */
int conf_file_text(const char *path, struct buf *text, struct err *err);

#endif
