/* closures.h - when was the valve closed: in which minutes could a site not report, because ingest let nobody in?
 *
 * A series that was silent then is not absent. Told by the rows of millrace.controls (a close from when it was set until it was cleared or ended) and by
 * the heartbeats of the ingests, which list what they obey: a valve that was closed by the admin port stands in no topic. That a site could still have come in by another
 * ingest is not asked: in doubt it is unknown. Not thread-safe: one owner. */
#ifndef MILLRACE_PROCESSOR_CLOSURES_H
#define MILLRACE_PROCESSOR_CLOSURES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/table.h"

enum {
	CLOSURES_MAX = 4096, /* spans that are remembered; of more the one that ended first goes */
	CLOSURES_TAIL_MS = 900000, /* so long a valve counts as closed after the last heartbeat that said so, if no other comes */
};

struct closures;

/* cell is borrowed. NULL when memory is short. */
struct closures *closures_new(const char *cell);

/* NULL is a no-op. */
void closures_free(struct closures *c);

/* Take a row of millrace.controls, and of millrace.heartbeats; ctx is a struct closures. What is not about ingest's valve is passed over. Both may be read by
 * others as well. -1: ERR_REJECT, ERR_RETRY: malformed or newer; ERR_FATAL: memory. */
int closures_take_control(void *ctx, const struct table_row *row, struct err *err);
int closures_take_heartbeat(void *ctx, const struct table_row *row, struct err *err); /* see above */

/* Was it closed for the site at any time in [from_ms, to_ms)? A walk over all that is remembered, which is nothing on most days: ask once a site and minute. */
bool closures_cover(const struct closures *c, struct str site, int64_t from_ms, int64_t to_ms);

#endif
