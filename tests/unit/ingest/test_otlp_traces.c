/* test_otlp_traces.c - what spans become, what is rejected and what refuses a body; and that hostile trees take neither time nor room. That the
 * wire is read as others read it is the business of test_otlp_oracle.c. */
#include "ingest/otlp_traces.h"

#include "ingest/otlp_spans.h"
#include "tests/unit/ingest/otlp_text.h"
#include "tests/unit/ingest/wire_text.h"

/* NOW_MS - 1000 and a little later, in nanoseconds */
#define T0 "1795372011000000000 "
#define T1 "1795372011001500000 "
#define T2 "1795372011002000000 "
#define T3 "1795372011003250000 "

#define TRACE "1\"0123456789abcdef\""
#define TRACE_HEX "30313233343536373839616263646566"
#define ID(c) "2\"span000" c "\""
#define ID_HEX(digit) "7370616e3030303" digit
#define CHILD_OF(c) "4\"span000" c "\""
#define SERVER " 6=2 "
#define TIMES " 7!" T0 " 8!" T3

#define ATTR(number, key, value) #number "{1\"" key "\" 2{1\"" value "\"}} "
#define SCOPE_SPANS(spans) "2{" spans "} "
#define SPAN(text) "2{" text "} "
#define REQUEST(spans) "1{" SCOPE_SPANS(spans) "}"
#define ROOT_TEXT "transaction spans[0] t=-1000 GET //web/// " TRACE_HEX " 3.25ms"
#define ROOT TRACE ID("1") "5\"GET /\"" SERVER TIMES
#define EXCEPTION "11{1!" T2 " 2\"exception\" " ATTR(3, "exception.type", "Boom") ATTR(3, "exception.message", "oh") "}"

