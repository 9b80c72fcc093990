/* push_pb_point.c - see push_pb_point.h.
 *
 * Most points are a number and a time, and end in push_pb_read_point() without a call. Figures take room only where there are any;
 * a histogram's lists are cut one behind the longest that is taken, as in JSON, so that check.h sees that they were too long. */
#include "ingest/push_pb_point.h"

#include <string.h>

#include "common/hist.h"

static const struct pb_field point_fields[] = {{NULL, 0},  {"t", 0},   {"v", 0},    {"count", 0},   {"sum", 0},
					       {"min", 0}, {"max", 0}, {"last", 0}, {"last_at", 0}, {"histogram", 0}};
static const struct pb_field histogram_fields[] = {{NULL, 0},     {"scale", 0},      {"zero", 0},      {"offset", 0},
						   {"counts", 0}, {"neg_offset", 0}, {"neg_counts", 0}};
static const struct pb_message point_message = PB_MESSAGE(point_fields);
static const struct pb_message histogram_message = PB_MESSAGE(histogram_fields);

/* Makes room for n more counts, within the bound. */
static int reserve_counts(struct push_pb_parser *ps, struct push_pb_counts *c, size_t n)
{
	size_t want = n > HIST_COUNTS_MAX + 1 - c->len ? HIST_COUNTS_MAX + 1 : c->len + n;
	int64_t *wider;

	if (want <= c->cap)
		return 0;
	if (want < 2 * c->cap)
		want = 2 * c->cap;
	wider = arena_alloc_raw(ps->payload->arena, want * sizeof(*wider));
	if (!wider)
		return -1;
	if (c->len)
		memcpy(wider, c->p, c->len * sizeof(*wider));
	c->p = wider;
	c->cap = want;
	return 0;
}

static inline void add_count(struct push_pb_counts *c, uint64_t n)
{
	if (c->len <= HIST_COUNTS_MAX)
		c->p[c->len++] = pb_saturated(n);
}

/* An element that was not packed. */
static const uint8_t *read_one_count(struct push_pb_parser *ps, struct push_pb_counts *c, const uint8_t *at, const uint8_t *end)
{
	struct pb_read v = pb_read_varint(at, end);

	if (!v.at)
		return pb_malformed(&ps->reader, at, v);
	if (reserve_counts(ps, c, 1) < 0)
		return push_pb_no_memory(ps, at);
	add_count(c, v.value);
	return v.at;
}

/* Each varint ends with a byte below 0x80: so they can be counted first, and take exactly the room they need. */
static const uint8_t *read_packed_counts(struct push_pb_parser *ps, struct push_pb_counts *c, const uint8_t *at, const uint8_t *end)
{
	struct str packed;
	const uint8_t *next = pb_read_bytes(&ps->reader, at, end, &packed);
	size_t n = 0;

	if (!next)
		return NULL;
	at = (const uint8_t *)packed.p;
	for (const uint8_t *p = at; p < next; p++)
		n += *p < 0x80;
	if (reserve_counts(ps, c, n) < 0)
		return push_pb_no_memory(ps, at);
	while (at < next) {
		struct pb_read v = pb_read_varint(at, next);

		if (!v.at)
			return pb_malformed(&ps->reader, at, v);
		add_count(c, v.value);
		at = v.at;
	}
	return next;
}

static inline const uint8_t *histogram_field(struct pb_reader *r, uint32_t key, const uint8_t *at, const uint8_t *end)
{
	struct push_pb_parser *ps = push_pb_parser_of(r);
	struct payload_histogram *h = &ps->point->figures->histogram;

	switch (key) {
	case PB_KEY(1, PB_VARINT):
		h->has_scale = true;
		return pb_read_sint32(r, at, end, &h->scale);
	case PB_KEY(2, PB_VARINT):
		return pb_read_count(r, at, end, &h->zero);
	case PB_KEY(3, PB_VARINT):
		return pb_read_sint32(r, at, end, &h->offset);
	case PB_KEY(4, PB_LEN):
		return read_packed_counts(ps, &ps->counts, at, end);
	case PB_KEY(4, PB_VARINT):
		return read_one_count(ps, &ps->counts, at, end);
	case PB_KEY(5, PB_VARINT):
		return pb_read_sint32(r, at, end, &h->neg_offset);
	case PB_KEY(6, PB_LEN):
		return read_packed_counts(ps, &ps->neg_counts, at, end);
	case PB_KEY(6, PB_VARINT):
		return read_one_count(ps, &ps->neg_counts, at, end);
	default:
		return pb_read_other(r, &histogram_message, key, at, end);
	}
}

