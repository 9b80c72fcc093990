/* page_json.c - the incidents of the status page as JSON, as its admin port tells them and as this tool does (page_incidents.h).
 *
 * What is read may come from anything that listens there: each field has its type and bounds, enumerations only the words that are known, and what a page
 * cannot hold (an id twice) is refused. */
#include <stdlib.h>

#include "deploy/ctl/json_read.h"
#include "deploy/ctl/page_incidents.h"

enum { TREE_BYTES_MAX = 64 << 20 };

static const char *const states[] = {[STATUS_INCIDENT_DRAFT] = "draft", [STATUS_INCIDENT_POSTED] = "posted", [STATUS_INCIDENT_RESOLVED] = "resolved",
				     [STATUS_INCIDENT_VETOED] = "vetoed"};

const char *page_incidents_state_name(enum status_incident_state state)
{
	return states[state];
}

static const char *state_name(unsigned v)
{
	return v < sizeof(states) / sizeof(states[0]) ? states[v] : NULL;
}

static const char *phase_name(unsigned v)
{
	return status_phase_name((enum status_phase)v);
}

static const char *impact_name(unsigned v)
{
	return status_impact_name((enum status_impact)v);
}

static const char *action_name(unsigned v)
{
	return status_action_name((enum status_action)v);
}

/* A member that is one of the words that name() counts off. */
static int read_word(const struct json *node, const char *key, const char *(*name)(unsigned v), unsigned *out, struct err *err)
{
	struct str word;

	if (json_get_text(node, key, &word, err) < 0)
		return -1;
	for (*out = 0; name(*out); (*out)++)
		if (str_eq(word, str_from(name(*out))))
			return 0;
	return json_fail(json_get(node, key), err, "\"" STR_FMT "\" is not known", (int)(word.len < 40 ? word.len : 40), word.p);
}

/* A member that is text, copied. */
static int read_text(struct status_incidents *s, const struct json *node, const char *key, struct str *out, struct err *err)
{
	if (json_get_text(node, key, out, err) < 0)
		return -1;
	*out = arena_str(&s->arena, *out);
	return out->p ? 0 : err_nomem(err, "incidents");
}

static int read_time(const struct json *node, const char *key, int64_t *out, struct err *err)
{
	return json_get_int(node, key, 0, INT64_MAX, out, err);
}

static int read_line(struct status_incidents *s, const struct json *node, struct status_line *line, struct err *err)
{
	struct status_entry *e = &line->entry;
	const struct json *author = json_get(node, "author");
	unsigned action;

	*line = (struct status_line){.entry = {.title = STR("")}};
	if (read_text(s, node, "entry", &e->entry, err) < 0 || read_time(node, "at", &e->at, err) < 0 || read_word(node, "action", action_name, &action, err) < 0 ||
	    json_get_bool(node, "refused", &line->refused, err) < 0 || read_text(s, node, "text", &e->text, err) < 0)
		return -1;
	e->action = (enum status_action)action;
	e->has_author = author && author->type != JSON_NULL;
	return e->has_author ? read_text(s, node, "author", &e->author, err) : 0;
}

static int read_lists(struct status_incidents *s, const struct json *node, struct status_incident *i, struct err *err)
{
	const struct json *components, *entries;
	struct str *names;

	if (json_get_array(node, "components", &components, err) < 0 || json_get_array(node, "entries", &entries, err) < 0)
		return -1;
	names = arena_calloc(&s->arena, components->nr + 1, sizeof(*names));
	i->lines = calloc(entries->nr + 1, sizeof(*i->lines)); /* as the fold has them: freed one incident at a time */
	i->cap_lines = entries->nr + 1;
	if (!names || !i->lines)
		return err_nomem(err, "incidents");
	i->components = names;
	for (const struct json *c = components->child; c; c = c->next) {
		if (c->type != JSON_TEXT)
			return json_fail(c, err, "it must be text");
		names[i->nr_components] = arena_str(&s->arena, c->text);
		if (!names[i->nr_components++].p)
			return err_nomem(err, "incidents");
	}
	for (const struct json *e = entries->child; e; e = e->next)
		if (read_line(s, e, &i->lines[i->nr_lines++], err) < 0)
			return -1;
	return 0;
}