static const struct {
	const char *text, *want;
} cases[] = {
	{"", "0 = 0 + 0, ignored 0 + 0"},
	{"1{} 1{2{}} 7=1", "0 = 0 + 0, ignored 0 + 0"},
	{REQUEST(SPAN(ROOT)), ROOT_TEXT "\n1 = 1 + 0, ignored 0 + 0"},
	/* kinds: server, consumer and what has no parent */
	{REQUEST(SPAN(TRACE ID("1") CHILD_OF("9") "5\"a\" 6=2" TIMES) SPAN(TRACE ID("2") CHILD_OF("9") "5\"b\" 6=5" TIMES)
			 SPAN(TRACE ID("3") CHILD_OF("9") "5\"c\" 6=3" TIMES) SPAN(TRACE ID("4") "5\"d\" 6=3" TIMES)
				 SPAN(TRACE ID("5") "5\"e\"" TIMES) SPAN(TRACE ID("6") CHILD_OF("9") "5\"f\" 6=77" TIMES)),
	 "transaction spans[0] t=-1000 a/web/// " TRACE_HEX " 3.25ms\ntransaction spans[1] t=-1000 b/background/// " TRACE_HEX " 3.25ms\n"
	 "transaction spans[3] t=-1000 d/background/// " TRACE_HEX " 3.25ms\ntransaction spans[4] t=-1000 e/background/// " TRACE_HEX " 3.25ms\n"
	 "6 = 6 + 0, ignored 2 + 0"},
	/* action: the route, with its method; a name in any case */
	{REQUEST(SPAN(ROOT ATTR(9, "http.route", "/u/{id}") ATTR(9, "http.request.method", "PUT"))),
	 "transaction spans[0] t=-1000 PUT /u/{id}/web/// tags{http.request.method=PUT,http.route=/u/{id}} " TRACE_HEX " 3.25ms\n"
	 "1 = 1 + 0, ignored 0 + 0"},
	{REQUEST(SPAN(ROOT ATTR(9, "http.route", "/u") ATTR(9, "http.method", "GET"))),
	 "transaction spans[0] t=-1000 GET /u/web/// tags{http.method=GET,http.route=/u} " TRACE_HEX " 3.25ms\n1 = 1 + 0, ignored 0 + 0"},
	{REQUEST(SPAN(ROOT ATTR(9, "http.route", "/u"))),
	 "transaction spans[0] t=-1000 /u/web/// tags{http.route=/u} " TRACE_HEX " 3.25ms\n1 = 1 + 0, ignored 0 + 0"},
	{REQUEST(SPAN(TRACE ID("1") TIMES)),
	 "transaction spans[0] t=-1000 unknown/background/// " TRACE_HEX " 3.25ms\n1 = 1 + 0, ignored 0 + 0"},
	/* status: 2 is a failure; the last one counts, and its two halves may come apart */
	{REQUEST(SPAN(ROOT "15{2\"no\" 3=2}")), ROOT_TEXT " failed\n1 = 1 + 0, ignored 0 + 0"},
	{REQUEST(SPAN(ROOT "15{3=2} 15{2\"x\"}")), ROOT_TEXT " failed\n1 = 1 + 0, ignored 0 + 0"},
	{REQUEST(SPAN(ROOT "15{3=2} 15{3=1}")), ROOT_TEXT "\n1 = 1 + 0, ignored 0 + 0"},
	/* descendants by time, whatever their order; nearer transactions take theirs */
	{REQUEST(SPAN(TRACE ID("3") CHILD_OF("2") "5\"sql\" 7!" T2 " 8!" T3 ATTR(9, "db", "x")) SPAN(ROOT)
			 SPAN(TRACE ID("2") CHILD_OF("1") "5\"call\" 6=3 7!" T1 " 8!" T3)),
	 "transaction spans[1] t=-1000 GET //web/// " TRACE_HEX " 3.25ms [" ID_HEX("2") " of  call 1.5+1.75] [" ID_HEX("3") " of " ID_HEX("2")
	 " sql 2+1.25 {db=x}]\n3 = 3 + 0, ignored 0 + 0"},
	{REQUEST(SPAN(ROOT) SPAN(TRACE ID("2") CHILD_OF("1") "5\"b\" 6=2 7!" T1 " 8!" T2)
			 SPAN(TRACE ID("3") CHILD_OF("2") "5\"c\" 7!" T0 " 8!" T2)),
	 ROOT_TEXT "\ntransaction spans[1] t=-999 b/web/// " TRACE_HEX " 0.5ms [" ID_HEX("3") " of  c -1.5+2]\n3 = 3 + 0, ignored 0 + 0"},
	/* the same ids in another trace are others */
	{REQUEST(SPAN(ROOT) SPAN("1\"0123456789abcdeF\"" ID("2") CHILD_OF("1") "5\"b\"" TIMES)), ROOT_TEXT "\n2 = 2 + 0, ignored 1 + 0"},
	/* circles, and what hangs from them; a double: the first one is the parent */
	{REQUEST(SPAN(TRACE ID("1") CHILD_OF("1") TIMES) SPAN(TRACE ID("2") CHILD_OF("3") TIMES) SPAN(TRACE ID("3") CHILD_OF("2") TIMES)
			 SPAN(TRACE ID("4") CHILD_OF("3") TIMES)),
	 "4 = 4 + 0, ignored 4 + 0"},
	{REQUEST(SPAN(ROOT) SPAN(TRACE ID("1") CHILD_OF("1") "5\"again\"" TIMES) SPAN(TRACE ID("2") CHILD_OF("1") "5\"b\"" TIMES)),
	 ROOT_TEXT " [" ID_HEX("1") " of  again 0+3.25] [" ID_HEX("2") " of  b 0+3.25]\n3 = 3 + 0, ignored 0 + 0"},
	/* resources, scopes: wherever they stand */
	{"1{" SCOPE_SPANS(SPAN(ROOT ATTR(9, "x y", "1")) "1{1\"lib\" 2\"1.0\" " ATTR(3, "tier", "2") ATTR(3, "action", "x") "}")
	 "1{" ATTR(1, "service.name", "shop") ATTR(1, "host.name", "web1") ATTR(1, "service.version", "v7")
		 ATTR(1, "deployment.environment", "prod") ATTR(1, "tier", "1") ATTR(1, "os", "linux") "}}",
	 "transaction spans[0] t=-1000 GET //web/web1/prod/v7 tags{action=x,deployment.environment=prod,service.name=shop,service.version=v7,tier=2,x_y=1}"
	 " series{action=x,deployment.environment=prod,service.name=shop,tier=2} " TRACE_HEX " 3.25ms\n1 = 1 + 0, ignored 0 + 0"},
	{"1{1{" ATTR(1, "deployment.environment.name", "new") ATTR(1, "deployment.environment", "old") "} 2{" SPAN(ROOT) "}} "
	 "1{2{" SPAN(ROOT) "}}",
	 "transaction spans[0] t=-1000 GET //web//new/ tags{deployment.environment=old} series{deployment.environment=old} " TRACE_HEX
	 " 3.25ms\ntransaction spans[1] t=-1000 GET //web/// " TRACE_HEX " 3.25ms\n2 = 2 + 0, ignored 0 + 0"},
	{"1{1{" ATTR(1, "service.name", "") "} 2{" SPAN(ROOT) "}}", ROOT_TEXT "\n1 = 1 + 0, ignored 0 + 0"},
	/* exceptions: on a transaction, below one, alone */
	{REQUEST(SPAN(ROOT EXCEPTION)),
	 "error spans[0] t=-998 GET //web/// tags{trace_id=" TRACE_HEX "} Boom: oh\n" ROOT_TEXT "\n2 = 2 + 0, ignored 0 + 0"},
	{REQUEST(SPAN(TRACE ID("2") CHILD_OF("1") "5\"sql\"" TIMES EXCEPTION) SPAN(ROOT ATTR(9, "http.route", "/"))),
	 "error spans[0] t=-998 //web/// tags{trace_id=" TRACE_HEX "} Boom: oh\ntransaction spans[1] t=-1000 //web/// tags{http.route=/} " TRACE_HEX
	 " 3.25ms [" ID_HEX("2") " of  sql 0+3.25]\n3 = 3 + 0, ignored 0 + 0"},
	{REQUEST(SPAN(TRACE ID("2") CHILD_OF("1") "5\"sql\"" TIMES EXCEPTION)),
	 "error spans[0] t=-998 sql//// tags{trace_id=" TRACE_HEX "} Boom: oh\n2 = 2 + 0, ignored 0 + 0"},
	/* .. params, breadcrumbs, frames */
	{REQUEST(SPAN(ROOT ATTR(9, "user", "1") ATTR(9, "job", "a")
			      "11{1!" T3 " 2\"later\"} 11{1!" T1 " 2\"b\"" ATTR(3, "k", "v") "} 11{2\"a\" 1!" T0 "} "
			      "11{1!" T2 ATTR(3, "exception.message", "m") ATTR(3, "job", "b") ATTR(3, "exception.escaped", "1")
				      ATTR(3, "code.function", "f") ATTR(3, "code.lineno", "12") "}")),
	 "error spans[0] t=-998 GET //web/// tags{trace_id=" TRACE_HEX "} exception: m at :12 f! params{code.function=f,code.lineno=12,job=b,user=1}"
	 " crumb[-1000 event/a/] crumb[-999 event/b/ {k=v}]\ntransaction spans[0] t=-1000 GET //web/// tags{job=a,user=1} " TRACE_HEX
	 " 3.25ms\n2 = 2 + 0, ignored 0 + 0"},
	{REQUEST(SPAN(ROOT "11{1!" T1 ATTR(3, "exception.type", "E") ATTR(3, "code.function", "not this one")
			      ATTR(3, "exception.stacktrace", "E: x\n\tat com.shop.Cart.pay(Cart.java:7)\n\tat java.lang.Thread.run(Thread.java:1)\n") "}")),
	 "error spans[0] t=-999 GET //web/// tags{trace_id=" TRACE_HEX "} E:  at Cart.java:7 com.shop.Cart.pay! at Thread.java:1 java.lang.Thread.run "
	 "params{code.function=not this one}\n" ROOT_TEXT "\n2 = 2 + 0, ignored 0 + 0"},
	/* .. without a time: the span's end; without type and message: none; two of them */
	{REQUEST(SPAN(ROOT "11{" ATTR(3, "exception.type", "E") "} 11{2\"exception\"} 11{1!" T3 ATTR(3, "exception.type", "F") "}")),
	 "error spans[0] t=-997 GET //web/// tags{trace_id=" TRACE_HEX "} E: \nerror spans[0] t=-997 GET //web/// tags{trace_id=" TRACE_HEX
	 "} F:  crumb[-997 event/exception/]\n" ROOT_TEXT "\n3 = 3 + 0, ignored 0 + 0"},
	/* rejected: ids, ends, times */
	{REQUEST(SPAN("") SPAN(ID("1") TIMES) SPAN("1\"0123456789abcde\"" ID("1") TIMES) SPAN("1\"0123456789abcdef0\"" ID("1") TIMES)
			 SPAN(TRACE TIMES) SPAN(TRACE "2\"1234567\"" TIMES) SPAN(TRACE "2\"123456789\"" TIMES)
				 SPAN(TRACE ID("1") "4\"1234567\"" TIMES) SPAN(TRACE "|12 08 0000000000000000|" TIMES)
					 SPAN("|0a 10 00000000000000000000000000000000|" ID("1") TIMES)),
	 "rejected spans[0] id_invalid, spans[1] id_invalid, spans[2] id_invalid, spans[3] id_invalid, spans[4] id_invalid, spans[5] id_invalid, "
	 "spans[6] id_invalid, spans[7] id_invalid, spans[8] id_invalid, spans[9] id_invalid\n10 = 0 + 10, ignored 0 + 0"},
	{REQUEST(SPAN(TRACE ID("1") "|22 08 0000000000000000| 5\"r\"" TIMES)),
	 "transaction spans[0] t=-1000 r/background/// " TRACE_HEX " 3.25ms\n1 = 1 + 0, ignored 0 + 0"},
	{REQUEST(SPAN(TRACE "2\"12\"" ID("1") "5\"r\"" TIMES)),
	 "transaction spans[0] t=-1000 r/background/// " TRACE_HEX " 3.25ms\n1 = 1 + 0, ignored 0 + 0"},
	{REQUEST(SPAN(TRACE ID("1") "7!" T1 " 8!" T0 EXCEPTION) SPAN(TRACE ID("1") "7!" T1 "8!1795372011001499999") SPAN(TRACE ID("1") "5\"x\" 7!" T1 " 8!" T1)),
	 "transaction spans[2] t=-999 x/background/// " TRACE_HEX " 0ms\nrejected spans[0] duration_invalid, spans[1] duration_invalid\n"
	 "3 = 1 + 2, ignored 0 + 0"},
	{"1{2{" SPAN(TRACE ID("1") "5\"x\"") "}} 1{2{} 2{" SPAN(TRACE ID("1") "7!18446744073709551615 8!18446744073709551615") SPAN("") "}}",
	 "rejected spans[2] id_invalid, spans[0] time_too_old, spans[1] time_too_new\n3 = 0 + 3, ignored 0 + 0"},
	/* what nobody wants is passed over, whatever its type */
	{REQUEST(SPAN(ROOT "3=1 10\"\" 12:1 13=5 14\"x\" 16\"f\" 99<1=1> 11{1!" T0 " 4\"\"} 15{1=1 3=0}")), ROOT_TEXT "\n1 = 1 + 0, ignored 0 + 0"},
};

