/* verify_count.c - see verify_count.h.
 *
 * Cumulative points are looked at whatever their time, as each is what the next one is compared with; of other samples those outside of
 * the hour are passed over. A record's cumulative points come in the order of their times, whatever the order in which they stand there. */
#include "deploy/ctl/verify_count.h"

#include <stdlib.h>

#include "deploy/ctl/verify_good.h"

/* One good record on its way. */
struct batch {
	struct verify_count *count;
	const struct sample_batch *in;
	struct verify_series **series; /* in the sheet, by index; NULL: not asked for yet */
	int64_t at_ms;                 /* Kafka's time of it */
};

void verify_count_init(struct verify_count *c, struct verify_sheet *sheet, struct str site, struct verify_tally *tally)
{
	*c = (struct verify_count){.sheet = sheet, .site = site, .tally = tally, .seen = VERIFY_SEEN_INIT, .bases = VERIFY_BASES_INIT};
}

void verify_count_fini(struct verify_count *c)
{
	verify_seen_fini(&c->seen);
	verify_bases_fini(&c->bases);
	arena_fini(&c->scratch);
}

static struct series_id id_of(const struct sample_batch *in, const struct series_ref *ref)
{
	return (struct series_id){.site = in->site, .kind = (uint8_t)ref->kind, .name = ref->name, .tags = ref->tags,
				  .tags_len = ref->tags_len};
}

/* The window of a sample of the hour, with the series made when it is new. NULL with *err set. */
static struct verify_window *window_of(struct batch *b, int32_t series, int slot, struct err *err)
{
	const struct series_ref *ref = &b->in->series[series];
	struct verify_sheet *sheet = b->count->sheet;
	struct verify_window *w;

	if (!b->series[series]) {
		const struct series_id id = id_of(b->in, ref);

		b->series[series] = verify_sheet_series(sheet, &id, err);
		if (!b->series[series])
			return NULL;
		b->count->tally->misnamed += memcmp(b->series[series]->fingerprint, ref->fingerprint, sizeof(ref->fingerprint)) != 0;
	}
	w = verify_sheet_window(sheet, b->series[series], VERIFY_EXPECTED, slot, err);
	if (w && b->at_ms > w->newest_ms)
		w->newest_ms = b->at_ms;
	return w;
}

static bool is_cumulative(const struct batch *b, int32_t series)
{
	return b->in->series[series].temporality == TEMPORALITY_CUMULATIVE;
}

static int count_value(struct batch *b, int32_t series, int64_t t_ms, double v, struct err *err)
{
	int slot = verify_sheet_slot(b->count->sheet, t_ms);
	struct verify_window *w;

	if (slot < 0)
		return 0;
	w = window_of(b, series, slot, err);
	if (!w)
		return -1;
	b->count->tally->samples++;
	if (verify_window_add_value(w, b->in->series[series].kind == SERIES_KIND_DISTRIBUTION, t_ms, v) < 0)
		return err_nomem(err, "a window");
	return 0;
}

static int count_part(struct batch *b, int32_t series, int64_t t_ms, const struct verify_part *part, struct err *err)
{
	int slot = verify_sheet_slot(b->count->sheet, t_ms);
	struct verify_window *w;

	if (slot < 0)
		return 0;
	w = window_of(b, series, slot, err);
	if (!w)
		return -1;
	b->count->tally->samples++;
	return verify_window_add_part(w, part) < 0 ? err_nomem(err, "a window") : 0;
}

static struct verify_part part_of(const struct summary_sample *s, const struct verify_hist *hist)
{
	return (struct verify_part){.count = s->count, .errors = s->errors, .last_at_ms = s->last_at, .sum = s->sum, .min = s->min, .max = s->max,
				    .last = s->last, .has_min = s->has_min, .has_max = s->has_max, .has_last = s->has_last, .approximate = s->approximate,
				    .hist = s->has_histogram ? hist : NULL};
}

