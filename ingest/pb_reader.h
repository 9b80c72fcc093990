/* pb_reader.h - what parsers of protobuf messages share: reading field by field, and telling what was wrong where.
 *
 * A parser is a struct that begins with a struct pb_reader, a table of fields and a function for each kind of message; the
 * function switches on a field's key, that is its number and wire type in one, and reads the value by the functions below. They all
 * take (at, end), at <= end, and give the place behind what they read, at most end; or NULL, with the fault in the reader, after
 * which nobody reads on. Places travel by value and the inline functions are hot: a sample takes about thirty of them.
 *
 * As a fault is passed up, each message adds the field it stood in, and so a path comes about that costs nothing before. */
#ifndef MILLRACE_INGEST_PB_READER_H
#define MILLRACE_INGEST_PB_READER_H

#include <stddef.h>
#include <stdint.h>

#include "common/str.h"
#include "ingest/pb_wire.h"
#include "ingest/refusal.h"

enum { PB_STEPS_MAX = 8 }; /* a path's; what lies further out is not told */

/* A field by name. A list counts its elements, with the one being read, so that a path can name it. */
struct pb_field {
	const char *name;
	size_t counter; /* offset of a uint32_t in the parser; 0: no list */
};

/* Field numbers are 1 to nr: a key that the parser's function does not take is of another wire type when its number is one of them, and
 * unknown when not, or when there is no name at its place: such a field is passed over. */
struct pb_message {
	const struct pb_field *fields; /* by field number; the first is none */
	uint32_t nr;
};

/* The message of a table of fields. */
#define PB_MESSAGE(table) {(table), sizeof(table) / sizeof((table)[0]) - 1}

struct pb_reader {
	const uint8_t *body;
	enum reason reason; /* of the fault, with its place and its words */
	const uint8_t *fault_at;
	const char *fault;
	struct {
		const char *name;
		int64_t index; /* -1: no list */
	} steps[PB_STEPS_MAX]; /* innermost first */
	size_t steps_len;
};

/* Reads one field's value, behind its key. r is the parser. */
typedef const uint8_t *(*pb_field_fn)(struct pb_reader *r, uint32_t key, const uint8_t *at, const uint8_t *end);

/* Notes what is wrong at a place; always NULL. what is a literal. */
__attribute__((cold)) const uint8_t *pb_fail(struct pb_reader *r, const uint8_t *at, enum reason reason, const char *what);

/* The same for a fault of the wire format; found is what a function of pb_wire.h gave. */
__attribute__((cold)) const uint8_t *pb_malformed(struct pb_reader *r, const uint8_t *at, struct pb_read found);

/* Adds to a fault's path that it is in this field of m; always NULL. */
__attribute__((cold)) const uint8_t *pb_fail_in(struct pb_reader *r, const struct pb_message *m, uint32_t number);

/* Makes the refusal of the fault: "byte 71, metrics[0].points[2].v: ..". Always -1. */
int pb_refuse(const struct pb_reader *r, struct refusal *no);

/* The value of a field that the parser's function does not take: skipped, or of the wrong wire type. */
__attribute__((cold)) const uint8_t *pb_read_other(struct pb_reader *r, const struct pb_message *m, uint32_t key, const uint8_t *at,
						   const uint8_t *end);

/* Reads a message to its end. Inline, so that field() becomes no call. */
static inline __attribute__((always_inline)) const uint8_t *
pb_read_fields(struct pb_reader *r, const struct pb_message *m, pb_field_fn field, const uint8_t *at, const uint8_t *end)
{
	while (at < end) {
		struct pb_read key = pb_read_key(at, end);

		if (!key.at)
			return pb_malformed(r, at, key);
		at = field(r, (uint32_t)key.value, key.at, end);
		if (!at)
			return pb_fail_in(r, m, (uint32_t)key.value >> 3);
	}
	return at;
}

/* The same for a message that stands in another, behind its length. */
static inline __attribute__((always_inline)) const uint8_t *
pb_read_message(struct pb_reader *r, const struct pb_message *m, pb_field_fn field, const uint8_t *at, const uint8_t *end)
{
	struct pb_read length = pb_read_length(at, end);

	return length.at ? pb_read_fields(r, m, field, length.at, length.at + length.value) : pb_malformed(r, at, length);
}

/* A number that does not fit becomes INT64_MAX. */
static inline int64_t pb_saturated(uint64_t n)
{
	return n > INT64_MAX ? INT64_MAX : (int64_t)n;
}

/* Scalars: int64 (also bool, enum); uint64 saturated; uint64 that refuses the body as bad_payload when it does not fit; sint32,
 * of which the format takes the low 32 bits; double. */
static inline const uint8_t *pb_read_int64(struct pb_reader *r, const uint8_t *at, const uint8_t *end, int64_t *out)
{
	struct pb_read v = pb_read_varint(at, end);

	*out = (int64_t)v.value;
	return v.at ? v.at : pb_malformed(r, at, v);
}

static inline const uint8_t *pb_read_count(struct pb_reader *r, const uint8_t *at, const uint8_t *end, int64_t *out) /* see above */
{
	struct pb_read v = pb_read_varint(at, end);

	*out = pb_saturated(v.value);
	return v.at ? v.at : pb_malformed(r, at, v);
}

static inline const uint8_t *pb_read_exact(struct pb_reader *r, const uint8_t *at, const uint8_t *end, int64_t *out) /* see above */
{
	const uint8_t *next = pb_read_int64(r, at, end, out);

	return next && *out < 0 ? pb_fail(r, at, REASON_BAD_PAYLOAD, "more than 2^63 - 1") : next;
}

static inline const uint8_t *pb_read_sint32(struct pb_reader *r, const uint8_t *at, const uint8_t *end, int64_t *out) /* see above */
{
	struct pb_read v = pb_read_varint(at, end);

	*out = pb_zigzag((uint32_t)v.value);
	return v.at ? v.at : pb_malformed(r, at, v);
}

static inline const uint8_t *pb_read_double(struct pb_reader *r, const uint8_t *at, const uint8_t *end, double *out) /* see above */
{
	struct pb_read v = pb_read_fixed64(at, end);

	*out = pb_double(v.value);
	return v.at ? v.at : pb_malformed(r, at, v);
}

/* Bytes, and text, which must be UTF-8; both borrow the body, and are empty after a fault. */
static inline const uint8_t *pb_read_bytes(struct pb_reader *r, const uint8_t *at, const uint8_t *end, struct str *out)
{
	struct pb_read length = pb_read_length(at, end);

	if (!length.at) {
		*out = STR("");
		return pb_malformed(r, at, length);
	}
	*out = (struct str){(const char *)length.at, (size_t)length.value};
	return length.at + length.value;
}

static inline const uint8_t *pb_read_text(struct pb_reader *r, const uint8_t *at, const uint8_t *end, struct str *out) /* see above */
{
	const uint8_t *next = pb_read_bytes(r, at, end, out);

	if (next && !str_is_ascii(*out) && !str_is_utf8(*out))
		return pb_fail(r, at, REASON_BAD_PROTOBUF, "a string is not UTF-8");
	return next;
}

#endif
