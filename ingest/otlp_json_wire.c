/* otlp_json_wire.c - see otlp_json_wire.h.
 *
 * protobuf's JSON mapping, type by type. It takes numbers as text for every numeric type, in every notation JSON has for numbers; what is
 * not integral or does not fit its type is wrong and never cut. */
#include "ingest/otlp_json_wire.h"

#include <ctype.h>
#include <endian.h>
#include <math.h>

#include "ingest/json_text.h"
#include "ingest/pb_wire.h"

enum { VARINT_BYTES = 10, LENGTH_BYTES = 5 };

/* Type by type: how it stands on the wire, and what people are told it is. */
static const struct {
	enum pb_type wire;
	const char *wants;
} types[] = {
	[TYPE_STRING] = {PB_LEN, "a string"},
	[TYPE_BYTES] = {PB_LEN, "base64"},
	[TYPE_HEX] = {PB_LEN, "an even number of hex digits"},
	[TYPE_BOOL] = {PB_VARINT, "a boolean"},
	[TYPE_DOUBLE] = {PB_I64, "a number"},
	[TYPE_INT32] = {PB_VARINT, "an integer of 32 bits"},
	[TYPE_SINT32] = {PB_VARINT, "an integer of 32 bits"},
	[TYPE_UINT32] = {PB_VARINT, "an unsigned integer of 32 bits"},
	[TYPE_FIXED32] = {PB_I32, "an unsigned integer of 32 bits"},
	[TYPE_INT64] = {PB_VARINT, "an integer of 64 bits"},
	[TYPE_SFIXED64] = {PB_I64, "an integer of 64 bits"},
	[TYPE_UINT64] = {PB_VARINT, "an unsigned integer of 64 bits"},
	[TYPE_FIXED64] = {PB_I64, "an unsigned integer of 64 bits"},
	[TYPE_ENUM] = {PB_VARINT, "the number of an enum's value"},
	[TYPE_MESSAGE] = {PB_LEN, "an object"},
};

const char *wire_wants(enum otlp_json_type type)
{
	return types[type].wants;
}

/* Room for n bytes, which the caller fills and counts. */
static enum wire_end reserve(struct wire *w, size_t n, uint8_t **to)
{
	if (n > w->max_bytes - w->out->len)
		return WIRE_NO_ROOM;
	*to = buf_reserve(w->out, n);
	return *to || n == 0 ? WIRE_DONE : WIRE_NO_MEMORY;
}

static enum wire_end put_bytes(struct wire *w, const void *bytes, size_t n)
{
	uint8_t *to;
	enum wire_end end = reserve(w, n, &to);

	if (end != WIRE_DONE || n == 0)
		return end;
	memcpy(to, bytes, n);
	w->out->len += n;
	return WIRE_DONE;
}

static enum wire_end put_varint(struct wire *w, uint64_t n)
{
	uint8_t bytes[VARINT_BYTES];
	size_t len = 0;

	for (; n >= 0x80; n >>= 7)
		bytes[len++] = (uint8_t)(n | 0x80);
	bytes[len++] = (uint8_t)n;
	return put_bytes(w, bytes, len);
}

/* By the width of its type; bits are as they stand on the wire. */
static enum wire_end put_bits(struct wire *w, enum pb_type type, uint64_t bits)
{
	uint64_t wide = htole64(bits);
	uint32_t narrow = htole32((uint32_t)bits);

	if (type == PB_I64)
		return put_bytes(w, &wide, sizeof(wide));
	return type == PB_I32 ? put_bytes(w, &narrow, sizeof(narrow)) : put_varint(w, bits);
}

enum wire_end wire_put_key(struct wire *w, const struct otlp_json_field *field)
{
	bool packed = field->repeated && field->type != TYPE_MESSAGE;

	return put_varint(w, PB_KEY(field->number, packed ? PB_LEN : types[field->type].wire));
}

/* The bits of an integer of the type; -1 when text, a number, is none. */
static int integer_bits(enum otlp_json_type type, struct str text, uint64_t *bits)
{
	int64_t n;

	switch (type) {
	case TYPE_UINT64:
	case TYPE_FIXED64:
		return json_number_uint(text, bits);
	case TYPE_UINT32:
	case TYPE_FIXED32:
		return json_number_uint(text, bits) < 0 || *bits > UINT32_MAX ? -1 : 0;
	case TYPE_INT64:
	case TYPE_SFIXED64:
		if (json_number_int(text, &n) < 0)
			return -1;
		*bits = (uint64_t)n;
		return 0;
	case TYPE_INT32:
	case TYPE_SINT32:
	case TYPE_ENUM: /* open: values of a later version too */
		if (json_number_int(text, &n) < 0 || n < INT32_MIN || n > INT32_MAX)
			return -1;
		*bits = type == TYPE_SINT32 ? (uint64_t)n << 1 ^ (n < 0 ? UINT64_MAX : 0) : (uint64_t)n;
		return 0;
	default:
		return -1;
	}
}

