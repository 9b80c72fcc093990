/* otlp_metrics.h - OTLP's ExportMetricsServiceRequest (opentelemetry/proto/metrics/v1).
 *
 * How a point becomes a sample:
 *  - A gauge, or a sum that is not monotonic: a gauge's value. A monotonic sum: a counter's, delta or cumulative.
 *  - A histogram, explicit or exponential: a distribution's summary (otlp_buckets.h). A sum that was left out is estimated from the buckets.
 *  - A summary, or a histogram without buckets: a distribution's summary with count and sum only; a summary's is cumulative.
 *  - A point flagged as without a value is passed over, and counts nowhere; so is a delta of no values. A sum or histogram of unspecified
 *    temporality is rejected by point.
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
