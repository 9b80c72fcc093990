/* test_store.c - slots, refusals, bounds and what becomes of series nobody speaks of; sums and figures are test_store_model.c's. */
#include "ingest/agent/store.h"

#include <math.h>

#include "ingest/agent/datagrams.h"
#include "tests/unit/unit.h"

#define T0 (INT64_C(1795372000000) / 30000 * 30000)

#define CLOCK_DAY (INT64_C(24) * 3600 * 1000)

enum { POINTS_MAX = 64 };

/* What a cut has told; strings as text. */
struct heard {
	struct {
		enum store_kind kind;
		char label[128];
		struct store_point point; /* without a histogram's lists */
	} points[POINTS_MAX];
	size_t nr;
};

static void hear(void *ctx, const struct store_metric *m)
{
	struct heard *h = ctx;
	size_t at = h->nr++, n;

	if (at >= POINTS_MAX)
		return;
	h->points[at].kind = m->kind;
	h->points[at].point = m->point;
	n = (size_t)snprintf(h->points[at].label, sizeof(h->points[at].label), STR_FMT, STR_ARG(m->name));
	for (size_t i = 0; i < m->tags_len && n < 100; i++)
		n += (size_t)snprintf(h->points[at].label + n, 128 - n, " %.*s=%.*s", STR_ARG(m->tags[i].key), STR_ARG(m->tags[i].value));
}

static struct store *make(int64_t series_max, size_t memory_bytes)
{
	struct err err = ERR_INIT;
	struct store *s = store_new(&(struct store_conf){.series_max = series_max, .memory_bytes = memory_bytes}, &err);

	ck_assert_ptr_nonnull(s);
	return s;
}

/* A sample by its shortest description. */
static enum cause add(struct store *s, enum store_kind kind, const char *name, double value, int64_t t_ms)
{
	return store_add(s, &(struct store_sample){.kind = kind, .name = str_from(name), .tags = STR(""), .member = STR("x"), .value = value,
						   .weight = 1, .t_ms = t_ms});
}

static size_t cut(struct store *s, int64_t end_ms, struct heard *h)
{
	h->nr = 0;
	store_cut(s, end_ms, hear, h);
	return h->nr;
}

START_TEST(slots)
{
	struct store *s = make(10, 1 << 20);
	struct heard h;

	ck_assert_int_eq(store_slot(-1), -30000);
	ck_assert_int_eq(store_slot(0), 0);
	ck_assert_int_eq(store_slot(29999), 0);
	ck_assert_int_eq(store_slot(INT64_MIN / 2 / 30000 * 30000), INT64_MIN / 2 / 30000 * 30000);
	add(s, STORE_COUNTER, "a", 1, T0);
	add(s, STORE_COUNTER, "a", 2, T0 + 29999);
	add(s, STORE_COUNTER, "a", 4, T0 + 30000);
	ck_assert_uint_eq(cut(s, T0 + 29999, &h), 0); /* not over yet */
	ck_assert_uint_eq(cut(s, T0 + 30000, &h), 1);
	ck_assert(h.points[0].point.has_v && h.points[0].point.v == 3 && h.points[0].point.t == T0);
	add(s, STORE_COUNTER, "a", 8, T0 + 100); /* too late: once more */
	ck_assert_uint_eq(cut(s, T0 + 30000, &h), 1);
	ck_assert(h.points[0].point.v == 8 && h.points[0].point.t == T0);
	add(s, STORE_COUNTER, "a", 16, T0 - 30000);
	ck_assert_uint_eq(cut(s, INT64_MAX, &h), 2); /* the oldest first */
	ck_assert(h.points[0].point.v == 16 && h.points[1].point.v == 4 && h.points[1].point.t == T0 + 30000);
	ck_assert_uint_eq(cut(s, INT64_MAX, &h), 0);
	store_free(s);
}
END_TEST

