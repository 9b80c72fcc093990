/* check.c - see check.h.
 *
 * Functions named judge_ return the reason against something, or FINE; those named accept_ write into the payload.
 *
 * What is judged here is what later rooms rest on, and no more: names and tags within their bounds, since the fingerprint and every
 * reader of the database take them as they are; times within a window, since the processor keeps state only so far back; finite
 * numbers, since one NaN would spoil a sum for good; a histogram whose counts are its count, since percentiles are read from the one
 * and means from the other. Whether a sum is plausible is judged only as far as rounding allows. */
#include "ingest/check.h"

#include <math.h>
#include <string.h>

#include "common/hist.h"
#include "common/series.h"

#define FINE NR_REASONS
#define SUMMARY_BITS                                                                                                \
	(PAYLOAD_BIT(PAYLOAD_COUNT) | PAYLOAD_BIT(PAYLOAD_SUM) | PAYLOAD_BIT(PAYLOAD_MIN) | PAYLOAD_BIT(PAYLOAD_MAX) | \
	 PAYLOAD_BIT(PAYLOAD_LAST))
#define OTLP_SUMMARY_BITS (PAYLOAD_BIT(PAYLOAD_COUNT) | PAYLOAD_BIT(PAYLOAD_SUM))
#define EXTREMES (PAYLOAD_BIT(PAYLOAD_MIN) | PAYLOAD_BIT(PAYLOAD_MAX))
#define SUMMARY_ONLY_BITS (SUMMARY_BITS | PAYLOAD_BIT(PAYLOAD_LAST_AT) | PAYLOAD_BIT(PAYLOAD_HISTOGRAM))

/* What a sum of many values may be off by, relative to their magnitude. Adding n doubles loses n x 2^-52 of it at worst: this is
 * enough for billions, and still finds a sum that was never one. */
static const double sum_slack = 1e-6;

static enum reason judge_name(struct str name)
{
	if (name.len == 0)
		return REASON_NAME_EMPTY;
	if (name.len > SERIES_STRING_MAX)
		return REASON_NAME_TOO_LONG;
	return series_name_valid(name) ? FINE : REASON_NAME_INVALID;
}

/* Sorts the tags, too: that is how doubles are found. */
static enum reason judge_tags(struct tag *tags, size_t len)
{
	if (len > SERIES_TAGS_MAX)
		return REASON_TAGS_TOO_MANY;
	for (size_t i = 0; i < len; i++) {
		if (!series_name_valid(tags[i].key))
			return REASON_TAG_KEY_INVALID;
		if (tags[i].value.len > SERIES_STRING_MAX)
			return REASON_TAG_VALUE_TOO_LONG;
	}
	return series_sort_tags(tags, len) == 0 ? FINE : REASON_TAG_DOUBLED;
}

/* What is wrong with all points alike. */
static enum reason judge_metric(const struct payload_metric *m)
{
	enum reason why = judge_name(m->name);

	if (why != FINE)
		return why;
	if (m->kind < 0)
		return REASON_KIND_UNKNOWN;
	if (m->points_len == 0)
		return REASON_POINTS_MISSING;
	return judge_tags(m->tags, m->tags_len);
}

/* What the sender's clock said when we received the payload: its times are judged by it, before they are shifted to ours. */
static int64_t sender_now(const struct payload *p)
{
	return p->received_at_ms - p->shift_ms;
}

/* Both ends belong to the window. */
static enum reason judge_time(int64_t t_ms, int64_t now_ms)
{
	if (t_ms < now_ms - CHECK_PAST_MS)
		return REASON_TIME_TOO_OLD;
	return t_ms > now_ms + CHECK_FUTURE_MS ? REASON_TIME_TOO_NEW : FINE;
}

enum reason check_time(const struct payload *p, int64_t t_ms)
{
	return judge_time(t_ms, sender_now(p));
}

