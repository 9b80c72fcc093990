/* test_document.c - documents byte for byte against BSON put together here, by hand, from the specification (bsonspec.org 1.1).
 *
 * The oracle below knows nothing of libbson: a document is a little-endian length, elements (type byte, name, NUL, value) and a
 * NUL. Percentiles are compared as numbers, since they come from logarithms. */
#include "sink/mongo/document.h"

#include <math.h>
#include <string.h>

#include "tests/unit/unit.h"

/* BSON by hand. */
struct bytes {
	uint8_t p[8192];
	size_t len;
};

static void put(struct bytes *b, const void *from, size_t n)
{
	ck_assert_uint_le(b->len + n, sizeof(b->p));
	if (n)
		memcpy(b->p + b->len, from, n);
	b->len += n;
}

static void put_int(struct bytes *b, uint64_t v, int n)
{
	for (int i = 0; i < n; i++, v >>= 8)
		put(b, &(uint8_t){(uint8_t)v}, 1);
}

static void name(struct bytes *b, uint8_t type, const char *key)
{
	put(b, &type, 1);
	put(b, key, strlen(key) + 1);
}

static void e_double(struct bytes *b, const char *key, double v)
{
	uint64_t bits;

	memcpy(&bits, &v, sizeof(bits));
	name(b, 0x01, key);
	put_int(b, bits, 8);
}

static void e_string(struct bytes *b, const char *key, const char *v, size_t len)
{
	name(b, 0x02, key);
	put_int(b, len + 1, 4);
	put(b, v, len);
	put_int(b, 0, 1);
}

static void e_binary(struct bytes *b, const char *key, const uint8_t *v, size_t len)
{
	name(b, 0x05, key);
	put_int(b, len, 4);
	put_int(b, 0, 1);
	put(b, v, len);
}

static void e_bool(struct bytes *b, const char *key, bool v)
{
	name(b, 0x08, key);
	put_int(b, v, 1);
}

static void e_date(struct bytes *b, const char *key, int64_t v)
{
	name(b, 0x09, key);
	put_int(b, (uint64_t)v, 8);
}

static void e_int32(struct bytes *b, const char *key, int32_t v)
{
	name(b, 0x10, key);
	put_int(b, (uint32_t)v, 4);
}

static void e_int64(struct bytes *b, const char *key, int64_t v)
{
	name(b, 0x12, key);
	put_int(b, (uint64_t)v, 8);
}

/* Starts a document (type 0x03), an array (0x04) or, without a key, the outermost one; the place is for end(). */
static size_t begin(struct bytes *b, uint8_t type, const char *key)
{
	size_t at;

	if (key)
		name(b, type, key);
	at = b->len;
	put_int(b, 0, 4);
	return at;
}

static void end(struct bytes *b, size_t at)
{
	size_t len = b->len + 1 - at;

	put_int(b, 0, 1);
	for (int i = 0; i < 4; i++)
		b->p[at + (size_t)i] = (uint8_t)(len >> 8 * i);
}

static void e_counts(struct bytes *b, const char *key, const int64_t *counts, int n)
{
	size_t at = begin(b, 0x04, key);
	char index[16];

	for (int i = 0; i < n; i++) {
		snprintf(index, sizeof(index), "%d", i);
		e_int64(b, index, counts[i]);
	}
	end(b, at);
}

/* The _id of the sample record, written out. */
static const uint8_t sample_id[DOCUMENT_ID_BYTES] = {
	0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
	0x00, 0x00, 0x01, 0xa2, 0x04, 0x82, 0xa6, 0xc0, /* 1795372000960 */
	0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x32, 0x10,
	0x00, 0x00, 0x00, 0x0b,
	0x00, 0x00, 0x00, 0x00, 0x07, 0x5b, 0xcd, 0x15, /* 123456789 */
};
static const struct document_origin sample_origin = {-0x123456789abcdf0, 11, 123456789};

static struct aggregate sample(void)
{
	struct aggregate a = {.site = STR("s1"), .kind = SERIES_KIND_GAUGE, .name = STR("cpu.user"), .window_start = 1795372000960,
			      .window_ms = 60000, .count = 4, .sum = 10};

	for (int i = 0; i < 16; i++)
		a.fingerprint[i] = (uint8_t)i;
	return a;
}

/* Everything up to and with tags; leaves the document open. */
static size_t expect_head(struct bytes *b, const char *site, const char *series, const char *kind)
{
	size_t at = begin(b, 0, NULL);

	e_binary(b, "_id", sample_id, sizeof(sample_id));
	e_string(b, "site", site, strlen(site));
	e_string(b, "name", series, strlen(series));
	e_string(b, "kind", kind, strlen(kind));
	return at;
}

