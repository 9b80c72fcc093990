/* house.c - see house.h.
 *
 * Each row is one allocation (common/rows.h) with its record decoded beside it. Of sites and triggers only one question is asked: has a cell triggers? It is
 * answered anew when either table has changed, not at each turn, as there are many of both and they change by people's hands.
 *
 * A heartbeat's age is by Kafka's timestamp, as that means the same in all programs; what has not been heard of for a day is forgotten, as Kafka forgets it. */
#include "sink/status/house.h"

#include <stdlib.h>
#include <string.h>

#include "common/rows.h"

enum { STALE_INTERVALS = 3 };

#define FORGET_MS (INT64_C(24) * CLOCK_HOUR_MS)

/* A row of each table; each borrows its row. */
struct cell_row_of {
	struct row row;
	struct cell cell;
	bool has_triggers;
};
struct beat_row {
	struct row row;
	struct heartbeat beat;
	int64_t at_ms; /* Kafka's time, virtual */
};
struct control_row {
	struct row row;
	struct control control;
};
struct site_row {
	struct row row;
	struct site site;
};
struct trigger_row {
	struct row row;
	struct trigger trigger;
};

struct house {
	const struct clock *clock;
	struct rows cells, beats, controls, sites, triggers;
	bool placed;         /* has_triggers of the cells is of these sites and triggers */
	int64_t placed_ms;   /* and of this time: a route may have come into force since */
	struct facts_instance *instances;
	struct facts_cell *facts_cells;
	const struct control **facts_controls;
};

struct house *house_new(const struct clock *clock, struct err *err)
{
	struct house *h = calloc(1, sizeof(*h));

	if (!h) {
		err_nomem(err, "the tables");
		return NULL;
	}
	h->clock = clock;
	return h;
}

void house_free(struct house *h)
{
	if (!h)
		return;
	rows_fini(&h->cells);
	rows_fini(&h->beats);
	rows_fini(&h->controls);
	rows_fini(&h->sites);
	rows_fini(&h->triggers);
	free(h->instances);
	free(h->facts_cells);
	free(h->facts_controls);
	free(h);
}

/* A row of size_bytes with copies of key and value; NULL, *rc set: it was a deletion, which is done, or there is no memory. */
static struct row *begin(struct rows *rows, size_t size_bytes, const struct table_row *row, int *rc, struct err *err)
{
	struct row *new;

	*rc = 0;
	if (!row->value.p) {
		rows_remove(rows, row->key);
		return NULL;
	}
	new = row_new(size_bytes, row->key, row->value, err);
	if (!new)
		*rc = -1;
	return new;
}

/* Takes what was read well and under its own key; else the row of before stays. */
static int end(struct rows *rows, struct row *new, bool read, bool own_key, const char *what, struct err *err)
{
	if (read && !own_key)
		err_set(err, ERR_REJECT, "%s: the key is not its name", what);
	if (read && own_key && rows_put(rows, new, err) == 0)
		return 0;
	row_free(new);
	return -1;
}

int house_take_cell(void *ctx, const struct table_row *row, struct err *err)
{
	struct house *h = ctx;
	int rc;
	struct cell_row_of *new = (struct cell_row_of *)begin(&h->cells, sizeof(*new), row, &rc, err);

	h->placed = false;
	if (!new)
		return rc;
	rc = cell_decode(new->row.message, &new->row.arena, &new->cell, err);
	return end(&h->cells, &new->row, rc == 0, str_eq(new->cell.name, new->row.id), "cell", err);
}

int house_take_beat(void *ctx, const struct table_row *row, struct err *err)
{
	struct house *h = ctx;
	int rc;
	struct beat_row *new = (struct beat_row *)begin(&h->beats, sizeof(*new), row, &rc, err);

	if (!new)
		return rc;
	new->at_ms = row->timestamp_ms;
	rc = heartbeat_decode(new->row.message, &new->row.arena, &new->beat, err);
	return end(&h->beats, &new->row, rc == 0, true, "heartbeat", err); /* the key is program/instance, and nothing is looked up by it */
}

int house_take_control(void *ctx, const struct table_row *row, struct err *err)
{
	struct house *h = ctx;
	int rc;
	struct control_row *new = (struct control_row *)begin(&h->controls, sizeof(*new), row, &rc, err);

	if (!new)
		return rc;
	rc = control_decode(new->row.message, &new->row.arena, &new->control, err);
	return end(&h->controls, &new->row, rc == 0, str_eq(new->control.id, new->row.id), "control", err);
}

int house_take_site(void *ctx, const struct table_row *row, struct err *err)
{
	struct house *h = ctx;
	int rc;
	struct site_row *new = (struct site_row *)begin(&h->sites, sizeof(*new), row, &rc, err);

	h->placed = false;
	if (!new)
		return rc;
	rc = site_decode(new->row.message, &new->row.arena, &new->site, err);
	return end(&h->sites, &new->row, rc == 0, str_eq(new->site.id, new->row.id), "site", err);
}

