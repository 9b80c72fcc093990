/* test_otlp_json.c - OTLP in JSON becomes the message in protobuf that is written beside it, or is refused by its place.
 *
 * `test_otlp_json transcode` is a tool for tests/e2e/test_otlp_json.py, which compares with protobuf's own library: it reads lines "SIGNAL BODY", the body in
 * hex, and writes for each the message in hex, or "! REASON DETAIL". */
#include "ingest/otlp_json.h"

#include "ingest/pb_wire.h"
#include "tests/unit/ingest/wire_text.h"

enum { ROOM_BYTES = 1 << 20 };

/* A log record of these fields, its body's value, a gauge's point, a histogram's, an exponential one's, a metric, a span. */
#define RECORD(fields) OTLP_LOGS, "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{" fields "}]}]}]}"
#define VALUE(fields) RECORD("\"body\":{" fields "}")
#define METRIC(fields) OTLP_METRICS, "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{" fields "}]}]}]}"
#define POINT(fields) METRIC("\"gauge\":{\"dataPoints\":[{" fields "}]}")
#define HISTOGRAM(fields) METRIC("\"histogram\":{\"dataPoints\":[{" fields "}]}")
#define EXPONENTIAL(fields) METRIC("\"exponentialHistogram\":{\"dataPoints\":[{" fields "}]}")
#define SPAN(fields) OTLP_TRACES, "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{" fields "}]}]}]}"

#define LEAF(items) "1{2{2{" items "}}}"
#define VALUE_LEAF(items) LEAF("5{" items "}")
#define POINT_LEAF(items) LEAF("5{1{" items "}}")
#define HISTOGRAM_LEAF(items) LEAF("9{1{" items "}}")
#define EXPONENTIAL_LEAF(items) LEAF("10{1{" items "}}")

