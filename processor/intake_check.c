/* intake_check.c - see intake_check.h. Series first: what is checked of a sample depends on what its series is. */
#include "processor/intake_check.h"

#include <inttypes.h>
#include <math.h>

#include "common/series.h"
#include "processor/repeats.h"
#include "processor/window.h"

struct check {
	const struct series_traits *traits;
	size_t nr;
	int64_t earliest_ms, latest_ms;
	size_t nr_cumulative;
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
	/* A reading is a reading: there is nothing that it could have been counted since. */
	if (ref->temporality == TEMPORALITY_CUMULATIVE && ref->kind == SERIES_KIND_GAUGE)
		return err_set(err, ERR_REJECT, "gauge " STR_FMT " is called cumulative", STR_ARG(ref->name));
	return 0;
}

static int check_common(struct check *c, int32_t series, int64_t t_ms, int64_t start_ms, struct err *err)
{
	if (series < 0 || (size_t)series >= c->nr)
		return err_set(err, ERR_REJECT, "series %" PRId32 " of %zu", series, c->nr);
	if (t_ms < c->earliest_ms || t_ms > c->latest_ms)
		return err_set(err, ERR_REJECT, "time %" PRId64 " is not in [%" PRId64 ", %" PRId64 "]", t_ms, c->earliest_ms, c->latest_ms);
	if (!c->traits[series].cumulative)
		return 0;
	if (start_ms < 0)
		return err_set(err, ERR_REJECT, "start %" PRId64 " is negative", start_ms);
	c->nr_cumulative++;
	return 0;
}

static int check_value(struct check *c, const struct value_sample *v, struct err *err)
{
	const struct series_traits *traits;

	if (check_common(c, v->series, v->t, v->start, err) < 0)
		return -1;
	if (!isfinite(v->v))
		return err_set(err, ERR_REJECT, "a value that is not finite");
	traits = &c->traits[v->series];
	if (!traits->cumulative)
		return 0;
	if (traits->kind != SERIES_KIND_COUNTER)
		return err_set(err, ERR_REJECT, "a single value of a cumulative %s", series_kind_name((enum series_kind)traits->kind));
	if (v->v < 0)
		return err_set(err, ERR_REJECT, "a cumulative counter below 0");
	return 0;
}

static int check_histogram(const struct summary_sample *s, enum series_kind kind, struct err *err)
{
	struct hist_dense dense = window_dense(&s->histogram);
	uint64_t total;

	if (!s->has_histogram) /* of a distribution as well: OTLP's summaries have none */
		return 0;
	if (kind != SERIES_KIND_DISTRIBUTION)
		return err_set(err, ERR_REJECT, "a %s with a histogram", series_kind_name(kind));
	if (hist_check_dense(&dense, &total, err) < 0)
		return -1;
	if (total != (uint64_t)s->count)
		return err_set(err, ERR_REJECT, "a histogram of %" PRIu64 " values where count is %" PRId64, total, s->count);
	return 0;
}

/* Cumulative ones start at 0, and have no other end than what a travelling histogram can bear. */
static int check_count(const struct summary_sample *s, const struct series_traits *traits, struct err *err)
{
	bool cumulative = traits->cumulative;

	if (s->count < (cumulative ? 0 : 1) || s->count > (cumulative ? (int64_t)HIST_TRAVEL_TOTAL_MAX : SERIES_SAMPLE_COUNT_MAX))
		return err_set(err, ERR_REJECT, "a summary of %" PRId64 " values", s->count);
	if (cumulative && traits->kind == SERIES_KIND_COUNTER && s->sum < 0)
		return err_set(err, ERR_REJECT, "a cumulative counter below 0");
	return 0;
}

static int check_summary(struct check *c, const struct summary_sample *s, struct err *err)
{
	const struct series_traits *traits;

	if (check_common(c, s->series, s->t, s->start, err) < 0)
		return -1;
	traits = &c->traits[s->series];
	if (check_count(s, traits, err) < 0)
		return -1;
	if (s->errors < 0 || s->errors > s->count || (s->errors && traits->cumulative))
		return err_set(err, ERR_REJECT, "%" PRId64 " errors in a %s of %" PRId64 " values", s->errors,
			       traits->cumulative ? "cumulative summary" : "summary", s->count);
	if (s->last_at < 0 || s->last_at > c->latest_ms)
		return err_set(err, ERR_REJECT, "last_at %" PRId64 " is not in [0, %" PRId64 "]", s->last_at, c->latest_ms);
	if (!isfinite(s->sum) || (s->has_min && !isfinite(s->min)) || (s->has_max && !isfinite(s->max)) ||
	    (s->has_last && !isfinite(s->last)))
		return err_set(err, ERR_REJECT, "a summary that is not finite");
	return check_histogram(s, (enum series_kind)traits->kind, err);
}

int intake_check_series(const struct sample_batch *batch, struct series_traits *traits, struct err *err)
{
	if (batch->site.len > UINT16_MAX)
		return err_set(err, ERR_REJECT, "a site's id of %zu bytes", batch->site.len);
	for (size_t i = 0; i < batch->series_len; i++) {
		const struct series_ref *ref = &batch->series[i];

		if (check_ref(ref, err) < 0)
			return err_wrap(err, "series %zu", i);
		traits[i] = (struct series_traits){(uint8_t)ref->kind, ref->temporality == TEMPORALITY_CUMULATIVE};
	}
	return 0;
}

int intake_check(const struct sample_batch *batch, const struct series_traits *traits, size_t nr, int64_t earliest_ms,
		 int64_t latest_ms, size_t *nr_cumulative, struct err *err)
{
	struct identity who = identity_of_samples(batch);
	struct check c = {.traits = traits, .nr = nr, .earliest_ms = earliest_ms, .latest_ms = latest_ms};

	if (batch->routed_since < 0) /* a baseline would keep it, and no snapshot with that is read again */
		return err_set(err, ERR_REJECT, "routed_since %" PRId64 " is negative", batch->routed_since);
	for (size_t i = 0; i < batch->values_len; i++)
		if (check_value(&c, &batch->values[i], err) < 0)
			return err_wrap(err, "value %zu", i);
	for (size_t i = 0; i < batch->summaries_len; i++)
		if (check_summary(&c, &batch->summaries[i], err) < 0)
			return err_wrap(err, "summary %zu", i);
	*nr_cumulative = c.nr_cumulative;
	return repeats_check(&who, err);
}
