/* push_json_nodes.c - see push_json_nodes.h.
 *
 * The tables below are the grammar: to know a new field is to add a row and a member. A row's place in its table is its bit in a
 * frame's masks; where code asks for one field by name, its row has an enum beside the table.
 *
 * Invariants:
 *  I1  A node's scratch belongs to the innermost open object of its kind. That is enough, as no object holds another of its own
 *      kind, and it is cleared when the object begins, so that nothing of the one before shines through.
 *  I2  What outlives its object is copied into the arena or borrows the body. Scratches hold nothing else.
 *  I3  A frame's `field` is set before any value is met in an object, as JSON has no value without a key. */
#include "ingest/push_json_events.h"

#include <stdio.h>
#include <string.h>

#include "common/hist.h"
#include "ingest/check.h"

static const char *const want_names[] = {"a string", "an integer", "a number", "a boolean", "an object", "an array", "a text"};

#define ROOT(m) offsetof(struct root_scratch, m)
#define TRUNCATION(m) offsetof(struct truncation_scratch, m)
#define POINT(m) offsetof(struct point_scratch, m)
#define HISTOGRAM(m) offsetof(struct payload_histogram, m)

enum { ROOT_AGENT_ID, ROOT_SEQ, ROOT_FLOOR, ROOT_CREATED_AT };

static const struct node_field root_fields[] = {
	[ROOT_AGENT_ID] = {"agent_id", WANT_STRING, ROOT(agent_id), 0},
	[ROOT_SEQ] = {"seq", WANT_INTEGER, ROOT(seq), 0},
	[ROOT_FLOOR] = {"floor", WANT_INTEGER, ROOT(floor), 0},
	[ROOT_CREATED_AT] = {"created_at", WANT_INTEGER, ROOT(created_at), 0},
	{"host", WANT_STRING, ROOT(host), 0},
	{"environment", WANT_STRING, ROOT(environment), 0},
	{"revision", WANT_STRING, ROOT(revision), 0},
	{"truncated", WANT_ARRAY, 0, NODE_TRUNCATIONS},
	{"metrics", WANT_ARRAY, 0, NODE_METRICS},
	{"errors", WANT_ARRAY, 0, NODE_ERRORS},
	{"transactions", WANT_ARRAY, 0, NODE_TRANSACTIONS},
	{"markers", WANT_ARRAY, 0, NODE_MARKERS},
	{"check_ins", WANT_ARRAY, 0, NODE_CHECK_INS},
};

static const struct node_field truncation_fields[] = {
	{"agent_id", WANT_STRING, TRUNCATION(agent_id), 0}, {"from_seq", WANT_INTEGER, TRUNCATION(from_seq), 0},
	{"to_seq", WANT_INTEGER, TRUNCATION(to_seq), 0},    {"samples", WANT_INTEGER, TRUNCATION(samples), 0},
	{"attempted", WANT_BOOLEAN, TRUNCATION(attempted), 0},
};

static const struct node_field metric_fields[] = {
	{"name", WANT_STRING, offsetof(struct metric_scratch, name), 0},
	{"kind", WANT_STRING, offsetof(struct metric_scratch, kind), 0},
	{"tags", WANT_OBJECT, 0, NODE_TAGS},
	{"points", WANT_ARRAY, 0, NODE_POINTS},
};

/* In the order of enum payload_point_field, so that a frame's bits are a point's `has` without translation. */
static const struct node_field point_fields[] = {
	[PAYLOAD_T] = {"t", WANT_INTEGER, POINT(t), 0},
	[PAYLOAD_V] = {"v", WANT_NUMBER, POINT(v), 0},
	[PAYLOAD_COUNT] = {"count", WANT_INTEGER, POINT(figures.count), 0},
	[PAYLOAD_SUM] = {"sum", WANT_NUMBER, POINT(figures.sum), 0},
	[PAYLOAD_MIN] = {"min", WANT_NUMBER, POINT(figures.min), 0},
	[PAYLOAD_MAX] = {"max", WANT_NUMBER, POINT(figures.max), 0},
	[PAYLOAD_LAST] = {"last", WANT_NUMBER, POINT(figures.last), 0},
	[PAYLOAD_LAST_AT] = {"last_at", WANT_INTEGER, POINT(figures.last_at_ms), 0},
	[PAYLOAD_HISTOGRAM] = {"histogram", WANT_OBJECT, 0, NODE_HISTOGRAM},
};

enum { HISTOGRAM_SCALE, HISTOGRAM_COUNTS = 3, HISTOGRAM_NEG_COUNTS = 5 };

