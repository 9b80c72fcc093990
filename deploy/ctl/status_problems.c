/* status_problems.c - what makes a problem, how much it matters, and what to do; see status.h.
 *
 * Each decision is one find_*() below, which knows neither Kafka nor the screen. A reader of the list begins at its top and may stop at
 * any line, so it is sorted by what depends on it, and what follows from another line is left out where that is plain: a program that
 * refuses partitions is not told as not ready, too. Runbooks have the names of the alert rules, as the same things wake somebody up. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "deploy/ctl/diff.h"
#include "deploy/ctl/grid.h"
#include "deploy/ctl/obeyed.h"
#include "deploy/ctl/printable.h"
#include "deploy/ctl/status.h"

const char *status_severity_name(enum status_severity severity)
{
	static const char *const names[] = {[STATUS_LOSS] = "loss", [STATUS_STANDS] = "stands", [STATUS_DELAYED] = "delayed",
					    [STATUS_DEGRADED] = "degraded", [STATUS_HINT] = "hint"};

	return names[severity];
}

/* Makes room for one more; what was there keeps its place in the arena. */
static int reserve(struct status *s, struct err *err)
{
	size_t cap = s->cap_problems ? 2 * s->cap_problems : 16;
	struct status_problem *problems;

	if (s->nr_problems < s->cap_problems)
		return 0;
	problems = arena_calloc(&s->arena, cap, sizeof(*problems));
	if (!problems)
		return err_nomem(err, "a list of problems");
	if (s->nr_problems)
		memcpy(problems, s->problems, s->nr_problems * sizeof(*problems));
	s->problems = problems;
	s->cap_problems = cap;
	return 0;
}

/* Behind those that matter as much. */
static int __attribute__((format(printf, 5, 6))) add(struct status *s, enum status_severity severity, const char *runbook, struct err *err,
						     const char *fmt, ...)
{
	char text[512];
	struct str copy;
	size_t at = s->nr_problems;
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	printable_trim(text);
	printable(text);
	copy = arena_str(&s->arena, str_from(text));
	if (!copy.p)
		return err_nomem(err, "a list of problems");
	if (reserve(s, err) < 0)
		return -1;
	for (; at && s->problems[at - 1].severity > severity; at--)
		s->problems[at] = s->problems[at - 1];
	s->problems[at] = (struct status_problem){severity, copy.p, runbook};
	s->nr_problems++;
	s->nr_hints += severity == STATUS_HINT;
	return 0;
}

static const char *plural(size_t n)
{
	return n == 1 ? "" : "s";
}

/* Partitions that wait for an operator: 1 when it has told of some. */
static int find_waiting(struct status *s, const struct status_beat *b, struct err *err)
{
	double nr = 0;

	if (status_is_live(b, "millrace-processor") && status_figure(b, "partitions_refused", &nr) && nr > 0)
		return add(s, STATUS_STANDS, "MillracePartitionsRefused", err,
			   STR_FMT " refuses %.0f partition%s until you confirm: millrace-ctl offsets show " STR_FMT " says why", STR_ARG(b->item->key), nr,
			   plural((size_t)nr), STR_ARG(b->item->v.beat.cell)) < 0 ? -1 : 1;
	if (status_is_live(b, "millrace-sink") && status_figure(b, "waiting_partitions", &nr) && nr > 0)
		return add(s, STATUS_STANDS, "MillracePartitionsWaiting", err, STR_FMT ": %.0f partition%s wait%s for you: its log says why",
			   STR_ARG(b->item->key), nr, plural((size_t)nr), nr < 2 ? "s" : "") < 0 ? -1 : 1;
	return 0;
}

static int find_memory(struct status *s, const struct status_beat *b, struct err *err)
{
	int percent = status_memory_percent(b);

	if (percent < STATUS_MEMORY_PERCENT)
		return 0;
	return add(s, STATUS_DEGRADED, "MillraceMemoryNearBudget", err, STR_FMT " takes %d %% of its memory.budget", STR_ARG(b->item->key), percent);
}

