/* otlp_logs.h - ExportLogsServiceRequest (opentelemetry/proto/collector/logs/v1) becomes events.
 *
 * A record with an exception in its attributes becomes an error; of its place and time says the record what it can, as there is no span here. All
 * others are taken and counted as ignored. Places are those of "log_records" in the request, counted through all resources. */
#ifndef MILLRACE_INGEST_OTLP_LOGS_H
#define MILLRACE_INGEST_OTLP_LOGS_H

#include "ingest/otlp.h"

/* Reads a whole body into p, which payload_init() has prepared. p borrows body. As push_pb_parse() in what refuses a body. */
int otlp_logs_parse(struct str body, struct payload *p, const struct otlp_rules *rules, struct refusal *no);

#endif
