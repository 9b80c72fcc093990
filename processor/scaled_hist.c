/* scaled_hist.c - see scaled_hist.h.
 *
 * Bucket i of scale s covers (b^i, b^(i+1)], b = 2^(2^-s), so one scale lower two neighbours become one: i -> floor(i / 2). A histogram of a scale
 * below 5 is built by common/hist as if its indexes were of scale 5: they are then taken as they are. */
#include "processor/scaled_hist.h"

#include <stdlib.h>

#include "processor/hist_codec.h"
#include "processor/window.h"

enum { SCALE_LOWEST = -10 };

void scaled_hist_fini(struct scaled_hist *h)
{
	hist_fini(&h->hist);
	h->scale = HIST_SCALE;
}

/* Gives back what a side has to spare. -1 when memory is short. */
static int side_trim(struct hist_side *side)
{
	struct hist_bucket *buckets;

	if (side->cap == side->len || !side->len)
		return 0;
	buckets = realloc(side->buckets, side->len * sizeof(*buckets));
	if (!buckets)
		return -1;
	side->buckets = buckets;
	side->cap = side->len;
	return 0;
}

int scaled_hist_from(struct scaled_hist *h, const struct histogram *from)
{
	struct hist_dense dense = window_dense(from);
	struct scaled_hist made = {.scale = from->scale < HIST_SCALE ? from->scale : HIST_SCALE};
	bool approximate;

	if (dense.scale < HIST_SCALE)
		dense.scale = HIST_SCALE;
	if (hist_add_dense(&made.hist, &dense, &approximate, NULL) < 0 || side_trim(&made.hist.pos) < 0 || side_trim(&made.hist.neg) < 0) {
		hist_fini(&made.hist);
		return -1;
	}
	*h = made;
	return 0;
}

/* floor(index / 2^by) */
static int32_t index_down(int32_t index, int32_t by)
{
	return index >= 0 ? index >> by : -((-index - 1) >> by) - 1;
}

static void side_coarsen(struct hist_side *side, int32_t by)
{
	uint32_t len = 0;

	for (uint32_t i = 0; i < side->len; i++) {
		struct hist_bucket bucket = {index_down(side->buckets[i].index, by), side->buckets[i].count};

		if (len && side->buckets[len - 1].index == bucket.index)
			side->buckets[len - 1].count += bucket.count;
		else
			side->buckets[len++] = bucket;
	}
	side->len = len;
}

void scaled_hist_coarsen(struct scaled_hist *h, int32_t scale)
{
	if (scale >= h->scale)
		return;
	side_coarsen(&h->hist.pos, h->scale - scale);
	side_coarsen(&h->hist.neg, h->scale - scale);
	h->scale = scale;
}

/* Is every bucket of sub in side, and no larger there? */
static bool side_holds(const struct hist_side *side, const struct hist_side *sub)
{
	uint32_t i = 0;

	for (uint32_t j = 0; j < sub->len; j++) {
		while (i < side->len && side->buckets[i].index < sub->buckets[j].index)
			i++;
		if (i == side->len || side->buckets[i].index != sub->buckets[j].index || side->buckets[i].count < sub->buckets[j].count)
			return false;
	}
	return true;
}

/* What side_holds() has allowed; buckets that come to nothing leave. */
static void side_subtract(struct hist_side *side, const struct hist_side *sub)
{
	uint32_t len = 0, j = 0;

	for (uint32_t i = 0; i < side->len; i++) {
		struct hist_bucket bucket = side->buckets[i];

		if (j < sub->len && sub->buckets[j].index == bucket.index)
			bucket.count -= sub->buckets[j++].count;
		if (bucket.count)
			side->buckets[len++] = bucket;
	}
	side->len = len;
}

bool scaled_hist_subtract(struct scaled_hist *h, const struct scaled_hist *sub)
{
	if (h->hist.zero < sub->hist.zero || !side_holds(&h->hist.pos, &sub->hist.pos) || !side_holds(&h->hist.neg, &sub->hist.neg))
		return false;
	h->hist.zero -= sub->hist.zero;
	side_subtract(&h->hist.pos, &sub->hist.pos);
	side_subtract(&h->hist.neg, &sub->hist.neg);
	return true;
}

int scaled_hist_to_dense(const struct scaled_hist *h, struct arena *arena, struct histogram *out)
{
	struct hist_dense dense;

	if (hist_to_dense(&h->hist, arena, &dense) < 0)
		return -1;
	*out = (struct histogram){
		.scale = h->scale,
		.zero = (int64_t)dense.zero,
		.offset = dense.offset,
		.counts = (int64_t *)(uintptr_t)dense.counts, /* the arena's: nobody else has them */
		.counts_len = dense.counts_len,
		.neg_offset = dense.neg_offset,
		.neg_counts = (int64_t *)(uintptr_t)dense.neg_counts,
		.neg_counts_len = dense.neg_counts_len,
	};
	return 0;
}

size_t scaled_hist_bytes(const struct scaled_hist *h)
{
	return (h->hist.pos.cap + h->hist.neg.cap) * sizeof(struct hist_bucket);
}

void scaled_hist_encode(const struct scaled_hist *h, struct buf *out)
{
	codec_write_int(out, h->scale);
	hist_codec_write(out, &h->hist);
}

/* Can a double reach the side's buckets at their scale? */
static bool side_reachable(const struct hist_side *side, int32_t below)
{
	return !side->len || (side->buckets[0].index >= index_down(HIST_INDEX_MIN, below) &&
			      side->buckets[side->len - 1].index <= index_down(HIST_INDEX_MAX, below));
}

int scaled_hist_decode(struct scaled_hist *h, struct codec_reader *r, struct err *err)
{
	int32_t scale = codec_read_int(r);

	if (scale < SCALE_LOWEST || scale > HIST_SCALE)
		codec_fault(r, "a scale out of range");
	if (!codec_reader_ok(r) || hist_codec_read(r, &h->hist, err) < 0)
		return -1;
	h->scale = scale;
	if (!side_reachable(&h->hist.pos, HIST_SCALE - scale) || !side_reachable(&h->hist.neg, HIST_SCALE - scale))
		codec_fault(r, "a bucket beyond any number");
	return codec_reader_ok(r) ? 0 : -1;
}
