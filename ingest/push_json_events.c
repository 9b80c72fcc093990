/* push_json_events.c - see push_json_events.h.
 *
 * All objects of an event share one scratch, the draft: an event holds no event, and of its lists' elements one is open at a time. The
 * event's time is the first row of each kind's table. */
#include "ingest/push_json_events.h"

#define EVENT(m) offsetof(struct event_scratch, draft.e.event.m)
#define ERROR(m) EVENT(error.m)
#define TRANSACTION(m) EVENT(transaction.m)
#define FRAME(m) offsetof(struct event_scratch, draft.frame.m)
#define BREADCRUMB(m) offsetof(struct event_scratch, draft.breadcrumb.m)
#define SPAN(m) offsetof(struct event_scratch, draft.span.m)
#define SCRATCH(m) offsetof(struct event_scratch, m)

enum { ROW_T };

const struct node_field json_error_fields[] = {
	[ROW_T] = {"t", WANT_INTEGER, EVENT(t), 0},
	{"class", WANT_STRING, ERROR(class), 0},
	{"message", WANT_STRING, ERROR(message), 0},
	{"backtrace", WANT_ARRAY, 0, NODE_BACKTRACE},
	{"action", WANT_STRING, EVENT(action), 0},
	{"namespace", WANT_STRING, EVENT(namespace), 0},
	{"tags", WANT_OBJECT, 0, NODE_EVENT_TAGS},
	{"params", WANT_OBJECT, 0, NODE_PARAMS},
	{"breadcrumbs", WANT_ARRAY, 0, NODE_BREADCRUMBS},
};

const struct node_field json_transaction_fields[] = {
	[ROW_T] = {"t", WANT_INTEGER, EVENT(t), 0},
	{"id", WANT_STRING, TRANSACTION(id), 0},
	{"action", WANT_STRING, EVENT(action), 0},
	{"namespace", WANT_STRING, EVENT(namespace), 0},
	{"duration_ms", WANT_NUMBER, TRANSACTION(duration_ms), 0},
	{"queue_ms", WANT_NUMBER, TRANSACTION(queue_ms), 0},
	{"error", WANT_BOOLEAN, TRANSACTION(failed), 0},
	{"tags", WANT_OBJECT, 0, NODE_EVENT_TAGS},
	{"spans", WANT_ARRAY, 0, NODE_SPANS},
};

const struct node_field json_marker_fields[] = {
	[ROW_T] = {"t", WANT_INTEGER, EVENT(t), 0},
	{"revision", WANT_STRING, EVENT(marker.revision), 0},
	{"user", WANT_STRING, EVENT(marker.user), 0},
	{"text", WANT_STRING, EVENT(marker.text), 0},
};

const struct node_field json_check_in_fields[] = {
	[ROW_T] = {"t", WANT_INTEGER, EVENT(t), 0},
	{"name", WANT_STRING, EVENT(check_in.name), 0},
	{"kind", WANT_STRING, SCRATCH(kind), 0},
	{"event", WANT_STRING, SCRATCH(event), 0},
};

const struct node_field json_frame_fields[] = {
	{"file", WANT_STRING, FRAME(file), 0},
	{"line", WANT_INTEGER, SCRATCH(line), 0},
	{"function", WANT_STRING, FRAME(function), 0},
	{"in_app", WANT_BOOLEAN, FRAME(in_app), 0},
};

const struct node_field json_breadcrumb_fields[] = {
	{"t", WANT_INTEGER, BREADCRUMB(t), 0},
	{"category", WANT_STRING, BREADCRUMB(category), 0},
	{"action", WANT_STRING, BREADCRUMB(action), 0},
	{"message", WANT_STRING, BREADCRUMB(message), 0},
	{"metadata", WANT_OBJECT, 0, NODE_INNER_TAGS},
};

