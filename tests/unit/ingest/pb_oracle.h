/* pb_oracle.h - what protobuf-c makes of a payload, for unit tests and fuzz targets.
 *
 * A body that protobuf-c unpacks is walked into the struct payload_metrics and payload_events that it means, and those go to the same judges
 * (check.h, event.h) as the decoder's: so two payloads must be equal when the decoder reads as protobuf-c does.
 *
 * protobuf-c 1.4 differs from the format in a few things. Those that it does not take, or takes otherwise, oracle_tidy() writes in
 * another way before it sees them: unknown groups go, the
 * histograms of a point become one (its merging forgets numbers, and looks up a oneof that is in neither), and a NUL in a string
 * becomes a byte 1 (its strings would end there).
 * Those that it takes and the decoder does not are claims, which oracle_confirms() checks against the bytes. */
#ifndef MILLRACE_TESTS_PB_ORACLE_H
#define MILLRACE_TESTS_PB_ORACLE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/hist.h"
#include "common/series.h"
#include "ingest/check.h"
#include "ingest/event.h"
#include "pb/push.pb-c.h"

typedef Millrace__Push__Payload pb_payload;
typedef Millrace__Push__Metric pb_metric;
typedef Millrace__Push__Metric__TagsEntry pb_tag;
typedef Millrace__Push__Point pb_point;
typedef Millrace__Push__Histogram pb_histogram;
typedef Millrace__Push__Truncation pb_truncation;
typedef Millrace__Push__Error pb_error;
typedef Millrace__Push__Transaction pb_transaction;
typedef Millrace__Push__Marker pb_marker;
typedef Millrace__Push__CheckIn pb_check_in;

/* A varint's end, or NULL when there is none within 64 bits. */
static inline const uint8_t *oracle_varint(const uint8_t *at, const uint8_t *end, uint64_t *out)
{
	*out = 0;
	for (unsigned shift = 0; at < end && shift < 70; shift += 7, at++) {
		if (shift == 63 && *at > 1)
			return NULL;
		*out |= (uint64_t)(*at & 0x7f) << shift;
		if (*at < 0x80)
			return at + 1;
	}
	return NULL;
}

/* A field's key, within 32 bits and five bytes. */
static inline const uint8_t *oracle_key(const uint8_t *at, const uint8_t *end, uint64_t *out)
{
	const uint8_t *next = oracle_varint(at, end, out);

	return next && next - at <= 5 && *out >= 8 && *out <= UINT32_MAX ? next : NULL;
}

/* The end of the value behind a key, or NULL. */
static inline const uint8_t *oracle_value_end(uint64_t key, const uint8_t *at, const uint8_t *end, int depth)
{
	uint64_t n = 0;

	switch (key & 7) {
	case 0:
		return oracle_varint(at, end, &n);
	case 1:
	case 5:
		n = (key & 7) == 1 ? 8 : 4;
		return n <= (uint64_t)(end - at) ? at + n : NULL;
	case 2:
		at = oracle_varint(at, end, &n);
		return at && n <= (uint64_t)(end - at) ? at + n : NULL;
	case 3:
		for (uint64_t inner; depth < 64 && (at = oracle_key(at, end, &inner));) {
			if ((inner & 7) == 4)
				return inner >> 3 == key >> 3 ? at : NULL;
			at = oracle_value_end(inner, at, end, depth + 1);
			if (!at)
				return NULL;
		}
		return NULL;
	default:
		return NULL;
	}
}

static inline void oracle_put_varint(struct buf *out, uint64_t v)
{
	for (uint8_t byte; v >= 0x80; v >>= 7) {
		byte = (uint8_t)(v | 0x80);
		buf_add(out, &byte, 1);
	}
	buf_add(out, &(uint8_t){(uint8_t)v}, 1);
}

static inline void oracle_put_message(struct buf *out, uint64_t number, const struct buf *body)
{
	oracle_put_varint(out, number << 3 | 2);
	oracle_put_varint(out, body->len);
	buf_add(out, buf_str(body).p, body->len);
}

