/* otlp_metrics.h - OTLP's ExportMetricsServiceRequest (opentelemetry/proto/metrics/v1).
 *
 * How a point becomes a sample:
 *  - A gauge, or a sum that is not monotonic: a gauge's value. A monotonic sum: a counter's, delta or cumulative.
 *  - A histogram, explicit or exponential: a distribution's summary. Explicit buckets are estimated: each one's values go to its geometric midpoint,
 *    its ends taken in by min and max where these are known. Scales finer than 5 become 5, exactly.
 *  - A summary: a distribution's, cumulative, with count and sum only.
 *  - A point flagged as without a value is passed over, and counts nowhere. A sum or histogram of unspecified temporality is rejected.
 *  - Attributes are tags, the point's before the scope's before the resource's; of the latter two those that rules want. Bytes that names and
 *    keys may not have become '_'; a value is cut at 255 bytes.
 *
 * Fields come in any order, the last of a singular one counts; unknown fields and deprecated ones are passed over. */
#ifndef MILLRACE_INGEST_OTLP_METRICS_H
#define MILLRACE_INGEST_OTLP_METRICS_H

#include "ingest/otlp.h"

/* Reads a whole body into p, which payload_init() has prepared. p borrows body. On refusal p is good for nothing but forgetting. */
int otlp_metrics_parse(struct str body, struct payload *p, const struct otlp_rules *rules, struct refusal *no);

#endif
