/* intake_check.h - is a decoded SampleBatch one that can be counted whole?
 *
 * The checks repeat what ingest has promised: a record may come from a newer, older or broken ingest, and state that was made from it lives
 * long. They need nothing but the batch, so that all of it is known to be good before the first change is made. */
#ifndef MILLRACE_PROCESSOR_INTAKE_CHECK_H
#define MILLRACE_PROCESSOR_INTAKE_CHECK_H

#include "common/err.h"
#include "schemas/schemas.h"

/* What of a series its samples are checked by. */
struct series_traits {
	uint8_t kind; /* enum series_kind */
	bool cumulative;
};

/* ERR_REJECT, naming what, when a series of the batch is not what ingest lets through. traits: an element each, written. */
int intake_check_series(const struct sample_batch *batch, struct series_traits *traits, struct err *err);

/* The same of samples and identity. Whoever knows the series already leaves them out of the batch: there are nr. Event times lie
 * in [earliest_ms, latest_ms]. *nr_cumulative, on success: how many samples are of cumulative series. */
int intake_check(const struct sample_batch *batch, const struct series_traits *traits, size_t nr, int64_t earliest_ms,
		 int64_t latest_ms, size_t *nr_cumulative, struct err *err);

#endif
