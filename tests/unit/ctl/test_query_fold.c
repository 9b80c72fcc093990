/* test_query_fold.c - windows of many series merged by groups, against the values that they were made of.
 *
 * The values are powers of two, so that their buckets are known without counting, sums are exact in any order, and a percentile that is one rank off is off by a factor of
 * two. The model keeps every value and sorts. */
#include "deploy/ctl/query_print.h"

#include <math.h>
#include <string.h>

#include "common/clock.h"
#include "tests/unit/unit.h"

enum { POWERS = 10, SERIES = 6, WINDOWS = 10, VALUES_MAX = 4000 };

#define FROM (INT64_C(30000000) * CLOCK_MINUTE_MS)

/* One value that some series had. */
struct value {
	int series, window, power;
	int64_t at_ms;
	bool failed;
};

struct world {
	struct value list[VALUES_MAX];
	size_t nr;
};

/* Series 0 and 1 have tag host=a, 2 and 3 host=b, 4 an empty one, 5 none. */
static const char *host_of(int series)
{
	static const char *const hosts[SERIES] = {"a", "a", "b", "b", "", NULL};

	return hosts[series];
}

static struct aggregate head(int series, struct tag tags[2], int64_t window_ms)
{
	struct aggregate a = {.fingerprint = {(uint8_t)(series + 1), [15] = (uint8_t)(series * 7)}, .site = STR("shop"), .kind = SERIES_KIND_DISTRIBUTION,
			      .name = STR("http.duration"), .tags = tags, .tags_len = host_of(series) ? 2 : 1, .window_start = FROM, .window_ms = (int32_t)window_ms};

	tags[0] = host_of(series) ? (struct tag){STR("host"), str_from(host_of(series))} : (struct tag){STR("route"), STR("/")};
	tags[1] = (struct tag){STR("route"), STR("/")};
	return a;
}

/* Values [from, to) of the list, all of one series and window, as one fragment. Power k is the last of bucket 32 k - 1. */
static void give(struct query *q, const struct value *from, const struct value *to, bool late)
{
	struct tag tags[2];
	struct aggregate a = head(from->series, tags, CLOCK_MINUTE_MS);
	int64_t counts[32 * POWERS] = {0};
	struct err err = ERR_INIT;

	a.window_start = FROM + from->window * CLOCK_MINUTE_MS;
	a.late = late;
	for (const struct value *v = from; v < to; v++) {
		double value = (double)(1 << v->power);

		a.count++;
		a.sum += value;
		a.errors += v->failed;
		a.min = !a.has_min || value < a.min ? value : a.min;
		a.max = !a.has_max || value > a.max ? value : a.max;
		if (!a.has_last || v->at_ms > a.last_at || (v->at_ms == a.last_at && value > a.last)) {
			a.last = value;
			a.last_at = v->at_ms;
		}
		a.has_min = a.has_max = a.has_last = true;
		counts[32 * v->power]++;
	}
	a.has_histogram = true;
	a.histogram = (struct histogram){.scale = 5, .offset = -1, .counts = counts, .counts_len = NR(counts)};
	ck_assert_msg(query_take(q, &a, &err) == 0, "%s", err.msg);
}

/* Which values belong to a group: of a host (NULL: those without), or of all. */
struct of {
	bool all;
	const char *host;
	int first, end; /* windows */
};

static bool belongs(const struct value *v, struct of of)
{
	const char *host = host_of(v->series);

	return v->window >= of.first && v->window < of.end && (of.all || (host && of.host ? strcmp(host, of.host) == 0 : host == of.host));
}

