/* newest.h - the newest record of each key of a compacted topic, as bytes.
 *
 * For tables that one command looks at and that no other program's start hangs on: silences, incidents. Compaction may
 * be behind, so older records of a key, and of keys that were removed since, may still be there; they are passed over. Not thread-safe. */
#ifndef MILLRACE_CTL_NEWEST_H
#define MILLRACE_CTL_NEWEST_H

#include <stdint.h>

#include "common/err.h"
#include "common/map.h"
#include "common/str.h"
#include "deploy/ctl/topic_scan.h"

struct newest_row {
	struct str key, value;
};

/* Zeroed it is empty. */
struct newest {
	struct map rows; /* of the key's hash to struct newest_row *, which it owns */
};

/* Frees all rows; n is as zeroed. */
void newest_fini(struct newest *n);

/* Takes the next record of the topic; copies. value.p NULL: the key was removed. -1 when memory is short. */
int newest_take(struct newest *n, struct str key, struct str value, struct err *err);

/* Takes all records that a topic's partition 0 has now. ERR_RETRY when it is not there (says what to run), or nobody answers. */
int newest_read(struct newest *n, struct topic_scan *scan, const char *topic, struct err *err);

/* The row of a key, or NULL. Borrowed. */
const struct newest_row *newest_find(const struct newest *n, struct str key);

/* All rows, sorted bytewise by key, *nr of them; the caller frees the array, not the rows. NULL: out of memory. */
const struct newest_row **newest_list(const struct newest *n, size_t *nr, struct err *err);

#endif
