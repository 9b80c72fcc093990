/* page.c - see page.h and page_view.h.
 *
 * A post without a text of its own is that of the draft it publishes: whoever writes `post` alone means the words that are there. What a draft said before that
 * is nobody's. */
#include "sink/status/page.h"

#include <stdio.h>
#include <stdlib.h>

#include "sink/status/page_view.h"

#define DAY_MS INT64_C(86400000)

bool page_is_known(const struct page *p)
{
	return p->as_of_ms && p->nr_components;
}

bool page_is_cell(const struct status_component *c)
{
	struct str id = c->id;

	return str_take(&id, "storage/");
}

/* As for what is judged over cells (verdict.c): trouble that stays in its cell is no outage of all. */
enum component_state page_storage_state(const struct page *p)
{
	enum component_state worst = COMPONENT_STATE_OPERATIONAL;
	bool all_major = true;

	for (size_t i = 0; i < p->nr_components; i++) {
		const struct status_component *c = &p->components[i];

		if (!page_is_cell(c))
			continue;
		all_major &= c->state == COMPONENT_STATE_MAJOR_OUTAGE;
		worst = c->state > worst ? c->state : worst;
	}
	return worst == COMPONENT_STATE_MAJOR_OUTAGE && !all_major ? COMPONENT_STATE_PARTIAL_OUTAGE : worst;
}

enum component_state page_state(const struct page *p)
{
	enum component_state worst = page_storage_state(p);

	for (size_t i = 0; i < p->nr_components; i++)
		if (!page_is_cell(&p->components[i]) && p->components[i].state > worst)
			worst = p->components[i].state;
	return worst;
}

struct str page_url(const char *setting)
{
	struct str url = str_from(setting);

	while (url.len && url.p[url.len - 1] == '/')
		url.len--;
	return url;
}

const char *page_state_words(enum component_state state)
{
	switch (state) {
	case COMPONENT_STATE_OPERATIONAL:
		return "Operational";
	case COMPONENT_STATE_MAINTENANCE:
		return "Maintenance";
	case COMPONENT_STATE_DEGRADED:
		return "Degraded";
	case COMPONENT_STATE_PARTIAL_OUTAGE:
		return "Partial outage";
	default:
		return "Major outage";
	}
}

/* Is there trouble that is posted and not over? */
static bool is_open_incident(const struct page *p)
{
	for (size_t i = 0; p->incidents && i < p->incidents->nr; i++)
		if (p->incidents->list[i]->state == STATUS_INCIDENT_POSTED && p->incidents->list[i]->impact != STATUS_IMPACT_MAINTENANCE)
			return true;
	return false;
}

/* Without a look at the house there is no good news either: a page that has just been started does not say that all is well. Nor does
 * one that tells of an incident below: the figures may be good again before people say that it is over. */
const char *page_summary(const struct page *p)
{
	if (!page_is_known(p))
		return "Nothing is known yet";
	switch (page_state(p)) {
	case COMPONENT_STATE_OPERATIONAL:
		return is_open_incident(p) ? "Operational, with an open incident" : "All systems operational";
	case COMPONENT_STATE_MAINTENANCE:
		return "Maintenance in progress";
	case COMPONENT_STATE_DEGRADED:
		return "Degraded performance";
	default:
		return page_state_words(page_state(p));
	}
}

bool page_may_show(const struct status_incident *i)
{
	return i->state == STATUS_INCIDENT_POSTED || i->state == STATUS_INCIDENT_RESOLVED;
}

/* By the page's own time, as the entry that says so may be hours old. */
bool page_is_to_come(const struct page *p, const struct status_incident *i)
{
	return i->impact == STATUS_IMPACT_MAINTENANCE && i->state == STATUS_INCIDENT_POSTED && i->opened_at > p->now_ms;
}

/* Whether an incident stands in a list. Trouble and maintenance are apart while they go on; once over, they are both the past. */
static bool is_in(const struct page *p, enum page_list list, const struct status_incident *i)
{
	bool maintenance = i->impact == STATUS_IMPACT_MAINTENANCE;

	switch (list) {
	case PAGE_LIST_OPEN:
		return i->state == STATUS_INCIDENT_POSTED && !maintenance;
	case PAGE_LIST_MAINTENANCE:
		return i->state == STATUS_INCIDENT_POSTED && maintenance;
	case PAGE_LIST_RECENT:
		return i->state == STATUS_INCIDENT_RESOLVED && p->now_ms - i->ended_at < PAGE_RECENT_DAYS * DAY_MS;
	case PAGE_LIST_OVER:
		return i->state == STATUS_INCIDENT_RESOLVED;
	default:
		return page_may_show(i);
	}
}

/* For qsort(), which is not stable: no two are equal. */
static int in_order(int64_t a, int64_t b, const struct status_incident *x, const struct status_incident *y)
{
	return a != b ? (a < b ? -1 : 1) : str_cmp(x->id, y->id);
}

/* Equal times are told apart by the id, so that equal pages are equal bytes. */
static int by_begin(const void *a, const void *b)
{
	const struct status_incident *x = *(const struct status_incident *const *)a, *y = *(const struct status_incident *const *)b;

	return in_order(x->opened_at, y->opened_at, x, y);
}

static int by_begin_down(const void *a, const void *b)
{
	return by_begin(b, a);
}

static int by_post_down(const void *a, const void *b)
{
	const struct status_incident *x = *(const struct status_incident *const *)a, *y = *(const struct status_incident *const *)b;

	return in_order(page_last_post_ms(y), page_last_post_ms(x), y, x);
}