static int read_hist(const struct summary_sample *s, struct verify_hist *hist, struct err *err)
{
	return s->has_histogram && verify_hist_read(hist, &s->histogram) < 0 ? err_nomem(err, "a histogram") : 0;
}

static int count_summary(struct batch *b, const struct summary_sample *s, struct err *err)
{
	struct verify_hist hist = VERIFY_HIST_INIT;
	int rc = -1;

	if (verify_sheet_slot(b->count->sheet, s->t) < 0)
		return 0;
	if (read_hist(s, &hist, err) == 0) {
		const struct verify_part part = part_of(s, &hist);

		rc = count_part(b, s->series, s->t, &part, err);
	}
	verify_hist_fini(&hist);
	return rc;
}

/* Asks what the point comes to; the caller frees step's histogram. */
static int take_step(struct batch *b, int32_t series, const struct verify_point *point, struct verify_step *step, struct err *err)
{
	const struct series_id id = id_of(b->in, &b->in->series[series]);
	struct verify_bases *bases = &b->count->bases;
	uint64_t before = bases->doubtful;
	uint8_t fingerprint[SERIES_FINGERPRINT_BYTES];

	series_fingerprint(&id, fingerprint);
	if (verify_bases_take(bases, fingerprint, point, step, err) < 0)
		return -1;
	if (verify_sheet_slot(b->count->sheet, point->t_ms) >= 0)
		b->count->tally->doubtful += bases->doubtful - before;
	return 0;
}

/* A cumulative point has been counted: in a site over its cap it may not have been. */
static void mark_cumulative(const struct batch *b, int32_t series)
{
	if (b->series[series])
		b->series[series]->cumulative = true;
}

static int count_cumulative_value(struct batch *b, const struct value_sample *v, struct err *err)
{
	const struct verify_point point = {.t_ms = v->t, .start_ms = v->start, .routed_since_ms = b->in->routed_since,
					   .watermark_ms = b->count->watermark_ms, .count = 1, .sum = v->v, .single = true};
	struct verify_step step = {.hist = VERIFY_HIST_INIT};
	int rc = take_step(b, v->series, &point, &step, err);

	if (rc == 0 && step.counts)
		rc = count_value(b, v->series, v->t, step.whole ? v->v : step.sum, err);
	mark_cumulative(b, v->series);
	verify_hist_fini(&step.hist);
	return rc;
}

/* Of a difference no extremes are known: those of the point go back to its start. */
static int count_step(struct batch *b, const struct summary_sample *s, const struct verify_hist *hist, const struct verify_step *step,
		      struct err *err)
{
	const struct verify_part whole = part_of(s, hist);
	const struct verify_part diff = {.count = step->count, .sum = step->sum, .approximate = s->approximate,
					 .hist = s->has_histogram ? &step->hist : NULL};

	return count_part(b, s->series, s->t, step->whole ? &whole : &diff, err);
}

static int count_cumulative_summary(struct batch *b, const struct summary_sample *s, struct err *err)
{
	struct verify_hist hist = VERIFY_HIST_INIT;
	struct verify_step step = {.hist = VERIFY_HIST_INIT};
	struct verify_point point = {.t_ms = s->t, .start_ms = s->start, .routed_since_ms = b->in->routed_since,
				     .watermark_ms = b->count->watermark_ms, .count = s->count, .sum = s->sum};
	int rc = read_hist(s, &hist, err);

	if (b->in->series[s->series].kind == SERIES_KIND_DISTRIBUTION) /* one without a histogram has an empty one */
		point.hist = &hist;
	if (rc == 0)
		rc = take_step(b, s->series, &point, &step, err);
	if (rc == 0 && step.counts)
		rc = count_step(b, s, &hist, &step, err);
	mark_cumulative(b, s->series);
	verify_hist_fini(&hist);
	verify_hist_fini(&step.hist);
	return rc;
}

/* A cumulative sample by its place: values first, then summaries. */
struct point {
	int64_t t_ms;
	size_t index;
};

