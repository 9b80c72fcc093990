/* test_push_pb.c - the native payload in protobuf: what refuses a payload by place, and what the format's own rules come to. That
 * it is read as others read it is the business of test_push_pb_oracle.c. */
#include "ingest/push_pb.h"

#include "common/hist.h"
#include "tests/unit/ingest/payloads.h"
#include "tests/unit/ingest/wire_text.h"

#define AGENT "\"0123456789abcdef\""
#define GAUGE_OF(points) "1{1\"m\" 2=2 " points "}"
#define SUMMARY(rest) "4{3=4 4:10 5:1 6:4 7:2 " rest "}"
#define DISTRIBUTION_OF(histogram) "1{1\"m\" 2=3 " SUMMARY(histogram) "}"

static void decode_text(struct decoded *d, struct buf *body, const char *text)
{
	*body = wire_text(text);
	decode_with(d, buf_str(body), push_pb_parse);
}

static const struct {
	const char *text;
	enum reason reason;
	const char *detail; /* how it begins */
} refused[] = {
	/* the wire format */
	{"|08|", REASON_BAD_PROTOBUF, "byte 1, metrics[0]: the field has another wire type"},
	{"|0a|", REASON_BAD_PROTOBUF, "byte 1, metrics[0]: the message ends inside of a field"},
	{"|0a 05 0a 01 6d|", REASON_BAD_PROTOBUF, "byte 1, metrics[0]: a length reaches beyond"},
	{"1{|0a 02 6d|}", REASON_BAD_PROTOBUF, "byte 3, metrics[0].name: a length reaches beyond"},
	{"1{} 1{4{} 4{|11 00|}}", REASON_BAD_PROTOBUF, "byte 9, metrics[1].points[1].v: the message ends inside"},
	{"1{3{|0a|}}", REASON_BAD_PROTOBUF, "byte 5, metrics[0].tags.key: the message ends inside"},
	{"1{3{|12 01|}}", REASON_BAD_PROTOBUF, "byte 5, metrics[0].tags.value: a length"},
	{"1{4{|08 ffffffffffffffffff 02|}}", REASON_BAD_PROTOBUF, "byte 5, metrics[0].points[0].t: a varint is longer"},
	{"1{4{9{|22 02 01 80|}}}", REASON_BAD_PROTOBUF, "byte 9, metrics[0].points[0].histogram.counts: the message ends"},
	{"1{4{9{|32 0b 80 80 80 80 80 80 80 80 80 80 00|}}}", REASON_BAD_PROTOBUF, "byte 8, metrics[0].points[0].histogram.neg_counts: a varint"},
	{"1{4{9{|20 80|}}}", REASON_BAD_PROTOBUF, "byte 7, metrics[0].points[0].histogram.counts: the message ends"},
	{"|00|", REASON_BAD_PROTOBUF, "byte 0: field number 0"},
	{"1{|02 00|}", REASON_BAD_PROTOBUF, "byte 2, metrics[0]: field number 0"},
	{"|ff ff ff ff 1f|", REASON_BAD_PROTOBUF, "byte 0: a varint is longer"},
	{"|a6 06|", REASON_BAD_PROTOBUF, "byte 2: a wire type that there is not"},
	{"|a4 06|", REASON_BAD_PROTOBUF, "byte 2: a group ends that has not begun"},
	{"|a3 06 0b|", REASON_BAD_PROTOBUF, "byte 2: the message ends inside"},
	{"1<>", REASON_BAD_PROTOBUF, "byte 1, metrics[0]: the field has another wire type"},
	{"9{} ", REASON_BAD_PAYLOAD, "byte 1, truncated[0]: agent_id, 1 <= from_seq"},
	{"10{2\"E\"} 10=1", REASON_BAD_PROTOBUF, "byte 6, errors[0]: the field has another wire type"},
	{"10{|ff|}", REASON_BAD_PROTOBUF, "byte 2, errors[0]: the message ends inside"},
	{"10{1\"\"}", REASON_BAD_PROTOBUF, "byte 3, errors[0].t: the field has another wire type"},
	{"10{2=1}", REASON_BAD_PROTOBUF, "byte 3, errors[0].class: the field has another wire type"},
	{"10{3\"\xff\"}", REASON_BAD_PROTOBUF, "byte 3, errors[0].message: a string is not UTF-8"},
	{"10{} 10{4{} 4{2\"\"}}", REASON_BAD_PROTOBUF, "byte 9, errors[1].backtrace[1].line: the field has another wire type"},
	{"10{4{1\"\x80\"}}", REASON_BAD_PROTOBUF, "byte 5, errors[0].backtrace[0].file: a string is not UTF-8"},
	{"10{4{3=1}}", REASON_BAD_PROTOBUF, "byte 5, errors[0].backtrace[0].function: the field has another wire type"},
	{"10{4{4\"\"}}", REASON_BAD_PROTOBUF, "byte 5, errors[0].backtrace[0].in_app: the field has another wire type"},
	{"10{5=1}", REASON_BAD_PROTOBUF, "byte 3, errors[0].action: the field has another wire type"},
	{"10{6\"\xc0\xaf\"}", REASON_BAD_PROTOBUF, "byte 3, errors[0].namespace: a string is not UTF-8"},
	{"10{7{1=1}}", REASON_BAD_PROTOBUF, "byte 5, errors[0].tags.key: the field has another wire type"},
	{"10{8{2\"\xff\"}}", REASON_BAD_PROTOBUF, "byte 5, errors[0].params.value: a string is not UTF-8"},
	{"10{9{} 9{} 9{5{|12 01|}}}", REASON_BAD_PROTOBUF, "byte 11, errors[0].breadcrumbs[2].metadata.value: a length"},
	{"10{9{1:1}}", REASON_BAD_PROTOBUF, "byte 5, errors[0].breadcrumbs[0].t: the field has another wire type"},
	{"11{5=1}", REASON_BAD_PROTOBUF, "byte 3, transactions[0].duration_ms: the field has another wire type"},
	{"11{7:1}", REASON_BAD_PROTOBUF, "byte 3, transactions[0].error: the field has another wire type"},
	{"11{9{4=1}}", REASON_BAD_PROTOBUF, "byte 5, transactions[0].spans[0].start_ms: the field has another wire type"},
	{"11{9{6{1\"\xff\"}}}", REASON_BAD_PROTOBUF, "byte 7, transactions[0].spans[0].tags.key: a string is not UTF-8"},
	{"12{} 12{2=1}", REASON_BAD_PROTOBUF, "byte 5, markers[1].revision: the field has another wire type"},
	{"13{3\"cron\"}", REASON_BAD_PROTOBUF, "byte 3, check_ins[0].kind: the field has another wire type"},
	{"13{4:1}", REASON_BAD_PROTOBUF, "byte 3, check_ins[0].event: the field has another wire type"},
	{"11{} 11{} 11{} |5a 09|", REASON_BAD_PROTOBUF, "byte 7, transactions[3]: a length"},
	/* known fields of other types */
	{"2=1", REASON_BAD_PROTOBUF, "byte 1, agent_id: the field has another wire type"},
	{"3\"1\"", REASON_BAD_PROTOBUF, "byte 1, seq: the field has another wire type"},
	{"5:1", REASON_BAD_PROTOBUF, "byte 1, created_at: the field has another wire type"},
	{"6=1", REASON_BAD_PROTOBUF, "byte 1, host: the field has another wire type"},
	{"1{1=1}", REASON_BAD_PROTOBUF, "byte 3, metrics[0].name: the field has another wire type"},
	{"1{2\"gauge\"}", REASON_BAD_PROTOBUF, "byte 3, metrics[0].kind: the field has another wire type"},
	{"1{3{1=1}}", REASON_BAD_PROTOBUF, "byte 5, metrics[0].tags.key: the field has another wire type"},
	{"1{4{2=1}}", REASON_BAD_PROTOBUF, "byte 5, metrics[0].points[0].v: the field has another wire type"},
	{"1{4{2%1}}", REASON_BAD_PROTOBUF, "byte 5, metrics[0].points[0].v: the field has another wire type"},
	{"1{4{4=1}}", REASON_BAD_PROTOBUF, "byte 5, metrics[0].points[0].sum: the field has another wire type"},
	{"1{4{9=1}}", REASON_BAD_PROTOBUF, "byte 5, metrics[0].points[0].histogram: the field has another wire type"},
	{"1{4{9{4:1}}}", REASON_BAD_PROTOBUF, "byte 7, metrics[0].points[0].histogram.counts: the field has another wire type"},
	{"9{2\"\"}", REASON_BAD_PROTOBUF, "byte 3, truncated[0].from_seq: the field has another wire type"},
	/* text that is none */
	{"6\"\xff\"", REASON_BAD_PROTOBUF, "byte 1, host: a string is not UTF-8"},
	{"7\"\xc0\xaf\"", REASON_BAD_PROTOBUF, "byte 1, environment: a string is not UTF-8"},
	{"8\"\xed\xa0\x80\"", REASON_BAD_PROTOBUF, "byte 1, revision: a string is not UTF-8"},
	{"1{1\"m\" 1\"long enough for words \xc3\"}", REASON_BAD_PROTOBUF, "byte 6, metrics[0].name: a string is not UTF-8"},
	{"1{3{1\"\x80\"}}", REASON_BAD_PROTOBUF, "byte 5, metrics[0].tags.key: a string is not UTF-8"},
	{"1{3{2\"\xf5\"}}", REASON_BAD_PROTOBUF, "byte 5, metrics[0].tags.value: a string is not UTF-8"},
	/* numbers that would wrap, identities that are none */
	{"3=18446744073709551615", REASON_BAD_PAYLOAD, "byte 1, seq: more than 2^63 - 1"},
	{"4=9223372036854775808", REASON_BAD_PAYLOAD, "byte 1, floor: more than 2^63 - 1"},
	{"9{1" AGENT " 2=1 3=9223372036854775808}", REASON_BAD_PAYLOAD, "byte 23, truncated[0].to_seq: more than 2^63 - 1"},
	{"9{1" AGENT " 2=1 3=2 4=9223372036854775808}", REASON_BAD_PAYLOAD, "byte 25, truncated[0].samples: more than 2^63 - 1"},
	{"9{1" AGENT " 2=3 3=2}", REASON_BAD_PAYLOAD, "byte 1, truncated[0]: agent_id"},
	{"9{1" AGENT " 3=2}", REASON_BAD_PAYLOAD, "byte 1, truncated[0]: agent_id"},
	{"9{1" AGENT " 2=1 3=2} 9{2=1 3=2}", REASON_BAD_PAYLOAD, "byte 25, truncated[1]: agent_id"},
	{"9{1" AGENT " 1\"\" 2=1 3=2}", REASON_BAD_PAYLOAD, "byte 1, truncated[0]: agent_id"},
	{"2\"0123456789abcde\" 3=1 10{}", REASON_BAD_IDENTITY, "byte 1, agent_id: 16 bytes are expected"},
	{"2\"0123456789abcdef0\" 3=1 10{}", REASON_BAD_IDENTITY, "byte 1, agent_id: 16 bytes are expected"},
	{"2" AGENT " 10{}", REASON_BAD_IDENTITY, "agent_id and seq come together"},
	{"3=1 10{}", REASON_BAD_IDENTITY, "agent_id and seq come together"},
	{"2\"\" 3=1 10{}", REASON_BAD_IDENTITY, "agent_id and seq come together"},
	{"2" AGENT " 2\"\" 3=1 10{}", REASON_BAD_IDENTITY, "agent_id and seq come together"}, /* the last is taken */
	{"2" AGENT " 3=1 4=2 10{}", REASON_BAD_IDENTITY, "seq 1, floor 2"},
	{"2" AGENT " 3=65538 4=1 10{}", REASON_BAD_IDENTITY, "seq 65538 is more than"},
	{"5=-1 10{}", REASON_CREATED_AT_OUT_OF_RANGE, ""},
	{"5=1795372612001 10{}", REASON_CREATED_AT_OUT_OF_RANGE, ""},
	/* nothing in it */
	{"", REASON_EMPTY_PAYLOAD, ""},
	{"6\"host\" 5=" NOW " 99{1{}} 100<1=1>", REASON_EMPTY_PAYLOAD, ""},
};

