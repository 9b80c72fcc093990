/* agenda.c - see agenda.h.
 *
 * A binary heap in an array: no parent comes after its children. Each item knows its place, from 1, so that it can be moved and taken out where it stands. */
#include "sink/notify/agenda.h"

#include <stdbool.h>
#include <stdlib.h>

void agenda_fini(struct agenda *a)
{
	free(a->heap);
	*a = (struct agenda)AGENDA_INIT;
}

static bool before(const struct agenda_item *x, const struct agenda_item *y)
{
	return x->at_ms != y->at_ms ? x->at_ms < y->at_ms : x->since_ms < y->since_ms;
}

static void set(struct agenda *a, size_t place, struct agenda_item *item)
{
	a->heap[place - 1] = item;
	item->place = place;
}

/* Upwards, as far as it comes before its parent. */
static void rise(struct agenda *a, struct agenda_item *item)
{
	while (item->place > 1 && before(item, a->heap[item->place / 2 - 1])) {
		size_t up = item->place / 2;

		set(a, item->place, a->heap[up - 1]);
		set(a, up, item);
	}
}

/* Downwards, as far as a child comes before it. */
static void sink(struct agenda *a, struct agenda_item *item)
{
	for (;;) {
		size_t down = 2 * item->place;

		if (down > a->len)
			return;
		if (down < a->len && before(a->heap[down], a->heap[down - 1]))
			down++;
		if (!before(a->heap[down - 1], item))
			return;
		set(a, item->place, a->heap[down - 1]);
		set(a, down, item);
	}
}

int agenda_add(struct agenda *a, struct agenda_item *item, int64_t at_ms)
{
	if (a->len == a->cap) {
		size_t cap = a->cap ? 2 * a->cap : 64;
		struct agenda_item **heap = reallocarray(a->heap, cap, sizeof(struct agenda_item *));

		if (!heap)
			return -1;
		a->heap = heap;
		a->cap = cap;
	}
	item->at_ms = at_ms;
	set(a, ++a->len, item);
	rise(a, item);
	return 0;
}

void agenda_move(struct agenda *a, struct agenda_item *item, int64_t at_ms)
{
	item->at_ms = at_ms;
	rise(a, item);
	sink(a, item);
}

void agenda_remove(struct agenda *a, struct agenda_item *item)
{
	struct agenda_item *last;

	if (item->place == 0)
		return;
	last = a->heap[--a->len];
	if (last != item) {
		set(a, item->place, last);
		rise(a, last);
		sink(a, last);
	}
	item->place = 0;
}

struct agenda_item *agenda_first(const struct agenda *a)
{
	return a->len > 0 ? a->heap[0] : NULL;
}

/* Capping all times alike leaves no parent behind its child by time; among those that are equal now the age has to be sorted out anew. */
void agenda_hurry(struct agenda *a, int64_t at_ms)
{
	for (size_t i = 0; i < a->len; i++)
		if (a->heap[i]->at_ms > at_ms)
			a->heap[i]->at_ms = at_ms;
	for (size_t i = a->len / 2; i-- > 0;)
		sink(a, a->heap[i]);
}