static inline const ProtobufCMessageDescriptor *oracle_message_of(const ProtobufCMessageDescriptor *m, uint64_t number)
{
	for (unsigned i = 0; i < m->n_fields; i++)
		if (m->fields[i].id == number && m->fields[i].type == PROTOBUF_C_TYPE_MESSAGE)
			return m->fields[i].descriptor;
	return NULL;
}

static inline int oracle_tidy(const uint8_t *at, const uint8_t *end, const ProtobufCMessageDescriptor *m, struct buf *out);

/* A field that is a message, its length already read. */
static inline int oracle_tidy_message(uint64_t number, const uint8_t *at, const uint8_t *end, const ProtobufCMessageDescriptor *m,
				      struct buf *out)
{
	struct buf inner = BUF_INIT;
	int rc = oracle_tidy(at, end, m, &inner);

	oracle_put_message(out, number, &inner);
	buf_fini(&inner);
	return rc;
}

/* A field that is no message; NULs are replaced in what is text. */
static inline void oracle_tidy_plain(uint64_t key, const uint8_t *begin, const uint8_t *value, const uint8_t *end,
				     const ProtobufCMessageDescriptor *m, struct buf *out)
{
	uint64_t length;
	size_t at = out->len;
	bool text = false;

	for (unsigned i = 0; i < m->n_fields; i++)
		text = text || (m->fields[i].id == key >> 3 && m->fields[i].type == PROTOBUF_C_TYPE_STRING && (key & 7) == 2);
	buf_add(out, begin, (size_t)(end - begin));
	if (!text || out->failed)
		return;
	value = oracle_varint(value, end, &length);
	for (at += (size_t)(value - begin); at < out->len; at++)
		out->p[at] |= out->p[at] == 0;
}

/* A bool of another wire type: the one mismatch that protobuf-c does not see. */
static inline bool oracle_misses_bool(uint64_t key, const ProtobufCMessageDescriptor *m)
{
	for (unsigned i = 0; i < m->n_fields; i++)
		if (m->fields[i].id == key >> 3 && m->fields[i].type == PROTOBUF_C_TYPE_BOOL)
			return (key & 7) != 0;
	return false;
}

/* -1: the bytes are no message at all. */
static inline int oracle_tidy(const uint8_t *at, const uint8_t *end, const ProtobufCMessageDescriptor *m, struct buf *out)
{
	struct buf histogram = BUF_INIT;
	bool has_histogram = false;
	int rc = 0;

	while (rc == 0 && at < end) {
		uint64_t key = 0, length;
		const uint8_t *begin = at, *value = oracle_key(at, end, &key);
		const ProtobufCMessageDescriptor *inner = (key & 7) == 2 ? oracle_message_of(m, key >> 3) : NULL;

		at = value ? oracle_value_end(key, value, end, 0) : NULL;
		if (!at || oracle_misses_bool(key, m)) {
			rc = -1;
			break;
		}
		if (inner)
			value = oracle_varint(value, at, &length);
		if (inner == &millrace__push__histogram__descriptor) {
			has_histogram = true;
			rc = oracle_tidy(value, at, inner, &histogram);
		} else if (inner) {
			rc = oracle_tidy_message(key >> 3, value, at, inner, out);
		} else if ((key & 7) != 3 || key >> 3 <= m->fields[m->n_fields - 1].id) {
			oracle_tidy_plain(key, begin, value, at, m, out);
		}
	}
	if (has_histogram)
		oracle_put_message(out, 9, &histogram);
	buf_fini(&histogram);
	return rc;
}

