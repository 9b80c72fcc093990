/* test_letter_value.c - a record's value as JSON, and as bytes; what is cut or foreign is bytes only. */
#include "deploy/ctl/letter_value.h"

#include <math.h>
#include <string.h>

#include "schemas/schemas.h"
#include "tests/unit/unit.h"

/* The JSON of a value, without spaces and newlines between its words; empty when it is not known. */
static const char *json_of(struct str value, char *out, size_t size)
{
	struct json_writer w;
	struct buf text = BUF_INIT;
	struct err err = ERR_INIT;
	size_t n = 0;
	bool known;

	json_write_begin(&w);
	known = letter_value_write(&w, "v", value);
	ck_assert_msg(json_write_end(&w, &text, &err) == 0, "%s", err.msg);
	for (size_t i = 0; known && i < text.len; i++) {
		ck_assert_uint_lt(n + 1, size);
		if (text.p[i] != ' ' && text.p[i] != '\n')
			out[n++] = (char)text.p[i];
	}
	out[n] = '\0';
	buf_fini(&text);
	return out;
}

static void must_say(const char *json, const char *const *words)
{
	for (; *words; words++)
		ck_assert_msg(strstr(json, *words) != NULL, "%s is not in %s", *words, json);
}

START_TEST(an_aggregate)
{
	static const char *const words[] = {"\"fingerprint\":\"0100", "\"epoch\":-7,", "\"site\":\"shop\"", "\"kind\":\"distribution\"",
					    "{\"key\":\"a\",\"value\":\"\\u001B[2J\"}", "\"window_start\":60000", "\"count\":3", "\"sum\":\"NaN\"",
					    "\"min\":0.1,", "\"max\":\"-Infinity\"", "\"counts\":[1,2]", "\"neg_counts\":[]", "\"late\":true", NULL};
	int64_t counts[] = {1, 2};
	struct tag tag = {STR("a"), STR("\033[2J")};
	struct aggregate a = {.fingerprint = {1}, .epoch = -7, .site = STR("shop"), .kind = SERIES_KIND_DISTRIBUTION, .name = STR("n"), .tags = &tag,
			      .tags_len = 1, .window_start = 60000, .window_ms = 60000, .count = 3, .sum = NAN, .has_min = true, .min = 0.1,
			      .has_max = true, .max = -INFINITY, .has_histogram = true, .histogram = {.scale = 5, .counts = counts, .counts_len = 2},
			      .late = true};
	struct buf bytes = BUF_INIT;
	char json[2048];

	ck_assert_int_eq(aggregate_encode(&a, &bytes, NULL), 0);
	must_say(json_of(buf_str(&bytes), json, sizeof(json)), words);
	ck_assert_ptr_null(strstr(json, "\"last\":"));
	ck_assert_str_eq(letter_value_schema(buf_str(&bytes)), "Aggregate");
	for (size_t len = 0; len < bytes.len; len++)
		ck_assert_str_eq(json_of((struct str){(char *)bytes.p, len}, json, sizeof(json)), "");
	buf_fini(&bytes);
}
END_TEST

/* One with two details, as a dead letter may have them; another with the others. */
START_TEST(events)
{
	static const char *const words[] = {"\"group\":\"01020000", "\"t\":60001,\"action\":\"GET/a\",\"namespace\":\"\"", "\"shortened\":true,\"error\":{\"class\":\"E\"",
		"\"backtrace\":[{\"file\":\"a.rb\",\"line\":7,\"function\":\"f\",\"in_app\":true}]", "\"params\":[{\"key\":\"$x\",\"value\":\"1\"}]",
		"{\"t\":5,\"category\":\"c\",\"action\":\"a\",\"message\":\"m\",\"metadata\":[]}", "\"duration_ms\":\"NaN\"", "\"failed\":true",
		"{\"id\":\"s\",\"parent_id\":\"p\",\"name\":\"sql\",\"start_ms\":0.5,\"duration_ms\":2", "\"tags\":[]}", NULL};
	static const char *const around[][3] = {{"{\"v\":{\"fingerprint\":\"09", "\"window_start\":60000,\"event\":{\"group\"", NULL},
						{"{\"v\":{\"site\":\"shop\",\"seq\":5", "\"events\":[{\"group\"", NULL}};
	static const char *const last[] = {"\"marker\":{\"revision\":\"r\",\"user\":\"u\",\"text\":\"t\"}",
					   "\"check_in\":{\"name\":\"n\",\"kind\":\"heartbeat\",\"event\":\"beat\"}", NULL};
	struct backtrace_frame frame = {STR("a.rb"), 7, STR("f"), true};
	struct tag tag = {STR("$x"), STR("1")};
	struct breadcrumb crumb = {.t = 5, .category = STR("c"), .action = STR("a"), .message = STR("m")};
	struct transaction_span span = {STR("s"), STR("p"), STR("sql"), 0.5, 2, NULL, 0};
	struct event both[] = {{.group = {1, 2}, .t = 60001, .action = STR("GET/a"), .shortened = true, .has_error = true, .has_transaction = true,
				.error = {STR("E"), STR("boom"), &frame, 1, &tag, 1, &crumb, 1}, .transaction = {STR("id"), NAN, 0, true, &span, 1}},
			       {.has_marker = true, .marker = {STR("r"), STR("u"), STR("t")}, .has_check_in = true,
					     .check_in = {STR("n"), CHECK_IN_KIND_HEARTBEAT, CHECK_IN_EVENT_BEAT}}};
	struct exemplar x = {.fingerprint = {9}, .epoch = 7, .site = STR("shop"), .window_start = 60000, .event = both[0]};
	struct event_batch b = {.events = both, .events_len = 2, .site = STR("shop"), .seq = 5};
	struct buf bytes = BUF_INIT;
	char json[4096];

	ck_assert_int_eq(_i ? event_batch_encode(&b, &bytes, NULL) : exemplar_encode(&x, &bytes, NULL), 0);
	must_say(json_of(buf_str(&bytes), json, sizeof(json)), words);
	must_say(json, around[_i]);
	if (_i)
		must_say(json, last);
	ck_assert_str_eq(letter_value_schema(buf_str(&bytes)), _i ? "EventBatch" : "Exemplar");
	for (size_t len = 0; len < bytes.len; len++)
		ck_assert_str_eq(json_of((struct str){(char *)bytes.p, len}, json, sizeof(json)), "");
	buf_fini(&bytes);
}
END_TEST

