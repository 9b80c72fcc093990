/* otlp.c - see otlp.h. */
#include "ingest/otlp.h"

#include <string.h>

#include "common/series.h"
#include "ingest/otlp_logs.h"
#include "ingest/otlp_metrics.h"
#include "ingest/otlp_traces.h"

static struct str trimmed(struct str s)
{
	for (; s.len && *s.p == ' '; s.p++, s.len--)
		;
	for (; s.len && s.p[s.len - 1] == ' '; s.len--)
		;
	return s;
}

int otlp_rules_read(struct otlp_rules *rules, const char *list)
{
	*rules = (struct otlp_rules){0};
	if (!list[strspn(list, " ")])
		return 0;
	for (;;) {
		size_t n = strcspn(list, ",");
		struct str key = trimmed((struct str){list, n});

		if (rules->resource_tags_len == OTLP_RESOURCE_TAGS_MAX || !series_name_valid(key))
			return -1;
		rules->resource_tags[rules->resource_tags_len++] = key;
		if (!list[n])
			return 0;
		list += n + 1;
	}
}

bool otlp_rules_want(const struct otlp_rules *rules, struct str key)
{
	for (size_t i = 0; i < rules->resource_tags_len; i++)
		if (str_eq(rules->resource_tags[i], key))
			return true;
	return false;
}

int otlp_decode(enum otlp_signal signal, struct str body, struct payload *p, const struct otlp_rules *rules, struct refusal *no)
{
	p->divisible = true;
	switch (signal) {
	case OTLP_METRICS:
		return otlp_metrics_parse(body, p, rules, no);
	case OTLP_LOGS:
		return otlp_logs_parse(body, p, rules, no);
	case OTLP_TRACES:
		return otlp_traces_parse(body, p, rules, no);
	}
	return refuse(no, REASON_NOT_FOUND, "no such signal");
}
