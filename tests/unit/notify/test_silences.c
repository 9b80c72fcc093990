/* test_silences.c - what is silenced, and until when. */
#include "sink/notify/silences.h"

#include "tests/unit/unit.h"

static const struct tag tags[] = {{{"host", 4}, {"web1", 4}}, {{"zone", 4}, {"eu", 2}}};

static struct silence plain(const char *id, int64_t from, int64_t until)
{
	return (struct silence){.id = str_from(id), .reason = STR("works"), .author = STR("ann"), .starts_at = from, .ends_at = until, .created_at = from};
}

static int take(struct silences *s, const struct silence *one, struct err *err)
{
	struct buf value = BUF_INIT;
	int rc;

	ck_assert_int_eq(silence_encode(one, &value, NULL), 0);
	rc = silences_take(s, &(struct table_row){.key = one->id, .value = buf_str(&value)}, err);
	buf_fini(&value);
	return rc;
}

static const struct {
	const char *what, *site, *trigger, *host;
	int64_t at_ms;
	bool covers;
} cases[] = {
	{"everything", NULL, NULL, NULL, 1500, true},
	{"not before it begins", NULL, NULL, NULL, 999, false},
	{"from its beginning on", NULL, NULL, NULL, 1000, true},
	{"to its last moment", NULL, NULL, NULL, 1999, true},
	{"not at its end", NULL, NULL, NULL, 2000, false},
	{"its site", "shop", NULL, NULL, 1500, true},
	{"another site", "sho", NULL, NULL, 1500, false},
	{"its trigger", NULL, "slow", NULL, 1500, true},
	{"another trigger", NULL, "slower", NULL, 1500, false},
	{"its tag", NULL, NULL, "web1", 1500, true},
	{"another's tag", NULL, NULL, "web2", 1500, false},
	{"all three", "shop", "slow", "web1", 1500, true},
	{"two of three", "shop", "slow", "web2", 1500, false},
};

START_TEST(what_is_covered)
{
	struct silences s = SILENCES_INIT;
	struct str value = str_from(cases[_i].host);
	struct tag_selector selector = {.key = STR("host"), .op = SELECTOR_OP_EXACT, .values = &value, .values_len = 1};
	struct silence one = plain("aaaaaaaa", 1000, 2000);
	struct err err = ERR_INIT;

	one.has_site = cases[_i].site != NULL;
	one.site = str_from(cases[_i].site);
	one.has_trigger = cases[_i].trigger != NULL;
	one.trigger = str_from(cases[_i].trigger);
	one.tags = cases[_i].host ? &selector : NULL;
	one.tags_len = cases[_i].host ? 1 : 0;
	ck_assert_msg(take(&s, &one, &err) == 0, "%s", err.msg);
	silences_pick(&s, STR("shop"), STR("slow"));
	ck_assert_msg(silences_cover(&s, tags, 2, cases[_i].at_ms) == cases[_i].covers, "%s", cases[_i].what);
	/* What is not known by its tags is covered by those that ask for none alone. */
	ck_assert_msg(silences_cover(&s, NULL, 0, cases[_i].at_ms) == (cases[_i].covers && !cases[_i].host), "%s", cases[_i].what);
	silences_fini(&s);
}
END_TEST

/* Nothing was silenced before somebody said so, whatever the silence claims. */
START_TEST(not_before_it_was_written)
{
	struct silences s = SILENCES_INIT;
	struct silence one = plain("aaaaaaaa", 1000, 5000);

	one.created_at = 3000;
	ck_assert_int_eq(take(&s, &one, NULL), 0);
	silences_pick(&s, STR("shop"), STR("slow"));
	ck_assert(!silences_cover(&s, tags, 2, 2999));
	ck_assert(silences_cover(&s, tags, 2, 3000));
	silences_fini(&s);
}
END_TEST

START_TEST(rows_and_ends)
{
	struct silences s = SILENCES_INIT;
	struct silence a = plain("aaaaaaaa", 0, 5000), b = plain("bbbbbbbb", 0, 3000), c = plain("cccccccc", 2000, 2500);
	struct err err = ERR_INIT;

	c.has_site = true;
	c.site = STR("elsewhere");
	ck_assert_int_eq(take(&s, &a, &err) + take(&s, &b, &err) + take(&s, &c, &err), 0);
	silences_pick(&s, STR("shop"), STR("slow"));
	ck_assert_int_eq(silences_end_ms(&s, 0), 3000);
	ck_assert_int_eq(silences_end_ms(&s, 2200), 3000);
	ck_assert_int_eq(silences_end_ms(&s, 3000), 5000);
	ck_assert_int_eq(silences_end_ms(&s, 5000), INT64_MAX);
	a.ends_at = 4000; /* ended early */
	ck_assert_int_eq(take(&s, &a, &err), 0);
	silences_pick(&s, STR("shop"), STR("slow"));
	ck_assert_int_eq(silences_end_ms(&s, 3000), 4000);
	ck_assert_int_eq(silences_take(&s, &(struct table_row){.key = STR("aaaaaaaa")}, &err), 0);
	silences_pick(&s, STR("shop"), STR("slow"));
	ck_assert_int_eq(silences_end_ms(&s, 3000), INT64_MAX);
	b.id = STR("B");
	ck_assert_int_eq(take(&s, &b, &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	silences_fini(&s);
}
END_TEST

START_TEST(bounded)
{
	struct silences s = SILENCES_INIT;
	struct err err = ERR_INIT;
	struct silence last;
	char id[16];

	for (int i = 0; i < SILENCES_MAX; i++) {
		struct silence one;

		snprintf(id, sizeof(id), "s%07d", i);
		one = plain(id, 0, i == 17 ? 1000 : 9000);
		ck_assert_int_eq(take(&s, &one, &err), 0);
	}
	last = plain("zzzzzzzz", 999, 9000);
	ck_assert_int_eq(take(&s, &last, &err), -1);
	last.created_at = 1000;
	ck_assert_int_eq(take(&s, &last, &err), 0);
	ck_assert_ptr_null(rows_find(&s.rows, STR("s0000017")));
	ck_assert_uint_eq(s.rows.len, SILENCES_MAX);
	silences_fini(&s);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("silences");
	TCase *tc = tcase_create("silences");

	tcase_add_loop_test(tc, what_is_covered, 0, NR(cases));
	tcase_add_test(tc, not_before_it_was_written);
	tcase_add_test(tc, rows_and_ends);
	tcase_add_test(tc, bounded);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
