/* event_json.c - see event_json.h.
 *
 * yajl's callbacks walk the descriptors. A frame is an object, list or map that we know; what nobody knows is passed over, where only the
 * depth is counted. A callback returns 0 to end the parse, with the refusal set; yajl then reports that we cancelled.
 *
 * Invariants:
 *  I1  Each object of the line is a message in the arena, made by its descriptor's own init: what is not there has protobuf's default.
 *  I2  Lists and maps hold messages only, so that a list is an array of pointers, whatever it is of. An entry of a map is a message of the
 *      fields key and value; all maps here are from string to string.
 *  I3  Text never holds U+0000: protobuf-c's strings end there. event_text_mend() sees to it before the parser does. */
#include "ingest/agent/event_json.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_parse.h>

#include "ingest/agent/event_text.h"
#include "pb/push.pb-c.h"

enum {
	FRAMES_MAX = 8, /* the deepest: root, transaction, spans, span, tags */
	LIST_FIRST = 4, /* room of a list when it gets its first element; it doubles from there on */
	NUMBER_BYTES = 64,
};

/* All maps' entries look like this one (I2). */
struct map_entry {
	ProtobufCMessage base;
	char *key, *value;
};
_Static_assert(sizeof(struct map_entry) == sizeof(Millrace__Push__Error__TagsEntry) &&
		       offsetof(struct map_entry, value) == offsetof(Millrace__Push__Error__TagsEntry, value), "an entry of a map");

enum shape { SHAPE_ROOT, SHAPE_OBJECT, SHAPE_LIST, SHAPE_MAP };

struct frame {
	enum shape shape;
	ProtobufCMessage *message;            /* of a list or map: whose field it is */
	const ProtobufCFieldDescriptor *field; /* of an object: the last key's, NULL when nobody knows it; of a list or map: itself */
	uint32_t seen, nulls;                 /* fields of an object, by their place in the descriptor */
	size_t index;                         /* elements so far */
	struct str key;                       /* of a map: the last one */
};

struct parser {
	struct str line; /* mended */
	int64_t now_ms;
	struct arena *arena;
	struct event_json *out;
	struct lines_refusal *no;
	yajl_handle yajl;
	struct frame frames[FRAMES_MAX];
	size_t frames_len;
	unsigned depth, skipped; /* containers that are open; of them inside of what nobody wants */
	size_t text_at;          /* where the skipped value began, when it is a map's */
	bool text_wanted;
	int kind; /* of the root's last key; -1: none that we know */
};

static const ProtobufCMessageDescriptor *const descriptors[NR_EVENT_KINDS] = {
	[EVENT_ERROR] = &millrace__push__error__descriptor,
	[EVENT_TRANSACTION] = &millrace__push__transaction__descriptor,
	[EVENT_MARKER] = &millrace__push__marker__descriptor,
	[EVENT_CHECK_IN] = &millrace__push__check_in__descriptor,
};

bool event_refuse(struct lines_refusal *no, enum lines_reason reason, const char *fmt, ...)
{
	va_list ap;

	no->reason = reason;
	va_start(ap, fmt);
	vsnprintf(no->text, sizeof(no->text), fmt, ap);
	va_end(ap);
	return false;
}

static struct frame *top(struct parser *p)
{
	return &p->frames[p->frames_len - 1];
}

/* Appends where the parser stands, as "error.backtrace[3].line". Keys of maps are the sender's own values: they stay out of logs. */
static void write_path(const struct parser *p, char *to, size_t size)
{
	size_t n = 0;

	to[0] = '\0';
	for (size_t i = 0; i < p->frames_len && n < size; i++) {
		const struct frame *f = &p->frames[i];

		if (f->shape == SHAPE_ROOT && p->kind >= 0)
			n += (size_t)snprintf(to + n, size - n, "%s", event_kind_name((enum event_kind)p->kind));
		else if (f->shape == SHAPE_LIST)
			n += (size_t)snprintf(to + n, size - n, "[%zu]", f->index);
		else if (f->shape == SHAPE_OBJECT && f->field)
			n += (size_t)snprintf(to + n, size - n, ".%s", f->field->name);
	}
}

