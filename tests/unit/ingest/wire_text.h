/* wire_text.h - protobuf messages written as text, for tables of good and bad ones.
 *
 *   1{..}    field 1, a message           1"ab"    a string           1[1 2]  packed varints
 *   1=7      a varint (-1: ten bytes)     1~-3     a zigzag varint    1:1.5   a double
 *   1%7      a fixed 32-bit value         1<..>    a group            |0a7f|  bytes as they are
 *   1!7      a fixed 64-bit value
 * What is written by it shares no code with the decoder. */
#ifndef MILLRACE_TESTS_WIRE_TEXT_H
#define MILLRACE_TESTS_WIRE_TEXT_H

#include <ctype.h>
#include <string.h>

#include "common/str.h"
#include "tests/unit/unit.h"

static inline void wire_varint(struct buf *out, uint64_t v)
{
	uint8_t bytes[10];
	size_t n = 0;

	for (; v >= 0x80; v >>= 7)
		bytes[n++] = (uint8_t)(v | 0x80);
	bytes[n++] = (uint8_t)v;
	buf_add(out, bytes, n);
}

static inline void wire_bytes(struct buf *out, const void *bytes, size_t len)
{
	wire_varint(out, len);
	buf_add(out, bytes, len);
}

static inline const char *wire_items(struct buf *out, const char *text);

/* What stands between brackets, behind its length. */
static inline const char *wire_nested(struct buf *out, const char *text, const char *(*items)(struct buf *, const char *))
{
	struct buf inner = BUF_INIT;

	text = items(&inner, text);
	wire_bytes(out, buf_str(&inner).p, inner.len);
	buf_fini(&inner);
	return text + 1;
}

static inline const char *wire_numbers(struct buf *out, const char *text)
{
	for (;; text++) {
		if (isdigit((unsigned char)*text)) {
			char *end;

			wire_varint(out, strtoull(text, &end, 10));
			text = end;
		}
		if (*text != ' ')
			return text;
	}
}

static inline const char *wire_hex(struct buf *out, const char *text)
{
	for (; *text != '|'; text += *text == ' ' ? 1 : 2) {
		const char digits[3] = {text[0], *text == ' ' ? '\0' : text[1], '\0'};
		uint8_t byte = (uint8_t)strtoul(digits, NULL, 16);

		if (*text != ' ')
			buf_add(out, &byte, 1);
	}
	return text + 1;
}

/* A number's value, behind the sign that says how it is written. */
static inline const char *wire_number(struct buf *out, uint64_t field, char sign, const char *text)
{
	char *end;

	if (sign == ':') {
		double v = strtod(text, &end);

		wire_varint(out, field << 3 | 1);
		buf_add(out, &v, sizeof(v));
	} else if (sign == '!') {
		uint64_t v = *text == '-' ? (uint64_t)strtoll(text, &end, 10) : strtoull(text, &end, 10);

		wire_varint(out, field << 3 | 1);
		buf_add(out, &v, sizeof(v));
	} else if (sign == '%') {
		uint32_t v = (uint32_t)strtoul(text, &end, 10);

		wire_varint(out, field << 3 | 5);
		buf_add(out, &v, sizeof(v));
	} else {
		int64_t v = *text == '-' ? strtoll(text, &end, 10) : (int64_t)strtoull(text, &end, 10);

		wire_varint(out, field << 3);
		wire_varint(out, sign == '~' ? (uint64_t)v << 1 ^ (v < 0 ? UINT64_MAX : 0) : (uint64_t)v);
	}
	return end;
}

static inline const char *wire_item(struct buf *out, const char *text)
{
	char *sign;
	uint64_t field = strtoull(text, &sign, 10);
	const char *end;

	switch (*sign) {
	case '{':
		wire_varint(out, field << 3 | 2);
		return wire_nested(out, sign + 1, wire_items);
	case '[':
		wire_varint(out, field << 3 | 2);
		return wire_nested(out, sign + 1, wire_numbers);
	case '"':
		end = strchr(sign + 1, '"');
		wire_varint(out, field << 3 | 2);
		wire_bytes(out, sign + 1, (size_t)(end - sign - 1));
		return end + 1;
	case '<':
		wire_varint(out, field << 3 | 3);
		text = wire_items(out, sign + 1);
		wire_varint(out, field << 3 | 4);
		return text + 1;
	default:
		ck_assert_msg(*sign && strchr("=~:%!", *sign), "not a message: %s", text);
		return wire_number(out, field, *sign, sign + 1);
	}
}

/* Up to the end of the text, or to the bracket that closes it. */
static inline const char *wire_items(struct buf *out, const char *text)
{
	while (*text && *text != '}' && *text != '>') {
		if (*text == ' ')
			text++;
		else if (*text == '|')
			text = wire_hex(out, text + 1);
		else
			text = wire_item(out, text);
	}
	return text;
}

/* The message that a whole text means; buf_fini() it. */
static inline struct buf wire_text(const char *text)
{
	struct buf out = BUF_INIT;

	text = wire_items(&out, text);
	ck_assert_msg(*text == '\0' && !buf_failed(&out), "not a message: %s", text);
	return out;
}

#endif
