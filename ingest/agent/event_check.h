/* event_check.h - which events are good: as ingest judges them, so that what is spooled here is not refused there days later. */
#ifndef MILLRACE_AGENT_EVENT_CHECK_H
#define MILLRACE_AGENT_EVENT_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "ingest/agent/event_json.h"

/* Judges e at now_ms: what it needs, what is out of range, its tags. False with *no set. */
bool event_check(const struct event_json *e, int64_t now_ms, struct lines_refusal *no);

#endif