START_TEST(refuses_a_payload)
{
	struct decoded d;
	struct buf body;

	decode_text(&d, &body, refused[_i].text);
	ck_assert_msg(d.rc == -1, "case %d was taken: %s", _i, refused[_i].text);
	ck_assert_msg(d.no.reason == refused[_i].reason && strncmp(d.no.detail, refused[_i].detail, strlen(refused[_i].detail)) == 0,
		      "case %d, %s: %s: %s", _i, refused[_i].text, reason_name(d.no.reason), d.no.detail);
	decoded_fini(&d);
	buf_fini(&body);
}
END_TEST

#define TAGS8 "3{1\"a\"} 3{1\"b\"} 3{1\"c\"} 3{1\"d\"} 3{1\"e\"} 3{1\"f\"} 3{1\"g\"} 3{1\"h\"} "
#define TAGS32 TAGS8 "3{1\"i\"} 3{1\"j\"} 3{1\"k\"} 3{1\"l\"} 3{1\"m\"} 3{1\"n\"} 3{1\"o\"} 3{1\"p\"} 3{1\"q\"} 3{1\"r\"} 3{1\"s\"} " \
		"3{1\"t\"} 3{1\"u\"} 3{1\"v\"} 3{1\"w\"} 3{1\"x\"} 3{1\"y\"} 3{1\"z\"} 3{1\"A\"} 3{1\"B\"} 3{1\"C\"} 3{1\"D\"} 3{1\"E\"} 3{1\"F\"} "