/* Refuses what stands where the parser is. Always 0, yajl's way to end. */
static int refuse_here(struct parser *p, enum lines_reason reason, const char *what)
{
	char path[160];

	write_path(p, path, sizeof(path));
	event_refuse(p->no, reason, "%s%s%s", path, *path ? ": " : "", what);
	return 0;
}

static int refuse_size(struct parser *p)
{
	return refuse_here(p, LINES_TOO_LARGE, "too many things in one line");
}

/* A message of the arena (I1); NULL: too large. */
static ProtobufCMessage *message_new(struct parser *p, const ProtobufCMessageDescriptor *of)
{
	ProtobufCMessage *m = arena_alloc(p->arena, of->sizeof_message);

	if (m)
		of->message_init(m);
	return m;
}

static uint32_t field_bit(const struct frame *f, const ProtobufCFieldDescriptor *field)
{
	return UINT32_C(1) << (field - f->message->descriptor->fields);
}

static void *place(const struct frame *f)
{
	return (char *)f->message + f->field->offset;
}

static bool is_map(const ProtobufCFieldDescriptor *field)
{
	const ProtobufCMessageDescriptor *of = field->descriptor;

	return field->type == PROTOBUF_C_TYPE_MESSAGE && of->n_fields == 2 && strcmp(of->fields[0].name, "key") == 0;
}

/* Puts m behind the list or map's last element. */
static int append(struct parser *p, struct frame *f, ProtobufCMessage *m)
{
	size_t *n = (size_t *)((char *)f->message + f->field->quantifier_offset);
	ProtobufCMessage ***items = place(f), **grown;

	if (!m)
		return refuse_size(p);
	if (*n == 0 || (*n >= LIST_FIRST && (*n & (*n - 1)) == 0)) {
		grown = arena_calloc(p->arena, *n ? 2 * *n : LIST_FIRST, sizeof(*grown));
		if (!grown)
			return refuse_size(p);
		if (*n)
			memcpy(grown, *items, *n * sizeof(*grown));
		*items = grown;
	}
	(*items)[(*n)++] = m;
	return 1;
}

/* One entry of a map, from the last key on. */
static int append_entry(struct parser *p, struct str value)
{
	struct frame *f = top(p);
	struct map_entry *entry = (struct map_entry *)message_new(p, f->field->descriptor);

	if (!entry)
		return refuse_size(p);
	entry->key = (char *)f->key.p;
	entry->value = (char *)arena_str(p->arena, value).p;
	return entry->value ? append(p, f, &entry->base) : refuse_size(p);
}

static const char *type_wanted(const ProtobufCFieldDescriptor *field)
{
	if (field->label == PROTOBUF_C_LABEL_REPEATED)
		return is_map(field) ? "an object is expected" : "a list is expected";
	switch (field->type) {
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_UINT32:
		return "an integer is expected";
	case PROTOBUF_C_TYPE_DOUBLE:
		return "a number is expected";
	case PROTOBUF_C_TYPE_BOOL:
		return "true or false is expected";
	default:
		return "a string is expected";
	}
}

static int refuse_type(struct parser *p)
{
	const struct frame *f = top(p);

	return refuse_here(p, LINES_BAD_FIELD, f->shape == SHAPE_LIST || f->shape == SHAPE_ROOT ? "an object is expected" : type_wanted(f->field));
}

/* Where is a scalar to go? NULL with *rc set when it goes nowhere: nobody wants it, or it is refused. */
static struct frame *scalar_frame(struct parser *p, int *rc)
{
	struct frame *f = p->frames_len ? top(p) : NULL;

	*rc = 1;
	if (p->skipped)
		return NULL;
	if (!f) {
		*rc = event_refuse(p->no, LINES_BAD_JSON, "the line is not an object");
		return NULL;
	}
	if ((f->shape == SHAPE_OBJECT && !f->field) || (f->shape == SHAPE_ROOT && p->kind < 0))
		return NULL;
	if (f->shape == SHAPE_LIST || f->shape == SHAPE_ROOT || (f->shape == SHAPE_OBJECT && f->field->label == PROTOBUF_C_LABEL_REPEATED)) {
		*rc = refuse_type(p);
		return NULL;
	}
	return f;
}

