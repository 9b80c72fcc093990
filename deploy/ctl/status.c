/* status.c - gathering and judging; see status.h.
 *
 * What makes a problem is a decision, kept in the status_find_*() below, which know neither Kafka nor the
 * screen: a cell that nobody serves, triggers that nobody is told of, a program that is silent or not ready, a
 * group too far behind, a record that cannot be read. Each says the thing's name and what to do, where that is known. The order is
 * that of importance: what is missing, what is ill, what is late. */
#include "deploy/ctl/status.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "deploy/ctl/commands.h"
#include "deploy/ctl/grid.h"
#include "deploy/ctl/printable.h"

const char *status_state_name(enum status_state state)
{
	static const char *const names[] = {[STATUS_READY] = "ready", [STATUS_NOT_READY] = "not ready", [STATUS_STALE] = "stale",
					    [STATUS_GONE] = "gone", [STATUS_UNREADABLE] = "unreadable"};

	return names[state];
}

/* Do the two do the same work: the same program, for the same cell? */
static bool same_post(const struct heartbeat *a, const struct heartbeat *b)
{
	return str_eq(a->program, b->program) && a->has_cell == b->has_cell && (!a->has_cell || str_eq(a->cell, b->cell));
}

/* Does somebody who is ready do what this one did? */
static bool is_replaced(const struct status *s, const struct status_beat *gone)
{
	for (size_t i = 0; i < s->nr_beats; i++)
		if (s->beats[i].state == STATUS_READY && same_post(&s->beats[i].item->v.beat, &gone->item->v.beat))
			return true;
	return false;
}

/* Kafka's timestamp counts, not the beat's own: it means the same in every program. */
static void judge_beat(struct status_beat *b, const struct clock *clock)
{
	int64_t now = clock_now_ms(clock), age = now - b->item->timestamp_ms;
	const struct heartbeat *beat = &b->item->v.beat;

	b->age_ms = age > 0 ? clock_real_duration_ms(clock, age) : 0;
	if (b->item->fault) {
		b->state = STATUS_UNREADABLE;
		return;
	}
	b->up_ms = now - beat->started_at;
	if (b->age_ms > (int64_t)STATUS_STALE_INTERVALS * (beat->interval_ms > 0 ? beat->interval_ms : 1))
		b->state = STATUS_STALE;
	else
		b->state = beat->ready ? STATUS_READY : STATUS_NOT_READY;
}

int status_judge_beats(struct status *s, const struct clock *clock, struct err *err)
{
	size_t nr;
	const struct store_item **items = store_list(s->store, STORE_BEATS, &nr, err);

	if (!items)
		return -1;
	s->now_ms = clock_now_ms(clock);
	s->beats = arena_calloc(&s->arena, nr, sizeof(*s->beats));
	if (!s->beats) {
		free(items);
		return err_nomem(err, "a list of heartbeats");
	}
	for (size_t i = 0; i < nr; i++) {
		s->beats[i].item = items[i];
		judge_beat(&s->beats[i], clock);
	}
	s->nr_beats = nr;
	for (size_t i = 0; i < nr; i++)
		if (s->beats[i].state == STATUS_STALE && s->beats[i].age_ms > STATUS_GONE_MS && is_replaced(s, &s->beats[i]))
			s->beats[i].state = STATUS_GONE;
	free(items);
	return 0;
}

static int __attribute__((format(printf, 3, 4))) add_problem(struct status *s, struct err *err, const char *fmt, ...)
{
	char text[512];
	struct str copy;
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	printable_trim(text);
	printable(text);
	copy = arena_str(&s->arena, str_from(text));
	if (s->nr_problems == s->cap_problems) {
		size_t cap = s->cap_problems ? 2 * s->cap_problems : 16;
		const char **problems = arena_calloc(&s->arena, cap, sizeof(*problems));

		if (problems && s->nr_problems)
			memcpy(problems, s->problems, s->nr_problems * sizeof(*problems));
		if (!problems)
			return err_nomem(err, "a list of problems");
		s->problems = problems;
		s->cap_problems = cap;
	}
	if (!copy.p)
		return err_nomem(err, "a list of problems");
	s->problems[s->nr_problems++] = copy.p;
	return 0;
}