START_TEST(spans_become_events)
{
	struct buf body = wire_text(cases[_i].text), got;
	struct arena arena = {.limit_bytes = 1 << 20};
	struct refusal no;
	struct payload p;

	ck_assert_msg(otlp_test_parse(buf_str(&body), &p, &arena, &no, otlp_traces_parse) == 0, "%s: %s", cases[_i].text, no.detail);
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
	{"1=1", REASON_BAD_PROTOBUF, "byte 1, resource_spans[0]: the field has another wire type"},
	{"1{} 1{1=1}", REASON_BAD_PROTOBUF, "byte 5, resource_spans[1].resource: the field has another wire type"},
	{"1{1{1{1=1}}}", REASON_BAD_PROTOBUF, "byte 7, resource_spans[0].resource.attributes.key: the field has another wire type"},
	{"1{2{} 2{1{1{|ff|}}}}", REASON_BAD_PROTOBUF, "byte 9, resource_spans[0].scope_spans[1].scope.name: a string is not UTF-8"},
	{"1{2{2{} 2{1=1}}}", REASON_BAD_PROTOBUF, "byte 9, resource_spans[0].scope_spans[0].spans[1].trace_id: the field has another"},
	{"1{2{2{5{|ff|}}}}", REASON_BAD_PROTOBUF, "byte 7, resource_spans[0].scope_spans[0].spans[0].name: a string is not UTF-8"},
	{"1{2{2{7=1}}}", REASON_BAD_PROTOBUF, "byte 7, resource_spans[0].scope_spans[0].spans[0].start_time_unix_nano: the field"},
	{"1{2{2{11{} 11{2=1}}}}", REASON_BAD_PROTOBUF, "byte 11, resource_spans[0].scope_spans[0].spans[0].events[1].name: the field"},
	{"1{2{2{15{3\"\"}}}}", REASON_BAD_PROTOBUF, "byte 9, resource_spans[0].scope_spans[0].spans[0].status.code: the field"},
	{"1{2{2{9{2{5{|0a|}}}}}}", REASON_BAD_PROTOBUF, "byte 13, resource_spans[0].scope_spans[0].spans[0].attributes.values: the message"},
	{"1{2{2{|39 00|}}}", REASON_BAD_PROTOBUF, "byte 7, resource_spans[0].scope_spans[0].spans[0].start_time_unix_nano: the message"},
	{"|0a|", REASON_BAD_PROTOBUF, "byte 1, resource_spans[0]: the message ends inside"},
};

