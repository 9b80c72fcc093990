/* pane.c - see pane.h.
 *
 * Lists are short (two or three panes when all is well, 48 hours of minutes at worst) and in order, so they are arrays: finding is a look at the
 * end or a binary search, and taking the oldest out moves a few pointers. */
#include "processor/pane.h"

#include <stdlib.h>

#include "common/clock.h"

int64_t pane_length_ms(enum pane_class class)
{
	return class == PANE_HOUR || class == PANE_LATE_HOUR ? CLOCK_HOUR_MS : CLOCK_MINUTE_MS;
}

bool pane_is_late(enum pane_class class)
{
	return class == PANE_LATE_MINUTE || class == PANE_LATE_HOUR;
}

struct pane *pane_new(enum pane_class class, int64_t start_ms, int64_t watermark_ms)
{
	struct pane *pane = calloc(1, sizeof(*pane));

	if (!pane)
		return NULL;
	pane->class = class;
	pane->start_ms = start_ms;
	pane->first_ms = pane->touched_ms = pane_is_late(class) ? watermark_ms : 0;
	return pane;
}

void pane_free(struct pane *pane, struct series_table *series)
{
	struct window *w;
	size_t at = 0;

	if (!pane)
		return;
	while ((w = pane_next(pane, &at)) != NULL) {
		hist_fini(&w->hist);
		series_table_drop(series, w->series);
	}
	map_fini(&pane->by_fingerprint);
	arena_fini(&pane->arena);
	free(pane);
}

struct window *pane_window(struct pane *pane, struct series *series)
{
	struct window *w = map_get(&pane->by_fingerprint, series->fingerprint);

	if (w)
		return w;
	w = arena_alloc(&pane->arena, sizeof(*w));
	if (!w || map_put(&pane->by_fingerprint, series->fingerprint, w) < 0)
		return NULL;
	w->series = series;
	series->refs++;
	return w;
}

int pane_add_value(struct pane *pane, struct window *w, int64_t t_ms, double value)
{
	size_t before = hist_bytes(&w->hist);
	int rc = window_add_value(w, t_ms, value);

	pane->hist_bytes += hist_bytes(&w->hist) - before;
	return rc;
}

int pane_add_summary(struct pane *pane, struct window *w, const struct summary_sample *s)
{
	size_t before = hist_bytes(&w->hist);
	int rc = window_add_summary(w, s);

	pane->hist_bytes += hist_bytes(&w->hist) - before;
	return rc;
}

static int pane_add_window(struct pane *pane, struct window *w, const struct window *from)
{
	size_t before = hist_bytes(&w->hist);
	int rc = window_merge(w, from);

	pane->hist_bytes += hist_bytes(&w->hist) - before;
	return rc;
}

size_t pane_bytes(const struct pane *pane)
{
	return sizeof(*pane) + pane->arena.held_bytes + map_bytes(&pane->by_fingerprint) + pane->hist_bytes;
}

int pane_merge(struct pane *dst, const struct pane *src)
{
	const struct window *from;
	size_t at = 0;

	if (map_reserve(&dst->by_fingerprint, src->by_fingerprint.len) < 0)
		return -1;
	while ((from = pane_next(src, &at)) != NULL) {
		struct window *to = pane_window(dst, from->series);

		if (!to || pane_add_window(dst, to, from) < 0)
			return -1;
	}
	return 0;
}

struct window *pane_next(const struct pane *pane, size_t *at)
{
	const struct map_slot *slot = map_next(&pane->by_fingerprint, at);

	return slot ? slot->value : NULL;
}

void pane_list_fini(struct pane_list *list, struct series_table *series)
{
	for (size_t i = 0; i < list->len; i++)
		pane_free(list->panes[i], series);
	free(list->panes);
	*list = (struct pane_list){0};
}

/* Index of the first pane that does not start before start_ms. Samples are mostly new, so the end is looked at first. */
static size_t list_position(const struct pane_list *list, int64_t start_ms)
{
	size_t lo = 0, hi = list->len;

	if (hi && list->panes[hi - 1]->start_ms <= start_ms)
		return list->panes[hi - 1]->start_ms == start_ms ? hi - 1 : hi;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (list->panes[mid]->start_ms < start_ms)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct pane *pane_list_find(const struct pane_list *list, int64_t start_ms)
{
	size_t at = list_position(list, start_ms);

	return at < list->len && list->panes[at]->start_ms == start_ms ? list->panes[at] : NULL;
}

static int list_grow(struct pane_list *list)
{
	size_t cap = list->cap ? list->cap * 2 : 8;
	struct pane **panes;

	if (list->len < list->cap)
		return 0;
	panes = realloc(list->panes, cap * sizeof(*panes));
	if (!panes)
		return -1;
	list->panes = panes;
	list->cap = cap;
	return 0;
}

int pane_list_insert(struct pane_list *list, struct pane *pane)
{
	size_t at = list_position(list, pane->start_ms);

	if (list_grow(list) < 0)
		return -1;
	memmove(&list->panes[at + 1], &list->panes[at], (list->len - at) * sizeof(*list->panes));
	list->panes[at] = pane;
	list->len++;
	return 0;
}

int pane_list_append(struct pane_list *list, struct pane *pane)
{
	if (list_grow(list) < 0)
		return -1;
	list->panes[list->len++] = pane;
	return 0;
}

struct pane *pane_list_take(struct pane_list *list, size_t index)
{
	struct pane *pane = list->panes[index];

	list->len--;
	memmove(&list->panes[index], &list->panes[index + 1], (list->len - index) * sizeof(*list->panes));
	return pane;
}

size_t pane_list_windows(const struct pane_list *list, int64_t limit_ms)
{
	size_t windows = 0;

	for (size_t i = 0; i < list->len && list->panes[i]->start_ms < limit_ms; i++)
		windows += list->panes[i]->by_fingerprint.len;
	return windows;
}

size_t pane_list_bytes(const struct pane_list *list)
{
	size_t bytes = list->cap * sizeof(struct pane *);

	for (size_t i = 0; i < list->len; i++)
		bytes += pane_bytes(list->panes[i]);
	return bytes;
}
