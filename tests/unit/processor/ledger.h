/* ledger.h - the model that the processor's tests compare with: plain arrays over few series, minutes and hours.
 *
 * Values are 1.5 * 2^j, so that sums are exact whatever their order and a value's bucket at scale 5 is known without any arithmetic of the product's:
 * 32 * log2(1.5 * 2^j) = 32 j + 18.7, so bucket 32 j + 18. Shares nothing with what it checks but the structs it reads. */
#ifndef MILLRACE_TESTS_PROCESSOR_LEDGER_H
#define MILLRACE_TESTS_PROCESSOR_LEDGER_H

#include <string.h>

#include "processor/pane.h"
#include "processor/series_table.h"
#include "tests/unit/buckets.h"
#include "tests/unit/unit.h"

enum { L_SERIES = 6, L_MINUTES = 240, L_HOURS = L_MINUTES / 60, L_VALUES = 8 };

#define L_MINUTE_MS INT64_C(60000)
#define L_HOUR_MS INT64_C(3600000)
#define L_BEGIN_MS (INT64_C(490000) * L_HOUR_MS) /* a full hour */

/* What one window holds. */
struct entry {
	int64_t count, errors, last_at;
	double sum, min, max, last;
	int64_t values[L_VALUES]; /* how often each */
};

struct ledger {
	struct entry minutes[L_SERIES][L_MINUTES], hours[L_SERIES][L_HOURS];
};

static inline double l_value(int j)
{
	return 1.5 * (double)(1 << j);
}

static inline enum series_kind l_kind(int series)
{
	return (enum series_kind)(series % 3);
}

/* The identity of a series, all of one site, as a batch is of one; tags for some. The strings are literals. */
static inline struct series_id l_id(int series, uint8_t fingerprint[SERIES_FINGERPRINT_BYTES])
{
	static const struct tag tags[] = {{{"a", 1}, {"1", 1}}, {{"b", 1}, {"\xc3\xa4", 2}}};
	static const char *const names[L_SERIES] = {"m.0", "m.1", "m.2", "m.3", "m.4", "m.5"};

	memset(fingerprint, 0x5a, SERIES_FINGERPRINT_BYTES);
	fingerprint[15] = (uint8_t)(series * 37);
	return (struct series_id){.site = STR("site-a"), .kind = (uint8_t)l_kind(series),
				  .name = str_from(names[series]), .tags = tags, .tags_len = (size_t)(series % 3)};
}

/* Which series it is that has this fingerprint, and is called what it must be. */
static inline int l_series_named(const uint8_t of[SERIES_FINGERPRINT_BYTES], const struct series_id *found)
{
	for (int i = 0; i < L_SERIES; i++) {
		uint8_t fingerprint[SERIES_FINGERPRINT_BYTES];
		struct series_id id = l_id(i, fingerprint);

		if (memcmp(fingerprint, of, sizeof(fingerprint)) != 0)
			continue;
		ck_assert(str_eq(id.site, found->site) && str_eq(id.name, found->name));
		ck_assert(id.kind == found->kind && id.tags_len == found->tags_len);
		for (size_t t = 0; t < id.tags_len; t++)
			ck_assert(str_eq(id.tags[t].key, found->tags[t].key) && str_eq(id.tags[t].value, found->tags[t].value));
		return i;
	}
	ck_abort_msg("a series that nobody made");
	return -1;
}

static inline int l_series_of(const struct series *s)
{
	struct tag tags[SERIES_TAGS_MAX];
	struct series_id id = series_id_of(s, tags);

	return l_series_named(s->fingerprint, &id);
}

static inline void entry_extremes(struct entry *e, bool first, double min, double max, int64_t last_at, double last)
{
	if (first || min < e->min)
		e->min = min;
	if (first || max > e->max)
		e->max = max;
	if (first || last_at > e->last_at || (last_at == e->last_at && last > e->last)) {
		e->last_at = last_at;
		e->last = last;
	}
}

