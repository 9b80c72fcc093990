/* windows.c - see windows.h.
 *
 * Merging waits until all is there: fragments of one minute may come from two cells, one read after the other, and sorting by time puts them
 * side by side, whatever the order of reading was. */
#include "deploy/ctl/windows.h"

#include <stdlib.h>
#include <string.h>

void windows_fini(struct windows *w)
{
	for (size_t i = 0; i < w->nr; i++) {
		struct windows_series *s = w->list[i];

		for (size_t p = 0; p < s->nr; p++)
			hist_fini(&s->points[p].hist);
		free(s->points);
	}
	free(w->list);
	map_fini(&w->index);
	arena_fini(&w->arena);
	*w = (struct windows){0};
}

/* A copy of the identity, in the arena. */
static int copy_id(struct windows *w, const struct aggregate *a, struct series_id *id)
{
	struct tag *tags = arena_calloc(&w->arena, a->tags_len, sizeof(*tags));

	*id = (struct series_id){.site = arena_str(&w->arena, a->site), .kind = (uint8_t)a->kind, .name = arena_str(&w->arena, a->name),
				 .tags = tags, .tags_len = a->tags_len};
	for (size_t i = 0; tags && i < a->tags_len; i++)
		tags[i] = (struct tag){arena_str(&w->arena, a->tags[i].key), arena_str(&w->arena, a->tags[i].value)};
	return w->arena.starved || !tags ? -1 : 0;
}

static struct windows_series *add_series(struct windows *w, const struct aggregate *a)
{
	struct windows_series *s = arena_alloc(&w->arena, sizeof(*s));

	if (w->nr == w->cap) {
		size_t cap = 2 * w->cap + 64;
		struct windows_series **grown = reallocarray(w->list, cap, sizeof(*grown));

		if (!grown)
			return NULL;
		w->list = grown;
		w->cap = cap;
	}
	if (!s || copy_id(w, a, &s->id) < 0 || map_put(&w->index, a->fingerprint, s) < 0)
		return NULL;
	w->list[w->nr++] = s;
	return s;
}

static struct windows_point *add_point(struct windows_series *s)
{
	if (s->nr == s->cap) {
		size_t cap = 2 * s->cap + 8;
		struct windows_point *grown = reallocarray(s->points, cap, sizeof(*grown));

		if (!grown)
			return NULL;
		s->points = grown;
		s->cap = cap;
	}
	s->points[s->nr] = (struct windows_point){.hist = HIST_INIT};
	return &s->points[s->nr++];
}

int windows_point_read(const struct aggregate *a, struct windows_point *out, struct err *err)
{
	const struct histogram *h = &a->histogram;
	const struct hist_dense dense = {.scale = h->scale, .zero = (uint64_t)h->zero, .offset = h->offset, .counts = h->counts, .counts_len = h->counts_len,
					 .neg_offset = h->neg_offset, .neg_counts = h->neg_counts, .neg_counts_len = h->neg_counts_len};
	bool approximate = false;

	*out = (struct windows_point){.start_ms = a->window_start, .last_at_ms = a->last_at, .hist = HIST_INIT};
	out->point = (struct trigger_point){.kind = (uint8_t)a->kind, .has_min = a->has_min, .has_max = a->has_max, .has_last = a->has_last, .count = a->count,
					    .errors = a->errors, .sum = a->sum, .min = a->min, .max = a->max, .last = a->last};
	return a->has_histogram ? hist_add_dense(&out->hist, &dense, &approximate, err) : 0;
}

static int check_room(const struct windows *w, struct err *err)
{
	if (w->nr_fragments < WINDOWS_FRAGMENTS_MAX && (int64_t)w->hist_bytes < WINDOWS_HIST_BYTES_MAX)
		return 0;
	return err_set(err, ERR_REJECT, "more than %d minutes of series match: fewer hours, or selectors that leave fewer series, will do",
		       WINDOWS_FRAGMENTS_MAX);
}

int windows_take(struct windows *w, const struct aggregate *a, struct err *err)
{
	struct windows_series *s = map_get(&w->index, a->fingerprint);
	struct windows_point *p;

	if (check_room(w, err) < 0)
		return -1;
	if (!s)
		s = add_series(w, a);
	p = s ? add_point(s) : NULL;
	if (!p)
		return err_nomem(err, "minutes of series");
	w->nr_fragments++;
	if (windows_point_read(a, p, err) < 0)
		return -1;
	w->hist_bytes += hist_bytes(&p->hist);
	return 0;
}

int windows_point_add(struct windows_point *dst, const struct windows_point *src)
{
	struct trigger_point *d = &dst->point;
	const struct trigger_point *s = &src->point;
	int rc = hist_merge(&dst->hist, &src->hist);

	d->count += s->count;
	d->errors += s->errors;
	d->sum += s->sum;
	if (s->has_min && (!d->has_min || s->min < d->min))
		d->min = s->min;
	if (s->has_max && (!d->has_max || s->max > d->max))
		d->max = s->max;
	if (s->has_last && (!d->has_last || src->last_at_ms > dst->last_at_ms || (src->last_at_ms == dst->last_at_ms && s->last > d->last))) {
		d->last = s->last;
		dst->last_at_ms = src->last_at_ms;
	}
	d->has_min |= s->has_min;
	d->has_max |= s->has_max;
	d->has_last |= s->has_last;
	return rc;
}

static int by_start(const void *a, const void *b)
{
	const struct windows_point *x = a, *y = b;

	return x->start_ms < y->start_ms ? -1 : x->start_ms > y->start_ms;
}

/* What is left of a block that is moved about cannot point into itself: hist is set when all stands where it stays. */
static int merge_series(struct windows_series *s)
{
	size_t kept = 0;
	int rc = 0;

	if (s->nr)
		qsort(s->points, s->nr, sizeof(*s->points), by_start);
	for (size_t i = 0; i < s->nr; i++) {
		if (kept && s->points[kept - 1].start_ms == s->points[i].start_ms) {
			if (windows_point_add(&s->points[kept - 1], &s->points[i]) < 0)
				rc = -1;
			hist_fini(&s->points[i].hist);
		} else {
			s->points[kept++] = s->points[i];
		}
	}
	s->nr = kept;
	for (size_t i = 0; i < s->nr; i++)
		s->points[i].point.hist = s->id.kind == SERIES_KIND_DISTRIBUTION ? &s->points[i].hist : NULL;
	return rc;
}

int windows_merge(struct windows *w, struct err *err)
{
	for (size_t i = 0; i < w->nr; i++)
		if (merge_series(w->list[i]) < 0)
			return err_nomem(err, "a histogram");
	return 0;
}
