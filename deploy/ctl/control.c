/* control.c - the commands `control set`, `control clear`, `site confirm-shrink` and `offsets confirm`; see commands.h.
 *
 * Two ways lead to the programs: Kafka's topic, which reaches all of them, and one instance's admin port, which needs no Kafka. Either
 * way the record is the same, made and judged here by the rules that the programs judge it by (common/control.h). By Kafka, the command
 * does not end before the heartbeats say who obeys: an operator who closes the intake needs to know that it is closed. */
#include <stdlib.h>
#include <string.h>

#include "common/control.h"
#include "deploy/ctl/commands.h"
#include "deploy/ctl/grid.h"
#include "deploy/ctl/obeyed.h"

/* One change of one control, whichever way it goes. */
struct change {
	struct ctl *ctl;
	const struct control *before; /* what the topic had of this id; NULL: nothing that can be read */
	struct control control; /* by --id, and until it is found, all but the id is unknown */
	char id[CONTROL_ID_SIZE];
	bool cleared;
};

/* A kind that no sink knows would drop nothing, in silence. */
static int check_kind(const char *kind, struct err *err)
{
	static const char *const kinds[] = {"minutely", "hourly", "errors", "traces", "markers", "checkins", "alerts", "incidents"};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kinds[i], kind) == 0)
			return 0;
	return err_set(err, ERR_REJECT, "--kind %s: a sink stores minutely, hourly, errors, traces, markers, checkins, alerts and incidents", kind);
}

static void take_scope(const struct args *args, const char *option, bool *has, struct str *out)
{
	*has = args_given(args, option);
	*out = str_from(args_text(args, option));
}

/* What --on, --do and the scope's options name, and its id. */
static int name_control(struct change *ch, struct err *err)
{
	const struct args *args = &ch->ctl->args;
	struct control *c = &ch->control;

	if (control_find_program(str_from(args_text(args, "on")), &c->on, err) < 0 ||
	    control_find_action(str_from(args_text(args, "do")), &c->action, err) < 0)
		return -1;
	take_scope(args, "cell", &c->has_cell, &c->cell);
	take_scope(args, "site", &c->has_site, &c->site);
	take_scope(args, "kind", &c->has_kind, &c->kind);
	take_scope(args, "trigger", &c->has_trigger, &c->trigger);
	if (control_make_id(c, ch->id, err) < 0 || (c->has_kind && check_kind(c->kind.p, err) < 0))
		return -1;
	c->id = str_from(ch->id);
	return 0;
}

/* For the operator log: after the change, whichever it was. Of one that is cleared only the id counts. */
static int tell(const struct change *ch, struct err *err)
{
	const struct control *c = &ch->control;
	char until[CLOCK_ISO_SIZE], cell[CONTROL_CELL_MAX + 1], site[CONTROL_SITE_MAX + 1];
	struct tag fields[] = {{STR("id"), str_from(ch->id)}, {STR("reason"), c->reason}, {STR("expires_at"), STR("")}};
	struct ctl_event event = {
		.severity = ch->cleared ? SEVERITY_INFO : SEVERITY_WARNING, .event = ch->cleared ? "control_cleared" : "control_set",
		.cell = c->has_cell ? cell : NULL, .site = c->has_site ? site : NULL, .fields = fields, .nr_fields = ch->cleared ? 1 : 3,
		.record = RECORD_CONTROL, .before = ch->before, .after = ch->cleared ? NULL : c};

	snprintf(cell, sizeof(cell), STR_FMT, STR_ARG(c->cell));
	snprintf(site, sizeof(site), STR_FMT, STR_ARG(c->site));
	fields[2].value = str_from(clock_iso(c->expires_at, until, sizeof(until)));
	if (ch->cleared)
		return ctl_notice(ch->ctl, &event, err, "control %s cleared", ch->id);
	return ctl_notice(ch->ctl, &event, err, "control %s set until %s: " STR_FMT, ch->id, until, STR_ARG(c->reason));
}

