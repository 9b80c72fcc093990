/* test_committed.c - what a committed offset is worth: written out by hand, as the processor writes it. */
#include "deploy/ctl/committed.h"

#include <string.h>

#include "tests/unit/unit.h"

enum { EPOCH = 77 };

static const struct {
	int64_t committed;
	const char *metadata, *fault;
	enum committed_state state;
	const char *name, *words;
	bool refused, has_meta;
} cases[] = {
	{120, "v1 epoch=77 id=9 snapshot=40 bytes=2048 at=100", NULL, COMMITTED_SOUND, "sound", "", false, true},
	{100, "v1 epoch=77 id=9 snapshot=40 bytes=2048 at=100", NULL, COMMITTED_SOUND, "sound", "", false, true},
	{99, "v1 epoch=77 id=9 snapshot=40 bytes=2048 at=100", NULL, COMMITTED_BEFORE, "before", "position 100", true, true},
	{120, "v1 epoch=-77 id=9 snapshot=40 bytes=2048 at=100", NULL, COMMITTED_EPOCH, "epoch", "of epoch ffffffffffffffb3", true, true},
	{120, "", NULL, COMMITTED_RESET, "reset", "an operator's reset", true, false},
	{120, "moved by hand", NULL, COMMITTED_FOREIGN, "foreign", "\"moved by hand\"", true, false},
	{120, "v2 epoch=77 id=9", NULL, COMMITTED_FOREIGN, "foreign", "newer version", true, false},
	{0, "", NULL, COMMITTED_RESET, "reset", "an operator's reset", true, false},
	{-1, "", NULL, COMMITTED_NONE, "none", "nothing is committed", false, false},
	{-1, "", "not leader", COMMITTED_UNKNOWN, "unknown", "not leader", false, false},
};

START_TEST(each_case)
{
	struct lag_partition p = {.topic = "samples", .committed = cases[_i].committed, .metadata = str_from(cases[_i].metadata),
				  .fault = cases[_i].fault};
	struct committed got;

	committed_judge(&p, EPOCH, &got);
	ck_assert_int_eq(got.state, cases[_i].state);
	ck_assert_str_eq(committed_state_name(got.state), cases[_i].name);
	ck_assert_msg(*cases[_i].words ? strstr(got.words, cases[_i].words) != NULL : !*got.words, "%s", got.words);
	ck_assert_int_eq(committed_is_refused(&got), cases[_i].refused);
	ck_assert_int_eq(got.has_meta, cases[_i].has_meta);
	if (got.has_meta)
		ck_assert(got.meta.id == 9 && got.meta.snapshot == 40 && got.meta.bytes == 2048 && got.meta.at == 100);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("committed");
	TCase *tc = tcase_create("committed");

	tcase_add_loop_test(tc, each_case, 0, (int)NR(cases));
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
