/* rate.c - see rate.h.
 *
 * What a bucket holds is time, not tokens, so that nothing is lost to rounding: between two looks hardly ever a whole token has come, and what there is of one must
 * not be dropped. */
#include "sink/notify/rate.h"

#include <stdlib.h>

#include "common/clock.h"

struct rate_bucket {
	int64_t at_ms;   /* when held_ms was so */
	int64_t held_ms;
	int64_t told_ms; /* when somebody was told that it had run dry; has_told */
	bool has_told;
	uint64_t waits;  /* since then */
	char site[CONTROL_SITE_MAX + 1];
};

void rate_init(struct rate *r, int64_t per_hour)
{
	*r = (struct rate){0};
	if (per_hour <= 0)
		return;
	r->cost_ms = per_hour < CLOCK_HOUR_MS ? CLOCK_HOUR_MS / per_hour : 1;
	r->full_ms = r->cost_ms * per_hour;
}

void rate_fini(struct rate *r)
{
	const struct map_slot *slot;

	for (size_t at = 0; (slot = map_next(&r->sites, &at));)
		free(slot->value);
	map_fini(&r->sites);
}

void rate_reset(struct rate *r)
{
	rate_fini(r);
	r->sites = (struct map)MAP_INIT;
	r->at = 0;
}

/* What has come in since. The clock of another machine, or of a test, may leap either way. */
static void fill(const struct rate *r, struct rate_bucket *b, int64_t now_ms)
{
	if (now_ms - b->at_ms >= r->full_ms)
		b->held_ms = r->full_ms;
	else if (now_ms > b->at_ms)
		b->held_ms += now_ms - b->at_ms;
	if (b->held_ms > r->full_ms)
		b->held_ms = r->full_ms;
	b->at_ms = now_ms;
}

/* Buckets that are full again go. A removal moves what stands behind to its place, so that is looked at once more. */
static void sweep(struct rate *r, int64_t now_ms)
{
	const struct map_slot *slot;
	size_t at = 0;

	while ((slot = map_next(&r->sites, &at))) {
		struct rate_bucket *b = slot->value;

		fill(r, b, now_ms);
		if (b->held_ms < r->full_ms)
			continue;
		map_remove(&r->sites, slot->key);
		free(b);
		at--;
	}
}

/* A site's bucket, full when it is new; NULL when there is no room for it. */
static struct rate_bucket *bucket_of(struct rate *r, struct str site, int64_t now_ms)
{
	uint8_t key[MAP_KEY_BYTES];
	struct rate_bucket *b;

	map_key_of(site, key);
	b = map_get(&r->sites, key);
	if (b)
		return b;
	if (r->sites.len >= RATE_SITES_MAX)
		sweep(r, now_ms);
	b = r->sites.len < RATE_SITES_MAX ? calloc(1, sizeof(*b)) : NULL;
	if (!b)
		return NULL;
	b->at_ms = now_ms;
	b->held_ms = r->full_ms;
	memcpy(b->site, site.p, site.len < CONTROL_SITE_MAX ? site.len : CONTROL_SITE_MAX);
	if (map_put(&r->sites, key, b) == 0)
		return b;
	free(b);
	return NULL;
}

int64_t rate_take(struct rate *r, struct str site, int64_t now_ms)
{
	struct rate_bucket *b = r->cost_ms > 0 ? bucket_of(r, site, now_ms) : NULL;

	if (!b)
		return now_ms;
	fill(r, b, now_ms);
	if (b->held_ms >= r->cost_ms) {
		b->held_ms -= r->cost_ms;
		return now_ms;
	}
	b->waits++;
	return now_ms + r->cost_ms - b->held_ms;
}

void rate_charge(struct rate *r, struct str site, int64_t at_ms, int64_t now_ms)
{
	int64_t age_ms = now_ms > at_ms ? now_ms - at_ms : 0;
	struct rate_bucket *b = r->cost_ms > 0 && age_ms < r->full_ms ? bucket_of(r, site, now_ms) : NULL;
	int64_t left_ms;

	if (!b)
		return;
	/* An hour old it is made up for, as by a bucket that was full and has been filling since. */
	left_ms = (int64_t)((double)r->cost_ms * (double)(r->full_ms - age_ms) / (double)r->full_ms);
	b->held_ms = b->held_ms > left_ms ? b->held_ms - left_ms : 0;
}

bool rate_next_limited(struct rate *r, int64_t now_ms, char site[CONTROL_SITE_MAX + 1], uint64_t *times)
{
	const struct map_slot *slot;

	while ((slot = map_next(&r->sites, &r->at))) {
		struct rate_bucket *b = slot->value;

		if (b->waits == 0 || (b->has_told && now_ms - b->told_ms < CLOCK_HOUR_MS))
			continue;
		memcpy(site, b->site, sizeof(b->site));
		*times = b->waits;
		b->waits = 0;
		b->has_told = true;
		b->told_ms = now_ms;
		return true;
	}
	r->at = 0;
	return false;
}