START_TEST(gauges_keep_their_value)
{
	struct store *s = make(10, 1 << 20);
	struct heard h;

	add(s, STORE_GAUGE_ADD, "a", 5, T0); /* from 0 */
	add(s, STORE_GAUGE_ADD, "a", -2, T0 + 1);
	ck_assert_uint_eq(cut(s, T0 + 30000, &h), 1);
	ck_assert(h.points[0].point.last == 3 && h.points[0].point.max == 5 && h.points[0].point.count == 2 && h.points[0].point.sum == 8);
	ck_assert_uint_eq(cut(s, T0 + 60000, &h), 0); /* nothing was told, nothing is sent */
	add(s, STORE_GAUGE_ADD, "a", 10, T0 + 60007);
	ck_assert_uint_eq(cut(s, T0 + 90000, &h), 1);
	ck_assert(h.points[0].point.has_v && h.points[0].point.v == 13 && h.points[0].point.t == T0 + 60007);
	add(s, STORE_GAUGE, "a", 1, T0 + 90000);
	add(s, STORE_GAUGE_ADD, "a", 1, T0 + 120000);
	ck_assert_uint_eq(cut(s, INT64_MAX, &h), 2);
	ck_assert(h.points[1].point.v == 2);
	store_free(s);
}
END_TEST

START_TEST(configured_tags)
{
	char value[] = "eu";
	const struct tag tags[] = {{STR("region"), {value, 2}}, {STR("env"), STR("prod")}};
	struct err err = ERR_INIT;
	struct store *s = store_new(&(struct store_conf){.series_max = 10, .memory_bytes = 1 << 20, .tags = tags, .tags_len = 2}, &err);
	struct heard h;

	value[0] = 'x'; /* copied */
	store_add(s, &(struct store_sample){.name = STR("a"), .tags = STR("env:test,z:1"), .value = 1, .weight = 1, .t_ms = T0});
	ck_assert_uint_eq(cut(s, INT64_MAX, &h), 1);
	ck_assert_str_eq(h.points[0].label, "a env=test region=eu z=1");
	store_free(s);
}
END_TEST

static const struct {
	struct store_sample sample;
	enum cause why;
} refusals[] = {
	{{.kind = STORE_COUNTER, .name = {"a", 1}, .value = -1, .weight = 1}, CAUSE_NEGATIVE},
	{{.kind = STORE_COUNTER, .name = {"a", 1}, .value = -0.0, .weight = 1}, CAUSE_NONE},
	{{.kind = STORE_DISTRIBUTION, .name = {"a", 1}, .value = -1, .weight = 1}, CAUSE_NONE},
	{{.kind = STORE_GAUGE, .name = {"a", 1}, .value = NAN, .weight = 1}, CAUSE_VALUE},
	{{.kind = STORE_GAUGE_ADD, .name = {"a", 1}, .value = INFINITY, .weight = 1}, CAUSE_VALUE},
	{{.kind = STORE_SET, .name = {"a", 1}, .member = {"", 0}, .weight = 1}, CAUSE_VALUE},
	{{.kind = STORE_COUNTER, .name = {"", 0}, .value = 1, .weight = 1}, CAUSE_NAME},
	{{.kind = STORE_COUNTER, .name = {"a\n", 2}, .value = 1, .weight = 1}, CAUSE_NAME},
	{{.kind = STORE_COUNTER, .name = {"a", 1}, .tags = {":x", 2}, .value = 1, .weight = 1}, CAUSE_TAGS},
	{{.kind = STORE_COUNTER, .name = {"a", 1}, .value = 1e308, .weight = 10}, CAUSE_RANGE},
	{{.kind = STORE_DISTRIBUTION, .name = {"a", 1}, .value = 1, .weight = (UINT64_C(1) << 40) + 1}, CAUSE_RANGE},
	{{.kind = STORE_DISTRIBUTION, .name = {"a", 1}, .value = 1, .weight = UINT64_C(1) << 40}, CAUSE_NONE},
};

START_TEST(refused_and_nothing_changed)
{
	struct store *s = make(10, 1 << 20);
	struct store_sample in = refusals[_i].sample;
	struct heard h;
	enum cause why;

	in.t_ms = T0;
	in.tags = in.tags.p ? in.tags : STR("");
	why = store_add(s, &in);
	ck_assert_msg(why == refusals[_i].why, "case %d: %s", _i, cause_name(why));
	ck_assert_uint_eq(store_figures(s).samples, why == CAUSE_NONE);
	ck_assert_uint_eq(cut(s, INT64_MAX, &h), why == CAUSE_NONE);
	store_free(s);
}
END_TEST

