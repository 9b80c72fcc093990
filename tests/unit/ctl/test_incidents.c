/* test_incidents.c - which incident the first digits of an id name, against a search of its own. */
#include "deploy/ctl/incidents.h"

#include <ctype.h>

#include "tests/unit/unit.h"

enum { NR_INCIDENTS = 40 };

/* Ids of few different bytes, so that prefixes are shared. */
static void draw(struct unit_random *r, struct incident list[NR_INCIDENTS])
{
	for (int i = 0; i < NR_INCIDENTS; i++) {
		list[i] = (struct incident){0};
		for (size_t b = 0; b < sizeof(list[i].id); b++)
			list[i].id[b] = b < 3 ? (uint8_t)(0xa0 + unit_random_below(r, 3)) : (uint8_t)unit_random_next(r);
	}
}

static char digit(const struct incident *i, size_t at)
{
	return "0123456789abcdef"[at % 2 ? i->id[at / 2] & 15 : i->id[at / 2] >> 4];
}

/* How many begin with the first n digits of the first one, and which the last of them is. */
static int count(const struct incident *list, size_t of, size_t n)
{
	int found = 0;

	for (int i = 0; i < NR_INCIDENTS; i++) {
		size_t same = 0;

		while (same < n && digit(&list[i], same) == digit(&list[of], same))
			same++;
		found += same == n;
	}
	return found;
}

START_TEST(first_digits)
{
	struct unit_random r = unit_random_new("incidents");
	struct incident list[NR_INCIDENTS];
	const struct incidents all = {.list = list, .nr = NR_INCIDENTS};
	int unique = 0, shared = 0;

	draw(&r, list);
	for (size_t of = 0; of < NR_INCIDENTS; of++)
		for (size_t n = INCIDENTS_PREFIX_MIN; n <= 32; n++) {
			char prefix[40] = "";
			struct err err = ERR_INIT;
			const struct incident *found;

			for (size_t at = 0; at < n; at++)
				prefix[at] = (char)(of % 2 ? toupper(digit(&list[of], at)) : digit(&list[of], at));
			found = incidents_find(&all, prefix, &err);
			if (count(list, of, n) == 1) {
				ck_assert(found == &list[of]);
				unique++;
			} else {
				ck_assert(!found && err.kind == ERR_REJECT && strstr(err.msg, "several"));
				shared++;
			}
		}
	ck_assert(unique > 500 && shared > 20);
}
END_TEST

static const char *const wrong[] = {"", "a", "abc", "abcg", "0123456789abcdef0123456789abcdef0", "ab cd", "-1234", "abcd%"};

START_TEST(no_prefix)
{
	struct incident one = {.id = {0xab, 0xcd}};
	const struct incidents all = {.list = &one, .nr = 1};
	struct err err = ERR_INIT;

	ck_assert(incidents_find(&all, "abcd", &err) == &one);
	ck_assert(!incidents_find(&all, wrong[_i], &err) && err.kind == ERR_REJECT && strstr(err.msg, "no incident's id"));
	ck_assert(!incidents_find(&all, "abce", &err) && strstr(err.msg, "there is no incident"));
}
END_TEST

START_TEST(words)
{
	const struct incident one = {.id = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0, 0, 0, 0, 0, 0, 0, 0xff}};
	char id[INCIDENTS_ID_SIZE], brief[INCIDENTS_SHORT_SIZE];

	ck_assert_str_eq(incidents_id(&one, id), "0123456789abcdef00000000000000ff");
	ck_assert_str_eq(incidents_short(&one, brief), "0123456789ab");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("incidents");
	TCase *tc = tcase_create("incidents");

	tcase_add_test(tc, first_digits);
	tcase_add_loop_test(tc, no_prefix, 0, (int)NR(wrong));
	tcase_add_test(tc, words);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
