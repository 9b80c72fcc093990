/* test_emit.c - a fragment as a reader decodes it. */
#include "processor/emit.h"

#include <math.h>

#include "tests/unit/processor/ledger.h"

/* The one window of a fresh pane, and its fragment decoded. */
struct emitted {
	struct series_table series;
	struct pane *pane;
	struct window *w;
	struct arena decoded;
	struct buf bytes;
	struct aggregate a;
};

static void emitted_init(struct emitted *e, enum pane_class class, int series)
{
	uint8_t fingerprint[SERIES_FINGERPRINT_BYTES];
	struct series_id id = l_id(series, fingerprint);
	struct series *s;

	memset(e, 0, sizeof(*e));
	e->pane = pane_new(class, 1, L_BEGIN_MS, L_BEGIN_MS);
	s = series_table_take(&e->series, &id, fingerprint, NULL);
	e->w = pane_window(e->pane, s);
	series_table_drop(&e->series, s);
}

/* The generated encoder writes the same bytes of what was decoded. */
static void must_be_as_generated(const struct emitted *e)
{
	struct buf again = BUF_INIT;
	struct err err = ERR_INIT;

	ck_assert_msg(aggregate_encode(&e->a, &again, &err) == 0, "%s", err.msg);
	ck_assert(str_eq(buf_str(&again), buf_str(&e->bytes)));
	buf_fini(&again);
}

/* What is pinned goes by way of the generated encoder, which without a pin writes today's version: the way is seen here, and what a former version looks
 * like in tests/unit/common/test_pins.c. Behind what stands in the buffer already. */
static void must_be_so_pinned(const struct emitted *e)
{
	struct buf again = BUF_INIT;
	struct err err = ERR_INIT;

	buf_add(&again, "x", 1);
	ck_assert(!emit_is_pinned());
	ck_assert_msg(emit_pinned(e->w, e->pane, -99, &again, &err) == 0, "%s", err.msg);
	ck_assert_uint_eq(again.len, 1 + e->bytes.len);
	ck_assert_mem_eq(again.p + 1, e->bytes.p, e->bytes.len);
	buf_fini(&again);
}

static void emit(struct emitted *e)
{
	struct err err = ERR_INIT;

	buf_clear(&e->bytes);
	ck_assert_msg(emit_fragment(e->w, e->pane, -99, &e->bytes, &err) == 0, "%s", err.msg);
	ck_assert_msg(aggregate_decode(buf_str(&e->bytes), &e->decoded, &e->a, &err) == 0, "%s", err.msg);
	must_be_as_generated(e);
	must_be_so_pinned(e);
}

static void emitted_fini(struct emitted *e)
{
	pane_free(e->pane, &e->series);
	series_table_fini(&e->series);
	arena_fini(&e->decoded);
	buf_fini(&e->bytes);
}

START_TEST(a_gauges_minute)
{
	struct emitted e;

	emitted_init(&e, PANE_MINUTE, 1);
	window_add_value(e.w, L_BEGIN_MS + 5, 2.5);
	window_add_value(e.w, L_BEGIN_MS + 3, -1);
	emit(&e);
	ck_assert(e.a.epoch == -99 && e.a.kind == SERIES_KIND_GAUGE && e.a.window_start == L_BEGIN_MS && e.a.window_ms == 60000);
	ck_assert(e.a.count == 2 && e.a.sum == 1.5 && e.a.has_min && e.a.min == -1 && e.a.has_max && e.a.max == 2.5);
	ck_assert(e.a.has_last && e.a.last == 2.5 && e.a.last_at == L_BEGIN_MS + 5);
	ck_assert(!e.a.has_histogram && !e.a.late && !e.a.approximate && e.a.errors == 0);
	ck_assert(str_eq(e.a.site, STR("site-a")) && str_eq(e.a.name, STR("m.1")) && e.a.tags_len == 1);
	ck_assert_mem_eq(e.a.fingerprint, e.w->series->fingerprint, sizeof(e.a.fingerprint));
	emitted_fini(&e);
}
END_TEST

