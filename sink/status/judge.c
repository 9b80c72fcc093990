/* judge.c - see judge.h.
 *
 * A verdict (verdict.h) is a state with the sentence that says why, made from the facts of one moment. What the page shows follows the verdicts by one rule:
 * worse at once, better when the verdict has been better for SETTLE_MS, and then as bad as the worst of that time: what swings around a threshold does not flicker, and
 * on the way down from one state to the next no step is left out. What is not known (a group that was not surveyed) may make a component worse, by what is known of
 * other cells, but never better. */
#include "sink/status/judge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sink/status/accepted.h"
#include "sink/status/verdict.h"

enum { SETTLE_MS = 30000 };

/* One line of the page, from one turn to the next. */
struct line {
	struct status_component shown; /* texts borrow those below, and the turn's arena */
	char id[48], title[160];
	enum component_state state;    /* what the verdicts say by now; maintenance aside */
	int64_t since_ms, left_ms;     /* in the state; when it was operational last */
	int64_t better_since_ms;       /* 0: the verdict is not better than the state */
	enum component_state better;   /* the worst verdict since then */
	bool known;
};

struct judge {
	const struct judge_conf *conf;
	struct line *lines; /* in the order of the page */
	size_t nr, cap;
	struct status_component *out;
	struct accepted accepted;
	struct arena arena;    /* of the turn */
};

struct judge *judge_new(const struct judge_conf *conf, struct err *err)
{
	struct judge *j = calloc(1, sizeof(*j));

	if (!j) {
		err_nomem(err, "the judge");
		return NULL;
	}
	j->conf = conf;
	return j;
}

void judge_free(struct judge *j)
{
	if (!j)
		return;
	accepted_fini(&j->accepted);
	arena_fini(&j->arena);
	free(j->lines);
	free(j->out);
	free(j);
}

/* Finds a line of this id, or makes it at place `at`, where the page has it. NULL when memory is short. */
static struct line *line_at(struct judge *j, size_t at, struct str id)
{
	for (size_t i = at; i < j->nr; i++)
		if (str_eq(str_from(j->lines[i].id), id)) {
			struct line found = j->lines[i];

			memmove(&j->lines[at + 1], &j->lines[at], (i - at) * sizeof(*j->lines));
			j->lines[at] = found;
			return &j->lines[at];
		}
	if (j->nr == j->cap) {
		size_t cap = j->cap ? 2 * j->cap : 16;
		struct line *lines = reallocarray(j->lines, cap, sizeof(*lines));
		struct status_component *out = lines ? reallocarray(j->out, cap, sizeof(*out)) : NULL;

		if (lines)
			j->lines = lines;
		if (!out)
			return NULL;
		j->out = out;
		j->cap = cap;
	}
	memmove(&j->lines[at + 1], &j->lines[at], (j->nr - at) * sizeof(*j->lines));
	j->nr++;
	j->lines[at] = (struct line){.known = false};
	snprintf(j->lines[at].id, sizeof(j->lines[at].id), STR_FMT, STR_ARG(id));
	return &j->lines[at];
}

int judge_recall(struct judge *j, const struct status_component *components, size_t nr, struct err *err)
{
	for (size_t i = 0; i < nr; i++) {
		struct line *line = line_at(j, i, components[i].id);

		if (!line)
			return err_nomem(err, "the judge");
		line->state = components[i].state == COMPONENT_STATE_MAINTENANCE ? COMPONENT_STATE_OPERATIONAL : components[i].state;
		line->since_ms = components[i].since;
		line->left_ms = components[i].left_at;
		line->known = true;
	}
	return 0;
}

static void enter(struct line *line, enum component_state state, int64_t at_ms)
{
	if (state == COMPONENT_STATE_OPERATIONAL || !line->known || line->state == COMPONENT_STATE_OPERATIONAL)
		line->left_ms = at_ms;
	if (!line->known || line->state != state)
		line->since_ms = at_ms;
	line->state = state;
	line->known = true;
	line->better_since_ms = 0;
}

/* Moves the line's state after the verdict (see the top). */
static void follow(struct line *line, enum component_state verdict, int64_t now_ms)
{
	if (!line->known || verdict > line->state) {
		enter(line, verdict, now_ms);
	} else if (verdict == line->state) {
		line->better_since_ms = 0;
	} else {
		if (!line->better_since_ms || verdict > line->better)
			line->better = verdict;
		if (!line->better_since_ms)
			line->better_since_ms = now_ms;
		if (now_ms - line->better_since_ms >= SETTLE_MS)
			enter(line, line->better, line->better_since_ms);
	}
}

