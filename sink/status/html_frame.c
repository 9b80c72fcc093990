/* html_frame.c - see html_parts.h: what stands around every page.
 *
 * The icon is drawn in the address itself and has the state's shape and colour, so a row of tabs tells it; nothing is loaded but the style sheet. */
#include <inttypes.h>

#include "sink/status/escape.h"
#include "sink/status/html_parts.h"
#include "sink/status/style.h"
#include "sink/status/time_words.h"

/* Of a 20 by 20 field: a round, a square, a triangle, a rhomb, an octagon; and the sign in each. */
static const struct mark { const char *name, *shape, *sign, *colour; } marks[] = {
	[COMPONENT_STATE_OPERATIONAL] = {"operational", "M10 1a9 9 0 1 1 0 18a9 9 0 1 1 0-18z", "M5.8 10.3l2.9 2.9 5.6-6", "17794a"},
	[COMPONENT_STATE_MAINTENANCE] = {"maintenance", "M4 2h12q2 0 2 2v12q0 2-2 2H4q-2 0-2-2V4q0-2 2-2z", "M7.6 6.6v6.8M12.4 6.6v6.8", "2c5fb3"},
	[COMPONENT_STATE_DEGRADED] = {"degraded", "M10 1.6q.9 0 1.4.9l7.4 13.3q.9 2-1.2 2.4H2.4q-2.1-.4-1.2-2.4L8.6 2.5q.5-.9 1.4-.9z", "M10 7v5M10 14.9v.2",
				      "8a6100"},
	[COMPONENT_STATE_PARTIAL_OUTAGE] = {"partial_outage", "M10 .8q.6 0 1.1.5l7.6 7.6q1 1.1 0 2.2l-7.6 7.6q-1.1 1-2.2 0L1.3 11.1q-1-1.1 0-2.2l7.6-7.6q.5-.5 1.1-.5z",
					    "M6.2 10h7.6", "ad4a00"},
	[COMPONENT_STATE_MAJOR_OUTAGE] = {"major_outage", "M6.3 1h7.4L19 6.3v7.4L13.7 19H6.3L1 13.7V6.3z", "M6.8 6.8l6.4 6.4M13.2 6.8l-6.4 6.4", "bf2430"},
};

void html_class(struct buf *out, const char *name, enum component_state state)
{
	buf_printf(out, " class=\"%s s-%s\"", name, marks[state].name);
}

void html_mark(struct buf *out, enum component_state state)
{
	buf_printf(out, "<svg class=\"mark\" viewBox=\"0 0 20 20\" width=\"20\" height=\"20\" aria-hidden=\"true\" focusable=\"false\"><path d=\"%s\"/>"
			"<path class=\"sign\" d=\"%s\"/></svg>",
		   marks[state].shape, marks[state].sign);
}

/* In the colour for light, with white in it: browsers' bars are of either kind, and the shape does the rest. What is not known is a
 * grey round without a sign: it must not say that all is well either. */
static void icon(struct buf *out, const struct page *p)
{
	static const struct mark unknown = {"unknown", "M10 1a9 9 0 1 1 0 18a9 9 0 1 1 0-18z", "", "6b737b"};
	const struct mark *mark = page_is_known(p) ? &marks[page_state(p)] : &unknown;

	buf_printf(out, "<link rel=\"icon\" href=\"data:image/svg+xml,%%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 20 20'%%3E%%3Cpath fill='%%23%s' d='%s'/%%3E"
			"%%3Cpath fill='none' stroke='white' stroke-width='2' d='%s'/%%3E%%3C/svg%%3E\">\n",
		   mark->colour, mark->shape, mark->sign);
}

/* The state first: it is all that a tab shows. */
static void title_of(struct buf *out, const struct page *p, const struct html_frame *f)
{
	markup(out, p->stale ? "Not up to date: " : "");
	escape_text(out, f->title);
	markup(out, " \xc2\xb7 ");
	escape_text(out, p->title);
}

