/* test_baseline_model.c - random cumulative points against a model that keeps every point and replays all of them for each answer, with restores
 * and closings in between. */
#include "processor/baseline.h"

#include "tests/unit/processor/baselines.h"

/* The model: everything that ever happened to a series, and a replay of it all for each answer. */
enum { EVENTS = 3200, STEPS = 4000 };

struct step {
	bool closing;
	int64_t watermark_ms, t_ms, start_ms;
	bool single;
	int scale;
	struct shape shape; /* a single value: its first count */
	int64_t count;
};

struct history {
	struct step events[EVENTS];
	int nr;
};

struct answer {
	enum baseline_verdict verdict;
	int64_t counted; /* values; of a single value what it adds */
	struct shape shape;
	int scale;
};

/* Is every group of places, as wide as the coarser of the two has them, at least as full in b as in a? */
static bool not_less(const struct step *a, const struct step *b, int scale)
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
static struct answer rules(const struct step *last, const struct step *p, bool *keep)
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
	const struct step *last = NULL;
	int64_t changed_ms = 0;
	struct answer a = {.verdict = NR_BASELINE_VERDICTS};
	bool keep;

	for (int i = 0; i < h->nr; i++) {
		const struct step *e = &h->events[i];

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
static struct step choose(struct unit_random *r, const struct history *h, int series, int64_t now_ms)
{
	struct step e = {.watermark_ms = now_ms, .t_ms = now_ms - (int64_t)unit_random_below(r, 4) * 60000, .single = l_kind(series) == SERIES_KIND_COUNTER,
			  .scale = 2 + (int)unit_random_below(r, 5)};
	const struct step *before = NULL;

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
	struct step *e = &h->events[h->nr];
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
				h[i].events[h[i].nr++] = (struct step){.closing = true, .watermark_ms = now_ms};
		}
		if (unit_random_below(&r, 10) == 0)
			restore(&f, now_ms);
		arena_clear(&f.scratch);
	}
	for (enum baseline_verdict v = 0; v < NR_BASELINE_VERDICTS; v++)
		ck_assert_msg(verdicts[v] >= 3 || v == BASELINE_OVERFLOW, /* which is given before anything is asked here */
			       "did not bite: %d x %s", verdicts[v], baseline_verdict_name(v));
	fixture_fini(&f);
	free(h);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("baseline_model");
	TCase *tc = tcase_create("baseline_model");

	tcase_add_test(tc, random_points_with_restores);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
