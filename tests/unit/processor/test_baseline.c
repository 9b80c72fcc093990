/* test_baseline.c - what cumulative points come to: the rules as tables, then random points against a model that keeps every point and replays all
 * of them for each answer; expiry, and the way through a snapshot. */
#include "processor/baseline.h"

#include <float.h>
#include <math.h>

#include "tests/unit/processor/ledger.h"

#define NOW_MS L_BEGIN_MS

/* Baselines and the series they are of. */
struct fixture {
	struct series_table table;
	struct series *series[L_SERIES]; /* one reference each */
	struct baselines b;
	struct arena scratch;
};

static void fixture_init(struct fixture *f)
{
	struct err err = ERR_INIT;

	*f = (struct fixture){.b = BASELINES_INIT};
	for (int i = 0; i < L_SERIES; i++) {
		uint8_t fingerprint[SERIES_FINGERPRINT_BYTES];
		struct series_id id = l_id(i, fingerprint);

		f->series[i] = series_table_take(&f->table, &id, fingerprint, &err);
		ck_assert_ptr_nonnull(f->series[i]);
	}
}

static void fixture_fini(struct fixture *f)
{
	baselines_fini(&f->b, &f->table);
	for (int i = 0; i < L_SERIES; i++) {
		ck_assert_uint_eq(f->series[i]->refs, 1); /* (I3) */
		series_table_drop(&f->table, f->series[i]);
	}
	ck_assert(f->b.bytes == 0 && !f->b.oldest && !f->b.newest && f->table.by_fingerprint.len == 0);
	series_table_fini(&f->table);
	arena_fini(&f->scratch);
}

static void encode(struct fixture *f, int64_t watermark_ms, struct buf *out)
{
	buf_clear(out);
	baselines_mark(&f->b, 77);
	for (int i = 0; i < L_SERIES; i++) {
		ck_assert((f->series[i]->number == 77) == (f->series[i]->refs == 2));
		f->series[i]->number = (uint32_t)i;
	}
	baselines_encode(&f->b, watermark_ms, out);
	ck_assert(!buf_failed(out));
}

/* What reading these bytes into f, which has none, comes to; they stand at the end of a page of their own. */
static int decode(struct fixture *f, const uint8_t *bytes, size_t len, int64_t watermark_ms, const char **fault)
{
	uint8_t *exact = malloc(len ? len : 1);
	struct err err = ERR_INIT;
	struct codec_reader r;
	int rc;

	memcpy(exact, bytes, len);
	codec_reader_init(&r, (struct str){(char *)exact, len}, NULL);
	rc = baselines_decode(&f->b, &r, watermark_ms, f->series, L_SERIES, &err);
	ck_assert(err.kind == 0 && (rc == 0) == codec_reader_ok(&r));
	*fault = r.fault ? r.fault : r.p < r.end ? "left over" : NULL;
	free(exact);
	return rc;
}

static void clear(struct fixture *f)
{
	baselines_fini(&f->b, &f->table);
	f->b = (struct baselines)BASELINES_INIT;
}

/* Through a snapshot, which must be the same again. */
static void restore(struct fixture *f, int64_t watermark_ms)
{
	struct buf bytes = BUF_INIT, again = BUF_INIT;
	size_t allocated = f->b.bytes;
	const char *fault;

	encode(f, watermark_ms, &bytes);
	clear(f);
	ck_assert_msg(decode(f, bytes.p, bytes.len, watermark_ms, &fault) == 0, "%s", fault);
	ck_assert_ptr_null(fault);
	encode(f, watermark_ms, &again);
	ck_assert_uint_eq(bytes.len, again.len);
	ck_assert_mem_eq(bytes.p, again.p, bytes.len);
	ck_assert_uint_eq(allocated, f->b.bytes);
	buf_fini(&bytes);
	buf_fini(&again);
}

static struct baseline_step take(struct fixture *f, int series, const struct baseline_point *p, int64_t watermark_ms)
{
	struct baseline_step step = {.verdict = NR_BASELINE_VERDICTS};
	struct err err = ERR_INIT;

	ck_assert_msg(baselines_take(&f->b, f->series[series], p, watermark_ms, &f->scratch, &step, &err) == 0, "%s", err.msg);
	ck_assert(step.verdict < NR_BASELINE_VERDICTS && (!step.whole || step.count == p->count));
	return step;
}

