/* meters.c - see meters.h.
 *
 * The metrics of components are a mirror of the page: whatever line it has, has a series, and no other. Cells come and go, so their series do; and as
 * there may be any number of cells and a label must be bounded, those beyond METERS_CELLS share one series, which says how the worst of them is. A place
 * is vacant from the page after on, which is a second later. */
#include "sink/status/meters.h"

#include <string.h>

#define STATE "millrace_status_component_state"

static const char *const house[METERS_HOUSE] = {"push", "processing", "alerts", "notifications"};

void meters_init(struct meters *m, struct metrics *registry)
{
	const struct { struct metric **to; const char *name; } gauges[] = {
		{&m->memory_budget, "millrace_status_memory_budget_bytes"},
		{&m->page_age, "millrace_status_page_age_seconds"},
		{&m->drafts, "millrace_status_drafts"},
		{&m->updates_due, "millrace_status_updates_due"},
		{&m->unwritten, "millrace_status_unwritten_entries"},
	};

	*m = (struct meters){.registry = registry};
	for (size_t i = 0; i < sizeof(gauges) / sizeof(gauges[0]); i++)
		*gauges[i].to = metrics_gauge(registry, gauges[i].name, NULL);
	m->surveys = metrics_counter(registry, "millrace_status_surveys_total", NULL);
	m->survey_failures = metrics_counter(registry, "millrace_status_survey_failures_total", NULL);
}

static struct metric *state_of(struct meters *m, const char *kind, const char *cell)
{
	return metrics_gauge(m->registry, STATE, "kind", kind, "cell", cell, NULL);
}

/* The cell's place, or the first that is vacant; NULL when there is none, or no cell can have such a name. */
static struct meters_cell *place_of(struct meters *m, struct str name)
{
	struct meters_cell *vacant = NULL;

	if (!name.len || name.len > CONTROL_CELL_MAX)
		return NULL;
	for (size_t i = 0; i < METERS_CELLS; i++) {
		if (str_eq(str_from(m->cells[i].name), name))
			return &m->cells[i];
		if (!vacant && !*m->cells[i].name)
			vacant = &m->cells[i];
	}
	return vacant;
}

/* True when the cell has a series of its own. */
static bool follow_cell(struct meters *m, struct str name, enum component_state state)
{
	struct meters_cell *cell = place_of(m, name);

	if (!cell)
		return false;
	if (!*cell->name) {
		memcpy(cell->name, name.p, name.len);
		cell->state = state_of(m, "storage", cell->name);
	}
	metric_set(cell->state, state);
	cell->seen = true;
	return true;
}

static void follow_house(struct meters *m, const struct status_component *c)
{
	for (int i = 0; i < METERS_HOUSE; i++) {
		if (!str_eq(c->id, str_from(house[i])))
			continue;
		if (!m->house[i])
			m->house[i] = state_of(m, house[i], "");
		metric_set(m->house[i], c->state);
	}
}

/* worst: of the cells without a series of their own; -1: each has one. */
static void follow_others(struct meters *m, int worst)
{
	if (worst >= 0) {
		if (!m->other)
			m->other = state_of(m, "storage", "__other__");
		metric_set(m->other, worst);
	} else if (m->other) {
		metrics_remove(m->registry, m->other);
		m->other = NULL;
	}
}

/* Series of cells that the page does not have any more would go on saying how they once were. */
static void forget_cells(struct meters *m)
{
	for (size_t i = 0; i < METERS_CELLS; i++) {
		struct meters_cell *cell = &m->cells[i];

		if (*cell->name && !cell->seen) {
			if (cell->state)
				metrics_remove(m->registry, cell->state);
			*cell = (struct meters_cell){0};
		}
		cell->seen = false;
	}
}

static void follow_components(struct meters *m, const struct page *page)
{
	int worst = -1;

	for (size_t i = 0; i < page->nr_components; i++) {
		const struct status_component *c = &page->components[i];
		struct str cell = c->id;

		if (!str_take(&cell, "storage/"))
			follow_house(m, c);
		else if (!follow_cell(m, cell, c->state) && (int)c->state > worst)
			worst = c->state;
	}
	forget_cells(m);
	follow_others(m, worst);
}

static size_t count_drafts(const struct status_incidents *incidents)
{
	size_t nr = 0;

	for (size_t i = 0; incidents && i < incidents->nr; i++)
		nr += incidents->list[i]->state == STATUS_INCIDENT_DRAFT;
	return nr;
}

void meters_follow(struct meters *m, const struct page *page, size_t unwritten, size_t due)
{
	int64_t age_ms;

	if (!m->began_ms)
		m->began_ms = page->now_ms;
	age_ms = page->now_ms - (page->as_of_ms ? page->as_of_ms : m->began_ms);
	follow_components(m, page);
	metric_set(m->page_age, age_ms > 0 ? (double)age_ms / 1000 : 0);
	metric_set(m->drafts, (double)count_drafts(page->incidents));
	metric_set(m->updates_due, (double)due);
	metric_set(m->unwritten, (double)unwritten);
}
