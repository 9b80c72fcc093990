/* push_pb_event.c - see push_pb_event.h.
 *
 * Field by field as push_pb.c, into the draft of event_draft.h, which bounds what an event may take. Nothing of an event is a singular message, so
 * that there is nothing to merge: what stands in a list several times is several elements. */
#include "ingest/push_pb_event.h"

#define COUNTER(member) offsetof(struct push_pb_parser, member)

static const struct pb_field error_fields[] = {
	{NULL, 0},   {"t", 0},         {"class", 0}, {"message", 0}, {"backtrace", COUNTER(backtrace_len)},
	{"action", 0}, {"namespace", 0}, {"tags", 0},  {"params", 0},  {"breadcrumbs", COUNTER(breadcrumbs_len)},
};
static const struct pb_field frame_fields[] = {{NULL, 0}, {"file", 0}, {"line", 0}, {"function", 0}, {"in_app", 0}};
static const struct pb_field breadcrumb_fields[] = {{NULL, 0}, {"t", 0}, {"category", 0}, {"action", 0}, {"message", 0}, {"metadata", 0}};
static const struct pb_field transaction_fields[] = {
	{NULL, 0},         {"t", 0},     {"id", 0},   {"action", 0}, {"namespace", 0}, {"duration_ms", 0},
	{"queue_ms", 0}, {"error", 0}, {"tags", 0}, {"spans", COUNTER(spans_len)},
};
static const struct pb_field span_fields[] = {{NULL, 0},       {"id", 0},          {"parent_id", 0}, {"name", 0},
					      {"start_ms", 0}, {"duration_ms", 0}, {"tags", 0}};
static const struct pb_field marker_fields[] = {{NULL, 0}, {"t", 0}, {"revision", 0}, {"user", 0}, {"text", 0}};
static const struct pb_field check_in_fields[] = {{NULL, 0}, {"t", 0}, {"name", 0}, {"kind", 0}, {"event", 0}};
static const struct pb_message error_message = PB_MESSAGE(error_fields);
static const struct pb_message frame_message = PB_MESSAGE(frame_fields);
static const struct pb_message breadcrumb_message = PB_MESSAGE(breadcrumb_fields);
static const struct pb_message transaction_message = PB_MESSAGE(transaction_fields);
static const struct pb_message span_message = PB_MESSAGE(span_fields);
static const struct pb_message marker_message = PB_MESSAGE(marker_fields);
static const struct pb_message check_in_message = PB_MESSAGE(check_in_fields);

/* An entry of one of the draft's maps. */
static const uint8_t *read_entry(struct push_pb_parser *ps, struct event_draft_list *map, const uint8_t *at, const uint8_t *end)
{
	struct tag *t = event_draft_add_tag(map, ps->payload);

	return t ? push_pb_read_entry(ps, t, at, end) : push_pb_no_memory(ps, at);
}

static const uint8_t *frame_field(struct pb_reader *r, uint32_t key, const uint8_t *at, const uint8_t *end)
{
	struct push_pb_parser *ps = push_pb_parser_of(r);
	struct backtrace_frame *f = &ps->event.frame;

	switch (key) {
	case PB_KEY(1, PB_LEN):
		return pb_read_text(r, at, end, &f->file);
	case PB_KEY(2, PB_VARINT):
		return pb_read_int64(r, at, end, &ps->line);
	case PB_KEY(3, PB_LEN):
		return pb_read_text(r, at, end, &f->function);
	case PB_KEY(4, PB_VARINT):
		return push_pb_read_bool(ps, at, end, &f->in_app);
	default:
		return pb_read_other(r, &frame_message, key, at, end);
	}
}

static const uint8_t *read_frame(struct push_pb_parser *ps, const uint8_t *at, const uint8_t *end)
{
	const uint8_t *next;

	ps->backtrace_len++;
	ps->line = 0;
	event_draft_begin_frame(&ps->event);
	next = pb_read_message(&ps->reader, &frame_message, frame_field, at, end);
	if (next && event_draft_end_frame(&ps->event, ps->payload, (uint32_t)ps->line) < 0)
		return push_pb_no_memory(ps, at);
	return next;
}