/* Lives of a counter, in seconds. */
enum { UNKNOWN = -1, NOTHING = -1 };

static const struct {
	bool begins; /* a series that nobody has seen */
	int t, start;
	double v;
	enum baseline_verdict verdict;
	double counted;
} lives[] = {
	/* A start that is known and recent: all of it is new. */
	{true, 60, 10, 5, BASELINE_FRESH, 5},
	{false, 120, 10, 9, BASELINE_DELTA, 4},
	{false, 120, 10, 9, BASELINE_STALE, NOTHING},
	{false, 120, 10, 11, BASELINE_STALE, NOTHING}, /* whatever else it says of the same time */
	{false, 90, 10, 7, BASELINE_STALE, NOTHING},
	{false, 180, 10, 9, BASELINE_DELTA, 0}, /* nothing new is a reading, too */
	{false, 240, 190, 3, BASELINE_RESET, 3}, /* began anew */
	{false, 200, 10, 9, BASELINE_STALE, NOTHING}, /* the old sequence, overtaken */
	{false, 300, 190, 2, BASELINE_RESET, 2}, /* fell, whatever its start says */
	{false, 360, 300, 50, BASELINE_RESET, 50}, /* the moment of the last point is early enough */
	{false, 420, 300, 60, BASELINE_DELTA, 10},
	/* How recent is recent. */
	{true, 130, 10, 5, BASELINE_FRESH, 5},
	{true, 131, 10, 5, BASELINE_FIRST, NOTHING},
	{false, 140, 10, 7, BASELINE_DELTA, 2},
	/* Never a start. */
	{true, 60, UNKNOWN, 5, BASELINE_FIRST, NOTHING},
	{false, 120, UNKNOWN, 8, BASELINE_DELTA, 3},
	{false, 180, UNKNOWN, 2, BASELINE_RESET, 2},
	{false, 240, 200, 4, BASELINE_RESET, 4}, /* now there is one */
	{false, 300, UNKNOWN, 7, BASELINE_DELTA, 3}, /* now not */
	{false, 360, 100, 9, BASELINE_DELTA, 2}, /* before the last point, of which no start is known: the same sequence */
	/* start == t, OpenTelemetry's name for "unknown": a baseline, not data. */
	{true, 60, 60, 5, BASELINE_FIRST, NOTHING},
	{false, 120, 60, 8, BASELINE_DELTA, 3},
	{false, 180, 180, 20, BASELINE_BREAK, NOTHING},
	{false, 240, 180, 21, BASELINE_DELTA, 1},
	{false, 300, 300, 2, BASELINE_BREAK, NOTHING}, /* not even where it fell */
	{false, 360, 400, 50, BASELINE_BREAK, NOTHING}, /* a clock that was set back */
	{false, 420, 360, 51, BASELINE_DELTA, 1},
	{true, 60, 70, 5, BASELINE_FIRST, NOTHING},
	/* A start that is newer and yet before the last point. */
	{true, 60, 10, 5, BASELINE_FRESH, 5},
	{false, 120, 30, 9, BASELINE_OVERLAP, 4},
	{false, 180, 119, 9, BASELINE_OVERLAP, 0},
	{false, 240, 121, 2, BASELINE_RESET, 2}, /* fell: it was counted since the baseline */
	/* Two writers of one series: the one that started last is heard, until it is silent for ten minutes. */
	{true, 60, 10, 100, BASELINE_FRESH, 100},
	{false, 61, 40, 3, BASELINE_RESET, 3},
	{false, 120, 10, 200, BASELINE_FOREIGN, NOTHING},
	{false, 121, 40, 5, BASELINE_DELTA, 2},
	{false, 721, 10, 300, BASELINE_FOREIGN, NOTHING},
	{false, 722, 10, 301, BASELINE_BREAK, NOTHING},
	{false, 780, 10, 310, BASELINE_DELTA, 9},
};

