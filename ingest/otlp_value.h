/* otlp_value.h - attributes of OTLP: KeyValue and AnyValue (opentelemetry/proto/common/v1), and Resource.
 *
 * Millrace's tags are texts, so a value becomes one as it is read: a string is borrowed from the body; true, 12, 0.5 as JSON writes them; bytes in base64;
 * arrays and lists as JSON. What is no string is cut at 16 KiB. Of a value that stands there twice the last is taken. */
#ifndef MILLRACE_INGEST_OTLP_VALUE_H
#define MILLRACE_INGEST_OTLP_VALUE_H

#include "common/arena.h"
#include "common/codec.h"
#include "ingest/pb_reader.h"

enum { OTLP_VALUE_DEPTH_MAX = 32 }; /* lists in one another */

/* Attributes gathered: in the arena, doubles and all, in the body's order. */
struct otlp_attributes {
	struct tag *tags;
	size_t len, cap;
};

/* Reads an AnyValue, behind its length, as a text; STR("") when there is none in it. */
const uint8_t *otlp_read_value(struct pb_reader *r, const uint8_t *at, const uint8_t *end, struct arena *arena, struct str *out);

/* Reads a KeyValue, the message in [at, end) without its length, into out. NULL with the fault in r; memory that is short is REASON_BODY_TOO_LARGE. */
const uint8_t *otlp_read_key_value(struct pb_reader *r, const uint8_t *at, const uint8_t *end, struct arena *arena, struct tag *out);

/* The same, appended to all. */
const uint8_t *otlp_read_attribute(struct pb_reader *r, const uint8_t *at, const uint8_t *end, struct arena *arena, struct otlp_attributes *all);

/* Reads a Resource (field 1: attributes), the message in [at, end), into all. */
const uint8_t *otlp_read_resource(struct pb_reader *r, const uint8_t *at, const uint8_t *end, struct arena *arena, struct otlp_attributes *all);

/* The value of key, the first there is; NULL when there is none. Borrowed until the next one is read. */
const struct str *otlp_attribute(const struct otlp_attributes *all, const char *key);

#endif
