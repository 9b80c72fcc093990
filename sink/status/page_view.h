/* page_view.h - what of the incidents the public may see, and in which order.
 *
 * The one place that knows it, for HTML, JSON and feed alike: drafts, vetoed incidents, lines that were refused, reminders, and what was written before an
 * incident was posted never come out of here, and no author does. */
#ifndef MILLRACE_STATUS_PAGE_VIEW_H
#define MILLRACE_STATUS_PAGE_VIEW_H

#include "sink/status/page.h"

enum page_list {
	PAGE_LIST_OPEN,        /* trouble that is posted and not over, newest first */
	PAGE_LIST_MAINTENANCE, /* posted, not over, the next first: that which is on, and that to come */
	PAGE_LIST_RECENT,      /* over for less than PAGE_RECENT_DAYS, the newest first; of both kinds */
	PAGE_LIST_OVER,        /* all that are over, the newest first, PAGE_INCIDENTS_MAX at most */
	PAGE_LIST_PUBLIC,      /* all that may be seen, by their latest post, the newest first; PAGE_INCIDENTS_MAX at most */
};

/* A post of an incident, as the public reads it. */
struct page_post {
	int64_t at_ms;
	enum status_phase phase;
	bool later;       /* it was said after the end */
	struct str text;  /* empty: only the phase has changed */
};

struct page_selection {
	const struct status_incident **all; /* owned */
	size_t nr;
};

/* Those of a list. -1 when memory is short; free with page_selection_fini(). */
int page_select(const struct page *p, enum page_list list, struct page_selection *out, struct err *err);
void page_selection_fini(struct page_selection *s); /* see above */

/* May this one be seen? */
bool page_may_show(const struct status_incident *i);

/* Is it a maintenance that has not begun? */
bool page_is_to_come(const struct page *p, const struct status_incident *i);

/* The newest post before line *at, which moves down to it; begin with i->nr_lines. False: there is none. */
bool page_post_before(const struct status_incident *i, size_t *at, struct page_post *out);

/* When it was posted to last. */
int64_t page_last_post_ms(const struct status_incident *i);

enum { PAGE_TITLE_SIZE = 64 };

/* Is it the storage of a cell? */
bool page_is_cell(const struct status_component *c);

/* As the page calls a component of this id: its title, else words made of the id, written into out. */
struct str page_component_title(const struct page *p, struct str id, char out[PAGE_TITLE_SIZE]);

/* The state that an impact puts a component into, and words for what a post says ("Identified"; of a maintenance "Planned") and for an impact. Static. */
enum component_state page_impact_state(enum status_impact impact);
const char *page_post_words(const struct status_incident *i, const struct page_post *post); /* see above */
const char *page_impact_words(enum status_impact impact);                                   /* see above */

/* When c is expected to have caught up; 0: not known, nothing to say, or that time has passed while nothing new was heard. */
int64_t page_recovery_at(const struct page *p, const struct status_component *c);

#endif
