/* watch.h - what the poll thread makes known of how the database is asked: figures, one line a change, alarms. */
#ifndef MILLRACE_SINK_MONGO_WATCH_H
#define MILLRACE_SINK_MONGO_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/log.h"
#include "common/report.h"
#include "sink/mongo/gate.h"
#include "sink/mongo/meters.h"

/* Zeroed is ready. One owner: the poll thread. */
struct watch {
	uint64_t openings;     /* that were told */
	bool open, alarmed;
	int64_t opened_mono_ms;
	uint64_t other_index;  /* inserts that were seen */
	int64_t refused_mono_ms; /* when the last one was seen */
	size_t batch_bytes, writers; /* that were told */
	int64_t next_pace_mono_ms;
};

/* Looks at the present state; call often. lag: of all partitions, added up, as far as it may be worked off. */
void watch_turn(struct watch *w, const struct gate_view *view, int64_t lag, const struct log *log, struct report *report,
		struct meters *meters);

#endif
