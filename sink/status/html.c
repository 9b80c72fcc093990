/* html.c - the page itself, and its history.
 *
 * In the order in which people ask: is it them or me, what do they say of it, which part, what was before. No script, no form, nothing of other hosts. It
 * refreshes itself by a header of the server's (server.h), not by the document: whoever reads slowly takes the address that has none. */
#include "sink/status/escape.h"
#include "sink/status/html_parts.h"
#include "sink/status/time_words.h"

/* What they come for, in one line. */
static void hero(struct buf *out, const struct page *p)
{
	bool known = page_is_known(p);
	enum component_state state = known ? page_state(p) : COMPONENT_STATE_MAINTENANCE;

	markup(out, "<div");
	html_class(out, p->stale ? "hero old" : "hero", state);
	markup(out, ">");
	if (known)
		html_mark(out, state);
	buf_printf(out, "<div><h1>%s</h1>\n<p>", page_summary(p));
	if (known) {
		markup(out, "As of ");
		time_words_exact(out, p->as_of_ms, p->now_ms);
		markup(out, ", ");
		time_words_ago(out, p->as_of_ms, p->now_ms);
	} else {
		markup(out, "The page has learned nothing from Kafka since it was started");
	}
	markup(out, ".</p></div></div>\n");
}

/* A section of articles; nothing when there are none. */
static int articles(struct buf *out, const struct page *p, enum page_list list, const char *id, const char *heading, struct err *err)
{
	struct page_selection s;

	if (page_select(p, list, &s, err) < 0)
		return -1;
	if (s.nr)
		buf_printf(out, "<section aria-labelledby=\"%s\">\n<h2 id=\"%s\">%s</h2>\n", id, id, heading);
	for (size_t k = 0; k < s.nr; k++)
		html_incident(out, p, s.all[k], "./", 3);
	if (s.nr)
		markup(out, "</section>\n");
	page_selection_fini(&s);
	return 0;
}

/* What is over is told in a line each; who wants more follows it. */
static int recent(struct buf *out, const struct page *p, struct err *err)
{
	struct page_selection s;

	if (page_select(p, PAGE_LIST_RECENT, &s, err) < 0)
		return -1;
	buf_printf(out, "<section aria-labelledby=\"before\">\n<h2 id=\"before\">The last %d days</h2>\n", PAGE_RECENT_DAYS);
	markup(out, s.nr ? "<ul class=\"past\">\n" : "<p class=\"quiet\">No incident has ended in this time.</p>\n");
	for (size_t k = 0; k < s.nr; k++)
		html_past(out, p, s.all[k], "./");
	markup(out, s.nr ? "</ul>\n" : "");
	buf_printf(out, "<p><a href=\"./%s\">All past incidents</a></p>\n</section>\n", PAGE_PATH_HISTORY + 1);
	page_selection_fini(&s);
	return 0;
}

/* out is the caller's, also when it fails: a page is all or nothing. */
static int render(const struct page *p, bool still, struct buf *out, struct err *err)
{
	const struct html_frame f = {.base = "./", .path = "", .title = str_from(page_summary(p)), .is_status = true, .still = still};

	html_head(out, p, &f);
	hero(out, p);
	if (articles(out, p, PAGE_LIST_OPEN, "incidents", "Incidents", err) < 0 || articles(out, p, PAGE_LIST_MAINTENANCE, "maintenance", "Maintenance", err) < 0)
		return -1;
	html_components(out, p);
	if (recent(out, p, err) < 0)
		return -1;
	html_foot(out, p, &f);
	return buf_failed(out) ? err_nomem(err, "the page") : 0;
}

int page_html(const struct page *p, struct buf *out, struct err *err)
{
	return render(p, false, out, err);
}

/* For whoever reads slowly: the same but for the sentence in its foot. */
int page_html_still(const struct page *p, struct buf *out, struct err *err)
{
	return render(p, true, out, err);
}

/* By the months in which things began, as people remember them. */
int page_html_history(const struct page *p, struct buf *out, struct err *err)
{
	const struct html_frame f = {.base = "./", .path = PAGE_PATH_HISTORY + 1, .title = STR("History"), .is_history = true};
	struct page_selection s;
	int64_t month = -1;

	if (page_select(p, PAGE_LIST_OVER, &s, err) < 0)
		return -1;
	html_head(out, p, &f);
	markup(out, "<h1>History</h1>\n");
	if (!s.nr)
		markup(out, "<p class=\"quiet\">No incident is over yet.</p>\n");
	for (size_t k = 0; k < s.nr; k++) {
		int64_t begin = time_words_month_begin(s.all[k]->opened_at);

		if (begin != month) {
			markup(out, month < 0 ? "<h2>" : "</ul>\n<h2>");
			time_words_month(out, begin);
			markup(out, "</h2>\n<ul class=\"past\">\n");
		}
		month = begin;
		html_past(out, p, s.all[k], f.base);
	}
	markup(out, s.nr ? "</ul>\n" : "");
	page_selection_fini(&s);
	html_foot(out, p, &f);
	return buf_failed(out) ? err_nomem(err, "the history") : 0;
}
