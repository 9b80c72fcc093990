/* status_print.c - the status as a screen; see status.h.
 *
 * The screen is for the moment in which something is wrong: the verdict stands in the first line, and below it what is wrong, worst first,
 * with the page that says what to do. What is well takes one line of its own at most. Made for 80 columns, as far as names allow. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "deploy/ctl/grid.h"
#include "deploy/ctl/obeyed.h"
#include "deploy/ctl/status.h"

enum { LAGS_SHOWN = 16, SEVERITY_WIDTH = 9 };

static const char *plural(size_t n)
{
	return n == 1 ? "" : "s";
}

static enum grid_style state_style(enum status_beat_state state)
{
	if (state == STATUS_READY)
		return GRID_GOOD;
	return state == STATUS_GONE ? GRID_DIM : GRID_BAD;
}

static void add_heads(struct grid *g, const char *const *heads)
{
	for (; *heads; heads++)
		grid_add(g, GRID_DIM, "%s", *heads);
}

static void print_title(const char *title, bool colour, FILE *out)
{
	fprintf(out, "\n%s%s%s", grid_style_on(GRID_HEAD, colour), title, grid_style_off(GRID_HEAD, colour));
}

/* "millrace-ingest" is said as "ingest". */
static struct str short_program(struct str program)
{
	str_take(&program, "millrace-");
	return program;
}

/* "412M": bytes in at most three digits and a unit of 1024. */
static const char *say_bytes(double bytes, char out[GRID_NUMBER_SIZE])
{
	static const char units[] = "BKMGTPE";
	size_t unit = 0;

	for (; bytes >= 999.5 && unit + 2 < sizeof(units); unit++)
		bytes /= 1024;
	snprintf(out, GRID_NUMBER_SIZE, "%.*f%c", unit && bytes < 9.95 ? 1 : 0, fmin(fmax(bytes, 0), 1e6), units[unit]);
	return out;
}

static void add_memory(struct grid *g, const struct status_beat *b)
{
	int percent = status_memory_percent(b);
	char text[GRID_NUMBER_SIZE];
	double bytes = 0;

	if (b->state != STATUS_READY && b->state != STATUS_NOT_READY)
		grid_add(g, GRID_DIM, "-");
	else if (percent >= 0 && status_figure(b, "memory_budget_bytes", &bytes))
		grid_add(g, percent >= STATUS_MEMORY_PERCENT ? GRID_BAD : GRID_PLAIN, "%d %% of %s", percent, say_bytes(bytes, text));
	else
		grid_add(g, GRID_DIM, "?");
}

static void add_state(struct grid *g, const struct status_beat *b)
{
	char age[GRID_NUMBER_SIZE];

	if (b->state == STATUS_STALE)
		grid_add(g, GRID_BAD, "silent %s", grid_duration(b->age_ms, age));
	else
		grid_add(g, state_style(b->state), "%s", status_state_name(b->state));
}

static void add_beat(struct grid *g, const struct status_beat *b, bool with_build)
{
	const struct heartbeat *beat = &b->item->v.beat;
	char up[GRID_NUMBER_SIZE];
	bool readable = b->state != STATUS_UNREADABLE;

	grid_add(g, GRID_PLAIN, STR_FMT, STR_ARG(readable ? short_program(beat->program) : b->item->key));
	grid_add(g, GRID_PLAIN, STR_FMT, STR_ARG(readable ? beat->instance : STR("")));
	grid_add(g, GRID_PLAIN, STR_FMT, STR_ARG(!readable ? STR("") : beat->has_cell ? beat->cell : STR("-")));
	add_state(g, b);
	grid_add(g, GRID_PLAIN, "%s", b->state == STATUS_READY || b->state == STATUS_NOT_READY ? grid_duration(b->up_ms, up) : "-");
	add_memory(g, b);
	if (with_build)
		grid_add(g, GRID_PLAIN, STR_FMT, STR_ARG(readable ? beat->build : STR("")));
}

