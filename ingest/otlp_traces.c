/* otlp_traces.c - see otlp_traces.h.
 *
 * A pull parser as push_pb.c. Lists of a span grow in scratch room that all spans share, and are copied when it ends and their length is known:
 * a small span then takes little. Fields that nobody here wants are passed over, whatever is in them. */
#include "ingest/otlp_traces.h"

#include <string.h>

#include "ingest/otlp_spans.h"

#define COUNTER(member) offsetof(struct traces, member)

enum { STATUS_ERROR = 2 };

struct traces {
	struct pb_reader reader; /* the first */
	struct payload *payload;
	uint32_t resource_spans_len, scope_spans_len, spans_len, events_len; /* within one another */
	uint32_t spans_seen;                                                 /* in the request */
	struct otlp_resource *resource;
	struct otlp_scope *scope;
	struct otlp_span span;
	bool has_trace_id, has_span_id, bad_parent_id;
	struct otlp_attributes attributes, event_attributes; /* scratch */
	struct otlp_span_event event, *events;
	size_t events_cap;
	struct otlp_spans spans;
};
_Static_assert(offsetof(struct traces, reader) == 0, "a reader is its parser");

static const struct pb_field request_fields[] = {{NULL, 0}, {"resource_spans", COUNTER(resource_spans_len)}};
static const struct pb_field resource_spans_fields[] = {
	{NULL, 0}, {"resource", 0}, {"scope_spans", COUNTER(scope_spans_len)}};
static const struct pb_field scope_spans_fields[] = {{NULL, 0}, {"scope", 0}, {"spans", COUNTER(spans_len)}};
static const struct pb_field span_fields[] = {
	{NULL, 0},
	{"trace_id", 0},
	{"span_id", 0},
	[4] = {"parent_span_id", 0},
	{"name", 0},
	{"kind", 0},
	{"start_time_unix_nano", 0},
	{"end_time_unix_nano", 0},
	{"attributes", 0},
	[11] = {"events", COUNTER(events_len)},
	[15] = {"status", 0},
};
static const struct pb_field event_fields[] = {{NULL, 0}, {"time_unix_nano", 0}, {"name", 0}, {"attributes", 0}};
static const struct pb_field status_fields[] = {{NULL, 0}, [3] = {"code", 0}};
static const struct pb_message request_message = PB_MESSAGE(request_fields);
static const struct pb_message resource_spans_message = PB_MESSAGE(resource_spans_fields);
static const struct pb_message scope_spans_message = PB_MESSAGE(scope_spans_fields);
static const struct pb_message span_message = PB_MESSAGE(span_fields);
static const struct pb_message event_message = PB_MESSAGE(event_fields);
static const struct pb_message status_message = PB_MESSAGE(status_fields);

static inline struct traces *traces_of(struct pb_reader *r)
{
	return (struct traces *)r;
}

static const uint8_t *no_memory(struct traces *t, const uint8_t *at)
{
	return pb_fail(&t->reader, at, REASON_BODY_TOO_LARGE, "");
}

static const uint8_t *status_field(struct pb_reader *r, uint32_t key, const uint8_t *at, const uint8_t *end)
{
	int64_t code;

	if (key != PB_KEY(3, PB_VARINT))
		return pb_read_other(r, &status_message, key, at, end);
	at = pb_read_int64(r, at, end, &code);
	traces_of(r)->span.failed = (int32_t)code == STATUS_ERROR;
	return at;
}

static const uint8_t *event_field(struct pb_reader *r, uint32_t key, const uint8_t *at, const uint8_t *end)
{
	struct traces *t = traces_of(r);

	switch (key) {
	case PB_KEY(1, PB_I64):
		return otlp_read_time(r, at, end, &t->event.t_ns);
	case PB_KEY(2, PB_LEN):
		return pb_read_text(r, at, end, &t->event.name);
	case PB_KEY(3, PB_LEN):
		return otlp_read_framed_attribute(r, at, end, t->payload->arena, &t->event_attributes);
	default:
		return pb_read_other(r, &event_message, key, at, end);
	}
}

static const uint8_t *read_event(struct traces *t, const uint8_t *at, const uint8_t *end)
{
	struct otlp_span_event *all;

	t->event = (struct otlp_span_event){.name = STR(""), .index = t->events_len++};
	t->event_attributes.len = 0;
	at = pb_read_message(&t->reader, &event_message, event_field, at, end);
	if (!at)
		return NULL;
	t->event.attributes_len = t->event_attributes.len;
	t->event.attributes = otlp_attributes_copy(&t->event_attributes, t->payload->arena);
	all = payload_grow(t->payload->arena, t->events, t->event.index, &t->events_cap, sizeof(*all));
	if (!t->event.attributes || !all)
		return no_memory(t, at);
	t->events = all;
	all[t->event.index] = t->event;
	return at;
}

/* Is it an id of this length, and not all zeros? */
static bool take_id(struct str id, uint8_t *out, size_t len)
{
	static const uint8_t zeros[OTLP_TRACE_ID_BYTES];

	if (id.len != len || memcmp(id.p, zeros, len) == 0)
		return false;
	memcpy(out, id.p, len);
	return true;
}

static const uint8_t *read_id(struct traces *t, uint32_t number, const uint8_t *at, const uint8_t *end)
{
	struct otlp_span *span = &t->span;
	struct str id;

	at = pb_read_bytes(&t->reader, at, end, &id);
	if (number == 1) {
		t->has_trace_id = take_id(id, span->trace_id, OTLP_TRACE_ID_BYTES);
	} else if (number == 2) {
		t->has_span_id = take_id(id, span->span_id, OTLP_SPAN_ID_BYTES);
	} else {
		t->bad_parent_id = id.len != 0 && id.len != OTLP_SPAN_ID_BYTES;
		span->has_parent = take_id(id, span->parent_id, OTLP_SPAN_ID_BYTES);
	}
	return at;
}

