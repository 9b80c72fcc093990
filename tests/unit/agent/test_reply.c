/* test_reply.c - answers of the Push API, and what else may come in their place. */
#include "ingest/agent/reply.h"

#include "tests/unit/unit.h"

#define SECRET "mr_a-key-0123456789"

static const struct {
	const char *body;
	uint64_t accepted, rejected;
	size_t reasons_len;
	const char *reason; /* the first */
	uint64_t samples;   /* its */
	const char *error, *detail;
} cases[] = {
	{"{\"accepted\": 3, \"rejected\": [], \"rejected_total\": 0}", 3, 0, 0, "", 0, "", ""},
	{"{\"accepted\": 1, \"rejected\": [{\"index\": \"metrics[0]\", \"reason\": \"name_empty\"}, {\"index\": \"metrics[1]\", "
	 "\"reason\": \"name_empty\"}, {\"index\": \"metrics[2]\", \"reason\": \"time_too_old\"}], "
	 "\"rejected_total\": 5}", 1, 5, 2, "name_empty", 2, "", ""},
	{"{\"error\": \"bad_payload\", \"detail\": \"byte 3: \\u0007 \\u00e9\"}", 0, 0, 0, "", 0, "bad_payload", "byte 3: ? ??"},
	{"{\"error\": \"" SECRET "\", \"detail\": \"the key " SECRET " is odd\"}", 0, 0, 0, "", 0, "", ""},
	{"{\"error\": \"mr_a-\\u006bey-0123456789\"}", 0, 0, 0, "", 0, "", ""},
	{"{\"accepted\": -3, \"rejected_total\": \"many\"}", 0, 0, 0, "", 0, "", ""},
	{"{\"accepted\": 3.5}", 0, 0, 0, "", 0, "", ""},
	{"{\"accepted\": 3, \"rejected\": [{\"reason\": \"name_empty\"}", 3, 0, 1, "name_empty", 1, "", ""}, /* cut off */
	{"{\"rejected\": {\"reason\": \"no\"}, \"other\": [{\"reason\": \"no\"}], "
	 "\"x\": {\"accepted\": 9, \"error\": \"no\"}}", 0, 0, 0, "", 0, "", ""},
	{"[{\"accepted\": 3}]", 0, 0, 0, "", 0, "", ""},
	{"<html>Bad Gateway</html>", 0, 0, 0, "", 0, "", ""},
	{"\xff\xfe", 0, 0, 0, "", 0, "", ""},
	{"", 0, 0, 0, "", 0, "", ""},
	{"]]]]", 0, 0, 0, "", 0, "", ""},
};

START_TEST(bodies_are_read)
{
	struct reply r;

	reply_read(str_from(cases[_i].body), STR(SECRET), &r);
	ck_assert_uint_eq(r.accepted, cases[_i].accepted);
	ck_assert_uint_eq(r.rejected, cases[_i].rejected);
	ck_assert_uint_eq(r.reasons_len, cases[_i].reasons_len);
	ck_assert_str_eq(r.reasons[0].reason, cases[_i].reason);
	ck_assert_uint_eq(r.reasons[0].samples, cases[_i].samples);
	ck_assert_str_eq(r.error, cases[_i].error);
	ck_assert_str_eq(r.detail, cases[_i].detail);
}
END_TEST

/* As long and as deep as a body may be. */
START_TEST(bounds_hold)
{
	struct buf body = BUF_INIT;
	struct reply r;

	while (body.len < REPLY_MAX_BYTES)
		buf_add(&body, _i ? "[" : "{\"a\":", _i ? 1 : 5);
	reply_read(buf_str(&body), STR(""), &r);
	ck_assert(r.accepted == 0 && r.reasons_len == 0);
	buf_clear(&body);
	buf_printf(&body, "{\"error\": \"%0*d\", \"rejected\": [", 5000, 7);
	for (int i = 0; i < 3000; i++)
		buf_printf(&body, "%s{\"reason\": \"reason_%0*d\"}", i ? "," : "", i % 2 ? 4 : 400, i);
	buf_printf(&body, "]}");
	reply_read(buf_str(&body), STR(""), &r);
	ck_assert_uint_eq(r.reasons_len, REPLY_REASONS_MAX);
	ck_assert_uint_eq(strlen(r.error), REPLY_REASON_SIZE - 1);
	buf_fini(&body);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("reply");
	TCase *tc = tcase_create("reply");

	tcase_add_loop_test(tc, bodies_are_read, 0, NR(cases));
	tcase_add_loop_test(tc, bounds_hold, 0, 2);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
