/* test_store_model.c - the store against a list of all samples: whatever the order of kinds, spellings, times and cuts, each sample is in
 * exactly one point, and each point says what its samples say when they are gone through one by one. */
#include "ingest/agent/store.h"

#include <math.h>

#include "tests/unit/unit.h"

enum { NR_IDS = 24, SAMPLES_MAX = 4000, SLOTS = 12, OVERFLOW_ID = NR_IDS };

#define START_MS (INT64_C(1795372000000) / 30000 * 30000)

struct told {
	enum store_kind kind; /* of the series */
	int id;
	int64_t t_ms;
	double value;
	uint64_t weight;
	int member;
	bool cut;
};

struct model {
	struct told told[SAMPLES_MAX];
	size_t nr;
	double gauge[NR_IDS + 1];
	bool admitted[NR_STORE_KINDS][NR_IDS];
	int nr_series, series_max;
	int64_t slot_end_ms; /* of the cut that goes on */
	size_t points;
};

/* The name and tags of an id: ids of one name differ in their tags alone. */
static void print_label(int id, char *name, char *tags)
{
	sprintf(name, "metric.%d", id / 3); /* style: the buffers are the test's */
	sprintf(tags, id % 3 == 0 ? "" : id % 3 == 1 ? "a:%d,b:x y,c:true" : "a:%d,d:", id); /* style: likewise */
}

/* Another way to write the same. */
static void spell(struct unit_random *r, int id, char *tags)
{
	if (id % 3 == 1)
		sprintf(tags, unit_random_below(r, 2) ? "c,b:x y,a:%d" : "b:x y,a:%d,,c:true,a:other", id); /* style: likewise */
	else if (id % 3 == 2)
		sprintf(tags, unit_random_below(r, 2) ? "d:,a:%d" : "a:%d,d:,d:again", id); /* style: likewise */
}

static int id_of(const struct store_metric *m)
{
	char name[64], tags[64], got[256];

	for (int id = 0; id < NR_IDS; id++) {
		size_t n = 0;

		print_label(id, name, tags);
		*got = '\0';
		for (size_t i = 0; i < m->tags_len; i++)
			n += (size_t)snprintf(got + n, sizeof(got) - n, "%s%.*s:%.*s", i ? "," : "", STR_ARG(m->tags[i].key),
					      STR_ARG(m->tags[i].value));
		if (str_eq(m->name, str_from(name)) && strcmp(got, tags) == 0)
			return id;
	}
	ck_assert_msg(str_eq(m->name, STR("__overflow__")) && m->tags_len == 0, "no such series: %.*s", STR_ARG(m->name));
	return OVERFLOW_ID;
}

static bool same(double a, double b)
{
	return fabs(a - b) <= 1e-9 * (fabs(a) + fabs(b)) || a == b;
}

/* The bucket of scale 5 that value is in, by the definition: b^i < value <= b^(i+1). */
static bool in_bucket(double value, int32_t i)
{
	return value > exp2(i / 32.0) * (1 - 1e-12) && value <= exp2((i + 1) / 32.0) * (1 + 1e-12);
}

/* Each value is in a bucket that has room for it, and there is no room left. */
static void check_histogram(const struct hist_dense *h, const struct told *const *samples, size_t nr)
{
	int64_t left[2][HIST_COUNTS_MAX];
	uint64_t zero = h->zero;

	ck_assert_int_eq(h->scale, 5);
	memcpy(left[0], h->neg_counts, h->neg_counts_len * sizeof(int64_t));
	memcpy(left[1], h->counts, h->counts_len * sizeof(int64_t));
	for (size_t i = 0; i < nr; i++) {
		double v = samples[i]->value;
		size_t len = v > 0 ? h->counts_len : h->neg_counts_len, at = 0;
		int32_t offset = v > 0 ? h->offset : h->neg_offset;

		if (v == 0) {
			zero -= samples[i]->weight;
			continue;
		}
		while (at < len && !in_bucket(fabs(v), offset + (int32_t)at))
			at++;
		ck_assert_msg(at < len, "%g has no bucket", v);
		left[v > 0][at] -= (int64_t)samples[i]->weight;
	}
	ck_assert_uint_eq(zero, 0);
	for (size_t i = 0; i < h->neg_counts_len; i++)
		ck_assert_int_eq(left[0][i], 0);
	for (size_t i = 0; i < h->counts_len; i++)
		ck_assert_int_eq(left[1][i], 0);
}

