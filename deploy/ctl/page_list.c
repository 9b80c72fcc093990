/* page_list.c - see page_list.h.
 *
 * What an operator asks first in an outage is what customers have been told, and what is about to be said without them: so a draft tells when it goes out. */
#include "deploy/ctl/page_list.h"

#include <inttypes.h>

#include "deploy/ctl/grid.h"
#include "deploy/ctl/page_incidents.h"

bool page_list_is_meant(const struct ctl *ctl)
{
	return args_given(&ctl->args, "page") || ctl_by_admin(ctl);
}

static bool is_over(const struct status_incident *i)
{
	return i->state == STATUS_INCIDENT_RESOLVED || i->state == STATUS_INCIDENT_VETOED;
}

static enum grid_style style_of(const struct status_incident *i)
{
	return is_over(i) ? GRID_DIM : i->state == STATUS_INCIDENT_DRAFT ? GRID_HEAD : i->impact == STATUS_IMPACT_MAINTENANCE ? GRID_PLAIN : GRID_BAD;
}

/* "draft, public in 4 m 10 s" */
static void add_state(struct grid *g, const struct status_incident *i, int64_t now_ms)
{
	char left[GRID_NUMBER_SIZE];

	if (i->state == STATUS_INCIDENT_DRAFT && !i->edited && i->publish_at)
		grid_add(g, style_of(i), "draft, public in %s", grid_duration(i->publish_at - now_ms, left));
	else
		grid_add(g, style_of(i), "%s", page_incidents_state_name(i->state));
}

static void join_components(const struct status_incident *i, struct buf *out)
{
	for (size_t k = 0; k < i->nr_components; k++)
		buf_printf(out, "%s" STR_FMT, k ? "," : "", STR_ARG(i->components[k]));
}

static void add_row(struct grid *g, const struct status_incident *i, int64_t now_ms)
{
	struct buf components = BUF_INIT;
	char for_long[GRID_NUMBER_SIZE];
	bool ahead = i->opened_at > now_ms;

	join_components(i, &components);
	grid_add(g, GRID_PLAIN, STR_FMT, STR_ARG(i->id));
	add_state(g, i, now_ms);
	grid_add(g, GRID_PLAIN, "%s", status_impact_name(i->impact));
	grid_add(g, GRID_PLAIN, "%s", i->impact == STATUS_IMPACT_MAINTENANCE && !i->ended_at ? "-" : status_phase_name(i->phase));
	grid_add(g, GRID_PLAIN, "%s%s", ahead ? "in " : "",
		 grid_duration(ahead ? i->opened_at - now_ms : (i->ended_at ? i->ended_at : now_ms) - i->opened_at, for_long));
	grid_add(g, GRID_PLAIN, STR_FMT, STR_ARG(buf_str(&components)));
	grid_add(g, GRID_PLAIN, STR_FMT, STR_ARG(i->title));
	buf_fini(&components);
}

static void print_list(const struct ctl *ctl, const struct status_incidents *s, bool all)
{
	static const char *const heads[] = {"INCIDENT", "STATE", "IMPACT", "PHASE", "FOR", "COMPONENTS", "TITLE"};
	int64_t now_ms = clock_now_ms(&ctl->program.clock);
	struct grid g;
	size_t nr = 0;

	grid_init(&g, "llllrll");
	for (size_t h = 0; h < sizeof(heads) / sizeof(heads[0]); h++)
		grid_add(&g, GRID_HEAD, "%s", heads[h]);
	for (size_t k = s->nr; k-- > 0;)
		if (all || !is_over(s->list[k])) {
			add_row(&g, s->list[k], now_ms);
			nr++;
		}
	if (nr)
		grid_print(&g, 0, grid_wants_colour(ctl->out), ctl->out);
	else
		fputs(all ? "no incidents on the status page\n" : "no incident is on the status page, and none is drafted\n", ctl->out);
	grid_fini(&g);
}

int page_list_run(struct ctl *ctl, struct err *err)
{
	struct status_incidents s = {0};
	bool all = args_given(&ctl->args, "all");
	int rc = page_incidents_read(&s, ctl, err);

	if (rc == 0 && ctl->json) {
		struct json_writer w;

		json_write_begin(&w);
		page_incidents_write_json(&w, &s, all);
		rc = json_write_print(&w, ctl->out, err);
	} else if (rc == 0) {
		print_list(ctl, &s, all);
	}
	status_incidents_fini(&s);
	return rc;
}

