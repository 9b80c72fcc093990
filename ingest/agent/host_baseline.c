/* host_baseline.c - see host_baseline.h.
 *
 * The kernel lists its devices in the same order each time, so an entry is nearly always found where the last one ended; a search is the
 * exception. Keys are kept as hashes: of the few hundred there are, no two meet. */
#include "ingest/agent/host_baseline.h"

#include <stdlib.h>

enum { ENTRIES_FIRST = 64 };

void host_baseline_fini(struct host_baseline *b)
{
	free(b->entries);
	*b = (struct host_baseline)HOST_BASELINE_INIT;
}

static struct host_baseline_entry *find(struct host_baseline *b, const uint8_t key[MAP_KEY_BYTES])
{
	for (size_t i = 0; i < b->len; i++) {
		size_t at = (b->cursor + i) % b->len;

		if (memcmp(b->entries[at].key, key, MAP_KEY_BYTES) == 0) {
			b->cursor = at + 1;
			return &b->entries[at];
		}
	}
	return NULL;
}

static void add(struct host_baseline *b, const uint8_t key[MAP_KEY_BYTES], uint64_t value)
{
	if (b->len == b->cap) {
		size_t cap = b->cap ? 2 * b->cap : ENTRIES_FIRST;
		struct host_baseline_entry *grown = realloc(b->entries, cap * sizeof(*grown));

		if (!grown)
			return;
		b->entries = grown;
		b->cap = cap;
	}
	memcpy(b->entries[b->len].key, key, MAP_KEY_BYTES);
	b->entries[b->len].value = value;
	b->entries[b->len++].seen = true;
}

bool host_baseline_since(struct host_baseline *b, struct str key, uint64_t value, uint64_t *since)
{
	uint8_t hash[MAP_KEY_BYTES];
	struct host_baseline_entry *e;
	uint64_t before;

	map_key_of(key, hash);
	e = find(b, hash);
	if (!e) {
		add(b, hash, value);
		return false;
	}
	if (e->seen) /* two devices of one name: the first one has it */
		return false;
	before = e->value;
	e->value = value;
	e->seen = true;
	if (value < before)
		return false;
	*since = value - before;
	return true;
}

void host_baseline_end(struct host_baseline *b)
{
	size_t kept = 0;

	for (size_t i = 0; i < b->len; i++) {
		if (!b->entries[i].seen)
			continue;
		b->entries[kept] = b->entries[i];
		b->entries[kept++].seen = false;
	}
	b->len = kept;
	b->cursor = 0;
}