static int compare_points(const void *a, const void *b)
{
	const struct point *x = a, *y = b;

	if (x->t_ms != y->t_ms)
		return x->t_ms < y->t_ms ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

/* The cumulative samples by time; *nr of them. NULL: memory. */
static struct point *sort_points(const struct batch *b, size_t *nr)
{
	const struct sample_batch *in = b->in;
	struct point *points = arena_calloc(&b->count->scratch, in->values_len + in->summaries_len, sizeof(*points));

	*nr = 0;
	if (!points)
		return NULL;
	for (size_t i = 0; i < in->values_len; i++)
		if (is_cumulative(b, in->values[i].series))
			points[(*nr)++] = (struct point){in->values[i].t, i};
	for (size_t i = 0; i < in->summaries_len; i++)
		if (is_cumulative(b, in->summaries[i].series))
			points[(*nr)++] = (struct point){in->summaries[i].t, in->values_len + i};
	qsort(points, *nr, sizeof(*points), compare_points);
	return points;
}

static int count_cumulative(struct batch *b, struct err *err)
{
	const struct sample_batch *in = b->in;
	size_t nr;
	const struct point *points = sort_points(b, &nr);

	if (!points)
		return err_nomem(err, "a record");
	for (size_t i = 0; i < nr; i++) {
		size_t at = points[i].index;

		if ((at < in->values_len ? count_cumulative_value(b, &in->values[at], err)
					 : count_cumulative_summary(b, &in->summaries[at - in->values_len], err)) < 0)
			return -1;
	}
	return 0;
}

static int count_batch(struct batch *b, struct err *err)
{
	const struct sample_batch *in = b->in;

	b->series = arena_calloc(&b->count->scratch, in->series_len, sizeof(struct verify_series *));
	if (!b->series)
		return err_nomem(err, "a record");
	for (size_t i = 0; i < in->values_len; i++)
		if (!is_cumulative(b, in->values[i].series) &&
		    count_value(b, in->values[i].series, in->values[i].t, in->values[i].v, err) < 0)
			return -1;
	for (size_t i = 0; i < in->summaries_len; i++)
		if (!is_cumulative(b, in->summaries[i].series) && count_summary(b, &in->summaries[i], err) < 0)
			return -1;
	return count_cumulative(b, err);
}

static int refuse(struct verify_count *c, const struct verify_record *record, struct err *err)
{
	c->tally->refused++;
	return verify_seen_refuse(&c->seen, record->offset, err);
}

/* A record that could be decoded. */
static int take_batch(struct verify_count *c, const struct sample_batch *in, const struct verify_record *record, struct err *err)
{
	const struct verify_place place = {.offset = record->offset, .watermark_ms = c->watermark_ms, .origin = record->origin};
	struct batch b = {.count = c, .in = in, .at_ms = record->timestamp_ms};
	uint64_t doubtful = c->seen.doubtful;
	int rc;

	if (verify_good_fault(in, c->watermark_ms))
		return refuse(c, record, err);
	if (c->site.len && !str_eq(c->site, in->site))
		return 0;
	rc = verify_seen_take(&c->seen, in, &place, err);
	c->tally->doubtful += c->seen.doubtful - doubtful;
	if (rc == 0)
		c->tally->duplicates++;
	return rc <= 0 ? rc : count_batch(&b, err);
}

int verify_count_record(struct verify_count *c, const struct verify_record *record, struct err *err)
{
	struct sample_batch in;
	struct err why = ERR_INIT;

	c->tally->records++;
	if (record->timestamp_ms > c->watermark_ms)
		c->watermark_ms = record->timestamp_ms;
	arena_clear(&c->scratch);
	if (record->bad_origin)
		return refuse(c, record, err);
	if (sample_batch_decode(record->value, &c->scratch, &in, &why) == 0)
		return take_batch(c, &in, record, err);
	if (why.kind == ERR_REJECT)
		return refuse(c, record, err);
	return err_set(err, why.kind, "record at offset %lld: %s", (long long)record->offset, why.msg);
}