static int find_beat_problems(struct status *s, const struct status_beat *b, struct err *err)
{
	char age[GRID_NUMBER_SIZE];
	int told = find_waiting(s, b, err);

	if (told < 0 || (b->state == STATUS_READY || b->state == STATUS_NOT_READY ? find_memory(s, b, err) : 0) < 0)
		return -1;
	if (b->state == STATUS_STALE)
		return add(s, STATUS_DEGRADED, "MillraceInstanceDown", err, STR_FMT ": no heartbeat for %s", STR_ARG(b->item->key),
			   grid_duration(b->age_ms, age));
	if (b->state == STATUS_NOT_READY && !told)
		return add(s, STATUS_DEGRADED, "MillraceNotReady", err, STR_FMT " is not ready", STR_ARG(b->item->key));
	if (b->state == STATUS_UNREADABLE)
		return add(s, STATUS_DEGRADED, NULL, err, STR_FMT ": its heartbeat cannot be read: %s", STR_ARG(b->item->key), b->item->fault);
	return 0;
}

/* Is there a program of this name that is ready (for this cell; cell.p NULL: for any)? */
static bool is_served(const struct status *s, const char *program, struct str cell)
{
	for (size_t i = 0; i < s->nr_beats; i++) {
		const struct heartbeat *beat = &s->beats[i].item->v.beat;

		if (s->beats[i].state == STATUS_READY && str_eq(beat->program, str_from(program)) &&
		    (!cell.p || (beat->has_cell && str_eq(beat->cell, cell))))
			return true;
	}
	return false;
}

/* Is the site in the cell, by the route that is in force? */
static bool is_in(const struct site *site, struct str cell, int64_t now_ms)
{
	size_t i = site->routes_len;

	while (i > 1 && site->routes[i - 1].effective_from > now_ms)
		i--;
	return i && str_eq(site->routes[i - 1].cell, cell);
}

/* Triggers of the sites that are in the cell. */
static int count_triggers(const struct status *s, struct str cell, size_t *nr, struct err *err)
{
	size_t all;
	const struct store_item **triggers = store_list(s->store, STORE_TRIGGERS, &all, err);

	*nr = 0;
	if (!triggers)
		return -1;
	for (size_t i = 0; i < all; i++) {
		const struct site *site = triggers[i]->fault ? NULL : store_site(s->store, triggers[i]->v.trigger.site);

		*nr += site && is_in(site, cell, s->now_ms);
	}
	free(triggers);
	return 0;
}

/* A cell may do without a notifier, but not one whose sites want to be told. */
static int find_untold(struct status *s, struct str cell, struct err *err)
{
	size_t nr;

	if (is_served(s, "millrace-notify", cell))
		return 0;
	if (count_triggers(s, cell, &nr, err) < 0)
		return -1;
	if (!nr)
		return 0;
	return add(s, STATUS_STANDS, "MillraceNoInstance", err, "cell " STR_FMT " has triggers (%zu), and no notifier that is ready: nobody is told of alerts",
		   STR_ARG(cell), nr);
}

/* Sinks that do not ask their database, together, as they mostly do it for one reason. */
static int find_breakers(struct status *s, struct str cell, struct err *err)
{
	size_t nr = 0, nr_open = 0;
	struct str reason, why = STR("");

	for (size_t i = 0; i < s->nr_beats; i++) {
		const struct status_beat *b = &s->beats[i];

		if (!status_is_live(b, "millrace-sink") || !str_eq(b->item->v.beat.cell, cell))
			continue;
		nr++;
		if (status_breaker(b, &reason) == 0)
			continue;
		nr_open++;
		why = why.len ? why : reason;
	}
	if (!nr_open)
		return 0;
	if (nr == 1)
		return add(s, STATUS_STANDS, "MillraceBreakerOpen", err,
			   "cell " STR_FMT ": its sink has stopped asking the database (" STR_FMT "): records wait in Kafka", STR_ARG(cell), STR_ARG(why));
	return add(s, nr_open == nr ? STATUS_STANDS : STATUS_DELAYED, "MillraceBreakerOpen", err,
		   "cell " STR_FMT ": %zu of %zu sinks have stopped asking the database (" STR_FMT "): records wait in Kafka", STR_ARG(cell), nr_open, nr,
		   STR_ARG(why));
}

