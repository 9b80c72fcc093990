/* test_shares.c - do the shares of memory.budget add up to it, and do the clients' queues fit into theirs? */
#include "processor/shares.h"

#include <string.h>

#include "tests/unit/unit.h"

#define MIB (INT64_C(1) << 20)

enum { ROUNDED_BYTES = 4096 /* the clients' shares grow by whole KiB, of which the state takes less for a moment */ };

static int64_t sum_of(const struct shares *s)
{
	int64_t sum = 0;

	for (enum share i = 0; i < NR_SHARES; i++)
		sum += (int64_t)s->bytes[i];
	return sum;
}

/* What the clients may hold, by what is known of them: FIELD-NOTES.md, "Consumer memory". */
static void clients_must_fit(const struct shares *s)
{
	ck_assert_int_ge((int64_t)s->bytes[SHARE_FETCHED], s->fetch_queue_kbytes * 1024 + 3 * s->fetch_bytes);
	ck_assert_int_ge((int64_t)s->bytes[SHARE_PRODUCED], s->produce_kbytes * 1024 * 3 / 2);
	ck_assert_int_ge(s->fetch_bytes, 1000000);          /* message.max.bytes */
	ck_assert_int_ge(s->produce_kbytes * 1024, 2100000); /* the largest dead letter */
	ck_assert_int_le(s->produce_kbytes, 2097151);       /* what librdkafka takes */
	ck_assert_int_le(s->fetch_queue_kbytes, 2097151);
	ck_assert_int_ge(s->produce_messages, 1000);
}

START_TEST(they_add_up_to_the_budget)
{
	struct unit_random r = unit_random_new("shares");
	struct shares last = shares_of(32 * MIB);

	for (int64_t budget = 32 * MIB; budget < INT64_C(1) << 40; budget += (int64_t)unit_random_below(&r, (uint64_t)budget / 16)) {
		struct shares s = shares_of(budget);

		clients_must_fit(&s);
		if (budget >= 40 * MIB)
			ck_assert_int_eq(sum_of(&s), budget);
		else
			ck_assert(sum_of(&s) >= budget && sum_of(&s) < budget + budget / 16);
		for (enum share i = 0; i < NR_SHARES; i++)
			ck_assert_uint_ge(s.bytes[i] + ROUNDED_BYTES, last.bytes[i]); /* more budget is less for nobody */
		last = s;
	}
}
END_TEST

static const struct { int64_t budget, state_least, queue_kbytes; } known[] = {
	{32 * MIB, 2 * MIB, 3072},
	{64 * MIB, 25 * MIB, 6144},
	{256 * MIB, 140 * MIB, 30720},
	{INT64_C(16) << 30, INT64_C(13) << 30, 262144},
};

START_TEST(the_state_gets_the_most_of_it)
{
	struct shares s = shares_of(known[_i].budget);

	ck_assert_int_ge((int64_t)s.bytes[SHARE_STATE], known[_i].state_least);
	ck_assert_int_eq(s.fetch_queue_kbytes, known[_i].queue_kbytes);
}
END_TEST

/* Tests set what operators cannot. */
START_TEST(below_the_least_there_is_something_of_everything)
{
	struct shares s = shares_of(MIB);

	clients_must_fit(&s);
	ck_assert_uint_eq(s.bytes[SHARE_STATE], MIB / 12);
}
END_TEST

START_TEST(each_has_a_name_of_its_own)
{
	for (enum share i = 0; i < NR_SHARES; i++)
		for (enum share k = 0; k <= i; k++)
			ck_assert((strcmp(share_name(i), share_name(k)) == 0) == (i == k));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("shares");
	TCase *tc = tcase_create("shares");

	tcase_add_test(tc, they_add_up_to_the_budget);
	tcase_add_loop_test(tc, the_state_gets_the_most_of_it, 0, NR(known));
	tcase_add_test(tc, below_the_least_there_is_something_of_everything);
	tcase_add_test(tc, each_has_a_name_of_its_own);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
