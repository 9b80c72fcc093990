/* test_window_store.c - random samples, closings and flushes against a model that keeps no windows, only what must come out when. */
#include "processor/window_store.h"

#include "tests/unit/processor/batches.h"

static const struct late_rules late_rules = {5 * L_MINUTE_MS, 30 * L_MINUTE_MS};

/* When late samples of a minute or hour began to wait, and when the last came; 0: none waits. */
struct waiting {
	int64_t first_ms, last_ms;
};

/* What the model knows beside the ledger. */
struct model {
	struct ledger in, out;
	bool open_minutes[L_MINUTES], open_hours[L_HOURS]; /* hold samples and are not closed */
	struct waiting late_minutes[L_MINUTES], late_hours[L_HOURS];
	int64_t closed_ms;
	uint64_t late;
};

static void model_wait(struct waiting *w, int64_t watermark_ms)
{
	if (!w->first_ms)
		w->first_ms = watermark_ms;
	w->last_ms = watermark_ms;
}

static void model_add(struct model *m, int series, int j, int64_t t_ms, int64_t watermark_ms)
{
	int64_t minute = (t_ms - L_BEGIN_MS) / L_MINUTE_MS, hour = (t_ms - L_BEGIN_MS) / L_HOUR_MS;

	ledger_add(&m->in, series, j, t_ms);
	if (L_BEGIN_MS + (minute + 1) * L_MINUTE_MS > m->closed_ms) {
		m->open_minutes[minute] = m->open_hours[hour] = true;
		return;
	}
	m->late++;
	model_wait(&m->late_minutes[minute], watermark_ms);
	if (L_BEGIN_MS + (hour + 1) * L_HOUR_MS > m->closed_ms)
		m->open_hours[hour] = true;
	else
		model_wait(&m->late_hours[hour], watermark_ms);
}

static bool model_late_due(const struct waiting *w, int64_t watermark_ms)
{
	return w->first_ms && (watermark_ms - w->last_ms >= late_rules.idle_ms || watermark_ms - w->first_ms >= late_rules.max_ms);
}

/* The pane must be one whose time has come, and is gone from the model then. */
static void model_take(struct model *m, const struct pane *pane, int64_t watermark_ms)
{
	int64_t since = pane->start_ms - L_BEGIN_MS;
	bool hour = pane_length_ms(pane->class) == L_HOUR_MS;
	int64_t number = since / (hour ? L_HOUR_MS : L_MINUTE_MS), end_ms = pane->start_ms + pane_length_ms(pane->class);
	struct waiting *w = hour ? &m->late_hours[number] : &m->late_minutes[number];
	bool *open = hour ? &m->open_hours[number] : &m->open_minutes[number];

	if (pane_is_late(pane->class)) {
		ck_assert(model_late_due(w, watermark_ms));
		*w = (struct waiting){0};
	} else {
		ck_assert(*open && end_ms <= m->closed_ms);
		*open = false;
	}
	ledger_merge(&m->out, pane);
}

/* Nothing whose time has come is left. */
static void model_check_none_due(const struct model *m, int64_t watermark_ms)
{
	for (int i = 0; i < L_MINUTES; i++)
		ck_assert(!model_late_due(&m->late_minutes[i], watermark_ms) &&
			  !(m->open_minutes[i] && L_BEGIN_MS + (i + 1) * L_MINUTE_MS <= m->closed_ms));
	for (int i = 0; i < L_HOURS; i++)
		ck_assert(!model_late_due(&m->late_hours[i], watermark_ms) &&
			  !(m->open_hours[i] && L_BEGIN_MS + (i + 1) * L_HOUR_MS <= m->closed_ms));
}