static const struct {
	enum otlp_signal signal;
	const char *body;
	const char *wire; /* wire_text.h */
} taken[] = {
	/* nothing */
	{OTLP_METRICS, "{}", ""},
	{OTLP_METRICS, " {\"resourceMetrics\" : [ ] }\n", ""},
	{OTLP_METRICS, "{\"resourceMetrics\":null,\"resourceLogs\":[{}]}", ""},
	{OTLP_METRICS, "{\"resourceMetrics\":[{}]}", "1{}"},
	{OTLP_LOGS, "{\"resourceLogs\":[{},{}]}", "1{} 1{}"},
	{OTLP_TRACES, "{\"resourceSpans\":[{\"scopeSpans\":[]}]}", "1{}"},
	/* the specification's own words, shortened */
	{OTLP_TRACES,
	 "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":\"my.service\"}}]},"
	 "\"scopeSpans\":[{\"scope\":{\"name\":\"my.library\",\"version\":\"1.0.0\"},\"spans\":[{\"traceId\":\"5B8EFFF798038103D269B633813FC60C\","
	 "\"spanId\":\"EEE19B7EC3C1B174\",\"parentSpanId\":\"eee19b7ec3c1b173\",\"name\":\"I'm a server span\","
	 "\"startTimeUnixNano\":\"1544712660000000000\",\"endTimeUnixNano\":\"1544712661000000000\",\"kind\":2,\"status\":{\"code\":2},"
	 "\"events\":[{\"timeUnixNano\":\"7\",\"name\":\"exception\"}],\"links\":[{\"traceId\":7}]}],\"schemaUrl\":\"u\"}]}]}",
	 "1{1{1{1\"service.name\" 2{1\"my.service\"}}} 2{1{1\"my.library\" 2\"1.0.0\"} 2{|0a10 5b8efff798038103d269b633813fc60c|"
	 "|1208 eee19b7ec3c1b174| |2208 eee19b7ec3c1b173| 5\"I'm a server span\" |39 004859e3faeb6f15| |41 0012f41efbeb6f15| 6=2 15{3=2}"
	 "11{|09 0700000000000000| 2\"exception\"}} 3\"u\"}}"},
	/* names in both spellings, and in no third; order; what nobody knows */
	{SPAN("\"trace_state\":\"a\",\"dropped_attributes_count\":3"), LEAF("3\"a\" 10=3")},
	{OTLP_LOGS, "{\"resource_logs\":[{\"scope_logs\":[{\"log_records\":[{\"event_name\":\"e\"}],\"schema_url\":\"u\"}]}]}",
	 "1{2{2{12\"e\"} 3\"u\"}}"},
	{SPAN("\"trace_State\":1,\"TraceState\":1,\"traceState_\":1,\"trace_stat\":1,\"trace_statex\":1,\"tracestate\":1,\"_\":1,\"\":1,\"trace_\":1"),
	 LEAF("")},
	{SPAN("\"\\u0074raceState\":\"a\""), LEAF("3\"a\"")},
	{RECORD("\"unknown\":{\"a\":[1,{\"body\":[null,true,\"x\"]}],\"a\":2},\"severityText\":\"b\",\"x\":[[]],\"unknown\":null,\"y\":\"\",\"z\":1e999"),
	 LEAF("3\"b\"")},
	{POINT("\"exemplars\":[{\"asInt\":[]}],\"asInt\":1"), POINT_LEAF("|31 0100000000000000|")},
	/* null, and what was left out beside what is zero */
	{RECORD("\"severityNumber\":null,\"body\":null,\"attributes\":null,\"traceId\":null,\"severityText\":\"\""), LEAF("3\"\"")},
	{VALUE("\"stringValue\":null,\"intValue\":0"), VALUE_LEAF("3=0")},
	{VALUE("\"intValue\":0,\"stringValue\":null"), VALUE_LEAF("3=0")},
	{VALUE(""), VALUE_LEAF("")},
	/* values of any kind */
	{VALUE("\"stringValue\":\"\\u00e4\\ud83d\\ude00\\n\\\"\""), VALUE_LEAF("|0a 08 c3a4f09f98800a22|")},
	{VALUE("\"stringValue\":\"\\u0000\""), VALUE_LEAF("|0a0100|")},
	{VALUE("\"stringValue\":\"\xc3\xa4\""), VALUE_LEAF("1\"\xc3\xa4\"")},
	{VALUE("\"boolValue\":true"), VALUE_LEAF("2=1")},
	{VALUE("\"boolValue\":false"), VALUE_LEAF("2=0")},
	{VALUE("\"arrayValue\":{}"), VALUE_LEAF("5{}")},
	{VALUE("\"arrayValue\":{\"values\":[{\"intValue\":1},{},{\"arrayValue\":{\"values\":[{\"boolValue\":true}]}}]}"),
	 VALUE_LEAF("5{1{3=1} 1{} 1{5{1{2=1}}}}")},
	{VALUE("\"kvlistValue\":{\"values\":[{\"key\":\"a\",\"value\":{\"kvlistValue\":{\"values\":[]}}}]}"), VALUE_LEAF("6{1{1\"a\" 2{6{}}}}")},
	/* integers: text or numbers, in every notation, to the ends of their types */
	{VALUE("\"intValue\":\"9223372036854775807\""), VALUE_LEAF("3=9223372036854775807")},
	{VALUE("\"intValue\":-9223372036854775808"), VALUE_LEAF("3=-9223372036854775808")},
	{VALUE("\"intValue\":\"-1\""), VALUE_LEAF("3=-1")},
	{VALUE("\"intValue\":9007199254740993.0"), VALUE_LEAF("3=9007199254740993")},
	{VALUE("\"intValue\":\"1e2\""), VALUE_LEAF("3=100")},
	{POINT("\"asInt\":\"-2\""), POINT_LEAF("|31 feffffffffffffff|")},
	{POINT("\"timeUnixNano\":\"18446744073709551615\",\"startTimeUnixNano\":18446744073709551614.0e0"),
	 POINT_LEAF("|19 ffffffffffffffff| |11 feffffffffffffff|")},
	{POINT("\"flags\":4294967295"), POINT_LEAF("8=4294967295")},
	{POINT("\"flags\":\"1\""), POINT_LEAF("8=1")},
	{POINT("\"flags\":-0"), POINT_LEAF("8=0")},
	{SPAN("\"flags\":4294967294"), LEAF("16%4294967294")},
	{EXPONENTIAL("\"scale\":-2147483648,\"zeroCount\":3"), EXPONENTIAL_LEAF("6~-2147483648 |39 0300000000000000|")},
	{EXPONENTIAL("\"scale\":2147483647"), EXPONENTIAL_LEAF("6~2147483647")},
	/* doubles */
	{POINT("\"asDouble\":1.5"), POINT_LEAF("4:1.5")},
	{POINT("\"asDouble\":\"-1.5e-3\""), POINT_LEAF("4:-0.0015")},
	{POINT("\"asDouble\":1"), POINT_LEAF("4:1")},
	{POINT("\"asDouble\":\"NaN\""), POINT_LEAF("|21 000000000000f87f|")},
	{POINT("\"asDouble\":\"Infinity\""), POINT_LEAF("|21 000000000000f07f|")},
	{POINT("\"asDouble\":\"-Infinity\""), POINT_LEAF("|21 000000000000f0ff|")},
	{POINT("\"asDouble\":1e-999"), POINT_LEAF("4:0")},
	{POINT("\"asDouble\":0.1000000000000000055511151231257827021181583404541015625000000000000000000000"), POINT_LEAF("4:0.1")},
	{HISTOGRAM("\"sum\":0,\"min\":-1,\"max\":2"), HISTOGRAM_LEAF("5:0 11:-1 12:2")},
	/* lists of numbers are packed */
	{HISTOGRAM("\"bucketCounts\":[\"1\",2],\"explicitBounds\":[0.5,\"Infinity\"]"),
	 HISTOGRAM_LEAF("|32 10 0100000000000000 0200000000000000| |3a 10 000000000000e03f 000000000000f07f|")},
	{HISTOGRAM("\"bucketCounts\":[]"), HISTOGRAM_LEAF("|32 00|")},
	{EXPONENTIAL("\"positive\":{\"offset\":-3,\"bucketCounts\":[\"1\",300,\"18446744073709551615\"]},\"negative\":{}"),
	 EXPONENTIAL_LEAF("8{1~-3 2[1 300 18446744073709551615]} 9{}")},
	/* enums: numbers, also those that nobody has named yet, and names */
	{RECORD("\"severityNumber\":17"), LEAF("2=17")},
	{RECORD("\"severityNumber\":\"17\""), LEAF("2=17")},
	{RECORD("\"severityNumber\":\"SEVERITY_NUMBER_FATAL4\""), LEAF("2=24")},
	{RECORD("\"severityNumber\":-2147483648"), LEAF("2=-2147483648")},
	{SPAN("\"kind\":\"SPAN_KIND_CONSUMER\",\"status\":{\"code\":\"STATUS_CODE_ERROR\",\"message\":\"m\"}"), LEAF("6=5 15{3=2 2\"m\"}")},
	{METRIC("\"sum\":{\"aggregationTemporality\":\"AGGREGATION_TEMPORALITY_DELTA\",\"isMonotonic\":true}"), LEAF("7{2=1 3=1}")},
	/* bytes */
	{VALUE("\"bytesValue\":\"\""), VALUE_LEAF("|3a00|")},
	{VALUE("\"bytesValue\":\"AA==\""), VALUE_LEAF("|3a01 00|")},
	{VALUE("\"bytesValue\":\"AAE\""), VALUE_LEAF("|3a02 0001|")},
	{VALUE("\"bytesValue\":\"AAE=\""), VALUE_LEAF("|3a02 0001|")},
	{VALUE("\"bytesValue\":\"+/-_\""), VALUE_LEAF("|3a03 fbffbf|")},
	{VALUE("\"bytesValue\":\"Zm9vYmFyeg\""), VALUE_LEAF("7\"foobarz\"")},
	{RECORD("\"traceId\":\"\",\"spanId\":\"0aFf\""), LEAF("|4a00| |5202 0aff|")},
	/* metrics of the other kinds */
	{METRIC("\"name\":\"n\",\"unit\":\"s\",\"summary\":{\"dataPoints\":[{\"count\":2,\"sum\":3,\"quantileValues\":[{\"quantile\":1,\"value\":2}]}]}"),
	 LEAF("1\"n\" 3\"s\" 11{1{|21 0200000000000000| 5:3 6{1:1 2:2}}}")},
};

