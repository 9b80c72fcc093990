/* document.c - see document.h.
 *
 * What the record leaves unknown is absent, never null: a reader's $min and $max then do the right thing. Percentiles are
 * computed here, once, since a dashboard reads a document many times. The histogram is stored as it came, so that readers can
 * merge fragments exactly.
 *
 * Tags are a sub-document {key: value}. Keys may hold dots: the server stores them as they are, and readers reach such a key by
 * $getField. What a server refuses (older ones: a key that begins with a dollar sign) comes back as an error of that one document.
 *
 * A document grows in the maker's buffer; the one thing that can go wrong on the way, memory, is asked for once, at its end. */
#include "sink/mongo/document.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sink/mongo/element.h"

static const char *const kind_names[] = {
	[SERIES_KIND_COUNTER] = "counter",
	[SERIES_KIND_GAUGE] = "gauge",
	[SERIES_KIND_DISTRIBUTION] = "distribution",
};

static const struct {
	char name[4];
	double q;
} percentiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p95", 0.95}, {"p99", 0.99}};

void document_maker_init(struct document_maker *m)
{
	*m = (struct document_maker){.doc = aligned_alloc(_Alignof(bson_t), sizeof(*m->doc))};
}

void document_maker_fini(struct document_maker *m)
{
	free(m->doc);
	buf_fini(&m->bytes);
	buf_fini(&m->key);
	hist_fini(&m->hist);
}

static uint8_t *put_be(uint8_t *to, uint64_t value, int bytes)
{
	for (int i = bytes - 1; i >= 0; i--, value >>= 8)
		to[i] = (uint8_t)value;
	return to + bytes;
}

void document_id(const uint8_t fingerprint[16], int64_t window_start_ms, const struct document_origin *origin,
		 uint8_t out[DOCUMENT_ID_BYTES])
{
	uint8_t *p = out;

	memcpy(p, fingerprint, 16);
	p = put_be(p + 16, (uint64_t)window_start_ms, 8);
	p = put_be(p, (uint64_t)origin->epoch, 8);
	p = put_be(p, (uint32_t)origin->partition, 4);
	put_be(p, (uint64_t)origin->offset, 8);
}

static int check(const struct aggregate *a, int32_t window_ms, struct err *err)
{
	if (a->window_ms != window_ms)
		return err_set(err, ERR_REJECT, "the window lasts %" PRId32 " ms, in a topic of windows of %" PRId32 " ms",
			       a->window_ms, window_ms);
	if (a->count < 1)
		return err_set(err, ERR_REJECT, "count is %" PRId64, a->count);
	return 0;
}

/* The order of the keys is the schema's promise; here it also shows a doubled key, of which readers would see either one. BSON
 * ends a key at its first NUL byte. */
int document_check_tags(const struct tag *tags, size_t len, struct err *err)
{
	for (size_t i = 0; i < len; i++) {
		struct str key = tags[i].key;

		if (memchr(key.p, 0, key.len))
			return err_set(err, ERR_REJECT, "tag %zu: its key holds a NUL byte", i);
		if (i && str_cmp(tags[i - 1].key, key) >= 0)
			return err_set(err, ERR_REJECT, "tag %zu: keys are not in ascending order, or one is doubled", i);
	}
	return 0;
}

bool document_is_time(int64_t t_ms)
{
	return t_ms >= 0 && t_ms <= INT64_C(253402300799999);
}

void document_put_text(struct buf *b, struct str key, struct str value)
{
	if (value.len)
		element_put_text(b, key, value);
}

void document_put_hex(struct buf *b, struct str key, const uint8_t bytes[16])
{
	char text[2 * 16 + 1];

	element_put_text(b, key, str_from(str_hex(bytes, 16, text)));
}

static struct str name_of_item(size_t i, char text[16])
{
	const char *name;
	size_t n = bson_uint32_to_string((uint32_t)i, &name, text, 16);

	return (struct str){name, n};
}

size_t document_open_item(struct buf *b, size_t i)
{
	char text[16];

	return element_open(b, ELEMENT_DOCUMENT, name_of_item(i, text));
}

void document_put_texts(struct buf *b, struct str key, const struct str *texts, size_t len)
{
	char text[16];
	size_t array;

	if (!len)
		return;
	array = element_open(b, ELEMENT_ARRAY, key);
	for (size_t i = 0; i < len && b->len <= DOCUMENT_MAX_BYTES; i++)
		element_put_text(b, name_of_item(i, text), texts[i]);
	element_close(b, array);
}

static void put_tags(struct buf *b, const struct tag *tags, size_t len)
{
	size_t map = element_open(b, ELEMENT_DOCUMENT, STR("tags"));

	for (size_t i = 0; i < len; i++)
		element_put_text(b, tags[i].key, tags[i].value);
	element_close(b, map);
}

void document_put_tags(struct buf *b, const struct tag *tags, size_t len)
{
	if (len)
		put_tags(b, tags, len);
}

/* All fields before the percentiles but _id and tags. */
static void put_figures(struct buf *b, const struct aggregate *a)
{
	element_put_date(b, STR("t"), a->window_start);
	element_put_int64(b, STR("count"), a->count);
	element_put_double(b, STR("sum"), a->sum);
	if (a->has_min)
		element_put_double(b, STR("min"), a->min);
	if (a->has_max)
		element_put_double(b, STR("max"), a->max);
	element_put_double(b, STR("mean"), a->sum / (double)a->count);
	if (a->has_last) {
		element_put_double(b, STR("last"), a->last);
		element_put_date(b, STR("last_at"), a->last_at);
	}
}

