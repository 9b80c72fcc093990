/* tail_line.c - see tail_line.h.
 *
 * Nothing of a record reaches a terminal as it is: texts go through printable.h, and in JSON the control characters that JSON allows in a text (DEL, and C1,
 * some of which a terminal obeys) are escaped, too. So JSON says exactly what stands in the record, and is harmless. */
#include "deploy/ctl/tail_line.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "deploy/ctl/grid.h"
#include "deploy/ctl/printable.h"

enum { SUMMARY_BYTES = 240 };

/* DEL and C1 become escapes. Inside of JSON both can stand in texts only. */
static void escape_controls(struct str json, struct buf *out)
{
	const uint8_t *p = (const uint8_t *)json.p;

	for (size_t i = 0; i < json.len; i++) {
		if (p[i] == 0x7f) {
			buf_printf(out, "\\u007f");
		} else if (p[i] == 0xc2 && i + 1 < json.len && p[i + 1] < 0xa0) {
			buf_printf(out, "\\u%04x", p[i + 1]);
			i++;
		} else {
			buf_add(out, p + i, 1);
		}
	}
}

/* Of any length, and null where there is none. */
static void write_bytes(struct json_writer *w, const char *key, struct str bytes)
{
	char *text;

	if (!bytes.p) {
		json_write_null(w, key);
		return;
	}
	text = malloc(2 * bytes.len + 1);
	w->failed |= !text;
	if (text)
		json_write_text(w, key, str_from(str_hex((const uint8_t *)bytes.p, bytes.len, text)));
	free(text);
}

/* any NULL: fault says why there is none, or there is no value at all. */
static int json_line(const struct tail_record *record, const struct record_any *any, const char *fault, struct buf *out, struct err *err)
{
	struct buf line = BUF_INIT;
	struct json_writer w;
	int rc;

	json_write_begin_line(&w);
	json_write_map(&w, NULL);
	json_write_text(&w, "topic", str_from(record->topic));
	json_write_int(&w, "partition", record->partition);
	json_write_int(&w, "offset", record->offset);
	if (record->at_ms >= 0)
		json_write_int(&w, "timestamp", record->at_ms);
	else
		json_write_null(&w, "timestamp");
	write_bytes(&w, "key", record->key);
	if (any) {
		json_write_int(&w, "schema_id", any->schema->id);
		json_write_text(&w, "record", str_from(any->schema->record));
		record_any_write(&w, "value", &any->value);
	} else if (fault) {
		json_write_text(&w, "fault", str_from(fault));
		write_bytes(&w, "bytes", record->value);
	} else {
		json_write_null(&w, "value");
	}
	json_write_map_end(&w);
	rc = json_write_line_end(&w, &line, err);
	if (rc == 0)
		escape_controls(buf_str(&line), out);
	buf_printf(out, "\n");
	buf_fini(&line);
	return rc;
}

static void add_place(const struct tail_record *record, bool colour, struct buf *out)
{
	char at[CLOCK_ISO_SIZE];

	buf_printf(out, "%s%s  %" PRId32 "/%" PRId64 "%s", grid_style_on(GRID_DIM, colour), record->at_ms >= 0 ? clock_iso(record->at_ms, at, sizeof(at)) : "-",
		   record->partition, record->offset, grid_style_off(GRID_DIM, colour));
}

static void text_line(const struct tail_record *record, const struct record_any *any, const char *fault, bool colour, struct buf *out)
{
	char said[sizeof(((struct err *)0)->msg)];

	add_place(record, colour, out);
	if (any) {
		buf_printf(out, "  %s%s%s", grid_style_on(GRID_HEAD, colour), any->schema->record, grid_style_off(GRID_HEAD, colour));
		record_any_summary(any, SUMMARY_BYTES, out);
	} else if (fault) {
		snprintf(said, sizeof(said), "%s", fault);
		buf_printf(out, "  %scannot be read: %s (%zu bytes)%s", grid_style_on(GRID_BAD, colour), printable(said), record->value.len,
			   grid_style_off(GRID_BAD, colour));
	} else {
		buf_printf(out, "  deleted, its key is %zu bytes", record->key.len);
	}
	buf_printf(out, "\n");
}

/* In the table of sites the site's id is the record's own. */
static bool is_wanted(const struct record_any *any, const struct tail_style *style)
{
	bool of_site = style->site && (record_any_has(&any->value, "site", str_from(style->site)) ||
				       (strcmp(any->schema->record, "Site") == 0 && record_any_has(&any->value, "id", str_from(style->site))));

	return (!style->site || of_site) && (!style->name || record_any_has(&any->value, "name", str_from(style->name)));
}

int tail_line(struct record_reader *reader, const struct tail_style *style, const struct tail_record *record, struct buf *out, struct err *err)
{
	struct record_any any;
	struct err why = ERR_INIT;
	bool there = record->value.p != NULL;
	bool read = there && record_read(reader, record->value, &any, &why) == 0;
	const char *fault = there && !read ? why.msg : NULL;

	if (fault && why.kind == ERR_FATAL)
		return err_set(err, ERR_FATAL, "%s", why.msg);
	if (read ? !is_wanted(&any, style) : !there && (style->site || style->name))
		return TAIL_OTHER;
	if (!style->json)
		text_line(record, read ? &any : NULL, fault, style->colour, out);
	else if (json_line(record, read ? &any : NULL, fault, out, err) < 0)
		return -1;
	if (buf_failed(out))
		return err_nomem(err, "a line");
	return fault ? TAIL_UNREAD : TAIL_SHOWN;
}
