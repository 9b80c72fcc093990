/* query_fold.c - see query_fold.h.
 *
 * Invariants:
 *  Q1  A fragment is added to one window of one group, once; the order does not matter.
 *  Q2  Percentiles come from merged buckets, never from percentiles: of a group, of a total, of a stretch of a sparkline.
 *  Q3  What is held is bounded in windows, series, names and bytes of histograms, whatever the topic has. */
#include "deploy/ctl/query_fold.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "deploy/ctl/args.h"

enum { FAR = 4 /* edits that are too many for a slip */, NAME_SIZE = 64, PART_MIN = 3 };

/* Wherever trigger_value() looks, its histogram is at hand. */
static struct trigger_point point_of(const struct windows_point *p)
{
	struct trigger_point point = p->point;

	point.hist = point.kind == SERIES_KIND_DISTRIBUTION ? &p->hist : NULL;
	return point;
}

int query_init(struct query *q, const struct query_spec *spec, struct err *err)
{
	int64_t nr = (spec->to_ms - spec->from_ms) / spec->window_ms;

	*q = (struct query){.spec = spec, .newest_ms = -1};
	if (nr < 1 || nr > QUERY_SLOTS_MAX)
		return err_set(err, ERR_REJECT, nr < 1 ? "there is no whole window in that time" : "more than %d windows: a shorter time will do", QUERY_SLOTS_MAX);
	q->nr_windows = (size_t)nr;
	return 0;
}

void query_fini(struct query *q)
{
	for (size_t i = 0; i < q->nr; i++) {
		for (size_t w = 0; q->groups[i]->windows && w < q->nr_windows; w++)
			hist_fini(&q->groups[i]->windows[w].p.hist);
		hist_fini(&q->groups[i]->total.hist);
		free(q->groups[i]->windows);
	}
	free(q->groups);
	hist_fini(&q->total.hist);
	map_fini(&q->by_value);
	map_fini(&q->series);
	map_fini(&q->names);
	arena_fini(&q->arena);
	*q = (struct query){0};
}

/* How far a name is from what was typed: one that holds it, or is held by it, is near. */
static int distance_of(struct str metric, struct str name)
{
	char typed[NAME_SIZE], there[NAME_SIZE];

	snprintf(typed, sizeof(typed), STR_FMT, STR_ARG(metric));
	snprintf(there, sizeof(there), STR_FMT, STR_ARG(name));
	return (strlen(typed) >= PART_MIN && strstr(there, typed)) || (strlen(there) >= PART_MIN && strstr(typed, there)) ? 1 : args_distance(typed, there);
}

/* Keeps a name among the nearest, which stay sorted. */
static int keep_near(struct query *q, struct str name, int distance, struct err *err)
{
	size_t at = q->nr_near;

	while (at > 0 && q->distance[at - 1] > distance)
		at--;
	if (at == QUERY_NEAR_MAX)
		return 0;
	name = arena_str(&q->arena, name);
	if (!name.p)
		return err_nomem(err, "names of series");
	if (q->nr_near < QUERY_NEAR_MAX)
		q->nr_near++;
	memmove(&q->near[at + 1], &q->near[at], (q->nr_near - 1 - at) * sizeof(q->near[0]));
	memmove(&q->distance[at + 1], &q->distance[at], (q->nr_near - 1 - at) * sizeof(q->distance[0]));
	q->near[at] = name;
	q->distance[at] = distance;
	return 0;
}

/* Each name is looked at once. */
static int compare_name(struct query *q, struct str name, struct err *err)
{
	uint8_t key[MAP_KEY_BYTES];
	int distance;

	map_key_of(name, key);
	if (q->names.len >= QUERY_NAMES_MAX || map_get(&q->names, key))
		return 0;
	if (map_put(&q->names, key, q) < 0)
		return err_nomem(err, "names of series");
	distance = distance_of(q->spec->metric, name);
	return distance < FAR ? keep_near(q, name, distance, err) : 0;
}

static struct query_group *add_group(struct query *q, struct str value, const uint8_t key[MAP_KEY_BYTES], struct err *err)
{
	struct query_group *g;

