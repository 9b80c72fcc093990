/* site_limit.c - the commands `site limit` and `site show`; see commands.h.
 *
 * A rate is changed in the site's record alone: whoever holds sites to it follows that table, so that it holds within a second. */
#include <stdlib.h>

#include "deploy/ctl/check.h"
#include "deploy/ctl/commands.h"
#include "deploy/ctl/diff.h"
#include "deploy/ctl/grid.h"
#include "deploy/ctl/record_json.h"

static int print_limited(struct ctl *ctl, const struct site *site, struct str words, struct err *err)
{
	struct json_writer w;

	if (!ctl->json) {
		fprintf(ctl->out, "%s site " STR_FMT ": " STR_FMT "\n", words.len ? "~" : "=", STR_ARG(site->id),
			STR_ARG(words.len ? words : STR("its limits are these already")));
		return 0;
	}
	json_write_begin(&w);
	json_write_bool(&w, "changed", words.len > 0);
	record_json_write_site(&w, "site", site);
	return json_write_print(&w, ctl->out, err);
}

/* Writes the record with its new limits, when they are new. The words are those of apply. */
static int limit(struct ctl *ctl, const struct site *live, const struct site *changed, struct err *err)
{
	struct ctl_event event = {.severity = SEVERITY_INFO, .event = "site_limited", .site = ctl->args.operands[0],
				  .record = RECORD_SITE, .before = live, .after = changed};
	struct buf words = BUF_INIT;
	int rc = 0;

	diff_site(live, changed, &words);
	if (buf_failed(&words))
		rc = err_nomem(err, "a difference");
	if (rc == 0 && words.len)
		rc = cluster_put_site(ctl->cluster, changed, err) < 0 ||
				     ctl_notice(ctl, &event, err, "site %s: " STR_FMT, event.site, STR_ARG(buf_str(&words))) < 0
			     ? -1 : 0;
	if (rc == 0)
		rc = print_limited(ctl, changed, buf_str(&words), err);
	buf_fini(&words);
	return rc;
}

int site_limit_run(struct ctl *ctl, struct err *err)
{
	bool payloads = args_given(&ctl->args, "payloads-per-s"), samples = args_given(&ctl->args, "samples-per-s");
	bool series = args_given(&ctl->args, "series");
	const struct site *live;
	struct site changed;

	if (!payloads && !samples && !series)
		return err_set(err, ERR_REJECT, "which limit? give --payloads-per-s N, --samples-per-s N, --series N, or some of them");
	if (ctl_load(ctl, false, err) < 0)
		return -1;
	live = ctl_find_site(ctl, ctl->args.operands[0], err);
	if (!live)
		return -1;
	changed = *live;
	if (payloads)
		changed.payloads_per_s = args_rate(&ctl->args, "payloads-per-s");
	if (samples)
		changed.samples_per_s = args_rate(&ctl->args, "samples-per-s");
	if (series)
		changed.series_cap = (int32_t)args_int(&ctl->args, "series");
	return check_site(&changed, err) < 0 ? -1 : limit(ctl, live, &changed, err);
}

static void add_rate(struct grid *g, const char *name, double rate)
{
	grid_add(g, GRID_HEAD, "%s", name);
	if (rate > 0)
		grid_add(g, GRID_PLAIN, "%.15g", rate);
	else
		grid_add(g, GRID_DIM, "no limit");
}

static void add_lines(struct grid *g, const struct site *site)
{
	char at[CLOCK_ISO_SIZE];

	grid_add(g, GRID_HEAD, "site");
	grid_add(g, GRID_PLAIN, STR_FMT, STR_ARG(site->id));
	grid_add(g, GRID_HEAD, "name");
	grid_add(g, GRID_PLAIN, STR_FMT, STR_ARG(site->name));
	grid_add(g, GRID_HEAD, "state");
	grid_add(g, site->disabled ? GRID_BAD : GRID_GOOD, site->disabled ? "disabled" : "live");
	grid_add(g, GRID_HEAD, "created");
	grid_add(g, GRID_PLAIN, "%s", clock_iso(site->created_at, at, sizeof(at)));
	for (size_t i = 0; i < site->routes_len; i++) {
		const struct route *r = &site->routes[i];

		grid_add(g, GRID_HEAD, "route");
		clock_iso(r->effective_from, at, sizeof(at));
		grid_add(g, GRID_PLAIN, "cell " STR_FMT ", %d shards, from %s", STR_ARG(r->cell), (int)r->shards,
			 r->effective_from ? at : "the beginning");
	}
	for (size_t i = 0; i < site->keys_len; i++) {
		grid_add(g, GRID_HEAD, "key");
		grid_add(g, GRID_PLAIN, STR_FMT ", made %s", STR_ARG(site->keys[i].id), clock_iso(site->keys[i].created_at, at, sizeof(at)));
	}
	add_rate(g, "payloads a second", site->payloads_per_s);
	add_rate(g, "samples a second", site->samples_per_s);
	add_rate(g, "series", site->series_cap);
}

int site_show_run(struct ctl *ctl, struct err *err)
{
	const struct site *site;
	struct json_writer w;
	struct grid g;

	if (ctl_load(ctl, false, err) < 0)
		return -1;
	site = ctl_find_site(ctl, ctl->args.operands[0], err);
	if (!site)
		return -1;
	if (ctl->json) {
		json_write_begin(&w);
		record_json_write_site(&w, "site", site);
		return json_write_print(&w, ctl->out, err);
	}
	grid_init(&g, "ll");
	add_lines(&g, site);
	grid_print(&g, 0, grid_wants_colour(ctl->out), ctl->out);
	grid_fini(&g);
	return 0;
}