START_TEST(a_distributions_late_hour)
{
	struct emitted e;

	emitted_init(&e, PANE_LATE_HOUR, 2);
	window_add_value(e.w, L_BEGIN_MS, 0);
	window_add_value(e.w, L_BEGIN_MS, 1.5);
	window_add_value(e.w, L_BEGIN_MS, -1.5);
	window_add_value(e.w, L_BEGIN_MS, -3);
	emit(&e);
	ck_assert(e.a.window_ms == 3600000 && e.a.late && e.a.has_histogram && e.a.histogram.scale == 5 && e.a.histogram.zero == 1);
	ck_assert(e.a.histogram.offset == 18 && e.a.histogram.counts_len == 1 && e.a.histogram.counts[0] == 1);
	ck_assert(e.a.histogram.neg_offset == 18 && e.a.histogram.neg_counts_len == 33);
	ck_assert(e.a.histogram.neg_counts[0] == 1 && e.a.histogram.neg_counts[1] == 0 && e.a.histogram.neg_counts[32] == 1);
	ck_assert(e.a.tags_len == 2);
	emitted_fini(&e);
}
END_TEST

START_TEST(what_is_not_known_is_null)
{
	struct summary_sample blind = {.t = L_BEGIN_MS, .count = 3, .sum = 7, .last_at = L_BEGIN_MS + 9, .approximate = true};
	struct emitted e;

	emitted_init(&e, PANE_HOUR, 0);
	window_add_summary(e.w, &blind);
	emit(&e);
	ck_assert(e.a.count == 3 && e.a.sum == 7 && !e.a.has_min && !e.a.has_max && !e.a.has_last && e.a.last_at == L_BEGIN_MS + 9);
	ck_assert(e.a.approximate && !e.a.late && e.a.window_ms == 3600000);
	emitted_fini(&e);
}
END_TEST

/* A reader who adds the fragment's histogram up has the window's. */
static void must_have_its_buckets(const struct emitted *e)
{
	struct hist_dense dense = window_dense(&e->a.histogram);
	const struct hist *own = &e->w->hist;
	struct hist back = HIST_INIT;
	bool approximate = false;
	struct err err = ERR_INIT;

	ck_assert_msg(hist_add_dense(&back, &dense, &approximate, &err) == 0, "%s", err.msg);
	ck_assert(!approximate && hist_len(&back) == hist_len(own) && hist_count(&back) == (uint64_t)e->w->count);
	for (uint32_t i = 0; i < hist_len(own); i++)
		ck_assert(hist_key(&back, i) == hist_key(own, i) && hist_bucket_count(&back, i) == hist_bucket_count(own, i));
	hist_fini(&back);
}

/* Whatever a window holds: kinds, signs, spreads, what is not known, late or not. */
START_TEST(any_window_is_written_as_the_generated_encoder_would)
{
	struct unit_random r = unit_random_new("emit");

	for (int run = 0; run < 2000; run++) {
		int series = (int)unit_random_below(&r, L_SERIES), nr = (int)unit_random_below(&r, 40) + 1;
		struct emitted e;
		double sum = 0;

		emitted_init(&e, (enum pane_class)unit_random_below(&r, NR_PANE_CLASSES), series);
		for (int i = 0; i < nr; i++) {
			double v = ldexp(unit_random_unit(&r) - 0.3, (int)unit_random_below(&r, 60) - 30);

			v = unit_random_below(&r, 9) ? v : 0;
			sum += v;
			ck_assert_int_eq(window_add_value(e.w, L_BEGIN_MS + i, v), 0);
		}
		e.w->errors = unit_random_below(&r, 2) ? (uint32_t)unit_random_below(&r, (uint64_t)UINT32_MAX + 1) : 0;
		e.w->has_min = unit_random_below(&r, 4);
		e.w->has_last = unit_random_below(&r, 4);
		e.w->approximate = unit_random_below(&r, 2);
		emit(&e);
		ck_assert(e.a.count == nr && e.a.errors == e.w->errors && e.a.sum == sum && e.a.has_min == e.w->has_min && e.a.has_max && e.a.approximate == e.w->approximate);
		ck_assert(e.a.late == pane_is_late(e.pane->class) && e.a.has_histogram == (l_kind(series) == SERIES_KIND_DISTRIBUTION));
		if (e.a.has_histogram)
			must_have_its_buckets(&e);
		emitted_fini(&e);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("emit");
	TCase *tc = tcase_create("emit");

	tcase_add_test(tc, a_gauges_minute);
	tcase_add_test(tc, a_distributions_late_hour);
	tcase_add_test(tc, what_is_not_known_is_null);
	tcase_add_test(tc, any_window_is_written_as_the_generated_encoder_would);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