START_TEST(the_lives_of_a_counter)
{
	struct fixture f;

	fixture_init(&f);
	for (size_t i = 0; i < NR(lives); i++) {
		struct baseline_point p = {.t_ms = NOW_MS + lives[i].t * 1000, .start_ms = NOW_MS + lives[i].start * 1000, .count = 1,
					   .sum = lives[i].v, .single = true};
		struct baseline_step step;

		if (lives[i].start == UNKNOWN)
			p.start_ms = 0;
		if (lives[i].begins)
			clear(&f);
		if (_i)
			restore(&f, NOW_MS);
		step = take(&f, 0, &p, NOW_MS);
		ck_assert_msg(step.verdict == lives[i].verdict, "point %zu: %s", i, baseline_verdict_name(step.verdict));
		ck_assert_msg(step.counts == (lives[i].counted >= 0), "point %zu counts: %d", i, step.counts);
		ck_assert_msg(!step.counts || (step.sum == lives[i].counted && step.count == 1), "point %zu: %g", i, step.sum);
		ck_assert_uint_eq(f.b.by_series.len, 1);
	}
	fixture_fini(&f);
}
END_TEST

/* A counter's summaries: count and sum go together, and a single value in between is another kind of point. */
START_TEST(summaries_of_a_counter)
{
	static const struct {
		int t;
		int64_t count;
		double sum;
		bool single;
		enum baseline_verdict verdict;
		int64_t counted;
		double value;
	} rows[] = {
		{1, 3, 10, false, BASELINE_FIRST, 0, 0},
		{2, 5, 10, false, BASELINE_DELTA, 2, 0},
		{3, 5, 10, false, BASELINE_DELTA, 0, 0},
		{4, 4, 12, false, BASELINE_RESET, 4, 12}, /* fewer */
		{5, 6, 11, false, BASELINE_RESET, 6, 11}, /* less */
		{6, 1, 20, true, BASELINE_BREAK, 0, 0},
		{7, 1, 25, true, BASELINE_DELTA, 1, 5},
		{8, 9, 30, false, BASELINE_BREAK, 0, 0},
		{9, 9, DBL_MAX, false, BASELINE_DELTA, 0, 0},
		{10, 0, 0, false, BASELINE_RESET, 0, 0}, /* begun anew, and nothing yet */
		{11, 2, 7, false, BASELINE_DELTA, 2, 7},
	};
	struct fixture f;

	fixture_init(&f);
	for (size_t i = 0; i < NR(rows); i++) {
		struct baseline_point p = {.t_ms = NOW_MS + rows[i].t, .count = rows[i].count, .sum = rows[i].sum, .single = rows[i].single};
		struct baseline_step step = take(&f, 3, &p, NOW_MS);

		ck_assert_msg(step.verdict == rows[i].verdict, "point %zu: %s", i, baseline_verdict_name(step.verdict));
		ck_assert_msg(step.counts == (rows[i].counted > 0), "point %zu counts: %d", i, step.counts);
		ck_assert_msg(!step.counts || (step.count == rows[i].counted && step.sum == rows[i].value), "point %zu: %lld, %g", i,
			      (long long)step.count, step.sum);
		restore(&f, NOW_MS);
	}
	fixture_fini(&f);
}
END_TEST

/* A distribution by where its buckets lie at scale 5; -1000 stands for a negative value's first bucket, 999 for zero. */
enum { WIDE = 64, PLACES = 4 };

static const int places[PLACES] = {-7, 5, 18, 40};

struct shape {
	int64_t counts[PLACES], negative, zero;
};

struct shaped {
	struct histogram h;
	int64_t counts[4 * WIDE], neg_counts[1];
	int64_t count;
};

/* The travelling form at a scale. */
static void shape_histogram(const struct shape *shape, int scale, struct shaped *out)
{
	memset(out, 0, sizeof(*out));
	out->h = (struct histogram){.scale = scale, .zero = shape->zero, .offset = -WIDE, .counts = out->counts, .counts_len = 4 * WIDE,
				    .neg_offset = (int)floor(ldexp(3, scale - 5)), .neg_counts = out->neg_counts, .neg_counts_len = 1};
	out->count = shape->zero + shape->negative;
	out->neg_counts[0] = shape->negative;
	for (int i = 0; i < PLACES; i++) {
		int index = (int)floor(ldexp(places[i], scale - 5));

		out->counts[index + WIDE] += shape->counts[i];
		out->count += shape->counts[i];
	}
}

