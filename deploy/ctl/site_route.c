/* site_route.c - the commands `site shards`, `site move` and `site stay`; see commands.h.
 *
 * Nothing is moved: from a minute on, what is created goes another way, and both ways stay open until no retry can take the old one
 * any more. So a change is one record, and is made or not. */
#include <errno.h>
#include <stdlib.h>

#include "common/route.h"
#include "deploy/ctl/commands.h"
#include "deploy/ctl/grid.h"
#include "deploy/ctl/record_json.h"
#include "deploy/ctl/routing.h"
#include "deploy/ctl/topic_admin.h"

/* The last route of a site, in a line. */
static const char *say_route(const struct route *r, char out[160])
{
	char from[CLOCK_ISO_SIZE];

	snprintf(out, 160, "cell " STR_FMT ", %d shard%s from %s", STR_ARG(r->cell), (int)r->shards, r->shards == 1 ? "" : "s",
		 r->effective_from ? clock_iso(r->effective_from, from, sizeof(from)) : "the beginning");
	return out;
}

/* The whole answer for scripts; changed false: there was nothing to do. */
static int print_json(struct ctl *ctl, const struct site *site, bool changed, struct err *err)
{
	const struct route *last = &site->routes[site->routes_len - 1];
	struct json_writer w;

	json_write_begin(&w);
	json_write_bool(&w, "changed", changed);
	json_write_int(&w, "effective_from", last->effective_from);
	if (site->routes_len > 1)
		json_write_int(&w, "old_route_serves_until", last->effective_from + ROUTING_AFTERGLOW_MS);
	record_json_write_site(&w, "site", site);
	return json_write_print(&w, ctl->out, err);
}

/* Says from when, and what the way before is for until when: it must be served on. */
static void print_appended(struct ctl *ctl, const struct site *site, int64_t now_ms)
{
	const struct route *last = &site->routes[site->routes_len - 1], *before = last - 1;
	char line[160], until[CLOCK_ISO_SIZE], left[GRID_NUMBER_SIZE];

	fprintf(ctl->out, "+ site " STR_FMT ": %s, in %s\n", STR_ARG(site->id), say_route(last, line),
		grid_duration(last->effective_from - now_ms, left));
	fprintf(ctl->out, "  what is created before goes to cell " STR_FMT ", %d shard%s, as ever: keep its processors and sinks until %s "
		"(49 h more)\n", STR_ARG(before->cell), (int)before->shards, before->shards == 1 ? "" : "s",
		clock_iso(last->effective_from + ROUTING_AFTERGLOW_MS, until, sizeof(until)));
}

/* The record, the operator log, the answer. */
static int append(struct ctl *ctl, const struct site *live, const struct site *site, int64_t now_ms, struct err *err)
{
	const struct route *last = &site->routes[site->routes_len - 1], *before = last - 1;
	bool moved = !str_eq(last->cell, before->cell);
	char line[160], cell[64], at[24];
	struct tag fields[] = {{STR("effective_from"), STR("")}, {STR("cell_before"), before->cell}};
	struct ctl_event event = {.severity = SEVERITY_INFO, .event = moved ? "site_moved" : "site_resharded", .cell = cell,
				  .site = ctl->args.operands[0], .fields = fields, .nr_fields = sizeof(fields) / sizeof(fields[0]),
				  .record = RECORD_SITE, .before = live, .after = site};

	snprintf(cell, sizeof(cell), "%.*s", (int)(last->cell.len < 60 ? last->cell.len : 60), last->cell.p);
	snprintf(at, sizeof(at), "%lld", (long long)last->effective_from);
	fields[0].value = str_from(at);
	if (cluster_put_site(ctl->cluster, site, err) < 0 ||
	    ctl_notice(ctl, &event, err, "site %s: %s", event.site, say_route(last, line)) < 0)
		return -1;
	if (ctl->json)
		return print_json(ctl, site, true, err);
	print_appended(ctl, site, now_ms);
	return 0;
}

static int print_same(struct ctl *ctl, const struct site *site, const char *what, struct err *err)
{
	char line[160];

	if (ctl->json)
		return print_json(ctl, site, false, err);
	fprintf(ctl->out, "= site " STR_FMT ": %s%s\n", STR_ARG(site->id), say_route(&site->routes[site->routes_len - 1], line), what);
	return 0;
}

