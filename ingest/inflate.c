/* inflate.c - see inflate.h.
 *
 * Both libraries are asked for output piece by piece. A piece never has more room than the limits leave, and one byte: if that
 * byte is written, there is too much, and we need not know how much. So neither limit is checked against what a stream says about
 * itself, which an attacker writes, with one exception: a zstd frame that announces its size is refused at once when that is too
 * much. When it is not, the frame gets the room it asked for, and zstd writes into it without a window of its own.
 *
 * Windows are the other memory that a stream can ask for: 32 KiB in deflate; in zstd up to INFLATE_WINDOW_LOG_MAX, else the frame is
 * refused before anything is allocated. */
#include "ingest/inflate.h"

#include <endian.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <strings.h>
#define ZLIB_CONST /* its input is const */
#include <zlib.h>
#include <zstd.h>

#define ZSTD_FRAME_MAGIC UINT32_C(0xfd2fb528)
#define ZSTD_SKIPPABLE_MAGIC UINT32_C(0x184d2a50) /* and fifteen more */

enum { PIECE_MIN = 4 << 10, PIECE_MAX = 64 << 10, USUAL_RATIO = 4 };
enum { WINDOW_GZIP = 16 + MAX_WBITS, WINDOW_ZLIB = MAX_WBITS, WINDOW_RAW = -MAX_WBITS }; /* zlib's way to name formats */

/* One body on its way. */
struct flow {
	struct str in;
	const struct inflate_limits *limits;
	struct buf *out;
	struct refusal *no;
	size_t allowed; /* bytes of output */
	size_t charged;
	size_t piece;   /* room to ask for, when there is no better guess */
};

int inflate_encoding_of(const char *header, enum inflate_encoding *out)
{
	static const struct {
		const char *name;
		enum inflate_encoding encoding;
	} names[] = {{"", INFLATE_IDENTITY},   {"identity", INFLATE_IDENTITY}, {"gzip", INFLATE_GZIP},
		     {"x-gzip", INFLATE_GZIP}, {"deflate", INFLATE_DEFLATE},   {"zstd", INFLATE_ZSTD}};
	struct str s = str_from(header);

	while (s.len && (s.p[0] == ' ' || s.p[0] == '\t')) {
		s.p++;
		s.len--;
	}
	while (s.len && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t'))
		s.len--;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (s.len == strlen(names[i].name) && strncasecmp(s.p, names[i].name, s.len) == 0) {
			*out = names[i].encoding;
			return 0;
		}
	}
	return -1;
}

/* The lower of the two limits, for a body of this length. */
static size_t allowed_bytes(const struct inflate_limits *limits, size_t in_bytes)
{
	size_t by_ratio;

	if (__builtin_mul_overflow(in_bytes, limits->max_ratio, &by_ratio))
		by_ratio = SIZE_MAX;
	if (by_ratio < INFLATE_RATIO_FLOOR_BYTES)
		by_ratio = INFLATE_RATIO_FLOOR_BYTES;
	return by_ratio < limits->max_bytes ? by_ratio : limits->max_bytes;
}

static int refuse_more(const struct flow *f)
{
	if (f->allowed == f->limits->max_bytes)
		return refuse(f->no, REASON_INFLATED_TOO_LARGE, "the body inflates to more than %zu bytes", f->allowed);
	return refuse(f->no, REASON_INFLATE_RATIO, "%zu bytes inflate to more than %zu, %zu times as many", f->in.len, f->allowed,
		      f->limits->max_ratio);
}

static int refuse_memory(const struct flow *f)
{
	return refuse(f->no, REASON_OVER_BUDGET, "out of memory for a compressed body");
}

/* Charges the output up to a length. */
static int charge_to(struct flow *f, size_t len)
{
	size_t more = len > f->charged ? len - f->charged : 0;

	if (more && f->limits->charge && f->limits->charge(f->limits->charge_ctx, more, f->no) < 0)
		return -1;
	f->charged += more;
	return 0;
}

