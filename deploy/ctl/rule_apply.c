/* rule_apply.c - the commands `trigger apply` and `receiver apply`; see commands.h.
 *
 * Everything is looked at before anything is written: what is wrong with the file by itself, and what it needs others for, is told together. Then each
 * record that differs is written and its line printed, so that a run that breaks off has told what it did; a second run does the rest. */
#include <stdlib.h>

#include "common/receiver.h"
#include "deploy/ctl/check.h"
#include "deploy/ctl/commands.h"
#include "deploy/ctl/diff.h"
#include "deploy/ctl/rule_change.h"
#include "deploy/ctl/rule_file.h"

struct rule_apply {
	struct ctl *ctl;
	enum store_kind kind;
	bool prune, dry_run;
	const char *site;  /* NULL: any */
	struct rule_file file;
	struct store wanted;
	const struct store *live;
	struct diff diff;
	struct json_writer json; /* with --json: "changes" is open, then "same" */
};

/* An id belongs to one site: whoever writes another's by mistake would take its trigger away. */
static void check_trigger(struct rule_apply *a, const struct trigger *t)
{
	const struct trigger *live = store_trigger(a->live, t->id);
	const struct yaml *entry = rule_file_entry(&a->file, STORE_TRIGGERS, t->id);
	struct err err = ERR_INIT;

	if (check_trigger_site(t, a->live, &err) < 0)
		yaml_fail(&a->file.yaml, entry, "%s", err.msg);
	else if (a->site && !str_eq(t->site, str_from(a->site)))
		yaml_fail(&a->file.yaml, entry, "site: is " STR_FMT ", and --site says %s", STR_ARG(t->site), a->site);
	else if (live && !str_eq(live->site, t->site))
		yaml_fail(&a->file.yaml, entry, "id: " STR_FMT " is a trigger of site " STR_FMT " already: ids are unique over all sites", STR_ARG(t->id),
			  STR_ARG(live->site));
}

/* One that is made later is told from then on: no error. */
static void warn_of_receivers(const struct rule_apply *a, const struct trigger *t)
{
	for (size_t i = 0; i < t->receivers_len; i++)
		if (!store_receiver(a->live, t->receivers[i]))
			ctl_hint("warning: trigger " STR_FMT ": there is no receiver \"" STR_FMT "\" yet: millrace-ctl receiver list shows them",
				 STR_ARG(t->id), STR_ARG(t->receivers[i]));
}

/* As there will be when this has been applied. */
static const struct receiver *find_receiver(void *ctx, struct str id)
{
	const struct rule_apply *a = ctx;
	const struct receiver *r = store_receiver(&a->wanted, id);

	return r || a->prune ? r : store_receiver(a->live, id);
}

static void check_receiver(struct rule_apply *a, const struct receiver *r)
{
	struct err err = ERR_INIT;

	if (receiver_check_chain(r, find_receiver, a, &err) < 0)
		yaml_fail(&a->file.yaml, rule_file_entry(&a->file, STORE_RECEIVERS, r->id), "%s", err.msg);
	for (size_t i = 0; i < r->sites_len; i++)
		if (!store_site(a->live, r->sites[i]))
			ctl_hint("warning: receiver " STR_FMT ": there is no site \"" STR_FMT "\"", STR_ARG(r->id), STR_ARG(r->sites[i]));
}

/* The file's records among the others. */
static int check_wanted(struct rule_apply *a, struct err *err)
{
	size_t nr;
	const struct store_item **items = store_list(&a->wanted, a->kind, &nr, err);

	if (!items)
		return -1;
	for (size_t i = 0; i < nr; i++) {
		if (a->kind == STORE_TRIGGERS)
			check_trigger(a, &items[i]->v.trigger);
		else
			check_receiver(a, &items[i]->v.receiver);
	}
	if (rule_file_end(&a->file, stderr, err) < 0) {
		free(items);
		return -1;
	}
	for (size_t i = 0; a->kind == STORE_TRIGGERS && i < nr; i++)
		warn_of_receivers(a, &items[i]->v.trigger);
	free(items);
	return 0;
}

/* The file's own list, and a word on the other. */
static void check_lists(struct rule_apply *a)
{
	bool is_trigger = a->kind == STORE_TRIGGERS, other = is_trigger ? a->file.has_receivers : a->file.has_triggers;

	if (a->file.yaml.root && !(is_trigger ? a->file.has_triggers : a->file.has_receivers))
		yaml_fail(&a->file.yaml, NULL, "there is no list of %ss", diff_kind_name(a->kind));
	if (other)
		ctl_hint("the file's %s are left to millrace-ctl %s apply", is_trigger ? "receivers" : "triggers", is_trigger ? "receiver" : "trigger");
}

