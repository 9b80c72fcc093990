/* verify_document.c - see verify_document.h.
 *
 * A document is read whole before anything of it is added. Its _id says of which topics it is (two cells may share a database), and must
 * agree with what the document itself says: the _id is what kept a second copy out. */
#include "deploy/ctl/verify_document.h"

#include <endian.h>
#include <math.h>

enum { ID_BYTES = 44, COUNTS_MAX = 80000 /* more than there are buckets of one sign */ };

struct fields {
	struct str site, kind, name;
	struct tag tags[SERIES_TAGS_MAX];
	size_t tags_len;
	const uint8_t *id; /* ID_BYTES; NULL: none */
	int64_t t_ms;
	bool has_t, has_count, has_sum, has_h;
	struct verify_part part;
	struct verify_hist hist;
};

static bool take_text(bson_iter_t *at, struct str *out)
{
	uint32_t len;

	if (!BSON_ITER_HOLDS_UTF8(at))
		return false;
	out->p = bson_iter_utf8(at, &len);
	out->len = len;
	return true;
}

static bool take_whole(bson_iter_t *at, int64_t *out)
{
	double d;

	if (BSON_ITER_HOLDS_INT32(at) || BSON_ITER_HOLDS_INT64(at)) {
		*out = bson_iter_as_int64(at);
		return true;
	}
	d = BSON_ITER_HOLDS_DOUBLE(at) ? bson_iter_double(at) : NAN;
	if (!(fabs(d) < 0x1p62) || d != trunc(d))
		return false;
	*out = (int64_t)d;
	return true;
}

static bool take_number(bson_iter_t *at, double *out)
{
	if (!BSON_ITER_HOLDS_NUMBER(at))
		return false;
	*out = bson_iter_as_double(at);
	return true;
}

static bool take_date(bson_iter_t *at, int64_t *out)
{
	if (!BSON_ITER_HOLDS_DATE_TIME(at))
		return false;
	*out = bson_iter_date_time(at);
	return true;
}

static bool take_tags(bson_iter_t *at, struct fields *f)
{
	bson_iter_t tag;

	if (!BSON_ITER_HOLDS_DOCUMENT(at) || !bson_iter_recurse(at, &tag))
		return false;
	for (; bson_iter_next(&tag); f->tags_len++) {
		struct tag *to = &f->tags[f->tags_len];

		if (f->tags_len == SERIES_TAGS_MAX || !take_text(&tag, &to->value))
			return false;
		to->key = (struct str){bson_iter_key(&tag), bson_iter_key_len(&tag)};
		if (to->key.len > SERIES_STRING_MAX || to->value.len > SERIES_STRING_MAX)
			return false;
	}
	return series_sort_tags(f->tags, f->tags_len) == 0;
}

static bool take_id(bson_iter_t *at, struct fields *f)
{
	const uint8_t *bytes;
	uint32_t len;
	bson_subtype_t subtype;

	if (!BSON_ITER_HOLDS_BINARY(at))
		return false;
	bson_iter_binary(at, &subtype, &len, &bytes);
	if (len != ID_BYTES)
		return false;
	f->id = bytes;
	return true;
}

/* A list of counts, from an index on, into a travelling histogram of one bucket each: simple, and no list is believed to have a length. */
static bool take_counts(bson_iter_t *at, int64_t offset, bool negative, struct verify_hist *hist)
{
	bson_iter_t count;
	int64_t n, nr = 0, i = offset;

	if (!BSON_ITER_HOLDS_ARRAY(at) || !bson_iter_recurse(at, &count))
		return false;
	for (; bson_iter_next(&count); i++) {
		struct histogram one = {.scale = VERIFY_SCALE};
		uint64_t total;

		if (++nr > COUNTS_MAX || i < INT32_MIN || i > INT32_MAX || !take_whole(&count, &n))
			return false;
		*(negative ? &one.neg_offset : &one.offset) = (int32_t)i;
		*(negative ? &one.neg_counts : &one.counts) = &n;
		*(negative ? &one.neg_counts_len : &one.counts_len) = 1;
		if (verify_hist_fault(&one, &total) || verify_hist_read(hist, &one) < 0)
			return false;
	}
	return true;
}

static bool take_hist(bson_iter_t *at, struct verify_hist *hist)
{
	int64_t scale = -100, zero = -1, offset = 0, neg_offset = 0;
	struct histogram zeros = {.scale = VERIFY_SCALE};
	bson_iter_t h, counts, neg_counts;
	bool ok = BSON_ITER_HOLDS_DOCUMENT(at), has_counts = false, has_neg_counts = false;

	for (ok = ok && bson_iter_recurse(at, &h); ok && bson_iter_next(&h);) {
		const char *key = bson_iter_key(&h);

		if (strcmp(key, "s") == 0)
			ok = take_whole(&h, &scale);
		else if (strcmp(key, "z") == 0)
			ok = take_whole(&h, &zero);
		else if (strcmp(key, "o") == 0)
			ok = take_whole(&h, &offset);
		else if (strcmp(key, "no") == 0)
			ok = take_whole(&h, &neg_offset);
		else if ((has_counts |= strcmp(key, "c") == 0) && strcmp(key, "c") == 0)
			counts = h;
		else if ((has_neg_counts |= strcmp(key, "nc") == 0) && strcmp(key, "nc") == 0)
			neg_counts = h;
	}
	if (!ok || scale != VERIFY_SCALE || zero < 0 || !has_counts || !has_neg_counts)
		return false;
	zeros.zero = zero;
	return verify_hist_read(hist, &zeros) == 0 && take_counts(&counts, offset, false, hist) &&
	       take_counts(&neg_counts, neg_offset, true, hist);
}

