/* intake.c - see intake.h. Nothing is refused after the first change, in any of the parts: what is counted in part would be counted again with
 * the record's next copy.
 *
 * Where there are many series, most of a sample's time goes into waiting for memory: its series, then its window, then that one's histogram. So each
 * is asked for some samples ahead. */
#include "processor/intake.h"

#include <stdlib.h>

#include "processor/intake_check.h"
#include "processor/repeats.h"

enum { AHEAD = 8 /* samples, or series */ };

/* A batch on its way in. */
struct intake {
	const struct intake_state *to;
	const struct sample_batch *batch;
	const struct origin *origin; /* NULL: not sent again */
	struct series *const *series;
	const struct series_traits *traits; /* of each */
	size_t nr;
	struct series **taken; /* the same, where they were looked up: one reference each, for the time of the call */
	size_t nr_taken;
	size_t nr_new;        /* of them, admitted ones */
	bool *overflowed;     /* by series: the overflow series stands in its place; NULL: none does */
	struct series_caps_refused refused;
	size_t nr_cumulative; /* samples */
	int64_t watermark_ms;
	struct arena *scratch;
};

/* A cumulative sample by its place. */
struct place {
	int64_t t_ms;
	size_t index; /* values first, then summaries */
};

static void prefetch_series(const struct intake *in, size_t i)
{
	if (i < in->batch->series_len)
		series_table_prefetch(&in->to->windows->series, in->batch->series[i].fingerprint);
}

/* In place of a series of the batch, the overflow series of its site and kind. */
static struct series *take_overflow(struct intake *in, const struct series_ref *ref, struct err *err)
{
	struct series_id id;
	uint8_t fingerprint[SERIES_FINGERPRINT_BYTES];

	if (!in->overflowed)
		in->overflowed = arena_calloc(in->scratch, in->batch->series_len, sizeof(*in->overflowed));
	if (!in->overflowed) {
		err_nomem(err, "a batch");
		return NULL;
	}
	in->overflowed[ref - in->batch->series] = true;
	series_caps_overflow(in->batch->site, (uint8_t)ref->kind, &id, fingerprint);
	return series_table_take(&in->to->windows->series, &id, fingerprint, err);
}

/* The series that the samples of one of the batch's are counted in: its own, known or new and admitted, or the overflow series. NULL on
 * failure. */
static struct series *take_one(struct intake *in, const struct series_ref *ref, struct err *err)
{
	struct series_table *table = &in->to->windows->series;
	const struct series_id id = {.site = in->batch->site, .kind = (uint8_t)ref->kind, .name = ref->name, .tags = ref->tags,
				     .tags_len = ref->tags_len};
	enum series_caps_verdict verdict;
	struct series *s;
	int rc = series_table_find(table, &id, ref->fingerprint, &s, err);

	if (rc)
		return rc < 0 ? NULL : s;
	verdict = series_caps_admit(&table->caps, &id, &in->nr_new);
	if (verdict == SERIES_ADMITTED)
		return series_table_take(table, &id, ref->fingerprint, err);
	in->refused.series[verdict]++;
	return take_overflow(in, ref, err);
}

/* Takes every series of the batch; what was taken before a failure is counted in nr_taken. */
static int take_series(struct intake *in, struct err *err)
{
	const struct sample_batch *batch = in->batch;

	in->series = in->taken = arena_calloc(in->scratch, batch->series_len, sizeof(*in->taken));
	if (!in->taken)
		return err_nomem(err, "a batch");
	for (size_t i = 0; i < AHEAD; i++)
		prefetch_series(in, i);
	for (; in->nr_taken < batch->series_len; in->nr_taken++) {
		prefetch_series(in, in->nr_taken + AHEAD);
		in->taken[in->nr_taken] = take_one(in, &batch->series[in->nr_taken], err);
		if (!in->taken[in->nr_taken])
			return -1;
	}
	return 0;
}

static uint64_t nr_samples(const struct sample_batch *batch)
{
	return batch->values_len + batch->summaries_len;
}

static bool is_cumulative(const struct intake *in, int32_t series)
{
	return in->traits[series].cumulative;
}

/* Adds one sample's outcome, as the window store has it. */
static int note(int rc, struct intake_counts *counts)
{
	if (rc < 0)
		return -1;
	counts->samples++;
	counts->late += (uint64_t)rc;
	return 0;
}

