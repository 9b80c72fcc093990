/* meters.h - millrace-status' metrics.
 *
 * All of them exist from the start, but for those of components, which come with the page's first look at the house. What the server counts of requests
 * is its own (server.h). Not thread-safe: main owns them; the registry renders from any thread. */
#ifndef MILLRACE_SINK_STATUS_METERS_H
#define MILLRACE_SINK_STATUS_METERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/control.h"
#include "common/metrics.h"
#include "sink/status/page.h"

/* Components that are one for the whole house, and cells with a series of their own: schemas/metrics.txt has the same numbers as bounds. */
enum { METERS_HOUSE = 4, METERS_CELLS = 64 };

/* A cell's storage; state NULL: the place is free, or memory was short when it was made. */
struct meters_cell {
	char name[CONTROL_CELL_MAX + 1]; /* "": the place is free */
	struct metric *state;
	bool seen; /* the page that is being followed has it */
};

struct meters {
	struct metrics *registry;
	struct metric *memory_budget;             /* main sets it once, in bytes */
	struct metric *surveys, *survey_failures; /* whoever surveys adds to them */
	struct metric *page_age, *drafts, *updates_due, *unwritten;
	struct metric *house[METERS_HOUSE]; /* NULL until a page has the component */
	struct meters_cell cells[METERS_CELLS];
	struct metric *other; /* the worst of the cells beyond; NULL: there are none */
	int64_t began_ms;     /* virtual, of the first page; 0: none yet */
};

/* Makes all that exist from the start. registry is borrowed for the life of m. */
void meters_init(struct meters *m, struct metrics *registry);

/* Takes over what the page says, as often as it is made anew: states, age, drafts. unwritten: entries that Kafka does not have; due: incidents whose
 * update is due (both by their owners). A cell that has left the page leaves the metrics. */
void meters_follow(struct meters *m, const struct page *page, size_t unwritten, size_t due);

#endif
