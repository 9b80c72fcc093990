/* pushed.h - bodies and events on their way from the decoder through the split, as a serving thread takes them, for tests that make one step fail. */
#ifndef MILLRACE_TESTS_PUSHED_H
#define MILLRACE_TESTS_PUSHED_H

#include "ingest/push_json.h"
#include "ingest/settle.h"
#include "ingest/split.h"
#include "tests/unit/ingest/events.h"
#include "tests/unit/ingest/wire_text.h"

static const int32_t partitions[] = {1, 2, 3, 5};
static const struct split_route way = {{"shop", 4}, "millrace.c.main.samples", "millrace.c.main.events", partitions, NR(partitions), 0};

/* Many metrics of all kinds, with tags and a histogram, from an agent that tells of a loss. */
static inline void json_body(struct buf *b)
{
	buf_printf(b, "{\"agent_id\":\"00112233445566778899aabbccddeeff\",\"seq\":9,\"floor\":3,\"host\":\"w\",\"truncated\":[{\"agent_id\":"
		      "\"00112233445566778899aabbccddeeff\",\"from_seq\":1,\"to_seq\":2,\"samples\":7,\"attempted\":true}],\"later\":[{\"x\":[1]}],"
		      "\"errors\":[{\"t\":1},{\"class\":\"E\",\"params\":{\"\\u00e4\":{\"b\":[1]}},\"backtrace\":[");
	for (int i = 0; i < 40; i++)
		buf_printf(b, "{\"file\":\"\\n\",\"line\":%d},", i);
	buf_printf(b, "{}],\"breadcrumbs\":[{\"metadata\":{\"a\":\"b\"}}");
	for (int i = 0; i < 60; i++)
		buf_printf(b, ",{}");
	buf_printf(b, "]}],\"metrics\":[");
	for (int i = 0; i < 60; i++)
		buf_printf(b, "%s{\"name\":\"m%d\",\"kind\":\"%s\",\"tags\":{\"b\":\"\\u00e4%d\",\"a\":\"1\"},\"points\":[%s]}", i ? "," : "", i,
			   i % 3 == 0 ? "counter" : i % 3 == 1 ? "gauge" : "distribution", i,
			   i % 3 == 2 ? "{\"count\":3,\"sum\":3,\"min\":1,\"max\":1,\"last\":1,\"histogram\":{\"scale\":5,\"offset\":-1,\"counts\":[1,2]}}"
				      : "{\"v\":1},{\"v\":2},{\"v\":3,\"t\":1}");
	buf_printf(b, "],\"markers\":[{\"revision\":\"\\n\"}],\"transactions\":[{\"action\":\"a\",\"tags\":{\"a b\":1},\"spans\":[");
	for (int i = 0; i < 40; i++)
		buf_printf(b, "{\"tags\":{\"a\":\"\\u00e4\"}},");
	buf_printf(b, "{}]}],\"check_ins\":[{\"name\":\"n\",\"kind\":\"cron\",\"event\":\"start\"}]}");
}

static inline void pb_body(struct buf *b)
{
	buf_add(b, "", 0);
	wire_items(b, "2\"0123456789abcdef\" 3=9 4=3 6\"w\" 9{1\"0123456789abcdef\" 2=1 3=2 4=7 5=1} 10{1=1} 12{2\"a\"} 13{2\"n\" 3=1 4=1} 11{3\"a\" 8{1\"a b\"} 9{6{1\"a\"}} 9{}} "
		      "10{2\"E\" 4{1\"f\"} 4{} 7{1\"a\"} 8{1\"a\"} 9{5{1\"a\"}} 9{}}");
	for (int i = 0; i < 60; i++)
		wire_items(b, i % 2 ? "1{1\"m\" 2=1 3{1\"b\" 2\"x\"} 3{1\"a\" 2\"1\"} 4{2:1} 4{2:2} 4{1=1 2:3}}"
				    : "1{1\"n\" 2=3 4{3=3 4:3 5:1 6:1 7:1 9{1~5 3~-1 4[1 2]}}}");
}

#define DIVIDED_HEAD "{\"metrics\":[{\"name\":\"m\",\"kind\":\"gauge\",\"points\":["

struct pushed {
	struct arena arena;
	struct payload payload;
	struct buf records;
	struct parts parts;
	struct refusal no;
};

/* A body through decoder and split, as a serving thread does. */
static inline int push(struct pushed *p, struct str body, int (*parse)(struct str, struct payload *, struct refusal *))
{
	payload_init(&p->payload, &p->arena, NOW_MS);
	return parse(body, &p->payload, &p->no) < 0 || check_payload(&p->payload, &p->no) < 0 ||
	       split_payload(&p->payload, &way, 1 << 20, &p->records, &p->parts, &p->no) < 0 ? -1 : 0;
}

static inline void pushed_fini(struct pushed *p)
{
	arena_fini(&p->arena);
	buf_fini(&p->records);
}

/* Events as a decoder hands them over, made where nothing fails; then what push does with them. */
static inline int push_events(struct pushed *p, const struct payload_event *events, size_t len, const struct scrub *rules)
{
	struct payload *payload = &p->payload;

	payload_init(payload, &p->arena, NOW_MS);
	payload->scrub = rules;
	for (size_t i = 0; i < len; i++) {
		struct payload_event e = events[i];

		if (event_add(payload, &e) < 0)
			return payload_refuse_size(payload, &p->no);
	}
	if (check_payload(payload, &p->no) < 0)
		return -1;
	if (settle_events(payload, way.site) < 0)
		return payload_refuse_size(payload, &p->no);
	return split_payload(payload, &way, 1 << 20, &p->records, &p->parts, &p->no);
}

/* A payload that becomes several records for its partition: samples and events. */
static inline int push_divided(struct pushed *p, const struct payload_event *marker, struct str body)
{
	struct payload *payload = &p->payload;

	payload_init(payload, &p->arena, NOW_MS);
	if (push_json_parse(body, payload, &p->no) < 0)
		return -1;
	for (int i = 0; i < 20; i++) {
		struct payload_event e = *marker;

		if (event_add(payload, &e) < 0)
			return payload_refuse_size(payload, &p->no);
	}
	payload->divisible = payload->has_idempotency_key = true;
	payload->idempotency_key = STR("once");
	if (settle_events(payload, way.site) < 0)
		return payload_refuse_size(payload, &p->no);
	return split_payload(payload, &way, 400, &p->records, &p->parts, &p->no);
}

#endif
