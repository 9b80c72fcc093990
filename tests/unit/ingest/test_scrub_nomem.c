/* test_scrub_nomem.c - scrubbing and backtraces when memory is short: an error, never a text that keeps its secret; and all of it succeeds later. */
#include "ingest/backtrace.h"
#include "ingest/scrub.h"
#include "tests/unit/fail_alloc.h"
#include "tests/unit/unit.h"

START_TEST(rules_are_made_whole_or_not_at_all)
{
	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		struct err err = ERR_INIT;
		struct scrub *s;

		fail_walk_begin(&w);
		s = scrub_new("a,b", "x[0-9] y", "session", &err);
		ck_assert(fail_walk_end(&w) == !s && (s || err.kind == ERR_FATAL));
		scrub_free(s);
	}
}
END_TEST

START_TEST(a_text_is_scrubbed_or_refused)
{
	struct err err = ERR_INIT;
	struct scrub *s = scrub_new("", "x[0-9]+", "", &err);
	struct buf b = BUF_INIT;

	ck_assert_ptr_nonnull(s);
	for (int i = 0; i < 300; i++) /* more than one block of an arena */
		buf_printf(&b, "password=secret%d, x%d and 4111 1111 1111 1111 in a sentence of some length; ", i, i);
	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		struct arena arena = ARENA_INIT;
		struct str text = buf_str(&b);
		struct tag tags[] = {{STR("token"), STR("x")}, {STR("note"), buf_str(&b)}};
		int rc;

		fail_walk_begin(&w);
		rc = scrub_text(s, &arena, &text) < 0 || scrub_tags(s, NULL, &arena, tags, NR(tags), 1 << 20) < 0 ? -1 : 0;
		ck_assert_int_eq(rc, fail_walk_end(&w) ? -1 : 0);
		ck_assert(rc < 0 || (!memmem(text.p, text.len, "secret", 6) && str_eq(tags[1].value, text) && str_eq(tags[0].value, STR(SCRUBBED))));
		arena_fini(&arena);
	}
	buf_fini(&b);
	scrub_free(s);
}
END_TEST

START_TEST(a_backtrace_is_read_or_refused)
{
	struct str text = STR("\tat com.acme.Shop.sell(Shop.java:8)\n\tat com.acme.Shop.main(Shop.java:12)\n");

	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		struct arena arena = ARENA_INIT;
		struct backtrace_frame *frames;
		size_t len = 0;
		int rc;

		fail_walk_begin(&w);
		rc = backtrace_parse(text, &arena, &frames, &len);
		ck_assert_int_eq(rc, fail_walk_end(&w) ? -1 : 0);
		ck_assert_uint_eq(len, rc < 0 ? 0 : 2);
		arena_fini(&arena);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("scrub_nomem");
	TCase *tc = tcase_create("scrub");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, rules_are_made_whole_or_not_at_all);
	tcase_add_test(tc, a_text_is_scrubbed_or_refused);
	tcase_add_test(tc, a_backtrace_is_read_or_refused);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
