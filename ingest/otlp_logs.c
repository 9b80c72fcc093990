/* otlp_logs.c - see otlp_logs.h.
 *
 * As otlp_traces.c. A record's body may be a tree of any size, and most records are no errors: so it becomes a text only when it is wanted, and of the
 * others it is not even looked at. */
#include "ingest/otlp_logs.h"

#include <string.h>

#include "ingest/otlp_error.h"

#define COUNTER(member) offsetof(struct logs, member)

enum { FIELD_BODY = 5, NS_IN_MS = 1000000, TRACE_ID_BYTES = 16, TAGS_MAX = 3 };

/* A record with an exception, until its resource is known. */
struct record {
	struct record *next;
	uint32_t index;
	uint64_t t_ns;
	struct str body;
	struct tag *attributes, tags[TAGS_MAX];
	size_t attributes_len, tags_len;
	struct otlp_scope *scope;
};

struct logs {
	struct pb_reader reader; /* the first */
	struct payload *payload;
	uint32_t resource_logs_len, scope_logs_len, records_len; /* within one another */
	uint32_t records_seen;                                   /* in the request */
	struct otlp_resource *resource;
	struct otlp_scope *scope;
	uint64_t time_ns, observed_ns;
	struct str severity, trace_id;
	const uint8_t *body, *body_end; /* an AnyValue behind its length; NULL: none */
	struct otlp_attributes attributes; /* scratch */
	struct record *first, **last;
};
_Static_assert(offsetof(struct logs, reader) == 0, "a reader is its parser");

static const struct pb_field request_fields[] = {{NULL, 0}, {"resource_logs", COUNTER(resource_logs_len)}};
static const struct pb_field resource_logs_fields[] = {{NULL, 0}, {"resource", 0}, {"scope_logs", COUNTER(scope_logs_len)}};
static const struct pb_field scope_logs_fields[] = {{NULL, 0}, {"scope", 0}, {"log_records", COUNTER(records_len)}};
static const struct pb_field record_fields[] = {
	{NULL, 0},
	{"time_unix_nano", 0},
	[3] = {"severity_text", 0},
	[FIELD_BODY] = {"body", 0},
	{"attributes", 0},
	[9] = {"trace_id", 0},
	[11] = {"observed_time_unix_nano", 0},
};
static const struct pb_message request_message = PB_MESSAGE(request_fields);
static const struct pb_message resource_logs_message = PB_MESSAGE(resource_logs_fields);
static const struct pb_message scope_logs_message = PB_MESSAGE(scope_logs_fields);
static const struct pb_message record_message = PB_MESSAGE(record_fields);

static inline struct logs *logs_of(struct pb_reader *r)
{
	return (struct logs *)r;
}

static const uint8_t *no_memory(struct logs *l, const uint8_t *at)
{
	return pb_fail(&l->reader, at, REASON_BODY_TOO_LARGE, "");
}

static const uint8_t *note_body(struct logs *l, const uint8_t *at, const uint8_t *end)
{
	struct pb_read length = pb_read_length(at, end);

	if (!length.at)
		return pb_malformed(&l->reader, at, length);
	l->body = at;
	l->body_end = length.at + length.value;
	return l->body_end;
}

static const uint8_t *record_field(struct pb_reader *r, uint32_t key, const uint8_t *at, const uint8_t *end)
{
	struct logs *l = logs_of(r);

	switch (key) {
	case PB_KEY(1, PB_I64):
		return otlp_read_time(r, at, end, &l->time_ns);
	case PB_KEY(3, PB_LEN):
		return pb_read_text(r, at, end, &l->severity);
	case PB_KEY(FIELD_BODY, PB_LEN):
		return note_body(l, at, end);
	case PB_KEY(6, PB_LEN):
		return otlp_read_framed_attribute(r, at, end, l->payload->arena, &l->attributes);
	case PB_KEY(9, PB_LEN):
		return pb_read_bytes(r, at, end, &l->trace_id);
	case PB_KEY(11, PB_I64):
		return otlp_read_time(r, at, end, &l->observed_ns);
	default:
		return pb_read_other(r, &record_message, key, at, end);
	}
}

/* A trace's id that is none says nothing, as the protocol wants it. */
static int add_tags(struct logs *l, struct record *record)
{
	static const char zeros[TRACE_ID_BYTES];

	if (l->severity.len)
		record->tags[record->tags_len++] = (struct tag){STR("severity"), l->severity};
	if (l->trace_id.len != TRACE_ID_BYTES || memcmp(l->trace_id.p, zeros, TRACE_ID_BYTES) == 0)
		return 0;
	record->tags[record->tags_len] =
		(struct tag){STR("trace_id"), otlp_hex(l->payload->arena, (const uint8_t *)l->trace_id.p, TRACE_ID_BYTES)};
	return record->tags[record->tags_len++].value.p ? 0 : -1;
}

