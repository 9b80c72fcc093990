/* test_intake.c - a batch is counted whole or not at all, and once. */
#include "processor/intake.h"

#include <math.h>

#include "processor/snapshot.h"
#include "tests/unit/processor/batches.h"

#define NOW_MS (L_BEGIN_MS + 10 * L_MINUTE_MS)

/* A good batch of two values and two summaries, then made bad in one way at its very end. */
static void make_good(struct batch *b)
{
	batch_init(b);
	batch_value(b, 0, 1, NOW_MS - 1000);
	batch_value(b, 1, 2, NOW_MS - 2000);
	batch_summary(b, 0, 3, 4, NOW_MS - 3000);
	batch_summary(b, 2, 3, 4, NOW_MS - 3000);
}

static void index_too_high(struct batch *b) { b->values[1].series = L_SERIES; }
static void index_negative(struct batch *b) { b->values[1].series = -1; }
static void value_nan(struct batch *b) { b->values[1].v = NAN; }
static void value_infinite(struct batch *b) { b->values[1].v = -INFINITY; }
static void time_negative(struct batch *b) { b->values[1].t = -1; }
static void time_long_gone(struct batch *b)
{
	b->record.received_at = b->values[0].t + 50 * L_HOUR_MS;
}

static void time_far_ahead(struct batch *b) { b->values[1].t = NOW_MS + INTAKE_AHEAD_MS + 1; }
static void time_at_the_end_of_time(struct batch *b) { b->summaries[1].t = INT64_MAX; }
static void summary_index(struct batch *b) { b->summaries[1].series = INT32_MAX; }
static void summary_empty(struct batch *b) { b->summaries[1].count = 0; }
static void summary_negative(struct batch *b) { b->summaries[0].count = -4; }
static void summary_huge(struct batch *b) { b->summaries[0].count = SERIES_SAMPLE_COUNT_MAX + 1; }
static void summary_sum(struct batch *b) { b->summaries[1].sum = INFINITY; }
static void summary_min(struct batch *b) { b->summaries[1].min = NAN; }
static void summary_max(struct batch *b) { b->summaries[1].max = NAN; }
static void summary_last(struct batch *b) { b->summaries[1].last = NAN; }
static void summary_last_at(struct batch *b) { b->summaries[1].last_at = NOW_MS + INTAKE_AHEAD_MS + 1; }
static void errors_negative(struct batch *b) { b->summaries[0].errors = -1; }
static void errors_beyond_count(struct batch *b) { b->summaries[0].errors = b->summaries[0].count + 1; }
static void errors_cumulative(struct batch *b)
{
	batch_accumulate(b);
	b->summaries[0].errors = 1;
}

static void histogram_of_a_counter(struct batch *b) { b->summaries[0].has_histogram = true; }
static void histogram_short(struct batch *b) { b->counts[1][0] = 3; }
static void histogram_negative(struct batch *b) { b->counts[1][0] = -4; }
static void histogram_zero_negative(struct batch *b) { b->summaries[1].histogram.zero = -1; }
static void histogram_scale(struct batch *b) { b->summaries[1].histogram.scale = 21; }
static void histogram_offset(struct batch *b) { b->summaries[1].histogram.offset = INT32_MAX; }
static void name_empty(struct batch *b) { b->series[5].name.len = 0; }
static void name_long(struct batch *b) { b->series[5].name.len = 256; }
static void gauge_cumulative(struct batch *b) { b->series[4].temporality = TEMPORALITY_CUMULATIVE; }
static void key_empty(struct batch *b) { b->record.has_idempotency_key = true; }
static void key_long(struct batch *b)
{
	static const char bytes[256];

	b->record.has_idempotency_key = true;
	b->record.idempotency_key = (struct str){bytes, sizeof(bytes)};
}

static void distribution_single(struct batch *b)
{
	b->series[2].temporality = TEMPORALITY_CUMULATIVE;
	b->values[1].series = 2;
}

static void counter_negative(struct batch *b)
{
	batch_accumulate(b);
	b->values[0].v = -1;
}

static void counter_sum_negative(struct batch *b)
{
	batch_accumulate(b);
	b->summaries[0].sum = -1;
}

static void start_negative(struct batch *b)
{
	batch_accumulate(b);
	b->summaries[1].start = -1;
}

static void since_negative(struct batch *b)
{
	batch_accumulate(b);
	b->record.routed_since = -1;
}

