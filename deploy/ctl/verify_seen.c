/* verify_seen.c - see verify_seen.h.
 *
 * An agent's numbers are kept as ranges from..to, in order; a payload in time makes the last one longer. They are kept below the floor
 * too, where the processor forgets them: a dead letter that is sent again is mostly below it, and counts all the same if it never was. */
#include "deploy/ctl/verify_seen.h"

#include <stdlib.h>

#include "common/clock.h"

/* A checkpoint follows within a minute or two, when data flows. */
#define DOUBT_MS (10 * CLOCK_MINUTE_MS)

struct range {
	int64_t from, to;
};

struct agent {
	int64_t floor;
	struct range *ranges; /* owned; neither overlapping nor touching */
	size_t len, cap;
};

struct key {
	int64_t came_ms;
};

void verify_seen_fini(struct verify_seen *s)
{
	const struct map_slot *slot;

	for (size_t at = 0; (slot = map_next(&s->agents, &at)) != NULL;)
		free(((struct agent *)slot->value)->ranges);
	map_fini(&s->agents);
	map_fini(&s->keys);
	arena_fini(&s->arena);
	free(s->refused);
	*s = (struct verify_seen)VERIFY_SEEN_INIT;
}

/* The key in a map of what belongs to a site: of its id, a letter and more bytes. */
static int key_of(struct str site, char letter, const void *bytes, size_t len, uint8_t out[MAP_KEY_BYTES])
{
	struct buf b = BUF_INIT;
	bool failed;

	buf_add(&b, site.p, site.len);
	buf_add(&b, "\0", 1);
	buf_add(&b, &letter, 1);
	buf_add(&b, bytes, len);
	map_key_of(buf_str(&b), out);
	failed = buf_failed(&b);
	buf_fini(&b);
	return failed ? -1 : 0;
}

/* What a map has of a key, made zeroed when it is new. */
static void *take_entry(struct verify_seen *s, struct map *map, const uint8_t key[MAP_KEY_BYTES], size_t size, bool *is_new)
{
	void *entry = map_get(map, key);

	*is_new = !entry;
	if (!entry && ((entry = arena_alloc(&s->arena, size)) == NULL || map_put(map, key, entry) < 0))
		return NULL;
	return entry;
}

/* How many ranges begin at or before seq. */
static size_t ranges_before(const struct agent *a, int64_t seq)
{
	size_t low = 0, high = a->len;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (a->ranges[middle].from <= seq)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool has_seq(const struct agent *a, int64_t seq)
{
	size_t n = ranges_before(a, seq);

	return n > 0 && a->ranges[n - 1].to >= seq;
}

/* Marks a seq that is not there. */
static int add_seq(struct agent *a, int64_t seq)
{
	size_t n = ranges_before(a, seq);
	bool below = n > 0 && a->ranges[n - 1].to + 1 == seq, above = n < a->len && a->ranges[n].from - 1 == seq;

	if (below && above) {
		a->ranges[n - 1].to = a->ranges[n].to;
		memmove(&a->ranges[n], &a->ranges[n + 1], (a->len - n - 1) * sizeof(*a->ranges));
		a->len--;
	} else if (below) {
		a->ranges[n - 1].to = seq;
	} else if (above) {
		a->ranges[n].from = seq;
	} else {
		if (a->len == a->cap) {
			size_t cap = a->cap ? 2 * a->cap : 2;
			struct range *ranges = realloc(a->ranges, cap * sizeof(*ranges));

			if (!ranges)
				return -1;
			a->ranges = ranges;
			a->cap = cap;
		}
		memmove(&a->ranges[n + 1], &a->ranges[n], (a->len - n) * sizeof(*a->ranges));
		a->ranges[n] = (struct range){seq, seq};
		a->len++;
	}
	return 0;
}

/* A payload is judged by the floor that was known before it; its own holds from the next one on. */
static int take_seq(struct verify_seen *s, const struct sample_batch *batch, bool again, struct err *err)
{
	uint8_t key[MAP_KEY_BYTES];
	struct agent *a;
	bool is_new, counted;

	if (key_of(batch->site, 'a', batch->agent_id, sizeof(batch->agent_id), key) < 0 ||
	    !(a = take_entry(s, &s->agents, key, sizeof(*a), &is_new)))
		return err_nomem(err, "an agent's payloads");
	counted = has_seq(a, batch->seq) || (batch->seq < a->floor && !again);
	if (batch->floor > a->floor)
		a->floor = batch->floor;
	if (!counted && add_seq(a, batch->seq) < 0)
		return err_nomem(err, "an agent's payloads");
	return !counted;
}

static int take_key(struct verify_seen *s, const struct sample_batch *batch, char letter, struct str bytes, int64_t watermark_ms,
		    struct err *err)
{
	uint8_t key[MAP_KEY_BYTES];
	struct key *k;
	bool is_new;

	if (key_of(batch->site, letter, bytes.p, bytes.len, key) < 0 || !(k = take_entry(s, &s->keys, key, sizeof(*k), &is_new)))
		return err_nomem(err, "an Idempotency-Key");
	if (!is_new && watermark_ms - k->came_ms < CLOCK_HOUR_MS)
		return 0;
	s->doubtful += !is_new && watermark_ms - k->came_ms < CLOCK_HOUR_MS + DOUBT_MS;
	k->came_ms = watermark_ms;
	return 1;
}

int verify_seen_refuse(struct verify_seen *s, int64_t offset, struct err *err)
{
	if (s->first < 0)
		s->first = offset;
	if (s->refused_len == s->refused_cap) {
		size_t cap = s->refused_cap ? 2 * s->refused_cap : 16;
		int64_t *refused = realloc(s->refused, cap * sizeof(*refused));

		if (!refused)
			return err_nomem(err, "a list of refused records");
		s->refused = refused;
		s->refused_cap = cap;
	}
	s->refused[s->refused_len++] = offset;
	return 0;
}

static bool was_refused(const struct verify_seen *s, int64_t offset)
{
	size_t low = 0, high = s->refused_len;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (s->refused[middle] < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low < s->refused_len && s->refused[low] == offset;
}

/* Did the first of these copies stand among what was read, and was counted there? */
static bool origin_counted(const struct verify_seen *s, const struct origin *origin)
{
	return origin && s->first >= 0 && origin->offset >= s->first && !was_refused(s, origin->offset);
}

int verify_seen_take(struct verify_seen *s, const struct sample_batch *batch, const struct verify_place *place, struct err *err)
{
	const struct origin *origin = place->origin;

	if (s->first < 0)
		s->first = place->offset;
	if (batch->has_agent_id)
		return take_seq(s, batch, origin != NULL, err);
	if (origin_counted(s, origin))
		return 0;
	if (batch->has_idempotency_key)
		return take_key(s, batch, 'k', batch->idempotency_key, place->watermark_ms, err);
	if (origin)
		return take_key(s, batch, 'o', (struct str){(const char *)&origin->offset, sizeof(origin->offset)}, place->watermark_ms,
				err);
	return 1;
}