static const struct {
	int scale;
	struct shape shape;
	double sum;
	enum baseline_verdict verdict;
	struct shape counted;
	int at_scale;
} spreads[] = {
	{5, {{0, 1, 0, 0}, 0, 0}, 1, BASELINE_FIRST, {{0}, 0, 0}, 0},
	{5, {{1, 3, 0, 2}, 0, 0}, 9, BASELINE_DELTA, {{1, 2, 0, 2}, 0, 0}, 5},
	{5, {{1, 3, 0, 2}, 4, 1}, 2, BASELINE_DELTA, {{0}, 4, 1}, 5}, /* negative values: the sum may fall */
	{4, {{1, 3, 1, 2}, 4, 1}, 3, BASELINE_DELTA, {{0, 0, 1, 0}, 0, 0}, 4}, /* it spreads */
	{2, {{2, 3, 1, 7}, 4, 1}, 8, BASELINE_DELTA, {{1, 0, 0, 5}, 0, 0}, 2},
	{2, {{2, 3, 1, 7}, 4, 1}, 8, BASELINE_DELTA, {{0}, 0, 0}, 2}, /* nothing */
	{5, {{2, 3, 2, 7}, 4, 1}, 9, BASELINE_DELTA, {{0, 0, 1, 0}, 0, 0}, 2}, /* and back: known no finer than before */
	{5, {{2, 3, 3, 7}, 4, 1}, 9, BASELINE_DELTA, {{0, 0, 1, 0}, 0, 0}, 5},
	{7, {{2, 3, 3, 8}, 4, 1}, 9, BASELINE_DELTA, {{0, 0, 0, 1}, 0, 0}, 5},
	{7, {{9, 2, 3, 8}, 4, 1}, 9, BASELINE_RESET, {{9, 2, 3, 8}, 4, 1}, 0}, /* one bucket fell, though the count rose */
	{7, {{9, 2, 3, 8}, 9, 0}, 9, BASELINE_RESET, {{9, 2, 3, 8}, 9, 0}, 0}, /* the zeros */
	{7, {{9, 9, 3, 8}, 8, 0}, 9, BASELINE_RESET, {{9, 9, 3, 8}, 8, 0}, 0}, /* the negative ones */
	{7, {{0, 0, 0, 0}, 0, 0}, 0, BASELINE_RESET, {{0}, 0, 0}, 0},
	{5, {{0, 0, 0, 3}, 0, 0}, 5, BASELINE_DELTA, {{0, 0, 0, 3}, 0, 0}, 5},
};

/* The difference has these counts, at this scale, and no others. */
static void must_have(const struct histogram *have, const struct shape *want, int scale, const char *what, size_t number)
{
	struct shaped w;
	int64_t counts[4 * WIDE] = {0};

	shape_histogram(want, scale, &w);
	ck_assert_msg(have->scale == scale && have->zero == want->zero, "%s %zu: scale %d, zero %lld", what, number, have->scale, (long long)have->zero);
	for (size_t i = 0; i < have->counts_len; i++)
		counts[have->offset + WIDE + (int)i] += have->counts[i];
	ck_assert_msg(memcmp(counts, w.counts, sizeof(counts)) == 0, "%s %zu: other buckets", what, number);
	ck_assert_int_eq(have->neg_counts_len ? have->neg_counts[0] : 0, want->negative);
}

START_TEST(the_life_of_a_distribution)
{
	struct fixture f;

	fixture_init(&f);
	for (size_t i = 0; i < NR(spreads); i++) {
		struct shaped shaped;
		struct baseline_point p = {.t_ms = NOW_MS + (int64_t)i, .sum = spreads[i].sum, .histogram = &shaped.h};
		struct shaped counted;
		struct baseline_step step;

		if (_i)
			restore(&f, NOW_MS);
		shape_histogram(&spreads[i].shape, spreads[i].scale, &shaped);
		shape_histogram(&spreads[i].counted, 5, &counted);
		p.count = shaped.count;
		step = take(&f, 2, &p, NOW_MS);
		ck_assert_msg(step.verdict == spreads[i].verdict, "point %zu: %s", i, baseline_verdict_name(step.verdict));
		ck_assert_msg(step.counts == (counted.count > 0) && (!step.counts || step.count == counted.count), "point %zu: %lld", i,
			      (long long)step.count);
		if (step.counts && !step.whole)
			must_have(&step.histogram, &spreads[i].counted, spreads[i].at_scale, "point", i);
	}
	fixture_fini(&f);
}
END_TEST