static inline void entry_add(struct entry *e, int j, int64_t t_ms)
{
	entry_extremes(e, e->count == 0, l_value(j), l_value(j), t_ms, l_value(j));
	e->count++;
	e->sum += l_value(j);
	e->values[j]++;
}

/* One value of a series. */
static inline void ledger_add(struct ledger *l, int series, int j, int64_t t_ms)
{
	entry_add(&l->minutes[series][(t_ms - L_BEGIN_MS) / L_MINUTE_MS], j, t_ms);
	entry_add(&l->hours[series][(t_ms - L_BEGIN_MS) / L_HOUR_MS], j, t_ms);
}

/* So many of the values that were added were errors. */
static inline void ledger_errors(struct ledger *l, int series, int64_t n, int64_t t_ms)
{
	l->minutes[series][(t_ms - L_BEGIN_MS) / L_MINUTE_MS].errors += n;
	l->hours[series][(t_ms - L_BEGIN_MS) / L_HOUR_MS].errors += n;
}

/* A window as the product has it, as one more fragment. Distributions bring their buckets, the others' values are not known. */
static inline void entry_merge(struct entry *e, const struct window *w)
{
	uint64_t counted = 0;

	ck_assert(w->has_min && w->has_max && w->has_last && w->count > 0);
	entry_extremes(e, e->count == 0, w->min, w->max, w->last_at_ms, w->last);
	e->count += w->count;
	e->errors += w->errors;
	e->sum += w->sum;
	for (uint32_t i = 0; i < hist_len(&w->hist); i++) {
		struct bucket_at b = bucket_at(&w->hist, i);

		ck_assert(b.sign == 1 && b.index % 32 == 18);
		e->values[b.index / 32] += (int64_t)b.count;
		counted += b.count;
	}
	ck_assert_uint_eq(counted, w->series->kind == SERIES_KIND_DISTRIBUTION ? (uint64_t)w->count : 0);
}

/* All windows of a pane, as fragments. */
static inline void ledger_merge(struct ledger *l, const struct pane *pane)
{
	const struct window *w;
	size_t at = 0;

	while ((w = pane_next(pane, &at)) != NULL) {
		int s = l_series_of(w->series);
		int64_t since = pane->start_ms - L_BEGIN_MS;

		entry_merge(pane_length_ms(pane->class) == L_MINUTE_MS ? &l->minutes[s][since / L_MINUTE_MS] : &l->hours[s][since / L_HOUR_MS], w);
	}
}

static inline void entry_equal(const struct entry *want, const struct entry *have, int series, const char *what, int number)
{
	ck_assert_msg(want->errors == have->errors, "series %d, %s %d: want %lld errors, have %lld", series, what, number, (long long)want->errors,
		      (long long)have->errors);
	ck_assert_msg(want->count == have->count && want->sum == have->sum && want->min == have->min && want->max == have->max &&
			      want->last == have->last && want->last_at == have->last_at,
		      "series %d, %s %d: want %lld %g %g %g %g, have %lld %g %g %g %g", series, what, number, (long long)want->count, want->sum,
		      want->min, want->max, want->last, (long long)have->count, have->sum, have->min, have->max, have->last);
	if (l_kind(series) == SERIES_KIND_DISTRIBUTION)
		ck_assert_mem_eq(want->values, have->values, sizeof(want->values));
}

/* Every window of both is the same. */
static inline void ledger_equal(const struct ledger *want, const struct ledger *have)
{
	for (int s = 0; s < L_SERIES; s++) {
		for (int i = 0; i < L_MINUTES; i++)
			entry_equal(&want->minutes[s][i], &have->minutes[s][i], s, "minute", i);
		for (int i = 0; i < L_HOURS; i++)
			entry_equal(&want->hours[s][i], &have->hours[s][i], s, "hour", i);
	}
}

#endif
