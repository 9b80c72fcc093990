/* test_verify_seen.c - what is a second copy: tables of records in the order of their arrival, and a model that remembers every seq. */
#include "deploy/ctl/verify_seen.h"

#include <string.h>

#include "tests/unit/unit.h"

enum { HOUR = 3600000, SEQS = 300 };

static struct sample_batch of_agent(uint8_t agent, int64_t seq, int64_t floor)
{
	struct sample_batch b = {.site = STR("shop"), .has_agent_id = true, .seq = seq, .floor = floor};

	b.agent_id[3] = agent;
	return b;
}

static int take_at(struct verify_seen *s, const struct sample_batch *b, int64_t offset, int64_t at_ms, const struct origin *origin)
{
	const struct verify_place place = {.offset = offset, .watermark_ms = at_ms, .origin = origin};

	return verify_seen_take(s, b, &place, NULL);
}

static int take(struct verify_seen *s, const struct sample_batch *b)
{
	return take_at(s, b, 0, 0, NULL);
}

static const struct { uint8_t agent; int64_t seq, floor; int counts; } agents[] = {
	{1, 1, 1, 1}, {1, 1, 1, 0}, {1, 2, 1, 1}, {1, 5, 2, 1}, {1, 4, 2, 1}, {1, 4, 2, 0},
	{1, 6, 6, 1},  /* the floor rises over 3 */
	{1, 3, 2, 0},  /* which comes too late */
	{1, 5, 2, 0}, {2, 3, 1, 1}, {2, 2, 1, 1}, {2, 1, 1, 1}, {2, 2, 1, 0},
	{3, 9, 9, 1},  /* the first of an agent that is seen here */
	{3, 8, 8, 0}, {3, 9, 9, 0}, {3, 10, 10, 1}, /* its own floor does not condemn it */
};

START_TEST(payloads_of_agents)
{
	struct verify_seen s = VERIFY_SEEN_INIT;

	for (size_t i = 0; i < NR(agents); i++) {
		struct sample_batch b = of_agent(agents[i].agent, agents[i].seq, agents[i].floor);

		ck_assert_msg(take(&s, &b) == agents[i].counts, "record %zu", i);
	}
	verify_seen_fini(&s);
}
END_TEST

START_TEST(sites_and_senders_without_identity_are_apart)
{
	struct verify_seen s = VERIFY_SEEN_INIT;
	struct sample_batch a = of_agent(1, 1, 1), b = a, none = {.site = STR("shop")};

	b.site = STR("shop2");
	ck_assert(take(&s, &a) == 1 && take(&s, &b) == 1 && take(&s, &a) == 0 && take(&s, &b) == 0);
	ck_assert(take(&s, &none) == 1 && take(&s, &none) == 1);
	verify_seen_fini(&s);
}
END_TEST

START_TEST(seqs_in_any_order)
{
	struct unit_random r = unit_random_new("seqs_in_any_order");
	struct verify_seen s = VERIFY_SEEN_INIT;
	bool taken[SEQS + 1] = {false};
	int64_t floor = 1;

	for (int i = 0; i < 5000; i++) {
		int64_t seq = 1 + (int64_t)unit_random_below(&r, SEQS), own = seq < 40 ? 1 : seq - (int64_t)unit_random_below(&r, 40);
		struct sample_batch b = of_agent(1, seq, own);
		bool counts = !taken[seq] && seq >= floor;

		ck_assert_msg(take(&s, &b) == counts, "record %d: seq %d, floor %d", i, (int)seq, (int)floor);
		taken[seq] |= counts;
		floor = own > floor ? own : floor;
		if (i % 500 == 499) { /* another agent life */
			verify_seen_fini(&s);
			memset(taken, 0, sizeof(taken));
			floor = 1;
		}
	}
	verify_seen_fini(&s);
}
END_TEST

START_TEST(keys_hold_for_an_hour)
{
	static const struct { const char *site, *key; int64_t at_ms; int counts; uint64_t doubtful; } cases[] = {
		{"shop", "a", 1000, 1, 0}, {"shop", "a", 2000, 0, 0}, {"shop", "b", 2000, 1, 0}, {"shop2", "a", 2000, 1, 0},
		{"shop", "a", 1000 + HOUR - 1, 0, 0}, {"shop", "a", 1000 + HOUR, 1, 1}, {"shop", "a", 2 * HOUR, 0, 1},
		{"shop", "b", 4 * HOUR, 1, 1}, /* beyond all doubt */
	};
	struct verify_seen s = VERIFY_SEEN_INIT;

	for (size_t i = 0; i < NR(cases); i++) {
		struct sample_batch b = {.site = str_from(cases[i].site), .has_idempotency_key = true,
					 .idempotency_key = str_from(cases[i].key)};

		ck_assert_msg(take_at(&s, &b, (int64_t)i, cases[i].at_ms, NULL) == cases[i].counts && s.doubtful == cases[i].doubtful,
			      "record %zu", i);
	}
	verify_seen_fini(&s);
}
END_TEST

/* A dead letter that is sent again counts once, wherever its agent's floor is by then. */
START_TEST(letters_that_are_sent_again)
{
	struct verify_seen s = VERIFY_SEEN_INIT;
	struct sample_batch lost = of_agent(1, 5, 1), next = of_agent(1, 9, 9), counted = of_agent(1, 9, 9), none = {.site = STR("shop")};
	struct sample_batch keyed = {.site = STR("shop"), .has_idempotency_key = true, .idempotency_key = STR("k")};
	const struct origin at_11 = {.offset = 11}, at_12 = {.offset = 12}, at_13 = {.offset = 13}, before = {.offset = 3};

	ck_assert_int_eq(take_at(&s, &next, 10, 0, NULL), 1);
	ck_assert_int_eq(verify_seen_refuse(&s, 11, NULL), 0);
	ck_assert_int_eq(take_at(&s, &none, 12, 0, NULL), 1);
	ck_assert_int_eq(verify_seen_refuse(&s, 13, NULL), 0);
	ck_assert(take_at(&s, &lost, 14, 0, &at_11) == 1 && take_at(&s, &lost, 15, 0, &at_11) == 0);
	ck_assert_int_eq(take_at(&s, &counted, 16, 0, &at_11), 0);
	ck_assert_int_eq(take_at(&s, &none, 17, 0, &at_12), 0); /* what it repeats was good */
	ck_assert(take_at(&s, &none, 18, 0, &at_13) == 1 && take_at(&s, &none, 19, 0, &at_13) == 0);
	ck_assert(take_at(&s, &none, 20, 0, &before) == 1 && take_at(&s, &none, 21, 0, &before) == 0); /* of before what is read */
	ck_assert(take_at(&s, &keyed, 22, 0, &at_11) == 1 && take_at(&s, &keyed, 23, 0, NULL) == 0);
	verify_seen_fini(&s);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ctl/verify_seen");
	TCase *tc = tcase_create("verify_seen");

	tcase_add_test(tc, payloads_of_agents);
	tcase_add_test(tc, sites_and_senders_without_identity_are_apart);
	tcase_add_test(tc, seqs_in_any_order);
	tcase_add_test(tc, keys_hold_for_an_hour);
	tcase_add_test(tc, letters_that_are_sent_again);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
