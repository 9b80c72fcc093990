/* hist_codec.c - see hist_codec.h. A side gets exactly the room that its buckets need. */
#include "processor/hist_codec.h"

#include <stdlib.h>

enum { BUCKET_BYTES_MIN = 2 /* the least that one takes, so that a count is believed no further than that */ };

static void write_side(struct buf *out, const struct hist_side *side)
{
	codec_write_long(out, side->len);
	for (uint32_t i = 0; i < side->len; i++) {
		codec_write_int(out, side->buckets[i].index);
		codec_write_long(out, (int64_t)side->buckets[i].count);
	}
}

void hist_codec_write(struct buf *out, const struct hist *h)
{
	codec_write_long(out, (int64_t)h->zero);
	write_side(out, &h->pos);
	write_side(out, &h->neg);
}

/* How many buckets follow. 0 after a fault. */
static uint32_t read_count(struct codec_reader *r)
{
	size_t nr = codec_read_count(r, BUCKET_BYTES_MIN);

	if (nr > HIST_INDEX_MAX - HIST_INDEX_MIN + 1)
		codec_fault(r, "more buckets than there are");
	return codec_reader_ok(r) ? (uint32_t)nr : 0;
}

static int read_side(struct codec_reader *r, struct hist_side *side, struct err *err)
{
	uint32_t nr = read_count(r);
	int64_t below = HIST_INDEX_MIN - 1;

	if (nr) {
		side->buckets = calloc(nr, sizeof(*side->buckets));
		if (!side->buckets)
			return err_nomem(err, "a histogram of a snapshot");
		side->cap = nr;
	}
	for (uint32_t i = 0; i < nr && codec_reader_ok(r); i++) {
		struct hist_bucket bucket = {.index = codec_read_int(r)};
		int64_t count = codec_read_long(r);

		if (bucket.index <= below || bucket.index > HIST_INDEX_MAX || count < 1)
			codec_fault(r, "a malformed histogram");
		bucket.count = (uint64_t)count;
		below = bucket.index;
		side->buckets[side->len++] = bucket;
	}
	return codec_reader_ok(r) ? 0 : -1;
}

int hist_codec_read(struct codec_reader *r, struct hist *h, struct err *err)
{
	int64_t zero = codec_read_long(r);

	if (zero < 0)
		codec_fault(r, "a malformed histogram");
	h->zero = zero < 0 ? 0 : (uint64_t)zero;
	return read_side(r, &h->pos, err) < 0 || read_side(r, &h->neg, err) < 0 ? -1 : 0;
}