/* A number or a summary, one of them, and whole. */
static enum reason judge_form(uint32_t has, bool otlp)
{
	uint32_t needed = otlp ? OTLP_SUMMARY_BITS : SUMMARY_BITS;

	if (has & PAYLOAD_BIT(PAYLOAD_V))
		return has & SUMMARY_ONLY_BITS ? REASON_VALUE_AMBIGUOUS : FINE;
	return (has & needed) == needed ? FINE : REASON_VALUE_MISSING;
}

/* The sum of count values between min and max lies between count x min and count x max, but for rounding. */
static bool sum_possible(const struct payload_figures *f)
{
	double count = (double)f->count;
	double slack = sum_slack * count * fmax(fabs(f->min), fabs(f->max));

	return f->sum >= count * f->min - slack && f->sum <= count * f->max + slack;
}

/* The five figures by themselves. A counter's are never negative: what it reports is what was counted since the last time. */
static enum reason judge_figures(const struct payload_figures *f, enum series_kind kind)
{
	if (!isfinite(f->sum) || !isfinite(f->min) || !isfinite(f->max) || !isfinite(f->last))
		return REASON_VALUE_NOT_FINITE;
	if (kind == SERIES_KIND_COUNTER && f->min < 0)
		return REASON_VALUE_NEGATIVE;
	if (f->count < 1 || f->count > SERIES_SAMPLE_COUNT_MAX || f->min > f->last || f->last > f->max || !sum_possible(f))
		return REASON_SUMMARY_INCONSISTENT;
	return FINE;
}

/* Count and sum, and what is known besides. The sum of a life may be of any number of values, also none; the bound is what may travel. */
static enum reason judge_otlp_figures(const struct payload_point *pt, bool cumulative)
{
	const struct payload_figures *f = pt->figures;

	if (!isfinite(f->sum))
		return REASON_VALUE_NOT_FINITE;
	if (f->count < (cumulative ? 0 : 1) || f->count > (cumulative ? (int64_t)HIST_TRAVEL_TOTAL_MAX : SERIES_SAMPLE_COUNT_MAX))
		return REASON_SUMMARY_INCONSISTENT;
	if ((pt->has & EXTREMES) == EXTREMES && (f->min > f->max || !sum_possible(f)))
		return REASON_SUMMARY_INCONSISTENT;
	return FINE;
}

static bool fits_int32(int64_t n)
{
	return n >= INT32_MIN && n <= INT32_MAX;
}

/* Ranges come first: hist_dense is narrower than what JSON can say. A bucket list longer than any is refused by hist_check_dense(), as
 * the decoder leaves it one too long. */
static enum reason judge_histogram(const struct payload_histogram *h, int64_t count)
{
	struct hist_dense dense = {.counts = h->counts,
				   .counts_len = h->counts_len,
				   .neg_counts = h->neg_counts,
				   .neg_counts_len = h->neg_counts_len};
	uint64_t total = 0;

	if (!h->has_scale || h->zero < 0 || !fits_int32(h->scale) || !fits_int32(h->offset) || !fits_int32(h->neg_offset))
		return REASON_HISTOGRAM_INVALID;
	dense.scale = (int32_t)h->scale;
	dense.zero = (uint64_t)h->zero;
	dense.offset = (int32_t)h->offset;
	dense.neg_offset = (int32_t)h->neg_offset;
	if (hist_check_dense(&dense, &total, NULL) < 0 || total != (uint64_t)count)
		return REASON_HISTOGRAM_INVALID;
	return FINE;
}

/* A distribution that was merged without its buckets cannot become percentiles any more, so it is no distribution. */
static enum reason judge_summary(const struct payload_point *pt, const struct payload_metric *m, int64_t now_ms)
{
	bool histogram = pt->has & PAYLOAD_BIT(PAYLOAD_HISTOGRAM);
	enum reason why = pt->has & PAYLOAD_BIT(PAYLOAD_LAST_AT) ? judge_time(pt->figures->last_at_ms, now_ms) : FINE;

