/* test_answer.c - answers are well-formed whatever they quote: JSON is read back by a parser of its own (yajl's tree), protobuf is compared with
 * bytes written by hand (wire_text.h). */
#include <yajl/yajl_tree.h>

#include "ingest/answer.h"
#include "tests/unit/ingest/payloads.h"
#include "tests/unit/ingest/wire_text.h"

static const struct answer_form native = {0};

static yajl_val parse(const struct answer *a)
{
	char why[256] = "", *text = strndup((const char *)a->body.p, a->body.len);
	yajl_val v = yajl_tree_parse(text, why, sizeof(why));

	ck_assert_msg(v != NULL, "%s: %s", text, why);
	free(text);
	return v;
}

static yajl_val get(yajl_val v, const char *name)
{
	const char *path[] = {name, NULL};

	return yajl_tree_get(v, path, yajl_t_any);
}

START_TEST(accepts_with_every_rejection_named)
{
	struct answer a = ANSWER_INIT;
	struct decoded d;
	yajl_val v, list;

	decode(&d, "{\"metrics\":[" METRIC("gauge", "{\"v\":1},{}") "," METRIC("x", "{},{}") "],\"errors\":[{}]}");
	ck_assert_int_eq(d.rc, 0);
	answer_accept(&a, &native, &d.payload);
	ck_assert(a.status == 202 && !a.refused && a.retry_after_s == 0);
	v = parse(&a);
	ck_assert_int_eq(YAJL_GET_INTEGER(get(v, "accepted")), 1);
	ck_assert_int_eq(YAJL_GET_INTEGER(get(v, "rejected_total")), 4);
	list = get(v, "rejected");
	ck_assert(YAJL_IS_ARRAY(list) && YAJL_GET_ARRAY(list)->len == 3);
	ck_assert_str_eq(YAJL_GET_STRING(get(YAJL_GET_ARRAY(list)->values[0], "index")), "metrics[0].points[1]");
	ck_assert_str_eq(YAJL_GET_STRING(get(YAJL_GET_ARRAY(list)->values[0], "reason")), "value_missing");
	ck_assert_str_eq(YAJL_GET_STRING(get(YAJL_GET_ARRAY(list)->values[1], "index")), "metrics[1]");
	ck_assert_str_eq(YAJL_GET_STRING(get(YAJL_GET_ARRAY(list)->values[2], "index")), "errors[0]");
	ck_assert_str_eq(YAJL_GET_STRING(get(YAJL_GET_ARRAY(list)->values[2], "reason")), "event_field_missing");
	yajl_tree_free(v);
	answer_fini(&a);
	decoded_fini(&d);
}
END_TEST

static const struct {
	enum reason reason;
	const char *detail, *shown;
	int status;
} refusals[] = {
	{REASON_BAD_JSON, "plain", "plain", 400},
	{REASON_UNAUTHORIZED, "", "the key is unknown, revoked, or its site is disabled", 401},
	{REASON_NOT_FOUND, "a \"quote\" and a \\", "a \"quote\" and a \\", 404},
	{REASON_BODY_TOO_LARGE, "line\nbreak\ttab\x01", "line\nbreak\ttab\x01", 413},
	{REASON_UNSUPPORTED_TYPE, "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80", "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80", 415},
	{REASON_BAD_PAYLOAD, "cut \xe2\x82", "cut \xef\xbf\xbd\xef\xbf\xbd", 400},
	{REASON_BAD_PAYLOAD, "\xff<\xc0\xaf>", "\xef\xbf\xbd<\xef\xbf\xbd\xef\xbf\xbd>", 400},
	{REASON_OVER_BUDGET, "x", "x", 503},
	{REASON_KAFKA_UNAVAILABLE, "x", "x", 503},
};

START_TEST(refuses_in_json)
{
	struct answer a = ANSWER_INIT;
	struct refusal no;
	yajl_val v;

	refuse(&no, refusals[_i].reason, "%s", refusals[_i].detail);
	answer_refuse(&a, &native, &no, 7);
	ck_assert(a.status == refusals[_i].status && a.refused && a.reason == refusals[_i].reason);
	ck_assert_uint_eq(a.retry_after_s, 7);
	v = parse(&a);
	ck_assert_str_eq(YAJL_GET_STRING(get(v, "error")), reason_name(refusals[_i].reason));
	ck_assert_str_eq(YAJL_GET_STRING(get(v, "detail")), refusals[_i].shown);
	yajl_tree_free(v);
	answer_fini(&a);
}
END_TEST

