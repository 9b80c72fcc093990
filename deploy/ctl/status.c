/* status.c - gathering, and judging heartbeats one by one; see status.h.
 *
 * What of it makes a problem is status_problems.c's. What Kafka does not answer is left out where the rest says enough without it: the
 * screen is wanted most when things are bad. So the age of records, retention and dead letters may be unknown; tables, topics and lag may not. */
#include "deploy/ctl/status.h"

#include <stdlib.h>
#include <string.h>

#include "deploy/ctl/commands.h"
#include "deploy/ctl/grid.h"
#include "common/lag_age.h"

const char *status_state_name(enum status_beat_state state)
{
	static const char *const names[] = {[STATUS_READY] = "ready", [STATUS_NOT_READY] = "not ready", [STATUS_STALE] = "stale",
					    [STATUS_GONE] = "gone", [STATUS_UNREADABLE] = "unreadable"};

	return names[state];
}

const char *status_breaker_name(int state)
{
	static const char *const names[] = {"closed", "half-open", "open"};

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

/* Beats are sorted by program, so builds are too. */
static int count_builds(struct status *s, struct err *err)
{
	s->builds = arena_calloc(&s->arena, s->nr_beats, sizeof(*s->builds));
	if (!s->builds)
		return err_nomem(err, "a list of builds");
	for (size_t i = 0, b; i < s->nr_beats; i++) {
		const struct heartbeat *beat = &s->beats[i].item->v.beat;

		if (s->beats[i].state == STATUS_GONE || s->beats[i].state == STATUS_UNREADABLE)
			continue;
		for (b = 0; b < s->nr_builds; b++)
			if (str_eq(s->builds[b].program, beat->program) && str_eq(s->builds[b].build, beat->build))
				break;
		if (b == s->nr_builds)
			s->builds[s->nr_builds++] = (struct status_build){.program = beat->program, .build = beat->build};
		s->builds[b].nr++;
	}
	return 0;
}

int status_judge_beats(struct status *s, const struct clock *clock, struct err *err)
{
	size_t nr;
	const struct store_item **items = store_list(s->store, STORE_BEATS, &nr, err);

	if (!items)
		return -1;
	s->clock = clock;
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
	return count_builds(s, err);
}

bool status_is_live(const struct status_beat *b, const char *program)
{
	return (b->state == STATUS_READY || b->state == STATUS_NOT_READY) && str_eq(b->item->v.beat.program, str_from(program));
}

bool status_figure(const struct status_beat *b, const char *name, double *out)
{
	const struct heartbeat *beat = &b->item->v.beat;

	for (size_t i = 0; i < beat->figures_len; i++)
		if (str_eq(beat->figures[i].key, str_from(name))) {
			*out = beat->figures[i].value;
			return true;
		}
	return false;
}

int status_breaker(const struct status_beat *b, struct str *reason)
{
	const struct heartbeat *beat = &b->item->v.beat;
	double state = 0;

	*reason = STR("");
	for (size_t i = 0; i < beat->figures_len; i++) {
		struct str rest = beat->figures[i].key;

		if (beat->figures[i].value > 0 && str_take(&rest, "breaker."))
			*reason = rest;
	}
	if (!status_figure(b, "breaker_state", &state))
		return 0;
	return state >= 2 ? 2 : state >= 1 ? 1 : 0;
}

int status_memory_percent(const struct status_beat *b)
{
	double used, budget;

	if (!status_figure(b, "memory_bytes", &used) || !status_figure(b, "memory_budget_bytes", &budget) || !(budget >= 1 && used >= 0))
		return -1;
	return used / budget < 100 ? (int)(100 * used / budget) : 9999;
}

bool status_is_one_build(const struct status *s)
{
	for (size_t i = 1; i < s->nr_builds; i++)
		if (!str_eq(s->builds[i].build, s->builds[0].build))
			return false;
	return true;
}

int status_list_controls(struct status *s, struct err *err)
{
	size_t nr;
	const struct store_item **items = store_list(s->store, STORE_CONTROLS, &nr, err);

	if (!items)
		return -1;
	s->controls = arena_calloc(&s->arena, nr, sizeof(*s->controls));
	for (size_t i = 0; s->controls && i < nr; i++)
		if (!items[i]->fault && items[i]->v.control.expires_at > s->now_ms)
			s->controls[s->nr_controls++] = &items[i]->v.control;
	free(items);
	return s->controls ? 0 : err_nomem(err, "a list of controls");
}

static void count_answers(void *ctx, size_t done, size_t total)
{
	progress_count(ctx, done, total, "partitions");
}

/* What stays unknown is told once, beside the screen. */
static void gather_ages(struct status *s, struct ctl *ctl)
{
	struct err err = ERR_INIT;

	progress_begin(ctl->progress, "asking for the oldest unread records");
	if (lag_retention_read(cluster_client(ctl->cluster), s->groups, s->nr_groups, &err) < 0 ||
	    lag_age_read(&ctl->program, s->groups, s->nr_groups, count_answers, ctl->progress, &err) < 0) {
		progress_hide(ctl->progress);
		ctl_hint("warning: how old unread records are is not known: %s", err.msg);
	}
	for (size_t i = 0; i < s->nr_groups; i++)
		lag_age_sum(&s->groups[i], &ctl->program.clock);
}

/* Lag of every cell's groups. */
static int gather_lag(struct status *s, struct ctl *ctl, struct err *err)
{
	const struct store_item **cells = store_list(s->store, STORE_CELLS, &s->nr_cells, err);
	rd_kafka_t *rk = cluster_client(ctl->cluster);
	int rc = -1;

	progress_begin(ctl->progress, "asking how far the groups of %zu cells are behind", s->nr_cells);
	if (!cells || topic_list_read(rk, &s->arena, &s->topics, err) < 0)
		goto out;
	s->groups = arena_calloc(&s->arena, LAG_GROUPS * s->nr_cells, sizeof(*s->groups));
	if (!s->groups) {
		err_nomem(err, "a list of groups");
		goto out;
	}
	for (size_t i = 0; i < s->nr_cells; i++, s->nr_groups += LAG_GROUPS)
		if (lag_plan(cells[i]->key, &s->topics, &s->arena, &s->groups[s->nr_groups], err) < 0)
			goto out;
	rc = lag_read(cluster_consumer(ctl->cluster), s->groups, s->nr_groups, &s->arena, err);
	if (rc == 0)
		gather_ages(s, ctl);
out:
	progress_end(ctl->progress);
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
	if (gather_lag(s, ctl, err) < 0)
		return -1;
	letter_tally_read(&s->letters, ctl);
	if (cluster_follow(ctl->cluster, 0, err) < 0 || status_judge_beats(s, &ctl->program.clock, err) < 0 || status_list_controls(s, err) < 0)
		return -1;
	return status_find_problems(s, err);
}

int status_run(struct ctl *ctl, struct err *err)
{
	struct status s = {.store = cluster_store(ctl->cluster), .max_lag = args_int(&ctl->args, "max-lag"),
			   .max_age_ms = args_int(&ctl->args, "max-age")};
	struct json_writer w;
	int rc = gather(&s, ctl, err);

	if (rc == 0 && ctl->json) {
		json_write_begin(&w);
		status_write_json(&s, &w);
		rc = json_write_print(&w, ctl->out, err);
	} else if (rc == 0) {
		status_print(&s, grid_wants_colour(ctl->out), grid_width(ctl->out), ctl->out);
	}
	if (rc == 0 && s.nr_problems > s.nr_hints)
		rc = 1;
	arena_fini(&s.arena);
	return rc;
}
