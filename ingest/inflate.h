/* inflate.h - bodies that arrive compressed.
 *
 * Content-Encoding gzip (RFC 1952; x-gzip is the same), deflate (RFC 9110: in a zlib wrapper, RFC 1950; and bare, RFC 1951, as many
 * clients send it) and zstd (RFC 8878). Members of gzip and frames of zstd may follow one another; anything else behind a stream,
 * a stream that ends too soon, or a check value that does not match is bad_encoding.
 *
 * The limits hold while a body inflates, not afterwards: a bomb costs what the limit allows, and no more. */
#ifndef MILLRACE_INGEST_INFLATE_H
#define MILLRACE_INGEST_INFLATE_H

#include <stddef.h>

#include "common/str.h"
#include "ingest/refusal.h"

enum {
	INFLATE_RATIO_FLOOR_BYTES = 64 << 10, /* up to here no ratio is too high: small texts of one letter are no attack */
	INFLATE_WINDOW_LOG_MAX = 23,          /* of zstd, 8 MiB: what RFC 9659 allows in this use */
};

enum inflate_encoding { INFLATE_IDENTITY, INFLATE_GZIP, INFLATE_DEFLATE, INFLATE_ZSTD };

/* What a Content-Encoding header (NULL: there is none) means, in either case. 0, or -1: nothing that we know, and so is a list of
 * encodings one upon the other. */
int inflate_encoding_of(const char *header, enum inflate_encoding *out);

struct inflate_limits {
	size_t max_bytes; /* above: inflated_too_large */
	size_t max_ratio; /* output over input, at least 1; above: inflate_ratio */
	/* Called with the bytes by which the output has just grown, or is about to; NULL: nobody minds. For a body that is taken they add
	 * up to the output's length; for one that is not, the caller gives back what it was charged. -1 with *no set ends the inflating. */
	int (*charge)(void *ctx, size_t more_bytes, struct refusal *no);
	void *charge_ctx;
};

/* The decompressors' states, made when first needed and used again by body after body: 40 KiB for gzip and deflate; for zstd
 * 160 KiB, and the window of frames that do not tell their size. Not thread-safe: one owner. */
struct inflater {
	struct z_stream_s *zlib;
	struct ZSTD_DCtx_s *zstd;
};

#define INFLATER_INIT {0}

/* Frees the states; the inflater is as after INFLATER_INIT. */
void inflater_fini(struct inflater *inf);

/* Inflates in, of less than 4 GiB, into out, whose old content is forgotten. 0; or -1 and *no: bad_encoding, inflated_too_large,
 * inflate_ratio, over_budget (memory is short), or what charge said. out holds at most one byte more than the limits allow. */
int inflate_body(struct inflater *inf, enum inflate_encoding encoding, struct str in, const struct inflate_limits *limits,
		 struct buf *out, struct refusal *no);

#endif
