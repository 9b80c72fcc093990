/* aliases.h - from the bytes of a line to its series, in one look.
 *
 * A cache: clients write a series in the same way each time, so the hash of the bytes as they came finds what sorting and checking its tags
 * found the first time. Four entries share a cache line; what does not fit takes another's place and is found the long way. A hash of 64
 * bits with a secret stands for the bytes themselves: among a million ways of writing, two agree once in 37 million runs. */
#ifndef MILLRACE_AGENT_ALIASES_H
#define MILLRACE_AGENT_ALIASES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct series;

enum { ALIASES_WAYS = 4 };

struct aliases_line {
	struct {
		uint64_t hash;
		struct series *series; /* borrowed; NULL: free */
	} way[ALIASES_WAYS];
};

struct aliases {
	struct aliases_line *lines;
	size_t mask; /* their number, a power of two, less 1 */
};

/* Room for n aliases, in at most max_bytes (or the least there can be). -1 when memory is short. */
int aliases_init(struct aliases *a, size_t n, size_t max_bytes);
void aliases_fini(struct aliases *a); /* frees; what was zeroed too */

/* Bytes allocated. */
static inline size_t aliases_bytes(const struct aliases *a)
{
	return (a->mask + 1) * sizeof(a->lines[0]);
}

/* The series of a hash, or NULL. */
static inline struct series *aliases_get(const struct aliases *a, uint64_t hash)
{
	const struct aliases_line *line = &a->lines[hash & a->mask];

	for (int i = 0; i < ALIASES_WAYS; i++)
		if (line->way[i].hash == hash && line->way[i].series)
			return line->way[i].series;
	return NULL;
}

/* Remembers series for hash, which is not there. */
void aliases_put(struct aliases *a, uint64_t hash, struct series *series);

/* Forgets all series of which gone() is true. */
void aliases_sweep(struct aliases *a, bool (*gone)(const struct series *series));

#endif
