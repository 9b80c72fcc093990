/* test_verify_document.c - documents as the sink writes them, and as an editor leaves them. The JSON is written out by hand. */
#include "deploy/ctl/verify_document.h"

#include <endian.h>
#include <string.h>

#include "tests/unit/unit.h"

enum { MIN = 60000, HOUR = 60 * MIN };

#define H (INT64_C(500) * HOUR)
#define EPOCH INT64_C(-77)

/* The _id's first 32 bytes as they should be, 12 of place behind them. */
static void make_id(const struct series_id *id, int64_t t_ms, int64_t epoch, uint8_t out[44])
{
	int64_t t = (int64_t)htobe64((uint64_t)t_ms), e = (int64_t)htobe64((uint64_t)epoch);

	memset(out, 7, 44);
	series_fingerprint(id, out);
	memcpy(out + 16, &t, 8);
	memcpy(out + 24, &e, 8);
}

/* A document of a series with one tag, and these fields besides; at: its t. */
static bson_t *document(const char *json, uint8_t kind, int64_t t_ms, int64_t at_ms, int64_t epoch, size_t id_len)
{
	static const char *const kinds[] = {"counter", "gauge", "distribution"};
	const struct tag tags[] = {{STR("a.b"), STR("x")}};
	const struct series_id id = {.site = STR("shop"), .kind = kind, .name = STR("n"), .tags = tags, .tags_len = 1};
	bson_error_t error;
	bson_t *rest = bson_new_from_json((const uint8_t *)json, -1, &error), *doc = bson_new(), sub;
	uint8_t bytes[44];

	ck_assert_msg(rest != NULL, "%s: %s", json, error.message);
	make_id(&id, t_ms, epoch, bytes);
	if (id_len)
		BSON_APPEND_BINARY(doc, "_id", BSON_SUBTYPE_BINARY, bytes, (uint32_t)id_len);
	BSON_APPEND_UTF8(doc, "site", "shop");
	BSON_APPEND_UTF8(doc, "name", "n");
	BSON_APPEND_UTF8(doc, "kind", kinds[kind]);
	BSON_APPEND_DOCUMENT_BEGIN(doc, "tags", &sub);
	BSON_APPEND_UTF8(&sub, "a.b", "x");
	bson_append_document_end(doc, &sub);
	BSON_APPEND_DATE_TIME(doc, "t", at_ms);
	bson_concat(doc, rest);
	bson_destroy(rest);
	return doc;
}

#define REST "\"late\":false,\"approximate\":false"
#define PLAIN "\"count\":2,\"sum\":5.0,\"mean\":2.5,\"min\":1.0,\"max\":4.0,\"last\":4.0,\"last_at\":{\"$date\":{\"$numberLong\":\"1800000001000\"}}," REST
#define HIST "\"h\":{\"s\":5,\"z\":{\"$numberLong\":\"1\"},\"o\":-3,\"c\":[1,0,2],\"no\":7,\"nc\":[{\"$numberLong\":\"3\"}]}"

static int take(struct verify_sheet *s, bson_t *doc, bool hourly, const char **fault)
{
	int rc = verify_document_take(s, doc, hourly, EPOCH, fault, NULL);

	bson_destroy(doc);
	return rc;
}

static const struct verify_window *window(struct verify_sheet *s, uint8_t kind, int slot)
{
	const struct tag tags[] = {{STR("a.b"), STR("x")}};
	const struct series_id id = {.site = STR("shop"), .kind = kind, .name = STR("n"), .tags = tags, .tags_len = 1};

	return verify_sheet_series(s, &id, NULL)->windows[VERIFY_STORED][slot];
}