/* One field; false: of a wrong type. What is not ours to compare is passed over. */
static bool take_figure(bson_iter_t *at, const char *key, struct fields *f)
{
	struct verify_part *part = &f->part;

	if (strcmp(key, "count") == 0)
		return f->has_count = take_whole(at, &part->count);
	if (strcmp(key, "errors") == 0) /* left out where there are none */
		return take_whole(at, &part->errors);
	if (strcmp(key, "sum") == 0)
		return f->has_sum = take_number(at, &part->sum);
	if (strcmp(key, "min") == 0)
		return part->has_min = take_number(at, &part->min);
	if (strcmp(key, "max") == 0)
		return part->has_max = take_number(at, &part->max);
	if (strcmp(key, "last") == 0)
		return part->has_last = take_number(at, &part->last);
	if (strcmp(key, "last_at") == 0)
		return take_date(at, &part->last_at_ms);
	if (strcmp(key, "h") == 0)
		return f->has_h = take_hist(at, &f->hist);
	if (strcmp(key, "approximate") == 0) {
		part->approximate = bson_iter_as_bool(at);
		return BSON_ITER_HOLDS_BOOL(at);
	}
	return true;
}

static bool take_field(bson_iter_t *at, struct fields *f)
{
	const char *key = bson_iter_key(at);

	if (strcmp(key, "_id") == 0)
		return take_id(at, f);
	if (strcmp(key, "site") == 0)
		return take_text(at, &f->site);
	if (strcmp(key, "kind") == 0)
		return take_text(at, &f->kind);
	if (strcmp(key, "name") == 0)
		return take_text(at, &f->name);
	if (strcmp(key, "tags") == 0)
		return take_tags(at, f);
	if (strcmp(key, "t") == 0)
		return f->has_t = take_date(at, &f->t_ms);
	return take_figure(at, key, f);
}

static uint64_t big_endian(const uint8_t *p)
{
	uint64_t number;

	memcpy(&number, p, sizeof(number));
	return be64toh(number);
}

/* The number of a kind's name; -1: no kind. */
static int kind_of(struct str name)
{
	for (int kind = SERIES_KIND_COUNTER; kind <= SERIES_KIND_DISTRIBUTION; kind++)
		if (str_eq(name, str_from(series_kind_name((enum series_kind)kind))))
			return kind;
	return -1;
}

/* What is wrong with what was read; NULL: nothing. */
static const char *fault_of(const struct verify_sheet *sheet, const struct fields *f, int kind, bool hourly)
{
	int slot = verify_sheet_slot(sheet, f->t_ms);

	if (kind < 0 || !f->site.p || !f->name.p || f->site.len > UINT16_MAX || f->name.len > SERIES_STRING_MAX)
		return "its site, kind or name is not there, or is none";
	if (!f->has_t || !f->has_count || !f->has_sum)
		return "its t, count or sum is not there";
	if (f->part.count < 1)
		return "its count is not positive";
	if (f->part.errors < 0)
		return "its errors are negative";
	if ((kind == SERIES_KIND_DISTRIBUTION) != f->has_h)
		return "it has a histogram where none belongs, or none where one does";
	if (slot < 0 || verify_sheet_start(sheet, hourly ? VERIFY_HOUR_SLOT : slot) != f->t_ms)
		return "its t is not the start of a window";
	return big_endian(f->id + 16) == (uint64_t)f->t_ms ? NULL : "its _id is of another time";
}

/* Adds a document that is of this cell. */
static int take_fields(struct verify_sheet *sheet, const struct fields *f, bool hourly, const char **fault, struct err *err)
{
	int kind = kind_of(f->kind), slot;
	struct series_id id = {.site = f->site, .name = f->name, .tags = f->tags, .tags_len = f->tags_len};
	uint8_t fingerprint[SERIES_FINGERPRINT_BYTES];
	struct verify_series *series;
	struct verify_window *w;

	*fault = fault_of(sheet, f, kind, hourly);
	if (*fault)
		return VERIFY_DOCUMENT_BAD;
	id.kind = (uint8_t)kind;
	series_fingerprint(&id, fingerprint);
	if (memcmp(fingerprint, f->id, sizeof(fingerprint)) != 0) {
		*fault = "its _id is of another series";
		return VERIFY_DOCUMENT_BAD;
	}
	series = verify_sheet_series(sheet, &id, err);
	slot = hourly ? VERIFY_HOUR_SLOT : verify_sheet_slot(sheet, f->t_ms);
	w = series ? verify_sheet_window(sheet, series, VERIFY_STORED, slot, err) : NULL;
	if (!w)
		return -1;
	return verify_window_add_part(w, &f->part) < 0 ? err_nomem(err, "a window") : VERIFY_DOCUMENT_TAKEN;
}

int verify_document_take(struct verify_sheet *sheet, const bson_t *document, bool hourly, int64_t epoch, const char **fault,
			 struct err *err)
{
	struct fields f = {.hist = VERIFY_HIST_INIT};
	bson_iter_t at;
	bool ok = bson_iter_init(&at, document);
	int rc = VERIFY_DOCUMENT_BAD;

	f.part.hist = &f.hist;
	while (ok && bson_iter_next(&at))
		ok = take_field(&at, &f);
	if (f.id && big_endian(f.id + 24) != (uint64_t)epoch)
		rc = VERIFY_DOCUMENT_FOREIGN;
	else if (!ok || !f.id)
		*fault = !f.id ? "its _id is none of Millrace's" : "one of its fields is not what it should be";
	else
		rc = take_fields(sheet, &f, hourly, fault, err);
	verify_hist_fini(&f.hist);
	return rc;
}