static void close_and_check(struct window_store *ws, struct model *m, int64_t closed_ms, int64_t watermark_ms)
{
	struct pane_list out = {0};
	struct err err = ERR_INIT;
	bool due = window_store_due(ws, closed_ms, watermark_ms, &late_rules);

	ck_assert_int_eq(window_store_close(ws, closed_ms, watermark_ms, &late_rules, &out, &err), 0);
	ck_assert_int_eq(due, out.len > 0);
	if (closed_ms > m->closed_ms)
		m->closed_ms = closed_ms;
	for (size_t i = 0; i < out.len; i++)
		model_take(m, out.panes[i], watermark_ms);
	model_check_none_due(m, watermark_ms);
	pane_list_fini(&out, &ws->series);
}

/* Everything the model holds comes out, marked, once; what is closed and what is late stays as it was. */
static void flush_and_check(struct window_store *ws, struct model *m)
{
	struct pane_list out = {0};
	struct err err = ERR_INIT;

	ck_assert_int_eq(window_store_flush(ws, &out, &err), 0);
	for (size_t i = 0; i < out.len; i++) {
		const struct pane *pane = out.panes[i];
		bool hour = pane_length_ms(pane->class) == L_HOUR_MS, late = pane_is_late(pane->class);
		int64_t number = (pane->start_ms - L_BEGIN_MS) / (hour ? L_HOUR_MS : L_MINUTE_MS);
		struct waiting *w = hour ? &m->late_hours[number] : &m->late_minutes[number];
		bool *open = hour ? &m->open_hours[number] : &m->open_minutes[number];

		ck_assert(pane->flushed && (late ? w->first_ms != 0 : *open));
		if (late)
			*w = (struct waiting){0};
		else
			*open = false;
		ledger_merge(&m->out, pane);
	}
	for (int i = 0; i < L_MINUTES; i++)
		ck_assert(!m->open_minutes[i] && !m->late_minutes[i].first_ms);
	for (int i = 0; i < L_HOURS; i++)
		ck_assert(!m->open_hours[i] && !m->late_hours[i].first_ms);
	for (enum pane_class class = 0; class < NR_PANE_CLASSES; class++)
		ck_assert_uint_eq(ws->panes[class].len, 0);
	if (m->closed_ms)
		ck_assert_int_eq(ws->closed_ms, m->closed_ms);
	pane_list_fini(&out, &ws->series);
}

static struct series *take_series(struct window_store *ws, int i)
{
	uint8_t fingerprint[SERIES_FINGERPRINT_BYTES];
	struct series_id id = l_id(i, fingerprint);
	struct series *s = series_table_take(&ws->series, &id, fingerprint, NULL);

	ck_assert_ptr_nonnull(s);
	return s;
}

/* One random sample, as a value or as a summary; returns what the store said. */
static int add_random(struct window_store *ws, struct unit_random *r, struct model *m, int64_t watermark_ms)
{
	int i = (int)unit_random_below(r, L_SERIES), j = (int)unit_random_below(r, L_VALUES), n = 1 + (int)unit_random_below(r, 3), rc;
	int64_t t_ms = watermark_ms + 30000 - (int64_t)unit_random_below(r, unit_random_below(r, 10) ? 150000 : 100 * 60000);
	struct series *s = take_series(ws, i);
	struct batch b;
	struct err err = ERR_INIT;

	t_ms = t_ms < L_BEGIN_MS ? L_BEGIN_MS : t_ms;
	batch_init(&b);
	if (n == 1)
		rc = window_store_add_value(ws, s, t_ms, l_value(j), watermark_ms, &err);
	else
		rc = window_store_add_summary(ws, s, batch_summary(&b, i, j, n, t_ms), watermark_ms, &err);
	series_table_drop(&ws->series, s);
	ck_assert_msg(rc >= 0, "%s", err.msg);
	for (int k = 0; k < n; k++)
		model_add(m, i, j, t_ms, watermark_ms);
	m->late -= (uint64_t)(n - 1) * (uint64_t)rc;
	return rc;
}

