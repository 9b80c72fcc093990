/* test_html.c - pages: whatever texts say, they stay text, and nobody sees what is not for them. What a browser makes of them is test_status_page.py's. */
#include "sink/status/html_parts.h"

#include "sink/status/style.h"
#include "tests/unit/status/markup_skeleton.h"

enum { NR_PAGES = 4 };

/* One of the pages, with a NUL at its end. */
static void render(const struct sample *s, const struct status_incident *i, int which, struct buf *out)
{
	struct err err = ERR_INIT;
	int rc = which == 0 ? page_html(&s->page, out, &err) : which == 1 ? page_html_history(&s->page, out, &err) :
		 which == 2 ? page_html_still(&s->page, out, &err) : page_html_incident(&s->page, i, out, &err);

	ck_assert_msg(rc == 0, "%s", err.msg);
	buf_add(out, "", 1);
	ck_assert(!buf_failed(out));
}

static void bones(struct str text, int which, struct buf *out)
{
	const struct status_incident *i;
	struct sample *s = page_of(text, &i);
	struct buf html = BUF_INIT;

	render(s, i, which, &html);
	skeleton(buf_str(&html), out);
	buf_fini(&html);
	sample_free(s);
}

START_TEST(hostile_texts_change_no_tag)
{
	struct unit_random r = unit_random_new("html");
	struct buf want = BUF_INIT;

	bones(STR("harmless"), _i, &want);
	for (int round = 0; round < 300; round++) {
		char text[HOSTILE_TEXT_SIZE];
		struct str hostile = hostile_text(&r, text);
		struct buf got = BUF_INIT;

		bones(hostile, _i, &got);
		ck_assert_msg(str_eq(buf_str(&got), buf_str(&want)), "%s", text);
		buf_fini(&got);
	}
	buf_fini(&want);
}
END_TEST

static bool has(const struct buf *html, const char *words)
{
	return strstr((const char *)html->p, words) != NULL;
}

START_TEST(nothing_secret_in_any_state)
{
	for (size_t k = 0; sample_names[k]; k++) {
		struct sample *s = sample_new(sample_names[k]);

		for (int which = 0; which < NR_PAGES - 1; which++) {
			struct buf html = BUF_INIT;

			render(s, NULL, which, &html);
			ck_assert_msg(!has(&html, "SECRET") && !has(&html, "secret"), "%s", sample_names[k]);
			buf_fini(&html);
		}
		for (size_t n = 0; n < s->incidents.nr; n++) {
			struct buf html = BUF_INIT;

			if (!page_may_show(s->incidents.list[n]))
				continue;
			render(s, s->incidents.list[n], 3, &html);
			ck_assert(!has(&html, "SECRET"));
			buf_fini(&html);
		}
		sample_free(s);
	}
}
END_TEST

/* Words of pages, and those that must not stand there; which: render()'s. */
static const struct { const char *sample; int which; const char *words; bool there; } words[] = {
	{"operational", 0, "<title>All systems operational \xc2\xb7 Example Monitoring</title>", true},
	{"operational", 0, "not up to date", false},
	{"operational", 0, "href=\"https://status.example.com/\"", true},
	{"operational", 0, "href=\"./still\"", false},
	{"operational", 0, "<a href=\"still\">Keep it still</a>", true},
	{"operational", 2, "Keep it still", false},
	{"operational", 2, "Refresh it once a minute", true},
	{"operational", 1, "November 2026", true},
	{"operational", 1, "October 2026", true},
	{"empty", 0, "rel=\"canonical\"", false},
	{"empty", 0, "All systems operational", false},
	{"empty", 0, "fill='%236b737b'", true}, /* nor does the icon say so */
	{"operational", 0, "fill='%2317794a'", true},
	{"empty", 1, "No incident is over yet.", true},
	{"stale", 0, "<title>Not up to date: Degraded performance", true},
	{"stale", 0, "13:50:38 UTC</time>, 12\xc2\xa0min\xc2\xa0" "ago", true},
	{"stale", 0, "kept on disk", false},
	{"from_disk", 0, "11:02:38 UTC</time>, 3\xc2\xa0h\xc2\xa0" "ago", true},
	{"from_disk", 0, "kept on disk", true},
	{"degraded", 0, "14:40 UTC</time>, in\xc2\xa0" "38\xc2\xa0min", true},
	{"major", 0, "As of <time datetime=\"2026-11-27T14:02:34Z\">14:02:34 UTC</time>, 4\xc2\xa0s\xc2\xa0" "ago.", true},
	{"major", 0, "1 of 3 cells is not operational.", true},
	{"cells", 0, "2 of 40 cells are not operational.", true},
	{"cells", 0, "<details><summary>38 cells operational</summary>", true},
	{"operational", 0, "<details>", false},
	{"partial", 0, "http-equiv", false},
};

START_TEST(words_of_pages)
{
	struct sample *s = sample_new(words[_i].sample);
	struct buf html = BUF_INIT;

	render(s, NULL, words[_i].which, &html);
	ck_assert_msg(has(&html, words[_i].words) == words[_i].there, "%s: %s", words[_i].sample, words[_i].words);
	buf_fini(&html);
	sample_free(s);
}
END_TEST

/* What was expected and has passed is not told as if it were to come; and no update is promised for a time that is over. */
START_TEST(times_that_have_passed)
{
	struct sample *s = sample_new("degraded");
	struct buf html = BUF_INIT;

	render(s, NULL, 0, &html);
	ck_assert(has(&html, "<dt>Expected to be over</dt>") && has(&html, "<dt>Next update by</dt>"));
	buf_clear(&html);
	s->page.now_ms += INT64_C(3600000);
	render(s, NULL, 0, &html);
	ck_assert(has(&html, "<dt>Was expected to be over</dt>") && !has(&html, "<dt>Expected to be over</dt>") && !has(&html, "<dt>Next update by</dt>"));
	buf_fini(&html);
	sample_free(s);
}
END_TEST

START_TEST(the_same_page_is_the_same_bytes)
{
	struct buf all[2] = {BUF_INIT, BUF_INIT};

	for (int k = 0; k < 2; k++) {
		struct sample *s = sample_new("major");

		render(s, NULL, 0, &all[k]);
		sample_free(s);
	}
	ck_assert(str_eq(buf_str(&all[0]), buf_str(&all[1])));
	buf_fini(&all[0]);
	buf_fini(&all[1]);
}
END_TEST

START_TEST(the_style_has_a_version)
{
	struct sample *s = sample_new("operational");
	struct buf html = BUF_INIT, style = BUF_INIT;
	char link[64];

	snprintf(link, sizeof(link), "href=\"./style.css?%08x\"", (unsigned)style_version());
	render(s, NULL, 0, &html);
	style_write(&style);
	ck_assert(has(&html, link));
	buf_add(&style, "", 1);
	ck_assert(!has(&style, "url(") && !has(&style, "@import") && has(&style, "prefers-color-scheme:dark"));
	buf_fini(&html);
	buf_fini(&style);
	sample_free(s);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("html");
	TCase *tc = tcase_create("html");

	tcase_add_loop_test(tc, hostile_texts_change_no_tag, 0, NR_PAGES);
	tcase_add_test(tc, nothing_secret_in_any_state);
	tcase_add_loop_test(tc, words_of_pages, 0, NR(words));
	tcase_add_test(tc, times_that_have_passed);
	tcase_add_test(tc, the_same_page_is_the_same_bytes);
	tcase_add_test(tc, the_style_has_a_version);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