static int find_beat_problems(struct status *s, struct err *err)
{
	char age[GRID_NUMBER_SIZE];
	int rc = 0;

	for (size_t i = 0; i < s->nr_beats && rc == 0; i++) {
		const struct status_beat *b = &s->beats[i];

		if (b->state == STATUS_STALE)
			rc = add_problem(s, err, STR_FMT ": no heartbeat for %s", STR_ARG(b->item->key), grid_duration(b->age_ms, age));
		else if (b->state == STATUS_NOT_READY)
			rc = add_problem(s, err, STR_FMT " is not ready", STR_ARG(b->item->key));
		else if (b->state == STATUS_UNREADABLE)
			rc = add_problem(s, err, STR_FMT ": its heartbeat cannot be read: %s", STR_ARG(b->item->key), b->item->fault);
	}
	return rc;
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

/* A cell may do without a notifier, but not one whose sites want to be told. */
static int find_untold(struct status *s, struct str cell, struct err *err)
{
	size_t nr, nr_untold = 0;
	const struct store_item **triggers;

	if (is_served(s, "millrace-notify", cell))
		return 0;
	triggers = store_list(s->store, STORE_TRIGGERS, &nr, err);
	if (!triggers)
		return -1;
	for (size_t i = 0; i < nr; i++) {
		const struct site *site = triggers[i]->fault ? NULL : store_site(s->store, triggers[i]->v.trigger.site);

		nr_untold += site && is_in(site, cell, s->now_ms);
	}
	free(triggers);
	if (!nr_untold)
		return 0;
	return add_problem(s, err, "cell " STR_FMT " has triggers (%zu), and no notifier that is ready: nobody is told of alerts", STR_ARG(cell), nr_untold);
}

static int find_cell_problems(struct status *s, const struct store_item *cell, struct err *err)
{
	static const char *const programs[] = {"processor", "sink"};
	char name[32];

	if (cell->fault)
		return add_problem(s, err, "cell " STR_FMT ": its record cannot be read: %s", STR_ARG(cell->key), cell->fault);
	if (cell->v.cell.epoch == 0 &&
	    add_problem(s, err, "cell " STR_FMT " has no epoch: run millrace-ctl topics apply", STR_ARG(cell->key)) < 0)
		return -1;
	for (size_t i = 0; i < 2; i++) {
		snprintf(name, sizeof(name), "millrace-%s", programs[i]);
		if (!is_served(s, name, cell->key) &&
		    add_problem(s, err, "cell " STR_FMT " has no %s that is ready", STR_ARG(cell->key), programs[i]) < 0)
			return -1;
	}
	return find_untold(s, cell->key, err);
}

/* The bound is one of records and of a group. It is coarse: how long the group takes for them depends on
 * what is in them; the processor's own lag in seconds is a metric. */
static int find_lag_problems(struct status *s, const struct lag_group *g, struct err *err)
{
	char lag[GRID_NUMBER_SIZE], most[GRID_NUMBER_SIZE];
	size_t faults = 0, fault = 0;

	for (size_t i = 0; i < g->nr; i++)
		if (g->partitions[i].fault) {
			fault = i;
			faults++;
		}
	if (faults && add_problem(s, err, "%s: %zu partitions cannot be asked (%s %d: %s)", g->name, faults, g->partitions[fault].topic,
				  (int)g->partitions[fault].partition, g->partitions[fault].fault) < 0)
		return -1;
	if (g->nr == 0)
		return add_problem(s, err, "cell " STR_FMT " has no topics for its %s: run millrace-ctl topics apply", STR_ARG(g->cell),
				   g->program);
	if (g->total <= s->max_lag)
		return 0;
	return add_problem(s, err, "%s is %s records behind (more than %s)", g->name, grid_count(g->total, lag),
			   grid_count(s->max_lag, most));
}

int status_find_problems(struct status *s, struct err *err)
{
	size_t nr;
	const struct store_item **cells = store_list(s->store, STORE_CELLS, &nr, err);
	int rc = cells ? 0 : -1;

	if (rc == 0 && nr == 0)
		rc = add_problem(s, err, "there are no cells: millrace-ctl cell add makes one");
	if (rc == 0 && !is_served(s, "millrace-ingest", (struct str){0}))
		rc = add_problem(s, err, "there is no ingest that is ready");
	for (size_t i = 0; rc == 0 && i < nr; i++)
		rc = find_cell_problems(s, cells[i], err);
	if (rc == 0)
		rc = find_beat_problems(s, err);
	for (size_t i = 0; rc == 0 && i < s->nr_groups; i++)
		rc = find_lag_problems(s, &s->groups[i], err);
	free(cells);
	return rc;
}

/* Lag of every cell's groups. */
static int gather_lag(struct status *s, rd_kafka_t *rk, struct err *err)
{
	const struct store_item **cells = store_list(s->store, STORE_CELLS, &s->nr_cells, err);
	struct topic_list topics;
	int rc = -1;

	if (!cells || topic_admin_list(rk, &s->arena, &topics, err) < 0)
		goto out;
	s->nr_brokers = topics.brokers;
	s->groups = arena_calloc(&s->arena, LAG_GROUPS * s->nr_cells, sizeof(*s->groups));
	if (!s->groups) {
		err_nomem(err, "a list of groups");
		goto out;
	}
	for (size_t i = 0; i < s->nr_cells; i++, s->nr_groups += LAG_GROUPS)
		if (lag_plan(cells[i]->key, &topics, &s->arena, &s->groups[s->nr_groups], err) < 0)
			goto out;
	rc = lag_read(rk, s->groups, s->nr_groups, &s->arena, err);
out:
	free(cells);
	return rc;
}

static int gather(struct status *s, struct ctl *ctl, struct err *err)
{
	const struct store_item **sites;
	size_t size = 256;
	char brokers[256] = "";

	if (ctl_load_also(ctl, CLUSTER_BIT(STORE_BEATS) | CLUSTER_BIT(STORE_TRIGGERS), err) < 0)
		return -1;
	rd_kafka_conf_get(rd_kafka_conf(cluster_client(ctl->cluster)), "metadata.broker.list", brokers, &size);
	s->brokers = arena_str(&s->arena, str_from(brokers)).p;
	sites = store_list(s->store, STORE_SITES, &s->nr_sites, err);
	free(sites);
	if (!sites || !s->brokers)
		return err_nomem(err, "the status");
	if (status_judge_beats(s, &ctl->program.clock, err) < 0 || gather_lag(s, cluster_client(ctl->cluster), err) < 0)
		return -1;
	return status_find_problems(s, err);
}

int status_run(struct ctl *ctl, struct err *err)
{
	struct status s = {.store = cluster_store(ctl->cluster), .max_lag = args_int(&ctl->args, "max-lag")};
	struct json_writer w;
	int rc = gather(&s, ctl, err);

	if (rc == 0 && ctl->json) {
		json_write_begin(&w);
		status_write_json(&s, &w);
		rc = json_write_print(&w, ctl->out, err);
	} else if (rc == 0) {
		status_print(&s, grid_wants_colour(ctl->out), ctl->out);
	}
	if (rc == 0 && s.nr_problems)
		rc = 1;
	arena_fini(&s.arena);
	return rc;
}
