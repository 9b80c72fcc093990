/* deadletter_show.c - the command `deadletter show`; see commands.h.
 *
 * All that a letter holds came from somebody whose record could not be taken: whatever is printed goes through grid.h, json_write.h or
 * printable.h, or is hexadecimal. */
#include <inttypes.h>
#include <stdlib.h>

#include "deploy/ctl/commands.h"
#include "deploy/ctl/grid.h"
#include "deploy/ctl/letter_value.h"
#include "deploy/ctl/letters.h"
#include "deploy/ctl/printable.h"

enum { DUMP_BYTES = 4096, KEY_DUMP_BYTES = 256 };

struct shown {
	struct ctl *ctl;
	bool found;
};

static void add_line(struct grid *g, const char *name, struct str text)
{
	grid_add(g, GRID_HEAD, "%s", name);
	grid_add(g, GRID_PLAIN, STR_FMT, STR_ARG(text));
}

static void add_head(struct grid *g, const struct letter *letter)
{
	const struct dead_letter *r = &letter->record;
	char at[CLOCK_ISO_SIZE];

	grid_add(g, GRID_HEAD, "letter");
	grid_add(g, GRID_PLAIN, "%" PRId64, letter->id);
	grid_add(g, GRID_HEAD, "state");
	if (letter->mark)
		grid_add(g, GRID_PLAIN, "%s by %s at %s", letter_state_name(letter->mark->state),
			 letter->mark->author ? letter->mark->author : "somebody", clock_iso(letter->mark->at_ms, at, sizeof(at)));
	else
		grid_add(g, GRID_BAD, "open");
	if (letter->fault) {
		add_line(g, "unreadable", str_from(letter->fault));
		return;
	}
	add_line(g, "when", str_from(clock_iso(r->at, at, sizeof(at))));
	grid_add(g, GRID_HEAD, "record");
	grid_add(g, GRID_PLAIN, STR_FMT ", partition %" PRId32 ", offset %" PRId64 ", epoch %016" PRIx64, STR_ARG(r->topic), r->partition,
		 r->offset, (uint64_t)r->epoch);
	add_line(g, "code", r->code);
	add_line(g, "reason", r->reason);
	grid_add(g, GRID_HEAD, "given up by");
	grid_add(g, GRID_PLAIN, STR_FMT " " STR_FMT, STR_ARG(r->program), STR_ARG(r->build));
	for (size_t i = 0; i < r->headers_len; i++) {
		grid_add(g, GRID_HEAD, "header");
		grid_add(g, GRID_PLAIN, STR_FMT ": " STR_FMT, STR_ARG(r->headers[i].name), STR_ARG(r->headers[i].value));
	}
}

static void print_bytes(FILE *out, const char *what, bool there, struct str bytes, size_t max)
{
	if (!there) {
		fprintf(out, "%s: none\n", what);
		return;
	}
	fprintf(out, "%s: %zu bytes\n", what, bytes.len);
	letter_value_dump(out, bytes, max);
}

/* The lines of a JSON document, each by itself: escape sequences of a terminal may hide in its texts. */
static void print_lines(FILE *out, struct buf *text)
{
	char *line = (char *)text->p, *end;

	for (; line && *line; line = end + 1) {
		end = line + strcspn(line, "\n");
		if (!*end)
			break;
		*end = '\0';
		fprintf(out, "%s\n", printable(line));
	}
}

static int print_value(FILE *out, struct str value, struct err *err)
{
	const char *schema = letter_value_schema(value);
	struct buf text = BUF_INIT;
	struct json_writer w;
	bool known;
	int rc;

	json_write_begin(&w);
	known = letter_value_write(&w, schema ? schema : "value", value);
	rc = json_write_end(&w, &text, err);
	buf_add(&text, "", 1);
	if (rc == 0 && known)
		print_lines(out, &text);
	else if (rc == 0)
		print_bytes(out, schema ? schema : "value", true, value, DUMP_BYTES);
	buf_fini(&text);
	return rc;
}

static int print_letter(struct ctl *ctl, const struct letter *letter, struct err *err)
{
	struct grid g;

	grid_init(&g, "ll");
	add_head(&g, letter);
	grid_print(&g, 0, grid_wants_colour(ctl->out), ctl->out);
	grid_fini(&g);
	if (letter->fault)
		return 0;
	print_bytes(ctl->out, "key", letter->record.has_key, letter->record.key, KEY_DUMP_BYTES);
	if (letter->record.has_value)
		return print_value(ctl->out, letter->record.value, err);
	fputs("value: none\n", ctl->out);
	return 0;
}

static void write_headers(struct json_writer *w, const struct dead_letter *r)
{
	json_write_array(w, "headers");
	for (size_t i = 0; i < r->headers_len; i++) {
		json_write_map(w, NULL);
		json_write_text(w, "name", r->headers[i].name);
		if (r->headers[i].has_value) {
			json_write_text(w, "text", r->headers[i].value);
			letter_value_write_hex(w, "hex", r->headers[i].value);
		}
		json_write_map_end(w);
	}
	json_write_array_end(w);
}

static int print_letter_json(struct ctl *ctl, const struct letter *letter, struct err *err)
{
	const struct dead_letter *r = &letter->record;
	struct json_writer w;

	json_write_begin(&w);
	letter_write_head(&w, letter);
	if (r->has_key)
		letter_value_write_hex(&w, "key_hex", r->key);
	write_headers(&w, r);
	if (r->has_value) {
		if (letter_value_schema(r->value))
			json_write_text(&w, "schema", str_from(letter_value_schema(r->value)));
		letter_value_write(&w, "value", r->value);
		letter_value_write_hex(&w, "value_hex", r->value);
	}
	return json_write_print(&w, ctl->out, err);
}

static int on_shown(void *ctx, const struct letter *letter, struct err *err)
{
	struct shown *shown = ctx;

	shown->found = true;
	return shown->ctl->json ? print_letter_json(shown->ctl, letter, err) : print_letter(shown->ctl, letter, err);
}

int deadletter_show_run(struct ctl *ctl, struct err *err)
{
	struct shown shown = {.ctl = ctl};
	struct letter_filter filter = {0};
	const char *id = ctl->args.operands[0];
	int rc = letter_ids_parse(&filter.ids, str_from(id), err);

	if (rc == 0 && letter_ids_min(&filter.ids) != letter_ids_max(&filter.ids))
		rc = err_set(err, ERR_REJECT, "\"%s\" is more than one: deadletter show takes one id", id);
	if (rc == 0)
		rc = letters_each(ctl, &filter, on_shown, &shown, err);
	if (rc == 0 && !shown.found)
		rc = err_set(err, ERR_REJECT, "there is no dead letter %s: millrace-ctl deadletter list shows them", id);
	letter_ids_fini(&filter.ids);
	return rc;
}
