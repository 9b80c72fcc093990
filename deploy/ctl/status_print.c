/* status_print.c - the status as a screen and as JSON; see status.h.
 *
 * The screen is for the moment in which something is wrong: the verdict stands in the first line, problems
 * in the last ones, just above the prompt; what is well takes one line. JSON leaves nothing out, and its
 * names are for scripts to rely on. */
#include <string.h>

#include "deploy/ctl/grid.h"
#include "deploy/ctl/status.h"

enum { LAGS_SHOWN = 16 };

static enum grid_style state_style(enum status_state state)
{
	if (state == STATUS_READY)
		return GRID_GOOD;
	return state == STATUS_GONE ? GRID_DIM : GRID_BAD;
}

static void add_heads(struct grid *g, const char *const *heads)
{
	for (; *heads; heads++)
		grid_add(g, GRID_DIM, "%s", *heads);
}

/* "millrace-ingest" is said as "ingest". */
static struct str short_program(struct str program)
{
	static const char prefix[] = "millrace-";
	size_t len = sizeof(prefix) - 1;

	if (program.len > len && memcmp(program.p, prefix, len) == 0)
		return (struct str){program.p + len, program.len - len};
	return program;
}

static void add_beat(struct grid *g, const struct status_beat *b)
{
	const struct heartbeat *beat = &b->item->v.beat;
	char age[GRID_NUMBER_SIZE], up[GRID_NUMBER_SIZE];

	grid_duration(b->age_ms, age);
	if (b->state == STATUS_UNREADABLE) {
		grid_add(g, GRID_PLAIN, STR_FMT, STR_ARG(b->item->key));
		for (int i = 0; i < 2; i++)
			grid_add(g, GRID_PLAIN, "%s", "");
		grid_add(g, GRID_BAD, "%s", status_state_name(b->state));
		grid_add(g, GRID_PLAIN, "%s ago", age);
		for (int i = 0; i < 2; i++)
			grid_add(g, GRID_PLAIN, "%s", "");
		return;
	}
	grid_add(g, GRID_PLAIN, STR_FMT, STR_ARG(short_program(beat->program)));
	grid_add(g, GRID_PLAIN, STR_FMT, STR_ARG(beat->instance));
	grid_add(g, GRID_PLAIN, STR_FMT, STR_ARG(beat->has_cell ? beat->cell : STR("-")));
	grid_add(g, state_style(b->state), "%s", status_state_name(b->state));
	grid_add(g, b->state == STATUS_STALE ? GRID_BAD : GRID_PLAIN, "%s ago", age);
	grid_add(g, GRID_PLAIN, "%s", b->state == STATUS_READY || b->state == STATUS_NOT_READY ? grid_duration(b->up_ms, up) : "-");
	grid_add(g, GRID_PLAIN, STR_FMT, STR_ARG(beat->build));
}

static void print_beats(const struct status *s, bool colour, FILE *out)
{
	static const char *const heads[] = {"program", "instance", "cell", "state", "beat", "up", "build", NULL};
	size_t gone = 0;
	struct grid g;

	fprintf(out, "\n%sPrograms%s\n", grid_style_on(GRID_HEAD, colour), grid_style_off(GRID_HEAD, colour));
	grid_init(&g, "llllrrl");
	add_heads(&g, heads);
	for (size_t i = 0; i < s->nr_beats; i++) {
		if (s->beats[i].state == STATUS_GONE)
			gone++;
		else
			add_beat(&g, &s->beats[i]);
	}
	if (s->nr_beats > gone)
		grid_print(&g, 2, colour, out);
	else
		fputs("  none has sent a heartbeat\n", out);
	if (gone)
		fprintf(out, "  %s%zu former instance%s gone%s\n", grid_style_on(GRID_DIM, colour), gone,
			gone == 1 ? " is" : "s are", grid_style_off(GRID_DIM, colour));
	grid_fini(&g);
}

