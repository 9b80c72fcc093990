/* control_records.h - controls for tests: a clock that stands still until it is moved, and records made from a few words. */
#ifndef MILLRACE_TESTS_CONTROL_RECORDS_H
#define MILLRACE_TESTS_CONTROL_RECORDS_H

#include <string.h>

#include "common/clock.h"
#include "common/control.h"
#include "common/table.h"
#include "tests/unit/unit.h"

#define NOON_MS INT64_C(1795372000000)
#define HOUR_MS INT64_C(3600000)

/* Virtual time is start_ms, as a thousand years of real time move it by seconds only; the test moves start_ms. */
static inline struct clock still_clock(void)
{
	return (struct clock){.test = true, .start_ms = NOON_MS, .real_ms = clock_wall_ms(), .speed = 1e-12};
}

/* A control and what it points to. */
struct record {
	struct control control;
	char id[CONTROL_ID_SIZE];
};

/* "ingest close", for a cell and a site where they are not NULL, set at at_ms for an hour. */
static inline struct control *close_record(struct record *r, const char *cell, const char *site, int64_t at_ms)
{
	r->control = (struct control){
		.on = CONTROL_PROGRAM_INGEST, .action = CONTROL_ACTION_CLOSE, .has_cell = cell, .cell = str_from(cell), .has_site = site,
		.site = str_from(site), .reason = STR("a fire"), .author = STR("ann"), .created_at = at_ms, .expires_at = at_ms + HOUR_MS};
	ck_assert_int_eq(control_make_id(&r->control, r->id, NULL), 0);
	r->control.id = str_from(r->id);
	return &r->control;
}

/* The row of a topic that brings it; the caller frees value with buf_fini(). */
static inline struct table_row row_of(const struct control *c, struct buf *value)
{
	struct err err = ERR_INIT;

	*value = (struct buf)BUF_INIT;
	ck_assert_msg(control_encode(c, value, &err) == 0, "%s", err.msg);
	return (struct table_row){.key = c->id, .value = buf_str(value), .timestamp_ms = c->created_at};
}

#endif