static void total_negative(struct batch *b)
{
	batch_accumulate(b);
	b->summaries[1].count = -1;
}

static void total_huge(struct batch *b)
{
	batch_accumulate(b);
	b->summaries[0].count = (INT64_C(1) << 62) + 1;
}

static void seq_zero(struct batch *b) { b->record.seq = b->record.floor = 0; }
static void floor_zero(struct batch *b) { b->record.floor = 0; }
static void floor_above_seq(struct batch *b) { b->record.floor = b->record.seq + 1; }
static void floor_far_below_seq(struct batch *b) { b->record.seq = b->record.floor + SEQS_SPAN_MAX + 1; }
static void same_series_of_two_kinds(struct batch *b) { memcpy(b->series[5].fingerprint, b->series[1].fingerprint, 16); }

static const struct {
	const char *name;
	void (*spoil)(struct batch *b);
} bad[] = {
#define BAD(f) {#f, f}
	BAD(index_too_high), BAD(index_negative), BAD(value_nan), BAD(value_infinite), BAD(time_negative), BAD(time_far_ahead), BAD(time_long_gone),
	BAD(time_at_the_end_of_time), BAD(summary_index), BAD(summary_empty), BAD(summary_negative), BAD(summary_huge), BAD(summary_sum),
	BAD(summary_min), BAD(summary_max), BAD(summary_last), BAD(summary_last_at), BAD(errors_negative), BAD(errors_beyond_count), BAD(errors_cumulative),
	BAD(histogram_of_a_counter),
	BAD(histogram_short), BAD(histogram_negative), BAD(histogram_zero_negative), BAD(histogram_scale), BAD(histogram_offset),
	BAD(name_empty), BAD(name_long), BAD(gauge_cumulative), BAD(key_empty), BAD(key_long), BAD(distribution_single),
	BAD(counter_negative), BAD(counter_sum_negative), BAD(start_negative), BAD(since_negative), BAD(total_negative), BAD(total_huge),
	BAD(same_series_of_two_kinds), BAD(seq_zero), BAD(floor_zero), BAD(floor_above_seq), BAD(floor_far_below_seq),
#undef BAD
};

static int take_into(const struct intake_state *to, const struct batch *b, struct intake_counts *counts, struct err *err)
{
	struct arena scratch = {0};
	int rc = intake_batch(to, &b->record, NOW_MS, &scratch, counts, err);

	arena_fini(&scratch);
	return rc;
}

/* Where nothing is cumulative and nobody has a key. */
static int take_known(struct window_store *ws, struct dedup *dedup, const struct batch *b, struct intake_counts *counts, struct err *err)
{
	struct request_keys keys = REQUEST_KEYS_INIT;
	struct baselines baselines = BASELINES_INIT;
	int rc = take_into(&(struct intake_state){ws, dedup, &keys, &baselines, NULL, NULL, NULL}, b, counts, err);

	ck_assert(keys.keys.len == 0 && baselines.by_series.len == 0);
	request_keys_fini(&keys);
	baselines_fini(&baselines, &ws->series);
	return rc;
}

/* The same where nobody has an identity. */
static int take(struct window_store *ws, const struct batch *b, struct intake_counts *counts, struct err *err)
{
	struct dedup dedup = DEDUP_INIT;
	int rc = take_known(ws, &dedup, b, counts, err);

	ck_assert_uint_eq(dedup.agents.len, 0);
	dedup_fini(&dedup);
	return rc;
}

/* Everything a batch goes into. */
struct state {
	struct window_store windows;
	struct dedup dedup;
	struct request_keys keys;
	struct baselines baselines;
	struct intake_state to;
};

static void state_init(struct state *s)
{
	*s = (struct state){.windows = WINDOW_STORE_INIT, .dedup = DEDUP_INIT, .keys = REQUEST_KEYS_INIT, .baselines = BASELINES_INIT};
	s->to = (struct intake_state){&s->windows, &s->dedup, &s->keys, &s->baselines, NULL, NULL, NULL};
}

static void state_fini(struct state *s)
{
	baselines_fini(&s->baselines, &s->windows.series);
	window_store_fini(&s->windows);
	dedup_fini(&s->dedup);
	request_keys_fini(&s->keys);
}

