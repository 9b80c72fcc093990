/* test_answer.c - answers are well-formed JSON whatever they quote, read back by a parser of its own (yajl's tree). */
#include <yajl/yajl_tree.h>

#include "ingest/answer.h"
#include "tests/unit/ingest/payloads.h"

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
	answer_accept(&a, &d.payload);
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
	answer_refuse(&a, &no, 7);
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

int main(void)
{
	Suite *suite = suite_create("answer");
	TCase *tc = tcase_create("answer");

	tcase_add_test(tc, accepts_with_every_rejection_named);
	tcase_add_loop_test(tc, refuses_in_json, 0, (int)NR(refusals));
	tcase_add_test(tc, a_good_key_is_told_its_site);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
