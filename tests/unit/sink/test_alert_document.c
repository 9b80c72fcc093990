/* test_alert_document.c - documents of random alert events, byte for byte as libbson's builder writes what deploy/mongo/README.md promises. */
#include "sink/mongo/alert_document.h"

#include "tests/unit/sink/alerts.h"
#include "tests/unit/sink/libbson.h"

enum { EVENTS = 4000 };

static const struct document_origin origin = {-0x123456789abcdf0, 11, 123456789};
static const char *const severities[] = {"info", "warning", "critical"}, *const series_kinds[] = {"counter", "gauge", "distribution"};

static void expect(bson_t *to, const struct alert_event *e)
{
	static const char *const kinds[] = {"opened", "closed", "moved", "summary"};
	bool summary = e->kind == ALERT_EVENT_KIND_SUMMARY;
	uint8_t id[DOCUMENT_ID_BYTES];

	document_id(e->fingerprint, e->minute, &origin, id); /* test_document.c knows it byte for byte */
	bson_append_binary(to, "_id", -1, BSON_SUBTYPE_BINARY, id, sizeof(id));
	bson_append_utf8(to, "site", -1, e->site.p, (int)e->site.len);
	BSON_APPEND_DATE_TIME(to, "t", e->minute);
	libbson_text(to, "trigger", e->trigger);
	BSON_APPEND_UTF8(to, "kind", kinds[e->kind]);
	BSON_APPEND_UTF8(to, "severity", severities[e->severity]);
	libbson_text(to, "site_name", e->site_name);
	libbson_hex(to, "alert", e->episode);
	libbson_hex(to, "event", e->id);
	libbson_text(to, "description", e->description);
	libbson_text(to, "condition", e->condition);
	libbson_texts(to, "receivers", e->receivers, e->receivers_len);
	BSON_APPEND_INT32(to, "warm_up_minutes", e->warm_up_minutes);
	BSON_APPEND_INT32(to, "cooldown_minutes", e->cooldown_minutes);
	if (!summary)
		libbson_hex(to, "series", e->fingerprint);
	libbson_text(to, "name", e->name);
	if (e->has_series_kind)
		BSON_APPEND_UTF8(to, "series_kind", series_kinds[e->series_kind]);
	libbson_tags(to, e->tags, e->tags_len);
	if (e->has_value)
		BSON_APPEND_DOUBLE(to, "value", e->value);
	libbson_text(to, "reason", e->reason);
	BSON_APPEND_DATE_TIME(to, "opened_at", e->opened_at);
	BSON_APPEND_DATE_TIME(to, "at", e->at);
	if (summary)
		BSON_APPEND_INT64(to, "opened", e->opened);
	if (summary)
		BSON_APPEND_INT64(to, "closed", e->closed);
}

START_TEST(as_libbson_writes_it)
{
	struct unit_random r = unit_random_new("as_libbson_writes_it");
	struct arena a = ARENA_INIT;
	struct document_maker m;
	struct err err = ERR_INIT;

	document_maker_init(&m);
	for (unsigned i = 0; i < EVENTS; i++) {
		struct alert_event e = alerts_event(&r, &a);
		bson_t expected = BSON_INITIALIZER;
		const bson_t *doc = alert_document_build(&m, &e, &origin, &err);

		ck_assert_msg(doc != NULL, "%s", err.msg);
		expect(&expected, &e);
		libbson_must_equal(doc, &expected);
		bson_destroy(&expected);
		arena_clear(&a);
	}
	document_maker_fini(&m);
	arena_fini(&a);
}
END_TEST

/* The last time of the calendar, and the first that is none. */
static const struct { int64_t minute, opened_at, at; const char *refused; } times[] = {
	{0, 0, 0, NULL}, {INT64_C(253402300799999), INT64_C(253402300799999), INT64_C(253402300799999), NULL},
	{-1, 0, 0, "minute is -1"}, {0, -1, 0, "opened_at is -1"}, {0, 0, -1, "at is -1"},
	{INT64_C(253402300800000), 0, 0, "minute is"}, {0, INT64_MAX, 0, "opened_at is"}, {0, 0, INT64_MIN, "at is"},
};

START_TEST(times_that_no_calendar_has)
{
	struct alert_event e = {.site = STR("shop"), .minute = times[_i].minute, .opened_at = times[_i].opened_at, .at = times[_i].at};
	struct document_maker m;
	struct err err = ERR_INIT;

	document_maker_init(&m);
	ck_assert_int_eq(alert_document_build(&m, &e, &origin, &err) == NULL, times[_i].refused != NULL);
	if (times[_i].refused)
		ck_assert_msg(err.kind == ERR_REJECT && strstr(err.msg, times[_i].refused) == err.msg, "%s", err.msg);
	document_maker_fini(&m);
}
END_TEST

START_TEST(tags_that_make_no_document)
{
	struct tag doubled[] = {{STR("a"), STR("1")}, {STR("a"), STR("2")}};
	struct alert_event e = {.site = STR("shop"), .tags = doubled, .tags_len = 2};
	struct document_maker m;
	struct err err = ERR_INIT;

	document_maker_init(&m);
	ck_assert_ptr_null(alert_document_build(&m, &e, &origin, &err));
	ck_assert_int_eq(err.kind, ERR_REJECT);
	document_maker_fini(&m);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("alert_document");
	TCase *tc = tcase_create("alert_document");

	tcase_add_test(tc, as_libbson_writes_it);
	tcase_add_loop_test(tc, times_that_no_calendar_has, 0, NR(times));
	tcase_add_test(tc, tags_that_make_no_document);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
