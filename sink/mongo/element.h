/* element.h - BSON's elements (bsonspec.org 1.1), written one behind the other into a buffer.
 *
 * For documents whose shape is known when this is compiled: libbson's builder keeps parents up to date at every append, and looks for the
 * lengths of keys; that was a quarter of what a record cost. A failure to grow is the buffer's, and sticky: buf_failed() says so once,
 * at the end. Keys hold no NUL byte, which is the caller's to know. All in the header, so that lengths of literal keys are constants. */
#ifndef MILLRACE_SINK_MONGO_ELEMENT_H
#define MILLRACE_SINK_MONGO_ELEMENT_H

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "common/str.h"

enum element_type {
	ELEMENT_DOUBLE = 0x01,
	ELEMENT_TEXT = 0x02,
	ELEMENT_DOCUMENT = 0x03,
	ELEMENT_ARRAY = 0x04,
	ELEMENT_BINARY = 0x05,
	ELEMENT_BOOL = 0x08,
	ELEMENT_DATE = 0x09,
	ELEMENT_INT32 = 0x10,
	ELEMENT_INT64 = 0x12,
};

/* Writes type and key, and makes room for a value of so many bytes. Returns its place, or NULL when memory is short. */
static inline uint8_t *element_begin(struct buf *b, enum element_type type, struct str key, size_t value_len)
{
	uint8_t *p = buf_reserve(b, 1 + key.len + 1 + value_len);

	if (!p)
		return NULL;
	*p++ = (uint8_t)type;
	memcpy(p, key.p, key.len);
	p[key.len] = 0;
	b->len += 1 + key.len + 1 + value_len;
	return p + key.len + 1;
}

/* Stores v at p, little-endian. */
static inline void element_store32(uint8_t *p, uint32_t v)
{
	v = htole32(v);
	memcpy(p, &v, sizeof(v));
}

/* An element of 8 bytes. */
static inline void element_put64(struct buf *b, enum element_type type, struct str key, uint64_t v)
{
	uint8_t *p = element_begin(b, type, key, sizeof(v));

	v = htole64(v);
	if (p)
		memcpy(p, &v, sizeof(v));
}

/* A 64-bit integer. */
static inline void element_put_int64(struct buf *b, struct str key, int64_t v)
{
	element_put64(b, ELEMENT_INT64, key, (uint64_t)v);
}

/* A number, any at all. */
static inline void element_put_double(struct buf *b, struct str key, double v)
{
	uint64_t bits;

	memcpy(&bits, &v, sizeof(bits));
	element_put64(b, ELEMENT_DOUBLE, key, bits);
}

/* Milliseconds since the epoch. */
static inline void element_put_date(struct buf *b, struct str key, int64_t v_ms)
{
	element_put64(b, ELEMENT_DATE, key, (uint64_t)v_ms);
}

/* A 32-bit integer. */
static inline void element_put_int32(struct buf *b, struct str key, int32_t v)
{
	uint8_t *p = element_begin(b, ELEMENT_INT32, key, sizeof(v));

	if (p)
		element_store32(p, (uint32_t)v);
}

/* A truth. */
static inline void element_put_bool(struct buf *b, struct str key, bool v)
{
	uint8_t *p = element_begin(b, ELEMENT_BOOL, key, 1);

	if (p)
		*p = v;
}

/* UTF-8, NUL bytes allowed. A text of 2 GiB and more makes no document that anyone takes: the caller looks at the whole length. */
static inline void element_put_text(struct buf *b, struct str key, struct str v)
{
	uint8_t *p = element_begin(b, ELEMENT_TEXT, key, 4 + v.len + 1);

	if (!p)
		return;
	element_store32(p, (uint32_t)v.len + 1);
	if (v.len)
		memcpy(p + 4, v.p, v.len);
	p[4 + v.len] = 0;
}

/* Generic binary. */
static inline void element_put_binary(struct buf *b, struct str key, const uint8_t *v, uint32_t len)
{
	uint8_t *p = element_begin(b, ELEMENT_BINARY, key, 4 + 1 + len);

	if (!p)
		return;
	element_store32(p, len);
	p[4] = 0;
	memcpy(p + 5, v, len);
}

/* Opens a document or an array inside of another one. The result is for element_close(). */
static inline size_t element_open(struct buf *b, enum element_type type, struct str key)
{
	element_begin(b, type, key, 4);
	return b->len - 4;
}

/* Opens a document that stands in no other. */
static inline size_t element_open_outermost(struct buf *b)
{
	if (buf_reserve(b, 4))
		b->len += 4;
	return b->len - 4;
}

/* Ends what was opened at this place. */
static inline void element_close(struct buf *b, size_t at)
{
	uint8_t *p = buf_reserve(b, 1);

	if (!p)
		return;
	*p = 0;
	b->len++;
	element_store32(b->p + at, (uint32_t)(b->len - at));
}

#endif
