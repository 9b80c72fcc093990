/* members.c - see members.h.
 *
 * The lower bits of a hash say where it stands, the upper ones whether it is held: neither sort knows of the other. What is forgotten
 * leaves by backward shift, so that no slot is a tombstone and halving needs no memory. Invariants: at most three quarters of the slots are
 * full, and len <= MEMBERS_MAX. */
#include "ingest/agent/members.h"

#include <stdlib.h>

enum { SLOTS_LEAST = 8, LEVEL_MAX = 40 };

void members_fini(struct members *m)
{
	free(m->hashes);
	*m = (struct members){0};
}

static bool held(uint64_t hash, uint8_t level)
{
	return level == 0 || hash >> (64 - level) == 0;
}

/* Where hash stands, or the free slot where it should. */
static uint32_t place(const struct members *m, uint64_t hash)
{
	uint32_t mask = m->nr_slots - 1, i = (uint32_t)hash & mask;

	while (m->hashes[i] && m->hashes[i] != hash)
		i = (i + 1) & mask;
	return i;
}

static bool grow(struct members *m)
{
	struct members bigger = *m;

	bigger.nr_slots = m->nr_slots ? m->nr_slots * 2 : SLOTS_LEAST;
	bigger.hashes = calloc(bigger.nr_slots, sizeof(bigger.hashes[0]));
	if (!bigger.hashes)
		return false;
	for (uint32_t i = 0; i < m->nr_slots; i++)
		if (m->hashes[i])
			bigger.hashes[place(&bigger, m->hashes[i])] = m->hashes[i];
	free(m->hashes);
	*m = bigger;
	return true;
}

/* Empties slot i, and moves those behind it up that would not be found any more. */
static void take_out(struct members *m, uint32_t i)
{
	uint32_t mask = m->nr_slots - 1;

	for (uint32_t j = (i + 1) & mask; m->hashes[j]; j = (j + 1) & mask) {
		uint32_t home = (uint32_t)m->hashes[j] & mask;

		if (((j - home) & mask) >= ((j - i) & mask)) {
			m->hashes[i] = m->hashes[j];
			i = j;
		}
	}
	m->hashes[i] = 0;
	m->len--;
}

static void halve(struct members *m)
{
	m->level++;
	for (uint32_t i = 0; i < m->nr_slots;) {
		if (m->hashes[i] && !held(m->hashes[i], m->level))
			take_out(m, i); /* another may stand there now */
		else
			i++;
	}
}

/* No slot is left for another hash. */
static bool full(const struct members *m)
{
	return m->len == MEMBERS_MAX || (m->len + 1) * 4 > m->nr_slots * 3;
}

bool members_add(struct members *m, uint64_t hash, bool may_grow)
{
	uint32_t at;

	hash += hash == 0;
	if (!held(hash, m->level))
		return true;
	if (m->nr_slots == 0 && !(may_grow && grow(m)))
		return false;
	at = place(m, hash);
	if (m->hashes[at])
		return true;
	if (full(m) && (m->len == MEMBERS_MAX || !may_grow || !grow(m)))
		while (full(m) && m->level < LEVEL_MAX)
			halve(m);
	if (!held(hash, m->level) || full(m))
		return true;
	m->hashes[place(m, hash)] = hash;
	m->len++;
	return true;
}