START_TEST(agrees_with_a_model_of_random_samples_closings_and_flushes)
{
	struct unit_random r = unit_random_new("window_store");
	struct window_store ws = WINDOW_STORE_INIT;
	struct model *m = calloc(1, sizeof(*m));
	int64_t watermark = L_BEGIN_MS, last = L_BEGIN_MS + (L_MINUTES - 2) * L_MINUTE_MS;
	uint64_t late = 0;

	ck_assert_ptr_nonnull(m);
	while (watermark < last) {
		late += (uint64_t)add_random(&ws, &r, m, watermark);
		if (unit_random_below(&r, 4) == 0)
			watermark += (int64_t)unit_random_below(&r, 12000);
		if (unit_random_below(&r, 40) == 0) {
			int64_t behind = watermark - 45000 - (int64_t)unit_random_below(&r, 200000);

			close_and_check(&ws, m, behind - behind % L_MINUTE_MS, watermark);
		}
		if (unit_random_below(&r, 150) == 0)
			flush_and_check(&ws, m);
	}
	ck_assert_uint_eq(late, m->late);
	ck_assert_uint_gt(late, 50);
	close_and_check(&ws, m, L_BEGIN_MS + 1000 * L_HOUR_MS, watermark + 1000 * L_HOUR_MS);
	ledger_equal(&m->in, &m->out);
	/* Nobody knows the series any more, so they have left. */
	ck_assert_uint_eq(ws.series.len, 0);
	window_store_fini(&ws);
	free(m);
}
END_TEST

/* One value of series 0 at a time. */
static int add_at(struct window_store *ws, int64_t t_ms, int64_t watermark_ms)
{
	struct series *s = take_series(ws, 0);
	struct err err = ERR_INIT;
	int rc = window_store_add_value(ws, s, t_ms, 1, watermark_ms, &err);

	series_table_drop(&ws->series, s);
	return rc;
}

/* Closes and says which panes came, as "class@minute" words. */
static const char *closed_panes(struct window_store *ws, int64_t closed_minute, int64_t watermark_minute, char out[256])
{
	static const char *const names[NR_PANE_CLASSES] = {"minute", "hour", "late-minute", "late-hour"};
	struct pane_list panes = {0};
	struct err err = ERR_INIT;
	size_t at = 0;

	out[0] = '\0';
	ck_assert_int_eq(window_store_close(ws, L_BEGIN_MS + closed_minute * L_MINUTE_MS, L_BEGIN_MS + watermark_minute * L_MINUTE_MS,
					    &late_rules, &panes, &err), 0);
	for (size_t i = 0; i < panes.len; i++)
		at += (size_t)snprintf(out + at, 256 - at, "%s%s@%lld", i ? " " : "", names[panes.panes[i]->class],
				       (long long)((panes.panes[i]->start_ms - L_BEGIN_MS) / L_MINUTE_MS));
	pane_list_fini(&panes, &ws->series);
	return out;
}

START_TEST(minutes_close_oldest_first_and_the_hour_after_them)
{
	struct window_store ws = WINDOW_STORE_INIT;
	char out[256];

	for (int minute = 61; minute >= 58; minute--)
		ck_assert_int_eq(add_at(&ws, L_BEGIN_MS + minute * L_MINUTE_MS + 59999, L_BEGIN_MS), 0);
	ck_assert_str_eq(closed_panes(&ws, 58, 60, out), "");
	ck_assert_str_eq(closed_panes(&ws, 59, 60, out), "minute@58");
	ck_assert_str_eq(closed_panes(&ws, 59, 60, out), "");
	ck_assert_str_eq(closed_panes(&ws, 61, 62, out), "minute@59 minute@60 hour@0");
	ck_assert_str_eq(closed_panes(&ws, 120, 121, out), "minute@61 hour@60");
	window_store_fini(&ws);
}
END_TEST