static const uint8_t *read_kind(struct traces *t, const uint8_t *at, const uint8_t *end)
{
	int64_t kind;

	at = pb_read_int64(&t->reader, at, end, &kind);
	t->span.kind = (int32_t)kind; /* as the format wants it of an enum */
	return at;
}

static const uint8_t *span_field(struct pb_reader *r, uint32_t key, const uint8_t *at, const uint8_t *end)
{
	struct traces *t = traces_of(r);

	switch (key) {
	case PB_KEY(1, PB_LEN):
	case PB_KEY(2, PB_LEN):
	case PB_KEY(4, PB_LEN):
		return read_id(t, key >> 3, at, end);
	case PB_KEY(5, PB_LEN):
		return pb_read_text(r, at, end, &t->span.name);
	case PB_KEY(6, PB_VARINT):
		return read_kind(t, at, end);
	case PB_KEY(7, PB_I64):
		return otlp_read_time(r, at, end, &t->span.start_ns);
	case PB_KEY(8, PB_I64):
		return otlp_read_time(r, at, end, &t->span.end_ns);
	case PB_KEY(9, PB_LEN):
		return otlp_read_framed_attribute(r, at, end, t->payload->arena, &t->attributes);
	case PB_KEY(11, PB_LEN):
		return read_event(t, at, end);
	case PB_KEY(15, PB_LEN):
		return pb_read_message(r, &status_message, status_field, at, end);
	default:
		return pb_read_other(r, &span_message, key, at, end);
	}
}

/* The span, which is sound, and its lists move into the arena. */
static int keep_span(struct traces *t)
{
	struct arena *arena = t->payload->arena;
	struct otlp_span *kept = otlp_spans_add(&t->spans, arena);
	struct otlp_span_event *events = arena_alloc_raw(arena, t->events_len * sizeof(*events));
	struct tag *attributes = otlp_attributes_copy(&t->attributes, arena);

	if (!kept || !events || !attributes)
		return -1;
	*kept = t->span;
	if (t->events_len)
		memcpy(events, t->events, t->events_len * sizeof(*events));
	kept->events = events;
	kept->events_len = t->events_len;
	kept->attributes = attributes;
	kept->attributes_len = t->attributes.len;
	return 0;
}

static const uint8_t *read_span(struct traces *t, const uint8_t *at, const uint8_t *end)
{
	int rc;

	t->spans_len++;
	t->span = (struct otlp_span){.name = STR(""), .index = t->spans_seen++, .scope = t->scope};
	t->has_trace_id = t->has_span_id = t->bad_parent_id = false;
	t->attributes.len = 0;
	t->events_len = 0;
	at = pb_read_message(&t->reader, &span_message, span_field, at, end);
	if (!at)
		return NULL;
	if (!t->has_trace_id || !t->has_span_id || t->bad_parent_id)
		rc = payload_reject(t->payload, "spans", t->span.index, -1, REASON_ID_INVALID, 1);
	else if (t->span.end_ns < t->span.start_ns)
		rc = payload_reject(t->payload, "spans", t->span.index, -1, REASON_DURATION_INVALID, 1);
	else
		rc = keep_span(t);
	return rc < 0 ? no_memory(t, at) : at;
}

static const uint8_t *scope_spans_field(struct pb_reader *r, uint32_t key, const uint8_t *at, const uint8_t *end)
{
	struct traces *t = traces_of(r);

	switch (key) {
	case PB_KEY(1, PB_LEN):
		return otlp_read_scope(r, at, end, t->payload->arena, t->scope);
	case PB_KEY(2, PB_LEN):
		return read_span(t, at, end);
	default:
		return pb_read_other(r, &scope_spans_message, key, at, end);
	}
}

static const uint8_t *resource_spans_field(struct pb_reader *r, uint32_t key, const uint8_t *at, const uint8_t *end)
{
	struct traces *t = traces_of(r);

	switch (key) {
	case PB_KEY(1, PB_LEN):
		return otlp_read_framed_resource(r, at, end, t->payload->arena, &t->resource->attributes);
	case PB_KEY(2, PB_LEN):
		t->scope_spans_len++;
		t->spans_len = 0;
		t->scope = otlp_scope_new(t->payload->arena, t->resource);
		return t->scope ? pb_read_message(r, &scope_spans_message, scope_spans_field, at, end) : no_memory(t, at);
	default:
		return pb_read_other(r, &resource_spans_message, key, at, end);
	}
}

static const uint8_t *request_field(struct pb_reader *r, uint32_t key, const uint8_t *at, const uint8_t *end)
{
	struct traces *t = traces_of(r);

	if (key != PB_KEY(1, PB_LEN))
		return pb_read_other(r, &request_message, key, at, end);
	t->resource_spans_len++;
	t->scope_spans_len = 0;
	t->resource = arena_alloc(t->payload->arena, sizeof(*t->resource));
	return t->resource ? pb_read_message(r, &resource_spans_message, resource_spans_field, at, end) : no_memory(t, at);
}

int otlp_traces_parse(struct str body, struct payload *p, const struct otlp_rules *rules, struct refusal *no)
{
	const uint8_t *at = (const uint8_t *)(body.len ? body.p : "");
	struct traces t = {.reader.body = at, .payload = p};

	if (!pb_read_fields(&t.reader, &request_message, request_field, at, at + body.len))
		return t.reader.reason == REASON_BODY_TOO_LARGE ? payload_refuse_size(p, no) : pb_refuse(&t.reader, no);
	return otlp_spans_settle(&t.spans, p, rules) < 0 ? payload_refuse_size(p, no) : 0;
}
