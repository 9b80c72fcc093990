/* test_push_json_event.c - events in JSON: what refuses the payload, each field as it is kept, and how much of a list. Which events are good is
 * the business of test_event.c. */
#include "tests/unit/ingest/payloads.h"

static const struct {
	const char *body, *detail;
} refused[] = {
	{"{\"errors\":[7]}", "errors[0]: an object is expected"},
	{"{\"errors\":[{\"class\":\"E\"},null]}", "errors[1]: an object is expected"},
	{"{\"transactions\":[[]]}", "transactions[0]: an object is expected"},
	{"{\"markers\":[true]}", "markers[0]: an object is expected"},
	{"{\"check_ins\":7}", "check_ins: an array is expected"},
	{"{\"errors\":[{\"t\":\"1\"}]}", "errors[0].t: an integer is expected"},
	{"{\"errors\":[{\"class\":7}]}", "errors[0].class: a string is expected"},
	{"{\"errors\":[{\"message\":{}}]}", "errors[0].message: a string is expected"},
	{"{\"errors\":[{\"action\":[]}]}", "errors[0].action: a string is expected"},
	{"{\"errors\":[{\"namespace\":1}]}", "errors[0].namespace: a string is expected"},
	{"{\"errors\":[{\"tags\":[]}]}", "errors[0].tags: an object is expected"},
	{"{\"errors\":[{\"params\":\"\"}]}", "errors[0].params: an object is expected"},
	{"{\"errors\":[{\"backtrace\":{}}]}", "errors[0].backtrace: an array is expected"},
	{"{\"errors\":[{\"backtrace\":[{},\"a.rb:7\"]}]}", "errors[0].backtrace[1]: an object is expected"},
	{"{\"errors\":[{\"backtrace\":[{\"line\":7.5}]}]}", "errors[0].backtrace[0].line: an integer is expected"},
	{"{\"errors\":[{\"backtrace\":[{\"in_app\":1}]}]}", "errors[0].backtrace[0].in_app: a boolean is expected"},
	{"{\"errors\":[{\"backtrace\":[{\"file\":1}]}]}", "errors[0].backtrace[0].file: a string is expected"},
	{"{\"errors\":[{\"backtrace\":[{\"function\":1}]}]}", "errors[0].backtrace[0].function: a string is expected"},
	{"{\"errors\":[{\"breadcrumbs\":[null]}]}", "errors[0].breadcrumbs[0]: an object is expected"},
	{"{\"errors\":[{},{\"breadcrumbs\":[{},{\"t\":1.5}]}]}", "errors[1].breadcrumbs[1].t: an integer is expected"},
	{"{\"errors\":[{\"breadcrumbs\":[{\"metadata\":[]}]}]}", "errors[0].breadcrumbs[0].metadata: an object is expected"},
	{"{\"transactions\":[{\"duration_ms\":\"1\"}]}", "transactions[0].duration_ms: a number is expected"},
	{"{\"transactions\":[{\"queue_ms\":true}]}", "transactions[0].queue_ms: a number is expected"},
	{"{\"transactions\":[{\"error\":\"E\"}]}", "transactions[0].error: a boolean is expected"},
	{"{\"transactions\":[{\"spans\":[{\"start_ms\":{}}]}]}", "transactions[0].spans[0].start_ms: a number is expected"},
	{"{\"transactions\":[{\"spans\":[{\"tags\":1}]}]}", "transactions[0].spans[0].tags: an object is expected"},
	{"{\"markers\":[{\"revision\":7}]}", "markers[0].revision: a string is expected"},
	{"{\"check_ins\":[{\"kind\":1}]}", "check_ins[0].kind: a string is expected"},
	/* twice the same */
	{"{\"errors\":[],\"errors\":[]}", "errors: this field stands there twice"},
	{"{\"errors\":[{\"class\":\"E\",\"class\":\"E\"}]}", "errors[0].class: this field stands there twice"},
	{"{\"errors\":[{\"tags\":{},\"tags\":{}}]}", "errors[0].tags: this field stands there twice"},
	{"{\"errors\":[{\"backtrace\":[{\"line\":1,\"line\":1}]}]}", "errors[0].backtrace[0].line: this field stands"},
	{"{\"errors\":[{\"breadcrumbs\":[{\"t\":1,\"t\":1}]}]}", "errors[0].breadcrumbs[0].t: this field stands"},
	{"{\"transactions\":[{\"spans\":[{\"id\":\"\",\"id\":null}]}]}", "transactions[0].spans[0].id: this field stands"},
	{"{\"check_ins\":[{\"event\":\"beat\",\"event\":\"beat\"}]}", "check_ins[0].event: this field stands there twice"},
};

