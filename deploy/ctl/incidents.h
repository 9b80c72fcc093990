/* incidents.h - the incidents of one cell or of all, as the notifiers keep them.
 *
 * Read from the compacted topics c.CELL.incidents: of each incident the newest record. Those that cannot be read are told of on standard error. */
#ifndef MILLRACE_CTL_INCIDENTS_H
#define MILLRACE_CTL_INCIDENTS_H

#include "common/arena.h"
#include "deploy/ctl/ctl.h"
#include "deploy/ctl/topic_scan.h"

enum { INCIDENTS_PREFIX_MIN = 4, INCIDENTS_SHORT_SIZE = 13, INCIDENTS_ID_SIZE = 33 };

struct incidents {
	struct incident *list; /* by opened_at, the newest last */
	size_t nr;
	struct arena arena;
};

/* Frees all; i is as zeroed. */
void incidents_fini(struct incidents *i);

/* Reads those of a cell, or of all cells whose topic there is (cell NULL), into i, zeroed. Call ctl_load() before. */
int incidents_read(struct incidents *i, struct ctl *ctl, struct topic_scan *scan, const char *cell, struct err *err);

/* The one incident whose id begins with these hexadecimal digits, 4 or more, in either case. NULL with *err set: it is no such prefix, there is none, or there
 * are several, which are named. */
const struct incident *incidents_find(const struct incidents *i, const char *prefix, struct err *err);

/* An id in hexadecimal, the first 12 digits of it or all. Return out. */
const char *incidents_short(const struct incident *incident, char out[INCIDENTS_SHORT_SIZE]);
const char *incidents_id(const struct incident *incident, char out[INCIDENTS_ID_SIZE]); /* see above */

/* Writes one as an object: the next element of the array that is open, or member "key". */
void incidents_write(struct json_writer *w, const char *key, const struct incident *incident);

#endif