START_TEST(bodies_are_refused)
{
	struct buf body = wire_text(refused[_i].text);
	struct arena arena = {.limit_bytes = 1 << 20};
	struct refusal no;
	struct payload p;

	ck_assert_int_eq(otlp_test_parse(buf_str(&body), &p, &arena, &no, otlp_traces_parse), -1);
	ck_assert_msg(no.reason == refused[_i].reason && strncmp(no.detail, refused[_i].detail, strlen(refused[_i].detail)) == 0, "%s: %s",
		      refused[_i].text, no.detail);
	buf_fini(&body);
	arena_fini(&arena);
}
END_TEST

/* Spans of one trace by number, each with a parent by number, or none (-1). */
static void add_span(struct buf *spans, int id, int parent, const char *rest)
{
	char text[512];
	int n = snprintf(text, sizeof(text), TRACE "2\"%08d\"5\"n\"" TIMES "%s", id, rest);

	if (parent >= 0)
		snprintf(text + n, sizeof(text) - (size_t)n, "4\"%08d\"", parent);
	buf_add(spans, "\x12", 1);
	wire_nested(spans, text, wire_items);
}

static struct buf framed_request(const struct buf *spans)
{
	struct buf scope = BUF_INIT, request = BUF_INIT;

	buf_add(&scope, "\x12", 1);
	wire_bytes(&scope, spans->p, spans->len);
	buf_add(&request, "\x0a", 1);
	wire_bytes(&request, scope.p, scope.len);
	buf_fini(&scope);
	return request;
}

