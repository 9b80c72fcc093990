/* test_push_json.c - the native payload in JSON: what is taken, what is rejected by itself, what is refused as a whole. */
#include <math.h>
#include <stdint.h>

#include "tests/unit/ingest/payloads.h"

static const struct {
	const char *body;
	enum reason reason;
	const char *detail; /* must stand in the detail */
} refused[] = {
	/* not JSON */
	{"", REASON_BAD_JSON, "premature EOF"},
	{" \n", REASON_BAD_JSON, ""},
	{"{", REASON_BAD_JSON, "premature EOF"},
	{"{\"metrics\":[}", REASON_BAD_JSON, "byte 1"},
	{GAUGE("{\"v\":1}") "x", REASON_BAD_JSON, ""},
	{GAUGE("{\"v\":1}") GAUGE("{\"v\":1}"), REASON_BAD_JSON, "trailing garbage"},
	{GAUGE("{\"v\":NaN}"), REASON_BAD_JSON, ""},
	{GAUGE("{\"v\":Infinity}"), REASON_BAD_JSON, ""},
	{GAUGE("{\"v\":-Infinity}"), REASON_BAD_JSON, ""},
	{GAUGE("{\"v\":01}"), REASON_BAD_JSON, ""},
	{GAUGE("{\"v\":1.}"), REASON_BAD_JSON, ""},
	{GAUGE("{\"v\":.5}"), REASON_BAD_JSON, ""},
	{GAUGE("{\"v\":+1}"), REASON_BAD_JSON, ""},
	{GAUGE("{\"v\":0x10}"), REASON_BAD_JSON, ""},
	{GAUGE("{\"v\":1,}"), REASON_BAD_JSON, ""},
	{GAUGE("{v:1}"), REASON_BAD_JSON, ""},
	{GAUGE("{'v':1}"), REASON_BAD_JSON, ""},
	{"// c\n" GAUGE("{\"v\":1}"), REASON_BAD_JSON, ""},
	{"{\"host\":\"a\nb\"}", REASON_BAD_JSON, ""},
	{"{\"host\":\"\\x41\"}", REASON_BAD_JSON, ""},
	{"{\"host\":\"\\u12g4\"}", REASON_BAD_JSON, ""},
	/* not Unicode */
	{"{\"host\":\"\xff\"}", REASON_BAD_JSON, "not UTF-8"},
	{"{\"host\":\"\xc0\xaf\"}", REASON_BAD_JSON, "not UTF-8"},
	{"{\"host\":\"\xed\xa0\x80\"}", REASON_BAD_JSON, "not UTF-8"},
	{"{\"host\":\"\\ud83d\"}", REASON_BAD_JSON, "byte 9: half of a surrogate pair"},
	{"{\"host\":\"\\ude00\"}", REASON_BAD_JSON, "half of a surrogate pair"},
	{"{\"host\":\"\\ud83d\\u0041\"}", REASON_BAD_JSON, "half of a surrogate pair"},
	{"{\"host\":\"\\ud83dx\"}", REASON_BAD_JSON, "half of a surrogate pair"},
	{"{\"x\":\"\\udfff\\ud83d\"}", REASON_BAD_JSON, "half of a surrogate pair"},
	/* not a payload */
	{"[]", REASON_BAD_PAYLOAD, "an object is expected"},
	{"7", REASON_BAD_PAYLOAD, "an object is expected"},
	{"null", REASON_BAD_PAYLOAD, "an object is expected"},
	{"\"metrics\"", REASON_BAD_PAYLOAD, "an object is expected"},
	{"{\"metrics\":{}}", REASON_BAD_PAYLOAD, "metrics: an array is expected"},
	{"{\"metrics\":\"\"}", REASON_BAD_PAYLOAD, "metrics: an array is expected"},
	{"{\"metrics\":[7]}", REASON_BAD_PAYLOAD, "metrics[0]: an object is expected"},
	{"{\"metrics\":[null]}", REASON_BAD_PAYLOAD, "metrics[0]: an object is expected"},
	{"{\"metrics\":[[]]}", REASON_BAD_PAYLOAD, "metrics[0]: an object is expected"},
	{PAYLOAD(METRIC("gauge", "{\"v\":1}") ",{\"name\":1}"), REASON_BAD_PAYLOAD, "metrics[1].name: a string is expected"},
	{PAYLOAD("{\"kind\":true}"), REASON_BAD_PAYLOAD, "metrics[0].kind: a string is expected"},
	{PAYLOAD("{\"tags\":[]}"), REASON_BAD_PAYLOAD, "metrics[0].tags: an object is expected"},
	{PAYLOAD("{\"tags\":{\"a\":1}}"), REASON_BAD_PAYLOAD, "metrics[0].tags.a: a string is expected"},
	{PAYLOAD("{\"tags\":{\"a\":{}}}"), REASON_BAD_PAYLOAD, "metrics[0].tags.a: a string is expected"},
	{PAYLOAD("{\"points\":{}}"), REASON_BAD_PAYLOAD, "metrics[0].points: an array is expected"},
	{GAUGE("1"), REASON_BAD_PAYLOAD, "metrics[0].points[0]: an object is expected"},
	{GAUGE("{\"v\":1},{\"v\":\"1\"}"), REASON_BAD_PAYLOAD, "metrics[0].points[1].v: a number is expected"},
	{GAUGE("{\"v\":true}"), REASON_BAD_PAYLOAD, "metrics[0].points[0].v: a number is expected"},
	{GAUGE("{\"t\":1.5}"), REASON_BAD_PAYLOAD, "metrics[0].points[0].t: an integer is expected"},
	{GAUGE("{\"t\":\"" NOW "\"}"), REASON_BAD_PAYLOAD, "metrics[0].points[0].t: an integer is expected"},
	{GAUGE("{\"t\":9223372036854775808}"), REASON_BAD_PAYLOAD, ".t: an integer is expected"},
	{GAUGE("{\"t\":-9223372036854775809}"), REASON_BAD_PAYLOAD, ".t: an integer is expected"},
	{GAUGE("{\"t\":1e999}"), REASON_BAD_PAYLOAD, ".t: an integer is expected"},
	{GAUGE("{\"t\":1e-1}"), REASON_BAD_PAYLOAD, ".t: an integer is expected"},
	{GAUGE("{\"t\":1e99999999999999999999}"), REASON_BAD_PAYLOAD, ".t: an integer is expected"},
	{GAUGE("{\"count\":0.1e-5}"), REASON_BAD_PAYLOAD, ".count: an integer is expected"},
	{GAUGE("{\"histogram\":[]}"), REASON_BAD_PAYLOAD, "metrics[0].points[0].histogram: an object is expected"},
	{GAUGE("{\"histogram\":{\"counts\":[1,null]}}"), REASON_BAD_PAYLOAD, "histogram.counts[1]: an integer is expected"},
	{GAUGE("{\"histogram\":{\"counts\":[1,2.5]}}"), REASON_BAD_PAYLOAD, "histogram.counts[1]: an integer is expected"},
	{"{\"agent_id\":1}", REASON_BAD_PAYLOAD, "agent_id: a string is expected"},
	{"{\"seq\":\"1\"}", REASON_BAD_PAYLOAD, "seq: an integer is expected"},
	{"{\"created_at\":1.5}", REASON_BAD_PAYLOAD, "created_at: an integer is expected"},
	{"{\"errors\":{}}", REASON_BAD_PAYLOAD, "errors: an array is expected"},
	{"{\"truncated\":[{\"attempted\":1}]}", REASON_BAD_PAYLOAD, "truncated[0].attempted: a boolean is expected"},
	{"{\"truncated\":[{}]}", REASON_BAD_PAYLOAD, "truncated[0]: agent_id"},
	{"{\"truncated\":[{\"agent_id\":\"00112233445566778899aabbccddeeff\",\"from_seq\":4,\"to_seq\":3}]}", REASON_BAD_PAYLOAD,
	 "truncated[0]: agent_id"},
	/* twice the same */
	{"{\"metrics\":[],\"metrics\":[]}", REASON_BAD_PAYLOAD, "metrics: this field stands there twice"},
	{"{\"seq\":null,\"seq\":1}", REASON_BAD_PAYLOAD, "seq: this field stands there twice"},
	{"{\"seq\":1,\"\\u0073eq\":1}", REASON_BAD_PAYLOAD, "seq: this field stands there twice"},
	{PAYLOAD("{\"name\":\"a\",\"name\":\"b\"}"), REASON_BAD_PAYLOAD, "metrics[0].name: this field stands there twice"},
	{GAUGE("{\"v\":1,\"v\":1}"), REASON_BAD_PAYLOAD, "metrics[0].points[0].v: this field stands there twice"},
	/* nothing in it */
	{"{}", REASON_EMPTY_PAYLOAD, ""},
	{"{\"metrics\":[]}", REASON_EMPTY_PAYLOAD, ""},
	{"{\"metrics\":null,\"errors\":[],\"unknown\":[1]}", REASON_EMPTY_PAYLOAD, ""},
};