const struct node_field json_span_fields[] = {
	{"id", WANT_STRING, SPAN(id), 0},
	{"parent_id", WANT_STRING, SPAN(parent_id), 0},
	{"name", WANT_STRING, SPAN(name), 0},
	{"start_ms", WANT_NUMBER, SPAN(start_ms), 0},
	{"duration_ms", WANT_NUMBER, SPAN(duration_ms), 0},
	{"tags", WANT_OBJECT, 0, NODE_INNER_TAGS},
};

void json_event_open(struct parser *p, enum node node)
{
	struct event_scratch *s = &p->event;

	switch (node) {
	case NODE_ERROR:
	case NODE_TRANSACTION:
	case NODE_MARKER:
	case NODE_CHECK_IN:
		event_draft_begin(&s->draft, (enum payload_event_kind)(node - NODE_ERROR));
		s->kind = s->event = STR("");
		break;
	case NODE_FRAME:
		event_draft_begin_frame(&s->draft);
		s->line = 0;
		break;
	case NODE_BREADCRUMB:
		event_draft_begin_breadcrumb(&s->draft);
		break;
	case NODE_SPAN:
		event_draft_begin_span(&s->draft);
		break;
	default:
		break;
	}
}
_Static_assert(NODE_TRANSACTION - NODE_ERROR == PAYLOAD_TRANSACTION && NODE_MARKER - NODE_ERROR == PAYLOAD_MARKER &&
		       NODE_CHECK_IN - NODE_ERROR == PAYLOAD_CHECK_IN,
	       "kinds in the order of payload.h");

/* The number of a symbol, by the schema's own spelling, so that JSON and Avro cannot come to differ; -1: it is none of them. */
static int symbol_of(struct str name, const char *const *known, int nr)
{
	while (nr-- && !str_eq(name, str_from(known[nr])))
		;
	return nr;
}

static void name_check_in(struct event_scratch *s)
{
	const char *kinds[] = {check_in_kind_name(CHECK_IN_KIND_CRON), check_in_kind_name(CHECK_IN_KIND_HEARTBEAT)};
	const char *events[] = {check_in_event_name(CHECK_IN_EVENT_START), check_in_event_name(CHECK_IN_EVENT_FINISH),
				check_in_event_name(CHECK_IN_EVENT_BEAT)};

	s->draft.e.event.check_in.kind = (enum check_in_kind)symbol_of(s->kind, kinds, 2);
	s->draft.e.event.check_in.event = (enum check_in_event)symbol_of(s->event, events, 3);
}

/* The list's name is the key two frames below. */
static int close_event(struct parser *p)
{
	const struct frame *f = node_top(p);

	if (f->node == NODE_CHECK_IN)
		name_check_in(&p->event);
	return event_draft_end(&p->event.draft, p->payload, f[-2].field->name, f[-1].index, node_has(f, ROW_T));
}

int json_event_close(struct parser *p)
{
	const struct frame *f = node_top(p);
	struct event_draft *d = &p->event.draft;
	int rc = 0;

	switch (f->node) {
	case NODE_ERROR:
	case NODE_TRANSACTION:
	case NODE_MARKER:
	case NODE_CHECK_IN:
		rc = close_event(p);
		break;
	case NODE_FRAME:
		rc = event_draft_end_frame(d, p->payload, p->event.line);
		break;
	case NODE_BREADCRUMB:
		rc = event_draft_end_breadcrumb(d, p->payload);
		break;
	case NODE_SPAN:
		rc = event_draft_end_span(d, p->payload);
		break;
	default:
		break;
	}
	return rc < 0 ? node_refuse_size(p) : 1;
}

static struct event_draft_list *innermost_map(struct parser *p)
{
	struct event_draft *d = &p->event.draft;
	enum node node = node_top(p)->node;

	return node == NODE_EVENT_TAGS ? &d->tags : node == NODE_PARAMS ? &d->params : &d->inner;
}

int json_event_add_text(struct parser *p, struct str text)
{
	struct tag *t = event_draft_add_tag(innermost_map(p), p->payload);

	if (!t || !node_keep(p, text, &t->value))
		return node_refuse_size(p);
	t->key = p->tag_key;
	return 1;
}
