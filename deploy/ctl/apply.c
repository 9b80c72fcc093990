/* apply.c - the command `apply`: makes the control plane what a file says; see commands.h.
 *
 * Order: topics of the control plane, of the cells there are, cells that are new (each with its topics,
 * under its epoch), sites, receivers, triggers, then removals, the other way round. Each step leaves a state
 * that is valid by itself, and a second run does what is left. Epochs of the file are not looked at: a cell
 * that is new here gets a new one (topics.h). */
#include <stdlib.h>

#include "common/receiver.h"
#include "deploy/ctl/check.h"
#include "deploy/ctl/commands.h"
#include "deploy/ctl/diff.h"
#include "deploy/ctl/file_read.h"
#include "deploy/ctl/printable.h"
#include "deploy/ctl/record_json.h"
#include "deploy/ctl/rule_change.h"
#include "deploy/ctl/topics.h"

/* A file within its bound makes a tree within the other: some 50 bytes of memory a value. */
enum { FILE_MAX_BYTES = 64 << 20, TREE_MAX_BYTES = 512 << 20 };

struct apply {
	struct ctl *ctl;
	bool prune, dry_run;
	bool has_triggers, has_receivers; /* the file has such a list, perhaps an empty one */
	struct buf text;
	struct arena tree;
	struct json *root;
	struct store wanted, result; /* what the file says; what there would be afterwards */
	struct diff diff;
	struct topics_run topics;
};

static int read_wanted(struct apply *a, const char *path, struct err *err)
{
	if (file_read(path, FILE_MAX_BYTES, &a->text, err) < 0)
		return -1;
	a->tree.limit_bytes = TREE_MAX_BYTES;
	if (json_parse(buf_str(&a->text), &a->tree, &a->root, err) < 0 || record_json_read_store(a->root, &a->wanted, err) < 0)
		return err_wrap(err, "%s", path);
	a->has_triggers = json_get(a->root, "triggers") != NULL;
	a->has_receivers = json_get(a->root, "receivers") != NULL;
	return 0;
}

static int put(struct store *s, enum store_kind kind, const struct store_item *item, struct err *err)
{
	switch (kind) {
	case STORE_CELLS:
		return store_put_cell(s, &item->v.cell, err);
	case STORE_SITES:
		return store_put_site(s, &item->v.site, err);
	case STORE_RECEIVERS:
		return store_put_receiver(s, &item->v.receiver, err);
	default:
		return 0; /* nothing points to it */
	}
}

/* Puts from's records of a kind over those of result. What cannot be read is left out: it can hold no site and back
 * no route. */
static int overlay(struct store *result, const struct store *from, enum store_kind kind, struct err *err)
{
	size_t nr;
	const struct store_item **items = store_list(from, kind, &nr, err);
	int rc = items ? 0 : -1;

	for (size_t i = 0; rc == 0 && i < nr; i++)
		if (!items[i]->fault)
			rc = put(result, kind, items[i], err);
	free(items);
	return rc;
}

/* Are records of a kind removed that the file does not have? A file that knows nothing of a kind, as those of before there were triggers, means none. */
static bool prunes(const struct apply *a, enum store_kind kind)
{
	return a->prune && (kind == STORE_TRIGGERS ? a->has_triggers : kind != STORE_RECEIVERS || a->has_receivers);
}

static const struct receiver *find_receiver(void *ctx, struct str id)
{
	return store_receiver(ctx, id);
}

/* Triggers and receivers of the file among the others. */
static int check_rules(struct apply *a, struct err *err)
{
	const struct json *triggers = json_get(a->root, "triggers"), *receivers = json_get(a->root, "receivers");

	for (const struct json *node = triggers ? triggers->child : NULL; node; node = node->next)
		if (check_trigger_site(store_trigger(&a->wanted, json_get(node, "id")->text), &a->result, err) < 0)
			return json_wrap(node, err);
	for (const struct json *node = receivers ? receivers->child : NULL; node; node = node->next)
		if (receiver_check_chain(store_receiver(&a->wanted, json_get(node, "id")->text), find_receiver, &a->result, err) < 0)
			return json_wrap(node, err);
	return 0;
}

