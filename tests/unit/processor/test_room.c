/* test_room.c - when is reading held up, when does a restore wait, when is the state crowded; and when does each end? */
#include "processor/room.h"

#include "tests/unit/processor/fill.h"

enum { TASKS = 2 };

/* Two tasks of which the first is filled, and a room whose marks are parts of what it takes. */
struct house {
	struct unit_random random;
	struct fill fill;
	struct task *tasks[TASKS];
	struct room room;
	size_t bytes; /* of the two */
};

static const struct fill_shape gauges = {.nr_series = 2000, .kind = SERIES_KIND_GAUGE};

static void house_init(struct house *h, double hard, double high)
{
	memset(h, 0, sizeof(*h));
	h->random = unit_random_new("room");
	for (int i = 0; i < TASKS; i++) {
		h->tasks[i] = task_new(i, INPUT_SAMPLES);
		h->tasks[i]->phase = TASK_RUNNING;
		h->tasks[i]->watermark_ms = L_BEGIN_MS;
	}
	h->fill.task = h->tasks[0];
	h->fill.random = &h->random;
	fill_records(&h->fill, &gauges, 100, 0);
	h->bytes = task_bytes(h->tasks[0]) + task_bytes(h->tasks[1]);
	h->room.budget = (struct budget){.hard_bytes = (size_t)((double)h->bytes * hard), .high_bytes = (size_t)((double)h->bytes * high),
					 .low_bytes = (size_t)((double)h->bytes * high / 2), .unflushable_bytes = h->bytes, .growth_bytes = h->bytes, .snapshot_bytes = h->bytes};
}

static void house_fini(struct house *h)
{
	for (int i = 0; i < TASKS; i++)
		task_free(h->tasks[i]);
	fill_fini(&h->fill);
}

static void look(struct house *h, bool holding, const char *when)
{
	room_look(&h->room, h->tasks, TASKS, 1000);
	ck_assert_msg(h->room.holding == holding, "%s", when);
}

START_TEST(reading_is_held_up_until_a_transaction_makes_room)
{
	struct house h;
	struct err err = ERR_INIT;

	house_init(&h, 0.9, 0.5);
	look(&h, false, "nobody owes anything yet");
	room_charge(&h.room, h.tasks, TASKS);
	ck_assert_uint_gt(h.tasks[0]->owed_bytes, 0);
	look(&h, true, "it is owed");
	h.tasks[0]->owed_bytes = 0;
	ck_assert_int_eq(task_flush(h.tasks[0], &err), 0);
	look(&h, true, "it waits in the outbox");
	task_aborted(h.tasks[0]);
	look(&h, true, "the transaction came to nothing");
	fill_commit(h.tasks[0]);
	look(&h, false, "it was committed");
	house_fini(&h);
}
END_TEST

START_TEST(between_the_marks_it_stays_as_it_is)
{
	struct house h;

	house_init(&h, 1.1, 0.9);
	h.tasks[0]->owed_bytes = 1;
	look(&h, false, "below the hard mark");
	h.room.holding = true;
	look(&h, true, "above the high mark");
	h.room.budget.high_bytes = h.bytes;
	look(&h, false, "not above the high mark");
	h.room.budget.hard_bytes = h.bytes;
	look(&h, false, "at the hard mark is not over it");
	h.room.budget.hard_bytes = h.bytes - 1;
	look(&h, true, "over it");
	house_fini(&h);
}
END_TEST

START_TEST(what_no_flush_frees_holds_nothing_up)
{
	struct house h;
	struct err err = ERR_INIT;

	house_init(&h, 0.9, 0.5);
	ck_assert_int_eq(task_flush(h.tasks[0], &err), 0);
	fill_commit(h.tasks[0]);
	h.tasks[0]->dedup.bytes += 3 * h.bytes;
	look(&h, false, "there is nothing to wait for");
	ck_assert_int_eq(task_add_letter(h.tasks[0], STR("letter")), 0);
	look(&h, true, "a letter waits");
	h.tasks[0]->dedup.bytes -= 3 * h.bytes;
	house_fini(&h);
}
END_TEST

START_TEST(the_state_is_crowded_over_its_half_and_not_just_below_it)
{
	struct house h;
	size_t half, have;

	house_init(&h, 9, 9);
	half = h.room.budget.unflushable_bytes;
	have = budget_look(h.tasks, TASKS).unflushable_bytes;
	for (int i = 0; i < 2; i++) {
		h.tasks[1]->dedup.bytes += half - have;
		look(&h, false, "");
		ck_assert_msg(!h.room.crowded && h.room.use.unflushable_bytes == half, "at the mark is not over it");
		h.tasks[1]->dedup.bytes++;
		look(&h, false, "");
		ck_assert(h.room.crowded);
		h.tasks[1]->dedup.bytes -= half / 20;
		look(&h, false, "");
		ck_assert_msg(h.room.crowded, "a little less is not enough");
		h.tasks[1]->dedup.bytes -= half / 20 + 2;
		look(&h, false, "");
		ck_assert(!h.room.crowded);
		h.tasks[1]->dedup.bytes -= half - have - 2 * (half / 20) - 1;
	}
	house_fini(&h);
}
END_TEST

