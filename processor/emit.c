/* emit.c - see emit.h.
 *
 * Strings and arrays are borrowed from window and scratch for the encoder's call; the casts only take away a const that the encoder, which shares
 * its structs with the decoder, has not got. */
#include "processor/emit.h"

static int fill_histogram(const struct hist *h, struct arena *scratch, struct histogram *out)
{
	struct hist_dense dense;

	if (hist_to_dense(h, scratch, &dense) < 0)
		return -1;
	*out = (struct histogram){
		.scale = dense.scale,
		.zero = (int64_t)dense.zero,
		.offset = dense.offset,
		.counts = (int64_t *)(uintptr_t)dense.counts, /* only read by the encoder */
		.counts_len = dense.counts_len,
		.neg_offset = dense.neg_offset,
		.neg_counts = (int64_t *)(uintptr_t)dense.neg_counts,
		.neg_counts_len = dense.neg_counts_len,
	};
	return 0;
}

int emit_fragment(const struct window *w, const struct pane *pane, int64_t epoch, struct arena *scratch, struct buf *out, struct err *err)
{
	struct tag tags[SERIES_TAGS_MAX];
	const struct series_id id = series_id_of(w->series, tags);
	struct aggregate a = {
		.epoch = epoch,
		.site = id.site,
		.kind = (enum series_kind)id.kind,
		.name = id.name,
		.tags = tags,
		.tags_len = id.tags_len,
		.window_start = pane->start_ms,
		.window_ms = (int32_t)pane_length_ms(pane->class),
		.count = w->count,
		.sum = w->sum,
		.has_min = w->has_min,
		.min = w->min,
		.has_max = w->has_max,
		.max = w->max,
		.has_last = w->has_last,
		.last = w->last,
		.last_at = w->last_at_ms,
		.late = pane_is_late(pane->class),
		.approximate = w->approximate,
	};

	memcpy(a.fingerprint, w->series->fingerprint, sizeof(a.fingerprint));
	a.has_histogram = a.kind == SERIES_KIND_DISTRIBUTION;
	arena_clear(scratch);
	if (a.has_histogram && fill_histogram(&w->hist, scratch, &a.histogram) < 0)
		return err_nomem(err, "a fragment");
	return aggregate_encode(&a, out, err);
}