START_TEST(an_older_closing_closes_nothing)
{
	struct window_store ws = WINDOW_STORE_INIT;
	char out[256];

	closed_panes(&ws, 30, 31, out);
	closed_panes(&ws, 10, 31, out);
	ck_assert_int_eq(ws.closed_ms, L_BEGIN_MS + 30 * L_MINUTE_MS);
	ck_assert_int_eq(add_at(&ws, L_BEGIN_MS + 30 * L_MINUTE_MS - 1, L_BEGIN_MS), 1);
	ck_assert_int_eq(add_at(&ws, L_BEGIN_MS + 30 * L_MINUTE_MS, L_BEGIN_MS), 0);
	window_store_fini(&ws);
}
END_TEST

/* A flushed minute is not a closed one: what comes after it is on time, and one more fragment, which is no flushed one. */
START_TEST(a_flush_closes_nothing)
{
	struct window_store ws = WINDOW_STORE_INIT;
	struct pane_list out = {0};
	struct err err = ERR_INIT;
	char text[256];

	closed_panes(&ws, 70, 71, text);
	ck_assert_int_eq(add_at(&ws, L_BEGIN_MS + 75 * L_MINUTE_MS, L_BEGIN_MS), 0);
	ck_assert_int_eq(add_at(&ws, L_BEGIN_MS + 65 * L_MINUTE_MS, L_BEGIN_MS), 1);
	ck_assert_int_eq(add_at(&ws, L_BEGIN_MS + 5 * L_MINUTE_MS, L_BEGIN_MS), 1);
	ck_assert_int_eq(window_store_flush(&ws, &out, &err), 0);
	ck_assert_uint_eq(out.len, 5); /* minute 75, its hour, the late ones 65 and 5, the late hour */
	ck_assert_uint_eq(window_store_bytes(&ws), pane_list_bytes(&(struct pane_list){.cap = 8}) * NR_PANE_CLASSES);
	pane_list_fini(&out, &ws.series);
	ck_assert_int_eq(ws.closed_ms, L_BEGIN_MS + 70 * L_MINUTE_MS);
	ck_assert_int_eq(add_at(&ws, L_BEGIN_MS + 75 * L_MINUTE_MS, L_BEGIN_MS), 0);
	ck_assert_int_eq(add_at(&ws, L_BEGIN_MS + 69 * L_MINUTE_MS, L_BEGIN_MS), 1);
	ck_assert(!ws.panes[PANE_MINUTE].panes[0]->flushed);
	ck_assert_str_eq(closed_panes(&ws, 120, 1000, text), "minute@75 hour@60 late-minute@69");
	window_store_fini(&ws);
}
END_TEST

START_TEST(late_windows_go_out_after_five_quiet_minutes_or_thirty)
{
	struct window_store ws = WINDOW_STORE_INIT;
	char out[256];

	closed_panes(&ws, 100, 100, out);
	ck_assert_int_eq(add_at(&ws, L_BEGIN_MS + 10 * L_MINUTE_MS, L_BEGIN_MS + 101 * L_MINUTE_MS), 1); /* its hour is closed */
	ck_assert_int_eq(add_at(&ws, L_BEGIN_MS + 70 * L_MINUTE_MS, L_BEGIN_MS + 101 * L_MINUTE_MS), 1); /* its hour is open */
	ck_assert_str_eq(closed_panes(&ws, 100, 105, out), "");
	ck_assert_str_eq(closed_panes(&ws, 100, 106, out), "late-minute@10 late-minute@70 late-hour@0");
	for (int minute = 106; minute < 136; minute += 3) { /* never quiet for long */
		ck_assert_int_eq(add_at(&ws, L_BEGIN_MS + 10 * L_MINUTE_MS, L_BEGIN_MS + minute * L_MINUTE_MS), 1);
		ck_assert_str_eq(closed_panes(&ws, 100, minute, out), "");
	}
	ck_assert_str_eq(closed_panes(&ws, 100, 136, out), "late-minute@10 late-hour@0");
	ck_assert_str_eq(closed_panes(&ws, 120, 136, out), "hour@60");
	window_store_fini(&ws);
}
END_TEST

