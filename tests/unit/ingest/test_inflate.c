/* test_inflate.c - compressed bodies: what was compressed comes out again, nothing else does, and bombs cost what the limits allow. */
#include "ingest/inflate.h"

#include <sys/resource.h>

#include "tests/unit/ingest/compress.h"

enum { MIB = 1 << 20 };

static const enum inflate_encoding encodings[NR_FORMS] = {INFLATE_GZIP, INFLATE_DEFLATE, INFLATE_DEFLATE,
							   INFLATE_ZSTD, INFLATE_ZSTD,	  INFLATE_ZSTD};
static const struct inflate_limits roomy = {.max_bytes = 64 * MIB, .max_ratio = 1000000};

static const struct {
	const char *header;
	int encoding; /* -1: none that we know */
} headers[] = {
	{NULL, INFLATE_IDENTITY},    {"", INFLATE_IDENTITY},   {"identity", INFLATE_IDENTITY}, {"gzip", INFLATE_GZIP},
	{"GZip", INFLATE_GZIP},	     {"x-gzip", INFLATE_GZIP}, {" \tgzip  ", INFLATE_GZIP},    {"deflate", INFLATE_DEFLATE},
	{"ZSTD", INFLATE_ZSTD},	     {"gzip, zstd", -1},       {"identity,gzip", -1},	       {"gzip,", -1},
	{"br", -1},		     {"gzi", -1},	       {"gzipp", -1},		       {"compress", -1},
	{"*", -1},		     {"gzip;q=1", -1},	       {"g zip", -1},
};

START_TEST(headers_name_encodings)
{
	enum inflate_encoding got = INFLATE_ZSTD;
	int rc = inflate_encoding_of(headers[_i].header, &got);

	ck_assert_int_eq(rc < 0 ? -1 : (int)got, headers[_i].encoding);
}
END_TEST

/* Inflates a copy that ends with its allocation, so that a sanitizer sees any byte read behind it. */
static int inflate_exactly(struct inflater *inf, enum inflate_encoding encoding, struct str in, const struct inflate_limits *limits,
			   struct buf *out, struct refusal *no)
{
	char *exact = malloc(in.len ? in.len : 1);
	int rc;

	memcpy(exact, in.p, in.len);
	*no = (struct refusal){.reason = NR_REASONS};
	rc = inflate_body(inf, encoding, (struct str){exact, in.len}, limits, out, no);
	free(exact);
	return rc;
}

static void must_inflate(struct inflater *inf, enum form form, const struct buf *body, struct str text)
{
	struct buf out = BUF_INIT;
	struct refusal no;

	ck_assert_msg(inflate_exactly(inf, encodings[form], buf_str(body), &roomy, &out, &no) == 0, "form %d: %s", form, no.detail);
	ck_assert_msg(str_eq(buf_str(&out), text), "form %d: %zu bytes became %zu", form, text.len, out.len);
	buf_fini(&out);
}

static void must_refuse(struct inflater *inf, enum inflate_encoding encoding, struct str body, enum reason reason, const char *detail)
{
	struct buf out = BUF_INIT;
	struct refusal no;

	ck_assert_msg(inflate_exactly(inf, encoding, body, &roomy, &out, &no) == -1, "%zu bytes were taken", body.len);
	ck_assert_msg(no.reason == reason && strstr(no.detail, detail), "%s: %s", reason_name(no.reason), no.detail);
	buf_fini(&out);
}

/* Text of a few letters, now and then with a long run or with noise: compresses, but not to nothing. */
static char *random_text(struct unit_random *r, size_t len)
{
	char *text = malloc(len + 1);

	for (size_t i = 0; i < len;) {
		size_t n = 1 + unit_random_below(r, 200);
		uint64_t kind = unit_random_below(r, 4);

		for (; n && i < len; n--, i++)
			text[i] = (char)(kind == 0 ? 'x' : kind == 1 ? unit_random_below(r, 256) : 'a' + unit_random_below(r, 6));
	}
	return text;
}

