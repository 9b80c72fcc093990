/* otlp_json_schema.h - the messages of OTLP as tables: names, numbers and types of fields (github.com/open-telemetry/opentelemetry-proto, v1).
 *
 * Only otlp_json*.c include this. */
#ifndef MILLRACE_INGEST_OTLP_JSON_SCHEMA_H
#define MILLRACE_INGEST_OTLP_JSON_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/str.h"
#include "ingest/otlp.h"

/* Of a field's value; TYPE_HEX is bytes on the wire. */
enum otlp_json_type {
	TYPE_STRING,
	TYPE_BYTES,
	TYPE_HEX,
	TYPE_BOOL,
	TYPE_DOUBLE,
	TYPE_INT32,
	TYPE_SINT32,
	TYPE_UINT32,
	TYPE_FIXED32,
	TYPE_INT64,
	TYPE_SFIXED64,
	TYPE_UINT64,
	TYPE_FIXED64,
	TYPE_ENUM,
	TYPE_MESSAGE,
};

struct otlp_json_message;

/* The names of an enum's values, which count from 0. */
struct otlp_json_enum {
	const char *const *names;
	size_t nr;
};

struct otlp_json_field {
	const char *name; /* in lowerCamelCase */
	size_t name_len;
	uint32_t number;
	enum otlp_json_type type;
	bool repeated; /* numbers are packed then */
	bool choice;   /* a member of its message's oneof; no message has two of them */
	const struct otlp_json_message *message; /* TYPE_MESSAGE */
	const struct otlp_json_enum *values;     /* TYPE_ENUM */
};

enum { OTLP_JSON_FIELDS_MAX = 32 }; /* of a message: they are bits of a mask */

struct otlp_json_message {
	const struct otlp_json_field *fields;
	size_t nr;
};

/* The message that a request with this signal is. */
const struct otlp_json_message *otlp_json_request(enum otlp_signal signal);

/* The field of that name, in lowerCamelCase or as the .proto file has it, or NULL. */
const struct otlp_json_field *otlp_json_find(const struct otlp_json_message *message, struct str name);

/* The number of an enum's value, or -1. */
int otlp_json_enum_number(const struct otlp_json_enum *e, struct str name);

#endif
