/* site_limits.h - how many series each site may have, as its Site record says; what series_caps.h goes by beside the settings.
 *
 * A record's series_cap is over all of a site's partitions: each of them may have its share. Sites without one are not kept here. Not thread-safe:
 * one owner, whose tables fill it. */
#ifndef MILLRACE_PROCESSOR_SITE_LIMITS_H
#define MILLRACE_PROCESSOR_SITE_LIMITS_H

#include "common/arena.h"
#include "common/map.h"
#include "common/table.h"

struct site_limits {
	const char *cell;   /* borrowed */
	struct map by_site; /* by XXH3-128 of the id; owns them */
	struct arena scratch;
};

#define SITE_LIMITS_INIT {.by_site = MAP_INIT}

/* Frees everything. */
void site_limits_fini(struct site_limits *l);

/* Takes a row of millrace.sites; ctx is a struct site_limits. -1: ERR_REJECT or ERR_RETRY, what was known of the site stays; ERR_FATAL, memory. */
int site_limits_take(void *ctx, const struct table_row *row, struct err *err);

/* The series that a site may have in one partition; 0: its record does not say. l may be NULL. */
int64_t site_limits_get(const struct site_limits *l, struct str site);

#endif
