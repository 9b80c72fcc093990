/* baseline.c - see baseline.h.
 *
 * Two readings of OpenTelemetry's rules are ours. A new start that lies before the last known point, with a value that has not fallen,
 * is either the same counter under a corrected start or another one: the difference is right for the first and too little for the second,
 * the whole would be far too much for the first. And of two writers that share a series, which is a mistake that many replicas make, the
 * one that started last is counted and the others are not, as "receivers should eliminate points so that there are no overlaps": by value
 * alone each of them would look like the other's growth, over and over. */
#include "processor/baseline.h"

#include <math.h>
#include <stdlib.h>

#include "common/memory.h"

enum { BASELINE_BYTES_MIN = 14 /* the least that one takes in a snapshot, so that a count is believed no further than that */ };

const char *baseline_verdict_name(enum baseline_verdict verdict)
{
	static const char *const names[NR_BASELINE_VERDICTS] = {
		[BASELINE_DELTA] = "delta", [BASELINE_FRESH] = "fresh", [BASELINE_RESET] = "reset",
		[BASELINE_OVERLAP] = "overlap", [BASELINE_FIRST] = "first", [BASELINE_BREAK] = "break",
		[BASELINE_STALE] = "stale", [BASELINE_FOREIGN] = "foreign",
		[BASELINE_OVERFLOW] = "overflow",
	};

	return names[verdict];
}

static bool has_hist(const struct baseline *base)
{
	return base->series->kind == SERIES_KIND_DISTRIBUTION;
}

static size_t bytes_of(const struct baseline *base)
{
	return memory_rounded(sizeof(*base)) + scaled_hist_bytes(&base->hist);
}

static void list_append(struct baselines *b, struct baseline *base)
{
	base->older = b->newest;
	base->newer = NULL;
	*(b->newest ? &b->newest->newer : &b->oldest) = base;
	b->newest = base;
}

static void list_remove(struct baselines *b, struct baseline *base)
{
	*(base->older ? &base->older->newer : &b->oldest) = base->newer;
	*(base->newer ? &base->newer->older : &b->newest) = base->older;
}

/* A baseline without a point, for a series that has none. NULL when memory is short. */
static struct baseline *baseline_new(struct baselines *b, struct series *series)
{
	struct baseline *base = calloc(1, sizeof(*base));

	if (!base || map_put(&b->by_series, series->fingerprint, base) < 0) {
		free(base);
		return NULL;
	}
	base->hist = (struct scaled_hist)SCALED_HIST_INIT;
	base->series = series;
	series->refs++;
	list_append(b, base);
	b->bytes += bytes_of(base);
	b->series_bytes += series_bytes(series);
	return base;
}

static void baseline_drop(struct baselines *b, struct baseline *base, struct series_table *series)
{
	b->bytes -= bytes_of(base);
	b->series_bytes -= series_bytes(base->series);
	list_remove(b, base);
	map_remove(&b->by_series, base->series->fingerprint);
	series_table_drop(series, base->series);
	scaled_hist_fini(&base->hist);
	free(base);
}

void baselines_fini(struct baselines *b, struct series_table *series)
{
	while (b->oldest)
		baseline_drop(b, b->oldest, series);
	map_fini(&b->by_series);
}

/* Unknown by either of its names? */
static bool start_unknown(const struct baseline_point *p)
{
	return p->start_ms == 0 || p->start_ms >= p->t_ms;
}

/* What the times and the form alone say; BASELINE_DELTA: it is for the values to say. base: NULL when there is none. */
static enum baseline_verdict judge_times(const struct baseline *base, const struct baseline_point *p)
{
	if (!base)
		return !start_unknown(p) && p->t_ms - p->start_ms <= BASELINE_FRESH_MS && p->start_ms >= p->routed_since_ms ?
			       BASELINE_FRESH : BASELINE_FIRST;
	if (p->t_ms <= base->t_ms)
		return BASELINE_STALE;
	if (p->routed_since_ms != base->routed_since_ms || p->start_ms >= p->t_ms || p->single != base->single)
		return BASELINE_BREAK;
	if (p->start_ms == 0 || p->start_ms == base->start_ms)
		return BASELINE_DELTA;
	if (p->start_ms >= base->t_ms)
		return BASELINE_RESET;
	if (base->start_ms == 0)
		return BASELINE_DELTA;
	if (p->start_ms > base->start_ms)
		return BASELINE_OVERLAP;
	return p->t_ms - base->t_ms <= BASELINE_TAKEOVER_MS ? BASELINE_FOREIGN : BASELINE_BREAK;
}