/* Room for the next piece, of about n bytes: at least one, and no more than one beyond what is allowed. NULL: refused. */
static uint8_t *next_piece(struct flow *f, size_t n, size_t *room)
{
	size_t left = f->allowed - f->out->len;
	uint8_t *to;

	*room = n > left ? left + 1 : n ? n : 1;
	to = buf_reserve(f->out, *room);
	if (!to)
		refuse_memory(f);
	return to;
}

/* n bytes were written to the piece. */
static int took_piece(struct flow *f, size_t n)
{
	f->out->len += n;
	if (f->out->len > f->allowed)
		return refuse_more(f);
	return charge_to(f, f->out->len);
}

static int pass_identity(struct flow *f)
{
	size_t room;
	uint8_t *to = next_piece(f, f->in.len, &room);

	if (!to)
		return -1;
	if (f->in.len < room)
		room = f->in.len;
	if (room)
		memcpy(to, f->in.p, room);
	return took_piece(f, room);
}

/* The stream for this window, fresh or made anew. NULL: memory is short. */
static z_stream *zlib_begin(struct inflater *inf, int window_bits)
{
	if (inf->zlib)
		return inflateReset2(inf->zlib, window_bits) == Z_OK ? inf->zlib : NULL;
	inf->zlib = calloc(1, sizeof(*inf->zlib));
	if (inf->zlib && inflateInit2(inf->zlib, window_bits) != Z_OK) {
		free(inf->zlib);
		inf->zlib = NULL;
	}
	return inf->zlib;
}

/* A member of gzip ended: 1 all is done, 0 another one follows. */
static int zlib_end_member(const struct flow *f, z_stream *z, bool gzip)
{
	if (z->avail_in == 0)
		return 1;
	if (!gzip || z->next_in[0] != 0x1f) /* the next header is checked as the first was */
		return refuse(f->no, REASON_BAD_ENCODING, "byte %zu: something follows the compressed data", f->in.len - z->avail_in);
	return inflateReset(z) == Z_OK ? 0 : refuse_memory(f);
}

/* What inflate() said, when it was not progress. */
static int zlib_fault(const struct flow *f, const z_stream *z, int said)
{
	if (said == Z_MEM_ERROR)
		return refuse_memory(f);
	if (said == Z_BUF_ERROR)
		return refuse(f->no, REASON_BAD_ENCODING, "the compressed data is cut off");
	return refuse(f->no, REASON_BAD_ENCODING, "byte %zu: %s", f->in.len - z->avail_in,
		      said == Z_NEED_DICT ? "a dictionary is needed" : z->msg ? z->msg : "not what Content-Encoding says");
}

static int inflate_zlib(struct flow *f, struct inflater *inf, int window_bits)
{
	z_stream *z = zlib_begin(inf, window_bits);
	int rc = 0;

	if (!z)
		return refuse_memory(f);
	z->next_in = (const Bytef *)f->in.p;
	z->avail_in = (uInt)f->in.len;
	while (rc == 0) {
		size_t room;
		int said;

		z->next_out = next_piece(f, f->piece, &room);
		if (!z->next_out)
			return -1;
		z->avail_out = (uInt)room;
		said = inflate(z, Z_NO_FLUSH);
		if (took_piece(f, room - z->avail_out) < 0)
			return -1;
		if (said == Z_STREAM_END)
			rc = zlib_end_member(f, z, window_bits == WINDOW_GZIP);
		else if (said != Z_OK)
			rc = zlib_fault(f, z, said);
	}
	return rc < 0 ? -1 : 0;
}

/* A zlib wrapper begins with its method, 8, and a check of its two bytes. Bare deflate would have to begin with a stored block whose
 * padding is not zero to look like it: no encoder writes that. */
static bool has_zlib_header(struct str in)
{
	unsigned first = in.len ? (uint8_t)in.p[0] : 0, second = in.len > 1 ? (uint8_t)in.p[1] : 0;

	return (first & 0x0f) == 8 && first >> 4 <= 7 && (first << 8 | second) % 31 == 0;
}

