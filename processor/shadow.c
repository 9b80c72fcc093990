/* shadow.c - see shadow.h.
 *
 * A copy, as the windows themselves go out with the flush. Only of series with triggers: of the others nothing will be asked.
 * 
 * Invariants:
 *  S1  A minute that was given up is noted as lost before its pane goes: it is judged from all of its windows, or not at all.
 *  S2  What was given up is not begun again by a later flush of the same minute, which would know only a part of it.
 *  S3  What is given up follows from what is kept, not from how it came to be there: a task that was restored gives up the same minutes. So windows are
 *      trimmed, and the list's own room, which depends on how many minutes there once were, does not count. */
#include "processor/shadow.h"

#include "common/memory.h"

void shadow_fini(struct shadow *s, struct series_table *series)
{
	pane_list_fini(&s->panes, series);
	*s = (struct shadow){0};
}

uint32_t shadow_rules_of(struct rules *rules, struct series *series)
{
	struct tag tags[SERIES_TAGS_MAX];
	struct series_id id;

	if (series->rules != RULES_UNMATCHED)
		return series->rules;
	id = series_id_of(series, tags);
	series->rules = rules_match(rules, &id);
	return series->rules;
}

/* The pane of a minute, made when it is new. NULL when memory is short. */
static struct pane *take_pane(struct shadow *s, struct window_store *ws, int64_t minute_ms)
{
	struct pane *pane = pane_list_find(&s->panes, minute_ms);

	if (pane)
		return pane;
	pane = window_store_lone_pane(ws, minute_ms);
	if (pane && pane_list_insert(&s->panes, pane) < 0) {
		pane_free(pane, &ws->series);
		return NULL;
	}
	return pane;
}

/* Adds the windows of src whose series have triggers to the minute's. -1 when memory is short. */
static int add(struct shadow *s, struct rules *rules, const struct pane *src)
{
	struct pane *dst = pane_list_find(&s->panes, src->start_ms); /* of each minute that is flushed there is one */
	const struct window *w;
	size_t at = 0;

	while ((w = pane_next(src, &at)) != NULL) {
		struct window *to;
		uint32_t set;

		pane_prefetch(src, at);
		set = shadow_rules_of(rules, w->series);
		if (set == RULES_UNMATCHED)
			return -1;
		if (set == RULES_NONE)
			continue;
		to = pane_merge_one(dst, w);
		if (!to)
			return -1;
		pane_trim(dst, to);
	}
	return 0;
}

/* The index of the largest minute; of several, of the earliest. *bytes: what all take (S3). There is one. */
static size_t find_largest(const struct shadow *s, size_t *bytes)
{
	size_t largest = 0, most = 0;

	*bytes = 0;
	for (size_t i = 0; i < s->panes.len; i++) {
		size_t minute = pane_bytes(s->panes.panes[i]);

		*bytes += minute;
		if (minute > most) {
			most = minute;
			largest = i;
		}
	}
	return largest;
}

/* Gives up the largest minutes until the rest is what it may be. */
static void shrink(struct shadow *s, struct series_table *series, struct quiet *quiet)
{
	while (s->panes.len) {
		size_t bytes, largest = find_largest(s, &bytes);

		if (bytes <= s->max_bytes)
			return;
		if (!s->panes.panes[largest]->len) /* nothing is kept of any */
			return;
		quiet_note_lost(quiet, s->panes.panes[largest]->start_ms);
		pane_free(pane_list_take(&s->panes, largest), series);
	}
}

int shadow_take(struct shadow *s, struct window_store *ws, struct rules *rules, struct quiet *quiet, struct err *err)
{
	const struct pane_list *minutes = &ws->panes[PANE_MINUTE];

	for (size_t i = 0; rules && i < minutes->len; i++) {
		if (quiet_is_lost(quiet, minutes->panes[i]->start_ms))
			continue;
		if (!take_pane(s, ws, minutes->panes[i]->start_ms) || add(s, rules, minutes->panes[i]) < 0)
			return err_nomem(err, "what triggers need of a flush");
		shrink(s, &ws->series, quiet);
	}
	return 0;
}

struct pane *shadow_complete(struct shadow *s, struct window_store *ws, struct rules *rules, int64_t minute_ms, struct err *err)
{
	const struct pane *rest = pane_list_find(&ws->panes[PANE_MINUTE], minute_ms);
	struct pane *kept = pane_list_find(&s->panes, minute_ms);

	if (kept && rest && add(s, rules, rest) < 0) {
		err_nomem(err, "a minute that was flushed");
		return NULL;
	}
	return kept;
}

void shadow_drop(struct shadow *s, struct series_table *series, int64_t minute_ms)
{
	while (s->panes.len && s->panes.panes[0]->start_ms <= minute_ms)
		pane_free(pane_list_take(&s->panes, 0), series);
	if (!s->panes.len)
		pane_list_fini(&s->panes, series);
}

size_t shadow_bytes(const struct shadow *s)
{
	return pane_list_bytes(&s->panes);
}
