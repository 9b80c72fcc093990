/* page_change.c - the commands `incident draft|post|update|veto|resolve`: what operators say on the status page; see commands.h.
 *
 * Each writes one entry, by Kafka or to the page's admin port, and what would be refused is refused before it is written. Somebody else may be faster in
 * between: by Kafka, the topic is read again behind our entry, and what its readers make of it is told. Kafka's topic takes no conditions, so this is as
 * certain as it gets; the port folds before it answers. */
#include "common/silence.h"
#include "deploy/ctl/commands.h"
#include "deploy/ctl/page_incidents.h"
#include "deploy/ctl/page_words.h"

struct change {
	struct ctl *ctl;
	struct page_words words;
	struct status_incidents incidents; /* before it */
	const struct status_incident *before; /* NULL: it is a new one */
	struct status_entry entry;
	char entry_id[STATUS_ENTRY_ID_SIZE];
	struct arena arena;
};

/* "posted": what it is by then. */
static const char *done_name(enum status_action action)
{
	static const char *const names[] = {[STATUS_ACTION_DRAFT] = "drafted", [STATUS_ACTION_POST] = "posted", [STATUS_ACTION_UPDATE] = "updated",
					    [STATUS_ACTION_VETO] = "vetoed", [STATUS_ACTION_RESOLVE] = "resolved"};

	return names[action];
}

/* A cell that is not there is a slip of the hand. By --admin nobody can be asked. */
static int check_cells(struct change *c, struct err *err)
{
	if (ctl_by_admin(c->ctl) || !c->words.nr_components)
		return 0;
	if (ctl_load(c->ctl, false, err) < 0)
		return -1;
	for (size_t i = 0; i < c->words.nr_components; i++) {
		struct str name = c->words.components[i];

		if (str_take(&name, "storage/") && !ctl_find_cell(c->ctl, name.p, err))
			return -1;
	}
	return 0;
}

static bool names(const struct status_incident *i, struct str component)
{
	for (size_t k = 0; k < i->nr_components; k++)
		if (str_eq(i->components[k], component))
			return true;
	return false;
}

/* Two stories of one outage confuse everybody. */
static void warn_of_others(const struct change *c)
{
	for (size_t k = 0; k < c->incidents.nr; k++) {
		const struct status_incident *i = c->incidents.list[k];

		for (size_t n = 0; n < c->entry.components_len; n++)
			if (names(i, c->entry.components[n]) && i->impact != STATUS_IMPACT_MAINTENANCE && c->entry.impact != STATUS_IMPACT_MAINTENANCE &&
			    (i->state == STATUS_INCIDENT_DRAFT || i->state == STATUS_INCIDENT_POSTED))
				ctl_hint("there is another incident of " STR_FMT ", " STR_FMT " (%s)", STR_ARG(c->entry.components[n]), STR_ARG(i->id),
					 page_incidents_state_name(i->state));
	}
}

/* Reads what is there, and judges. */
static int prepare(struct change *c, struct err *err)
{
	const char *id = c->ctl->args.nr_operands ? c->ctl->args.operands[0] : NULL;
	const char *why;

	if (check_cells(c, err) < 0 || page_incidents_read(&c->incidents, c->ctl, err) < 0)
		return -1;
	if (id && !(c->before = status_incidents_match(&c->incidents, id, err)))
		return err_wrap(err, "incident list --page shows them");
	status_entry_id(c->entry_id);
	if (page_words_entry(&c->words, c->before, str_from(c->ctl->author), str_from(c->entry_id), clock_now_ms(&c->ctl->program.clock), &c->arena, &c->entry,
			     err) < 0)
		return -1;
	if (!c->before && status_incidents_find(&c->incidents, c->entry.incident))
		return err_set(err, ERR_REJECT, "there is an incident " STR_FMT " already: give it as ID, or another --id", STR_ARG(c->entry.incident));
	why = status_incidents_why_not(&c->incidents, &c->entry);
	if (why)
		return err_set(err, ERR_REJECT, "incident " STR_FMT ": %s", STR_ARG(c->entry.incident), why);
	if (!c->before)
		warn_of_others(c);
	return 0;
}

/* What became of it: in *after, read anew. An entry that somebody else's has made meaningless is refused by all readers. */
static int look_again(struct change *c, struct status_incidents *after, const struct status_incident **found, struct err *err)
{
	if (page_incidents_read(after, c->ctl, err) < 0)
		return err_wrap(err, "the entry is written, but how it was taken is not known");
	*found = status_incidents_find(after, c->entry.incident);
	for (size_t i = 0; *found && i < (*found)->nr_lines; i++) {
		const struct status_line *line = &(*found)->lines[i];

		if (str_eq(line->entry.entry, c->entry.entry) && !line->refused)
			return 0;
	}
	return err_set(err, ERR_REJECT, "incident " STR_FMT ": somebody has changed it meanwhile, and the entry does not count; see incident show " STR_FMT " --page",
		       STR_ARG(c->entry.incident), STR_ARG(c->entry.incident));
}