START_TEST(fragments_merge)
{
	struct verify_sheet s = {.hour_ms = H};
	const char *fault = NULL;
	const struct verify_window *w;

	ck_assert_int_eq(take(&s, document("{" PLAIN "}", 0, H + 2 * MIN, H + 2 * MIN, EPOCH, 44), false, &fault), VERIFY_DOCUMENT_TAKEN);
	ck_assert_int_eq(take(&s, document("{\"count\":1,\"sum\":-1.0," REST "}", 0, H + 2 * MIN, H + 2 * MIN, EPOCH, 44), false, &fault),
			 VERIFY_DOCUMENT_TAKEN);
	w = window(&s, 0, 2);
	ck_assert(w && w->count == 3 && w->sum == 4.0L && w->has_min && w->min == 1 && w->max == 4 && w->last == 4 &&
		  w->last_at_ms == 1800000001000 && !w->approximate);
	ck_assert_int_eq(take(&s, document("{" PLAIN "}", 0, H, H, EPOCH, 44), true, &fault), VERIFY_DOCUMENT_TAKEN);
	ck_assert(window(&s, 0, VERIFY_HOUR_SLOT)->count == 2 && !window(&s, 0, 0));
	verify_sheet_fini(&s);
}
END_TEST

START_TEST(histograms_are_read)
{
	struct verify_sheet s = {.hour_ms = H};
	const char *fault = NULL;
	int64_t counts[] = {1, 0, 2}, neg[] = {3};
	struct verify_hist want = VERIFY_HIST_INIT;
	const struct verify_window *w;

	ck_assert_int_eq(take(&s, document("{" PLAIN "," HIST "}", 2, H, H, EPOCH, 44), false, &fault), VERIFY_DOCUMENT_TAKEN);
	w = window(&s, 2, 0);
	ck_assert_int_eq(verify_hist_read(&want,
					  &(struct histogram){.scale = 5, .zero = 1, .offset = -3, .counts = counts, .counts_len = 3,
							      .neg_offset = 7, .neg_counts = neg,
								     .neg_counts_len = 1}), 0);
	ck_assert(verify_hist_equal(&w->hist, &want));
	verify_hist_fini(&want);
	verify_sheet_fini(&s);
}
END_TEST

START_TEST(numbers_of_an_editor)
{
	struct verify_sheet s = {.hour_ms = H};
	const char *fault = NULL;

	ck_assert_int_eq(take(&s, document("{\"count\":3.0,\"sum\":7,\"errors\":2," REST ",\"note\":\"mine\"}", 1, H, H, EPOCH, 44), false, &fault),
			 VERIFY_DOCUMENT_TAKEN);
	ck_assert(window(&s, 1, 0)->count == 3 && window(&s, 1, 0)->errors == 2 && window(&s, 1, 0)->sum == 7.0L);
	verify_sheet_fini(&s);
}
END_TEST

START_TEST(other_topics_are_foreign)
{
	struct verify_sheet s = {.hour_ms = H};
	const char *fault = NULL;

	ck_assert_int_eq(take(&s, document("{" PLAIN "}", 0, H, H, EPOCH + 1, 44), false, &fault), VERIFY_DOCUMENT_FOREIGN);
	ck_assert_uint_eq(s.series.len, 0);
	verify_sheet_fini(&s);
}
END_TEST