static void print_beats(const struct status *s, bool colour, FILE *out)
{
	static const char *const heads[] = {"program", "instance", "cell", "state", "up", "memory", NULL};
	bool with_build = !status_is_one_build(s);
	size_t gone = 0;
	struct grid g;

	print_title("Programs", colour, out);
	grid_init(&g, with_build ? "llllrll" : "llllrl");
	if (!with_build && s->nr_builds)
		fprintf(out, ", all of build " STR_FMT, STR_ARG(s->builds[0].build));
	fputc('\n', out);
	add_heads(&g, heads);
	if (with_build)
		grid_add(&g, GRID_DIM, "build");
	for (size_t i = 0; i < s->nr_beats; i++) {
		if (s->beats[i].state == STATUS_GONE)
			gone++;
		else
			add_beat(&g, &s->beats[i], with_build);
	}
	if (s->nr_beats > gone)
		grid_print(&g, 2, colour, out);
	else
		fputs("  none has sent a heartbeat\n", out);
	if (gone)
		fprintf(out, "  %s%zu former instance%s gone%s\n", grid_style_on(GRID_DIM, colour), gone,
			gone == 1 ? " is" : "s are", grid_style_off(GRID_DIM, colour));
	grid_fini(&g);
}

/* The lags of one topic's partitions, from first to last, in a row: "0 0 12 0". */
static void say_lags(const struct lag_group *group, size_t first, size_t last, char *out, size_t size)
{
	size_t at = 0;

	for (size_t i = first; i < last && i - first < LAGS_SHOWN && at < size; i++) {
		char lag[GRID_NUMBER_SIZE];
		const struct lag_partition *p = &group->partitions[i];

		grid_count(p->lag, lag);
		for (char *space = lag; (space = strchr(space, ' ')) != NULL;)
			memmove(space, space + 1, strlen(space)); /* "12.3k": these numbers stand in a row */
		at += (size_t)snprintf(out + at, size - at, "%s%s", i > first ? " " : "", p->fault ? "?" : lag);
	}
	if (last - first > LAGS_SHOWN && at < size)
		snprintf(out + at, size - at, " (+%zu)", last - first - LAGS_SHOWN);
}

/* Oldest record and what is left of its life, of a topic's partitions from first to last or of a whole group; "?" where one of
 * them did not answer. */
static void add_ages(struct grid *g, const struct status *s, const struct lag_group *group, size_t first, size_t last)
{
	int64_t age_ms = 0, left_ms = -1;
	char text[GRID_NUMBER_SIZE];
	bool unknown = false;

	for (size_t i = first; i < last; i++) {
		const struct lag_partition *p = &group->partitions[i];

		unknown |= p->lag && p->age_ms < 0;
		age_ms = p->lag && p->age_ms > age_ms ? p->age_ms : age_ms;
		left_ms = p->left_ms >= 0 && (left_ms < 0 || p->left_ms < left_ms) ? p->left_ms : left_ms;
	}
	if (age_ms || !unknown)
		grid_add(g, age_ms > s->max_age_ms ? GRID_BAD : age_ms ? GRID_PLAIN : GRID_DIM, "%s%s", age_ms ? grid_duration(age_ms, text) : "-",
			 unknown ? " ?" : "");
	else
		grid_add(g, GRID_PLAIN, "?");
	grid_add(g, left_ms >= 0 && left_ms < STATUS_LOSS_NEAR_MS ? GRID_BAD : GRID_DIM, "%s", left_ms < 0 ? "-" : grid_duration(left_ms, text));
}

/* One row for the group, and one for each of its topics that is behind: with many cells, all that is well
 * must fit on a screen. */
static void add_group(struct grid *g, const struct status *s, const struct lag_group *group)
{
	char lag[GRID_NUMBER_SIZE], lags[LAGS_SHOWN * GRID_NUMBER_SIZE];

	grid_add(g, GRID_PLAIN, "%s", group->name);
	grid_add(g, group->total > s->max_lag ? GRID_BAD : GRID_GOOD, "%s", grid_count(group->total, lag));
	add_ages(g, s, group, 0, group->nr);
	grid_add(g, GRID_PLAIN, "%s", "");
	for (size_t first = 0, last; first < group->nr; first = last) {
		const char *topic = group->partitions[first].topic;
		int64_t total = 0;
		bool fault = false;

		for (last = first; last < group->nr && strcmp(group->partitions[last].topic, topic) == 0; last++) {
			total += group->partitions[last].lag;
			fault |= group->partitions[last].fault != NULL;
		}
		if (!total && !fault)
			continue;
		say_lags(group, first, last, lags, sizeof(lags));
		grid_add(g, GRID_PLAIN, "  %s", topic);
		grid_add(g, GRID_PLAIN, "%s", grid_count(total, lag));
		add_ages(g, s, group, first, last);
		grid_add(g, GRID_PLAIN, "%s", lags);
	}
}

