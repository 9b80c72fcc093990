/* host_mounts.h - what is mounted where (/proc/self/mountinfo). */
#ifndef MILLRACE_AGENT_HOST_MOUNTS_H
#define MILLRACE_AGENT_HOST_MOUNTS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/str.h"
#include "ingest/agent/host_report.h"

enum { HOST_MOUNTS_MAX = 4096 };

/* Strings as they stand there: blanks and backslashes are octal escapes. */
struct host_mount {
	struct str device; /* "8:1", of the file system */
	struct str root;   /* what of it is mounted */
	struct str point, type, source, options; /* options: of the file system itself */
};

/* In the order in which they were mounted: a later one hides what lies below its point. */
struct host_mounts {
	struct host_mount *items;
	size_t len;
};

/* Reads them; borrowed until r's next file. False: the file cannot be read, or memory is short. Lines that make no sense are left out. */
bool host_mounts_read(struct host_report *r, struct host_mounts *out);
void host_mounts_fini(struct host_mounts *m); /* frees the list */

/* Is path at or below dir, by whole names? */
bool host_mounts_is_below(struct str path, struct str dir);

/* Writes s without its escapes, NUL-terminated. False when it does not fit. */
bool host_mounts_unescape(struct str s, char *out, size_t size);

#endif