/* [0] an alert's event with all it may say, [1] with little; [2] an incident, [3] with nothing that may be left out. */
START_TEST(alerts_and_incidents)
{
	static const char *const words[][8] = {
		{"{\"v\":{\"id\":\"01000000", "\"episode\":\"02000000", "\"kind\":\"closed\",\"trigger\":\"slow\"", "\"severity\":\"critical\"", "\"receivers\":[\"ops\"]",
		 "\"series_kind\":\"gauge\",\"name\":\"m\",\"tags\":[{\"key\":\"a\",\"value\":\"b\"}],\"opened_at\":60000,\"minute\":120000,\"value\":\"NaN\"", "\"reason\":\"recovered\"",
		 NULL},
		{"\"kind\":\"opened\"", "\"receivers\":[]", "\"name\":\"\",\"tags\":[],\"opened_at\":0,\"minute\":0,\"reason\":\"\"", NULL},
		{"{\"v\":{\"id\":\"03000000", "\"state\":\"resolved\",\"version\":4,\"changed_version\":3", "\"resolved_at\":7,\"acked_at\":6,\"acked_by\":\"eve\",\"ack_reason\":\"mine\"",
		 "\"alerts\":[{\"fingerprint\":\"04000000", "\"state\":\"moved\",\"series_kind\":\"counter\",\"name\":\"m\"", "\"closed_at\":8,\"value\":2.5,\"join_until\":9}]",
		 "\"alerts_total\":5,\"open_alerts\":1,\"behind_opened\":2,\"behind_closed\":2", NULL},
		{"\"updated_at\":0,\"alerts\":[],\"alerts_total\":0", "\"state\":\"open\"", NULL}};
	struct tag tag = {STR("a"), STR("b")};
	struct str ops = STR("ops");
	struct incident_alert alert = {.fingerprint = {4}, .state = INCIDENT_ALERT_STATE_MOVED, .has_series_kind = true, .name = STR("m"), .has_closed_at = true,
				       .closed_at = 8, .has_value = true, .value = 2.5, .has_join_until = true, .join_until = 9};
	struct alert_event told[] = {{.id = {1}, .episode = {2}, .kind = ALERT_EVENT_KIND_CLOSED, .trigger = STR("slow"), .severity = ALERT_SEVERITY_CRITICAL,
					.receivers = &ops, .receivers_len = 1, .has_series_kind = true, .series_kind = SERIES_KIND_GAUGE, .name = STR("m"), .tags = &tag,
					.tags_len = 1, .opened_at = 60000, .minute = 120000, .has_value = true, .value = NAN, .reason = STR("recovered")}, {.at = 1}};
	struct incident incidents[] = {{.id = {3}, .state = INCIDENT_STATE_RESOLVED, .version = 4, .changed_version = 3, .has_resolved_at = true, .resolved_at = 7,
					.has_acked_at = true, .acked_at = 6, .has_acked_by = true, .acked_by = STR("eve"), .has_ack_reason = true,
					.ack_reason = STR("mine"), .alerts = &alert, .alerts_len = 1, .alerts_total = 5, .open_alerts = 1, .behind_opened = 2,
					.behind_closed = 2}, {.version = 1}};
	struct buf bytes = BUF_INIT;
	char json[4096];

	ck_assert_int_eq(_i < 2 ? alert_event_encode(&told[_i], &bytes, NULL) : incident_encode(&incidents[_i - 2], &bytes, NULL), 0);
	must_say(json_of(buf_str(&bytes), json, sizeof(json)), words[_i]);
	ck_assert_str_eq(letter_value_schema(buf_str(&bytes)), _i < 2 ? "AlertEvent" : "Incident");
	for (size_t len = 0; len < bytes.len; len++)
		ck_assert_str_eq(json_of((struct str){(char *)bytes.p, len}, json, sizeof(json)), "");
	buf_fini(&bytes);
}
END_TEST

