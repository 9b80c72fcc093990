/* test_otlp_logs.c - which records become errors, of what; and what refuses a body. */
#include "ingest/otlp_logs.h"

#include "tests/unit/ingest/otlp_text.h"
#include "tests/unit/ingest/wire_text.h"

/* NOW_MS - 1000 and NOW_MS - 999, in nanoseconds */
#define T0 "1795372011000000000 "
#define T1 "1795372011001000000 "

#define ATTR(number, key, value) #number "{1\"" key "\" 2{1\"" value "\"}} "
#define RECORD(text) "2{" text "} "
#define REQUEST(records) "1{2{" records "}}"
#define BOOM ATTR(6, "exception.type", "Boom") ATTR(6, "exception.message", "oh")

static const struct {
	const char *text, *want;
} cases[] = {
	{"", "0 = 0 + 0, ignored 0 + 0"},
	{"1{} 1{2{}} 3=1", "0 = 0 + 0, ignored 0 + 0"},
	{REQUEST(RECORD("")), "1 = 1 + 0, ignored 0 + 1"},
	{REQUEST(RECORD("1!" T0 "5{1\"text\"}" ATTR(6, "a", "b")) RECORD("1!1 " ATTR(6, "exception.stacktrace", "x"))), "2 = 2 + 0, ignored 0 + 2"},
	{REQUEST(RECORD("1!" T0 BOOM)), "error log_records[0] t=-1000 //// Boom: oh\n1 = 1 + 0, ignored 0 + 0"},
	/* the time it was seen at stands for its own; without both it is now; the shift of places through all resources */
	{"1{2{" RECORD("11!" T1 BOOM) RECORD("") "}} 1{2{" RECORD("11!" T1 "1!" T0 BOOM) "} 2{" RECORD(BOOM) "}}",
	 "error log_records[0] t=-999 //// Boom: oh\nerror log_records[2] t=-1000 //// Boom: oh\nerror log_records[3] t=0 //// Boom: oh\n"
	 "4 = 4 + 0, ignored 0 + 1"},
	/* a body stands for the message */
	{REQUEST(RECORD("1!" T0 "5{1\"said\"}" ATTR(6, "exception.type", "E"))), "error log_records[0] t=-1000 //// E: said\n1 = 1 + 0, ignored 0 + 0"},
	{REQUEST(RECORD("1!" T0 "5{6{1{1\"a\" 2{3=1}}}}" ATTR(6, "exception.type", "E"))),
	 "error log_records[0] t=-1000 //// E: {\"a\":1}\n1 = 1 + 0, ignored 0 + 0"},
	{REQUEST(RECORD("1!" T0 "5{1\"said\"}" ATTR(6, "exception.message", "m"))),
	 "error log_records[0] t=-1000 //// exception: m\n1 = 1 + 0, ignored 0 + 0"},
	/* params, tags, frame */
	{REQUEST(RECORD("1!" T0 "3\"ERROR\" 9\"0123456789abcdef\" 10\"12345678\"" BOOM ATTR(6, "b", "2") ATTR(6, "a", "1")
				ATTR(6, "code.file.path", "f.py") ATTR(6, "code.filepath", "g.py") ATTR(6, "code.line.number", "7x")) "1{1\"app.log\"}"),
	 "error log_records[0] t=-1000 //// tags{logger=app.log,severity=ERROR,trace_id=30313233343536373839616263646566} Boom: oh at f.py:0 ! "
	 "params{a=1,b=2,code.file.path=f.py,code.filepath=g.py,code.line.number=7x}\n1 = 1 + 0, ignored 0 + 0"},
	{REQUEST(RECORD("9\"0123456789abcde\"" BOOM) RECORD("9\"0123456789abcdefg\"" BOOM) RECORD("|4a 10 00000000 00000000 00000000 00000000|" BOOM)),
	 "error log_records[0] t=0 //// Boom: oh\nerror log_records[1] t=0 //// Boom: oh\nerror log_records[2] t=0 //// Boom: oh\n"
	 "3 = 3 + 0, ignored 0 + 0"},
	/* resources, behind and before */
	{"1{2{" RECORD("1!" T0 BOOM) "} 1{" ATTR(1, "service.name", "shop") ATTR(1, "host.name", "h") ATTR(1, "telemetry.sdk.language", "python")
		 ATTR(1, "service.version", "3") "}}",
	 "error log_records[0] t=-1000 //h//3 tags{service.name=shop,service.version=3,telemetry.sdk.language=python} series{service.name=shop} "
	 "Boom: oh\n1 = 1 + 0, ignored 0 + 0"},
	/* rejected ones */
	{REQUEST(RECORD("1!1 " BOOM) RECORD("1!18446744073709551615 " BOOM)),
	 "rejected log_records[0] time_too_old, log_records[1] time_too_new\n2 = 0 + 2, ignored 0 + 0"},
	/* a body that nobody reads is not looked at; nor what nobody knows */
	{REQUEST(RECORD("1!" T0 "5{|ffffff|}") RECORD("2\"x\" 4=1 7\"\" 8=1 10=1 12=1 77<>" BOOM)),
	 "error log_records[1] t=0 //// Boom: oh\n2 = 2 + 0, ignored 0 + 1"},
};

