/* secret.h - a secret of a receiver: the content of a small file.
 *
 * Receivers name files, and are written by people who may not read the notifier's disk, and say where to what is read is sent: nothing outside of one
 * directory (notify.secrets_dir) is opened, whatever the path or its links say, and without one nothing at all. Read anew for each delivery, so that a file that is replaced holds from then on. */
#ifndef MILLRACE_NOTIFY_SECRET_H
#define MILLRACE_NOTIFY_SECRET_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/str.h"

enum { SECRET_BYTES_MAX = 4096 };

struct secret {
	char bytes[SECRET_BYTES_MAX + 1]; /* a NUL behind them */
	size_t len;
};

/* The file's content without the line end behind it. dir: path is below it, relative or written out; NULL or empty: refused. A regular file
 * of at least one byte and at most SECRET_BYTES_MAX. ERR_RETRY otherwise (who mends the file has it tried again), naming path and cause, never
 * content; *out is then empty. */
int secret_read(struct secret *out, const char *dir, struct str path, struct err *err);

/* Is it one line of printable ASCII without blanks, as a token in a header is? */
int secret_check_token(const struct secret *s, struct err *err);

/* Overwrites it. */
void secret_forget(struct secret *s);

#endif
