/* letter_value.c - see letter_value.h. A record that became a dead letter may say anything: it is decoded whole before a word is written. */
#include "deploy/ctl/letter_value.h"

#include <inttypes.h>
#include <math.h>

#include "schemas/schemas.h"

enum { LINE_BYTES = 16, MEMORY_FACTOR = 64, MEMORY_BASE = 4096 };

/* The id in the first five bytes; 0: there is none, or nobody's. */
static uint32_t schema_of(struct str value)
{
	const unsigned char *p = (const unsigned char *)value.p;

	if (value.len < CODEC_HEADER_BYTES || p[0] != 0)
		return 0;
	return (uint32_t)p[1] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 8 | p[4];
}

const char *letter_value_schema(struct str value)
{
	return schema_name(schema_of(value));
}

static void write_number(struct json_writer *w, const char *key, double v)
{
	if (isfinite(v))
		json_write_number(w, key, v);
	else
		json_write_text(w, key, str_from(isnan(v) ? "NaN" : v > 0 ? "Infinity" : "-Infinity"));
}

static void write_known(struct json_writer *w, const char *key, bool known, double v)
{
	if (known)
		write_number(w, key, v);
}

static void write_tags(struct json_writer *w, const struct tag *tags, size_t nr)
{
	json_write_array(w, "tags");
	for (size_t i = 0; i < nr; i++) {
		json_write_map(w, NULL);
		json_write_text(w, "key", tags[i].key);
		json_write_text(w, "value", tags[i].value);
		json_write_map_end(w);
	}
	json_write_array_end(w);
}

static void write_counts(struct json_writer *w, const char *key, const int64_t *counts, size_t nr)
{
	json_write_array(w, key);
	for (size_t i = 0; i < nr; i++)
		json_write_int(w, NULL, counts[i]);
	json_write_array_end(w);
}

static void write_histogram(struct json_writer *w, bool known, const struct histogram *h)
{
	if (!known)
		return;
	json_write_map(w, "histogram");
	json_write_int(w, "scale", h->scale);
	json_write_int(w, "zero", h->zero);
	json_write_int(w, "offset", h->offset);
	write_counts(w, "counts", h->counts, h->counts_len);
	json_write_int(w, "neg_offset", h->neg_offset);
	write_counts(w, "neg_counts", h->neg_counts, h->neg_counts_len);
	json_write_map_end(w);
}

static void write_aggregate(struct json_writer *w, const struct aggregate *a)
{
	json_write_hex(w, "fingerprint", a->fingerprint, sizeof(a->fingerprint));
	json_write_int(w, "epoch", a->epoch);
	json_write_text(w, "site", a->site);
	json_write_text(w, "kind", str_from(series_kind_name(a->kind)));
	json_write_text(w, "name", a->name);
	write_tags(w, a->tags, a->tags_len);
	json_write_int(w, "window_start", a->window_start);
	json_write_int(w, "window_ms", a->window_ms);
	json_write_int(w, "count", a->count);
	write_number(w, "sum", a->sum);
	write_known(w, "min", a->has_min, a->min);
	write_known(w, "max", a->has_max, a->max);
	write_known(w, "last", a->has_last, a->last);
	json_write_int(w, "last_at", a->last_at);
	write_histogram(w, a->has_histogram, &a->histogram);
	json_write_int(w, "errors", a->errors);
	json_write_bool(w, "late", a->late);
	json_write_bool(w, "approximate", a->approximate);
}

static void write_series(struct json_writer *w, const struct sample_batch *b)
{
	json_write_array(w, "series");
	for (size_t i = 0; i < b->series_len; i++) {
		const struct series_ref *s = &b->series[i];

		json_write_map(w, NULL);
		json_write_hex(w, "fingerprint", s->fingerprint, sizeof(s->fingerprint));
		json_write_text(w, "kind", str_from(series_kind_name(s->kind)));
		json_write_text(w, "temporality", str_from(temporality_name(s->temporality)));
		json_write_text(w, "name", s->name);
		write_tags(w, s->tags, s->tags_len);
		json_write_map_end(w);
	}
	json_write_array_end(w);
}

static void write_summary(struct json_writer *w, const struct summary_sample *s)
{
	json_write_map(w, NULL);
	json_write_int(w, "series", s->series);
	json_write_int(w, "t", s->t);
	json_write_int(w, "start", s->start);
	json_write_int(w, "count", s->count);
	write_number(w, "sum", s->sum);
	write_known(w, "min", s->has_min, s->min);
	write_known(w, "max", s->has_max, s->max);
	write_known(w, "last", s->has_last, s->last);
	json_write_int(w, "last_at", s->last_at);
	write_histogram(w, s->has_histogram, &s->histogram);
	json_write_bool(w, "approximate", s->approximate);
	json_write_int(w, "errors", s->errors);
	json_write_map_end(w);
}

