/* query_print.c - see query_print.h.
 *
 * A gap is told as a gap: a window in which nothing came is a row of dashes and a space in the sparkline, never a zero; a long gap is one row. The newest windows, which no
 * processor has closed yet, are no gap, and are left out. */
#include "deploy/ctl/query_print.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "deploy/ctl/grid.h"
#include "deploy/ctl/sparkline.h"

enum { COLUMNS_MAX = 9, HEAD_SIZE = 16, GAP_ROWS = 3 /* that a gap may have before it is one */ };

/* One column of figures. */
struct column {
	enum trigger_field field;
	bool errors; /* how many failed, which is no field */
};

struct columns {
	struct column list[COLUMNS_MAX];
	size_t nr;
};

enum trigger_field query_main_field(enum series_kind kind)
{
	return kind == SERIES_KIND_COUNTER ? TRIGGER_FIELD_SUM : kind == SERIES_KIND_GAUGE ? TRIGGER_FIELD_MEAN : TRIGGER_FIELD_P95;
}

enum series_kind query_kind(const struct query *q)
{
	return (enum series_kind)q->total.point.kind;
}

size_t query_nr_closed(const struct query *q)
{
	int64_t newest_end_ms = q->newest_ms < 0 ? 0 : q->newest_ms + q->spec->window_ms;
	int64_t end_ms = newest_end_ms > q->spec->closed_ms ? newest_end_ms : q->spec->closed_ms;
	int64_t nr = end_ms < q->spec->from_ms ? 0 : (end_ms - q->spec->from_ms) / q->spec->window_ms;

	return (uint64_t)nr < q->nr_windows ? (size_t)nr : q->nr_windows;
}

/* What a person looks at first in each kind, and the field that was asked for. */
static struct columns columns_of(const struct query *q, const struct query_look *look)
{
	static const enum trigger_field fields[][7] = {
		[SERIES_KIND_COUNTER] = {TRIGGER_FIELD_SUM, TRIGGER_FIELD_RATE, TRIGGER_FIELD_COUNT},
		[SERIES_KIND_GAUGE] = {TRIGGER_FIELD_LAST, TRIGGER_FIELD_MIN, TRIGGER_FIELD_MAX, TRIGGER_FIELD_MEAN, TRIGGER_FIELD_COUNT},
		[SERIES_KIND_DISTRIBUTION] = {TRIGGER_FIELD_COUNT, TRIGGER_FIELD_MEAN, TRIGGER_FIELD_MIN, TRIGGER_FIELD_P50, TRIGGER_FIELD_P95, TRIGGER_FIELD_P99,
					      TRIGGER_FIELD_MAX}};
	static const size_t nr[] = {[SERIES_KIND_COUNTER] = 3, [SERIES_KIND_GAUGE] = 5, [SERIES_KIND_DISTRIBUTION] = 7};
	struct columns c = {.nr = nr[query_kind(q)]};
	bool has_field = false;

	for (size_t i = 0; i < c.nr; i++) {
		c.list[i].field = fields[query_kind(q)][i];
		has_field |= c.list[i].field == look->field;
	}
	if (!has_field)
		c.list[c.nr++].field = look->field;
	if (q->total.point.errors)
		c.list[c.nr++].errors = true;
	return c;
}

static void add_heads(struct grid *g, const struct columns *c)
{
	for (size_t i = 0; i < c->nr; i++) {
		char head[HEAD_SIZE];

		snprintf(head, sizeof(head), "%s", c->list[i].errors ? "errors" : trigger_field_name(c->list[i].field));
		for (char *p = head; *p; p++)
			*p = *p == '_' ? ' ' : (char)toupper((unsigned char)*p);
		grid_add(g, GRID_HEAD, "%s%s", head, !c->list[i].errors && c->list[i].field == TRIGGER_FIELD_RATE ? "/S" : "");
	}
}

/* p NULL: nothing is there. */
static void add_figures(struct grid *g, const struct columns *c, const struct windows_point *p, int64_t length_ms, enum grid_style style)
{
	for (size_t i = 0; i < c->nr; i++) {
		double value;

		if (p && c->list[i].errors)
			grid_add(g, p->point.errors ? GRID_BAD : style, "%" PRId64, p->point.errors);
		else if (p && c->list[i].field == TRIGGER_FIELD_COUNT)
			grid_add(g, style, "%" PRId64, p->point.count);
		else if (p && query_value(c->list[i].field, p, length_ms, &value))
			grid_add(g, style, "%.6g", value);
		else
			grid_add(g, GRID_DIM, "-");
	}
}

