/* event_draft.c - see event_draft.h.
 *
 * What lies beyond a list's bound is read, as all of it must be sound, and dropped. */
#include "ingest/event_draft.h"

#include <string.h>

#include "ingest/event.h"

#define NO_TEXT {"", 0}

/* What nothing has been said of. Texts are empty, and not NULL: who looks into them need not ask. */
static const struct event empty_event = {.action = NO_TEXT,
					 .namespace = NO_TEXT,
					 .host = NO_TEXT,
					 .environment = NO_TEXT,
					 .revision = NO_TEXT,
					 .error = {.class = NO_TEXT, .message = NO_TEXT},
					 .transaction = {.id = NO_TEXT},
					 .marker = {NO_TEXT, NO_TEXT, NO_TEXT},
					 .check_in = {.name = NO_TEXT}};
static const struct backtrace_frame empty_frame = {.file = NO_TEXT, .function = NO_TEXT};
static const struct breadcrumb empty_breadcrumb = {.category = NO_TEXT, .action = NO_TEXT, .message = NO_TEXT};
static const struct transaction_span empty_span = {.id = NO_TEXT, .parent_id = NO_TEXT, .name = NO_TEXT};

/* Room for one more item, which is not zeroed; NULL when memory is short. */
static void *list_add(struct event_draft_list *l, size_t item_bytes, struct payload *p)
{
	void *items = payload_grow(p->arena, l->items, l->len, &l->cap, item_bytes);

	if (!items)
		return NULL;
	l->items = items;
	return (char *)items + l->len++ * item_bytes;
}

/* A copy of exactly that size; NULL when memory is short, and only then. */
static void *list_copy(const struct event_draft_list *l, size_t item_bytes, struct payload *p)
{
	void *copy = arena_alloc_raw(p->arena, l->len * item_bytes);

	if (copy && l->len)
		memcpy(copy, l->items, l->len * item_bytes);
	return copy;
}

void event_draft_begin(struct event_draft *d, enum payload_event_kind kind)
{
	d->e = (struct payload_event){.kind = kind, .event = empty_event};
	d->tags.len = d->params.len = d->frames.len = d->breadcrumbs.len = d->spans.len = 0;
	d->breadcrumbs_seen = 0;
}

struct tag *event_draft_add_tag(struct event_draft_list *map, struct payload *p)
{
	bool full = map->len == EVENT_DRAFT_TAGS;
	struct tag *t = full ? (struct tag *)map->items + map->len - 1 : list_add(map, sizeof(*t), p);

	if (t)
		*t = (struct tag){STR(""), STR("")};
	return t;
}

void event_draft_begin_frame(struct event_draft *d)
{
	d->frame = empty_frame;
}

void event_draft_begin_breadcrumb(struct event_draft *d)
{
	d->breadcrumb = empty_breadcrumb;
	d->inner.len = 0;
}

void event_draft_begin_span(struct event_draft *d)
{
	d->span = empty_span;
	d->inner.len = 0;
}

int event_draft_end_frame(struct event_draft *d, struct payload *p, int64_t line)
{
	struct backtrace_frame *f;

	if (d->frames.len == EVENT_DRAFT_FRAMES)
		return 0;
	f = list_add(&d->frames, sizeof(*f), p);
	if (!f)
		return -1;
	*f = d->frame;
	f->line = line > 0 && line <= INT32_MAX ? (int32_t)line : 0;
	return 0;
}

int event_draft_end_breadcrumb(struct event_draft *d, struct payload *p)
{
	struct breadcrumb *b = &d->breadcrumb, *all;

	b->metadata = list_copy(&d->inner, sizeof(*b->metadata), p);
	b->metadata_len = d->inner.len;
	if (!b->metadata || (d->breadcrumbs.len < EVENT_DRAFT_BREADCRUMBS && !list_add(&d->breadcrumbs, sizeof(*b), p)))
		return -1;
	all = d->breadcrumbs.items;
	all[d->breadcrumbs_seen++ % EVENT_DRAFT_BREADCRUMBS] = *b;
	return 0;
}

int event_draft_end_span(struct event_draft *d, struct payload *p)
{
	struct transaction_span *s;

	if (d->spans.len == EVENT_DRAFT_SPANS)
		return 0;
	d->span.tags = list_copy(&d->inner, sizeof(*d->span.tags), p);
	d->span.tags_len = d->inner.len;
	s = list_add(&d->spans, sizeof(*s), p);
	if (!s || !d->span.tags)
		return -1;
	*s = d->span;
	return 0;
}

/* Oldest first. */
static struct breadcrumb *copy_breadcrumbs(const struct event_draft *d, struct payload *p)
{
	const struct breadcrumb *all = d->breadcrumbs.items;
	size_t n = d->breadcrumbs.len;
	struct breadcrumb *copy = arena_alloc_raw(p->arena, n * sizeof(*copy));

	for (size_t i = 0; copy && i < n; i++)
		copy[i] = all[(d->breadcrumbs_seen - n + i) % EVENT_DRAFT_BREADCRUMBS];
	return copy;
}

static int end_error(struct event_draft *d, struct payload *p)
{
	struct error_detail *e = &d->e.event.error;

	e->backtrace = list_copy(&d->frames, sizeof(*e->backtrace), p);
	e->backtrace_len = d->frames.len;
	e->params = list_copy(&d->params, sizeof(*e->params), p);
	e->params_len = d->params.len;
	e->breadcrumbs = copy_breadcrumbs(d, p);
	e->breadcrumbs_len = d->breadcrumbs.len;
	return e->backtrace && e->params && e->breadcrumbs ? 0 : -1;
}

static int end_transaction(struct event_draft *d, struct payload *p)
{
	struct transaction_detail *t = &d->e.event.transaction;

	t->spans = list_copy(&d->spans, sizeof(*t->spans), p);
	t->spans_len = d->spans.len;
	return t->spans ? 0 : -1;
}

int event_draft_end(struct event_draft *d, struct payload *p, const char *list, uint32_t index, bool has_t)
{
	struct event *e = &d->e.event;

	d->e.list = list;
	d->e.index = index;
	d->e.has_t = has_t;
	e->tags = list_copy(&d->tags, sizeof(*e->tags), p);
	e->tags_len = d->tags.len;
	if (!e->tags || (d->e.kind == PAYLOAD_ERROR && end_error(d, p) < 0) || (d->e.kind == PAYLOAD_TRANSACTION && end_transaction(d, p) < 0))
		return -1;
	return event_add(p, &d->e);
}
