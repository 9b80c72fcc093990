/* cell_row.c - see cell_row.h.
 *
 * The epoch is what matters here: positions and snapshots mean something in the topics of one epoch only (schemas/README.md, "Topics"). */
#include "common/cell_row.h"

#include <inttypes.h>

#include "common/route.h"
#include "schemas/schemas.h"

int cell_row_take(void *ctx, const struct table_row *row, struct err *err)
{
	struct cell_row *c = ctx;
	struct cell cell;
	int rc;

	if (!str_eq(row->key, str_from(c->name)))
		return 0;
	if (!row->value.p) {
		c->known = false;
		return 0;
	}
	arena_clear(&c->scratch);
	rc = cell_decode(row->value, &c->scratch, &cell, err);
	if (rc == 0 && (cell.partitions < 1 || cell.partitions > ROUTE_PARTITIONS_MAX))
		rc = err_set(err, ERR_REJECT, "cell %s has %" PRId32 " partitions", c->name, cell.partitions);
	if (rc < 0)
		return -1;
	c->known = true;
	c->epoch = cell.epoch;
	c->partitions = cell.partitions;
	return 0;
}

const char *cell_row_why_not(const struct cell_row *c)
{
	if (!c->known)
		return "there is no record of the cell: run millrace-ctl cell add";
	if (c->epoch == 0)
		return "the cell's topics have not been made: run millrace-ctl topics apply";
	return NULL;
}

void cell_row_fini(struct cell_row *c)
{
	arena_fini(&c->scratch);
}
