/* test_scrub_known.c - what was found clean is known until it is forgotten, and nothing else ever is. */
#include "ingest/scrub_known.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/unit.h"

enum { PLACES = SCRUB_KNOWN_SETS * SCRUB_KNOWN_WAYS };

/* The nth fingerprint, as well mixed as a real one: splitmix64 of n, twice. */
static void nth(uint64_t n, uint8_t out[SERIES_FINGERPRINT_BYTES])
{
	for (int i = 0; i < 2; i++) {
		uint64_t z = (2 * n + (uint64_t)i + 1) * UINT64_C(0x9e3779b97f4a7c15);

		z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
		z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
		z ^= z >> 31;
		memcpy(out + 8 * i, &z, sizeof(z));
	}
}

static bool knows(const struct scrub_known *k, uint64_t n)
{
	uint8_t fingerprint[SERIES_FINGERPRINT_BYTES];

	nth(n, fingerprint);
	scrub_known_prefetch(k, fingerprint);
	return scrub_known_has(k, fingerprint);
}

static void learn(struct scrub_known *k, uint64_t n)
{
	uint8_t fingerprint[SERIES_FINGERPRINT_BYTES];

	nth(n, fingerprint);
	scrub_known_add(k, fingerprint);
}

static int known_of(const struct scrub_known *k, uint64_t from, uint64_t to)
{
	int known = 0;

	for (uint64_t n = from; n < to; n++)
		known += knows(k, n);
	return known;
}

START_TEST(only_what_was_added_is_known)
{
	struct scrub_known *k = scrub_known_new();

	ck_assert_ptr_nonnull(k);
	ck_assert_int_eq(known_of(k, 0, 2 * PLACES), 0);
	for (uint64_t n = 0; n < PLACES; n += 2)
		learn(k, n);
	for (uint64_t n = 1; n < PLACES; n += 2)
		ck_assert(!knows(k, n));
	scrub_known_free(k);
	scrub_known_free(NULL);
}
END_TEST

START_TEST(half_a_table_is_remembered_whole_but_for_a_few)
{
	struct scrub_known *k = scrub_known_new();

	for (uint64_t n = 0; n < PLACES / 2; n++)
		learn(k, n);
	ck_assert_int_gt(known_of(k, 0, PLACES / 2), PLACES / 2 - PLACES / 40);
	scrub_known_free(k);
}
END_TEST

/* Ten times what there is room for: the last is known, of the oldest next to nothing, and no more in all than there are places. */
START_TEST(the_table_is_bounded_and_forgets_the_old)
{
	struct scrub_known *k = scrub_known_new();

	for (uint64_t n = 0; n < 10 * PLACES; n++) {
		learn(k, n);
		ck_assert(knows(k, n));
	}
	ck_assert_int_le(known_of(k, 0, 10 * PLACES), PLACES);
	ck_assert_int_gt(known_of(k, 9 * PLACES, 10 * PLACES), PLACES / 2);
	ck_assert_int_lt(known_of(k, 0, PLACES), PLACES / 100);
	scrub_known_free(k);
}
END_TEST

/* Of the first half the bits that name the set, of the second all; zeros are no exception. */
START_TEST(series_are_told_apart_by_79_bits)
{
	static const uint8_t zeros[SERIES_FINGERPRINT_BYTES];

	for (unsigned bit = 0; bit < 8 * SERIES_FINGERPRINT_BYTES; bit++) {
		struct scrub_known *k = scrub_known_new();
		uint8_t other[SERIES_FINGERPRINT_BYTES], fingerprint[SERIES_FINGERPRINT_BYTES];

		nth(7, fingerprint);
		memcpy(other, fingerprint, sizeof(other));
		other[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ck_assert(!scrub_known_has(k, zeros));
		scrub_known_add(k, fingerprint);
		ck_assert(scrub_known_has(k, fingerprint) && (scrub_known_has(k, other) == (bit >= 15 && bit < 64)));
		scrub_known_free(k);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("scrub_known");
	TCase *tc = tcase_create("scrub_known");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, only_what_was_added_is_known);
	tcase_add_test(tc, half_a_table_is_remembered_whole_but_for_a_few);
	tcase_add_test(tc, the_table_is_bounded_and_forgets_the_old);
	tcase_add_test(tc, series_are_told_apart_by_79_bits);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
