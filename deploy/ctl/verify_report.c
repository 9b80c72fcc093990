/* verify_report.c - see verify_report.h. Text for people: one line a difference, as many as were asked for. JSON: the same, in one
 * document. */
#include "deploy/ctl/verify_report.h"

#include <inttypes.h>
#include <math.h>

#include "deploy/ctl/printable.h"

void verify_report_begin(struct verify_report *r)
{
	if (!r->ctl->json)
		return;
	json_write_begin(&r->json);
	json_write_array(&r->json, "differences");
}

void verify_report_abandon(struct verify_report *r)
{
	if (r->ctl->json)
		json_write_fini(&r->json);
}

/* "site kind name{key=value,..}", safe for a terminal. */
static void put_series(struct buf *b, const struct verify_difference *d)
{
	const struct series_id *id = &d->series->id;

	buf_printf(b, STR_FMT " %s ", STR_ARG(id->site), series_kind_name((enum series_kind)id->kind));
	if (d->total) {
		buf_printf(b, "all series together");
		return;
	}
	buf_printf(b, STR_FMT "{", STR_ARG(id->name));
	for (size_t i = 0; i < id->tags_len; i++)
		buf_printf(b, "%s" STR_FMT "=" STR_FMT, i ? "," : "", STR_ARG(id->tags[i].key), STR_ARG(id->tags[i].value));
	buf_printf(b, "}");
}

static void put_known(struct buf *b, bool known, double number)
{
	if (known)
		buf_printf(b, "%.17g", number);
	else
		buf_printf(b, "unknown");
}

static void put_last(struct buf *b, const struct verify_window *w)
{
	char iso[CLOCK_ISO_SIZE];

	put_known(b, w->has_last, w->last);
	if (w->has_last)
		buf_printf(b, " at %s", clock_iso(w->last_at_ms, iso, sizeof(iso)));
}

/* The first bucket in which they differ, and how many do. */
static void put_buckets(struct buf *b, const struct verify_window *expected, const struct verify_window *stored)
{
	uint64_t in_expected = 0, in_stored = 0;

	for (size_t i = 0; i < expected->hist.len; i++)
		in_expected += expected->hist.buckets[i].count;
	for (size_t i = 0; i < stored->hist.len; i++)
		in_stored += stored->hist.buckets[i].count;
	buf_printf(b, "%" PRIu64 " in %zu buckets, expected %" PRIu64 " in %zu", in_stored, stored->hist.len, in_expected,
		   expected->hist.len);
}

static void put_bit(struct buf *b, int bit, const struct verify_window *expected, const struct verify_window *stored)
{
	buf_printf(b, "%s ", verify_bit_name(bit));
	if (1 << bit == VERIFY_COUNT)
		buf_printf(b, "%" PRId64 ", expected %" PRId64, stored->count, expected->count);
	else if (1 << bit == VERIFY_ERRORS)
		buf_printf(b, "%" PRId64 ", expected %" PRId64, stored->errors, expected->errors);
	else if (1 << bit == VERIFY_SUM)
		buf_printf(b, "%.17g, expected %.17g", (double)stored->sum, (double)expected->sum);
	else if (1 << bit == VERIFY_BUCKETS)
		put_buckets(b, expected, stored);
	else if (1 << bit == VERIFY_APPROXIMATE)
		buf_printf(b, "%s, expected %s", stored->approximate ? "true" : "false", expected->approximate ? "true" : "false");
	for (int side = 0; side < 2 && (1 << bit & (VERIFY_MIN | VERIFY_MAX | VERIFY_LAST)); side++) {
		const struct verify_window *w = side ? expected : stored;

		buf_printf(b, "%s", side ? ", expected " : "");
		if (1 << bit == VERIFY_LAST)
			put_last(b, w);
		else
			put_known(b, 1 << bit == VERIFY_MIN ? w->has_min : w->has_max, 1 << bit == VERIFY_MIN ? w->min : w->max);
	}
}

static void put_difference(struct buf *b, const struct verify_difference *d)
{
	const char *between = "";

	if (!d->stored) {
		buf_printf(b, "nothing is stored, expected count %" PRId64 ", sum %.17g", d->expected->count, (double)d->expected->sum);
	} else if (!d->expected) {
		buf_printf(b, "count %" PRId64 ", sum %.17g is stored, expected nothing", d->stored->count, (double)d->stored->sum);
	} else if (!d->bits) {
		buf_printf(b, "count %" PRId64 ", expected at most %" PRId64, d->stored->count, d->expected->count);
	} else {
		for (int bit = 0; bit < NR_VERIFY_BITS; bit++) {
			if (!(d->bits & 1u << bit))
				continue;
			buf_printf(b, "%s", between);
			put_bit(b, bit, d->expected, d->stored);
			between = "; ";
		}
	}
}

static void print_text(struct verify_report *r, const struct verify_difference *d)
{
	struct buf b = BUF_INIT;
	char iso[CLOCK_ISO_SIZE];

	put_series(&b, d);
	buf_printf(&b, ", %s %s: ", d->slot == VERIFY_HOUR_SLOT ? "hour" : "minute",
		   clock_iso(verify_sheet_start(r->sheet, d->slot), iso, sizeof(iso)));
	put_difference(&b, d);
	buf_add(&b, "", 1);
	fprintf(r->ctl->out, "%s\n", buf_failed(&b) ? "(memory is short: a difference is not shown)" : printable((char *)b.p));
	buf_fini(&b);
}

