/* alarm.h - what an operator must see about one partition: an error in the log, and a Notice for the status page. */
#ifndef MILLRACE_SINK_MONGO_ALARM_H
#define MILLRACE_SINK_MONGO_ALARM_H

#include <stdint.h>

#include "common/log.h"
#include "common/report.h"

/* event: a fixed word; topic: the full name; text: what happened and what it means. All borrowed. Poll thread only, as is the
 * report. */
void alarm_raise(const struct log *log, struct report *report, const char *event, const char *topic, int32_t partition,
		 int64_t offset, const char *text);

#endif