struct transcoded {
	struct buf out;
	struct refusal no;
	int rc;
};

/* From a copy of its exact size, so that a sanitizer sees who reads behind it. */
static struct transcoded transcode(enum otlp_signal signal, struct str body, size_t max_bytes)
{
	char *exact = malloc(body.len ? body.len : 1);
	struct transcoded t = {.no = {.reason = NR_REASONS}};

	memcpy(exact, body.p, body.len);
	t.rc = otlp_json_transcode(signal, (struct str){exact, body.len}, &t.out, max_bytes, &t.no);
	ck_assert(t.out.len <= max_bytes);
	ck_assert(t.rc == 0 || t.no.reason != NR_REASONS);
	free(exact);
	return t;
}

/* Are the messages the same but for how long their lengths are? What has a length is a message unless its bytes are the same. */
static bool same_wire(const uint8_t *a, const uint8_t *a_end, const uint8_t *b, const uint8_t *b_end)
{
	while (a < a_end && b < b_end) {
		struct pb_read ka = pb_read_key(a, a_end), kb = pb_read_key(b, b_end), la, lb;

		if (!ka.at || !kb.at || ka.value != kb.value)
			return false;
		if ((ka.value & 7) != PB_LEN) {
			struct pb_read ea = pb_skip((uint32_t)ka.value, ka.at, a_end), eb = pb_skip((uint32_t)kb.value, kb.at, b_end);

			if (!ea.at || !eb.at || ea.at - a != eb.at - b || memcmp(a, b, (size_t)(ea.at - a)) != 0)
				return false;
			a = ea.at;
			b = eb.at;
			continue;
		}
		la = pb_read_length(ka.at, a_end);
		lb = pb_read_length(kb.at, b_end);
		if (!la.at || !lb.at)
			return false;
		if ((la.value != lb.value || memcmp(la.at, lb.at, la.value) != 0) &&
		    !same_wire(la.at, la.at + la.value, lb.at, lb.at + lb.value))
			return false;
		a = la.at + la.value;
		b = lb.at + lb.value;
	}
	return a == a_end && b == b_end;
}