static const struct {
	const char *text;
	uint64_t accepted, rejected;
	const char *rejections;
} judged[] = {
	/* any order, and what stands there several times */
	{"1{4{2:1}4{2:-1} 3{2\"b\"1\"a\"} 2=1 1\"m\"}", 1, 1, "metrics[0].points[1] value_negative"},
	{"1{1\"\" 1\"m\" 2=3 2=2 4{2:1}}", 1, 0, ""},
	{"1{1\"m\" 2=2 2=0 4{2:1}}", 0, 1, "metrics[0] kind_unknown"},
	{GAUGE_OF("4{1=1 1=" NOW " 2:1}"), 1, 0, ""},
	{GAUGE_OF("4{1=" NOW " 1=1 2:1}"), 0, 1, "metrics[0].points[0] time_too_old"},
	{GAUGE_OF("4{3=4 4:10 5:1 6:4 7:9 7:2}"), 1, 0, ""},
	{"|0a 00|", 0, 1, "metrics[0] name_empty"},
	{"|8a 80 80 80 00 80 00|", 0, 1, "metrics[0] name_empty"}, /* the same, at length */
	/* kinds */
	{"1{1\"m\" 4{2:1}}", 0, 1, "metrics[0] kind_unknown"},
	{"1{1\"m\" 2=4 4{2:1}}", 0, 1, "metrics[0] kind_unknown"},
	{"1{1\"m\" 2=-1 4{2:1}}", 0, 1, "metrics[0] kind_unknown"},
	{"1{1\"m\" 2=4294967297 4{2:1}}", 1, 0, ""}, /* an enum is 32 bits */
	{"1{1\"m\" 2=1}", 0, 1, "metrics[0] points_missing"},
	/* tags */
	{"1{1\"m\" 2=2 4{2:1} 3{1\"a\"}}", 1, 0, ""},
	{"1{1\"m\" 2=2 4{2:1} 3{2\"a\"}}", 0, 1, "metrics[0] tag_key_invalid"},
	{"1{1\"m\" 2=2 4{2:1} 3{}}", 0, 1, "metrics[0] tag_key_invalid"},
	{"1{1\"m\" 2=2 4{2:1} 3{1\"\xc3\xa4\"}}", 0, 1, "metrics[0] tag_key_invalid"},
	{"1{1\"m\" 2=2 4{2:1} 3{1\"b\"1\"a\" 2\"1\"2\"2\" 3=1} 3{1\"b\"}}", 1, 0, ""},
	{"1{1\"m\" 2=2 4{2:1} 3{1\"a\"2\"1\"} 3{1\"b\"} 3{1\"a\"2\"2\"}}", 0, 1, "metrics[0] tag_doubled"},
	{"1{1\"m\" 2=2 4{2:1} " TAGS32 "}", 1, 0, ""},
	{"1{1\"m\" 2=2 4{2:1} " TAGS32 " 3{1\"G\"}}", 0, 1, "metrics[0] tags_too_many"},
	{"1{1\"m\" 2=2 4{2:1} " TAGS32 TAGS32 "} " GAUGE_OF("4{2:1}"), 1, 1, "metrics[0] tags_too_many"},
	/* 0 is left out where the schema gives no presence, and a number where it gives some */
	{GAUGE_OF("4{1=0 2:1}"), 1, 0, ""},
	{GAUGE_OF("4{2:0}"), 1, 0, ""},
	{GAUGE_OF("4{}"), 0, 1, "metrics[0].points[0] value_missing"},
	{GAUGE_OF("4{2:1 3=0 8=0}"), 1, 0, ""},
	{GAUGE_OF("4{2:1 3=1}"), 0, 1, "metrics[0].points[0] value_ambiguous"},
	{GAUGE_OF("4{2:1 4:0}"), 0, 1, "metrics[0].points[0] value_ambiguous"},
	{GAUGE_OF("4{2:1 8=1}"), 0, 1, "metrics[0].points[0] value_ambiguous"},
	{GAUGE_OF("4{2:1 9{}}"), 0, 1, "metrics[0].points[0] value_ambiguous"},
	{GAUGE_OF("4{3=1 4:0 5:0 6:0 7:0}"), 1, 0, ""},
	{GAUGE_OF("4{3=0 4:0 5:0 6:0 7:0}"), 0, 1, "metrics[0].points[0] value_missing"},
	{GAUGE_OF("4{3=1 4:0 5:0 6:0}"), 0, 1, "metrics[0].points[0] value_missing"},
	{GAUGE_OF(SUMMARY("8=1")), 0, 1, "metrics[0].points[0] time_too_old"},
	{GAUGE_OF("4{1=-1 2:1}"), 0, 1, "metrics[0].points[0] time_too_old"},
	{GAUGE_OF("4{1=9223372036854775807 2:1}"), 0, 1, "metrics[0].points[0] time_too_new"},
	{GAUGE_OF("4{2:inf} 4{2:nan} 4{2:1}"), 1, 2, "metrics[0].points[0] value_not_finite, metrics[0].points[1] value_not_finite"},
	/* counts that would wrap */
	{GAUGE_OF("4{3=18446744073709551615 4:0 5:0 6:0 7:0}"), 0, 1, "metrics[0].points[0] summary_inconsistent"},
	{DISTRIBUTION_OF("9{1~5 2=18446744073709551612 4[8]}"), 0, 1, "metrics[0].points[0] histogram_invalid"},
	{DISTRIBUTION_OF("9{1~5 4[18446744073709551612 8]}"), 0, 1, "metrics[0].points[0] histogram_invalid"},
	{DISTRIBUTION_OF("9{1~5 6=18446744073709551612 6=8}"), 0, 1, "metrics[0].points[0] histogram_invalid"},
	/* histograms: packed or not, in pieces, on both sides */
	{DISTRIBUTION_OF("9{1~5 4[1 3]}"), 1, 0, ""},
	{DISTRIBUTION_OF("9{1~5 4=1 4=3}"), 1, 0, ""},
	{DISTRIBUTION_OF("9{1~5 4=1 4[1 1] 4[] 4=1}"), 1, 0, ""},
	{DISTRIBUTION_OF("9{1~5 2=1 3~-2 4[1] 5~7 6[1 1]}"), 1, 0, ""},
	{DISTRIBUTION_OF("9{1~5 4[1 2]}"), 0, 1, "metrics[0].points[0] histogram_invalid"},
	{DISTRIBUTION_OF("9{4[1 3]}"), 0, 1, "metrics[0].points[0] histogram_invalid"},
	{DISTRIBUTION_OF("9{1~0 4[1 3]}"), 1, 0, ""}, /* a scale that is 0 stands there */
	{DISTRIBUTION_OF("9{1~21 4[1 3]}"), 0, 1, "metrics[0].points[0] histogram_invalid"},
	{DISTRIBUTION_OF("9{1~5 4[1]} 9{4[3]}"), 1, 0, ""},
	{DISTRIBUTION_OF("9{1~21 2=9 4[1]} 9{2=1 1~5 6[2]}"), 1, 0, ""},
	{DISTRIBUTION_OF("9{1~5 4[1 3]} 9{}"), 1, 0, ""},
	{"1{1\"m\" 2=3 " SUMMARY("9{1~5 4[1 3]}") SUMMARY("9{1~5 4[4]}") "}", 2, 0, ""},
	{DISTRIBUTION_OF(""), 0, 1, "metrics[0].points[0] histogram_missing"},
	{GAUGE_OF(SUMMARY("9{1~5 4[1 3]}")), 0, 1, "metrics[0].points[0] histogram_unexpected"},
	/* events: what is missing, what is none of ours */
	{"10{3\"m\"} 11{} 12{1=1} 13{} 10{2\"E\"}", 1, 4,
	 "errors[0] event_field_missing, transactions[0] event_field_missing, markers[0] time_too_old, check_ins[0] event_field_missing"},
	{"10{2\"E\" 1=0} 10{2\"E\" 1=-1} 10{2\"E\" 1=9223372036854775807}", 1, 2, "errors[1] time_too_old, errors[2] time_too_new"},
	{"11{3\"a\" 5:-1} 11{3\"a\" 6:nan} 11{3\"a\" 5:inf} 11{3\"a\"}", 1, 3,
	 "transactions[0] duration_invalid, transactions[1] duration_invalid, transactions[2] duration_invalid"},
	{"13{2\"n\" 3=1 4=1} 13{2\"n\" 3=3 4=1} 13{2\"n\" 3=1 4=4} 13{2\"n\" 3=-1 4=1} 13{2\"n\" 4=1} 13{2\"n\" 3=1} 13{3=1 4=1}", 1, 6,
	 "check_ins[1] event_field_missing, check_ins[2] event_field_missing, check_ins[3] event_field_missing, check_ins[4] event_field_missing, "
	 "check_ins[5] event_field_missing, check_ins[6] event_field_missing"},
	{"13{2\"n\" 3=1 3=0 4=1} 13{2\"n\" 4=9 4=3 3=4294967298}", 1, 1, "check_ins[0] event_field_missing"},
	/* unknown fields, everywhere, of every type */
	{"99=1 100:1 101%1 102\"x\" 103<1<>> 1{99=1 5<> 1\"m\" 2=2 3{1\"a\" 3{} 4<>} 4{99\"\" 10<2=1> 2:1}} 9{6=1 1" AGENT " 2=1 3=1}", 1, 0, ""},
	{DISTRIBUTION_OF("9{1~5 4[1 3] 7[1 2 3] 8<4=1>}"), 1, 0, ""},
};

