/* verdict.c - see verdict.h.
 *
 * Three components are a matter of lag in one group a cell: processing, storage, notifications. A cell's lag has one of four degrees; over cells the page is as bad
 * as the worst, but a major outage only when every cell has one. */
#include "sink/status/verdict.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"

#define SHARE_DEGRADED 0.99
#define SHARE_PARTIAL 0.9
#define SHARE_MAJOR 0.5

#define NOTHING {.known = true, .behind_ms = 0, .left_ms = -1, .recovery_ms = -1, .share = -1}

const char *verdict_duration(int64_t ms, char out[VERDICT_DURATION_SIZE])
{
	int64_t s = ms > 0 ? ms / 1000 : 0, min = s / 60, h = min / 60, d = h / 24;

	if (s < 120)
		snprintf(out, VERDICT_DURATION_SIZE, "%" PRId64 " s", s);
	else if (min < 120)
		snprintf(out, VERDICT_DURATION_SIZE, "%" PRId64 " min", min);
	else if (h < 48)
		snprintf(out, VERDICT_DURATION_SIZE, min % 60 ? "%" PRId64 " h %" PRId64 " min" : "%" PRId64 " h", h, min % 60);
	else
		snprintf(out, VERDICT_DURATION_SIZE, h % 24 ? "%" PRId64 " days %" PRId64 " h" : "%" PRId64 " days", d, h % 24);
	return out;
}

void verdict_safety(struct buf *out, int64_t left_ms, int64_t lost_records)
{
	char left[VERDICT_DURATION_SIZE];

	verdict_duration(left_ms, left);
	if (lost_records > 0)
		buf_printf(out, "%" PRId64 " record%s expired before %s read.", lost_records, lost_records == 1 ? "" : "s",
			   lost_records == 1 ? "it was" : "they were");
	else if (left_ms >= 0 && left_ms < VERDICT_DANGER_MS)
		buf_printf(out, "Nothing is lost so far; the oldest data expires in %s.", left);
	else if (left_ms >= 0)
		buf_printf(out, "Data is delayed, not lost: it is kept for another %s.", left);
	else
		buf_printf(out, "Data is delayed, not lost.");
}

/* The i-th "name=title" of page.cells begins at *at; false at the end. */
static bool next_title(const char **at, struct str *name, struct str *title)
{
	size_t n = strcspn(*at, ",");
	const char *eq = memchr(*at, '=', n);

	if (!n && !**at)
		return false;
	*name = (struct str){*at, eq ? (size_t)(eq - *at) : n};
	*title = eq ? (struct str){eq + 1, n - (size_t)(eq + 1 - *at)} : *name;
	*at += n + ((*at)[n] == ',');
	return true;
}

struct str verdict_cell_title(const struct verdict_ctx *ctx, struct str cell)
{
	const char *at = ctx->conf->cell_titles ? ctx->conf->cell_titles : "";
	struct str name, title;

	while (next_title(&at, &name, &title))
		if (str_eq(name, cell) && title.len)
			return title;
	return cell;
}

static void __attribute__((format(printf, 2, 3))) say(struct verdict *v, const char *fmt, ...)
{
	size_t len = strlen(v->detail);
	va_list args;

	if (len && len + 1 < sizeof(v->detail)) {
		v->detail[len++] = ' ';
		v->detail[len] = '\0';
	}
	va_start(args, fmt);
	vsnprintf(v->detail + len, sizeof(v->detail) - len, fmt, args);
	va_end(args);
	v->detail[str_cut_utf8(str_from(v->detail), sizeof(v->detail) - 1).len] = '\0';
}

static void say_safety(struct verdict *v)
{
	struct buf b = BUF_INIT;

	verdict_safety(&b, v->left_ms, v->lost_records);
	if (!buf_failed(&b))
		say(v, "%.*s", (int)b.len, (const char *)b.p);
	buf_fini(&b);
}

static void worsen(struct verdict *v, enum component_state state)
{
	if (state > v->state)
		v->state = state;
}

static bool is_of(const struct facts_instance *i, const char *program, struct str cell)
{
	return str_eq(i->beat->program, str_from(program)) && (!cell.p || (i->beat->has_cell && str_eq(i->beat->cell, cell)));
}

static double figure(const struct heartbeat *beat, const char *name)
{
	for (size_t i = 0; i < beat->figures_len; i++)
		if (str_eq(beat->figures[i].key, str_from(name)))
			return beat->figures[i].value;
	return 0;
}