/* Trees as an attacker builds them: a chain from the last to the first, a circle, a star, all doubles of one another. */
enum { CHAIN, CIRCLE, STAR, DOUBLES, NR_TREES, SPANS = 20000 };

START_TEST(trees_of_any_shape)
{
	struct buf spans = BUF_INIT, body;
	struct arena arena = {.limit_bytes = 64 << 20};
	struct refusal no;
	struct payload p;

	for (int i = 0; i < SPANS; i++) {
		if (_i == CHAIN)
			add_span(&spans, i, i + 1 < SPANS ? i + 1 : -1, "");
		else if (_i == CIRCLE)
			add_span(&spans, i, (i + 1) % SPANS, "");
		else if (_i == STAR)
			add_span(&spans, i, i ? 0 : -1, "");
		else
			add_span(&spans, 7, 7, "");
	}
	body = framed_request(&spans);
	ck_assert_msg(otlp_test_parse(buf_str(&body), &p, &arena, &no, otlp_traces_parse) == 0, "%s", no.detail);
	ck_assert_uint_eq(p.received, SPANS);
	ck_assert_uint_eq(p.accepted, SPANS);
	ck_assert_uint_eq(p.ignored[PAYLOAD_IGNORED_SPAN], _i == CHAIN || _i == STAR ? 0 : SPANS);
	ck_assert_uint_eq(p.events_len, _i == CHAIN || _i == STAR ? 1 : 0);
	if (p.events_len) {
		ck_assert_uint_eq(p.events[0].event.transaction.spans_len, 500);
		ck_assert(p.events[0].event.shortened);
	}
	buf_fini(&spans);
	buf_fini(&body);
	arena_fini(&arena);
}
END_TEST