/* Left out: for a field, an entry of a map and an event. In a list it would move what comes after it. */
static int on_null(void *ctx)
{
	struct parser *p = ctx;
	struct frame *f = p->frames_len ? top(p) : NULL;
	int rc;

	if (p->skipped || !f || f->shape == SHAPE_LIST)
		return scalar_frame(p, &rc) ? 1 : rc;
	if (f->shape == SHAPE_OBJECT && f->field)
		f->nulls |= field_bit(f, f->field);
	return 1;
}

static int on_boolean(void *ctx, int value)
{
	struct parser *p = ctx;
	int rc;
	struct frame *f = scalar_frame(p, &rc);

	if (!f)
		return rc;
	if (f->shape == SHAPE_MAP)
		return append_entry(p, value ? STR("true") : STR("false"));
	if (f->field->type != PROTOBUF_C_TYPE_BOOL)
		return refuse_type(p);
	*(protobuf_c_boolean *)place(f) = value != 0;
	return 1;
}

static int store_integer(struct parser *p, struct frame *f, const char *z)
{
	int64_t n;

	if (!event_text_integer(z, &n))
		return refuse_type(p);
	if (f->field->type == PROTOBUF_C_TYPE_INT64) {
		*(int64_t *)place(f) = n;
		return 1;
	}
	if (n < 0 || n > UINT32_MAX)
		return refuse_here(p, LINES_BAD_VALUE, "it is out of range");
	*(uint32_t *)place(f) = (uint32_t)n;
	return 1;
}

static int on_number(void *ctx, const char *text, size_t len)
{
	struct parser *p = ctx;
	int rc;
	struct frame *f = scalar_frame(p, &rc);
	char z[NUMBER_BYTES];

	if (!f)
		return rc;
	if (f->shape == SHAPE_MAP)
		return append_entry(p, (struct str){text, len});
	if (len >= sizeof(z))
		return refuse_here(p, LINES_BAD_VALUE, "the number is too long");
	memcpy(z, text, len);
	z[len] = '\0';
	if (f->field->type == PROTOBUF_C_TYPE_INT64 || f->field->type == PROTOBUF_C_TYPE_UINT32)
		return store_integer(p, f, z);
	if (f->field->type != PROTOBUF_C_TYPE_DOUBLE)
		return refuse_type(p);
	*(double *)place(f) = strtod(z, NULL);
	return isfinite(*(double *)place(f)) ? 1 : refuse_here(p, LINES_BAD_VALUE, "it is out of range");
}

/* The value with this name; those of zero are none, by push.proto. */
static int store_enum(struct parser *p, struct frame *f, struct str name)
{
	const ProtobufCEnumDescriptor *of = f->field->descriptor;

	for (unsigned i = 0; i < of->n_values; i++)
		if (of->values[i].value && str_eq(name, str_from(of->values[i].name))) {
			*(int *)place(f) = of->values[i].value;
			return 1;
		}
	return refuse_here(p, LINES_BAD_VALUE, "it is none of the words for this field");
}

static int on_string(void *ctx, const unsigned char *text, size_t len)
{
	struct parser *p = ctx;
	struct str s = {(const char *)text, len};
	int rc;
	struct frame *f = scalar_frame(p, &rc);

	if (!f)
		return rc;
	if (f->shape == SHAPE_MAP)
		return append_entry(p, s);
	if (f->field->type == PROTOBUF_C_TYPE_ENUM)
		return store_enum(p, f, s);
	if (f->field->type != PROTOBUF_C_TYPE_STRING)
		return refuse_type(p);
	s = arena_str(p->arena, s);
	*(const char **)place(f) = s.p;
	return s.p ? 1 : refuse_size(p);
}

static int push(struct parser *p, struct frame f)
{
	if (p->frames_len == FRAMES_MAX)
		return refuse_here(p, LINES_TOO_DEEP, "deeper than any event");
	p->frames[p->frames_len++] = f;
	return 1;
}

/* The event itself begins. */
static int open_event(struct parser *p)
{
	struct event_json *out = p->out;

	if (out->message)
		return event_refuse(p->no, LINES_KIND_UNKNOWN, "more than one event in a line");
	out->kind = (enum event_kind)p->kind;
	out->message = message_new(p, descriptors[p->kind]);
	return out->message ? push(p, (struct frame){.shape = SHAPE_OBJECT, .message = out->message}) : refuse_size(p);
}

