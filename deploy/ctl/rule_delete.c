/* rule_delete.c - the commands `trigger delete` and `receiver delete`; see commands.h.
 *
 * All or none are begun: an id that is not there, or a receiver that another one escalates to, is found before the first is removed. */
#include <stdlib.h>
#include <string.h>

#include "deploy/ctl/commands.h"
#include "deploy/ctl/diff.h"
#include "deploy/ctl/rule_change.h"

static bool is_going(const struct args *args, struct str id)
{
	for (int i = 0; i < args->nr_rest; i++)
		if (str_eq(str_from(args->rest[i]), id))
			return true;
	return false;
}

static int check_there(struct ctl *ctl, enum store_kind kind, struct err *err)
{
	const char *name = diff_kind_name(kind);

	if (!ctl->args.nr_rest)
		return err_set(err, ERR_FATAL, "which ones? millrace-ctl %s list shows them", name);
	for (int i = 0; i < ctl->args.nr_rest; i++) {
		const char *id = ctl->args.rest[i];

		if (!store_item(cluster_store(ctl->cluster), kind, str_from(id)))
			return err_set(err, ERR_REJECT, "there is no %s \"%s\": millrace-ctl %s list shows them", name, id, name);
		for (int j = 0; j < i; j++)
			if (strcmp(ctl->args.rest[j], id) == 0)
				return err_set(err, ERR_REJECT, "%s %s stands there twice", name, id);
	}
	return 0;
}

/* Whoever stays must not escalate to nobody. */
static int check_escalations(struct ctl *ctl, struct err *err)
{
	size_t nr;
	const struct store_item **items = store_list(cluster_store(ctl->cluster), STORE_RECEIVERS, &nr, err);
	int rc = items ? 0 : -1;

	for (size_t i = 0; rc == 0 && i < nr; i++) {
		const struct receiver *r = &items[i]->v.receiver;

		if (!items[i]->fault && !is_going(&ctl->args, r->id) && r->escalate_to.len && is_going(&ctl->args, r->escalate_to))
			rc = err_set(err, ERR_REJECT, "receiver " STR_FMT " escalates to " STR_FMT ": change or delete that one too", STR_ARG(r->id),
				     STR_ARG(r->escalate_to));
	}
	free(items);
	return rc;
}

/* A trigger that names nobody who is left tells nobody. */
static int warn_of_triggers(struct ctl *ctl, struct err *err)
{
	size_t nr;
	const struct store_item **items = store_list(cluster_store(ctl->cluster), STORE_TRIGGERS, &nr, err);

	for (size_t i = 0; items && i < nr; i++) {
		const struct trigger *t = &items[i]->v.trigger;

		for (size_t j = 0; !items[i]->fault && j < t->receivers_len; j++)
			if (is_going(&ctl->args, t->receivers[j]))
				ctl_hint("warning: trigger " STR_FMT " names receiver " STR_FMT, STR_ARG(t->id), STR_ARG(t->receivers[j]));
	}
	free(items);
	return items ? 0 : -1;
}

/* The records as they were; the caller has checked that they are there. */
static int delete_all(struct ctl *ctl, enum store_kind kind, struct err *err)
{
	struct json_writer w;

	json_write_begin(&w);
	json_write_array(&w, "changes");
	for (int i = 0; i < ctl->args.nr_rest; i++) {
		const struct store_item *live = store_item(cluster_store(ctl->cluster), kind, str_from(ctl->args.rest[i]));
		const struct diff_change change = {.op = DIFF_REMOVE, .kind = kind, .live = live};

		if (rule_change_make(ctl, &change, err) < 0) {
			json_write_fini(&w);
			return err_wrap(err, "%s %s", diff_kind_name(kind), ctl->args.rest[i]);
		}
		if (ctl->json)
			diff_write_json(&change, &w);
		else
			diff_print(&change, ctl->out);
	}
	json_write_array_end(&w);
	if (ctl->json)
		return json_write_print(&w, ctl->out, err);
	json_write_fini(&w);
	return 0;
}

int trigger_delete_run(struct ctl *ctl, struct err *err)
{
	if (ctl_load_also(ctl, CLUSTER_BIT(STORE_TRIGGERS), err) < 0 || check_there(ctl, STORE_TRIGGERS, err) < 0)
		return -1;
	return delete_all(ctl, STORE_TRIGGERS, err);
}

int receiver_delete_run(struct ctl *ctl, struct err *err)
{
	if (ctl_load_also(ctl, CLUSTER_BIT(STORE_TRIGGERS) | CLUSTER_BIT(STORE_RECEIVERS), err) < 0 || check_there(ctl, STORE_RECEIVERS, err) < 0 ||
	    check_escalations(ctl, err) < 0 || warn_of_triggers(ctl, err) < 0)
		return -1;
	return delete_all(ctl, STORE_RECEIVERS, err);
}