START_TEST(refuses_a_payload)
{
	struct decoded d;

	decode(&d, refused[_i].body);
	ck_assert_msg(d.rc == -1 && d.no.reason == REASON_BAD_PAYLOAD && strstr(d.no.detail, refused[_i].detail), "%s: %s", refused[_i].body,
		      d.rc ? d.no.detail : "taken");
	decoded_fini(&d);
}
END_TEST

/* Events by what is kept of them (payloads.h); times relative to NOW. */
static const struct {
	const char *body, *events;
} kept[] = {
	{"{\"errors\":[{\"t\":1795372011000,\"class\":\"IOError\",\"message\":\"disk \\u00fc\",\"backtrace\":[{\"file\":\"a.rb\",\"line\":7,"
	 "\"function\":\"f\",\"in_app\":true},{\"in_app\":false,\"file\":\"b\\\\c\"}],\"action\":\"A#b\",\"namespace\":\"web\",\"tags\":"
	 "{\"b\":\"2\",\"a\":\"1\"},\"params\":{\"id\":\"7\"},\"breadcrumbs\":[{\"t\":1795372010000,\"category\":\"c\",\"action\":\"GET\","
	 "\"message\":\"m\",\"metadata\":{\"k\":\"v\"}},{\"message\":\"n\"}]}]}",
	 "errors[0] -1000 action=A#b namespace=web {a=1,b=2} class=IOError message=disk \xc3\xbc <a.rb:7 f app> <b\\c:0 > params{id=7} "
	 "(-2000 category=c action=GET message=m {k=v}) (-1000 message=n)"},
	{"{\"transactions\":[{\"t\":1795372011000,\"id\":\"4f\",\"action\":\"A#b\",\"namespace\":\"web\",\"duration_ms\":12.5,\"queue_ms\":2,"
	 "\"error\":true,\"tags\":{\"a\":\"1\"},\"spans\":[{\"id\":\"1\",\"parent_id\":\"0\",\"name\":\"sql\",\"start_ms\":0.5,\"duration_ms\":3,"
	 "\"tags\":{\"q\":\"x\"}},{\"name\":\"view\"}]}]}",
	 "transactions[0] -1000 action=A#b namespace=web {a=1} id=4f duration=12.5 queue=2 failed ( id=1 parent=0 name=sql start=0.5 duration=3 {q=x}) "
	 "( name=view)"},
	{"{\"markers\":[{\"t\":1795372012001,\"revision\":\"a1\",\"user\":\"ann\",\"text\":\"deploy\"}]}", "markers[0] 1 revision=a1 user=ann text=deploy"},
	{"{\"check_ins\":[" CHECK_IN("cron", "start") "," CHECK_IN("cron", "finish") "," CHECK_IN("heartbeat", "beat") "]}",
	 "check_ins[0] 0 name=n cron start; check_ins[1] 0 name=n cron finish; check_ins[2] 0 name=n heartbeat beat"},
	/* order, nulls and what nobody knows */
	{"{\"markers\":[{\"revision\":\"a\"}],\"errors\":[{\"tags\":null,\"class\":\"E\",\"t\":null,\"new\":[{\"class\":7}],\"backtrace\":null,\"message\":null,"
	 "\"breadcrumbs\":[{\"new\":{\"a\":[]},\"message\":\"m\"}]}]}",
	 "markers[0] 0 revision=a; errors[0] 0 class=E (0 message=m)"},
	/* nothing of one event shines through the next */
	{"{\"errors\":[{\"class\":\"E\",\"action\":\"a\",\"tags\":{\"a\":\"1\"},\"params\":{\"a\":\"1\"},\"backtrace\":[{\"file\":\"f\",\"line\":1}],"
	 "\"breadcrumbs\":[{\"message\":\"m\",\"metadata\":{\"a\":\"b\"}},{}]},{\"class\":\"F\",\"backtrace\":[{}],\"breadcrumbs\":[{}]}],"
	 "\"transactions\":[{\"action\":\"a\",\"error\":true,\"spans\":[{\"id\":\"1\",\"tags\":{\"a\":\"b\"}},{}]},{\"action\":\"b\"}]}",
	 "errors[0] 0 action=a {a=1} class=E <f:1 > params{a=1} (0 message=m {a=b}) (0); errors[1] 0 class=F <:0 > (0); "
	 "transactions[0] 0 action=a failed ( id=1 {a=b}) (); transactions[1] 0 action=b"},
	/* values that are no strings are their text, as it stands there */
	{"{\"errors\":[{\"class\":\"E\",\"tags\":{\"a\":1.50,\"b\":true,\"c\":false,\"d\":null,\"e\":[1, 2]},\"params\":{\"x\": {\"y\": [ 1,{\"z\":\"\\u00fc\"} ]} ,"
	 "\"e\":{},\"s\":\"\\u00fc\"},\"breadcrumbs\":[{\"metadata\":{\"k\":-1e3}}]}]}",
	 "errors[0] 0 {a=1.50,b=true,c=false,e=[1, 2]} class=E params{e={},s=\xc3\xbc,x={\"y\": [ 1,{\"z\":\"\\u00fc\"} ]}} (0 {k=-1e3})"},
	/* without escapes that need not be, behind which a secret's name would hide */
	{"{\"errors\":[{\"class\":\"E\",\"params\":{\"x\":{\"\\u0070assword\":\"a\\u0026b\\\\u0041\\u0022\\u005c\\u0007\"}}}]}",
	 "errors[0] 0 class=E params{x={\"password\":\"a&b\\\\u0041\\u0022\\u005c\\u0007\"}}"},
	{"{\"transactions\":[{\"action\":\"a\",\"spans\":[{\"tags\":{\"n\":7,\"deep\":[[[]]]}}]}]}", "transactions[0] 0 action=a ( {deep=[[[]]],n=7})"},
	/* a line that is no line's number is unknown */
	{"{\"errors\":[{\"class\":\"E\",\"backtrace\":[{\"line\":-1},{\"line\":2147483647},{\"line\":2147483648},{\"line\":9223372036854775807},{\"line\":4294967303},"
	 "{\"line\":1e1}]}]}",
	 "errors[0] 0 class=E <:0 > <:2147483647 > <:0 > <:0 > <:0 > <:10 >"},
};

