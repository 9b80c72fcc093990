/* html_incident.c - see html_parts.h: incidents, and an incident's own page.
 *
 * Its colour is that of what it does to the components while it goes on; what is over has none any more. */
#include "sink/status/escape.h"
#include "sink/status/html_parts.h"
#include "sink/status/time_words.h"
#include "sink/status/verdict.h"

enum { COMPONENTS_NAMED = 8 };

static enum component_state tone(const struct status_incident *i)
{
	return i->state == STATUS_INCIDENT_RESOLVED ? COMPONENT_STATE_OPERATIONAL : page_impact_state(i->impact);
}

/* A row of the facts: begun here, ended by fact_end(). */
static void fact(struct buf *out, const char *name)
{
	buf_printf(out, "<div><dt>%s</dt><dd>", name);
}

static void fact_end(struct buf *out)
{
	markup(out, "</dd></div>");
}

/* Times stand with how long ago or ahead they are: not everybody has UTC in mind. */
static void fact_time(struct buf *out, const struct page *p, const char *name, int64_t t_ms)
{
	fact(out, name);
	time_words_at(out, t_ms, p->now_ms);
	markup(out, ", ");
	time_words_ago(out, t_ms, p->now_ms);
	fact_end(out);
}

/* An incident may name hundreds of cells. */
static void fact_affected(struct buf *out, const struct page *p, const struct status_incident *i)
{
	char words[PAGE_TITLE_SIZE];

	fact(out, "Affects");
	for (size_t k = 0; k < i->nr_components && k < COMPONENTS_NAMED; k++) {
		markup(out, k ? "; <span dir=\"auto\">" : "<span dir=\"auto\">");
		escape_text(out, page_component_title(p, i->components[k], words));
		markup(out, "</span>");
	}
	if (i->nr_components > COMPONENTS_NAMED)
		buf_printf(out, " and %zu more", i->nr_components - COMPONENTS_NAMED);
	fact_end(out);
}

static void fact_lasted(struct buf *out, const struct status_incident *i)
{
	char words[VERDICT_DURATION_SIZE];

	fact(out, "Lasted");
	markup(out, verdict_duration(i->ended_at - i->opened_at, words));
	fact_end(out);
}

/* What was expected and has not come is not told as if it were still to come. */
static void fact_recovery(struct buf *out, const struct page *p, const struct status_incident *i)
{
	const char *name = i->impact == STATUS_IMPACT_MAINTENANCE ? "Until" : "Expected to be over";

	if (i->recovery_at > p->now_ms) {
		fact_time(out, p, name, i->recovery_at);
	} else if (i->recovery_at) {
		fact(out, "Was expected to be over");
		time_words_at(out, i->recovery_at, p->now_ms);
		fact_end(out);
	}
}

/* When the next update is due is a promise: it is made only while it can be kept, and not of maintenance, which has its times. */
static void facts(struct buf *out, const struct page *p, const struct status_incident *i)
{
	int64_t next_at = i->told_at + p->cadence_ms;

	markup(out, "<dl class=\"facts\">");
	fact_time(out, p, page_is_to_come(p, i) ? "Begins" : "Began", i->opened_at);
	if (i->state == STATUS_INCIDENT_RESOLVED) {
		fact_time(out, p, "Ended", i->ended_at);
		fact_lasted(out, i);
	} else {
		fact_recovery(out, p, i);
		if (i->impact != STATUS_IMPACT_MAINTENANCE && p->cadence_ms > 0 && i->told_at && next_at > p->now_ms)
			fact_time(out, p, "Next update by", next_at);
	}
	fact_affected(out, p, i);
	markup(out, "</dl>\n");
}

/* Newest first: who comes back wants what is new. Line ends in a text are kept by the style. */
static void posts(struct buf *out, const struct page *p, const struct status_incident *i)
{
	struct page_post post;
	size_t at = i->nr_lines;

	markup(out, "<ol class=\"posts\">\n");
	while (page_post_before(i, &at, &post)) {
		buf_printf(out, "<li><p class=\"when\"><strong>%s</strong> <span>", page_post_words(i, &post));
		time_words_at(out, post.at_ms, p->now_ms);
		markup(out, ", ");
		time_words_ago(out, post.at_ms, p->now_ms);
		markup(out, "</span></p>");
		if (post.text.len) {
			markup(out, "<p class=\"text\" dir=\"auto\">");
			escape_text(out, post.text);
			markup(out, "</p>");
		}
		markup(out, "</li>\n");
	}
	markup(out, "</ol>\n");
}

static void link_to(struct buf *out, const struct status_incident *i, const char *base)
{
	buf_printf(out, "<a href=\"%s%s", base, PAGE_PATH_INCIDENT + 1);
	escape_text(out, i->id);
	markup(out, "\" dir=\"auto\">");
	escape_text(out, i->title);
	markup(out, "</a>");
}

void html_incident(struct buf *out, const struct page *p, const struct status_incident *i, const char *base, int level)
{
	markup(out, "<article");
	html_class(out, "incident", tone(i));
	markup(out, ">\n<p class=\"state\">");
	html_mark(out, tone(i));
	if (page_is_to_come(p, i))
		markup(out, "<span>Planned maintenance</span></p>\n");
	else
		buf_printf(out, "<span>%s%s</span></p>\n", i->state != STATUS_INCIDENT_RESOLVED ? "" : i->impact == STATUS_IMPACT_MAINTENANCE ? "Completed \xc2\xb7 " : "Resolved \xc2\xb7 ", page_impact_words(i->impact));
	buf_printf(out, "<h%d dir=\"auto\">", level);
	if (level == 1)
		escape_text(out, i->title);
	else
		link_to(out, i, base);
	buf_printf(out, "</h%d>\n", level);
	facts(out, p, i);
	posts(out, p, i);
	markup(out, "</article>\n");
}

void html_past(struct buf *out, const struct page *p, const struct status_incident *i, const char *base)
{
	char words[VERDICT_DURATION_SIZE];

	markup(out, "<li><h3>");
	link_to(out, i, base);
	buf_printf(out, "</h3><p class=\"when\">%s, ", page_impact_words(i->impact));
	time_words_at(out, i->opened_at, p->now_ms);
	buf_printf(out, ", for %s</p></li>\n", verdict_duration(i->ended_at - i->opened_at, words));
}

/* Oldest first, as it is read as a story. */
static void timeline(struct buf *out, const struct page *p, const struct status_incident *i)
{
	if (!i->nr_timeline)
		return;
	markup(out, "<section aria-labelledby=\"timeline\">\n<h2 id=\"timeline\">Timeline</h2>\n<ol class=\"moments\">\n");
	for (size_t k = 0; k < i->nr_timeline; k++) {
		markup(out, "<li><span class=\"at\">");
		time_words_exact(out, i->timeline[k].at, p->now_ms);
		markup(out, "</span> <span dir=\"auto\">");
		escape_text(out, i->timeline[k].text);
		markup(out, "</span></li>\n");
	}
	markup(out, "</ol>\n</section>\n");
}

int page_html_incident(const struct page *p, const struct status_incident *i, struct buf *out, struct err *err)
{
	const struct html_frame f = {.base = "../", .path = PAGE_PATH_INCIDENT + 1, .id = i->id, .title = i->title};

	html_head(out, p, &f);
	html_incident(out, p, i, f.base, 1);
	timeline(out, p, i);
	html_foot(out, p, &f);
	return buf_failed(out) ? err_nomem(err, "an incident's page") : 0;
}
