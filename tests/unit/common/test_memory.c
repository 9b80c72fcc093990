/* test_memory.c - are the size classes that we reckon the allocator's, and are its settings the ones that we chose? */
#include "common/memory.h"

#include <stdlib.h>

#include "tests/unit/unit.h"

/* The allocator's, in builds without a sanitizer. */
size_t nallocx(size_t size, int flags) __attribute__((weak));
int mallctl(const char *name, void *old, size_t *old_len, void *new, size_t new_len) __attribute__((weak));

static const struct { size_t asked, rounded; } classes[] = {
	{0, 8}, {1, 8}, {8, 8}, {9, 16}, {16, 16}, {17, 32}, {48, 48}, {49, 64}, {127, 128}, {128, 128}, {129, 160}, {160, 160}, {161, 192},
	{256, 256}, {257, 320}, {320, 320}, {321, 384}, {1025, 1280}, {4096, 4096}, {4097, 5120}, {14337, 16384}, {16385, 20480},
	{1048576, 1048576}, {1048577, 1310720}, {(size_t)3 << 30, (size_t)3 << 30}, {((size_t)3 << 30) + 1, (size_t)7 << 29},
};

START_TEST(a_request_takes_its_class)
{
	ck_assert_uint_eq(memory_rounded(classes[_i].asked), classes[_i].rounded);
}
END_TEST

START_TEST(the_allocator_agrees)
{
	struct unit_random r = unit_random_new("memory");

	for (size_t asked = 1; nallocx && asked < 70000; asked++)
		ck_assert_uint_eq(memory_rounded(asked), nallocx(asked, 0));
	for (int i = 0; nallocx && i < 100000; i++) {
		size_t asked = 1 + (size_t)unit_random_below(&r, UINT64_C(1) << (8 + unit_random_below(&r, 28)));

		ck_assert_uint_eq(memory_rounded(asked), nallocx(asked, 0));
	}
}
END_TEST

START_TEST(the_allocator_is_asked)
{
	struct memory_figures before, after;
	char *volatile held;

	ck_assert(memory_look(&before) == (mallctl != NULL));
	if (!mallctl)
		return;
	held = malloc(50 << 20);
	ck_assert_ptr_nonnull(held);
	memset(held, 1, 50 << 20);
	ck_assert(memory_look(&after));
	ck_assert_uint_ge(after.allocated_bytes, before.allocated_bytes + (50 << 20));
	ck_assert_uint_ge(after.resident_bytes, before.resident_bytes + (50 << 20));
	free(held);
}
END_TEST

/* A misspelt setting makes the allocator complain and go on with its default. */
START_TEST(our_settings_are_in_force)
{
	unsigned int arenas = 0;
	size_t tcache_max = 0, len = sizeof(arenas), size_len = sizeof(tcache_max), ssize_len = sizeof(ssize_t);
	ssize_t dirty_ms = -1;

	if (!mallctl || getenv("MALLOC_CONF"))
		return;
	ck_assert_int_eq(mallctl("opt.narenas", &arenas, &len, NULL, 0), 0);
	ck_assert_int_eq(mallctl("opt.tcache_max", &tcache_max, &size_len, NULL, 0), 0);
	ck_assert_int_eq(mallctl("opt.dirty_decay_ms", &dirty_ms, &ssize_len, NULL, 0), 0);
	ck_assert_uint_eq(arenas, 2);
	ck_assert_uint_eq(tcache_max, 4096);
	ck_assert_int_eq(dirty_ms, 1000);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("memory");
	TCase *tc = tcase_create("memory");

	tcase_add_loop_test(tc, a_request_takes_its_class, 0, NR(classes));
	tcase_add_test(tc, the_allocator_agrees);
	tcase_add_test(tc, the_allocator_is_asked);
	tcase_add_test(tc, our_settings_are_in_force);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