/* Instances of a program in a cell (cell.p NULL: anywhere). */
struct census {
	size_t heard_of, live, ready, braking; /* braking: its figure of that name is not 0: a breaker that is not closed */
};

static struct census count(const struct facts *f, const char *program, struct str cell, const char *figure_name)
{
	struct census c = {0};

	for (size_t i = 0; i < f->nr_instances; i++) {
		const struct facts_instance *one = &f->instances[i];

		if (!is_of(one, program, cell))
			continue;
		c.heard_of++;
		c.live += one->live;
		c.ready += one->live && one->beat->ready;
		c.braking += one->live && figure_name && figure(one->beat, figure_name) > 0;
	}
	return c;
}

/* Is a control in force for this program and action that covers all (cell.p NULL), or this whole cell? */
static bool is_controlled(const struct facts *f, enum control_program on, enum control_action action, struct str cell)
{
	for (size_t i = 0; i < f->nr_controls; i++) {
		const struct control *c = f->controls[i];

		if (c->on == on && c->action == action && !c->has_site && !c->has_kind && !c->has_trigger &&
		    (!c->has_cell || (cell.p && str_eq(c->cell, cell))))
			return true;
	}
	return false;
}

/* Is there any such control, whatever its scope? */
static bool is_controlled_somewhere(const struct facts *f, enum control_program on, enum control_action action)
{
	for (size_t i = 0; i < f->nr_controls; i++)
		if (f->controls[i]->on == on && f->controls[i]->action == action)
			return true;
	return false;
}

static enum component_state state_of_share(double share)
{
	if (share < 0)
		return COMPONENT_STATE_OPERATIONAL;
	return share < SHARE_MAJOR ? COMPONENT_STATE_MAJOR_OUTAGE : share < SHARE_PARTIAL ? COMPONENT_STATE_PARTIAL_OUTAGE :
	       share < SHARE_DEGRADED ? COMPONENT_STATE_DEGRADED : COMPONENT_STATE_OPERATIONAL;
}

struct verdict verdict_push(const struct verdict_ctx *ctx, double share)
{
	const struct str anywhere = {NULL, 0};
	struct census c = count(ctx->facts, "millrace-ingest", anywhere, NULL);
	struct verdict v = NOTHING;

	v.share = share;
	worsen(&v, state_of_share(share));
	if (c.ready == 0) {
		worsen(&v, COMPONENT_STATE_MAJOR_OUTAGE);
		say(&v, "No instance takes data.");
	} else if (c.ready < c.live) {
		worsen(&v, COMPONENT_STATE_DEGRADED);
		say(&v, "%zu of %zu instances take data.", c.ready, c.live);
	}
	if (is_controlled(ctx->facts, CONTROL_PROGRAM_INGEST, CONTROL_ACTION_CLOSE, anywhere)) {
		worsen(&v, COMPONENT_STATE_MAJOR_OUTAGE);
		say(&v, "An operator has closed the way in.");
	} else if (is_controlled_somewhere(ctx->facts, CONTROL_PROGRAM_INGEST, CONTROL_ACTION_CLOSE)) {
		worsen(&v, COMPONENT_STATE_DEGRADED);
		say(&v, "An operator has closed the way in for a part.");
	}
	if (state_of_share(share) != COMPONENT_STATE_OPERATIONAL)
		say(&v, "%.0f %% of the last minute's requests were taken.", share * 100);
	if (v.state > COMPONENT_STATE_OPERATIONAL)
		say(&v, "Agents keep what is not taken, and send it again.");
	return v;
}

/* How bad a cell's group is by its lag and its instances. */
static enum component_state state_of_lag(const struct judge_conf *conf, const struct facts_lag *lag, const struct census *c)
{
	if (lag->waiting_records == 0)
		return COMPONENT_STATE_OPERATIONAL; /* nobody waits for anything, whoever is there */
	if (lag->behind_ms >= 0 && lag->behind_ms < VERDICT_STILL_MS && c->live)
		return COMPONENT_STATE_OPERATIONAL;
	if (!c->live || lag->still_ms >= VERDICT_STILL_MS)
		return COMPONENT_STATE_MAJOR_OUTAGE;
	if (lag->behind_ms >= conf->outage_ms)
		return lag->draining ? COMPONENT_STATE_PARTIAL_OUTAGE : COMPONENT_STATE_MAJOR_OUTAGE;
	return lag->behind_ms >= conf->degraded_ms ? COMPONENT_STATE_DEGRADED : COMPONENT_STATE_OPERATIONAL;
}

