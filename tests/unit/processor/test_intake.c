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
static void histogram_missing(struct batch *b) { b->summaries[1].has_histogram = false; }
static void histogram_of_a_counter(struct batch *b) { b->summaries[0].has_histogram = true; }
static void histogram_short(struct batch *b) { b->counts[1][0] = 3; }
static void histogram_negative(struct batch *b) { b->counts[1][0] = -4; }
static void histogram_zero_negative(struct batch *b) { b->summaries[1].histogram.zero = -1; }
static void histogram_scale(struct batch *b) { b->summaries[1].histogram.scale = 21; }
static void histogram_offset(struct batch *b) { b->summaries[1].histogram.offset = INT32_MAX; }
static void name_empty(struct batch *b) { b->series[5].name.len = 0; }
static void name_long(struct batch *b) { b->series[5].name.len = 256; }
static void cumulative(struct batch *b) { b->series[5].temporality = TEMPORALITY_CUMULATIVE; }
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
	BAD(index_too_high), BAD(index_negative), BAD(value_nan), BAD(value_infinite), BAD(time_negative), BAD(time_far_ahead),
	BAD(time_at_the_end_of_time), BAD(summary_index), BAD(summary_empty), BAD(summary_negative), BAD(summary_huge), BAD(summary_sum),
	BAD(summary_min), BAD(summary_max), BAD(summary_last), BAD(summary_last_at), BAD(histogram_missing), BAD(histogram_of_a_counter),
	BAD(histogram_short), BAD(histogram_negative), BAD(histogram_zero_negative), BAD(histogram_scale), BAD(histogram_offset),
	BAD(name_empty), BAD(name_long), BAD(cumulative), BAD(same_series_of_two_kinds), BAD(seq_zero), BAD(floor_zero), BAD(floor_above_seq),
	BAD(floor_far_below_seq),
#undef BAD
};

static int take_known(struct window_store *ws, struct dedup *dedup, const struct batch *b, struct intake_counts *counts, struct err *err)
{
	struct arena scratch = {0};
	int rc = intake_batch(ws, dedup, &b->record, NOW_MS, &scratch, counts, err);

	arena_fini(&scratch);
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

START_TEST(a_bad_sample_spoils_the_whole_batch)
{
	struct dedup dedup = DEDUP_INIT;
	struct window_store ws = WINDOW_STORE_INIT;
	struct intake_counts counts = {.samples = 77};
	struct batch b;
	struct err err = ERR_INIT;

	make_good(&b);
	batch_identify(&b, 1, 7, 7, true);
	bad[_i].spoil(&b);
	ck_assert_msg(take_known(&ws, &dedup, &b, &counts, &err) == -1, "%s was taken", bad[_i].name);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_msg(err.msg[0] != '\0', "%s has no reason", bad[_i].name);
	ck_assert_uint_eq(counts.samples, 77);
	for (enum pane_class class = 0; class < NR_PANE_CLASSES; class++)
		ck_assert_uint_eq(ws.panes[class].len, 0);
	ck_assert_uint_eq(ws.series.by_fingerprint.len, 0);
	ck_assert_uint_eq(dedup.agents.len, 0);
	/* Put right, it may come again: a refusal has marked nothing. */
	make_good(&b);
	batch_identify(&b, 1, 7, 7, true);
	ck_assert_int_eq(take_known(&ws, &dedup, &b, &counts, &err), 0);
	ck_assert(counts.samples == 4 && counts.dedup.verdict == DEDUP_NEW);
	window_store_fini(&ws);
	dedup_fini(&dedup);
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
	ck_assert_uint_eq(ws.series.by_fingerprint.len, 3); /* the ones that have samples */
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
	tcase_add_test(tc, an_empty_batch_says_only_that_its_payload_came);
	tcase_add_test(tc, a_good_batch_is_counted_whole);
	tcase_add_test(tc, a_known_series_keeps_its_kind_and_site);
	tcase_add_test(tc, counts_stop_before_they_wrap);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