START_TEST(becomes_the_same_message)
{
	struct str body = str_from(taken[_i].body);
	struct buf want = wire_text(taken[_i].wire);
	struct transcoded t = transcode(taken[_i].signal, body, ROOM_BYTES);

	ck_assert_msg(t.rc == 0, "case %d, %s: %s: %s", _i, taken[_i].body, reason_name(t.no.reason), t.no.detail);
	ck_assert_msg(same_wire(t.out.p, t.out.p + t.out.len, want.p, want.p + want.len), "case %d: %s", _i, taken[_i].body);
	for (size_t max = 0; max <= t.out.len; max++) {
		struct transcoded less = transcode(taken[_i].signal, body, max);

		if (max == t.out.len)
			ck_assert(less.rc == 0 && str_eq(buf_str(&less.out), buf_str(&t.out)));
		else
			ck_assert_msg(less.rc < 0 && less.no.reason == REASON_INFLATED_TOO_LARGE, "case %d: %zu of %zu bytes", _i, max, t.out.len);
		buf_fini(&less.out);
	}
	buf_fini(&t.out);
	buf_fini(&want);
}
END_TEST

START_TEST(is_not_json_when_it_is_cut_off)
{
	size_t len = strlen(taken[_i].body);

	while (len > 0 && taken[_i].body[len - 1] != '}')
		len--;
	while (len-- > 0) {
		struct transcoded t = transcode(taken[_i].signal, (struct str){taken[_i].body, len}, ROOM_BYTES);

		ck_assert_msg(t.rc < 0 && t.no.reason == REASON_BAD_JSON, "case %d, %zu bytes: %s", _i, len, t.no.detail);
		buf_fini(&t.out);
	}
}
END_TEST

