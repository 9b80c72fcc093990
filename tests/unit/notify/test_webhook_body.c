/* test_webhook_body.c - the JSON itself, how tags become labels, and what hostile strings come to. */
#include "sink/notify/webhook_body.h"

#include <yajl/yajl_tree.h>

#include "tests/unit/notify/incident_maker.h"
#include "tests/unit/unit.h"

static char *written(const struct notification *n)
{
	struct buf out = BUF_INIT;
	struct err err = ERR_INIT;

	ck_assert_msg(webhook_body_write(n, &out, &err) == 0, "%s", err.msg);
	buf_add(&out, "", 1);
	return (char *)out.p;
}

static yajl_val parsed(const struct notification *n)
{
	char *text = written(n), why[256] = "";
	yajl_val v = yajl_tree_parse(text, why, sizeof(why));

	ck_assert_msg(v != NULL, "%s: %s", why, text);
	free(text);
	return v;
}

static const char *text_at(yajl_val v, const char *a, const char *b)
{
	const char *path[] = {a, b, NULL};
	yajl_val found = yajl_tree_get(v, path, yajl_t_string);

	return found ? YAJL_GET_STRING(found) : NULL;
}

static yajl_val alert_at(yajl_val v, size_t i)
{
	yajl_val alerts = yajl_tree_get(v, (const char *[]){"alerts", NULL}, yajl_t_array);

	ck_assert_ptr_nonnull(alerts);
	ck_assert_uint_lt(i, YAJL_GET_ARRAY(alerts)->len);
	return YAJL_GET_ARRAY(alerts)->values[i];
}

#define LINK "https://millrace.example/incidents/000102030405060708090a0b0c0d0e0f"

START_TEST(two_alerts_exactly)
{
	struct tag a[] = {{STR("host"), STR("a")}, {STR("route"), STR("/x")}}, b[] = {{STR("host"), STR("b")}, {STR("route"), STR("/x")}};
	struct maker m;
	struct notification n;
	struct incident_alert *over;
	char *text;

	maker_init(&m);
	over = maker_add(&m, "http.duration", a, NR(a));
	maker_add(&m, "http.duration", b, NR(b))->value = 734.25;
	m.alerts[1].has_value = true;
	maker_close(&m, over);
	n = maker_notification(&m);
	text = written(&n);
	ck_assert_str_eq(text, "{\"version\":\"4\",\"groupKey\":\"{}:{alertname=\\\"slow-checkout\\\", site=\\\"shop\\\"}\","
			 "\"groupLabels\":{\"alertname\":\"slow-checkout\",\"site\":\"shop\"},\"truncatedAlerts\":0,\"status\":\"firing\",\"receiver\":\"ops\","
			 "\"commonLabels\":{\"alertname\":\"slow-checkout\",\"site\":\"shop\",\"severity\":\"critical\",\"metric\":\"http.duration\","
			 "\"cell\":\"eu\",\"route\":\"/x\"},\"commonAnnotations\":{\"summary\":\"Checkout is slow\"},"
			 "\"externalURL\":\"https://millrace.example/\",\"alerts\":["
			 "{\"status\":\"firing\",\"labels\":{\"alertname\":\"slow-checkout\",\"site\":\"shop\",\"severity\":\"critical\","
			 "\"metric\":\"http.duration\",\"cell\":\"eu\",\"host\":\"b\",\"route\":\"/x\"},\"annotations\":{\"summary\":\"Checkout is slow\","
			 "\"description\":\"p95 of http.duration > 500 (was 734.25)\"},\"startsAt\":\"" AT "\",\"endsAt\":\"0001-01-01T00:00:00Z\","
			 "\"generatorURL\":\"" LINK "\",\"fingerprint\":\"00000000000000000000000000000002\"},"
			 "{\"status\":\"resolved\",\"labels\":{\"alertname\":\"slow-checkout\",\"site\":\"shop\",\"severity\":\"critical\","
			 "\"metric\":\"http.duration\",\"cell\":\"eu\",\"host\":\"a\",\"route\":\"/x\"},\"annotations\":{\"summary\":\"Checkout is slow\","
			 "\"description\":\"p95 of http.duration > 500\"},\"startsAt\":\"" AT "\",\"endsAt\":\"2018-04-19T23:16:00.000Z\","
			 "\"generatorURL\":\"" LINK "\",\"fingerprint\":\"00000000000000000000000000000001\"}]}");
	free(text);
}
END_TEST