static int find_cell_problems(struct status *s, const struct store_item *cell, struct err *err)
{
	static const char *const programs[] = {"processor", "sink"};
	char name[32];

	if (cell->fault)
		return add(s, STATUS_STANDS, NULL, err, "cell " STR_FMT ": its record cannot be read: %s", STR_ARG(cell->key), cell->fault);
	if (cell->v.cell.epoch == 0 &&
	    add(s, STATUS_STANDS, NULL, err, "cell " STR_FMT " has no epoch: run millrace-ctl topics apply", STR_ARG(cell->key)) < 0)
		return -1;
	for (size_t i = 0; i < 2; i++) {
		snprintf(name, sizeof(name), "millrace-%s", programs[i]);
		if (!is_served(s, name, cell->key) && add(s, STATUS_STANDS, "MillraceNoInstance", err, "cell " STR_FMT " has no %s that is ready",
							  STR_ARG(cell->key), programs[i]) < 0)
			return -1;
	}
	return find_breakers(s, cell->key, err) < 0 ? -1 : find_untold(s, cell->key, err);
}

/* A difference of some seconds is nothing to be told of as long as retention is short on purpose: a quarter of it must be used up. */
static bool is_loss_near(const struct lag_partition *p)
{
	return p && p->left_ms < STATUS_LOSS_NEAR_MS && p->left_ms <= p->retention_ms - p->retention_ms / 4;
}

static int find_loss(struct status *s, const struct lag_group *g, struct err *err)
{
	char count[GRID_NUMBER_SIZE], left[GRID_NUMBER_SIZE];
	const struct lag_partition *most = NULL;

	for (size_t i = 0; i < g->nr; i++)
		if (g->partitions[i].lost && (!most || g->partitions[i].lost > most->lost))
			most = &g->partitions[i];
	if (most && add(s, STATUS_LOSS, "MillraceRecordsCutOff", err, "%s has lost up to %s records: Kafka deleted them before they were read (most in %s %d)",
			g->name, grid_count(g->lost, count), most->topic, (int)most->partition) < 0)
		return -1;
	if (!is_loss_near(g->next))
		return 0;
	return add(s, STATUS_LOSS, g->next->left_ms < STATUS_LOSS_AT_HAND_MS ? "MillraceHoursToLossCritical" : "MillraceHoursToLossLow", err,
		   "%s: Kafka deletes what is unread in %s %d in %s, unless it is read", g->name, g->next->topic, (int)g->next->partition,
		   grid_duration(g->next->left_ms, left));
}

/* The control that pauses a cell's sink, or NULL. */
static const struct control *pause_of(const struct status *s, const struct lag_group *g)
{
	for (size_t i = 0; i < s->nr_controls && strcmp(g->program, "sink") == 0; i++) {
		const struct control *c = s->controls[i];

		if (c->on == CONTROL_PROGRAM_SINK && c->action == CONTROL_ACTION_PAUSE && (!c->has_cell || str_eq(c->cell, g->cell)))
			return c;
	}
	return NULL;
}

static const char *behind_runbook(const struct lag_group *g)
{
	if (strcmp(g->program, "processor") == 0)
		return "MillraceProcessorBehind";
	return strcmp(g->program, "sink") == 0 ? "MillraceSinkBehind" : "MillraceNotifyBehind";
}

/* By the age of the oldest record, and by records: a million of them may be a minute old, and one a day. What an operator holds up is told
 * as that. */
static int find_late(struct status *s, const struct lag_group *g, struct err *err)
{
	const struct control *pause = pause_of(s, g);
	char lag[GRID_NUMBER_SIZE], most[GRID_NUMBER_SIZE], age[GRID_NUMBER_SIZE], said[160];

	if (g->oldest && g->oldest->age_ms > s->max_age_ms)
		snprintf(said, sizeof(said), "%s behind, %s records (more than %s)", grid_duration(g->oldest->age_ms, age), grid_count(g->total, lag),
			 grid_duration(s->max_age_ms, most));
	else if (g->total > s->max_lag)
		snprintf(said, sizeof(said), "%s records behind (more than %s)", grid_count(g->total, lag), grid_count(s->max_lag, most));
	else
		return 0;
	if (pause)
		return add(s, STATUS_HINT, NULL, err, "%s is %s: " STR_FMT " has paused it: " STR_FMT, g->name, said, STR_ARG(pause->author),
			   STR_ARG(pause->reason));
	return add(s, STATUS_DELAYED, behind_runbook(g), err, "%s is %s", g->name, said);
}

