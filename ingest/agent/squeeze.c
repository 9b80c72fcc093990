/* squeeze.c - see squeeze.h. */
#include "ingest/agent/squeeze.h"

#include <zstd.h>

enum { LEVEL = 3 };

int squeeze_bytes(struct str in, struct buf *out, struct err *err)
{
	size_t n, bound = ZSTD_compressBound(in.len);

	buf_clear(out);
	if (!buf_reserve(out, bound))
		return err_set(err, ERR_RETRY, "compress a payload of %zu bytes: no memory", in.len);
	n = ZSTD_compress(out->p, bound, in.p, in.len, LEVEL);
	if (ZSTD_isError(n))
		return err_set(err, ERR_RETRY, "compress a payload of %zu bytes: %s", in.len, ZSTD_getErrorName(n));
	out->len = n;
	return 0;
}

int squeeze_undo(struct str in, size_t max_bytes, struct buf *out, struct err *err)
{
	unsigned long long size = ZSTD_getFrameContentSize(in.p, in.len);
	size_t n;

	buf_clear(out);
	if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN || size > max_bytes)
		return err_set(err, ERR_REJECT, "a payload's body is no zstd frame of at most %zu bytes", max_bytes);
	if (!buf_reserve(out, size ? (size_t)size : 1))
		return err_set(err, ERR_RETRY, "inflate a payload of %llu bytes: no memory", size);
	n = ZSTD_decompress(out->p, (size_t)size, in.p, in.len);
	if (ZSTD_isError(n) || n != size)
		return err_set(err, ERR_REJECT, "a payload's body is damaged");
	out->len = n;
	return 0;
}

size_t squeeze_inflated_bytes(struct str in)
{
	unsigned long long size = ZSTD_getFrameContentSize(in.p, in.len);

	return size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN ? 0 : (size_t)size;
}
