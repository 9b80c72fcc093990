/* test_otlp_value.c - what text each kind of value becomes, what is refused where, and that texts have an end. */
#include "ingest/otlp_value.h"

#include <math.h>

#include "tests/unit/ingest/wire_text.h"

enum { LIMIT_BYTES = 1 << 20, TEXT_MAX = 16 << 10 };

static const uint8_t *read_pair(struct arena *arena, struct pb_reader *r, const struct buf *body, struct tag *out)
{
	const uint8_t *at = (const uint8_t *)buf_str(body).p;

	arena_clear(arena);
	*r = (struct pb_reader){.body = at};
	return otlp_read_key_value(r, at, at + body->len, arena, out);
}

static const struct {
	const char *text; /* a KeyValue */
	const char *key, *value;
} good[] = {
	{"1\"k\" 2{1\"v\"}", "k", "v"},
	{"2{1\"v\"} 1\"k\"", "k", "v"},
	{"", "", ""},
	{"1\"k\"", "k", ""},
	{"1\"k\" 2{}", "k", ""},
	{"1\"k\" 2{1\"\"}", "k", ""},
	{"1\"a\" 1\"k\" 2{1\"a\"} 2{1\"v\"}", "k", "v"},
	{"1\"k\" 2{2=0}", "k", "false"},
	{"1\"k\" 2{2=1}", "k", "true"},
	{"1\"k\" 2{3=0}", "k", "0"},
	{"1\"k\" 2{3=9223372036854775807}", "k", "9223372036854775807"},
	{"1\"k\" 2{3=-1}", "k", "-1"},
	{"1\"k\" 2{3=9223372036854775808}", "k", "-9223372036854775808"},
	{"1\"k\" 2{4:0.5}", "k", "0.5"},
	{"1\"k\" 2{4:0.1}", "k", "0.1"},
	{"1\"k\" 2{4:3}", "k", "3"},
	{"1\"k\" 2{4:-1e300}", "k", "-1e+300"},
	{"1\"k\" 2{4:0.30000000000000004}", "k", "0.30000000000000004"},
	{"1\"k\" 2{4:1.1234567890123457}", "k", "1.1234567890123457"},
	{"1\"k\" 2{4:nan}", "k", "NaN"},
	{"1\"k\" 2{4:inf}", "k", "Infinity"},
	{"1\"k\" 2{4:-inf}", "k", "-Infinity"},
	{"1\"k\" 2{7\"\"}", "k", ""},
	{"1\"k\" 2{7\"f\"}", "k", "Zg=="},
	{"1\"k\" 2{7\"fo\"}", "k", "Zm8="},
	{"1\"k\" 2{7\"foo\"}", "k", "Zm9v"},
	{"1\"k\" 2{7{|fb ff fe 00|}}", "k", "+//+AA=="},
	{"1\"k\" 2{5{}}", "k", "[]"},
	{"1\"k\" 2{6{}}", "k", "{}"},
	{"1\"k\" 2{5{1{1\"a\"} 1{3=1} 1{2=1} 1{4:0.5} 1{7\"f\"} 1{}}}", "k", "[\"a\",1,true,0.5,\"Zg==\",null]"},
	{"1\"k\" 2{5{1{4:nan} 1{4:-inf}}}", "k", "[\"NaN\",\"-Infinity\"]"},
	{"1\"k\" 2{6{1{1\"a\" 2{1\"b\"}} 1{2{3=2} 1\"c\"} 1{}}}", "k", "{\"a\":\"b\",\"c\":2,\"\":null}"},
	{"1\"k\" 2{5{1{5{1{3=1}}} 1{6{1{1\"a\" 2{5{}}}}}}}", "k", "[[1],{\"a\":[]}]"},
	{"1\"k\" 2{5{1{1{|0a 22 5c 01 c3 a4|}}}}", "k", "[\"\\u000a\\\"\\\\\\u0001\xc3\xa4\"]"},
	/* the last one counts, of whatever kind; unknown fields do not */
	{"1\"k\" 2{1\"a\" 3=5}", "k", "5"},
	{"1\"k\" 2{3=5 1\"a\"}", "k", "a"},
	{"1\"k\" 2{5{1{3=1}} 5{1{3=2}}}", "k", "[2]"},
	{"1\"k\" 2{1\"a\" 8=5} 3=7 4{} 9<1=1>", "k", "a"},
	{"1\"k\" 2{5{1{3=1} 2=1 3<>}}", "k", "[1]"},
};