/* The lags of one topic's partitions, from first to last, in a row: "0 0 12 0". */
static void say_lags(const struct lag_group *group, size_t first, size_t last, char *out, size_t size)
{
	size_t at = 0;

	for (size_t i = first; i < last && i - first < LAGS_SHOWN && at < size; i++) {
		char lag[GRID_NUMBER_SIZE];
		const struct lag_partition *p = &group->partitions[i];

		grid_count(p->lag, lag);
		for (char *space = lag; (space = strchr(space, ' ')) != NULL;)
			memmove(space, space + 1, strlen(space)); /* "12.3k": these numbers stand in a row */
		at += (size_t)snprintf(out + at, size - at, "%s%s", i > first ? " " : "", p->fault ? "?" : lag);
	}
	if (last - first > LAGS_SHOWN && at < size)
		snprintf(out + at, size - at, " (+%zu)", last - first - LAGS_SHOWN);
}

/* One row for the group, and one for each of its topics that is behind: with many cells, all that is well
 * must fit on a screen. */
static void add_group(struct grid *g, const struct status *s, const struct lag_group *group)
{
	char lag[GRID_NUMBER_SIZE], lags[LAGS_SHOWN * GRID_NUMBER_SIZE];

	grid_add(g, GRID_PLAIN, "%s", group->name);
	grid_add(g, GRID_PLAIN, "%s", "");
	grid_add(g, group->total > s->max_lag ? GRID_BAD : GRID_GOOD, "%s", grid_count(group->total, lag));
	if (group->worst)
		grid_add(g, GRID_PLAIN, "%s %d: %s", group->worst->topic, (int)group->worst->partition,
			 grid_count(group->worst->lag, lag));
	else
		grid_add(g, GRID_DIM, "%s", "-");
	grid_add(g, GRID_PLAIN, "%s", "");
	for (size_t first = 0, last; first < group->nr; first = last) {
		const char *topic = group->partitions[first].topic;
		int64_t total = 0;
		bool fault = false;

		for (last = first; last < group->nr && strcmp(group->partitions[last].topic, topic) == 0; last++) {
			total += group->partitions[last].lag;
			fault |= group->partitions[last].fault != NULL;
		}
		if (!total && !fault)
			continue;
		say_lags(group, first, last, lags, sizeof(lags));
		grid_add(g, GRID_PLAIN, "%s", "");
		grid_add(g, GRID_PLAIN, "%s", topic);
		grid_add(g, GRID_PLAIN, "%s", grid_count(total, lag));
		grid_add(g, GRID_PLAIN, "%s", "");
		grid_add(g, GRID_PLAIN, "%s", lags);
	}
}

static void print_lag(const struct status *s, bool colour, FILE *out)
{
	static const char *const heads[] = {"group", "topic", "behind", "worst", "by partition", NULL};
	struct grid g;

	if (!s->nr_groups)
		return;
	fprintf(out, "\n%sLag%s, in records\n", grid_style_on(GRID_HEAD, colour), grid_style_off(GRID_HEAD, colour));
	grid_init(&g, "llrll");
	add_heads(&g, heads);
	for (size_t i = 0; i < s->nr_groups; i++)
		add_group(&g, s, &s->groups[i]);
	grid_print(&g, 2, colour, out);
	grid_fini(&g);
}

