/* aliases.c - see aliases.h. Lines are aligned to cache lines, so that a look costs one of them. */
#include "ingest/agent/aliases.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { LINES_LEAST = 64, CACHE_LINE = 64 };

static_assert(sizeof(struct aliases_line) == CACHE_LINE, "a look costs one cache line");

int aliases_init(struct aliases *a, size_t n, size_t max_bytes)
{
	size_t lines = LINES_LEAST;

	while (lines * ALIASES_WAYS < n && 2 * lines * sizeof(a->lines[0]) <= max_bytes)
		lines *= 2;
	a->lines = aligned_alloc(CACHE_LINE, lines * sizeof(a->lines[0]));
	if (!a->lines)
		return -1;
	memset(a->lines, 0, lines * sizeof(a->lines[0]));
	a->mask = lines - 1;
	return 0;
}

void aliases_fini(struct aliases *a)
{
	free(a->lines);
	*a = (struct aliases){0};
}

void aliases_put(struct aliases *a, uint64_t hash, struct series *series)
{
	struct aliases_line *line = &a->lines[hash & a->mask];
	int at = 0;

	while (at < ALIASES_WAYS && line->way[at].series)
		at++;
	if (at == ALIASES_WAYS)
		at = (int)(hash >> 62);
	line->way[at].hash = hash;
	line->way[at].series = series;
}

void aliases_sweep(struct aliases *a, bool (*gone)(const struct series *series))
{
	for (size_t i = 0; i <= a->mask; i++)
		for (int at = 0; at < ALIASES_WAYS; at++)
			if (a->lines[i].way[at].series && gone(a->lines[i].way[at].series))
				a->lines[i].way[at].series = NULL;
}