static const struct node_field histogram_fields[] = {
	[HISTOGRAM_SCALE] = {"scale", WANT_INTEGER, HISTOGRAM(scale), 0},
	{"zero", WANT_INTEGER, HISTOGRAM(zero), 0},
	{"offset", WANT_INTEGER, HISTOGRAM(offset), 0},
	[HISTOGRAM_COUNTS] = {"counts", WANT_ARRAY, 0, NODE_COUNTS},
	{"neg_offset", WANT_INTEGER, HISTOGRAM(neg_offset), 0},
	[HISTOGRAM_NEG_COUNTS] = {"neg_counts", WANT_ARRAY, 0, NODE_COUNTS},
};

/* What arrays and maps hold. A count and a tag have no place of their own: they are gathered one by one. */
static const struct node_field truncation_element = {NULL, WANT_OBJECT, 0, NODE_TRUNCATION};
static const struct node_field metric_element = {NULL, WANT_OBJECT, 0, NODE_METRIC};
static const struct node_field point_element = {NULL, WANT_OBJECT, 0, NODE_POINT};
static const struct node_field tag_value = {NULL, WANT_STRING, 0, 0};
static const struct node_field count_element = {NULL, WANT_INTEGER, 0, 0};
static const struct node_field error_element = {NULL, WANT_OBJECT, 0, NODE_ERROR};
static const struct node_field transaction_element = {NULL, WANT_OBJECT, 0, NODE_TRANSACTION};
static const struct node_field marker_element = {NULL, WANT_OBJECT, 0, NODE_MARKER};
static const struct node_field check_in_element = {NULL, WANT_OBJECT, 0, NODE_CHECK_IN};
static const struct node_field frame_element = {NULL, WANT_OBJECT, 0, NODE_FRAME};
static const struct node_field breadcrumb_element = {NULL, WANT_OBJECT, 0, NODE_BREADCRUMB};
static const struct node_field span_element = {NULL, WANT_OBJECT, 0, NODE_SPAN};
static const struct node_field text_value = {NULL, WANT_TEXT, 0, 0};

#define FIELDS(table) {(table), sizeof(table) / sizeof((table)[0]), NULL}
#define ELEMENTS(field) {NULL, 0, &(field)}

/* Every node, by what it is: an object with its fields, or a list or map of one kind of element. */
static const struct {
	const struct node_field *fields; /* of an object */
	size_t nr;
	const struct node_field *element; /* of an array or map */
} nodes[NR_NODES] = {
	[NODE_ROOT] = FIELDS(root_fields),
	[NODE_TRUNCATIONS] = ELEMENTS(truncation_element),
	[NODE_TRUNCATION] = FIELDS(truncation_fields),
	[NODE_METRICS] = ELEMENTS(metric_element),
	[NODE_METRIC] = FIELDS(metric_fields),
	[NODE_TAGS] = ELEMENTS(tag_value),
	[NODE_POINTS] = ELEMENTS(point_element),
	[NODE_POINT] = FIELDS(point_fields),
	[NODE_HISTOGRAM] = FIELDS(histogram_fields),
	[NODE_COUNTS] = ELEMENTS(count_element),
	[NODE_ERRORS] = ELEMENTS(error_element),
	[NODE_TRANSACTIONS] = ELEMENTS(transaction_element),
	[NODE_MARKERS] = ELEMENTS(marker_element),
	[NODE_CHECK_INS] = ELEMENTS(check_in_element),
	[NODE_BACKTRACE] = ELEMENTS(frame_element),
	[NODE_BREADCRUMBS] = ELEMENTS(breadcrumb_element),
	[NODE_SPANS] = ELEMENTS(span_element),
	[NODE_ERROR] = FIELDS(json_error_fields),
	[NODE_TRANSACTION] = FIELDS(json_transaction_fields),
	[NODE_MARKER] = FIELDS(json_marker_fields),
	[NODE_CHECK_IN] = FIELDS(json_check_in_fields),
	[NODE_FRAME] = FIELDS(json_frame_fields),
	[NODE_BREADCRUMB] = FIELDS(json_breadcrumb_fields),
	[NODE_SPAN] = FIELDS(json_span_fields),
	[NODE_EVENT_TAGS] = ELEMENTS(text_value),
	[NODE_PARAMS] = ELEMENTS(text_value),
	[NODE_INNER_TAGS] = ELEMENTS(text_value),
};

