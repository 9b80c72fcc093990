/* otlp_traces.h - ExportTraceServiceRequest (opentelemetry/proto/collector/trace/v1) becomes events.
 *
 * Server and consumer spans, and those without a parent, become transactions; the spans below them their parts; exceptions, on whatever span,
 * errors (otlp_spans.h). What a resource or scope says goes for all spans in it, wherever it stands. A span whose ids are none, or that ends before it
 * begins, is rejected, as "spans" and its place in the request, counted through all resources. */
#ifndef MILLRACE_INGEST_OTLP_TRACES_H
#define MILLRACE_INGEST_OTLP_TRACES_H

#include "ingest/otlp.h"

/* Reads a whole body into p, which payload_init() has prepared. p borrows body. As push_pb_parse() in what refuses a body. */
int otlp_traces_parse(struct str body, struct payload *p, const struct otlp_rules *rules, struct refusal *no);

#endif