START_TEST(refuses_a_payload)
{
	struct decoded d;

	decode(&d, refused[_i].body);
	ck_assert_msg(d.rc == -1, "case %d was taken: %s", _i, refused[_i].body);
	ck_assert_msg(d.no.reason == refused[_i].reason && strstr(d.no.detail, refused[_i].detail), "case %d, %s: %s: %s", _i,
		      refused[_i].body, reason_name(d.no.reason), d.no.detail);
	decoded_fini(&d);
}
END_TEST

static const struct {
	const char *fields; /* of the payload, before its metrics */
	enum reason reason; /* NR_REASONS: good */
} identities[] = {
	{"", NR_REASONS},
	{"\"agent_id\":\"00112233445566778899aabbccddeeff\",\"seq\":1,\"floor\":1,", NR_REASONS},
	{"\"agent_id\":\"00112233445566778899AABBCCDDEEFF\",\"seq\":65537,\"floor\":1,", NR_REASONS},
	{"\"agent_id\":\"00112233445566778899aabbccddeeff\",\"seq\":9223372036854775807,", NR_REASONS},
	{"\"agent_id\":null,\"seq\":null,\"floor\":null,", NR_REASONS},
	{"\"agent_id\":\"00112233445566778899aabbccddeeff\",\"seq\":65538,\"floor\":1,", REASON_BAD_IDENTITY},
	{"\"agent_id\":\"00112233445566778899aabbccddeeff\",\"seq\":9223372036854775807,\"floor\":1,", REASON_BAD_IDENTITY},
	{"\"agent_id\":\"00112233445566778899aabbccddeeff\",\"seq\":0,", REASON_BAD_IDENTITY},
	{"\"agent_id\":\"00112233445566778899aabbccddeeff\",\"seq\":-1,", REASON_BAD_IDENTITY},
	{"\"agent_id\":\"00112233445566778899aabbccddeeff\",\"seq\":1,\"floor\":0,", REASON_BAD_IDENTITY},
	{"\"agent_id\":\"00112233445566778899aabbccddeeff\",\"seq\":1,\"floor\":2,", REASON_BAD_IDENTITY},
	{"\"agent_id\":\"00112233445566778899aabbccddeeff\",\"seq\":1,\"floor\":-9223372036854775808,", REASON_BAD_IDENTITY},
	{"\"agent_id\":\"00112233445566778899aabbccddeeff\",", REASON_BAD_IDENTITY},
	{"\"agent_id\":\"00112233445566778899aabbccddeeff\",\"floor\":1,", REASON_BAD_IDENTITY},
	{"\"seq\":1,", REASON_BAD_IDENTITY},
	{"\"floor\":1,", REASON_BAD_IDENTITY},
	{"\"agent_id\":\"00112233445566778899aabbccddeef\",\"seq\":1,", REASON_BAD_IDENTITY},
	{"\"agent_id\":\"00112233445566778899aabbccddeeff0\",\"seq\":1,", REASON_BAD_IDENTITY},
	{"\"agent_id\":\"g0112233445566778899aabbccddeeff\",\"seq\":1,", REASON_BAD_IDENTITY},
	{"\"agent_id\":\"\",\"seq\":1,", REASON_BAD_IDENTITY},
	{"\"created_at\":1795199212000,", NR_REASONS}, /* 48 h back, to the millisecond */
	{"\"created_at\":1795372612000,", NR_REASONS}, /* 10 min ahead */
	{"\"created_at\":1795199211999,", REASON_CREATED_AT_OUT_OF_RANGE},
	{"\"created_at\":1795372612001,", REASON_CREATED_AT_OUT_OF_RANGE},
	{"\"created_at\":-9223372036854775808,", REASON_CREATED_AT_OUT_OF_RANGE},
	{"\"created_at\":9223372036854775807,", REASON_CREATED_AT_OUT_OF_RANGE},
};

