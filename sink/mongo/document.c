/* document.c - see document.h.
 *
 * What the record leaves unknown is absent, never null: a reader's $min and $max then do the right thing. Percentiles are
 * computed here, once, since a dashboard reads a document many times. The histogram is stored as it came, so that readers can
 * merge fragments exactly.
 *
 * Tags are a sub-document {key: value}. Keys may hold dots: the server stores them as they are, and readers reach such a key by
 * $getField. What a server refuses (older ones: a key that begins with a dollar sign) comes back as an error of that one document. */
#include "sink/mongo/document.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static const char *const kind_names[] = {
	[SERIES_KIND_COUNTER] = "counter",
	[SERIES_KIND_GAUGE] = "gauge",
	[SERIES_KIND_DISTRIBUTION] = "distribution",
};

static const struct {
	const char *name;
	double q;
} percentiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p95", 0.95}, {"p99", 0.99}};

void document_maker_init(struct document_maker *m)
{
	m->doc = bson_new();
	m->hist = (struct hist)HIST_INIT;
}

void document_maker_fini(struct document_maker *m)
{
	bson_destroy(m->doc);
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

static bool append_str(bson_t *doc, const char *key, struct str s)
{
	return s.len <= INT32_MAX && bson_append_utf8(doc, key, -1, s.p, (int)s.len);
}

/* The order of the keys is the schema's promise; here it also shows a doubled key, of which readers would see either one. BSON
 * ends a key at its first NUL byte. */
static int append_tags(bson_t *doc, const struct aggregate *a, struct err *err)
{
	bool ok = true;
	bson_t tags;

	for (size_t i = 0; i < a->tags_len; i++) {
		struct str key = a->tags[i].key;

		if (key.len > INT32_MAX || memchr(key.p, 0, key.len))
			return err_set(err, ERR_REJECT, "tag %zu: its key holds a NUL byte", i);
		if (i && str_cmp(a->tags[i - 1].key, key) >= 0)
			return err_set(err, ERR_REJECT, "tag %zu: keys are not in ascending order, or one is doubled", i);
	}
	if (!bson_append_document_begin(doc, "tags", 4, &tags))
		return err_nomem(err, "a document's tags");
	for (size_t i = 0; ok && i < a->tags_len; i++) {
		struct str key = a->tags[i].key, value = a->tags[i].value;

		ok = value.len <= INT32_MAX && bson_append_utf8(&tags, key.p, (int)key.len, value.p, (int)value.len);
	}
	ok = bson_append_document_end(doc, &tags) && ok;
	return ok ? 0 : err_nomem(err, "a document's tags");
}

static bool append_known(bson_t *doc, const char *key, bool known, double value)
{
	return !known || bson_append_double(doc, key, -1, value);
}

/* All fields before the percentiles but _id and tags. */
static bool append_figures(bson_t *doc, const struct aggregate *a)
{
	return bson_append_date_time(doc, "t", 1, a->window_start) && bson_append_int64(doc, "count", 5, a->count) &&
	       bson_append_double(doc, "sum", 3, a->sum) && append_known(doc, "min", a->has_min, a->min) &&
	       append_known(doc, "max", a->has_max, a->max) &&
	       bson_append_double(doc, "mean", 4, a->sum / (double)a->count) &&
	       append_known(doc, "last", a->has_last, a->last) &&
	       (!a->has_last || bson_append_date_time(doc, "last_at", 7, a->last_at));
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

static bool append_percentiles(bson_t *doc, const struct aggregate *a, const struct hist *h)
{
	double min = a->has_min ? a->min : -INFINITY, max = a->has_max ? a->max : INFINITY;

	for (size_t i = 0; i < sizeof(percentiles) / sizeof(percentiles[0]); i++)
		if (!bson_append_double(doc, percentiles[i].name, 3, hist_quantile(h, percentiles[i].q, min, max)))
			return false;
	return true;
}

static bool append_counts(bson_t *h, const char *key, const int64_t *counts, size_t len)
{
	bool ok = true;
	bson_t array;

	if (!bson_append_array_begin(h, key, -1, &array))
		return false;
	for (size_t i = 0; ok && i < len; i++) {
		char text[16];
		const char *name;
		size_t n = bson_uint32_to_string((uint32_t)i, &name, text, sizeof(text));

		ok = bson_append_int64(&array, name, (int)n, counts[i]);
	}
	return bson_append_array_end(h, &array) && ok;
}

static bool append_histogram(bson_t *doc, const struct histogram *from)
{
	bool ok;
	bson_t h;

	if (!bson_append_document_begin(doc, "h", 1, &h))
		return false;
	ok = bson_append_int32(&h, "s", 1, from->scale) && bson_append_int64(&h, "z", 1, from->zero) &&
	     bson_append_int32(&h, "o", 1, from->offset) && append_counts(&h, "c", from->counts, from->counts_len) &&
	     bson_append_int32(&h, "no", 2, from->neg_offset) &&
	     append_counts(&h, "nc", from->neg_counts, from->neg_counts_len);
	return bson_append_document_end(doc, &h) && ok;
}

static int append_distribution(struct document_maker *m, const struct aggregate *a, struct err *err)
{
	if (a->kind != SERIES_KIND_DISTRIBUTION || !a->has_histogram)
		return 0;
	if (merge_histogram(&m->hist, &a->histogram, err) < 0)
		return -1;
	if (!append_percentiles(m->doc, a, &m->hist) || !append_histogram(m->doc, &a->histogram))
		return err_nomem(err, "a document's histogram");
	return 0;
}

const bson_t *document_build(struct document_maker *m, const struct aggregate *a, int32_t window_ms,
			     const struct document_origin *origin, struct err *err)
{
	uint8_t id[DOCUMENT_ID_BYTES];
	bson_t *doc = m->doc;

	if (check(a, window_ms, err) < 0)
		return NULL;
	document_id(a->fingerprint, a->window_start, origin, id);
	bson_reinit(doc);
	if (!bson_append_binary(doc, "_id", 3, BSON_SUBTYPE_BINARY, id, sizeof(id)) || !append_str(doc, "site", a->site) ||
	    !append_str(doc, "name", a->name) || !bson_append_utf8(doc, "kind", 4, kind_names[a->kind], -1)) {
		err_nomem(err, "a document");
		return NULL;
	}
	if (append_tags(doc, a, err) < 0)
		return NULL;
	if (!append_figures(doc, a)) {
		err_nomem(err, "a document's figures");
		return NULL;
	}
	if (append_distribution(m, a, err) < 0)
		return NULL;
	if ((a->errors > 0 && !bson_append_int64(doc, "errors", 6, a->errors)) || !bson_append_bool(doc, "late", 4, a->late) ||
	    !bson_append_bool(doc, "approximate", 11, a->approximate)) {
		err_nomem(err, "a document");
		return NULL;
	}
	if (doc->len > DOCUMENT_MAX_BYTES) {
		err_set(err, ERR_REJECT, "its document of %" PRIu32 " bytes is larger than the %d a server takes", doc->len,
			DOCUMENT_MAX_BYTES);
		return NULL;
	}
	return doc;
}