static int tell(const struct change *c, const struct status_incident *i, struct err *err)
{
	char event[40];
	struct tag fields[] = {{STR("incident"), i->id}, {STR("title"), i->title}, {STR("impact"), str_from(status_impact_name(i->impact))},
			       {STR("reason"), c->entry.text}};
	bool veto = c->entry.action == STATUS_ACTION_VETO;
	struct ctl_event what = {.severity = SEVERITY_INFO, .event = event, .fields = fields, .nr_fields = veto ? 4 : 3};

	snprintf(event, sizeof(event), "status_%s", done_name(c->entry.action));
	return ctl_notice(c->ctl, &what, err, "incident " STR_FMT " on the status page %s: " STR_FMT, STR_ARG(i->id), done_name(c->entry.action),
			  STR_ARG(veto ? c->entry.text : i->title));
}

/* What the operator may not know. */
static void hint(const struct change *c, const struct status_incident *i)
{
	if (i->state == STATUS_INCIDENT_DRAFT)
		ctl_hint("only operators see a draft%s: millrace-ctl incident post " STR_FMT ", or incident veto",
			 c->before && !c->before->edited ? ", and as it is yours now, it is not posted by itself any more" : "", STR_ARG(i->id));
	else if (i->state == STATUS_INCIDENT_POSTED && i->impact != STATUS_IMPACT_MAINTENANCE && c->before && !c->before->edited)
		ctl_hint("it is yours from now on: the page neither updates nor resolves it by itself");
}

static int print_done(const struct change *c, const struct status_incident *i, struct err *err)
{
	struct ctl *ctl = c->ctl;
	char from[CLOCK_ISO_SIZE], to[CLOCK_ISO_SIZE];
	struct json_writer w;

	if (ctl->json) {
		json_write_begin(&w);
		page_incidents_write_one(&w, "incident", i);
		return json_write_print(&w, ctl->out, err);
	}
	fprintf(ctl->out, "%c incident " STR_FMT " %s", c->before ? '~' : '+', STR_ARG(i->id), done_name(c->entry.action));
	if (i->impact == STATUS_IMPACT_MAINTENANCE && i->recovery_at && !i->ended_at)
		fprintf(ctl->out, ", a maintenance from %.16sZ to %.16sZ", clock_iso(i->opened_at, from, sizeof(from)), clock_iso(i->recovery_at, to, sizeof(to)));
	if (ctl_by_admin(ctl))
		fprintf(ctl->out, ", at %s; it writes it to Kafka when it can", args_text(&ctl->args, "admin"));
	fputc('\n', ctl->out);
	hint(c, i);
	return 0;
}

static int finish(struct change *c, struct err *err)
{
	struct status_incidents after = {0};
	const struct status_incident *i = NULL;
	int rc = look_again(c, &after, &i, err);

	if (rc == 0 && !ctl_by_admin(c->ctl))
		rc = tell(c, i, err);
	if (rc == 0)
		rc = print_done(c, i, err);
	status_incidents_fini(&after);
	return rc;
}

static int run(struct ctl *ctl, enum status_action action, struct err *err)
{
	struct change c = {.ctl = ctl};
	int rc = page_words_read(&c.words, &ctl->args, action, &c.arena, err);

	if (rc == 0 && action == STATUS_ACTION_VETO)
		rc = silence_check_text("reason", c.words.text, 1, SILENCE_REASON_MAX, err);
	if (rc == 0)
		rc = prepare(&c, err);
	if (rc == 0)
		rc = page_incidents_write(ctl, &c.entry, err);
	if (rc == 0)
		rc = finish(&c, err);
	status_incidents_fini(&c.incidents);
	arena_fini(&c.arena);
	return rc;
}

int incident_draft_run(struct ctl *ctl, struct err *err)
{
	return run(ctl, STATUS_ACTION_DRAFT, err);
}

int incident_post_run(struct ctl *ctl, struct err *err)
{
	return run(ctl, STATUS_ACTION_POST, err);
}

int incident_update_run(struct ctl *ctl, struct err *err)
{
	return run(ctl, STATUS_ACTION_UPDATE, err);
}

int incident_veto_run(struct ctl *ctl, struct err *err)
{
	return run(ctl, STATUS_ACTION_VETO, err);
}

int incident_resolve_run(struct ctl *ctl, struct err *err)
{
	return run(ctl, STATUS_ACTION_RESOLVE, err);
}
