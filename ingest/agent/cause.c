/* cause.c - see cause.h. The words are labels of metrics: they do not change. */
#include "ingest/agent/cause.h"

static const char *const names[NR_CAUSES] = {
	[CAUSE_NONE] = "",
	[CAUSE_SYNTAX] = "syntax",
	[CAUSE_TYPE] = "type",
	[CAUSE_VALUE] = "value",
	[CAUSE_RATE] = "rate",
	[CAUSE_TIME] = "time",
	[CAUSE_NAME] = "name",
	[CAUSE_TAGS] = "tags",
	[CAUSE_NEGATIVE] = "negative",
	[CAUSE_RANGE] = "range",
	[CAUSE_MEMORY] = "memory",
};

const char *cause_name(enum cause r)
{
	return names[r];
}