static void assert_document(const struct aggregate *a, const struct bytes *expected)
{
	struct document_maker m;
	struct err err = ERR_INIT;
	const bson_t *doc;

	document_maker_init(&m);
	for (int turn = 0; turn < 2; turn++) { /* the second time with used buffers */
		doc = document_build(&m, a, a->window_ms, &sample_origin, &err);
		ck_assert_msg(doc != NULL, "%s", err.msg);
		ck_assert_uint_eq(doc->len, expected->len);
		ck_assert_mem_eq(bson_get_data(doc), expected->p, expected->len);
	}
	document_maker_fini(&m);
}

START_TEST(counter_with_the_least)
{
	struct aggregate a = sample();
	struct bytes b = {.len = 0};
	size_t at, tags;

	a.kind = SERIES_KIND_COUNTER;
	at = expect_head(&b, "s1", "cpu.user", "counter");
	tags = begin(&b, 0x03, "tags");
	end(&b, tags);
	e_date(&b, "t", 1795372000960);
	e_int64(&b, "count", 4);
	e_double(&b, "sum", 10);
	e_double(&b, "mean", 2.5);
	e_bool(&b, "late", false);
	e_bool(&b, "approximate", false);
	end(&b, at);
	assert_document(&a, &b);
}
END_TEST

START_TEST(gauge_with_all)
{
	/* A dot in a key, bytes above 127 and a NUL in a value. */
	struct tag tags[] = {{STR("a.b"), STR("\xc3\xa4\0z")}, {STR("host"), STR("web-7")}, {STR("zone"), STR("")}};
	struct aggregate a = sample();
	struct bytes b = {.len = 0};
	size_t at, inner;

	a.tags = tags;
	a.tags_len = 3;
	a.has_min = a.has_max = a.has_last = true;
	a.min = -1;
	a.max = 1e300;
	a.last = 0.5;
	a.last_at = 1795372000123;
	a.errors = 3;
	a.late = a.approximate = true;
	at = expect_head(&b, "s1", "cpu.user", "gauge");
	inner = begin(&b, 0x03, "tags");
	e_string(&b, "a.b", "\xc3\xa4\0z", 4);
	e_string(&b, "host", "web-7", 5);
	e_string(&b, "zone", "", 0);
	end(&b, inner);
	e_date(&b, "t", 1795372000960);
	e_int64(&b, "count", 4);
	e_double(&b, "sum", 10);
	e_double(&b, "min", -1);
	e_double(&b, "max", 1e300);
	e_double(&b, "mean", 2.5);
	e_double(&b, "last", 0.5);
	e_date(&b, "last_at", 1795372000123);
	e_int64(&b, "errors", 3);
	e_bool(&b, "late", true);
	e_bool(&b, "approximate", true);
	end(&b, at);
	assert_document(&a, &b);
}
END_TEST

/* All values are 3.5, and min and max say so: every percentile is clamped to it, which leaves exact bytes to compare. */
START_TEST(distribution_as_it_came)
{
	const int64_t counts[] = {0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0}, neg[] = {0};
	struct aggregate a = sample();
	struct bytes b = {.len = 0};
	size_t at, inner;

	a.kind = SERIES_KIND_DISTRIBUTION;
	a.count = 3;
	a.sum = 10.5;
	a.has_min = a.has_max = true;
	a.min = a.max = 3.5;
	a.has_histogram = true;
	a.histogram = (struct histogram){.scale = 5, .zero = 0, .offset = 55, .counts = (int64_t *)(uintptr_t)counts,
					 .counts_len = 11, .neg_offset = -7, .neg_counts = (int64_t *)(uintptr_t)neg, .neg_counts_len = 1};
	at = expect_head(&b, "s1", "cpu.user", "distribution");
	inner = begin(&b, 0x03, "tags");
	end(&b, inner);
	e_date(&b, "t", 1795372000960);
	e_int64(&b, "count", 3);
	e_double(&b, "sum", 10.5);
	e_double(&b, "min", 3.5);
	e_double(&b, "max", 3.5);
	e_double(&b, "mean", 3.5);
	e_double(&b, "p50", 3.5);
	e_double(&b, "p90", 3.5);
	e_double(&b, "p95", 3.5);
	e_double(&b, "p99", 3.5);
	inner = begin(&b, 0x03, "h");
	e_int32(&b, "s", 5);
	e_int64(&b, "z", 0);
	e_int32(&b, "o", 55);
	e_counts(&b, "c", counts, 11);
	e_int32(&b, "no", -7);
	e_counts(&b, "nc", neg, 1);
	end(&b, inner);
	e_bool(&b, "late", false);
	e_bool(&b, "approximate", false);
	end(&b, at);
	assert_document(&a, &b);
}
END_TEST

static double number_at(const bson_t *doc, const char *key)
{
	bson_iter_t it;

	ck_assert_msg(bson_iter_init_find(&it, doc, key) && BSON_ITER_HOLDS_DOUBLE(&it), "no number %s", key);
	return bson_iter_double(&it);
}

