/* otlp_spans.c - see otlp_spans.h.
 *
 * Ids are the sender's choice, and so are cycles, doubles and depth. Hence a table whose hash has a secret; a walk towards the root that marks where
 * it has been, so that each span is passed once and a circle is no owner's; and no recursion. Of two spans with one id the first one is
 * found by its children. All of it takes room in the arena, which has a limit.
 *
 * Errors come first: event_add() changes attributes in place, and those of a span may stand in both. */
#include "ingest/otlp_spans.h"

#include <stdlib.h>
#include <xxhash.h>

#include "common/map.h"
#include "ingest/event.h"
#include "ingest/otlp_error.h"

enum {
	INNER_MAX = EVENT_SPANS_MAX + 1, /* spans of a transaction; one more than is kept, so that it shows */
	NS_IN_MS = 1000000,
};

enum { UNKNOWN, WALKING, KNOWN }; /* owner */

#define LIST "spans"

/* Spans by (trace_id, span_id). */
struct ids {
	struct otlp_span **slots;
	size_t mask;
	uint64_t secret;
};

struct otlp_span *otlp_spans_add(struct otlp_spans *all, struct arena *arena)
{
	struct otlp_span *span = arena_alloc(arena, sizeof(*span));

	if (!span)
		return NULL;
	if (all->last)
		all->last->next = span;
	else
		all->first = span;
	all->last = span;
	all->len++;
	return span;
}

static struct otlp_span **slot_of(const struct ids *ids, const uint8_t *trace_id, const uint8_t *span_id)
{
	uint8_t key[OTLP_TRACE_ID_BYTES + OTLP_SPAN_ID_BYTES];

	memcpy(key, trace_id, OTLP_TRACE_ID_BYTES);
	memcpy(key + OTLP_TRACE_ID_BYTES, span_id, OTLP_SPAN_ID_BYTES);
	return &ids->slots[XXH3_64bits_withSeed(key, sizeof(key), ids->secret) & ids->mask];
}

static struct otlp_span *find(const struct ids *ids, const uint8_t *trace_id, const uint8_t *span_id)
{
	struct otlp_span *s = *slot_of(ids, trace_id, span_id);

	while (s && (memcmp(s->trace_id, trace_id, OTLP_TRACE_ID_BYTES) != 0 || memcmp(s->span_id, span_id, OTLP_SPAN_ID_BYTES) != 0))
		s = s->chained;
	return s;
}

static bool is_transaction(const struct otlp_span *s)
{
	return !s->has_parent || s->kind == OTLP_SPAN_SERVER || s->kind == OTLP_SPAN_CONSUMER;
}

/* Doubles would make a chain as long as they are many: one of them is enough. */
static int link_parents(struct otlp_spans *all, struct arena *arena)
{
	struct ids ids = {.mask = 1, .secret = map_secret()};

	while (ids.mask < all->len)
		ids.mask = ids.mask * 2 + 1;
	ids.slots = arena_calloc(arena, ids.mask + 1, sizeof(*ids.slots));
	if (!ids.slots)
		return -1;
	for (struct otlp_span *s = all->first; s; s = s->next) {
		struct otlp_span **slot = slot_of(&ids, s->trace_id, s->span_id);

		if (find(&ids, s->trace_id, s->span_id))
			continue;
		s->chained = *slot;
		*slot = s;
	}
	for (struct otlp_span *s = all->first; s; s = s->next)
		s->parent = s->has_parent ? find(&ids, s->trace_id, s->parent_id) : NULL;
	return 0;
}

/* Up to the first whose owner is known, or that owns; then the same way again, to tell all of them. */
static void find_owner(struct otlp_span *from)
{
	struct otlp_span *s = from, *owner = NULL;

	while (s && s->walk == UNKNOWN && !is_transaction(s)) {
		s->walk = WALKING;
		s = s->parent;
	}
	if (s) /* one that is being walked has none */
		owner = is_transaction(s) ? s : s->owner;
	for (s = from; s && s->walk == WALKING; s = s->parent) {
		s->owner = owner;
		s->walk = KNOWN;
		if (!owner)
			continue;
		s->sibling = owner->inner;
		owner->inner = s;
		owner->inner_len++;
	}
}