	if (why == FINE)
		why = m->otlp ? judge_otlp_figures(pt, m->temporality == TEMPORALITY_CUMULATIVE)
			      : judge_figures(pt->figures, (enum series_kind)m->kind);
	if (why != FINE)
		return why;
	if (m->kind != SERIES_KIND_DISTRIBUTION)
		return histogram ? REASON_HISTOGRAM_UNEXPECTED : FINE;
	if (!histogram) /* OTLP's summaries have none */
		return m->otlp ? FINE : REASON_HISTOGRAM_MISSING;
	return judge_histogram(&pt->figures->histogram, pt->figures->count);
}

/* Time first: a sample of last week is late, whatever else may be wrong with it. */
static enum reason judge_point(const struct payload_point *pt, const struct payload_metric *m, int64_t now_ms)
{
	enum reason why = pt->has & PAYLOAD_BIT(PAYLOAD_T) ? judge_time(pt->t_ms, now_ms) : FINE;

	if (why == FINE)
		why = judge_form(pt->has, m->otlp);
	if (why != FINE)
		return why;
	if (!(pt->has & PAYLOAD_BIT(PAYLOAD_V)))
		return judge_summary(pt, m, now_ms);
	if (!isfinite(pt->v))
		return REASON_VALUE_NOT_FINITE;
	return m->kind == SERIES_KIND_COUNTER && pt->v < 0 ? REASON_VALUE_NEGATIVE : FINE;
}

/* By our clock. One that cannot be is as good as unknown, 0: nobody counted before the epoch, and none may wrap. */
static int64_t accepted_start(const struct payload *p, const struct payload_point *pt)
{
	int64_t start_ms;

	return pt->start_ms <= 0 || __builtin_add_overflow(pt->start_ms, p->shift_ms, &start_ms) || start_ms < 0 ? 0 : start_ms;
}

/* last_at that was left out is the point's time. */
static int accept_summary(struct payload *p, const struct payload_point *pt, int64_t t_ms)
{
	const struct payload_figures *f = pt->figures;
	struct summary_sample s = {.t = t_ms,
				   .start = accepted_start(p, pt),
				   .last_at = t_ms,
				   .has_min = pt->has & PAYLOAD_BIT(PAYLOAD_MIN),
				   .has_max = pt->has & PAYLOAD_BIT(PAYLOAD_MAX),
				   .has_last = pt->has & PAYLOAD_BIT(PAYLOAD_LAST),
				   .approximate = f->approximate};

	s.count = f->count;
	s.sum = f->sum;
	s.min = f->min;
	s.max = f->max;
	s.last = f->last;
	if (pt->has & PAYLOAD_BIT(PAYLOAD_LAST_AT))
		s.last_at = f->last_at_ms + p->shift_ms;
	s.has_histogram = pt->has & PAYLOAD_BIT(PAYLOAD_HISTOGRAM);
	if (s.has_histogram)
		s.histogram = (struct histogram){.scale = (int32_t)f->histogram.scale,
						 .zero = f->histogram.zero,
						 .offset = (int32_t)f->histogram.offset,
						 .counts = f->histogram.counts,
						 .counts_len = f->histogram.counts_len,
						 .neg_offset = (int32_t)f->histogram.neg_offset,
						 .neg_counts = f->histogram.neg_counts,
						 .neg_counts_len = f->histogram.neg_counts_len};
	return payload_add_summary(p, &s);
}

/* A time that was left out is the time of receipt, by our own clock. */
static int accept_point(struct payload *p, const struct payload_point *pt)
{
	int64_t t_ms = pt->has & PAYLOAD_BIT(PAYLOAD_T) ? pt->t_ms + p->shift_ms : p->received_at_ms;

	if (!(pt->has & PAYLOAD_BIT(PAYLOAD_V)))
		return accept_summary(p, pt, t_ms);
	if (payload_add_value(p, t_ms, pt->v) < 0)
		return -1;
	p->values[p->values_len - 1].start = accepted_start(p, pt);
	return 0;
}