/* Adds one cell's lag to the figures of all: the worst of each, the sum of records. Of one that is well how long it takes is no matter: a queue that never runs
 * dry would take for ever. One that is affected and does not say takes the word from all others. */
static void add_lag(struct verdict *v, const struct facts_lag *lag, enum component_state state)
{
	bool first = v->nr_cells == 0;

	v->waiting_records += lag->waiting_records;
	v->lost_records += lag->lost_records;
	if (lag->behind_ms > v->behind_ms)
		v->behind_ms = lag->behind_ms;
	if (lag->left_ms >= 0 && (v->left_ms < 0 || lag->left_ms < v->left_ms))
		v->left_ms = lag->left_ms;
	if (state == COMPONENT_STATE_OPERATIONAL)
		return;
	v->recovery_ms = lag->recovery_ms < 0 || (!first && v->recovery_ms < 0) ? -1 : lag->recovery_ms > v->recovery_ms ? lag->recovery_ms : v->recovery_ms;
	v->draining = lag->draining && (first || v->draining);
}

static void add_cell(const struct verdict_ctx *ctx, struct verdict *v, struct str cell)
{
	if (!v->nr_cells)
		v->cells = arena_calloc(ctx->arena, ctx->facts->nr_cells + 1, sizeof(*v->cells));
	if (v->cells && !(v->cells[v->nr_cells] = arena_str(ctx->arena, cell)).p)
		v->cells = NULL;
	v->nr_cells++;
}

/* "in Europe", "in Europe and 2 other cells", or nothing where all cells are meant. */
static void say_where(const struct verdict_ctx *ctx, struct verdict *v, const char *what)
{
	char behind[VERDICT_DURATION_SIZE], where[200] = "";

	if (v->nr_cells && v->cells && ctx->facts->nr_cells > 1) {
		struct str first = verdict_cell_title(ctx, v->cells[0]);

		if (v->nr_cells == 1)
			snprintf(where, sizeof(where), " in " STR_FMT, STR_ARG(first));
		else if (v->nr_cells == ctx->facts->nr_cells)
			snprintf(where, sizeof(where), " in all cells");
		else
			snprintf(where, sizeof(where), " in " STR_FMT " and %zu more", STR_ARG(first), v->nr_cells - 1);
	}
	if (v->behind_ms > 0)
		say(v, "%s%s is %s behind.", what, where, verdict_duration(v->behind_ms, behind));
	else
		say(v, "%s%s is delayed.", what, where);
}

struct verdict verdict_storage(const struct verdict_ctx *ctx, const struct facts_cell *cell)
{
	struct census c = count(ctx->facts, "millrace-sink", cell->name, "breaker_state");
	struct verdict v = NOTHING;

	v.known = cell->sink.known;
	if (!v.known)
		return v;
	worsen(&v, state_of_lag(ctx->conf, &cell->sink, &c));
	if (c.braking && cell->sink.waiting_records)
		worsen(&v, c.braking == c.live ? COMPONENT_STATE_MAJOR_OUTAGE : COMPONENT_STATE_DEGRADED);
	add_lag(&v, &cell->sink, v.state);
	if (v.state == COMPONENT_STATE_OPERATIONAL)
		return v;
	add_cell(ctx, &v, cell->name);
	if (c.braking)
		say(&v, "The database does not take data.");
	if (is_controlled(ctx->facts, CONTROL_PROGRAM_SINK, CONTROL_ACTION_PAUSE, cell->name))
		say(&v, "An operator has paused storing.");
	say_where(ctx, &v, "Storing");
	say_safety(&v);
	return v;
}

/* What processing says of one cell; operational where nothing is known or nothing waits. */
static enum component_state state_of_processing(const struct verdict_ctx *ctx, const struct facts_cell *cell)
{
	struct census c = count(ctx->facts, "millrace-processor", cell->name, NULL);

	return cell->processor.known ? state_of_lag(ctx->conf, &cell->processor, &c) : COMPONENT_STATE_OPERATIONAL;
}

/* Takes a cell's lag and state into those of all, which is a major outage only if that of each of them is. */
static void add_state(const struct verdict_ctx *ctx, struct verdict *v, struct str cell, const struct facts_lag *lag, enum component_state state, size_t *nr_major)
{
	add_lag(v, lag, state);
	if (state == COMPONENT_STATE_OPERATIONAL)
		return;
	*nr_major += state == COMPONENT_STATE_MAJOR_OUTAGE;
	add_cell(ctx, v, cell);
	worsen(v, state == COMPONENT_STATE_MAJOR_OUTAGE ? COMPONENT_STATE_PARTIAL_OUTAGE : state);
}