/* The difference of a point, whose histogram is hist, to the baseline. 0 when something has fallen, 1 when not, -1 when memory is short. */
static int subtract(const struct baseline *base, const struct baseline_point *p, const struct scaled_hist *hist, struct arena *scratch,
		    struct baseline_step *step)
{
	step->count = p->single ? 1 : p->count - base->count;
	step->sum = p->sum - base->sum;
	if (step->count < 0 || !isfinite(step->sum))
		return 0;
	if (!p->histogram)
		return step->sum >= 0;
	return scaled_hist_subtract(hist, &base->hist, scratch, &step->histogram);
}

/* The point is the baseline from here on; takes hist. */
static void replace(struct baselines *b, struct baseline *base, const struct baseline_point *p, const struct scaled_hist *hist,
		    int64_t watermark_ms)
{
	b->bytes -= bytes_of(base);
	scaled_hist_fini(&base->hist);
	base->hist = *hist;
	b->bytes += bytes_of(base);
	base->t_ms = p->t_ms;
	base->start_ms = p->start_ms < p->t_ms ? p->start_ms : p->t_ms;
	base->routed_since_ms = p->routed_since_ms;
	base->count = p->count;
	base->sum = p->sum;
	base->single = p->single;
	base->changed_ms = watermark_ms;
	list_remove(b, base);
	list_append(b, base);
}

int baselines_take(struct baselines *b, struct series *series, const struct baseline_point *point, int64_t watermark_ms,
		   struct arena *scratch, struct baseline_step *step, struct err *err)
{
	struct baseline *base = map_get(&b->by_series, series->fingerprint);
	struct scaled_hist hist = SCALED_HIST_INIT;
	int rc = 1;

	*step = (struct baseline_step){.verdict = judge_times(base, point)};
	if (step->verdict == BASELINE_STALE || step->verdict == BASELINE_FOREIGN)
		return 0;
	if (point->histogram && scaled_hist_from(&hist, point->histogram) < 0)
		return err_nomem(err, "a baseline");
	if (step->verdict == BASELINE_DELTA || step->verdict == BASELINE_OVERLAP)
		rc = subtract(base, point, &hist, scratch, step);
	if (rc == 0)
		step->verdict = BASELINE_RESET;
	if (rc < 0 || (!base && !(base = baseline_new(b, series)))) {
		scaled_hist_fini(&hist);
		return err_nomem(err, "a baseline");
	}
	replace(b, base, point, &hist, watermark_ms);
	step->whole = step->verdict == BASELINE_FRESH || step->verdict == BASELINE_RESET;
	if (step->whole) {
		step->count = point->count;
		step->sum = point->sum;
	}
	/* A counter that has not moved is still a reading of 0, as a delta sender would have sent; a summary of nothing is no summary. */
	step->counts = step->verdict != BASELINE_FIRST && step->verdict != BASELINE_BREAK && step->count > 0;
	return 0;
}

void baselines_close(struct baselines *b, int64_t watermark_ms, struct series_table *series)
{
	while (b->oldest && watermark_ms - b->oldest->changed_ms >= BASELINE_KEEP_MS)
		baseline_drop(b, b->oldest, series);
}

void baselines_mark(const struct baselines *b, uint32_t mark)
{
	for (const struct baseline *base = b->oldest; base; base = base->newer)
		base->series->number = mark;
}

size_t baselines_bytes(const struct baselines *b)
{
	return b->bytes + b->by_series.nr_slots * sizeof(struct map_slot);
}