static void check_figures(const struct store_metric *m, enum store_kind kind, const struct told *const *samples, size_t nr)
{
	const struct store_point *pt = &m->point;
	const struct told *last = samples[0];
	double sum = 0, min = samples[0]->value, max = min;
	uint64_t count = 0;

	for (size_t i = 0; i < nr; i++) {
		sum += samples[i]->value * (double)samples[i]->weight;
		count += samples[i]->weight;
		min = fmin(min, samples[i]->value);
		max = fmax(max, samples[i]->value);
		last = samples[i]->t_ms >= last->t_ms ? samples[i] : last;
	}
	if (kind == STORE_COUNTER) {
		ck_assert(pt->has_v && same(pt->v, sum));
	} else if (count == 1) {
		ck_assert(pt->has_v && pt->v == samples[0]->value && pt->t == samples[0]->t_ms);
	} else {
		ck_assert(!pt->has_v && pt->count == count && same(pt->sum, sum) && pt->min == min && pt->max == max);
		ck_assert(pt->last == last->value && pt->last_at == last->t_ms);
		ck_assert(pt->has_histogram == (kind == STORE_DISTRIBUTION));
		if (pt->has_histogram)
			check_histogram(&pt->histogram, samples, nr);
	}
}

static void check_set(const struct store_metric *m, const struct told *const *samples, size_t nr)
{
	size_t different = 0;

	for (size_t i = 0; i < nr; i++) {
		size_t j = 0;

		while (j < i && samples[j]->member != samples[i]->member)
			j++;
		different += j == i;
	}
	ck_assert(m->point.has_v && m->point.v == (double)different);
}

/* Which samples this point stands for: those of its series and slot that no cut has taken. Gauges and sets of one name are told apart by
 * what fits. */
static void check_point(void *ctx, const struct store_metric *m)
{
	static const struct told *samples[SAMPLES_MAX];
	struct model *model = ctx;
	int id = id_of(m);
	int64_t slot_ms = m->point.t / 30000 * 30000;
	enum store_kind kind = m->kind == STORE_GAUGE && id % 2 ? STORE_SET : m->kind; /* odd ids have sets, even ones gauges */
	size_t nr = 0;

	ck_assert(slot_ms <= model->slot_end_ms - 30000 && (m->point.t == slot_ms || m->point.has_v));
	for (size_t i = 0; i < model->nr; i++) {
		struct told *t = &model->told[i];

		if (t->kind == kind && t->id == id && !t->cut && t->t_ms / 30000 * 30000 == slot_ms) {
			samples[nr++] = t;
			t->cut = true;
		}
	}
	ck_assert_msg(nr > 0, "a point of nothing: %.*s", STR_ARG(m->name));
	if (kind == STORE_SET)
		check_set(m, samples, nr);
	else
		check_figures(m, kind, samples, nr);
	model->points++;
}

static void cut(struct model *model, struct store *s, int64_t slot_end_ms)
{
	model->slot_end_ms = slot_end_ms;
	store_cut(s, slot_end_ms, check_point, model);
	for (size_t i = 0; i < model->nr; i++)
		ck_assert(model->told[i].cut || store_slot(model->told[i].t_ms) > slot_end_ms - 30000);
}

/* The series that a sample goes to: its own, or the overflow one. Sets and gauges overflow into two that look the same, so no set does
 * here. */
static int admitted(struct model *model, enum store_kind kind, int id)
{
	if (!model->admitted[kind][id]) {
		if (model->nr_series == model->series_max)
			return OVERFLOW_ID;
		model->admitted[kind][id] = true;
		model->nr_series++;
	}
	return id;
}