static const struct {
	enum otlp_signal signal;
	const char *body;
	enum reason reason;
	const char *detail; /* must stand in the detail */
} refused[] = {
	{OTLP_LOGS, "", REASON_BAD_JSON, "premature EOF"},
	{OTLP_LOGS, "{} {}", REASON_BAD_JSON, "trailing garbage"},
	{OTLP_LOGS, "\xef\xbb\xbf{}", REASON_BAD_JSON, ""},
	{OTLP_LOGS, "{/**/}", REASON_BAD_JSON, ""},
	{POINT("\"asDouble\":NaN"), REASON_BAD_JSON, ""},
	{VALUE("\"stringValue\":\"\xff\""), REASON_BAD_JSON, "not UTF-8"},
	{VALUE("\"stringValue\":\"\\ud83d\""), REASON_BAD_JSON, "half of a surrogate pair"},
	{OTLP_LOGS, "{\"x\":\"\xc0\xaf\"}", REASON_BAD_JSON, "not UTF-8"},
	/* wrong types, by their place */
	{OTLP_LOGS, "[]", REASON_BAD_PAYLOAD, "an object is expected"},
	{OTLP_LOGS, "null", REASON_BAD_PAYLOAD, "an object is expected"},
	{OTLP_LOGS, "7", REASON_BAD_PAYLOAD, "an object is expected"},
	{OTLP_LOGS, "\"\"", REASON_BAD_PAYLOAD, "an object is expected"},
	{OTLP_LOGS, "true", REASON_BAD_PAYLOAD, "an object is expected"},
	{OTLP_LOGS, "{\"resourceLogs\":{}}", REASON_BAD_PAYLOAD, "resourceLogs: an array is expected"},
	{OTLP_LOGS, "{\"resourceLogs\":7}", REASON_BAD_PAYLOAD, "resourceLogs: an array is expected"},
	{OTLP_LOGS, "{\"resourceLogs\":[{},7]}", REASON_BAD_PAYLOAD, "resourceLogs[1]: an object is expected"},
	{OTLP_LOGS, "{\"resourceLogs\":[{},null]}", REASON_BAD_PAYLOAD, "resourceLogs[1]: an object is expected"},
	{OTLP_LOGS, "{\"resourceLogs\":[[]]}", REASON_BAD_PAYLOAD, "resourceLogs[0]: an object is expected"},
	{OTLP_LOGS, "{\"resourceLogs\":[{\"resource\":[]}]}", REASON_BAD_PAYLOAD, "resourceLogs[0].resource: an object is expected"},
	{OTLP_LOGS, "{\"resource_logs\":[{\"schema_url\":1}]}", REASON_BAD_PAYLOAD, "resourceLogs[0].schemaUrl: a string is expected"},
	{VALUE("\"stringValue\":1"), REASON_BAD_PAYLOAD, "resourceLogs[0].scopeLogs[0].logRecords[0].body.stringValue: a string is expected"},
	{VALUE("\"stringValue\":{}"), REASON_BAD_PAYLOAD, "body.stringValue: a string is expected"},
	{VALUE("\"stringValue\":true"), REASON_BAD_PAYLOAD, "body.stringValue: a string is expected"},
	{VALUE("\"boolValue\":1"), REASON_BAD_PAYLOAD, "body.boolValue: a boolean is expected"},
	{VALUE("\"boolValue\":\"true\""), REASON_BAD_PAYLOAD, "body.boolValue: a boolean is expected"},
	{VALUE("\"boolValue\":\"1\""), REASON_BAD_PAYLOAD, "body.boolValue: a boolean is expected"},
	{VALUE("\"arrayValue\":[]"), REASON_BAD_PAYLOAD, "body.arrayValue: an object is expected"},
	{VALUE("\"arrayValue\":{\"values\":[{},null]}"), REASON_BAD_PAYLOAD, "body.arrayValue.values[1]: an object is expected"},
	{VALUE("\"arrayValue\":\"7\""), REASON_BAD_PAYLOAD, "body.arrayValue: an object is expected"},
	{VALUE("\"intValue\":9223372036854775808"), REASON_BAD_PAYLOAD, "body.intValue: an integer of 64 bits is expected"},
	{VALUE("\"intValue\":\"-9223372036854775809\""), REASON_BAD_PAYLOAD, "an integer of 64 bits is expected"},
	{VALUE("\"intValue\":1.5"), REASON_BAD_PAYLOAD, "an integer of 64 bits is expected"},
	{VALUE("\"intValue\":true"), REASON_BAD_PAYLOAD, "an integer of 64 bits is expected"},
	{VALUE("\"intValue\":\"\""), REASON_BAD_PAYLOAD, "an integer of 64 bits is expected"},
	{VALUE("\"intValue\":\" 1\""), REASON_BAD_PAYLOAD, "an integer of 64 bits is expected"},
	{VALUE("\"intValue\":\"01\""), REASON_BAD_PAYLOAD, "an integer of 64 bits is expected"},
	{VALUE("\"intValue\":\"0x1\""), REASON_BAD_PAYLOAD, "an integer of 64 bits is expected"},
	{POINT("\"asInt\":1e-1"), REASON_BAD_PAYLOAD, "gauge.dataPoints[0].asInt: an integer of 64 bits is expected"},
	{POINT("\"timeUnixNano\":-1"), REASON_BAD_PAYLOAD, "timeUnixNano: an unsigned integer of 64 bits is expected"},
	{POINT("\"timeUnixNano\":\"18446744073709551616\""), REASON_BAD_PAYLOAD, "an unsigned integer of 64 bits is expected"},
	{POINT("\"flags\":4294967296"), REASON_BAD_PAYLOAD, "flags: an unsigned integer of 32 bits is expected"},
	{POINT("\"flags\":-1"), REASON_BAD_PAYLOAD, "flags: an unsigned integer of 32 bits is expected"},
	{SPAN("\"flags\":4294967296"), REASON_BAD_PAYLOAD, "flags: an unsigned integer of 32 bits is expected"},
	{EXPONENTIAL("\"scale\":2147483648"), REASON_BAD_PAYLOAD, "scale: an integer of 32 bits is expected"},
	{EXPONENTIAL("\"scale\":-2147483649"), REASON_BAD_PAYLOAD, "scale: an integer of 32 bits is expected"},
	{POINT("\"asDouble\":1e999"), REASON_BAD_PAYLOAD, "asDouble: a number is expected"},
	{POINT("\"asDouble\":\"-1e999\""), REASON_BAD_PAYLOAD, "asDouble: a number is expected"},
	{POINT("\"asDouble\":\"nan\""), REASON_BAD_PAYLOAD, "asDouble: a number is expected"},
	{POINT("\"asDouble\":\"+Infinity\""), REASON_BAD_PAYLOAD, "asDouble: a number is expected"},
	{POINT("\"asDouble\":\"1.5 \""), REASON_BAD_PAYLOAD, "asDouble: a number is expected"},
	{POINT("\"asDouble\":false"), REASON_BAD_PAYLOAD, "asDouble: a number is expected"},
	{HISTOGRAM("\"bucketCounts\":\"1\""), REASON_BAD_PAYLOAD, "bucketCounts: an array is expected"},
	{HISTOGRAM("\"bucketCounts\":[1,null]"), REASON_BAD_PAYLOAD, "bucketCounts[1]: an unsigned integer of 64 bits is expected"},
	{HISTOGRAM("\"bucketCounts\":[1,-2]"), REASON_BAD_PAYLOAD, "bucketCounts[1]: an unsigned integer of 64 bits is expected"},
	{HISTOGRAM("\"bucketCounts\":[[1]]"), REASON_BAD_PAYLOAD, "bucketCounts[0]: an unsigned integer of 64 bits is expected"},
	{HISTOGRAM("\"bucketCounts\":[{}]"), REASON_BAD_PAYLOAD, "bucketCounts[0]: an unsigned integer of 64 bits is expected"},
	{HISTOGRAM("\"sum\":[1]"), REASON_BAD_PAYLOAD, "sum: a number is expected"},
	{RECORD("\"severityNumber\":\"ERROR\""), REASON_BAD_PAYLOAD, "severityNumber: the number of an enum's value is expected"},
	{RECORD("\"severityNumber\":2147483648"), REASON_BAD_PAYLOAD, "severityNumber: the number of an enum's value is expected"},
	{RECORD("\"severityNumber\":1.5"), REASON_BAD_PAYLOAD, "severityNumber: the number of an enum's value is expected"},
	{RECORD("\"traceId\":\"0a0\""), REASON_BAD_PAYLOAD, "traceId: an even number of hex digits is expected"},
	{RECORD("\"traceId\":\"W47/95gDgQPSabYzgT/GDA==\""), REASON_BAD_PAYLOAD, "traceId: an even number of hex digits is expected"},
	{RECORD("\"spanId\":\"0g\""), REASON_BAD_PAYLOAD, "spanId: an even number of hex digits is expected"},
	{RECORD("\"spanId\":7"), REASON_BAD_PAYLOAD, "spanId: an even number of hex digits is expected"},
	{VALUE("\"bytesValue\":\"A\""), REASON_BAD_PAYLOAD, "bytesValue: base64 is expected"},
	{VALUE("\"bytesValue\":\"AAAAA\""), REASON_BAD_PAYLOAD, "bytesValue: base64 is expected"},
	{VALUE("\"bytesValue\":\"AA=\""), REASON_BAD_PAYLOAD, "bytesValue: base64 is expected"},
	{VALUE("\"bytesValue\":\"A===\""), REASON_BAD_PAYLOAD, "bytesValue: base64 is expected"},
	{VALUE("\"bytesValue\":\"====\""), REASON_BAD_PAYLOAD, "bytesValue: base64 is expected"},
	{VALUE("\"bytesValue\":\"AA==AA==\""), REASON_BAD_PAYLOAD, "bytesValue: base64 is expected"},
	{VALUE("\"bytesValue\":\"A A \""), REASON_BAD_PAYLOAD, "bytesValue: base64 is expected"},
	/* twice the same, and two of which one may be */
	{OTLP_LOGS, "{\"resourceLogs\":[],\"resourceLogs\":[]}", REASON_BAD_PAYLOAD, "resourceLogs: this field stands there twice"},
	{OTLP_LOGS, "{\"resourceLogs\":[],\"resource_logs\":[]}", REASON_BAD_PAYLOAD, "resourceLogs: this field stands there twice"},
	{RECORD("\"traceId\":null,\"traceId\":\"\""), REASON_BAD_PAYLOAD, "logRecords[0].traceId: this field stands there twice"},
	{VALUE("\"intValue\":1,\"intValue\":1"), REASON_BAD_PAYLOAD, "body.intValue: this field stands there twice"},
	{VALUE("\"intValue\":1,\"stringValue\":\"\""), REASON_BAD_PAYLOAD, "body.stringValue: another of these fields is set, of which one may be"},
	{VALUE("\"arrayValue\":{},\"kvlistValue\":{}"), REASON_BAD_PAYLOAD, "body.kvlistValue: another of these fields is set"},
	{POINT("\"asInt\":1,\"asDouble\":1"), REASON_BAD_PAYLOAD, "dataPoints[0].asDouble: another of these fields is set"},
	{METRIC("\"gauge\":{},\"name\":\"n\",\"sum\":{}"), REASON_BAD_PAYLOAD, "metrics[0].sum: another of these fields is set"},
	{METRIC("\"gauge\":{\"dataPoints\":[{\"flags\":1},{\"flags\":1},{\"flags\":\"x\"}]}"), REASON_BAD_PAYLOAD, "gauge.dataPoints[2].flags: an"},
};