static int count_value(const struct intake *in, int32_t series, int64_t t_ms, double v, struct intake_counts *counts, struct err *err)
{
	return note(window_store_add_value(in->to->windows, in->series[series], t_ms, v, in->watermark_ms, err), counts);
}

static int count_summary(const struct intake *in, const struct summary_sample *s, struct intake_counts *counts, struct err *err)
{
	return note(window_store_add_summary(in->to->windows, in->series[s->series], s, in->watermark_ms, err), counts);
}

/* The window that a series used last is mostly the one that its next sample goes into. */
static void prefetch_window(const struct intake *in, int32_t series)
{
	const struct window *w = in->series[series]->recent[RECENT_MINUTE];

	if (!w)
		return;
	__builtin_prefetch(w, 1);
	__builtin_prefetch((const char *)w + 64, 1);
}

/* And then, when it is there: what it leads to. */
static void prefetch_behind(const struct intake *in, int32_t series)
{
	window_store_prefetch(in->to->windows, in->series[series]);
}

static int count_values(const struct intake *in, struct intake_counts *counts, struct err *err)
{
	const struct sample_batch *batch = in->batch;

	for (size_t i = 0; i < batch->values_len; i++) {
		const struct value_sample *v = &batch->values[i];

		if (i + AHEAD < batch->values_len)
			prefetch_window(in, batch->values[i + AHEAD].series);
		if (i + AHEAD / 2 < batch->values_len)
			prefetch_behind(in, batch->values[i + AHEAD / 2].series);
		if (in->nr_cumulative && is_cumulative(in, v->series))
			continue;
		if (count_value(in, v->series, v->t, v->v, counts, err) < 0)
			return -1;
	}
	return 0;
}

static int count_summaries(const struct intake *in, struct intake_counts *counts, struct err *err)
{
	const struct sample_batch *batch = in->batch;

	for (size_t i = 0; i < batch->summaries_len; i++) {
		const struct summary_sample *s = &batch->summaries[i];

		if (i + AHEAD < batch->summaries_len)
			prefetch_window(in, batch->summaries[i + AHEAD].series);
		if (i + AHEAD / 2 < batch->summaries_len)
			prefetch_behind(in, batch->summaries[i + AHEAD / 2].series);
		if (in->nr_cumulative && is_cumulative(in, s->series))
			continue;
		if (count_summary(in, s, counts, err) < 0)
			return -1;
	}
	return 0;
}

static int count_deltas(const struct intake *in, struct intake_counts *counts, struct err *err)
{
	return count_values(in, counts, err) < 0 || count_summaries(in, counts, err) < 0 ? -1 : 0;
}

static int take_step(const struct intake *in, int32_t series, const struct baseline_point *point, struct baseline_step *step,
		     struct intake_counts *counts, struct err *err)
{
	if (in->overflowed && in->overflowed[series])
		*step = (struct baseline_step){.verdict = BASELINE_OVERFLOW};
	else if (baselines_take(in->to->baselines, in->series[series], point, in->watermark_ms, in->scratch, step, err) < 0)
		return -1;
	counts->points[step->verdict]++;
	return 0;
}

static int count_cumulative_value(const struct intake *in, const struct value_sample *v, struct intake_counts *counts, struct err *err)
{
	struct baseline_point point = {.t_ms = v->t, .start_ms = v->start, .routed_since_ms = in->batch->routed_since,
				       .count = 1, .sum = v->v, .single = true};
	struct baseline_step step;

	if (take_step(in, v->series, &point, &step, counts, err) < 0)
		return -1;
	return step.counts ? count_value(in, v->series, v->t, step.sum, counts, err) : 0;
}

/* What is counted whole is the summary as it came. Of a difference no extremes are known: those of the point go back to its start. */
static int count_cumulative_summary(const struct intake *in, const struct summary_sample *s, struct intake_counts *counts, struct err *err)
{
	/* A distribution without a histogram has an empty one: whether it has fallen is for its count to say, as its sum may fall. */
	bool distribution = in->traits[s->series].kind == SERIES_KIND_DISTRIBUTION;
	struct baseline_point point = {.t_ms = s->t, .start_ms = s->start, .routed_since_ms = in->batch->routed_since,
				       .count = s->count, .sum = s->sum, .histogram = distribution ? &s->histogram : NULL};
	struct baseline_step step;
	struct summary_sample diff = {.series = s->series, .t = s->t, .last_at = s->t, .has_histogram = s->has_histogram,
				      .approximate = s->approximate};

	if (take_step(in, s->series, &point, &step, counts, err) < 0)
		return -1;
	if (!step.counts)
		return 0;
	diff.count = step.count;
	diff.sum = step.sum;
	diff.histogram = step.histogram;
	return count_summary(in, step.whole ? s : &diff, counts, err);
}