static const uint8_t *keep_record(struct logs *l, const uint8_t *at)
{
	struct arena *arena = l->payload->arena;
	struct record *record = arena_alloc(arena, sizeof(*record));
	struct tag *attributes = otlp_attributes_copy(&l->attributes, arena);

	if (!record || !attributes || add_tags(l, record) < 0)
		return no_memory(l, at);
	record->index = l->records_seen - 1;
	record->t_ns = l->time_ns ? l->time_ns : l->observed_ns;
	record->attributes = attributes;
	record->attributes_len = l->attributes.len;
	record->scope = l->scope;
	record->body = STR("");
	if (l->body && !otlp_read_value(&l->reader, l->body, l->body_end, arena, &record->body))
		return pb_fail_in(&l->reader, &record_message, FIELD_BODY);
	*l->last = record;
	l->last = &record->next;
	return at;
}

static const uint8_t *read_record(struct logs *l, const uint8_t *at, const uint8_t *end)
{
	l->records_len++;
	l->records_seen++;
	l->time_ns = l->observed_ns = 0;
	l->severity = l->trace_id = STR("");
	l->body = NULL;
	l->attributes.len = 0;
	at = pb_read_message(&l->reader, &record_message, record_field, at, end);
	if (!at)
		return NULL;
	if (otlp_is_exception(l->attributes.tags, l->attributes.len))
		return keep_record(l, at);
	l->payload->received++;
	l->payload->accepted++;
	l->payload->ignored[PAYLOAD_IGNORED_LOG]++;
	return at;
}

static const uint8_t *scope_logs_field(struct pb_reader *r, uint32_t key, const uint8_t *at, const uint8_t *end)
{
	struct logs *l = logs_of(r);

	switch (key) {
	case PB_KEY(1, PB_LEN):
		return otlp_read_scope(r, at, end, l->payload->arena, l->scope);
	case PB_KEY(2, PB_LEN):
		return read_record(l, at, end);
	default:
		return pb_read_other(r, &scope_logs_message, key, at, end);
	}
}

static const uint8_t *resource_logs_field(struct pb_reader *r, uint32_t key, const uint8_t *at, const uint8_t *end)
{
	struct logs *l = logs_of(r);

	switch (key) {
	case PB_KEY(1, PB_LEN):
		return otlp_read_framed_resource(r, at, end, l->payload->arena, &l->resource->attributes);
	case PB_KEY(2, PB_LEN):
		l->scope_logs_len++;
		l->records_len = 0;
		l->scope = otlp_scope_new(l->payload->arena, l->resource);
		return l->scope ? pb_read_message(r, &scope_logs_message, scope_logs_field, at, end) : no_memory(l, at);
	default:
		return pb_read_other(r, &resource_logs_message, key, at, end);
	}
}

static const uint8_t *request_field(struct pb_reader *r, uint32_t key, const uint8_t *at, const uint8_t *end)
{
	struct logs *l = logs_of(r);

	if (key != PB_KEY(1, PB_LEN))
		return pb_read_other(r, &request_message, key, at, end);
	l->resource_logs_len++;
	l->scope_logs_len = 0;
	l->resource = arena_alloc(l->payload->arena, sizeof(*l->resource));
	return l->resource ? pb_read_message(r, &resource_logs_message, resource_logs_field, at, end) : no_memory(l, at);
}

/* The name of the scope is the logger's. */
static int add_error(struct payload *p, const struct otlp_rules *rules, struct record *record)
{
	struct otlp_exception x = {.list = "log_records",
				   .index = record->index,
				   .scope = record->scope,
				   .has_t = record->t_ns != 0,
				   .t_ms = (int64_t)(record->t_ns / NS_IN_MS),
				   .action = STR(""),
				   .namespace = STR(""),
				   .body = record->body,
				   .attributes = record->attributes,
				   .attributes_len = record->attributes_len,
				   .tags = record->tags};

	if (record->scope->name.len)
		record->tags[record->tags_len++] = (struct tag){STR("logger"), record->scope->name};
	x.tags_len = record->tags_len;
	return otlp_add_exception(p, rules, &x);
}

int otlp_logs_parse(struct str body, struct payload *p, const struct otlp_rules *rules, struct refusal *no)
{
	const uint8_t *at = (const uint8_t *)(body.len ? body.p : "");
	struct logs l = {.reader.body = at, .payload = p, .last = &l.first};

	if (!pb_read_fields(&l.reader, &request_message, request_field, at, at + body.len))
		return l.reader.reason == REASON_BODY_TOO_LARGE ? payload_refuse_size(p, no) : pb_refuse(&l.reader, no);
	for (struct record *record = l.first; record; record = record->next)
		if (add_error(p, rules, record) < 0)
			return payload_refuse_size(p, no);
	return 0;
}
