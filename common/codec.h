/* codec.h - the runtime under the generated codecs: Avro's binary encoding (specification 1.11, "Binary Encoding") in the
 * Confluent wire format (byte 0, schema id as 4 bytes big-endian, body).
 *
 * schemas/gen.py writes, for each record of schemas/ids, a C struct, NAME_encode() and NAME_decode() into build/gen/schemas/.
 * Decoded strings and bytes borrow the message; arrays and maps live in the caller's arena. The reader is sticky: after the
 * first fault every read gives zero and codec_reader_ok() is false. A length or count is believed only as far as the bytes
 * that are left can bear it, so that no input allocates out of proportion to its size. */
#ifndef MILLRACE_CODEC_H
#define MILLRACE_CODEC_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/err.h"
#include "common/str.h"

enum { CODEC_HEADER_BYTES = 5, CODEC_VARINT_BYTES_MAX = 10 };

/* An entry of a map of strings, and of a map of doubles. */
struct tag {
	struct str key, value;
};
struct figure {
	struct str key;
	double value;
};

struct codec_reader {
	const uint8_t *p, *end;
	struct arena *arena;
	const char *fault; /* NULL: none yet; else what was wrong, a literal */
	bool nomem;        /* the fault is the arena's */
};

/* Starts reading a body (no header). Borrows in and arena. */
void codec_reader_init(struct codec_reader *r, struct str in, struct arena *arena);

/* No fault so far? */
static inline bool codec_reader_ok(const struct codec_reader *r)
{
	return r->fault == NULL;
}

/* Records a fault, unless there is one already; reads give zeros from here on. */
void codec_fault(struct codec_reader *r, const char *what);

/* One primitive each; zero after a fault. int refuses what does not fit 32 bits; boolean anything but 0 and 1; double takes any bits.
 * string and bytes borrow the input; string demands UTF-8. */
bool codec_read_bool(struct codec_reader *r);
static inline int32_t codec_read_int(struct codec_reader *r);     /* see above */
static inline int64_t codec_read_long(struct codec_reader *r);    /* see above */
float codec_read_float(struct codec_reader *r);     /* see above */
static inline double codec_read_double(struct codec_reader *r);   /* see above */
struct str codec_read_bytes(struct codec_reader *r); /* see above */
struct str codec_read_string(struct codec_reader *r); /* see above */
void codec_read_fixed(struct codec_reader *r, uint8_t *out, size_t n); /* see above */

/* The branch of a union or the symbol of an enum: [0, n), else a fault and 0. */
int32_t codec_read_index(struct codec_reader *r, int32_t n);

/* The count of the next block of an array or map: 0 at its end. Each item takes at least min_item_bytes (>= 1) of input. Handles
 * negative counts (with byte size). */
size_t codec_read_block(struct codec_reader *r, size_t min_item_bytes);

/* The count of a list that is no Avro array, such as in a snapshot, each item of which takes at least min_item_bytes (>= 1). 0 after a fault. */
size_t codec_read_count(struct codec_reader *r, size_t min_item_bytes);

/* Room for n more items behind the len that *items holds, in the arena (the array may move). NULL after a fault. */
void *codec_grow(struct codec_reader *r, void *items, size_t len, size_t *cap, size_t n, size_t item_bytes);

/* The general way to read a number: for codec_read_varint(). */
uint64_t codec_read_varint_carefully(struct codec_reader *r);

/* Numbers are most of a message, so they are read without a call, and the bounds looked at once a number, not once a byte. */
static inline uint64_t codec_read_varint(struct codec_reader *r)
{
	const uint8_t *p = r->p;
	uint64_t value;

	if (r->end - p < CODEC_VARINT_BYTES_MAX)
		return codec_read_varint_carefully(r);
	value = *p & 0x7f;
	for (unsigned shift = 7; *p++ >= 0x80; shift += 7) {
		if (shift == 7 * (CODEC_VARINT_BYTES_MAX - 1))
			return codec_read_varint_carefully(r);
		value |= (uint64_t)(*p & 0x7f) << shift;
	}
	r->p = p;
	return value;
}

/* Zigzag: the sign is the lowest bit, so that small negative numbers are short too. */
static inline int64_t codec_read_long(struct codec_reader *r)
{
	uint64_t u = codec_read_varint(r);

	return (int64_t)((u >> 1) ^ (0 - (u & 1)));
}

/* See above. */
static inline int32_t codec_read_int(struct codec_reader *r)
{
	int64_t value = codec_read_long(r);

	if (value >= INT32_MIN && value <= INT32_MAX)
		return (int32_t)value;
	codec_fault(r, "number over 32 bits");
	return 0;
}

/* See above. */
static inline double codec_read_double(struct codec_reader *r)
{
	uint64_t bits;
	double value;

	if (r->end - r->p < (ptrdiff_t)sizeof(bits)) {
		codec_fault(r, "cut off");
		return 0;
	}
	memcpy(&bits, r->p, sizeof(bits));
	r->p += sizeof(bits);
	bits = le64toh(bits);
	memcpy(&value, &bits, sizeof(value));
	return value;
}

/* Appends one primitive. Failure is sticky in the buf. In the header, as an encoder is made of nothing else: calls would be half of its time. */
static inline void codec_write_bool(struct buf *b, bool v)
{
	buf_add(b, &(uint8_t){v}, 1);
}

/* See above. Room for the longest number is made at once, so that the loop needs no look at the buffer. */
static inline void codec_write_long(struct buf *b, int64_t v)
{
	uint64_t u = ((uint64_t)v << 1) ^ (v < 0 ? UINT64_MAX : 0);
	uint8_t *to = buf_reserve(b, CODEC_VARINT_BYTES_MAX), *from = to;

	if (!to)
		return;
	for (; u >= 0x80; u >>= 7)
		*to++ = (uint8_t)(u | 0x80);
	*to++ = (uint8_t)u;
	b->len += (size_t)(to - from);
}

/* See above. */
static inline void codec_write_int(struct buf *b, int32_t v)
{
	codec_write_long(b, v);
}

/* See above. */
static inline void codec_write_float(struct buf *b, float v)
{
	uint32_t bits;

	memcpy(&bits, &v, sizeof(bits));
	bits = htole32(bits);
	buf_add(b, &bits, sizeof(bits));
}

/* See above. */
static inline void codec_write_double(struct buf *b, double v)
{
	uint64_t bits;

	memcpy(&bits, &v, sizeof(bits));
	bits = htole64(bits);
	buf_add(b, &bits, sizeof(bits));
}

/* See above; also a string. */
static inline void codec_write_bytes(struct buf *b, struct str v)
{
	codec_write_long(b, (int64_t)v.len);
	buf_add(b, v.p, v.len);
}

/* See above. */
static inline void codec_write_fixed(struct buf *b, const uint8_t *v, size_t n)
{
	buf_add(b, v, n);
}

/* Appends the five header bytes of the Confluent wire format. */
void codec_write_header(struct buf *b, uint32_t schema_id);

/* Checks the header of a message against the record a decoder knows, by the id of its newest version, and gives its body. Returns the
 * message's id (over 0): that one, or a former version's. -1: ERR_REJECT: too short, or first byte not 0, or an id of schemas/ids that is
 * another record's. ERR_RETRY: an id nobody here knows: a newer writer, not poison. */
int codec_open(struct str message, uint32_t expected_id, struct str *body, struct err *err);

/* How a decoder ends: 0; or ERR_REJECT with the fault, or "N bytes left over"; ERR_FATAL when memory was short. name: the record's. */
int codec_close(const struct codec_reader *r, const char *name, struct err *err);

#endif
