/* triggers.h - triggers and sites for tests: rows of their topics, made from a few words. */
#ifndef MILLRACE_TESTS_PROCESSOR_TRIGGERS_H
#define MILLRACE_TESTS_PROCESSOR_TRIGGERS_H

#include <string.h>

#include "processor/rules.h"
#include "tests/unit/unit.h"

/* "count > 1" on a metric, without selectors. */
static inline struct trigger plain_trigger(const char *site, const char *id, const char *metric)
{
	return (struct trigger){.id = str_from(id), .site = str_from(site), .description = STR("d"), .severity = ALERT_SEVERITY_WARNING,
				.metric = str_from(metric), .has_threshold = true, .threshold = {TRIGGER_FIELD_COUNT, TRIGGER_COMPARISON_GT, 1},
				.warm_up_minutes = 1, .cooldown_minutes = 1, .author = STR("a")};
}

/* Takes the row of a trigger; NULL t: a deletion of id. */
static inline int take_trigger(struct rulebook *b, const char *id, const struct trigger *t, struct err *err)
{
	struct table_row row = {.key = str_from(id)};
	struct buf bytes = BUF_INIT;
	int rc;

	if (t) {
		ck_assert_int_eq(trigger_encode(t, &bytes, NULL), 0);
		row.value = buf_str(&bytes);
	}
	rc = rulebook_take(b, &row, err);
	buf_fini(&bytes);
	return rc;
}

/* Takes the row of a site with one route, from 0 on; NULL cell: a deletion. */
static inline int take_site(struct placements *p, const char *id, const char *cell, struct err *err)
{
	struct route route = {.effective_from = 0, .cell = str_from(cell), .shards = 2};
	struct site site = {.id = str_from(id), .name = STR(""), .routes = &route, .routes_len = 1};
	struct table_row row = {.key = str_from(id)};
	struct buf bytes = BUF_INIT;
	int rc;

	if (cell) {
		ck_assert_int_eq(site_encode(&site, &bytes, NULL), 0);
		row.value = buf_str(&bytes);
	}
	rc = placements_take(p, &row, err);
	buf_fini(&bytes);
	return rc;
}

#endif
