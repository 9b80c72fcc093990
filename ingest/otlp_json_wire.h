/* otlp_json_wire.h - values of JSON, written as fields of protobuf.
 *
 * Only otlp_json.c includes this, so the names are short. */
#ifndef MILLRACE_INGEST_OTLP_JSON_WIRE_H
#define MILLRACE_INGEST_OTLP_JSON_WIRE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/str.h"
#include "ingest/otlp_json_schema.h"

/* What is written to. Invariant: out->len <= max_bytes <= UINT32_MAX. */
struct wire {
	struct buf *out;
	size_t max_bytes;
};

/* What became of a value. But for WIRE_DONE, what was written is good for nothing. */
enum wire_end {
	WIRE_DONE,
	WIRE_WRONG,     /* it is none of the field's type */
	WIRE_NO_ROOM,   /* max_bytes are reached */
	WIRE_NO_MEMORY,
};

/* What stands before a field's value. */
enum wire_end wire_put_key(struct wire *w, const struct otlp_json_field *field);

/* The value of a scalar field that a number, text or a boolean of JSON stands for. */
enum wire_end wire_put_number(struct wire *w, const struct otlp_json_field *field, struct str text);
enum wire_end wire_put_text(struct wire *w, const struct otlp_json_field *field, struct str text); /* see above */
enum wire_end wire_put_boolean(struct wire *w, const struct otlp_json_field *field, bool value);   /* see above */

/* Leaves room for the length of what follows; *at is its place. */
enum wire_end wire_open(struct wire *w, size_t *at);

/* Writes there the length of what has followed. */
void wire_close(struct wire *w, size_t at);

/* What a field of this type takes, for people: "a string". */
const char *wire_wants(enum otlp_json_type type);

#endif
