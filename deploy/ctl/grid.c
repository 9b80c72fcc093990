/* grid.c - see grid.h.
 *
 * A width is the number of code points: right for the scripts that sites are usually named in, one off for
 * each wide or combining character, which only shifts a row. Asking the terminal's own tables (wcwidth)
 * would need a locale that the program does not otherwise have. */
#include "deploy/ctl/grid.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "deploy/ctl/printable.h"

struct grid_cell {
	const char *text; /* NULL: nothing there */
	int width;
	enum grid_style style;
};

struct grid_row {
	struct grid_row *next;
	struct grid_cell cell[GRID_COLUMNS_MAX];
};

void grid_init(struct grid *g, const char *align)
{
	*g = (struct grid){.align = align, .columns = (int)strlen(align)};
}

void grid_fini(struct grid *g)
{
	arena_fini(&g->arena);
}

/* Characters of UTF-8 text: bytes that do not go on another. */
static int width_of(const char *text)
{
	int width = 0;

	for (; *text; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

static struct grid_row *next_row(struct grid *g)
{
	struct grid_row *row = arena_alloc(&g->arena, sizeof(*row));

	if (!row)
		return NULL;
	if (g->last)
		g->last->next = row;
	else
		g->first = row;
	g->last = row;
	return row;
}

void grid_add(struct grid *g, enum grid_style style, const char *fmt, ...)
{
	struct grid_row *row = g->at == 0 ? next_row(g) : g->last;
	char text[512];
	struct grid_cell *cell;
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	printable(text);
	if (!row) {
		g->failed = true;
		return;
	}
	cell = &row->cell[g->at];
	*cell = (struct grid_cell){.text = arena_str(&g->arena, str_from(text)).p, .width = width_of(text), .style = style};
	if (cell->width > g->width[g->at])
		g->width[g->at] = cell->width;
	g->at = (g->at + 1) % g->columns;
}

const char *grid_style_on(enum grid_style style, bool colour)
{
	static const char *const codes[] = {
		[GRID_PLAIN] = "", [GRID_HEAD] = "\033[1m", [GRID_GOOD] = "\033[32m", [GRID_BAD] = "\033[1;31m", [GRID_DIM] = "\033[2m"};

	return colour ? codes[style] : "";
}

const char *grid_style_off(enum grid_style style, bool colour)
{
	return colour && style != GRID_PLAIN ? "\033[0m" : "";
}

/* Spaces are held back until something follows, so that no line ends in them; escape sequences are outside
 * of the padding, so that they count nothing. */
static void print_row(const struct grid *g, const struct grid_row *row, bool colour, FILE *out)
{
	int last = 0, pending = 0; /* spaces that are only printed when something follows */

	for (int i = 0; i < g->columns; i++)
		if (row->cell[i].text && *row->cell[i].text)
			last = i;
	for (int i = 0; i <= last; i++) {
		const struct grid_cell *cell = &row->cell[i];
		int fill = g->width[i] - cell->width;

		pending += g->align[i] == 'r' ? fill : 0;
		fprintf(out, "%*s%s%s%s", pending, "", grid_style_on(cell->style, colour), cell->text ? cell->text : "",
			grid_style_off(cell->style, colour));
		pending = (g->align[i] == 'r' ? 0 : fill) + 2;
	}
	fputc('\n', out);
}

void grid_print(const struct grid *g, int indent, bool colour, FILE *out)
{
	for (const struct grid_row *row = g->first; row; row = row->next) {
		fprintf(out, "%*s", indent, "");
		print_row(g, row, colour, out);
	}
	if (g->failed)
		fputs("(memory is short: rows are missing)\n", out);
}

/* NO_COLOR: no-color.org's convention, any value but the empty one. */
bool grid_wants_colour(FILE *out)
{
	const char *no = getenv("NO_COLOR");

	return isatty(fileno(out)) && !(no && *no);
}

int grid_width(FILE *out)
{
	struct winsize size;

	return ioctl(fileno(out), TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

const char *grid_duration(int64_t ms, char out[GRID_NUMBER_SIZE])
{
	int64_t s = ms > 0 ? ms / 1000 : 0, minutes = s / 60, hours = minutes / 60, days = hours / 24;

	if (s < 60)
		snprintf(out, GRID_NUMBER_SIZE, "%" PRId64 " s", s);
	else if (minutes < 60)
		snprintf(out, GRID_NUMBER_SIZE, "%" PRId64 " m %" PRId64 " s", minutes, s % 60);
	else if (hours < 24)
		snprintf(out, GRID_NUMBER_SIZE, "%" PRId64 " h %" PRId64 " m", hours, minutes % 60);
	else
		snprintf(out, GRID_NUMBER_SIZE, "%" PRId64 " d %" PRId64 " h", days, hours % 24);
	return out;
}

const char *grid_count(int64_t n, char out[GRID_NUMBER_SIZE])
{
	static const char *const units[] = {"k", "M", "G", "T", "P", "E"};
	double scaled = (double)n / 1000;
	size_t unit = 0;

	if (n < 10000) {
		snprintf(out, GRID_NUMBER_SIZE, "%" PRId64, n);
		return out;
	}
	while (scaled >= 999.5 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		scaled /= 1000;
		unit++;
	}
	snprintf(out, GRID_NUMBER_SIZE, "%.*f %s", scaled < 9.995 ? 2 : scaled < 99.95 ? 1 : 0, scaled, units[unit]);
	return out;
}