START_TEST(judges_identity_and_creation)
{
	char body[1024];
	struct decoded d;

	snprintf(body, sizeof(body), "{%s\"metrics\":[%s]}", identities[_i].fields, METRIC("gauge", "{\"v\":1}"));
	decode(&d, body);
	ck_assert_msg(d.no.reason == identities[_i].reason, "case %d, %s: %s: %s", _i, body,
		      d.rc ? reason_name(d.no.reason) : "taken", d.rc ? d.no.detail : "");
	decoded_fini(&d);
}
END_TEST

#define NAME255 \
	"n234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890" \
	"n234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890" \
	"n23456789012345678901234567890123456789012345678901234x"
#define SUMMARY(rest) "{\"count\":4,\"sum\":10,\"min\":1,\"max\":4,\"last\":2" rest "}"
#define NAMED(name) PAYLOAD("{\"name\":\"" name "\",\"kind\":\"gauge\",\"points\":[{\"v\":1},{\"v\":2}]}")
#define TAGGED(tags) PAYLOAD("{\"name\":\"m\",\"kind\":\"gauge\",\"tags\":{" tags "},\"points\":[{\"v\":1}]}")
#define HISTOGRAM(h) DISTRIBUTION(SUMMARY(",\"histogram\":{" h "}"))
#define TAGS4(a) "\"" a "1\":\"\",\"" a "2\":\"\",\"" a "3\":\"\",\"" a "4\":\"\""
#define TAGS8(a) TAGS4(a) "," TAGS4(a a)
#define TAGS32 TAGS8("a") "," TAGS8("b") "," TAGS8("c") "," TAGS8("d")

