/* test_verdict.c - what becomes of a partition, as tables of situations. The oracle is the rule of each row in words, one row a situation: no row is made
 * from another. */
#include "processor/verdict.h"

#include "common/control.h"
#include "processor/acceptance.h"
#include "tests/unit/unit.h"

static const struct {
	int64_t offset;
	const char *metadata;
	enum trouble trouble;
	const char *says; /* part of the message; NULL: none */
} offsets[] = {
	{-1, "", TROUBLE_NO_OFFSET, NULL},
	{0, "v1 epoch=7 id=1 snapshot=0 bytes=5 at=0", TROUBLE_NONE, NULL},
	{90, "v1 epoch=7 id=3 snapshot=10 bytes=500 at=80", TROUBLE_NONE, NULL},
	{80, "v1 epoch=7 id=3 snapshot=10 bytes=500 at=80", TROUBLE_NONE, NULL},
	{79, "v1 epoch=7 id=3 snapshot=10 bytes=500 at=80", TROUBLE_RESET, "offset 79 is committed, before the snapshot's position 80"},
	{90, "", TROUBLE_RESET, "offset 90 is committed without metadata: an operator's reset must be confirmed"},
	{90, "by hand", TROUBLE_RESET, "not the metadata of a checkpoint"},
	{90, "v1 epoch=7 id=0 snapshot=10 bytes=500 at=80", TROUBLE_RESET, "impossible numbers"},
	{90, "v2 whatever", TROUBLE_NEWER, "newer version"},
	{90, "v1 epoch=8 id=3 snapshot=10 bytes=500 at=80", TROUBLE_EPOCH, "epoch 8, the cell's topics are of epoch 7"},
	{1, "v1 epoch=-7 id=3 snapshot=10 bytes=500 at=80", TROUBLE_EPOCH, "epoch -7"},
};

START_TEST(an_offset_fits_or_not)
{
	struct offset_meta meta = {0};
	struct err err = ERR_INIT;
	enum trouble trouble = verdict_offset(offsets[_i].offset, str_from(offsets[_i].metadata), 7, &meta, &err);

	ck_assert_int_eq(trouble, offsets[_i].trouble);
	if (offsets[_i].says)
		ck_assert_msg(strstr(err.msg, offsets[_i].says) != NULL, "%s", err.msg);
	else
		ck_assert_int_eq(err.kind, 0);
	if (trouble == TROUBLE_NONE)
		ck_assert_int_eq(meta.epoch, 7);
}
END_TEST

enum { NOBODY, ACCEPT, FORGET, BOTH };

/* Every trouble that can be judged, whatever was found, by whom it is allowed: nobody, accept_offsets, forget_state, both. */
static const struct {
	enum trouble trouble;
	enum found found;
	enum ending ending[4];
} endings[] = {
	{TROUBLE_NO_OFFSET, FOUND_NOTHING, {END_EMPTY_AT_BEGIN, END_EMPTY_AT_BEGIN, END_EMPTY_AT_BEGIN, END_EMPTY_AT_BEGIN}},
	{TROUBLE_NO_OFFSET, FOUND_WHOLE, {END_REFUSED, END_KEPT, END_EMPTY_AT_BEGIN, END_KEPT}},
	{TROUBLE_NO_OFFSET, FOUND_DAMAGED, {END_REFUSED, END_REFUSED, END_EMPTY_AT_BEGIN, END_EMPTY_AT_BEGIN}},
	{TROUBLE_NO_OFFSET, FOUND_NEWER, {END_REFUSED, END_REFUSED, END_REFUSED, END_REFUSED}},
	{TROUBLE_RESET, FOUND_NOTHING, {END_REFUSED, END_EMPTY_AT_OFFSET, END_EMPTY_AT_OFFSET, END_EMPTY_AT_OFFSET}},
	{TROUBLE_RESET, FOUND_WHOLE, {END_REFUSED, END_KEPT_AT_OFFSET, END_EMPTY_AT_OFFSET, END_KEPT_AT_OFFSET}},
	{TROUBLE_RESET, FOUND_DAMAGED, {END_REFUSED, END_REFUSED, END_EMPTY_AT_OFFSET, END_EMPTY_AT_OFFSET}},
	{TROUBLE_RESET, FOUND_NEWER, {END_REFUSED, END_REFUSED, END_REFUSED, END_REFUSED}},
	{TROUBLE_EPOCH, FOUND_NOTHING, {END_REFUSED, END_REFUSED, END_EMPTY_AT_BEGIN, END_EMPTY_AT_BEGIN}},
	{TROUBLE_EPOCH, FOUND_WHOLE, {END_REFUSED, END_KEPT, END_EMPTY_AT_BEGIN, END_KEPT}},
	{TROUBLE_EPOCH, FOUND_DAMAGED, {END_REFUSED, END_REFUSED, END_EMPTY_AT_BEGIN, END_EMPTY_AT_BEGIN}},
	{TROUBLE_EPOCH, FOUND_NEWER, {END_REFUSED, END_REFUSED, END_REFUSED, END_REFUSED}},
	{TROUBLE_NEWER, FOUND_WHOLE, {END_REFUSED, END_REFUSED, END_REFUSED, END_REFUSED}},
	{TROUBLE_NEWER, FOUND_NOTHING, {END_REFUSED, END_REFUSED, END_REFUSED, END_REFUSED}},
	{TROUBLE_SNAPSHOT, FOUND_DAMAGED, {END_REFUSED, END_REFUSED, END_EMPTY_AT_SNAPSHOT, END_EMPTY_AT_SNAPSHOT}},
	{TROUBLE_SNAPSHOT, FOUND_NEWER, {END_REFUSED, END_REFUSED, END_REFUSED, END_REFUSED}},
};

