/* test_page_nomem.c - all of the page's answers, while one allocation after the other fails: an error, or all of it, and nothing leaks. */
#include "sink/status/server.h"
#include "tests/unit/fail_alloc.h"
#include "tests/unit/status/page_samples.h"
#include "tests/unit/unit.h"

START_TEST(all_answers)
{
	struct sample *s = sample_new("major");

	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		struct err err = ERR_INIT;
		struct answers *a;
		bool done;

		fail_walk_begin(&w);
		a = answers_new(&err);
		done = a && page_answers(&s->page, a, &err) == 0;
		ck_assert(fail_walk_end(&w) || done);
		ck_assert(done || err.kind);
		answers_free(a);
	}
	sample_free(s);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("page_nomem");
	TCase *tc = tcase_create("page_nomem");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, all_answers);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
