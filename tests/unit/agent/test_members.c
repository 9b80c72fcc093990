/* test_members.c - exact while it can be, close to the truth beyond it, and never larger than it may be. */
#include "ingest/agent/members.h"

#include <math.h>

#include "tests/unit/unit.h"

START_TEST(exact_up_to_the_bound)
{
	struct unit_random r = unit_random_new("exact");
	static uint64_t hashes[MEMBERS_MAX];
	struct members m = {0};

	for (size_t i = 0; i < NR(hashes); i++)
		hashes[i] = i ? unit_random_next(&r) : 0; /* and one that is the mark of a free slot */
	for (size_t i = 0; i < NR(hashes); i++) {
		ck_assert(members_add(&m, hashes[i], true));
		ck_assert(members_add(&m, hashes[unit_random_below(&r, i + 1)], true)); /* one that is there */
		ck_assert(members_count(&m) == (double)(i + 1));
	}
	ck_assert(members_exact(&m));
	ck_assert(members_add(&m, unit_random_next(&r), true) && !members_exact(&m));
	ck_assert_uint_le(members_bytes(&m), 8192 * 8);
	members_fini(&m);
	ck_assert_uint_eq(members_bytes(&m), 0);
}
END_TEST

/* Four standard errors, as the seed may be any. */
START_TEST(estimates)
{
	struct unit_random r = unit_random_new("estimates");

	for (size_t nr = 5000; nr <= 500000; nr *= 10) {
		struct members m = {0};

		for (size_t i = 0; i < nr; i++) {
			uint64_t hash = unit_random_next(&r);

			ck_assert(members_add(&m, hash, true) && members_add(&m, hash, true));
		}
		ck_assert_msg(fabs(members_count(&m) / (double)nr - 1) < 4 * 0.027, "%zu: %g", nr, members_count(&m));
		ck_assert_uint_le(m.len, MEMBERS_MAX);
		ck_assert_uint_le(members_bytes(&m), 8192 * 8);
		members_fini(&m);
	}
}
END_TEST

/* What is held is found again, whatever was taken out around it: hashes that crowd into few slots. */
START_TEST(crowded_slots)
{
	struct unit_random r = unit_random_new("crowded");

	for (int round = 0; round < 200; round++) {
		struct members m = {0};
		uint64_t hashes[200];

		for (size_t i = 0; i < NR(hashes); i++) {
			hashes[i] = (unit_random_next(&r) & UINT64_C(0xff00000000000000)) | i << 16 | unit_random_below(&r, 64);
			ck_assert(members_add(&m, hashes[i], i < 20));
		}
		for (size_t i = 0; i < NR(hashes); i++) { /* all that may be held is: nothing is added a second time */
			struct members before = m;

			members_add(&m, hashes[i], false);
			if (m.level == before.level && hashes[i] >> (64 - m.level) == 0)
				ck_assert_uint_le(m.len, before.len + 1);
		}
		for (uint32_t i = 0; i < m.nr_slots; i++)
			for (uint32_t j = 0; j < i; j++)
				ck_assert(!m.hashes[i] || m.hashes[i] != m.hashes[j]);
		members_fini(&m);
	}
}
END_TEST

/* Six hashes know the order of magnitude, most of the time. */
START_TEST(without_memory)
{
	struct unit_random r = unit_random_new("without");
	int near = 0;

	for (int round = 0; round < 21; round++) {
		struct members m = {0};

		ck_assert(!members_add(&m, 1, false));
		ck_assert(members_add(&m, unit_random_next(&r) | 1, true));
		for (int i = 0; i < 10000; i++)
			ck_assert(members_add(&m, unit_random_next(&r), false));
		ck_assert_uint_eq(members_bytes(&m), 64);
		ck_assert(!members_exact(&m));
		near += members_count(&m) > 1000 && members_count(&m) < 100000;
		members_fini(&m);
	}
	ck_assert_int_ge(near, 11);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("members");
	TCase *tc = tcase_create("members");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, exact_up_to_the_bound);
	tcase_add_test(tc, estimates);
	tcase_add_test(tc, crowded_slots);
	tcase_add_test(tc, without_memory);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