static void print_lag(const struct status *s, bool colour, FILE *out)
{
	static const char *const heads[] = {"group", "records", "oldest", "deleted in", "by partition", NULL};
	struct grid g;

	if (!s->nr_groups)
		return;
	print_title("Lag", colour, out);
	fputc('\n', out);
	grid_init(&g, "lrrrl");
	add_heads(&g, heads);
	for (size_t i = 0; i < s->nr_groups; i++)
		add_group(&g, s, &s->groups[i]);
	grid_print(&g, 2, colour, out);
	grid_fini(&g);
}

static void print_breakers(const struct status *s, bool colour, FILE *out)
{
	size_t nr = 0, nr_open = 0;
	struct str reason;
	struct grid g;

	grid_init(&g, "llll");
	for (size_t i = 0; i < s->nr_beats; i++) {
		const struct status_beat *b = &s->beats[i];
		int state = status_is_live(b, "millrace-sink") ? status_breaker(b, &reason) : 0;

		nr += status_is_live(b, "millrace-sink");
		if (!state)
			continue;
		nr_open++;
		grid_add(&g, GRID_PLAIN, "sink " STR_FMT, STR_ARG(b->item->v.beat.instance));
		grid_add(&g, GRID_PLAIN, STR_FMT, STR_ARG(b->item->v.beat.cell));
		grid_add(&g, GRID_BAD, "%s", status_breaker_name(state));
		grid_add(&g, GRID_PLAIN, STR_FMT, STR_ARG(reason));
	}
	if (nr) {
		print_title("Breakers", colour, out);
		fprintf(out, ": %zu of %zu closed\n", nr - nr_open, nr);
		grid_print(&g, 2, colour, out);
	}
	grid_fini(&g);
}

static void print_controls(const struct status *s, bool colour, FILE *out)
{
	static const char *const heads[] = {"control", "ends in", "obeyed", "author", "reason", NULL};
	char left[GRID_NUMBER_SIZE];
	struct grid g;

	print_title("Controls", colour, out);
	fputs(s->nr_controls ? "\n" : ": none in force\n", out);
	if (!s->nr_controls)
		return;
	grid_init(&g, "lrrll");
	add_heads(&g, heads);
	for (size_t i = 0; i < s->nr_controls; i++) {
		const struct control *c = s->controls[i];
		struct obeyed obeyed;

		obeyed_ask(s, c, -1, &obeyed);
		grid_add(&g, GRID_PLAIN, STR_FMT, STR_ARG(c->id));
		grid_add(&g, GRID_PLAIN, "%s", grid_duration(c->expires_at - s->now_ms, left));
		grid_add(&g, obeyed.nr_not_by ? GRID_BAD : obeyed.nr_by ? GRID_GOOD : GRID_DIM, "%zu of %zu", obeyed.nr_by, obeyed.nr_by + obeyed.nr_not_by);
		grid_add(&g, GRID_PLAIN, STR_FMT, STR_ARG(c->author));
		grid_add(&g, GRID_PLAIN, STR_FMT, STR_ARG(c->reason));
	}
	grid_print(&g, 2, colour, out);
	grid_fini(&g);
}

static void print_letters(const struct letter_tally *t, bool colour, FILE *out)
{
	char held[GRID_NUMBER_SIZE], day[GRID_NUMBER_SIZE];
	struct grid g;

	print_title("Dead letters", colour, out);
	if (*t->fault || !t->held) {
		fputs(*t->fault ? ": not known\n" : ": none\n", out);
		return;
	}
	fprintf(out, ": %s held, %s of the last day, %s%" PRIu64 " of the last hour, %" PRIu64 " of these open\n", grid_count(t->held, held),
		grid_count(t->last_day, day), t->partial ? "more than " : "", t->last_hour, t->open);
	grid_init(&g, "llrr");
	for (size_t i = 0; i < t->nr_rows; i++) {
		grid_add(&g, GRID_PLAIN, "%s", t->rows[i].topic);
		grid_add(&g, GRID_PLAIN, "%s", t->rows[i].code);
		grid_add(&g, GRID_PLAIN, "%s", grid_count((int64_t)t->rows[i].letters, held));
		grid_add(&g, t->rows[i].open ? GRID_BAD : GRID_DIM, "%s open", grid_count((int64_t)t->rows[i].open, day));
	}
	grid_print(&g, 2, colour, out);
	grid_fini(&g);
}

