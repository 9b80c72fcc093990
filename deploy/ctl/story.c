/* story.c - see story.h.
 *
 * Each line is made when it is taken, and kept as text: what it was made of may be large, and is gone. Lines of the same millisecond stay in the order in which
 * they were taken. When there are twice as many as are kept, the older half goes, so that taking costs the same however long the log is.
 *
 * Text comes from operators, sites and programs. A reader of the finished page must see what they wrote, and nothing that they could make of it: no links,
 * no HTML, no headings of their own. */
#include "deploy/ctl/story.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "deploy/ctl/grid.h"

enum { SHORT_ID_BYTES = 6, ISO_DATE = 10, ISO_HOUR = 13, ISO_TIME = 11 /* where it begins */ };

struct story_line {
	int64_t at_ms;
	uint64_t rank; /* in the order of taking */
	char *text;    /* owned; as it is printed, without the time */
};

static void free_lines(struct story_line *lines, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		free(lines[i].text);
}

void story_fini(struct story *s)
{
	free_lines(s->lines, s->nr_lines);
	free_lines(s->incidents, s->nr_incidents);
	free(s->lines);
	free(s->incidents);
	s->lines = s->incidents = NULL;
	s->nr_lines = s->nr_incidents = 0;
}

static bool is_word(struct str s, size_t i)
{
	return i < s.len && ((unsigned char)s.p[i] >= 0x80 || (s.p[i] >= '0' && s.p[i] <= '9') || ((s.p[i] | 0x20) >= 'a' && (s.p[i] | 0x20) <= 'z'));
}

/* An underscore inside a word means nothing in Markdown, and most of ours are. */
static bool is_special(struct str s, size_t i)
{
	if (s.p[i] == '_')
		return !(i && is_word(s, i - 1) && is_word(s, i + 1));
	return s.p[i] && strchr("\\`*[]<>|~&", s.p[i]);
}

void story_escape(struct str text, struct buf *out)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char byte = (unsigned char)text.p[i], next = i + 1 < text.len ? (unsigned char)text.p[i + 1] : 0;

		if (byte == 0xc2 && next >= 0x80 && next < 0xa0) { /* C1 */
			buf_add(out, "?", 1);
			i++;
		} else if (byte < 0x20 || byte == 0x7f) {
			buf_add(out, byte == '\n' || byte == '\t' ? " " : "?", 1);
		} else {
			buf_add(out, "\\", is_special(text, i));
			buf_add(out, &text.p[i], 1);
		}
	}
}

static int by_time(const void *a, const void *b)
{
	const struct story_line *x = a, *y = b;

	if (x->at_ms != y->at_ms)
		return x->at_ms < y->at_ms ? -1 : 1;
	return x->rank < y->rank ? -1 : x->rank > y->rank;
}

static void sort(struct story_line *lines, size_t nr)
{
	if (nr)
		qsort(lines, nr, sizeof(*lines), by_time);
}

/* Leaves the newest STORY_LINES_MAX. */
static void cut(struct story *s)
{
	size_t gone = s->nr_lines > STORY_LINES_MAX ? s->nr_lines - STORY_LINES_MAX : 0;

	sort(s->lines, s->nr_lines);
	if (!gone)
		return;
	free_lines(s->lines, gone);
	memmove(s->lines, s->lines + gone, STORY_LINES_MAX * sizeof(*s->lines));
	s->nr_lines = STORY_LINES_MAX;
	s->left_out += gone;
}

/* Takes text's bytes over, whatever comes of it. */
static int add(struct story *s, struct story_line **lines, size_t *nr, size_t max, int64_t at_ms, struct buf *text, struct err *err)
{
	if (!*lines)
		*lines = calloc(max, sizeof(**lines));
	buf_add(text, "", 1);
	if (!*lines || buf_failed(text)) {
		buf_fini(text);
		return err_nomem(err, "a timeline");
	}
	(*lines)[(*nr)++] = (struct story_line){.at_ms = at_ms, .rank = s->nr_taken++, .text = (char *)text->p};
	return 0;
}

static int add_line(struct story *s, int64_t at_ms, struct buf *text, struct err *err)
{
	if (s->nr_lines == 2 * (size_t)STORY_LINES_MAX)
		cut(s);
	return add(s, &s->lines, &s->nr_lines, 2 * (size_t)STORY_LINES_MAX, at_ms, text, err);
}