struct verdict verdict_processing(const struct verdict_ctx *ctx)
{
	struct verdict v = NOTHING;
	size_t nr_major = 0;

	for (size_t i = 0; i < ctx->facts->nr_cells; i++) {
		const struct facts_cell *cell = &ctx->facts->cells[i];

		v.known &= cell->processor.known;
		if (!cell->processor.known)
			continue;
		add_state(ctx, &v, cell->name, &cell->processor, state_of_processing(ctx, cell), &nr_major);
	}
	if (nr_major && nr_major == ctx->facts->nr_cells)
		worsen(&v, COMPONENT_STATE_MAJOR_OUTAGE);
	if (v.state > COMPONENT_STATE_OPERATIONAL) {
		say_where(ctx, &v, "Processing");
		say_safety(&v);
	}
	return v;
}

struct verdict verdict_alerts(const struct verdict_ctx *ctx)
{
	const struct str anywhere = {NULL, 0};
	struct verdict v = NOTHING;
	size_t nr_major = 0, nr = 0;
	bool muted = is_controlled(ctx->facts, CONTROL_PROGRAM_PROCESSOR, CONTROL_ACTION_MUTE, anywhere);

	for (size_t i = 0; i < ctx->facts->nr_cells; i++) {
		const struct facts_cell *cell = &ctx->facts->cells[i];

		if (!cell->has_triggers)
			continue;
		nr++;
		v.known &= cell->processor.known;
		muted |= is_controlled(ctx->facts, CONTROL_PROGRAM_PROCESSOR, CONTROL_ACTION_MUTE, cell->name);
		if (!cell->processor.known)
			continue;
		add_state(ctx, &v, cell->name, &cell->processor, state_of_processing(ctx, cell), &nr_major);
	}
	if (nr_major && nr_major == nr)
		worsen(&v, COMPONENT_STATE_MAJOR_OUTAGE);
	if (v.state > COMPONENT_STATE_OPERATIONAL)
		say_where(ctx, &v, "Judging alerts");
	if (muted) {
		worsen(&v, COMPONENT_STATE_DEGRADED);
		say(&v, "An operator has muted alerts of a part.");
	}
	return v;
}

/* What notifications are in one cell that has triggers. That none of those who live is on duty is so for seconds whenever one replaces another; when it stays so, what
 * waits tells. */
static enum component_state state_of_notify(const struct verdict_ctx *ctx, const struct facts_cell *cell)
{
	struct census c = count(ctx->facts, "millrace-notify", cell->name, NULL);

	if (!c.heard_of && !cell->notify.waiting_records)
		return COMPONENT_STATE_OPERATIONAL;
	if (!c.live)
		return COMPONENT_STATE_MAJOR_OUTAGE;
	return state_of_lag(ctx->conf, &cell->notify, &c);
}

struct verdict verdict_notifications(const struct verdict_ctx *ctx)
{
	const struct str anywhere = {NULL, 0};
	struct verdict v = NOTHING;
	size_t nr_major = 0, nr = 0;
	bool held = is_controlled(ctx->facts, CONTROL_PROGRAM_NOTIFY, CONTROL_ACTION_PAUSE, anywhere) ||
		    is_controlled(ctx->facts, CONTROL_PROGRAM_NOTIFY, CONTROL_ACTION_DROP, anywhere);

	for (size_t i = 0; i < ctx->facts->nr_cells; i++) {
		const struct facts_cell *cell = &ctx->facts->cells[i];

		if (!cell->has_triggers)
			continue;
		nr++;
		v.known &= cell->notify.known;
		held |= is_controlled(ctx->facts, CONTROL_PROGRAM_NOTIFY, CONTROL_ACTION_PAUSE, cell->name) ||
			is_controlled(ctx->facts, CONTROL_PROGRAM_NOTIFY, CONTROL_ACTION_DROP, cell->name);
		add_state(ctx, &v, cell->name, &cell->notify, state_of_notify(ctx, cell), &nr_major);
	}
	if (nr_major && nr_major == nr)
		worsen(&v, COMPONENT_STATE_MAJOR_OUTAGE);
	if (v.state > COMPONENT_STATE_OPERATIONAL)
		say_where(ctx, &v, "Telling of alerts");
	if (held) {
		worsen(&v, COMPONENT_STATE_DEGRADED);
		say(&v, "An operator holds notifications of a part back.");
	}
	return v;
}
