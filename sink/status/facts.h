/* facts.h - what is known of the house at a moment: the input of judging, as plain data.
 *
 * From the topics alone: heartbeats and controls by the tables, lag by a survey of the groups' offsets. Texts are borrowed for the call. */
#ifndef MILLRACE_STATUS_FACTS_H
#define MILLRACE_STATUS_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/str.h"
#include "schemas/schemas.h"

struct facts_instance {
	const struct heartbeat *beat; /* its newest */
	bool live;                    /* it came within three intervals, real time */
};

/* A group in a cell, as the newest survey has it. */
struct facts_lag {
	bool known;             /* false: never surveyed, or some partition could not be asked for a minute */
	int64_t at_ms;          /* of the survey, virtual */
	int64_t waiting_records;
	int64_t behind_ms;      /* age of the oldest record that waits, as of the survey; 0: nothing waits; -1: not known */
	int64_t left_ms;        /* until retention cuts it, real; -1: never, or not known */
	int64_t lost_records;
	int64_t recovery_ms;    /* as it drains now; -1: it does not, or not known (recovery.h) */
	bool draining;
	int64_t still_ms;       /* for how long nothing was committed though something waits, real, as commits are; 0: it moves, or nothing waits */
};

struct facts_cell {
	struct str name;
	struct facts_lag processor, sink, notify;
	bool has_triggers;
};

struct facts {
	int64_t now_ms; /* virtual */
	const struct facts_instance *instances;
	size_t nr_instances;
	const struct facts_cell *cells; /* by name */
	size_t nr_cells;
	const struct control *const *controls; /* in force */
	size_t nr_controls;
};

#endif
