/* event_intake.h - one EventBatch into the exemplars: checked whole first, judged by who sent it, taken whole then or not at all, as intake.h does with
 * samples. */
#ifndef MILLRACE_PROCESSOR_EVENT_INTAKE_H
#define MILLRACE_PROCESSOR_EVENT_INTAKE_H

#include "processor/intake.h"

/* Takes a record as it stands in Kafka, as intake_record() does. */
int event_intake_record(const struct intake_state *to, struct str record, const struct origin *origin, int64_t watermark_ms,
			struct arena *scratch, struct intake_counts *counts, struct err *err);

#endif
