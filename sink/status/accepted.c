/* accepted.c - see accepted.h. */
#include "sink/status/accepted.h"

#include <stdlib.h>

#include "common/map.h"

#define STEP_MS (ACCEPTED_SPAN_MS / ACCEPTED_STEPS)

struct accepted_instance {
	uint8_t key[MAP_KEY_BYTES]; /* hash of its name */
	double taken, refused;      /* as of its last heartbeat */
	int64_t sent_ms;
	bool seen;
};

void accepted_fini(struct accepted *a)
{
	free(a->instances);
	*a = (struct accepted){0};
}

static double figure(const struct heartbeat *beat, const char *name)
{
	for (size_t i = 0; i < beat->figures_len; i++)
		if (str_eq(beat->figures[i].key, str_from(name)))
			return beat->figures[i].value;
	return 0;
}

/* The instance of a heartbeat, as it is now when it was not known: what it counted before we heard of it was not in this minute. */
static struct accepted_instance *find(struct accepted *a, const struct heartbeat *beat, double taken, double refused, struct err *err)
{
	uint8_t key[MAP_KEY_BYTES];

	map_key_of(beat->instance, key);
	for (size_t i = 0; i < a->nr; i++)
		if (memcmp(a->instances[i].key, key, sizeof(key)) == 0)
			return &a->instances[i];
	if (a->nr == a->cap) {
		size_t cap = a->cap ? 2 * a->cap : 8;
		struct accepted_instance *instances = reallocarray(a->instances, cap, sizeof(*instances));

		if (!instances) {
			err_nomem(err, "the ingests' counts");
			return NULL;
		}
		a->instances = instances;
		a->cap = cap;
	}
	a->instances[a->nr] = (struct accepted_instance){.taken = taken, .refused = refused, .sent_ms = beat->sent_at};
	memcpy(a->instances[a->nr].key, key, sizeof(key));
	return &a->instances[a->nr++];
}

/* Counted between two heartbeats; after a new start all that there is. */
static double since(double before, double now)
{
	return now >= before ? now - before : now;
}

static void count(struct accepted *a, int64_t at_ms, double taken, double refused)
{
	int64_t begin_ms = at_ms - at_ms % STEP_MS;
	size_t i = (size_t)(at_ms / STEP_MS % ACCEPTED_STEPS);

	if (a->steps[i].begin_ms != begin_ms) {
		a->steps[i].begin_ms = begin_ms;
		a->steps[i].taken = a->steps[i].refused = 0;
	}
	a->steps[i].taken += taken;
	a->steps[i].refused += refused;
	a->counted_ms = at_ms;
}

/* Steps of more than a minute before the last heartbeat: on a fast test clock heartbeats may be further apart than a minute, and the last one holds until the next. */
static void expire(struct accepted *a)
{
	for (size_t i = 0; i < ACCEPTED_STEPS; i++)
		if (a->steps[i].begin_ms <= a->counted_ms - ACCEPTED_SPAN_MS)
			a->steps[i].taken = a->steps[i].refused = 0;
}

int accepted_take(struct accepted *a, const struct facts *facts, struct err *err)
{
	for (size_t i = 0; i < a->nr; i++)
		a->instances[i].seen = false;
	for (size_t i = 0; i < facts->nr_instances; i++) {
		const struct heartbeat *beat = facts->instances[i].beat;
		double taken, refused;
		struct accepted_instance *one;

		if (!str_eq(beat->program, STR("millrace-ingest")))
			continue;
		taken = figure(beat, "accepted_requests");
		refused = figure(beat, "unavailable_requests");
		one = find(a, beat, taken, refused, err);
		if (!one)
			return -1;
		one->seen = true;
		if (beat->sent_at == one->sent_ms)
			continue;
		if (facts->instances[i].live && beat->figures_len > 2) /* the last heartbeat of one that ends has no counts */
			count(a, facts->now_ms, since(one->taken, taken), since(one->refused, refused));
		one->taken = taken;
		one->refused = refused;
		one->sent_ms = beat->sent_at;
	}
	for (size_t i = a->nr; i-- > 0;)
		if (!a->instances[i].seen)
			a->instances[i] = a->instances[--a->nr];
	expire(a);
	return 0;
}

double accepted_share(const struct accepted *a)
{
	double taken = 0, refused = 0;

	for (size_t i = 0; i < ACCEPTED_STEPS; i++) {
		taken += a->steps[i].taken;
		refused += a->steps[i].refused;
	}
	return taken + refused > 0 ? taken / (taken + refused) : -1;
}