void status_print(const struct status *s, bool colour, FILE *out)
{
	enum grid_style style = s->nr_problems ? GRID_BAD : GRID_GOOD;

	fprintf(out, "%sMillrace%s at %s: %d broker%s, %zu cell%s, %zu site%s: %s", grid_style_on(GRID_HEAD, colour),
		grid_style_off(GRID_HEAD, colour), s->brokers, s->nr_brokers, s->nr_brokers == 1 ? "" : "s", s->nr_cells,
		s->nr_cells == 1 ? "" : "s", s->nr_sites, s->nr_sites == 1 ? "" : "s", grid_style_on(style, colour));
	if (s->nr_problems)
		fprintf(out, "%zu problem%s", s->nr_problems, s->nr_problems == 1 ? "" : "s");
	else
		fputs("all well", out);
	fprintf(out, "%s\n", grid_style_off(style, colour));
	print_beats(s, colour, out);
	print_lag(s, colour, out);
	if (s->nr_problems)
		fprintf(out, "\n%sProblems%s\n", grid_style_on(GRID_HEAD, colour), grid_style_off(GRID_HEAD, colour));
	for (size_t i = 0; i < s->nr_problems; i++) {
		fprintf(out, "  %s!%s %s\n", grid_style_on(GRID_BAD, colour), grid_style_off(GRID_BAD, colour), s->problems[i]);
	}
}

static void write_beats(const struct status *s, struct json_writer *w)
{
	json_write_array(w, "programs");
	for (size_t i = 0; i < s->nr_beats; i++) {
		const struct status_beat *b = &s->beats[i];
		const struct heartbeat *beat = &b->item->v.beat;

		json_write_map(w, NULL);
		json_write_text(w, "key", b->item->key);
		json_write_text(w, "state", str_from(status_state_name(b->state)));
		json_write_int(w, "age_ms", b->age_ms);
		if (b->state != STATUS_UNREADABLE) {
			json_write_text(w, "program", beat->program);
			json_write_text(w, "instance", beat->instance);
			if (beat->has_cell)
				json_write_text(w, "cell", beat->cell);
			json_write_bool(w, "ready", beat->ready);
			json_write_text(w, "build", beat->build);
			json_write_text(w, "host", beat->host);
			json_write_text(w, "admin", beat->admin);
			json_write_int(w, "started_at", beat->started_at);
		}
		json_write_map_end(w);
	}
	json_write_array_end(w);
}

static void write_partitions(const struct lag_group *g, struct json_writer *w)
{
	json_write_array(w, "partitions");
	for (size_t i = 0; i < g->nr; i++) {
		const struct lag_partition *p = &g->partitions[i];

		json_write_map(w, NULL);
		json_write_text(w, "topic", str_from(p->topic));
		json_write_int(w, "partition", p->partition);
		json_write_int(w, "committed", p->committed);
		json_write_int(w, "begin", p->begin);
		json_write_int(w, "end", p->end);
		json_write_int(w, "lag", p->lag);
		if (p->fault)
			json_write_text(w, "error", str_from(p->fault));
		json_write_map_end(w);
	}
	json_write_array_end(w);
}

static void write_groups(const struct status *s, struct json_writer *w)
{
	json_write_array(w, "groups");
	for (size_t i = 0; i < s->nr_groups; i++) {
		const struct lag_group *g = &s->groups[i];

		json_write_map(w, NULL);
		json_write_text(w, "group", str_from(g->name));
		json_write_text(w, "cell", g->cell);
		json_write_int(w, "lag", g->total);
		if (g->worst) {
			json_write_map(w, "worst");
			json_write_text(w, "topic", str_from(g->worst->topic));
			json_write_int(w, "partition", g->worst->partition);
			json_write_int(w, "lag", g->worst->lag);
			json_write_map_end(w);
		}
		write_partitions(g, w);
		json_write_map_end(w);
	}
	json_write_array_end(w);
}

void status_write_json(const struct status *s, struct json_writer *w)
{
	json_write_bool(w, "well", s->nr_problems == 0);
	json_write_array(w, "problems");
	for (size_t i = 0; i < s->nr_problems; i++)
		json_write_text(w, NULL, str_from(s->problems[i]));
	json_write_array_end(w);
	json_write_int(w, "brokers", s->nr_brokers);
	json_write_int(w, "cells", (int64_t)s->nr_cells);
	json_write_int(w, "sites", (int64_t)s->nr_sites);
	write_beats(s, w);
	write_groups(s, w);
}