/* A second occurrence in the same point goes on where the first one ended. */
static const uint8_t *read_histogram(struct push_pb_parser *ps, const uint8_t *at, const uint8_t *end)
{
	struct payload_histogram *h = &ps->point->figures->histogram;

	if (!(ps->point->has & PAYLOAD_BIT(PAYLOAD_HISTOGRAM)))
		ps->counts = ps->neg_counts = (struct push_pb_counts){0};
	ps->point->has |= PAYLOAD_BIT(PAYLOAD_HISTOGRAM);
	at = pb_read_message(&ps->reader, &histogram_message, histogram_field, at, end);
	h->counts = ps->counts.p;
	h->counts_len = ps->counts.len;
	h->neg_counts = ps->neg_counts.p;
	h->neg_counts_len = ps->neg_counts.len;
	return at;
}

/* The fields of a point that was merged; key is one of them. */
static const uint8_t *figure_field(struct push_pb_parser *ps, uint32_t key, const uint8_t *at, const uint8_t *end)
{
	struct pb_reader *r = &ps->reader;
	struct payload_point *pt = ps->point;
	struct payload_figures *f = pt->figures ? pt->figures : draft_add_figures(pt, ps->payload);

	if (!f)
		return push_pb_no_memory(ps, at);
	switch (key) {
	case PB_KEY(3, PB_VARINT):
		return pb_read_count(r, at, end, &f->count);
	case PB_KEY(4, PB_I64):
		pt->has |= PAYLOAD_BIT(PAYLOAD_SUM);
		return pb_read_double(r, at, end, &f->sum);
	case PB_KEY(5, PB_I64):
		pt->has |= PAYLOAD_BIT(PAYLOAD_MIN);
		return pb_read_double(r, at, end, &f->min);
	case PB_KEY(6, PB_I64):
		pt->has |= PAYLOAD_BIT(PAYLOAD_MAX);
		return pb_read_double(r, at, end, &f->max);
	case PB_KEY(7, PB_I64):
		pt->has |= PAYLOAD_BIT(PAYLOAD_LAST);
		return pb_read_double(r, at, end, &f->last);
	case PB_KEY(8, PB_VARINT):
		return pb_read_int64(r, at, end, &f->last_at_ms);
	default:
		return read_histogram(ps, at, end);
	}
}

static inline const uint8_t *point_field(struct pb_reader *r, uint32_t key, const uint8_t *at, const uint8_t *end)
{
	struct push_pb_parser *ps = push_pb_parser_of(r);

	switch (key) {
	case PB_KEY(1, PB_VARINT):
		return pb_read_int64(r, at, end, &ps->point->t_ms);
	case PB_KEY(2, PB_I64):
		ps->point->has |= PAYLOAD_BIT(PAYLOAD_V);
		return pb_read_double(r, at, end, &ps->point->v);
	case PB_KEY(3, PB_VARINT):
	case PB_KEY(4, PB_I64):
	case PB_KEY(5, PB_I64):
	case PB_KEY(6, PB_I64):
	case PB_KEY(7, PB_I64):
	case PB_KEY(8, PB_VARINT):
	case PB_KEY(9, PB_LEN):
		return figure_field(ps, key, at, end);
	default:
		return pb_read_other(r, &point_message, key, at, end);
	}
}

/* Numbers that the schema gives no presence were there when they are not zero. */
const uint8_t *push_pb_read_point(struct push_pb_parser *ps, const uint8_t *at, const uint8_t *end)
{
	struct payload_point *pt = ps->point = draft_add_point(&ps->draft, ps->payload);

	if (!pt)
		return push_pb_no_memory(ps, at);
	ps->points_len++;
	at = pb_read_message(&ps->reader, &point_message, point_field, at, end);
	if (pt->t_ms)
		pt->has |= PAYLOAD_BIT(PAYLOAD_T);
	if (pt->figures && pt->figures->count)
		pt->has |= PAYLOAD_BIT(PAYLOAD_COUNT);
	if (pt->figures && pt->figures->last_at_ms)
		pt->has |= PAYLOAD_BIT(PAYLOAD_LAST_AT);
	return at;
}
