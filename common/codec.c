/* codec.c - see codec.h.
 *
 * What is read here was written by another program, perhaps a broken or a newer one, and the same bytes come again after every
 * restart: a decoder that crashed on them would crash for ever. So whatever the bytes are, reading them ends in a value or in
 * a fault, within time and memory that follow from their number.
 *
 * Invariants:
 *  I1  p <= end, and after a fault p == end: every later read finds nothing left and gives zero, so that decoders need no
 *      check of their own between fields.
 *  I2  A length or count is compared with the bytes that are left before anything is done with it.
 *  I3  codec_grow() hands out at most twice what the items need that were read or announced, and never more spare room
 *      than there are bytes left: memory is a fixed multiple of the input, however it is cut into blocks. */
#include "common/codec.h"

#include <endian.h>
#include <string.h>

#include "schemas/schemas.h"

/* A varint has seven bits a byte: 64 bits need ten, and of the tenth only its lowest bit. More bytes than needed are in order,
 * as the specification does not forbid them. */

void codec_reader_init(struct codec_reader *r, struct str in, struct arena *arena)
{
	r->p = (const uint8_t *)in.p;
	r->end = r->p + in.len;
	r->arena = arena;
	r->fault = NULL;
	r->nomem = false;
}

/* The first fault is the one to tell of: those after it are its consequences. */
void codec_fault(struct codec_reader *r, const char *what)
{
	r->p = r->end;
	if (!r->fault)
		r->fault = what;
}

static size_t left(const struct codec_reader *r)
{
	return (size_t)(r->end - r->p);
}

/* n bytes of input, or NULL after a fault. */
static const uint8_t *take(struct codec_reader *r, size_t n)
{
	const uint8_t *p = r->p;

	if (left(r) < n) {
		codec_fault(r, "cut off");
		return NULL;
	}
	r->p += n;
	return p;
}

/* Near the end of the input, or malformed. */
uint64_t codec_read_varint_carefully(struct codec_reader *r)
{
	size_t max = left(r) < CODEC_VARINT_BYTES_MAX ? left(r) : CODEC_VARINT_BYTES_MAX;
	uint64_t value = 0;

	for (size_t i = 0; i < max; i++) {
		uint8_t byte = r->p[i];

		if (i == CODEC_VARINT_BYTES_MAX - 1 && byte > 1)
			break;
		value |= (uint64_t)(byte & 0x7f) << (7 * i);
		if (byte < 0x80) {
			r->p += i + 1;
			return value;
		}
	}
	codec_fault(r, max < CODEC_VARINT_BYTES_MAX ? "cut off" : "number over 64 bits");
	return 0;
}

bool codec_read_bool(struct codec_reader *r)
{
	const uint8_t *p = take(r, 1);

	if (p && *p > 1)
		codec_fault(r, "boolean neither 0 nor 1");
	return p && *p == 1;
}

/* Little-endian by the specification; every bit is kept, a NaN's too, as a value must come out as it went in. */
float codec_read_float(struct codec_reader *r)
{
	const uint8_t *p = take(r, sizeof(uint32_t));
	uint32_t bits = 0;
	float value;

	if (p)
		memcpy(&bits, p, sizeof(bits));
	bits = le32toh(bits);
	memcpy(&value, &bits, sizeof(value));
	return value;
}

/* Nothing is "", not NULL: whoever takes a str may use its bytes without asking. */
struct str codec_read_bytes(struct codec_reader *r)
{
	int64_t n = codec_read_long(r);
	const uint8_t *p;

	if (n < 0) {
		codec_fault(r, "negative length");
		return STR("");
	}
	if ((uint64_t)n > left(r)) {
		codec_fault(r, "length over what is left");
		return STR("");
	}
	p = take(r, (size_t)n);
	return n ? (struct str){(const char *)p, (size_t)n} : STR("");
}

struct str codec_read_string(struct codec_reader *r)
{
	struct str s = codec_read_bytes(r);

	if (!str_is_utf8(s)) {
		codec_fault(r, "string is not UTF-8");
		return STR("");
	}
	return s;
}

void codec_read_fixed(struct codec_reader *r, uint8_t *out, size_t n)
{
	const uint8_t *p = take(r, n);

	if (p)
		memcpy(out, p, n);
	else
		memset(out, 0, n);
}