START_TEST(baselines_end_25_hours_after_their_last_change_at_a_closing)
{
	struct baseline_point p = {.t_ms = NOW_MS, .count = 1, .sum = 1, .single = true};
	struct fixture f;

	fixture_init(&f);
	take(&f, 0, &p, NOW_MS);
	take(&f, 3, &p, NOW_MS + 5);
	ck_assert_int_eq(take(&f, 0, &p, NOW_MS + 30 * L_HOUR_MS).verdict, BASELINE_STALE); /* no closing has come, and a repetition is no change */
	restore(&f, NOW_MS + 30 * L_HOUR_MS);
	baselines_close(&f.b, NOW_MS + 25 * L_HOUR_MS - 1, &f.table);
	ck_assert_uint_eq(f.b.by_series.len, 2);
	baselines_close(&f.b, NOW_MS + 25 * L_HOUR_MS, &f.table);
	ck_assert(f.b.by_series.len == 1 && f.b.oldest == f.b.newest && f.b.oldest->series == f.series[3]);
	p.t_ms++;
	ck_assert_int_eq(take(&f, 3, &p, NOW_MS + 26 * L_HOUR_MS).verdict, BASELINE_DELTA);
	baselines_close(&f.b, NOW_MS + 50 * L_HOUR_MS, &f.table); /* a change is */
	ck_assert_uint_eq(f.b.by_series.len, 1);
	ck_assert_int_eq(take(&f, 0, &p, NOW_MS + 50 * L_HOUR_MS).verdict, BASELINE_FIRST);
	fixture_fini(&f);
}
END_TEST

/* The model: everything that ever happened to a series, and a replay of it all for each answer. */
enum { EVENTS = 3200, STEPS = 4000 };

struct event {
	bool closing;
	int64_t watermark_ms, t_ms, start_ms;
	bool single;
	int scale;
	struct shape shape; /* a single value: its first count */
	int64_t count;
};

struct history {
	struct event events[EVENTS];
	int nr;
};

struct answer {
	enum baseline_verdict verdict;
	int64_t counted; /* values; of a single value what it adds */
	struct shape shape;
	int scale;
};

/* Is every group of places, as wide as the coarser of the two has them, at least as full in b as in a? */
static bool not_less(const struct event *a, const struct event *b, int scale)
{
	struct shaped x, y;

	if (a->single)
		return b->shape.counts[0] >= a->shape.counts[0];
	shape_histogram(&a->shape, scale, &x);
	shape_histogram(&b->shape, scale, &y);
	for (int i = 0; i < 4 * WIDE; i++)
		if (y.counts[i] < x.counts[i])
			return false;
	return b->shape.zero >= a->shape.zero && b->shape.negative >= a->shape.negative;
}

static struct shape minus(const struct shape *a, const struct shape *b)
{
	struct shape d = {.negative = a->negative - b->negative, .zero = a->zero - b->zero};

	for (int i = 0; i < PLACES; i++)
		d.counts[i] = a->counts[i] - b->counts[i];
	return d;
}

/* What the rules say of p after last, which may be NULL; *keep: p is the last one from now on. */
static struct answer rules(const struct event *last, const struct event *p, bool *keep)
{
	struct answer a = {.verdict = BASELINE_BREAK};
	bool known = p->start_ms > 0 && p->start_ms < p->t_ms, fell;
	int64_t last_start_ms = !last ? 0 : last->start_ms > last->t_ms ? last->t_ms : last->start_ms;

