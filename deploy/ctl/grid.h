/* grid.h - text in aligned columns, for an operator's terminal.
 *
 * Rows are added cell by cell and printed when all widths are known. Widths count characters, not bytes;
 * control characters (a name may come from anywhere) are shown as "?", so that no record can paint a
 * terminal. Colours only when asked for. */
#ifndef MILLRACE_CTL_GRID_H
#define MILLRACE_CTL_GRID_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/arena.h"
#include "common/err.h"

enum grid_style { GRID_PLAIN, GRID_HEAD, GRID_GOOD, GRID_BAD, GRID_DIM };

enum { GRID_COLUMNS_MAX = 12 };

struct grid_row;

struct grid {
	const char *align; /* one letter a column: 'l' or 'r'; borrowed */
	int columns;
	int width[GRID_COLUMNS_MAX]; /* characters, so far */
	struct grid_row *first, *last;
	int at;         /* column of the next cell */
	bool failed;    /* memory was short: rows are missing */
	struct arena arena;
};

/* An empty grid with strlen(align) columns. Free with grid_fini(). */
void grid_init(struct grid *g, const char *align);
void grid_fini(struct grid *g); /* see above */

/* Adds the next cell; copies the text. A row is full after its last column, and the next call begins
 * another. */
void grid_add(struct grid *g, enum grid_style style, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Prints all rows, indented by so many spaces, without trailing ones. */
void grid_print(const struct grid *g, int indent, bool colour, FILE *out);

/* Should what goes to this stream be coloured: a terminal, and NO_COLOR is not set? */
bool grid_wants_colour(FILE *out);

/* The columns of the terminal that this stream is; 0: it is none, or does not say. */
int grid_width(FILE *out);

/* The escape sequence that begins a style, and the one that ends it; "" without colour. Literals. */
const char *grid_style_on(enum grid_style style, bool colour);
const char *grid_style_off(enum grid_style style, bool colour); /* see above */

enum { GRID_NUMBER_SIZE = 24 };

/* Writes a duration as a person says it, in at most two units ("3 s", "2 m 10 s", "5 h 3 m", "12 d 4 h"),
 * into out and returns out. Negative: "0 s". */
const char *grid_duration(int64_t ms, char out[GRID_NUMBER_SIZE]);

/* Writes a count in at most four digits ("0", "9999", "12.3 k", "4.56 M") into out and returns out. */
const char *grid_count(int64_t n, char out[GRID_NUMBER_SIZE]);

#endif