START_TEST(round_trips)
{
	static const size_t sizes[] = {0, 1, 2, 100, 4095, 4096, 4097, 16384, 65536, 65537, 131072, 300000, 1500000};
	static const int levels[] = {1, 6, 9};
	struct unit_random r = unit_random_new("inflate");
	struct inflater inf = INFLATER_INIT;

	for (size_t i = 0; i < NR(sizes); i++) {
		struct str text = {random_text(&r, sizes[i]), sizes[i]};

		for (enum form form = 0; form < NR_FORMS; form++) {
			for (size_t k = 0; k < NR(levels); k++) {
				struct buf body = BUF_INIT;

				compress_text(&body, text, form, levels[k]);
				must_inflate(&inf, form, &body, text);
				buf_fini(&body);
			}
		}
		free((void *)(uintptr_t)text.p);
	}
	inflater_fini(&inf);
}
END_TEST

START_TEST(members_and_frames_follow_one_another)
{
	static const enum form forms[] = {GZIP, ZSTD_SIZED, ZSTD_STREAMED, ZSTD_UNCHECKED};
	struct inflater inf = INFLATER_INIT;

	for (size_t i = 0; i < NR(forms); i++) {
		struct buf body = BUF_INIT;

		compress_text(&body, STR("one, "), forms[i], 6);
		compress_text(&body, STR(""), forms[i], 6);
		if (encodings[forms[i]] == INFLATE_ZSTD) { /* what a decoder is to skip, one of it empty */
			put_le(&body, 0x184d2a53, 4);
			put_le(&body, 3, 4);
			buf_add(&body, "abc", 3);
			put_le(&body, 0x184d2a5f, 4);
			put_le(&body, 0, 4);
		}
		compress_text(&body, STR("two"), forms[i], 9);
		must_inflate(&inf, forms[i], &body, STR("one, two"));
		buf_fini(&body);
	}
	inflater_fini(&inf);
}
END_TEST

/* Streams in one allocation and of one kind, good ones and bad ones in turn: no body sees what was before it. */
START_TEST(every_truncation_is_refused)
{
	struct unit_random r = unit_random_new("inflate");
	struct str text = {random_text(&r, 3000), 3000};
	struct inflater inf = INFLATER_INIT;

	for (enum form form = 0; form < NR_FORMS; form++) {
		struct buf body = BUF_INIT;

		compress_text(&body, text, form, 9);
		for (size_t n = 0; n < body.len; n++)
			must_refuse(&inf, encodings[form], (struct str){(char *)body.p, n}, REASON_BAD_ENCODING, "");
		must_inflate(&inf, form, &body, text);
		buf_fini(&body);
	}
	inflater_fini(&inf);
	free((void *)(uintptr_t)text.p);
}
END_TEST

/* Where there is a check value, a flipped bit makes no other text. (A gzip header has bits that mean nothing. Adler-32, of the zlib
 * wrapper, is too weak: two bytes that trade places can keep it.) */
