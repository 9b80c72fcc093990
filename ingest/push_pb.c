/* push_pb.c - see push_pb.h.
 *
 * A pull parser written out for one schema, on pb_reader.h: a function for each message, a case for each of its fields. It is the
 * hottest code of ingest: strings borrow the body, and what only a refusal needs is put together only then.
 *
 * One draft of a metric, one of an event and one truncation are enough, as no message holds another of its own kind. */
#include "ingest/push_pb.h"

#include <string.h>

#include "ingest/check.h"
#include "ingest/push_pb_event.h"
#include "ingest/push_pb_point.h"

#define COUNTER(member) offsetof(struct push_pb_parser, member)

enum { FIELD_EVENTS = 10 }; /* the first of the event lists, which stand in the order of enum payload_event_kind */

static const struct pb_field payload_fields[] = {
	{NULL, 0},
	{"metrics", COUNTER(metrics_len)},
	{"agent_id", 0},
	{"seq", 0},
	{"floor", 0},
	{"created_at", 0},
	{"host", 0},
	{"environment", 0},
	{"revision", 0},
	{"truncated", COUNTER(truncated_len)},
	[FIELD_EVENTS] = {"errors", COUNTER(events_len[PAYLOAD_ERROR])},
	{"transactions", COUNTER(events_len[PAYLOAD_TRANSACTION])},
	{"markers", COUNTER(events_len[PAYLOAD_MARKER])},
	{"check_ins", COUNTER(events_len[PAYLOAD_CHECK_IN])},
};
static const struct pb_field metric_fields[] = {{NULL, 0}, {"name", 0}, {"kind", 0}, {"tags", 0}, {"points", COUNTER(points_len)}};
static const struct pb_field tag_fields[] = {{NULL, 0}, {"key", 0}, {"value", 0}};
static const struct pb_field truncation_fields[] = {{NULL, 0},     {"agent_id", 0}, {"from_seq", 0},
						    {"to_seq", 0}, {"samples", 0},  {"attempted", 0}};
static const struct pb_message payload_message = PB_MESSAGE(payload_fields);
static const struct pb_message metric_message = PB_MESSAGE(metric_fields);
static const struct pb_message tag_message = PB_MESSAGE(tag_fields);
static const struct pb_message truncation_message = PB_MESSAGE(truncation_fields);

const uint8_t *push_pb_no_memory(struct push_pb_parser *ps, const uint8_t *at)
{
	return pb_fail(&ps->reader, at, REASON_BODY_TOO_LARGE, "");
}

static inline const uint8_t *tag_field(struct pb_reader *r, uint32_t key, const uint8_t *at, const uint8_t *end)
{
	struct push_pb_parser *ps = push_pb_parser_of(r);

	switch (key) {
	case PB_KEY(1, PB_LEN):
		return pb_read_text(r, at, end, &ps->tag->key);
	case PB_KEY(2, PB_LEN):
		return pb_read_text(r, at, end, &ps->tag->value);
	default:
		return pb_read_other(r, &tag_message, key, at, end);
	}
}

/* Inline, as metrics have many. */
static inline __attribute__((always_inline)) const uint8_t *read_tag(struct push_pb_parser *ps, struct tag *tag, const uint8_t *at,
								     const uint8_t *end)
{
	ps->tag = tag;
	return pb_read_message(&ps->reader, &tag_message, tag_field, at, end);
}

const uint8_t *push_pb_read_entry(struct push_pb_parser *ps, struct tag *tag, const uint8_t *at, const uint8_t *end)
{
	return read_tag(ps, tag, at, end);
}

/* The wire's kinds are the schema's symbols, one later, as 0 says that there was none. */
static const uint8_t *read_kind(struct push_pb_parser *ps, const uint8_t *at, const uint8_t *end)
{
	int64_t n;
	int32_t kind;

	at = pb_read_int64(&ps->reader, at, end, &n);
	kind = (int32_t)n; /* as the format wants it of an enum */
	ps->draft.kind = kind >= 1 && kind <= SERIES_KIND_DISTRIBUTION + 1 ? kind - 1 : -1;
	return at;
}
_Static_assert(SERIES_KIND_COUNTER == 0 && SERIES_KIND_GAUGE == 1 && SERIES_KIND_DISTRIBUTION == 2, "the order of push.proto");

static inline const uint8_t *metric_field(struct pb_reader *r, uint32_t key, const uint8_t *at, const uint8_t *end)
{
	struct push_pb_parser *ps = push_pb_parser_of(r);

	switch (key) {
	case PB_KEY(1, PB_LEN):
		return pb_read_text(r, at, end, &ps->draft.name);
	case PB_KEY(2, PB_VARINT):
		return read_kind(ps, at, end);
	case PB_KEY(3, PB_LEN):
		return read_tag(ps, draft_add_tag(&ps->draft), at, end);
	case PB_KEY(4, PB_LEN):
		return push_pb_read_point(ps, at, end);
	default:
		return pb_read_other(r, &metric_message, key, at, end);
	}
}

static const uint8_t *read_metric(struct push_pb_parser *ps, const uint8_t *at, const uint8_t *end)
{
	uint32_t index = ps->metrics_len++;

	draft_begin(&ps->draft);
	ps->points_len = 0;
	at = pb_read_message(&ps->reader, &metric_message, metric_field, at, end);
	return at && draft_end(&ps->draft, ps->payload, index) < 0 ? push_pb_no_memory(ps, at) : at;
}