/* The style's address has its version, as browsers may keep it for a day. A canonical address is one that others can reach: the setting's, if there is any. */
static void links(struct buf *out, const struct page *p, const struct html_frame *f)
{
	buf_printf(out, "<link rel=\"stylesheet\" href=\"%s%s?%08" PRIx32 "\">\n", f->base, PAGE_PATH_STYLE + 1, style_version());
	buf_printf(out, "<link rel=\"alternate\" type=\"application/atom+xml\" href=\"%s%s\" title=\"Incidents\">\n", f->base, PAGE_PATH_ATOM + 1);
	buf_printf(out, "<link rel=\"alternate\" type=\"application/json\" href=\"%s%s\" title=\"Status\">\n", f->base, PAGE_PATH_JSON + 1);
	icon(out, p);
	if (!p->url.len)
		return;
	markup(out, "<link rel=\"canonical\" href=\"");
	escape_text(out, p->url);
	buf_printf(out, "/%s", f->path);
	escape_text(out, f->id);
	markup(out, "\">\n");
}

/* What the reader must know before they read on: it may not be so any more. */
static void banner(struct buf *out, const struct page *p)
{
	if (!p->stale)
		return;
	markup(out, "<div class=\"banner\" role=\"note\">");
	html_mark(out, COMPONENT_STATE_DEGRADED);
	markup(out, "<div><p><strong>This page is not up to date.</strong> Kafka, which it learns everything from, does not answer. ");
	if (p->as_of_ms) {
		markup(out, "This is the state of ");
		time_words_exact(out, p->as_of_ms, p->now_ms);
		markup(out, ", ");
		time_words_ago(out, p->as_of_ms, p->now_ms);
		markup(out, ".");
	}
	markup(out, p->from_disk ? " It was kept on disk, and has not been confirmed since the page was started.</p></div></div>\n" : "</p></div></div>\n");
}

/* The page that the reader is on is marked for eyes and for screen readers. */
static void navigation(struct buf *out, const struct html_frame *f)
{
	const char *here = " aria-current=\"page\"";

	buf_printf(out, "<nav aria-label=\"Pages\"><ul><li><a href=\"%s\"%s>Status</a></li><li><a href=\"%s%s\"%s>History</a></li><li><a href=\"%s%s\">Feed</a></li></ul></nav>",
		   f->base, f->is_status ? here : "", f->base, PAGE_PATH_HISTORY + 1, f->is_history ? here : "", f->base, PAGE_PATH_ATOM + 1);
}

void html_head(struct buf *out, const struct page *p, const struct html_frame *f)
{
	markup(out, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		    "<meta name=\"color-scheme\" content=\"light dark\">\n<title>");
	title_of(out, p, f);
	markup(out, "</title>\n");
	links(out, p, f);
	markup(out, "</head>\n<body>\n<a class=\"skip\" href=\"#main\">Skip to the content</a>\n<header class=\"top\"><p class=\"brand\" dir=\"auto\">");
	escape_text(out, p->title);
	markup(out, "</p>");
	navigation(out, f);
	markup(out, "</header>\n<main id=\"main\">\n");
	banner(out, p);
}

/* How to stop the refreshing must be said where it happens. */
void html_foot(struct buf *out, const struct page *p, const struct html_frame *f)
{
	markup(out, "</main>\n<footer><p>");
	if (f->is_status && f->still)
		markup(out, "This page stands still. <a href=\"./\">Refresh it once a minute</a>.");
	else if (f->is_status)
		buf_printf(out, "This page refreshes itself once a minute. <a href=\"%s\">Keep it still</a>.", PAGE_PATH_STILL + 1);
	buf_printf(out, " Times are UTC.</p>\n<p><a href=\"%s%s\">JSON</a> \xc2\xb7 <a href=\"%s%s\">Atom feed</a></p>\n<p>Millrace ", f->base, PAGE_PATH_JSON + 1, f->base,
		   PAGE_PATH_ATOM + 1);
	escape_text(out, p->build);
	markup(out, "</p></footer>\n</body>\n</html>\n");
}
