/* drops.h - what operators' drop controls have thrown away, counted by control, and told of in Notices: who, why, how many.
 *
 * A count is charged to the control that covers the site most narrowly. A Notice `alerts_dropped` goes out when nothing
 * more is waiting for the first time, every DROPS_TELL_MS in which more was thrown away, and when the control has ended. Not thread-safe: one owner. */
#ifndef MILLRACE_SINK_NOTIFY_DROPS_H
#define MILLRACE_SINK_NOTIFY_DROPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/control.h"
#include "common/controls.h"
#include "common/log.h"
#include "common/report.h"

enum { DROPS_MAX = 64, DROPS_TELL_MS = 10000 /* real */ };

/* One control, by value. */
struct drop {
	char id[CONTROL_ID_SIZE];
	char site[CONTROL_SITE_MAX + 1]; /* "": the whole cell */
	char reason[CONTROL_REASON_MAX + 1], author[CONTROL_AUTHOR_MAX + 1];
	bool in_force;
	uint64_t alerts, notifications;  /* since the last Notice ... */
	uint64_t alerts_total, notifications_total; /* ... and since it was set */
	int64_t since_mono_ms; /* of the last Notice, or of its beginning */
	bool told;             /* with nothing waiting behind it */
};

/* Zeroed it knows of none. */
struct drops {
	struct drop drop[DROPS_MAX];
	size_t nr;
};

/* Learns which drop controls are in force for cell now. -1 when memory is short: as before. More than DROPS_MAX: those beyond are not told of. */
int drops_follow(struct drops *d, struct controls *controls, const char *cell, struct err *err);

/* So much about this site was thrown away. */
void drops_count(struct drops *d, struct str site, uint64_t alerts, uint64_t notifications);

/* Sends the Notices that are due, and forgets controls that have ended. waiting: there is more to throw away. */
void drops_tell(struct drops *d, struct report *report, const struct log *log, const char *cell, bool waiting, int64_t mono_ms);

#endif
