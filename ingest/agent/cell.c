/* cell.c - see cell.h.
 *
 * All checks come before the first change, and what can fail (the histogram) before what cannot. The server takes a point only when its sum
 * lies between count x min and count x max, and its counts add up to count: both hold by construction. */
#include "ingest/agent/cell.h"

#include <math.h>

#include "common/series.h"

/* The figures of all kinds but sets. */
static void add_figures(struct cell *c, const struct cell_sample *s, double sum)
{
	if (c->count == 0) {
		c->min = c->max = s->value;
		c->last_at = s->t_ms;
	}
	c->min = s->value < c->min ? s->value : c->min;
	c->max = s->value > c->max ? s->value : c->max;
	if (s->t_ms >= c->last_at) {
		c->last = s->value;
		c->last_at = s->t_ms;
	}
	c->count += s->weight;
	c->sum = sum;
}

static enum cause add_to_hist(struct hist *h, const struct cell_sample *s)
{
	int rc;

	if (!s->may_grow && (!h->block || h->block->len == h->block->cap))
		return CAUSE_MEMORY;
	rc = hist_add(h, s->value, s->weight);
	return rc == 0 ? CAUSE_NONE : rc > 0 ? CAUSE_RANGE : CAUSE_MEMORY;
}

enum cause cell_add(struct cell *c, const struct cell_sample *s)
{
	double sum;
	enum cause why = CAUSE_NONE;

	if (s->kind == STORE_SET)
		return members_add(&c->of.members, s->member_hash, s->may_grow) ? CAUSE_NONE : CAUSE_MEMORY;
	sum = c->sum + s->value * (double)s->weight;
	if (!isfinite(sum) || s->weight > (uint64_t)SERIES_SAMPLE_COUNT_MAX - c->count)
		return CAUSE_RANGE;
	if (s->kind == STORE_DISTRIBUTION)
		why = add_to_hist(&c->of.hist, s);
	if (why == CAUSE_NONE)
		add_figures(c, s, sum);
	return why;
}

void cell_point(const struct cell *c, enum store_kind kind, struct dense *d, struct store_point *out)
{
	*out = (struct store_point){.t = c->slot_ms, .has_v = true};
	if (kind == STORE_COUNTER) {
		out->v = c->sum;
	} else if (kind == STORE_SET) {
		out->v = members_count(&c->of.members);
	} else if (c->count == 1) {
		out->t = c->last_at;
		out->v = c->last;
	} else {
		*out = (struct store_point){
			.t = c->slot_ms, .count = c->count, .sum = c->sum, .min = c->min, .max = c->max,
			.last = c->last, .last_at = c->last_at,
			.has_histogram = kind == STORE_DISTRIBUTION,
		};
		if (out->has_histogram)
			dense_make(d, &c->of.hist, &out->histogram);
	}
}

void cell_fini(struct cell *c, enum store_kind kind)
{
	if (kind == STORE_DISTRIBUTION)
		hist_fini(&c->of.hist);
	else if (kind == STORE_SET)
		members_fini(&c->of.members);
}
