/* control_list.c - the command `control list`: what is in force, until when, and who obeys; see commands.h.
 *
 * By Kafka it shows what the topic says and what the heartbeats acknowledge; by an admin port, what that one instance obeys, whoever set
 * it. The list of a port is read as foreign: each of its controls must be one. */
#include <stdlib.h>
#include <string.h>

#include "common/control.h"
#include "deploy/ctl/commands.h"
#include "deploy/ctl/grid.h"
#include "deploy/ctl/json_read.h"
#include "deploy/ctl/obeyed.h"
#include "deploy/ctl/word_json.h"

/* What there is to show. */
struct list {
	struct ctl *ctl;
	struct status status; /* beats, judged; its arena owns the controls too. Nothing in it by an admin port */
	struct control *controls;
	size_t nr;
};

/* Those of the topic that are in force now. */
static int gather_by_kafka(struct list *l, struct err *err)
{
	int64_t now_ms = clock_now_ms(&l->ctl->program.clock);
	const struct store_item **items;
	size_t nr;

	if (ctl_load(l->ctl, true, err) < 0)
		return -1;
	l->status.store = cluster_store(l->ctl->cluster);
	if (status_judge_beats(&l->status, &l->ctl->program.clock, err) < 0)
		return -1;
	items = store_list(l->status.store, STORE_CONTROLS, &nr, err);
	l->controls = items ? arena_calloc(&l->status.arena, nr, sizeof(*l->controls)) : NULL;
	for (size_t i = 0; l->controls && i < nr; i++)
		if (!items[i]->fault && items[i]->v.control.expires_at > now_ms)
			l->controls[l->nr++] = items[i]->v.control;
	free(items);
	return l->controls ? 0 : err_nomem(err, "a list of controls");
}

static int read_scope(const struct json *node, const char *key, bool *has, struct str *out, struct err *err)
{
	*has = json_get(node, key) != NULL;
	return *has ? json_get_text(node, key, out, err) : 0;
}

static int read_control(const struct json *node, struct control *out, struct err *err)
{
	struct str on, action;

	if (json_get_text(node, "id", &out->id, err) < 0 || json_get_text(node, "on", &on, err) < 0 ||
	    json_get_text(node, "action", &action, err) < 0 || json_get_text(node, "reason", &out->reason, err) < 0 ||
	    json_get_text(node, "author", &out->author, err) < 0 ||
	    json_get_int(node, "created_at", 0, INT64_MAX, &out->created_at, err) < 0 ||
	    json_get_int(node, "expires_at", 0, INT64_MAX, &out->expires_at, err) < 0 ||
	    read_scope(node, "cell", &out->has_cell, &out->cell, err) < 0 || read_scope(node, "site", &out->has_site, &out->site, err) < 0 ||
	    read_scope(node, "kind", &out->has_kind, &out->kind, err) < 0 ||
	    read_scope(node, "trigger", &out->has_trigger, &out->trigger, err) < 0)
		return -1;
	if (control_find_program(on, &out->on, err) < 0 || control_find_action(action, &out->action, err) < 0 || control_check(out, err) < 0)
		return json_wrap(node, err);
	return 0;
}

static int read_list(struct list *l, struct str text, struct err *err)
{
	struct json *root;
	const struct json *array;

	if (json_parse(text, &l->status.arena, &root, err) < 0 || json_get_array(root, "controls", &array, err) < 0)
		return -1;
	l->controls = arena_calloc(&l->status.arena, array->nr, sizeof(*l->controls));
	if (!l->controls)
		return err_nomem(err, "a list of controls");
	for (const struct json *node = array->child; node; node = node->next)
		if (read_control(node, &l->controls[l->nr++], err) < 0)
			return -1;
	return 0;
}

static int gather_by_port(struct list *l, struct err *err)
{
	struct admin_port *port = ctl_open_admin(l->ctl, "/controls", err);
	struct buf text = BUF_INIT;
	int rc = -1;

	if (port && admin_port_list(port, &text, err) == 0 && (rc = read_list(l, buf_str(&text), err)) < 0)
		err_wrap(err, "%s answers what is no list of controls", args_text(&l->ctl->args, "admin"));
	buf_fini(&text);
	admin_port_free(port);
	return rc;
}

static void add_row(struct grid *g, const struct list *l, const struct control *c)
{
	char left[GRID_NUMBER_SIZE];
	struct obeyed obeyed;

	grid_add(g, GRID_PLAIN, STR_FMT, STR_ARG(c->id));
	grid_add(g, GRID_PLAIN, "%s", grid_duration(c->expires_at - clock_now_ms(&l->ctl->program.clock), left));
	if (ctl_by_admin(l->ctl)) {
		grid_add(g, GRID_GOOD, "here");
	} else {
		obeyed_ask(&l->status, c, -1, &obeyed);
		grid_add(g, obeyed.nr_not_by ? GRID_BAD : obeyed.nr_by ? GRID_GOOD : GRID_DIM, "%zu of %zu", obeyed.nr_by,
			 obeyed.nr_by + obeyed.nr_not_by);
	}
	grid_add(g, GRID_PLAIN, STR_FMT, STR_ARG(c->author));
	grid_add(g, GRID_PLAIN, STR_FMT, STR_ARG(c->reason));
}

/* Below the table, who does not do as told: with a name an operator can go there. */
static void print_list(const struct list *l)
{
	static const char *const heads[] = {"CONTROL", "LEFT", "OBEYED", "AUTHOR", "REASON"};
	struct grid g;

	if (!l->nr) {
		fputs("no control is in force\n", l->ctl->out);
		return;
	}
	grid_init(&g, "lrlll");
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
		grid_add(&g, GRID_HEAD, "%s", heads[i]);
	for (size_t i = 0; i < l->nr; i++)
		add_row(&g, l, &l->controls[i]);
	grid_print(&g, 0, grid_wants_colour(l->ctl->out), l->ctl->out);
	grid_fini(&g);
	for (size_t i = 0; i < l->nr && !ctl_by_admin(l->ctl); i++) {
		struct obeyed obeyed;

		obeyed_ask(&l->status, &l->controls[i], -1, &obeyed);
		if (obeyed.nr_not_by)
			fprintf(l->ctl->out, STR_FMT " is not obeyed by %s\n", STR_ARG(l->controls[i].id), obeyed.not_by);
	}
}

static int print_json(const struct list *l, struct err *err)
{
	struct json_writer w;

	json_write_begin(&w);
	json_write_array(&w, "controls");
	for (size_t i = 0; i < l->nr; i++) {
		const struct control *c = &l->controls[i];

		json_write_map(&w, NULL);
		word_json_write_members(&w, c);
		if (!ctl_by_admin(l->ctl)) {
			obeyed_write(&l->status, c, false, "obeyed_by", &w);
			obeyed_write(&l->status, c, true, "not_obeyed_by", &w);
		}
		json_write_map_end(&w);
	}
	json_write_array_end(&w);
	return json_write_print(&w, l->ctl->out, err);
}

int control_list_run(struct ctl *ctl, struct err *err)
{
	struct list l = {.ctl = ctl};
	int rc = ctl_by_admin(ctl) ? gather_by_port(&l, err) : gather_by_kafka(&l, err);

	if (rc == 0 && ctl->json)
		rc = print_json(&l, err);
	else if (rc == 0)
		print_list(&l);
	arena_fini(&l.status.arena);
	return rc;
}