static const struct {
	const char *body;
	uint64_t accepted, rejected;
	const char *rejections;
} judged[] = {
	/* metrics */
	{NAMED("http.duration_ms:/A-z"), 2, 0, ""},
	{NAMED(NAME255), 2, 0, ""},
	{NAMED(""), 0, 2, "metrics[0] name_empty"},
	{NAMED(NAME255 "x"), 0, 2, "metrics[0] name_too_long"},
	{NAMED("a b"), 0, 2, "metrics[0] name_invalid"},
	{NAMED("\u00e4"), 0, 2, "metrics[0] name_invalid"},
	{NAMED("a\\u0000"), 0, 2, "metrics[0] name_invalid"},
	{PAYLOAD("{\"kind\":\"gauge\",\"points\":[{\"v\":1}]}"), 0, 1, "metrics[0] name_empty"},
	{PAYLOAD("{\"name\":null,\"kind\":\"gauge\",\"points\":[{\"v\":1}]}"), 0, 1, "metrics[0] name_empty"},
	{PAYLOAD("{\"name\":\"m\",\"points\":[{\"v\":1}]}"), 0, 1, "metrics[0] kind_unknown"},
	{PAYLOAD(METRIC("Gauge", "{\"v\":1}")), 0, 1, "metrics[0] kind_unknown"},
	{PAYLOAD(METRIC("", "{\"v\":1}")), 0, 1, "metrics[0] kind_unknown"},
	{GAUGE(""), 0, 1, "metrics[0] points_missing"},
	{PAYLOAD("{\"name\":\"m\",\"kind\":\"gauge\"}"), 0, 1, "metrics[0] points_missing"},
	{PAYLOAD("{}"), 0, 1, "metrics[0] name_empty"},
	/* tags */
	{TAGGED(""), 1, 0, ""},
	{TAGGED("\"b\":\"2\",\"a\":\"1\""), 1, 0, ""},
	{TAGGED(TAGS32), 1, 0, ""},
	{TAGGED(TAGS32 ",\"e\":\"\""), 0, 1, "metrics[0] tags_too_many"},
	{TAGGED(TAGS32 "," TAGS32), 0, 1, "metrics[0] tags_too_many"},
	{TAGGED("\"a\":\"1\",\"b\":\"\",\"a\":\"1\""), 0, 1, "metrics[0] tag_doubled"},
	{TAGGED("\"a\":\"1\",\"\\u0061\":\"2\""), 0, 1, "metrics[0] tag_doubled"},
	{TAGGED("\"\":\"1\""), 0, 1, "metrics[0] tag_key_invalid"},
	{TAGGED("\"a b\":\"1\""), 0, 1, "metrics[0] tag_key_invalid"},
	{TAGGED("\"" NAME255 "x\":\"1\""), 0, 1, "metrics[0] tag_key_invalid"},
	{TAGGED("\"a\":\"" NAME255 "\""), 1, 0, ""},
	{TAGGED("\"a\":\"" NAME255 "x\""), 0, 1, "metrics[0] tag_value_too_long"},
	{TAGGED("\"a\":null"), 1, 0, ""},
	/* times */
	{GAUGE("{\"t\":1795199212000,\"v\":1},{\"t\":1795199211999,\"v\":1}"), 1, 1, "metrics[0].points[1] time_too_old"},
	{GAUGE("{\"t\":1795372612000,\"v\":1},{\"t\":1795372612001,\"v\":1}"), 1, 1, "metrics[0].points[1] time_too_new"},
	{GAUGE("{\"t\":-9223372036854775808,\"v\":1},{\"t\":9223372036854775807,\"v\":1}"), 0, 2,
	 "metrics[0].points[0] time_too_old, metrics[0].points[1] time_too_new"},
	{GAUGE("{\"t\":1795372012e3,\"v\":1},{\"t\":1.795372012000e12,\"v\":1}"), 2, 0, ""},
	{GAUGE(SUMMARY(",\"last_at\":0")), 0, 1, "metrics[0].points[0] time_too_old"},
	{GAUGE(SUMMARY(",\"last_at\":9223372036854775807")), 0, 1, "metrics[0].points[0] time_too_new"},
	{GAUGE("{\"t\":0}"), 0, 1, "metrics[0].points[0] time_too_old"},
	/* values */
	{GAUGE("{\"v\":1e308},{\"v\":-1e308},{\"v\":5e-324},{\"v\":0},{\"v\":-0.0}"), 5, 0, ""},
	{GAUGE("{\"v\":1e999},{\"v\":-1e999},{\"v\":1}"), 1, 2,
	 "metrics[0].points[0] value_not_finite, metrics[0].points[1] value_not_finite"},
	{GAUGE("{}"), 0, 1, "metrics[0].points[0] value_missing"},
	{GAUGE("{\"v\":null}"), 0, 1, "metrics[0].points[0] value_missing"},
	{GAUGE("{\"count\":1,\"sum\":1,\"min\":1,\"max\":1}"), 0, 1, "metrics[0].points[0] value_missing"},
	{GAUGE("{\"count\":1,\"sum\":1,\"min\":1,\"max\":1,\"last\":null}"), 0, 1, "metrics[0].points[0] value_missing"},
	{GAUGE("{\"v\":1,\"count\":1}"), 0, 1, "metrics[0].points[0] value_ambiguous"},
	{GAUGE("{\"v\":1,\"last_at\":" NOW "}"), 0, 1, "metrics[0].points[0] value_ambiguous"},
	{DISTRIBUTION("{\"v\":1,\"histogram\":{}}"), 0, 1, "metrics[0].points[0] value_ambiguous"},
	{COUNTER("{\"v\":0},{\"v\":-0.0},{\"v\":-1}"), 2, 1, "metrics[0].points[2] value_negative"},
	{DISTRIBUTION("{\"v\":-1}"), 1, 0, ""},
	/* summaries */
	{GAUGE(SUMMARY("")), 1, 0, ""},
	{COUNTER(SUMMARY("")), 1, 0, ""},
	{GAUGE("{\"count\":0,\"sum\":0,\"min\":0,\"max\":0,\"last\":0}"), 0, 1, "metrics[0].points[0] summary_inconsistent"},
	{GAUGE("{\"count\":-1,\"sum\":0,\"min\":0,\"max\":0,\"last\":0}"), 0, 1, "metrics[0].points[0] summary_inconsistent"},
	{GAUGE("{\"count\":9223372036854775807,\"sum\":0,\"min\":0,\"max\":0,\"last\":0}"), 0, 1,
	 "metrics[0].points[0] summary_inconsistent"},
	{GAUGE("{\"count\":1099511627776,\"sum\":0,\"min\":0,\"max\":0,\"last\":0}"), 1, 0, ""}, /* as much as the processor takes */
	{GAUGE("{\"count\":1099511627777,\"sum\":0,\"min\":0,\"max\":0,\"last\":0}"), 0, 1, "metrics[0].points[0] summary_inconsistent"},
	{GAUGE("{\"count\":2,\"sum\":3,\"min\":2,\"max\":1,\"last\":2}"), 0, 1, "metrics[0].points[0] summary_inconsistent"},
	{GAUGE("{\"count\":2,\"sum\":3,\"min\":1,\"max\":2,\"last\":3}"), 0, 1, "metrics[0].points[0] summary_inconsistent"},
	{GAUGE("{\"count\":2,\"sum\":3,\"min\":1,\"max\":2,\"last\":0}"), 0, 1, "metrics[0].points[0] summary_inconsistent"},
	{GAUGE("{\"count\":2,\"sum\":5,\"min\":1,\"max\":2,\"last\":2}"), 0, 1, "metrics[0].points[0] summary_inconsistent"},
	{GAUGE("{\"count\":2,\"sum\":1,\"min\":1,\"max\":2,\"last\":2}"), 0, 1, "metrics[0].points[0] summary_inconsistent"},
	{GAUGE("{\"count\":3,\"sum\":0.30000000000000004,\"min\":0.1,\"max\":0.1,\"last\":0.1}"), 1, 0, ""},
	{GAUGE("{\"count\":2,\"sum\":1e999,\"min\":1,\"max\":2,\"last\":2}"), 0, 1, "metrics[0].points[0] value_not_finite"},
	{GAUGE("{\"count\":2,\"sum\":2,\"min\":-1e999,\"max\":2,\"last\":2}"), 0, 1, "metrics[0].points[0] value_not_finite"},
	{GAUGE("{\"count\":2,\"sum\":2,\"min\":-1e308,\"max\":1e308,\"last\":2}"), 1, 0, ""},
	{COUNTER("{\"count\":2,\"sum\":1,\"min\":-1,\"max\":2,\"last\":2}"), 0, 1, "metrics[0].points[0] value_negative"},
	/* histograms: four values in each */
	{HISTOGRAM("\"scale\":5,\"zero\":0,\"offset\":56,\"counts\":[1,3]"), 1, 0, ""},
	{HISTOGRAM("\"scale\":5,\"zero\":4"), 1, 0, ""},
	{HISTOGRAM("\"scale\":0,\"neg_offset\":-7,\"neg_counts\":[1,0,2],\"zero\":1"), 1, 0, ""},
	{HISTOGRAM("\"scale\":20,\"offset\":-1,\"counts\":[4]"), 1, 0, ""},
	{HISTOGRAM("\"scale\":5e0,\"counts\":[4.0]"), 1, 0, ""},
	/* nothing of one point shines through the next */
	{DISTRIBUTION(SUMMARY(",\"histogram\":{\"scale\":5,\"counts\":[4]}") "," SUMMARY(",\"histogram\":{\"scale\":5,\"zero\":4}")), 2, 0, ""},
	{HISTOGRAM("\"offset\":56,\"counts\":[4]"), 0, 1, "metrics[0].points[0] histogram_invalid"},
	{HISTOGRAM("\"scale\":null,\"counts\":[4]"), 0, 1, "metrics[0].points[0] histogram_invalid"},
	{HISTOGRAM("\"scale\":5,\"counts\":[1,2]"), 0, 1, "metrics[0].points[0] histogram_invalid"},
	{HISTOGRAM("\"scale\":5,\"counts\":[1,4]"), 0, 1, "metrics[0].points[0] histogram_invalid"},
	{HISTOGRAM("\"scale\":5,\"counts\":[5,-1]"), 0, 1, "metrics[0].points[0] histogram_invalid"},
	{HISTOGRAM("\"scale\":5,\"zero\":-1,\"counts\":[5]"), 0, 1, "metrics[0].points[0] histogram_invalid"},
	{HISTOGRAM("\"scale\":21,\"counts\":[4]"), 0, 1, "metrics[0].points[0] histogram_invalid"},
	{HISTOGRAM("\"scale\":4294967301,\"counts\":[4]"), 0, 1, "metrics[0].points[0] histogram_invalid"},
	{HISTOGRAM("\"scale\":5,\"offset\":4294967296,\"counts\":[4]"), 0, 1, "metrics[0].points[0] histogram_invalid"},
	{HISTOGRAM("\"scale\":5,\"offset\":-2147483649,\"counts\":[4]"), 0, 1, "metrics[0].points[0] histogram_invalid"},
	{HISTOGRAM("\"scale\":5,\"offset\":2147483647,\"counts\":[4]"), 0, 1, "metrics[0].points[0] histogram_invalid"},
	{HISTOGRAM("\"scale\":5,\"zero\":4,\"counts\":[9223372036854775807,9223372036854775807]"), 0, 1,
	 "metrics[0].points[0] histogram_invalid"},
	{HISTOGRAM(""), 0, 1, "metrics[0].points[0] histogram_invalid"},
	{DISTRIBUTION(SUMMARY("")), 0, 1, "metrics[0].points[0] histogram_missing"},
	{DISTRIBUTION(SUMMARY(",\"histogram\":null")), 0, 1, "metrics[0].points[0] histogram_missing"},
	{GAUGE(SUMMARY(",\"histogram\":{\"scale\":5,\"zero\":4}")), 0, 1, "metrics[0].points[0] histogram_unexpected"},
	{COUNTER(SUMMARY(",\"histogram\":{\"scale\":5,\"zero\":4}")), 0, 1, "metrics[0].points[0] histogram_unexpected"},
	/* events */
	{"{\"errors\":[{},{\"class\":\"\"},{\"class\":null},{\"class\":\"E\"}]}", 1, 3,
	 "errors[0] event_field_missing, errors[1] event_field_missing, errors[2] event_field_missing"},
	{"{\"transactions\":[{\"spans\":[{},{}]}],\"markers\":[{}],\"check_ins\":[{}],\"metrics\":[" METRIC("gauge", "{\"v\":1}") "]}", 1, 3,
	 "transactions[0] event_field_missing, markers[0] event_field_missing, check_ins[0] event_field_missing"},
	{"{\"errors\":[{\"class\":\"E\",\"t\":0},{\"class\":\"E\",\"t\":1795199212000},{\"class\":\"E\",\"t\":1795372612001}]}", 1, 2,
	 "errors[0] time_too_old, errors[2] time_too_new"},
	{"{\"transactions\":[{\"action\":\"a\",\"duration_ms\":-1},{\"action\":\"a\",\"queue_ms\":1e999},{\"action\":\"a\"}]}", 1, 2,
	 "transactions[0] duration_invalid, transactions[1] duration_invalid"},
	{"{\"check_ins\":[" CHECK_IN("cron", "start") "," CHECK_IN("Cron", "start") "," CHECK_IN("cron", "") "," CHECK_IN("heartbeat", "beat2")
	 ",{\"kind\":\"cron\",\"event\":\"finish\"},{\"name\":\"n\",\"event\":\"finish\"},{\"name\":\"n\",\"kind\":\"cron\",\"event\":null}]}", 1, 6,
	 "check_ins[1] event_field_missing, check_ins[2] event_field_missing, check_ins[3] event_field_missing, check_ins[4] event_field_missing, "
	 "check_ins[5] event_field_missing, check_ins[6] event_field_missing"},
	/* any order, unknown fields, null for left out */
	{PAYLOAD("{\"points\":[{\"v\":-1},{\"v\":1}],\"tags\":{\"a\":\"b\"},\"kind\":\"counter\",\"name\":\"m\"}"), 1, 1,
	 "metrics[0].points[0] value_negative"},
	{"{\"future\":{\"a\":[1,{\"metrics\":[{}]}]},\"metrics\":[{\"name\":\"m\",\"unit\":[\"s\"],\"kind\":\"gauge\",\"points\":"
	 "[{\"v\":1,\"trace\":{\"id\":\"x\"},\"t\":null}]}],\"more\":null}", 1, 0, ""},
	{"{\"host\":null,\"truncated\":null,\"errors\":null,\"metrics\":[{\"name\":\"m\",\"kind\":\"gauge\",\"tags\":null,"
	 "\"points\":[{\"v\":1,\"count\":null}]}]}", 1, 0, ""},
	{"{\"metrics\":[" METRIC("gauge", "{\"v\":1}") "," METRIC("what", "{\"v\":1},{\"v\":2}") "," METRIC("gauge", "{}") "]}", 1, 3,
	 "metrics[1] kind_unknown, metrics[2].points[0] value_missing"},
};

