/* scaled_hist.c - see scaled_hist.h.
 *
 * Bucket i of scale s covers (b^i, b^(i+1)], b = 2^(2^-s), so one scale lower two neighbours become one: i -> floor(i / 2). Keys are those of
 * common/hist, made from the index as if that were of scale 5: lower scales' indexes are nearer to 0, so they all have one. */
#include "processor/scaled_hist.h"

#include <stdlib.h>

#include "common/memory.h"
#include "processor/hist_codec.h"

enum { SCALE_LOWEST = -10, BUCKET_BYTES_MIN = 2 };

struct bucket {
	int64_t key;
	uint64_t count; /* 0: there is none */
};

void scaled_hist_fini(struct scaled_hist *h)
{
	free(h->bytes);
	*h = (struct scaled_hist)SCALED_HIST_INIT;
}

/* floor(index / 2^by) */
static int64_t index_down(int64_t index, int32_t by)
{
	return index >= 0 ? index >> by : -((-index - 1) >> by) - 1;
}

static int64_t key_base(int64_t key)
{
	return key < HIST_KEY_ZERO ? HIST_KEY_NEGATIVE : HIST_KEY_POSITIVE;
}

static int64_t key_down(int64_t key, int32_t by)
{
	int64_t base = key_base(key);

	return key == HIST_KEY_ZERO ? key : base + index_down(key - base + HIST_INDEX_MIN, by) - HIST_INDEX_MIN;
}

/* Can a double reach the bucket at a scale that is by lower than 5? */
static bool key_reachable(int64_t key, int32_t by)
{
	int64_t index = key - key_base(key) + HIST_INDEX_MIN;

	return hist_key_valid(key) &&
	       (key == HIST_KEY_ZERO || (index >= index_down(HIST_INDEX_MIN, by) && index <= index_down(HIST_INDEX_MAX, by)));
}

/* Writes buckets whose keys never fall; equal ones are joined. */
struct pen {
	struct buf out;
	int64_t before;
	struct bucket last; /* not written yet */
};

static void pen_put(struct pen *p, struct bucket next)
{
	if (p->last.count && next.count && p->last.key == next.key) {
		p->last.count += next.count;
		return;
	}
	if (p->last.count) {
		codec_write_long(&p->out, p->last.key - p->before);
		codec_write_long(&p->out, (int64_t)p->last.count);
		p->before = p->last.key;
	}
	p->last = next;
}

static void put_side(struct pen *p, int64_t base, int32_t by, int32_t offset, const int64_t *counts, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (counts[i])
			pen_put(p, (struct bucket){base + index_down((int64_t)offset + (int64_t)i, by) - HIST_INDEX_MIN, (uint64_t)counts[i]});
}

static struct str bytes_of(const struct scaled_hist *h)
{
	return h->bytes ? (struct str){(const char *)h->bytes, h->len_bytes} : STR("");
}

/* Copies bytes, so that there is none to spare. */
static int take_bytes(struct scaled_hist *h, struct str bytes)
{
	if (!bytes.len)
		return 0;
	if (bytes.len > UINT32_MAX)
		return -1;
	h->bytes = malloc(bytes.len);
	if (!h->bytes)
		return -1;
	memcpy(h->bytes, bytes.p, bytes.len);
	h->len_bytes = (uint32_t)bytes.len;
	return 0;
}

int scaled_hist_from(struct scaled_hist *h, const struct histogram *from)
{
	struct scaled_hist made = {.scale = from->scale < HIST_SCALE ? from->scale : HIST_SCALE};
	struct pen p = {.out = BUF_INIT, .before = HIST_CODEC_KEY_BEFORE};
	int rc;

	put_side(&p, HIST_KEY_NEGATIVE, from->scale - made.scale, from->neg_offset, from->neg_counts, from->neg_counts_len);
	if (from->zero)
		pen_put(&p, (struct bucket){HIST_KEY_ZERO, (uint64_t)from->zero});
	put_side(&p, HIST_KEY_POSITIVE, from->scale - made.scale, from->offset, from->counts, from->counts_len);
	pen_put(&p, (struct bucket){0});
	rc = buf_failed(&p.out) ? -1 : take_bytes(&made, buf_str(&p.out));
	buf_fini(&p.out);
	if (rc == 0)
		*h = made;
	return rc;
}

/* A walk over a histogram's buckets, at a scale that is by lower. */
struct walk {
	struct codec_reader r;
	int32_t by;
	int64_t key;         /* the last one read, at its own scale */
	struct bucket ahead; /* the next one, at the lower scale, perhaps only a part of it */
};

static void walk_look(struct walk *w)
{
	w->ahead = (struct bucket){0};
	if (w->r.p == w->r.end)
		return;
	w->key += codec_read_long(&w->r);
	w->ahead.key = key_down(w->key, w->by);
	w->ahead.count = (uint64_t)codec_read_long(&w->r);
}

static struct walk walk_begin(const struct scaled_hist *h, int32_t scale)
{
	struct walk w = {.by = h->scale - scale, .key = HIST_CODEC_KEY_BEFORE};

