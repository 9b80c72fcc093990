/* record_any.c - see record_any.h.
 *
 * Invariant: avro-c never sees bytes that the generated decoder has not taken whole. So a count or a length in what it reads is within the message, an enum is one
 * of its symbols, and texts are UTF-8. */
#include "deploy/ctl/record_any.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "deploy/ctl/printable.h"
#include "schemas/schemas.h"

enum { ARENA_BYTES = 64 << 20, SYMBOL_MAX_BYTES = 80, NUMBER_SIZE = 48 };

/* What avro-c made of a schema's text. iface NULL: not yet asked for. */
struct known {
	avro_schema_t schema;
	avro_value_iface_t *iface;
};

struct record_reader {
	struct arena arena;
	struct known *known; /* beside schema_texts() */
	size_t nr;
	avro_value_t value; /* of the last record; iface NULL: none */
};

struct record_reader *record_reader_new(struct err *err)
{
	struct record_reader *r = calloc(1, sizeof(*r));

	if (r) {
		schema_texts(&r->nr);
		r->known = calloc(r->nr, sizeof(*r->known));
	}
	if (!r || !r->known) {
		free(r);
		err_nomem(err, "a reader of records");
		return NULL;
	}
	r->arena.limit_bytes = ARENA_BYTES;
	return r;
}

static void forget(struct record_reader *r)
{
	if (r->value.iface)
		avro_value_decref(&r->value);
	r->value = (avro_value_t){0};
}

void record_reader_free(struct record_reader *r)
{
	if (!r)
		return;
	forget(r);
	for (size_t i = 0; i < r->nr; i++) {
		if (r->known[i].iface)
			avro_value_iface_decref(r->known[i].iface);
		if (r->known[i].schema)
			avro_schema_decref(r->known[i].schema);
	}
	arena_fini(&r->arena);
	free(r->known);
	free(r);
}

/* Does the generated decoder of the record take it? The value itself is not wanted. */
static int check(struct record_reader *r, const char *record, struct str message, struct err *err)
{
	int rc = -1;
	bool found = false;

	arena_clear(&r->arena);
#define CHECK(name, NAME) \
	if (!found && NAME##_SCHEMA_ID && strcmp(record, schema_name(NAME##_SCHEMA_ID)) == 0) { \
		struct name v; \
\
		found = true; \
		rc = name##_decode(message, &r->arena, &v, err); \
	}
	SCHEMAS_FOR_EACH(CHECK)
#undef CHECK
	return found ? rc : err_set(err, ERR_RETRY, "no decoder for %s", record);
}

static int know(struct known *known, const struct schema_text *text, struct err *err)
{
	if (known->iface)
		return 0;
	if (!known->schema && avro_schema_from_json_length(text->text, strlen(text->text), &known->schema) != 0)
		return err_set(err, ERR_FATAL, "the schema of %s: %s", text->record, avro_strerror());
	known->iface = avro_generic_class_from_schema(known->schema);
	return known->iface ? 0 : err_nomem(err, text->record);
}

static int read_value(struct record_reader *r, const struct known *known, struct str body, struct err *err)
{
	avro_reader_t reader = avro_reader_memory(body.p, (int64_t)body.len);
	int rc;

	if (!reader)
		return err_nomem(err, "a record");
	rc = avro_generic_value_new(known->iface, &r->value);
	if (rc == 0)
		rc = avro_value_read(reader, &r->value);
	else
		r->value = (avro_value_t){0};
	avro_reader_free(reader);
	return rc ? err_set(err, ERR_FATAL, "a record: %s", avro_strerror()) : 0;
}

/* The place of a message's schema in schema_texts(). */
static int find_schema(struct str message, size_t *at, struct err *err)
{
	const struct schema_text *texts;
	const uint8_t *p = (const uint8_t *)message.p;
	uint32_t id;
	size_t nr;

	texts = schema_texts(&nr);
	if (message.len < 5 || p[0] != 0)
		return err_set(err, ERR_REJECT, "no header of a schema id");
	id = (uint32_t)p[1] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 8 | p[4];
	for (*at = 0; *at < nr; (*at)++)
		if ((uint32_t)texts[*at].id == id)
			return 0;
	return err_set(err, ERR_RETRY, "schema id %" PRIu32 " is not known to this build", id);
}