/* Checks what the file says against what there would be, and so names the line. */
static int check_result(struct apply *a, const struct store *live, struct err *err)
{
	static const enum store_kind kinds[] = {STORE_CELLS, STORE_SITES, STORE_RECEIVERS};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if ((!prunes(a, kinds[i]) && overlay(&a->result, live, kinds[i], err) < 0) || overlay(&a->result, &a->wanted, kinds[i], err) < 0)
			return -1;
	for (const struct json *node = json_get(a->root, "sites")->child; node; node = node->next)
		if (check_site_routes(store_site(&a->wanted, json_get(node, "id")->text), &a->result, err) < 0)
			return json_wrap(node, err);
	return check_key_hashes(&a->result, err) < 0 ? -1 : check_rules(a, err);
}

static int make_diff(struct apply *a, const struct store *live, int64_t now_ms, struct err *err)
{
	if (diff_make(&a->diff, live, &a->wanted, a->prune, now_ms, err) < 0 ||
	    diff_make_rules(&a->diff, STORE_RECEIVERS, live, &a->wanted, prunes(a, STORE_RECEIVERS), NULL, err) < 0)
		return -1;
	return diff_make_rules(&a->diff, STORE_TRIGGERS, live, &a->wanted, prunes(a, STORE_TRIGGERS), NULL, err);
}

/* What an item holds; NULL: nothing that can be read. */
static const void *record_of(const struct store_item *item)
{
	return item && !item->fault ? &item->v : NULL;
}

/* One Notice a record, in the words that were printed. */
static int tell(struct ctl *ctl, const struct diff_change *c, struct err *err)
{
	static const char *const events[2][DIFF_OPS] = {
		{"cell_added", "cell_changed", "cell_removed"}, {"site_added", "site_changed", "site_removed"}};
	static const char *const verbs[DIFF_OPS] = {"added", "changed", "removed"};
	const struct store_item *item = c->wanted ? c->wanted : c->live;
	char name[CHECK_SITE_ID_MAX + 1];
	struct ctl_event event = {.severity = c->op == DIFF_REMOVE ? SEVERITY_WARNING : SEVERITY_INFO,
				  .event = events[c->kind == STORE_SITES][c->op],
				  .cell = c->kind == STORE_CELLS ? name : NULL, .site = c->kind == STORE_SITES ? name : NULL,
				  .record = c->kind == STORE_CELLS ? RECORD_CELL : RECORD_SITE,
				  .before = record_of(c->live), .after = record_of(c->wanted)};
	struct buf words = BUF_INIT;
	int rc;

	snprintf(name, sizeof(name), "%.*s", (int)(item->key.len < CHECK_SITE_ID_MAX ? item->key.len : CHECK_SITE_ID_MAX), item->key.p);
	diff_describe(c, &words);
	rc = ctl_notice(ctl, &event, err, "%s %s %s by apply: " STR_FMT, diff_kind_name(c->kind), name, verbs[c->op], STR_ARG(buf_str(&words)));
	buf_fini(&words);
	return rc;
}

/* One change of a record. A cell that was not there, or not readable, has no epoch: its record is written
 * with its topics. */
static int make_change(struct apply *a, const struct diff_change *c, struct err *err)
{
	struct cluster *cluster = a->ctl->cluster;
	int rc;

	if (c->kind == STORE_TRIGGERS || c->kind == STORE_RECEIVERS)
		return a->dry_run ? 0 : rule_change_make(a->ctl, c, err);
	if (c->op == DIFF_REMOVE)
		rc = a->dry_run ? 0 : cluster_remove(cluster, c->kind, c->live->key, err);
	else if (c->kind == STORE_SITES)
		rc = a->dry_run ? 0 : cluster_put_site(cluster, &c->wanted->v.site, err);
	else if (c->op == DIFF_ADD || c->live->fault)
		rc = topics_make_cell(&a->topics, &c->wanted->v.cell, err);
	else
		rc = a->dry_run ? 0 : cluster_put_cell(cluster, &c->wanted->v.cell, err);
	return rc == 0 && !a->dry_run ? tell(a->ctl, c, err) : rc;
}

/* All changes of one kind, either what comes and changes or what goes. Stops at the first failure: what is
 * left will be a difference again, for the next run. */