/* Counts beyond int64 are INT64_MAX, and a list is cut one behind the longest that is taken. */
static inline int64_t *oracle_counts(const uint64_t *counts, size_t *len, struct arena *arena)
{
	int64_t *copy;

	if (*len > HIST_COUNTS_MAX + 1)
		*len = HIST_COUNTS_MAX + 1;
	copy = arena_calloc(arena, *len, sizeof(*copy));
	for (size_t i = 0; copy && i < *len; i++)
		copy[i] = counts[i] > INT64_MAX ? INT64_MAX : (int64_t)counts[i];
	return copy;
}

static inline struct payload_histogram oracle_histogram(const pb_histogram *h, struct arena *arena)
{
	struct payload_histogram out = {.has_scale = h->has_scale_case == MILLRACE__PUSH__HISTOGRAM__HAS_SCALE_SCALE,
					.offset = h->offset,
					.neg_offset = h->neg_offset,
					.counts_len = h->n_counts,
					.neg_counts_len = h->n_neg_counts};

	out.scale = out.has_scale ? h->scale : 0;
	out.zero = h->zero > INT64_MAX ? INT64_MAX : (int64_t)h->zero;
	out.counts = oracle_counts(h->counts, &out.counts_len, arena);
	out.neg_counts = oracle_counts(h->neg_counts, &out.neg_counts_len, arena);
	return out;
}

static inline struct payload_point oracle_point(const pb_point *pt, struct arena *arena)
{
	struct payload_point out = {.t_ms = pt->t, .figures = arena_alloc(arena, sizeof(*out.figures))};
	struct payload_figures *f = out.figures;

#define ORACLE_HAS(field, there) out.has |= (there) ? PAYLOAD_BIT(field) : 0
	ORACLE_HAS(PAYLOAD_T, pt->t != 0);
	ORACLE_HAS(PAYLOAD_V, pt->has_v_case == MILLRACE__PUSH__POINT__HAS_V_V);
	ORACLE_HAS(PAYLOAD_COUNT, pt->count != 0);
	ORACLE_HAS(PAYLOAD_SUM, pt->has_sum_case == MILLRACE__PUSH__POINT__HAS_SUM_SUM);
	ORACLE_HAS(PAYLOAD_MIN, pt->has_min_case == MILLRACE__PUSH__POINT__HAS_MIN_MIN);
	ORACLE_HAS(PAYLOAD_MAX, pt->has_max_case == MILLRACE__PUSH__POINT__HAS_MAX_MAX);
	ORACLE_HAS(PAYLOAD_LAST, pt->has_last_case == MILLRACE__PUSH__POINT__HAS_LAST_LAST);
	ORACLE_HAS(PAYLOAD_LAST_AT, pt->last_at != 0);
	ORACLE_HAS(PAYLOAD_HISTOGRAM, pt->histogram != NULL);
#undef ORACLE_HAS
	out.v = pt->v;
	*f = (struct payload_figures){.last_at_ms = pt->last_at, .sum = pt->sum, .min = pt->min, .max = pt->max, .last = pt->last};
	f->count = pt->count > INT64_MAX ? INT64_MAX : (int64_t)pt->count;
	if (pt->histogram)
		f->histogram = oracle_histogram(pt->histogram, arena);
	return out;
}

static inline struct str oracle_text(const char *z, struct arena *arena, bool *utf8)
{
	*utf8 = *utf8 && str_is_utf8(str_from(z));
	return arena_str(arena, str_from(z));
}

static inline int oracle_metric(const pb_metric *m, uint32_t index, struct payload *p, bool *utf8)
{
	size_t nr_tags = m->n_tags > SERIES_TAGS_MAX ? SERIES_TAGS_MAX + 1 : m->n_tags;
	struct tag *tags = arena_calloc(p->arena, nr_tags, sizeof(*tags));
	struct payload_point *points = arena_calloc(p->arena, m->n_points, sizeof(*points));
	struct payload_metric out = {.index = index, .kind = (int)m->kind - 1, .tags = tags, .tags_len = nr_tags, .points = points,
				     .points_len = m->n_points, .name = oracle_text(m->name, p->arena, utf8)};

	if ((int)m->kind < 1 || (int)m->kind > 3)
		out.kind = -1;
	for (size_t i = 0; i < nr_tags; i++)
		tags[i] = (struct tag){oracle_text(m->tags[i]->key, p->arena, utf8), oracle_text(m->tags[i]->value, p->arena, utf8)};
	for (size_t i = 0; i < m->n_points; i++)
		points[i] = oracle_point(m->points[i], p->arena);
	return check_metric(p, &out);
}

