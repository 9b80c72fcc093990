/* rule_file.c - see rule_file.h.
 *
 * An operator mends a file once: all its faults are gathered, entry by entry, and the first one ends nothing. Records borrow the file's text, so it stays until they are
 * written. */
#include "deploy/ctl/rule_file.h"

#include <string.h>

#include "deploy/ctl/file_read.h"
#include "deploy/ctl/receiver_yaml.h"
#include "deploy/ctl/trigger_yaml.h"
#include "deploy/ctl/yaml_value.h"

static const char *const lists[] = {"triggers", "receivers", NULL};

static const char *list_of(enum store_kind kind)
{
	return lists[kind != STORE_TRIGGERS];
}

/* One entry, unless another of its id is there already. */
static int take_entry(struct rule_file *f, const struct yaml *node, enum store_kind kind, struct store *s, struct err *err)
{
	struct trigger trigger;
	struct receiver receiver;
	struct str id;

	if (kind == STORE_TRIGGERS ? !trigger_yaml_read(&f->yaml, node, &trigger) : !receiver_yaml_read(&f->yaml, node, &receiver))
		return 0;
	id = kind == STORE_TRIGGERS ? trigger.id : receiver.id;
	if (store_item(s, kind, id)) {
		yaml_fail(&f->yaml, yaml_get(node, "id"), "id: " STR_FMT " stands there twice", STR_ARG(id));
		return 0;
	}
	return kind == STORE_TRIGGERS ? store_put_trigger(s, &trigger, err) : store_put_receiver(s, &receiver, err);
}

static int take_list(struct rule_file *f, enum store_kind kind, bool *there, struct store *s, struct err *err)
{
	const struct yaml *list = yaml_get(f->yaml.root, list_of(kind));

	*there = list != NULL;
	if (!list)
		return 0;
	if (list->type != YAML_LIST) {
		yaml_fail(&f->yaml, list, "%s: must be a list", list_of(kind));
		return 0;
	}
	for (const struct yaml *node = list->child; node; node = node->next)
		if (take_entry(f, node, kind, s, err) < 0)
			return -1;
	return 0;
}

int rule_file_read(struct rule_file *f, const char *path, struct store *s, struct err *err)
{
	struct buf text = BUF_INIT;
	int rc;

	*f = (struct rule_file){.path = strcmp(path, "-") ? path : "standard input"};
	rc = file_read(path, YAML_BYTES_MAX, &text, err);
	if (rc == 0)
		yaml_parse(&f->yaml, buf_str(&text));
	buf_fini(&text);
	if (rc < 0 || !f->yaml.root || !yaml_check_map(&f->yaml, f->yaml.root, lists))
		return rc;
	if (take_list(f, STORE_TRIGGERS, &f->has_triggers, s, err) < 0)
		return -1;
	return take_list(f, STORE_RECEIVERS, &f->has_receivers, s, err);
}

const struct yaml *rule_file_entry(const struct rule_file *f, enum store_kind kind, struct str id)
{
	const struct yaml *list = f->yaml.root ? yaml_get(f->yaml.root, list_of(kind)) : NULL;

	for (const struct yaml *node = list ? list->child : NULL; node; node = node->next) {
		const struct yaml *name = yaml_get(node, "id");

		if (name && str_eq(name->text, id))
			return node;
	}
	return NULL;
}

int rule_file_end(const struct rule_file *f, FILE *out, struct err *err)
{
	if (yaml_ok(&f->yaml, f->path, err) == 0)
		return 0;
	if (f->yaml.nomem)
		return -1;
	yaml_print_faults(&f->yaml, f->path, out);
	return err_set(err, ERR_REJECT, "%s has %zu error%s: nothing is changed", f->path, f->yaml.nr_faults, f->yaml.nr_faults == 1 ? "" : "s");
}

void rule_file_fini(struct rule_file *f)
{
	yaml_fini(&f->yaml);
}
