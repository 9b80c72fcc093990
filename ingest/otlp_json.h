/* otlp_json.h - OTLP in JSON, made OTLP in protobuf, so that one decoder gives both their meaning.
 *
 * As the OTLP specification says it ("JSON Protobuf Encoding") on top of protobuf's JSON mapping: names in lowerCamelCase; traceId, spanId and
 * parentSpanId in hex, other bytes in base64 (either alphabet, padded or not); 64-bit integers as text or numbers, doubles also as "NaN", "Infinity",
 * "-Infinity"; null, but for a list's element, means left out; unknown fields of any shape are skipped. Further than it must: names as
 * they stand in the .proto files and names of enum values are understood, since protobuf's own parsers do and some senders write them.
 *
 * As strict as the native payload where two readings are possible: a known field of the wrong type or range, or one that stands there twice under
 * whichever name, or two members of a oneof, refuse the body by their path. Fields that Millrace reads nothing from (exemplars,
 * links, entity references) count as unknown. */
#ifndef MILLRACE_INGEST_OTLP_JSON_H
#define MILLRACE_INGEST_OTLP_JSON_H

#include <stddef.h>

#include "common/str.h"
#include "ingest/otlp.h"
#include "ingest/refusal.h"

/* Containers in one another: a span event's attribute lies 12 deep, and each list of key-value pairs in it takes four more. */
enum { OTLP_JSON_DEPTH_MAX = 160 };

/* Writes the signal's Export..ServiceRequest, which body holds as JSON, into out, whose old content is forgotten; out keeps nothing of
 * body. Lengths are varints of five bytes, which is legal, and fields keep body's order. 0; or -1 with *no set: bad_json, bad_payload,
 * nesting_too_deep, inflated_too_large (more than max_bytes, at most UINT32_MAX, would be written) or over_budget (memory is
 * short); out is then good for nothing but clearing, and holds no more than max_bytes. */
int otlp_json_transcode(enum otlp_signal signal, struct str body, struct buf *out, size_t max_bytes, struct refusal *no);

#endif