/* What is refused leaves what was there before it. */
START_TEST(refused_after_others)
{
	struct store *s = make(10, 1 << 20);
	struct heard h;

	for (int i = 0; i < 2; i++)
		add(s, STORE_GAUGE_ADD, "g", 1e308 / 2, T0 + i);
	ck_assert_int_eq(add(s, STORE_GAUGE_ADD, "g", 1e308, T0 + 2), CAUSE_RANGE);
	ck_assert_int_eq(add(s, STORE_DISTRIBUTION, "d", 1.7e308, T0), CAUSE_NONE);
	ck_assert_int_eq(add(s, STORE_DISTRIBUTION, "d", 1.7e308, T0), CAUSE_RANGE);
	ck_assert_uint_eq(cut(s, INT64_MAX, &h), 2);
	ck_assert(h.points[0].point.count == 2 && h.points[0].point.last == 1e308 && h.points[1].point.has_v);
	ck_assert_int_eq(add(s, STORE_GAUGE_ADD, "g", -1e308, T0 + 3), CAUSE_NONE); /* the value is what it was */
	ck_assert_uint_eq(cut(s, INT64_MAX, &h), 1);
	ck_assert(h.points[0].point.v == 0);
	store_free(s);
}
END_TEST

START_TEST(open_slots_are_bounded)
{
	struct store *s = make(10, 1 << 20);
	struct heard h;

	for (int i = 0; i < STORE_OPEN_SLOTS_MAX; i++)
		ck_assert_int_eq(add(s, STORE_COUNTER, "a", 1, T0 + i * 7 % STORE_OPEN_SLOTS_MAX * STORE_SLOT_MS), CAUSE_NONE);
	ck_assert_int_eq(add(s, STORE_COUNTER, "a", 1, T0 - 1), CAUSE_TIME);
	ck_assert_int_eq(add(s, STORE_COUNTER, "a", 1, T0), CAUSE_NONE); /* one that is open */
	ck_assert_uint_eq(cut(s, T0 + STORE_SLOT_MS, &h), 1);
	ck_assert_int_eq(add(s, STORE_COUNTER, "a", 1, T0 - 1), CAUSE_NONE);
	ck_assert_uint_eq(cut(s, INT64_MAX, &h), STORE_OPEN_SLOTS_MAX);
	for (size_t i = 1; i < h.nr && i < POINTS_MAX; i++)
		ck_assert_int_lt(h.points[i - 1].point.t, h.points[i].point.t);
	store_free(s);
}
END_TEST

/* A series that nothing is told of leaves, and makes room. */
START_TEST(idle_series_are_dropped)
{
	struct store *s = make(3, 1 << 20);
	struct heard h;
	int64_t t = T0;

	add(s, STORE_COUNTER, "idle", 1, t);
	add(s, STORE_COUNTER, "told", 1, t);
	add(s, STORE_GAUGE_ADD, "sum", 7, t);
	for (int slot = 1; slot <= STORE_IDLE_SLOTS; slot++) {
		t += STORE_SLOT_MS;
		ck_assert_uint_eq(cut(s, t, &h), slot == 1 ? 3 : 1);
		ck_assert_uint_eq(store_figures(s).series, 3);
		add(s, STORE_COUNTER, "told", 1, t);
	}
	cut(s, t + STORE_SLOT_MS, &h);
	ck_assert_uint_eq(store_figures(s).series, 2);
	ck_assert_uint_eq(store_figures(s).idle_dropped, 1);
	add(s, STORE_COUNTER, "new", 1, t); /* in its place */
	add(s, STORE_COUNTER, "idle", 2, t); /* not any more */
	add(s, STORE_GAUGE_ADD, "sum", 1, t); /* what was added up is kept for longer */
	ck_assert_uint_eq(store_figures(s).overflowed, 1);
	ck_assert_uint_eq(cut(s, INT64_MAX, &h), 3);
	for (size_t i = 0; i < h.nr; i++)
		ck_assert(strcmp(h.points[i].label, "sum") != 0 || h.points[i].point.v == 8);
	cut(s, t, &h);
	cut(s, t + STORE_IDLE_ADDED_SLOTS * STORE_SLOT_MS * 2, &h);
	ck_assert_uint_eq(store_figures(s).series, 0);
	add(s, STORE_COUNTER, "told", 5, t); /* through no alias of what is gone */
	ck_assert_uint_eq(cut(s, INT64_MAX, &h), 1);
	ck_assert_str_eq(h.points[0].label, "told");
	store_free(s);
}
END_TEST