START_TEST(judges_samples)
{
	struct decoded d;
	char text[2048];

	decode(&d, judged[_i].body);
	ck_assert_msg(d.rc == 0, "case %d, %s: refused: %s: %s", _i, judged[_i].body, reason_name(d.no.reason), d.no.detail);
	rejections(&d.payload, text, sizeof(text));
	ck_assert_msg(strcmp(text, judged[_i].rejections) == 0, "case %d, %s: %s", _i, judged[_i].body, text);
	ck_assert_uint_eq(d.payload.accepted, judged[_i].accepted);
	ck_assert_uint_eq(d.payload.rejected, judged[_i].rejected);
	ck_assert_uint_eq(d.payload.received, judged[_i].accepted + judged[_i].rejected);
	ck_assert_uint_eq(d.payload.values_len + d.payload.summaries_len + d.payload.events_len, judged[_i].accepted);
	decoded_fini(&d);
}
END_TEST

START_TEST(keeps_every_field)
{
	struct decoded d;
	const struct payload *p = &d.payload;
	static const uint8_t agent[16] = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
					  0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};

	decode(&d, "{\"agent_id\":\"00112233445566778899aAbBcCdDeEfF\",\"seq\":7,\"floor\":5,\"created_at\":" NOW ",\"host\":\"w\\u00fcb-7\","
		   "\"environment\":\"\\ud83d\\ude00\",\"revision\":\"a1\",\"truncated\":[{\"agent_id\":\"ff112233445566778899aabbccddeeff\","
		   "\"from_seq\":1,\"to_seq\":4,\"samples\":812,\"attempted\":true},{\"agent_id\":\"00112233445566778899aabbccddeeff\","
		   "\"from_seq\":1,\"to_seq\":1}],\"metrics\":[{\"name\":\"m\",\"kind\":\"distribution\",\"tags\":{\"b\":\"\\\"\",\"a\":\"1\"},"
		   "\"points\":[{\"t\":1795372000000,\"v\":3.5},{\"count\":9,\"sum\":31.5,\"min\":3.4,\"max\":3.55,\"last\":3.5,"
		   "\"last_at\":1795372000001,\"t\":1795372000002,\"histogram\":{\"neg_counts\":[],\"scale\":5,\"counts\":[1,3,5],"
		   "\"neg_offset\":0,\"zero\":0,\"offset\":56}},{\"v\":1}]}]}");
	ck_assert_msg(d.rc == 0, "%s", d.no.detail);
	ck_assert(p->has_agent_id && p->has_seq && p->has_floor && p->has_created_at);
	ck_assert_mem_eq(p->agent_id, agent, sizeof(agent));
	ck_assert(p->seq == 7 && p->floor == 5 && p->created_at_ms == NOW_MS);
	ck_assert(str_eq(p->host, STR("w\xc3\xbc" "b-7")) && str_eq(p->environment, STR("\xf0\x9f\x98\x80")));
	ck_assert(str_eq(p->revision, STR("a1")));
	ck_assert_uint_eq(p->truncations_len, 2);
	ck_assert(p->truncations[0].agent_id[0] == 0xff && p->truncations[0].from_seq == 1 && p->truncations[0].to_seq == 4);
	ck_assert(p->truncations[0].attempted && !p->truncations[1].attempted);
	ck_assert_int_eq(payload_truncated_samples(p), 812);
	ck_assert_uint_eq(p->series_len, 1);
	ck_assert(str_eq(p->series[0].name, STR("m")) && p->series[0].kind == SERIES_KIND_DISTRIBUTION);
	ck_assert(p->series[0].tags_len == 2 && str_eq(p->series[0].tags[0].key, STR("a")));
	ck_assert(str_eq(p->series[0].tags[1].value, STR("\"")));
	ck_assert(p->values_len == 2 && p->values[0].v == 3.5 && p->values[0].t == 1795372000000 && p->values[1].t == NOW_MS);
	ck_assert_uint_eq(p->summaries_len, 1);
	ck_assert(p->summaries[0].count == 9 && p->summaries[0].sum == 31.5 && p->summaries[0].last_at == 1795372000001);
	ck_assert(p->summaries[0].min == 3.4 && p->summaries[0].max == 3.55 && p->summaries[0].last == 3.5);
	ck_assert(p->summaries[0].t == 1795372000002 && p->summaries[0].histogram.offset == 56);
	ck_assert(p->summaries[0].histogram.counts_len == 3 && p->summaries[0].histogram.counts[2] == 5);
	ck_assert(p->summaries[0].histogram.neg_counts_len == 0);
	decoded_fini(&d);
}
END_TEST

