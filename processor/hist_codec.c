/* hist_codec.c - see hist_codec.h. The block gets the room that its buckets need, and no more than the bytes can bear. */
#include "processor/hist_codec.h"

enum { BUCKET_BYTES_MIN = 2 /* the least that one takes, so that a count is believed no further than that */ };

void hist_codec_write(struct buf *out, const struct hist *h)
{
	int64_t before = HIST_CODEC_KEY_BEFORE;

	codec_write_long(out, hist_len(h));
	for (uint32_t i = 0; i < hist_len(h); i++) {
		codec_write_long(out, (int64_t)hist_key(h, i) - before);
		codec_write_long(out, (int64_t)hist_bucket_count(h, i));
		before = hist_key(h, i);
	}
}

int hist_codec_read(struct codec_reader *r, struct hist *h, struct err *err)
{
	size_t nr = codec_read_count(r, BUCKET_BYTES_MIN);
	int64_t key = HIST_CODEC_KEY_BEFORE;

	if (nr > HIST_NR_KEYS)
		codec_fault(r, "more buckets than there are");
	if (!codec_reader_ok(r))
		return -1;
	if (nr && hist_reserve(h, nr) < 0)
		return err_nomem(err, "a histogram of a snapshot");
	for (size_t i = 0; i < nr && codec_reader_ok(r); i++) {
		int64_t count;

		key += codec_read_int(r);
		count = codec_read_long(r);
		if (codec_reader_ok(r) && hist_append(h, key, (uint64_t)count) != 0)
			codec_fault(r, "a malformed histogram");
	}
	return codec_reader_ok(r) ? 0 : -1;
}
