/* event_check.h - is a decoded EventBatch one that can be taken whole? As intake_check.h, of events. */
#ifndef MILLRACE_PROCESSOR_EVENT_CHECK_H
#define MILLRACE_PROCESSOR_EVENT_CHECK_H

#include "common/err.h"
#include "schemas/schemas.h"

/* ERR_REJECT, naming what, when something in the batch is not what ingest lets through. Event times lie in [earliest_ms, latest_ms]. */
int event_check(const struct event_batch *batch, int64_t earliest_ms, int64_t latest_ms, struct err *err);

#endif