static void write_samples(struct json_writer *w, const struct sample_batch *b)
{
	json_write_array(w, "values");
	for (size_t i = 0; i < b->values_len; i++) {
		json_write_map(w, NULL);
		json_write_int(w, "series", b->values[i].series);
		json_write_int(w, "t", b->values[i].t);
		json_write_int(w, "start", b->values[i].start);
		write_number(w, "v", b->values[i].v);
		json_write_map_end(w);
	}
	json_write_array_end(w);
	json_write_array(w, "summaries");
	for (size_t i = 0; i < b->summaries_len; i++)
		write_summary(w, &b->summaries[i]);
	json_write_array_end(w);
}

static void write_batch(struct json_writer *w, const struct sample_batch *b)
{
	json_write_text(w, "site", b->site);
	if (b->has_agent_id)
		json_write_hex(w, "agent_id", b->agent_id, sizeof(b->agent_id));
	json_write_int(w, "seq", b->seq);
	json_write_int(w, "floor", b->floor);
	if (b->has_idempotency_key)
		json_write_text(w, "idempotency_key", b->idempotency_key);
	json_write_int(w, "created_at", b->created_at);
	json_write_int(w, "received_at", b->received_at);
	json_write_bool(w, "home", b->home);
	json_write_int(w, "routed_since", b->routed_since);
	write_series(w, b);
	write_samples(w, b);
}

/* What tells an event from others; what is deeper in it is in the bytes. */
static void write_event(struct json_writer *w, const struct event *e)
{
	json_write_map(w, NULL);
	json_write_hex(w, "group", e->group, sizeof(e->group));
	json_write_int(w, "t", e->t);
	json_write_text(w, "action", e->action);
	json_write_text(w, "namespace", e->namespace);
	json_write_text(w, "host", e->host);
	if (e->has_error) {
		json_write_text(w, "class", e->error.class);
		json_write_text(w, "message", e->error.message);
	}
	if (e->has_transaction) {
		json_write_text(w, "id", e->transaction.id);
		write_number(w, "duration_ms", e->transaction.duration_ms);
	}
	if (e->has_marker)
		json_write_text(w, "revision", e->marker.revision);
	if (e->has_check_in)
		json_write_text(w, "check_in", e->check_in.name);
	json_write_map_end(w);
}

static void write_events(struct json_writer *w, const struct event_batch *b)
{
	json_write_text(w, "site", b->site);
	if (b->has_agent_id)
		json_write_hex(w, "agent_id", b->agent_id, sizeof(b->agent_id));
	json_write_int(w, "seq", b->seq);
	json_write_int(w, "floor", b->floor);
	if (b->has_idempotency_key)
		json_write_text(w, "idempotency_key", b->idempotency_key);
	json_write_int(w, "created_at", b->created_at);
	json_write_int(w, "received_at", b->received_at);
	json_write_array(w, "events");
	for (size_t i = 0; i < b->events_len; i++)
		write_event(w, &b->events[i]);
	json_write_array_end(w);
}

bool letter_value_write(struct json_writer *w, const char *key, struct str value)
{
	struct arena arena = {.limit_bytes = MEMORY_BASE + MEMORY_FACTOR * value.len};
	struct aggregate aggregate = {0};
	struct sample_batch batch = {0};
	struct event_batch events = {0};
	bool known = false;

	if (aggregate_decode(value, &arena, &aggregate, NULL) == 0) {
		json_write_map(w, key);
		write_aggregate(w, &aggregate);
		known = true;
	} else if (sample_batch_decode(value, &arena, &batch, NULL) == 0) {
		json_write_map(w, key);
		write_batch(w, &batch);
		known = true;
	} else if (event_batch_decode(value, &arena, &events, NULL) == 0) {
		json_write_map(w, key);
		write_events(w, &events);
		known = true;
	}
	if (known)
		json_write_map_end(w);
	arena_fini(&arena);
	return known;
}

void letter_value_write_hex(struct json_writer *w, const char *key, struct str bytes)
{
	static const char digits[] = "0123456789abcdef";
	struct buf text = BUF_INIT;

	for (size_t i = 0; i < bytes.len; i++) {
		unsigned char byte = (unsigned char)bytes.p[i];

		buf_add(&text, (char[]){digits[byte >> 4], digits[byte & 15]}, 2);
	}
	w->failed |= buf_failed(&text);
	json_write_text(w, key, buf_str(&text));
	buf_fini(&text);
}

static void dump_line(FILE *out, struct str bytes, size_t at)
{
	size_t n = bytes.len - at < LINE_BYTES ? bytes.len - at : LINE_BYTES;

	fprintf(out, "  %06zx ", at);
	for (size_t i = 0; i < LINE_BYTES; i++)
		if (i < n)
			fprintf(out, " %02x", (unsigned char)bytes.p[at + i]);
		else
			fputs("   ", out);
	fputs("  ", out);
	for (size_t i = 0; i < n; i++) {
		char c = bytes.p[at + i];

		fputc(c >= 0x20 && c < 0x7f ? c : '.', out);
	}
	fputc('\n', out);
}

void letter_value_dump(FILE *out, struct str bytes, size_t max)
{
	struct str shown = {bytes.p, bytes.len < max ? bytes.len : max};

	for (size_t at = 0; at < shown.len; at += LINE_BYTES)
		dump_line(out, shown, at);
	if (shown.len < bytes.len)
		fprintf(out, "  and %zu bytes more (--json has all)\n", bytes.len - shown.len);
}
