/* answer_otlp.h - the bodies of OTLP's answers (opentelemetry/proto/collector, google/rpc/status.proto), in protobuf and in JSON; and what
 * all forms share. Only answer.c includes this. */
#ifndef MILLRACE_INGEST_ANSWER_OTLP_H
#define MILLRACE_INGEST_ANSWER_OTLP_H

#include "ingest/answer.h"

/* Append a JSON string, or UTF-8, made of any bytes: those that are no text become U+FFFD. */
void answer_add_json(struct buf *out, struct str s);
void answer_add_text(struct buf *out, struct str s); /* see above */

/* Appends where something was rejected: "metrics[3].points[0]". */
void answer_add_place(struct buf *out, const struct payload_rejection *r);

/* ExportMetricsServiceResponse and its like: empty unless something was rejected. */
void answer_otlp_accept(struct buf *out, const struct answer_form *form, const struct payload *p);

/* google.rpc.Status for an HTTP status; its message is "reason: detail". */
void answer_otlp_refuse(struct buf *out, const struct answer_form *form, int status, enum reason reason, struct str detail);

#endif