/* Where no notifier is and none is wanted, nobody is late. */
static int is_wanted(const struct status *s, const struct lag_group *g, struct err *err)
{
	size_t nr;

	if (strcmp(g->program, "notify") != 0 || is_served(s, "millrace-notify", g->cell))
		return 1;
	return count_triggers(s, g->cell, &nr, err) < 0 ? -1 : nr > 0;
}

static int find_lag_problems(struct status *s, const struct lag_group *g, struct err *err)
{
	size_t faults = 0, fault = 0;
	int wanted = is_wanted(s, g, err);

	for (size_t i = 0; i < g->nr; i++)
		if (g->partitions[i].fault) {
			fault = i;
			faults++;
		}
	if (faults && add(s, STATUS_STANDS, "MillraceKafkaUnreachable", err, "%s: %zu partitions cannot be asked (%s %d: %s)", g->name, faults,
			  g->partitions[fault].topic, (int)g->partitions[fault].partition, g->partitions[fault].fault) < 0)
		return -1;
	if (g->nr == 0)
		return add(s, STATUS_STANDS, NULL, err, "cell " STR_FMT " has no topics for its %s: run millrace-ctl topics apply", STR_ARG(g->cell),
			   g->program);
	if (wanted <= 0)
		return wanted;
	return find_loss(s, g, err) < 0 ? -1 : find_late(s, g, err);
}

/* A program may take a heartbeat or two to answer. */
static int find_disobeyed(struct status *s, const struct control *c, struct err *err)
{
	struct obeyed obeyed;

	if (clock_real_duration_ms(s->clock, s->now_ms - c->created_at) < STATUS_OBEY_MS)
		return 0;
	obeyed_ask(s, c, -1, &obeyed);
	if (!obeyed.nr_not_by)
		return 0;
	return add(s, STATUS_DEGRADED, NULL, err, "control " STR_FMT " is not obeyed by %s: an older build, or one that hangs", STR_ARG(c->id), obeyed.not_by);
}

static int find_broker_problems(struct status *s, struct err *err)
{
	int leaderless = 0, behind = 0;
	const char *first = NULL;

	for (size_t i = 0; i < s->topics.nr; i++) {
		leaderless += s->topics.topics[i].leaderless;
		behind += s->topics.topics[i].under_replicated;
		if (!first && s->topics.topics[i].leaderless)
			first = s->topics.topics[i].name;
	}
	if (leaderless && add(s, STATUS_STANDS, "MillraceBrokerLost", err, "%d partitions have no leader (of %s and others): brokers are away", leaderless,
			      first) < 0)
		return -1;
	return behind ? add(s, STATUS_DEGRADED, "MillraceBrokerLost", err,
			    "%d partitions have fewer copies in step than they should: a broker is away, or was", behind) : 0;
}

static int find_letters(struct status *s, struct err *err)
{
	const struct letter_tally_row *most = NULL;

	if (*s->letters.fault)
		return add(s, STATUS_DEGRADED, NULL, err, "dead letters cannot be asked for: %s", s->letters.fault);
	for (size_t i = 0; i < s->letters.nr_rows; i++)
		if (!most || s->letters.rows[i].open > most->open)
			most = &s->letters.rows[i];
	if (!s->letters.open)
		return 0;
	return add(s, STATUS_DEGRADED, "MillraceDeadLetters", err, "%s%" PRIu64 " dead letter%s of the last hour %s open (most: %s, %s): millrace-ctl deadletter list --open",
		   s->letters.partial ? "at least " : "", s->letters.open, plural(s->letters.open), s->letters.open == 1 ? "is" : "are",
		   most ? most->topic : "?", most ? most->code : "?");
}

/* What the status page has for operators to do. All of its instances have the same incidents, so one of them is asked; who has none of them misses
 * nothing that stands in the house. */
