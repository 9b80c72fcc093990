/* pane.c - see pane.h.
 *
 * A series' window is found through its recent pointer, which nearly always hits, else through the slots: open addressing, linear probing, no deletion.
 * A slot is a number of 32 bits: the low ones, as many as there are slots, are the window's place + 1, the others are a piece of the hash, so
 * that a window that is another series' is hardly ever looked at. 0 is free. At most 3/4 are taken, so a place always fits.
 *
 * Lists are short (two or three panes when all is well, 48 hours of minutes at worst) and in order, so they are arrays: finding is a look at the
 * end or a binary search, and taking the oldest out moves a few pointers. */
#include "processor/pane.h"

#include <stdlib.h>

#include "common/clock.h"
#include "common/memory.h"

enum {
	CHUNK_BYTES = 4096,  /* one page, and one of malloc's sizes */
	CHUNK_WINDOWS = CHUNK_BYTES / sizeof(struct window),
	SHORT_WINDOWS = 4,   /* in the first chunk */
	SLOTS_MIN = 16,
	EXPECT_FROM = 16,    /* of what is expected: when a sixteenth is there, the rest is believed */
	AHEAD = 6,           /* windows between what is prefetched and what is looked at */
	WINDOWS_MAX = 3 << 29, /* places that the slots can hold */
};

struct window_chunk {
	struct window windows[CHUNK_WINDOWS];
};

int64_t pane_length_ms(enum pane_class class)
{
	return class == PANE_HOUR || class == PANE_LATE_HOUR ? CLOCK_HOUR_MS : CLOCK_MINUTE_MS;
}

bool pane_is_late(enum pane_class class)
{
	return class == PANE_LATE_MINUTE || class == PANE_LATE_HOUR;
}

static enum series_recent recent_of(const struct pane *pane)
{
	return pane->class == PANE_HOUR || pane->class == PANE_LATE_HOUR ? RECENT_HOUR : RECENT_MINUTE;
}

struct pane *pane_new(enum pane_class class, uint32_t number, int64_t start_ms, int64_t watermark_ms)
{
	struct pane *pane = calloc(1, sizeof(*pane));

	if (!pane)
		return NULL;
	pane->class = class;
	pane->number = number & WINDOW_PANE_MAX;
	pane->start_ms = start_ms;
	pane->secret = 1;
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
		struct window **recent = &w->series->recent[recent_of(pane)];

		pane_prefetch(pane, at);
		if (*recent == w)
			*recent = NULL;
		hist_fini(&w->hist);
		series_table_drop(series, w->series);
	}
	for (size_t i = 0; i < pane->nr_chunks; i++)
		free(pane->chunks[i]);
	free(pane->chunks);
	free(pane->slots);
	free(pane);
}

/* The window at a place. */
static struct window *window_at(const struct pane *pane, size_t place)
{
	return &pane->chunks[place / CHUNK_WINDOWS]->windows[place % CHUNK_WINDOWS];
}

/* Whoever chooses names is not to choose where they stand (common/map.h). Low bits are the place, and the product's upper bits alone depend on all. */
static uint64_t hash_of(const struct pane *pane, const struct series *series)
{
	uint64_t hash;

	memcpy(&hash, series->fingerprint + 8, sizeof(hash));
	hash *= pane->secret;
	return hash ^ hash >> 32;
}

/* The part of a slot that is the hash's. */
static uint32_t tag_of(const struct pane *pane, uint64_t hash)
{
	return (uint32_t)(hash >> 32) & ~(uint32_t)(pane->nr_slots - 1);
}

/* The slot of a series, or the free one where it would go. There always is a free slot. */
static uint32_t *slot_of(const struct pane *pane, const struct series *series)
{
	uint64_t hash = hash_of(pane, series);
	uint32_t tag = tag_of(pane, hash), mask = (uint32_t)(pane->nr_slots - 1);

	for (size_t i = hash & mask;; i = (i + 1) & mask) {
		uint32_t slot = pane->slots[i];

		if (!slot || ((slot & ~mask) == tag && window_at(pane, (slot & mask) - 1)->series == series))
			return &pane->slots[i];
	}
}

static void put(struct pane *pane, uint32_t *slot, const struct series *series, size_t place)
{
	*slot = tag_of(pane, hash_of(pane, series)) | (uint32_t)(place + 1);
}

static int resize(struct pane *pane, size_t nr_slots)
{
	uint32_t *slots = calloc(nr_slots, sizeof(*slots));
	const struct window *w;
	size_t at = 0;

	if (!slots)
		return -1;
	free(pane->slots);
	pane->slots = slots;
	pane->nr_slots = nr_slots;
	while ((w = pane_next(pane, &at)) != NULL) {
		pane_prefetch(pane, at);
		put(pane, slot_of(pane, w->series), w->series, at - 1);
	}
	return 0;
}

int pane_reserve(struct pane *pane, size_t n)
{
	size_t nr_slots = pane->nr_slots ? pane->nr_slots : SLOTS_MIN;

	if (n > WINDOWS_MAX)
		return -1;
	if (!n) /* it has no slots as long as there is nothing to find */
		return 0;
	while (nr_slots / 4 * 3 < n)
		nr_slots *= 2;
	return nr_slots == pane->nr_slots ? 0 : resize(pane, nr_slots);
}

/* Room for one more slot. To grow by doubling would look at every series again each time. */
static int grow_slots(struct pane *pane)
{
	size_t n = pane->len + 1;

	if (n <= pane->nr_slots / 4 * 3)
		return 0;
	return pane_reserve(pane, pane->expected > n && n > pane->expected / EXPECT_FROM ? pane->expected : n);
}