	*keep = true;
	if (!last) {
		a.verdict = known && p->start_ms >= p->t_ms - 120000 ? BASELINE_FRESH : BASELINE_FIRST;
		a.counted = a.verdict == BASELINE_FRESH ? p->count : 0;
		return a;
	}
	if (p->t_ms <= last->t_ms || (known && p->single == last->single && p->start_ms < last_start_ms && p->t_ms <= last->t_ms + 600000)) {
		*keep = false;
		a.verdict = p->t_ms <= last->t_ms ? BASELINE_STALE : BASELINE_FOREIGN;
		return a;
	}
	if ((p->start_ms && !known) || p->single != last->single || (known && p->start_ms < last_start_ms))
		return a;
	a.scale = p->scale < last->scale ? p->scale : last->scale;
	a.scale = a.scale > 5 ? 5 : a.scale;
	fell = !not_less(last, p, a.scale);
	if (fell || (known && p->start_ms >= last->t_ms && p->start_ms != last_start_ms)) {
		a.verdict = BASELINE_RESET;
		a.counted = p->count;
		return a;
	}
	a.verdict = known && last_start_ms && p->start_ms != last_start_ms ? BASELINE_OVERLAP : BASELINE_DELTA;
	a.counted = p->count - last->count;
	a.shape = minus(&p->shape, &last->shape);
	return a;
}

static struct answer replay(const struct history *h)
{
	const struct event *last = NULL;
	int64_t changed_ms = 0;
	struct answer a = {.verdict = NR_BASELINE_VERDICTS};
	bool keep;

	for (int i = 0; i < h->nr; i++) {
		const struct event *e = &h->events[i];

		if (e->closing) {
			if (last && e->watermark_ms - changed_ms >= 25 * L_HOUR_MS)
				last = NULL;
			continue;
		}
		a = rules(last, e, &keep);
		if (keep) {
			last = e;
			changed_ms = e->watermark_ms;
		}
	}
	return a;
}

/* A point after those of a history: mostly growing, sometimes anything. */
static struct event choose(struct unit_random *r, const struct history *h, int series, int64_t now_ms)
{
	struct event e = {.watermark_ms = now_ms, .t_ms = now_ms - (int64_t)unit_random_below(r, 4) * 60000, .single = l_kind(series) == SERIES_KIND_COUNTER,
			  .scale = 2 + (int)unit_random_below(r, 5)};
	const struct event *before = NULL;

	for (int i = 0; i < h->nr; i++)
		if (!h->events[i].closing)
			before = &h->events[i];
	if (before && unit_random_below(r, 12))
		e.shape = before->shape;
	e.shape.counts[e.single ? 0 : unit_random_below(r, PLACES)] += (int64_t)unit_random_below(r, 4);
	if (!e.single) {
		e.shape.zero += unit_random_below(r, 6) == 0;
		e.shape.negative += unit_random_below(r, 6) == 0;
	}
	for (int i = 0; i < PLACES; i++)
		e.count += e.shape.counts[i];
	e.count += e.shape.zero + e.shape.negative;
	switch (unit_random_below(r, 8)) {
	case 0:
		e.start_ms = 0;
		break;
	case 1:
		e.start_ms = e.t_ms + (int64_t)unit_random_below(r, 2);
		break;
	case 2:
	case 3:
		e.start_ms = e.t_ms - (int64_t)unit_random_below(r, 200000);
		break;
	default:
		e.start_ms = before ? before->start_ms : e.t_ms - 100000;
	}
	return e;
}

static void step(struct fixture *f, struct history *h, struct unit_random *r, int series, int64_t now_ms, int verdicts[])
{
	struct event *e = &h->events[h->nr];
	struct answer want;
	struct baseline_step have;
	struct shaped shaped;
	struct baseline_point p;

	*e = choose(r, h, series, now_ms);
	h->nr++;
	shape_histogram(&e->shape, e->scale, &shaped);
	p = (struct baseline_point){.t_ms = e->t_ms, .start_ms = e->start_ms, .count = e->single ? 1 : e->count, .sum = (double)e->count,
				    .single = e->single, .histogram = e->single ? NULL : &shaped.h};
	have = take(f, series, &p, now_ms);
	want = replay(h);
	ck_assert_msg(have.verdict == want.verdict, "series %d, point %d: want %s, have %s", series, h->nr, baseline_verdict_name(want.verdict),
		      baseline_verdict_name(have.verdict));
	verdicts[want.verdict]++;
	ck_assert_int_eq(have.whole, want.verdict == BASELINE_FRESH || want.verdict == BASELINE_RESET);
	if (have.counts)
		ck_assert(have.sum == (double)want.counted && have.count == (e->single ? 1 : want.counted));
	else
		ck_assert_int_eq(want.counted, 0);
	if (have.counts && !have.whole && !e->single)
		must_have(&have.histogram, &want.shape, want.scale, "point", (size_t)h->nr);
}