/* Room is made for all of them: how many there are is bounded by the fold. */
int page_select(const struct page *p, enum page_list list, struct page_selection *out, struct err *err)
{
	size_t nr = p->incidents ? p->incidents->nr : 0;

	*out = (struct page_selection){calloc(nr + 1, sizeof(*out->all)), 0};
	if (!out->all)
		return err_nomem(err, "the page's incidents");
	for (size_t k = 0; k < nr; k++)
		if (is_in(p, list, p->incidents->list[k]))
			out->all[out->nr++] = p->incidents->list[k];
	qsort(out->all, out->nr, sizeof(*out->all), list == PAGE_LIST_MAINTENANCE ? by_begin : list == PAGE_LIST_PUBLIC ? by_post_down : by_begin_down);
	if ((list == PAGE_LIST_OVER || list == PAGE_LIST_PUBLIC) && out->nr > PAGE_INCIDENTS_MAX)
		out->nr = PAGE_INCIDENTS_MAX;
	return 0;
}

void page_selection_fini(struct page_selection *s)
{
	free(s->all);
	*s = (struct page_selection){0};
}

/* A line that was taken, is not a reminder, and of an action that the public sees. */
static bool is_post(const struct status_line *l)
{
	enum status_action action = l->entry.action;

	return !l->refused && (action == STATUS_ACTION_POST || action == STATUS_ACTION_UPDATE || action == STATUS_ACTION_RESOLVE);
}

/* As of this line. */
static enum status_phase phase_at(const struct status_incident *i, size_t at)
{
	for (size_t k = at + 1; k-- > 0;) {
		const struct status_line *l = &i->lines[k];

		if (!l->refused && l->entry.action == STATUS_ACTION_RESOLVE)
			return STATUS_PHASE_RESOLVED;
		if (!l->refused && l->entry.has_phase)
			return l->entry.phase;
	}
	return STATUS_PHASE_INVESTIGATING;
}

/* A post's text, or that of the draft it publishes. */
static struct str text_at(const struct status_incident *i, size_t at)
{
	const struct status_entry *e = &i->lines[at].entry;

	if (e->text.len || e->action != STATUS_ACTION_POST)
		return e->text;
	for (size_t k = at; k-- > 0;)
		if (!i->lines[k].refused && i->lines[k].entry.action == STATUS_ACTION_DRAFT && i->lines[k].entry.text.len)
			return i->lines[k].entry.text;
	return e->text;
}

/* An update that has neither words nor a phase has changed something else, which the facts show. */
bool page_post_before(const struct status_incident *i, size_t *at, struct page_post *out)
{
	while (*at > 0) {
		const struct status_line *l = &i->lines[--*at];

		if (!is_post(l) || (l->entry.action == STATUS_ACTION_UPDATE && !l->entry.text.len && !l->entry.has_phase))
			continue;
		*out = (struct page_post){l->entry.at, phase_at(i, *at), i->ended_at && l->entry.action == STATUS_ACTION_UPDATE && l->entry.at >= i->ended_at,
					  text_at(i, *at)};
		return true;
	}
	return false;
}

int64_t page_last_post_ms(const struct status_incident *i)
{
	struct page_post post;
	size_t at = i->nr_lines;

	return page_post_before(i, &at, &post) ? post.at_ms : i->posted_at;
}

/* An incident may name what the page does not have any more: a cell that is gone, or anything at all before the first look. */
struct str page_component_title(const struct page *p, struct str id, char out[PAGE_TITLE_SIZE])
{
	static const struct { const char *id, *title; } house[] = {
		{"push", "Push API"}, {"processing", "Processing"}, {"alerts", "Alerts"}, {"notifications", "Notifications"}};
	struct str cell = id;

	for (size_t i = 0; i < p->nr_components; i++)
		if (str_eq(p->components[i].id, id))
			return p->components[i].title;
	for (size_t i = 0; i < sizeof(house) / sizeof(house[0]); i++)
		if (str_eq(id, str_from(house[i].id)))
			return str_from(house[i].title);
	if (!str_take(&cell, "storage/"))
		return id;
	snprintf(out, PAGE_TITLE_SIZE, "Storage, " STR_FMT, STR_ARG(cell));
	return str_from(out);
}

enum component_state page_impact_state(enum status_impact impact)
{
	switch (impact) {
	case STATUS_IMPACT_MAINTENANCE:
		return COMPONENT_STATE_MAINTENANCE;
	case STATUS_IMPACT_DEGRADED:
		return COMPONENT_STATE_DEGRADED;
	case STATUS_IMPACT_PARTIAL_OUTAGE:
		return COMPONENT_STATE_PARTIAL_OUTAGE;
	default:
		return COMPONENT_STATE_MAJOR_OUTAGE;
	}
}

const char *page_impact_words(enum status_impact impact)
{
	return page_state_words(page_impact_state(impact));
}

const char *page_post_words(const struct status_incident *i, const struct page_post *post)
{
	if (post->later)
		return "Added later";
	if (i->impact == STATUS_IMPACT_MAINTENANCE)
		return post->phase == STATUS_PHASE_RESOLVED ? "Completed" : post->at_ms < i->opened_at ? "Planned" : "In progress";
	switch (post->phase) {
	case STATUS_PHASE_INVESTIGATING:
		return "Investigating";
	case STATUS_PHASE_IDENTIFIED:
		return "Identified";
	case STATUS_PHASE_MONITORING:
		return "Monitoring";
	default:
		return "Resolved";
	}
}

/* As it drained when it was last looked at; when Kafka has been silent for longer than that would have taken, nobody knows. */
int64_t page_recovery_at(const struct page *p, const struct status_component *c)
{
	int64_t at_ms = (p->as_of_ms ? p->as_of_ms : p->now_ms) + c->recovery_ms;

	return c->state > COMPONENT_STATE_MAINTENANCE && c->waiting_records > 0 && c->recovery_ms >= 0 && at_ms > p->now_ms ? at_ms : 0;
}