START_TEST(judges_samples)
{
	struct decoded d;
	struct buf body;
	char text[2048];

	decode_text(&d, &body, judged[_i].text);
	ck_assert_msg(d.rc == 0, "case %d, %s: refused: %s: %s", _i, judged[_i].text, reason_name(d.no.reason), d.no.detail);
	rejections(&d.payload, text, sizeof(text));
	ck_assert_msg(strcmp(text, judged[_i].rejections) == 0, "case %d, %s: %s", _i, judged[_i].text, text);
	ck_assert_uint_eq(d.payload.accepted, judged[_i].accepted);
	ck_assert_uint_eq(d.payload.rejected, judged[_i].rejected);
	ck_assert_uint_eq(d.payload.values_len + d.payload.summaries_len + d.payload.events_len, judged[_i].accepted);
	decoded_fini(&d);
	buf_fini(&body);
}
END_TEST

/* Events by what is kept of them (payloads.h); times relative to NOW. */
static const struct {
	const char *text, *events;
} kept[] = {
	{"10{1=1795372011000 2\"IOError\" 3\"disk \xc3\xbc\" 4{1\"a.rb\" 2=7 3\"f\" 4=1} 4{1\"b\"} 5\"A#b\" 6\"web\" 7{1\"b\" 2\"2\"} 7{1\"a\" 2\"1\"} "
	 "8{1\"id\" 2\"7\"} 9{1=1795372010000 2\"c\" 3\"GET\" 4\"m\" 5{1\"k\" 2\"v\"}} 9{4\"n\"}}",
	 "errors[0] -1000 action=A#b namespace=web {a=1,b=2} class=IOError message=disk \xc3\xbc <a.rb:7 f app> <b:0 > params{id=7} "
	 "(-2000 category=c action=GET message=m {k=v}) (-1000 message=n)"},
	{"11{1=1795372011000 2\"4f\" 3\"A#b\" 4\"web\" 5:12.5 6:2 7=1 8{1\"a\" 2\"1\"} 9{1\"1\" 2\"0\" 3\"sql\" 4:0.5 5:3 6{1\"q\" 2\"x\"}} 9{3\"view\"}}",
	 "transactions[0] -1000 action=A#b namespace=web {a=1} id=4f duration=12.5 queue=2 failed ( id=1 parent=0 name=sql start=0.5 duration=3 {q=x}) "
	 "( name=view)"},
	{"12{1=1795372012001 2\"a1\" 3\"ann\" 4\"deploy\"}", "markers[0] 1 revision=a1 user=ann text=deploy"},
	{"13{2\"n\" 3=1 4=1} 13{2\"n\" 3=1 4=2} 13{2\"n\" 3=2 4=3}",
	 "check_ins[0] 0 name=n cron start; check_ins[1] 0 name=n cron finish; check_ins[2] 0 name=n heartbeat beat"},
	/* order, what stands there several times, and what nobody knows */
	{"13{4=3 99{} 3=2 2\"x\" 2\"n\"} 12{2\"a\"} 10{9{4\"1\"} 7{2\"1\" 1\"a\"} 4{2=1} 2\"E\" 9{4\"2\" 6<>} 100<1=1> 4{2=2 5=1} 2\"F\"}",
	 "check_ins[0] 0 name=n heartbeat beat; markers[0] 0 revision=a; errors[0] 0 {a=1} class=F <:1 > <:2 > (0 message=1) (0 message=2)"},
	/* nothing of one event shines through the next */
	{"10{2\"E\" 5\"a\" 7{1\"a\" 2\"1\"} 8{1\"a\" 2\"1\"} 4{1\"f\" 2=1} 9{4\"m\" 5{1\"a\" 2\"b\"}} 9{}} 10{2\"F\" 4{} 9{}} "
	 "11{3\"a\" 7=1 9{1\"1\" 6{1\"a\" 2\"b\"}} 9{}} 11{3\"b\"}",
	 "errors[0] 0 action=a {a=1} class=E <f:1 > params{a=1} (0 message=m {a=b}) (0); errors[1] 0 class=F <:0 > (0); "
	 "transactions[0] 0 action=a failed ( id=1 {a=b}) (); transactions[1] 0 action=b"},
	/* a line is 32 bits without a sign; what is no line's number is unknown */
	{"10{2\"E\" 4{2=-1} 4{2=2147483647} 4{2=2147483648} 4{2=4294967297}}", "errors[0] 0 class=E <:0 > <:2147483647 > <:0 > <:1 >"},
};

