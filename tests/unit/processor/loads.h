/* loads.h - SampleBatch records of several sites with many series, into a task under caps, and what the task then knows. */
#ifndef MILLRACE_TESTS_PROCESSOR_LOADS_H
#define MILLRACE_TESTS_PROCESSOR_LOADS_H

#include "processor/snapshot.h"
#include "tests/unit/processor/ledger.h"

/* Sites, the series of each, and behind them one slot for the overflow series of each kind: so a slot's kind is always l_kind(slot). */
enum { SITES = 4, SERIES = 24, SLOTS = SERIES + 3, A_RECORD = 12, NR_LENGTHS = 2 };

#define NOW_MS (L_BEGIN_MS + 5 * L_MINUTE_MS)

static const struct late_rules late_rules = {5 * L_MINUTE_MS, 30 * L_MINUTE_MS};
static const struct str site_ids[SITES] = {{"site-a", 6}, {"b", 1}, {"site-c, which has a long name", 29}, {"site-d", 6}};
static const struct str overflow_name = {"__overflow__", 12};

static inline void fingerprint_of(int site, int slot, uint8_t out[SERIES_FINGERPRINT_BYTES])
{
	memset(out, 0x33, SERIES_FINGERPRINT_BYTES);
	out[7] = (uint8_t)site;
	out[15] = (uint8_t)(slot * 29);
}

/* A batch and what its pointers point to. */
struct load {
	struct sample_batch record;
	struct series_ref series[A_RECORD];
	struct value_sample values[A_RECORD];
	struct summary_sample summaries[A_RECORD];
	int64_t counts[A_RECORD];
	char names[A_RECORD][8];
	int slots[A_RECORD]; /* of the series */
};

static inline void load_init(struct load *l, int site)
{
	memset(l, 0, sizeof(*l));
	l->record.site = site_ids[site];
	l->record.series = l->series;
	l->record.values = l->values;
	l->record.summaries = l->summaries;
}

/* Appends a series of the load's site; returns its index. */
static inline int load_series(struct load *l, int site, int slot)
{
	size_t i = l->record.series_len++;

	l->slots[i] = slot;
	snprintf(l->names[i], sizeof(l->names[i]), "m.%d", slot);
	l->series[i] = (struct series_ref){.kind = l_kind(slot), .name = str_from(l->names[i])};
	fingerprint_of(site, slot, l->series[i].fingerprint);
	return (int)i;
}

static inline void load_value(struct load *l, int series, int j, int64_t t_ms)
{
	l->values[l->record.values_len++] = (struct value_sample){.series = series, .t = t_ms, .v = l_value(j)};
}

static inline void load_summary(struct load *l, int series, int j, int n, int64_t t_ms)
{
	size_t i = l->record.summaries_len++;
	struct summary_sample *s = &l->summaries[i];

	*s = (struct summary_sample){.series = series, .t = t_ms, .count = n, .sum = n * l_value(j), .has_min = true, .min = l_value(j),
				     .has_max = true, .max = l_value(j), .has_last = true, .last = l_value(j), .last_at = t_ms};
	s->has_histogram = l_kind(l->slots[series]) == SERIES_KIND_DISTRIBUTION;
	l->counts[i] = n;
	if (s->has_histogram)
		s->histogram = (struct histogram){.scale = 5, .offset = 32 * j + 18, .counts = &l->counts[i], .counts_len = 1};
}

/* Encodes the load and has the task take it; what task_take() says. */
static inline int take_load(struct task *t, const struct load *l, int64_t timestamp_ms, struct intake_counts *counts, struct err *err)
{
	struct record record = {.offset = t->position, .timestamp_ms = timestamp_ms};
	struct arena scratch = {0};
	struct buf bytes = BUF_INIT;
	int rc;

	ck_assert_int_eq(sample_batch_encode(&l->record, &bytes, NULL), 0);
	record.value = buf_str(&bytes);
	rc = task_take(t, &record, &scratch, counts, err);
	arena_fini(&scratch);
	buf_fini(&bytes);
	return rc;
}

