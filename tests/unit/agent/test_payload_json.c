/* test_payload_json.c - a payload as JSON: by the rules of schemas/push.proto, read back by yajl. */
#include "ingest/agent/payload_json.h"

#include <yajl/yajl_tree.h>
#include <zstd.h>

#include "pb/push.pb-c.h"
#include "tests/unit/unit.h"

static size_t squeeze(const Millrace__Push__Payload *p, char *out, size_t size)
{
	uint8_t message[65536];
	size_t n = millrace__push__payload__get_packed_size(p), done;

	ck_assert_uint_le(n, sizeof(message));
	millrace__push__payload__pack(p, message);
	done = ZSTD_compress(out, size, message, n, 1);
	ck_assert(!ZSTD_isError(done));
	return done;
}

static yajl_val at(yajl_val v, const char *a, const char *b)
{
	const char *path[] = {a, b, NULL};

	v = yajl_tree_get(v, path, yajl_t_any);
	ck_assert_msg(v != NULL, "no %s", a);
	return v;
}

/* One of everything that is written in its own way. */
static void fill(char *out, size_t size, size_t *len)
{
	uint8_t id[16] = {0xab, 1};
	uint64_t counts[] = {UINT64_MAX, 0, 3};
	Millrace__Push__Payload p = MILLRACE__PUSH__PAYLOAD__INIT;
	Millrace__Push__Metric m = MILLRACE__PUSH__METRIC__INIT, *metrics = &m;
	Millrace__Push__Metric__TagsEntry tag = MILLRACE__PUSH__METRIC__TAGS_ENTRY__INIT, *tags = &tag;
	Millrace__Push__Point zero = MILLRACE__PUSH__POINT__INIT, many = MILLRACE__PUSH__POINT__INIT, *points[] = {&zero, &many};
	Millrace__Push__Histogram h = MILLRACE__PUSH__HISTOGRAM__INIT;
	Millrace__Push__Truncation t = MILLRACE__PUSH__TRUNCATION__INIT, *truncated = &t;

	p.agent_id = t.agent_id = (ProtobufCBinaryData){sizeof(id), id};
	p.seq = UINT64_MAX;
	p.created_at = -5;
	p.host = (char[]){"web \"7\""};
	p.n_metrics = p.n_truncated = m.n_tags = 1;
	p.metrics = &metrics;
	p.truncated = &truncated;
	t.attempted = 1;
	m.name = (char[]){"a"};
	m.kind = MILLRACE__PUSH__METRIC__KIND__distribution;
	m.tags = &tags;
	tag.key = (char[]){"k"};
	tag.value = (char[]){""};
	m.n_points = 2;
	m.points = points;
	zero.has_v_case = MILLRACE__PUSH__POINT__HAS_V_V; /* a zero that is there */
	many.count = 1;
	many.has_sum_case = MILLRACE__PUSH__POINT__HAS_SUM_SUM;
	many.sum = 0.1;
	many.histogram = &h;
	h.has_scale_case = MILLRACE__PUSH__HISTOGRAM__HAS_SCALE_SCALE;
	h.scale = -3;
	h.n_counts = 3;
	h.counts = counts;
	*len = squeeze(&p, out, size);
}

static void check_metric(yajl_val metric)
{
	yajl_val point = YAJL_GET_ARRAY(at(metric, "points", NULL))->values[0];

	ck_assert_str_eq(YAJL_GET_STRING(at(metric, "kind", NULL)), "distribution");
	ck_assert_str_eq(YAJL_GET_STRING(at(metric, "tags", "k")), "");
	ck_assert(YAJL_GET_DOUBLE(at(point, "v", NULL)) == 0);
	point = YAJL_GET_ARRAY(at(metric, "points", NULL))->values[1];
	ck_assert(YAJL_GET_DOUBLE(at(point, "sum", NULL)) == 0.1);
	ck_assert_int_eq(YAJL_GET_INTEGER(at(point, "histogram", "scale")), -3);
	ck_assert_str_eq(YAJL_GET_NUMBER(YAJL_GET_ARRAY(at(point, "histogram", "counts"))->values[0]), "18446744073709551615");
}

START_TEST(all_forms)
{
	char body[65536], why[256] = "";
	struct buf text = BUF_INIT;
	struct err err = ERR_INIT;
	yajl_val root;
	size_t len;

	fill(body, sizeof(body), &len);
	ck_assert_msg(payload_json((struct str){body, len}, &text, &err) == 0, "%s", err.msg);
	buf_add(&text, "", 1);
	root = yajl_tree_parse((const char *)text.p, why, sizeof(why));
	ck_assert_msg(root != NULL, "%s in %s", why, text.p);
	ck_assert_str_eq(YAJL_GET_STRING(at(root, "agent_id", NULL)), "ab010000000000000000000000000000");
	ck_assert_str_eq(YAJL_GET_NUMBER(at(root, "seq", NULL)), "18446744073709551615");
	ck_assert_int_eq(YAJL_GET_INTEGER(at(root, "created_at", NULL)), -5);
	ck_assert_str_eq(YAJL_GET_STRING(at(root, "host", NULL)), "web \"7\"");
	ck_assert_ptr_null(strstr((const char *)text.p, "\"floor\""));
	ck_assert(YAJL_IS_TRUE(at(YAJL_GET_ARRAY(at(root, "truncated", NULL))->values[0], "attempted", NULL)));
	check_metric(YAJL_GET_ARRAY(at(root, "metrics", NULL))->values[0]);
	yajl_tree_free(root);
	buf_fini(&text);
}
END_TEST

/* Bytes that are no payload, and every prefix of one that is. */
START_TEST(what_is_none)
{
	char body[65536];
	struct buf text = BUF_INIT;
	struct err err = ERR_INIT;
	size_t len;

	fill(body, sizeof(body), &len);
	for (size_t n = 0; n < len; n++) {
		ck_assert_int_eq(payload_json((struct str){body, n}, &text, &err), -1);
		ck_assert_int_eq(err.kind, ERR_REJECT);
	}
	len = ZSTD_compress(body, sizeof(body), "\xff\xff\xff", 3, 1);
	ck_assert_int_eq(payload_json((struct str){body, len}, &text, &err), -1);
	ck_assert_uint_eq(text.len, 0);
	buf_fini(&text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("payload_json");
	TCase *tc = tcase_create("payload_json");

	tcase_add_test(tc, all_forms);
	tcase_add_test(tc, what_is_none);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