/* A histogram may be longer than what hist.h takes at a time from strangers: it goes in by pieces. */
static int merge_side(struct hist *h, int32_t scale, int32_t offset, const int64_t *counts, size_t len, bool negative,
		      struct err *err)
{
	bool approximate = false; /* the record itself says whether its buckets are */

	for (size_t at = 0; at < len; at += HIST_COUNTS_MAX) {
		size_t n = len - at < HIST_COUNTS_MAX ? len - at : HIST_COUNTS_MAX;
		struct hist_dense piece = {.scale = scale};

		if (at > INT32_MAX || offset > INT32_MAX - (int32_t)at)
			return err_set(err, ERR_REJECT, "histogram: more counts than there are buckets");
		*(negative ? &piece.neg_offset : &piece.offset) = offset + (int32_t)at;
		*(negative ? &piece.neg_counts : &piece.counts) = counts + at;
		*(negative ? &piece.neg_counts_len : &piece.counts_len) = n;
		if (hist_add_dense(h, &piece, &approximate, err) < 0)
			return err_wrap(err, "histogram");
	}
	return 0;
}

static int merge_histogram(struct hist *h, const struct histogram *from, struct err *err)
{
	struct hist_dense zero = {.scale = from->scale, .zero = (uint64_t)from->zero};
	bool approximate = false;

	hist_clear(h);
	if (from->zero < 0)
		return err_set(err, ERR_REJECT, "histogram: zero is %" PRId64, from->zero);
	if (hist_add_dense(h, &zero, &approximate, err) < 0)
		return err_wrap(err, "histogram");
	if (merge_side(h, from->scale, from->offset, from->counts, from->counts_len, false, err) < 0)
		return -1;
	return merge_side(h, from->scale, from->neg_offset, from->neg_counts, from->neg_counts_len, true, err);
}

static void put_percentiles(struct buf *b, const struct aggregate *a, const struct hist *h)
{
	double min = a->has_min ? a->min : -INFINITY, max = a->has_max ? a->max : INFINITY;

	if (hist_count(h) == 0) /* OTLP's summaries tell none */
		return;
	for (size_t i = 0; i < sizeof(percentiles) / sizeof(percentiles[0]); i++)
		element_put_double(b, (struct str){percentiles[i].name, 3}, hist_quantile(h, percentiles[i].q, min, max));
}

/* A list that makes the document too large is not written to its end: that document is refused. */
static void put_counts(struct buf *b, struct str key, const int64_t *counts, size_t len)
{
	size_t array = element_open(b, ELEMENT_ARRAY, key);

	for (size_t i = 0; i < len && b->len <= DOCUMENT_MAX_BYTES; i++) {
		char text[16];

		element_put_int64(b, name_of_item(i, text), counts[i]);
	}
	element_close(b, array);
}

static void put_histogram(struct buf *b, const struct histogram *from)
{
	size_t h = element_open(b, ELEMENT_DOCUMENT, STR("h"));

	element_put_int32(b, STR("s"), from->scale);
	element_put_int64(b, STR("z"), from->zero);
	element_put_int32(b, STR("o"), from->offset);
	put_counts(b, STR("c"), from->counts, from->counts_len);
	element_put_int32(b, STR("no"), from->neg_offset);
	put_counts(b, STR("nc"), from->neg_counts, from->neg_counts_len);
	element_close(b, h);
}

static int put_distribution(struct document_maker *m, const struct aggregate *a, struct err *err)
{
	if (a->kind != SERIES_KIND_DISTRIBUTION || !a->has_histogram)
		return 0;
	if (merge_histogram(&m->hist, &a->histogram, err) < 0)
		return -1;
	put_percentiles(&m->bytes, a, &m->hist);
	put_histogram(&m->bytes, &a->histogram);
	return 0;
}

const bson_t *document_finish(struct document_maker *m, struct err *err)
{
	if (buf_failed(&m->bytes) || !m->doc) {
		err_nomem(err, "a document");
		return NULL;
	}
	if (m->bytes.len > DOCUMENT_MAX_BYTES) {
		err_set(err, ERR_REJECT, "its document is larger than the %d bytes that a server takes", DOCUMENT_MAX_BYTES);
		return NULL;
	}
	bson_init_static(m->doc, m->bytes.p, m->bytes.len);
	return m->doc;
}

const bson_t *document_build(struct document_maker *m, const struct aggregate *a, int32_t window_ms,
			     const struct document_origin *origin, struct err *err)
{
	uint8_t id[DOCUMENT_ID_BYTES];
	struct buf *b = &m->bytes;
	size_t doc;

	if (check(a, window_ms, err) < 0 || document_check_tags(a->tags, a->tags_len, err) < 0)
		return NULL;
	document_id(a->fingerprint, a->window_start, origin, id);
	buf_clear(b);
	doc = element_open_outermost(b);
	element_put_binary(b, STR("_id"), id, sizeof(id));
	element_put_text(b, STR("site"), a->site);
	element_put_text(b, STR("name"), a->name);
	element_put_text(b, STR("kind"), str_from(kind_names[a->kind]));
	put_tags(b, a->tags, a->tags_len);
	put_figures(b, a);
	if (put_distribution(m, a, err) < 0)
		return NULL;
	if (a->errors > 0)
		element_put_int64(b, STR("errors"), a->errors);
	element_put_bool(b, STR("late"), a->late);
	element_put_bool(b, STR("approximate"), a->approximate);
	element_close(b, doc);
	return document_finish(m, err);
}