START_TEST(clock_set_back)
{
	struct store *s = make(3, 1 << 20);
	struct heard h;

	add(s, STORE_COUNTER, "a", 1, T0);
	cut(s, T0 + CLOCK_DAY, &h);
	for (int slot = 0; slot < STORE_IDLE_SLOTS; slot++)
		cut(s, T0 + slot * STORE_SLOT_MS, &h);
	ck_assert_uint_eq(store_figures(s).series, 1);
	cut(s, T0 + STORE_IDLE_SLOTS * STORE_SLOT_MS, &h);
	ck_assert_uint_eq(store_figures(s).series, 0);
	store_free(s);
}
END_TEST

/* Many names against little memory: the budget is kept, and every sample is counted or refused by name. */
START_TEST(memory_is_bounded)
{
	enum { BUDGET = 1 << 20, SLACK = 80 << 10 }; /* one growth of a table, or of a set */
	struct unit_random r = unit_random_new("memory");
	struct store *s = make(100000, BUDGET);
	uint64_t taken = 0, short_of = 0;
	struct heard h;

	for (int i = 0; i < 200000; i++) {
		char name[32];
		enum store_kind kind = (enum store_kind)unit_random_below(&r, NR_STORE_KINDS);
		struct store_sample in = {.kind = kind, .tags = STR(""), .weight = 1, .t_ms = T0, .value = exp2((double)unit_random_below(&r, 200))};
		uint64_t member = unit_random_next(&r);
		enum cause why;

		snprintf(name, sizeof(name), "n%d", (int)unit_random_below(&r, 3000));
		in.name = str_from(name);
		in.member = (struct str){(char *)&member, sizeof(member)};
		why = store_add(s, &in);
		taken += why == CAUSE_NONE;
		short_of += why == CAUSE_MEMORY;
		ck_assert_uint_le(store_figures(s).memory_bytes, BUDGET + SLACK);
	}
	ck_assert_uint_eq(taken + short_of, 200000);
	ck_assert_uint_eq(store_figures(s).samples, taken);
	ck_assert_uint_gt(store_figures(s).overflowed, 0);
	ck_assert_uint_gt(store_figures(s).series, 1000);
	ck_assert_uint_gt(short_of, 0);
	cut(s, INT64_MAX, &h);
	ck_assert_uint_lt(store_figures(s).memory_bytes, BUDGET * 3 / 4 + SLACK); /* what slots took is free again */
	store_free(s);
}
END_TEST

/* What was counted when all is gone is what an empty store counts. */
START_TEST(memory_is_given_back)
{
	struct unit_random r = unit_random_new("given back");
	struct store *s = make(1000, 1 << 22);
	size_t empty = store_figures(s).memory_bytes;
	struct heard h;

	for (int i = 0; i < 20000; i++) {
		char name[16];
		uint64_t member = unit_random_next(&r);
		struct store_sample in = {.kind = (enum store_kind)unit_random_below(&r, NR_STORE_KINDS), .tags = STR("k:v"), .weight = 1,
					  .value = (double)unit_random_below(&r, 1000), .member = {(char *)&member, sizeof(member)}};

		snprintf(name, sizeof(name), "n%d", (int)unit_random_below(&r, 1200));
		in.name = str_from(name);
		in.t_ms = T0 + (int64_t)unit_random_below(&r, 5) * STORE_SLOT_MS;
		ck_assert_int_eq(store_add(s, &in), CAUSE_NONE);
	}
	ck_assert_uint_gt(store_figures(s).memory_bytes, empty + 200000);
	cut(s, T0 + CLOCK_DAY, &h);
	cut(s, T0 + 3 * CLOCK_DAY, &h);
	ck_assert_uint_eq(store_figures(s).series, 0);
	ck_assert_uint_le(store_figures(s).memory_bytes, empty + (32 << 10)); /* the tables keep some room */
	store_free(s);
}
END_TEST

/* Far more ways of writing than aliases: each sample still finds its series. */
START_TEST(more_spellings_than_aliases)
{
	struct store *s = make(50, 1 << 20);
	struct heard h;
	double sum = 0;

	for (int i = 0; i < 100000; i++) {
		char tags[64];

		snprintf(tags, sizeof(tags), "k:v,k:%d", i % 20000);
		ck_assert_int_eq(store_add(s, &(struct store_sample){.name = STR("a"), .tags = str_from(tags), .value = 1, .weight = 1, .t_ms = T0}),
				 CAUSE_NONE);
	}
	ck_assert_uint_eq(store_figures(s).series, 1);
	ck_assert_uint_eq(cut(s, INT64_MAX, &h), 1);
	sum = h.points[0].point.v;
	ck_assert(sum == 100000);
	store_free(s);
}
END_TEST