START_TEST(unknown_extremes_stay_unknown_until_a_sample_knows_them)
{
	struct window_store ws = WINDOW_STORE_INIT;
	struct series *s = take_series(&ws, 1);
	struct summary_sample blind = {.count = 3, .sum = 7, .t = L_BEGIN_MS, .last_at = L_BEGIN_MS + 5};
	struct summary_sample seeing = {.count = 1, .sum = 2, .t = L_BEGIN_MS, .last_at = L_BEGIN_MS + 1, .has_min = true, .min = 2,
					.has_last = true, .last = 2};
	struct pane_list out = {0};
	const struct window *w;
	struct err err = ERR_INIT;
	size_t at = 0;

	ck_assert_int_eq(window_store_add_summary(&ws, s, &blind, 0, &err), 0);
	w = pane_next(ws.panes[PANE_MINUTE].panes[0], &at);
	ck_assert(!w->has_min && !w->has_max && !w->has_last && w->last_at_ms == L_BEGIN_MS + 5);
	ck_assert_int_eq(window_store_add_summary(&ws, s, &seeing, 0, &err), 0);
	ck_assert(w->has_min && w->min == 2 && !w->has_max && w->has_last && w->last == 2 && w->last_at_ms == L_BEGIN_MS + 1);
	ck_assert(w->count == 4 && w->sum == 9);
	series_table_drop(&ws.series, s);
	ck_assert_int_eq(window_store_close(&ws, L_BEGIN_MS + L_HOUR_MS, L_BEGIN_MS, &late_rules, &out, &err), 0);
	pane_list_fini(&out, &ws.series);
	window_store_fini(&ws);
}
END_TEST

/* A record may have a sample in each minute of two days: that is thousands of panes. What they grow by is told, when it is a chunk. */
START_TEST(a_pane_with_little_in_it_is_little)
{
	enum { MINUTES = 2880, FEW = 4 };
	struct window_store ws = WINDOW_STORE_INIT;
	struct series *series[FEW + 1];
	struct err err = ERR_INIT;
	size_t before;

	for (int i = 0; i <= FEW; i++) {
		uint8_t fingerprint[SERIES_FINGERPRINT_BYTES] = {(uint8_t)i};

		series[i] = series_table_take(&ws.series, &(struct series_id){.site = STR("s"), .name = STR("n")}, fingerprint, &err);
		ck_assert_ptr_nonnull(series[i]);
	}
	for (int i = 0; i < FEW; i++)
		for (int64_t minute = 0; minute < MINUTES; minute++)
			ck_assert_int_eq(window_store_add_value(&ws, series[i], minute * L_MINUTE_MS, 1, 0, &err), 0);
	ck_assert(window_store_panes(&ws) == MINUTES && window_store_bytes(&ws) < MINUTES * 700);
	before = window_store_bytes(&ws);
	for (int64_t minute = 0; minute < MINUTES; minute++)
		ck_assert_int_eq(window_store_add_value(&ws, series[FEW], minute * L_MINUTE_MS, 1, 0, &err), 0);
	ck_assert_uint_eq(window_store_panes(&ws), (1 + 7) * MINUTES);
	ck_assert_uint_gt(window_store_bytes(&ws), before + MINUTES * 3000);
	for (int i = 0; i <= FEW; i++)
		series_table_drop(&ws.series, series[i]);
	window_store_fini(&ws);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("window_store");
	TCase *tc = tcase_create("window_store");

	tcase_add_test(tc, agrees_with_a_model_of_random_samples_closings_and_flushes);
	tcase_add_test(tc, minutes_close_oldest_first_and_the_hour_after_them);
	tcase_add_test(tc, a_pane_with_little_in_it_is_little);
	tcase_add_test(tc, an_older_closing_closes_nothing);
	tcase_add_test(tc, a_flush_closes_nothing);
	tcase_add_test(tc, late_windows_go_out_after_five_quiet_minutes_or_thirty);
	tcase_add_test(tc, unknown_extremes_stay_unknown_until_a_sample_knows_them);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