START_TEST(random_points_with_restores)
{
	static const int of[] = {0, 2, 3, 5};
	struct unit_random r = unit_random_new("baselines");
	struct history *h = calloc(NR(of), sizeof(*h));
	int verdicts[NR_BASELINE_VERDICTS] = {0};
	int64_t now_ms = NOW_MS;
	struct fixture f;

	fixture_init(&f);
	for (int n = 0; n < STEPS; n++) {
		size_t which = unit_random_below(&r, NR(of));

		now_ms += (int64_t)unit_random_below(&r, unit_random_below(&r, 25) ? 60000 : 60 * 3600000);
		step(&f, &h[which], &r, of[which], now_ms, verdicts);
		if (unit_random_below(&r, 15) == 0) {
			baselines_close(&f.b, now_ms, &f.table);
			for (size_t i = 0; i < NR(of); i++)
				h[i].events[h[i].nr++] = (struct event){.closing = true, .watermark_ms = now_ms};
		}
		if (unit_random_below(&r, 10) == 0)
			restore(&f, now_ms);
		arena_clear(&f.scratch);
	}
	for (enum baseline_verdict v = 0; v < NR_BASELINE_VERDICTS; v++)
		ck_assert_msg(verdicts[v] >= 3, "did not bite: %d x %s", verdicts[v], baseline_verdict_name(v));
	fixture_fini(&f);
	free(h);
}
END_TEST

/* One of each: a counter's value, a counter's summary, distributions fine and coarse. */
static void fill(struct fixture *f, int64_t watermark_ms)
{
	struct shape shape = {{3, 0, 200, 1}, 2, 1};
	struct shaped shaped;
	struct baseline_point p = {.t_ms = NOW_MS, .start_ms = NOW_MS - 300000, .count = 1, .sum = 1.5, .single = true};

	take(f, 0, &p, watermark_ms);
	p.single = false;
	p.count = 1000;
	p.start_ms = 0;
	take(f, 3, &p, watermark_ms + 1);
	p.histogram = &shaped.h;
	for (int i = 0; i < 2; i++) {
		shape_histogram(&shape, 5 - 3 * i, &shaped);
		p.count = shaped.count;
		take(f, 2 + 3 * i, &p, watermark_ms + 2);
	}
}