START_TEST(last_at_and_floor_have_defaults)
{
	struct decoded d;

	decode(&d, "{\"agent_id\":\"00112233445566778899aabbccddeeff\",\"seq\":7,\"metrics\":["
		   METRIC("gauge", "{\"t\":1795372000000,\"count\":1,\"sum\":1,\"min\":1,\"max\":1,\"last\":1}") "]}");
	ck_assert_int_eq(d.rc, 0);
	ck_assert_int_eq(d.payload.floor, 7);
	ck_assert_int_eq(d.payload.summaries[0].last_at, 1795372000000);
	decoded_fini(&d);
}
END_TEST

START_TEST(deep_nesting_is_named)
{
	static const struct {
		const char *head, *piece, *tail;
		size_t n;
		enum reason reason;
	} cases[] = {
		{"", "[", "", 1 << 20, REASON_BAD_PAYLOAD}, /* not even an object */
		{"{\"x\":", "[", "", 1 << 20, REASON_NESTING_TOO_DEEP},
		{"", "{\"x\":", "", 1 << 18, REASON_NESTING_TOO_DEEP},
		{"{\"errors\":[{\"params\":{\"a\":", "[", "", 1 << 20, REASON_NESTING_TOO_DEEP},
		{"{\"errors\":[{\"x\":", "[", "", 1 << 20, REASON_NESTING_TOO_DEEP},
		{"{\"x\":", "[", "", PUSH_JSON_DEPTH_MAX, REASON_NESTING_TOO_DEEP},
		{"{\"x\":", "[", "", PUSH_JSON_DEPTH_MAX - 1, REASON_BAD_JSON}, /* deep enough to go on, and then cut off */
	};

	for (size_t i = 0; i < NR(cases); i++) {
		struct str body = repeated_text(cases[i].head, cases[i].piece, cases[i].n, cases[i].tail);
		struct decoded d;

		decode_bytes(&d, body);
		ck_assert_msg(d.rc == -1 && d.no.reason == cases[i].reason, "case %zu: %s: %s", i, reason_name(d.no.reason), d.no.detail);
		decoded_fini(&d);
		free((void *)(uintptr_t)body.p);
	}
}
END_TEST

