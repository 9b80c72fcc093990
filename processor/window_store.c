/* window_store.c - see window_store.h. */
#include "processor/window_store.h"

#include "common/clock.h"

void window_store_fini(struct window_store *ws)
{
	for (size_t i = 0; i < NR_PANE_CLASSES; i++)
		pane_list_fini(&ws->panes[i], &ws->series);
	series_table_fini(&ws->series);
	ws->closed_ms = 0;
}

/* Hours that start before this are closed (I2). */
static int64_t closed_hour_ms(int64_t closed_ms)
{
	return closed_ms - closed_ms % CLOCK_HOUR_MS;
}

/* A pane of this store's series. NULL when memory is short. */
static struct pane *make_pane(struct window_store *ws, enum pane_class class, int64_t start_ms, int64_t watermark_ms)
{
	struct pane *pane = pane_new(class, ++ws->panes_made, start_ms, watermark_ms);

	if (pane)
		pane->secret = ws->series.secret | 1;
	return pane;
}

struct pane *window_store_lone_pane(struct window_store *ws, int64_t start_ms)
{
	return make_pane(ws, PANE_MINUTE, start_ms, 0);
}

struct pane *window_store_new_pane(struct window_store *ws, enum pane_class class, int64_t start_ms, int64_t watermark_ms)
{
	struct pane_list *list = &ws->panes[class];
	struct pane *pane = make_pane(ws, class, start_ms, watermark_ms);

	if (!pane)
		return NULL;
	/* The minute before, or the series that there are, tell how many there will be. */
	pane->expected = class == PANE_MINUTE && list->len ? list->panes[list->len - 1]->len : class == PANE_HOUR ? ws->series.len : 0;
	if (pane_list_insert(list, pane) < 0) {
		pane_free(pane, &ws->series);
		return NULL;
	}
	return pane;
}

/* The pane of a class that t_ms falls into; made when it is new. NULL when memory is short. */
static struct pane *store_pane(struct window_store *ws, enum pane_class class, int64_t t_ms, int64_t watermark_ms)
{
	const struct pane_list *list = &ws->panes[class];
	struct pane *newest = list->len ? list->panes[list->len - 1] : NULL, *pane;
	int64_t start_ms;

	/* Nearly always; it saves a division, too. */
	if (newest && t_ms >= newest->start_ms && t_ms - newest->start_ms < pane_length_ms(class))
		return newest;
	start_ms = t_ms - t_ms % pane_length_ms(class);
	pane = pane_list_find(list, start_ms);
	return pane ? pane : window_store_new_pane(ws, class, start_ms, watermark_ms);
}

void window_store_prefetch(const struct window_store *ws, const struct series *series)
{
	const struct pane_list *minutes = &ws->panes[PANE_MINUTE];
	const struct window *w = series->recent[RECENT_MINUTE];

	if (!minutes->len)
		return;
	if (w && w->pane == minutes->panes[minutes->len - 1]->number)
		hist_prefetch(&w->hist);
	else
		pane_prefetch_place(minutes->panes[minutes->len - 1], series);
}

/* A window and the pane that it is in. */
struct target {
	struct pane *pane;
	struct window *window;
};

/* The windows that a sample at t_ms belongs to (I3): one when it is on time, two when it is late. 0 when memory is short. */
static size_t store_targets(struct window_store *ws, struct series *series, int64_t t_ms, int64_t watermark_ms, struct target out[2])
{
	bool late = t_ms < ws->closed_ms; /* closed_ms is a full minute */
	enum pane_class classes[2] = {late ? PANE_LATE_MINUTE : PANE_MINUTE,
				      t_ms < closed_hour_ms(ws->closed_ms) ? PANE_LATE_HOUR : PANE_HOUR};
	size_t nr = late ? 2 : 1;

	for (size_t i = 0; i < nr; i++) {
		struct pane *pane = store_pane(ws, classes[i], t_ms, watermark_ms);
		bool was_short;

		if (!pane)
			return 0;
		was_short = pane->is_short;
		if (pane_is_late(classes[i]))
			pane->touched_ms = watermark_ms;
		out[i] = (struct target){pane, pane_window(pane, series)};
		if (!out[i].window)
			return 0;
		ws->lengthened += was_short && !pane->is_short;
	}
	return nr;
}

int window_store_add_value(struct window_store *ws, struct series *series, int64_t t_ms, double value, int64_t watermark_ms,
			   struct err *err)
{
	struct target targets[2];
	size_t nr = store_targets(ws, series, t_ms, watermark_ms, targets);

	if (!nr)
		return err_nomem(err, "a window");
	for (size_t i = 0; i < nr; i++)
		if (pane_add_value(targets[i].pane, targets[i].window, t_ms, value) < 0)
			return err_nomem(err, "a histogram");
	return nr == 2;
}

int window_store_add_summary(struct window_store *ws, struct series *series, const struct summary_sample *s, int64_t watermark_ms,
			     struct err *err)
{
	struct target targets[2];
	size_t nr = store_targets(ws, series, s->t, watermark_ms, targets);

	if (!nr)
		return err_nomem(err, "a window");
	for (size_t i = 0; i < nr; i++)
		if (pane_add_summary(targets[i].pane, targets[i].window, s) < 0)
			return err_nomem(err, "a histogram");
	return nr == 2;
}

