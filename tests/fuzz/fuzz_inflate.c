/* fuzz_inflate.c - any bytes as a compressed body, and any bytes as what was compressed.
 *
 * The first byte says which. Of a body: limits and charges are kept, a used inflater says the same as a fresh one, and what is taken
 * is what the library gives that is asked in another way (zlib byte by byte; zstd all at once). Of a text: compressed, it comes out
 * again; and with a byte of damage, which the text itself says, it is any body. The libraries are not instrumented: that is how deep
 * places are reached without their help. */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "ingest/inflate.h"

enum { MAX_BYTES = 1 << 20, NR_FORMS = 4 };

#define MUST(what) \
	do {       \
		if (!(what)) \
			abort(); \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const enum inflate_encoding encodings[NR_FORMS] = {INFLATE_GZIP, INFLATE_DEFLATE, INFLATE_DEFLATE, INFLATE_ZSTD};

static int add_charge(void *ctx, size_t more, struct refusal *no)
{
	size_t *charged = ctx;

	*charged += more;
	return *charged > MAX_BYTES ? refuse(no, REASON_OVER_BUDGET, "charged too much") : 0;
}

/* What zlib makes of a body, by a byte of input and a byte of output at a time; windows as zlib names formats. -1: nothing. */
static int reference_zlib(struct str in, int window_bits, struct buf *out)
{
	z_stream z = {0};
	int said = Z_OK;

	MUST(inflateInit2(&z, window_bits) == Z_OK);
	z.next_in = (Bytef *)(uintptr_t)in.p;
	for (size_t fed = 0; said == Z_OK || said == Z_BUF_ERROR;) {
		z.avail_out = 1;
		z.next_out = buf_reserve(out, 1);
		said = inflate(&z, Z_NO_FLUSH);
		out->len += 1 - z.avail_out;
		if (said == Z_STREAM_END && z.avail_in == 0 && fed < in.len && window_bits > MAX_WBITS)
			said = inflateReset(&z);
		if (z.avail_out && z.avail_in == 0) {
			if (fed == in.len)
				break;
			z.avail_in = 1;
			fed++;
		}
	}
	inflateEnd(&z);
	return said == Z_STREAM_END && z.next_in == (Bytef *)(uintptr_t)in.p + in.len ? 0 : -1;
}

/* As a stream too, a byte at a time: at once, libzstd 1.5.4 refuses an empty compressed block that it takes as a stream. */
static int reference_zstd(struct str in, struct buf *out)
{
	ZSTD_DStream *zstd = ZSTD_createDStream();
	ZSTD_inBuffer from = {in.p, 0, 0};
	bool whole = false;
	size_t left = 1;

	while (!whole && !ZSTD_isError(left)) {
		ZSTD_outBuffer to = {buf_reserve(out, 1), 1, 0};

		left = ZSTD_decompressStream(zstd, &to, &from);
		out->len += to.pos;
		whole = left == 0 && from.pos == in.len;
		if (to.pos == 0 && from.pos == from.size && from.size++ == in.len)
			break; /* cut off */
	}
	ZSTD_freeDStream(zstd);
	return whole ? 0 : -1;
}

static void check_taken(enum inflate_encoding encoding, struct str in, const struct buf *got)
{
	struct buf want = BUF_INIT;

	if (encoding == INFLATE_ZSTD)
		MUST(reference_zstd(in, &want) == 0);
	else if (encoding == INFLATE_GZIP)
		MUST(reference_zlib(in, 16 + MAX_WBITS, &want) == 0);
	else if (reference_zlib(in, MAX_WBITS, &want) < 0) {
		buf_clear(&want);
		MUST(reference_zlib(in, -MAX_WBITS, &want) == 0);
	}
	MUST(str_eq(buf_str(got), buf_str(&want)));
	buf_fini(&want);
}

static void check_body(struct inflater *used, enum inflate_encoding encoding, struct str in, size_t ratio)
{
	size_t charged = 0, again = 0, allowed = in.len * ratio < INFLATE_RATIO_FLOOR_BYTES ? INFLATE_RATIO_FLOOR_BYTES : in.len * ratio;
	struct inflate_limits limits = {.max_bytes = MAX_BYTES, .max_ratio = ratio, .charge = add_charge, .charge_ctx = &charged};
	struct inflater fresh = INFLATER_INIT;
	struct buf out = BUF_INIT, out_again = BUF_INIT;
	struct refusal no = {.reason = NR_REASONS}, no_again = {.reason = NR_REASONS};
	int rc = inflate_body(used, encoding, in, &limits, &out, &no);

	limits.charge_ctx = &again;
	MUST(inflate_body(&fresh, encoding, in, &limits, &out_again, &no_again) == rc);
	MUST(no.reason == no_again.reason && str_eq(buf_str(&out), buf_str(&out_again)) && charged == again);
	MUST(out.len <= MAX_BYTES + 1 && out.len <= allowed + 1);
	if (rc == 0) {
		MUST(charged == out.len && out.len <= MAX_BYTES && out.len <= allowed);
		if (out.len < 1 << 16) /* byte by byte takes its time */
			check_taken(encoding, in, &out);
	} else {
		MUST(no.reason == REASON_BAD_ENCODING || no.reason == REASON_INFLATED_TOO_LARGE || no.reason == REASON_INFLATE_RATIO);
	}
	inflater_fini(&fresh);
	buf_fini(&out);
	buf_fini(&out_again);
}

static void compress_text(struct str text, size_t form, int level, struct buf *out)
{
	static const int windows[] = {16 + MAX_WBITS, MAX_WBITS, -MAX_WBITS};
	z_stream z = {.next_in = (Bytef *)(uintptr_t)text.p, .avail_in = (uInt)text.len};
	size_t bound = 2 * ZSTD_compressBound(text.len) + 64;

	if (form == 3) {
		out->len = ZSTD_compress(buf_reserve(out, bound), bound, text.p, text.len, level);
		MUST(!ZSTD_isError(out->len));
		return;
	}
	MUST(deflateInit2(&z, level, Z_DEFLATED, windows[form], 8, Z_DEFAULT_STRATEGY) == Z_OK);
	z.next_out = buf_reserve(out, bound);
	z.avail_out = (uInt)bound;
	MUST(deflate(&z, Z_FINISH) == Z_STREAM_END);
	out->len = bound - z.avail_out;
	deflateEnd(&z);
}

static void check_text(struct inflater *used, struct str text, size_t form, int level)
{
	const struct inflate_limits limits = {.max_bytes = MAX_BYTES, .max_ratio = 100000};
	struct buf body = BUF_INIT, out = BUF_INIT;
	struct refusal no;

	compress_text(text, form, level, &body);
	MUST(inflate_body(used, encodings[form], buf_str(&body), &limits, &out, &no) == 0);
	MUST(str_eq(buf_str(&out), text));
	if (text.len > 3) {
		body.p[((uint8_t)text.p[0] | (size_t)(uint8_t)text.p[1] << 8) % body.len] ^= (uint8_t)text.p[2];
		check_body(used, encodings[form], buf_str(&body), 1 + (uint8_t)text.p[3]);
	}
	buf_fini(&body);
	buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = {(const char *)data + 1, size ? size - 1 : 0};
	struct inflater used = INFLATER_INIT;
	size_t form = size ? data[0] % NR_FORMS : 0;

	if (size == 0)
		return 0;
	if (data[0] & 0x80) {
		check_text(&used, rest, form, 1 + data[0] / NR_FORMS % 9);
	} else {
		check_text(&used, STR("before"), form, 1);
		check_body(&used, encodings[form], rest, 1 + (size_t)(data[0] / NR_FORMS) * 8);
	}
	inflater_fini(&used);
	return 0;
}
