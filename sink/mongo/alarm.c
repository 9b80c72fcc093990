/* alarm.c - see alarm.h. */
#include "sink/mongo/alarm.h"

#include <inttypes.h>
#include <stdio.h>

void alarm_raise(const struct log *log, struct report *report, const char *event, const char *topic, int32_t partition,
		 int64_t offset, const char *text)
{
	char number[2][24];
	int len[] = {
		snprintf(number[0], sizeof(number[0]), "%" PRId32, partition),
		snprintf(number[1], sizeof(number[1]), "%" PRId64, offset),
	};
	const struct tag fields[] = {
		{STR("topic"), str_from(topic)},
		{STR("partition"), {number[0], (size_t)len[0]}},
		{STR("offset"), {number[1], (size_t)len[1]}},
	};

	log_error(log, event, LOG_STR("topic", topic), LOG_INT("partition", partition), LOG_INT("offset", offset), LOG_STR("error", text));
	report_notice(report, SEVERITY_ALARM, event, text, fields, sizeof(fields) / sizeof(fields[0]));
}
