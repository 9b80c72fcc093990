/* deadletter.c - the command `deadletter list`; see commands.h. Kept are the newest rows only, without what their letters carry. */
#include <inttypes.h>
#include <stdlib.h>

#include "deploy/ctl/commands.h"
#include "deploy/ctl/grid.h"
#include "deploy/ctl/letters.h"

enum { CODE_CHARACTERS = 24, REASON_CHARACTERS = 60 };

/* A letter without its record's bytes. */
struct row {
	struct letter letter;
	struct letter_mark mark;
	struct arena arena; /* of the texts */
};

/* The newest rows: the n-th lies at n % max. */
struct rows {
	struct row *row;
	size_t nr, max;
};

static int copy_text(struct row *row, struct str *text, struct err *err)
{
	*text = arena_str(&row->arena, *text);
	return text->p ? 0 : err_nomem(err, "a list");
}

static int copy_mark(struct row *row, const struct letter_mark *mark, struct err *err)
{
	struct str author = str_from(mark->author);

	row->mark = *mark;
	row->letter.mark = &row->mark;
	if (copy_text(row, &author, err) < 0)
		return -1;
	row->mark.author = author.p;
	return 0;
}

static int on_row(void *ctx, const struct letter *letter, struct err *err)
{
	struct rows *rows = ctx;
	struct row *row = &rows->row[rows->nr++ % rows->max];
	struct dead_letter *r = &row->letter.record;
	struct str fault = str_from(letter->fault);

	arena_clear(&row->arena);
	row->letter = *letter;
	r->headers_len = 0;
	r->key = r->value = (struct str){0};
	if (letter->mark && copy_mark(row, letter->mark, err) < 0)
		return -1;
	if (copy_text(row, &fault, err) < 0 || copy_text(row, &r->topic, err) < 0 || copy_text(row, &r->code, err) < 0 ||
	    copy_text(row, &r->reason, err) < 0 || copy_text(row, &r->program, err) < 0 || copy_text(row, &r->build, err) < 0)
		return -1;
	row->letter.fault = letter->fault ? fault.p : NULL;
	return 0;
}

static const struct letter *row_at(const struct rows *rows, size_t n)
{
	return &rows->row[n % rows->max].letter;
}

static size_t first_of(const struct rows *rows)
{
	return rows->nr > rows->max ? rows->nr - rows->max : 0;
}

/* The text up to so many characters. */
static void add_short(struct grid *g, enum grid_style style, struct str text, int max)
{
	size_t len = 0;

	for (int characters = 0; len < text.len; len++) {
		characters += (text.p[len] & 0xc0) != 0x80;
		if (characters > max)
			break;
	}
	grid_add(g, style, "%.*s%s", (int)len, text.p ? text.p : "", len < text.len ? ".." : "");
}

static void add_row(struct grid *g, const struct letter *letter)
{
	const struct dead_letter *r = &letter->record;
	char at[CLOCK_ISO_SIZE];

	grid_add(g, GRID_PLAIN, "%" PRId64, letter->id);
	grid_add(g, GRID_PLAIN, "%s", letter->fault ? "-" : clock_iso(r->at, at, sizeof(at)));
	grid_add(g, letter->mark ? GRID_DIM : GRID_BAD, "%s", letter_state_name(letter_state(letter)));
	if (letter->fault) {
		grid_add(g, GRID_DIM, "-");
		grid_add(g, GRID_BAD, "unreadable");
		add_short(g, GRID_PLAIN, str_from(letter->fault), REASON_CHARACTERS);
		return;
	}
	grid_add(g, GRID_PLAIN, STR_FMT "/%" PRId32 "/%" PRId64, STR_ARG(r->topic), r->partition, r->offset);
	add_short(g, GRID_PLAIN, r->code, CODE_CHARACTERS);
	add_short(g, GRID_PLAIN, r->reason, REASON_CHARACTERS);
}

static void print_rows(struct ctl *ctl, const struct rows *rows)
{
	static const char *const heads[] = {"ID", "WHEN", "STATE", "RECORD", "CODE", "REASON"};
	struct grid g;

	grid_init(&g, "rlllll");
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
		grid_add(&g, GRID_HEAD, "%s", heads[i]);
	for (size_t n = first_of(rows); n < rows->nr; n++)
		add_row(&g, row_at(rows, n));
	grid_print(&g, 0, grid_wants_colour(ctl->out), ctl->out);
	grid_fini(&g);
}

static int print_rows_json(struct ctl *ctl, const struct rows *rows, struct err *err)
{
	struct json_writer w;

	json_write_begin(&w);
	json_write_array(&w, "letters");
	for (size_t n = first_of(rows); n < rows->nr; n++) {
		json_write_map(&w, NULL);
		letter_write_head(&w, row_at(rows, n));
		json_write_map_end(&w);
	}
	json_write_array_end(&w);
	json_write_int(&w, "older", (int64_t)first_of(rows));
	return json_write_print(&w, ctl->out, err);
}

static int print_list(struct ctl *ctl, const struct rows *rows, struct err *err)
{
	if (ctl->json)
		return print_rows_json(ctl, rows, err);
	if (rows->nr)
		print_rows(ctl, rows);
	else
		fputs("no dead letters\n", ctl->out);
	if (first_of(rows))
		ctl_hint("%zu older ones are not shown: --limit, or a filter", first_of(rows));
	return 0;
}

int deadletter_list_run(struct ctl *ctl, struct err *err)
{
	struct rows rows = {.max = (size_t)args_int(&ctl->args, "limit")};
	struct letter_filter filter;
	int rc = letter_filter_init(&filter, ctl, err);

	filter.open_only = args_given(&ctl->args, "open");
	rows.row = calloc(rows.max, sizeof(*rows.row));
	if (rc == 0 && !rows.row)
		rc = err_nomem(err, "a list");
	if (rc == 0)
		rc = letters_each(ctl, &filter, on_row, &rows, err);
	if (rc == 0)
		rc = print_list(ctl, &rows, err);
	for (size_t i = 0; rows.row && i < rows.max; i++)
		arena_fini(&rows.row[i].arena);
	free(rows.row);
	letter_filter_fini(&filter);
	return rc;
}
