/* test_newest.c - the newest record of each key, against a plain list of all that was taken. */
#include "deploy/ctl/newest.h"

#include "tests/unit/unit.h"

enum { KEYS = 20, STEPS = 400 };

static struct str word(unsigned n, char out[12])
{
	snprintf(out, 12, "%u", n);
	return str_from(out);
}

START_TEST(the_last_one_holds)
{
	struct unit_random r = unit_random_new("newest");
	struct newest n = {0};
	int last[KEYS], live = 0; /* -1: none, or removed */
	char key[12], value[12];

	for (int i = 0; i < KEYS; i++)
		last[i] = -1;
	for (int step = 0; step < STEPS; step++) {
		unsigned k = (unsigned)unit_random_below(&r, KEYS);
		bool gone = unit_random_below(&r, 4) == 0;

		last[k] = gone ? -1 : step;
		ck_assert_int_eq(newest_take(&n, word(k, key), gone ? (struct str){0} : word((unsigned)step, value), NULL), 0);
	}
	for (unsigned k = 0; k < KEYS; k++) {
		const struct newest_row *row = newest_find(&n, word(k, key));

		ck_assert_int_eq(row != NULL, last[k] >= 0);
		live += row != NULL;
		if (row)
			ck_assert(str_eq(row->value, word((unsigned)last[k], value)) && str_eq(row->key, str_from(key)));
	}
	ck_assert_int_eq((int)n.rows.len, live);
	newest_fini(&n);
}
END_TEST

START_TEST(lists_by_key)
{
	static const char *const keys[] = {"b", "", "a", "ab", "\xff", "A"};
	static const char *const sorted[] = {"", "A", "a", "ab", "b", "\xff"};
	struct newest n = {0};
	const struct newest_row **list;
	size_t nr;

	for (size_t i = 0; i < NR(keys); i++)
		ck_assert_int_eq(newest_take(&n, str_from(keys[i]), STR(""), NULL), 0);
	list = newest_list(&n, &nr, NULL);
	ck_assert(list && nr == NR(sorted));
	for (size_t i = 0; i < nr; i++)
		ck_assert(str_eq(list[i]->key, str_from(sorted[i])) && list[i]->value.p && !list[i]->value.len);
	free(list);
	newest_fini(&n);
	list = newest_list(&n, &nr, NULL);
	ck_assert(list && nr == 0);
	free(list);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("newest");
	TCase *tc = tcase_create("newest");

	tcase_add_test(tc, the_last_one_holds);
	tcase_add_test(tc, lists_by_key);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
