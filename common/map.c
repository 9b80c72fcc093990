/* map.c - see map.h.
 *
 * Invariant: every entry is reachable from its home slot without crossing a free one. Removal keeps it by shifting later
 * entries of the run back (Knuth, TAOCP vol. 3, 6.4, algorithm R), so there are no tombstones and lookups never slow down. */
#include "common/map.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <xxhash.h>

enum { SLOTS_MIN = 16, TRIM_BELOW = 8 /* of the slots: an eighth full */ };

uint64_t map_secret(void)
{
	uint64_t secret;

	/* Where there is no randomness yet, some is in where things lie. */
	if (getrandom(&secret, sizeof(secret), GRND_NONBLOCK) != sizeof(secret))
		secret = (uint64_t)(uintptr_t)&secret * UINT64_C(0x9e3779b97f4a7c15);
	return secret | 1; /* odd: no bit of a hash is lost */
}

static size_t home_of(const struct map *m, const uint8_t *key)
{
	return map_home(key, m->secret, m->nr_slots);
}

/* The slot of key, or the free one where it would go. There always is a free slot. */
static struct map_slot *slot_of(const struct map *m, const uint8_t *key)
{
	size_t i = home_of(m, key);

	while (m->slots[i].value && memcmp(m->slots[i].key, key, MAP_KEY_BYTES) != 0)
		i = (i + 1) & (m->nr_slots - 1);
	return &m->slots[i];
}

void map_fini(struct map *m)
{
	free(m->slots);
	*m = (struct map)MAP_INIT;
}

void *map_get(const struct map *m, const uint8_t key[MAP_KEY_BYTES])
{
	return m->slots ? slot_of(m, key)->value : NULL;
}

static int resize(struct map *m, size_t nr_slots)
{
	struct map bigger = {.slots = calloc(nr_slots, sizeof(*m->slots)), .nr_slots = nr_slots, .len = m->len,
			     .secret = m->secret ? m->secret : map_secret()};

	if (!bigger.slots)
		return -1;
	for (size_t i = 0; i < m->nr_slots; i++)
		if (m->slots[i].value)
			*slot_of(&bigger, m->slots[i].key) = m->slots[i];
	free(m->slots);
	*m = bigger;
	return 0;
}

int map_reserve(struct map *m, size_t n)
{
	size_t nr_slots = m->nr_slots ? m->nr_slots : SLOTS_MIN;

	if (n > SIZE_MAX / 4 / sizeof(struct map_slot))
		return -1;
	while (nr_slots / 4 * 3 < n)
		nr_slots *= 2;
	return nr_slots == m->nr_slots ? 0 : resize(m, nr_slots);
}

void map_trim(struct map *m)
{
	if (m->nr_slots > SLOTS_MIN && m->len < m->nr_slots / TRIM_BELOW)
		resize(m, m->nr_slots / 4); /* it is only memory that is lost when this fails */
}

int map_put(struct map *m, const uint8_t key[MAP_KEY_BYTES], void *value)
{
	struct map_slot *slot = m->slots ? slot_of(m, key) : NULL;

	if (!slot || !slot->value) {
		if (map_reserve(m, m->len + 1) < 0)
			return -1;
		slot = slot_of(m, key);
		memcpy(slot->key, key, MAP_KEY_BYTES);
		m->len++;
	}
	slot->value = value;
	return 0;
}

void *map_remove(struct map *m, const uint8_t key[MAP_KEY_BYTES])
{
	struct map_slot *hole = m->slots ? slot_of(m, key) : NULL;
	size_t mask = m->nr_slots - 1;
	void *value = hole ? hole->value : NULL;
	size_t at;

	if (!value)
		return NULL;
	at = (size_t)(hole - m->slots);
	for (size_t i = (at + 1) & mask; m->slots[i].value; i = (i + 1) & mask) {
		/* The entry at i may fill the hole unless its home lies behind the hole. */
		if (((i - home_of(m, m->slots[i].key)) & mask) >= ((i - at) & mask)) {
			m->slots[at] = m->slots[i];
			at = i;
		}
	}
	m->slots[at].value = NULL;
	m->len--;
	return value;
}

const struct map_slot *map_next(const struct map *m, size_t *at)
{
	while (*at < m->nr_slots) {
		const struct map_slot *slot = &m->slots[(*at)++];

		if (slot->value)
			return slot;
	}
	return NULL;
}

void map_key_of(struct str s, uint8_t key[MAP_KEY_BYTES])
{
	XXH128_canonical_t canonical;

	XXH128_canonicalFromHash(&canonical, XXH3_128bits(s.p, s.len));
	memcpy(key, canonical.digest, MAP_KEY_BYTES);
}
