/* test_scaled_hist.c - cumulative histograms against plain arrays of counts: differences at the lower scale of two, and through a snapshot. */
#include "processor/scaled_hist.h"

#include <math.h>

#include "tests/unit/unit.h"

/* The model knows values by their place at scale 8; place p is index floor(p / 2^(8 - s)) at scale s. */
enum { FINEST = 8, PLACES = 400, SIDES = 2, NR_SCALES = FINEST + 4 };
struct life {
	int64_t zero, counts[SIDES][PLACES];
};

/* Of the travelling form of a life. */
struct travelling {
	struct histogram h;
	int64_t counts[SIDES][PLACES + 1];
};

static int32_t index_at(int place, int32_t scale)
{
	return (int32_t)floor(ldexp(place - PLACES / 2, scale - FINEST));
}

static void travel(const struct life *life, int32_t scale, struct travelling *t)
{
	int32_t first = index_at(0, scale);

	memset(t, 0, sizeof(*t));
	t->h = (struct histogram){.scale = scale, .zero = life->zero, .offset = first, .counts = t->counts[0], .counts_len = PLACES,
				  .neg_offset = first, .neg_counts = t->counts[1], .neg_counts_len = PLACES};
	for (int side = 0; side < SIDES; side++)
		for (int p = 0; p < PLACES; p++)
			t->counts[side][index_at(p, scale) - first] += life->counts[side][p];
}

static uint64_t live_on(struct unit_random *r, struct life *life)
{
	uint64_t added = 0;

	for (uint64_t n = unit_random_below(r, 30); n > 0; n--) {
		int64_t times = (int64_t)unit_random_below(r, unit_random_below(r, 3) ? 4 : UINT64_C(1) << 50);

		*(unit_random_below(r, 9) ? &life->counts[unit_random_below(r, 4) == 0][unit_random_below(r, PLACES)] : &life->zero) += times;
		added += (uint64_t)times;
	}
	return added;
}

static void side_must_be(const int64_t *counts, size_t len, int32_t offset, const int64_t *want, int32_t first)
{
	int64_t have[PLACES] = {0};

	ck_assert(len == 0 || (offset >= first && (size_t)(offset - first) + len <= PLACES && counts[0] && counts[len - 1]));
	for (size_t i = 0; i < len; i++)
		have[(size_t)(offset - first) + i] = counts[i];
	ck_assert_mem_eq(have, want, sizeof(have));
}

static void must_be(const struct histogram *h, const struct life *want, int32_t scale)
{
	struct travelling t;

	travel(want, scale, &t);
	ck_assert(h->scale == scale && h->zero == want->zero);
	side_must_be(h->counts, h->counts_len, h->offset, t.counts[0], t.h.offset);
	side_must_be(h->neg_counts, h->neg_counts_len, h->neg_offset, t.counts[1], t.h.offset);
}

static void made(const struct life *life, int32_t scale, struct scaled_hist *h)
{
	struct travelling t;

	travel(life, scale, &t);
	*h = (struct scaled_hist)SCALED_HIST_INIT;
	ck_assert_int_eq(scaled_hist_from(h, &t.h), 0);
}

/* The same after a snapshot, in every byte. */
static void restore(struct scaled_hist *h)
{
	struct scaled_hist back = SCALED_HIST_INIT;
	struct buf bytes = BUF_INIT, again = BUF_INIT;
	struct codec_reader r;
	struct err err = ERR_INIT;

	scaled_hist_encode(h, &bytes);
	codec_reader_init(&r, buf_str(&bytes), NULL);
	ck_assert_msg(scaled_hist_decode(&back, &r, &err) == 0 && r.p == r.end, "%s", r.fault);
	scaled_hist_encode(&back, &again);
	ck_assert(str_eq(buf_str(&bytes), buf_str(&again)) && scaled_hist_bytes(h) == scaled_hist_bytes(&back));
	scaled_hist_fini(h);
	*h = back;
	buf_fini(&bytes);
	buf_fini(&again);
}

static int32_t min_scale(int32_t a, int32_t b)
{
	int32_t least = a < b ? a : b;

	return least < 5 ? least : 5;
}