START_TEST(values_become_texts)
{
	struct arena arena = {.limit_bytes = LIMIT_BYTES};
	struct buf body = wire_text(good[_i].text);
	struct pb_reader r;
	struct tag out;

	ck_assert_msg(read_pair(&arena, &r, &body, &out) == (const uint8_t *)buf_str(&body).p + body.len, "%s: %s", good[_i].text, r.fault);
	ck_assert_msg(str_eq(out.key, str_from(good[_i].key)) && str_eq(out.value, str_from(good[_i].value)),
		      "%s: " STR_FMT " " STR_FMT, good[_i].text, STR_ARG(out.key), STR_ARG(out.value));
	buf_fini(&body);
	arena_fini(&arena);
}
END_TEST

static const struct {
	const char *text; /* a KeyValue */
	enum reason reason;
	const char *detail;
} bad[] = {
	{"1=1", REASON_BAD_PROTOBUF, "byte 1, key: the field has another wire type"},
	{"2=1", REASON_BAD_PROTOBUF, "byte 1, value: the field has another wire type"},
	{"1{|ff|}", REASON_BAD_PROTOBUF, "byte 1, key: a string is not UTF-8"},
	{"2{1{|ff|}}", REASON_BAD_PROTOBUF, "byte 3, value.string_value: a string is not UTF-8"},
	{"2{2\"\"}", REASON_BAD_PROTOBUF, "byte 3, value.bool_value: the field has another wire type"},
	{"2{4=1}", REASON_BAD_PROTOBUF, "byte 3, value.double_value: the field has another wire type"},
	{"2{5=1}", REASON_BAD_PROTOBUF, "byte 3, value.array_value: the field has another wire type"},
	{"2{5{1=1}}", REASON_BAD_PROTOBUF, "byte 5, values: the field has another wire type"},
	{"2{5{1{3\"\"}}}", REASON_BAD_PROTOBUF, "byte 7, values.int_value: the field has another"},
	{"2{5{|0a 05|}}", REASON_BAD_PROTOBUF, "byte 5, values: a length reaches beyond"},
	{"2{6{1{1{|c3|}}}}", REASON_BAD_PROTOBUF, "byte 7, values.key: a string is not UTF-8"},
	{"|12 05|", REASON_BAD_PROTOBUF, "byte 1, value: a length reaches beyond"},
	{"|12 02 21 00|", REASON_BAD_PROTOBUF, "byte 3, value.double_value: the message ends inside"},
	{"|00|", REASON_BAD_PROTOBUF, "byte 0: field number 0"},
};

START_TEST(faults_have_places)
{
	struct arena arena = {.limit_bytes = LIMIT_BYTES};
	struct buf body = wire_text(bad[_i].text);
	struct pb_reader r;
	struct refusal no = {0};
	struct tag out;

	ck_assert_ptr_null(read_pair(&arena, &r, &body, &out));
	pb_refuse(&r, &no);
	ck_assert_int_eq(no.reason, bad[_i].reason);
	ck_assert_msg(strncmp(no.detail, bad[_i].detail, strlen(bad[_i].detail)) == 0, "%s: %s", bad[_i].text, no.detail);
	buf_fini(&body);
	arena_fini(&arena);
}
END_TEST

/* depth lists in one another, as the value of a pair. */
static struct buf nested(int depth)
{
	struct buf body = BUF_INIT, outer = BUF_INIT;

	for (int i = 0; i < depth; i++) {
		buf_clear(&outer);
		if (i)
			buf_add(&outer, "\x0a", 1), wire_bytes(&outer, body.p, body.len); /* an AnyValue in the list */
		buf_clear(&body);
		buf_add(&body, "\x2a", 1);
		wire_bytes(&body, buf_str(&outer).p, outer.len);
	}
	buf_clear(&outer);
	buf_add(&outer, "\x12", 1);
	wire_bytes(&outer, body.p, body.len);
	buf_fini(&body);
	return outer;
}