START_TEST(damaged_bytes_are_refused_or_good)
{
	struct buf bytes = BUF_INIT;
	const char *fault;
	int refused = 0;
	struct fixture f;

	fixture_init(&f);
	fill(&f, NOW_MS);
	encode(&f, NOW_MS + 1000, &bytes);
	for (size_t len = 0; len < bytes.len; len++) {
		clear(&f);
		ck_assert_msg(decode(&f, bytes.p, len, NOW_MS + 1000, &fault) == -1, "%zu of %zu bytes were taken", len, bytes.len);
	}
	for (size_t bit = 0; bit < bytes.len * 8; bit++) {
		bytes.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
		clear(&f);
		if (decode(&f, bytes.p, bytes.len, NOW_MS + 1000, &fault) < 0 || fault) {
			refused++;
		} else {
			fill(&f, NOW_MS + 1000);
			restore(&f, NOW_MS + 1002);
		}
		bytes.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	ck_assert_int_gt(refused, 100);
	fixture_fini(&f);
	buf_fini(&bytes);
}
END_TEST

/* nr; each: series, ago, t, t - start, count, sum; a distribution's: scale, zero, positive and negative buckets */
#define ZERO "\0\0\0\0\0\0\0\0"
static const struct {
	const char *bytes;
	size_t len;
	const char *fault; /* NULL: it is good */
} written[] = {
#define ROW(text, fault) {text, sizeof(text) - 1, fault}
	ROW("\x00", NULL),
	ROW("\x02\x00\x00\x0a\x02\x01" ZERO, NULL),
	ROW("\x02\x04\x00\x0a\x01\x04" ZERO "\x0a\x00\x02\x06\x04\x00", NULL), /* 2 in bucket 3 */
	ROW("\x01", "a count that the bytes cannot bear"),
	ROW("\x04\x00\x00\x0a\x02\x01" ZERO, "a count that the bytes cannot bear"),
	ROW("\x02\x01\x00\x0a\x02\x01" ZERO, "a baseline of no series, of a gauge, or a second one"),
	ROW("\x02\x0c\x00\x0a\x02\x01" ZERO, "a baseline of no series, of a gauge, or a second one"),
	ROW("\x02\x02\x00\x0a\x02\x01" ZERO, "a baseline of no series, of a gauge, or a second one"), /* 1 is a gauge */
	ROW("\x04\x00\x00\x0a\x02\x01" ZERO "\x00\x00\x0a\x02\x01" ZERO, "a baseline of no series, of a gauge, or a second one"),
	ROW("\x02\x00\x01\x0a\x02\x01" ZERO, "a baseline that cannot be there"), /* changed in the future */
	ROW("\x02\x00\xd2\x0f\x0a\x02\x01" ZERO, "a baseline that cannot be there"), /* before the epoch */
	ROW("\x02\x00\x00\x01\x02\x01" ZERO, "a baseline that cannot be there"), /* t -1 */
	ROW("\x02\x00\x00\x0a\x0a\x01" ZERO, "a baseline that cannot be there"), /* a start of 0 that is not unknown */
	ROW("\x02\x00\x00\x0a\x03\x01" ZERO, "a baseline that cannot be there"), /* a start after t */
	ROW("\x02\x00\x00\x0a\x02\x03" ZERO, "a baseline that cannot be there"), /* count -2 */
	ROW("\x02\x00\x00\x0a\x02\x01\0\0\0\0\0\0\xf0\x7f", "a baseline that cannot be there"), /* infinite */
	ROW("\x04\x00\x00\x0a\x02\x01" ZERO "\x06\x02\x0a\x02\x01" ZERO, "a baseline that cannot be there"), /* not in order */
	ROW("\x02\x04\x00\x0a\x02\x01" ZERO, "a distribution without a histogram"),
	ROW("\x02\x04\x00\x0a\x01\x06" ZERO "\x0a\x00\x02\x06\x04\x00", "a histogram that does not add up"),
	ROW("\x02\x04\x00\x0a\x01\x04" ZERO "\x0c\x00\x02\x06\x04\x00", "a scale out of range"), /* 6 */
	ROW("\x02\x04\x00\x0a\x01\x04" ZERO "\x15\x00\x02\x06\x04\x00", "a scale out of range"), /* -11 */
	ROW("\x02\x04\x00\x0a\x01\x04" ZERO "\x00\x00\x02\x80\x10\x04\x00", "a bucket beyond any number"), /* 1024 at scale 0 */
	ROW("\x02\x04\x00\x0a\x01\x04" ZERO "\x0a\x03\x02\x06\x04\x00", "a malformed histogram"), /* -2 zeros */
	ROW("\x02\x04\x00\x0a\x01\x04" ZERO "\x0a\x00\x04\x06\x02\x06\x02\x00", "a malformed histogram"), /* one bucket twice */
	ROW("\x02\x04\x00\x0a\x01\x00" ZERO "\x0a\x00\x02\x06\x00\x00", "a malformed histogram"), /* an empty one */
#undef ROW
};

START_TEST(written_by_hand)
{
	struct fixture f;
	const char *fault;
	int rc;

	fixture_init(&f);
	rc = decode(&f, (const uint8_t *)written[_i].bytes, written[_i].len, 1000, &fault);
	ck_assert_msg((rc == 0) == !written[_i].fault && (fault == NULL) == (rc == 0), "case %d: %s", _i, fault ? fault : "taken");
	if (fault)
		ck_assert_str_eq(fault, written[_i].fault);
	fixture_fini(&f);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("baseline");
	TCase *tc = tcase_create("baseline");

	tcase_add_loop_test(tc, the_lives_of_a_counter, 0, 2); /* the second time restored before each point */
	tcase_add_test(tc, summaries_of_a_counter);
	tcase_add_loop_test(tc, the_life_of_a_distribution, 0, 2);
	tcase_add_test(tc, baselines_end_25_hours_after_their_last_change_at_a_closing);
	tcase_add_test(tc, random_points_with_restores);
	tcase_add_test(tc, damaged_bytes_are_refused_or_good);
	tcase_add_loop_test(tc, written_by_hand, 0, (int)NR(written));
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
