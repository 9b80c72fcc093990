/* reason.c - see reason.h. The words are labels of metrics: they do not change. */
#include "ingest/agent/reason.h"

static const char *const names[NR_REASONS] = {
	[REASON_NONE] = "",
	[REASON_SYNTAX] = "syntax",
	[REASON_TYPE] = "type",
	[REASON_VALUE] = "value",
	[REASON_RATE] = "rate",
	[REASON_TIME] = "time",
	[REASON_NAME] = "name",
	[REASON_TAGS] = "tags",
	[REASON_NEGATIVE] = "negative",
	[REASON_RANGE] = "range",
	[REASON_MEMORY] = "memory",
};

const char *reason_name(enum reason r)
{
	return names[r];
}