static int compare_places(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->t_ms != y->t_ms)
		return x->t_ms < y->t_ms ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

/* The places of the cumulative samples, by time. NULL when memory is short. */
static const struct place *sort_cumulative(const struct intake *in)
{
	const struct sample_batch *batch = in->batch;
	struct place *places = arena_calloc(in->scratch, in->nr_cumulative, sizeof(*places));
	size_t nr = 0;

	if (!places)
		return NULL;
	for (size_t i = 0; i < batch->values_len; i++)
		if (is_cumulative(in, batch->values[i].series))
			places[nr++] = (struct place){batch->values[i].t, i};
	for (size_t i = 0; i < batch->summaries_len; i++)
		if (is_cumulative(in, batch->summaries[i].series))
			places[nr++] = (struct place){batch->summaries[i].t, batch->values_len + i};
	qsort(places, nr, sizeof(*places), compare_places);
	return places;
}

static int count_cumulative(const struct intake *in, struct intake_counts *counts, struct err *err)
{
	const struct sample_batch *batch = in->batch;
	const struct place *places = sort_cumulative(in);

	if (!places)
		return err_nomem(err, "a batch");
	for (size_t i = 0; i < in->nr_cumulative; i++) {
		size_t at = places[i].index;

		if ((at < batch->values_len ? count_cumulative_value(in, &batch->values[at], counts, err)
					    : count_cumulative_summary(in, &batch->summaries[at - batch->values_len], counts, err)) < 0)
			return -1;
	}
	return 0;
}

/* The batch has been counted, a part of it in overflow series. */
static void note_overflow(const struct intake *in, struct intake_counts *counts)
{
	const struct sample_batch *batch = in->batch;
	struct series_caps_refused refused = in->refused;

	for (size_t i = 0; i < batch->values_len; i++)
		refused.samples += in->overflowed[batch->values[i].series] && !is_cumulative(in, batch->values[i].series);
	for (size_t i = 0; i < batch->summaries_len; i++)
		refused.samples += in->overflowed[batch->summaries[i].series] && !is_cumulative(in, batch->summaries[i].series);
	counts->overflow_samples = refused.samples;
	series_caps_note(&in->to->windows->series.caps, batch->site, &refused);
}

/* Marks the batch as counted, and counts it, if nobody has before. */
static int count_once(const struct intake *in, struct intake_counts *counts, struct err *err)
{
	const struct sample_batch *batch = in->batch;
	struct identity who = identity_of_samples(batch);
	struct intake_counts own = {.site = batch->site, .has_agent_id = batch->has_agent_id, .seq = batch->seq,
				    .waiting_ms = identity_waiting_ms(&who, in->watermark_ms)};

	memcpy(own.agent_id, batch->agent_id, sizeof(own.agent_id));
	if (repeats_take(in->to->dedup, in->to->request_keys, &who, in->origin, in->watermark_ms, &own.dedup, &own.by_key, err) < 0)
		return -1;
	if (own.dedup.verdict == DEDUP_DUPLICATE)
		own.duplicate_samples = nr_samples(batch);
	else if (count_deltas(in, &own, err) < 0 || (in->nr_cumulative && count_cumulative(in, &own, err) < 0))
		return -1;
	else if (in->overflowed)
		note_overflow(in, &own);
	*counts = own;
	return 0;
}

/* Samples and identity, and then all of it into the state. */
static int take_samples(struct intake *in, struct intake_counts *counts, struct err *err)
{
	int64_t received_ms = in->batch->received_at, earliest_ms = received_ms > INTAKE_BACK_MS ? received_ms - INTAKE_BACK_MS : 0;

	if (intake_check(in->batch, in->traits, in->nr, earliest_ms, in->watermark_ms + INTAKE_AHEAD_MS, &in->nr_cumulative, err) < 0)
		return -1;
	if (!in->series && take_series(in, err) < 0)
		return -1;
	return count_once(in, counts, err);
}

