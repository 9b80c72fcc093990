/* test_lines.c - what a line becomes: tables of accepted and refused ones.
 *
 * Accepted lines are judged by protobuf-c's own unpacking of the payload that the queue's fields make, not by anything of the reader's. */
#include "tests/unit/agent/lines_house.h"

#define TEN "0123456789"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN
#define BYTES_255 HUNDRED HUNDRED TEN TEN TEN TEN TEN "01234"

static const struct {
	enum lines_reason reason;
	const char *line;
	const char *text; /* that the refusal has in it */
} refused[] = {
	{LINES_BAD_JSON, "x", "byte"},
	{LINES_BAD_JSON, "{", ""},
	{LINES_BAD_JSON, "{\"marker\":{\"revision\":\"a\"}} {}", ""},
	{LINES_BAD_JSON, "{\"marker\":{\"revision\":\"a\"}} // c", ""},
	{LINES_BAD_JSON, "[]", "not an object"},
	{LINES_BAD_JSON, "null", "not an object"},
	{LINES_BAD_JSON, "7", "not an object"},
	{LINES_BAD_JSON, "\"error\"", "not an object"},
	{LINES_BAD_JSON, "{\"marker\":{\"revision\":\"\xff\"}}", ""},
	{LINES_BAD_JSON, "{\"marker\":{\"revision\":\"\xed\xa0\x80\"}}", ""},
	{LINES_BAD_JSON, "{\"marker\":{\"revision\":\"\\x\"}}", ""},
	{LINES_BAD_JSON, "{\"marker\":{\"revision\":\"\\u12\"}}", ""},
	{LINES_KIND_UNKNOWN, "{}", "no error"},
	{LINES_KIND_UNKNOWN, "{\"metric\":{}}", ""},
	{LINES_KIND_UNKNOWN, "{\"errors\":[{\"class\":\"E\"}]}", ""},
	{LINES_KIND_UNKNOWN, "{\"error\":null}", ""},
	{LINES_KIND_UNKNOWN, "{\"marker\":{\"revision\":\"a\"},\"error\":{\"class\":\"E\"}}", "more than one"},
	{LINES_KIND_UNKNOWN, "{\"marker\":{\"revision\":\"a\"},\"marker\":{\"revision\":\"a\"}}", "more than one"},
	{LINES_BAD_FIELD, "{\"error\":[]}", "error: an object"},
	{LINES_BAD_FIELD, "{\"error\":7}", "error: an object"},
	{LINES_BAD_FIELD, "{\"error\":{\"class\":7}}", "error.class: a string"},
	{LINES_BAD_FIELD, "{\"error\":{\"class\":[]}}", "error.class: a string"},
	{LINES_BAD_FIELD, "{\"error\":{\"class\":{}}}", "error.class: a string"},
	{LINES_BAD_FIELD, "{\"error\":{\"class\":true}}", "error.class: a string"},
	{LINES_BAD_FIELD, "{\"error\":{\"class\":\"E\",\"class\":\"E\"}}", "error.class: this field stands there twice"},
	{LINES_BAD_FIELD, "{\"error\":{\"class\":\"E\",\"class\":null}}", "twice"},
	{LINES_BAD_FIELD, "{\"error\":{\"class\":\"E\",\"t\":1.5}}", "error.t: an integer"},
	{LINES_BAD_FIELD, "{\"error\":{\"class\":\"E\",\"t\":9223372036854775808}}", "error.t: an integer"},
	{LINES_BAD_FIELD, "{\"error\":{\"class\":\"E\",\"t\":1e300}}", "error.t: an integer"},
	{LINES_BAD_FIELD, "{\"error\":{\"class\":\"E\",\"t\":\"1795372000000\"}}", "error.t: an integer"},
	{LINES_BAD_FIELD, "{\"error\":{\"class\":\"E\",\"backtrace\":{}}}", "error.backtrace: a list"},
	{LINES_BAD_FIELD, "{\"error\":{\"class\":\"E\",\"backtrace\":\"a.rb:1\"}}", "error.backtrace: a list"},
	{LINES_BAD_FIELD, "{\"error\":{\"class\":\"E\",\"backtrace\":[{},\"a.rb:1\"]}}", "error.backtrace[1]: an object"},
	{LINES_BAD_FIELD, "{\"error\":{\"class\":\"E\",\"backtrace\":[null]}}", "error.backtrace[0]: an object"},
	{LINES_BAD_FIELD, "{\"error\":{\"class\":\"E\",\"backtrace\":[[]]}}", "error.backtrace[0]: an object"},
	{LINES_BAD_FIELD, "{\"error\":{\"class\":\"E\",\"backtrace\":[{},{},{\"line\":\"7\"}]}}", "error.backtrace[2].line: an integer"},
	{LINES_BAD_FIELD, "{\"error\":{\"class\":\"E\",\"backtrace\":[{\"in_app\":1}]}}", "error.backtrace[0].in_app: true or false"},
	{LINES_BAD_FIELD, "{\"error\":{\"class\":\"E\",\"tags\":[]}}", "error.tags: an object"},
	{LINES_BAD_FIELD, "{\"error\":{\"class\":\"E\",\"tags\":{\"a\":\"1\",\"b\":\"2\",\"a\":\"1\"}}}", "error.tags: the same key"},
	{LINES_BAD_FIELD, "{\"transaction\":{\"action\":\"A\",\"duration_ms\":\"1\"}}", "transaction.duration_ms: a number"},
	{LINES_BAD_FIELD, "{\"transaction\":{\"action\":\"A\",\"duration_ms\":1,\"error\":0}}", "transaction.error: true or false"},
	{LINES_BAD_FIELD, "{\"check_in\":{\"name\":\"n\",\"kind\":1}}", "check_in.kind: a string"},
	{LINES_FIELD_MISSING, "{\"error\":{}}", "error.class"},
	{LINES_FIELD_MISSING, "{\"error\":{\"class\":\"\"}}", "error.class"},
	{LINES_FIELD_MISSING, "{\"error\":{\"class\":null,\"message\":\"m\"}}", "error.class"},
	{LINES_FIELD_MISSING, "{\"transaction\":{\"duration_ms\":1}}", "transaction.action"},
	{LINES_FIELD_MISSING, "{\"transaction\":{\"action\":\"A\"}}", "transaction.duration_ms"},
	{LINES_FIELD_MISSING, "{\"transaction\":{\"action\":\"A\",\"duration_ms\":null}}", "transaction.duration_ms"},
	{LINES_FIELD_MISSING, "{\"transaction\":{\"action\":\"A\",\"duration_ms\":1,\"spans\":[{\"name\":\"n\"},{}]}}", "spans.name"},
	{LINES_FIELD_MISSING, "{\"marker\":{\"text\":\"t\"}}", "marker.revision"},
	{LINES_FIELD_MISSING, "{\"check_in\":{\"kind\":\"cron\",\"event\":\"start\"}}", "check_in.name"},
	{LINES_FIELD_MISSING, "{\"check_in\":{\"name\":\"n\",\"event\":\"start\"}}", "check_in.kind"},
	{LINES_FIELD_MISSING, "{\"check_in\":{\"name\":\"n\",\"kind\":\"cron\"}}", "check_in.event"},
	{LINES_BAD_VALUE, "{\"check_in\":{\"name\":\"n\",\"kind\":\"kind_missing\",\"event\":\"start\"}}", "check_in.kind: it is none"},
	{LINES_BAD_VALUE, "{\"check_in\":{\"name\":\"n\",\"kind\":\"cron\",\"event\":\"stop\"}}", "check_in.event: it is none"},
	{LINES_BAD_VALUE, "{\"error\":{\"class\":\"" BYTES_255 "x\"}}", "class: more than 255"},
	{LINES_BAD_VALUE, "{\"error\":{\"class\":\"E\",\"action\":\"" BYTES_255 "x\"}}", "action"},
	{LINES_BAD_VALUE, "{\"error\":{\"class\":\"E\",\"namespace\":\"" BYTES_255 "x\"}}", "namespace"},
	{LINES_BAD_VALUE, "{\"error\":{\"class\":\"E\",\"params\":{\"\":\"1\"}}}", "params"},
	{LINES_BAD_VALUE, "{\"error\":{\"class\":\"E\",\"params\":{\"" BYTES_255 "x\":\"1\"}}}", "params"},
	{LINES_BAD_VALUE, "{\"error\":{\"class\":\"E\",\"breadcrumbs\":[{\"metadata\":{\"\":\"1\"}}]}}", "breadcrumbs.metadata"},
	{LINES_BAD_VALUE, "{\"error\":{\"class\":\"E\",\"breadcrumbs\":[{\"category\":\"" BYTES_255 "x\"}]}}", "breadcrumbs.category"},
	{LINES_BAD_VALUE, "{\"error\":{\"class\":\"E\",\"backtrace\":[{\"line\":-1}]}}", "error.backtrace[0].line: it is out of range"},
	{LINES_BAD_VALUE, "{\"error\":{\"class\":\"E\",\"backtrace\":[{\"line\":4294967296}]}}", "out of range"},
	{LINES_BAD_VALUE, "{\"transaction\":{\"action\":\"A\",\"duration_ms\":-0.1}}", "duration_ms"},
	{LINES_BAD_VALUE, "{\"transaction\":{\"action\":\"A\",\"duration_ms\":1e999}}", "transaction.duration_ms: it is out of range"},
	{LINES_BAD_VALUE, "{\"transaction\":{\"action\":\"A\",\"duration_ms\":1" HUNDRED "}}", "too long"},
	{LINES_BAD_VALUE, "{\"transaction\":{\"action\":\"A\",\"duration_ms\":1,\"queue_ms\":-1}}", "queue_ms"},
	{LINES_BAD_VALUE, "{\"transaction\":{\"action\":\"A\",\"duration_ms\":1,\"id\":\"" BYTES_255 "x\"}}", "id"},
	{LINES_BAD_VALUE, "{\"transaction\":{\"action\":\"A\",\"duration_ms\":1,\"spans\":[{\"name\":\"n\",\"duration_ms\":-1}]}}", "spans.duration_ms"},
	{LINES_BAD_VALUE, "{\"transaction\":{\"action\":\"A\",\"duration_ms\":1,\"spans\":[{\"name\":\"n\",\"start_ms\":-1}]}}", "spans.start_ms"},
	{LINES_BAD_VALUE, "{\"transaction\":{\"action\":\"A\",\"duration_ms\":1,\"spans\":[{\"name\":\"" BYTES_255 "x\"}]}}", "spans.name"},
	{LINES_BAD_VALUE, "{\"marker\":{\"revision\":\"" BYTES_255 "x\"}}", "revision"},
	{LINES_BAD_VALUE, "{\"marker\":{\"revision\":\"r\",\"user\":\"" BYTES_255 "x\"}}", "user"},
	{LINES_BAD_VALUE, "{\"check_in\":{\"name\":\"" BYTES_255 "x\",\"kind\":\"cron\",\"event\":\"start\"}}", "name"},
	{LINES_BAD_TAGS, "{\"error\":{\"class\":\"E\",\"tags\":{\"a b\":\"1\"}}}", "key"},
	{LINES_BAD_TAGS, "{\"error\":{\"class\":\"E\",\"tags\":{\"\":\"1\"}}}", "key"},
	{LINES_BAD_TAGS, "{\"error\":{\"class\":\"E\",\"tags\":{\"a\":\"" BYTES_255 "x\"}}}", "value"},
	{LINES_BAD_TAGS, "{\"transaction\":{\"action\":\"A\",\"duration_ms\":1,\"tags\":{\"\\u00e4\":\"1\"}}}", "key"},
	{LINES_BAD_TAGS, "{\"transaction\":{\"action\":\"A\",\"duration_ms\":1,\"spans\":[{\"name\":\"n\",\"tags\":{\"?\":\"1\"}}]}}", "key"},
	{LINES_BAD_TAGS, "{\"error\":{\"class\":\"E\",\"tags\":{\"0\":0,\"1\":0,\"2\":0,\"3\":0,\"4\":0,\"5\":0,\"6\":0,\"7\":0,\"8\":0,\"9\":0,\"a0\":0,\"a1\":0,"
	 "\"a2\":0,\"a3\":0,\"a4\":0,\"a5\":0,\"a6\":0,\"a7\":0,\"a8\":0,\"a9\":0,\"b0\":0,\"b1\":0,\"b2\":0,\"b3\":0,\"b4\":0,\"b5\":0,\"b6\":0,\"b7\":0,"
	 "\"b8\":0,\"b9\":0,\"c0\":0,\"c1\":0,\"c2\":0}}}", "32"},
	{LINES_BAD_TIME, "{\"error\":{\"class\":\"E\",\"t\":0}}", "1970"},
	{LINES_BAD_TIME, "{\"error\":{\"class\":\"E\",\"t\":-5}}", "1970"},
	{LINES_BAD_TIME, "{\"error\":{\"class\":\"E\",\"t\":1795199199999}}", "48 h"}, /* 172,800,001 ms back */
	{LINES_BAD_TIME, "{\"error\":{\"class\":\"E\",\"t\":1795372600001}}", "10 min"},
	{LINES_BAD_TIME, "{\"transaction\":{\"action\":\"A\",\"duration_ms\":1,\"t\":1795372600001}}", "10 min"},
	{LINES_BAD_TIME, "{\"marker\":{\"revision\":\"r\",\"t\":1795199199999}}", "48 h"},
	{LINES_BAD_TIME, "{\"check_in\":{\"name\":\"n\",\"kind\":\"cron\",\"event\":\"start\",\"t\":1795199199999}}", "48 h"},
	{LINES_BAD_TIME, "{\"error\":{\"class\":\"E\",\"breadcrumbs\":[{\"t\":0}]}}", "1970"},
	{LINES_TOO_DEEP, "{\"error\":{\"class\":\"E\",\"params\":{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}}}", "one another"},
	{LINES_TOO_DEEP, "{\"x\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "one another"},
};

START_TEST(refused_lines)
{
	struct house h;
	struct lines_refusal no = {.reason = NR_LINES_REASONS};
	struct lines_figures f;

	house_open(&h);
	ck_assert_msg(!take(&h, refused[_i].line, &no), "taken: %s", refused[_i].line);
	ck_assert_msg(no.reason == refused[_i].reason, "%s: %s (%s)", refused[_i].line, lines_reason_name(no.reason), no.text);
	ck_assert_msg(strstr(no.text, refused[_i].text), "%s: %s", refused[_i].line, no.text);
	lines_figures(h.lines, &f);
	ck_assert_uint_eq(f.refused[refused[_i].reason], 1);
	ck_assert_uint_eq(refused_in_all(&h), 1);
	ck_assert_uint_eq(f.accepted, 0);
	ck_assert(!event_queue_first(h.queue, &(struct event){0}));
	ck_assert(!take(&h, refused[_i].line, NULL));
	ck_assert(take(&h, "{\"marker\":{\"revision\":\"r\"}}", &no)); /* the next one is not concerned */
	house_close(&h);
}
END_TEST

START_TEST(an_error)
{
	struct house h;
	Millrace__Push__Payload *p;
	const Millrace__Push__Error *e;

	house_open(&h);
	ck_assert(take(&h,
		       " {\"v\":2,\"error\":{\"t\":1795371999000,\"class\":\"IO\\u0000Error\",\"message\":\"gr\\u00f6\\u00dfe \\ud83d\\ude00 \\ud83d \\ude00\\\\ud83d\","
		       "\"new\":{\"a\":[1,{}]},\"backtrace\":[{\"file\":\"a.rb\",\"line\":4294967295,\"function\":\"f\",\"in_app\":true},{\"line\":1.7e1},{},{},{}],"
		       "\"action\":\"A#b\",\"namespace\":\"web\",\"tags\":{\"b\":\"2\",\"a\":null,\"c\":7},"
		       "\"params\":{\"nested\": {\"x\" :[1, \"\\ud800\"]} ,\"n\":-1.50,\"f\":false,\"list\":[ ],\"s\":\"\"},"
		       "\"breadcrumbs\":[{\"t\":5,\"category\":\"c\",\"metadata\":{\"k\":\"v\"}},{\"message\":\"m\"}]}}\r",
		       NULL));
	p = unpack(&h);
	ck_assert_uint_eq(p->n_errors, 1);
	e = p->errors[0];
	ck_assert_int_eq(e->t, INT64_C(1795371999000));
	ck_assert_str_eq(e->class_, "IO\xef\xbf\xbd" "Error");
	ck_assert_str_eq(e->message, "gr\xc3\xb6\xc3\x9f" "e \xf0\x9f\x98\x80 \xef\xbf\xbd \xef\xbf\xbd\\ud83d");
	ck_assert_uint_eq(e->n_backtrace, 5);
	ck_assert_str_eq(e->backtrace[0]->file, "a.rb");
	ck_assert_uint_eq(e->backtrace[0]->line, UINT32_MAX);
	ck_assert(e->backtrace[0]->in_app && !e->backtrace[1]->in_app);
	ck_assert_uint_eq(e->backtrace[1]->line, 17);
	ck_assert_uint_eq(e->n_tags, 2);
	ck_assert_str_eq(e->tags[0]->key, "b");
	ck_assert_str_eq(e->tags[1]->value, "7");
	ck_assert_uint_eq(e->n_params, 5);
	ck_assert_str_eq(e->params[0]->value, "false");
	ck_assert_str_eq(e->params[1]->value, "[ ]");
	ck_assert_str_eq(e->params[2]->value, "-1.50");
	ck_assert_str_eq(e->params[3]->key, "nested");
	ck_assert_str_eq(e->params[3]->value, "{\"x\" :[1, \"\\ufffd\"]}");
	ck_assert_str_eq(e->params[4]->value, "");
	ck_assert_int_eq(e->breadcrumbs[0]->t, 5);
	ck_assert_str_eq(e->breadcrumbs[0]->metadata[0]->value, "v");
	ck_assert_int_eq(e->breadcrumbs[1]->t, NOW_MS);
	unpack_free(p);
	house_close(&h);
}
END_TEST

START_TEST(the_other_kinds)
{
	struct house h;
	Millrace__Push__Payload *p;

	house_open(&h);
	ck_assert(take(&h, "{\"marker\":{\"revision\":\"" BYTES_255 "\",\"user\":\"u\",\"text\":\"t\",\"t\":1795199200000}}", NULL)); /* 48 h to the ms */
	ck_assert(take(&h,
		       "{\"transaction\":{\"id\":\"x\",\"action\":\"A\",\"duration_ms\":1.25e1,\"queue_ms\":0,\"error\":true,\"t\":1795372600000,"
		       "\"spans\":[{\"id\":\"1\",\"name\":\"sql\",\"start_ms\":0.5,\"duration_ms\":2,\"tags\":{\"db\":\"a\"}},{\"name\":\"n\",\"parent_id\":\"1\"}]}}",
		       NULL));
	ck_assert(take(&h, "{\"check_in\":{\"name\":\"n\",\"kind\":\"heartbeat\",\"event\":\"beat\"},\"marker\":null}", NULL));
	ck_assert(take(&h, "{\"check_in\":{\"event\":\"finish\",\"kind\":\"cron\",\"name\":\"m\",\"t\":null}}", NULL));
	ck_assert(take(&h, "", NULL) && take(&h, " \t\r", NULL));
	p = unpack(&h);
	ck_assert(p->n_markers == 1 && p->n_transactions == 1 && p->n_check_ins == 2 && p->n_errors == 0 && p->n_metrics == 0);
	ck_assert_int_eq(p->markers[0]->t, NOW_MS - 172800000);
	ck_assert_str_eq(p->markers[0]->text, "t");
	ck_assert(p->transactions[0]->duration_ms == 12.5 && p->transactions[0]->error);
	ck_assert_int_eq(p->transactions[0]->t, NOW_MS + 600000);
	ck_assert_uint_eq(p->transactions[0]->n_spans, 2);
	ck_assert_str_eq(p->transactions[0]->spans[0]->tags[0]->key, "db");
	ck_assert_str_eq(p->transactions[0]->spans[1]->parent_id, "1");
	ck_assert_int_eq(p->check_ins[0]->kind, MILLRACE__PUSH__CHECK_IN__KIND__heartbeat);
	ck_assert_int_eq(p->check_ins[0]->event, MILLRACE__PUSH__CHECK_IN__EVENT__beat);
	ck_assert_int_eq(p->check_ins[1]->event, MILLRACE__PUSH__CHECK_IN__EVENT__finish);
	ck_assert_int_eq(p->check_ins[1]->t, NOW_MS);
	unpack_free(p);
	house_close(&h);
}
END_TEST

START_TEST(length_is_bounded)
{
	struct house h;
	struct lines_refusal no;
	char *longest = line_of(LINES_MAX_BYTES), *longer = line_of(LINES_MAX_BYTES + 1);

	house_open(&h);
	ck_assert(take(&h, longest, NULL));
	ck_assert(!take(&h, longer, &no));
	ck_assert_int_eq(no.reason, LINES_TOO_LONG);
	free(longest);
	free(longer);
	house_close(&h);
}
END_TEST

/* What costs most memory for its bytes is refused, not built. */
START_TEST(memory_is_bounded)
{
	static const char *const costly[] = {"{\"transaction\":{\"action\":\"A\",\"duration_ms\":1,\"spans\":[", "{\"error\":{\"class\":\"E\",\"backtrace\":["};
	struct house h;
	struct lines_refusal no = {.reason = NR_LINES_REASONS};
	char *line = malloc(LINES_MAX_BYTES + 1);
	size_t n = strlen(costly[_i]);

	house_open(&h);
	memcpy(line, costly[_i], n);
	while (n + 8 < LINES_MAX_BYTES) {
		memcpy(line + n, "{},", 3);
		n += 3;
	}
	memcpy(line + n - 1, "]}}", 4);
	ck_assert(!take(&h, line, &no));
	ck_assert_msg(no.reason == LINES_TOO_LARGE, "%s: %s", lines_reason_name(no.reason), no.text);
	ck_assert(take(&h, "{\"marker\":{\"revision\":\"r\"}}", NULL));
	free(line);
	house_close(&h);
}
END_TEST

START_TEST(no_room)
{
	struct house h;
	struct lines_refusal no = {.reason = NR_LINES_REASONS};
	struct lines_figures f;
	struct err err = ERR_INIT;

	house_open(&h);
	lines_free(h.lines);
	event_queue_free(h.queue);
	h.queue = event_queue_new(1, 1000, &err);
	h.lines = lines_new(h.queue, &h.clock, &h.log, &err);
	ck_assert(take(&h, "{\"marker\":{\"revision\":\"r\"}}", &no));
	ck_assert(!take(&h, "{\"marker\":{\"revision\":\"r\"}}", &no));
	ck_assert_int_eq(no.reason, LINES_NO_ROOM);
	lines_figures(h.lines, &f);
	ck_assert_uint_eq(f.accepted, 1);
	ck_assert_uint_eq(event_queue_take_lost(h.queue), 1);
	house_close(&h);
}
END_TEST

/* A thousand lines that are wrong are one line of log, and none of their own words is in it. */
START_TEST(refusals_are_logged_at_a_bounded_rate)
{
	struct house h;
	char text[1024];
	int logged = 0;

	house_open(&h);
	for (int i = 0; i < 500; i++) {
		take(&h, "{\"error\":{\"class\":\"E\",\"params\":{\"secret\":{\"hidden\":[1,}}}}", NULL);
		take(&h, "{\"error\":{\"class\":\"E\",\"tags\":{\"secret\":{\"hidden\":1}},\"t\":\"hidden\"}}", NULL);
	}
	rewind(h.said);
	for (; fgets(text, sizeof(text), h.said); logged++) {
		ck_assert_msg(strstr(text, "event=line_refused") && strstr(text, "reason=bad_json"), "%s", text);
		ck_assert_msg(!strstr(text, "secret") && !strstr(text, "hidden"), "%s", text);
	}
	ck_assert_int_eq(logged, 1);
	ck_assert_uint_eq(refused_in_all(&h), 1000);
	house_close(&h);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("lines");
	TCase *tc = tcase_create("lines");

	tcase_add_loop_test(tc, refused_lines, 0, NR(refused));
	tcase_add_test(tc, an_error);
	tcase_add_test(tc, the_other_kinds);
	tcase_add_test(tc, length_is_bounded);
	tcase_add_loop_test(tc, memory_is_bounded, 0, 2);
	tcase_add_test(tc, no_room);
	tcase_add_test(tc, refusals_are_logged_at_a_bounded_rate);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	return unit_main(suite());
}