/* What a summary alone brings about. */
START_TEST(none_exactly)
{
	struct maker m;
	struct notification n;
	char *text;

	maker_init(&m);
	m.incident.state = INCIDENT_STATE_RESOLVED;
	m.incident.behind_opened = 7;
	m.incident.behind_closed = 5;
	n = maker_notification(&m);
	n.external_url = "";
	text = written(&n);
	ck_assert_str_eq(text, "{\"version\":\"4\",\"groupKey\":\"{}:{alertname=\\\"slow-checkout\\\", site=\\\"shop\\\"}\","
			 "\"groupLabels\":{\"alertname\":\"slow-checkout\",\"site\":\"shop\"},\"truncatedAlerts\":0,\"status\":\"resolved\",\"receiver\":\"ops\","
			 "\"commonLabels\":{\"alertname\":\"slow-checkout\",\"site\":\"shop\",\"severity\":\"critical\",\"cell\":\"eu\"},"
			 "\"commonAnnotations\":{\"summary\":\"Checkout is slow\",\"description\":\"p95 of http.duration > 500; while processing was behind, "
			 "7 alerts opened and 5 closed\"},\"externalURL\":\"\",\"alerts\":[]}");
	free(text);
}
END_TEST

/* label: what the key becomes beside the tags of the first four rows. */
static const struct {
	const char *key, *label;
} names[] = {
	{"host", "host"},
	{"_under", "_under"},
	{"Region9", "Region9"},
	{"tag_a_b", "tag_a_b"}, /* is there, so that what would become it is numbered */
	{"a.b", "tag_a_b_2"},
	{"a-b", "tag_a_b_3"},
	{"site", "tag_site"},
	{"alertname", "tag_alertname"},
	{"severity", "tag_severity"},
	{"metric", "tag_metric"},
	{"cell", "tag_cell"},
	{"__name__", "tag___name__"},
	{"9lives", "tag_9lives"},
	{"", "tag_"},
	{"k\xc3\xa4se", "tag_k__se"},
	{"a b\"c", "tag_a_b_c"},
	{"_", "_"},
};

START_TEST(tags_become_labels)
{
	struct tag tags[NR(names)];
	struct maker m;
	struct notification n;
	yajl_val v, labels;

	for (size_t i = 0; i < NR(names); i++)
		tags[i] = (struct tag){str_from(names[i].key), str_from(names[i].label)};
	maker_init(&m);
	maker_add(&m, "m", tags, NR(tags));
	n = maker_notification(&m);
	v = parsed(&n);
	labels = yajl_tree_get(alert_at(v, 0), (const char *[]){"labels", NULL}, yajl_t_object);
	ck_assert_uint_eq(YAJL_GET_OBJECT(labels)->len, 5 + NR(names));
	ck_assert_str_eq(text_at(alert_at(v, 0), "labels", "site"), "shop");
	ck_assert_str_eq(text_at(alert_at(v, 0), "labels", "alertname"), "slow-checkout");
	for (size_t i = 0; i < NR(names); i++)
		ck_assert_msg(text_at(alert_at(v, 0), "labels", names[i].label), "%s", names[i].label);
	for (size_t i = 0; i < NR(names); i++)
		ck_assert_str_eq(text_at(alert_at(v, 0), "labels", names[i].label), names[i].label);
	yajl_tree_free(v);
}
END_TEST