START_TEST(names_the_first_thousand_rejections_and_counts_all)
{
	struct str body = repeated_text("{\"metrics\":[" "{\"name\":\"m\",\"kind\":\"gauge\",\"points\":[", "{},", 2500, "{\"v\":1}]}]}");
	struct decoded d;

	decode_bytes(&d, body);
	ck_assert_int_eq(d.rc, 0);
	ck_assert_uint_eq(d.payload.rejections_len, PAYLOAD_REJECTIONS_MAX);
	ck_assert_uint_eq(d.payload.rejected, 2500);
	ck_assert_uint_eq(d.payload.rejected_by[REASON_VALUE_MISSING], 2500);
	ck_assert_uint_eq(d.payload.accepted, 1);
	decoded_fini(&d);
	free((void *)(uintptr_t)body.p);
}
END_TEST

/* Memory is a budget: what a body decodes to is bounded by the arena, whatever it holds. */
START_TEST(an_amplifying_body_is_too_large)
{
	static const char *const pieces[] = {"{},", "{\"count\":1},", "{\"histogram\":{\"counts\":[1]}},"};

	for (size_t i = 0; i < NR(pieces); i++) {
		struct str body = repeated_text("{\"metrics\":[{\"points\":[", pieces[i], 200000, "{}]}]}");
		struct decoded d = {.arena = {.limit_bytes = 1 << 20}};

		payload_init(&d.payload, &d.arena, NOW_MS);
		ck_assert_int_eq(push_json_parse(body, &d.payload, &d.no), -1);
		ck_assert_msg(d.no.reason == REASON_BODY_TOO_LARGE && strstr(d.no.detail, "1048576 bytes"), "%s", d.no.detail);
		ck_assert_uint_le(d.arena.used_bytes, 1 << 20);
		decoded_fini(&d);
		free((void *)(uintptr_t)body.p);
	}
}
END_TEST