/* Read as a long, since a union's branch is one by the specification and an enum's symbol, an int, has the same bytes. */
int32_t codec_read_index(struct codec_reader *r, int32_t n)
{
	int64_t index = codec_read_long(r);

	if (index < 0 || index >= n) {
		codec_fault(r, "no such branch or symbol");
		return 0;
	}
	return (int32_t)index;
}

size_t codec_read_count(struct codec_reader *r, size_t min_item_bytes)
{
	int64_t count = codec_read_long(r);

	if (count >= 0 && (uint64_t)count <= left(r) / min_item_bytes)
		return (size_t)count;
	codec_fault(r, "a count that the bytes cannot bear");
	return 0;
}

/* The size that a negative count brings along is for those who skip the block. We read its items one by one, so a size that
 * is wrong but possible misleads nobody here. */
size_t codec_read_block(struct codec_reader *r, size_t min_item_bytes)
{
	int64_t count = codec_read_long(r);
	int64_t size = 0;

	if (count == 0)
		return 0;
	if (count < 0) {
		size = codec_read_long(r);
		if (count == INT64_MIN || size < 0 || (uint64_t)size > left(r)) {
			codec_fault(r, "block over what is left");
			return 0;
		}
		count = -count;
	}
	if ((uint64_t)count > left(r) / min_item_bytes) {
		codec_fault(r, "count over what is left");
		return 0;
	}
	return (size_t)count;
}

/* An array of one block, the usual one, gets exactly its room. Only where blocks follow on one another does it double, and
 * then the old copies stay in the arena: without the bound by what is left (I3), blocks cut with malice would cost 80 times
 * their bytes instead of 60. */
void *codec_grow(struct codec_reader *r, void *items, size_t len, size_t *cap, size_t n, size_t item_bytes)
{
	size_t spare = *cap < left(r) ? *cap : left(r);
	size_t want = len + (n > spare ? n : spare);
	void *moved;

	if (!codec_reader_ok(r))
		return NULL;
	if (*cap - len >= n && items)
		return items;
	moved = arena_calloc(r->arena, want, item_bytes);
	if (!moved) {
		codec_fault(r, "items over the memory allowed");
		r->nomem = true;
		return NULL;
	}
	if (len)
		memcpy(moved, items, len * item_bytes);
	*cap = want;
	return moved;
}

void codec_write_header(struct buf *b, uint32_t schema_id)
{
	uint8_t out[CODEC_HEADER_BYTES] = {0, (uint8_t)(schema_id >> 24), (uint8_t)(schema_id >> 16), (uint8_t)(schema_id >> 8),
					   (uint8_t)schema_id};

	buf_add(b, out, sizeof(out));
}

/* Poison is what stays bad; a schema that only a newer build knows is not: the record becomes readable by an upgrade. */
int codec_open(struct str message, uint32_t expected_id, struct str *body, struct err *err)
{
	const uint8_t *p = (const uint8_t *)message.p;
	const char *expected = schema_name(expected_id);
	const char *name;
	uint32_t id;

	if (message.len < CODEC_HEADER_BYTES)
		return err_set(err, ERR_REJECT, "%s: %zu bytes are no message", expected, message.len);
	if (p[0] != 0)
		return err_set(err, ERR_REJECT, "%s: first byte is %u, not 0", expected, p[0]);
	id = (uint32_t)p[1] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 8 | p[4];
	name = id == expected_id ? expected : schema_name(id);
	if (!name)
		return err_set(err, ERR_RETRY, "%s: schema %u is unknown: a newer writer's", expected, id);
	if (strcmp(name, expected) != 0)
		return err_set(err, ERR_REJECT, "%s: schema %u is %s's", expected, id, name);
	*body = (struct str){message.p + CODEC_HEADER_BYTES, message.len - CODEC_HEADER_BYTES};
	return (int)id;
}

int codec_close(const struct codec_reader *r, const char *name, struct err *err)
{
	if (r->nomem)
		return err_set(err, ERR_FATAL, "%s: %s", name, r->fault);
	if (r->fault)
		return err_set(err, ERR_REJECT, "%s: %s", name, r->fault);
	if (left(r))
		return err_set(err, ERR_REJECT, "%s: %zu bytes left over", name, left(r));
	return 0;
}