static ZSTD_DCtx *zstd_begin(struct inflater *inf)
{
	if (!inf->zstd)
		inf->zstd = ZSTD_createDCtx();
	if (!inf->zstd || ZSTD_isError(ZSTD_DCtx_reset(inf->zstd, ZSTD_reset_session_only)) ||
	    ZSTD_isError(ZSTD_DCtx_setParameter(inf->zstd, ZSTD_d_windowLogMax, INFLATE_WINDOW_LOG_MAX)))
		return NULL;
	return inf->zstd;
}

/* Looks at a frame before it is begun. *n is the room it needs, where it says so. The library knows formats of before RFC 8878, too,
 * which nobody sends but who looks for old bugs. */
static int zstd_open_frame(struct flow *f, struct str frame, size_t *n)
{
	unsigned long long announced;
	uint32_t magic;

	if (frame.len < sizeof(magic))
		return refuse(f->no, REASON_BAD_ENCODING, "the compressed data is cut off");
	memcpy(&magic, frame.p, sizeof(magic));
	magic = le32toh(magic);
	if (magic != ZSTD_FRAME_MAGIC && (magic & ~UINT32_C(15)) != ZSTD_SKIPPABLE_MAGIC)
		return refuse(f->no, REASON_BAD_ENCODING, "byte %zu: no zstd frame begins here", (size_t)(frame.p - f->in.p));
	*n = f->piece;
	announced = ZSTD_getFrameContentSize(frame.p, frame.len);
	if (announced == ZSTD_CONTENTSIZE_UNKNOWN || announced == ZSTD_CONTENTSIZE_ERROR)
		return 0;
	if (announced > f->allowed - f->out->len)
		return refuse_more(f);
	*n = (size_t)announced;
	return charge_to(f, f->out->len + *n);
}

static int inflate_zstd(struct flow *f, struct inflater *inf)
{
	ZSTD_DCtx *zstd = zstd_begin(inf);
	ZSTD_inBuffer in = {f->in.p, f->in.len, 0};
	size_t left = 0; /* 0: between frames */

	if (!zstd)
		return refuse_memory(f);
	do {
		ZSTD_outBuffer piece = {.pos = 0};
		size_t n = f->piece;

		if (left == 0 && zstd_open_frame(f, (struct str){f->in.p + in.pos, in.size - in.pos}, &n) < 0)
			return -1;
		piece.dst = next_piece(f, n, &piece.size);
		if (!piece.dst)
			return -1;
		left = ZSTD_decompressStream(zstd, &piece, &in);
		if (ZSTD_isError(left))
			return refuse(f->no, REASON_BAD_ENCODING, "byte %zu: %s", in.pos, ZSTD_getErrorName(left));
		if (took_piece(f, piece.pos) < 0)
			return -1;
		if (left && in.pos == in.size && piece.pos < piece.size)
			return refuse(f->no, REASON_BAD_ENCODING, "the compressed data is cut off");
	} while (left || in.pos < in.size);
	return 0;
}

int inflate_body(struct inflater *inf, enum inflate_encoding encoding, struct str in, const struct inflate_limits *limits,
		 struct buf *out, struct refusal *no)
{
	struct flow f = {.in = in, .limits = limits, .out = out, .no = no, .allowed = allowed_bytes(limits, in.len)};

	buf_clear(out);
	if (in.len > UINT_MAX)
		return refuse(no, REASON_BODY_TOO_LARGE, "the body has %zu bytes", in.len);
	f.piece = in.len > PIECE_MAX / USUAL_RATIO ? PIECE_MAX : in.len < PIECE_MIN / USUAL_RATIO ? PIECE_MIN : in.len * USUAL_RATIO;
	switch (encoding) {
	case INFLATE_GZIP:
		return inflate_zlib(&f, inf, WINDOW_GZIP);
	case INFLATE_DEFLATE:
		return inflate_zlib(&f, inf, has_zlib_header(in) ? WINDOW_ZLIB : WINDOW_RAW);
	case INFLATE_ZSTD:
		return inflate_zstd(&f, inf);
	default:
		return pass_identity(&f);
	}
}

void inflater_fini(struct inflater *inf)
{
	if (inf->zlib) {
		inflateEnd(inf->zlib);
		free(inf->zlib);
	}
	ZSTD_freeDCtx(inf->zstd);
	*inf = (struct inflater)INFLATER_INIT;
}
