/* alarm.c - see alarm.h. */
#include "processor/alarm.h"

#include <inttypes.h>
#include <stdio.h>

void alarm_raise(const struct alarm *a, const char *event, int32_t partition, const char *text)
{
	char number[16];
	struct tag fields[] = {{STR("topic"), str_from(a->topic)}, {STR("partition"), {number, 0}}};

	fields[1].value.len = (size_t)snprintf(number, sizeof(number), "%" PRId32, partition);
	log_error(a->log, event, LOG_STR("topic", a->topic), LOG_INT("partition", partition), LOG_STR("error", text));
	report_notice(a->report, SEVERITY_ALARM, event, text, fields, sizeof(fields) / sizeof(fields[0]));
}
