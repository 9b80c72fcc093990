/* page.h - what millrace-status shows: everything that a page, the JSON and the feed are made of, at one moment.
 *
 * Made by main once a second, borrowed by the renderers, which are pure: the same page gives the same bytes. Texts are UTF-8 and hostile (site
 * operators' words, names of cells): each renderer escapes for its own language. */
#ifndef MILLRACE_STATUS_PAGE_H
#define MILLRACE_STATUS_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/status_incident.h"
#include "common/str.h"
#include "schemas/schemas.h"

struct page {
	struct str title;      /* page.title */
	struct str url;        /* page.url, without a slash at its end; empty: not known, links are relative */
	struct str build;
	int64_t now_ms;        /* virtual */
	int64_t as_of_ms;      /* when what is shown was last known to be so; 0: never: nothing is known yet */
	bool stale;            /* Kafka does not answer: what is shown is of as_of_ms */
	bool from_disk;        /* and it was read from disk, as Kafka has not answered since the start */
	const struct status_component *components;
	size_t nr_components;
	const struct status_incidents *incidents; /* drafts among them, which nobody may see */
	int64_t cadence_ms;    /* how often a posted incident is to be updated */
};

/* Where each is, from the root of the server; own pages of incidents are PAGE_PATH_INCIDENT and the id. PAGE_PATH_STILL: the page without its refreshing. */
#define PAGE_PATH "/"
#define PAGE_PATH_STILL "/still"
#define PAGE_PATH_HISTORY "/history"
#define PAGE_PATH_INCIDENT "/incidents/"
#define PAGE_PATH_JSON "/status.json"
#define PAGE_PATH_ATOM "/feed.atom"
#define PAGE_PATH_STYLE "/style.css"

enum {
	PAGE_REFRESH_S = 60,
	PAGE_INCIDENTS_MAX = 500, /* that have pages of their own and stand in the history: the newest */
	PAGE_FEED_MAX = 50,
	PAGE_RECENT_DAYS = 14,    /* for so long what is over stands on the page itself */
};

/* Is anything known of the components? Before that nobody is told that all is well. */
bool page_is_known(const struct page *p);

/* The worst state of all; operational without components. Storage counts as page_storage_state() has it. */
enum component_state page_state(const struct page *p);

/* Of storage as a whole: the worst of its cells, but a major outage only when every cell has one. Operational without cells. */
enum component_state page_storage_state(const struct page *p);

/* The setting page.url as the url of a page: without slashes at its end, which would be two in an address made of it. Borrows. */
struct str page_url(const char *setting);

/* The states in words ("Partial outage"), and the sentence about all ("All systems operational"). Static. */
const char *page_state_words(enum component_state state);
const char *page_summary(const struct page *p); /* see above */

/* Append to out. -1 when memory is short, and out is not to be used. html: the page itself; html_incident: one public incident's own page;
 * html_history: all that are over; json: docs in sink/status/README.md; atom: RFC 4287, one entry an incident, updated with each of its posts. */
int page_html(const struct page *p, struct buf *out, struct err *err);
int page_html_incident(const struct page *p, const struct status_incident *i, struct buf *out, struct err *err); /* see above */
int page_html_history(const struct page *p, struct buf *out, struct err *err);                                   /* see above */
int page_json(const struct page *p, struct buf *out, struct err *err);                                           /* see above */
int page_atom(const struct page *p, struct buf *out, struct err *err);                                           /* see above */

/* The page that does not refresh itself. */
int page_html_still(const struct page *p, struct buf *out, struct err *err);

struct answers; /* server.h */

/* Adds everything that the page has: at all of the paths above. -1 when memory is short. */
int page_answers(const struct page *p, struct answers *a, struct err *err);

/* Appends the style sheet of all of them, served at /style.css; the same for every page. */
int page_style(const struct page *p, struct buf *out, struct err *err);

#endif