/* Open ones first, and those that do not fit are counted, with those that the incident has no room for. */
START_TEST(two_hundred_are_told)
{
	struct maker m;
	struct notification n;
	yajl_val v;

	maker_init(&m);
	for (int i = 0; i < 210; i++)
		maker_add(&m, "m", NULL, 0);
	for (int i = 0; i < 30; i++)
		maker_close(&m, &m.alerts[i * 2]);
	n = maker_notification(&m);
	n.beyond = 1000;
	v = parsed(&n);
	ck_assert_uint_eq(YAJL_GET_ARRAY(yajl_tree_get(v, (const char *[]){"alerts", NULL}, yajl_t_array))->len, 200);
	ck_assert_int_eq(YAJL_GET_INTEGER(yajl_tree_get(v, (const char *[]){"truncatedAlerts", NULL}, yajl_t_number)), 1010);
	for (size_t i = 0; i < 200; i++)
		ck_assert_str_eq(text_at(alert_at(v, i), "status", NULL), i < 180 ? "firing" : "resolved");
	ck_assert_str_eq(text_at(alert_at(v, 180), "fingerprint", NULL), "00000000000000000000000000000001");
	yajl_tree_free(v);
}
END_TEST

/* One that has moved is not over. */
START_TEST(a_moved_one_fires)
{
	struct maker m;
	struct notification n;
	yajl_val v;

	maker_init(&m);
	maker_add(&m, "m", NULL, 0)->state = INCIDENT_ALERT_STATE_MOVED;
	n = maker_notification(&m);
	v = parsed(&n);
	ck_assert_str_eq(text_at(alert_at(v, 0), "status", NULL), "firing");
	ck_assert_str_eq(text_at(v, "commonAnnotations", "description"), "p95 of http.duration > 500");
	yajl_tree_free(v);
}
END_TEST

/* Random bytes in all strings: JSON it is, with nothing lost but what is not UTF-8. */
START_TEST(any_bytes_make_json)
{
	static const char alphabet[] = "a\"\\\n\x01\x7f/{}\xc3\xa4\xff\xed\xa0\x80<";
	struct unit_random r = unit_random_new("bytes");

	for (int round = 0; round < 2000; round++) {
		char bytes[8][24];
		struct str s[8];
		struct tag tags[2];
		struct maker m;
		struct notification n;
		yajl_val v;

		for (size_t i = 0; i < NR(s); i++) {
			s[i] = (struct str){bytes[i], unit_random_below(&r, sizeof(bytes[i]))};
			for (size_t k = 0; k < s[i].len; k++)
				bytes[i][k] = alphabet[unit_random_below(&r, sizeof(alphabet))];
		}
		tags[0] = (struct tag){s[0], s[1]};
		tags[1] = (struct tag){str_eq(s[0], s[2]) ? STR("b") : s[2], s[3]}; /* no series has a key twice */
		maker_init(&m);
		m.incident.trigger = s[4];
		m.incident.site = s[5];
		m.incident.description = s[6];
		maker_add(&m, "m", tags, NR(tags))->opened_at = (int64_t)unit_random_next(&r);
		n = maker_notification(&m);
		n.receiver = s[7];
		v = parsed(&n);
		ck_assert_uint_eq(YAJL_GET_OBJECT(yajl_tree_get(alert_at(v, 0), (const char *[]){"labels", NULL}, yajl_t_object))->len, 7);
		if (str_is_utf8(s[6]) && (s[6].len == 0 || !memchr(s[6].p, '\0', s[6].len))) {
			char wanted[32];

			snprintf(wanted, sizeof(wanted), STR_FMT, STR_ARG(s[6]));
			ck_assert_str_eq(text_at(v, "commonAnnotations", "summary"), wanted);
		}
		ck_assert_msg(text_at(alert_at(v, 0), "startsAt", NULL)[4] == '-', "%s", text_at(alert_at(v, 0), "startsAt", NULL));
		yajl_tree_free(v);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("webhook_body");
	TCase *tc = tcase_create("webhook_body");

	tcase_add_test(tc, two_alerts_exactly);
	tcase_add_test(tc, none_exactly);
	tcase_add_test(tc, tags_become_labels);
	tcase_add_test(tc, two_hundred_are_told);
	tcase_add_test(tc, a_moved_one_fires);
	tcase_add_test(tc, any_bytes_make_json);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
