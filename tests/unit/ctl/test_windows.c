/* test_windows.c - minutes put together again, against the values that they were made of. */
#include "deploy/ctl/windows.h"

#include <string.h>

#include "tests/unit/unit.h"

enum { SERIES = 5, MINUTES = 12, VALUES = 9, BASE = 1000, BUCKETS = 8 };

/* What one series had in one minute: powers of two, whose buckets are known without counting. */
struct minute {
	int nr, power[VALUES];
	int64_t at[VALUES];
};

static uint8_t kind_of(int series)
{
	return series % 2 ? SERIES_KIND_DISTRIBUTION : SERIES_KIND_GAUGE;
}

/* A fragment of values [from, to) of a minute, with its buckets in counts_of: bucket i is (2^(i/32), 2^((i+1)/32)], so 2^k is the last of bucket 32 k - 1. */
static struct aggregate fragment(int series, int start, const struct minute *m, int from, int to, struct tag *tag, int64_t counts_of[32 * BUCKETS])
{
	struct aggregate a = {.fingerprint = {(uint8_t)series, [15] = (uint8_t)(series * 7)}, .site = STR("shop"), .kind = (enum series_kind)kind_of(series),
			      .name = STR("http.duration"), .tags = tag, .tags_len = 1, .window_start = (BASE + start) * INT64_C(60000), .window_ms = 60000,
			      .count = to - from, .has_min = true, .has_max = true, .has_last = true, .errors = to - from > 1};

	memset(counts_of, 0, 32 * BUCKETS * sizeof(counts_of[0]));
	for (int i = from; i < to; i++) {
		double value = (double)(1 << m->power[i]);

		a.sum += value;
		a.min = i == from || value < a.min ? value : a.min;
		a.max = i == from || value > a.max ? value : a.max;
		if (i == from || m->at[i] > a.last_at || (m->at[i] == a.last_at && value > a.last)) {
			a.last = value;
			a.last_at = m->at[i];
		}
		counts_of[32 * m->power[i]]++;
	}
	a.has_histogram = a.kind == SERIES_KIND_DISTRIBUTION;
	if (a.has_histogram)
		a.histogram = (struct histogram){.scale = 5, .offset = -1, .counts = counts_of, .counts_len = 32 * BUCKETS};
	return a;
}

static void check_buckets(const struct hist *h, const struct minute *m)
{
	uint64_t seen = 0;

	for (uint32_t i = 0; i < hist_len(h); i++) {
		int index = (int)hist_key(h, i) - HIST_KEY_POSITIVE + HIST_INDEX_MIN, want = 0;

		for (int v = 0; v < m->nr; v++)
			want += 32 * m->power[v] - 1 == index;
		ck_assert_uint_eq(hist_bucket_count(h, i), (uint64_t)want);
		seen += (uint64_t)want;
	}
	ck_assert_uint_eq(seen, (uint64_t)m->nr);
}

static void check_point(const struct windows_point *p, const struct minute *m, uint8_t kind)
{
	double sum = 0, min = 1e9, max = 0, last = 0;
	int64_t last_at = -1;

	for (int i = 0; i < m->nr; i++) {
		double value = (double)(1 << m->power[i]);

		sum += value;
		min = value < min ? value : min;
		max = value > max ? value : max;
		if (m->at[i] > last_at || (m->at[i] == last_at && value > last)) {
			last = value;
			last_at = m->at[i];
		}
	}
	ck_assert_int_eq(p->point.count, m->nr);
	ck_assert(p->point.sum == sum && p->point.min == min && p->point.max == max && p->point.last == last);
	ck_assert(p->point.has_min && p->point.has_max && p->point.has_last && p->point.kind == kind);
	ck_assert_int_eq(p->point.hist == &p->hist, kind == SERIES_KIND_DISTRIBUTION);
	if (p->point.hist)
		check_buckets(p->point.hist, m);
}

struct piece {
	int series, start, from, to;
};