enum { WAIT_MS = 20000 };

START_TEST(a_restore_waits_for_room_but_not_for_ever)
{
	struct house h;

	house_init(&h, 3, 2);
	ck_assert(room_admits(&h.room, h.tasks, TASKS, h.bytes, 1000));
	ck_assert(!room_admits(&h.room, h.tasks, TASKS, h.bytes + 1, 2000)); /* the first one could give */
	ck_assert(!room_admits(&h.room, h.tasks, TASKS, h.bytes + 1, 2000 + WAIT_MS - 1));
	ck_assert(room_admits(&h.room, h.tasks, TASKS, h.bytes + 1, 2000 + WAIT_MS));
	ck_assert(!room_admits(&h.room, h.tasks, TASKS, h.bytes + 1, 3000 + WAIT_MS)); /* another one */
	ck_assert(!room_admits(&h.room, h.tasks, TASKS, SIZE_MAX / 2, 3000 + WAIT_MS)); /* what hostile metadata says */
	house_fini(&h);
}
END_TEST

START_TEST(while_reading_is_held_up_it_waits_as_long)
{
	struct house h;

	house_init(&h, 3, 2);
	h.room.holding = true;
	ck_assert(!room_admits(&h.room, h.tasks, TASKS, h.bytes + 1, 1000));
	ck_assert(!room_admits(&h.room, h.tasks, TASKS, h.bytes + 1, 1000 + 100 * WAIT_MS));
	ck_assert(room_admits(&h.room, h.tasks, TASKS, h.bytes, 1000 + 100 * WAIT_MS));
	house_fini(&h);
}
END_TEST

START_TEST(a_restore_does_not_wait_for_what_nobody_can_give)
{
	struct house h;
	struct err err = ERR_INIT;

	house_init(&h, 3, 2);
	ck_assert_int_eq(task_flush(h.tasks[0], &err), 0);
	ck_assert(!room_admits(&h.room, h.tasks, TASKS, 2 * h.bytes, 1000)); /* it is on its way out */
	fill_commit(h.tasks[0]);
	ck_assert(room_admits(&h.room, h.tasks, TASKS, 9 * h.bytes, 1000));
	house_fini(&h);
}
END_TEST

START_TEST(it_is_looked_only_when_a_mark_may_have_been_passed)
{
	struct house h;
	size_t coming;

	house_init(&h, 9, 2);
	ck_assert(room_due(&h.room, 0, 1000)); /* never looked */
	look(&h, false, "");
	coming = h.room.use.state_bytes + h.room.use.growth_bytes + h.room.use.snapshot_bytes;
	h.room.budget.high_bytes = coming + 12 * 1000;
	ck_assert(!room_due(&h.room, 0, 1000 + 999));
	ck_assert(room_due(&h.room, 0, 1000 + 1000));
	h.room.weight = 1000;
	ck_assert(!room_due(&h.room, 0, 1000));
	h.room.weight = 1001;
	ck_assert(room_due(&h.room, 0, 1000));
	look(&h, false, "");
	ck_assert(!room_due(&h.room, 0, 1000)); /* what was taken has been seen */
	ck_assert(room_due(&h.room, 1, 1000));  /* a restore wants room */
	ck_assert(!room_due(&h.room, 1, 1000));
	ck_assert(room_due(&h.room, 12001, 1000) && room_due(&h.room, 12001, 1000));
	h.room.budget.high_bytes *= 9;
	ck_assert(!room_due(&h.room, 12001, 1000));
	h.room.holding = true;
	ck_assert(room_due(&h.room, 12001, 1000));
	house_fini(&h);
}
END_TEST

START_TEST(the_marks_come_from_the_shares)
{
	const struct shares shares = shares_of(INT64_C(256) << 20);
	struct room room;

	room_init(&room, &shares);
	ck_assert_uint_eq(room.budget.hard_bytes, shares.bytes[SHARE_STATE]);
	ck_assert(!room.holding && !room.crowded);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("room");
	TCase *tc = tcase_create("room");

	tcase_add_test(tc, reading_is_held_up_until_a_transaction_makes_room);
	tcase_add_test(tc, between_the_marks_it_stays_as_it_is);
	tcase_add_test(tc, what_no_flush_frees_holds_nothing_up);
	tcase_add_test(tc, the_state_is_crowded_over_its_half_and_not_just_below_it);
	tcase_add_test(tc, a_restore_waits_for_room_but_not_for_ever);
	tcase_add_test(tc, while_reading_is_held_up_it_waits_as_long);
	tcase_add_test(tc, a_restore_does_not_wait_for_what_nobody_can_give);
	tcase_add_test(tc, it_is_looked_only_when_a_mark_may_have_been_passed);
	tcase_add_test(tc, the_marks_come_from_the_shares);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