/* A million spans of the least size fit, or are refused for their room; not for time. */
START_TEST(a_million_spans)
{
	static const uint8_t empty[] = {0x12, 0x00};
	struct buf spans = BUF_INIT, body;
	struct arena arena = {.limit_bytes = _i ? 64 << 20 : 512 << 20};
	struct refusal no;
	struct payload p;
	int rc;

	for (int i = 0; i < 1000000; i++) {
		if (_i == 2) {
			buf_add(&spans, empty, sizeof(empty));
			continue;
		}
		buf_add(&spans, "\x12\x2e\x0a\x10", 4);
		buf_add(&spans, "0123456789abcdef\x12\x08", 18);
		buf_add(&spans, &(uint64_t){(uint64_t)i + 1}, 8);
		buf_add(&spans, "\x22\x08", 2);
		buf_add(&spans, &(uint64_t){(uint64_t)(i ^ 1) + 1}, 8);
		buf_add(&spans, "\x98\x06\x01\x98\x06\x01\x30\x01", 8); /* unknown ones, and a kind */
	}
	body = framed_request(&spans);
	rc = otlp_test_parse(buf_str(&body), &p, &arena, &no, otlp_traces_parse);
	ck_assert_int_eq(rc, _i == 1 ? -1 : 0);
	if (_i == 1)
		ck_assert_int_eq(no.reason, REASON_BODY_TOO_LARGE);
	else
		ck_assert_uint_eq(p.received, 1000000);
	if (_i == 0)
		ck_assert_uint_eq(p.ignored[PAYLOAD_IGNORED_SPAN], 1000000);
	if (_i == 2)
		ck_assert_uint_eq(p.rejected_by[REASON_ID_INVALID], 1000000);
	buf_fini(&spans);
	buf_fini(&body);
	arena_fini(&arena);
}
END_TEST