/* Moves what is in the short chunk into one of full length. */
static int lengthen(struct pane *pane)
{
	struct window_chunk *chunk = malloc(CHUNK_BYTES);

	if (!chunk)
		return -1;
	for (size_t i = 0; i < pane->len; i++) {
		struct window *from = window_at(pane, i), **recent = &from->series->recent[recent_of(pane)];

		chunk->windows[i] = *from;
		if (*recent == from)
			*recent = &chunk->windows[i];
	}
	free(pane->chunks[0]);
	pane->chunks[0] = chunk;
	pane->is_short = false;
	return 0;
}

/* Room for one more chunk's address. */
static int grow_list(struct pane *pane)
{
	size_t cap = pane->chunks_cap ? pane->chunks_cap * 2 : 2;
	struct window_chunk **chunks;

	if (pane->nr_chunks < pane->chunks_cap)
		return 0;
	chunks = realloc(pane->chunks, cap * sizeof(struct window_chunk *));
	if (!chunks)
		return -1;
	pane->chunks = chunks;
	pane->chunks_cap = cap;
	return 0;
}

/* Room for one more window. */
static int grow_chunks(struct pane *pane)
{
	bool first = !pane->nr_chunks;

	if (pane->len < (pane->is_short ? SHORT_WINDOWS : pane->nr_chunks * CHUNK_WINDOWS))
		return 0;
	if (pane->is_short)
		return lengthen(pane);
	if (grow_list(pane) < 0)
		return -1;
	pane->chunks[pane->nr_chunks] = malloc(first ? SHORT_WINDOWS * sizeof(struct window) : (size_t)CHUNK_BYTES);
	if (!pane->chunks[pane->nr_chunks])
		return -1;
	pane->nr_chunks++;
	pane->is_short = first;
	return 0;
}

/* The window of a series by way of the slots, made when it is new. */
static struct window *look_up(struct pane *pane, struct series *series)
{
	uint32_t *slot = pane->nr_slots ? slot_of(pane, series) : NULL;
	struct window *w;

	if (slot && *slot)
		return window_at(pane, (*slot & (pane->nr_slots - 1)) - 1);
	if (grow_chunks(pane) < 0 || grow_slots(pane) < 0)
		return NULL;
	put(pane, slot_of(pane, series), series, pane->len);
	w = window_at(pane, pane->len++);
	*w = (struct window){.series = series, .pane = pane->number};
	series->refs++;
	return w;
}

struct window *pane_window(struct pane *pane, struct series *series)
{
	struct window **recent = &series->recent[recent_of(pane)], *w = *recent;

	if (w && w->pane == pane->number)
		return w;
	w = look_up(pane, series);
	if (w)
		*recent = w;
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
	size_t chunks = pane->is_short ? memory_rounded(SHORT_WINDOWS * sizeof(struct window)) : pane->nr_chunks * CHUNK_BYTES;

	return memory_rounded(sizeof(*pane)) + chunks + pane->chunks_cap * sizeof(struct window_chunk *) +
	       pane->nr_slots * sizeof(*pane->slots) + pane->hist_bytes;
}

/* The same of the window that the series of one that comes soon has in a pane of another length. */
static void prefetch_recent(const struct pane *pane, size_t at, enum series_recent recent)
{
	const struct window *w;

	if (at + AHEAD / 2 >= pane->len)
		return;
	w = window_at(pane, at + AHEAD / 2)->series->recent[recent];
	if (!w)
		return;
	__builtin_prefetch(w);
	__builtin_prefetch((const char *)w + 64);
}

struct window *pane_merge_one(struct pane *dst, const struct window *from)
{
	struct window *to = pane_window(dst, from->series);

	return to && pane_add_window(dst, to, from) == 0 ? to : NULL;
}

void pane_trim(struct pane *pane, struct window *w)
{
	pane->hist_bytes -= hist_bytes(&w->hist);
	hist_trim(&w->hist);
	pane->hist_bytes += hist_bytes(&w->hist);
}

int pane_merge(struct pane *dst, const struct pane *src)
{
	const struct window *from;
	size_t at = 0;

	if (pane_reserve(dst, src->len) < 0)
		return -1;
	while ((from = pane_next(src, &at)) != NULL) {
		pane_prefetch(src, at);
		prefetch_recent(src, at, recent_of(dst));
		if (!pane_merge_one(dst, from))
			return -1;
	}
	return 0;
}

struct window *pane_next(const struct pane *pane, size_t *at)
{
	return *at < pane->len ? window_at(pane, (*at)++) : NULL;
}

const struct window *pane_peek(const struct pane *pane, size_t at)
{
	return at < pane->len ? window_at(pane, at) : NULL;
}

void pane_prefetch(const struct pane *pane, size_t at)
{
	const struct window *w;

	if (at + AHEAD >= pane->len)
		return;
	w = window_at(pane, at + AHEAD);
	__builtin_prefetch(w->series);
	__builtin_prefetch((const char *)w->series + 64);
	hist_prefetch(&w->hist);
}

void pane_prefetch_place(const struct pane *pane, const struct series *series)
{
	if (pane->nr_slots)
		__builtin_prefetch(&pane->slots[hash_of(pane, series) & (pane->nr_slots - 1)], 1);
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
		windows += list->panes[i]->len;
	return windows;
}

size_t pane_list_bytes(const struct pane_list *list)
{
	size_t bytes = list->cap ? memory_rounded(list->cap * sizeof(struct pane *)) : 0;

	for (size_t i = 0; i < list->len; i++)
		bytes += pane_bytes(list->panes[i]);
	return bytes;
}