START_TEST(what_was_added_is_the_difference)
{
	struct unit_random r = unit_random_new("scaled_hist");
	struct arena arena = ARENA_INIT;

	for (int round = 0; round < 400; round++) {
		int32_t scale = (int32_t)unit_random_below(&r, NR_SCALES) - 3, later = (int32_t)unit_random_below(&r, NR_SCALES) - 3;
		struct life before, after, diff;
		struct scaled_hist base, point, empty = SCALED_HIST_INIT;
		struct histogram out;
		uint64_t total;

		memset(&before, 0, sizeof(before));
		total = live_on(&r, &before);
		after = before;
		total += live_on(&r, &after);
		for (size_t i = 0; i < sizeof(diff) / sizeof(int64_t); i++)
			((int64_t *)&diff)[i] = ((int64_t *)&after)[i] - ((int64_t *)&before)[i];
		made(&before, scale, &base);
		made(&after, later, &point);
		restore(&base);
		ck_assert_uint_eq(scaled_hist_count(&point), total);
		ck_assert_int_eq(scaled_hist_subtract(&point, &base, &arena, &out), 1);
		must_be(&out, &diff, min_scale(scale, later));
		ck_assert_int_eq(scaled_hist_subtract(&point, &empty, &arena, &out), 1);
		must_be(&out, &after, min_scale(5, later));
		scaled_hist_fini(&base);
		scaled_hist_fini(&point);
		arena_clear(&arena);
	}
	arena_fini(&arena);
}
END_TEST

/* One less anywhere, in a bucket that the other has or has not, however many there are more in all. */
START_TEST(what_has_fallen_is_no_difference)
{
	struct unit_random r = unit_random_new("scaled_hist_fallen");
	struct arena arena = ARENA_INIT;

	for (int round = 0; round < 400; round++) {
		int32_t scale = (int32_t)unit_random_below(&r, 9) - 3;
		struct life before, after;
		struct scaled_hist base, point;
		struct histogram out;
		int64_t *lost = unit_random_below(&r, 5) ? &before.counts[unit_random_below(&r, 2)][unit_random_below(&r, PLACES)] : &before.zero;

		memset(&before, 0, sizeof(before));
		live_on(&r, &before);
		after = before;
		*(lost == &before.zero ? &after.counts[0][PLACES - 1] : &after.zero) += INT64_C(1) << 55;
		++*lost;
		made(&before, scale, &base);
		made(&after, scale, &point);
		ck_assert_int_eq(scaled_hist_subtract(&point, &base, &arena, &out), 0);
		scaled_hist_fini(&base);
		scaled_hist_fini(&point);
		arena_clear(&arena);
	}
	arena_fini(&arena);
}
END_TEST

/* What a sender may send: 2^62 in one bucket, the last one there is, and the first. */
START_TEST(the_largest_there_is)
{
	int64_t counts[] = {(INT64_C(1) << 62) - 1}, one[] = {1};
	struct histogram h = {.scale = 5, .offset = HIST_INDEX_MAX, .counts = counts, .counts_len = 1, .neg_offset = HIST_INDEX_MIN,
			      .neg_counts = one, .neg_counts_len = 1}, less = h, out;
	struct scaled_hist point = SCALED_HIST_INIT, base = SCALED_HIST_INIT;
	struct arena arena = ARENA_INIT;

	less.counts = one;
	ck_assert(scaled_hist_from(&point, &h) == 0 && scaled_hist_from(&base, &less) == 0);
	restore(&point);
	ck_assert_uint_eq(scaled_hist_count(&point), UINT64_C(1) << 62);
	ck_assert_int_eq(scaled_hist_subtract(&point, &base, &arena, &out), 1);
	ck_assert(out.counts_len == 1 && out.offset == HIST_INDEX_MAX && out.counts[0] == (INT64_C(1) << 62) - 2 && out.neg_counts_len == 0);
	scaled_hist_fini(&point);
	scaled_hist_fini(&base);
	arena_fini(&arena);
}
END_TEST

/* jemalloc's classes: 8, 16 apart, then four to a doubling. */
static const struct { uint32_t len; size_t bytes; } allocated[] = {{0, 0}, {5, 8}, {16, 16}, {17, 32}, {129, 160}, {513, 640}, {1500, 1536}};

START_TEST(it_takes_what_the_allocator_takes_for_it)
{
	ck_assert_uint_eq(scaled_hist_bytes(&(struct scaled_hist){.len_bytes = allocated[_i].len}), allocated[_i].bytes);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("scaled_hist");
	TCase *tc = tcase_create("scaled_hist");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, what_was_added_is_the_difference);
	tcase_add_test(tc, what_has_fallen_is_no_difference);
	tcase_add_test(tc, the_largest_there_is);
	tcase_add_loop_test(tc, it_takes_what_the_allocator_takes_for_it, 0, NR(allocated));
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
