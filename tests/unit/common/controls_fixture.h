/* controls_fixture.h - an ingest's controls on a clock that stands still, and words of both sides for them. */
#ifndef MILLRACE_TESTS_CONTROLS_FIXTURE_H
#define MILLRACE_TESTS_CONTROLS_FIXTURE_H

#include "common/controls.h"
#include "tests/unit/common/control_records.h"

struct fixture {
	struct clock clock;
	struct controls *c;
};

static inline void setup(struct fixture *f)
{
	struct err err = ERR_INIT;

	f->clock = still_clock();
	f->c = controls_new(&f->clock, CONTROL_PROGRAM_INGEST, &err);
	ck_assert_msg(f->c != NULL, "%s", err.msg);
}

static inline void teardown(struct fixture *f)
{
	controls_free(f->c);
}

static inline int take(struct fixture *f, const struct control *c, struct err *err)
{
	struct buf value;
	struct table_row row = row_of(c, &value);
	int rc = controls_take(f->c, &row, err);

	buf_fini(&value);
	return rc;
}

static inline void must_take(struct fixture *f, const struct control *c)
{
	struct err err = ERR_INIT;

	ck_assert_msg(take(f, c, &err) == 0, "%s", err.msg);
}

static inline void take_deletion(struct fixture *f, const char *id, int64_t at_ms)
{
	ck_assert_int_eq(controls_take(f->c, &(struct table_row){.key = str_from(id), .timestamp_ms = at_ms}, NULL), 0);
}

static inline void must_put(struct fixture *f, const struct control *c)
{
	struct err err = ERR_INIT;

	ck_assert_msg(controls_put(f->c, c, &err) == CONTROLS_DONE, "%s", err.msg);
}

/* Is the way closed to this cell and site? */
static inline bool closed(struct fixture *f, const char *cell, const char *site)
{
	return controls_in_force(f->c, CONTROL_ACTION_CLOSE, str_from(cell), str_from(site), NULL);
}

#endif
