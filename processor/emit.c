/* emit.c - see emit.h.
 *
 * Where series get few samples, most of what the processor does is to write these records: so they are not filled into a struct for the generated
 * encoder, which looks at the buffer at each field, but written field by field into room that is made once, their names as they lie in memory.
 * The order of the fields is that of schemas/aggregate.avsc; tests/unit/processor/test_emit.c holds every byte against the generated encoder. */
#include "processor/emit.h"

#include <endian.h>

#include "common/pins.h"
#include "schemas/schemas.h"

enum {
	FIXED_BYTES_MAX = 5 + SERIES_FINGERPRINT_BYTES + 6 * CODEC_VARINT_BYTES_MAX + 4 * 9 + 8, /* header and all that has no length of its own */
	HIST_BYTES_MAX = 10 * CODEC_VARINT_BYTES_MAX, /* but for the counts */
};

static uint8_t *put_long(uint8_t *to, int64_t v)
{
	uint64_t u = ((uint64_t)v << 1) ^ (v < 0 ? UINT64_MAX : 0);

	for (; u >= 0x80; u >>= 7)
		*to++ = (uint8_t)(u | 0x80);
	*to++ = (uint8_t)u;
	return to;
}

static uint8_t *put_bytes(uint8_t *to, const void *bytes, size_t n)
{
	memcpy(to, bytes, n);
	return to + n;
}

static uint8_t *put_double(uint8_t *to, double v)
{
	uint64_t bits;

	memcpy(&bits, &v, sizeof(bits));
	bits = htole64(bits);
	return put_bytes(to, &bits, sizeof(bits));
}

/* A union of null and double. */
static uint8_t *put_known(uint8_t *to, bool has, double v)
{
	to = put_long(to, has);
	return has ? put_double(to, v) : to;
}

static uint8_t *put_name(uint8_t *to, const struct name *name)
{
	return put_bytes(to, name->bytes, name->len);
}

static size_t names_max(const struct series *s)
{
	size_t len = s->site->len + s->name->len + CODEC_VARINT_BYTES_MAX + 1;

	for (size_t i = 0; i < s->tags_len; i++)
		len += s->tags[i]->len;
	return len;
}

static uint8_t *put_series(uint8_t *to, const struct series *s)
{
	to = put_name(to, s->site);
	to = put_long(to, s->kind);
	to = put_name(to, s->name);
	if (s->tags_len)
		to = put_long(to, s->tags_len);
	for (size_t i = 0; i < s->tags_len; i++)
		to = put_name(to, s->tags[i]);
	return put_long(to, 0);
}

/* The buckets of one side of a histogram: those of keys in [first, end), and how many counts they are when written densely. */
struct side {
	uint32_t from, to; /* places among the buckets */
	size_t span;
};

static struct side side_of(const struct hist *h, uint32_t from, uint32_t end_key)
{
	struct side side = {.from = from, .to = from};

	while (side.to < hist_len(h) && hist_key(h, side.to) < end_key)
		side.to++;
	if (side.to > from)
		side.span = hist_key(h, side.to - 1) - hist_key(h, from) + 1;
	return side;
}

/* offset, and the counts, those in between that are 0 too. */
static uint8_t *put_side(uint8_t *to, const struct hist *h, const struct side *side, uint32_t first_key)
{
	uint32_t key;

	if (side->from == side->to) {
		to = put_long(to, 0);
		return put_long(to, 0);
	}
	key = hist_key(h, side->from);
	to = put_long(to, (int64_t)key - first_key + HIST_INDEX_MIN);
	to = put_long(to, (int64_t)side->span);
	for (uint32_t i = side->from; i < side->to; i++) {
		for (; key < hist_key(h, i); key++)
			*to++ = 0;
		to = put_long(to, (int64_t)hist_bucket_count(h, i));
		key++;
	}
	return put_long(to, 0);
}

/* A distribution's histogram. */
struct parts {
	struct side negative, positive;
	uint64_t zero;
};

static struct parts parts_of(const struct hist *h)
{
	struct parts p = {.negative = side_of(h, 0, HIST_KEY_ZERO)};
	uint32_t at = p.negative.to;

	if (at < hist_len(h) && hist_key(h, at) == HIST_KEY_ZERO)
		p.zero = hist_bucket_count(h, at++);
	p.positive = side_of(h, at, UINT32_MAX);
	return p;
}

static size_t parts_max(const struct hist *h, const struct parts *p)
{
	return HIST_BYTES_MAX + p->negative.span + p->positive.span + (size_t)hist_len(h) * CODEC_VARINT_BYTES_MAX;
}

static uint8_t *put_parts(uint8_t *to, const struct hist *h, const struct parts *p)
{
	to = put_long(to, HIST_SCALE);
	to = put_long(to, (int64_t)p->zero);
	to = put_side(to, h, &p->positive, HIST_KEY_POSITIVE);
	return put_side(to, h, &p->negative, HIST_KEY_NEGATIVE);
}

static uint8_t *put_window(uint8_t *to, const struct window *w)
{
	to = put_long(to, w->count);
	to = put_double(to, w->sum);
	to = put_known(to, w->has_min, w->min);
	to = put_known(to, w->has_max, w->max);
	to = put_known(to, w->has_last, w->last);
	return put_long(to, w->last_at_ms);
}

int emit_fragment(const struct window *w, const struct pane *pane, int64_t epoch, struct buf *out, struct err *err)
{
	const struct series *s = w->series;
	bool has_hist = s->kind == SERIES_KIND_DISTRIBUTION;
	struct parts parts = {0};
	uint8_t *to;

	if (has_hist)
		parts = parts_of(&w->hist);
	codec_write_header(out, AGGREGATE_SCHEMA_ID);
	to = buf_reserve(out, FIXED_BYTES_MAX + names_max(s) + (has_hist ? parts_max(&w->hist, &parts) : 0));
	if (!to)
		return err_nomem(err, "a fragment");
	to = put_bytes(to, s->fingerprint, sizeof(s->fingerprint));
	to = put_long(to, epoch);
	to = put_series(to, s);
	to = put_long(to, pane->start_ms);
	to = put_long(to, pane_length_ms(pane->class));
	to = put_window(to, w);
	to = put_long(to, has_hist);
	if (has_hist)
		to = put_parts(to, &w->hist, &parts);
	to = put_long(to, w->errors);
	*to++ = pane_is_late(pane->class);
	*to++ = w->approximate;
	out->len = (size_t)(to - out->p);
	return 0;
}

bool emit_is_pinned(void)
{
	return pins_written_id(AGGREGATE_SCHEMA_ID) != AGGREGATE_SCHEMA_ID;
}

/* By the generated code, which knows how the other version is written. It takes some ten times as long, during an upgrade. */
int emit_pinned(const struct window *w, const struct pane *pane, int64_t epoch, struct buf *out, struct err *err)
{
	struct buf newest = BUF_INIT;
	struct arena arena = ARENA_INIT;
	struct aggregate a;
	int rc = emit_fragment(w, pane, epoch, &newest, err);

	if (rc == 0)
		rc = aggregate_decode(buf_str(&newest), &arena, &a, err);
	if (rc == 0)
		rc = aggregate_encode(&a, out, err);
	arena_fini(&arena);
	buf_fini(&newest);
	return rc;
}