/* Has the cell an epoch, its topic of samples, and as many partitions? A route to one that has not would answer 503 from its minute on. */
static int check_target(struct ctl *ctl, const struct route *to, struct err *err)
{
	const struct cell *cell;
	struct topic_list topics;
	struct arena arena = ARENA_INIT;
	char name[64], topic[KAFKA_TOPIC_SIZE];
	int rc;

	snprintf(name, sizeof(name), "%.*s", (int)(to->cell.len < 60 ? to->cell.len : 60), to->cell.p);
	cell = ctl_find_cell(ctl, name, err);
	if (!cell)
		return -1;
	if (to->shards > cell->partitions)
		return err_set(err, ERR_REJECT, "%d shards, but cell %s has %d partitions (--shards N says how many)", (int)to->shards, name,
			       (int)cell->partitions);
	rc = topic_list_read(cluster_client(ctl->cluster), &arena, &topics, err);
	if (rc == 0 && (!cell->epoch || !topic_list_find(&topics, kafka_cell_topic(topic, name, "samples"))))
		rc = err_set(err, ERR_REJECT, "cell %s has no topics yet: run millrace-ctl topics apply", name);
	arena_fini(&arena);
	return rc;
}

/* The clock is read when all else is known, right before the record is written. */
static int change_route(struct ctl *ctl, const struct routing_wish *wish, struct err *err)
{
	struct arena arena = ARENA_INIT;
	const struct site *live;
	struct site changed;
	int64_t now_ms;
	int rc = -1;

	if (ctl_load(ctl, false, err) < 0 || !(live = ctl_find_site(ctl, ctl->args.operands[0], err)))
		return -1;
	if (!live->routes_len)
		return err_set(err, ERR_REJECT, "site %s has no route: millrace-ctl apply gives it one", ctl->args.operands[0]);
	now_ms = clock_now_ms(&ctl->program.clock);
	rc = routing_append(live, wish, now_ms, &arena, &changed, err);
	if (rc == 1)
		rc = print_same(ctl, live, live->routes[live->routes_len - 1].effective_from > now_ms ? ", announced already" : " already", err);
	else if (rc == 0 && check_target(ctl, &changed.routes[changed.routes_len - 1], err) < 0)
		rc = -1;
	else if (rc == 0)
		rc = append(ctl, live, &changed, now_ms, err);
	arena_fini(&arena);
	return rc;
}

int site_shards_run(struct ctl *ctl, struct err *err)
{
	struct routing_wish wish = {.at = args_text(&ctl->args, "at")};
	const char *number = ctl->args.operands[1];
	char *end;
	long n;

	errno = 0;
	n = strtol(number, &end, 10);
	if (errno || end == number || *end || n < 1 || n > ROUTE_PARTITIONS_MAX)
		return err_set(err, ERR_REJECT, "shards \"%.40s\": a number from 1 to %d", number, ROUTE_PARTITIONS_MAX);
	wish.shards = (int32_t)n;
	return change_route(ctl, &wish, err);
}

int site_move_run(struct ctl *ctl, struct err *err)
{
	struct routing_wish wish = {.cell = str_from(ctl->args.operands[1]), .shards = (int32_t)args_int(&ctl->args, "shards"),
				    .at = args_text(&ctl->args, "at")};

	return change_route(ctl, &wish, err);
}

int site_stay_run(struct ctl *ctl, struct err *err)
{
	const struct site *live;
	struct site changed;
	struct ctl_event event = {.severity = SEVERITY_INFO, .event = "site_route_taken_back", .site = ctl->args.operands[0],
				  .record = RECORD_SITE, .after = &changed};
	char line[160];
	int rc;

	if (ctl_load(ctl, false, err) < 0 || !(live = ctl_find_site(ctl, event.site, err)))
		return -1;
	if (!live->routes_len)
		return err_set(err, ERR_REJECT, "site %s has no route", event.site);
	rc = routing_take_back(live, clock_now_ms(&ctl->program.clock), &changed, err);
	if (rc == 1)
		return print_same(ctl, live, ", nothing else is announced", err);
	event.before = live;
	say_route(&live->routes[live->routes_len - 1], line);
	if (rc < 0 || cluster_put_site(ctl->cluster, &changed, err) < 0 ||
	    ctl_notice(ctl, &event, err, "site %s stays: %s is taken back", event.site, line) < 0)
		return -1;
	if (ctl->json)
		return print_json(ctl, &changed, true, err);
	fprintf(ctl->out, "- site %s: %s is taken back\n", event.site, line);
	return 0;
}