static int by_power(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static double quantile_of(const int *sorted, size_t nr, double q)
{
	size_t rank = (size_t)ceil(q * (double)nr);

	return (double)(1 << sorted[rank ? rank - 1 : 0]);
}

static void check_field(enum trigger_field field, const struct windows_point *p, double want)
{
	double got;

	ck_assert_msg(query_value(field, p, CLOCK_MINUTE_MS, &got), "%s has no value", trigger_field_name(field));
	ck_assert_msg(fabs(got - want) <= 0.011 * fabs(want), "%s: %g and not %g", trigger_field_name(field), got, want);
}

/* A point against the values. */
static void check(const struct world *w, struct of of, const struct windows_point *p)
{
	static int powers[VALUES_MAX];
	size_t nr = 0;
	int64_t errors = 0, last_at = -1;
	double sum = 0, last = 0;

	for (size_t i = 0; i < w->nr; i++) {
		const struct value *v = &w->list[i];
		double value = (double)(1 << v->power);

		if (!belongs(v, of))
			continue;
		powers[nr++] = v->power;
		sum += value;
		errors += v->failed;
		if (v->at_ms > last_at || (v->at_ms == last_at && value > last)) {
			last = value;
			last_at = v->at_ms;
		}
	}
	ck_assert_uint_gt(nr, 0);
	qsort(powers, nr, sizeof(powers[0]), by_power);
	ck_assert_int_eq(p->point.count, (int64_t)nr);
	ck_assert_int_eq(p->point.errors, errors);
	ck_assert_double_eq(p->point.sum, sum);
	ck_assert_double_eq(p->point.min, (double)(1 << powers[0]));
	ck_assert_double_eq(p->point.max, (double)(1 << powers[nr - 1]));
	ck_assert_double_eq(p->point.last, last);
	check_field(TRIGGER_FIELD_P50, p, quantile_of(powers, nr, 0.5));
	check_field(TRIGGER_FIELD_P90, p, quantile_of(powers, nr, 0.9));
	check_field(TRIGGER_FIELD_P95, p, quantile_of(powers, nr, 0.95));
	check_field(TRIGGER_FIELD_P99, p, quantile_of(powers, nr, 0.99));
	check_field(TRIGGER_FIELD_MEAN, p, sum / (double)nr);
	check_field(TRIGGER_FIELD_RATE, p, (double)nr / 60);
}

static bool any(const struct world *w, struct of of)
{
	for (size_t i = 0; i < w->nr; i++)
		if (belongs(&w->list[i], of))
			return true;
	return false;
}

static int by_place(const void *a, const void *b)
{
	const struct value *x = a, *y = b;

	return x->series != y->series ? x->series - y->series : x->window - y->window;
}

/* Every window and total of a group, and a stretch of it. */
static void check_group(const struct world *w, const struct query *q, const struct query_group *g, struct of of, struct unit_random *random)
{
	struct windows_point p;
	struct err err = ERR_INIT;

	for (int i = 0; i < WINDOWS; i++) {
		of.first = i;
		of.end = i + 1;
		ck_assert_int_eq(g->windows[i].has, any(w, of));
		if (g->windows[i].has)
			check(w, of, &g->windows[i].p);
	}
	of.first = 0;
	of.end = WINDOWS;
	check(w, of, &g->total);
	of.first = (int)unit_random_below(random, WINDOWS);
	of.end = of.first + 1 + (int)unit_random_below(random, WINDOWS);
	ck_assert_int_eq(query_range(q, g, (size_t)of.first, (size_t)of.end, &p, &err), any(w, of));
	if (any(w, of))
		check(w, of, &p);
	hist_fini(&p.hist);
}

/* Runs of values of one series and window, in any order. */
static void fill(struct world *w, struct unit_random *random)
{
	for (size_t i = 0; i < w->nr; i++) {
		w->list[i] = (struct value){(int)unit_random_below(random, SERIES), (int)unit_random_below(random, WINDOWS), (int)unit_random_below(random, POWERS),
					    (int64_t)unit_random_below(random, 50), unit_random_below(random, 3) == 0};
		if (i && unit_random_below(random, 2)) {
			w->list[i].series = w->list[i - 1].series;
			w->list[i].window = w->list[i - 1].window;
		}
	}
}

START_TEST(groups)
{
	static struct world w;
	const char *const hosts[] = {"a", "b", "", NULL};
	struct unit_random random = unit_random_new("query_fold");

	for (int round = 0; round < 60; round++) {
		bool by = round % 2;
		const struct query_spec spec = {.site = STR("shop"), .metric = STR("http.duration"), .by = by ? STR("host") : (struct str){NULL, 0}, .from_ms = FROM,
						.to_ms = FROM + WINDOWS * CLOCK_MINUTE_MS, .window_ms = CLOCK_MINUTE_MS};
		size_t late = 0, fragments = 0, seen = 0;
		struct err err = ERR_INIT;
		struct query q;

		ck_assert_int_eq(query_init(&q, &spec, &err), 0);
		w.nr = 1 + unit_random_below(&random, VALUES_MAX / (1 + unit_random_below(&random, 60)));
		fill(&w, &random);
		for (size_t i = 0, end; i < w.nr; i = end) { /* in any order of windows; neighbours of one window are one fragment */
			bool is_late = unit_random_below(&random, 5) == 0;

			for (end = i + 1; end < w.nr && by_place(&w.list[i], &w.list[end]) == 0; end++)
				;
			give(&q, &w.list[i], &w.list[end], is_late);
			late += is_late;
			fragments++;
		}
		ck_assert_msg(query_finish(&q, &err) == 0, "%s", err.msg);
		check(&w, (struct of){true, NULL, 0, WINDOWS}, &q.total);
		ck_assert_uint_eq(q.nr_late, late);
		ck_assert_uint_eq(q.nr_fragments, fragments);
		for (size_t i = 0; i < q.nr; i++)
			check_group(&w, &q, q.groups[i], by ? (struct of){false, q.groups[i]->value.p, 0, 0} : (struct of){true, NULL, 0, 0}, &random);
		for (size_t h = 0; by && h < NR(hosts); h++)
			seen += any(&w, (struct of){false, hosts[h], 0, WINDOWS});
		ck_assert_uint_eq(q.nr, by ? seen : 1);
		query_fini(&q);
	}
}
END_TEST

/* What is left out, one by one: a fragment that is right but for one thing. */
static const struct { const char *site, *name; int64_t start; int32_t window_ms; int series; size_t fragments, named, selected; } strays[] = {
	{"shop", "http.duration", FROM, CLOCK_MINUTE_MS, 0, 1, 1, 1},
	{"shop", "http.duration", FROM + 9 * CLOCK_MINUTE_MS, CLOCK_MINUTE_MS, 0, 1, 1, 1},
	{"shop", "http.duration", FROM + 10 * CLOCK_MINUTE_MS, CLOCK_MINUTE_MS, 0, 0, 1, 1}, /* the end does not belong to it */
	{"shop", "http.duration", FROM - CLOCK_MINUTE_MS, CLOCK_MINUTE_MS, 0, 0, 1, 1},
	{"shop", "http.duration", FROM + 1, CLOCK_MINUTE_MS, 0, 0, 1, 1},                    /* no window begins there */
	{"shop", "http.duration", FROM, CLOCK_HOUR_MS, 0, 0, 0, 0},
	{"other", "http.duration", FROM, CLOCK_MINUTE_MS, 0, 0, 0, 0},
	{"shop", "http.durations", FROM, CLOCK_MINUTE_MS, 0, 0, 0, 0},
	{"shop", "http.duration", FROM, CLOCK_MINUTE_MS, 2, 0, 1, 0},                        /* another host */
	{"shop", "http.duration", FROM, CLOCK_MINUTE_MS, 5, 0, 1, 0},
};

START_TEST(left_out)
{
	const struct str host = STR("a");
	const struct tag_selector only = {.key = STR("host"), .op = SELECTOR_OP_EXACT, .values = (struct str *)&host, .values_len = 1};
	const struct query_spec spec = {.site = STR("shop"), .metric = STR("http.duration"), .tags = &only, .nr_tags = 1, .from_ms = FROM,
					.to_ms = FROM + WINDOWS * CLOCK_MINUTE_MS, .window_ms = CLOCK_MINUTE_MS};
	struct tag tags[2];
	struct aggregate a = head(strays[_i].series, tags, strays[_i].window_ms);
	struct err err = ERR_INIT;
	struct query q;

	a.site = str_from(strays[_i].site);
	a.name = str_from(strays[_i].name);
	a.window_start = strays[_i].start;
	a.count = 1;
	ck_assert_int_eq(query_init(&q, &spec, &err), 0);
	ck_assert_int_eq(query_take(&q, &a, &err), 0);
	ck_assert_int_eq(query_finish(&q, &err), 0);
	ck_assert_uint_eq(q.nr_fragments, strays[_i].fragments);
	ck_assert_uint_eq(q.nr, strays[_i].fragments);
	ck_assert_uint_eq(q.nr_named, strays[_i].named);
	ck_assert_uint_eq(q.nr_selected, strays[_i].selected);
	query_fini(&q);
}
END_TEST

START_TEST(kinds_do_not_mix)
{
	struct query_spec spec = {.site = STR("shop"), .metric = STR("http.duration"), .from_ms = FROM, .to_ms = FROM + CLOCK_MINUTE_MS, .window_ms = CLOCK_MINUTE_MS};

	for (int given = 0; given < 2; given++) {
		struct err err = ERR_INIT;
		struct query q;

		spec.has_kind = given;
		spec.kind = SERIES_KIND_COUNTER;
		ck_assert_int_eq(query_init(&q, &spec, &err), 0);
		for (int kind = SERIES_KIND_COUNTER; kind <= SERIES_KIND_DISTRIBUTION; kind += 2) {
			struct tag tags[2];
			struct aggregate a = head(kind, tags, CLOCK_MINUTE_MS);

			a.kind = (enum series_kind)kind;
			a.count = 1 + kind;
			ck_assert_int_eq(query_take(&q, &a, &err), 0);
		}
		ck_assert_int_eq(query_finish(&q, &err), given ? 0 : -1);
		ck_assert(given ? q.total.point.count == 1 : strstr(err.msg, "of kind counter and distribution: say which by --kind") != NULL);
		query_fini(&q);
	}
}
END_TEST

/* Groups by their values, the highest first; those without one last. */
START_TEST(order)
{
	const struct query_spec spec = {.site = STR("shop"), .metric = STR("m"), .by = STR("host"), .from_ms = FROM, .to_ms = FROM + CLOCK_HOUR_MS, .window_ms = CLOCK_HOUR_MS};
	static const struct { const char *host; double max; bool has_max; } given[] = {{"low", 1, true}, {"none", 0, false}, {"high", 9, true}, {"b", 5, true}, {"a", 5, true}};
	static const char *const wanted[] = {"high", "a", "b", "low", "none"};
	struct err err = ERR_INIT;
	struct query q;
	double rate;

	ck_assert_int_eq(query_init(&q, &spec, &err), 0);
	for (size_t i = 0; i < NR(given); i++) {
		struct tag tag = {STR("host"), str_from(given[i].host)};
		const struct aggregate a = {.fingerprint = {(uint8_t)i}, .site = STR("shop"), .name = STR("m"), .tags = &tag, .tags_len = 1, .window_start = FROM,
					    .window_ms = CLOCK_HOUR_MS, .count = 1, .sum = 7200, .max = given[i].max, .has_max = given[i].has_max};

		ck_assert_int_eq(query_take(&q, &a, &err), 0);
	}
	ck_assert_int_eq(query_finish(&q, &err), 0);
	query_sort(&q, TRIGGER_FIELD_MAX);
	for (size_t i = 0; i < NR(wanted); i++)
		ck_assert_msg(str_eq(q.groups[i]->value, str_from(wanted[i])), "%zu: " STR_FMT, i, STR_ARG(q.groups[i]->value));
	ck_assert(query_value(TRIGGER_FIELD_RATE, &q.groups[0]->windows[0].p, CLOCK_HOUR_MS, &rate) && rate == 2); /* of an hour, a second's */
	query_fini(&q);
}
END_TEST

START_TEST(near_names)
{
	const struct query_spec spec = {.site = STR("shop"), .metric = STR("http.duraton"), .from_ms = FROM, .to_ms = FROM + CLOCK_MINUTE_MS, .window_ms = CLOCK_MINUTE_MS};
	static const char *const names[] = {"queue.depth", "http.durations", "http.duration", "http.duration", "x", "http.duratio"};
	struct err err = ERR_INIT;
	struct query q;

	ck_assert_int_eq(query_init(&q, &spec, &err), 0);
	for (size_t i = 0; i < NR(names); i++) {
		struct tag tags[2];
		struct aggregate a = head(0, tags, CLOCK_MINUTE_MS);

		a.name = str_from(names[i]);
		ck_assert_int_eq(query_take(&q, &a, &err), 0);
	}
	ck_assert_uint_eq(q.nr_near, 3);
	ck_assert(str_eq(q.near[0], STR("http.duration")) && str_eq(q.near[1], STR("http.durations")) && str_eq(q.near[2], STR("http.duratio")));
	query_fini(&q);
}
END_TEST

/* Where the table ends: behind the newest of any series, or behind what must have been closed; never behind what was asked for. */
static const struct { int64_t newest, closed; size_t nr; } ends[] = {{-1, 0, 0}, {0, 0, 1}, {3, 0, 4}, {3, 6, 6}, {-1, 6, 6}, {7, 6, 8}, {40, 0, 10}, {2, 40, 10}, {-5, -5, 0}};

START_TEST(closed)
{
	const struct query_spec spec = {.site = STR("shop"), .metric = STR("m"), .from_ms = FROM, .to_ms = FROM + WINDOWS * CLOCK_MINUTE_MS, .window_ms = CLOCK_MINUTE_MS,
					.closed_ms = FROM + ends[_i].closed * CLOCK_MINUTE_MS + (ends[_i].closed > 0 ? 59999 : 0)};
	struct err err = ERR_INIT;
	struct query q;

	ck_assert_int_eq(query_init(&q, &spec, &err), 0);
	q.newest_ms = ends[_i].newest == -1 ? -1 : FROM + ends[_i].newest * CLOCK_MINUTE_MS;
	ck_assert_uint_eq(query_nr_closed(&q), ends[_i].nr);
	query_fini(&q);
}
END_TEST

/* Memory is bounded by windows and groups, whatever is in the topic. */
START_TEST(bounds)
{
	struct query_spec spec = {.site = STR("shop"), .metric = STR("m"), .by = STR("host"), .from_ms = FROM, .window_ms = CLOCK_MINUTE_MS};
	struct err err = ERR_INIT;
	struct query q;
	int rc = 0, nr = 0;

	spec.to_ms = FROM;
	ck_assert(query_init(&q, &spec, &err) == -1 && strstr(err.msg, "no whole window"));
	spec.to_ms = FROM + (QUERY_SLOTS_MAX + INT64_C(1)) * CLOCK_MINUTE_MS;
	ck_assert(query_init(&q, &spec, &err) == -1 && strstr(err.msg, "a shorter time will do"));
	spec.to_ms = FROM + QUERY_SLOTS_MAX / 4 * CLOCK_MINUTE_MS;
	ck_assert_int_eq(query_init(&q, &spec, &err), 0);
	for (; rc == 0 && nr < 10; nr++) {
		char host[] = {(char)('a' + nr), '\0'};
		struct tag tag = {STR("host"), str_from(host)};
		const struct aggregate a = {.fingerprint = {(uint8_t)nr}, .site = STR("shop"), .name = STR("m"), .tags = &tag, .tags_len = 1, .window_start = FROM,
					    .window_ms = CLOCK_MINUTE_MS};

		rc = query_take(&q, &a, &err);
	}
	ck_assert_msg(rc == -1 && nr == 5 && strstr(err.msg, "in 5 groups"), "%d groups: %s", nr, err.msg);
	query_fini(&q);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ctl/query_fold");
	TCase *tc = tcase_create("query_fold");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, groups);
	tcase_add_loop_test(tc, left_out, 0, NR(strays));
	tcase_add_test(tc, kinds_do_not_mix);
	tcase_add_test(tc, order);
	tcase_add_test(tc, near_names);
	tcase_add_loop_test(tc, closed, 0, NR(ends));
	tcase_add_test(tc, bounds);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