static enum wire_end put_double(struct wire *w, double value)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	return put_bits(w, PB_I64, bits);
}

enum wire_end wire_put_number(struct wire *w, const struct otlp_json_field *field, struct str text)
{
	uint64_t bits;

	if (field->type == TYPE_DOUBLE) {
		struct arena arena = ARENA_INIT;
		double value;
		int rc = json_number_double(text, &arena, &value);

		arena_fini(&arena);
		if (rc < 0)
			return WIRE_NO_MEMORY;
		return isinf(value) ? WIRE_WRONG : put_double(w, value); /* infinity has a name; 1e999 is a number that does not fit */
	}
	if (integer_bits(field->type, text, &bits) < 0)
		return WIRE_WRONG;
	return put_bits(w, types[field->type].wire, bits);
}

enum wire_end wire_put_boolean(struct wire *w, const struct otlp_json_field *field, bool value)
{
	return field->type == TYPE_BOOL ? put_varint(w, value) : WIRE_WRONG;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static enum wire_end put_hex(struct wire *w, struct str text)
{
	uint8_t *to;
	enum wire_end end;

	if (text.len % 2)
		return WIRE_WRONG;
	end = reserve(w, text.len / 2, &to);
	if (end != WIRE_DONE)
		return end;
	for (size_t i = 0; i < text.len; i += 2) {
		int high = hex_digit(text.p[i]), low = hex_digit(text.p[i + 1]);

		if (high < 0 || low < 0)
			return WIRE_WRONG;
		to[i / 2] = (uint8_t)(high * 16 + low);
	}
	w->out->len += text.len / 2;
	return WIRE_DONE;
}

/* The six bits a character stands for in either alphabet, RFC 4648, sections 4 and 5. */
static int base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

/* Padded to a multiple of four or not at all. Of the bits that are left over in the last character nobody asks what they are. */
static enum wire_end put_base64(struct wire *w, struct str text)
{
	uint32_t bits = 0;
	uint8_t *to;
	enum wire_end end;

	if (text.len && text.len % 4 == 0)
		for (int i = 0; i < 2 && text.p[text.len - 1] == '='; i++)
			text.len--;
	if (text.len % 4 == 1)
		return WIRE_WRONG;
	end = reserve(w, text.len * 3 / 4, &to);
	if (end != WIRE_DONE)
		return end;
	for (size_t i = 0; i < text.len; i++) {
		int digit = base64_digit(text.p[i]);

		if (digit < 0)
			return WIRE_WRONG;
		bits = bits << 6 | (uint32_t)digit;
		if (i % 4)
			*to++ = (uint8_t)(bits >> (6 - i % 4 * 2));
	}
	w->out->len += text.len * 3 / 4;
	return WIRE_DONE;
}

/* What is in text for a reason: bytes, behind their length. */
static enum wire_end put_coded(struct wire *w, const struct otlp_json_field *field, struct str text)
{
	size_t at;
	enum wire_end end = wire_open(w, &at);

	if (end == WIRE_DONE)
		end = (field->type == TYPE_HEX ? put_hex : put_base64)(w, text);
	if (end == WIRE_DONE)
		wire_close(w, at);
	return end;
}

enum wire_end wire_put_text(struct wire *w, const struct otlp_json_field *field, struct str text)
{
	enum wire_end end;
	int number;

	switch (field->type) {
	case TYPE_STRING:
		end = put_varint(w, text.len);
		return end == WIRE_DONE ? put_bytes(w, text.p, text.len) : end;
	case TYPE_HEX:
	case TYPE_BYTES:
		return put_coded(w, field, text);
	case TYPE_DOUBLE:
		if (str_eq(text, STR("NaN")))
			return put_double(w, NAN);
		if (str_eq(text, STR("Infinity")) || str_eq(text, STR("-Infinity")))
			return put_double(w, *text.p == '-' ? -INFINITY : INFINITY);
		break;
	case TYPE_ENUM:
		number = otlp_json_enum_number(field->values, text);
		if (number >= 0)
			return put_varint(w, (uint64_t)number);
		break;
	default:
		break;
	}
	return json_is_number(text) ? wire_put_number(w, field, text) : WIRE_WRONG;
}

/* Of five bytes whatever it comes to: to move what has followed would cost each byte as many moves as it lies deep. */
enum wire_end wire_open(struct wire *w, size_t *at)
{
	static const uint8_t room[LENGTH_BYTES];

	*at = w->out->len;
	return put_bytes(w, room, sizeof(room));
}

void wire_close(struct wire *w, size_t at)
{
	uint8_t *to = w->out->p + at;
	size_t n = w->out->len - at - LENGTH_BYTES;

	for (int i = 0; i < LENGTH_BYTES - 1; i++, n >>= 7)
		to[i] = (uint8_t)(n | 0x80);
	to[LENGTH_BYTES - 1] = (uint8_t)n;
}
