/* test_ages.c - how old an offset is, from a partition's ends: against a list of when each record came. */
#include "sink/status/ages.h"

#include "tests/unit/unit.h"

START_TEST(by_hand)
{
	struct ages a = {.nr = 0};
	int64_t spare = -1;

	ck_assert_int_eq(ages_of(&a, 0, 1000, &spare), -1);
	ages_take(&a, 1000, 10);
	ck_assert_int_eq(ages_of(&a, 9, 2000, &spare), -1); /* it was there before */
	ages_take(&a, 2000, 10);
	ages_take(&a, 3000, 15);
	ages_take(&a, 4000, 15);
	ages_take(&a, 5000, 20);
	ck_assert_int_eq(ages_of(&a, 9, 5000, &spare), -1);
	ck_assert_int_eq(ages_of(&a, 10, 5000, &spare), 3000); /* between 2000 and 3000 */
	ck_assert_int_eq(spare, 0);
	ck_assert_int_eq(ages_of(&a, 12, 5000, &spare), 3000);
	ck_assert_int_eq(spare, 2000); /* by 4000 at the latest the end had passed it: the sample of 15 has moved on */
	ck_assert_int_eq(ages_of(&a, 16, 5000, &spare), 1000);
	ck_assert_int_eq(ages_of(&a, 11, 5000, &spare), -1); /* nobody asks for what was read before */
	ages_take(&a, 6000, 3); /* made again */
	ck_assert_int_eq(ages_of(&a, 1, 7000, &spare), -1);
}
END_TEST

START_TEST(learned)
{
	struct ages a = {.nr = 0};
	int64_t spare = -1;

	ages_take(&a, 100000, 1000);
	ages_learn(&a, 500, 40000);
	ck_assert_int_eq(ages_of(&a, 500, 100000, &spare), 60000);
	ck_assert_int_eq(spare, 0);
	ck_assert_int_eq(ages_of(&a, 700, 100000, &spare), 60000);
	ck_assert_int_eq(spare, 60000);
	ages_learn(&a, 700, 80000);
	ck_assert_int_eq(ages_of(&a, 700, 100000, &spare), 20000);
	ages_learn(&a, 700, 200000); /* later than it was seen: nonsense */
	ck_assert_int_eq(ages_of(&a, 700, 100000, &spare), 20000);
}
END_TEST

/* Records come at random, the end is looked at every five seconds, the reader follows, stands still, and catches up: never too young, too old by no more than was said. */
START_TEST(random_queues)
{
	struct unit_random random = unit_random_new("ages");
	static int64_t came[200000];

	for (int turn = 0; turn < 20; turn++) {
		struct ages a = {.nr = 0};
		int64_t now = 0, end = 0, read = 0, there = 0; /* there: before the first look */

		for (int look = 0; look < 3000; look++) {
			int64_t until = now + 5000, spare = 0, age;
			bool stands = look > 200 && look < 2200; /* three hours */

			for (; now < until; now += 1 + (int64_t)unit_random_below(&random, 400))
				if (end < (int64_t)NR(came) && unit_random_below(&random, 4) == 0)
					came[end++] = now;
			ages_take(&a, now, end);
			if (!look)
				there = end;
			if (!stands)
				read += (int64_t)unit_random_below(&random, 60);
			read = read > end ? end : read;
			if (read == end)
				continue;
			age = ages_of(&a, read, now, &spare);
			ck_assert_int_eq(age < 0, read < there);
			if (age < 0)
				continue;
			ck_assert_int_ge(age, now - came[read]);
			ck_assert_int_le(age, now - came[read] + (spare ? spare : 10000));
			ck_assert_int_le(spare, 10000 + (now - came[read]) / 8);
		}
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ages");
	TCase *tc = tcase_create("ages");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, by_hand);
	tcase_add_test(tc, learned);
	tcase_add_test(tc, random_queues);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