START_TEST(a_good_key_is_told_its_site)
{
	struct answer a = ANSWER_INIT;
	yajl_val v;

	answer_auth(&a, STR("shop-1"));
	ck_assert(a.status == 200 && !a.refused && a.retry_after_s == 0);
	v = parse(&a);
	ck_assert_str_eq(YAJL_GET_STRING(get(v, "site")), "shop-1");
	yajl_tree_free(v);
	answer_fini(&a);
}
END_TEST

static const struct {
	struct answer_form form;
	const char *body; /* what was posted, natively: what is told depends on its samples only */
	const char *said; /* JSON as it stands there, protobuf as wire_text.h */
} accepted[] = {
	{{true, true, OTLP_METRICS}, GAUGE("{\"v\":1}"), ""},
	{{true, true, OTLP_TRACES}, GAUGE("{\"v\":1}"), ""},
	{{true, false, OTLP_METRICS}, GAUGE("{\"v\":1}"), "{}\n"},
	{{true, true, OTLP_METRICS}, GAUGE("{\"v\":1},{}"), "1{1=1 2\"metrics[0].points[1]: value_missing\"}"},
	{{true, true, OTLP_LOGS}, "{\"metrics\":[" METRIC("gauge", "{}") "," METRIC("x", "{},{},{}") "]}",
	 "1{1=4 2\"metrics[0].points[0]: value_missing, metrics[1]: kind_unknown\"}"},
	{{true, false, OTLP_METRICS}, GAUGE("{}"),
	 "{\"partialSuccess\": {\"rejectedDataPoints\": \"1\", \"errorMessage\": \"metrics[0].points[0]: value_missing\"}}\n"},
	{{true, false, OTLP_LOGS}, GAUGE("{}"),
	 "{\"partialSuccess\": {\"rejectedLogRecords\": \"1\", \"errorMessage\": \"metrics[0].points[0]: value_missing\"}}\n"},
	{{true, false, OTLP_TRACES}, GAUGE("{}"),
	 "{\"partialSuccess\": {\"rejectedSpans\": \"1\", \"errorMessage\": \"metrics[0].points[0]: value_missing\"}}\n"},
	{{true, true, OTLP_METRICS}, GAUGE("{\"v\":1},{},{},{},{},{},{},{},{},{},{},{}"),
	 "1{1=11 2\"metrics[0].points[1]: value_missing, metrics[0].points[2]: value_missing, metrics[0].points[3]: value_missing, "
	 "metrics[0].points[4]: value_missing, metrics[0].points[5]: value_missing, metrics[0].points[6]: value_missing, "
	 "metrics[0].points[7]: value_missing, metrics[0].points[8]: value_missing, metrics[0].points[9]: value_missing, "
	 "metrics[0].points[10]: value_missing, and others; 11 in all\"}"},
};

static struct buf said_bytes(const struct answer_form *form, const char *text)
{
	struct buf out = BUF_INIT;

	if (form->protobuf)
		return wire_text(text);
	buf_add(&out, text, strlen(text));
	return out;
}

/* A span may be taken and its exception not. */
START_TEST(counts_spans_and_not_their_exceptions)
{
	const struct answer_form form = {true, false, OTLP_TRACES};
	struct answer a = ANSWER_INIT;
	struct decoded d;

	decode(&d, GAUGE("{},{}"));
	d.payload.rejected_inner = 2;
	answer_accept(&a, &form, &d.payload);
	ck_assert_msg(memmem(a.body.p, a.body.len, "\"rejectedSpans\": \"0\", \"errorMessage\": \"metrics[0]", 49) != NULL, "%.*s", STR_ARG(buf_str(&a.body)));
	answer_fini(&a);
	decoded_fini(&d);
}
END_TEST

START_TEST(tells_otlp_what_was_rejected_only)
{
	const struct answer_form *form = &accepted[_i].form;
	struct buf want = said_bytes(form, accepted[_i].said);
	struct answer a = ANSWER_INIT;
	struct decoded d;

	decode(&d, accepted[_i].body);
	ck_assert_int_eq(d.rc, 0);
	answer_accept(&a, form, &d.payload);
	ck_assert(a.status == 200 && !a.refused && a.retry_after_s == 0);
	ck_assert_str_eq(answer_type(&a), form->protobuf ? "application/x-protobuf" : "application/json");
	ck_assert_msg(str_eq(buf_str(&a.body), buf_str(&want)), "case %d: %.*s", _i, STR_ARG(buf_str(&a.body)));
	answer_fini(&a);
	decoded_fini(&d);
	buf_fini(&want);
}
END_TEST

