/* test_names.c - each string once, for as long as somebody has it. */
#include "processor/names.h"

#include <stdio.h>

#include "tests/unit/unit.h"

START_TEST(equal_strings_are_one_name)
{
	struct names n = NAMES_INIT;
	struct name *a = names_take_str(&n, STR("http.requests")), *b = names_take_str(&n, STR("http.requests"));
	struct name *other = names_take_str(&n, STR("http.request"));

	ck_assert(a && a == b && a->refs == 2 && other != a && a->listed);
	ck_assert(str_eq(name_str(a), STR("http.requests")) && str_eq(name_str(other), STR("http.request")));
	names_drop(&n, a);
	ck_assert_uint_eq(b->refs, 1);
	names_drop(&n, b);
	names_drop(&n, other);
	ck_assert(n.bytes == 0 && n.by_hash.len == 0);
	names_fini(&n);
}
END_TEST

/* "a" = "bc" is not "ab" = "c", and neither is a string. */
START_TEST(a_tag_is_known_by_both_its_parts)
{
	struct names n = NAMES_INIT;
	const struct tag one = {STR("a"), STR("bc")}, two = {STR("ab"), STR("c")}, empty = {STR("abc"), STR("")};
	struct name *names[] = {names_take_tag(&n, &one), names_take_tag(&n, &two), names_take_tag(&n, &empty), names_take_str(&n, STR("abc"))};

	for (size_t i = 0; i < NR(names); i++)
		for (size_t j = 0; j < i; j++)
			ck_assert_ptr_ne(names[i], names[j]);
	ck_assert(str_eq(name_tag(names[1]).key, two.key) && str_eq(name_tag(names[1]).value, two.value));
	ck_assert(str_eq(name_tag(names[2]).key, empty.key) && name_tag(names[2]).value.len == 0);
	for (size_t i = 0; i < NR(names); i++)
		names_drop(&n, names[i]);
	ck_assert_uint_eq(n.bytes, 0);
	names_fini(&n);
}
END_TEST

/* Nobody can make two strings collide here, so one is put where the other's hash leads. */
START_TEST(a_string_that_collides_is_itself)
{
	struct names n = NAMES_INIT;
	struct name *victim = names_take_str(&n, STR("victim")), *own, *again;
	struct buf encoded = BUF_INIT;
	uint8_t key[MAP_KEY_BYTES];

	codec_write_bytes(&encoded, STR("attacker"));
	map_key_of(buf_str(&encoded), key);
	ck_assert_int_eq(map_put(&n.by_hash, key, victim), 0);
	own = names_take_str(&n, STR("attacker"));
	again = names_take_str(&n, STR("attacker"));
	ck_assert(own && again && own != victim && again != own && !own->listed);
	ck_assert(str_eq(name_str(own), STR("attacker")) && str_eq(name_str(again), STR("attacker")) && victim->refs == 1);
	names_drop(&n, own);
	names_drop(&n, again);
	ck_assert_ptr_eq(map_get(&n.by_hash, key), victim);
	map_remove(&n.by_hash, key);
	names_drop(&n, victim);
	ck_assert_uint_eq(n.bytes, 0);
	buf_fini(&encoded);
	names_fini(&n);
}
END_TEST

/* What a flood has made is given back. */
START_TEST(memory_shrinks_with_the_names)
{
	struct names n = NAMES_INIT;
	static struct name *all[20000];
	char text[32];
	size_t most;

	for (size_t i = 0; i < NR(all); i++) {
		snprintf(text, sizeof(text), "request-%zu", i);
		all[i] = names_take_str(&n, str_from(text));
		ck_assert_ptr_nonnull(all[i]);
	}
	most = names_bytes(&n);
	for (size_t i = 0; i < NR(all) - 10; i++)
		names_drop(&n, all[i]);
	ck_assert_uint_lt(names_bytes(&n), most / 100);
	for (size_t i = NR(all) - 10; i < NR(all); i++) {
		snprintf(text, sizeof(text), "request-%zu", i);
		ck_assert_ptr_eq(names_take_str(&n, str_from(text)), all[i]);
		names_drop(&n, all[i]);
		names_drop(&n, all[i]);
	}
	names_fini(&n);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("names");
	TCase *tc = tcase_create("names");

	tcase_add_test(tc, equal_strings_are_one_name);
	tcase_add_test(tc, a_tag_is_known_by_both_its_parts);
	tcase_add_test(tc, a_string_that_collides_is_itself);
	tcase_add_test(tc, memory_shrinks_with_the_names);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