/* Appends where the parser stands, as "metrics[3].points[0].t". */
static void write_path(const struct parser *p, struct buf *out)
{
	for (size_t i = 0; i < p->frames_len; i++) {
		const struct frame *f = &p->frames[i];

		if (node_is_map(f->node))
			buf_printf(out, "." STR_FMT, STR_ARG(p->tag_key));
		else if (!nodes[f->node].fields)
			buf_printf(out, "[%u]", f->index);
		else if (f->field)
			buf_printf(out, "%s%s", i ? "." : "", f->field->name);
	}
}

int node_refuse(struct parser *p, const char *what)
{
	struct buf path = BUF_INIT;

	write_path(p, &path); /* a tag's key may be of any length: the path is cut, so that what follows it is seen */
	refuse(p->no, REASON_BAD_PAYLOAD, "%.*s%s%s", (int)(path.len < 200 ? path.len : 200), buf_str(&path).p,
	       path.len ? ": " : "", what);
	buf_fini(&path);
	return 0;
}

int node_refuse_type(struct parser *p, enum want want)
{
	char what[64];

	snprintf(what, sizeof(what), "%s is expected", want_names[want]);
	return node_refuse(p, what);
}

int node_refuse_size(struct parser *p)
{
	payload_refuse_size(p->payload, p->no);
	return 0;
}

/* yajl hands out pointers into the text where it can, and into a buffer of its own, which it overwrites, where not. */
bool node_keep(struct parser *p, struct str s, struct str *out)
{
	uintptr_t at = (uintptr_t)s.p, body = (uintptr_t)p->body.p;

	*out = at >= body && at + s.len <= body + p->body.len ? s : arena_str(p->payload->arena, s);
	return out->p != NULL;
}

/* Where the fields of an object go while it is open (I1). */
static void *scratch(struct parser *p, enum node node)
{
	switch (node) {
	case NODE_ROOT:
		return &p->root;
	case NODE_TRUNCATION:
		return &p->truncation;
	case NODE_METRIC:
		return &p->metric;
	case NODE_POINT:
		return &p->point;
	case NODE_HISTOGRAM:
		return &p->point.figures.histogram;
	default:
		return &p->event;
	}
}

const struct node_field *node_expected(struct parser *p)
{
	const struct frame *f = node_top(p);

	return nodes[f->node].element ? nodes[f->node].element : f->field;
}

const struct node_field *node_find(enum node node, struct str name)
{
	for (size_t i = 0; i < nodes[node].nr; i++)
		if (str_eq(name, str_from(nodes[node].fields[i].name)))
			return &nodes[node].fields[i];
	return NULL;
}

uint32_t node_bit(enum node node, const struct node_field *field)
{
	return PAYLOAD_BIT(field - nodes[node].fields);
}

void *node_place(struct parser *p, const struct node_field *field)
{
	return (char *)scratch(p, node_top(p)->node) + field->offset;
}

int node_add_tag(struct parser *p, struct str value)
{
	struct tag *t = draft_add_tag(&p->draft);

	t->key = p->tag_key;
	return node_keep(p, value, &t->value) ? 1 : node_refuse_size(p);
}

int node_add_count(struct parser *p, int64_t n)
{
	if (p->counts_len <= HIST_COUNTS_MAX)
		p->counts[p->counts_len++] = n;
	return 1;
}

