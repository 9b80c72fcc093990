/* test_incident_document.c - documents of random incidents, byte for byte as libbson's builder writes what deploy/mongo/README.md promises. */
#include "sink/mongo/incident_document.h"

#include "tests/unit/sink/alerts.h"
#include "tests/unit/sink/libbson.h"

enum { INCIDENTS = 4000 };

static const struct document_origin origin = {-0x123456789abcdf0, 0, 123456789};

static void expect_alert(bson_t *to, const struct incident_alert *a)
{
	static const char *const states[] = {"open", "closed", "moved"}, *const kinds[] = {"counter", "gauge", "distribution"};

	BSON_APPEND_UTF8(to, "state", states[a->state]);
	libbson_text(to, "name", a->name);
	if (a->has_series_kind)
		BSON_APPEND_UTF8(to, "series_kind", kinds[a->series_kind]);
	libbson_tags(to, a->tags, a->tags_len);
	if (a->has_value)
		BSON_APPEND_DOUBLE(to, "value", a->value);
	libbson_date(to, "opened_at", true, a->opened_at);
	libbson_date(to, "closed_at", a->has_closed_at, a->closed_at);
	libbson_date(to, "join_until", a->has_join_until, a->join_until);
	libbson_hex(to, "series", a->fingerprint);
	libbson_hex(to, "alert", a->episode);
}

static void expect_alerts(bson_t *to, const struct incident *n)
{
	bson_t array, item;

	if (!n->alerts_len)
		return;
	BSON_APPEND_ARRAY_BEGIN(to, "alerts", &array);
	for (size_t i = 0; i < n->alerts_len; i++) {
		char name[24];

		snprintf(name, sizeof(name), "%zu", i);
		BSON_APPEND_DOCUMENT_BEGIN(&array, name, &item);
		expect_alert(&item, &n->alerts[i]);
		bson_append_document_end(&array, &item);
	}
	bson_append_array_end(to, &array);
}

static void expect(bson_t *to, const struct incident *n)
{
	static const char *const states[] = {"open", "resolved"}, *const severities[] = {"info", "warning", "critical"};
	uint8_t id[DOCUMENT_ID_BYTES];

	document_id(n->id, n->updated_at, &origin, id); /* test_document.c knows it byte for byte */
	bson_append_binary(to, "_id", -1, BSON_SUBTYPE_BINARY, id, sizeof(id));
	bson_append_utf8(to, "site", -1, n->site.p, (int)n->site.len);
	BSON_APPEND_DATE_TIME(to, "t", n->updated_at);
	libbson_text(to, "trigger", n->trigger);
	libbson_hex(to, "incident", n->id);
	BSON_APPEND_INT64(to, "version", n->version);
	BSON_APPEND_UTF8(to, "state", states[n->state]);
	BSON_APPEND_UTF8(to, "severity", severities[n->severity]);
	libbson_text(to, "site_name", n->site_name);
	libbson_text(to, "description", n->description);
	libbson_text(to, "condition", n->condition);
	libbson_texts(to, "receivers", n->receivers, n->receivers_len);
	libbson_date(to, "opened_at", true, n->opened_at);
	libbson_date(to, "created_at", true, n->created_at);
	libbson_date(to, "resolved_at", n->has_resolved_at, n->resolved_at);
	libbson_date(to, "acked_at", n->has_acked_at, n->acked_at);
	libbson_text(to, "acked_by", n->has_acked_by ? n->acked_by : STR(""));
	libbson_text(to, "ack_reason", n->has_ack_reason ? n->ack_reason : STR(""));
	BSON_APPEND_INT64(to, "alerts_total", n->alerts_total);
	BSON_APPEND_INT64(to, "open_alerts", n->open_alerts);
	if (n->behind_opened + n->behind_closed) {
		BSON_APPEND_INT64(to, "behind_opened", n->behind_opened);
		BSON_APPEND_INT64(to, "behind_closed", n->behind_closed);
	}
	expect_alerts(to, n);
}