static inline int oracle_truncation(const pb_truncation *t, struct payload *p)
{
	struct payload_truncation out = {.from_seq = (int64_t)t->from_seq, .to_seq = (int64_t)t->to_seq,
					 .samples = (int64_t)t->samples, .attempted = t->attempted};

	if (t->agent_id.len != sizeof(out.agent_id) || out.from_seq < 1 || out.to_seq < out.from_seq || out.samples < 0)
		return -1;
	memcpy(out.agent_id, t->agent_id.data, sizeof(out.agent_id));
	return payload_add_truncation(p, &out);
}

/* The entries of a map: those of all maps look alike. */
static inline struct tag *oracle_tags(void *entries, size_t n, struct arena *arena, bool *utf8)
{
	pb_tag **from = entries;
	struct tag *tags = arena_calloc(arena, n, sizeof(*tags));

	for (size_t i = 0; tags && i < n; i++)
		tags[i] = (struct tag){oracle_text(from[i]->key, arena, utf8), oracle_text(from[i]->value, arena, utf8)};
	return tags;
}

/* As much of a map as a decoder hands on; of spans it is 501. */
static inline size_t oracle_tags_len(size_t n)
{
	return n < 65 ? n : 65;
}

static inline struct backtrace_frame *oracle_frames(const pb_error *m, struct arena *arena, bool *utf8)
{
	struct backtrace_frame *frames = arena_calloc(arena, m->n_backtrace, sizeof(*frames));

	for (size_t i = 0; frames && i < m->n_backtrace; i++) {
		const Millrace__Push__Frame *f = m->backtrace[i];

		frames[i] = (struct backtrace_frame){.file = oracle_text(f->file, arena, utf8), .line = f->line <= INT32_MAX ? (int32_t)f->line : 0,
						     .function = oracle_text(f->function, arena, utf8), .in_app = f->in_app};
	}
	return frames;
}

static inline struct breadcrumb *oracle_breadcrumbs(const pb_error *m, struct arena *arena, bool *utf8)
{
	struct breadcrumb *crumbs = arena_calloc(arena, m->n_breadcrumbs, sizeof(*crumbs));

	for (size_t i = 0; crumbs && i < m->n_breadcrumbs; i++) {
		const Millrace__Push__Breadcrumb *b = m->breadcrumbs[i];

		crumbs[i] = (struct breadcrumb){.t = b->t, .category = oracle_text(b->category, arena, utf8),
						.action = oracle_text(b->action, arena, utf8), .message = oracle_text(b->message, arena, utf8),
						.metadata = oracle_tags(b->metadata, b->n_metadata, arena, utf8),
						.metadata_len = oracle_tags_len(b->n_metadata)};
	}
	return crumbs;
}

static inline struct transaction_span *oracle_spans(const pb_transaction *m, struct arena *arena, bool *utf8)
{
	struct transaction_span *spans = arena_calloc(arena, m->n_spans, sizeof(*spans));

	for (size_t i = 0; spans && i < m->n_spans; i++) {
		const Millrace__Push__Span *x = m->spans[i];

		spans[i] = (struct transaction_span){.id = oracle_text(x->id, arena, utf8), .parent_id = oracle_text(x->parent_id, arena, utf8),
						     .name = oracle_text(x->name, arena, utf8), .start_ms = x->start_ms,
						     .duration_ms = x->duration_ms, .tags = oracle_tags(x->tags, x->n_tags, arena, utf8),
						     .tags_len = oracle_tags_len(x->n_tags)};
	}
	return spans;
}

