/* dense.c - see dense.h.
 *
 * A bucket at scale s - 1 is two neighbours of scale s, so an index is halved towards minus infinity, and counts stay exact. */
#include "ingest/agent/dense.h"

#include <string.h>

enum { SIDE_NEGATIVE, SIDE_POSITIVE, NR_SIDES };

/* The indexes on one side that have counts. */
struct range {
	int32_t low, high;
	bool any;
};

/* The side and index of a key that is not zero's. */
static int side_of(uint32_t key, int32_t *index)
{
	int side = key >= (uint32_t)HIST_KEY_POSITIVE ? SIDE_POSITIVE : SIDE_NEGATIVE;

	*index = (int32_t)(key - (side == SIDE_POSITIVE ? (uint32_t)HIST_KEY_POSITIVE : (uint32_t)HIST_KEY_NEGATIVE)) + HIST_INDEX_MIN;
	return side;
}

/* index at a scale lower by `down`. The shift of a negative number is arithmetic in GCC and Clang. */
static int32_t coarse(int32_t index, int down)
{
	return index >> down;
}

static size_t length(const struct range *r, int down)
{
	return r->any ? (size_t)(coarse(r->high, down) - coarse(r->low, down)) + 1 : 0;
}

static void measure(const struct hist *h, struct range sides[NR_SIDES])
{
	for (uint32_t i = 0; i < hist_len(h); i++) {
		int32_t index;
		struct range *r;

		if (hist_key(h, i) == (uint32_t)HIST_KEY_ZERO)
			continue;
		r = &sides[side_of(hist_key(h, i), &index)];
		r->low = r->any ? r->low : index; /* keys ascend, and with them the indexes of either side */
		r->high = index;
		r->any = true;
	}
}

void dense_make(struct dense *d, const struct hist *h, struct hist_dense *out)
{
	struct range sides[NR_SIDES] = {0};
	int64_t *counts[NR_SIDES] = {d->neg_counts, d->counts};
	size_t lens[NR_SIDES];
	int down = 0;

	measure(h, sides);
	while (length(&sides[SIDE_NEGATIVE], down) > HIST_COUNTS_MAX || length(&sides[SIDE_POSITIVE], down) > HIST_COUNTS_MAX)
		down++;
	for (int side = 0; side < NR_SIDES; side++) {
		lens[side] = length(&sides[side], down);
		memset(counts[side], 0, lens[side] * sizeof(int64_t));
	}
	*out = (struct hist_dense){
		.scale = HIST_SCALE - down,
		.offset = coarse(sides[SIDE_POSITIVE].low, down), .counts = d->counts, .counts_len = lens[SIDE_POSITIVE],
		.neg_offset = coarse(sides[SIDE_NEGATIVE].low, down), .neg_counts = d->neg_counts, .neg_counts_len = lens[SIDE_NEGATIVE],
	};
	for (uint32_t i = 0; i < hist_len(h); i++) {
		int32_t index;
		int side;

		if (hist_key(h, i) == (uint32_t)HIST_KEY_ZERO) {
			out->zero = hist_bucket_count(h, i);
			continue;
		}
		side = side_of(hist_key(h, i), &index);
		counts[side][coarse(index, down) - coarse(sides[side].low, down)] += (int64_t)hist_bucket_count(h, i);
	}
}