START_TEST(a_bad_sample_spoils_the_whole_batch)
{
	struct state s;
	struct intake_counts counts = {.samples = 77};
	struct batch b;
	struct err err = ERR_INIT;

	state_init(&s);
	make_good(&b);
	batch_identify(&b, 1, 7, 7, true);
	bad[_i].spoil(&b);
	ck_assert_msg(take_into(&s.to, &b, &counts, &err) == -1, "%s was taken", bad[_i].name);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_msg(err.msg[0] != '\0', "%s has no reason", bad[_i].name);
	ck_assert_uint_eq(counts.samples, 77);
	for (enum pane_class class = 0; class < NR_PANE_CLASSES; class++)
		ck_assert_uint_eq(s.windows.panes[class].len, 0);
	ck_assert_uint_eq(s.windows.series.len, 0);
	ck_assert(s.dedup.agents.len == 0 && s.keys.keys.len == 0 && s.baselines.by_series.len == 0);
	/* Put right, it may come again: a refusal has marked nothing. */
	make_good(&b);
	batch_identify(&b, 1, 7, 7, true);
	ck_assert_int_eq(take_into(&s.to, &b, &counts, &err), 0);
	ck_assert(counts.samples == 4 && counts.dedup.verdict == DEDUP_NEW);
	state_fini(&s);
}
END_TEST

/* All values of all windows, each counted in its minute. */
static int64_t counted(const struct window_store *ws)
{
	int64_t count = 0;

	for (size_t i = 0; i < ws->panes[PANE_MINUTE].len; i++) {
		const struct window *w;
		size_t at = 0;

		while ((w = pane_next(ws->panes[PANE_MINUTE].panes[i], &at)) != NULL)
			count += w->count;
	}
	return count;
}

START_TEST(a_retry_counts_nothing)
{
	struct window_store ws = WINDOW_STORE_INIT;
	struct dedup dedup = DEDUP_INIT;
	struct intake_counts counts;
	struct batch b;
	struct err err = ERR_INIT;

	make_good(&b);
	batch_identify(&b, 1, 7, 7, false);
	for (int i = 0; i < 3; i++) {
		ck_assert_msg(take_known(&ws, &dedup, &b, &counts, &err) == 0, "%s", err.msg);
		ck_assert_int_eq(counts.dedup.verdict, i ? DEDUP_DUPLICATE : DEDUP_NEW);
		ck_assert(counts.samples == (i ? 0 : 4) && counts.duplicate_samples == (i ? 4 : 0) && counts.late == 0);
		ck_assert_int_eq(counted(&ws), 10);
	}
	batch_identify(&b, 1, 8, 7, false); /* the next one carries the same samples, and counts */
	ck_assert_int_eq(take_known(&ws, &dedup, &b, &counts, &err), 0);
	ck_assert_int_eq(counted(&ws), 20);
	window_store_fini(&ws);
	dedup_fini(&dedup);
}
END_TEST

START_TEST(over_the_cap_each_copy_counts)
{
	struct window_store ws = WINDOW_STORE_INIT;
	struct dedup dedup = DEDUP_INIT;
	struct intake_counts counts;
	struct batch b;
	struct err err = ERR_INIT;

	dedup_close(&dedup, NOW_MS, 1);
	make_good(&b);
	for (int i = 0; i < 3; i++) {
		batch_identify(&b, i ? 2 : 1, 7, 7, false);
		ck_assert_int_eq(take_known(&ws, &dedup, &b, &counts, &err), 0);
		ck_assert(counts.dedup.verdict == (i ? DEDUP_UNREMEMBERED : DEDUP_NEW) && counts.samples == 4 && counts.duplicate_samples == 0);
		ck_assert_int_eq(counted(&ws), 10 * (i + 1));
	}
	window_store_fini(&ws);
	dedup_fini(&dedup);
}
END_TEST

START_TEST(a_retry_of_a_request_counts_nothing)
{
	struct state s;
	struct intake_counts counts;
	struct batch b;
	struct err err = ERR_INIT;

	state_init(&s);
	make_good(&b);
	batch_key(&b, 0);
	for (int i = 0; i < 3; i++) {
		ck_assert_msg(take_into(&s.to, &b, &counts, &err) == 0, "%s", err.msg);
		ck_assert(counts.by_key && counts.dedup.verdict == (i ? DEDUP_DUPLICATE : DEDUP_NEW));
		ck_assert(counts.samples == (i ? 0 : 4) && counts.duplicate_samples == (i ? 4 : 0));
		ck_assert_int_eq(counted(&s.windows), 10);
	}
	batch_identify(&b, 1, 7, 7, false); /* who has both goes by the agent */
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(take_into(&s.to, &b, &counts, &err), 0);
		ck_assert(!counts.by_key && counts.dedup.verdict == (i ? DEDUP_DUPLICATE : DEDUP_NEW));
		ck_assert_int_eq(counted(&s.windows), 20);
	}
	ck_assert_uint_eq(s.keys.keys.len, 1);
	state_fini(&s);
}
END_TEST