	if ((q->nr + 1) * q->nr_windows > QUERY_SLOTS_MAX) {
		err_set(err, ERR_REJECT, "more than %d windows in %zu groups: a shorter time, --hourly or --tags will do", QUERY_SLOTS_MAX, q->nr + 1);
		return NULL;
	}
	if (q->nr == q->cap) {
		size_t cap = 2 * q->cap + 16;
		struct query_group **grown = reallocarray(q->groups, cap, sizeof(*grown));

		if (!grown)
			goto nomem;
		q->groups = grown;
		q->cap = cap;
	}
	g = arena_alloc(&q->arena, sizeof(*g));
	if (!g || (value.p && !(g->value = arena_str(&q->arena, value)).p) || !(g->windows = calloc(q->nr_windows, sizeof(*g->windows))))
		goto nomem;
	q->groups[q->nr++] = g; /* from here on it is freed with q */
	if (map_put(&q->by_value, key, g) == 0)
		return g;
nomem:
	err_nomem(err, "groups of series");
	return NULL;
}

/* The value of the tag that groups go by; p NULL: the series has none. */
static struct str value_of(const struct query *q, const struct aggregate *a)
{
	for (size_t i = 0; q->spec->by.p && i < a->tags_len; i++)
		if (str_eq(a->tags[i].key, q->spec->by))
			return a->tags[i].value.p ? a->tags[i].value : STR("");
	return (struct str){NULL, 0};
}

/* An empty value and none are two groups: the key of none is no text's. */
static struct query_group *group_of(struct query *q, const struct aggregate *a, struct err *err)
{
	struct str value = value_of(q, a);
	uint8_t key[MAP_KEY_BYTES] = {0};
	struct query_group *g;

	if (value.p)
		map_key_of(value, key);
	g = map_get(&q->by_value, key);
	return g ? g : add_group(q, value, key, err);
}

static int count_series(struct query *q, struct query_group *g, const struct aggregate *a, struct err *err)
{
	if (map_get(&q->series, a->fingerprint))
		return 0;
	if (q->series.len >= QUERY_SERIES_MAX)
		return err_set(err, ERR_REJECT, "more than %d series match: --tags leaves fewer", QUERY_SERIES_MAX);
	if (map_put(&q->series, a->fingerprint, g) < 0)
		return err_nomem(err, "series");
	g->nr_series++;
	return 0;
}

/* Adds src to a window or a total. */
static int add(struct windows_point *dst, bool *has, const struct windows_point *src, struct err *err)
{
	int64_t start_ms = *has ? dst->start_ms : src->start_ms;
	int rc;

	if (!*has)
		*dst = (struct windows_point){.start_ms = start_ms, .point = {.kind = src->point.kind}, .hist = HIST_INIT};
	*has = true;
	rc = windows_point_add(dst, src);
	if (rc < 0)
		return err_nomem(err, "histograms");
	return rc ? err_set(err, ERR_REJECT, "more values than a histogram holds: a shorter time will do") : 0;
}

static int add_fragment(struct query *q, struct query_group *g, const struct aggregate *a, struct err *err)
{
	struct query_window *w = &g->windows[(a->window_start - q->spec->from_ms) / q->spec->window_ms];
	struct windows_point p;
	int rc;

	if (windows_point_read(a, &p, err) < 0)
		return -1;
	q->hist_bytes -= hist_bytes(&w->p.hist);
	rc = add(&w->p, &w->has, &p, err);
	q->hist_bytes += hist_bytes(&w->p.hist);
	hist_fini(&p.hist);
	if (rc == 0 && (int64_t)q->hist_bytes > WINDOWS_HIST_BYTES_MAX)
		rc = err_set(err, ERR_REJECT, "the histograms are too many to hold: a shorter time, or --tags, will do");
	return rc;
}

static bool is_in_span(const struct query *q, const struct aggregate *a)
{
	return a->window_start >= q->spec->from_ms && a->window_start < q->spec->to_ms && a->window_start % q->spec->window_ms == 0;
}