int record_read(struct record_reader *r, struct str message, struct record_any *out, struct err *err)
{
	const struct schema_text *text;
	size_t nr, at = 0;

	forget(r);
	if (find_schema(message, &at, err) < 0)
		return -1;
	text = &schema_texts(&nr)[at];
	if (check(r, text->record, message, err) < 0 || know(&r->known[at], text, err) < 0 ||
	    read_value(r, &r->known[at], (struct str){message.p + 5, message.len - 5}, err) < 0)
		return -1;
	*out = (struct record_any){text, r->value};
	return 0;
}

static void write_hex(struct json_writer *w, const char *key, const void *bytes, size_t n)
{
	char *text = malloc(2 * n + 1);

	w->failed |= !text;
	if (text)
		json_write_text(w, key, str_from(str_hex(bytes, n, text)));
	free(text);
}

static void write_number(struct json_writer *w, const char *key, double number)
{
	if (isfinite(number))
		json_write_number(w, key, number);
	else
		json_write_text(w, key, isnan(number) ? STR("NaN") : number > 0 ? STR("Infinity") : STR("-Infinity"));
}

static const char *symbol_of(const avro_value_t *value)
{
	avro_schema_t schema = avro_value_get_schema(value);
	int at = 0;

	if (is_avro_link(schema))
		schema = avro_schema_link_target(schema);
	avro_value_get_enum(value, &at);
	return avro_schema_enum_get(schema, at);
}

static bool text_of(const avro_value_t *value, struct str *out)
{
	const char *text = NULL;
	size_t size = 0;

	if (avro_value_get_type(value) != AVRO_STRING || avro_value_get_string(value, &text, &size) != 0)
		return false;
	*out = (struct str){text, size ? size - 1 : 0}; /* the size counts its NUL */
	return true;
}

/* Bytes of either kind. */
static const void *bytes_of(const avro_value_t *value, size_t *n)
{
	const void *bytes = NULL;

	*n = 0;
	if (avro_value_get_type(value) == AVRO_FIXED)
		avro_value_get_fixed(value, &bytes, n);
	else
		avro_value_get_bytes(value, &bytes, n);
	return bytes;
}

/* A number, whole or not. */
static bool whole_of(const avro_value_t *value, int64_t *out)
{
	int32_t small = 0;

	if (avro_value_get_type(value) == AVRO_INT32) {
		avro_value_get_int(value, &small);
		*out = small;
		return true;
	}
	return avro_value_get_type(value) == AVRO_INT64 && avro_value_get_long(value, out) == 0;
}

static double real_of(const avro_value_t *value)
{
	float single = 0;
	double number = 0;

	if (avro_value_get_type(value) == AVRO_FLOAT) {
		avro_value_get_float(value, &single);
		return (double)single;
	}
	avro_value_get_double(value, &number);
	return number;
}

/* Records and maps, whose parts have names, and arrays. */
static void write_parts(struct json_writer *w, const char *key, const avro_value_t *value)
{
	bool list = avro_value_get_type(value) == AVRO_ARRAY;
	size_t nr = 0;

	avro_value_get_size(value, &nr);
	if (list)
		json_write_array(w, key);
	else
		json_write_map(w, key);
	for (size_t i = 0; i < nr; i++) {
		avro_value_t part;
		const char *name = NULL;

		if (avro_value_get_by_index(value, i, &part, &name) == 0)
			record_any_write(w, list ? NULL : name, &part);
	}
	if (list)
		json_write_array_end(w);
	else
		json_write_map_end(w);
}

/* Through a union to what is in it; *null where nothing is. */
static avro_value_t inner_of(const avro_value_t *value, bool *null)
{
	avro_value_t inner = *value;

	if (avro_value_get_type(value) == AVRO_UNION)
		avro_value_get_current_branch(value, &inner);
	*null = avro_value_get_type(&inner) == AVRO_NULL;
	return inner;
}

static void write_plain(struct json_writer *w, const char *key, const avro_value_t *value)
{
	struct str text;
	int64_t whole;
	int truth = 0;

	if (text_of(value, &text))
		json_write_text(w, key, text);
	else if (whole_of(value, &whole))
		json_write_int(w, key, whole);
	else if (avro_value_get_type(value) == AVRO_BOOLEAN)
		json_write_bool(w, key, avro_value_get_boolean(value, &truth) == 0 && truth);
	else if (avro_value_get_type(value) == AVRO_ENUM)
		json_write_text(w, key, str_from(symbol_of(value)));
	else
		write_number(w, key, real_of(value));
}

