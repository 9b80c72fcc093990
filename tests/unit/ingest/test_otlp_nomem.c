/* test_otlp_nomem.c - OTLP's signals when memory is short in the middle: refused as one of ours (503), and taken whole the next time. And an arena
 * that is full is the body's fault, at whichever of its bytes. */
#include "ingest/otlp_logs.h"
#include "ingest/otlp_metrics.h"
#include "ingest/otlp_traces.h"
#include "tests/unit/fail_alloc.h"
#include "tests/unit/ingest/otlp_text.h"
#include "tests/unit/ingest/wire_text.h"

#define ATTR(number, key, value) #number "{1\"" key "\" 2{" value "}} "
#define ERROR(number) ATTR(number, "exception.type", "1\"E\"") ATTR(number, "exception.stacktrace", "1\"at a.B.c(D.java:1)\"")
#define T "!1795372011000000000 "
#define RESOURCE "1{" ATTR(1, "service.name", "1\"shop\"") ATTR(1, "tier", "3=7") "}"

static const struct {
	int (*parse)(struct str, struct payload *, const struct otlp_rules *, struct refusal *);
	const char *head, *item;
} signals[] = {
	{otlp_traces_parse, "2{1\"0123456789abcdef\" 2\"span0000\" 5\"root\" 7" T "8" T "} ",
	 "2{1\"0123456789abcdef\" 2\"span%04d\" 4\"span0000\" 6=%d 5\"n\" 7" T "8" T ATTR(9, "http.route", "1\"/x\"") ATTR(9, "http.method", "1\"GET\"")
		 ATTR(9, "list", "5{1{3=1} 1{1\"a\"}}") "11{1" T "2\"crumb\"} 11{1" T ERROR(3) "}} "},
	{otlp_logs_parse, "1{1\"logger\"}", "2{1" T "3\"E%d\" 9\"0123456789abcdef\" 5{3=%d}" ERROR(6) ATTR(6, "x", "4:0.5") "} "},
	{otlp_metrics_parse, "1{1\"meter\"}", "2{1\"a name of %d\" 9{1{4!3 5:9 7:5 7:1%d 6!1 6!0 6!2 " ATTR(9, "a key", "1\"v\"") ATTR(9, "n", "3=7") "} 2=1}} "
	 "2{1\"e\" 10{1{4!3 5:9 6~7 8{2=1 2=2}} 1{} 2=2}} 2{1\"bad\" 5{1{}}} "},
};

static struct buf make_body(int signal, int items)
{
	struct buf text = BUF_INIT, body;

	buf_printf(&text, "1{2{%s", signals[signal].head);
	for (int i = 0; i < items; i++)
		buf_printf(&text, signals[signal].item, i + 1, i % 7);
	buf_printf(&text, "}" RESOURCE "}");
	buf_add(&text, "", 1);
	body = wire_text((char *)text.p);
	buf_fini(&text);
	return body;
}

START_TEST(short_memory_is_our_fault)
{
	struct buf body = make_body(_i, 300), want = BUF_INIT, got;
	struct arena arena = {.limit_bytes = 64 << 20};
	struct refusal no;
	struct payload p;

	ck_assert_msg(otlp_test_parse(buf_str(&body), &p, &arena, &no, signals[_i].parse) == 0, "%s", no.detail);
	want = text_payload(&p);
	arena_fini(&arena);
	for (struct fail_walk w = FAIL_WALK_INIT; fail_walk_next(&w);) {
		int rc;

		arena = (struct arena){.limit_bytes = 64 << 20};
		fail_walk_begin(&w);
		rc = otlp_test_parse(buf_str(&body), &p, &arena, &no, signals[_i].parse);
		ck_assert_int_eq(rc, fail_walk_end(&w) ? -1 : 0);
		ck_assert_msg(rc == 0 || no.reason == REASON_OVER_BUDGET, "%s: %s", reason_name(no.reason), no.detail);
		if (rc == 0) {
			got = text_payload(&p);
			ck_assert_str_eq((char *)got.p, (char *)want.p);
			buf_fini(&got);
		}
		arena_fini(&arena);
	}
	buf_fini(&want);
	buf_fini(&body);
}
END_TEST

START_TEST(a_full_arena_is_the_bodys_fault)
{
	struct buf body = make_body(_i, 3);
	size_t limit = 16;
	int rc;

	do {
		struct arena arena = {.limit_bytes = limit};
		struct refusal no;
		struct payload p;

		rc = otlp_test_parse(buf_str(&body), &p, &arena, &no, signals[_i].parse);
		ck_assert_msg(rc == 0 || no.reason == REASON_BODY_TOO_LARGE, "%zu: %s: %s", limit, reason_name(no.reason), no.detail);
		arena_fini(&arena);
		limit += 16;
		ck_assert_uint_lt(limit, 1 << 20);
	} while (rc < 0);
	ck_assert_uint_gt(limit, 1024);
	buf_fini(&body);
}
END_TEST

static Suite *otlp_nomem_suite(void)
{
	Suite *s = suite_create("otlp_nomem");
	TCase *tc = tcase_create("all");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, short_memory_is_our_fault, 0, NR(signals));
	tcase_add_loop_test(tc, a_full_arena_is_the_bodys_fault, 0, NR(signals));
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	return unit_main(otlp_nomem_suite());
}