static void add_line(struct grid *g, const char *name, struct str value)
{
	grid_add(g, GRID_HEAD, "%s", name);
	grid_add(g, GRID_PLAIN, STR_FMT, STR_ARG(value));
}

/* Of a time that is not known: nothing. */
static void add_time(struct grid *g, const char *name, int64_t at_ms)
{
	char iso[CLOCK_ISO_SIZE];

	if (at_ms)
		add_line(g, name, str_from(clock_iso(at_ms, iso, sizeof(iso))));
}

static void print_head(const struct ctl *ctl, const struct status_incident *i)
{
	bool maintenance = i->impact == STATUS_IMPACT_MAINTENANCE;
	struct buf components = BUF_INIT;
	struct grid g;

	join_components(i, &components);
	grid_init(&g, "ll");
	add_line(&g, "incident", i->id);
	grid_add(&g, GRID_HEAD, "state");
	add_state(&g, i, clock_now_ms(&ctl->program.clock));
	add_line(&g, "title", i->title);
	add_line(&g, "impact", str_from(status_impact_name(i->impact)));
	if (!maintenance)
		add_line(&g, "phase", str_from(status_phase_name(i->phase)));
	add_line(&g, "components", buf_str(&components));
	add_line(&g, "written by", i->edited ? STR("operators") : STR("the page"));
	add_time(&g, maintenance ? "begins" : "began", i->opened_at);
	add_time(&g, "posted", i->posted_at);
	add_time(&g, maintenance ? "ends" : "recovery expected", i->recovery_at);
	add_time(&g, i->state == STATUS_INCIDENT_VETOED ? "vetoed" : "resolved", i->ended_at);
	grid_print(&g, 0, grid_wants_colour(ctl->out), ctl->out);
	grid_fini(&g);
	buf_fini(&components);
}

/* Its text, line by line, as grid.h makes it safe. */
static void print_text(struct str text, FILE *out)
{
	struct grid g;

	grid_init(&g, "l");
	while (text.len) {
		const char *end = memchr(text.p, '\n', text.len);
		size_t n = end ? (size_t)(end - text.p) : text.len;

		grid_add(&g, GRID_PLAIN, "%.*s", (int)n, text.p);
		text = (struct str){text.p + n + (end != NULL), text.len - n - (end != NULL)};
	}
	grid_print(&g, 4, false, out);
	grid_fini(&g);
}

static void print_line(const struct ctl *ctl, const struct status_line *line)
{
	const struct status_entry *e = &line->entry;
	char at[CLOCK_ISO_SIZE];
	struct grid g;

	grid_init(&g, "ll");
	grid_add(&g, GRID_HEAD, "%s", clock_iso(e->at, at, sizeof(at)));
	if (e->has_author)
		grid_add(&g, GRID_PLAIN, "%s by " STR_FMT "%s", status_action_name(e->action), STR_ARG(e->author), line->refused ? ", which did not count" : "");
	else
		grid_add(&g, GRID_PLAIN, "%s by the page%s", status_action_name(e->action), line->refused ? ", which did not count" : "");
	fputc('\n', ctl->out);
	grid_print(&g, 0, grid_wants_colour(ctl->out), ctl->out);
	grid_fini(&g);
	print_text(e->text, ctl->out);
}

int page_show_run(struct ctl *ctl, struct err *err)
{
	struct status_incidents s = {0};
	const struct status_incident *i = NULL;
	int rc = page_incidents_read(&s, ctl, err);

	if (rc == 0 && !(i = status_incidents_match(&s, ctl->args.operands[0], err)))
		rc = -1;
	if (rc == 0 && ctl->json) {
		struct json_writer w;

		json_write_begin(&w);
		page_incidents_write_one(&w, "incident", i);
		rc = json_write_print(&w, ctl->out, err);
	} else if (rc == 0) {
		print_head(ctl, i);
		for (size_t k = 0; k < i->nr_lines; k++)
			print_line(ctl, &i->lines[k]);
	}
	status_incidents_fini(&s);
	return rc;
}
