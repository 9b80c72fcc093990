/* offsets.c - the command `offsets show`; see commands.h. (`offsets confirm` sets a control: control.c.)
 *
 * What an operator looks at before confirming: a processor refuses a partition rather than count twice or lose, and says so in its
 * log; here stands what it sees, for all partitions of a cell at once, also when no processor runs. */
#include <inttypes.h>
#include <stdlib.h>

#include "deploy/ctl/commands.h"
#include "deploy/ctl/committed.h"
#include "deploy/ctl/grid.h"
#include "common/lag.h"
#include "deploy/ctl/topic_admin.h"

/* A topic that nobody has written or read yet has nothing to show. */
static bool is_in_use(const struct lag_group *group, const char *topic)
{
	for (size_t i = 0; i < group->nr; i++) {
		const struct lag_partition *p = &group->partitions[i];

		if (strcmp(p->topic, topic) == 0 && (p->committed >= 0 || p->end > 0 || p->fault))
			return true;
	}
	return false;
}

static void add_row(struct grid *g, const struct lag_partition *p, const struct committed *c)
{
	grid_add(g, GRID_PLAIN, "%s/%d", p->topic, (int)p->partition);
	grid_add(g, GRID_PLAIN, p->committed < 0 ? "-" : "%" PRId64, p->committed);
	if (c->has_meta) {
		grid_add(g, GRID_PLAIN, "%" PRId64, c->meta.id);
		grid_add(g, GRID_PLAIN, "%" PRId64, c->meta.at);
		grid_add(g, GRID_PLAIN, "%" PRId64, c->meta.bytes);
	} else {
		for (int i = 0; i < 3; i++)
			grid_add(g, GRID_DIM, "-");
	}
	grid_add(g, GRID_PLAIN, "%" PRId64, p->end);
	grid_add(g, GRID_PLAIN, "%" PRId64, p->lag);
	grid_add(g, c->state == COMMITTED_SOUND ? GRID_GOOD : c->state == COMMITTED_NONE ? GRID_DIM : GRID_BAD, "%s",
		 c->state == COMMITTED_SOUND ? "sound" : c->words);
}

static void print_rows(struct ctl *ctl, const struct lag_group *group, int64_t epoch)
{
	static const char *const heads[] = {"PARTITION", "COMMITTED", "SNAPSHOT", "POSITION", "BYTES", "END", "LAG", "STATE"};
	struct committed c;
	struct grid g;

	fprintf(ctl->out, "group %s, epoch %016" PRIx64 "\n", group->name, (uint64_t)epoch);
	grid_init(&g, "lrrrrrrl");
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
		grid_add(&g, GRID_HEAD, "%s", heads[i]);
	for (size_t i = 0; i < group->nr; i++) {
		if (!is_in_use(group, group->partitions[i].topic))
			continue;
		committed_judge(&group->partitions[i], epoch, &c);
		add_row(&g, &group->partitions[i], &c);
	}
	grid_print(&g, 0, grid_wants_colour(ctl->out), ctl->out);
	grid_fini(&g);
}

static void write_partition(struct json_writer *w, const struct lag_partition *p, const struct committed *c)
{
	char epoch[20];

	json_write_map(w, NULL);
	json_write_text(w, "topic", str_from(p->topic));
	json_write_int(w, "partition", p->partition);
	json_write_text(w, "state", str_from(committed_state_name(c->state)));
	if (c->state != COMMITTED_SOUND)
		json_write_text(w, "text", str_from(c->words));
	if (p->committed >= 0)
		json_write_int(w, "committed", p->committed);
	if (p->metadata.len)
		json_write_text(w, "metadata", p->metadata);
	if (c->has_meta) {
		snprintf(epoch, sizeof(epoch), "%016" PRIx64, (uint64_t)c->meta.epoch);
		json_write_text(w, "epoch", str_from(epoch));
		json_write_int(w, "snapshot", c->meta.id);
		json_write_int(w, "snapshot_offset", c->meta.snapshot);
		json_write_int(w, "snapshot_bytes", c->meta.bytes);
		json_write_int(w, "position", c->meta.at);
	}
	json_write_int(w, "begin", p->begin);
	json_write_int(w, "end", p->end);
	json_write_int(w, "lag", p->lag);
	json_write_map_end(w);
}

static int print_json(struct ctl *ctl, const struct lag_group *group, int64_t epoch, struct err *err)
{
	struct committed c;
	struct json_writer w;
	char text[20];

	snprintf(text, sizeof(text), "%016" PRIx64, (uint64_t)epoch);
	json_write_begin(&w);
	json_write_text(&w, "cell", group->cell);
	json_write_text(&w, "group", str_from(group->name));
	json_write_text(&w, "epoch", str_from(text));
	json_write_array(&w, "partitions");
	for (size_t i = 0; i < group->nr; i++) {
		committed_judge(&group->partitions[i], epoch, &c);
		write_partition(&w, &group->partitions[i], &c);
	}
	json_write_array_end(&w);
	return json_write_print(&w, ctl->out, err);
}

/* 1 when one is refused, or could not be asked. */
static int judge_all(const struct lag_group *group, int64_t epoch)
{
	struct committed c;
	size_t refused = 0, unknown = 0;

	for (size_t i = 0; i < group->nr; i++) {
		committed_judge(&group->partitions[i], epoch, &c);
		refused += committed_is_refused(&c);
		unknown += c.state == COMMITTED_UNKNOWN;
	}
	if (refused)
		ctl_hint("%zu partition%s will be refused by processors until millrace-ctl offsets confirm " STR_FMT, refused, refused == 1 ? "" : "s",
			 STR_ARG(group->cell));
	return refused || unknown ? 1 : 0;
}

int offsets_show_run(struct ctl *ctl, struct err *err)
{
	struct arena arena = ARENA_INIT;
	struct lag_group groups[LAG_GROUPS];
	const struct cell *cell;
	struct topic_list topics;
	int rc = -1, asked;

	if (ctl_load(ctl, false, err) < 0 || !(cell = ctl_find_cell(ctl, ctl->args.operands[0], err)))
		return -1;
	progress_begin(ctl->progress, "asking what the processors of " STR_FMT " have committed", STR_ARG(cell->name));
	asked = topic_list_read(cluster_client(ctl->cluster), &arena, &topics, err) < 0 || lag_plan(cell->name, &topics, &arena, groups, err) < 0 ||
			lag_read(cluster_consumer(ctl->cluster), groups, 1, &arena, err) < 0 ? -1 : 0;
	progress_end(ctl->progress);
	if (asked < 0)
		goto out;
	if (!groups[0].nr) {
		err_set(err, ERR_REJECT, "cell %s has no topics: run millrace-ctl topics apply", ctl->args.operands[0]);
		goto out;
	}
	if (!ctl->json)
		print_rows(ctl, &groups[0], cell->epoch);
	if (!ctl->json || print_json(ctl, &groups[0], cell->epoch, err) == 0)
		rc = judge_all(&groups[0], cell->epoch);
out:
	arena_fini(&arena);
	return rc;
}