static int64_t to_ms(uint64_t ns)
{
	return (int64_t)(ns / NS_IN_MS);
}

/* From b to a, which may be before it. */
static double ms_between(uint64_t a, uint64_t b)
{
	return a >= b ? (double)(a - b) / NS_IN_MS : -((double)(b - a) / NS_IN_MS);
}

static struct str value_of(const struct otlp_span *s, const char *key)
{
	const struct str *value = otlp_attribute(&(struct otlp_attributes){.tags = s->attributes, .len = s->attributes_len}, key);

	return value ? *value : STR("");
}

/* GET /users/{id}: the route, as there are too many paths, and its method; else the span's name. Once a transaction. */
static int name_action(struct otlp_span *s, struct arena *arena)
{
	struct str route = value_of(s, "http.route"), method = value_of(s, "http.request.method");
	char *text;

	if (!s->name.len)
		s->name = STR("unknown");
	if (!method.len)
		method = value_of(s, "http.method");
	if (!route.len)
		return 0;
	if (!method.len) {
		s->name = route;
		return 0;
	}
	text = arena_alloc_raw(arena, method.len + 1 + route.len);
	if (!text)
		return -1;
	memcpy(text, method.p, method.len);
	text[method.len] = ' ';
	memcpy(text + method.len + 1, route.p, route.len);
	s->name = (struct str){text, method.len + 1 + route.len};
	return 0;
}

static struct str namespace_of(const struct otlp_span *transaction)
{
	return transaction->kind == OTLP_SPAN_SERVER ? STR("web") : STR("background");
}