/* The site and slot of a series; that it is written as it should be, too. */
static inline void place_of(const struct series *s, int *site, int *slot)
{
	uint8_t fingerprint[SERIES_FINGERPRINT_BYTES];
	struct tag tags[SERIES_TAGS_MAX];
	const struct series_id known = series_id_of(s, tags);

	for (*site = 0; !str_eq(site_ids[*site], known.site); ++*site)
		ck_assert_int_lt(*site + 1, SITES);
	if (str_eq(known.name, overflow_name)) {
		const struct series_id id = {.site = site_ids[*site], .kind = known.kind, .name = overflow_name};

		series_fingerprint(&id, fingerprint);
		*slot = SERIES + known.kind;
	} else {
		*slot = 0;
		for (size_t i = 2; i < known.name.len; i++)
			*slot = *slot * 10 + (known.name.p[i] - '0');
		fingerprint_of(*site, *slot, fingerprint);
	}
	ck_assert(known.tags_len == 0 && known.kind == (uint8_t)l_kind(*slot) && memcmp(fingerprint, s->fingerprint, sizeof(fingerprint)) == 0);
}

/* Which series the table has; it must have counted them by site. */
static inline void look(const struct task *t, bool known[SITES][SLOTS])
{
	const struct series_table *table = &t->windows.series;
	const struct series *s;
	size_t at = 0;

	memset(known, 0, sizeof(bool) * SITES * SLOTS);
	while ((s = series_table_next(table, &at)) != NULL) {
		int site, slot;

		place_of(s, &site, &slot);
		known[site][slot] = true;
	}
	for (int site = 0; site < SITES; site++) {
		size_t own = 0, all = 0, listed = 0;

		for (int slot = 0; slot < SLOTS; slot++) {
			own += known[site][slot] && slot < SERIES;
			all += known[site][slot];
		}
		for (const struct series_caps_site *c = table->caps.sites; c; c = c->next) {
			if (!str_eq(c->id, site_ids[site]))
				continue;
			ck_assert_uint_eq(c->nr_series, own);
			ck_assert_uint_eq(c->nr_held, all);
			listed++;
		}
		ck_assert(listed == 1 || (listed == 0 && all == 0));
	}
}

static inline size_t nr_own(const struct task *t, int site)
{
	bool known[SITES][SLOTS];
	size_t nr = 0;

	look(t, known);
	for (int slot = 0; slot < SERIES; slot++)
		nr += known[site][slot];
	return nr;
}

static inline void close_with(struct task *t, int64_t watermark_ms, int64_t site_max, int64_t record_max)
{
	const struct close_rules rules = {45000, late_rules, 100, 100, site_max, record_max, {.rules = NULL}};
	struct err err = ERR_INIT;

	ck_assert_msg(task_close(t, watermark_ms, &rules, &err) == 0, "%s", err.msg);
}

/* The task as its next owner has it. */
static inline struct task *restored(struct task *t)
{
	struct task *back = task_new(t->partition, t->kind);
	struct buf bytes = BUF_INIT;
	struct err err = ERR_INIT;

	ck_assert_int_eq(snapshot_encode(t, &bytes, &err), 0);
	ck_assert_msg(snapshot_decode(buf_str(&bytes), back, &err) == 0, "%s", err.msg);
	task_free(t);
	buf_fini(&bytes);
	return back;
}

static inline const struct series_caps_site *site_at(const struct task *t, int site)
{
	for (const struct series_caps_site *s = t->windows.series.caps.sites; s; s = s->next)
		if (str_eq(s->id, site_ids[site]))
			return s;
	return NULL;
}

/* Samples to tell of, or -1 when it is not time. */
static inline int64_t tell(const struct task *t, int site, int64_t watermark_ms)
{
	struct series_caps_refused refused;
	struct series_caps_site *s = (struct series_caps_site *)(uintptr_t)site_at(t, site);

	return s && series_caps_tell(s, watermark_ms, &refused) ? (int64_t)refused.samples : -1;
}

#endif