static bool is_within(const struct story *s, int64_t at_ms)
{
	return at_ms >= s->from_ms && at_ms < s->to_ms;
}

/* What belongs to no cell, or to no site, may be what did it to all of them. */
static bool concerns(const char *wanted, bool has, struct str name)
{
	return !wanted || !has || str_eq(name, str_from(wanted));
}

static void add_word(struct buf *out, const char *between, struct str word)
{
	buf_printf(out, "%s", between);
	story_escape(word, out);
}

/* "control_set" as "control set". */
static void add_event(struct buf *out, struct str event)
{
	struct buf words = BUF_INIT;

	for (size_t i = 0; i < event.len; i++)
		buf_add(&words, event.p[i] == '_' ? " " : &event.p[i], 1);
	story_escape(buf_str(&words), out);
	buf_fini(&words);
}

/* What an operator has set is told again by each program that obeys: whose line it is tells them from one another. */
int story_take_notice(struct story *s, const struct notice *n, struct err *err)
{
	struct buf text = BUF_INIT;

	if (!is_within(s, n->at) || !concerns(s->cell, n->has_cell, n->cell) || !concerns(s->site, n->has_site, n->site))
		return 0;
	buf_printf(&text, "**");
	add_event(&text, n->event);
	buf_printf(&text, "**%s", n->severity == SEVERITY_ALARM ? " (alarm)" : n->severity == SEVERITY_WARNING ? " (warning)" : "");
	if (n->has_author)
		add_word(&text, " by ", n->author);
	if (!n->has_author || !str_eq(n->program, STR("millrace-ctl"))) {
		add_word(&text, n->has_author ? ", told by " : " of ", n->program);
		add_word(&text, " ", n->instance);
	}
	if (n->has_cell)
		add_word(&text, ", cell ", n->cell);
	if (n->has_site)
		add_word(&text, ", site ", n->site);
	add_word(&text, ": ", n->text);
	return add_line(s, n->at, &text, err);
}

static const char *short_id(const struct incident *i, char out[2 * SHORT_ID_BYTES + 1])
{
	return str_hex(i->id, SHORT_ID_BYTES, out);
}

static int add_opening(struct story *s, const struct incident *i, struct err *err)
{
	char id[2 * SHORT_ID_BYTES + 1];
	struct buf text = BUF_INIT;

	buf_printf(&text, "**incident opened** %s (%s)", short_id(i, id), alert_severity_name(i->severity));
	add_word(&text, ", cell ", i->cell);
	add_word(&text, ", site ", i->site);
	add_word(&text, ", trigger ", i->trigger);
	add_word(&text, ": ", i->condition);
	return add_line(s, i->opened_at, &text, err);
}

static int add_end(struct story *s, const struct incident *i, struct err *err)
{
	char id[2 * SHORT_ID_BYTES + 1], after[GRID_NUMBER_SIZE];
	struct buf text = BUF_INIT;

	buf_printf(&text, "**incident resolved** %s", short_id(i, id));
	add_word(&text, ", trigger ", i->trigger);
	buf_printf(&text, ": after %s, %" PRId64 " alert%s", grid_duration(i->resolved_at - i->opened_at, after), i->alerts_total,
		   i->alerts_total == 1 ? "" : "s");
	return add_line(s, i->resolved_at, &text, err);
}

/* "2026-11-26 14:02" */
static void add_minute(struct buf *out, int64_t at_ms)
{
	char iso[CLOCK_ISO_SIZE];

	clock_iso(at_ms, iso, sizeof(iso));
	buf_printf(out, "%.*s %.5s", ISO_DATE, iso, iso + ISO_TIME);
}

static int add_row(struct story *s, const struct incident *i, struct err *err)
{
	char id[2 * SHORT_ID_BYTES + 1];
	struct buf text = BUF_INIT;

	if (s->nr_incidents == STORY_INCIDENTS_MAX) {
		s->left_out++;
		return 0;
	}
	s->nr_open += !i->has_resolved_at;
	buf_printf(&text, "| %s ", short_id(i, id));
	add_word(&text, "| ", i->site);
	add_word(&text, " | ", i->trigger);
	buf_printf(&text, " | %s | ", alert_severity_name(i->severity));
	add_minute(&text, i->opened_at);
	buf_printf(&text, " | ");
	if (i->has_resolved_at)
		add_minute(&text, i->resolved_at);
	else
		buf_printf(&text, "open");
	buf_printf(&text, " | %" PRId64, i->alerts_total);
	add_word(&text, " | ", i->has_acked_by ? i->acked_by : STR("-"));
	buf_printf(&text, " |");
	return add(s, &s->incidents, &s->nr_incidents, STORY_INCIDENTS_MAX, i->opened_at, &text, err);
}