static const struct { const char *json; uint8_t kind; int64_t id_at, at; size_t id_len; bool hourly; const char *words; } bad[] = {
	{"{" PLAIN "}", 0, H, H, 0, false, "_id is none"},
	{"{" PLAIN "}", 0, H, H, 43, false, "_id is none"},
	{"{" PLAIN "}", 0, H + MIN, H, 44, false, "of another time"},
	{"{" PLAIN "}", 0, H + 1, H + 1, 44, false, "not the start"},
	{"{" PLAIN "}", 0, H + MIN, H + MIN, 44, true, "not the start"},
	{"{" PLAIN "}", 0, H + HOUR, H + HOUR, 44, false, "not the start"},
	{"{" PLAIN ",\"name\":\"other\"}", 0, H, H, 44, false, "another series"},
	{"{" PLAIN ",\"kind\":\"gauge\"}", 0, H, H, 44, false, "another series"},
	{"{" PLAIN ",\"kind\":\"gage\"}", 0, H, H, 44, false, "site, kind or name"},
	{"{" PLAIN ",\"site\":7}", 0, H, H, 44, false, "one of its fields"},
	{"{" PLAIN ",\"count\":\"many\"}", 0, H, H, 44, false, "one of its fields"},
	{"{" PLAIN ",\"count\":1.5}", 0, H, H, 44, false, "one of its fields"},
	{"{" PLAIN ",\"count\":0}", 0, H, H, 44, false, "not positive"},
	{"{" PLAIN ",\"errors\":-1}", 0, H, H, 44, false, "errors are negative"},
	{"{" PLAIN ",\"errors\":\"2\"}", 0, H, H, 44, false, "one of its fields"},
	{"{" PLAIN ",\"min\":null}", 0, H, H, 44, false, "one of its fields"},
	{"{" PLAIN ",\"last_at\":7}", 0, H, H, 44, false, "one of its fields"},
	{"{" PLAIN ",\"approximate\":1}", 0, H, H, 44, false, "one of its fields"},
	{"{" PLAIN ",\"tags\":{\"a\":1}}", 0, H, H, 44, false, "one of its fields"},
	{"{" PLAIN ",\"tags\":{\"a\":\"1\",\"a\":\"2\"}}", 0, H, H, 44, false, "one of its fields"},
	{"{\"count\":1," REST "}", 0, H, H, 44, false, "t, count or sum"},
	{"{\"sum\":1.0," REST "}", 0, H, H, 44, false, "t, count or sum"},
	{"{" PLAIN "," HIST "}", 1, H, H, 44, false, "histogram"},
	{"{" PLAIN "}", 2, H, H, 44, false, "histogram"},
	{"{" PLAIN ",\"h\":{\"s\":4,\"z\":1,\"o\":0,\"c\":[],\"no\":0,\"nc\":[]}}", 2, H, H, 44, false, "one of its fields"},
	{"{" PLAIN ",\"h\":{\"s\":5,\"z\":-1,\"o\":0,\"c\":[],\"no\":0,\"nc\":[]}}", 2, H, H, 44, false, "one of its fields"},
	{"{" PLAIN ",\"h\":{\"s\":5,\"z\":1,\"o\":0,\"c\":[-1],\"no\":0,\"nc\":[]}}", 2, H, H, 44, false, "one of its fields"},
	{"{" PLAIN ",\"h\":{\"s\":5,\"z\":1,\"o\":90000,\"c\":[1],\"no\":0,\"nc\":[]}}", 2, H, H, 44, false, "one of its fields"},
	{"{" PLAIN ",\"h\":{\"s\":5,\"z\":1,\"o\":0,\"c\":7,\"no\":0,\"nc\":[]}}", 2, H, H, 44, false, "one of its fields"},
	{"{" PLAIN ",\"h\":{\"s\":5,\"z\":1,\"o\":0,\"c\":[]}}", 2, H, H, 44, false, "one of its fields"},
	{"{" PLAIN ",\"h\":7}", 2, H, H, 44, false, "one of its fields"},
};

START_TEST(what_is_no_fragment)
{
	struct verify_sheet s = {.hour_ms = H};
	const char *fault = "";
	int rc = take(&s, document(bad[_i].json, bad[_i].kind, bad[_i].id_at, bad[_i].at, EPOCH, bad[_i].id_len), bad[_i].hourly, &fault);

	ck_assert_msg(rc == VERIFY_DOCUMENT_BAD && strstr(fault, bad[_i].words), "%s: %d %s", bad[_i].json, rc, fault);
	ck_assert_uint_eq(s.series.len, 0);
	verify_sheet_fini(&s);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ctl/verify_document");
	TCase *tc = tcase_create("verify_document");

	tcase_add_test(tc, fragments_merge);
	tcase_add_test(tc, histograms_are_read);
	tcase_add_test(tc, numbers_of_an_editor);
	tcase_add_test(tc, other_topics_are_foreign);
	tcase_add_loop_test(tc, what_is_no_fragment, 0, (int)NR(bad));
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