/* The one window of a series, or NULL. */
static const struct window *window_of(const struct window_store *ws, int series)
{
	for (size_t i = 0; i < ws->panes[PANE_MINUTE].len; i++) {
		const struct window *w;
		size_t at = 0;

		while ((w = pane_next(ws->panes[PANE_MINUTE].panes[i], &at)) != NULL)
			if (l_series_of(w->series) == series)
				return w;
	}
	return NULL;
}

static void cumulative_value(struct batch *b, int series, double v, int64_t start_ms, int64_t t_ms)
{
	struct value_sample *sample = batch_value(b, series, 0, t_ms);

	sample->v = v;
	sample->start = start_ms;
}

/* Their order in the record means nothing; what stands beside them in it is counted as ever. */
START_TEST(cumulative_points_count_by_their_times)
{
	const int64_t start_ms = NOW_MS - 50000;
	struct state s;
	struct intake_counts counts;
	struct batch b;
	struct err err = ERR_INIT;
	const struct window *w;

	state_init(&s);
	batch_init(&b);
	b.series[0].temporality = TEMPORALITY_CUMULATIVE;
	cumulative_value(&b, 0, 16, start_ms, NOW_MS - 2000);
	batch_value(&b, 3, 1, NOW_MS - 2000);
	cumulative_value(&b, 0, 16, start_ms, NOW_MS - 1000);
	cumulative_value(&b, 0, 5, start_ms, NOW_MS - 3000);
	cumulative_value(&b, 0, 99, start_ms, NOW_MS - 3000); /* another word on the same time */
	ck_assert_msg(take_into(&s.to, &b, &counts, &err) == 0, "%s", err.msg);
	ck_assert(counts.samples == 4 && counts.points[BASELINE_FRESH] == 1 && counts.points[BASELINE_DELTA] == 2 &&
		  counts.points[BASELINE_STALE] == 1);
	w = window_of(&s.windows, 0);
	ck_assert(w->count == 3 && w->sum == 16 && w->max == 11 && w->min == 0); /* 5, 11, 0 */
	ck_assert(window_of(&s.windows, 3)->count == 1);
	ck_assert_int_eq(take_into(&s.to, &b, &counts, &err), 0);
	ck_assert(counts.samples == 1 && counts.points[BASELINE_STALE] == 4 && w->count == 3);
	state_fini(&s);
}
END_TEST

/* Whole, a summary brings its extremes; as a difference it has none, as nobody knows when they were. */
START_TEST(cumulative_summaries_count_their_difference)
{
	struct totals totals = {{0}, {{0}}};
	struct state s;
	struct intake_counts counts;
	struct batch b;
	struct err err = ERR_INIT;
	const struct window *w;
	struct bucket_at top;

	state_init(&s);
	for (int i = 1; i <= 3; i++) {
		batch_init(&b);
		batch_accumulate(&b);
		totals.started_ms[2] = NOW_MS - 90000;
		totals.values[2][i] = i;
		batch_total(&b, &totals, 2, 5, NOW_MS - 10000 + i);
		b.summaries[0].has_min = b.summaries[0].has_max = true;
		b.summaries[0].min = l_value(1);
		b.summaries[0].max = l_value(i);
		ck_assert_msg(take_into(&s.to, &b, &counts, &err) == 0, "%s", err.msg);
		ck_assert(counts.samples == 1 && counts.points[i == 1 ? BASELINE_FRESH : BASELINE_DELTA] == 1);
	}
	w = window_of(&s.windows, 2);
	ck_assert(w->count == 6 && w->sum == l_value(1) + 2 * l_value(2) + 3 * l_value(3) && !w->approximate);
	ck_assert(w->has_min && w->min == l_value(1) && w->has_max && w->max == l_value(1) && !w->has_last);
	ck_assert_uint_eq(hist_len(&w->hist), 3);
	top = bucket_at(&w->hist, 2);
	ck_assert(top.sign == 1 && top.index == 32 * 3 + 18 && top.count == 3);
	b.summaries[0].t++; /* nothing new: no sample */
	ck_assert_int_eq(take_into(&s.to, &b, &counts, &err), 0);
	ck_assert(counts.samples == 0 && counts.points[BASELINE_DELTA] == 1 && w->count == 6);
	state_fini(&s);
}
END_TEST

