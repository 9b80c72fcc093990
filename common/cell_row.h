/* cell_row.h - the record of the one cell that a program serves, as the table of cells has it. */
#ifndef MILLRACE_CELL_ROW_H
#define MILLRACE_CELL_ROW_H

#include <stdbool.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/table.h"

/* Starts with name set and the rest zeroed. */
struct cell_row {
	const char *name; /* borrowed */
	bool known;
	int64_t epoch;      /* 0: its topics have not been made */
	int32_t partitions;
	struct arena scratch;
};

/* Takes a row of millrace.cells; those of other cells are passed over. ctx: struct cell_row. */
int cell_row_take(void *ctx, const struct table_row *row, struct err *err);

/* NULL when the cell can be served, else why not, as a literal. */
const char *cell_row_why_not(const struct cell_row *c);

/* Frees the scratch memory. */
void cell_row_fini(struct cell_row *c);

#endif
