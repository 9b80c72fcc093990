/* test_map.c - the hash table against a plain array, with keys that collide on purpose. */
#include "common/map.h"

#include <string.h>

#include "tests/unit/unit.h"

enum { KEYS = 300 };

static void make_key(uint8_t key[MAP_KEY_BYTES], unsigned i, unsigned spread)
{
	uint64_t low = i % spread;

	memset(key, 0, MAP_KEY_BYTES);
	memcpy(key, &i, sizeof(i));
	memcpy(key + 8, &low, sizeof(low));
}

/* Most slots that stand one behind the other, none of them free. */
static size_t longest_run(const struct map *m)
{
	size_t run = 0, longest = 0;

	for (size_t i = 0; i < m->nr_slots; i++) {
		run = m->slots[i].value ? run + 1 : 0;
		longest = run > longest ? run : longest;
	}
	return longest;
}

static void assert_same(const struct map *m, void *const *model, unsigned spread)
{
	size_t at = 0, seen = 0, expected = 0;

	for (unsigned i = 0; i < KEYS; i++) {
		uint8_t key[MAP_KEY_BYTES];

		make_key(key, i, spread);
		ck_assert_ptr_eq(map_get(m, key), model[i]);
		expected += model[i] != NULL;
	}
	while (map_next(m, &at))
		seen++;
	ck_assert_uint_eq(seen, expected);
	ck_assert_uint_eq(m->len, expected);
}

/* spread 1 puts all keys into one run; a large one leaves them apart. */
START_TEST(random_operations)
{
	static const unsigned spreads[] = {1, 7, 1000000};
	struct unit_random r = unit_random_new("random_operations");
	unsigned spread = spreads[_i];
	struct map m = MAP_INIT;
	void *model[KEYS] = {NULL};
	char values[8];

	for (int step = 0; step < 20000; step++) {
		unsigned i = (unsigned)unit_random_below(&r, KEYS);
		uint8_t key[MAP_KEY_BYTES];

		make_key(key, i, spread);
		if (unit_random_below(&r, 5) < 2) {
			ck_assert_ptr_eq(map_remove(&m, key), model[i]);
			model[i] = NULL;
		} else {
			model[i] = &values[unit_random_below(&r, sizeof(values))];
			ck_assert_int_eq(map_put(&m, key, model[i]), 0);
		}
		if (step % 500 == 0)
			assert_same(&m, model, spread);
	}
	assert_same(&m, model, spread);
	map_fini(&m);
}
END_TEST

/* Hashes that somebody has chosen: all of them agree in 24 bits, wherever these lie. */
START_TEST(chosen_keys_are_not_one_long_run)
{
	struct unit_random r = unit_random_new("chosen_keys");
	uint64_t alike = UINT64_C(0xffffff) << (20 * _i), agreed = unit_random_below(&r, UINT64_MAX) & alike;
	struct map m = MAP_INIT;

	for (unsigned i = 0; i < 10000; i++) {
		uint64_t hash = (unit_random_below(&r, UINT64_MAX) & ~alike) | agreed;
		uint8_t key[MAP_KEY_BYTES] = {0};

		memcpy(key + 8, &hash, sizeof(hash));
		ck_assert_int_eq(map_put(&m, key, &m), 0);
	}
	ck_assert_uint_lt(longest_run(&m), 1000);
	map_fini(&m);
}
END_TEST

START_TEST(each_map_has_a_secret)
{
	struct map a = MAP_INIT, b = MAP_INIT;
	uint8_t key[MAP_KEY_BYTES];

	make_key(key, 1, 2);
	ck_assert(map_put(&a, key, &a) == 0 && map_put(&b, key, &a) == 0);
	ck_assert(a.secret && a.secret != b.secret);
	map_fini(&a);
	map_fini(&b);
}
END_TEST

START_TEST(empty_map)
{
	struct map m = MAP_INIT;
	uint8_t key[MAP_KEY_BYTES] = {0};
	size_t at = 0;

	ck_assert_ptr_null(map_get(&m, key));
	ck_assert_ptr_null(map_remove(&m, key));
	ck_assert_ptr_null(map_next(&m, &at));
	map_fini(&m);
}
END_TEST

START_TEST(reserve_then_put_does_not_move)
{
	struct map m = MAP_INIT;
	struct map_slot *slots;
	char value;

	ck_assert_int_eq(map_reserve(&m, KEYS), 0);
	slots = m.slots;
	for (unsigned i = 0; i < KEYS; i++) {
		uint8_t key[MAP_KEY_BYTES];

		make_key(key, i, 1000);
		ck_assert_int_eq(map_put(&m, key, &value), 0);
	}
	ck_assert_ptr_eq(m.slots, slots);
	ck_assert_int_eq(map_reserve(&m, SIZE_MAX), -1);
	map_fini(&m);
}
END_TEST

START_TEST(key_of_differs)
{
	uint8_t a[MAP_KEY_BYTES], b[MAP_KEY_BYTES], again[MAP_KEY_BYTES];

	map_key_of(STR("one"), a);
	map_key_of(STR("two"), b);
	map_key_of(STR("one"), again);
	ck_assert_mem_eq(a, again, MAP_KEY_BYTES);
	ck_assert_mem_ne(a, b, MAP_KEY_BYTES);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("map");
	TCase *tc = tcase_create("map");

	tcase_set_timeout(tc, 30);
	tcase_add_loop_test(tc, random_operations, 0, 3);
	tcase_add_loop_test(tc, chosen_keys_are_not_one_long_run, 0, 3);
	tcase_add_test(tc, each_map_has_a_secret);
	tcase_add_test(tc, empty_map);
	tcase_add_test(tc, reserve_then_put_does_not_move);
	tcase_add_test(tc, key_of_differs);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