START_TEST(long_histograms_are_cut_and_rejected)
{
	struct str body = repeated_text(
		"{\"metrics\":[{\"name\":\"m\",\"kind\":\"distribution\",\"points\":[{\"count\":9000,\"sum\":9000,\"min\":1,\"max\":1,"
		"\"last\":1,\"histogram\":{\"scale\":5,\"counts\":[", "1,", 8999, "1]}}]}]}");
	struct decoded d;

	decode_bytes(&d, body);
	ck_assert_int_eq(d.rc, 0);
	ck_assert_uint_eq(d.payload.rejected_by[REASON_HISTOGRAM_INVALID], 1);
	decoded_fini(&d);
	free((void *)(uintptr_t)body.p);
}
END_TEST

/* A body cut off at any byte is refused, and never read past its end (it is copied to the end of its own allocation). */
START_TEST(every_prefix_is_refused)
{
	static const char whole[] =
		"{\"agent_id\":\"00112233445566778899aabbccddeeff\",\"seq\":7,\"host\":\"\\ud83d\\ude00\",\"truncated\":[],\"metrics\":"
		"[{\"name\":\"m\",\"kind\":\"gauge\",\"tags\":{\"a\":\"\\u00e4\xc3\xa4\"},\"points\":[{\"t\":" NOW ",\"v\":1.5e1}]}],"
		"\"errors\":[{\"x\":[true,false,null],\"class\":\"E\",\"params\":{\"a\":{\"b\":[7]}},\"backtrace\":[{\"line\":1}]}]}";

	for (size_t n = 0; n < sizeof(whole) - 1; n++) {
		char *exact = malloc(n ? n : 1);
		struct decoded d;

		memcpy(exact, whole, n);
		decode_bytes(&d, (struct str){exact, n});
		ck_assert_msg(d.rc == -1 && d.no.reason == REASON_BAD_JSON, "prefix of %zu: %s", n, d.no.detail);
		decoded_fini(&d);
		free(exact);
	}
}
END_TEST

/* A sender an hour behind: its times are judged by its own clock and become ours; what it leaves out is ours already. */
START_TEST(a_skewed_sender_is_shifted)
{
	struct decoded d = {.arena = {.limit_bytes = 1 << 20}};
	const int64_t hour = 3600000;
	char body[512];

	snprintf(body, sizeof(body),
		 "{\"created_at\":%lld,\"metrics\":[" METRIC("gauge", "{\"t\":%lld,\"v\":1},{\"v\":2},{\"t\":%lld,\"v\":3},"
		 "{\"t\":%lld,\"count\":1,\"sum\":1,\"min\":1,\"max\":1,\"last\":1,\"last_at\":%lld}") "]}",
		 (long long)(NOW_MS - hour - 48 * hour), (long long)(NOW_MS - hour - 48 * hour), (long long)(NOW_MS - hour + 600001),
		 (long long)(NOW_MS - hour + 5), (long long)(NOW_MS - hour + 6));
	payload_init(&d.payload, &d.arena, NOW_MS);
	d.payload.shift_ms = hour;
	ck_assert_int_eq(push_json_parse(str_from(body), &d.payload, &d.no), 0);
	ck_assert_int_eq(check_payload(&d.payload, &d.no), 0);
	ck_assert(d.payload.values_len == 2 && d.payload.summaries_len == 1 && d.payload.rejected_by[REASON_TIME_TOO_NEW] == 1);
	ck_assert_int_eq(d.payload.values[0].t, NOW_MS - 48 * hour);
	ck_assert_int_eq(d.payload.values[1].t, NOW_MS);
	ck_assert(d.payload.summaries[0].t == NOW_MS + 5 && d.payload.summaries[0].last_at == NOW_MS + 6);
	ck_assert_int_eq(d.payload.created_at_ms, NOW_MS - hour - 48 * hour); /* what routes and labels stays the sender's */
	decoded_fini(&d);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("push_json");
	TCase *tc = tcase_create("push_json");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, refuses_a_payload, 0, (int)NR(refused));
	tcase_add_loop_test(tc, judges_identity_and_creation, 0, (int)NR(identities));
	tcase_add_loop_test(tc, judges_samples, 0, (int)NR(judged));
	tcase_add_test(tc, keeps_every_field);
	tcase_add_test(tc, last_at_and_floor_have_defaults);
	tcase_add_test(tc, deep_nesting_is_named);
	tcase_add_test(tc, names_the_first_thousand_rejections_and_counts_all);
	tcase_add_test(tc, an_amplifying_body_is_too_large);
	tcase_add_test(tc, long_histograms_are_cut_and_rejected);
	tcase_add_test(tc, every_prefix_is_refused);
	tcase_add_test(tc, a_skewed_sender_is_shifted);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