START_TEST(a_sample_batch)
{
	static const char *const words[] = {"\"site\":\"shop\"", "\"agent_id\":\"09000000000000000000000000000000\"", "\"seq\":5,\"floor\":4",
					    "\"temporality\":\"cumulative\"", "{\"series\":0,\"t\":1,\"start\":0,\"v\":2.5}", "\"count\":9", "\"routed_since\":0",
					    NULL};
	struct series_ref series = {.kind = SERIES_KIND_GAUGE, .temporality = TEMPORALITY_CUMULATIVE, .name = STR("n")};
	struct value_sample value = {.t = 1, .v = 2.5};
	struct summary_sample summary = {.t = 1, .count = 9};
	struct sample_batch b = {.series = &series, .series_len = 1, .values = &value, .values_len = 1, .summaries = &summary, .summaries_len = 1,
				 .site = STR("shop"), .has_agent_id = true, .agent_id = {9}, .seq = 5, .floor = 4};
	struct buf bytes = BUF_INIT;
	char json[2048];

	ck_assert_int_eq(sample_batch_encode(&b, &bytes, NULL), 0);
	must_say(json_of(buf_str(&bytes), json, sizeof(json)), words);
	ck_assert_str_eq(letter_value_schema(buf_str(&bytes)), "SampleBatch");
	buf_fini(&bytes);
}
END_TEST

static const struct { struct str value; const char *schema; } foreign[] = {
	{{"", 0}, NULL},
	{{"\0\0\0\0\1", 5}, "Cell"},
	{{"\0\0\0\0", 4}, NULL},
	{{"\1\0\0\0\4", 5}, NULL},
	{{"\0\0\0\1\4", 5}, NULL},
	{{"\0\0\0\0\4\xff\xff\xff\xff", 9}, "Aggregate"},
};

START_TEST(anything_else_is_bytes)
{
	const char *schema = letter_value_schema(foreign[_i].value);
	char json[64];

	ck_assert_str_eq(json_of(foreign[_i].value, json, sizeof(json)), "");
	ck_assert(foreign[_i].schema ? schema && strcmp(schema, foreign[_i].schema) == 0 : !schema);
}
END_TEST

/* What a dump prints. */
static const char *dump(struct str bytes, size_t max, char *out, size_t size)
{
	FILE *f = fmemopen(out, size, "w");

	letter_value_dump(f, bytes, max);
	fclose(f);
	return out;
}

START_TEST(bytes_are_dumped)
{
	char out[1024];

	ck_assert_str_eq(dump(STR("A~\033[2J\x7f\xc3\xa4\n012345678"), 99, out, sizeof(out)),
			 "  000000  41 7e 1b 5b 32 4a 7f c3 a4 0a 30 31 32 33 34 35  A~.[2J....012345\n"
			 "  000010  36 37 38                                         678\n");
	ck_assert_str_eq(dump(STR("abc"), 2, out, sizeof(out)), "  000000  61 62                                            ab\n"
							       "  and 1 bytes more (--json has all)\n");
	out[0] = '\0';
	ck_assert_str_eq(dump(STR(""), 99, out, sizeof(out)), "");
}
END_TEST

START_TEST(hexadecimal_of_any_length)
{
	char bytes[300], wanted[2 * sizeof(bytes) + 16] = "{\"v\":\"", *to = wanted + strlen(wanted);
	struct json_writer w;
	struct buf text = BUF_INIT;

	for (size_t i = 0; i < sizeof(bytes); i++) {
		bytes[i] = (char)i;
		to += snprintf(to, 3, "%02x", (unsigned)(i & 255));
	}
	json_write_begin(&w);
	letter_value_write_hex(&w, "v", (struct str){bytes, sizeof(bytes)});
	ck_assert_int_eq(json_write_end(&w, &text, NULL), 0);
	ck_assert_ptr_nonnull(memmem(text.p, text.len, wanted + 6, 2 * sizeof(bytes)));
	buf_fini(&text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ctl/letter_value");
	TCase *tc = tcase_create("letter_value");

	tcase_add_test(tc, an_aggregate);
	tcase_add_test(tc, a_sample_batch);
	tcase_add_loop_test(tc, alerts_and_incidents, 0, 4);
	tcase_add_loop_test(tc, events, 0, 2);
	tcase_add_loop_test(tc, anything_else_is_bytes, 0, (int)NR(foreign));
	tcase_add_test(tc, bytes_are_dumped);
	tcase_add_test(tc, hexadecimal_of_any_length);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
