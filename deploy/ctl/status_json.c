/* status_json.c - the status as JSON; see status.h. It leaves nothing out that the screen has, and its names are for scripts to rely on:
 * README.md lists them. A figure that is not known is not there. */
#include <math.h>

#include "deploy/ctl/obeyed.h"
#include "deploy/ctl/status.h"
#include "deploy/ctl/word_json.h"

static void write_problems(const struct status *s, struct json_writer *w)
{
	json_write_array(w, "problems");
	for (size_t i = 0; i < s->nr_problems; i++) {
		const struct status_problem *p = &s->problems[i];

		json_write_map(w, NULL);
		json_write_text(w, "severity", str_from(status_severity_name(p->severity)));
		json_write_text(w, "text", str_from(p->text));
		if (p->runbook)
			json_write_text(w, "runbook", str_from(p->runbook));
		json_write_map_end(w);
	}
	json_write_array_end(w);
}

static void write_builds(const struct status *s, struct json_writer *w)
{
	json_write_array(w, "builds");
	for (size_t i = 0; i < s->nr_builds; i++) {
		json_write_map(w, NULL);
		json_write_text(w, "program", s->builds[i].program);
		json_write_text(w, "build", s->builds[i].build);
		json_write_int(w, "instances", (int64_t)s->builds[i].nr);
		json_write_map_end(w);
	}
	json_write_array_end(w);
}

/* Keys are anybody's: one that does not fit, or a number that JSON has not, is left out. */
static void write_figures(const struct heartbeat *beat, struct json_writer *w)
{
	char key[64];

	json_write_map(w, "figures");
	for (size_t i = 0; i < beat->figures_len; i++) {
		const struct figure *f = &beat->figures[i];

		if (f->key.len >= sizeof(key) || !str_is_utf8(f->key) || !isfinite(f->value))
			continue;
		snprintf(key, sizeof(key), STR_FMT, STR_ARG(f->key));
		json_write_number(w, key, f->value);
	}
	json_write_map_end(w);
}

static void write_beat(const struct status_beat *b, struct json_writer *w)
{
	const struct heartbeat *beat = &b->item->v.beat;
	int percent = status_memory_percent(b);
	struct str reason;

	json_write_text(w, "program", beat->program);
	json_write_text(w, "instance", beat->instance);
	if (beat->has_cell)
		json_write_text(w, "cell", beat->cell);
	json_write_bool(w, "ready", beat->ready);
	json_write_text(w, "build", beat->build);
	json_write_text(w, "host", beat->host);
	json_write_text(w, "admin", beat->admin);
	json_write_int(w, "started_at", beat->started_at);
	if (percent >= 0)
		json_write_int(w, "memory_percent", percent);
	if (status_is_live(b, "millrace-sink")) {
		json_write_text(w, "breaker", str_from(status_breaker_name(status_breaker(b, &reason))));
		word_json_write_maybe(w, "breaker_reason", reason.len > 0, reason);
	}
	write_figures(beat, w);
}

static void write_beats(const struct status *s, struct json_writer *w)
{
	json_write_array(w, "programs");
	for (size_t i = 0; i < s->nr_beats; i++) {
		const struct status_beat *b = &s->beats[i];

		json_write_map(w, NULL);
		json_write_text(w, "key", b->item->key);
		json_write_text(w, "state", str_from(status_state_name(b->state)));
		json_write_int(w, "age_ms", b->age_ms);
		if (b->state != STATUS_UNREADABLE)
			write_beat(b, w);
		json_write_map_end(w);
	}
	json_write_array_end(w);
}

/* Seconds with their milliseconds; nothing when it is not known. */
static void write_seconds(struct json_writer *w, const char *key, int64_t ms)
{
	if (ms >= 0)
		json_write_number(w, key, (double)ms / 1000);
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
		write_seconds(w, "lag_seconds", p->fault ? -1 : p->age_ms);
		json_write_int(w, "lost", p->lost);
		write_seconds(w, "retention_seconds", p->retention_ms);
		write_seconds(w, "deleted_in_seconds", p->left_ms);
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
		write_seconds(w, "lag_seconds", g->oldest ? g->oldest->age_ms : g->nr_unknown ? -1 : 0);
		json_write_int(w, "lost", g->lost);
		write_seconds(w, "deleted_in_seconds", g->next ? g->next->left_ms : -1);
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

static void write_controls(const struct status *s, struct json_writer *w)
{
	json_write_array(w, "controls");
	for (size_t i = 0; i < s->nr_controls; i++) {
		json_write_map(w, NULL);
		word_json_write_members(w, s->controls[i]);
		obeyed_write(s, s->controls[i], false, "obeyed_by", w);
		obeyed_write(s, s->controls[i], true, "not_obeyed_by", w);
		json_write_map_end(w);
	}
	json_write_array_end(w);
}

static void write_letters(const struct letter_tally *t, struct json_writer *w)
{
	json_write_map(w, "dead_letters");
	if (*t->fault) {
		json_write_text(w, "error", str_from(t->fault));
	} else {
		json_write_int(w, "held", t->held);
		json_write_int(w, "last_day", t->last_day);
		json_write_int(w, "last_hour", (int64_t)t->last_hour);
		json_write_int(w, "open", (int64_t)t->open);
		json_write_bool(w, "partial", t->partial);
	}
	json_write_array(w, "by");
	for (size_t i = 0; i < t->nr_rows; i++) {
		json_write_map(w, NULL);
		json_write_text(w, "topic", str_from(t->rows[i].topic));
		json_write_text(w, "code", str_from(t->rows[i].code));
		json_write_int(w, "letters", (int64_t)t->rows[i].letters);
		json_write_int(w, "open", (int64_t)t->rows[i].open);
		json_write_map_end(w);
	}
	json_write_array_end(w);
	json_write_map_end(w);
}

static void write_topics(const struct status *s, struct json_writer *w)
{
	int leaderless = 0, behind = 0;

	for (size_t i = 0; i < s->topics.nr; i++) {
		leaderless += s->topics.topics[i].leaderless;
		behind += s->topics.topics[i].under_replicated;
	}
	json_write_int(w, "brokers", s->topics.brokers);
	json_write_int(w, "partitions_leaderless", leaderless);
	json_write_int(w, "partitions_under_replicated", behind);
}

void status_write_json(const struct status *s, struct json_writer *w)
{
	json_write_bool(w, "well", s->nr_problems == s->nr_hints);
	json_write_int(w, "at", s->now_ms);
	write_problems(s, w);
	write_topics(s, w);
	json_write_int(w, "cells", (int64_t)s->nr_cells);
	json_write_int(w, "sites", (int64_t)s->nr_sites);
	write_builds(s, w);
	write_beats(s, w);
	write_groups(s, w);
	write_letters(&s->letters, w);
	write_controls(s, w);
}
