/* page_samples.h - pages in every state that the world may see one in, made by the fold itself from entries: for unit tests and for the browser's test.
 *
 * Whatever must not be seen has the word SECRET in it: drafts, vetoed incidents, what was written before an incident was posted, lines that were refused,
 * reminders, authors. */
#ifndef MILLRACE_TESTS_PAGE_SAMPLES_H
#define MILLRACE_TESTS_PAGE_SAMPLES_H

#include "sink/status/page.h"

#define SAMPLE_NOW_MS INT64_C(1795788158000) /* 2026-11-27T14:02:38Z */
#define SAMPLE_HOSTILE "</style><script>alert(1)</script> <!-- ]]> & \"quoted\" 'too' &lt;b&gt;"

enum { SAMPLE_COMPONENTS_MAX = 48 };

struct sample {
	struct page page;
	struct status_incidents incidents;
	struct status_component components[SAMPLE_COMPONENTS_MAX];
	char ids[SAMPLE_COMPONENTS_MAX][48], titles[SAMPLE_COMPONENTS_MAX][96];
	int nr_entries;
};

/* The names of all, ended by NULL. */
extern const char *const sample_names[];

/* Makes one; aborts when it cannot. Free with sample_free(). */
struct sample *sample_new(const char *name);
void sample_free(struct sample *s);

/* Adds an entry to the page's incidents: id and, where it is 0, nothing else is filled in for e. Returns what the fold says of it. */
int sample_say(struct sample *s, struct status_entry e);

#endif
