/* crowd_plan.c - see crowd_plan.h.
 *
 * Invariants:
 *  I1  No two values of a series in one flush have the same time, as which of them is the "last" would be drawn by lot. Values in time have
 *      even times, all different; late ones have odd times, whole minutes and 1 ms off, and those of one flush are due within less than a
 *      minute, as there are none among what is made up for. (The rest of the slot in which a standstill began may have one: its chance to
 *      meet another is one in a million.)
 *  I2  The number of slots that a store must keep open for a series stays below STORE_OPEN_SLOTS_MAX: 40 for late values, and CATCH_UP. */
#include "tests/rehearsal/crowd_plan.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"

enum { LATE_ONE_IN = 50, LATE_MINUTES_MAX = 20, ZERO_ONE_IN = 16, CATCH_UP_SLOTS = 10, COUNTER_MAX = 20000, VALUE_MAX = 200000, DIST_SHIFTS = 12 };

static uint64_t next_random(struct crowd_plan *p)
{
	p->random ^= p->random >> 12;
	p->random ^= p->random << 25;
	p->random ^= p->random >> 27;
	return p->random * UINT64_C(0x2545f4914f6cdd1d) >> 16;
}

static int64_t below(struct crowd_plan *p, uint64_t n)
{
	return (int64_t)(next_random(p) % n);
}

static void name_series(struct crowd_series *s, size_t number, size_t shared, const char *host)
{
	static const char *const words[] = {"checkout", "search", "cart", "login"};
	static const enum store_kind kinds[] = {STORE_COUNTER, STORE_GAUGE, STORE_DISTRIBUTION};
	static const char *const nouns[] = {"orders", "load", "duration"};
	size_t kind = number % (sizeof(kinds) / sizeof(kinds[0]));
	const char *word = words[number % (sizeof(words) / sizeof(words[0]))];

	s->kind = kinds[kind];
	snprintf(s->name, sizeof(s->name), "%s.%s.%s.%zu", number < shared ? "shop" : "box", word, nouns[kind], number);
	snprintf(s->tag_key, sizeof(s->tag_key), "%s", number < shared ? "route" : "host");
	snprintf(s->tag_value, sizeof(s->tag_value), "%s%.24s", number < shared ? "/v2/" : "", number < shared ? word : host);
	snprintf(s->tags, sizeof(s->tags), "%s:%s", s->tag_key, s->tag_value);
}

int crowd_plan_init(struct crowd_plan *p, uint64_t seed, const char *host, size_t nr_series, size_t mean, int64_t began_ms, struct err *err)
{
	*p = (struct crowd_plan){
		.series = calloc(nr_series, sizeof(*p->series)),
		.values = calloc(nr_series * mean * 2, sizeof(*p->values)),
		.nr_series = nr_series,
		.mean = mean,
		.slot_ms = store_slot(began_ms) - STORE_SLOT_MS,
		.began_ms = began_ms,
		.random = seed * UINT64_C(0x9e3779b97f4a7c15) + 88172645463325252u,
	};
	if (!p->series || !p->values)
		return err_nomem(err, "an agent's plan");
	if (p->random == 0)
		p->random = 1;
	for (size_t i = 0; i < nr_series; i++)
		name_series(&p->series[i], i, nr_series / 2, host);
	for (int i = 0; i < 16; i++) /* neighbours' seeds differ in few bits */
		next_random(p);
	return 0;
}

void crowd_plan_fini(struct crowd_plan *p)
{
	free(p->series);
	free(p->values);
	*p = (struct crowd_plan){0};
}

static int64_t draw_value(struct crowd_plan *p, enum store_kind kind)
{
	if (kind == STORE_COUNTER)
		return below(p, COUNTER_MAX);
	if (kind == STORE_GAUGE)
		return below(p, 2 * VALUE_MAX - 1) - (VALUE_MAX - 1);
	return below(p, ZERO_ONE_IN) == 0 ? 0 : below(p, VALUE_MAX) >> below(p, DIST_SHIFTS);
}

/* How long before it is told a value belongs. */
static int64_t draw_delay(struct crowd_plan *p, int64_t due_ms)
{
	int64_t minutes = (due_ms - p->began_ms) / CLOCK_MINUTE_MS;

	if (below(p, LATE_ONE_IN) != 0 || minutes < 1)
		return 0;
	return (1 + below(p, (uint64_t)(minutes < LATE_MINUTES_MAX ? minutes : LATE_MINUTES_MAX))) * CLOCK_MINUTE_MS - 1;
}

/* The slot is cut into parts of an even length, one for each value. */
static void draw_series(struct crowd_plan *p, size_t series, bool some_late)
{
	int64_t n = below(p, 2 * p->mean + 1), half = n ? STORE_SLOT_MS / n / 2 : 0;

	for (int64_t i = 0; i < n; i++) {
		int64_t due_ms = p->slot_ms + 2 * (i * half + below(p, (uint64_t)half));

		p->values[p->len++] = (struct crowd_value){
			.due_ms = due_ms,
			.t_ms = due_ms - (some_late ? draw_delay(p, due_ms) : 0),
			.k = draw_value(p, p->series[series].kind),
			.series = (uint16_t)series,
		};
	}
}

static int by_due(const void *a, const void *b)
{
	const struct crowd_value *x = a, *y = b;

	return x->due_ms != y->due_ms ? (x->due_ms > y->due_ms) - (x->due_ms < y->due_ms) : (x->series > y->series) - (x->series < y->series);
}

static void draw_slot(struct crowd_plan *p, int64_t slot_ms, bool some_late)
{
	p->slot_ms = slot_ms;
	p->len = p->at = 0;
	for (size_t i = 0; i < p->nr_series; i++)
		draw_series(p, i, some_late);
	qsort(p->values, p->len, sizeof(p->values[0]), by_due);
}

const struct crowd_value *crowd_plan_next(struct crowd_plan *p, int64_t until_ms)
{
	while (p->at == p->len) {
		int64_t next_ms = p->slot_ms + STORE_SLOT_MS, oldest_ms = store_slot(until_ms) - CATCH_UP_SLOTS * STORE_SLOT_MS;

		if (next_ms > until_ms)
			return NULL;
		next_ms = next_ms < oldest_ms ? oldest_ms : next_ms;
		draw_slot(p, next_ms, next_ms == store_slot(until_ms));
	}
	return p->values[p->at].due_ms <= until_ms ? &p->values[p->at++] : NULL;
}