static int find_page(struct status *s, struct err *err)
{
	const struct status_beat *b = NULL;
	double drafts = 0, due = 0;

	for (size_t i = 0; i < s->nr_beats && !b; i++)
		b = status_is_live(&s->beats[i], "millrace-status") ? &s->beats[i] : NULL;
	if (!b)
		return 0;
	if (status_figure(b, "updates_due", &due) && due > 0 &&
	    add(s, STATUS_HINT, "MillraceStatusUpdateDue", err, "%.0f incident%s on the status page: customers have waited too long for an update", due,
		plural((size_t)due)) < 0)
		return -1;
	if (status_figure(b, "drafts", &drafts) && drafts > 0)
		return add(s, STATUS_HINT, NULL, err, "%.0f incident%s drafted for the status page, and public soon unless edited or vetoed", drafts,
			   plural((size_t)drafts));
	return 0;
}

/* Of one program, as between programs an upgrade goes in steps that may take days. */
static int find_mixed_builds(struct status *s, struct err *err)
{
	for (size_t i = 0; i < s->nr_builds; i++) {
		const struct status_build *a = &s->builds[i], *b = NULL;

		for (size_t j = i + 1; j < s->nr_builds && !b; j++)
			b = str_eq(s->builds[j].program, a->program) ? &s->builds[j] : NULL;
		for (size_t j = 0; j < i && b; j++)
			b = str_eq(s->builds[j].program, a->program) ? NULL : b; /* was told */
		if (b && add(s, STATUS_HINT, "MillraceBuildsMixed", err,
			     STR_FMT " runs as " STR_FMT " (%zu) and " STR_FMT " (%zu): as it should during an upgrade, and not after it", STR_ARG(a->program),
			     STR_ARG(a->build), a->nr, STR_ARG(b->build), b->nr) < 0)
			return -1;
	}
	return 0;
}

/* Who reads such a record goes on with what it was before, or without it. Cells are told of apart. */
static int find_unreadable(struct status *s, struct err *err)
{
	static const enum store_kind kinds[] = {STORE_SITES, STORE_CONTROLS, STORE_TRIGGERS};

	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		size_t nr, faults = 0;
		const struct store_item **items = store_list(s->store, kinds[k], &nr, err), *first = NULL;
		int rc = items ? 0 : -1;

		for (size_t i = 0; rc == 0 && i < nr; i++)
			if (items[i]->fault && !faults++)
				first = items[i];
		if (faults)
			rc = add(s, STATUS_DEGRADED, NULL, err, "%zu of the %ss cannot be read by this millrace-ctl, nor by programs of its build (" STR_FMT ": %s)",
				 faults, kinds[k] == STORE_CONTROLS ? "control" : diff_kind_name(kinds[k]), STR_ARG(first->key), first->fault);
		free(items);
		if (rc < 0)
			return -1;
	}
	return 0;
}

int status_find_problems(struct status *s, struct err *err)
{
	size_t nr;
	const struct store_item **cells = store_list(s->store, STORE_CELLS, &nr, err);
	int rc = cells ? find_broker_problems(s, err) : -1;

	if (rc == 0 && nr == 0)
		rc = add(s, STATUS_STANDS, NULL, err, "there are no cells: millrace-ctl cell add makes one");
	if (rc == 0 && !is_served(s, "millrace-ingest", (struct str){0}))
		rc = add(s, STATUS_STANDS, "MillraceNoInstance", err, "there is no ingest that is ready");
	for (size_t i = 0; rc == 0 && i < nr; i++)
		rc = find_cell_problems(s, cells[i], err);
	for (size_t i = 0; rc == 0 && i < s->nr_beats; i++)
		rc = find_beat_problems(s, &s->beats[i], err);
	for (size_t i = 0; rc == 0 && i < s->nr_groups; i++)
		rc = find_lag_problems(s, &s->groups[i], err);
	for (size_t i = 0; rc == 0 && i < s->nr_controls; i++)
		rc = find_disobeyed(s, s->controls[i], err);
	free(cells);
	if (rc < 0 || find_unreadable(s, err) < 0 || find_letters(s, err) < 0 || find_page(s, err) < 0)
		return -1;
	return find_mixed_builds(s, err);
}