int story_take_incident(struct story *s, const struct incident *i, struct err *err)
{
	if (i->opened_at >= s->to_ms || (i->has_resolved_at && i->resolved_at < s->from_ms) || !concerns(s->cell, true, i->cell) ||
	    !concerns(s->site, true, i->site))
		return 0;
	if (is_within(s, i->opened_at) && add_opening(s, i, err) < 0)
		return -1;
	if (i->has_resolved_at && is_within(s, i->resolved_at) && add_end(s, i, err) < 0)
		return -1;
	return add_row(s, i, err);
}

static void print_head(const struct story *s, struct buf *out)
{
	char from[CLOCK_ISO_SIZE], to[CLOCK_ISO_SIZE];

	buf_printf(out, "# What happened from ");
	add_minute(out, s->from_ms);
	buf_printf(out, " to ");
	add_minute(out, s->to_ms);
	buf_printf(out, " UTC\n\n- From: %s\n- To: %s\n", clock_iso(s->from_ms, from, sizeof(from)), clock_iso(s->to_ms, to, sizeof(to)));
	add_word(out, "- Cells: ", str_from(s->cell ? s->cell : s->cells));
	add_word(out, "\n- Site: ", str_from(s->site ? s->site : "all"));
	buf_printf(out, "\n- Incidents: %zu, of which %zu %s still open\n", s->nr_incidents, s->nr_open, s->nr_open == 1 ? "is" : "are");
}

static void print_incidents(struct story *s, struct buf *out)
{
	buf_printf(out, "\n## Incidents\n\n");
	if (!s->nr_incidents) {
		buf_printf(out, "None was open.\n");
		return;
	}
	buf_printf(out, "| Incident | Site | Trigger | Severity | Opened | Resolved | Alerts | Taken care of by |\n|---|---|---|---|---|---|---:|---|\n");
	sort(s->incidents, s->nr_incidents);
	for (size_t i = 0; i < s->nr_incidents; i++)
		buf_printf(out, "%s\n", s->incidents[i].text);
}

/* Hours are the first thirteen characters of a time. */
static void print_lines(struct story *s, struct buf *out)
{
	char iso[CLOCK_ISO_SIZE], hour[CLOCK_ISO_SIZE] = "";

	cut(s);
	buf_printf(out, "\n## Timeline\n");
	if (s->left_out)
		buf_printf(out, "\n%zu lines are left out: there is room for %d, the newest.\n", s->left_out, STORY_LINES_MAX);
	if (!s->nr_lines)
		buf_printf(out, "\nNothing was written down.\n");
	for (size_t i = 0; i < s->nr_lines; i++) {
		clock_iso(s->lines[i].at_ms, iso, sizeof(iso));
		if (strncmp(iso, hour, ISO_HOUR) != 0)
			buf_printf(out, "\n### %.*s %.2s:00\n\n", ISO_DATE, iso, iso + ISO_TIME);
		memcpy(hour, iso, sizeof(hour));
		buf_printf(out, "- %.8s %s\n", iso + ISO_TIME, s->lines[i].text);
	}
}

int story_print(struct story *s, struct buf *out, struct err *err)
{
	print_head(s, out);
	print_incidents(s, out);
	print_lines(s, out);
	buf_printf(out, "\n## Summary\n\n## Impact\n\n## Root cause\n\n## Actions\n");
	return buf_failed(out) ? err_nomem(err, "a timeline") : 0;
}

void story_write(struct story *s, struct json_writer *w)
{
	cut(s);
	json_write_int(w, "from", s->from_ms);
	json_write_int(w, "to", s->to_ms);
	json_write_int(w, "incidents", (int64_t)s->nr_incidents);
	json_write_int(w, "open", (int64_t)s->nr_open);
	json_write_int(w, "left_out", (int64_t)s->left_out);
	json_write_array(w, "lines");
	for (size_t i = 0; i < s->nr_lines; i++) {
		json_write_map(w, NULL);
		json_write_int(w, "at", s->lines[i].at_ms);
		json_write_text(w, "text", str_from(s->lines[i].text));
		json_write_map_end(w);
	}
	json_write_array_end(w);
}