START_TEST(an_ending_for_each_case)
{
	for (int who = NOBODY; who <= BOTH; who++) {
		const struct consent consent = {.accept = who == ACCEPT || who == BOTH, .forget = who == FORGET || who == BOTH};

		ck_assert_int_eq(verdict_ending(endings[_i].trouble, endings[_i].found, &consent), endings[_i].ending[who]);
	}
}
END_TEST

START_TEST(a_refusal_says_what_helps)
{
	const enum ending *ending = endings[_i].ending;
	struct err err = ERR_INIT;

	if (ending[NOBODY] != END_REFUSED)
		return;
	err_set(&err, ERR_REJECT, "so it is");
	verdict_advise(endings[_i].trouble, endings[_i].found, "main", &err);
	if (ending[ACCEPT] != END_REFUSED)
		ck_assert_str_eq(err.msg, "so it is: millrace-ctl offsets confirm main --reason R accepts it");
	else if (ending[FORGET] != END_REFUSED)
		ck_assert_str_eq(err.msg, "so it is: millrace-ctl offsets confirm main --reason R --forget-state begins anew, without it");
	else
		ck_assert_str_eq(err.msg, "so it is: nothing but the build that wrote it helps");
}
END_TEST

/* A control for a cell in force, with this reason. */
static void put(struct controls *c, enum control_action action, const char *cell, const char *reason)
{
	struct control control = {.on = CONTROL_PROGRAM_PROCESSOR, .action = action, .has_cell = true, .cell = str_from(cell),
				  .reason = str_from(reason), .author = STR("me"), .created_at = clock_wall_ms()};
	char id[CONTROL_ID_SIZE];
	struct err err = ERR_INIT;

	ck_assert_int_eq(control_make_id(&control, id, &err), 0);
	control.id = str_from(id);
	control.expires_at = control.created_at + 60000;
	ck_assert_msg(controls_put(c, &control, &err) == CONTROLS_DONE, "%s", err.msg);
}

START_TEST(consent_is_a_cells)
{
	const struct clock clock = {0};
	struct err err = ERR_INIT;
	struct controls *c = controls_new(&clock, CONTROL_PROGRAM_PROCESSOR, &err);
	struct consent before, now;

	put(c, CONTROL_ACTION_ACCEPT_OFFSETS, "other", "not here");
	before = consent_of(c, "main");
	ck_assert(!before.accept && !before.forget && !consent_of(NULL, "main").accept);
	put(c, CONTROL_ACTION_ACCEPT_OFFSETS, "main", "moved back");
	now = consent_of(c, "main");
	ck_assert(now.accept && !now.forget && !consent_equal(&before, &now));
	ck_assert_str_eq(now.why_accept, "moved back");
	put(c, CONTROL_ACTION_FORGET_STATE, "main", "all of it");
	before = now;
	now = consent_of(c, "main");
	ck_assert(now.accept && now.forget && !consent_equal(&before, &now) && consent_equal(&now, &now));
	ck_assert_str_eq(now.why_forget, "all of it");
	controls_free(c);
}
END_TEST

static const struct {
	struct acceptance a;
	uint64_t skipped;
	const char *says;
} accepted[] = {
	{{END_KEPT_AT_OFFSET, 120, 4, 100, "r"}, 20, "goes on at offset 120 with snapshot 4 of position 100, as an operator has confirmed: records 100 to 119 are skipped (reason: r)"},
	{{END_KEPT_AT_OFFSET, 80, 4, 100, "r"}, 0, "records 80 to 99 are read again: those with an identity are dropped, the others count twice"},
	{{END_KEPT, 100, 4, 100, "r"}, 0, "nothing is skipped or read again"},
	{{END_EMPTY_AT_OFFSET, 80, 0, 0, "r"}, 0, "goes on at offset 80 without state"},
	{{END_EMPTY_AT_BEGIN, 3, 0, 0, "r"}, 0, "what lay open is forgotten"},
};

START_TEST(what_was_accepted_is_said)
{
	char text[ACCEPTANCE_TEXT_SIZE];

	ck_assert_uint_eq(acceptance_skipped(&accepted[_i].a), accepted[_i].skipped);
	ck_assert_msg(strstr(acceptance_text(&accepted[_i].a, text), accepted[_i].says) != NULL, "%s", text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("verdict");
	TCase *tc = tcase_create("verdict");

	tcase_add_loop_test(tc, an_offset_fits_or_not, 0, NR(offsets));
	tcase_add_loop_test(tc, an_ending_for_each_case, 0, NR(endings));
	tcase_add_loop_test(tc, a_refusal_says_what_helps, 0, NR(endings));
	tcase_add_test(tc, consent_is_a_cells);
	tcase_add_loop_test(tc, what_was_accepted_is_said, 0, NR(accepted));
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