START_TEST(refuses_by_its_place)
{
	struct transcoded t = transcode(refused[_i].signal, str_from(refused[_i].body), ROOM_BYTES);

	ck_assert_msg(t.rc < 0, "case %d was taken: %s", _i, refused[_i].body);
	ck_assert_msg(t.no.reason == refused[_i].reason && strstr(t.no.detail, refused[_i].detail), "case %d, %s: %s: %s", _i, refused[_i].body,
		      reason_name(t.no.reason), t.no.detail);
	buf_fini(&t.out);
}
END_TEST

/* nr times begin, then middle, then nr times end. */
static struct buf nested(const char *begin, const char *middle, const char *end, int nr)
{
	struct buf b = BUF_INIT;

	for (int i = 0; i < nr; i++)
		buf_printf(&b, "%s", begin);
	buf_printf(&b, "%s", middle);
	for (int i = 0; i < nr; i++)
		buf_printf(&b, "%s", end);
	return b;
}

START_TEST(depth_has_an_end)
{
	/* Around what is nested lie eight containers, the body's own object among them; in each list three more. */
	static const char *const shapes[][5] = {
		{"{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":", "{\"arrayValue\":{\"values\":[", "{}", "]}}", "}]}]}]}"},
		{"{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"x\":", "[", "{}", "]", "}]}]}]}"},
	};
	static const int each[] = {3, 1};
	const char *const *shape = shapes[_i];
	int around = 7 + 1, most = (OTLP_JSON_DEPTH_MAX - around) / each[_i];

	for (int nr = most; nr <= most + 1; nr++) {
		struct buf inner = nested(shape[1], shape[2], shape[3], nr), body = BUF_INIT;
		struct transcoded t;

		buf_printf(&body, "%s" STR_FMT "%s", shape[0], STR_ARG(buf_str(&inner)), shape[4]);
		t = transcode(OTLP_LOGS, buf_str(&body), ROOM_BYTES);
		ck_assert_msg(t.rc == (nr == most ? 0 : -1), "%d: %s", nr, t.no.detail);
		ck_assert(nr == most || t.no.reason == REASON_NESTING_TOO_DEEP);
		buf_fini(&t.out);
		buf_fini(&inner);
		buf_fini(&body);
	}
}
END_TEST

START_TEST(a_deep_path_leaves_room_for_what_is_wrong)
{
	struct buf inner = nested("{\"kvlistValue\":{\"values\":[{\"value\":", "{\"intValue\":\"x\"}", "}]}}", 30), body = BUF_INIT;
	struct transcoded t;

	buf_printf(&body, "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":" STR_FMT "}]}]}]}", STR_ARG(buf_str(&inner)));
	t = transcode(OTLP_LOGS, buf_str(&body), ROOM_BYTES);
	ck_assert(t.rc < 0 && t.no.reason == REASON_BAD_PAYLOAD);
	ck_assert_msg(strstr(t.no.detail, "resourceLogs[0].scopeLogs[0].") && strstr(t.no.detail, ": an integer of 64 bits is expected"), "%s", t.no.detail);
	buf_fini(&t.out);
	buf_fini(&inner);
	buf_fini(&body);
}
END_TEST