static inline int oracle_error(const pb_error *m, uint32_t index, struct payload *p, bool *utf8)
{
	struct arena *arena = p->arena;
	struct payload_event e = {.kind = PAYLOAD_ERROR, .list = "errors", .index = index, .has_t = m->t != 0};

	e.event = (struct event){.t = m->t, .action = oracle_text(m->action, arena, utf8), .namespace = oracle_text(m->namespace_, arena, utf8),
				 .tags = oracle_tags(m->tags, m->n_tags, arena, utf8), .tags_len = oracle_tags_len(m->n_tags)};
	e.event.error = (struct error_detail){.class = oracle_text(m->class_, arena, utf8), .message = oracle_text(m->message, arena, utf8),
					      .backtrace = oracle_frames(m, arena, utf8), .backtrace_len = m->n_backtrace,
					      .params = oracle_tags(m->params, m->n_params, arena, utf8),
					      .params_len = oracle_tags_len(m->n_params),
					      .breadcrumbs = oracle_breadcrumbs(m, arena, utf8),
					      .breadcrumbs_len = m->n_breadcrumbs};
	return event_add(p, &e);
}

static inline int oracle_transaction(const pb_transaction *m, uint32_t index, struct payload *p, bool *utf8)
{
	struct arena *arena = p->arena;
	struct payload_event e = {.kind = PAYLOAD_TRANSACTION, .list = "transactions", .index = index, .has_t = m->t != 0};

	e.event = (struct event){.t = m->t, .action = oracle_text(m->action, arena, utf8), .namespace = oracle_text(m->namespace_, arena, utf8),
				 .tags = oracle_tags(m->tags, m->n_tags, arena, utf8), .tags_len = oracle_tags_len(m->n_tags)};
	e.event.transaction = (struct transaction_detail){.id = oracle_text(m->id, arena, utf8), .duration_ms = m->duration_ms,
							  .queue_ms = m->queue_ms, .failed = m->error,
							  .spans = oracle_spans(m, arena, utf8), .spans_len = m->n_spans < 501 ? m->n_spans : 501};
	return event_add(p, &e);
}

static inline int oracle_marker(const pb_marker *m, uint32_t index, struct payload *p, bool *utf8)
{
	struct payload_event e = {.kind = PAYLOAD_MARKER, .list = "markers", .index = index, .has_t = m->t != 0};

	e.event = (struct event){.t = m->t};
	e.event.marker = (struct marker_detail){oracle_text(m->revision, p->arena, utf8), oracle_text(m->user, p->arena, utf8),
						oracle_text(m->text, p->arena, utf8)};
	return event_add(p, &e);
}

/* 0 is none, and so is what nobody knows. */
static inline int oracle_check_in(const pb_check_in *m, uint32_t index, struct payload *p, bool *utf8)
{
	static const int kinds[] = {-1, CHECK_IN_KIND_CRON, CHECK_IN_KIND_HEARTBEAT};
	static const int events[] = {-1, CHECK_IN_EVENT_START, CHECK_IN_EVENT_FINISH, CHECK_IN_EVENT_BEAT};
	struct payload_event e = {.kind = PAYLOAD_CHECK_IN, .list = "check_ins", .index = index, .has_t = m->t != 0};

	e.event = (struct event){.t = m->t};
	e.event.check_in.name = oracle_text(m->name, p->arena, utf8);
	e.event.check_in.kind = (enum check_in_kind)kinds[(unsigned)m->kind < 3 ? m->kind : 0];
	e.event.check_in.event = (enum check_in_event)events[(unsigned)m->event < 4 ? m->event : 0];
	return event_add(p, &e);
}