/* "2026-11-26T14:02Z" */
static const char *say_minute(int64_t t_ms, char out[CLOCK_ISO_SIZE])
{
	char iso[CLOCK_ISO_SIZE];

	snprintf(out, CLOCK_ISO_SIZE, "%.16sZ", clock_iso(t_ms, iso, sizeof(iso)));
	return out;
}

static const char *unit_of(const struct query *q)
{
	return q->spec->window_ms == CLOCK_MINUTE_MS ? "minutes" : "hours";
}

/* Draws a group's first nr windows in at most `width` characters, each of which is a stretch merged anew: values of values would be wrong. Says the lowest and the
 * highest that is drawn. */
static int draw(const struct query *q, const struct query_group *g, size_t nr, const struct query_look *look, struct buf *out, double *low, double *high, struct err *err)
{
	size_t width = look->spark > 0 ? (size_t)look->spark : 1, each = (nr + width - 1) / width, len = each ? (nr + each - 1) / each : 0;
	double *values = calloc(len + 1, sizeof(*values));
	int rc = values ? 0 : err_nomem(err, "a sparkline");

	*low = HUGE_VAL;
	*high = -HUGE_VAL;
	for (size_t i = 0; rc == 0 && i < len; i++) {
		size_t end = (i + 1) * each < nr ? (i + 1) * each : nr;
		struct windows_point p;

		rc = query_range(q, g, i * each, end, &p, err);
		if (rc < 1 || !query_value(look->field, &p, (int64_t)(end - i * each) * q->spec->window_ms, &values[i]))
			values[i] = NAN;
		hist_fini(&p.hist);
		*low = fmin(*low, values[i]); /* of NaN and a number they are the number */
		*high = fmax(*high, values[i]);
		rc = rc < 0 ? -1 : 0;
	}
	if (rc == 0)
		sparkline(out, values, len);
	free(values);
	return rc;
}

/* The gap that begins at window w: how long it is. */
static size_t gap_at(const struct query_group *g, size_t w, size_t nr)
{
	size_t end = w;

	while (end < nr && !g->windows[end].has)
		end++;
	return end - w;
}

static void add_windows(struct grid *g, const struct query *q, const struct columns *c, size_t nr)
{
	const struct query_group *group = q->groups[0];
	char at[CLOCK_ISO_SIZE];

	for (size_t w = 0; w < nr; w++) {
		const struct query_window *window = &group->windows[w];
		size_t gap = gap_at(group, w, nr);

		if (gap > GAP_ROWS) {
			grid_add(g, GRID_DIM, "%zu %s: nothing", gap, unit_of(q));
			w += gap - 1;
		} else {
			grid_add(g, window->has ? GRID_PLAIN : GRID_DIM, "%s", say_minute(q->spec->from_ms + (int64_t)w * q->spec->window_ms, at));
		}
		add_figures(g, c, window->has ? &window->p : NULL, q->spec->window_ms, GRID_PLAIN);
	}
}

static int print_windows(const struct query *q, const struct query_look *look, const struct columns *c, FILE *out, struct err *err)
{
	size_t nr = query_nr_closed(q);
	char align[COLUMNS_MAX + 2] = "l";
	struct buf blocks = BUF_INIT;
	double low, high;
	struct grid g;
	int rc = 0;

	memset(align + 1, 'r', c->nr);
	grid_init(&g, align);
	grid_add(&g, GRID_HEAD, "%s", q->spec->window_ms == CLOCK_MINUTE_MS ? "MINUTE" : "HOUR");
	add_heads(&g, c);
	add_windows(&g, q, c, nr);
	grid_add(&g, GRID_HEAD, "all");
	add_figures(&g, c, &q->total, (int64_t)nr * q->spec->window_ms, GRID_HEAD);
	grid_print(&g, 0, look->colour, out);
	grid_fini(&g);
	if (look->spark > 0 && (rc = draw(q, q->groups[0], nr, look, &blocks, &low, &high, err)) == 0 && low <= high)
		fprintf(out, "\n%s  " STR_FMT "  %.6g to %.6g\n", trigger_field_name(look->field), STR_ARG(buf_str(&blocks)), low, high);
	buf_fini(&blocks);
	return rc;
}

