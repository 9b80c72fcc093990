/* draft.c - see draft.h. */
#include "ingest/draft.h"

#include "ingest/check.h"

struct payload_point *draft_add_point(struct draft *d, struct payload *p)
{
	struct payload_point *all = payload_grow(p->arena, d->points, d->points_len, &d->points_cap, sizeof(*all));

	if (!all)
		return NULL;
	d->points = all;
	all[d->points_len] = (struct payload_point){0};
	return &all[d->points_len++];
}

struct payload_figures *draft_add_figures(struct payload_point *pt, struct payload *p)
{
	pt->figures = arena_alloc(p->arena, sizeof(*pt->figures));
	return pt->figures;
}

int draft_end(struct draft *d, struct payload *p, uint32_t index)
{
	struct payload_metric m = {.index = index,
				   .name = d->name,
				   .kind = d->kind,
				   .tags = d->tags,
				   .tags_len = d->tags_len,
				   .points = d->points,
				   .points_len = d->points_len};

	return check_metric(p, &m);
}