static const uint8_t *breadcrumb_field(struct pb_reader *r, uint32_t key, const uint8_t *at, const uint8_t *end)
{
	struct push_pb_parser *ps = push_pb_parser_of(r);
	struct breadcrumb *b = &ps->event.breadcrumb;

	switch (key) {
	case PB_KEY(1, PB_VARINT):
		return pb_read_int64(r, at, end, &b->t);
	case PB_KEY(2, PB_LEN):
		return pb_read_text(r, at, end, &b->category);
	case PB_KEY(3, PB_LEN):
		return pb_read_text(r, at, end, &b->action);
	case PB_KEY(4, PB_LEN):
		return pb_read_text(r, at, end, &b->message);
	case PB_KEY(5, PB_LEN):
		return read_entry(ps, &ps->event.inner, at, end);
	default:
		return pb_read_other(r, &breadcrumb_message, key, at, end);
	}
}

static const uint8_t *read_breadcrumb(struct push_pb_parser *ps, const uint8_t *at, const uint8_t *end)
{
	const uint8_t *next;

	ps->breadcrumbs_len++;
	event_draft_begin_breadcrumb(&ps->event);
	next = pb_read_message(&ps->reader, &breadcrumb_message, breadcrumb_field, at, end);
	return next && event_draft_end_breadcrumb(&ps->event, ps->payload) < 0 ? push_pb_no_memory(ps, at) : next;
}

static const uint8_t *span_field(struct pb_reader *r, uint32_t key, const uint8_t *at, const uint8_t *end)
{
	struct push_pb_parser *ps = push_pb_parser_of(r);
	struct transaction_span *s = &ps->event.span;

	switch (key) {
	case PB_KEY(1, PB_LEN):
		return pb_read_text(r, at, end, &s->id);
	case PB_KEY(2, PB_LEN):
		return pb_read_text(r, at, end, &s->parent_id);
	case PB_KEY(3, PB_LEN):
		return pb_read_text(r, at, end, &s->name);
	case PB_KEY(4, PB_I64):
		return pb_read_double(r, at, end, &s->start_ms);
	case PB_KEY(5, PB_I64):
		return pb_read_double(r, at, end, &s->duration_ms);
	case PB_KEY(6, PB_LEN):
		return read_entry(ps, &ps->event.inner, at, end);
	default:
		return pb_read_other(r, &span_message, key, at, end);
	}
}

static const uint8_t *read_span(struct push_pb_parser *ps, const uint8_t *at, const uint8_t *end)
{
	const uint8_t *next;

	ps->spans_len++;
	event_draft_begin_span(&ps->event);
	next = pb_read_message(&ps->reader, &span_message, span_field, at, end);
	return next && event_draft_end_span(&ps->event, ps->payload) < 0 ? push_pb_no_memory(ps, at) : next;
}

static const uint8_t *error_field(struct pb_reader *r, uint32_t key, const uint8_t *at, const uint8_t *end)
{
	struct push_pb_parser *ps = push_pb_parser_of(r);
	struct event *e = &ps->event.e.event;

	switch (key) {
	case PB_KEY(1, PB_VARINT):
		return pb_read_int64(r, at, end, &e->t);
	case PB_KEY(2, PB_LEN):
		return pb_read_text(r, at, end, &e->error.class);
	case PB_KEY(3, PB_LEN):
		return pb_read_text(r, at, end, &e->error.message);
	case PB_KEY(4, PB_LEN):
		return read_frame(ps, at, end);
	case PB_KEY(5, PB_LEN):
		return pb_read_text(r, at, end, &e->action);
	case PB_KEY(6, PB_LEN):
		return pb_read_text(r, at, end, &e->namespace);
	case PB_KEY(7, PB_LEN):
		return read_entry(ps, &ps->event.tags, at, end);
	case PB_KEY(8, PB_LEN):
		return read_entry(ps, &ps->event.params, at, end);
	case PB_KEY(9, PB_LEN):
		return read_breadcrumb(ps, at, end);
	default:
		return pb_read_other(r, &error_message, key, at, end);
	}
}

static const uint8_t *transaction_field(struct pb_reader *r, uint32_t key, const uint8_t *at, const uint8_t *end)
{
	struct push_pb_parser *ps = push_pb_parser_of(r);
	struct event *e = &ps->event.e.event;

	switch (key) {
	case PB_KEY(1, PB_VARINT):
		return pb_read_int64(r, at, end, &e->t);
	case PB_KEY(2, PB_LEN):
		return pb_read_text(r, at, end, &e->transaction.id);
	case PB_KEY(3, PB_LEN):
		return pb_read_text(r, at, end, &e->action);
	case PB_KEY(4, PB_LEN):
		return pb_read_text(r, at, end, &e->namespace);
	case PB_KEY(5, PB_I64):
		return pb_read_double(r, at, end, &e->transaction.duration_ms);
	case PB_KEY(6, PB_I64):
		return pb_read_double(r, at, end, &e->transaction.queue_ms);
	case PB_KEY(7, PB_VARINT):
		return push_pb_read_bool(ps, at, end, &e->transaction.failed);
	case PB_KEY(8, PB_LEN):
		return read_entry(ps, &ps->event.tags, at, end);
	case PB_KEY(9, PB_LEN):
		return read_span(ps, at, end);
	default:
		return pb_read_other(r, &transaction_message, key, at, end);
	}
}