START_TEST(flipped_bits_make_no_other_text)
{
	static const enum form forms[] = {GZIP, ZSTD_SIZED, ZSTD_STREAMED};
	struct unit_random r = unit_random_new("inflate");
	struct str text = {random_text(&r, 1000), 1000};
	struct inflater inf = INFLATER_INIT;
	struct refusal no;

	for (size_t i = 0; i < NR(forms); i++) {
		struct buf body = BUF_INIT, out = BUF_INIT;
		size_t refused = 0;

		compress_text(&body, text, forms[i], 9);
		for (size_t bit = 0; bit < 8 * body.len; bit++) {
			body.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
			if (inflate_exactly(&inf, encodings[forms[i]], buf_str(&body), &roomy, &out, &no) == 0)
				ck_assert_msg(str_eq(buf_str(&out), text), "form %d, bit %zu: %zu bytes", forms[i], bit, out.len);
			else
				refused++;
			ck_assert(no.reason == NR_REASONS || no.reason == REASON_BAD_ENCODING || no.reason == REASON_INFLATED_TOO_LARGE);
			body.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		ck_assert_uint_gt(refused, 7 * body.len);
		buf_fini(&body);
		buf_fini(&out);
	}
	inflater_fini(&inf);
	free((void *)(uintptr_t)text.p);
}
END_TEST

START_TEST(what_follows_is_refused)
{
	static const char *const tails[] = {"x", "\x1f", "\x1f\x8b", "\x28", "\x28\xb5\x2f\xfd", "and more"};
	struct inflater inf = INFLATER_INIT;

	for (enum form form = 0; form < NR_FORMS; form++) {
		for (size_t i = 0; i < NR(tails) + 1; i++) {
			struct str tail = i < NR(tails) ? str_from(tails[i]) : (struct str){"\0", 1};
			struct buf body = BUF_INIT;

			compress_text(&body, STR("text"), form, 6);
			buf_add(&body, tail.p, tail.len);
			must_refuse(&inf, encodings[form], buf_str(&body), REASON_BAD_ENCODING, "");
			buf_fini(&body);
		}
	}
	inflater_fini(&inf);
}
END_TEST

static const struct {
	enum inflate_encoding encoding;
	const char *bytes, *detail;
	size_t len;
} other_formats[] = {
	{INFLATE_GZIP, "{\"metrics\":[]}", "byte 2: incorrect header check", 14},
	{INFLATE_GZIP, "\x1f\x8b\x08\xe0\0\0\0\0\0\x03", "unknown header flags set", 10},
	{INFLATE_GZIP, "\x1f\x8b\x07\0\0\0\0\0\0\x03", "unknown compression method", 10},
	{INFLATE_DEFLATE, "{\"metrics\":[]}", "byte ", 14},
	{INFLATE_DEFLATE, "\x78\xbb\0\0\0\1", "a dictionary is needed", 6}, /* FDICT */
	{INFLATE_DEFLATE, "\x07", "invalid block type", 1},
	{INFLATE_ZSTD, "{\"metrics\":[]}", "byte 0: no zstd frame begins here", 14},
	{INFLATE_ZSTD, "\x27\xb5\x2f\xfd\0\0\0\0", "no zstd frame", 8}, /* version 0.7, which the library may know */
	{INFLATE_ZSTD, "\x28\xb5\x2f\xfd\x21\x01\x05\x29\0\0hello", "Dictionary mismatch", 15},
	{INFLATE_ZSTD, "\x28\xb5\x2f\xfd\x28\x05\0", "Unsupported frame parameter", 7}, /* a reserved bit */
	{INFLATE_GZIP, "", "cut off", 0},
	{INFLATE_DEFLATE, "", "cut off", 0},
	{INFLATE_ZSTD, "", "cut off", 0},
};

START_TEST(another_format_is_refused)
{
	struct inflater inf = INFLATER_INIT;

	must_refuse(&inf, other_formats[_i].encoding, (struct str){other_formats[_i].bytes, other_formats[_i].len}, REASON_BAD_ENCODING,
		    other_formats[_i].detail);
	inflater_fini(&inf);
}
END_TEST

static size_t peak_bytes(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (size_t)usage.ru_maxrss << 10;
}

/* 1 GiB by each of the limits, in every form; and the same form small, which is sound. */
START_TEST(a_bomb_costs_what_the_limits_allow)
{
	static const struct inflate_limits by_size = {.max_bytes = 20 * MIB, .max_ratio = SIZE_MAX};
	static const struct inflate_limits by_ratio = {.max_bytes = SIZE_MAX, .max_ratio = 4};
	struct buf bomb = BUF_INIT, small = BUF_INIT, out = BUF_INIT;
	struct inflater inf = INFLATER_INIT;
	struct refusal no;
	size_t before, by_ratio_bytes;
	char *zeros = calloc(4, MIB);

	make_bomb(&small, (enum form)_i, 4);
	must_inflate(&inf, (enum form)_i, &small, (struct str){zeros, 4 * MIB});
	make_bomb(&bomb, (enum form)_i, 1024);
	by_ratio_bytes = 4 * bomb.len < INFLATE_RATIO_FLOOR_BYTES ? INFLATE_RATIO_FLOOR_BYTES : 4 * bomb.len;
	before = peak_bytes();
	ck_assert_int_eq(inflate_body(&inf, encodings[_i], buf_str(&bomb), &by_ratio, &out, &no), -1);
	ck_assert_msg(no.reason == REASON_INFLATE_RATIO && strstr(no.detail, "4 times"), "%s: %s", reason_name(no.reason), no.detail);
	ck_assert_uint_le(out.len, by_ratio_bytes + 1);
	ck_assert_uint_le(out.cap, 2 * by_ratio_bytes);
	ck_assert_int_eq(inflate_body(&inf, encodings[_i], buf_str(&bomb), &by_size, &out, &no), -1);
	ck_assert_msg(no.reason == REASON_INFLATED_TOO_LARGE && strstr(no.detail, "20971520"), "%s: %s", reason_name(no.reason), no.detail);
	ck_assert_uint_le(out.len, 20 * MIB + 1);
	ck_assert_uint_le(out.cap, 40 * MIB);
	ck_assert(_i != ZSTD_SIZED || out.len == 0); /* it said so itself */
	ck_assert_uint_le(peak_bytes() - before, 80 * MIB); /* of it 1.5 times the limit while the buffer moves, and a sanitizer's own */
	inflater_fini(&inf);
	buf_fini(&bomb);
	buf_fini(&small);
	buf_fini(&out);
	free(zeros);
}
END_TEST

START_TEST(limits_are_met_to_the_byte)
{
	const size_t max = 100000;
	char *text = calloc(1, max + 1);
	struct inflater inf = INFLATER_INIT;

	for (enum form form = 0; form < NR_FORMS; form++) {
		struct buf body = BUF_INIT, out = BUF_INIT;
		struct inflate_limits limits = {.max_bytes = max, .max_ratio = 1000000};
		struct refusal no;

		compress_text(&body, (struct str){text, max}, form, 6);
		ck_assert_int_eq(inflate_exactly(&inf, encodings[form], buf_str(&body), &limits, &out, &no), 0);
		limits.max_bytes = max - 1;
		ck_assert_int_eq(inflate_exactly(&inf, encodings[form], buf_str(&body), &limits, &out, &no), -1);
		ck_assert_int_eq(no.reason, REASON_INFLATED_TOO_LARGE);
		limits = (struct inflate_limits){.max_bytes = SIZE_MAX, .max_ratio = max / body.len + 1};
		ck_assert_int_eq(inflate_exactly(&inf, encodings[form], buf_str(&body), &limits, &out, &no), 0);
		limits.max_ratio = max / body.len;
		if (max % body.len)
			ck_assert_int_eq(inflate_exactly(&inf, encodings[form], buf_str(&body), &limits, &out, &no), -1);
		ck_assert(max % body.len == 0 || no.reason == REASON_INFLATE_RATIO);
		buf_clear(&body);
		compress_text(&body, (struct str){text, INFLATE_RATIO_FLOOR_BYTES}, form, 6); /* small enough for any ratio */
		limits.max_ratio = 1;
		ck_assert_int_eq(inflate_exactly(&inf, encodings[form], buf_str(&body), &limits, &out, &no), 0);
		buf_fini(&body);
		buf_fini(&out);
	}
	inflater_fini(&inf);
	free(text);
}
END_TEST

START_TEST(identity_is_limited_too)
{
	struct inflate_limits limits = {.max_bytes = 4, .max_ratio = 1};
	struct inflater inf = INFLATER_INIT;
	struct buf out = BUF_INIT;
	struct refusal no;

	ck_assert_int_eq(inflate_exactly(&inf, INFLATE_IDENTITY, STR("text"), &limits, &out, &no), 0);
	ck_assert(str_eq(buf_str(&out), STR("text")));
	ck_assert_int_eq(inflate_exactly(&inf, INFLATE_IDENTITY, STR(""), &limits, &out, &no), 0);
	ck_assert_uint_eq(out.len, 0);
	ck_assert_int_eq(inflate_exactly(&inf, INFLATE_IDENTITY, STR("texts, long"), &limits, &out, &no), -1);
	ck_assert_int_eq(no.reason, REASON_INFLATED_TOO_LARGE);
	ck_assert_uint_le(out.len, 5);
	buf_fini(&out);
}
END_TEST

/* A budget of so many bytes. */
struct budget {
	size_t left, charged;
};

static int charge(void *ctx, size_t more, struct refusal *no)
{
	struct budget *b = ctx;

	if (more > b->left)
		return refuse(no, REASON_OVER_BUDGET, "no more room");
	b->left -= more;
	b->charged += more;
	return 0;
}

START_TEST(output_is_charged_as_it_grows)
{
	struct unit_random r = unit_random_new("inflate");
	struct str text = {random_text(&r, 2 * MIB), 2 * MIB};
	struct inflater inf = INFLATER_INIT;

	for (enum form form = 0; form < NR_FORMS; form++) {
		struct budget enough = {.left = 2 * MIB}, little = {.left = 300000};
		struct inflate_limits limits = {.max_bytes = 64 * MIB, .max_ratio = 1000, .charge = charge, .charge_ctx = &enough};
		struct buf body = BUF_INIT, out = BUF_INIT;
		struct refusal no;

		compress_text(&body, text, form, 1);
		ck_assert_msg(inflate_exactly(&inf, encodings[form], buf_str(&body), &limits, &out, &no) == 0, "%s", no.detail);
		ck_assert(enough.charged == text.len && out.len == text.len);
		limits.charge_ctx = &little;
		ck_assert_int_eq(inflate_exactly(&inf, encodings[form], buf_str(&body), &limits, &out, &no), -1);
		ck_assert_msg(no.reason == REASON_OVER_BUDGET && strcmp(no.detail, "no more room") == 0, "%s", no.detail);
		ck_assert_uint_le(out.len, 300000 + (64 << 10));
		buf_fini(&body);
		buf_fini(&out);
	}
	inflater_fini(&inf);
	free((void *)(uintptr_t)text.p);
}
END_TEST

/* A window is memory that a stranger asks for. */
START_TEST(windows_are_bounded)
{
	struct inflater inf = INFLATER_INIT;
	struct buf body = BUF_INIT, out = BUF_INIT;
	struct str text = {calloc(1, 12 * MIB), 12 * MIB};
	struct refusal no;

	for (int log = INFLATE_WINDOW_LOG_MAX + 1; log <= 27; log++) {
		buf_clear(&body);
		compress_zstd(&body, STR("text"), ZSTD_STREAMED, 1, log);
		must_refuse(&inf, INFLATE_ZSTD, buf_str(&body), REASON_BAD_ENCODING, "too much memory");
	}
	ck_assert_uint_le(ZSTD_sizeof_DCtx(inf.zstd), MIB);
	buf_clear(&body);
	compress_zstd(&body, text, ZSTD_SIZED, 1, 24); /* one segment of 12 MiB, of known size: needs no window */
	must_inflate(&inf, ZSTD_SIZED, &body, text);
	ck_assert_uint_le(ZSTD_sizeof_DCtx(inf.zstd), MIB);
	buf_clear(&body);
	compress_zstd(&body, text, ZSTD_STREAMED, 1, INFLATE_WINDOW_LOG_MAX);
	ck_assert_int_eq(inflate_body(&inf, INFLATE_ZSTD, buf_str(&body), &roomy, &out, &no), 0);
	ck_assert_uint_le(ZSTD_sizeof_DCtx(inf.zstd), 9 * MIB);
	inflater_fini(&inf);
	buf_fini(&body);
	buf_fini(&out);
	free((void *)(uintptr_t)text.p);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("inflate");
	TCase *tc = tcase_create("inflate");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, headers_name_encodings, 0, (int)NR(headers));
	tcase_add_test(tc, round_trips);
	tcase_add_test(tc, members_and_frames_follow_one_another);
	tcase_add_test(tc, every_truncation_is_refused);
	tcase_add_test(tc, flipped_bits_make_no_other_text);
	tcase_add_test(tc, what_follows_is_refused);
	tcase_add_loop_test(tc, another_format_is_refused, 0, (int)NR(other_formats));
	tcase_add_loop_test(tc, a_bomb_costs_what_the_limits_allow, GZIP, ZSTD_UNCHECKED);
	tcase_add_test(tc, limits_are_met_to_the_byte);
	tcase_add_test(tc, identity_is_limited_too);
	tcase_add_test(tc, output_is_charged_as_it_grows);
	tcase_add_test(tc, windows_are_bounded);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
