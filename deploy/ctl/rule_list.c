/* rule_list.c - the commands `trigger list` and `receiver list`; see commands.h.
 *
 * What --json prints can be edited and applied: it is written by the code that export uses. The table is for a person, and says in words what a default means
 * ("by filter", "never") where the record has nothing. What may be long stands last: a line that is too long for the terminal runs on without tearing the
 * columns apart. */
#include <stdlib.h>

#include "common/trigger.h"
#include "deploy/ctl/commands.h"
#include "deploy/ctl/grid.h"
#include "deploy/ctl/rule_json.h"

static void add_texts(struct grid *g, const struct str *texts, size_t nr, const char *none)
{
	struct buf all = BUF_INIT;

	for (size_t i = 0; i < nr; i++)
		buf_printf(&all, "%s" STR_FMT, i ? ", " : "", STR_ARG(texts[i]));
	if (nr)
		grid_add(g, GRID_PLAIN, STR_FMT, STR_ARG(buf_str(&all)));
	else
		grid_add(g, GRID_DIM, "%s", none);
	buf_fini(&all);
}

static void add_trigger(struct grid *g, const struct trigger *t)
{
	char condition[TRIGGER_CONDITION_SIZE];

	grid_add(g, GRID_PLAIN, STR_FMT, STR_ARG(t->id));
	grid_add(g, GRID_PLAIN, STR_FMT, STR_ARG(t->site));
	grid_add(g, t->severity == ALERT_SEVERITY_CRITICAL ? GRID_BAD : GRID_PLAIN, "%s", alert_severity_name(t->severity));
	grid_add(g, GRID_PLAIN, "%dm", (int)(t->warm_up_minutes ? t->warm_up_minutes : 1));
	grid_add(g, GRID_PLAIN, "%dm", (int)(t->cooldown_minutes ? t->cooldown_minutes : 1));
	add_texts(g, t->receivers, t->receivers_len, "by filter");
	grid_add(g, GRID_PLAIN, "%s", trigger_condition(t, condition));
}

static void add_duration(struct grid *g, int64_t ms, const char *none)
{
	char text[RULE_DURATION_SIZE];

	grid_add(g, ms ? GRID_PLAIN : GRID_DIM, "%s", ms ? rule_json_duration(ms, text) : none);
}

static void add_receiver(struct grid *g, const struct receiver *r)
{
	struct str severities[3];
	size_t nr = 0;
	char after[RULE_DURATION_SIZE];

	for (; nr < r->severities_len && nr < sizeof(severities) / sizeof(severities[0]); nr++)
		severities[nr] = str_from(alert_severity_name(r->severities[nr]));
	grid_add(g, GRID_PLAIN, STR_FMT, STR_ARG(r->id));
	add_texts(g, r->sites, r->sites_len, r->only_named ? "named only" : "all");
	add_texts(g, severities, nr, "all");
	add_duration(g, r->group_wait_ms, "none");
	add_duration(g, r->group_interval_ms, "none");
	add_duration(g, r->repeat_ms, "never");
	if (r->escalate_to.len)
		grid_add(g, GRID_PLAIN, STR_FMT " after %s", STR_ARG(r->escalate_to), rule_json_duration(r->escalate_after_ms, after));
	else
		grid_add(g, GRID_DIM, "to nobody");
	if (r->has_webhook)
		grid_add(g, GRID_PLAIN, STR_FMT, STR_ARG(r->webhook.url));
	else
		add_texts(g, r->mail.to, r->mail.to_len, "nobody");
}

static int print_grid(struct ctl *ctl, enum store_kind kind, const char *site, struct err *err)
{
	static const char *const heads[2][GRID_COLUMNS_MAX] = {
		{"TRIGGER", "SITE", "SEVERITY", "WARM-UP", "COOLDOWN", "RECEIVERS", "CONDITION"},
		{"RECEIVER", "SITES", "SEVERITIES", "WAIT", "INTERVAL", "REPEAT", "ESCALATES", "TARGET"}};
	bool is_trigger = kind == STORE_TRIGGERS;
	size_t nr, shown = 0;
	const struct store_item **items = store_list(cluster_store(ctl->cluster), kind, &nr, err);
	struct grid g;

	if (!items)
		return -1;
	grid_init(&g, is_trigger ? "lllrrll" : "lllrrrll");
	for (size_t i = 0; i < GRID_COLUMNS_MAX && heads[!is_trigger][i]; i++)
		grid_add(&g, GRID_HEAD, "%s", heads[!is_trigger][i]);
	for (size_t i = 0; i < nr; i++) {
		if (items[i]->fault || (site && !str_eq(items[i]->v.trigger.site, str_from(site))))
			continue;
		shown++;
		if (is_trigger)
			add_trigger(&g, &items[i]->v.trigger);
		else
			add_receiver(&g, &items[i]->v.receiver);
	}
	if (shown)
		grid_print(&g, 0, grid_wants_colour(ctl->out), ctl->out);
	else
		fprintf(ctl->out, "no %ss: millrace-ctl %s apply -f FILE makes them\n", is_trigger ? "trigger" : "receiver", is_trigger ? "trigger" : "receiver");
	grid_fini(&g);
	free(items);
	return 0;
}

static int list(struct ctl *ctl, enum store_kind kind, const char *site, struct err *err)
{
	struct json_writer w;

	if (ctl_load_also(ctl, CLUSTER_BIT(kind), err) < 0 || (site && !ctl_find_site(ctl, site, err)))
		return -1;
	if (!ctl->json)
		return print_grid(ctl, kind, site, err);
	json_write_begin(&w);
	if (rule_json_write_all(&w, kind, cluster_store(ctl->cluster), site, err) == 0)
		return json_write_print(&w, ctl->out, err);
	json_write_fini(&w);
	return -1;
}

int trigger_list_run(struct ctl *ctl, struct err *err)
{
	return list(ctl, STORE_TRIGGERS, args_text(&ctl->args, "site"), err);
}

int receiver_list_run(struct ctl *ctl, struct err *err)
{
	return list(ctl, STORE_RECEIVERS, NULL, err);
}
