/* connections.c - see connections.h.
 *
 * Invariant: a connection is in the list of its phase, and len counts those that have not expired. */
#include "ingest/connections.h"

static void list_append(struct connection_list *list, struct connection *c)
{
	c->next = NULL;
	c->prev = list->tail;
	*(list->tail ? &list->tail->next : &list->head) = c;
	list->tail = c;
}

static void list_remove(struct connection_list *list, struct connection *c)
{
	*(c->prev ? &c->prev->next : &list->head) = c->next;
	*(c->next ? &c->next->prev : &list->tail) = c->prev;
}

static void enlist(struct connections *all, struct connection *c, enum connection_phase phase, int64_t mono_ms)
{
	c->phase = phase;
	c->deadline_mono_ms = all->timeout_ms[phase] ? mono_ms + all->timeout_ms[phase] : INT64_MAX;
	list_append(&all->lists[phase], c);
}

void connections_add(struct connections *all, struct connection *c, int64_t mono_ms)
{
	enlist(all, c, CONNECTION_IDLE, mono_ms);
	all->len++;
}

void connections_remove(struct connections *all, struct connection *c)
{
	list_remove(&all->lists[c->phase], c);
	all->len -= c->phase != CONNECTION_EXPIRED;
}

void connections_enter(struct connections *all, struct connection *c, enum connection_phase phase, int64_t mono_ms)
{
	if (c->phase == CONNECTION_EXPIRED)
		return;
	list_remove(&all->lists[c->phase], c);
	enlist(all, c, phase, mono_ms);
}

static void end_one(struct connections *all, struct connection *c, connection_end_fn end, void *ctx)
{
	enum connection_phase was = c->phase;

	list_remove(&all->lists[was], c);
	enlist(all, c, CONNECTION_EXPIRED, 0);
	all->len--;
	end(ctx, c, was);
}

void connections_expire(struct connections *all, int64_t mono_ms, connection_end_fn end, void *ctx)
{
	for (int phase = 0; phase < CONNECTION_EXPIRED; phase++) {
		struct connection_list *list = &all->lists[phase];

		while (list->head && list->head->deadline_mono_ms <= mono_ms)
			end_one(all, list->head, end, ctx);
	}
}

bool connections_make_room(struct connections *all, connection_end_fn end, void *ctx)
{
	while (all->len > all->max) {
		struct connection *c = all->lists[CONNECTION_IDLE].head;

		if (!c)
			c = all->lists[CONNECTION_HEADERS].head;
		if (!c)
			return false;
		end_one(all, c, end, ctx);
	}
	return true;
}

void connections_walk(struct connections *all, void (*each)(struct connection *c))
{
	for (int phase = 0; phase < NR_CONNECTION_PHASES; phase++)
		for (struct connection *c = all->lists[phase].head; c; c = c->next)
			each(c);
}