int house_take_trigger(void *ctx, const struct table_row *row, struct err *err)
{
	struct house *h = ctx;
	int rc;
	struct trigger_row *new = (struct trigger_row *)begin(&h->triggers, sizeof(*new), row, &rc, err);

	h->placed = false;
	if (!new)
		return rc;
	rc = trigger_decode(new->row.message, &new->row.arena, &new->trigger, err);
	return end(&h->triggers, &new->row, rc == 0, str_eq(new->trigger.id, new->row.id), "trigger", err);
}

/* Where the site's payloads go now; empty: nowhere yet. */
static struct str cell_of(const struct site *site, int64_t now_ms)
{
	size_t i = site->routes_len;

	while (i && site->routes[i - 1].effective_from > now_ms)
		i--;
	return i ? site->routes[i - 1].cell : STR("");
}

/* Which cells have triggers. */
static void place(struct house *h, int64_t now_ms)
{
	if (h->placed && now_ms < h->placed_ms + CLOCK_MINUTE_MS)
		return;
	for (size_t i = 0; i < h->cells.len; i++)
		((struct cell_row_of *)h->cells.at[i])->has_triggers = false;
	for (size_t i = 0; i < h->triggers.len; i++) {
		const struct trigger *trigger = &((const struct trigger_row *)h->triggers.at[i])->trigger;
		const struct site_row *site = (const struct site_row *)rows_find(&h->sites, trigger->site);
		struct cell_row_of *cell = site ? (struct cell_row_of *)rows_find(&h->cells, cell_of(&site->site, now_ms)) : NULL;

		if (cell)
			cell->has_triggers = true;
	}
	h->placed = true;
	h->placed_ms = now_ms;
}

/* Real age of a heartbeat. */
static int64_t age_ms(const struct house *h, const struct beat_row *b, int64_t now_ms)
{
	return now_ms > b->at_ms ? clock_real_duration_ms(h->clock, now_ms - b->at_ms) : 0;
}

static void forget_beats(struct house *h, int64_t now_ms)
{
	for (size_t i = h->beats.len; i-- > 0;)
		if (age_ms(h, (const struct beat_row *)h->beats.at[i], now_ms) > FORGET_MS)
			rows_remove(&h->beats, h->beats.at[i]->id);
}

/* Room for n elements in an array that is filled anew each time. */
static int fit(void *array, size_t n, size_t size_bytes, struct err *err)
{
	void **at = array;
	void *grown = reallocarray(*at, n + 1, size_bytes);

	if (!grown)
		return err_nomem(err, "the facts");
	*at = grown;
	return 0;
}

static void fill_instances(struct house *h, struct facts *out)
{
	for (size_t i = 0; i < h->beats.len; i++) {
		const struct beat_row *b = (const struct beat_row *)h->beats.at[i];
		int64_t interval_ms = b->beat.interval_ms > 0 ? b->beat.interval_ms : 1;

		h->instances[i] = (struct facts_instance){&b->beat, age_ms(h, b, out->now_ms) <= STALE_INTERVALS * interval_ms};
	}
	out->instances = h->instances;
	out->nr_instances = h->beats.len;
}

/* A cell without an epoch has no topics yet: there is nothing to be behind with. */
static void fill_cells(struct house *h, struct facts *out)
{
	out->nr_cells = 0;
	for (size_t i = 0; i < h->cells.len; i++) {
		const struct cell_row_of *c = (const struct cell_row_of *)h->cells.at[i];

		if (c->cell.epoch)
			h->facts_cells[out->nr_cells++] = (struct facts_cell){.name = c->cell.name, .has_triggers = c->has_triggers};
	}
	out->cells = h->facts_cells;
}

static void fill_controls(struct house *h, struct facts *out)
{
	out->nr_controls = 0;
	for (size_t i = 0; i < h->controls.len; i++) {
		const struct control *c = &((const struct control_row *)h->controls.at[i])->control;

		if (c->expires_at > out->now_ms)
			h->facts_controls[out->nr_controls++] = c;
	}
	out->controls = h->facts_controls;
}

int house_facts(struct house *h, struct facts *out, struct facts_cell **cells, struct err *err)
{
	*out = (struct facts){.now_ms = clock_now_ms(h->clock)};
	forget_beats(h, out->now_ms);
	if (fit(&h->instances, h->beats.len, sizeof(*h->instances), err) < 0 || fit(&h->facts_cells, h->cells.len, sizeof(*h->facts_cells), err) < 0 ||
	    fit(&h->facts_controls, h->controls.len, sizeof(*h->facts_controls), err) < 0)
		return -1;
	place(h, out->now_ms);
	fill_instances(h, out);
	fill_cells(h, out);
	fill_controls(h, out);
	*cells = h->facts_cells;
	return 0;
}