START_TEST(keeps_events)
{
	struct decoded d;
	struct buf text;

	decode(&d, kept[_i].body);
	ck_assert_msg(d.rc == 0, "case %d: %s: %s", _i, reason_name(d.no.reason), d.no.detail);
	text = show_events(&d.payload);
	ck_assert_msg(str_eq(buf_str(&text), str_from(kept[_i].events)), "case %d:\n" STR_FMT "\n%s", _i, STR_ARG(buf_str(&text)), kept[_i].events);
	buf_fini(&text);
	decoded_fini(&d);
}
END_TEST

/* An event with n of something in it, of which so many are kept. */
static const struct {
	const char *head, *piece, *tail;
	size_t n, kept;
} long_lists[] = {
	{"{\"errors\":[{\"class\":\"E\",\"backtrace\":[", "{\"line\":1},", "{\"line\":2}]}]}", 199, 200},
	{"{\"errors\":[{\"class\":\"E\",\"backtrace\":[", "{\"line\":1},", "{\"line\":2}]}]}", 200, 200},
	{"{\"errors\":[{\"class\":\"E\",\"backtrace\":[", "{\"line\":1},", "{\"line\":2}]}]}", 100000, 200},
	{"{\"errors\":[{\"class\":\"E\",\"breadcrumbs\":[", "{\"message\":\"m\"},", "{\"message\":\"last\"}]}]}", 49, 50},
	{"{\"errors\":[{\"class\":\"E\",\"breadcrumbs\":[", "{\"message\":\"m\"},", "{\"message\":\"last\"}]}]}", 50, 50},
	{"{\"errors\":[{\"class\":\"E\",\"breadcrumbs\":[", "{\"message\":\"m\"},", "{\"message\":\"last\"}]}]}", 10007, 50},
	{"{\"transactions\":[{\"action\":\"a\",\"spans\":[", "{\"tags\":{\"a\":\"b\"}},", "{}]}]}", 499, 500},
	{"{\"transactions\":[{\"action\":\"a\",\"spans\":[", "{\"tags\":{\"a\":\"b\"}},", "{}]}]}", 500, 500},
	{"{\"transactions\":[{\"action\":\"a\",\"spans\":[", "{\"tags\":{\"a\":\"b\"}},", "{}]}]}", 100000, 500},
};