/* obeyed: NULL when only one instance was asked, and did it. */
static int print_change(const struct change *ch, const struct obeyed *obeyed, struct err *err)
{
	struct ctl *ctl = ch->ctl;
	char until[CLOCK_ISO_SIZE], left[GRID_NUMBER_SIZE];
	struct json_writer w;

	if (!ctl->json) {
		fprintf(ctl->out, "%s control %s", ch->cleared ? "-" : "+", ch->id);
		if (!ch->cleared)
			fprintf(ctl->out, " until %s (%s)", clock_iso(ch->control.expires_at, until, sizeof(until)),
				grid_duration(ch->control.expires_at - ch->control.created_at, left));
		if (!obeyed)
			fprintf(ctl->out, ", at %s only", args_text(&ctl->args, "admin"));
		fputc('\n', ctl->out);
		if (obeyed && obeyed->nr_by && !ch->cleared)
			fprintf(ctl->out, "obeyed by %s\n", obeyed->by);
		return 0;
	}
	json_write_begin(&w);
	json_write_text(&w, "id", str_from(ch->id));
	json_write_bool(&w, "cleared", ch->cleared);
	if (!ch->cleared)
		json_write_int(&w, "expires_at", ch->control.expires_at);
	if (obeyed) {
		json_write_int(&w, "obeyed_by", (int64_t)obeyed->nr_by);
		json_write_int(&w, "not_obeyed_by", (int64_t)obeyed->nr_not_by);
	}
	return json_write_print(&w, ctl->out, err);
}

/* Waits for those whom it concerns, and tells of those who do not do as told: 1. */
static int settle(const struct change *ch, int64_t since, struct err *err)
{
	const char *program = control_program_name(ch->control.on);
	struct obeyed obeyed;
	int rc;

	progress_begin(ch->ctl->progress, "waiting for every millrace-%s that is concerned to %s", program, ch->cleared ? "let go" : "obey");
	rc = obeyed_await(ch->ctl->cluster, &ch->ctl->program.clock, &ch->control, ch->cleared ? -1 : since, ch->cleared, &obeyed, err);
	progress_end(ch->ctl->progress);
	if (rc < 0 || print_change(ch, &obeyed, err) < 0)
		return -1;
	if (!ch->cleared && obeyed.nr_by + obeyed.nr_not_by == 0) {
		ctl_hint("no %s is alive that this is for: it will be obeyed by those that start", program);
		return 0;
	}
	if (!ch->cleared && obeyed.nr_not_by)
		ctl_hint("not acknowledged within 5 s by %s: see millrace-ctl control list", obeyed.not_by);
	if (ch->cleared && obeyed.nr_by)
		ctl_hint("still obeyed after 5 s by %s: see millrace-ctl control list", obeyed.by);
	return (ch->cleared ? obeyed.nr_by : obeyed.nr_not_by) ? 1 : 0;
}

/* One that is not there, or another site's, is silent without a control; but more often it is a slip of the hand. */
static void warn_of_trigger(const struct ctl *ctl, const struct control *c)
{
	const struct trigger *t = c->has_trigger ? store_trigger(cluster_store(ctl->cluster), c->trigger) : NULL;

	if (c->has_trigger && !t)
		ctl_hint("warning: there is no trigger \"" STR_FMT "\": millrace-ctl trigger list shows them", STR_ARG(c->trigger));
	else if (t && c->has_site && !str_eq(t->site, c->site))
		ctl_hint("warning: trigger " STR_FMT " is of site " STR_FMT, STR_ARG(t->id), STR_ARG(t->site));
}

/* A cell or a site that is not there is a slip of the hand. */
static int set_by_kafka(struct change *ch, struct err *err)
{
	struct ctl *ctl = ch->ctl;
	const struct control *c = &ch->control;
	const struct store_item *item;
	int64_t since;

	if (ctl_load_also(ctl, CLUSTER_BIT(STORE_BEATS) | (c->has_trigger ? CLUSTER_BIT(STORE_TRIGGERS) : 0), err) < 0 || (c->has_cell && !ctl_find_cell(ctl, c->cell.p, err)) ||
	    (c->has_site && !ctl_find_site(ctl, c->site.p, err)))
		return -1;
	warn_of_trigger(ctl, c);
	item = store_item(cluster_store(ctl->cluster), STORE_CONTROLS, c->id);
	ch->before = item && !item->fault ? &item->v.control : NULL; /* the store keeps it, though it is replaced */
	since = cluster_seen(ctl->cluster, STORE_BEATS);
	if (cluster_put_control(ctl->cluster, c, err) < 0 || tell(ch, err) < 0)
		return -1;
	return settle(ch, since, err);
}

static int set_by_port(struct change *ch, struct err *err)
{
	struct admin_port *port = ctl_open_admin(ch->ctl, "/controls", err);
	struct buf record = BUF_INIT;
	int rc = -1;

	if (port && control_encode(&ch->control, &record, err) == 0 && admin_port_put(port, buf_str(&record), err) == 0)
		rc = print_change(ch, NULL, err);
	buf_fini(&record);
	admin_port_free(port);
	return rc;
}