static void write_number(struct json_writer *w, const char *key, bool known, double number)
{
	if (known && isfinite(number))
		json_write_number(w, key, number);
}

static void write_window(struct json_writer *w, const char *key, const struct verify_window *window)
{
	if (!window)
		return;
	json_write_map(w, key);
	json_write_int(w, "count", window->count);
	write_number(w, "sum", true, (double)window->sum);
	write_number(w, "min", window->has_min, window->min);
	write_number(w, "max", window->has_max, window->max);
	write_number(w, "last", window->has_last, window->last);
	if (window->has_last)
		json_write_int(w, "last_at", window->last_at_ms);
	json_write_int(w, "buckets", (int64_t)window->hist.len);
	json_write_bool(w, "approximate", window->approximate);
	json_write_map_end(w);
}

static void write_series(struct json_writer *w, const struct verify_difference *d)
{
	const struct series_id *id = &d->series->id;

	json_write_text(w, "site", id->site);
	json_write_text(w, "kind", str_from(series_kind_name((enum series_kind)id->kind)));
	json_write_bool(w, "all_series", d->total);
	if (d->total)
		return;
	json_write_text(w, "name", id->name);
	json_write_array(w, "tags"); /* a key may hold anything: pairs */
	for (size_t i = 0; i < id->tags_len; i++) {
		json_write_array(w, NULL);
		json_write_text(w, NULL, id->tags[i].key);
		json_write_text(w, NULL, id->tags[i].value);
		json_write_array_end(w);
	}
	json_write_array_end(w);
}

static void write_difference(struct verify_report *r, const struct verify_difference *d)
{
	struct json_writer *w = &r->json;
	char iso[CLOCK_ISO_SIZE];

	json_write_map(w, NULL);
	write_series(w, d);
	json_write_text(w, "window", str_from(d->slot == VERIFY_HOUR_SLOT ? "hour" : "minute"));
	json_write_text(w, "start", str_from(clock_iso(verify_sheet_start(r->sheet, d->slot), iso, sizeof(iso))));
	json_write_array(w, "differs");
	for (int bit = 0; bit < NR_VERIFY_BITS; bit++)
		if (d->bits & 1u << bit)
			json_write_text(w, NULL, str_from(verify_bit_name(bit)));
	json_write_array_end(w);
	write_window(w, "expected", d->expected);
	write_window(w, "stored", d->stored);
	json_write_map_end(w);
}

void verify_report_difference(void *ctx, const struct verify_difference *d)
{
	struct verify_report *r = ctx;

	if (r->told++ >= r->limit)
		return;
	if (r->ctl->json)
		write_difference(r, d);
	else
		print_text(r, d);
}

static void print_end(const struct verify_report *r, const struct verify_figures *f)
{
	const struct verify_result *result = f->result;
	FILE *out = r->ctl->out;
	char iso[CLOCK_ISO_SIZE];

	if (r->told > r->limit)
		fprintf(out, "(%" PRId64 " more: --limit)\n", r->told - r->limit);
	fprintf(out, "cell %s, hour %s: %" PRIu64 " series, %" PRIu64 " windows compared: %" PRIu64 " differ", r->cell,
		clock_iso(r->sheet->hour_ms, iso, sizeof(iso)), result->series, result->windows, result->differ);
	if (result->waiting)
		fprintf(out, ", %" PRIu64 " are not complete yet", result->waiting);
	fprintf(out, "\n%" PRIu64 " samples of the hour in %" PRIu64 " raw records (%" PRIu64 " of them second copies, %" PRIu64
		" unusable), %" PRIu64 " documents\n", f->tally->samples, f->tally->records, f->tally->duplicates, f->tally->refused,
			f->stock->documents);
	for (size_t i = 0; i < f->nr_notes; i++)
		fprintf(out, "note: %s\n", f->notes[i]);
}

static void write_end(struct verify_report *r, const struct verify_figures *f)
{
	struct json_writer *w = &r->json;
	char iso[CLOCK_ISO_SIZE];

	json_write_array_end(w);
	json_write_text(w, "cell", str_from(r->cell));
	json_write_text(w, "hour", str_from(clock_iso(r->sheet->hour_ms, iso, sizeof(iso))));
	json_write_int(w, "series", (int64_t)f->result->series);
	json_write_int(w, "windows", (int64_t)f->result->windows);
	json_write_int(w, "differ", (int64_t)f->result->differ);
	json_write_int(w, "incomplete", (int64_t)f->result->waiting);
	json_write_int(w, "bounded", (int64_t)f->result->bounded);
	json_write_int(w, "samples", (int64_t)f->tally->samples);
	json_write_int(w, "records", (int64_t)f->tally->records);
	json_write_int(w, "second_copies", (int64_t)f->tally->duplicates);
	json_write_int(w, "unusable_records", (int64_t)f->tally->refused);
	json_write_int(w, "documents", (int64_t)f->stock->documents);
	json_write_int(w, "foreign_documents", (int64_t)f->stock->foreign);
	json_write_int(w, "bad_documents", (int64_t)f->stock->bad);
	json_write_array(w, "notes");
	for (size_t i = 0; i < f->nr_notes; i++)
		json_write_text(w, NULL, str_from(f->notes[i]));
	json_write_array_end(w);
}

int verify_report_end(struct verify_report *r, const struct verify_figures *f, struct err *err)
{
	if (!r->ctl->json) {
		print_end(r, f);
		return 0;
	}
	write_end(r, f);
	return json_write_print(&r->json, r->ctl->out, err);
}
