/* compress.h - what clients send: text compressed by the libraries themselves, in every way that has a name. */
#ifndef MILLRACE_TESTS_COMPRESS_H
#define MILLRACE_TESTS_COMPRESS_H

#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "common/str.h"
#include "tests/unit/unit.h"

enum form { GZIP, ZLIB, RAW, ZSTD_SIZED, ZSTD_STREAMED, ZSTD_UNCHECKED, NR_FORMS };

/* zlib's name for a format. */
static inline int zlib_window(enum form form)
{
	return form == GZIP ? 16 + MAX_WBITS : form == ZLIB ? MAX_WBITS : -MAX_WBITS;
}

static inline void compress_zlib(struct buf *out, struct str text, enum form form, int level)
{
	z_stream z = {0};
	gz_header header = {.name = (Bytef *)"a name", .comment = (Bytef *)"and more", .hcrc = 1};
	uLong bound;

	ck_assert_int_eq(deflateInit2(&z, level, Z_DEFLATED, zlib_window(form), 8, Z_DEFAULT_STRATEGY), Z_OK);
	if (form == GZIP && level == 9)
		ck_assert_int_eq(deflateSetHeader(&z, &header), Z_OK);
	bound = deflateBound(&z, text.len) + 64;
	z.next_in = (Bytef *)(uintptr_t)text.p;
	z.avail_in = (uInt)text.len;
	z.next_out = buf_reserve(out, bound);
	z.avail_out = (uInt)bound;
	ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
	out->len += bound - z.avail_out;
	deflateEnd(&z);
}

/* Without its size in front, as by a program that does not know it yet. */
static inline void compress_streamed(struct buf *out, struct str text, ZSTD_CCtx *zstd)
{
	size_t bound = ZSTD_compressBound(text.len) + 64;
	ZSTD_inBuffer in = {text.p, text.len, 0};
	ZSTD_outBuffer to = {buf_reserve(out, bound), bound, 0};

	ck_assert_uint_eq(ZSTD_compressStream2(zstd, &to, &in, ZSTD_e_continue) > bound, 0);
	while (ZSTD_compressStream2(zstd, &to, &in, ZSTD_e_end))
		ck_assert(to.pos < to.size);
	out->len += to.pos;
}

/* Window log 0: the level's own. */
static inline void compress_zstd(struct buf *out, struct str text, enum form form, int level, int window_log)
{
	ZSTD_CCtx *zstd = ZSTD_createCCtx();

	ZSTD_CCtx_setParameter(zstd, ZSTD_c_compressionLevel, level);
	ZSTD_CCtx_setParameter(zstd, ZSTD_c_checksumFlag, form != ZSTD_UNCHECKED);
	ZSTD_CCtx_setParameter(zstd, ZSTD_c_windowLog, window_log);
	if (form == ZSTD_STREAMED) {
		compress_streamed(out, text, zstd);
	} else {
		size_t bound = ZSTD_compressBound(text.len);
		size_t n = ZSTD_compress2(zstd, buf_reserve(out, bound), bound, text.p, text.len);

		ck_assert(!ZSTD_isError(n));
		out->len += n;
	}
	ZSTD_freeCCtx(zstd);
}

/* Appends text in this form. */
static inline void compress_text(struct buf *out, struct str text, enum form form, int level)
{
	if (form == GZIP || form == ZLIB || form == RAW)
		compress_zlib(out, text, form, level);
	else
		compress_zstd(out, text, form, level, 0);
}

static inline void put_le(struct buf *out, uint64_t v, int bytes)
{
	for (int i = 0; i < bytes; i++)
		buf_add(out, &(uint8_t){(uint8_t)(v >> 8 * i)}, 1);
}

/* 1 MiB of zeros as a piece of deflate that stands for itself, so that it can be repeated. */
static inline void deflate_piece(struct buf *out, const uint8_t *zeros, size_t len)
{
	z_stream z = {0};

	ck_assert_int_eq(deflateInit2(&z, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (Bytef *)(uintptr_t)zeros;
	z.avail_in = (uInt)len;
	z.next_out = buf_reserve(out, 1 << 16);
	z.avail_out = 1 << 16;
	ck_assert_int_eq(deflate(&z, Z_FULL_FLUSH), Z_OK);
	out->len += (1 << 16) - z.avail_out;
	deflateEnd(&z);
}

/* Zeros, so many MiB of them, with the check values that they have: a bomb, or, if small, a sound body. */
static inline void deflate_bomb(struct buf *out, enum form form, unsigned mib)
{
	const size_t len = 1 << 20;
	uint8_t *zeros = calloc(1, len);
	struct buf piece = BUF_INIT;
	uLong crc = crc32(0, NULL, 0), adler = adler32(0, NULL, 0);
	uLong crc_1 = crc32(crc, zeros, (uInt)len), adler_1 = adler32(adler, zeros, (uInt)len);

	deflate_piece(&piece, zeros, len);
	if (form == GZIP)
		buf_add(out, "\x1f\x8b\x08\0\0\0\0\0\0\xff", 10);
	if (form == ZLIB)
		buf_add(out, "\x78\xda", 2);
	for (unsigned i = 0; i < mib; i++) {
		buf_add(out, piece.p, piece.len);
		crc = crc32_combine(crc, crc_1, (z_off_t)len);
		adler = adler32_combine(adler, adler_1, (z_off_t)len);
	}
	buf_add(out, "\x03\x00", 2); /* the last block, empty */
	if (form == GZIP) {
		put_le(out, crc, 4);
		put_le(out, (uint64_t)mib * len, 4);
	}
	for (int i = 3; form == ZLIB && i >= 0; i--)
		put_le(out, adler >> 8 * i, 1);
	buf_fini(&piece);
	free(zeros);
}

/* The same in zstd, by blocks that say "this byte, so often". Sized: the frame announces its length. */
static inline void zstd_bomb(struct buf *out, bool sized, unsigned mib)
{
	const unsigned block = 128 << 10, nr = mib * 8;

	put_le(out, 0xfd2fb528, 4);
	put_le(out, sized ? 0xc0 : 0, 1); /* 8 bytes of content size, or none; no checksum */
	put_le(out, (20 - 10) << 3, 1);   /* a window of 1 MiB */
	if (sized)
		put_le(out, (uint64_t)mib << 20, 8);
	for (unsigned i = 0; i < nr; i++) {
		put_le(out, block << 3 | 1 << 1 | (i == nr - 1), 3);
		put_le(out, 0, 1);
	}
}

static inline void make_bomb(struct buf *out, enum form form, unsigned mib)
{
	if (form == GZIP || form == ZLIB || form == RAW)
		deflate_bomb(out, form, mib);
	else
		zstd_bomb(out, form == ZSTD_SIZED, mib);
}

#endif