static int open_element(struct parser *p, struct frame *list)
{
	ProtobufCMessage *m = message_new(p, list->field->descriptor);

	return append(p, list, m) && push(p, (struct frame){.shape = SHAPE_OBJECT, .message = m});
}

/* A field's object or list begins: a map, or a list of messages; there is nothing else of the kind in an event. */
static int open_field(struct parser *p, const struct frame *f, bool object)
{
	if (f->field->label != PROTOBUF_C_LABEL_REPEATED || is_map(f->field) != object)
		return refuse_type(p);
	return push(p, (struct frame){.shape = object ? SHAPE_MAP : SHAPE_LIST, .message = f->message, .field = f->field});
}

static int skip(struct parser *p, bool text_wanted)
{
	p->skipped = 1;
	p->text_wanted = text_wanted;
	p->text_at = yajl_get_bytes_consumed(p->yajl) - 1; /* the bracket is read */
	return 1;
}

/* An object or a list begins. */
static int on_open(struct parser *p, bool object)
{
	struct frame *f = p->frames_len ? top(p) : NULL;

	if (++p->depth > LINES_DEPTH_MAX)
		return refuse_here(p, LINES_TOO_DEEP, "too many objects and lists in one another");
	if (p->skipped) {
		p->skipped++;
		return 1;
	}
	if (!f)
		return object ? push(p, (struct frame){.shape = SHAPE_ROOT}) : event_refuse(p->no, LINES_BAD_JSON, "the line is not an object");
	switch (f->shape) {
	case SHAPE_MAP:
		return skip(p, true);
	case SHAPE_LIST:
		return object ? open_element(p, f) : refuse_type(p);
	case SHAPE_ROOT:
		return p->kind < 0 ? skip(p, false) : object ? open_event(p) : refuse_type(p);
	case SHAPE_OBJECT:
		break;
	}
	return f->field ? open_field(p, f, object) : skip(p, false);
}

static int on_start_map(void *ctx)
{
	return on_open(ctx, true);
}

static int on_start_array(void *ctx)
{
	return on_open(ctx, false);
}

/* What was skipped has ended; in a map it is a value, as it stands in the line. */
static int close_skipped(struct parser *p)
{
	if (--p->skipped || !p->text_wanted)
		return 1;
	return append_entry(p, (struct str){p->line.p + p->text_at, yajl_get_bytes_consumed(p->yajl) - p->text_at});
}

/* 0 is 1970 in JSON, and left out in protobuf. */
static int close_object(struct parser *p, const struct frame *f)
{
	const ProtobufCFieldDescriptor *t = protobuf_c_message_descriptor_get_field_by_name(f->message->descriptor, "t");
	uint32_t seen = f->seen & ~f->nulls;
	int64_t *t_ms = t ? (int64_t *)((char *)f->message + t->offset) : NULL;

	if (f->message == p->out->message)
		p->out->seen = seen;
	if (t && !(seen & field_bit(f, t)))
		*t_ms = p->now_ms;
	return t && *t_ms <= 0 ? refuse_here(p, LINES_BAD_TIME, "t is not after 1970") : 1;
}

static int by_key(const void *a, const void *b)
{
	return strcmp((*(struct map_entry *const *)a)->key, (*(struct map_entry *const *)b)->key);
}

/* Sorted, doubles are neighbours; there can be thousands in a line. */
static int close_map(struct parser *p, const struct frame *f)
{
	size_t n = *(size_t *)((char *)f->message + f->field->quantifier_offset);
	struct map_entry **entries = *(struct map_entry ***)place(f);

	if (n)
		qsort(entries, n, sizeof(*entries), by_key);
	for (size_t i = 1; i < n; i++)
		if (strcmp(entries[i - 1]->key, entries[i]->key) == 0)
			return refuse_here(p, LINES_BAD_FIELD, "the same key stands there twice");
	return 1;
}

static int on_close(void *ctx)
{
	struct parser *p = ctx;
	struct frame *f;
	int rc = 1;

	p->depth--;
	if (p->skipped)
		return close_skipped(p);
	f = top(p);
	if (f->shape == SHAPE_OBJECT)
		rc = close_object(p, f);
	else if (f->shape == SHAPE_MAP)
		rc = close_map(p, f);
	if (!rc)
		return 0;
	p->frames_len--;
	if (p->frames_len && top(p)->shape == SHAPE_LIST)
		top(p)->index++;
	return 1;
}