static int read_fields(struct status_incidents *s, const struct json *node, struct status_incident *i, struct err *err)
{
	unsigned state, phase, impact;

	if (read_text(s, node, "id", &i->id, err) < 0 || read_word(node, "state", state_name, &state, err) < 0 ||
	    read_word(node, "phase", phase_name, &phase, err) < 0 || read_word(node, "impact", impact_name, &impact, err) < 0 ||
	    json_get_bool(node, "edited", &i->edited, err) < 0 || read_time(node, "opened_at", &i->opened_at, err) < 0 ||
	    read_time(node, "posted_at", &i->posted_at, err) < 0 || read_time(node, "ended_at", &i->ended_at, err) < 0 ||
	    read_time(node, "publish_at", &i->publish_at, err) < 0 || read_time(node, "recovery_at", &i->recovery_at, err) < 0 ||
	    read_text(s, node, "title", &i->title, err) < 0)
		return -1;
	i->state = (enum status_incident_state)state;
	i->phase = (enum status_phase)phase;
	i->impact = (enum status_impact)impact;
	return read_lists(s, node, i, err);
}

/* The incident is the fold's before it is whole, so that it is freed whatever comes. */
static int read_incident(struct status_incidents *s, const struct json *node, struct err *err)
{
	struct status_incident *i = arena_calloc(&s->arena, 1, sizeof(*i));
	uint8_t key[MAP_KEY_BYTES];

	if (!i)
		return err_nomem(err, "incidents");
	s->list[s->nr++] = i;
	if (read_fields(s, node, i, err) < 0)
		return -1;
	if (status_incidents_find(s, i->id))
		return json_fail(node, err, "it stands there twice");
	map_key_of(i->id, key);
	return map_put(&s->index, key, i) < 0 ? err_nomem(err, "incidents") : 0;
}

int page_incidents_from_json(struct status_incidents *s, struct str text, struct err *err)
{
	struct arena tree = {.limit_bytes = TREE_BYTES_MAX};
	const struct json *array;
	struct json *root;
	int rc = -1;

	if (json_parse(text, &tree, &root, err) == 0 && json_get_array(root, "incidents", &array, err) == 0) {
		s->list = calloc(array->nr + 1, sizeof(*s->list));
		s->cap = array->nr + 1;
		rc = s->list ? 0 : err_nomem(err, "incidents");
		for (const struct json *node = array->child; rc == 0 && node; node = node->next)
			rc = read_incident(s, node, err);
	}
	arena_fini(&tree);
	return rc;
}

static void write_line(struct json_writer *w, const struct status_line *line)
{
	const struct status_entry *e = &line->entry;

	json_write_map(w, NULL);
	json_write_text(w, "entry", e->entry);
	json_write_int(w, "at", e->at);
	if (e->has_author)
		json_write_text(w, "author", e->author);
	json_write_text(w, "action", str_from(status_action_name(e->action)));
	json_write_bool(w, "refused", line->refused);
	json_write_text(w, "text", e->text);
	json_write_map_end(w);
}

void page_incidents_write_one(struct json_writer *w, const char *key, const struct status_incident *i)
{
	const struct { const char *name; int64_t at_ms; } times[] = {{"opened_at", i->opened_at}, {"posted_at", i->posted_at}, {"ended_at", i->ended_at},
								    {"publish_at", i->publish_at}, {"recovery_at", i->recovery_at}};

	json_write_map(w, key);
	json_write_text(w, "id", i->id);
	json_write_text(w, "state", str_from(states[i->state]));
	json_write_text(w, "phase", str_from(status_phase_name(i->phase)));
	json_write_text(w, "impact", str_from(status_impact_name(i->impact)));
	json_write_bool(w, "edited", i->edited);
	for (size_t k = 0; k < sizeof(times) / sizeof(times[0]); k++)
		json_write_int(w, times[k].name, times[k].at_ms);
	json_write_text(w, "title", i->title);
	json_write_array(w, "components");
	for (size_t k = 0; k < i->nr_components; k++)
		json_write_text(w, NULL, i->components[k]);
	json_write_array_end(w);
	json_write_array(w, "entries");
	for (size_t k = 0; k < i->nr_lines; k++)
		write_line(w, &i->lines[k]);
	json_write_array_end(w);
	json_write_map_end(w);
}

void page_incidents_write_json(struct json_writer *w, const struct status_incidents *s, bool all)
{
	json_write_array(w, "incidents");
	for (size_t k = s->nr; k-- > 0;)
		if (all || s->list[k]->state == STATUS_INCIDENT_DRAFT || s->list[k]->state == STATUS_INCIDENT_POSTED)
			page_incidents_write_one(w, NULL, s->list[k]);
	json_write_array_end(w);
}
