/* event_draft.h - an event while a decoder of the native payload reads it, as draft.h is a metric.
 *
 * A decoder begins a draft where an event begins, stores scalars in it as it meets them, adds what stands in lists and maps, and ends it where
 * the event ends: event_add() judges it then. One draft serves all events of a payload, one after the other.
 *
 * What is too much is not kept: of a list whose end event.h drops, the draft keeps one more than is kept there, so that event_add() sees that there
 * were more; of breadcrumbs, which are shortened at their beginning, as many of the last. So an event of a million tiny elements takes no more
 * room than one that is full. Lists grow in scratches, which stay for the next event; an event takes exactly what it holds. A zeroed struct is
 * ready for event_draft_begin(). */
#ifndef MILLRACE_INGEST_EVENT_DRAFT_H
#define MILLRACE_INGEST_EVENT_DRAFT_H

#include <stddef.h>
#include <stdint.h>

#include "ingest/payload.h"

/* As many as event.h keeps, and one. */
enum {
	EVENT_DRAFT_TAGS = 64 + 1, /* of any map: of params and metadata, of which more are kept than of tags */
	EVENT_DRAFT_FRAMES = 200 + 1,
	EVENT_DRAFT_BREADCRUMBS = 50 + 1,
	EVENT_DRAFT_SPANS = 500 + 1,
};

/* A list while it grows. */
struct event_draft_list {
	void *items; /* in the payload's arena */
	size_t len, cap;
};

struct event_draft {
	struct payload_event e; /* its scalars; its lists are set at the end */
	struct backtrace_frame frame;       /* the innermost element that is open .. */
	struct breadcrumb breadcrumb;       /* see above */
	struct transaction_span span;       /* see above */
	struct event_draft_list inner;      /* .. and its metadata or tags */
	struct event_draft_list tags, params; /* of the event */
	struct event_draft_list frames, breadcrumbs, spans;
	size_t breadcrumbs_seen; /* the n-th lies at n modulo EVENT_DRAFT_BREADCRUMBS */
};

/* Starts an event of this kind with nothing in it. */
void event_draft_begin(struct event_draft *d, enum payload_event_kind kind);

/* An empty entry of a map, d's tags, params or inner, for the caller to fill before the next one is added. Entries beyond the bound share the last
 * place, which only shows that there were too many. NULL when p's memory is short. */
struct tag *event_draft_add_tag(struct event_draft_list *map, struct payload *p);

/* An element begins: empty, for the caller to fill. */
void event_draft_begin_frame(struct event_draft *d);
void event_draft_begin_breadcrumb(struct event_draft *d); /* see above */
void event_draft_begin_span(struct event_draft *d);       /* see above */

/* It ends. Where line is no line's number it is unknown. -1 when p's memory is short. */
int event_draft_end_frame(struct event_draft *d, struct payload *p, int64_t line);
int event_draft_end_breadcrumb(struct event_draft *d, struct payload *p); /* see above */
int event_draft_end_span(struct event_draft *d, struct payload *p);       /* see above */

/* Judges the event, which stands at this place, and moves it into p (event_add()). list is a literal. -1 when p's memory is short. */
int event_draft_end(struct event_draft *d, struct payload *p, const char *list, uint32_t index, bool has_t);

#endif
