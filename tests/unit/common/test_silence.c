/* test_silence.c - what a silence may be: each rule, broken one at a time. */
#include "common/silence.h"

#include <string.h>

#include "tests/unit/unit.h"

#define T INT64_C(1795696200000)
#define DAY (INT64_C(24) * 3600000)

/* Selectors and what they select; filled by good(). */
struct parts {
	struct str eu, web;
	struct tag_selector sorted[2], reversed[2], twice[2], nameless, valueless;
};

static struct silence good(struct parts *p)
{
	const struct tag_selector host = {STR("host"), SELECTOR_OP_GLOB, &p->web, 1}, region = {STR("region"), SELECTOR_OP_EXACT, &p->eu, 1};

	*p = (struct parts){.eu = STR("eu"), .web = STR("web-*"), .sorted = {host, region}, .reversed = {region, host},
			    .twice = {host, {STR("host"), SELECTOR_OP_EXACT, &p->eu, 1}}, .nameless = {STR("a key"), SELECTOR_OP_EXACT, &p->eu, 1},
			    .valueless = {STR("host"), SELECTOR_OP_EXACT, NULL, 0}};
	return (struct silence){.id = STR("abcd1234"), .has_site = true, .site = STR("shop"), .has_trigger = true, .trigger = STR("slow-checkout"),
				.tags = p->sorted, .tags_len = 2, .starts_at = T, .ends_at = T + 90 * DAY, .reason = STR("we know"), .author = STR("me"),
				.created_at = T - 5};
}

START_TEST(takes_good_ones)
{
	struct parts parts;
	struct silence s = good(&parts);
	struct err err = ERR_INIT;

	ck_assert_msg(silence_check(&s, &err) == 0, "%s", err.msg);
	s = (struct silence){.id = STR("0123456789abcdef"), .ends_at = 1, .reason = STR("é"), .author = STR("x")};
	ck_assert_msg(silence_check(&s, &err) == 0, "%s", err.msg);
	s.has_site = s.has_trigger = false; /* what is not set is not looked at */
	s.site = s.trigger = STR("NO NAME");
	ck_assert_int_eq(silence_check(&s, &err), 0);
}
END_TEST

enum fault {
	SHORT_ID, LONG_ID, UPPER_ID, DASHED_ID, NO_SITE, BAD_TRIGGER, UNSORTED, TWICE, NAMELESS, VALUELESS, NO_REASON, TWO_LINES, LONG_REASON, NO_AUTHOR, LATIN1,
	NO_TIME, BACKWARDS, TOO_LONG, BEFORE_TIME, NR_FAULTS
};

static struct silence broken(enum fault fault, struct parts *p)
{
	static const char long_text[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
					"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
	struct silence s = good(p);

	switch (fault) {
	case SHORT_ID: s.id = STR("abcd123"); break;
	case LONG_ID: s.id = STR("0123456789abcdefg"); break;
	case UPPER_ID: s.id = STR("abcD1234"); break;
	case DASHED_ID: s.id = STR("abcd-123"); break;
	case NO_SITE: s.site = STR(""); break;
	case BAD_TRIGGER: s.trigger = STR("slow_checkout"); break;
	case UNSORTED: s.tags = p->reversed; break;
	case TWICE: s.tags = p->twice; break;
	case NAMELESS: s.tags = &p->nameless; s.tags_len = 1; break;
	case VALUELESS: s.tags = &p->valueless; s.tags_len = 1; break;
	case NO_REASON: s.reason = STR(""); break;
	case TWO_LINES: s.reason = STR("a\nb"); break;
	case LONG_REASON: s.reason = (struct str){long_text, 256}; break;
	case NO_AUTHOR: s.author = STR(""); break;
	case LATIN1: s.author = STR("\xe9"); break;
	case NO_TIME: s.ends_at = s.starts_at; break;
	case BACKWARDS: s.ends_at = s.starts_at - 1; break;
	case TOO_LONG: s.ends_at = s.starts_at + 90 * DAY + 1; break;
	case BEFORE_TIME: s.starts_at = -1; break;
	case NR_FAULTS: break;
	}
	return s;
}

START_TEST(refuses_broken_ones)
{
	struct parts parts;
	struct silence s = broken((enum fault)_i, &parts);
	struct err err = ERR_INIT;

	ck_assert_msg(silence_check(&s, &err) == -1, "%d is taken", _i);
	ck_assert(err.kind == ERR_REJECT);
}
END_TEST

START_TEST(bounds_of_texts)
{
	struct err err = ERR_INIT;

	ck_assert_int_eq(silence_check_text("note", STR(""), 0, 5, &err), 0);
	ck_assert_int_eq(silence_check_text("note", STR("12345"), 5, 5, &err), 0);
	ck_assert_int_eq(silence_check_text("note", STR("123456"), 0, 5, &err), -1);
	ck_assert_str_eq(err.msg, "the note has 6 bytes: 0 to 5 are allowed");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("silence");
	TCase *tc = tcase_create("silence");

	tcase_add_test(tc, takes_good_ones);
	tcase_add_loop_test(tc, refuses_broken_ones, 0, NR_FAULTS);
	tcase_add_test(tc, bounds_of_texts);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