int node_open(struct parser *p, enum node node)
{
	p->frames[p->frames_len++] = (struct frame){.node = node};
	switch (node) {
	case NODE_TRUNCATION:
		p->truncation = (struct truncation_scratch){0};
		break;
	case NODE_METRIC:
		p->metric = (struct metric_scratch){0};
		draft_begin(&p->draft);
		break;
	case NODE_POINT:
		p->point = (struct point_scratch){0};
		break;
	case NODE_COUNTS:
		p->counts_len = 0;
		if (!p->counts)
			p->counts = arena_calloc(p->payload->arena, HIST_COUNTS_MAX + 1, sizeof(*p->counts));
		return p->counts ? 1 : node_refuse_size(p);
	default:
		if (node >= NODE_ERROR)
			json_event_open(p, node);
		break;
	}
	return 1;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Digits in either case; another length is no agent's. */
static int parse_agent_id(struct str hex, uint8_t out[PAYLOAD_AGENT_ID_BYTES])
{
	if (hex.len != 2 * PAYLOAD_AGENT_ID_BYTES)
		return -1;
	for (size_t i = 0; i < hex.len; i += 2) {
		int high = hex_digit(hex.p[i]), low = hex_digit(hex.p[i + 1]);

		if (high < 0 || low < 0)
			return -1;
		out[i / 2] = (uint8_t)(high * 16 + low);
	}
	return 0;
}

/* What identity and times mean is check_payload()'s business; but text that is no 128 bits cannot be handed on. */
static int close_root(struct parser *p)
{
	const struct frame *f = node_top(p);
	struct payload *out = p->payload;

	out->has_agent_id = node_has(f, ROOT_AGENT_ID);
	out->has_seq = node_has(f, ROOT_SEQ);
	out->has_floor = node_has(f, ROOT_FLOOR);
	out->has_created_at = node_has(f, ROOT_CREATED_AT);
	out->seq = p->root.seq;
	out->floor = p->root.floor;
	out->created_at_ms = p->root.created_at;
	out->host = p->root.host;
	out->environment = p->root.environment;
	out->revision = p->root.revision;
	if (out->has_agent_id && parse_agent_id(p->root.agent_id, out->agent_id) < 0) {
		refuse(p->no, REASON_BAD_IDENTITY, "agent_id: 32 hex digits are expected");
		return 0;
	}
	return 1;
}

void node_note_sender(struct parser *p)
{
	struct payload *out = p->payload;
	const struct frame *root = &p->frames[0];

	out->has_agent_id = root->node == NODE_ROOT && node_has(root, ROOT_AGENT_ID) && parse_agent_id(p->root.agent_id, out->agent_id) == 0;
	out->has_seq = root->node == NODE_ROOT && node_has(root, ROOT_SEQ) && p->root.seq > 0;
	out->seq = p->root.seq;
}

/* Reports of loss are written by agents, not by people: a malformed one is a bug to be heard of, so the payload is refused. */
static int close_truncation(struct parser *p)
{
	const struct truncation_scratch *s = &p->truncation;
	struct payload_truncation t = {
		.from_seq = s->from_seq, .to_seq = s->to_seq, .samples = s->samples, .attempted = s->attempted};

	if (parse_agent_id(s->agent_id, t.agent_id) < 0 || !check_truncation(&t)) {
		p->frames_len--; /* the entry is what is wrong */
		return node_refuse(p, CHECK_TRUNCATION_WANTS);
	}
	return payload_add_truncation(p->payload, &t) < 0 ? node_refuse_size(p) : 1;
}

/* By the schema's own symbols, so that JSON and Avro cannot come to differ. */
static int kind_of(struct str name)
{
	const char *known;

	for (int kind = 0; (known = series_kind_name((enum series_kind)kind)) != NULL; kind++)
		if (str_eq(name, str_from(known)))
			return kind;
	return -1;
}

static int close_metric(struct parser *p)
{
	p->draft.name = p->metric.name;
	p->draft.kind = kind_of(p->metric.kind);
	return draft_end(&p->draft, p->payload, p->frames[p->frames_len - 2].index) < 0 ? node_refuse_size(p) : 1;
}

static int close_point(struct parser *p)
{
	struct payload_point *pt = draft_add_point(&p->draft, p->payload);

	if (!pt)
		return node_refuse_size(p);
	pt->has = node_top(p)->seen & ~node_top(p)->nulls;
	pt->t_ms = p->point.t;
	pt->v = p->point.v;
	if (pt->has & ~(PAYLOAD_BIT(PAYLOAD_T) | PAYLOAD_BIT(PAYLOAD_V))) {
		if (!draft_add_figures(pt, p->payload))
			return node_refuse_size(p);
		*pt->figures = p->point.figures;
	}
	return 1;
}

/* Copies the counts from the scratch to the list they belong to, which the frame below names. */
static int close_counts(struct parser *p)
{
	struct payload_histogram *h = &p->point.figures.histogram;
	bool negative = p->frames[p->frames_len - 2].field == &histogram_fields[HISTOGRAM_NEG_COUNTS];
	int64_t *copy = arena_calloc(p->payload->arena, p->counts_len, sizeof(*copy));

	if (!copy)
		return node_refuse_size(p);
	memcpy(copy, p->counts, p->counts_len * sizeof(*copy));
	*(negative ? &h->neg_counts : &h->counts) = copy;
	*(negative ? &h->neg_counts_len : &h->counts_len) = p->counts_len;
	return 1;
}

int node_close(struct parser *p)
{
	switch (node_top(p)->node) {
	case NODE_ROOT:
		return close_root(p);
	case NODE_TRUNCATION:
		return close_truncation(p);
	case NODE_METRIC:
		return close_metric(p);
	case NODE_POINT:
		return close_point(p);
	case NODE_HISTOGRAM:
		p->point.figures.histogram.has_scale = node_has(node_top(p), HISTOGRAM_SCALE);
		return 1;
	case NODE_COUNTS:
		return close_counts(p);
	default:
		return node_top(p)->node >= NODE_ERROR ? json_event_close(p) : 1;
	}
}
