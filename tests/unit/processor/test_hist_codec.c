/* test_hist_codec.c - histograms through a snapshot's bytes and back, a table of bytes written by hand, and damage. */
#include "processor/hist_codec.h"

#include <math.h>

#include "tests/unit/buckets.h"
#include "tests/unit/unit.h"

/* What reading these bytes comes to; they stand at the end of a page of their own. *left: bytes behind the histogram. */
static int read_hist(const uint8_t *bytes, size_t len, struct hist *h, size_t *left)
{
	uint8_t *exact = malloc(len ? len : 1);
	struct err err = ERR_INIT;
	struct codec_reader r;
	int rc;

	memcpy(exact, bytes, len);
	codec_reader_init(&r, (struct str){(char *)exact, len}, NULL);
	rc = hist_codec_read(&r, h, &err);
	ck_assert(err.kind == 0 && (rc == 0) == codec_reader_ok(&r));
	*left = (size_t)(r.end - r.p);
	free(exact);
	return rc;
}

static void fill(struct unit_random *r, struct hist *h)
{
	uint64_t nr = unit_random_below(r, 40);

	for (uint64_t i = 0; i < nr; i++) {
		double value = exp((unit_random_unit(r) - 0.5) * (unit_random_below(r, 4) ? 10 : 1400));

		value *= unit_random_below(r, 6) ? 1 : unit_random_below(r, 2) ? -1 : 0;
		ck_assert_int_eq(hist_add(h, value, 1 + unit_random_below(r, unit_random_below(r, 2) ? 5 : UINT64_C(1) << 40)), 0);
	}
}

static void must_equal(const struct hist *a, const struct hist *b)
{
	ck_assert(hist_len(a) == hist_len(b) && hist_count(a) == hist_count(b));
	for (uint32_t i = 0; i < hist_len(a); i++)
		ck_assert(hist_key(a, i) == hist_key(b, i) && hist_bucket_count(a, i) == hist_bucket_count(b, i));
}

START_TEST(what_is_written_is_read)
{
	struct unit_random r = unit_random_new("hist_codec");
	struct buf bytes = BUF_INIT;

	for (int round = 0; round < 300; round++) {
		struct hist h = HIST_INIT, back = HIST_INIT, cut = HIST_INIT;
		size_t left;

		fill(&r, &h);
		buf_clear(&bytes);
		hist_codec_write(&bytes, &h);
		codec_write_int(&bytes, 77);
		ck_assert_int_eq(read_hist(bytes.p, bytes.len, &back, &left), 0);
		ck_assert_uint_eq(left, 2);
		must_equal(&h, &back);
		ck_assert_int_eq(read_hist(bytes.p, unit_random_below(&r, bytes.len - 2), &cut, &left), -1);
		hist_fini(&h);
		hist_fini(&back);
		hist_fini(&cut);
	}
	buf_fini(&bytes);
}
END_TEST

/* nr; each: key less the one before (the first: less that of index 0), count; all zigzag varints */
static const struct {
	const char *bytes;
	size_t len;
	int nr; /* of buckets; -1: refused */
	int sign; /* the first one's */
	int32_t index;
} written[] = {
#define ROW(text, ...) {text, sizeof(text) - 1, __VA_ARGS__}
#define REFUSED(text) ROW(text, -1, 0, 0)
	ROW("\x00", 0, 0, 0),
	ROW("\x02\x06\x04", 1, 1, 3),
	ROW("\x02\x01\x04", 1, 1, -1),
	ROW("\x02\xc1\x99\x04\x04", 1, 0, 0),
	ROW("\x02\xbf\x99\x14\x04", 1, -1, HIST_INDEX_MIN), /* -165472 */
	ROW("\x04\x06\x04\x02\x04", 2, 1, 3),
	REFUSED("\x02\x80\x80\x04\x04"), /* 32768, above DBL_MAX's */
	REFUSED("\x02\xc1\x99\x14\x04"), /* below the first key */
	REFUSED("\x02\xff\xff\x0b\x04"), /* between the negative ones and zero */
	REFUSED("\x02\x06\x00"),
	REFUSED("\x02\x06\x03"),
	REFUSED("\x04\x06\x04\x00\x04"), /* one twice */
	REFUSED("\x04\x06\x04\x01\x04"), /* falling */
	ROW("\x02\x06\xfe\xff\xff\xff\xff\xff\x1f", 1, 1, 3), /* 2^46 - 1 */
	REFUSED("\x02\x06\x80\x80\x80\x80\x80\x80\x20"),
	REFUSED("\x04\x06\xfe\xff\xff\xff\xff\xff\x1f\x02\x02"), /* in all */
	REFUSED("\x01"),
	REFUSED("\x06\x06\x04\x02\x04"), /* more are promised than the bytes bear */
	REFUSED(""),
#undef REFUSED
#undef ROW
};

START_TEST(written_by_hand)
{
	struct hist h = HIST_INIT;
	size_t left;
	int rc = read_hist((const uint8_t *)written[_i].bytes, written[_i].len, &h, &left);

	ck_assert_int_eq(rc, written[_i].nr < 0 ? -1 : 0);
	if (rc == 0)
		ck_assert_int_eq((int)hist_len(&h), written[_i].nr);
	if (written[_i].nr > 0)
		ck_assert(bucket_at(&h, 0).sign == written[_i].sign && bucket_at(&h, 0).index == written[_i].index);
	hist_fini(&h);
}
END_TEST

START_TEST(damage_is_refused_or_good)
{
	struct unit_random r = unit_random_new("hist_codec_damage");
	struct hist h = HIST_INIT;
	struct buf bytes = BUF_INIT, again = BUF_INIT;
	int refused = 0;

	while (hist_len(&h) < 20)
		fill(&r, &h);
	hist_codec_write(&bytes, &h);
	for (size_t bit = 0; bit < bytes.len * 8; bit++) {
		struct hist back = HIST_INIT, second = HIST_INIT;
		size_t left;

		bytes.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (read_hist(bytes.p, bytes.len, &back, &left) < 0) {
			refused++;
		} else {
			buf_clear(&again);
			hist_codec_write(&again, &back);
			ck_assert(read_hist(again.p, again.len, &second, &left) == 0 && left == 0);
			must_equal(&back, &second);
		}
		bytes.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
		hist_fini(&back);
		hist_fini(&second);
	}
	ck_assert_int_gt(refused, 10);
	hist_fini(&h);
	buf_fini(&bytes);
	buf_fini(&again);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("hist_codec");
	TCase *tc = tcase_create("hist_codec");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, what_is_written_is_read);
	tcase_add_loop_test(tc, written_by_hand, 0, (int)NR(written));
	tcase_add_test(tc, damage_is_refused_or_good);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