static int find_kind(struct str name)
{
	for (int i = 0; i < NR_EVENT_KINDS; i++)
		if (str_eq(name, str_from(event_kind_name((enum event_kind)i))))
			return i;
	return -1;
}

static const ProtobufCFieldDescriptor *find_field(const struct frame *f, struct str name)
{
	const ProtobufCMessageDescriptor *of = f->message->descriptor;

	for (unsigned i = 0; i < of->n_fields; i++)
		if (str_eq(name, str_from(of->fields[i].name)))
			return &of->fields[i];
	return NULL;
}

static int on_map_key(void *ctx, const unsigned char *text, size_t len)
{
	struct parser *p = ctx;
	struct str key = {(const char *)text, len};
	struct frame *f = top(p);
	uint32_t bit;

	if (p->skipped)
		return 1;
	if (f->shape == SHAPE_ROOT) {
		p->kind = find_kind(key);
		return 1;
	}
	if (f->shape == SHAPE_MAP) {
		f->key = arena_str(p->arena, key);
		return f->key.p ? 1 : refuse_size(p);
	}
	f->field = find_field(f, key);
	bit = f->field ? field_bit(f, f->field) : 0;
	if (f->seen & bit)
		return refuse_here(p, LINES_BAD_FIELD, "this field stands there twice");
	f->seen |= bit;
	return 1;
}

static const yajl_callbacks callbacks = {
	.yajl_null = on_null,
	.yajl_boolean = on_boolean,
	.yajl_number = on_number,
	.yajl_string = on_string,
	.yajl_start_map = on_start_map,
	.yajl_map_key = on_map_key,
	.yajl_end_map = on_close,
	.yajl_start_array = on_start_array,
	.yajl_end_array = on_close,
};

/* The message is yajl's without its excerpt of the line, which would be somebody's data in somebody's log. */
static void refuse_syntax(struct parser *p)
{
	unsigned char *text = yajl_get_error(p->yajl, 0, NULL, 0);

	event_refuse(p->no, LINES_BAD_JSON, "byte %zu: %.*s", yajl_get_bytes_consumed(p->yajl),
		     text ? (int)strcspn((char *)text, "\n") : 0, text ? (char *)text : "");
	yajl_free_error(p->yajl, text);
}

/* All of the line through the parser. */
static bool run(struct parser *p)
{
	yajl_status status = yajl_parse(p->yajl, (const unsigned char *)p->line.p, p->line.len);

	if (status == yajl_status_ok)
		status = yajl_complete_parse(p->yajl);
	if (status == yajl_status_error)
		refuse_syntax(p);
	if (status != yajl_status_ok)
		return false;
	return p->out->message || event_refuse(p->no, LINES_KIND_UNKNOWN, "no error, transaction, marker or check_in in it");
}

bool event_json_parse(struct str line, int64_t now_ms, struct arena *arena, struct event_json *out, struct lines_refusal *no)
{
	struct parser p = {.now_ms = now_ms, .arena = arena, .out = out, .no = no, .kind = -1};
	char *copy = arena_alloc_raw(arena, line.len);
	bool ok;

	*out = (struct event_json){0};
	if (!str_is_utf8(line)) /* yajl lets surrogates through */
		return event_refuse(no, LINES_BAD_JSON, "the line is not UTF-8");
	p.yajl = copy ? yajl_alloc(&callbacks, NULL, &p) : NULL;
	if (!p.yajl)
		return event_refuse(no, LINES_TOO_LARGE, "out of memory");
	memcpy(copy, line.p, line.len);
	event_text_mend(copy, copy + line.len);
	p.line = (struct str){copy, line.len};
	ok = run(&p);
	yajl_free(p.yajl);
	return ok;
}

bool event_json_has(const struct event_json *e, const char *field)
{
	const ProtobufCMessageDescriptor *of = e->message->descriptor;
	const ProtobufCFieldDescriptor *f = protobuf_c_message_descriptor_get_field_by_name(of, field);

	return e->seen & UINT32_C(1) << (f - of->fields);
}
