/* map.h - a hash table from 16-byte keys to pointers.
 *
 * Open addressing with linear probing and backward-shift deletion, at most 3/4 full. Keys must already be well mixed
 * (fingerprints, hashes): their last 8 bytes are the hash. Where it leads to is a secret of each map, as whoever chooses names can have as many
 * as he likes whose hashes agree in some bits. The map owns neither what its pointers mean nor the caller's
 * key bytes (it keeps copies). Not thread-safe. */
#ifndef MILLRACE_MAP_H
#define MILLRACE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/str.h"

enum { MAP_KEY_BYTES = 16 };

struct map_slot {
	uint8_t key[MAP_KEY_BYTES];
	void *value; /* NULL: free */
};

struct map {
	struct map_slot *slots; /* a power of two of them, or NULL */
	size_t nr_slots;
	size_t len;
	uint64_t secret; /* map_secret(), from the first slots on */
};

#define MAP_INIT {0}

/* Frees the slots, not the values. */
void map_fini(struct map *m);

/* Bytes allocated for the slots. */
static inline size_t map_bytes(const struct map *m)
{
	return m->nr_slots * sizeof(*m->slots);
}

/* The value of key, or NULL. */
void *map_get(const struct map *m, const uint8_t key[MAP_KEY_BYTES]);

/* Sets key to value (not NULL), new or not. 0, or -1 when memory is short: the map is unchanged then. */
int map_put(struct map *m, const uint8_t key[MAP_KEY_BYTES], void *value);

/* Removes key; returns what it had, or NULL. */
void *map_remove(struct map *m, const uint8_t key[MAP_KEY_BYTES]);

/* Makes room for n entries in all, so that puts up to there cannot fail. 0, or -1 when memory is short. */
int map_reserve(struct map *m, size_t n);

/* Gives room back when less than an eighth of it is used. */
void map_trim(struct map *m);

/* Walks all entries in no order: *at starts at 0; NULL ends. The map must not change meanwhile. */
const struct map_slot *map_next(const struct map *m, size_t *at);

/* A secret for map_home(). */
uint64_t map_secret(void);

/* Where among nr_slots, a power of two of at least 2, a key should stand: a product's upper bits depend on all bits of the hash and the secret. */
static inline size_t map_home(const uint8_t key[MAP_KEY_BYTES], uint64_t secret, size_t nr_slots)
{
	uint64_t hash;

	memcpy(&hash, key + 8, sizeof(hash));
	return (size_t)(hash * secret >> (__builtin_clzll((unsigned long long)nr_slots) + 1));
}

/* A key for any byte string: XXH3-128 of it. */
void map_key_of(struct str s, uint8_t key[MAP_KEY_BYTES]);

#endif
