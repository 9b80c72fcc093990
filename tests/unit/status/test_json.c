/* test_json.c - the JSON, read back by yajl. */
#include <yajl/yajl_tree.h>

#include "tests/unit/status/markup_skeleton.h"

/* The document of a page, parsed; the caller frees it. */
static yajl_val parse(const struct sample *s)
{
	struct buf json = BUF_INIT;
	struct err err = ERR_INIT;
	char why[200];
	yajl_val tree;

	ck_assert_msg(page_json(&s->page, &json, &err) == 0, "%s", err.msg);
	buf_add(&json, "", 1);
	ck_assert_ptr_null(strstr((const char *)json.p, "SECRET"));
	ck_assert_ptr_null(strstr((const char *)json.p, "secret"));
	tree = yajl_tree_parse((const char *)json.p, why, sizeof(why));
	ck_assert_msg(tree != NULL, "%s", why);
	buf_fini(&json);
	return tree;
}

static yajl_val in(yajl_val v, const char *name)
{
	const char *path[] = {name, NULL};

	v = yajl_tree_get(v, path, yajl_t_any);
	ck_assert_msg(v != NULL, "%s is not there", name);
	return v;
}

static yajl_val item(yajl_val v, size_t n)
{
	ck_assert(YAJL_IS_ARRAY(v));
	ck_assert_uint_lt(n, YAJL_GET_ARRAY(v)->len);
	return YAJL_GET_ARRAY(v)->values[n];
}

static void text_is(yajl_val v, const char *name, const char *want)
{
	ck_assert(YAJL_IS_STRING(in(v, name)));
	ck_assert_str_eq(YAJL_GET_STRING(in(v, name)), want);
}

START_TEST(texts_come_back)
{
	struct unit_random r = unit_random_new("json");

	for (int round = 0; round < 300; round++) {
		char text[HOSTILE_TEXT_SIZE];
		const struct status_incident *i;
		struct sample *s = page_of(hostile_text(&r, text), &i);
		yajl_val tree = parse(s), over = item(in(tree, "incidents"), 1);

		text_is(in(tree, "page"), "title", text);
		text_is(item(in(tree, "components"), 0), "detail", text);
		text_is(over, "title", text);
		text_is(item(in(over, "updates"), 1), "text", text);
		text_is(item(in(over, "timeline"), 0), "text", text);
		yajl_tree_free(tree);
		sample_free(s);
	}
}
END_TEST

START_TEST(every_state_can_be_read)
{
	for (size_t k = 0; sample_names[k]; k++) {
		struct sample *s = sample_new(sample_names[k]);
		yajl_val tree = parse(s);

		ck_assert_uint_eq(YAJL_GET_ARRAY(in(tree, "components"))->len, s->page.nr_components);
		yajl_tree_free(tree);
		sample_free(s);
	}
}
END_TEST

START_TEST(what_is_not_known_is_null)
{
	struct sample *s = sample_new("degraded");
	struct status_component *c = &s->components[2];
	yajl_val tree, one;

	c->behind_ms = c->waiting_records = c->left_ms = c->recovery_ms = -1;
	tree = parse(s);
	one = item(in(tree, "components"), 2);
	ck_assert(YAJL_IS_NULL(in(one, "behind_ms")) && YAJL_IS_NULL(in(one, "waiting_records")) && YAJL_IS_NULL(in(one, "kept_for_ms")));
	ck_assert(YAJL_IS_NULL(in(one, "expected_recovery_at")) && YAJL_IS_NULL(in(one, "accepted_share")));
	ck_assert_int_eq(YAJL_GET_INTEGER(in(one, "lost_records")), 0);
	yajl_tree_free(tree);
	sample_free(s);
}
END_TEST

START_TEST(ages)
{
	struct sample *s = sample_new("from_disk");
	yajl_val tree = parse(s);

	ck_assert_int_eq(YAJL_GET_INTEGER(in(in(tree, "page"), "age_seconds")), 3 * 3600);
	ck_assert(YAJL_IS_TRUE(in(in(tree, "page"), "stale")) && YAJL_IS_TRUE(in(in(tree, "page"), "from_disk")));
	yajl_tree_free(tree);
	s->page.as_of_ms = s->page.now_ms + 5000; /* clocks differ */
	tree = parse(s);
	ck_assert(YAJL_IS_INTEGER(in(in(tree, "page"), "age_seconds")));
	ck_assert_int_eq(YAJL_GET_INTEGER(in(in(tree, "page"), "age_seconds")), 0);
	yajl_tree_free(tree);
	s->page.as_of_ms = 0;
	tree = parse(s);
	ck_assert(YAJL_IS_NULL(in(in(tree, "page"), "age_seconds")) && YAJL_IS_NULL(in(in(tree, "page"), "as_of")) && YAJL_IS_NULL(in(tree, "state")));
	yajl_tree_free(tree);
	sample_free(s);
}
END_TEST

START_TEST(settings_may_be_anything)
{
	struct sample *s = sample_new("major");
	yajl_val tree;

	s->page.title = STR("\xff\xfe");
	s->page.url = STR("https://x.example.com/\"\\");
	tree = parse(s);
	text_is(in(tree, "page"), "title", "(not UTF-8)");
	text_is(item(in(tree, "incidents"), 0), "url", "https://x.example.com/\"\\/incidents/20261127-1354-push");
	yajl_tree_free(tree);
	sample_free(s);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("json");
	TCase *tc = tcase_create("json");

	tcase_add_test(tc, texts_come_back);
	tcase_add_test(tc, every_state_can_be_read);
	tcase_add_test(tc, what_is_not_known_is_null);
	tcase_add_test(tc, ages);
	tcase_add_test(tc, settings_may_be_anything);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
