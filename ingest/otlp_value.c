/* otlp_value.c - see otlp_value.h.
 *
 * A value is read in two steps: read_any() finds which of its fields stands last, as the format wants it of a oneof, and leaves lists unread in
 * the body; only then is it made a text. So what is replaced later costs nothing, and the recursion, whose depth is the sender's choice up to a
 * bound, is in one function. Lists that are read twice are two lists here, the last of which counts; the format would join them.
 *
 * Texts are cut at TEXT_BYTES_MAX: nobody keeps as much of a value, and a body of zeros in lists would take many times its size. What is
 * cut off is still read, as its faults are the body's. */
#include "ingest/otlp_value.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "ingest/payload.h"

enum { TEXT_BYTES_MAX = 16 << 10, NUMBER_BYTES = 32 };

enum { ANY_NONE, ANY_STRING, ANY_BOOL, ANY_INT, ANY_DOUBLE, ANY_ARRAY, ANY_LIST, ANY_BYTES }; /* field numbers of AnyValue */

struct any {
	int kind;
	struct str bytes; /* of a string, a list, bytes */
	int64_t number;   /* of an int, a bool */
	double real;
};

/* A text that grows in the arena. */
struct text {
	struct pb_reader *reader;
	struct arena *arena;
	char *p;
	size_t len, cap;
	int depth;
	bool failed; /* memory was short */
};

static const struct pb_field key_value_fields[] = {{NULL, 0}, {"key", 0}, {"value", 0}};
static const struct pb_field any_fields[] = {
	{NULL, 0},
	[ANY_STRING] = {"string_value", 0},
	[ANY_BOOL] = {"bool_value", 0},
	[ANY_INT] = {"int_value", 0},
	[ANY_DOUBLE] = {"double_value", 0},
	[ANY_ARRAY] = {"array_value", 0},
	[ANY_LIST] = {"kvlist_value", 0},
	[ANY_BYTES] = {"bytes_value", 0},
};
static const struct pb_field list_fields[] = {{NULL, 0}, {"values", 0}};
static const struct pb_field resource_fields[] = {{NULL, 0}, {"attributes", 0}};
static const struct pb_message key_value_message = PB_MESSAGE(key_value_fields);
static const struct pb_message any_message = PB_MESSAGE(any_fields);
static const struct pb_message list_message = PB_MESSAGE(list_fields);
static const struct pb_message resource_message = PB_MESSAGE(resource_fields);

static const uint8_t *no_memory(struct pb_reader *r, const uint8_t *at)
{
	return pb_fail(r, at, REASON_BODY_TOO_LARGE, "");
}

static const uint8_t *any_field(struct pb_reader *r, uint32_t key, const uint8_t *at, const uint8_t *end, struct any *out)
{
	const uint8_t *next;

	switch (key) {
	case PB_KEY(ANY_STRING, PB_LEN):
		next = pb_read_text(r, at, end, &out->bytes);
		break;
	case PB_KEY(ANY_BOOL, PB_VARINT):
	case PB_KEY(ANY_INT, PB_VARINT):
		next = pb_read_int64(r, at, end, &out->number);
		break;
	case PB_KEY(ANY_DOUBLE, PB_I64):
		next = pb_read_double(r, at, end, &out->real);
		break;
	case PB_KEY(ANY_ARRAY, PB_LEN):
	case PB_KEY(ANY_LIST, PB_LEN):
	case PB_KEY(ANY_BYTES, PB_LEN):
		next = pb_read_bytes(r, at, end, &out->bytes);
		break;
	default:
		return pb_read_other(r, &any_message, key, at, end);
	}
	out->kind = (int)(key >> 3);
	return next;
}

/* A value behind its length, its lists unread. */
static const uint8_t *read_any(struct pb_reader *r, const uint8_t *at, const uint8_t *end, struct any *out)
{
	struct pb_read length = pb_read_length(at, end);

	*out = (struct any){.kind = ANY_NONE};
	if (!length.at)
		return pb_malformed(r, at, length);
	at = length.at;
	end = at + length.value;
	while (at < end) {
		struct pb_read key = pb_read_key(at, end);

		if (!key.at)
			return pb_malformed(r, at, key);
		at = any_field(r, (uint32_t)key.value, key.at, end, out);
		if (!at)
			return pb_fail_in(r, &any_message, (uint32_t)key.value >> 3);
	}
	return at;
}

