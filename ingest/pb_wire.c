/* pb_wire.c - see pb_wire.h.
 *
 * What stands inline in the header is what nine of ten reads need; here is the rest. Skipping groups is a loop and not a recursion,
 * as their depth is the sender's choice. */
#include "ingest/pb_wire.h"

#include <stdbool.h>

enum { VARINT_BYTES_MAX = 10, VARINT32_BYTES_MAX = 5, LOW_BITS = 7 };

const char *pb_fault_text(enum pb_fault fault)
{
	switch (fault) {
	case PB_CUT_OFF:
		return "the message ends inside of a field";
	case PB_VARINT_TOO_LONG:
		return "a varint is longer than its type";
	case PB_LENGTH_BEYOND_END:
		return "a length reaches beyond the end of its message";
	case PB_FIELD_ZERO:
		return "field number 0";
	case PB_TYPE_UNKNOWN:
		return "a wire type that there is not";
	case PB_GROUP_NOT_OPEN:
		return "a group ends that has not begun";
	case PB_GROUPS_TOO_DEEP:
		return "groups are nested too deep";
	}
	return "";
}

/* A varint of at most max_bytes, the last of which may hold last_max: what is more would not fit the type. */
static inline struct pb_read read_varint(const uint8_t *at, const uint8_t *end, int max_bytes, uint8_t last_max)
{
	int n = end - at < max_bytes ? (int)(end - at) : max_bytes;
	uint64_t value = 0;

	for (int i = 0; i < n; i++) {
		value |= (uint64_t)(at[i] & 0x7f) << (LOW_BITS * i);
		if (at[i] >= 0x80)
			continue;
		if (i == max_bytes - 1 && at[i] > last_max)
			break;
		return (struct pb_read){at + i + 1, value};
	}
	return (struct pb_read){NULL, n < max_bytes ? PB_CUT_OFF : PB_VARINT_TOO_LONG};
}

struct pb_read pb_read_varint_long(const uint8_t *at, const uint8_t *end)
{
	return read_varint(at, end, VARINT_BYTES_MAX, 1);
}

struct pb_read pb_read_key_long(const uint8_t *at, const uint8_t *end)
{
	struct pb_read key = read_varint(at, end, VARINT32_BYTES_MAX, 0x0f);

	return key.at && key.value < PB_KEY(1, 0) ? (struct pb_read){NULL, PB_FIELD_ZERO} : key;
}

struct pb_read pb_read_length_long(const uint8_t *at, const uint8_t *end)
{
	struct pb_read length = read_varint(at, end, VARINT32_BYTES_MAX, 0x0f);

	if (length.at && length.value > (uint64_t)(end - length.at))
		return (struct pb_read){NULL, PB_LENGTH_BEYOND_END};
	return length;
}

static struct pb_read skip_bytes(const uint8_t *at, const uint8_t *end, uint64_t n)
{
	if (n > (uint64_t)(end - at))
		return (struct pb_read){NULL, PB_CUT_OFF};
	return (struct pb_read){at + n, 0};
}

/* One value that is no group's begin or end. */
static struct pb_read skip_value(uint32_t key, const uint8_t *at, const uint8_t *end)
{
	struct pb_read r;

	switch (key & 7) {
	case PB_VARINT:
		r = pb_read_varint(at, end);
		return r.at ? (struct pb_read){r.at, 0} : r;
	case PB_I64:
		return skip_bytes(at, end, 8);
	case PB_LEN:
		r = pb_read_length(at, end);
		return r.at ? skip_bytes(r.at, end, r.value) : r;
	case PB_I32:
		return skip_bytes(at, end, 4);
	case PB_GROUP_END:
		return (struct pb_read){NULL, PB_GROUP_NOT_OPEN};
	default:
		return (struct pb_read){NULL, PB_TYPE_UNKNOWN};
	}
}

/* A group ends with a key of its own field number, and with no other. */
static struct pb_read skip_group(uint32_t key, const uint8_t *at, const uint8_t *end)
{
	uint32_t open[PB_GROUPS_MAX];
	struct pb_read r = {at, key};
	size_t depth = 0;

	do {
		key = (uint32_t)r.value;
		if ((key & 7) == PB_GROUP && depth == PB_GROUPS_MAX)
			return (struct pb_read){NULL, PB_GROUPS_TOO_DEEP};
		if ((key & 7) == PB_GROUP)
			open[depth++] = key >> 3;
		else if ((key & 7) == PB_GROUP_END && key >> 3 == open[depth - 1])
			depth--;
		else
			r = skip_value(key, r.at, end);
		if (r.at && depth)
			r = pb_read_key(r.at, end);
	} while (r.at && depth);
	return r.at ? (struct pb_read){r.at, 0} : r;
}

struct pb_read pb_skip(uint32_t key, const uint8_t *at, const uint8_t *end)
{
	return (key & 7) == PB_GROUP ? skip_group(key, at, end) : skip_value(key, at, end);
}