/* Lengths at which a varint grows; and out serves again, whatever was in it. */
START_TEST(texts_of_any_length)
{
	static const size_t lengths[] = {0, 1, 127, 128, 16383, 16384, 200000};
	struct buf out = BUF_INIT;

	for (size_t i = 0; i < NR(lengths); i++) {
		struct buf text = nested("x", "", "", (int)lengths[i]), body = BUF_INIT, want = BUF_INIT;
		struct refusal no = {.reason = NR_REASONS};

		buf_printf(&body, "{\"resourceLogs\":[{\"schemaUrl\":\"" STR_FMT "\"}]}", STR_ARG(buf_str(&text)));
		ck_assert_msg(otlp_json_transcode(OTLP_LOGS, buf_str(&body), &out, ROOM_BYTES, &no) == 0, "%s", no.detail);
		buf_printf(&body, "x");
		buf_clear(&body);
		buf_printf(&body, "1{3\"" STR_FMT "\"}", STR_ARG(buf_str(&text)));
		buf_add(&body, "", 1);
		want = wire_text((char *)body.p);
		ck_assert(same_wire(out.p, out.p + out.len, want.p, want.p + want.len));
		buf_fini(&want);
		buf_fini(&text);
		buf_fini(&body);
	}
	buf_fini(&out);
}
END_TEST

