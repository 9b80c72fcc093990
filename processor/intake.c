/* intake.c - see intake.h. */
#include "processor/intake.h"

#include <inttypes.h>
#include <math.h>

/* A batch on its way in. */
struct intake {
	struct window_store *ws;
	const struct sample_batch *batch;
	struct series **series; /* one reference each, for the time of the call */
	size_t nr_taken;
	int64_t latest_ms; /* event times end here */
};

static int check_ref(const struct series_ref *ref, struct err *err)
{
	if (ref->name.len < 1 || ref->name.len > SERIES_STRING_MAX)
		return err_set(err, ERR_REJECT, "a name of %zu bytes", ref->name.len);
	if (ref->tags_len > SERIES_TAGS_MAX)
		return err_set(err, ERR_REJECT, "%zu tags, at most %d are taken", ref->tags_len, SERIES_TAGS_MAX);
	for (size_t i = 0; i < ref->tags_len; i++)
		if (ref->tags[i].key.len > SERIES_STRING_MAX || ref->tags[i].value.len > SERIES_STRING_MAX)
			return err_set(err, ERR_REJECT, "tag %zu is longer than %d bytes", i, SERIES_STRING_MAX);
	/* Baselines come with the work on exactly-once; until then nobody writes cumulative points, and counting them as deltas
	 * would be wrong for ever. */
	if (ref->temporality != TEMPORALITY_DELTA)
		return err_set(err, ERR_REJECT, "series " STR_FMT " is cumulative, which this build does not take", STR_ARG(ref->name));
	return 0;
}

/* Takes every series of the batch; what was taken before a failure is counted in nr_taken. */
static int take_series(struct intake *in, struct arena *scratch, struct err *err)
{
	const struct sample_batch *batch = in->batch;

	if (batch->site.len > UINT16_MAX)
		return err_set(err, ERR_REJECT, "a site's id of %zu bytes", batch->site.len);
	in->series = arena_calloc(scratch, batch->series_len, sizeof(*in->series));
	if (!in->series)
		return err_nomem(err, "a batch");
	for (; in->nr_taken < batch->series_len; in->nr_taken++) {
		const struct series_ref *ref = &batch->series[in->nr_taken];
		struct series_id id = {.site = batch->site, .kind = (uint8_t)ref->kind, .name = ref->name, .tags = ref->tags,
				       .tags_len = ref->tags_len};

		if (check_ref(ref, err) < 0)
			return -1;
		in->series[in->nr_taken] = series_table_take(&in->ws->series, &id, ref->fingerprint, err);
		if (!in->series[in->nr_taken])
			return -1;
	}
	return 0;
}

static int check_common(const struct intake *in, int32_t series, int64_t t_ms, struct err *err)
{
	if (series < 0 || (size_t)series >= in->batch->series_len)
		return err_set(err, ERR_REJECT, "series %" PRId32 " of %zu", series, in->batch->series_len);
	if (t_ms < 0 || t_ms > in->latest_ms)
		return err_set(err, ERR_REJECT, "time %" PRId64 " is not in [0, %" PRId64 "]", t_ms, in->latest_ms);
	return 0;
}

static int check_value(const struct intake *in, const struct value_sample *v, struct err *err)
{
	if (check_common(in, v->series, v->t, err) < 0)
		return -1;
	if (!isfinite(v->v))
		return err_set(err, ERR_REJECT, "a value that is not finite");
	return 0;
}

static int check_histogram(const struct summary_sample *s, enum series_kind kind, struct err *err)
{
	struct hist_dense dense = window_dense(&s->histogram);
	uint64_t total;

	if (s->has_histogram != (kind == SERIES_KIND_DISTRIBUTION))
		return err_set(err, ERR_REJECT, "a %s %s a histogram", series_kind_name(kind), s->has_histogram ? "with" : "without");
	if (!s->has_histogram)
		return 0;
	if (hist_check_dense(&dense, &total, err) < 0)
		return -1;
	if (total != (uint64_t)s->count)
		return err_set(err, ERR_REJECT, "a histogram of %" PRIu64 " values where count is %" PRId64, total, s->count);
	return 0;
}