void record_any_write(struct json_writer *w, const char *key, const avro_value_t *value)
{
	bool null;
	avro_value_t inner = inner_of(value, &null);
	const void *bytes;
	size_t n;

	if (null) {
		json_write_null(w, key);
		return;
	}
	switch (avro_value_get_type(&inner)) {
	case AVRO_RECORD:
	case AVRO_MAP:
	case AVRO_ARRAY:
		write_parts(w, key, &inner);
		return;
	case AVRO_FIXED:
	case AVRO_BYTES:
		bytes = bytes_of(&inner, &n);
		write_hex(w, key, bytes, n);
		return;
	default:
		write_plain(w, key, &inner);
	}
}

bool record_any_has(const avro_value_t *value, const char *field, struct str text)
{
	bool null;
	avro_value_t inner = inner_of(value, &null);
	avro_type_t type = avro_value_get_type(&inner);
	size_t nr = 0;

	if (type != AVRO_RECORD && type != AVRO_ARRAY)
		return false;
	avro_value_get_size(&inner, &nr);
	for (size_t i = 0; i < nr; i++) {
		avro_value_t part, held;
		const char *name = NULL;
		struct str got;

		if (avro_value_get_by_index(&inner, i, &part, &name) != 0)
			continue;
		held = inner_of(&part, &null);
		if (type == AVRO_RECORD && name && strcmp(name, field) == 0 && text_of(&held, &got) && str_eq(got, text))
			return true;
		if (record_any_has(&held, field, text))
			return true;
	}
	return false;
}

/* avro-c keeps no logical types, so the text is looked at, whose form is that of schemas/texts.py. */
static bool is_time(const char *schema, const char *field)
{
	char with[2][160];

	snprintf(with[0], sizeof(with[0]), "\"name\":\"%s\",\"type\":{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}", field);
	snprintf(with[1], sizeof(with[1]), "\"name\":\"%s\",\"type\":[\"null\",{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}", field);
	return strstr(schema, with[0]) || strstr(schema, with[1]);
}

/* In the middle of a text that is too long, its beginning; printable. */
static void add_text(struct buf *out, struct str text)
{
	char cut[SYMBOL_MAX_BYTES + 1];
	size_t n = text.len < SYMBOL_MAX_BYTES ? text.len : SYMBOL_MAX_BYTES;

	for (size_t i = 0; i < n; i++)
		cut[i] = text.p[i] ? text.p[i] : '?'; /* a NUL would end it */
	cut[n] = '\0';
	if (n < text.len)
		printable_trim(cut);
	buf_printf(out, "%s%s", printable(cut), n < text.len ? ".." : "");
}

static void add_field(struct buf *out, const char *schema, const char *name, const avro_value_t *value)
{
	char at[CLOCK_ISO_SIZE];
	struct str text;
	int64_t whole;
	int truth = 0;
	size_t nr = 0;

	buf_printf(out, "  %s=", name);
	if (text_of(value, &text))
		add_text(out, text);
	else if (whole_of(value, &whole) && is_time(schema, name))
		buf_printf(out, "%s", clock_iso(whole, at, sizeof(at)));
	else if (whole_of(value, &whole))
		buf_printf(out, "%" PRId64, whole);
	else if (avro_value_get_type(value) == AVRO_BOOLEAN)
		buf_printf(out, "%s", avro_value_get_boolean(value, &truth) == 0 && truth ? "yes" : "no");
	else if (avro_value_get_type(value) == AVRO_ENUM)
		add_text(out, str_from(symbol_of(value)));
	else if (avro_value_get_type(value) == AVRO_ARRAY && avro_value_get_size(value, &nr) == 0)
		buf_printf(out, "%zu of them", nr);
	else
		buf_printf(out, "%.6g", real_of(value));
}

/* Is it one that says something in a line? */
static bool is_main(const avro_value_t *value)
{
	struct str text;

	switch (avro_value_get_type(value)) {
	case AVRO_FIXED:
	case AVRO_BYTES:
	case AVRO_RECORD:
	case AVRO_MAP:
	case AVRO_NULL:
		return false;
	default:
		return !text_of(value, &text) || text.len;
	}
}

void record_any_summary(const struct record_any *record, size_t max, struct buf *out)
{
	size_t nr = 0, start = out->len;

	avro_value_get_size(&record->value, &nr);
	for (size_t i = 0; i < nr && out->len - start < max; i++) {
		avro_value_t part, inner;
		const char *name = NULL;
		size_t before = out->len;
		bool null;

		if (avro_value_get_by_index(&record->value, i, &part, &name) != 0 || !name)
			continue;
		inner = inner_of(&part, &null);
		if (!is_main(&inner))
			continue;
		add_field(out, record->schema->text, name, &inner);
		if (out->len - start > max && !buf_failed(out))
			out->len = before; /* a field is there whole or not at all */
	}
}
