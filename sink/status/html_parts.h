/* html_parts.h - the parts that HTML pages are put together of.
 *
 * All append to out, whose failure is sticky, and are pure. base is the way from the page to the server's root: "./", or "../" below /incidents: the server may
 * stand below a path of another. */
#ifndef MILLRACE_STATUS_HTML_PARTS_H
#define MILLRACE_STATUS_HTML_PARTS_H

#include "sink/status/page_view.h"

/* Which page it is. */
struct html_frame {
	const char *base, *path; /* path: from the root, without its slash, for the canonical address; of an incident it ends before the id */
	struct str id;           /* of an incident; else empty */
	struct str title;        /* before the name of the page */
	bool is_status, is_history;
	bool still;              /* it stands still, and links to the one that does not */
};

/* From the doctype to the beginning of main, a banner included when what is shown is old; and from its end. */
void html_head(struct buf *out, const struct page *p, const struct html_frame *f);
void html_foot(struct buf *out, const struct page *p, const struct html_frame *f); /* see above */

/* The mark of a state: a shape of its own each, as colour alone tells not everybody. For eyes only: words stand beside it. */
void html_mark(struct buf *out, enum component_state state);

/* ` class="NAME s-STATE"`, which gives what is inside the state's colour. */
void html_class(struct buf *out, const char *name, enum component_state state);

/* The section of all components. */
void html_components(struct buf *out, const struct page *p);

/* An incident as an article: its heading of this level (1: it is the page's own; else it links to that), its facts, and all of its posts, newest first. */
void html_incident(struct buf *out, const struct page *p, const struct status_incident *i, const char *base, int level);

/* One that is over, as an item of a list: title, when, how long. */
void html_past(struct buf *out, const struct page *p, const struct status_incident *i, const char *base);

#endif
