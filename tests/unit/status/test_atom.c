/* test_atom.c - the feed: texts stay text, ids stay, and an entry comes up with each post. What parsers of others make of it is test_status_page.py's. */
#include "tests/unit/status/markup_skeleton.h"

static void feed_of(const struct sample *s, struct buf *out)
{
	struct err err = ERR_INIT;

	ck_assert_msg(page_atom(&s->page, out, &err) == 0, "%s", err.msg);
}

static void bones(struct str text, struct buf *out)
{
	const struct status_incident *i;
	struct sample *s = page_of(text, &i);
	struct buf feed = BUF_INIT;

	feed_of(s, &feed);
	skeleton(buf_str(&feed), out);
	buf_fini(&feed);
	sample_free(s);
}

START_TEST(hostile_texts_change_no_tag)
{
	struct unit_random r = unit_random_new("atom");
	struct buf want = BUF_INIT;

	bones(STR("harmless"), &want);
	for (int round = 0; round < 300; round++) {
		char text[HOSTILE_TEXT_SIZE];
		struct str hostile = hostile_text(&r, text);
		struct buf got = BUF_INIT;

		bones(hostile, &got);
		ck_assert_msg(str_eq(buf_str(&got), buf_str(&want)), "%s", text);
		buf_fini(&got);
	}
	buf_fini(&want);
}
END_TEST

START_TEST(nothing_secret_in_any_state)
{
	for (size_t k = 0; sample_names[k]; k++) {
		struct sample *s = sample_new(sample_names[k]);
		struct buf feed = BUF_INIT;

		feed_of(s, &feed);
		buf_add(&feed, "", 1);
		ck_assert_ptr_null(strstr((const char *)feed.p, "SECRET"));
		ck_assert_ptr_null(strstr((const char *)feed.p, "<p>")); /* of HTML the feed has the text, not the elements */
		ck_assert_ptr_null(strstr((const char *)feed.p, "secret"));
		buf_fini(&feed);
		sample_free(s);
	}
}
END_TEST

/* The n-th text between these two, into out. */
static void nth(const struct buf *feed, const char *from, const char *to, int n, char *out, size_t size)
{
	const char *at = (const char *)feed->p, *end;

	for (int k = 0; k <= n; k++) {
		at = strstr(at, from);
		ck_assert_ptr_nonnull(at);
		at += strlen(from);
	}
	end = strstr(at, to);
	ck_assert_ptr_nonnull(end);
	snprintf(out, size, "%.*s", (int)(end - at), at);
}

START_TEST(ids_and_times)
{
	struct sample *s = sample_new("major");
	char id[80], same[80], time[40];
	struct buf feed = BUF_INIT;

	feed_of(s, &feed);
	buf_add(&feed, "", 1);
	nth(&feed, "<id>", "</id>", 2, id, sizeof(id)); /* the feed's own is the first */
	nth(&feed, "<updated>", "</updated>", 0, time, sizeof(time));
	ck_assert_str_eq(time, "2026-11-27T13:57:38Z");
	sample_say(s, (struct status_entry){.incident = STR("20261127-1354-push"), .at = SAMPLE_NOW_MS, .action = STATUS_ACTION_UPDATE, .text = STR("more"), .has_author = true,
					    .author = STR("a")});
	buf_clear(&feed);
	feed_of(s, &feed);
	buf_add(&feed, "", 1);
	nth(&feed, "<id>", "</id>", 1, same, sizeof(same)); /* it has come up */
	ck_assert_str_eq(id, same);
	nth(&feed, "<updated>", "</updated>", 0, time, sizeof(time));
	ck_assert_str_eq(time, "2026-11-27T14:02:38Z");
	s->page.url = STR("https://other.example.com");
	buf_clear(&feed);
	feed_of(s, &feed);
	buf_add(&feed, "", 1);
	nth(&feed, "<id>", "</id>", 1, same, sizeof(same));
	ck_assert_str_ne(id, same);
	buf_fini(&feed);
	sample_free(s);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("atom");
	TCase *tc = tcase_create("atom");

	tcase_add_test(tc, hostile_texts_change_no_tag);
	tcase_add_test(tc, nothing_secret_in_any_state);
	tcase_add_test(tc, ids_and_times);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
