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

START_TEST(an_event_batch)
{
	static const char *const words[] = {"\"site\":\"shop\"", "\"idempotency_key\":\"k\"", "\"class\":\"Oops\",\"message\":\"no\"",
					    "\"id\":\"t1\",\"duration_ms\":2.5", "\"revision\":\"r9\"", "\"check_in\":\"nightly\"", "\"group\":\"0700", NULL};
	struct event events[] = {
		{.group = {7}, .t = 5, .has_error = true, .error = {.class = STR("Oops"), .message = STR("no")}},
		{.t = 5, .has_transaction = true, .transaction = {.id = STR("t1"), .duration_ms = 2.5}},
		{.t = 5, .has_marker = true, .marker = {.revision = STR("r9")}},
		{.t = 5, .has_check_in = true, .check_in = {.name = STR("nightly")}},
	};
	struct event_batch b = {.events = events, .events_len = NR(events), .site = STR("shop"), .has_idempotency_key = true, .idempotency_key = STR("k")};
	struct buf bytes = BUF_INIT;
	char json[2048];

	ck_assert_int_eq(event_batch_encode(&b, &bytes, NULL), 0);
	must_say(json_of(buf_str(&bytes), json, sizeof(json)), words);
	ck_assert_str_eq(letter_value_schema(buf_str(&bytes)), "EventBatch");
	buf_fini(&bytes);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ctl/letter_value");
	TCase *tc = tcase_create("letter_value");

	tcase_add_test(tc, an_aggregate);
	tcase_add_test(tc, a_sample_batch);
	tcase_add_test(tc, an_event_batch);
	tcase_add_loop_test(tc, anything_else_is_bytes, 0, (int)NR(foreign));
	tcase_add_test(tc, bytes_are_dumped);
	tcase_add_test(tc, hexadecimal_of_any_length);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