/* A key and its value, which may be missing, in [at, end). */
static const uint8_t *read_pair(struct pb_reader *r, const uint8_t *at, const uint8_t *end, struct str *name, struct any *value)
{
	*name = STR("");
	*value = (struct any){.kind = ANY_NONE};
	while (at < end) {
		struct pb_read key = pb_read_key(at, end);

		if (!key.at)
			return pb_malformed(r, at, key);
		if (key.value == PB_KEY(1, PB_LEN))
			at = pb_read_text(r, key.at, end, name);
		else if (key.value == PB_KEY(2, PB_LEN))
			at = read_any(r, key.at, end, value);
		else
			at = pb_read_other(r, &key_value_message, (uint32_t)key.value, key.at, end);
		if (!at)
			return pb_fail_in(r, &key_value_message, (uint32_t)key.value >> 3);
	}
	return at;
}

static void add(struct text *t, const char *bytes, size_t n)
{
	size_t cap = t->cap ? t->cap : 64;
	char *wider;

	if (n > TEXT_BYTES_MAX - t->len)
		n = TEXT_BYTES_MAX - t->len;
	while (cap < t->len + n)
		cap *= 2;
	if (cap != t->cap) {
		wider = t->failed ? NULL : arena_alloc_raw(t->arena, cap);
		if (!wider) {
			t->failed = true;
			return;
		}
		if (t->len)
			memcpy(wider, t->p, t->len);
		t->p = wider;
		t->cap = cap;
	}
	memcpy(t->p + t->len, bytes, n);
	t->len += n;
}

static bool is_full(const struct text *t)
{
	return t->failed || t->len == TEXT_BYTES_MAX;
}

/* A string of JSON; what stood there is UTF-8. */
static void add_string(struct text *t, struct str s)
{
	char escape[8];
	size_t from = 0;

	add(t, "\"", 1);
	for (size_t i = 0; i < s.len && !is_full(t); i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		add(t, s.p + from, i - from);
		add(t, escape, (size_t)snprintf(escape, sizeof(escape), c < 0x20 ? "\\u%04x" : "\\%c", c));
		from = i + 1;
	}
	if (!is_full(t))
		add(t, s.p + from, s.len - from);
	add(t, "\"", 1);
}

static void add_base64(struct text *t, struct str s)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < s.len && !is_full(t); i += 3) {
		size_t n = s.len - i < 3 ? s.len - i : 3;
		uint32_t bits = 0;
		char four[4] = {'=', '=', '=', '='};

		for (size_t k = 0; k < 3; k++)
			bits = bits << 8 | (k < n ? (uint8_t)s.p[i + k] : 0);
		for (size_t k = 0; k <= n; k++)
			four[k] = digits[bits >> (18 - 6 * k) & 63];
		add(t, four, sizeof(four));
	}
}

/* The fewest of 15 to 17 digits that give the number back. */
static void add_real(struct text *t, double v, bool inside)
{
	const char *quote = inside && !isfinite(v) ? "\"" : "";
	char digits[NUMBER_BYTES];

	add(t, quote, strlen(quote));
	if (isnan(v)) {
		add(t, "NaN", 3);
	} else if (isinf(v)) {
		add(t, &"-Infinity"[v > 0], 8 + (v < 0));
	} else {
		for (int n = 15; n <= 17; n++) {
			snprintf(digits, sizeof(digits), "%.*g", n, v);
			if (strtod(digits, NULL) == v)
				break;
		}
		add(t, digits, strlen(digits));
	}
	add(t, quote, strlen(quote));
}

static void add_scalar(struct text *t, const struct any *v, bool inside)
{
	char digits[NUMBER_BYTES];

	if (v->kind == ANY_STRING)
		add_string(t, v->bytes);
	else if (v->kind == ANY_BOOL)
		add(t, v->number ? "true" : "false", v->number ? 4 : 5);
	else if (v->kind == ANY_INT)
		add(t, digits, (size_t)snprintf(digits, sizeof(digits), "%lld", (long long)v->number));
	else if (v->kind == ANY_DOUBLE)
		add_real(t, v->real, inside);
	else if (v->kind == ANY_NONE && inside)
		add(t, "null", 4);
	else if (v->kind == ANY_BYTES) {
		add(t, "\"", inside);
		add_base64(t, v->bytes);
		add(t, "\"", inside);
	}
}

static const uint8_t *add_list(struct text *t, const struct any *list);