START_TEST(keeps_events)
{
	struct decoded d;
	struct buf body, text;

	decode_text(&d, &body, kept[_i].text);
	ck_assert_msg(d.rc == 0, "case %d: %s: %s", _i, reason_name(d.no.reason), d.no.detail);
	text = show_events(&d.payload);
	ck_assert_msg(str_eq(buf_str(&text), str_from(kept[_i].events)), "case %d:\n" STR_FMT "\n%s", _i, STR_ARG(buf_str(&text)), kept[_i].events);
	buf_fini(&text);
	decoded_fini(&d);
	buf_fini(&body);
}
END_TEST

START_TEST(keeps_every_field)
{
	struct decoded d;
	struct buf body;
	const struct payload *p = &d.payload;
	const struct histogram *h;

	decode_text(&d, &body,
		    "2" AGENT " 3=7 4=5 5=" NOW " 6\"w\xc3\xbc\x62-7\" 7\"\xf0\x9f\x98\x80\" 8\"a1\" 9{1\"fedcba9876543210\" 2=1 3=4 4=812 5=1} "
		    "9{1" AGENT " 2=1 3=1} 1{1\"m\" 2=3 3{1\"b\"2\"\xc3\xa4\"} 3{1\"a\"2\"1\"} 4{1=1795372000000 2:3.5} "
		    "4{3=9 4:31.5 5:3.4 6:3.55 7:3.5 8=1795372000001 1=1795372000002 9{1~5 2=1 3~-56 4[1 3] 5~-7 6=4}} 4{2:1}}");
	ck_assert_msg(d.rc == 0, "%s", d.no.detail);
	ck_assert(p->has_agent_id && p->has_seq && p->has_floor && p->has_created_at);
	ck_assert_mem_eq(p->agent_id, "0123456789abcdef", PAYLOAD_AGENT_ID_BYTES);
	ck_assert(p->seq == 7 && p->floor == 5 && p->created_at_ms == NOW_MS);
	ck_assert(str_eq(p->host, STR("w\xc3\xbc" "b-7")) && str_eq(p->environment, STR("\xf0\x9f\x98\x80")) && str_eq(p->revision, STR("a1")));
	ck_assert_uint_eq(p->truncations_len, 2);
	ck_assert_mem_eq(p->truncations[0].agent_id, "fedcba9876543210", PAYLOAD_AGENT_ID_BYTES);
	ck_assert(p->truncations[0].from_seq == 1 && p->truncations[0].to_seq == 4 && p->truncations[0].samples == 812);
	ck_assert(p->truncations[0].attempted && !p->truncations[1].attempted && p->truncations[1].samples == 0);
	ck_assert(p->series_len == 1 && str_eq(p->series[0].name, STR("m")) && p->series[0].kind == SERIES_KIND_DISTRIBUTION);
	ck_assert(p->series[0].tags_len == 2 && str_eq(p->series[0].tags[0].key, STR("a")) && str_eq(p->series[0].tags[0].value, STR("1")));
	ck_assert(str_eq(p->series[0].tags[1].key, STR("b")) && str_eq(p->series[0].tags[1].value, STR("\xc3\xa4")));
	ck_assert(p->values_len == 2 && p->values[0].v == 3.5 && p->values[0].t == 1795372000000 && p->values[1].t == NOW_MS);
	ck_assert(p->summaries_len == 1 && p->summaries[0].count == 9 && p->summaries[0].sum == 31.5 && p->summaries[0].t == 1795372000002);
	ck_assert(p->summaries[0].min == 3.4 && p->summaries[0].max == 3.55 && p->summaries[0].last == 3.5);
	ck_assert(p->summaries[0].last_at == 1795372000001 && p->summaries[0].has_histogram);
	h = &p->summaries[0].histogram;
	ck_assert(h->scale == 5 && h->zero == 1 && h->offset == -56 && h->neg_offset == -7);
	ck_assert(h->counts_len == 2 && h->counts[0] == 1 && h->counts[1] == 3 && h->neg_counts_len == 1 && h->neg_counts[0] == 4);
	decoded_fini(&d);
	buf_fini(&body);
}
END_TEST

