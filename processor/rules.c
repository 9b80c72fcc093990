/* rules.c - see rules.h.
 *
 * What a rulebook said at a time. It is held by the rulebook while it is the latest, and by each partition that goes by it; the last one frees it. */
#include "processor/rules.h"

#include <stdlib.h>

#include "common/memory.h"
#include "processor/rules_index.h"

struct rules *rules_hold(struct rules *r)
{
	if (r)
		r->refs++;
	return r;
}

void rules_drop(struct rules *r)
{
	if (!r || --r->refs > 0)
		return;
	rules_index_free(r->index);
	arena_fini(&r->arena);
	free(r);
}

uint32_t rules_match(struct rules *r, const struct series_id *id)
{
	return rules_index_match(r->index, id);
}

const uint32_t *rules_set(const struct rules *r, uint32_t set, size_t *nr)
{
	return rules_index_set(r->index, set, nr);
}

int64_t rules_find(const struct rules *r, struct str site, struct str id)
{
	size_t low = 0, high = r->nr;

	while (low < high) {
		size_t middle = (low + high) / 2;
		const struct trigger *t = &r->rule[middle].trigger;
		int order = str_cmp(site, t->site);

		if (!order)
			order = str_cmp(id, t->id);
		if (!order)
			return (int64_t)middle;
		if (order > 0)
			low = middle + 1;
		else
			high = middle;
	}
	return -1;
}

size_t rules_bytes(const struct rules *r)
{
	return memory_rounded(sizeof(*r)) + r->arena.held_bytes + rules_index_bytes(r->index);
}