/* Many exceptions of one span: each has the last of what happened before it, and all together take no square of their number. */
START_TEST(many_exceptions)
{
	enum { EVENTS = 3000 };
	struct buf spans = BUF_INIT, text = BUF_INIT, body;
	struct arena arena = {.limit_bytes = 64 << 20};
	const struct event *last;
	struct refusal no;
	struct payload p;

	buf_printf(&text, ROOT);
	for (int i = 0; i < 60; i++)
		buf_printf(&text, " 11{1!" T1 " 2\"e%d\"}", i);
	for (int i = 0; i < EVENTS; i++)
		buf_printf(&text, EXCEPTION);
	buf_add(&text, "", 1);
	buf_add(&spans, "\x12", 1);
	wire_nested(&spans, (char *)text.p, wire_items);
	body = framed_request(&spans);
	ck_assert_msg(otlp_test_parse(buf_str(&body), &p, &arena, &no, otlp_traces_parse) == 0, "%s", no.detail);
	ck_assert_uint_eq(p.events_len, EVENTS + 1);
	last = &p.events[EVENTS - 1].event;
	ck_assert_uint_eq(last->error.breadcrumbs_len, 50);
	ck_assert(str_eq(last->error.breadcrumbs[0].action, STR("e10")) && str_eq(last->error.breadcrumbs[49].action, STR("e59")));
	ck_assert(last->shortened);
	buf_fini(&text);
	buf_fini(&spans);
	buf_fini(&body);
	arena_fini(&arena);
}
END_TEST

/* What a body says once may stand in every event: the records would have many times the arena's size, and are refused before they are made. */
START_TEST(exceptions_that_share_much)
{
	struct buf spans = BUF_INIT, text = BUF_INIT, body;
	struct arena arena = {.limit_bytes = 64 << 20};
	struct refusal no;
	struct payload p;

	buf_printf(&text, ROOT);
	for (int i = 0; i < 60; i++) {
		buf_printf(&text, " " "9{1\"k%d\" 2{1\"", i);
		for (int k = 0; k < 1000; k++)
			buf_printf(&text, "x");
		buf_printf(&text, "\"}}");
	}
	for (int i = 0; i < (_i ? 3000 : 100); i++)
		buf_printf(&text, EXCEPTION);
	buf_add(&text, "", 1);
	buf_add(&spans, "\x12", 1);
	wire_nested(&spans, (char *)text.p, wire_items);
	body = framed_request(&spans);
	ck_assert_int_eq(otlp_test_parse(buf_str(&body), &p, &arena, &no, otlp_traces_parse), _i ? -1 : 0);
	if (_i)
		ck_assert_int_eq(no.reason, REASON_BODY_TOO_LARGE);
	buf_fini(&text);
	buf_fini(&spans);
	buf_fini(&body);
	arena_fini(&arena);
}
END_TEST

START_TEST(exceptions_are_rejected_within_their_spans)
{
	struct buf body = wire_text(REQUEST(SPAN(ROOT "11{1!1 " ATTR(3, "exception.type", "Old") "}") SPAN(TRACE ID("2") "7!1 8!2 " "11{1!1 " ATTR(3, "exception.type", "Old") "}")));
	struct arena arena = ARENA_INIT;
	struct refusal no;
	struct payload p;

	ck_assert_int_eq(otlp_test_parse(buf_str(&body), &p, &arena, &no, otlp_traces_parse), 0);
	ck_assert_uint_eq(p.accepted, 1);
	ck_assert_uint_eq(p.rejected, 3);
	ck_assert_uint_eq(p.rejected_inner, 2);
	buf_fini(&body);
	arena_fini(&arena);
}
END_TEST

static Suite *otlp_traces_suite(void)
{
	Suite *s = suite_create("otlp_traces");
	TCase *tc = tcase_create("all");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, spans_become_events, 0, NR(cases));
	tcase_add_loop_test(tc, bodies_are_refused, 0, NR(refused));
	tcase_add_loop_test(tc, trees_of_any_shape, 0, NR_TREES);
	tcase_add_loop_test(tc, a_million_spans, 0, 3);
	tcase_add_test(tc, many_exceptions);
	tcase_add_test(tc, exceptions_are_rejected_within_their_spans);
	tcase_add_loop_test(tc, exceptions_that_share_much, 0, 2);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	return unit_main(otlp_traces_suite());
}