static int make_changes(struct apply *a, enum store_kind kind, bool removals, struct err *err)
{
	for (size_t i = 0; i < a->diff.nr; i++) {
		const struct diff_change *c = &a->diff.changes[i];

		if (c->kind == kind && (c->op == DIFF_REMOVE) == removals && make_change(a, c, err) < 0)
			return err_wrap(err, "%s " STR_FMT, diff_kind_name(kind), STR_ARG((c->wanted ? c->wanted : c->live)->key));
	}
	return 0;
}

/* What points to others comes after them, and goes before them. */
static int make_all(struct apply *a, struct err *err)
{
	static const enum store_kind kinds[] = {STORE_CELLS, STORE_SITES, STORE_RECEIVERS, STORE_TRIGGERS};
	const size_t nr = sizeof(kinds) / sizeof(kinds[0]);

	for (size_t i = 0; i < nr; i++)
		if (make_changes(a, kinds[i], false, err) < 0)
			return -1;
	for (size_t i = nr; i > 0; i--)
		if (make_changes(a, kinds[i - 1], true, err) < 0)
			return -1;
	return 0;
}

/* Topics of the cells that are there already and stay. */
static int make_topics(struct apply *a, const struct store *live, struct err *err)
{
	size_t nr;
	const struct store_item **cells = store_list(&a->result, STORE_CELLS, &nr, err);
	int rc = cells ? 0 : -1;

	for (size_t i = 0; rc == 0 && i < nr; i++) {
		const struct cell *cell = store_cell(live, cells[i]->key);

		rc = cell ? topics_make_cell(&a->topics, cell, err) : 0;
	}
	free(cells);
	return rc;
}

static void print_changes(const struct apply *a)
{
	FILE *out = a->ctl->out;

	for (size_t i = 0; i < a->diff.nr; i++)
		diff_print(&a->diff.changes[i], out);
	topics_print(&a->topics, out);
	if (!a->diff.nr)
		fputs("all records are as the file says: nothing to change\n", out);
	else
		fprintf(out, "%zu records %sadded, %zu changed, %zu removed\n", a->diff.count[DIFF_ADD], a->dry_run ? "would be " : "",
			a->diff.count[DIFF_CHANGE], a->diff.count[DIFF_REMOVE]);
}

/* The same as print_changes(), with the words in "text". */
static int print_json(const struct apply *a, struct err *err)
{
	struct json_writer w;

	json_write_begin(&w);
	json_write_bool(&w, "dry_run", a->dry_run);
	json_write_array(&w, "changes");
	for (size_t i = 0; i < a->diff.nr; i++)
		diff_write_json(&a->diff.changes[i], &w);
	json_write_array_end(&w);
	topics_write_json(&a->topics, &w);
	return json_write_print(&w, a->ctl->out, err);
}

/* From reading the file to the last record. */
static int apply(struct apply *a, const char *path, struct err *err)
{
	const struct store *live = cluster_store(a->ctl->cluster);
	int64_t now_ms = clock_now_ms(&a->ctl->program.clock);
	bool readable;

	if (read_wanted(a, path, err) < 0 || topics_make_control(&a->topics, &readable, err) < 0 ||
	    (readable && ctl_load_also(a->ctl, CLUSTER_BIT(STORE_TRIGGERS) | CLUSTER_BIT(STORE_RECEIVERS), err) < 0))
		return -1;
	if (diff_complete(&a->wanted, live, now_ms, err) < 0 || check_result(a, live, err) < 0 ||
	    make_diff(a, live, now_ms, err) < 0)
		return err_wrap(err, "%s", path);
	if (make_topics(a, live, err) < 0 || make_all(a, err) < 0 || topics_compare(&a->topics, err) < 0)
		return -1;
	if (a->ctl->json)
		return print_json(a, err);
	print_changes(a);
	return 0;
}

int apply_run(struct ctl *ctl, struct err *err)
{
	const char *path = args_text(&ctl->args, "file");
	struct apply a = {.ctl = ctl, .prune = args_given(&ctl->args, "prune"), .dry_run = args_given(&ctl->args, "dry-run")};
	int rc = -1;

	if (topics_init(&a.topics, ctl, (int)args_int(&ctl->args, "replication-factor"), a.dry_run, err) == 0 && apply(&a, path, err) == 0)
		rc = a.topics.nr_differences ? 1 : 0;
	topics_fini(&a.topics);
	diff_fini(&a.diff);
	store_fini(&a.result);
	store_fini(&a.wanted);
	arena_fini(&a.tree);
	buf_fini(&a.text);
	return rc;
}