/* Of a cell's notifiers one keeps the incidents; the others are ready to. */
static void print_alerts(const struct status *s, bool colour, FILE *out)
{
	static const char *const names[] = {"incidents_open", "queue", "lag_records"};
	static const char *const heads[] = {"cell", "notifier", "incidents", "to send", "behind", NULL};
	double active;
	size_t nr = 0;
	struct grid g;

	grid_init(&g, "llrrr");
	add_heads(&g, heads);
	for (size_t i = 0; i < s->nr_beats; i++) {
		const struct status_beat *b = &s->beats[i];

		if (!status_is_live(b, "millrace-notify") || !status_figure(b, "active", &active) || active < 1)
			continue;
		nr++;
		grid_add(&g, GRID_PLAIN, STR_FMT, STR_ARG(b->item->v.beat.cell));
		grid_add(&g, GRID_PLAIN, STR_FMT, STR_ARG(b->item->v.beat.instance));
		for (size_t n = 0; n < sizeof(names) / sizeof(names[0]); n++) {
			double value = 0;

			status_figure(b, names[n], &value);
			grid_add(&g, GRID_PLAIN, "%.0f", value);
		}
	}
	if (nr) {
		print_title("Alerts\n", colour, out);
		grid_print(&g, 2, colour, out);
	}
	grid_fini(&g);
}

/* A sentence from column `indent` on, and where the screen is too narrow for it, in lines that end between words. */
static void print_sentence(const char *text, int indent, int width, FILE *out)
{
	size_t room = width > indent + 20 ? (size_t)(width - indent) : SIZE_MAX;

	while (strlen(text) > room) {
		const char *end = text + room;

		while (end > text && *end != ' ')
			end--;
		if (end == text)
			break; /* one word alone */
		fprintf(out, "%.*s\n%*s", (int)(end - text), text, indent, "");
		text = end + 1;
	}
	fprintf(out, "%s\n", text);
}

static void print_problems(const struct status *s, bool colour, int width, FILE *out)
{
	for (size_t i = 0; i < s->nr_problems; i++) {
		const struct status_problem *p = &s->problems[i];
		enum grid_style style = p->severity == STATUS_HINT ? GRID_DIM : GRID_BAD;

		fprintf(out, "  %s%-*s%s ", grid_style_on(style, colour), SEVERITY_WIDTH, status_severity_name(p->severity), grid_style_off(style, colour));
		print_sentence(p->text, SEVERITY_WIDTH + 3, width, out);
		if (p->runbook)
			fprintf(out, "  %*s %sdeploy/runbooks/%s.md%s\n", SEVERITY_WIDTH, "", grid_style_on(GRID_DIM, colour), p->runbook,
				grid_style_off(GRID_DIM, colour));
	}
}

void status_print(const struct status *s, bool colour, int width, FILE *out)
{
	size_t nr = s->nr_problems - s->nr_hints;
	enum grid_style style = nr ? GRID_BAD : GRID_GOOD;

	fprintf(out, "%sMillrace%s at %s: %d broker%s, %zu cell%s, %zu site%s: %s", grid_style_on(GRID_HEAD, colour),
		grid_style_off(GRID_HEAD, colour), s->brokers, s->topics.brokers, plural((size_t)s->topics.brokers), s->nr_cells, plural(s->nr_cells),
		s->nr_sites, plural(s->nr_sites), grid_style_on(style, colour));
	if (nr)
		fprintf(out, "%zu problem%s", nr, plural(nr));
	else
		fputs("all well", out);
	fprintf(out, "%s\n", grid_style_off(style, colour));
	print_problems(s, colour, width, out);
	print_beats(s, colour, out);
	print_lag(s, colour, out);
	print_breakers(s, colour, out);
	print_alerts(s, colour, out);
	print_letters(&s->letters, colour, out);
	print_controls(s, colour, out);
}
