/* test_series_caps_model.c - random series of several sites under changing caps, against a model that says where each sample belongs: so each site's
 * totals are exact, and those of a site under its cap are whole. */
#include "processor/series_caps.h"

#include "tests/unit/processor/loads.h"

/* What the model knows: every fragment by series, and the caps in force. */
struct model {
	struct entry in[SITES][SLOTS][NR_LENGTHS], out[SITES][SLOTS][NR_LENGTHS];
	uint64_t refused[SITES], told[SITES]; /* samples */
	int64_t site_max, record_max, share, usual; /* share: while crowded; usual: the average at the last closing */
	uint64_t overflowed, admitted;
};

static void model_add(struct model *m, int site, int slot, int j, int n, int64_t t_ms)
{
	for (int length = 0; length < NR_LENGTHS; length++)
		for (int k = 0; k < n; k++)
			entry_add(&m->in[site][slot][length], j, t_ms);
}

/* Where the samples of each series of a load belong. */
static void model_judge(const struct model *m, const struct task *t, const struct load *l, int site, int to[A_RECORD])
{
	bool known[SITES][SLOTS];
	int64_t own = 0, new = 0;

	look(t, known);
	for (int slot = 0; slot < SERIES; slot++)
		own += known[site][slot];
	for (size_t i = 0; i < l->record.series_len; i++) {
		int slot = l->slots[i];

		to[i] = slot;
		if (known[site][slot])
			continue;
		if ((t->windows.series.caps.crowded && own >= m->share) || new == m->record_max || own >= m->site_max) {
			to[i] = SERIES + slot % 3;
			continue;
		}
		known[site][slot] = true;
		own++;
		new++;
	}
}

static int64_t average(const struct task *t)
{
	int64_t all = 0, sites = 0;

	for (int site = 0; site < SITES; site++)
		all += (int64_t)nr_own(t, site);
	for (const struct series_caps_site *s = t->windows.series.caps.sites; s; s = s->next)
		sites++;
	return sites ? all / sites : 0;
}

static void crowd(struct model *m, struct task *t, bool crowded)
{
	struct series_caps *caps = &t->windows.series.caps;
	int64_t now = average(t);

	if (crowded && !caps->crowded)
		m->share = now > m->usual ? now : m->usual;
	series_caps_crowd(caps, crowded);
}

/* A random record of one site: into the model and, perhaps twice, into the task. */
static void feed_random(struct model *m, struct task *t, struct unit_random *r, int64_t now_ms, int64_t seq)
{
	int site = (int)unit_random_below(r, SITES), to[A_RECORD];
	int range = site == 3 ? 3 : SERIES; /* one that is never over a cap */
	uint64_t overflowed = 0;
	struct intake_counts counts;
	struct err err = ERR_INIT;
	struct load l;

	load_init(&l, site);
	for (int i = site == 3 ? 2 : 1 + (int)unit_random_below(r, A_RECORD); i > 0; i--)
		load_series(&l, site, (int)unit_random_below(r, (uint64_t)range));
	model_judge(m, t, &l, site, to);
	for (int i = 1 + (int)unit_random_below(r, A_RECORD); i > 0; i--) {
		int series = (int)unit_random_below(r, l.record.series_len), j = (int)unit_random_below(r, L_VALUES);
		int n = unit_random_below(r, 2) ? 1 : 1 + (int)unit_random_below(r, 4);
		int64_t t_ms = now_ms - (int64_t)unit_random_below(r, unit_random_below(r, 6) ? 60000 : 80 * 60000);

		if (n == 1)
			load_value(&l, series, j, t_ms);
		else
			load_summary(&l, series, j, n, t_ms);
		model_add(m, site, to[series], j, n, t_ms);
		overflowed += to[series] >= SERIES;
	}
	l.record.has_agent_id = true;
	l.record.seq = l.record.floor = seq;
	ck_assert_msg(take_load(t, &l, now_ms, &counts, &err) == 0, "%s", err.msg);
	ck_assert_uint_eq(counts.overflow_samples, overflowed);
	ck_assert_uint_eq(counts.samples, l.record.values_len + l.record.summaries_len);
	m->refused[site] += overflowed;
	m->overflowed += overflowed;
	m->admitted += counts.samples - overflowed;
	ck_assert(site != 3 || !overflowed || t->windows.series.caps.crowded);
	if (unit_random_below(r, 4) == 0) {
		ck_assert_int_eq(take_load(t, &l, now_ms, &counts, &err), 0);
		ck_assert(counts.samples == 0 && counts.overflow_samples == 0);
	}
}

