/* ledger.c - see ledger.h.
 *
 * Spans are numbered in the order in which they are opened, and the ring holds them in this order. One that is settled says nothing any more: at
 * the ring's head it goes at once, so that the oldest one there is always open and its begin is what may be committed; behind an open one it
 * goes when room is wanted. So a span that stays open for days costs no memory, whatever is settled behind it, and the ring has as many places
 * as twice the batches in flight, few: nothing here needs to be faster than a walk. */
#include "sink/mongo/ledger.h"

#include <inttypes.h>
#include <stdlib.h>

enum { RING_MIN = 8 };

void ledger_init(struct ledger *l, int64_t begin)
{
	*l = (struct ledger){.next = begin};
}

void ledger_fini(struct ledger *l)
{
	free(l->spans);
	ledger_init(l, l->next);
}

static struct ledger_span *span_at(const struct ledger *l, size_t i)
{
	return &l->spans[(l->head + i) % l->cap];
}

/* Takes the settled spans out. */
static void ring_tidy(struct ledger *l)
{
	size_t open = 0;

	for (size_t i = 0; i < l->len; i++)
		if (!span_at(l, i)->settled)
			*span_at(l, open++) = *span_at(l, i);
	l->len = open;
}

/* Makes room for one more; half of a ring that is kept is free, so that it is not tidied at every step. */
static int ring_reserve(struct ledger *l, struct err *err)
{
	size_t cap = l->cap ? l->cap * 2 : RING_MIN;
	struct ledger_span *spans;

	if (l->len < l->cap)
		return 0;
	ring_tidy(l);
	if (l->len < l->cap / 2)
		return 0;
	spans = calloc(cap, sizeof(*spans));
	if (!spans)
		return err_nomem(err, "a partition's ledger");
	for (size_t i = 0; i < l->len; i++)
		spans[i] = *span_at(l, i);
	free(l->spans);
	l->spans = spans;
	l->head = 0;
	l->cap = cap;
	return 0;
}

int ledger_open(struct ledger *l, uint64_t *id, struct err *err)
{
	if (ring_reserve(l, err) < 0)
		return -1;
	*id = l->next_id++;
	l->len++;
	*span_at(l, l->len - 1) = (struct ledger_span){.id = *id, .begin = l->next};
	return 0;
}

void ledger_skip_to(struct ledger *l, int64_t offset)
{
	if (offset > l->next)
		l->next = offset;
}

/* Forgets the settled spans before the oldest open one. */
static void ring_shrink(struct ledger *l)
{
	while (l->len && span_at(l, 0)->settled) {
		l->head = (l->head + 1) % l->cap;
		l->len--;
	}
}

/* NULL: settled, and gone. */
static struct ledger_span *find(const struct ledger *l, uint64_t id)
{
	for (size_t i = 0; i < l->len; i++)
		if (span_at(l, i)->id == id)
			return span_at(l, i);
	return NULL;
}

/* The last span, nearly always. */
void ledger_take(struct ledger *l, uint64_t id, int64_t offset, int64_t t_ms)
{
	struct ledger_span *last = span_at(l, l->len - 1), *span = last->id == id ? last : find(l, id);

	l->next = offset + 1;
	l->last_ms = t_ms;
	l->consumed++;
	if (span->taken++ == 0)
		span->first_ms = t_ms;
}

int ledger_settle(struct ledger *l, uint64_t id, const struct ledger_outcome *outcome, struct err *err)
{
	uint64_t sum = outcome->stored + outcome->already_stored + outcome->dead_lettered + outcome->dropped;
	struct ledger_span *span = find(l, id);

	if (!span || span->settled || span->taken != sum) {
		l->broken = true;
		return err_set(err, ERR_FATAL,
			       "span %" PRIu64 " of offsets from %" PRId64 " took %" PRIu64 " records, but %" PRIu64
			       " were settled (%" PRIu64 " stored, %" PRIu64 " already stored, %" PRIu64
			       " dead-lettered, %" PRIu64 " dropped): no offset behind it will be committed",
			       id, span ? span->begin : -1, span && !span->settled ? span->taken : 0, sum, outcome->stored,
			       outcome->already_stored, outcome->dead_lettered, outcome->dropped);
	}
	span->settled = true;
	l->settled.stored += outcome->stored;
	l->settled.already_stored += outcome->already_stored;
	l->settled.dead_lettered += outcome->dead_lettered;
	l->settled.dropped += outcome->dropped;
	ring_shrink(l);
	return 0;
}

int64_t ledger_committable(const struct ledger *l)
{
	return l->len ? span_at(l, 0)->begin : l->next;
}

int64_t ledger_oldest_ms(const struct ledger *l)
{
	return l->len ? span_at(l, 0)->first_ms : 0;
}

bool ledger_balanced(const struct ledger *l)
{
	uint64_t sum = l->settled.stored + l->settled.already_stored + l->settled.dead_lettered + l->settled.dropped;

	for (size_t i = 0; i < l->len; i++)
		if (!span_at(l, i)->settled)
			sum += span_at(l, i)->taken;
	return !l->broken && sum == l->consumed;
}
