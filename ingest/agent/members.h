/* members.h - how many different members a set has, in bounded memory.
 *
 * Holds the hashes of members: all of them while they are few, so that the number is exact. When there are too many, or memory is short,
 * those of every second possible hash are forgotten and not taken any more, and each one that is left stands for twice as many (adaptive
 * sampling: Wegman; Flajolet 1990). The standard error is 1.2 / sqrt(most hashes held): 1.9 % of 4,096, up to 2.7 % just after they were
 * halved. Not thread-safe. */
#ifndef MILLRACE_AGENT_MEMBERS_H
#define MILLRACE_AGENT_MEMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MEMBERS_MAX = 4096 };

struct members {
	uint64_t *hashes; /* open addressing; 0 is free */
	uint32_t nr_slots; /* a power of two, or 0 */
	uint32_t len;
	uint8_t level;    /* hashes with any of the `level` highest bits set are not held */
};

/* Frees; m is as when zeroed, which is empty. */
void members_fini(struct members *m);

/* Adds a member by its well mixed hash. may_grow: is there memory for more? Without it, or when there is none, the number becomes an
 * estimate. False: not even the first few slots could be had; nothing is changed. */
bool members_add(struct members *m, uint64_t hash, bool may_grow);

/* How many there were, exactly while members_exact(). */
static inline double members_count(const struct members *m)
{
	return (double)m->len * (double)(UINT64_C(1) << m->level);
}

/* Is the count the true one? */
static inline bool members_exact(const struct members *m)
{
	return m->level == 0;
}

/* Bytes allocated. */
static inline size_t members_bytes(const struct members *m)
{
	return m->nr_slots * sizeof(m->hashes[0]);
}

#endif
