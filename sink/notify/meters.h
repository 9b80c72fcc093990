/* meters.h - the notifier's metrics.
 *
 * All of them exist from the start. Gauges of the cell's state are 0 in an instance that stands by. */
#ifndef MILLRACE_SINK_NOTIFY_METERS_H
#define MILLRACE_SINK_NOTIFY_METERS_H

#include "common/metrics.h"
#include "schemas/schemas.h"
#include "sink/notify/delivery.h"
#include "sink/notify/desk.h"

enum { METERS_KINDS = ALERT_EVENT_KIND_SUMMARY + 1, METERS_OUTCOMES = SENT_OUTCOME_UNDER_WAY + 1 };

struct meters {
	struct metric *active, *lag, *lag_seconds, *memory_budget, *held, *incidents, *under_way, *waiting, *queue, *oldest;
	struct metric *events[METERS_KINDS], *ignored, *dropped, *refused, *letters;
	struct metric *notifications[METERS_OUTCOMES];
	struct metric *attempts, *failed_attempts, *refused_addresses, *delivery_time;
	struct metric *transactions, *aborted, *lost;
	struct desk_figures desk;       /* as of the last meters_follow() */
	struct delivery_stats delivery; /* likewise */
};

/* Makes all of them. registry is borrowed for the life of m. */
void meters_init(struct meters *m, struct metrics *registry);

/* Takes over what desk and delivery count. */
void meters_follow(struct meters *m, const struct desk *desk, const struct delivery *delivery, int64_t mono_ms);

#endif
