/* event_queue.c - see event_queue.h.
 *
 * A list of one allocation an event, counted as the allocator rounds it, since the bound is part of memory.budget. Most of the time there
 * is nothing here: a ring of fixed size would take its bound all day. */
#include "ingest/agent/event_queue.h"

#include <stdlib.h>

#include "common/memory.h"

enum { HEAD_BYTES = 1 + 5 /* a tag, of numbers below 16, and a length below 2^32 */ };

struct node {
	struct node *next;
	enum event_kind kind;
	uint32_t len;
	uint8_t field[];
};

struct event_queue {
	struct node *first, **last;
	size_t max_events, max_bytes;
	uint64_t untold; /* lost, and not yet taken by a flush */
	struct event_queue_figures figures;
};

/* What each kind is called in a line, and the number of its list in a Payload. */
static const struct {
	const char *name;
	unsigned field;
} kinds[NR_EVENT_KINDS] = {
	[EVENT_ERROR] = {"error", 10},
	[EVENT_TRANSACTION] = {"transaction", 11},
	[EVENT_MARKER] = {"marker", 12},
	[EVENT_CHECK_IN] = {"check_in", 13},
};

const char *event_kind_name(enum event_kind kind)
{
	return kinds[kind].name;
}

struct event_queue *event_queue_new(size_t max_events, size_t max_bytes, struct err *err)
{
	struct event_queue *q = calloc(1, sizeof(*q));

	if (!q) {
		err_nomem(err, "a queue of events");
		return NULL;
	}
	q->last = &q->first;
	q->max_events = max_events;
	q->max_bytes = max_bytes;
	return q;
}

void event_queue_free(struct event_queue *q)
{
	if (!q)
		return;
	while (q->first)
		event_queue_drop(q);
	free(q);
}

static size_t node_bytes(size_t field_len)
{
	return memory_rounded(sizeof(struct node) + field_len);
}

/* What is a sign of life, or of a deploy, may take all there is; the rest leaves a part to it. */
static size_t share(size_t of, enum event_kind kind)
{
	return kind == EVENT_MARKER || kind == EVENT_CHECK_IN ? of : of - of / EVENT_QUEUE_RESERVE;
}

/* Is there room for one more, of so many bytes? */
static bool has_room(const struct event_queue *q, enum event_kind kind, size_t bytes)
{
	size_t max_bytes = share(q->max_bytes, kind);

	return q->figures.events < share(q->max_events, kind) && bytes <= max_bytes && q->figures.bytes <= max_bytes - bytes;
}

/* Tag and length of a message field; returns how many bytes they are. */
static size_t write_head(uint8_t *to, unsigned field, size_t len)
{
	size_t n = 0;

	to[n++] = (uint8_t)(field << 3 | 2);
	for (; len >= 0x80; len >>= 7)
		to[n++] = (uint8_t)(len | 0x80);
	to[n++] = (uint8_t)len;
	return n;
}

static struct node *node_new(enum event_kind kind, const uint8_t *head, size_t head_len, struct str message)
{
	struct node *n = malloc(sizeof(*n) + head_len + message.len);

	if (!n)
		return NULL;
	n->next = NULL;
	n->kind = kind;
	n->len = (uint32_t)(head_len + message.len);
	memcpy(n->field, head, head_len);
	if (message.len)
		memcpy(n->field + head_len, message.p, message.len);
	return n;
}

bool event_queue_add(struct event_queue *q, enum event_kind kind, struct str message)
{
	uint8_t head[HEAD_BYTES];
	size_t head_len = message.len < UINT32_MAX - HEAD_BYTES ? write_head(head, kinds[kind].field, message.len) : 0;
	struct node *n = head_len && has_room(q, kind, node_bytes(head_len + message.len)) ? node_new(kind, head, head_len, message) : NULL;

	if (!n) {
		q->figures.lost++;
		q->figures.lost_by[kind]++;
		q->untold++;
		return false;
	}
	*q->last = n;
	q->last = &n->next;
	q->figures.events++;
	q->figures.bytes += node_bytes(n->len);
	q->figures.added++;
	return true;
}

bool event_queue_first(const struct event_queue *q, struct event *out)
{
	if (!q->first)
		return false;
	*out = (struct event){q->first->kind, {(const char *)q->first->field, q->first->len}};
	return true;
}

void event_queue_drop(struct event_queue *q)
{
	struct node *n = q->first;

	if (!n)
		return;
	q->first = n->next;
	if (!q->first)
		q->last = &q->first;
	q->figures.events--;
	q->figures.bytes -= node_bytes(n->len);
	free(n);
}

uint64_t event_queue_take_lost(struct event_queue *q)
{
	uint64_t lost = q->untold;

	q->untold = 0;
	return lost;
}

void event_queue_figures(const struct event_queue *q, struct event_queue_figures *out)
{
	*out = q->figures;
}