/* Statuses as the specification lists them: what may be sent again, and all the rest. */
static const struct {
	enum reason reason;
	const char *detail;
	int status, code;
	const char *message;
} told[] = {
	{REASON_BAD_PROTOBUF, "byte 1", 400, 3, "bad_protobuf: byte 1"},
	{REASON_BAD_IDEMPOTENCY_KEY, "x", 400, 3, "bad_idempotency_key: x"},
	{REASON_UNAUTHORIZED, "", 401, 16, "unauthorized: the key is unknown, revoked, or its site is disabled"},
	{REASON_CLIENT_CERTIFICATE, "x", 403, 7, "client_certificate: x"},
	{REASON_NOT_FOUND, "x", 404, 5, "not_found: x"},
	{REASON_METHOD_NOT_ALLOWED, "x", 405, 12, "method_not_allowed: x"},
	{REASON_BODY_TOO_SLOW, "x", 503, 14, "body_too_slow: x"}, /* 408 is not repeated */
	{REASON_INFLATED_TOO_LARGE, "x", 413, 8, "inflated_too_large: x"},
	{REASON_UNSUPPORTED_TYPE, "text\xff", 415, 3, "unsupported_type: text\xef\xbf\xbd"},
	{REASON_SAMPLE_RATE, "x", 429, 8, "sample_rate: x"},
	{REASON_KAFKA_UNAVAILABLE, "x", 503, 14, "kafka_unavailable: x"},
};

START_TEST(refuses_as_google_rpc_status)
{
	static const struct answer_form pb = {true, true, OTLP_LOGS}, json = {true, false, OTLP_LOGS};
	bool may_repeat = told[_i].status == 503;
	struct answer a = ANSWER_INIT;
	struct refusal no;
	struct buf want = BUF_INIT;
	yajl_val v;

	refuse(&no, told[_i].reason, "%s", told[_i].detail);
	answer_refuse(&a, &pb, &no, 0);
	wire_varint(&want, 1 << 3);
	wire_varint(&want, (uint64_t)told[_i].code);
	wire_varint(&want, 2 << 3 | 2);
	wire_bytes(&want, told[_i].message, strlen(told[_i].message));
	ck_assert(a.status == told[_i].status && a.refused && a.retry_after_s == (may_repeat ? 1 : 0));
	ck_assert_msg(str_eq(buf_str(&a.body), buf_str(&want)), "case %d: %.*s", _i, STR_ARG(buf_str(&a.body)));
	answer_refuse(&a, &json, &no, 9); /* replaces what was there */
	ck_assert(a.status == told[_i].status && a.retry_after_s == 9);
	v = parse(&a);
	ck_assert_int_eq(YAJL_GET_INTEGER(get(v, "code")), told[_i].code);
	ck_assert_str_eq(YAJL_GET_STRING(get(v, "message")), told[_i].message);
	yajl_tree_free(v);
	answer_fini(&a);
	buf_fini(&want);
}
END_TEST

/* What can be sent again is 429 or 503 and nothing else is; none is a 500. */
START_TEST(every_reason_has_a_status_of_otlps)
{
	static const struct answer_form form = {true, true, OTLP_METRICS};

	for (int reason = 0; reason < NR_REASONS; reason++) {
		struct answer a = ANSWER_INIT;
		struct refusal no;

		refuse(&no, (enum reason)reason, "x");
		if (reason_status((enum reason)reason) == 0)
			continue;
		answer_refuse(&a, &form, &no, 0);
		ck_assert_msg((a.status >= 400 && a.status < 500 && a.status != 408) || a.status == 503, "%s: %d", reason_name(no.reason), a.status);
		ck_assert_uint_lt(a.retry_after_s, 60);
		ck_assert_uint_ne(a.body.len, 0);
		answer_fini(&a);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("answer");
	TCase *tc = tcase_create("answer");

	tcase_add_test(tc, accepts_with_every_rejection_named);
	tcase_add_loop_test(tc, refuses_in_json, 0, (int)NR(refusals));
	tcase_add_test(tc, a_good_key_is_told_its_site);
	tcase_add_test(tc, counts_spans_and_not_their_exceptions);
	tcase_add_loop_test(tc, tells_otlp_what_was_rejected_only, 0, (int)NR(accepted));
	tcase_add_loop_test(tc, refuses_as_google_rpc_status, 0, (int)NR(told));
	tcase_add_test(tc, every_reason_has_a_status_of_otlps);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