START_TEST(depth_has_a_bound)
{
	struct arena arena = {.limit_bytes = LIMIT_BYTES};
	struct pb_reader r;
	struct tag out;
	struct buf body = nested(OTLP_VALUE_DEPTH_MAX);

	ck_assert_ptr_nonnull(read_pair(&arena, &r, &body, &out));
	ck_assert_uint_eq(out.value.len, 2 * OTLP_VALUE_DEPTH_MAX);
	buf_fini(&body);
	body = nested(OTLP_VALUE_DEPTH_MAX + 1);
	ck_assert_ptr_null(read_pair(&arena, &r, &body, &out));
	ck_assert_int_eq(r.reason, REASON_NESTING_TOO_DEEP);
	buf_fini(&body);
	body = nested(20000);
	ck_assert_ptr_null(read_pair(&arena, &r, &body, &out));
	ck_assert_int_eq(r.reason, REASON_NESTING_TOO_DEEP);
	buf_fini(&body);
	arena_fini(&arena);
}
END_TEST

/* So many lists beside one another are none in one another. */
START_TEST(breadth_has_none)
{
	struct arena arena = {.limit_bytes = LIMIT_BYTES};
	struct buf list = BUF_INIT, any = BUF_INIT, body = BUF_INIT;
	struct pb_reader r;
	struct tag out;

	for (int i = 0; i < 3 * OTLP_VALUE_DEPTH_MAX; i++)
		buf_add(&list, "\x0a\x02\x2a\x00", 4);
	buf_add(&any, "\x2a", 1);
	wire_bytes(&any, list.p, list.len);
	buf_add(&body, "\x12", 1);
	wire_bytes(&body, any.p, any.len);
	ck_assert_msg(read_pair(&arena, &r, &body, &out) != NULL, "%s", r.fault);
	ck_assert_uint_eq(out.value.len, 3 * 3 * OTLP_VALUE_DEPTH_MAX + 1);
	buf_fini(&list);
	buf_fini(&any);
	buf_fini(&body);
	arena_fini(&arena);
}
END_TEST

/* A list of n empty values is n times "null,": cut, but read to its end. */
START_TEST(texts_have_an_end)
{
	struct arena arena = {.limit_bytes = LIMIT_BYTES};
	struct buf list = BUF_INIT, any = BUF_INIT, body = BUF_INIT;
	struct pb_reader r;
	struct tag out;

	for (int i = 0; i < 100000; i++)
		buf_add(&list, "\x0a\x00", 2);
	buf_add(&list, _i ? "\x0d" : "\x0a\x00", _i ? 1 : 2); /* a fault behind what is cut off */
	buf_add(&any, "\x2a", 1);
	wire_bytes(&any, list.p, list.len);
	buf_add(&body, "\x12", 1);
	wire_bytes(&body, any.p, any.len);
	ck_assert_int_eq(read_pair(&arena, &r, &body, &out) == NULL, _i);
	if (!_i) {
		ck_assert_uint_eq(out.value.len, TEXT_MAX);
		ck_assert_uint_le(arena.used_bytes, 3 * TEXT_MAX);
		ck_assert_int_eq(memcmp(out.value.p, "[null,null,", 11), 0);
	}
	buf_fini(&list);
	buf_fini(&any);
	buf_fini(&body);
	arena_fini(&arena);
}
END_TEST

START_TEST(long_bytes_are_cut)
{
	struct arena arena = {.limit_bytes = LIMIT_BYTES};
	struct buf any = BUF_INIT, body = BUF_INIT;
	static const char zeros[3 * TEXT_MAX];
	struct pb_reader r;
	struct tag out;

	buf_add(&any, _i ? "\x3a" : "\x0a", 1);
	wire_bytes(&any, zeros, sizeof(zeros));
	buf_add(&body, "\x12", 1);
	wire_bytes(&body, any.p, any.len);
	ck_assert_ptr_nonnull(read_pair(&arena, &r, &body, &out));
	ck_assert_uint_eq(out.value.len, _i ? (size_t)TEXT_MAX : sizeof(zeros)); /* a string is borrowed whole */
	buf_fini(&any);
	buf_fini(&body);
	arena_fini(&arena);
}
END_TEST

START_TEST(doubles_come_back)
{
	struct arena arena = {.limit_bytes = LIMIT_BYTES};
	struct unit_random rnd = unit_random_new("doubles_come_back");
	struct pb_reader r;
	struct tag out;

	for (int i = 0; i < 20000; i++) {
		uint8_t body[] = {0x12, 9, 0x21, 0, 0, 0, 0, 0, 0, 0, 0};
		uint64_t bits = unit_random_next(&rnd);
		char digits[64];
		double v;

		memcpy(body + 3, &bits, sizeof(bits));
		memcpy(&v, &bits, sizeof(v));
		if (!isfinite(v))
			continue;
		arena_clear(&arena);
		r = (struct pb_reader){.body = body};
		ck_assert_ptr_eq(otlp_read_key_value(&r, body, body + sizeof(body), &arena, &out), body + sizeof(body));
		snprintf(digits, sizeof(digits), STR_FMT, STR_ARG(out.value));
		ck_assert_msg(strtod(digits, NULL) == v && out.value.len <= 24, "%a: %s", v, digits);
	}
	arena_fini(&arena);
}
END_TEST