/* The metric's tags are the decoder's scratch: the series keeps a copy. */
static int accept_series(struct payload *p, const struct payload_metric *m)
{
	struct series_ref *s = payload_add_series(p);
	struct tag *tags = m->tags_len ? arena_alloc_raw(p->arena, m->tags_len * sizeof(*tags)) : NULL;

	if (!s || (m->tags_len && !tags))
		return -1;
	if (m->tags_len)
		memcpy(tags, m->tags, m->tags_len * sizeof(*tags));
	*s = (struct series_ref){.kind = (enum series_kind)m->kind,
				 .temporality = m->temporality,
				 .name = m->name,
				 .tags = tags,
				 .tags_len = m->tags_len};
	p->unscrubbed_len = p->series_len;
	return 0;
}

int check_metric(struct payload *p, struct payload_metric *m)
{
	enum reason why = judge_metric(m);
	int64_t now_ms = sender_now(p);
	bool has_series = false;

	if (why != FINE) /* one entry in the answer, but every point of it counts */
		return payload_reject(p, "metrics", m->index, m->otlp ? (int64_t)m->points_before : -1, why, m->points_len ? m->points_len : 1);
	for (size_t i = 0; i < m->points_len; i++) {
		why = judge_point(&m->points[i], m, now_ms);
		if (why != FINE) {
			if (payload_reject(p, "metrics", m->index, (int64_t)(m->points_before + i), why, 1) < 0)
				return -1;
			continue;
		}
		/* Only now: a series of which no sample is good would travel for nothing. */
		if (!has_series && accept_series(p, m) < 0)
			return -1;
		has_series = true;
		if (accept_point(p, &m->points[i]) < 0)
			return -1;
	}
	return 0;
}

bool check_truncation(const struct payload_truncation *t)
{
	return t->from_seq >= 1 && t->to_seq >= t->from_seq && t->samples >= 0;
}

/* Without an identity a payload is taken at least once, which is a choice; half of one is a mistake. The span is bounded because the
 * processor keeps a bit for every number in it. */
static int check_identity(struct payload *p, struct refusal *no)
{
	if (!p->has_agent_id && !p->has_seq && !p->has_floor)
		return 0;
	if (!p->has_agent_id || !p->has_seq)
		return refuse(no, REASON_BAD_IDENTITY, "agent_id and seq come together, and floor not without them");
	if (!p->has_floor)
		p->floor = p->seq;
	if (p->seq < 1 || p->floor < 1 || p->floor > p->seq)
		return refuse(no, REASON_BAD_IDENTITY, "seq %lld, floor %lld: 1 <= floor <= seq is expected", (long long)p->seq,
			      (long long)p->floor);
	if (p->seq - p->floor > CHECK_SEQ_SPAN_MAX)
		return refuse(no, REASON_BAD_IDENTITY, "seq %lld is more than %lld above floor %lld", (long long)p->seq,
			      (long long)CHECK_SEQ_SPAN_MAX, (long long)p->floor);
	return 0;
}

int check_payload(struct payload *p, struct refusal *no)
{
	if (check_identity(p, no) < 0)
		return -1;
	if (p->has_created_at && judge_time(p->created_at_ms, sender_now(p)) != FINE)
		return refuse(no, REASON_CREATED_AT_OUT_OF_RANGE,
			      "created_at %lld lies outside 48 h back to 10 min ahead of %lld", (long long)p->created_at_ms,
			      (long long)sender_now(p));
	if (p->received == 0 && p->truncations_len == 0)
		return refuse(no, REASON_EMPTY_PAYLOAD, "no metrics, no events, no truncated payloads");
	return 0;
}