/* Named already: gives it reason, author and life, and sets it. */
static int set_control(struct change *ch, struct err *err)
{
	const struct args *args = &ch->ctl->args;
	struct control *c = &ch->control;

	c->reason = str_from(args_text(args, "reason"));
	c->author = str_from(ch->ctl->author);
	c->created_at = clock_now_ms(&ch->ctl->program.clock);
	c->expires_at = c->created_at + args_int(args, "for");
	if (control_check(c, err) < 0)
		return -1;
	return ctl_by_admin(ch->ctl) ? set_by_port(ch, err) : set_by_kafka(ch, err);
}

int control_set_run(struct ctl *ctl, struct err *err)
{
	struct change ch = {.ctl = ctl};

	return name_control(&ch, err) < 0 ? -1 : set_control(&ch, err);
}

/* A command that says program, action and scope by its name. */
static int confirm(struct change *ch, struct err *err)
{
	if (control_make_id(&ch->control, ch->id, err) < 0)
		return -1;
	ch->control.id = str_from(ch->id);
	return set_control(ch, err);
}

int site_confirm_shrink_run(struct ctl *ctl, struct err *err)
{
	struct change ch = {.ctl = ctl, .control = {.on = CONTROL_PROGRAM_INGEST, .action = CONTROL_ACTION_ACCEPT_SHRINK}};

	return confirm(&ch, err);
}

/* Always for one cell: whoever accepts has looked at it (offsets show). */
int offsets_confirm_run(struct ctl *ctl, struct err *err)
{
	bool forget = args_given(&ctl->args, "forget-state");
	struct change ch = {.ctl = ctl, .control = {.on = CONTROL_PROGRAM_PROCESSOR, .has_cell = true, .cell = str_from(ctl->args.operands[0]),
						    .action = forget ? CONTROL_ACTION_FORGET_STATE : CONTROL_ACTION_ACCEPT_OFFSETS}};

	return confirm(&ch, err);
}

/* By --id, or by the same options as it was set with. */
static int name_cleared(struct change *ch, struct err *err)
{
	static const char *const parts[] = {"on", "do", "cell", "site", "kind", "trigger"};
	const struct args *args = &ch->ctl->args;
	const char *id = args_text(args, "id");

	for (size_t i = 0; id && i < sizeof(parts) / sizeof(parts[0]); i++)
		if (args_given(args, parts[i]))
			return err_set(err, ERR_REJECT, "--id says all: --%s cannot stand beside it", parts[i]);
	if (!id && !(args_given(args, "on") && args_given(args, "do")))
		return err_set(err, ERR_REJECT, "which one? give --id ID, or --on and --do and the scope it was set with");
	if (!id)
		return name_control(ch, err);
	if (strlen(id) >= sizeof(ch->id))
		return err_set(err, ERR_REJECT, "no control has an id of %zu bytes", strlen(id));
	snprintf(ch->id, sizeof(ch->id), "%s", id);
	ch->control.id = str_from(ch->id);
	return 0;
}

/* Clears also what cannot be read, and what has expired: both only lie about in the topic then. */
static int clear_by_kafka(struct change *ch, struct err *err)
{
	const struct store_item *item;

	if (ctl_load(ch->ctl, true, err) < 0)
		return -1;
	item = store_item(cluster_store(ch->ctl->cluster), STORE_CONTROLS, ch->control.id);
	if (!item)
		return err_set(err, ERR_REJECT, "there is no control \"%s\": millrace-ctl control list shows them", ch->id);
	if (cluster_remove(ch->ctl->cluster, STORE_CONTROLS, ch->control.id, err) < 0)
		return -1;
	if (item->fault)
		return tell(ch, err) < 0 ? -1 : print_change(ch, &(struct obeyed){0}, err);
	ch->control = item->v.control; /* the store keeps it, though it is replaced */
	ch->before = &ch->control;
	return tell(ch, err) < 0 ? -1 : settle(ch, -1, err);
}

static int clear_by_port(struct change *ch, struct err *err)
{
	struct admin_port *port = ctl_open_admin(ch->ctl, "/controls", err);
	int rc = port && admin_port_clear(port, ch->id, err) == 0 ? print_change(ch, NULL, err) : -1;

	admin_port_free(port);
	return rc;
}

int control_clear_run(struct ctl *ctl, struct err *err)
{
	struct change ch = {.ctl = ctl, .cleared = true};

	if (name_cleared(&ch, err) < 0)
		return -1;
	return ctl_by_admin(ctl) ? clear_by_port(&ch, err) : clear_by_kafka(&ch, err);
}
