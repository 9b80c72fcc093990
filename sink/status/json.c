/* json.c - the page for programs; sink/status/README.md documents it.
 *
 * What is not known is null, and never left out: a reader need not ask twice. */
#include <inttypes.h>

#include "sink/status/escape.h"
#include "sink/status/json_text.h"
#include "sink/status/page_view.h"
#include "sink/status/time_words.h"

/* Writes values one behind the other: first is true where no comma is due. */
struct json {
	struct buf *out;
	bool first;
};

/* Keys are ours, and need no escaping. */
static void key(struct json *j, const char *name)
{
	buf_printf(j->out, "%s\"%s\":", j->first ? "" : ",", name);
	j->first = false;
}

/* Settings are not checked as entries are, and a document that is not UTF-8 is none. */
static void string(struct json *j, struct str s)
{
	json_text(j->out, str_is_utf8(s) ? s : STR("(not UTF-8)"));
}

static void text(struct json *j, const char *name, struct str s)
{
	key(j, name);
	string(j, s);
}

static void word(struct json *j, const char *name, const char *s)
{
	text(j, name, str_from(s));
}

/* A time; null when it is not there. */
static void moment(struct json *j, const char *name, int64_t t_ms)
{
	key(j, name);
	if (!t_ms) {
		markup(j->out, "null");
		return;
	}
	markup(j->out, "\"");
	time_words_stamp(j->out, t_ms);
	markup(j->out, "\"");
}

/* A number; null below zero. */
static void number(struct json *j, const char *name, int64_t n)
{
	key(j, name);
	if (n < 0)
		markup(j->out, "null");
	else
		buf_printf(j->out, "%" PRId64, n);
}

static void truth(struct json *j, const char *name, bool is)
{
	key(j, name);
	markup(j->out, is ? "true" : "false");
}

/* Lists and objects: opened by a key, or without one where they stand in a list; what follows is their first. */
static void open_list(struct json *j, const char *name)
{
	key(j, name);
	markup(j->out, "[");
	j->first = true;
}

static void open_object(struct json *j, const char *name)
{
	if (name)
		key(j, name);
	else if (!j->first)
		markup(j->out, ",\n");
	markup(j->out, "{");
	j->first = true;
}

static void close(struct json *j, const char *with)
{
	markup(j->out, with);
	j->first = false;
}

static void strings(struct json *j, const char *name, const struct str *all, size_t nr)
{
	open_list(j, name);
	for (size_t i = 0; i < nr; i++) {
		markup(j->out, i ? "," : "");
		string(j, all[i]);
	}
	close(j, "]");
}

/* Of the page itself: how far the rest may be trusted. */
static void about(struct json *j, const struct page *p)
{
	open_object(j, "page");
	text(j, "title", p->title);
	text(j, "url", p->url);
	text(j, "build", p->build);
	moment(j, "as_of", p->as_of_ms);
	number(j, "age_seconds", p->as_of_ms ? (p->now_ms > p->as_of_ms ? (p->now_ms - p->as_of_ms) / 1000 : 0) : -1);
	truth(j, "stale", p->stale);
	truth(j, "from_disk", p->from_disk);
	close(j, "}");
}

/* Figures as the judge had them; a recovery as a time, since readers have other clocks and come at other times. */
static void component(struct json *j, const struct page *p, const struct status_component *c)
{
	open_object(j, NULL);
	text(j, "id", c->id);
	text(j, "title", c->title);
	word(j, "state", component_state_name(c->state));
	moment(j, "since", c->since);
	text(j, "detail", c->detail);
	strings(j, "cells", c->cells, c->cells_len);
	number(j, "behind_ms", c->behind_ms);
	number(j, "waiting_records", c->waiting_records);
	number(j, "lost_records", c->lost_records);
	number(j, "kept_for_ms", c->left_ms);
	moment(j, "expected_recovery_at", page_recovery_at(p, c));
	key(j, "accepted_share");
	if (c->share >= 0 && c->share <= 1)
		buf_printf(j->out, "%.4f", c->share);
	else
		markup(j->out, "null");
	close(j, "}");
}

/* Posts and timeline are there even when they are empty. */
static void updates(struct json *j, const struct status_incident *i)
{
	struct page_post post;
	size_t at = i->nr_lines;

	open_list(j, "updates");
	while (page_post_before(i, &at, &post)) {
		open_object(j, NULL);
		moment(j, "at", post.at_ms);
		word(j, "phase", status_phase_name(post.phase));
		text(j, "text", post.text);
		close(j, "}");
	}
	close(j, "]");
	open_list(j, "timeline");
	for (size_t k = 0; k < i->nr_timeline; k++) {
		open_object(j, NULL);
		moment(j, "at", i->timeline[k].at);
		text(j, "text", i->timeline[k].text);
		close(j, "}");
	}
	close(j, "]");
}

/* Its address is that of its own page; without page.url it begins with the slash. */
static void incident(struct json *j, const struct page *p, const struct status_incident *i)
{
	struct buf url = BUF_INIT;

	open_object(j, NULL);
	text(j, "id", i->id);
	buf_printf(&url, STR_FMT PAGE_PATH_INCIDENT STR_FMT, STR_ARG(p->url), STR_ARG(i->id));
	text(j, "url", buf_str(&url));
	j->out->failed |= buf_failed(&url);
	buf_fini(&url);
	text(j, "title", i->title);
	word(j, "impact", status_impact_name(i->impact));
	word(j, "phase", status_phase_name(i->phase));
	moment(j, "opened_at", i->opened_at);
	moment(j, "posted_at", i->posted_at);
	moment(j, "ended_at", i->ended_at);
	moment(j, "expected_recovery_at", i->ended_at ? 0 : i->recovery_at);
	strings(j, "components", i->components, i->nr_components);
	updates(j, i);
	close(j, "}");
}

/* Those of a list that are maintenance, or are not. */
static int incidents(struct json *j, const struct page *p, enum page_list list, bool maintenance, struct err *err)
{
	struct page_selection s;

	if (page_select(p, list, &s, err) < 0)
		return -1;
	for (size_t k = 0; k < s.nr; k++)
		if ((s.all[k]->impact == STATUS_IMPACT_MAINTENANCE) == maintenance)
			incident(j, p, s.all[k]);
	page_selection_fini(&s);
	return 0;
}

/* What is open stands first. */
static int sections(struct json *j, const struct page *p, struct err *err)
{
	open_list(j, "incidents");
	if (incidents(j, p, PAGE_LIST_OPEN, false, err) < 0 || incidents(j, p, PAGE_LIST_RECENT, false, err) < 0)
		return -1;
	close(j, "],\n");
	j->first = true;
	open_list(j, "maintenance");
	if (incidents(j, p, PAGE_LIST_MAINTENANCE, true, err) < 0 || incidents(j, p, PAGE_LIST_RECENT, true, err) < 0)
		return -1;
	close(j, "]");
	return 0;
}

int page_json(const struct page *p, struct buf *out, struct err *err)
{
	struct json j = {out, true};

	open_object(&j, NULL);
	about(&j, p);
	if (page_is_known(p))
		word(&j, "state", component_state_name(page_state(p)));
	else {
		key(&j, "state");
		markup(out, "null");
	}
	word(&j, "summary", page_summary(p));
	open_list(&j, "components");
	for (size_t i = 0; i < p->nr_components; i++)
		component(&j, p, &p->components[i]);
	close(&j, "],\n");
	j.first = true;
	if (sections(&j, p, err) < 0)
		return -1;
	close(&j, "}\n");
	return buf_failed(out) ? err_nomem(err, "the page's JSON") : 0;
}