/* What has been closed or flushed goes out, as after a commit. */
static void drain(struct model *m, struct task *t)
{
	for (size_t i = 0; i < t->outbox.len; i++) {
		const struct pane *pane = t->outbox.panes[i];
		const struct window *w;
		size_t at = 0;

		while ((w = pane_next(pane, &at)) != NULL) {
			int site, slot;

			place_of(w->series, &site, &slot);
			entry_merge(&m->out[site][slot][pane_length_ms(pane->class) == L_HOUR_MS], w);
		}
	}
	pane_list_fini(&t->outbox, &t->windows.series);
}

/* A checkpoint with other caps, never below what the third site needs. */
static void checkpoint(struct model *m, struct task *t, struct unit_random *r, int64_t now_ms)
{
	size_t before[SITES];
	struct err err = ERR_INIT;

	m->site_max = 3 + (int64_t)unit_random_below(r, 8);
	m->record_max = 2 + (int64_t)unit_random_below(r, 6);
	for (int site = 0; site < SITES; site++)
		before[site] = nr_own(t, site);
	close_with(t, now_ms, m->site_max, m->record_max);
	m->usual = average(t);
	if (unit_random_below(r, 4) == 0)
		ck_assert_int_eq(task_flush(t, &err), 0);
	for (int site = 0; site < SITES; site++) {
		int64_t samples = tell(t, site, now_ms);

		m->told[site] += samples > 0 ? (uint64_t)samples : 0;
		ck_assert_uint_le(nr_own(t, site), before[site]);
	}
	if (unit_random_below(r, 3)) /* else what comes next meets series that only the outbox knows */
		drain(m, t);
}

/* Everything out, and compared: series by series, so the totals of each site, too. */
static void settle(struct model *m, struct task *t, int64_t now_ms)
{
	close_with(t, now_ms + 60 * L_HOUR_MS, m->site_max, m->record_max);
	drain(m, t);
	for (int site = 0; site < SITES; site++) {
		int64_t samples = tell(t, site, now_ms + 60 * L_HOUR_MS);

		ck_assert_uint_eq(m->told[site] + (samples > 0 ? (uint64_t)samples : 0), m->refused[site]);
		for (int slot = 0; slot < SLOTS; slot++)
			for (int length = 0; length < NR_LENGTHS; length++)
				entry_equal(&m->in[site][slot][length], &m->out[site][slot][length], slot, "site", site);
	}
	ck_assert_uint_eq(t->windows.series.len, 0);
	close_with(t, now_ms + 62 * L_HOUR_MS, m->site_max, m->record_max);
	ck_assert_ptr_null(t->windows.series.caps.sites);
}

START_TEST(agrees_with_a_model_of_random_series_caps_and_restores)
{
	struct unit_random r = unit_random_new("series_caps");
	struct model *m = calloc(1, sizeof(*m));
	struct task *t = task_new(0, INPUT_SAMPLES);
	int64_t now_ms = L_BEGIN_MS + 2 * L_HOUR_MS;

	ck_assert(m && t);
	checkpoint(m, t, &r, now_ms);
	for (int64_t seq = 1; seq < 3000; seq++) {
		now_ms += (int64_t)unit_random_below(&r, 15000);
		feed_random(m, t, &r, now_ms, seq);
		for (int site = 0; site < SITES; site++)
			ck_assert(nr_own(t, site) <= 10); /* the highest cap there was */
		if (unit_random_below(&r, 20) == 0)
			crowd(m, t, unit_random_below(&r, 3) == 0);
		if (unit_random_below(&r, 12) == 0)
			checkpoint(m, t, &r, now_ms);
		if (unit_random_below(&r, 30) == 0) {
			for (int site = 0; site < SITES; site++) /* what nobody was told of ends with a task */
				m->told[site] = m->refused[site];
			drain(m, t);
			t = restored(t);
			m->usual = 0;
		}
	}
	settle(m, t, now_ms);
	ck_assert(m->overflowed > 1000 && m->admitted > 1000);
	task_free(t);
	free(m);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("series_caps_model");
	TCase *tc = tcase_create("series_caps_model");

	tcase_add_test(tc, agrees_with_a_model_of_random_series_caps_and_restores);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