/* A value in a list, at which a pair's name stands before it. */
static const uint8_t *add_element(struct text *t, int kind, const uint8_t *at, const uint8_t *end)
{
	struct pb_read length = pb_read_length(at, end);
	struct str name;
	struct any value;
	const uint8_t *next;

	if (kind == ANY_ARRAY)
		next = read_any(t->reader, at, end, &value);
	else if (!length.at)
		next = pb_malformed(t->reader, at, length);
	else
		next = read_pair(t->reader, length.at, length.at + length.value, &name, &value);
	if (next && kind == ANY_LIST && !is_full(t)) {
		add_string(t, name);
		add(t, ":", 1);
	}
	if (next && (value.kind == ANY_ARRAY || value.kind == ANY_LIST))
		return add_list(t, &value) ? next : NULL;
	if (next && !is_full(t))
		add_scalar(t, &value, true);
	return next;
}

/* A list as JSON: the one recursion. */
static const uint8_t *add_list(struct text *t, const struct any *list)
{
	const uint8_t *at = (const uint8_t *)list->bytes.p, *end = at + list->bytes.len;
	const char *brackets = list->kind == ANY_ARRAY ? "[]" : "{}";
	bool first = true;

	if (++t->depth > OTLP_VALUE_DEPTH_MAX)
		return pb_fail(t->reader, at, REASON_NESTING_TOO_DEEP, "lists are nested too deep");
	add(t, &brackets[0], 1);
	while (at < end) {
		struct pb_read key = pb_read_key(at, end);

		if (!key.at)
			return pb_malformed(t->reader, at, key);
		if (key.value == PB_KEY(1, PB_LEN)) {
			add(t, ",", !first);
			first = false;
			at = add_element(t, list->kind, key.at, end);
		} else {
			at = pb_read_other(t->reader, &list_message, (uint32_t)key.value, key.at, end);
		}
		if (!at)
			return pb_fail_in(t->reader, &list_message, (uint32_t)key.value >> 3);
	}
	add(t, &brackets[1], 1);
	t->depth--;
	return at;
}

/* The text of a value that was read up to next; gives next. */
static const uint8_t *to_text(struct pb_reader *r, const uint8_t *next, const struct any *v, struct arena *arena, struct str *out)
{
	struct text t = {.reader = r, .arena = arena};

	*out = STR("");
	if (v->kind == ANY_NONE)
		return next;
	if (v->kind == ANY_STRING) {
		*out = v->bytes;
		return next;
	}
	if (v->kind == ANY_ARRAY || v->kind == ANY_LIST) {
		if (!add_list(&t, v))
			return NULL;
	} else {
		add_scalar(&t, v, false);
	}
	if (t.failed)
		return no_memory(r, next);
	if (t.len)
		*out = (struct str){t.p, t.len};
	return next;
}

const uint8_t *otlp_read_value(struct pb_reader *r, const uint8_t *at, const uint8_t *end, struct arena *arena, struct str *out)
{
	struct any value;
	const uint8_t *next = read_any(r, at, end, &value);

	return next ? to_text(r, next, &value, arena, out) : NULL;
}

const uint8_t *otlp_read_key_value(struct pb_reader *r, const uint8_t *at, const uint8_t *end, struct arena *arena, struct tag *out)
{
	struct any value;
	const uint8_t *next = read_pair(r, at, end, &out->key, &value);

	return next ? to_text(r, next, &value, arena, &out->value) : NULL;
}

const uint8_t *otlp_read_attribute(struct pb_reader *r, const uint8_t *at, const uint8_t *end, struct arena *arena, struct otlp_attributes *all)
{
	struct tag *tags = payload_grow(arena, all->tags, all->len, &all->cap, sizeof(*tags));

	if (!tags)
		return no_memory(r, at);
	all->tags = tags;
	at = otlp_read_key_value(r, at, end, arena, &tags[all->len]);
	all->len += at != NULL;
	return at;
}

const uint8_t *otlp_read_resource(struct pb_reader *r, const uint8_t *at, const uint8_t *end, struct arena *arena, struct otlp_attributes *all)
{
	while (at < end) {
		struct pb_read key = pb_read_key(at, end), length;

		if (!key.at)
			return pb_malformed(r, at, key);
		if (key.value != PB_KEY(1, PB_LEN)) {
			at = pb_read_other(r, &resource_message, (uint32_t)key.value, key.at, end);
		} else {
			length = pb_read_length(key.at, end);
			at = length.at ? otlp_read_attribute(r, length.at, length.at + length.value, arena, all)
				       : pb_malformed(r, key.at, length);
		}
		if (!at)
			return pb_fail_in(r, &resource_message, (uint32_t)key.value >> 3);
	}
	return at;
}

const struct str *otlp_attribute(const struct otlp_attributes *all, const char *key)
{
	struct str name = str_from(key);

	for (size_t i = 0; i < all->len; i++)
		if (str_eq(all->tags[i].key, name))
			return &all->tags[i].value;
	return NULL;
}