START_TEST(records_become_errors)
{
	struct buf body = wire_text(cases[_i].text), got;
	struct arena arena = {.limit_bytes = 1 << 20};
	struct refusal no;
	struct payload p;

	ck_assert_msg(otlp_test_parse(buf_str(&body), &p, &arena, &no, otlp_logs_parse) == 0, "%s: %s", cases[_i].text, no.detail);
	got = text_payload(&p);
	ck_assert_msg(strcmp((char *)got.p, cases[_i].want) == 0, "%s:\n%s\nand not\n%s", cases[_i].text, (char *)got.p, cases[_i].want);
	buf_fini(&got);
	buf_fini(&body);
	arena_fini(&arena);
}
END_TEST

static const struct {
	const char *text;
	enum reason reason;
	const char *detail;
} refused[] = {
	{"1=1", REASON_BAD_PROTOBUF, "byte 1, resource_logs[0]: the field has another wire type"},
	{"1{2{} 2{1{2=1 1=1}}}", REASON_BAD_PROTOBUF, "byte 11, resource_logs[0].scope_logs[1].scope.name: the field has another wire type"},
	{"1{2{2{} 2{1=1}}}", REASON_BAD_PROTOBUF, "byte 9, resource_logs[0].scope_logs[0].log_records[1].time_unix_nano: the field"},
	{"1{2{2{6{1{|ff|}}}}}", REASON_BAD_PROTOBUF, "byte 9, resource_logs[0].scope_logs[0].log_records[0].attributes.key: a string is not UTF-8"},
	{"1{2{2{3{|ff|}}}}", REASON_BAD_PROTOBUF, "byte 7, resource_logs[0].scope_logs[0].log_records[0].severity_text: a string is not UTF-8"},
	{"1{2{2{5{1{|ff|}}" ATTR(6, "exception.type", "E") "}}}", REASON_BAD_PROTOBUF,
	 "byte 9, resource_logs[0].scope_logs[0].log_records[0].body.string_value: a string is not UTF-8"},
	{"1{2{2{|2a 05|}}}", REASON_BAD_PROTOBUF, "byte 7, resource_logs[0].scope_logs[0].log_records[0].body: a length"},
};

START_TEST(bodies_are_refused)
{
	struct buf body = wire_text(refused[_i].text);
	struct arena arena = {.limit_bytes = 1 << 20};
	struct refusal no;
	struct payload p;

	ck_assert_int_eq(otlp_test_parse(buf_str(&body), &p, &arena, &no, otlp_logs_parse), -1);
	ck_assert_msg(no.reason == refused[_i].reason && strncmp(no.detail, refused[_i].detail, strlen(refused[_i].detail)) == 0, "%s: %s",
		      refused[_i].text, no.detail);
	buf_fini(&body);
	arena_fini(&arena);
}
END_TEST

/* Records that are ignored leave nothing behind: so their number has no bound but the body's. */
START_TEST(many_records_take_no_room)
{
	static const uint8_t record[] = {0x12, 0x0b, 0x32, 0x05, 0x0a, 0x03, 'a', 'b', 'c', 0x2a, 0x02, 0x0a, 0x00};
	struct buf records = BUF_INIT, scope = BUF_INIT, request = BUF_INIT;
	struct arena arena = {.limit_bytes = 4096};
	struct refusal no;
	struct payload p;

	for (int i = 0; i < 200000; i++)
		buf_add(&records, record, sizeof(record));
	buf_add(&scope, "\x12", 1);
	wire_bytes(&scope, records.p, records.len);
	buf_add(&request, "\x0a", 1);
	wire_bytes(&request, scope.p, scope.len);
	ck_assert_msg(otlp_test_parse(buf_str(&request), &p, &arena, &no, otlp_logs_parse) == 0, "%s", no.detail);
	ck_assert_uint_eq(p.ignored[PAYLOAD_IGNORED_LOG], 200000);
	ck_assert_uint_eq(p.accepted, 200000);
	buf_fini(&records);
	buf_fini(&scope);
	buf_fini(&request);
	arena_fini(&arena);
}
END_TEST

static Suite *otlp_logs_suite(void)
{
	Suite *s = suite_create("otlp_logs");
	TCase *tc = tcase_create("all");

	tcase_add_loop_test(tc, records_become_errors, 0, NR(cases));
	tcase_add_loop_test(tc, bodies_are_refused, 0, NR(refused));
	tcase_add_test(tc, many_records_take_no_room);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	return unit_main(otlp_logs_suite());
}