/* OTLP's summaries have none: count and sum count all the same, and a sum that falls is no reset. */
START_TEST(summaries_without_a_histogram_count)
{
	static const struct {
		int64_t count;
		double sum;
	} points[] = {{3, 9}, {5, 4}, {5, 4}, {6, -1}};
	struct totals totals = {{0}, {{0}}};
	struct state s;
	struct intake_counts counts;
	struct batch b;
	struct err err = ERR_INIT;
	const struct window *w;

	state_init(&s);
	for (int i = 0; i < (int)NR(points); i++) {
		batch_init(&b);
		batch_accumulate(&b);
		totals.started_ms[2] = NOW_MS - 90000;
		batch_total(&b, &totals, 2, 5, NOW_MS - 10000 + i);
		b.summaries[0].count = points[i].count;
		b.summaries[0].sum = points[i].sum;
		b.summaries[0].has_histogram = false;
		b.summaries[0].histogram = (struct histogram){0};
		ck_assert_msg(take_into(&s.to, &b, &counts, &err) == 0, "%s", err.msg);
		ck_assert(counts.points[i == 0 ? BASELINE_FRESH : BASELINE_DELTA] == 1);
	}
	w = window_of(&s.windows, 2);
	ck_assert(w->count == 6 && w->sum == -1 && hist_len(&w->hist) == 0);
	state_fini(&s);
}
END_TEST

