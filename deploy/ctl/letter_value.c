/* letter_value.c - see letter_value.h. A record that became a dead letter may say anything: it is decoded whole before a word is written. */
#include "deploy/ctl/letter_value.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "deploy/ctl/letter_alert.h"
#include "deploy/ctl/letter_event.h"

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

void letter_value_write_number(struct json_writer *w, const char *key, double v)
{
	if (isfinite(v))
		json_write_number(w, key, v);
	else
		json_write_text(w, key, str_from(isnan(v) ? "NaN" : v > 0 ? "Infinity" : "-Infinity"));
}

static void write_known(struct json_writer *w, const char *key, bool known, double v)
{
	if (known)
		letter_value_write_number(w, key, v);
}

void letter_value_write_tags(struct json_writer *w, const char *key, const struct tag *tags, size_t nr)
{
	json_write_array(w, key);
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
	letter_value_write_tags(w, "tags", a->tags, a->tags_len);
	json_write_int(w, "window_start", a->window_start);
	json_write_int(w, "window_ms", a->window_ms);
	json_write_int(w, "count", a->count);
	letter_value_write_number(w, "sum", a->sum);
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
		letter_value_write_tags(w, "tags", s->tags, s->tags_len);
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
	letter_value_write_number(w, "sum", s->sum);
	write_known(w, "min", s->has_min, s->min);
	write_known(w, "max", s->has_max, s->max);
	write_known(w, "last", s->has_last, s->last);
	json_write_int(w, "last_at", s->last_at);
	write_histogram(w, s->has_histogram, &s->histogram);
	json_write_bool(w, "approximate", s->approximate);
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
		letter_value_write_number(w, "v", b->values[i].v);
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
		letter_event_write(w, NULL, &b->events[i]);
	json_write_array_end(w);
}

static void write_exemplar(struct json_writer *w, const struct exemplar *x)
{
	json_write_hex(w, "fingerprint", x->fingerprint, sizeof(x->fingerprint));
	json_write_int(w, "epoch", x->epoch);
	json_write_text(w, "site", x->site);
	json_write_int(w, "window_start", x->window_start);
	letter_event_write(w, "event", &x->event);
}

/* No message is of two schemas: its first bytes say which. */
static bool write_decoded(struct json_writer *w, const char *key, struct str value, struct arena *arena)
{
	struct aggregate aggregate = {0};
	struct sample_batch batch = {0};
	struct event_batch events = {0};
	struct exemplar exemplar = {0};
	struct alert_event alert = {0};
	struct incident incident = {0};

	if (aggregate_decode(value, arena, &aggregate, NULL) == 0) {
		json_write_map(w, key);
		write_aggregate(w, &aggregate);
	} else if (sample_batch_decode(value, arena, &batch, NULL) == 0) {
		json_write_map(w, key);
		write_batch(w, &batch);
	} else if (event_batch_decode(value, arena, &events, NULL) == 0) {
		json_write_map(w, key);
		write_events(w, &events);
	} else if (exemplar_decode(value, arena, &exemplar, NULL) == 0) {
		json_write_map(w, key);
		write_exemplar(w, &exemplar);
	} else if (alert_event_decode(value, arena, &alert, NULL) == 0) {
		json_write_map(w, key);
		letter_alert_write(w, &alert);
	} else if (incident_decode(value, arena, &incident, NULL) == 0) {
		json_write_map(w, key);
		letter_alert_write_incident(w, &incident);
	} else {
		return false;
	}
	json_write_map_end(w);
	return true;
}

bool letter_value_write(struct json_writer *w, const char *key, struct str value)
{
	struct arena arena = {.limit_bytes = MEMORY_BASE + MEMORY_FACTOR * value.len};
	bool known = write_decoded(w, key, value, &arena);

	arena_fini(&arena);
	return known;
}

void letter_value_write_hex(struct json_writer *w, const char *key, struct str bytes)
{
	char *text = malloc(2 * bytes.len + 1);

	w->failed |= !text;
	if (text)
		json_write_text(w, key, (struct str){str_hex((const uint8_t *)bytes.p, bytes.len, text), 2 * bytes.len});
	free(text);
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
