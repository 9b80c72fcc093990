/* cell.c - the commands of cells; see commands.h.
 *
 * A cell is added by the code that repairs one (topics_make_cell): a record without an epoch is what a
 * crash would have left, too, so that there is one order of steps, not two. Adding a cell that is there
 * with the same partitions is no error: it completes its topics, and a script may say it at every start. */
#include <inttypes.h>
#include <stdlib.h>

#include "deploy/ctl/check.h"
#include "deploy/ctl/commands.h"
#include "deploy/ctl/grid.h"
#include "deploy/ctl/record_json.h"
#include "deploy/ctl/topics.h"

static int print_json(struct ctl *ctl, const struct topics_run *run, const struct cell *cell, bool added, struct err *err)
{
	struct json_writer w;

	json_write_begin(&w);
	json_write_bool(&w, "added", added);
	record_json_write_cell(&w, "cell", cell);
	topics_write_json(run, &w);
	return json_write_print(&w, ctl->out, err);
}

static int tell_added(struct ctl *ctl, const struct cell *cell, struct err *err)
{
	char name[CHECK_CELL_NAME_MAX + 1];
	struct ctl_event event = {.severity = SEVERITY_INFO, .event = "cell_added", .cell = name, .record = RECORD_CELL, .after = cell};

	snprintf(name, sizeof(name), STR_FMT, STR_ARG(cell->name));
	return ctl_notice(ctl, &event, err, "cell %s added, %d partitions", name, (int)cell->partitions);
}

/* The record first (by topics_make_cell(), with its epoch), then the topics. */
static int add_cell(struct ctl *ctl, const struct cell *wanted, bool is_new, struct err *err)
{
	struct topics_run run;
	const struct cell *made;
	int rc = -1, topics;

	if (topics_init(&run, ctl, (int)args_int(&ctl->args, "replication-factor"), false, err) < 0)
		goto out;
	topics = topics_make_cell(&run, wanted, err);
	made = store_cell(cluster_store(ctl->cluster), wanted->name);
	/* The record may be written though the topics could not be made: the log tells of it in any case. */
	if (is_new && made && tell_added(ctl, made, topics < 0 ? NULL : err) < 0)
		goto out;
	if (topics < 0 || topics_compare(&run, err) < 0)
		goto out;
	if (ctl->json) {
		if (print_json(ctl, &run, made ? made : wanted, is_new, err) < 0)
			goto out;
	} else {
		fprintf(ctl->out, "%s cell " STR_FMT "%s: %d partitions\n", is_new ? "+" : "=", STR_ARG(wanted->name),
			is_new ? "" : " is there already", (int)wanted->partitions);
		topics_print(&run, ctl->out);
	}
	rc = run.nr_differences ? 1 : 0;
out:
	topics_fini(&run);
	return rc;
}

int cell_add_run(struct ctl *ctl, struct err *err)
{
	const char *name = ctl->args.operands[0];
	const struct cell *live;
	struct cell wanted = {
		.name = str_from(name),
		.partitions = (int32_t)args_int(&ctl->args, "partitions"),
		.created_at = clock_now_ms(&ctl->program.clock),
	};

	if (check_cell(&wanted, err) < 0 || ctl_load(ctl, false, err) < 0)
		return -1;
	live = store_cell(cluster_store(ctl->cluster), wanted.name);
	if (live && live->partitions != wanted.partitions)
		return err_set(err, ERR_REJECT, "cell %s has %d partitions, fixed for its life: for more capacity, add another cell", name,
			       (int)live->partitions);
	return add_cell(ctl, live ? live : &wanted, !live, err);
}

/* Sites whose latest route leads to the cell; those on their way there count already. */
static int count_sites(const struct store *s, struct str cell, struct err *err)
{
	size_t nr;
	const struct store_item **sites = store_list(s, STORE_SITES, &nr, err);
	int count = 0;

	if (!sites)
		return -1;
	for (size_t i = 0; i < nr; i++)
		if (!sites[i]->fault && sites[i]->v.site.routes_len)
			count += str_eq(sites[i]->v.site.routes[sites[i]->v.site.routes_len - 1].cell, cell);
	free(sites);
	return count;
}

static int print_cells(struct ctl *ctl, const struct store_item *const *cells, size_t nr, struct err *err)
{
	char time[CLOCK_ISO_SIZE];
	struct grid g;
	int rc = 0;

	grid_init(&g, "lrrll");
	for (int i = 0; i < 5; i++)
		grid_add(&g, GRID_HEAD, "%s", (const char *const[]){"CELL", "PARTITIONS", "SITES", "EPOCH", "CREATED"}[i]);
	for (size_t i = 0; rc == 0 && i < nr; i++) {
		const struct cell *c = &cells[i]->v.cell;
		int sites = cells[i]->fault ? 0 : count_sites(cluster_store(ctl->cluster), c->name, err);

		if (cells[i]->fault)
			continue;
		rc = sites < 0 ? -1 : 0;
		grid_add(&g, GRID_PLAIN, STR_FMT, STR_ARG(c->name));
		grid_add(&g, GRID_PLAIN, "%d", (int)c->partitions);
		grid_add(&g, GRID_PLAIN, "%d", sites);
		grid_add(&g, c->epoch ? GRID_PLAIN : GRID_BAD, c->epoch ? "%016" PRIx64 : "none: run topics apply", (uint64_t)c->epoch);
		grid_add(&g, GRID_PLAIN, "%s", clock_iso(c->created_at, time, sizeof(time)));
	}
	if (nr)
		grid_print(&g, 0, grid_wants_colour(ctl->out), ctl->out);
	else
		fputs("no cells: millrace-ctl cell add NAME makes one\n", ctl->out);
	grid_fini(&g);
	return rc;
}

int cell_list_run(struct ctl *ctl, struct err *err)
{
	const struct store_item **cells;
	struct json_writer w;
	size_t nr;
	int rc;

	if (ctl_load(ctl, false, err) < 0)
		return -1;
	if (!ctl->json) {
		cells = store_list(cluster_store(ctl->cluster), STORE_CELLS, &nr, err);
		rc = cells ? print_cells(ctl, cells, nr, err) : -1;
		free(cells);
		return rc;
	}
	json_write_begin(&w);
	rc = record_json_write_cells(&w, cluster_store(ctl->cluster), err);
	if (rc == 0)
		return json_write_print(&w, ctl->out, err);
	json_write_fini(&w);
	return -1;
}
