/* file_read.h - a whole file of an operator's, in memory. */
#ifndef MILLRACE_CTL_FILE_READ_H
#define MILLRACE_CTL_FILE_READ_H

#include <stddef.h>

#include "common/err.h"
#include "common/str.h"

/* Appends a file ("-": standard input) to out. ERR_REJECT: it is larger than max_bytes, whatever it claims to be (a pipe, /dev/zero); ERR_FATAL: it cannot be
 * read. */
int file_read(const char *path, size_t max_bytes, struct buf *out, struct err *err);

#endif