START_TEST(as_libbson_writes_it)
{
	struct unit_random r = unit_random_new("as_libbson_writes_it");
	struct arena a = ARENA_INIT;
	struct document_maker m;
	struct err err = ERR_INIT;

	document_maker_init(&m);
	for (unsigned i = 0; i < INCIDENTS; i++) {
		struct incident n = alerts_incident(&r, &a);
		bson_t expected = BSON_INITIALIZER;
		const bson_t *doc = incident_document_build(&m, &n, &origin, &err);

		ck_assert_msg(doc != NULL, "%s", err.msg);
		expect(&expected, &n);
		libbson_must_equal(doc, &expected);
		bson_destroy(&expected);
		arena_clear(&a);
	}
	document_maker_fini(&m);
	arena_fini(&a);
}
END_TEST

/* Each of the times that an incident and its alerts may have, beyond the calendar; and unknown, where it does not matter. */
static const char *const moments[] = {"opened_at", "created_at", "updated_at", "resolved_at", "acked_at", "alert 1: opened_at", "alert 1: closed_at", "alert 1: join_until"};

START_TEST(times_that_no_calendar_has)
{
	struct incident_alert alerts[2] = {{.name = STR("m")}, {.name = STR("m")}};
	struct incident n = {.site = STR("shop"), .alerts = alerts, .alerts_len = 2};
	int64_t *const times[] = {&n.opened_at, &n.created_at, &n.updated_at, &n.resolved_at, &n.acked_at, &alerts[1].opened_at, &alerts[1].closed_at, &alerts[1].join_until};
	bool *const has[NR(moments)] = {[3] = &n.has_resolved_at, [4] = &n.has_acked_at, [6] = &alerts[1].has_closed_at, [7] = &alerts[1].has_join_until};
	struct document_maker m;
	struct err err = ERR_INIT;

	document_maker_init(&m);
	*times[_i] = INT64_C(253402300800000);
	if (has[_i]) {
		ck_assert_ptr_nonnull(incident_document_build(&m, &n, &origin, &err));
		*has[_i] = true;
	}
	ck_assert_ptr_null(incident_document_build(&m, &n, &origin, &err));
	ck_assert_msg(err.kind == ERR_REJECT && strstr(err.msg, moments[_i]) == err.msg, "%s", err.msg);
	(*times[_i])--;
	ck_assert_ptr_nonnull(incident_document_build(&m, &n, &origin, &err));
	document_maker_fini(&m);
}
END_TEST

START_TEST(tags_that_make_no_document)
{
	struct tag doubled[] = {{STR("a"), STR("1")}, {STR("a"), STR("2")}};
	struct incident_alert alerts[2] = {{.name = STR("m")}, {.name = STR("m"), .tags = doubled, .tags_len = 2}};
	struct incident n = {.site = STR("shop"), .alerts = alerts, .alerts_len = 2};
	struct document_maker m;
	struct err err = ERR_INIT;

	document_maker_init(&m);
	ck_assert_ptr_null(incident_document_build(&m, &n, &origin, &err));
	ck_assert_msg(err.kind == ERR_REJECT && strstr(err.msg, "alert 1: tag 1"), "%s", err.msg);
	document_maker_fini(&m);
}
END_TEST

/* A thousand alerts with all the tags that a series may have are far from what a server takes; more than a notifier keeps may not be. */
START_TEST(too_large_is_refused)
{
	enum { ALERTS = 300000 };
	struct incident_alert *alerts = calloc(ALERTS, sizeof(*alerts));
	struct incident n = {.site = STR("shop"), .alerts = alerts, .alerts_len = ALERTS};
	struct document_maker m;
	struct err err = ERR_INIT;

	document_maker_init(&m);
	ck_assert_ptr_null(incident_document_build(&m, &n, &origin, &err));
	ck_assert_msg(err.kind == ERR_REJECT && strstr(err.msg, "larger than"), "%s", err.msg);
	document_maker_fini(&m);
	free(alerts);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("incident_document");
	TCase *tc = tcase_create("incident_document");

	tcase_add_test(tc, as_libbson_writes_it);
	tcase_add_loop_test(tc, times_that_no_calendar_has, 0, NR(moments));
	tcase_add_test(tc, tags_that_make_no_document);
	tcase_add_test(tc, too_large_is_refused);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
