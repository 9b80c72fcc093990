/* alarm.h - what an operator must see: a line in the log and a Notice in the operators' log. */
#ifndef MILLRACE_PROCESSOR_ALARM_H
#define MILLRACE_PROCESSOR_ALARM_H

#include <stdint.h>

#include "common/log.h"
#include "common/report.h"
#include "processor/topics.h"

/* Where alarms go, all borrowed. */
struct alarm {
	const struct log *log;
	struct report *report;
	const struct cell_topics *topics;
};

/* Raises an alarm about a partition, by its number as an input (topics.h). event: a fixed word; text for a person; both borrowed for the call. */
void alarm_raise(const struct alarm *a, const char *event, int32_t partition, const char *text);

/* Warns of something that concerns one site in a partition, likewise. */
void alarm_warn_site(const struct alarm *a, const char *event, int32_t partition, struct str site, const char *text);

/* Warns of something that concerns this instance as a whole, likewise. */
void alarm_warn(const struct alarm *a, const char *event, const char *text);

/* Tells that an operator's control has let a partition go on that would have been refused: a warning, as data may be lost or doubled by
 * it. reason: the control's. */
void alarm_confirm(const struct alarm *a, int32_t partition, const char *text, const char *reason);

#endif