static enum otlp_signal signal_of(const char *line)
{
	return *line == 'm' ? OTLP_METRICS : *line == 'l' ? OTLP_LOGS : OTLP_TRACES;
}

static int tool(void)
{
	char *line = NULL;
	size_t cap = 0;

	while (getline(&line, &cap, stdin) > 0) {
		struct buf body = BUF_INIT, out = BUF_INIT;
		struct refusal no;

		*strchr(line, '\n') = '|';
		wire_hex(&body, strchr(line, ' ') + 1);
		if (otlp_json_transcode(signal_of(line), buf_str(&body), &out, 64 << 20, &no) < 0)
			printf("! %s %s", reason_name(no.reason), no.detail);
		else
			for (size_t i = 0; i < out.len; i++)
				printf("%02x", out.p[i]);
		printf("\n");
		buf_fini(&body);
		buf_fini(&out);
	}
	free(line);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	Suite *suite = suite_create("otlp_json");
	TCase *tc = tcase_create("otlp_json");

	suite_add_tcase(suite, tc);
	tcase_add_loop_test(tc, becomes_the_same_message, 0, (int)NR(taken));
	tcase_add_loop_test(tc, is_not_json_when_it_is_cut_off, 0, (int)NR(taken));
	tcase_add_loop_test(tc, refuses_by_its_place, 0, (int)NR(refused));
	tcase_add_loop_test(tc, depth_has_an_end, 0, 2);
	tcase_add_test(tc, a_deep_path_leaves_room_for_what_is_wrong);
	tcase_add_test(tc, texts_of_any_length);
	if (argc > 1 && strcmp(argv[1], "transcode") == 0) {
		srunner_free(srunner_create(suite));
		return tool();
	}
	return unit_main(suite);
}