START_TEST(resources_and_look_up)
{
	struct arena arena = {.limit_bytes = LIMIT_BYTES};
	struct buf body = wire_text("2=5 1{1\"a\" 2{1\"1\"}} 1{1\"b\" 2{3=2}} 7\"x\" 1{1\"a\" 2{1\"3\"}}");
	struct pb_reader r = {.body = body.p};
	struct otlp_attributes all = {0};

	arena_clear(&arena);
	ck_assert_ptr_eq(otlp_read_resource(&r, body.p, body.p + body.len, &arena, &all), body.p + body.len);
	ck_assert_uint_eq(all.len, 3);
	ck_assert(str_eq(*otlp_attribute(&all, "a"), STR("1")) && str_eq(*otlp_attribute(&all, "b"), STR("2")));
	ck_assert(str_eq(all.tags[2].value, STR("3")));
	ck_assert_ptr_null(otlp_attribute(&all, "c"));
	ck_assert_ptr_null(otlp_attribute(&(struct otlp_attributes){0}, "a"));
	buf_fini(&body);
	body = wire_text("1{1\"a\"} 1=1");
	r = (struct pb_reader){.body = body.p};
	ck_assert_ptr_null(otlp_read_resource(&r, body.p, body.p + body.len, &arena, &all));
	ck_assert_str_eq(r.steps[0].name, "attributes");
	buf_fini(&body);
	arena_fini(&arena);
}
END_TEST

START_TEST(a_value_alone)
{
	struct arena arena = {.limit_bytes = LIMIT_BYTES};
	struct buf body = wire_text("5{1{6{1{1\"a\" 2{3=1}}}}}");
	struct buf framed = BUF_INIT;
	struct pb_reader r = {0};
	struct str text;

	wire_bytes(&framed, body.p, body.len);
	arena_clear(&arena);
	ck_assert_ptr_eq(otlp_read_value(&r, framed.p, framed.p + framed.len, &arena, &text), framed.p + framed.len);
	ck_assert(str_eq(text, STR("[{\"a\":1}]")));
	ck_assert_ptr_null(otlp_read_value(&r, framed.p, framed.p + framed.len - 1, &arena, &text));
	buf_fini(&body);
	buf_fini(&framed);
	arena_fini(&arena);
}
END_TEST

/* An arena that is full is told by its reason, whichever of its bytes it was. */
START_TEST(memory_that_is_short)
{
	struct buf body = wire_text("1{1\"a\" 2{3=7}} 1{1\"b\" 2{5{1{1\"0123456789012345678901234567890123456789012345678901234567890123456789\"}}}}");
	size_t limit = 1;
	const uint8_t *end;

	do {
		struct arena tight = {.limit_bytes = limit};
		struct pb_reader r = {.body = body.p};
		struct otlp_attributes all = {0};

		end = otlp_read_resource(&r, body.p, body.p + body.len, &tight, &all);
		if (!end)
			ck_assert_int_eq(r.reason, REASON_BODY_TOO_LARGE);
		arena_fini(&tight);
		limit += 8;
		ck_assert_uint_lt(limit, 4096);
	} while (!end);
	buf_fini(&body);
}
END_TEST

static Suite *otlp_value_suite(void)
{
	Suite *s = suite_create("otlp_value");
	TCase *tc = tcase_create("all");

	tcase_add_loop_test(tc, values_become_texts, 0, NR(good));
	tcase_add_loop_test(tc, faults_have_places, 0, NR(bad));
	tcase_add_test(tc, depth_has_a_bound);
	tcase_add_test(tc, breadth_has_none);
	tcase_add_loop_test(tc, texts_have_an_end, 0, 2);
	tcase_add_loop_test(tc, long_bytes_are_cut, 0, 2);
	tcase_add_test(tc, doubles_come_back);
	tcase_add_test(tc, resources_and_look_up);
	tcase_add_test(tc, a_value_alone);
	tcase_add_test(tc, memory_that_is_short);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	return unit_main(otlp_value_suite());
}