static int make(struct rule_apply *a, const struct diff_change *c, struct err *err)
{
	if (!a->dry_run && rule_change_make(a->ctl, c, err) < 0)
		return err_wrap(err, "%s " STR_FMT, diff_kind_name(c->kind), STR_ARG((c->wanted ? c->wanted : c->live)->key));
	if (a->ctl->json)
		diff_write_json(c, &a->json);
	else
		diff_print(c, a->ctl->out);
	return 0;
}

/* Those of the file that are there already. Changes are in the order of the keys too. */
static int print_same(struct rule_apply *a, size_t *nr_same, struct err *err)
{
	size_t nr, at = 0;
	const struct store_item **items = store_list(&a->wanted, a->kind, &nr, err);

	if (!items)
		return -1;
	for (size_t i = 0; i < nr; i++) {
		if (at < a->diff.nr && a->diff.changes[at].wanted == items[i]) {
			at++;
			continue;
		}
		(*nr_same)++;
		if (a->ctl->json)
			json_write_text(&a->json, NULL, items[i]->key);
		else
			fprintf(a->ctl->out, "= %s " STR_FMT "\n", diff_kind_name(a->kind), STR_ARG(items[i]->key));
	}
	free(items);
	return 0;
}

static int make_changes(struct rule_apply *a, struct err *err)
{
	size_t same = 0;

	for (size_t i = 0; i < a->diff.nr; i++)
		if (make(a, &a->diff.changes[i], err) < 0)
			return -1;
	if (a->ctl->json) {
		json_write_array_end(&a->json);
		json_write_array(&a->json, "same");
	}
	if (print_same(a, &same, err) < 0)
		return -1;
	if (a->ctl->json)
		json_write_array_end(&a->json);
	else
		fprintf(a->ctl->out, "%zu %ss %sadded, %zu changed, %zu removed, %zu as they were\n", a->diff.count[DIFF_ADD], diff_kind_name(a->kind),
			a->dry_run ? "would be " : "", a->diff.count[DIFF_CHANGE], a->diff.count[DIFF_REMOVE], same);
	return 0;
}

static int apply(struct rule_apply *a, struct err *err)
{
	if (rule_file_read(&a->file, args_text(&a->ctl->args, "file"), &a->wanted, err) < 0 ||
	    ctl_load_also(a->ctl, CLUSTER_BIT(STORE_TRIGGERS) | CLUSTER_BIT(STORE_RECEIVERS), err) < 0)
		return -1;
	a->live = cluster_store(a->ctl->cluster);
	check_lists(a);
	if (check_wanted(a, err) < 0 || diff_make_rules(&a->diff, a->kind, a->live, &a->wanted, a->prune, a->site, err) < 0)
		return -1;
	if (!a->ctl->json)
		return make_changes(a, err);
	json_write_begin(&a->json);
	json_write_bool(&a->json, "dry_run", a->dry_run);
	json_write_array(&a->json, "changes");
	if (make_changes(a, err) == 0)
		return json_write_print(&a->json, a->ctl->out, err);
	json_write_fini(&a->json);
	return -1;
}

static int run(struct rule_apply *a, struct err *err)
{
	int rc;

	a->prune = args_given(&a->ctl->args, "prune");
	a->dry_run = args_given(&a->ctl->args, "dry-run");
	rc = apply(a, err);
	diff_fini(&a->diff);
	store_fini(&a->wanted);
	rule_file_fini(&a->file);
	return rc;
}

/* Whose triggers may go must be said: a file of one site's knows nothing of the others'. */
int trigger_apply_run(struct ctl *ctl, struct err *err)
{
	struct rule_apply a = {.ctl = ctl, .kind = STORE_TRIGGERS, .site = args_text(&ctl->args, "site")};

	if (args_given(&ctl->args, "prune") && !a.site)
		return err_set(err, ERR_FATAL, "--prune wants --site SITE: only that one's triggers are removed");
	return run(&a, err);
}

int receiver_apply_run(struct ctl *ctl, struct err *err)
{
	struct rule_apply a = {.ctl = ctl, .kind = STORE_RECEIVERS};

	return run(&a, err);
}