START_TEST(sets)
{
	struct store *s = make(10, 1 << 22);
	struct heard h;

	for (int i = 0; i < 20000; i++) {
		char member[16];

		snprintf(member, sizeof(member), "m%d", i % (i % 2 ? 100 : 10000));
		store_add(s, &(struct store_sample){.kind = STORE_SET, .name = i % 2 ? STR("few") : STR("many"), .tags = STR(""),
						    .member = str_from(member), .weight = 1, .t_ms = T0});
	}
	ck_assert_uint_eq(cut(s, INT64_MAX, &h), 2);
	for (size_t i = 0; i < 2; i++) {
		bool few = strcmp(h.points[i].label, "few") == 0;

		ck_assert(h.points[i].kind == STORE_GAUGE && h.points[i].point.has_v && h.points[i].point.t == T0);
		ck_assert(few ? h.points[i].point.v == 50 : fabs(h.points[i].point.v - 5000) < 5000 * 0.11);
	}
	ck_assert_uint_eq(store_figures(s).estimated_sets, 1);
	add(s, STORE_SET, "few", 0, T0 + STORE_SLOT_MS); /* a slot begins anew */
	ck_assert_uint_eq(cut(s, INT64_MAX, &h), 1);
	ck_assert(h.points[0].point.v == 1);
	store_free(s);
}
END_TEST

/* One name as all kinds: a series each. */
START_TEST(kinds_are_kept_apart)
{
	struct store *s = make(10, 1 << 20);
	struct heard h;

	for (int kind = 0; kind < NR_STORE_KINDS; kind++)
		add(s, (enum store_kind)kind, "a", 2, T0);
	ck_assert_uint_eq(store_figures(s).series, 4);
	ck_assert_uint_eq(cut(s, INT64_MAX, &h), 4);
	store_free(s);
}
END_TEST

/* datagrams.h */
START_TEST(datagrams_are_counted)
{
	struct store *s = make(10, 1 << 20);
	struct datagrams d = DATAGRAMS_INIT(s);
	char timed[128];
	struct heard h;

	datagrams_take(&d, STR("a:1:2:-3|c|@0.5|#k:v\nb:x|c\n_e{1,1}:a|b\n_sc|a|0\nc:+1|g"), T0);
	datagrams_take(&d, STR(""), T0);
	snprintf(timed, sizeof(timed), "t:1|c|T%lld\nt:1|c|T%lld\nt:1|c|T%lld\nt:1|c|T%lld", (long long)(T0 / 1000 - 86400),
		 (long long)(T0 / 1000 - 86401), (long long)(T0 / 1000 + 600), (long long)(T0 / 1000 + 601));
	datagrams_take(&d, str_from(timed), T0);
	ck_assert_uint_eq(d.datagrams, 3);
	ck_assert_uint_eq(d.lines, 9);
	ck_assert_uint_eq(d.samples, 5);
	ck_assert_uint_eq(d.events, 1);
	ck_assert_uint_eq(d.service_checks, 1);
	ck_assert_uint_eq(d.refused[CAUSE_NEGATIVE], 1);
	ck_assert_uint_eq(d.refused[CAUSE_VALUE], 1);
	ck_assert_uint_eq(d.refused[CAUSE_TIME], 2);
	ck_assert_uint_eq(datagrams_refused(&d), 4);
	ck_assert_uint_eq(cut(s, INT64_MAX, &h), 4);
	ck_assert_str_eq(h.points[0].label, "a k=v");
	ck_assert(h.points[0].point.v == 6 && h.points[1].point.v == 1);
	store_free(s);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store");
	TCase *tc = tcase_create("store");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, slots);
	tcase_add_test(tc, gauges_keep_their_value);
	tcase_add_test(tc, configured_tags);
	tcase_add_loop_test(tc, refused_and_nothing_changed, 0, NR(refusals));
	tcase_add_test(tc, refused_after_others);
	tcase_add_test(tc, open_slots_are_bounded);
	tcase_add_test(tc, idle_series_are_dropped);
	tcase_add_test(tc, clock_set_back);
	tcase_add_test(tc, memory_is_bounded);
	tcase_add_test(tc, memory_is_given_back);
	tcase_add_test(tc, more_spellings_than_aliases);
	tcase_add_test(tc, sets);
	tcase_add_test(tc, kinds_are_kept_apart);
	tcase_add_test(tc, datagrams_are_counted);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