static int add_group(struct grid *grid, const struct query *q, const struct query_group *g, const struct query_look *look, const struct columns *c, size_t nr, struct err *err)
{
	struct buf blocks = BUF_INIT;
	double low, high;
	int rc = look->spark > 0 ? draw(q, g, nr, look, &blocks, &low, &high, err) : 0;

	if (g->value.p)
		grid_add(grid, GRID_PLAIN, STR_FMT, STR_ARG(g->value));
	else
		grid_add(grid, GRID_DIM, "(none)");
	grid_add(grid, GRID_PLAIN, "%zu", g->nr_series);
	add_figures(grid, c, &g->total, (int64_t)nr * q->spec->window_ms, GRID_PLAIN);
	if (look->spark > 0)
		grid_add(grid, GRID_PLAIN, STR_FMT, STR_ARG(buf_str(&blocks)));
	buf_fini(&blocks);
	return rc;
}

static int print_groups(const struct query *q, const struct query_look *look, const struct columns *c, FILE *out, struct err *err)
{
	size_t nr = query_nr_closed(q), shown = q->nr < look->limit ? q->nr : look->limit;
	char align[COLUMNS_MAX + 4] = "lr";
	struct grid g;
	int rc = 0;

	memset(align + 2, 'r', c->nr);
	align[2 + c->nr] = look->spark > 0 ? 'l' : '\0';
	grid_init(&g, align);
	grid_add(&g, GRID_HEAD, STR_FMT, STR_ARG(q->spec->by));
	grid_add(&g, GRID_HEAD, "SERIES");
	add_heads(&g, c);
	if (look->spark > 0)
		grid_add(&g, GRID_HEAD, "%s", trigger_field_name(look->field));
	for (size_t i = 0; rc == 0 && i < shown; i++)
		rc = add_group(&g, q, q->groups[i], look, c, nr, err);
	if (rc == 0) {
		grid_add(&g, GRID_HEAD, "all");
		grid_add(&g, GRID_HEAD, "%zu", q->series.len);
		add_figures(&g, c, &q->total, (int64_t)nr * q->spec->window_ms, GRID_HEAD);
		grid_print(&g, 0, look->colour, out);
		if (shown < q->nr)
			fprintf(out, "and %zu more: --limit shows them\n", q->nr - shown);
	}
	grid_fini(&g);
	return rc;
}

/* What the figures are of. */
static void print_foot(const struct query *q, FILE *out)
{
	char from[CLOCK_ISO_SIZE], to[CLOCK_ISO_SIZE];
	size_t nr = query_nr_closed(q);

	fprintf(out, "\n%zu series of kind %s, %zu %s from %s to before %s", q->series.len, series_kind_name(query_kind(q)), nr, unit_of(q),
		say_minute(q->spec->from_ms, from), say_minute(q->spec->from_ms + (int64_t)nr * q->spec->window_ms, to));
	if (nr < q->nr_windows)
		fprintf(out, "; later ones are not closed yet");
	fputc('\n', out);
	if (q->newest_ms + q->spec->window_ms < q->spec->closed_ms && q->newest_ms + q->spec->window_ms < q->spec->to_ms)
		fprintf(out, "of no series there is anything after %s: where processors are behind (millrace-ctl status), it is still to come\n",
			say_minute(q->newest_ms + q->spec->window_ms, to));
	if (q->nr_late)
		fprintf(out, "%zu of %zu fragments came late, when their %s had been told: they are in\n", q->nr_late, q->nr_fragments, unit_of(q));
	if (query_kind(q) == SERIES_KIND_DISTRIBUTION && hist_count(&q->total.hist) < (uint64_t)q->total.point.count)
		fprintf(out, "percentiles leave out %" PRIu64 " values that came without buckets\n", (uint64_t)q->total.point.count - hist_count(&q->total.hist));
	if (q->approximate)
		fputs("percentiles are estimates: some senders' buckets were of another layout\n", out);
}

int query_print(const struct query *q, const struct query_look *look, FILE *out, struct err *err)
{
	struct columns c = columns_of(q, look);

	if ((q->spec->by.p ? print_groups(q, look, &c, out, err) : print_windows(q, look, &c, out, err)) < 0)
		return -1;
	print_foot(q, out);
	return 0;
}
