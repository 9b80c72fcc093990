/* pb_wire.h - the protobuf wire format (protobuf.dev, "Encoding"), read in place.
 *
 * Knows varints, keys, lengths and what to skip, but no message: that is its caller's. Every function takes the place to read at and
 * the end of the message it belongs to, and gives the place behind what it read, by value: so both stay in registers, and
 * nobody can read past an end that was checked. What does not fit the format is told by a NULL place and an enum pb_fault.
 *
 * As strict as the strictest of the usual parsers where bits would be lost silently: a key or a length has at most five bytes and
 * 32 bits, a varint at most ten bytes and 64 bits. Longer forms of a small number are legal. Groups are skipped, as any unknown field. */
#ifndef MILLRACE_INGEST_PB_WIRE_H
#define MILLRACE_INGEST_PB_WIRE_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { PB_GROUPS_MAX = 32 }; /* unknown groups in one another */

enum pb_type { PB_VARINT, PB_I64, PB_LEN, PB_GROUP, PB_GROUP_END, PB_I32 };

/* What stands before a field's value. */
#define PB_KEY(field, type) ((uint32_t)(field) << 3 | (uint32_t)(type))

enum pb_fault {
	PB_CUT_OFF,
	PB_VARINT_TOO_LONG,
	PB_LENGTH_BEYOND_END,
	PB_FIELD_ZERO,
	PB_TYPE_UNKNOWN,
	PB_GROUP_NOT_OPEN,
	PB_GROUPS_TOO_DEEP,
};

/* What a fault means, for people; a literal. */
const char *pb_fault_text(enum pb_fault fault);

/* Where reading goes on, and what was read: an unsigned number, or, when at is NULL, the enum pb_fault. */
struct pb_read {
	const uint8_t *at;
	uint64_t value;
};

/* The long forms of the three functions below, out of line; they take the short ones as well. */
struct pb_read pb_read_varint_long(const uint8_t *at, const uint8_t *end);
struct pb_read pb_read_key_long(const uint8_t *at, const uint8_t *end);    /* see above */
struct pb_read pb_read_length_long(const uint8_t *at, const uint8_t *end); /* see above */

/* A varint: at most ten bytes. */
static inline struct pb_read pb_read_varint(const uint8_t *at, const uint8_t *end)
{
	if (at < end && *at < 0x80)
		return (struct pb_read){at + 1, *at};
	return pb_read_varint_long(at, end);
}

/* A field's key, PB_KEY() of its number and type. The type may be none of enum pb_type: pb_skip() says so. */
static inline struct pb_read pb_read_key(const uint8_t *at, const uint8_t *end)
{
	if (at < end && *at < 0x80 && *at >= PB_KEY(1, 0))
		return (struct pb_read){at + 1, *at};
	return pb_read_key_long(at, end);
}

/* A length, with the promise that so many bytes follow before end. */
static inline struct pb_read pb_read_length(const uint8_t *at, const uint8_t *end)
{
	if (at < end && *at < 0x80 && *at < end - at)
		return (struct pb_read){at + 1, *at};
	return pb_read_length_long(at, end);
}

/* The bits of a fixed 64-bit value. */
static inline struct pb_read pb_read_fixed64(const uint8_t *at, const uint8_t *end)
{
	uint64_t bits;

	if (end - at < (ptrdiff_t)sizeof(bits))
		return (struct pb_read){NULL, PB_CUT_OFF};
	memcpy(&bits, at, sizeof(bits));
	return (struct pb_read){at + sizeof(bits), le64toh(bits)};
}

/* A double's bits are its value; a sint's are its magnitude, times two, with the sign in the lowest bit. */
static inline double pb_double(uint64_t bits)
{
	double v;

	memcpy(&v, &bits, sizeof(v));
	return v;
}

static inline int64_t pb_zigzag(uint64_t bits) /* see above */
{
	return (int64_t)(bits >> 1 ^ (0 - (bits & 1)));
}

/* Passes over the value behind a key, of whatever length; value is 0. Of a group all is passed over, to its end. */
struct pb_read pb_skip(uint32_t key, const uint8_t *at, const uint8_t *end);

#endif
