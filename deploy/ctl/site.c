/* site.c - the commands of sites; see commands.h.
 *
 * A site's first route holds from the beginning of time: a payload that was spooled before the site was
 * made still has a way, and the same one at every attempt. Routes that come later are bound by the rule of
 * routes (a full minute, 15 minutes ahead). */
#include <stdlib.h>
#include <string.h>

#include "deploy/ctl/check.h"
#include "deploy/ctl/commands.h"
#include "deploy/ctl/grid.h"
#include "deploy/ctl/record_json.h"

/* What was done, for people or scripts. sign: "+" added, "~" changed, "=" as it was. */
static int print_site(struct ctl *ctl, const struct site *site, const char *sign, const char *what, struct err *err)
{
	struct json_writer w;

	if (!ctl->json) {
		fprintf(ctl->out, "%s site " STR_FMT " %s\n", sign, STR_ARG(site->id), what);
		return 0;
	}
	json_write_begin(&w);
	json_write_bool(&w, "changed", *sign != '=');
	record_json_write_site(&w, "site", site);
	return json_write_print(&w, ctl->out, err);
}

/* Is live what `site add` was asked to make? */
static bool is_same(const struct site *live, const struct site *wanted, bool name_given)
{
	const struct route *last = live->routes_len ? &live->routes[live->routes_len - 1] : NULL;

	return last && str_eq(last->cell, wanted->routes[0].cell) && last->shards == wanted->routes[0].shards &&
	       (!name_given || str_eq(live->name, wanted->name));
}

/* id and cell of wanted come from the command line, and end in NUL. */
static int add_site(struct ctl *ctl, const struct site *wanted, struct err *err)
{
	const char *id = wanted->id.p, *cell = wanted->routes[0].cell.p;
	struct ctl_event event = {.severity = SEVERITY_INFO, .event = "site_added", .cell = cell, .site = id, .record = RECORD_SITE, .after = wanted};
	char what[128];

	if (cluster_put_site(ctl->cluster, wanted, err) < 0 ||
	    ctl_notice(ctl, &event, err, "site %s added to cell %s, %d shards", id, cell, (int)wanted->routes[0].shards) < 0)
		return -1;
	snprintf(what, sizeof(what), "added to cell %s, %d shards", cell, (int)wanted->routes[0].shards);
	return print_site(ctl, wanted, "+", what, err);
}

int site_add_run(struct ctl *ctl, struct err *err)
{
	const char *id = ctl->args.operands[0], *name = args_text(&ctl->args, "name"), *cell = args_text(&ctl->args, "cell");
	struct route route = {.cell = str_from(cell), .shards = (int32_t)args_int(&ctl->args, "shards")};
	struct site wanted = {
		.id = str_from(id),
		.name = str_from(name ? name : id),
		.created_at = clock_now_ms(&ctl->program.clock),
		.routes = &route,
		.routes_len = 1,
	};
	const struct site *live;

	if (check_site(&wanted, err) < 0 || ctl_load(ctl, false, err) < 0 ||
	    check_site_routes(&wanted, cluster_store(ctl->cluster), err) < 0)
		return -1;
	live = store_site(cluster_store(ctl->cluster), wanted.id);
	if (!live)
		return add_site(ctl, &wanted, err);
	if (!is_same(live, &wanted, name != NULL))
		return err_set(err, ERR_REJECT, "site %s is there already, and not like this: see millrace-ctl site list; "
			       "millrace-ctl apply changes it", id);
	return print_site(ctl, live, "=", "is there already", err);
}

/* disable and enable: the same but for the direction. */
static int switch_site(struct ctl *ctl, bool disabled, struct err *err)
{
	const char *id = ctl->args.operands[0], *word = disabled ? "disabled" : "enabled";
	const struct site *live;
	struct site changed;
	struct ctl_event event = {.severity = disabled ? SEVERITY_WARNING : SEVERITY_INFO,
				  .event = disabled ? "site_disabled" : "site_enabled", .site = id, .record = RECORD_SITE, .after = &changed};
	char what[64];

	if (ctl_load(ctl, false, err) < 0)
		return -1;
	live = ctl_find_site(ctl, id, err);
	if (!live)
		return -1;
	snprintf(what, sizeof(what), live->disabled == disabled ? "is %s already" : "%s", word);
	if (live->disabled == disabled)
		return print_site(ctl, live, "=", what, err);
	event.before = live;
	changed = *live;
	changed.disabled = disabled;
	if (cluster_put_site(ctl->cluster, &changed, err) < 0 || ctl_notice(ctl, &event, err, "site %s %s", id, word) < 0)
		return -1;
	return print_site(ctl, &changed, "~", what, err);
}

int site_disable_run(struct ctl *ctl, struct err *err)
{
	return switch_site(ctl, true, err);
}

int site_enable_run(struct ctl *ctl, struct err *err)
{
	return switch_site(ctl, false, err);
}

/* The last route is shown: it is where the site goes, or will within minutes. The history stands in the
 * JSON. */
static void add_row(struct grid *g, const struct site *site)
{
	const struct route *last = &site->routes[site->routes_len - 1];
	char keys[CHECK_KEYS_MAX * (CHECK_KEY_ID_MAX + 2) + 1] = "";

	for (size_t i = 0; i < site->keys_len && i < CHECK_KEYS_MAX; i++)
		snprintf(keys + strlen(keys), sizeof(keys) - strlen(keys), "%s%.*s", i ? ", " : "",
			 (int)(site->keys[i].id.len < CHECK_KEY_ID_MAX ? site->keys[i].id.len : CHECK_KEY_ID_MAX), site->keys[i].id.p);
	grid_add(g, GRID_PLAIN, STR_FMT, STR_ARG(site->id));
	grid_add(g, GRID_PLAIN, STR_FMT, STR_ARG(site->name));
	grid_add(g, GRID_PLAIN, STR_FMT, STR_ARG(last->cell));
	grid_add(g, GRID_PLAIN, "%d", (int)last->shards);
	grid_add(g, site->disabled ? GRID_BAD : GRID_GOOD, site->disabled ? "disabled" : "live");
	grid_add(g, *keys ? GRID_PLAIN : GRID_DIM, "%s", *keys ? keys : "none");
}

static int print_sites(struct ctl *ctl, struct err *err)
{
	static const char *const heads[] = {"SITE", "NAME", "CELL", "SHARDS", "STATE", "KEYS"};
	size_t nr;
	const struct store_item **sites = store_list(cluster_store(ctl->cluster), STORE_SITES, &nr, err);
	struct grid g;

	if (!sites)
		return -1;
	grid_init(&g, "lllrll");
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
		grid_add(&g, GRID_HEAD, "%s", heads[i]);
	for (size_t i = 0; i < nr; i++)
		if (!sites[i]->fault && sites[i]->v.site.routes_len)
			add_row(&g, &sites[i]->v.site);
	if (nr)
		grid_print(&g, 0, grid_wants_colour(ctl->out), ctl->out);
	else
		fputs("no sites: millrace-ctl site add ID --cell CELL makes one\n", ctl->out);
	grid_fini(&g);
	free(sites);
	return 0;
}

int site_list_run(struct ctl *ctl, struct err *err)
{
	struct json_writer w;
	int rc;

	if (ctl_load(ctl, false, err) < 0)
		return -1;
	if (!ctl->json)
		return print_sites(ctl, err);
	json_write_begin(&w);
	rc = record_json_write_sites(&w, cluster_store(ctl->cluster), err);
	if (rc == 0)
		return json_write_print(&w, ctl->out, err);
	json_write_fini(&w);
	return -1;
}
