/* verify_sheet.c - see verify_sheet.h. Whatever is small lives in the arena; histograms, which grow, on the heap. */
#include "deploy/ctl/verify_sheet.h"

#include <stdlib.h>

#include "common/clock.h"

void verify_sheet_fini(struct verify_sheet *s)
{
	const struct map_slot *slot;

	for (size_t at = 0; (slot = map_next(&s->series, &at)) != NULL;) {
		struct verify_series *series = slot->value;

		for (int side = 0; side < NR_VERIFY_SIDES; side++)
			for (int i = 0; i < NR_VERIFY_SLOTS; i++)
				if (series->windows[side][i])
					verify_window_fini(series->windows[side][i]);
	}
	map_fini(&s->series);
	arena_fini(&s->arena);
}

int verify_sheet_slot(const struct verify_sheet *s, int64_t t_ms)
{
	if (t_ms < s->hour_ms || t_ms >= s->hour_ms + CLOCK_HOUR_MS)
		return -1;
	return (int)((t_ms - s->hour_ms) / CLOCK_MINUTE_MS);
}

int64_t verify_sheet_start(const struct verify_sheet *s, int slot)
{
	return slot == VERIFY_HOUR_SLOT ? s->hour_ms : s->hour_ms + slot * CLOCK_MINUTE_MS;
}

/* Copies what the series is called. */
static int keep_id(struct arena *arena, const struct series_id *id, struct series_id *out)
{
	struct tag *tags = arena_calloc(arena, id->tags_len, sizeof(*tags));

	*out = *id;
	out->site = arena_str(arena, id->site);
	out->name = arena_str(arena, id->name);
	out->tags = tags;
	if (!tags || !out->site.p || !out->name.p)
		return -1;
	for (size_t i = 0; i < id->tags_len; i++) {
		tags[i] = (struct tag){arena_str(arena, id->tags[i].key), arena_str(arena, id->tags[i].value)};
		if (!tags[i].key.p || !tags[i].value.p)
			return -1;
	}
	return 0;
}

struct verify_series *verify_sheet_series(struct verify_sheet *s, const struct series_id *id, struct err *err)
{
	uint8_t fingerprint[SERIES_FINGERPRINT_BYTES];
	struct verify_series *series;

	series_fingerprint(id, fingerprint);
	series = map_get(&s->series, fingerprint);
	if (series)
		return series;
	series = arena_calloc(&s->arena, 1, sizeof(*series));
	if (!series || keep_id(&s->arena, id, &series->id) < 0 || map_put(&s->series, fingerprint, series) < 0) {
		err_nomem(err, "a series of the hour");
		return NULL;
	}
	memcpy(series->fingerprint, fingerprint, sizeof(fingerprint));
	return series;
}

struct verify_window *verify_sheet_window(struct verify_sheet *s, struct verify_series *series, enum verify_side side, int slot,
					  struct err *err)
{
	struct verify_window **at = &series->windows[side][slot];

	if (*at)
		return *at;
	*at = arena_alloc(&s->arena, sizeof(**at));
	if (!*at) {
		err_nomem(err, "a window");
		return NULL;
	}
	**at = (struct verify_window)VERIFY_WINDOW_INIT;
	return *at;
}

static int add_up(struct verify_sheet *s, struct verify_series *series, struct err *err)
{
	for (int i = 0; i < VERIFY_MINUTES; i++) {
		const struct verify_window *minute = series->windows[VERIFY_EXPECTED][i];
		struct verify_window *hour = minute ? verify_sheet_window(s, series, VERIFY_EXPECTED, VERIFY_HOUR_SLOT, err) : NULL;

		if (minute && !hour)
			return -1;
		if (minute && verify_window_merge(hour, minute) < 0)
			return err_nomem(err, "a window");
	}
	return 0;
}

int verify_sheet_add_up(struct verify_sheet *s, struct err *err)
{
	const struct map_slot *slot;

	for (size_t at = 0; (slot = map_next(&s->series, &at)) != NULL;)
		if (add_up(s, slot->value, err) < 0)
			return -1;
	return 0;
}

static int compare_tags(const struct series_id *a, const struct series_id *b)
{
	for (size_t i = 0; i < a->tags_len && i < b->tags_len; i++) {
		int order = str_cmp(a->tags[i].key, b->tags[i].key);

		if (order == 0)
			order = str_cmp(a->tags[i].value, b->tags[i].value);
		if (order)
			return order;
	}
	return a->tags_len < b->tags_len ? -1 : a->tags_len > b->tags_len;
}

static int compare_series(const void *x, const void *y)
{
	const struct series_id *a = &(*(struct verify_series *const *)x)->id, *b = &(*(struct verify_series *const *)y)->id;
	int order = str_cmp(a->site, b->site);

	if (order == 0)
		order = (int)a->kind - (int)b->kind;
	if (order == 0)
		order = str_cmp(a->name, b->name);
	return order ? order : compare_tags(a, b);
}

struct verify_series **verify_sheet_list(const struct verify_sheet *s, size_t *nr, struct err *err)
{
	struct verify_series **list = malloc((s->series.len + 1) * sizeof(struct verify_series *));
	const struct map_slot *slot;

	*nr = 0;
	if (!list) {
		err_nomem(err, "a list of series");
		return NULL;
	}
	for (size_t at = 0; (slot = map_next(&s->series, &at)) != NULL;)
		list[(*nr)++] = slot->value;
	qsort(list, *nr, sizeof(struct verify_series *), compare_series);
	return list;
}