/* n times piece, in a message of field behind head. */
static struct buf repeated(const char *head, const char *piece, size_t n, uint8_t field)
{
	struct buf one = wire_text(piece), inner = wire_text(head), out = BUF_INIT;

	for (size_t i = 0; i < n; i++)
		buf_add(&inner, buf_str(&one).p, one.len);
	wire_varint(&out, (uint64_t)field << 3 | 2);
	wire_bytes(&out, buf_str(&inner).p, inner.len);
	buf_fini(&one);
	buf_fini(&inner);
	return out;
}

START_TEST(names_the_first_thousand_rejections_and_counts_all)
{
	struct buf body = repeated("1\"m\" 2=2 4{2:1}", "4{}", 2500, 1);
	struct decoded d;

	decode_with(&d, buf_str(&body), push_pb_parse);
	ck_assert_int_eq(d.rc, 0);
	ck_assert_uint_eq(d.payload.rejections_len, PAYLOAD_REJECTIONS_MAX);
	ck_assert_uint_eq(d.payload.rejected_by[REASON_VALUE_MISSING], 2500);
	ck_assert_uint_eq(d.payload.accepted, 1);
	decoded_fini(&d);
	buf_fini(&body);
}
END_TEST

/* Memory is a budget: what a body decodes to is bounded by the arena, whatever it holds. */
START_TEST(an_amplifying_body_is_too_large)
{
	static const char *const pieces[] = {"4{}", "4{3=1}", "4{9{4=1}}", "4{9{4[1 1 1]}}"};

	for (size_t i = 0; i < NR(pieces); i++) {
		struct buf body = repeated("", pieces[i], 200000, 1);
		struct decoded d = {.arena = {.limit_bytes = 1 << 20}};

		payload_init(&d.payload, &d.arena, NOW_MS);
		ck_assert_int_eq(push_pb_parse(buf_str(&body), &d.payload, &d.no), -1);
		ck_assert_msg(d.no.reason == REASON_BODY_TOO_LARGE && strstr(d.no.detail, "1048576 bytes"), "%s", d.no.detail);
		ck_assert_uint_le(d.arena.used_bytes, 1 << 20);
		decoded_fini(&d);
		buf_fini(&body);
	}
}
END_TEST