static int check_summary(const struct intake *in, const struct summary_sample *s, struct err *err)
{
	if (check_common(in, s->series, s->t, err) < 0)
		return -1;
	if (s->last_at < 0 || s->last_at > in->latest_ms)
		return err_set(err, ERR_REJECT, "last_at %" PRId64 " is not in [0, %" PRId64 "]", s->last_at, in->latest_ms);
	if (s->count < 1 || s->count > SERIES_SAMPLE_COUNT_MAX)
		return err_set(err, ERR_REJECT, "a summary of %" PRId64 " values", s->count);
	if (!isfinite(s->sum) || (s->has_min && !isfinite(s->min)) || (s->has_max && !isfinite(s->max)) ||
	    (s->has_last && !isfinite(s->last)))
		return err_set(err, ERR_REJECT, "a summary that is not finite");
	return check_histogram(s, in->batch->series[s->series].kind, err);
}

static int check_all(const struct intake *in, struct err *err)
{
	for (size_t i = 0; i < in->batch->values_len; i++)
		if (check_value(in, &in->batch->values[i], err) < 0)
			return err_wrap(err, "value %zu", i);
	for (size_t i = 0; i < in->batch->summaries_len; i++)
		if (check_summary(in, &in->batch->summaries[i], err) < 0)
			return err_wrap(err, "summary %zu", i);
	return 0;
}

static uint64_t nr_samples(const struct sample_batch *batch)
{
	return batch->values_len + batch->summaries_len;
}

/* Cannot refuse any more: what is counted in part would be counted again with the record's next copy. */
static int count_all(const struct intake *in, int64_t watermark_ms, struct intake_counts *counts, struct err *err)
{
	const struct sample_batch *batch = in->batch;
	uint64_t late = 0;
	int rc;

	for (size_t i = 0; i < batch->values_len; i++) {
		const struct value_sample *v = &batch->values[i];

		rc = window_store_add_value(in->ws, in->series[v->series], v->t, v->v, watermark_ms, err);
		if (rc < 0)
			return -1;
		late += (uint64_t)rc;
	}
	for (size_t i = 0; i < batch->summaries_len; i++) {
		const struct summary_sample *s = &batch->summaries[i];

		rc = window_store_add_summary(in->ws, in->series[s->series], s, watermark_ms, err);
		if (rc < 0)
			return -1;
		late += (uint64_t)rc;
	}
	counts->samples = nr_samples(batch);
	counts->late = late;
	return 0;
}

/* Marks the batch as counted, and counts it, if nobody has before. */
static int count_once(const struct intake *in, struct dedup *dedup, int64_t watermark_ms, struct intake_counts *counts, struct err *err)
{
	struct intake_counts own = {.site = in->batch->site};

	if (dedup_take(dedup, in->batch, watermark_ms, &own.dedup, err) < 0)
		return -1;
	if (own.dedup.verdict == DEDUP_DUPLICATE)
		own.duplicate_samples = nr_samples(in->batch);
	else if (count_all(in, watermark_ms, &own, err) < 0)
		return -1;
	*counts = own;
	return 0;
}

int intake_batch(struct window_store *ws, struct dedup *dedup, const struct sample_batch *batch, int64_t watermark_ms,
		 struct arena *scratch, struct intake_counts *counts, struct err *err)
{
	struct intake in = {.ws = ws, .batch = batch, .latest_ms = watermark_ms + INTAKE_AHEAD_MS};
	int rc = -1;

	if (take_series(&in, scratch, err) == 0 && check_all(&in, err) == 0 && dedup_check(batch, err) == 0)
		rc = count_once(&in, dedup, watermark_ms, counts, err);
	for (size_t i = 0; i < in.nr_taken; i++)
		series_table_drop(&ws->series, in.series[i]);
	return rc;
}
