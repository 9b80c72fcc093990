/* alarm.c - see alarm.h. */
#include "processor/alarm.h"

#include <inttypes.h>
#include <stdio.h>

/* A Notice about a partition, and about a site unless that is empty. */
static void tell(const struct alarm *a, enum severity severity, const char *event, int32_t partition, struct str site, const char *text)
{
	struct input in = topics_input(a->topics, partition);
	char number[16];
	struct tag fields[] = {{STR("topic"), str_from(in.topic)}, {STR("partition"), {number, 0}}, {STR("site"), site}};

	fields[1].value.len = (size_t)snprintf(number, sizeof(number), "%" PRId32, in.partition);
	report_notice(a->report, severity, event, text, fields, site.len ? 3 : 2);
}

void alarm_raise(const struct alarm *a, const char *event, int32_t partition, const char *text)
{
	struct input in = topics_input(a->topics, partition);

	log_error(a->log, event, LOG_STR("topic", in.topic), LOG_INT("partition", in.partition), LOG_STR("error", text));
	tell(a, SEVERITY_ALARM, event, partition, (struct str){0}, text);
}

void alarm_warn_site(const struct alarm *a, const char *event, int32_t partition, struct str site, const char *text)
{
	struct input in = topics_input(a->topics, partition);
	char name[256];

	snprintf(name, sizeof(name), STR_FMT, STR_ARG(site));
	log_warn(a->log, event, LOG_STR("topic", in.topic), LOG_INT("partition", in.partition), LOG_STR("site", name), LOG_STR("text", text));
	tell(a, SEVERITY_WARNING, event, partition, site, text);
}

void alarm_warn(const struct alarm *a, const char *event, const char *text)
{
	log_warn(a->log, event, LOG_STR("text", text));
	report_notice(a->report, SEVERITY_WARNING, event, text, NULL, 0);
}

void alarm_confirm(const struct alarm *a, int32_t partition, const char *text, const char *reason)
{
	struct input in = topics_input(a->topics, partition);
	char number[16];
	struct tag fields[] = {{STR("topic"), str_from(in.topic)}, {STR("partition"), {number, 0}}, {STR("reason"), str_from(reason)}};

	fields[1].value.len = (size_t)snprintf(number, sizeof(number), "%" PRId32, in.partition);
	log_warn(a->log, "offsets_confirmed", LOG_STR("topic", in.topic), LOG_INT("partition", in.partition), LOG_STR("reason", reason), LOG_STR("text", text));
	report_notice(a->report, SEVERITY_WARNING, "offsets_confirmed", text, fields, 3);
}
