/* test_baseline.c - what cumulative points come to: the rules as tables, expiry, and the way through a snapshot. */
#include "processor/baseline.h"

#include <float.h>

#include "tests/unit/processor/baselines.h"

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

/* A series goes from this partition to another and back, with its site's routes. */
START_TEST(the_step_across_a_change_of_routes)
{
	static const struct {
		int t, start, since;
		double v;
		enum baseline_verdict verdict;
		double counted;
	} rows[] = {
		{60, 10, 0, 5, BASELINE_FRESH, 5},
		{120, 10, 0, 8, BASELINE_DELTA, 3},
		/* Elsewhere until 200. */
		{240, 10, 200, 30, BASELINE_BREAK, NOTHING},
		{300, 10, 200, 31, BASELINE_DELTA, 1},
		{180, 10, 0, 20, BASELINE_STALE, NOTHING}, /* backlog of the route before */
		{360, 310, 200, 4, BASELINE_RESET, 4},
		{420, 390, 400, 2, BASELINE_BREAK, NOTHING}, /* a new route and a new start: what was counted before 400 is elsewhere */
		{480, 450, 400, 7, BASELINE_RESET, 7},
	};
	struct fixture f;

	fixture_init(&f);
	for (size_t i = 0; i < NR(rows); i++) {
		struct baseline_point p = {.t_ms = NOW_MS + rows[i].t * 1000, .start_ms = NOW_MS + rows[i].start * 1000, .count = 1,
					   .routed_since_ms = rows[i].since ? NOW_MS + rows[i].since * 1000 : 0, .sum = rows[i].v,
					   .single = true};
		struct baseline_step step = take(&f, 0, &p, NOW_MS);

		ck_assert_msg(step.verdict == rows[i].verdict, "point %zu: %s", i, baseline_verdict_name(step.verdict));
		ck_assert_msg(step.counts == (rows[i].counted >= 0), "point %zu counts: %d", i, step.counts);
		ck_assert_msg(!step.counts || step.sum == rows[i].counted, "point %zu: %g", i, step.sum);
		restore(&f, NOW_MS);
	}
	clear(&f);
	for (int i = 0; i < 2; i++) { /* first seen 60 s after its start, under a route that began before it, and after it */
		struct baseline_point p = {.t_ms = NOW_MS, .start_ms = NOW_MS - 60000, .routed_since_ms = NOW_MS - 60000 + i, .count = 1, .sum = 3,
					   .single = true};

		ck_assert_int_eq(take(&f, 0, &p, NOW_MS).verdict, i ? BASELINE_FIRST : BASELINE_FRESH);
		clear(&f);
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

/* nr; each: series, ago, t, t - start, routed since, count, sum; a distribution's: scale, bytes of its buckets, each: key less the one before, count */
#define ZERO "\0\0\0\0\0\0\0\0"
#define LARGEST "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01" /* 2^62 */
static const struct {
	const char *bytes;
	size_t len;
	const char *fault; /* NULL: it is good */
} written[] = {
#define ROW(text, fault) {text, sizeof(text) - 1, fault}
	ROW("\x00", NULL),
	ROW("\x02\x00\x00\x0a\x02\x00\x01" ZERO, NULL),
	ROW("\x02\x04\x00\x0a\x01\x00\x04" ZERO "\x0a\x04\x06\x04", NULL), /* 2 in bucket 3 */
	ROW("\x02\x04\x00\x0a\x01\x00\x04" ZERO "\x0a\x08\xc1\x99\x04\x04", NULL), /* 2 zeros */
	ROW("\x02\x04\x00\x0a\x01\x00" LARGEST ZERO "\x0a\x16\x06" LARGEST, NULL),
	ROW("\x02\x04\x00\x0a\x01\x00\x00" ZERO "\x0a\x00", NULL),
	ROW("\x02\x04\x00\x0a\x01\x00\x04" ZERO "\x0a\x00", NULL), /* 2, of which no more is known */
	ROW("\x01", "a count that the bytes cannot bear"),
	ROW("\x04\x00\x00\x0a\x02\x00\x01" ZERO, "a count that the bytes cannot bear"),
	ROW("\x02\x01\x00\x0a\x02\x00\x01" ZERO, "a baseline of no series, of a gauge, or a second one"),
	ROW("\x02\x0c\x00\x0a\x02\x00\x01" ZERO, "a baseline of no series, of a gauge, or a second one"),
	ROW("\x02\x02\x00\x0a\x02\x00\x01" ZERO, "a baseline of no series, of a gauge, or a second one"), /* 1 is a gauge */
	ROW("\x04\x00\x00\x0a\x02\x00\x01" ZERO "\x00\x00\x0a\x02\x00\x01" ZERO, "a baseline of no series, of a gauge, or a second one"),
	ROW("\x02\x00\x01\x0a\x02\x00\x01" ZERO, "a baseline that cannot be there"), /* changed in the future */
	ROW("\x02\x00\xd2\x0f\x0a\x02\x00\x01" ZERO, "a baseline that cannot be there"), /* before the epoch */
	ROW("\x02\x00\x00\x01\x02\x00\x01" ZERO, "a baseline that cannot be there"), /* t -1 */
	ROW("\x02\x00\x00\x0a\x0a\x00\x01" ZERO, "a baseline that cannot be there"), /* a start of 0 that is not unknown */
	ROW("\x02\x00\x00\x0a\x03\x00\x01" ZERO, "a baseline that cannot be there"), /* a start after t */
	ROW("\x02\x00\x00\x0a\x02\x01\x01" ZERO, "a baseline that cannot be there"), /* routed since -1 */
	ROW("\x02\x00\x00\x0a\x02\x00\x03" ZERO, "a baseline that cannot be there"), /* count -2 */
	ROW("\x02\x00\x00\x0a\x02\x00\x01\0\0\0\0\0\0\xf0\x7f", "a baseline that cannot be there"), /* infinite */
	ROW("\x04\x00\x00\x0a\x02\x00\x01" ZERO "\x06\x02\x0a\x02\x00\x01" ZERO, "a baseline that cannot be there"), /* not in order */
	ROW("\x02\x04\x00\x0a\x02\x00\x01" ZERO, "a distribution without a histogram"),
	ROW("\x02\x04\x00\x0a\x01\x00\x06" ZERO "\x0a\x04\x06\x04", "a histogram that does not add up"),
	ROW("\x02\x04\x00\x0a\x01\x00\x04" ZERO "\x0c\x04\x06\x04", "a scale out of range"), /* 6 */
	ROW("\x02\x04\x00\x0a\x01\x00\x04" ZERO "\x15\x04\x06\x04", "a scale out of range"), /* -11 */
	ROW("\x02\x04\x00\x0a\x01\x00\x04" ZERO "\x00\x06\x80\x10\x04", "a bucket beyond any number"), /* 1024 at scale 0 */
	ROW("\x02\x04\x00\x0a\x01\x00\x04" ZERO "\x0a\x08\xff\xff\x0b\x04", "a bucket beyond any number"), /* a key that there is not */
	ROW("\x02\x04\x00\x0a\x01\x00\x04" ZERO "\x0a\x08\xc1\x99\x04\x03", "a malformed histogram"), /* -2 zeros */
	ROW("\x02\x04\x00\x0a\x01\x00\x04" ZERO "\x0a\x02\x06", "a malformed histogram"), /* cut off */
	ROW("\x02\x04\x00\x0a\x01\x00" LARGEST ZERO "\x0a\x2c\x06" LARGEST "\x02" LARGEST, "a malformed histogram"), /* 2^63 in all */
	ROW("\x02\x04\x00\x0a\x01\x00\x04" ZERO "\x0a\x08\x06\x02\x00\x02", "a malformed histogram"), /* one bucket twice */
	ROW("\x02\x04\x00\x0a\x01\x00\x00" ZERO "\x0a\x04\x06\x00", "a malformed histogram"), /* an empty one */
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

	tcase_add_test(tc, the_step_across_a_change_of_routes);
	tcase_add_loop_test(tc, the_lives_of_a_counter, 0, 2); /* the second time restored before each point */
	tcase_add_test(tc, summaries_of_a_counter);
	tcase_add_loop_test(tc, the_life_of_a_distribution, 0, 2);
	tcase_add_test(tc, baselines_end_25_hours_after_their_last_change_at_a_closing);
	tcase_add_test(tc, damaged_bytes_are_refused_or_good);
	tcase_add_loop_test(tc, written_by_hand, 0, (int)NR(written));
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