	codec_reader_init(&w.r, bytes_of(h), NULL);
	walk_look(&w);
	return w;
}

/* The next bucket; its count is 0 behind the last one. */
static struct bucket walk_next(struct walk *w)
{
	struct bucket next = w->ahead;

	if (!next.count)
		return next;
	for (walk_look(w); w->ahead.count && w->ahead.key == next.key; walk_look(w))
		next.count += w->ahead.count;
	return next;
}

uint64_t scaled_hist_count(const struct scaled_hist *h)
{
	struct walk w = walk_begin(h, h->scale);
	uint64_t count = 0;

	for (struct bucket next = walk_next(&w); next.count; next = walk_next(&w))
		count += next.count;
	return count;
}

/* Dense counts of buckets that are all of one side. */
static int dense_side(const struct bucket *buckets, size_t nr, struct arena *arena, int32_t *offset, int64_t **counts, size_t *len)
{
	if (nr == 0)
		return 0;
	*offset = (int32_t)(buckets[0].key - key_base(buckets[0].key) + HIST_INDEX_MIN);
	*len = (size_t)(buckets[nr - 1].key - buckets[0].key) + 1;
	*counts = arena_calloc(arena, *len, sizeof(**counts));
	if (!*counts)
		return -1;
	for (size_t i = 0; i < nr; i++)
		(*counts)[buckets[i].key - buckets[0].key] = (int64_t)buckets[i].count;
	return 0;
}

static int to_dense(const struct bucket *buckets, size_t nr, int32_t scale, struct arena *arena, struct histogram *out)
{
	struct histogram dense = {.scale = scale};
	size_t zero = 0, positive;

	while (zero < nr && buckets[zero].key < HIST_KEY_ZERO)
		zero++;
	positive = zero;
	if (zero < nr && buckets[zero].key == HIST_KEY_ZERO)
		dense.zero = (int64_t)buckets[positive++].count;
	if (dense_side(buckets, zero, arena, &dense.neg_offset, &dense.neg_counts, &dense.neg_counts_len) < 0 ||
	    dense_side(buckets + positive, nr - positive, arena, &dense.offset, &dense.counts, &dense.counts_len) < 0)
		return -1;
	*out = dense;
	return 1;
}

int scaled_hist_subtract(const struct scaled_hist *h, const struct scaled_hist *sub, struct arena *arena, struct histogram *out)
{
	int32_t scale = h->scale < sub->scale ? h->scale : sub->scale;
	struct walk from = walk_begin(h, scale), taken = walk_begin(sub, scale);
	struct bucket *left = arena_alloc_raw(arena, (h->len_bytes / BUCKET_BYTES_MIN + 1) * sizeof(*left));
	struct bucket take = walk_next(&taken);
	size_t nr = 0;

	if (!left)
		return -1;
	for (struct bucket next = walk_next(&from); next.count; next = walk_next(&from)) {
		if (take.count && take.key <= next.key) {
			if (take.key < next.key || take.count > next.count)
				return 0;
			next.count -= take.count;
			take = walk_next(&taken);
		}
		if (next.count)
			left[nr++] = next;
	}
	return take.count ? 0 : to_dense(left, nr, scale, arena, out);
}

size_t scaled_hist_bytes(const struct scaled_hist *h)
{
	return h->len_bytes ? memory_rounded(h->len_bytes) : 0;
}

void scaled_hist_encode(const struct scaled_hist *h, struct buf *out)
{
	codec_write_int(out, h->scale);
	codec_write_bytes(out, bytes_of(h));
}

/* What is wrong with the bytes of a histogram; NULL: nothing. */
static const char *fault_of(struct str bytes, int32_t scale)
{
	uint64_t room = HIST_TRAVEL_TOTAL_MAX;
	int64_t key = HIST_CODEC_KEY_BEFORE;
	struct codec_reader r;

	codec_reader_init(&r, bytes, NULL);
	for (bool first = true; r.p < r.end && codec_reader_ok(&r); first = false) {
		int32_t step = codec_read_int(&r);
		int64_t count = codec_read_long(&r);

		key += step;
		if ((step < 1 && !first) || count < 1 || (uint64_t)count > room)
			return "a malformed histogram";
		if (!key_reachable(key, HIST_SCALE - scale))
			return "a bucket beyond any number";
		room -= (uint64_t)count;
	}
	return codec_reader_ok(&r) ? NULL : "a malformed histogram";
}

int scaled_hist_decode(struct scaled_hist *h, struct codec_reader *r, struct err *err)
{
	int32_t scale = codec_read_int(r);
	struct str bytes = codec_read_bytes(r);
	const char *fault;

	if (scale < SCALE_LOWEST || scale > HIST_SCALE)
		codec_fault(r, "a scale out of range");
	if (!codec_reader_ok(r))
		return -1;
	fault = fault_of(bytes, scale);
	if (fault)
		codec_fault(r, fault);
	if (!codec_reader_ok(r))
		return -1;
	h->scale = scale;
	return take_bytes(h, bytes) < 0 ? err_nomem(err, "a histogram of a snapshot") : 0;
}