static bool names(const struct status_incident *i, struct str component)
{
	for (size_t k = 0; k < i->nr_components; k++)
		if (str_eq(i->components[k], component))
			return true;
	return false;
}

/* The posted maintenance that is on for a component; NULL: none. */
static const struct status_incident *maintenance_of(const struct status_incidents *incidents, struct str component, int64_t now_ms)
{
	for (size_t k = 0; incidents && k < incidents->nr; k++) {
		const struct status_incident *i = incidents->list[k];

		if (i->state == STATUS_INCIDENT_POSTED && i->impact == STATUS_IMPACT_MAINTENANCE && i->opened_at <= now_ms && names(i, component))
			return i;
	}
	return NULL;
}

/* What the page shows of a line. */
static int show(struct judge *j, struct line *line, const struct verdict *v, const struct status_incident *maintenance)
{
	struct status_component *c = &line->shown;
	struct str detail = arena_str(&j->arena, str_from(v->detail));

	*c = (struct status_component){
		.id = str_from(line->id), .title = str_from(line->title), .state = line->state, .since = line->since_ms, .left_at = line->left_ms,
		.detail = detail,
		.cells = v->cells, .cells_len = v->nr_cells, .behind_ms = v->behind_ms, .waiting_records = v->waiting_records, .left_ms = v->left_ms,
		.lost_records = v->lost_records, .recovery_ms = v->recovery_ms, .draining = v->draining, .share = v->share,
	};
	if (maintenance) {
		c->state = COMPONENT_STATE_MAINTENANCE;
		c->since = maintenance->opened_at;
	}
	return detail.p && (v->cells || !v->nr_cells) ? 0 : -1;
}

struct turn {
	struct judge *j;
	const struct facts *facts;
	const struct status_incidents *incidents;
	size_t at; /* lines placed so far */
};

static int place(struct turn *t, const char *id, const char *title, const struct verdict *v, struct err *err)
{
	struct line *line = line_at(t->j, t->at, str_from(id));

	if (!line)
		return err_nomem(err, "the judge");
	snprintf(line->title, sizeof(line->title), "%s", title);
	if (v->known || !line->known || v->state > line->state)
		follow(line, v->state, t->facts->now_ms);
	t->at++;
	return show(t->j, line, v, maintenance_of(t->incidents, str_from(line->id), t->facts->now_ms)) < 0 ? err_nomem(err, "the judge") : 0;
}

static int place_storage(struct turn *t, const struct verdict_ctx *ctx, struct err *err)
{
	for (size_t i = 0; i < t->facts->nr_cells; i++) {
		const struct facts_cell *cell = &t->facts->cells[i];
		char id[48], title[160];
		struct verdict v = verdict_storage(ctx, cell);

		snprintf(id, sizeof(id), "storage/" STR_FMT, (int)(cell->name.len < 32 ? cell->name.len : 32), cell->name.p);
		snprintf(title, sizeof(title), "Storage, " STR_FMT, STR_ARG(verdict_cell_title(ctx, cell->name)));
		if (place(t, id, title, &v, err) < 0)
			return -1;
	}
	return 0;
}

int judge_turn(struct judge *j, const struct facts *facts, const struct status_incidents *incidents, const struct status_component **out, size_t *nr,
	       struct err *err)
{
	struct turn t = {j, facts, incidents, 0};
	struct verdict_ctx ctx = {j->conf, facts, &j->arena};
	struct verdict v;

	arena_clear(&j->arena);
	if (accepted_take(&j->accepted, facts, err) < 0)
		return -1;
	v = verdict_push(&ctx, accepted_share(&j->accepted));
	if (place(&t, "push", "Push API", &v, err) < 0)
		return -1;
	v = verdict_processing(&ctx);
	if (place(&t, "processing", "Processing", &v, err) < 0 || place_storage(&t, &ctx, err) < 0)
		return -1;
	v = verdict_alerts(&ctx);
	if (place(&t, "alerts", "Alerts", &v, err) < 0)
		return -1;
	v = verdict_notifications(&ctx);
	if (place(&t, "notifications", "Notifications", &v, err) < 0)
		return -1;
	j->nr = t.at; /* lines behind are of cells that are gone */
	for (size_t i = 0; i < j->nr; i++) {
		j->out[i] = j->lines[i].shown;
		j->out[i].id = str_from(j->lines[i].id); /* lines may have moved since they were shown */
		j->out[i].title = str_from(j->lines[i].title);
	}
	*out = j->out;
	*nr = j->nr;
	return 0;
}