static const uint8_t *marker_field(struct pb_reader *r, uint32_t key, const uint8_t *at, const uint8_t *end)
{
	struct event *e = &push_pb_parser_of(r)->event.e.event;

	switch (key) {
	case PB_KEY(1, PB_VARINT):
		return pb_read_int64(r, at, end, &e->t);
	case PB_KEY(2, PB_LEN):
		return pb_read_text(r, at, end, &e->marker.revision);
	case PB_KEY(3, PB_LEN):
		return pb_read_text(r, at, end, &e->marker.user);
	case PB_KEY(4, PB_LEN):
		return pb_read_text(r, at, end, &e->marker.text);
	default:
		return pb_read_other(r, &marker_message, key, at, end);
	}
}

/* The wire's numbers are the schema's symbols, one later, as 0 says that there was none. -1: it is none of the nr. */
static const uint8_t *read_symbol(struct push_pb_parser *ps, int nr, const uint8_t *at, const uint8_t *end, int *out)
{
	int64_t n;
	int32_t symbol;

	at = pb_read_int64(&ps->reader, at, end, &n);
	symbol = (int32_t)n; /* as the format wants it of an enum */
	*out = symbol >= 1 && symbol <= nr ? symbol - 1 : -1;
	return at;
}
_Static_assert(CHECK_IN_KIND_CRON == 0 && CHECK_IN_KIND_HEARTBEAT == 1, "the order of push.proto");
_Static_assert(CHECK_IN_EVENT_START == 0 && CHECK_IN_EVENT_FINISH == 1 && CHECK_IN_EVENT_BEAT == 2, "the order of push.proto");

static const uint8_t *check_in_field(struct pb_reader *r, uint32_t key, const uint8_t *at, const uint8_t *end)
{
	struct push_pb_parser *ps = push_pb_parser_of(r);
	struct event *e = &ps->event.e.event;
	int symbol;

	switch (key) {
	case PB_KEY(1, PB_VARINT):
		return pb_read_int64(r, at, end, &e->t);
	case PB_KEY(2, PB_LEN):
		return pb_read_text(r, at, end, &e->check_in.name);
	case PB_KEY(3, PB_VARINT):
		at = read_symbol(ps, CHECK_IN_KIND_HEARTBEAT + 1, at, end, &symbol);
		e->check_in.kind = (enum check_in_kind)symbol;
		return at;
	case PB_KEY(4, PB_VARINT):
		at = read_symbol(ps, CHECK_IN_EVENT_BEAT + 1, at, end, &symbol);
		e->check_in.event = (enum check_in_event)symbol;
		return at;
	default:
		return pb_read_other(r, &check_in_message, key, at, end);
	}
}

static const uint8_t *read_fields(struct push_pb_parser *ps, enum payload_event_kind kind, const uint8_t *at, const uint8_t *end)
{
	struct check_in_detail *c = &ps->event.e.event.check_in;

	switch (kind) {
	case PAYLOAD_ERROR:
		return pb_read_message(&ps->reader, &error_message, error_field, at, end);
	case PAYLOAD_TRANSACTION:
		return pb_read_message(&ps->reader, &transaction_message, transaction_field, at, end);
	case PAYLOAD_MARKER:
		return pb_read_message(&ps->reader, &marker_message, marker_field, at, end);
	default:
		c->kind = (enum check_in_kind)-1; /* as long as nothing else is said */
		c->event = (enum check_in_event)-1;
		return pb_read_message(&ps->reader, &check_in_message, check_in_field, at, end);
	}
}

const uint8_t *push_pb_read_event(struct push_pb_parser *ps, enum payload_event_kind kind, const char *list, uint32_t index, const uint8_t *at,
				  const uint8_t *end)
{
	const uint8_t *next;

	event_draft_begin(&ps->event, kind);
	ps->backtrace_len = ps->breadcrumbs_len = ps->spans_len = 0;
	next = read_fields(ps, kind, at, end);
	if (next && event_draft_end(&ps->event, ps->payload, list, index, ps->event.e.event.t != 0) < 0)
		return push_pb_no_memory(ps, at);
	return next;
}