static bool late_pane_due(const struct pane *pane, int64_t watermark_ms, const struct late_rules *late)
{
	return watermark_ms >= pane->touched_ms + late->idle_ms || watermark_ms >= pane->first_ms + late->max_ms;
}

/* Does the oldest pane of a list start before limit_ms? */
static bool oldest_before(const struct pane_list *list, int64_t limit_ms)
{
	return list->len && list->panes[0]->start_ms < limit_ms;
}

bool window_store_due(const struct window_store *ws, int64_t closed_ms, int64_t watermark_ms, const struct late_rules *late)
{
	if (oldest_before(&ws->panes[PANE_MINUTE], closed_ms) ||
	    oldest_before(&ws->panes[PANE_HOUR], closed_hour_ms(closed_ms)))
		return true;
	for (enum pane_class class = PANE_LATE_MINUTE; class <= PANE_LATE_HOUR; class++)
		for (size_t i = 0; i < ws->panes[class].len; i++)
			if (late_pane_due(ws->panes[class].panes[i], watermark_ms, late))
				return true;
	return false;
}

size_t window_store_due_windows(const struct window_store *ws, int64_t closed_ms)
{
	return pane_list_windows(&ws->panes[PANE_MINUTE], closed_ms);
}

/* Moves the pane at index from a list to out. */
static int hand_over(struct pane_list *list, size_t index, struct pane_list *out)
{
	if (pane_list_append(out, list->panes[index]) < 0)
		return -1;
	pane_list_take(list, index);
	return 0;
}

static int close_minutes(struct window_store *ws, int64_t closed_ms, struct pane_list *out)
{
	struct pane_list *minutes = &ws->panes[PANE_MINUTE];

	while (oldest_before(minutes, closed_ms)) {
		const struct pane *minute = minutes->panes[0];
		struct pane *hour = store_pane(ws, PANE_HOUR, minute->start_ms, 0);

		if (!hour || pane_merge(hour, minute) < 0 || hand_over(minutes, 0, out) < 0)
			return -1;
	}
	return 0;
}

static int close_late(struct pane_list *list, int64_t watermark_ms, const struct late_rules *late, struct pane_list *out)
{
	for (size_t i = 0; i < list->len;) {
		if (!late_pane_due(list->panes[i], watermark_ms, late))
			i++;
		else if (hand_over(list, i, out) < 0)
			return -1;
	}
	return 0;
}

int window_store_close(struct window_store *ws, int64_t closed_ms, int64_t watermark_ms, const struct late_rules *late,
		       struct pane_list *out, struct err *err)
{
	if (closed_ms > ws->closed_ms) {
		if (close_minutes(ws, closed_ms, out) < 0)
			return err_nomem(err, "the closing of a minute");
		while (oldest_before(&ws->panes[PANE_HOUR], closed_hour_ms(closed_ms)))
			if (hand_over(&ws->panes[PANE_HOUR], 0, out) < 0)
				return err_nomem(err, "the closing of an hour");
		ws->closed_ms = closed_ms;
	}
	for (enum pane_class class = PANE_LATE_MINUTE; class <= PANE_LATE_HOUR; class++)
		if (close_late(&ws->panes[class], watermark_ms, late, out) < 0)
			return err_nomem(err, "the closing of a late window");
	return 0;
}

int window_store_flush(struct window_store *ws, struct pane_list *out, struct err *err)
{
	size_t first = out->len;

	/* Open minutes go into their hours as they do when they are closed (I3), but what closed_ms says of them stands (I2). */
	if (close_minutes(ws, INT64_MAX, out) < 0)
		return err_nomem(err, "the flush of a minute");
	for (enum pane_class class = PANE_HOUR; class < NR_PANE_CLASSES; class++)
		while (ws->panes[class].len)
			if (hand_over(&ws->panes[class], 0, out) < 0)
				return err_nomem(err, "the flush of a window");
	for (size_t i = first; i < out->len; i++)
		out->panes[i]->flushed = true;
	return 0;
}

size_t window_store_growth(const struct window_store *ws)
{
	const struct pane_list *minutes = &ws->panes[PANE_MINUTE];
	size_t growth = 0;

	for (size_t i = 0, next; i < minutes->len; i = next) {
		int64_t hour_ms = closed_hour_ms(minutes->panes[i]->start_ms);
		const struct pane *hour = pane_list_find(&ws->panes[PANE_HOUR], hour_ms);
		size_t windows = 0, bytes = 0, missing = ws->series.len - (hour ? hour->len : 0);

		for (next = i; next < minutes->len && closed_hour_ms(minutes->panes[next]->start_ms) == hour_ms; next++) {
			windows += minutes->panes[next]->len;
			bytes += pane_bytes(minutes->panes[next]);
		}
		growth += windows <= missing ? bytes : bytes / windows * missing; /* no hour has more windows than there are series */
	}
	return growth;
}

size_t window_store_bytes(const struct window_store *ws)
{
	size_t bytes = 0;

	for (size_t i = 0; i < NR_PANE_CLASSES; i++)
		bytes += pane_list_bytes(&ws->panes[i]);
	return bytes;
}
