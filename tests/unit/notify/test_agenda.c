/* test_agenda.c - the heap against a walk over all items. */
#include "sink/notify/agenda.h"

#include <stdbool.h>
#include <string.h>

#include "tests/unit/unit.h"

enum { ITEMS = 200 };

static void assert_first(const struct agenda *a, const struct agenda_item *items)
{
	const struct agenda_item *first = agenda_first(a);
	bool is_first = true;
	size_t nr = 0;

	for (int i = 0; i < ITEMS; i++) {
		if (items[i].place == 0)
			continue;
		nr++;
		is_first &= first && (first->at_ms < items[i].at_ms || (first->at_ms == items[i].at_ms && first->since_ms <= items[i].since_ms));
	}
	ck_assert(is_first);
	ck_assert_uint_eq(nr, a->len);
	ck_assert((first != NULL) == (nr > 0));
}

START_TEST(random_operations)
{
	struct unit_random r = unit_random_new("random_operations");
	struct agenda_item items[ITEMS] = {{0}};
	struct agenda a = AGENDA_INIT;

	for (int i = 0; i < ITEMS; i++)
		items[i].since_ms = (int64_t)unit_random_below(&r, 50);
	for (int step = 0; step < 20000; step++) {
		struct agenda_item *item = &items[unit_random_below(&r, ITEMS)];
		int64_t at_ms = (int64_t)unit_random_below(&r, 100) + step / 100;

		if (unit_random_below(&r, 300) == 0)
			agenda_hurry(&a, at_ms);
		else if (unit_random_below(&r, 3) == 0)
			agenda_remove(&a, item);
		else if (item->place > 0)
			agenda_move(&a, item, at_ms);
		else
			ck_assert_int_eq(agenda_add(&a, item, at_ms), 0);
		assert_first(&a, items);
	}
	agenda_fini(&a);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("agenda");
	TCase *tc = tcase_create("agenda");

	tcase_add_test(tc, random_operations);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
