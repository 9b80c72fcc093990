/* obeyed.h - who obeys a control, by what the heartbeats of those it is for acknowledge.
 *
 * Whoever is alive and of the control's program counts, but for those that serve another cell than the one it names. Who is silent cannot
 * be asked, and is `millrace-ctl status`'s business. */
#ifndef MILLRACE_CTL_OBEYED_H
#define MILLRACE_CTL_OBEYED_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/str.h"
#include "deploy/ctl/cluster.h"
#include "deploy/ctl/json_write.h"
#include "deploy/ctl/status.h"

enum { OBEYED_NAMES_SIZE = 256 };

struct obeyed {
	size_t nr_by, nr_not_by;
	char by[OBEYED_NAMES_SIZE], not_by[OBEYED_NAMES_SIZE]; /* "ingest/a, ingest/b", cut where there are many */
};

/* Asks the judged heartbeats of s. A beat whose row stands at an offset up to since does not count as obeying: it was written before the
 * control was (-1: all count). */
void obeyed_ask(const struct status *s, const struct control *control, int64_t since, struct obeyed *out);

/* Waits, up to 5 s (real), until all that a control is for obey it, or, with cleared, until none does. The tables were read with
 * heartbeats. -1 only when they cannot be read any more; what came of it is in *out. */
int obeyed_await(struct cluster *c, const struct clock *clock, const struct control *control, int64_t since, bool cleared, struct obeyed *out,
		 struct err *err);

/* Writes the array "key" of the instances that do, or with not that do not. */
void obeyed_write(const struct status *s, const struct control *control, bool not, const char *key, struct json_writer *w);

#endif