/* Cuts every minute's values into pieces; returns how many there are, shuffled. */
static int cut(struct unit_random *r, struct minute world[SERIES][MINUTES], struct piece pieces[SERIES * MINUTES * VALUES])
{
	int nr = 0;

	for (int s = 0; s < SERIES; s++)
		for (int t = 0; t < MINUTES; t++) {
			struct minute *m = &world[s][t];

			m->nr = (int)unit_random_below(r, VALUES + 1);
			for (int i = 0; i < m->nr; i++) {
				m->power[i] = (int)unit_random_below(r, BUCKETS);
				m->at[i] = (int64_t)unit_random_below(r, 4);
			}
			for (int from = 0; from < m->nr;) {
				int to = from + 1 + (int)unit_random_below(r, (uint64_t)(m->nr - from));

				pieces[nr++] = (struct piece){s, t, from, to};
				from = to;
			}
		}
	for (int i = nr - 1; i > 0; i--) {
		int other = (int)unit_random_below(r, (uint64_t)i + 1);
		struct piece piece = pieces[i];

		pieces[i] = pieces[other];
		pieces[other] = piece;
	}
	return nr;
}

START_TEST(fragments_merge)
{
	static struct minute world[SERIES][MINUTES];
	static struct piece pieces[SERIES * MINUTES * VALUES];
	struct unit_random r = unit_random_new("windows");
	struct windows w = {0};
	int nr = cut(&r, world, pieces), merged = 0;

	for (int i = 0; i < nr; i++) {
		int64_t counts_of[32 * BUCKETS];
		char host[8];
		struct tag tag = {STR("host"), STR("")};
		struct aggregate a;

		snprintf(host, sizeof(host), "h%d", pieces[i].series);
		tag.value = str_from(host);
		a = fragment(pieces[i].series, pieces[i].start, &world[pieces[i].series][pieces[i].start], pieces[i].from, pieces[i].to, &tag,
			     counts_of);
		ck_assert_int_eq(windows_take(&w, &a, NULL), 0);
	}
	ck_assert_uint_eq(w.nr_fragments, (size_t)nr);
	ck_assert_int_eq(windows_merge(&w, NULL), 0);
	ck_assert_uint_eq(w.nr, SERIES);
	for (size_t i = 0; i < w.nr; i++) {
		const struct windows_series *s = w.list[i];
		int series = s->id.tags[0].value.p[1] - '0';
		size_t at = 0;

		ck_assert(str_eq(s->id.site, STR("shop")) && str_eq(s->id.name, STR("http.duration")) && s->id.kind == kind_of(series));
		for (int t = 0; t < MINUTES; t++) {
			if (!world[series][t].nr)
				continue;
			ck_assert(at < s->nr && s->points[at].start_ms == (BASE + t) * INT64_C(60000));
			check_point(&s->points[at++], &world[series][t], s->id.kind);
			merged++;
		}
		ck_assert_uint_eq(at, s->nr);
	}
	ck_assert_int_gt(merged, SERIES * MINUTES / 2);
	windows_fini(&w);
}
END_TEST

/* What is not known of one fragment is known from the other. */
START_TEST(unknown_ends)
{
	struct windows w = {0};
	struct aggregate a = {.kind = SERIES_KIND_GAUGE, .site = STR("s"), .name = STR("n"), .window_start = 60000, .count = 2, .errors = 1}, b = a;

	b.has_min = b.has_max = b.has_last = true;
	b.min = b.last = -3;
	b.max = 4;
	ck_assert(windows_take(&w, &a, NULL) == 0 && windows_take(&w, &b, NULL) == 0 && windows_take(&w, &a, NULL) == 0);
	ck_assert(windows_merge(&w, NULL) == 0 && w.nr == 1 && w.list[0]->nr == 1);
	ck_assert(w.list[0]->points[0].point.count == 6 && w.list[0]->points[0].point.errors == 3);
	ck_assert(w.list[0]->points[0].point.min == -3 && w.list[0]->points[0].point.max == 4 && w.list[0]->points[0].point.last == -3);
	windows_fini(&w);
}
END_TEST

START_TEST(no_histogram)
{
	int64_t counts[] = {1, -1};
	struct windows w = {0};
	struct err err = ERR_INIT;
	struct aggregate a = {.kind = SERIES_KIND_DISTRIBUTION, .site = STR("s"), .name = STR("n"), .has_histogram = true,
			      .histogram = {.scale = 5, .counts = counts, .counts_len = 2}};

	ck_assert_int_eq(windows_take(&w, &a, &err), -1);
	ck_assert(err.kind == ERR_REJECT);
	windows_fini(&w);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("windows");
	TCase *tc = tcase_create("windows");

	tcase_add_test(tc, fragments_merge);
	tcase_add_test(tc, unknown_ends);
	tcase_add_test(tc, no_histogram);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