static const uint8_t *read_truncation_agent(struct push_pb_parser *ps, const uint8_t *at, const uint8_t *end)
{
	struct str id;

	at = pb_read_bytes(&ps->reader, at, end, &id);
	ps->truncation_has_agent = id.len == PAYLOAD_AGENT_ID_BYTES;
	if (ps->truncation_has_agent)
		memcpy(ps->truncation.agent_id, id.p, id.len);
	return at;
}

static const uint8_t *truncation_field(struct pb_reader *r, uint32_t key, const uint8_t *at, const uint8_t *end)
{
	struct push_pb_parser *ps = push_pb_parser_of(r);
	struct payload_truncation *t = &ps->truncation;

	switch (key) {
	case PB_KEY(1, PB_LEN):
		return read_truncation_agent(ps, at, end);
	case PB_KEY(2, PB_VARINT):
		return pb_read_exact(r, at, end, &t->from_seq);
	case PB_KEY(3, PB_VARINT):
		return pb_read_exact(r, at, end, &t->to_seq);
	case PB_KEY(4, PB_VARINT):
		return pb_read_exact(r, at, end, &t->samples);
	case PB_KEY(5, PB_VARINT):
		return push_pb_read_bool(ps, at, end, &t->attempted);
	default:
		return pb_read_other(r, &truncation_message, key, at, end);
	}
}

/* As in JSON, a malformed report of loss is a bug to be heard of. */
static const uint8_t *read_truncation(struct push_pb_parser *ps, const uint8_t *at, const uint8_t *end)
{
	const uint8_t *next;

	ps->truncated_len++;
	ps->truncation = (struct payload_truncation){0};
	ps->truncation_has_agent = false;
	next = pb_read_message(&ps->reader, &truncation_message, truncation_field, at, end);
	if (!next)
		return NULL;
	if (!ps->truncation_has_agent || !check_truncation(&ps->truncation))
		return pb_fail(&ps->reader, at, REASON_BAD_PAYLOAD, CHECK_TRUNCATION_WANTS);
	return payload_add_truncation(ps->payload, &ps->truncation) < 0 ? push_pb_no_memory(ps, at) : next;
}

static const uint8_t *read_event(struct push_pb_parser *ps, uint32_t number, const uint8_t *at, const uint8_t *end)
{
	enum payload_event_kind kind = (enum payload_event_kind)(number - FIELD_EVENTS);

	return push_pb_read_event(ps, kind, payload_fields[number].name, ps->events_len[kind]++, at, end);
}

/* Empty is left out: the schema can say no more. */
static const uint8_t *read_agent_id(struct push_pb_parser *ps, const uint8_t *at, const uint8_t *end)
{
	struct payload *p = ps->payload;
	struct str id;
	const uint8_t *next = pb_read_bytes(&ps->reader, at, end, &id);

	if (next && id.len != 0 && id.len != PAYLOAD_AGENT_ID_BYTES)
		return pb_fail(&ps->reader, at, REASON_BAD_IDENTITY, "16 bytes are expected");
	p->has_agent_id = id.len != 0;
	memcpy(p->agent_id, id.p, id.len);
	return next;
}

static inline const uint8_t *payload_field(struct pb_reader *r, uint32_t key, const uint8_t *at, const uint8_t *end)
{
	struct push_pb_parser *ps = push_pb_parser_of(r);
	struct payload *p = ps->payload;

	switch (key) {
	case PB_KEY(1, PB_LEN):
		return read_metric(ps, at, end);
	case PB_KEY(2, PB_LEN):
		return read_agent_id(ps, at, end);
	case PB_KEY(3, PB_VARINT):
		return pb_read_exact(r, at, end, &p->seq);
	case PB_KEY(4, PB_VARINT):
		return pb_read_exact(r, at, end, &p->floor);
	case PB_KEY(5, PB_VARINT):
		return pb_read_int64(r, at, end, &p->created_at_ms);
	case PB_KEY(6, PB_LEN):
		return pb_read_text(r, at, end, &p->host);
	case PB_KEY(7, PB_LEN):
		return pb_read_text(r, at, end, &p->environment);
	case PB_KEY(8, PB_LEN):
		return pb_read_text(r, at, end, &p->revision);
	case PB_KEY(9, PB_LEN):
		return read_truncation(ps, at, end);
	case PB_KEY(FIELD_EVENTS + PAYLOAD_ERROR, PB_LEN):
	case PB_KEY(FIELD_EVENTS + PAYLOAD_TRANSACTION, PB_LEN):
	case PB_KEY(FIELD_EVENTS + PAYLOAD_MARKER, PB_LEN):
	case PB_KEY(FIELD_EVENTS + PAYLOAD_CHECK_IN, PB_LEN):
		return read_event(ps, key >> 3, at, end);
	default:
		return pb_read_other(r, &payload_message, key, at, end);
	}
}

int push_pb_parse(struct str body, struct payload *p, struct refusal *no)
{
	const uint8_t *at = (const uint8_t *)(body.len ? body.p : "");
	struct push_pb_parser ps = {.reader.body = at, .payload = p};
	bool good = pb_read_fields(&ps.reader, &payload_message, payload_field, at, at + body.len);

	p->has_seq = p->seq != 0; /* also of one that is refused: it is told of */
	if (!good)
		return ps.reader.reason == REASON_BODY_TOO_LARGE ? payload_refuse_size(p, no) : pb_refuse(&ps.reader, no);
	p->has_floor = p->floor != 0;
	p->has_created_at = p->created_at_ms != 0;
	return 0;
}