static void tell(struct model *model, struct store *s, struct unit_random *r, int64_t now_ms)
{
	static const double values[] = {0, 1, 2.5, 100, 1e-3, 12345, 7};
	enum store_kind kinds[] = {STORE_COUNTER, STORE_DISTRIBUTION, STORE_GAUGE, STORE_GAUGE_ADD};
	int id = (int)unit_random_below(r, NR_IDS);
	char name[64], tags[64], member[16];
	struct store_sample in = {.kind = kinds[unit_random_below(r, 4)], .weight = 1};
	struct told *t = &model->told[model->nr];

	if (id % 2 && in.kind >= STORE_GAUGE && in.kind != STORE_DISTRIBUTION)
		in.kind = model->series_max >= 4 * NR_IDS ? STORE_SET : STORE_COUNTER;
	print_label(id, name, tags);
	spell(r, id, tags);
	*t = (struct told){.kind = in.kind == STORE_GAUGE_ADD ? STORE_GAUGE : in.kind, .member = (int)unit_random_below(r, 5), .weight = 1};
	t->id = admitted(model, t->kind, id);
	if (in.kind == STORE_DISTRIBUTION || in.kind == STORE_COUNTER)
		t->weight = in.weight = 1 + unit_random_below(r, 3) * unit_random_below(r, 2);
	in.value = values[unit_random_below(r, NR(values))] * (in.kind != STORE_COUNTER && unit_random_below(r, 3) == 0 ? -1 : 1);
	in.t_ms = t->t_ms = now_ms - (int64_t)(unit_random_below(r, 4) ? 0 : unit_random_below(r, 100000));
	in.name = str_from(name);
	in.tags = str_from(tags);
	snprintf(member, sizeof(member), "m%d", t->member);
	in.member = str_from(member);
	ck_assert_int_eq(store_add(s, &in), CAUSE_NONE);
	t->value = in.value;
	if (t->kind == STORE_GAUGE)
		t->value = model->gauge[t->id] = in.value + (in.kind == STORE_GAUGE_ADD ? model->gauge[t->id] : 0);
	model->nr++;
}

static void play(struct unit_random *r, int series_max)
{
	static struct model model;
	struct err err = ERR_INIT;
	struct store *s = store_new(&(struct store_conf){.series_max = series_max, .memory_bytes = 16 << 20}, &err);
	int64_t now_ms = START_MS;
	uint64_t overflowed = 0;

	ck_assert_ptr_nonnull(s);
	memset(&model, 0, sizeof(model));
	model.series_max = series_max;
	while (model.nr < SAMPLES_MAX && now_ms < START_MS + SLOTS * STORE_SLOT_MS) {
		tell(&model, s, r, now_ms);
		now_ms += (int64_t)unit_random_below(r, 300);
		if (unit_random_below(r, 200) == 0)
			cut(&model, s, store_slot(now_ms));
	}
	cut(&model, s, INT64_MAX);
	for (size_t i = 0; i < model.nr; i++)
		overflowed += model.told[i].id == OVERFLOW_ID;
	ck_assert_uint_eq(store_figures(s).samples, model.nr);
	ck_assert_uint_eq(store_figures(s).overflowed, overflowed);
	ck_assert_uint_eq(store_figures(s).points, model.points);
	ck_assert_uint_eq(store_figures(s).series, (size_t)model.nr_series);
	store_free(s);
}

START_TEST(with_room)
{
	struct unit_random r = unit_random_new("store");

	for (int round = 0; round < UNIT_ROUNDS(20); round++)
		play(&r, 1000);
}
END_TEST

START_TEST(with_overflow)
{
	struct unit_random r = unit_random_new("overflow");

	for (int round = 0; round < UNIT_ROUNDS(20); round++)
		play(&r, (int)(1 + unit_random_below(&r, NR_IDS)));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store_model");
	TCase *tc = tcase_create("store_model");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, with_room);
	tcase_add_test(tc, with_overflow);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
