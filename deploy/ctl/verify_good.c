/* verify_good.c - see verify_good.h. The bounds stand in schemas/sample_batch.avsc, in schemas/README.md ("Identity of a payload",
 * "Cumulative points") and in the processor's README ("A record has samples of 49 hours"). */
#include "deploy/ctl/verify_good.h"

#include <math.h>

#include "common/clock.h"
#include "deploy/ctl/verify_hist.h"

#define BACK_MS (49 * CLOCK_HOUR_MS) /* of event times, before the receipt */
#define AHEAD_MS CLOCK_HOUR_MS       /* of the partition's time */
#define DELTA_COUNT_MAX (INT64_C(1) << 40)
#define TOTAL_COUNT_MAX (INT64_C(1) << 62)

enum { TEXT_MAX = 255, SITE_MAX = 65535, TAGS_MAX = 32, SEQ_SPAN_MAX = 65536 };

struct bounds {
	int64_t earliest_ms, latest_ms;
};

static const char *series_fault(const struct series_ref *ref)
{
	if (ref->name.len < 1 || ref->name.len > TEXT_MAX)
		return "a name that is empty or too long";
	if (ref->tags_len > TAGS_MAX)
		return "too many tags";
	for (size_t i = 0; i < ref->tags_len; i++)
		if (ref->tags[i].key.len > TEXT_MAX || ref->tags[i].value.len > TEXT_MAX)
			return "a tag that is too long";
	return ref->temporality == TEMPORALITY_CUMULATIVE && ref->kind == SERIES_KIND_GAUGE ? "a cumulative gauge" : NULL;
}

static bool is_cumulative(const struct series_ref *ref)
{
	return ref->temporality == TEMPORALITY_CUMULATIVE;
}

/* ref: NULL when the index leads nowhere. */
static const char *common_fault(const struct series_ref *ref, int64_t t_ms, int64_t start_ms, const struct bounds *bounds)
{
	if (!ref)
		return "a sample of no series";
	if (t_ms < bounds->earliest_ms || t_ms > bounds->latest_ms)
		return "a time out of range";
	return is_cumulative(ref) && start_ms < 0 ? "a negative start" : NULL;
}

static const struct series_ref *ref_of(const struct sample_batch *batch, int32_t series)
{
	return series >= 0 && (size_t)series < batch->series_len ? &batch->series[series] : NULL;
}

static const char *value_fault(const struct series_ref *ref, const struct value_sample *v, const struct bounds *bounds)
{
	const char *fault = common_fault(ref, v->t, v->start, bounds);

	if (fault)
		return fault;
	if (!isfinite(v->v))
		return "a value that is not finite";
	if (is_cumulative(ref) && ref->kind != SERIES_KIND_COUNTER)
		return "a single value of a cumulative distribution";
	return is_cumulative(ref) && v->v < 0 ? "a cumulative counter below 0" : NULL;
}

static const char *histogram_fault(const struct series_ref *ref, const struct summary_sample *s)
{
	const char *fault;
	uint64_t total = 0;

	if (s->has_histogram && ref->kind != SERIES_KIND_DISTRIBUTION)
		return "a histogram where none belongs";
	if (!s->has_histogram)
		return NULL;
	fault = verify_hist_fault(&s->histogram, &total);
	return fault ? fault : total != (uint64_t)s->count ? "a histogram that does not add up" : NULL;
}

static bool finite_where_known(bool has, double value)
{
	return !has || isfinite(value);
}

static const char *summary_fault(const struct series_ref *ref, const struct summary_sample *s, const struct bounds *bounds)
{
	const char *fault = common_fault(ref, s->t, s->start, bounds);

	if (fault)
		return fault;
	if (s->count < (is_cumulative(ref) ? 0 : 1) || s->count > (is_cumulative(ref) ? TOTAL_COUNT_MAX : DELTA_COUNT_MAX))
		return "a count out of range";
	if (is_cumulative(ref) && ref->kind == SERIES_KIND_COUNTER && s->sum < 0)
		return "a cumulative counter below 0";
	if (s->errors < 0 || s->errors > (is_cumulative(ref) ? 0 : s->count))
		return "errors that are not among the values";
	if (s->last_at < 0 || s->last_at > bounds->latest_ms)
		return "a last_at out of range";
	if (!isfinite(s->sum) || !finite_where_known(s->has_min, s->min) || !finite_where_known(s->has_max, s->max) ||
	    !finite_where_known(s->has_last, s->last))
		return "a summary that is not finite";
	return histogram_fault(ref, s);
}

static const char *identity_fault(const struct sample_batch *batch)
{
	if (batch->routed_since < 0)
		return "a negative routed_since";
	if (batch->has_agent_id && (batch->floor < 1 || batch->seq < batch->floor || batch->seq - batch->floor > SEQ_SPAN_MAX))
		return "a seq and floor that do not go together";
	if (batch->has_idempotency_key && (batch->idempotency_key.len < 1 || batch->idempotency_key.len > TEXT_MAX))
		return "an Idempotency-Key that is empty or too long";
	return batch->site.len > SITE_MAX ? "a site's id that is too long" : NULL;
}

const char *verify_good_fault(const struct sample_batch *batch, int64_t watermark_ms)
{
	const struct bounds bounds = {batch->received_at > BACK_MS ? batch->received_at - BACK_MS : 0, watermark_ms + AHEAD_MS};
	const char *fault = identity_fault(batch);

	for (size_t i = 0; i < batch->series_len && !fault; i++)
		fault = series_fault(&batch->series[i]);
	for (size_t i = 0; i < batch->values_len && !fault; i++)
		fault = value_fault(ref_of(batch, batch->values[i].series), &batch->values[i], &bounds);
	for (size_t i = 0; i < batch->summaries_len && !fault; i++)
		fault = summary_fault(ref_of(batch, batch->summaries[i].series), &batch->summaries[i], &bounds);
	return fault;
}
