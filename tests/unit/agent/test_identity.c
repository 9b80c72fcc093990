/* test_identity.c - numbers go up one by one, floors never fall, and no two agents are the same. */
#include "ingest/agent/identity.h"

#include <string.h>

#include "tests/unit/unit.h"

static const struct {
	uint64_t next_seq, floor_before, lowest_pending, floor;
} cases[] = {
	{1, 1, 0, 1},          /* the first */
	{10, 3, 0, 10},        /* nothing waits */
	{10, 3, 4, 4},
	{10, 3, 9, 9},
	{10, 6, 4, 6},         /* below what was said already */
	{10, 3, 12, 10},       /* that is not yet numbered */
	{65537, 1, 1, 1},      /* as far as may be */
	{65538, 1, 1, 2},
	{1000000, 1, 1, 1000000 - 65536},
};

START_TEST(floors)
{
	struct identity id = {.next_seq = cases[_i].next_seq, .floor = cases[_i].floor_before};
	uint64_t seq, floor;

	identity_stamp(&id, cases[_i].lowest_pending, &seq, &floor);
	ck_assert(seq == cases[_i].next_seq && id.next_seq == seq + 1);
	ck_assert_uint_eq(floor, cases[_i].floor);
	ck_assert(floor <= seq && seq - floor <= IDENTITY_SPAN_MAX && id.floor == floor);
}
END_TEST

START_TEST(starts_differ)
{
	struct identity a, b;
	struct err err = ERR_INIT;

	ck_assert(identity_init(&a, &err) == 0 && identity_init(&b, &err) == 0);
	ck_assert(memcmp(a.agent_id, b.agent_id, sizeof(a.agent_id)) != 0);
	ck_assert(memcmp(a.agent_id, a.agent_id + 8, 8) != 0);
	ck_assert(a.next_seq == 1 && a.floor == 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("identity");
	TCase *tc = tcase_create("identity");

	tcase_add_loop_test(tc, floors, 0, NR(cases));
	tcase_add_test(tc, starts_differ);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
