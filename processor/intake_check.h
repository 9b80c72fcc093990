/* intake_check.h - is a decoded SampleBatch one that can be counted whole?
 *
 * The checks repeat what ingest has promised: a record may come from a newer, older or broken ingest, and state that was made from it lives
 * long. They need nothing but the batch, so that all of it is known to be good before the first change is made. */
#ifndef MILLRACE_PROCESSOR_INTAKE_CHECK_H
#define MILLRACE_PROCESSOR_INTAKE_CHECK_H

#include "common/err.h"
#include "schemas/schemas.h"

/* ERR_REJECT, naming what, when a series, a sample or an identity is not what ingest lets through. latest_ms: event times end there.
 * *nr_cumulative, on success: how many samples are of cumulative series. */
int intake_check(const struct sample_batch *batch, int64_t latest_ms, size_t *nr_cumulative, struct err *err);

#endif