/* An event of many tiny elements takes as much as a full one, however many there are. */
START_TEST(tiny_elements_take_no_room)
{
	static const struct {
		const char *head, *piece;
		uint8_t field;
	} cases[] = {{"2\"E\"", "4{}", 10}, {"2\"E\"", "9{}", 10}, {"2\"E\"", "7{}", 10}, {"2\"E\"", "8{}", 10}, {"3\"a\"", "9{}", 11}};

	for (size_t i = 0; i < NR(cases); i++) {
		struct buf body = repeated(cases[i].head, cases[i].piece, 500000, cases[i].field);
		struct decoded d;

		decode_with(&d, buf_str(&body), push_pb_parse);
		ck_assert_msg(d.rc == 0 && d.payload.events_len == 1 && d.payload.events[0].event.shortened, "case %zu", i);
		ck_assert_msg(d.arena.used_bytes < 200000, "case %zu takes %zu bytes", i, d.arena.used_bytes);
		decoded_fini(&d);
		buf_fini(&body);
	}
}
END_TEST

/* The list is cut where no list may be longer, packed or not, and takes room for no more. */
START_TEST(long_histograms_are_cut_and_rejected)
{
	static const struct {
		const char *counts;
		size_t n;
		uint64_t accepted;
	} cases[] = {
		{"4=1", HIST_COUNTS_MAX, 1},	 {"4=1", HIST_COUNTS_MAX + 1, 0}, {"4=1", 100000, 0},
		{"4[1 1]", HIST_COUNTS_MAX / 2, 1}, {"4[1 1]", 100000, 0},
	};

	for (size_t i = 0; i < NR(cases); i++) {
		size_t values = cases[i].counts[1] == '=' ? cases[i].n : 2 * cases[i].n;
		struct buf histogram = repeated("1~5", cases[i].counts, cases[i].n, 9), point = BUF_INIT, body = BUF_INIT;
		char figures[64];
		struct decoded d;
		struct buf head;

		snprintf(figures, sizeof(figures), "3=%zu 4:%zu 5:1 6:1 7:1", values, values);
		point = wire_text(figures);
		buf_add(&point, histogram.p, histogram.len);
		head = wire_text("1\"m\" 2=3");
		wire_varint(&head, 4 << 3 | 2);
		wire_bytes(&head, point.p, point.len);
		wire_varint(&body, 1 << 3 | 2);
		wire_bytes(&body, head.p, head.len);
		decode_with(&d, buf_str(&body), push_pb_parse);
		ck_assert_msg(d.rc == 0 && d.payload.accepted == cases[i].accepted, "case %zu: %s", i, d.rc ? d.no.detail : "judged otherwise");
		ck_assert_uint_eq(d.payload.rejected_by[REASON_HISTOGRAM_INVALID], 1 - cases[i].accepted);
		ck_assert_uint_le(d.arena.used_bytes, 300000);
		decoded_fini(&d);
		buf_fini(&histogram);
		buf_fini(&point);
		buf_fini(&head);
		buf_fini(&body);
	}
}
END_TEST

START_TEST(groups_have_a_depth)
{
	struct buf body = BUF_INIT;
	struct decoded d;

	for (int i = 0; i < 1 << 20; i++)
		wire_varint(&body, 99 << 3 | 3);
	decode_with(&d, buf_str(&body), push_pb_parse);
	ck_assert_msg(d.rc == -1 && d.no.reason == REASON_NESTING_TOO_DEEP && strstr(d.no.detail, "nested too deep"), "%s", d.no.detail);
	decoded_fini(&d);
	buf_fini(&body);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("push_pb");
	TCase *tc = tcase_create("push_pb");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, refuses_a_payload, 0, (int)NR(refused));
	tcase_add_loop_test(tc, judges_samples, 0, (int)NR(judged));
	tcase_add_loop_test(tc, keeps_events, 0, (int)NR(kept));
	tcase_add_test(tc, keeps_every_field);
	tcase_add_test(tc, tiny_elements_take_no_room);
	tcase_add_test(tc, names_the_first_thousand_rejections_and_counts_all);
	tcase_add_test(tc, an_amplifying_body_is_too_large);
	tcase_add_test(tc, long_histograms_are_cut_and_rejected);
	tcase_add_test(tc, groups_have_a_depth);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