static int by_time(const void *a, const void *b)
{
	const struct otlp_span *x = *(struct otlp_span *const *)a, *y = *(struct otlp_span *const *)b;

	if (x->start_ns != y->start_ns)
		return x->start_ns < y->start_ns ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

static int fill_inner(struct transaction_span *out, const struct otlp_span *s, struct arena *arena)
{
	*out = (struct transaction_span){.id = otlp_hex(arena, s->span_id, OTLP_SPAN_ID_BYTES),
					 .parent_id = STR(""),
					 .name = s->name,
					 .start_ms = ms_between(s->start_ns, s->owner->start_ns),
					 .duration_ms = ms_between(s->end_ns, s->start_ns),
					 .tags = s->attributes,
					 .tags_len = s->attributes_len};
	if (s->parent != s->owner)
		out->parent_id = otlp_hex(arena, s->parent_id, OTLP_SPAN_ID_BYTES);
	return out->id.p && out->parent_id.p ? 0 : -1;
}

/* The spans of a transaction by time, the first of them. */
static int add_inner(struct otlp_span *transaction, struct arena *arena, struct transaction_detail *out)
{
	size_t n = 0;
	struct otlp_span **all = arena_alloc_raw(arena, transaction->inner_len * sizeof(*all));

	if (!all)
		return -1;
	for (struct otlp_span *s = transaction->inner; s; s = s->sibling)
		all[n++] = s;
	qsort(all, n, sizeof(*all), by_time);
	out->spans_len = n < INNER_MAX ? n : INNER_MAX;
	out->spans = arena_alloc_raw(arena, out->spans_len * sizeof(*out->spans));
	if (!out->spans)
		return -1;
	for (size_t i = 0; i < out->spans_len; i++)
		if (fill_inner(&out->spans[i], all[i], arena) < 0)
			return -1;
	return 0;
}

static int add_transaction(struct otlp_span *s, struct payload *p, const struct otlp_rules *rules)
{
	struct payload_event e = {.kind = PAYLOAD_TRANSACTION, .list = LIST, .index = s->index, .has_t = true};
	struct transaction_detail *detail = &e.event.transaction;

	e.event.t = to_ms(s->start_ns);
	e.event.action = s->name;
	e.event.namespace = namespace_of(s);
	e.event.has_transaction = true;
	*detail = (struct transaction_detail){.id = otlp_hex(p->arena, s->trace_id, OTLP_TRACE_ID_BYTES),
					      .duration_ms = ms_between(s->end_ns, s->start_ns),
					      .failed = s->failed};
	if (!detail->id.p || (s->inner && add_inner(s, p->arena, detail) < 0) ||
	    otlp_scope_describe(s->scope, rules, p, s->attributes, s->attributes_len, &e) < 0)
		return -1;
	return event_add(p, &e);
}

/* The last of what happened in a span before an exception. */
struct recent {
	const struct otlp_span_event *ring[OTLP_BREADCRUMBS_MAX];
	size_t seen;
};

static int add_breadcrumbs(const struct recent *recent, struct arena *arena, struct otlp_exception *x)
{
	size_t n = recent->seen < OTLP_BREADCRUMBS_MAX ? recent->seen : OTLP_BREADCRUMBS_MAX;

	x->breadcrumbs = arena_alloc_raw(arena, n * sizeof(*x->breadcrumbs));
	if (!x->breadcrumbs)
		return -1;
	x->breadcrumbs_len = n;
	for (size_t i = 0; i < n; i++) {
		const struct otlp_span_event *e = recent->ring[(recent->seen - n + i) % OTLP_BREADCRUMBS_MAX];

		x->breadcrumbs[i] = (struct breadcrumb){.t = to_ms(e->t_ns),
							.category = STR("event"),
							.action = e->name,
							.message = STR(""),
							.metadata = e->attributes,
							.metadata_len = e->attributes_len};
	}
	return 0;
}

static int events_by_time(const void *a, const void *b)
{
	const struct otlp_span_event *x = a, *y = b;

	if (x->t_ns != y->t_ns)
		return x->t_ns < y->t_ns ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

/* The exceptions of a span; they are no breadcrumbs, as they are errors themselves. What their params share is gathered once. */
static int add_errors(struct otlp_span *s, struct payload *p, const struct otlp_rules *rules)
{
	struct tag trace = {STR("trace_id"), otlp_hex(p->arena, s->trace_id, OTLP_TRACE_ID_BYTES)};
	struct tag more[OTLP_PARAMS_MAX];
	struct recent recent = {.seen = 0};
	struct otlp_exception common = {.list = LIST, .index = s->index, .scope = s->scope, .has_t = true, .body = STR(""), .more = more};

	if (!trace.value.p)
		return -1;
	common.tags = &trace;
	common.tags_len = 1;
	common.action = s->owner ? s->owner->name : s->name;
	common.namespace = s->owner ? namespace_of(s->owner) : STR("");
	common.more_len = otlp_params_add(more, 0, s->attributes, s->attributes_len);
	qsort(s->events, s->events_len, sizeof(*s->events), events_by_time);
	for (size_t i = 0; i < s->events_len; i++) {
		struct otlp_span_event *event = &s->events[i];
		struct otlp_exception x = common;
		uint64_t rejected = p->rejected;

		if (!otlp_is_exception(event->attributes, event->attributes_len)) {
			recent.ring[recent.seen++ % OTLP_BREADCRUMBS_MAX] = event;
			continue;
		}
		x.t_ms = to_ms(event->t_ns ? event->t_ns : s->end_ns);
		x.attributes = event->attributes;
		x.attributes_len = event->attributes_len;
		if (add_breadcrumbs(&recent, p->arena, &x) < 0 || otlp_add_exception(p, rules, &x) < 0)
			return -1;
		p->rejected_inner += p->rejected - rejected;
		s->in_error = true;
	}
	return 0;
}

/* A span that is no event of its own was taken all the same. */
static void count_other(const struct otlp_span *s, struct payload *p)
{
	p->received++;
	p->accepted++;
	p->ignored[PAYLOAD_IGNORED_SPAN] += !s->owner && !s->in_error;
}

int otlp_spans_settle(struct otlp_spans *all, struct payload *p, const struct otlp_rules *rules)
{
	if (link_parents(all, p->arena) < 0)
		return -1;
	for (struct otlp_span *s = all->first; s; s = s->next) {
		if (is_transaction(s) && name_action(s, p->arena) < 0)
			return -1;
		if (is_transaction(s))
			s->owner = s;
		else
			find_owner(s);
	}
	for (struct otlp_span *s = all->first; s; s = s->next)
		if (s->events_len && add_errors(s, p, rules) < 0)
			return -1;
	for (struct otlp_span *s = all->first; s; s = s->next) {
		if (!is_transaction(s))
			count_other(s, p);
		else if (add_transaction(s, p, rules) < 0)
			return -1;
	}
	return 0;
}