/* Can a list be known by its series alone? New ones may never come again, refused ones are not in it, and cumulative ones need what the
 * list says of them. */
static bool is_plain(const struct intake *in, size_t nr_new)
{
	for (size_t i = 0; i < in->nr; i++)
		if (in->traits[i].cumulative)
			return false;
	return nr_new == 0 && !in->overflowed && in->nr > 0;
}

/* A batch whose series are in it. list: their bytes, if they are to be known the next time. */
static int take_batch(struct intake *in, struct str list, struct intake_counts *counts, struct err *err)
{
	struct series_table *table = &in->to->windows->series;
	const struct sample_batch *batch = in->batch;
	struct series_traits *traits = arena_calloc(in->scratch, batch->series_len, sizeof(*traits));
	size_t before = table->len;
	int rc = -1;

	if (!traits)
		return err_nomem(err, "a batch");
	in->traits = traits;
	in->nr = batch->series_len;
	if (intake_check_series(batch, traits, err) == 0)
		rc = take_samples(in, counts, err);
	if (rc == 0 && list.len && is_plain(in, table->len - before))
		series_lists_add(in->to->lists, table, list, in->taken, in->nr);
	for (size_t i = 0; i < in->nr_taken; i++)
		series_table_drop(table, in->taken[i]);
	return rc;
}

int intake_batch(const struct intake_state *to, const struct sample_batch *batch, int64_t watermark_ms, struct arena *scratch,
		 struct intake_counts *counts, struct err *err)
{
	struct intake in = {.to = to, .batch = batch, .watermark_ms = watermark_ms, .scratch = scratch};

	return take_batch(&in, (struct str){0}, counts, err);
}

/* A batch behind a list that is known. */
static int take_listed(struct intake *in, const struct series_list *list, struct intake_counts *counts, struct err *err)
{
	struct series_traits *traits = arena_alloc_raw(in->scratch, list->nr * sizeof(*traits));

	if (!traits)
		return err_nomem(err, "a batch");
	for (uint32_t i = 0; i < list->nr; i++)
		traits[i] = (struct series_traits){.kind = list->series[i]->kind};
	in->series = list->series;
	in->traits = traits;
	in->nr = list->nr;
	return take_samples(in, counts, err);
}

/* Decodes body, of the version with this id, behind its list of series, of which list_bytes are known. */
static int decode_rest(struct str body, uint32_t id, size_t list_bytes, struct arena *scratch, struct sample_batch *batch, struct err *err)
{
	struct codec_reader r;

	*batch = (struct sample_batch){0};
	codec_reader_init(&r, (struct str){body.p + list_bytes, body.len - list_bytes}, scratch);
	sample_batch_read_rest(&r, id, batch);
	return codec_close(&r, "SampleBatch", err);
}

/* All of body, likewise; *list: the bytes of its list. */
static int decode_all(struct str body, uint32_t id, struct arena *scratch, struct sample_batch *batch, struct str *list, struct err *err)
{
	struct codec_reader r;

	*batch = (struct sample_batch){0};
	codec_reader_init(&r, body, scratch);
	sample_batch_read_first(&r, batch);
	*list = (struct str){body.p, (size_t)((const char *)r.p - body.p)};
	sample_batch_read_rest(&r, id, batch);
	return codec_close(&r, "SampleBatch", err);
}

int intake_record(const struct intake_state *to, struct str record, const struct origin *origin, int64_t watermark_ms, struct arena *scratch,
		  struct intake_counts *counts, struct err *err)
{
	struct sample_batch batch;
	struct intake in = {.to = to, .batch = &batch, .origin = origin, .watermark_ms = watermark_ms, .scratch = scratch};
	const struct series_list *list;
	struct str body, bytes;
	int id = codec_open(record, SAMPLE_BATCH_SCHEMA_ID, &body, err);

	if (id < 0)
		return -1;
	list = series_lists_find(to->lists, &to->windows->series, body);
	if (list) {
		if (decode_rest(body, (uint32_t)id, list->nr_bytes, scratch, &batch, err) < 0)
			return -1;
		if (str_eq(batch.site, name_str(list->series[0]->site)))
			return take_listed(&in, list, counts, err);
	}
	if (decode_all(body, (uint32_t)id, scratch, &batch, &bytes, err) < 0)
		return -1;
	return take_batch(&in, bytes, counts, err);
}