/* 100 values in 100 buckets, one each: the q-quantile is what lies relatively as far from both ends
 * of bucket ceil(100 q) - 1 (lower l, upper b l): 2 b l / (b + 1). In the second turn the same spread
 * over more buckets than a stranger's histogram may have, with zeros between: the counts go in by pieces, the result is the same. */
START_TEST(percentiles_of_buckets)
{
	const double b = exp2(1 / 32.0);
	const int step = _i ? 200 : 1, first = -9000;
	const struct { const char *key; int rank; } expected[] = {{"p50", 50}, {"p90", 90}, {"p95", 95}, {"p99", 99}};
	struct aggregate a = sample();
	int64_t *counts = calloc(20000, sizeof(*counts));
	struct document_maker m;
	struct err err = ERR_INIT;
	const bson_t *doc;

	for (int i = 0; i < 100; i++)
		counts[i * step] = 1;
	a.kind = SERIES_KIND_DISTRIBUTION;
	a.count = 100;
	a.has_histogram = true;
	a.histogram = (struct histogram){.scale = 5, .offset = first, .counts = counts, .counts_len = (size_t)(99 * step + 1)};
	document_maker_init(&m);
	doc = document_build(&m, &a, 60000, &sample_origin, &err);
	ck_assert_msg(doc != NULL, "%s", err.msg);
	for (size_t i = 0; i < NR(expected); i++) {
		double middle = 2 * b / (b + 1) * exp2((first + (expected[i].rank - 1) * step) / 32.0);

		ck_assert_msg(fabs(number_at(doc, expected[i].key) / middle - 1) < 1e-12, "%s is %g, not %g", expected[i].key,
			      number_at(doc, expected[i].key), middle);
	}
	document_maker_fini(&m);
	free(counts);
}
END_TEST

/* What must not become a document, and the word by which it is refused. */
static void must_refuse(const struct aggregate *a, const char *word)
{
	struct document_maker m;
	struct err err = ERR_INIT;

	document_maker_init(&m);
	ck_assert_msg(document_build(&m, a, 60000, &sample_origin, &err) == NULL, "taken, though %s", word);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_msg(strstr(err.msg, word) != NULL, "\"%s\" does not say \"%s\"", err.msg, word);
	document_maker_fini(&m);
}

START_TEST(refuses_what_contradicts_itself)
{
	struct tag doubled[] = {{STR("a"), STR("1")}, {STR("a"), STR("2")}}, unsorted[] = {{STR("b"), STR("1")}, {STR("a"), STR("2")}};
	struct tag nul[] = {{STR("a\0b"), STR("1")}};
	int64_t negative[] = {1, -1}, huge[] = {INT64_MAX};
	struct aggregate a = sample();

	a.count = 0;
	must_refuse(&a, "count");
	a = sample();
	a.window_ms = 3600000;
	must_refuse(&a, "3600000");
	a = sample();
	a.tags = doubled;
	a.tags_len = 2;
	must_refuse(&a, "doubled");
	a.tags = unsorted;
	must_refuse(&a, "order");
	a.tags = nul;
	a.tags_len = 1;
	must_refuse(&a, "NUL");
	a = sample();
	a.kind = SERIES_KIND_DISTRIBUTION;
	a.has_histogram = true;
	a.histogram = (struct histogram){.scale = 5, .counts = negative, .counts_len = 2};
	must_refuse(&a, "histogram");
	a.histogram = (struct histogram){.scale = 5, .counts = huge, .counts_len = 1};
	must_refuse(&a, "histogram");
	a.histogram = (struct histogram){.scale = 5, .zero = -1};
	must_refuse(&a, "zero");
	a.histogram = (struct histogram){.scale = 99};
	must_refuse(&a, "histogram");
	a.histogram = (struct histogram){.scale = 5, .offset = INT32_MAX, .counts = negative, .counts_len = 1};
	must_refuse(&a, "histogram");
}
END_TEST

/* A tag's value of 17 MB: the record decodes, but no server would take the document. */
START_TEST(refuses_what_is_too_large)
{
	size_t len = 17 << 20;
	char *text = malloc(len);
	struct tag tag = {STR("a"), {text, len}};
	struct aggregate a = sample();

	memset(text, 'x', len);
	a.tags = &tag;
	a.tags_len = 1;
	must_refuse(&a, "larger");
	free(text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("document");
	TCase *tc = tcase_create("document");

	tcase_add_test(tc, counter_with_the_least);
	tcase_add_test(tc, gauge_with_all);
	tcase_add_test(tc, distribution_as_it_came);
	tcase_add_loop_test(tc, percentiles_of_buckets, 0, 2);
	tcase_add_test(tc, refuses_what_contradicts_itself);
	tcase_add_test(tc, refuses_what_is_too_large);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