static inline int oracle_events(const pb_payload *m, struct payload *p, bool *utf8)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < m->n_errors; i++)
		rc = oracle_error(m->errors[i], (uint32_t)i, p, utf8);
	for (size_t i = 0; rc == 0 && i < m->n_transactions; i++)
		rc = oracle_transaction(m->transactions[i], (uint32_t)i, p, utf8);
	for (size_t i = 0; rc == 0 && i < m->n_markers; i++)
		rc = oracle_marker(m->markers[i], (uint32_t)i, p, utf8);
	for (size_t i = 0; rc == 0 && i < m->n_check_ins; i++)
		rc = oracle_check_in(m->check_ins[i], (uint32_t)i, p, utf8);
	return rc;
}

/* The order of rejections and events is the order of the wire between lists, which a message does not keep: metrics come first here. */
static inline int oracle_payload(const pb_payload *m, struct payload *p)
{
	bool utf8 = true;

	if ((m->agent_id.len != 0 && m->agent_id.len != sizeof(p->agent_id)) || m->seq > INT64_MAX || m->floor > INT64_MAX)
		return -1;
	p->has_agent_id = m->agent_id.len != 0;
	if (p->has_agent_id)
		memcpy(p->agent_id, m->agent_id.data, sizeof(p->agent_id));
	p->seq = (int64_t)m->seq;
	p->floor = (int64_t)m->floor;
	p->created_at_ms = m->created_at;
	p->has_seq = m->seq != 0;
	p->has_floor = m->floor != 0;
	p->has_created_at = m->created_at != 0;
	p->host = oracle_text(m->host, p->arena, &utf8);
	p->environment = oracle_text(m->environment, p->arena, &utf8);
	p->revision = oracle_text(m->revision, p->arena, &utf8);
	for (size_t i = 0; i < m->n_metrics; i++)
		if (oracle_metric(m->metrics[i], (uint32_t)i, p, &utf8) < 0)
			return -1;
	for (size_t i = 0; i < m->n_truncated; i++)
		if (oracle_truncation(m->truncated[i], p) < 0)
			return -1;
	if (oracle_events(m, p, &utf8) < 0)
		return -1;
	return utf8 ? 0 : -1;
}

/* What the body means by protobuf-c: 0 and p, which payload_init() has prepared; or -1: no payload. */
static inline int oracle_parse(struct str body, struct payload *p)
{
	const uint8_t *at = (const uint8_t *)body.p;
	struct buf tidy = BUF_INIT;
	pb_payload *m = NULL;
	int rc = -1;

	if (oracle_tidy(at, at + body.len, &millrace__push__payload__descriptor, &tidy) == 0)
		m = millrace__push__payload__unpack(NULL, tidy.len, (const uint8_t *)buf_str(&tidy).p);
	if (m)
		rc = oracle_payload(m, p);
	if (m)
		millrace__push__payload__free_unpacked(m, NULL);
	buf_fini(&tidy);
	return rc;
}

/* Is a refusal true that protobuf-c would not give? Where the detail says, the bytes must be as it says. */
static inline bool oracle_confirms(struct str body, const struct refusal *no)
{
	const uint8_t *at = (const uint8_t *)body.p, *end = at + body.len, *value;
	const char *what = strrchr(no->detail, ':');
	uint64_t n = 0;
	size_t byte = 0, more = 0;

	if (!what || sscanf(no->detail, "byte %zu", &byte) != 1 || byte >= body.len)
		return false;
	at += byte;
	while (at + more < end && at[more] >= 0x80)
		more++;
	value = oracle_varint(at, end, &n);
	if (strstr(what, "not UTF-8"))
		return value && n <= (uint64_t)(end - value) && !str_is_utf8((struct str){(const char *)value, (size_t)n});
	if (strstr(what, "16 bytes"))
		return value && n != 0 && n != PAYLOAD_AGENT_ID_BYTES;
	if (strstr(what, "2^63"))
		return n > INT64_MAX;
	if (strstr(what, "longer than its type"))
		return more >= 9; /* in a packed list: the rest is seen by oracle_tidy() */
	return strstr(what, "nested too deep") != NULL;
}

#endif