/* One of the metric: does it belong to what is asked for? Counts what a person wants to know when nothing does. */
static bool is_wanted(struct query *q, const struct aggregate *a)
{
	q->nr_named++;
	if (!trigger_selects(q->spec->tags, q->spec->nr_tags, a->tags, a->tags_len))
		return false;
	q->nr_selected++;
	if (!is_in_span(q, a))
		return false;
	q->kinds |= 1u << a->kind;
	return !q->spec->has_kind || a->kind == q->spec->kind;
}

int query_take(struct query *q, const struct aggregate *a, struct err *err)
{
	struct query_group *g;

	if (a->window_ms != q->spec->window_ms)
		return 0;
	if (a->window_start > q->newest_ms)
		q->newest_ms = a->window_start;
	if (!str_eq(a->site, q->spec->site))
		return 0;
	if (!str_eq(a->name, q->spec->metric))
		return compare_name(q, a->name, err);
	if (!is_wanted(q, a))
		return 0;
	g = group_of(q, a, err);
	if (!g || count_series(q, g, a, err) < 0 || add_fragment(q, g, a, err) < 0)
		return -1;
	q->nr_fragments++;
	q->nr_late += a->late;
	q->approximate |= a->approximate;
	return 0;
}

/* Of several kinds, what was added up means nothing. */
static int check_kinds(const struct query *q, struct err *err)
{
	char kinds[80] = "";
	size_t len = 0;

	if (q->spec->has_kind || (q->kinds & (q->kinds - 1)) == 0)
		return 0;
	for (unsigned k = 0; series_kind_name((enum series_kind)k); k++)
		if (q->kinds & 1u << k)
			len += (size_t)snprintf(kinds + len, sizeof(kinds) - len, "%s%s", len ? " and " : "", series_kind_name((enum series_kind)k));
	return err_set(err, ERR_REJECT, "there are series " STR_FMT " of kind %s: say which by --kind", (int)(q->spec->metric.len < 100 ? q->spec->metric.len : 100),
		       q->spec->metric.p, kinds);
}

int query_range(const struct query *q, const struct query_group *g, size_t first, size_t end, struct windows_point *out, struct err *err)
{
	bool has = false;

	*out = (struct windows_point){.hist = HIST_INIT};
	for (size_t w = first; w < end && w < q->nr_windows; w++)
		if (g->windows[w].has && add(out, &has, &g->windows[w].p, err) < 0) {
			hist_fini(&out->hist);
			return -1;
		}
	return has;
}

int query_finish(struct query *q, struct err *err)
{
	bool has = false;

	if (check_kinds(q, err) < 0)
		return -1;
	for (size_t i = 0; i < q->nr; i++)
		if (query_range(q, q->groups[i], 0, q->nr_windows, &q->groups[i]->total, err) < 0 || add(&q->total, &has, &q->groups[i]->total, err) < 0)
			return -1;
	return 0;
}

bool query_value(enum trigger_field field, const struct windows_point *p, int64_t length_ms, double *out)
{
	struct trigger_point point = point_of(p);

	if (!trigger_value(field, &point, out))
		return false;
	if (field == TRIGGER_FIELD_RATE) /* a trigger's is of a minute */
		*out *= (double)CLOCK_MINUTE_MS / (double)length_ms;
	return isfinite(*out);
}

static int by_value_down(const void *a, const void *b, void *ctx)
{
	const struct query_group *x = *(struct query_group *const *)a, *y = *(struct query_group *const *)b;
	const enum trigger_field *field = ctx;
	double u = 0, v = 0;
	bool has_u = query_value(*field, &x->total, CLOCK_MINUTE_MS, &u), has_v = query_value(*field, &y->total, CLOCK_MINUTE_MS, &v);

	if (has_u != has_v)
		return has_u ? -1 : 1;
	if (has_u && u != v)
		return u > v ? -1 : 1;
	return !x->value.p || !y->value.p ? (y->value.p != NULL) - (x->value.p != NULL) : str_cmp(x->value, y->value);
}

void query_sort(struct query *q, enum trigger_field field)
{
	if (q->nr)
		qsort_r(q->groups, q->nr, sizeof(q->groups[0]), by_value_down, &field);
}