/* A baseline may be of more than a window can hold: its differences are exact all the same. Only a whole one is more than fits. */
START_TEST(a_long_life_is_no_matter)
{
	struct totals totals = {{0}, {{0}}};
	struct state s;
	struct intake_counts counts;
	struct batch b;
	struct err err = ERR_INIT;
	const struct window *w;

	state_init(&s);
	for (int i = 0; i < 4; i++) {
		batch_init(&b);
		batch_accumulate(&b);
		totals.values[2][1] = i < 3 ? (INT64_C(1) << 62) - 10 + 2 * i : INT64_C(1) << 50;
		totals.values[2][3] = i;
		batch_total(&b, &totals, 2, 5, NOW_MS - 10000 + i);
		ck_assert_msg(take_into(&s.to, &b, &counts, &err) == 0, "%s", err.msg);
		ck_assert_uint_eq(counts.points[i == 0 ? BASELINE_FIRST : i < 3 ? BASELINE_DELTA : BASELINE_RESET], 1);
		w = window_of(&s.windows, 2);
		ck_assert(i ? w->approximate == (i == 3) : !w);
		if (i == 2) {
			ck_assert(w->count == 6 && hist_len(&w->hist) == 2);
			ck_assert(bucket_at(&w->hist, 0).index == 32 * 1 + 18 && bucket_at(&w->hist, 0).count == 4);
			ck_assert(bucket_at(&w->hist, 1).index == 32 * 3 + 18 && bucket_at(&w->hist, 1).count == 2);
		}
	}
	ck_assert(w->count == 6 + (INT64_C(1) << 50) + 3 && hist_count(&w->hist) == 6);
	totals.values[2][1] = INT64_C(1) << 62;
	batch_init(&b);
	batch_accumulate(&b);
	batch_total(&b, &totals, 2, 5, NOW_MS);
	ck_assert_int_eq(take_into(&s.to, &b, &counts, &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	state_fini(&s);
}
END_TEST

START_TEST(an_empty_batch_says_only_that_its_payload_came)
{
	struct window_store ws = WINDOW_STORE_INIT;
	struct dedup dedup = DEDUP_INIT;
	struct intake_counts counts;
	struct batch b;
	struct err err = ERR_INIT;
	static const struct { int64_t seq; uint64_t gaps; } rows[] = {{1, 0}, {2, 0}, {5, 2}, {6, 0}};

	batch_init(&b);
	b.record.series_len = 0;
	for (size_t i = 0; i < NR(rows); i++) {
		batch_identify(&b, 1, rows[i].seq, rows[i].seq, true);
		ck_assert_msg(take_known(&ws, &dedup, &b, &counts, &err) == 0, "%s", err.msg);
		ck_assert(counts.samples == 0 && counts.dedup.gaps == rows[i].gaps && str_eq(counts.site, STR("site-a")));
	}
	ck_assert_uint_eq(ws.panes[PANE_MINUTE].len, 0);
	window_store_fini(&ws);
	dedup_fini(&dedup);
}
END_TEST

START_TEST(a_good_batch_is_counted_whole)
{
	struct window_store ws = WINDOW_STORE_INIT;
	struct ledger *want = calloc(1, sizeof(*want)), *have = calloc(1, sizeof(*have));
	const struct late_rules late = {1, 1};
	struct pane_list out = {0};
	struct intake_counts counts;
	struct batch b;
	struct err err = ERR_INIT;

	make_good(&b);
	ck_assert_msg(take(&ws, &b, &counts, &err) == 0, "%s", err.msg);
	ck_assert(counts.samples == 4 && counts.late == 0);
	ledger_add(want, 0, 1, NOW_MS - 1000);
	ledger_add(want, 1, 2, NOW_MS - 2000);
	for (int i = 0; i < 4; i++) {
		ledger_add(want, 0, 3, NOW_MS - 3000);
		ledger_add(want, 2, 3, NOW_MS - 3000);
	}
	ck_assert_uint_eq(ws.series.len, 3); /* the ones that have samples */
	ck_assert_int_eq(window_store_close(&ws, L_BEGIN_MS + L_HOUR_MS, NOW_MS, &late, &out, &err), 0);
	for (size_t i = 0; i < out.len; i++)
		ledger_merge(have, out.panes[i]);
	ledger_equal(want, have);
	ck_assert(take(&ws, &b, &counts, &err) == 0 && counts.late == 4);
	pane_list_fini(&out, &ws.series);
	window_store_fini(&ws);
	free(want);
	free(have);
}
END_TEST

START_TEST(a_known_series_keeps_its_kind_and_site)
{
	struct window_store ws = WINDOW_STORE_INIT;
	struct intake_counts counts;
	struct batch b;
	struct err err = ERR_INIT;

	make_good(&b);
	ck_assert_int_eq(take(&ws, &b, &counts, &err), 0);
	b.series[0].kind = SERIES_KIND_GAUGE;
	ck_assert_int_eq(take(&ws, &b, &counts, &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	make_good(&b);
	b.record.site = STR("another-tenant"); /* with the same fingerprints */
	err = (struct err)ERR_INIT;
	ck_assert_int_eq(take(&ws, &b, &counts, &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_msg(strstr(err.msg, "another-tenant") != NULL, "%s", err.msg);
	window_store_fini(&ws);
}
END_TEST

START_TEST(counts_stop_before_they_wrap)
{
	struct window_store ws = WINDOW_STORE_INIT;
	struct intake_counts counts;
	struct batch b;
	struct err err = ERR_INIT;
	const struct window *w;
	size_t at = 0;

	batch_init(&b);
	batch_value(&b, 0, 1, NOW_MS);
	ck_assert_int_eq(take(&ws, &b, &counts, &err), 0);
	w = pane_next(ws.panes[PANE_MINUTE].panes[0], &at);
	((struct window *)(uintptr_t)w)->count = INT64_MAX - 1;
	ck_assert_int_eq(take(&ws, &b, &counts, &err), 0);
	ck_assert_int_eq(take(&ws, &b, &counts, &err), 0);
	ck_assert_int_eq(w->count, INT64_MAX);
	window_store_fini(&ws);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("intake");
	TCase *tc = tcase_create("intake");

	tcase_add_loop_test(tc, a_bad_sample_spoils_the_whole_batch, 0, (int)NR(bad));
	tcase_add_test(tc, a_retry_counts_nothing);
	tcase_add_test(tc, over_the_cap_each_copy_counts);
	tcase_add_test(tc, a_retry_of_a_request_counts_nothing);
	tcase_add_test(tc, cumulative_points_count_by_their_times);
	tcase_add_test(tc, cumulative_summaries_count_their_difference);
	tcase_add_test(tc, summaries_without_a_histogram_count);
	tcase_add_test(tc, a_long_life_is_no_matter);
	tcase_add_test(tc, an_empty_batch_says_only_that_its_payload_came);
	tcase_add_test(tc, a_good_batch_is_counted_whole);
	tcase_add_test(tc, a_known_series_keeps_its_kind_and_site);
	tcase_add_test(tc, counts_stop_before_they_wrap);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