void baselines_encode(const struct baselines *b, int64_t watermark_ms, struct buf *out)
{
	codec_write_long(out, (int64_t)b->by_series.len);
	for (const struct baseline *base = b->oldest; base; base = base->newer) {
		codec_write_long(out, base->series->number);
		codec_write_long(out, watermark_ms - base->changed_ms);
		codec_write_long(out, base->t_ms);
		codec_write_long(out, base->start_ms ? base->t_ms - base->start_ms : -1);
		codec_write_long(out, base->routed_since_ms);
		codec_write_long(out, base->single ? -1 : base->count);
		codec_write_double(out, base->sum);
		if (has_hist(base))
			scaled_hist_encode(&base->hist, out);
	}
}

static int decode_hist(struct baseline *base, struct codec_reader *r, struct err *err)
{
	uint64_t total;

	if (base->single) {
		codec_fault(r, "a distribution without a histogram");
		return -1;
	}
	if (scaled_hist_decode(&base->hist, r, err) < 0)
		return -1;
	total = scaled_hist_count(&base->hist);
	if (total != 0 && total != (uint64_t)base->count) /* 0: its points have none */
		codec_fault(r, "a histogram that does not add up");
	return codec_reader_ok(r) ? 0 : -1;
}

static void decode_point(struct baseline *base, struct codec_reader *r, int64_t watermark_ms)
{
	int64_t ago_ms = codec_read_long(r), t_ms = codec_read_long(r), length_ms = codec_read_long(r), since_ms = codec_read_long(r);
	int64_t count = codec_read_long(r);

	base->sum = codec_read_double(r);
	if (ago_ms < 0 || ago_ms > watermark_ms || (base->older && watermark_ms - ago_ms < base->older->changed_ms) || t_ms < 0 ||
	    t_ms > INT64_MAX / 2 || length_ms < -1 || (length_ms >= t_ms && length_ms >= 0) || since_ms < 0 || count < -1 ||
	    count > (int64_t)HIST_TRAVEL_TOTAL_MAX || !isfinite(base->sum))
		codec_fault(r, "a baseline that cannot be there");
	if (!codec_reader_ok(r))
		return;
	base->changed_ms = watermark_ms - ago_ms;
	base->t_ms = t_ms;
	base->start_ms = length_ms < 0 ? 0 : t_ms - length_ms;
	base->routed_since_ms = since_ms;
	base->single = count < 0;
	base->count = count < 0 ? 1 : count;
}

static int decode_one(struct baselines *b, struct codec_reader *r, int64_t watermark_ms, struct series *const *series, size_t nr_series,
		      struct err *err)
{
	int64_t number = codec_read_long(r);
	struct baseline *base;
	int rc = 0;

	if (number < 0 || (uint64_t)number >= nr_series || series[number]->kind == SERIES_KIND_GAUGE ||
	    map_get(&b->by_series, series[number]->fingerprint))
		codec_fault(r, "a baseline of no series, of a gauge, or a second one");
	if (!codec_reader_ok(r))
		return -1;
	base = baseline_new(b, series[number]);
	if (!base)
		return err_nomem(err, "the baselines of a snapshot");
	decode_point(base, r, watermark_ms);
	b->bytes -= bytes_of(base);
	if (codec_reader_ok(r) && has_hist(base))
		rc = decode_hist(base, r, err);
	b->bytes += bytes_of(base);
	return codec_reader_ok(r) ? rc : -1;
}

int baselines_decode(struct baselines *b, struct codec_reader *r, int64_t watermark_ms, struct series *const *series, size_t nr_series,
		     struct err *err)
{
	size_t nr = codec_read_count(r, BASELINE_BYTES_MIN);

	if (!codec_reader_ok(r))
		return -1;
	if (map_reserve(&b->by_series, nr) < 0)
		return err_nomem(err, "the baselines of a snapshot");
	for (size_t i = 0; i < nr; i++)
		if (decode_one(b, r, watermark_ms, series, nr_series, err) < 0)
			return -1;
	return 0;
}