START_TEST(keeps_so_much_of_a_list)
{
	struct str body = repeated_text(long_lists[_i].head, long_lists[_i].piece, long_lists[_i].n, long_lists[_i].tail);
	struct decoded d;
	const struct event *v;

	decode_bytes(&d, body);
	ck_assert(d.rc == 0 && d.payload.events_len == 1);
	v = &d.payload.events[0].event;
	ck_assert_uint_eq(v->error.backtrace_len + v->error.breadcrumbs_len + v->transaction.spans_len, long_lists[_i].kept);
	ck_assert_int_eq(v->shortened, long_lists[_i].n + 1 > long_lists[_i].kept);
	if (v->error.breadcrumbs_len)
		ck_assert(str_eq(v->error.breadcrumbs[49].message, STR("last")) && str_eq(v->error.breadcrumbs[0].message, STR("m")));
	if (v->error.backtrace_len)
		ck_assert_int_eq(v->error.backtrace[199].line, v->shortened ? 1 : 2);
	decoded_fini(&d);
	free((void *)(uintptr_t)body.p);
}
END_TEST

/* An event of many tiny elements takes as much as a full one, however many there are. */
START_TEST(tiny_elements_take_no_room)
{
	static const char *const bodies[][3] = {
		{"{\"errors\":[{\"class\":\"E\",\"backtrace\":[", "{},", "{}]}]}"},
		{"{\"errors\":[{\"class\":\"E\",\"breadcrumbs\":[", "{},", "{}]}]}"},
		{"{\"errors\":[{\"class\":\"E\",\"tags\":{", "\"\":1,", "\"\":1}}]}"},
		{"{\"errors\":[{\"class\":\"E\",\"params\":{", "\"\":\"\",", "\"\":{}}}]}"},
		{"{\"errors\":[{\"class\":\"E\",\"breadcrumbs\":[{\"metadata\":{", "\"\":1,", "\"\":1}}]}]}"},
		{"{\"transactions\":[{\"action\":\"a\",\"spans\":[", "{},", "{}]}]}"},
		{"{\"transactions\":[{\"action\":\"a\",\"spans\":[{},{\"tags\":{", "\"\":1,", "\"\":1}}]}]}"},
	};

	for (size_t i = 0; i < NR(bodies); i++) {
		struct str body = repeated_text(bodies[i][0], bodies[i][1], 300000, bodies[i][2]);
		struct decoded d;

		decode_bytes(&d, body);
		ck_assert_msg(d.rc == 0 && d.payload.events_len == 1 && d.payload.events[0].event.shortened, "case %zu", i);
		ck_assert_msg(d.arena.used_bytes < 200000, "case %zu takes %zu bytes", i, d.arena.used_bytes);
		decoded_fini(&d);
		free((void *)(uintptr_t)body.p);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("push_json_event");
	TCase *tc = tcase_create("push_json_event");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, refuses_a_payload, 0, (int)NR(refused));
	tcase_add_loop_test(tc, keeps_events, 0, (int)NR(kept));
	tcase_add_loop_test(tc, keeps_so_much_of_a_list, 0, (int)NR(long_lists));
	tcase_add_test(tc, tiny_elements_take_no_room);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
