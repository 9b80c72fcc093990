/* test_topics.c - what a run of `topics apply` says: for people and for scripts, done or only thought of. (Making them: tests/e2e/test_ctl.py.) */
#include "deploy/ctl/topics.h"

#include <string.h>

#include "tests/unit/unit.h"

static const struct { struct topics_line line; const char *says, *says_dry; } lines[] = {
	{{.kind = TOPICS_MADE, .topic = "millrace.cells"}, "+ topic millrace.cells\n", "+ topic millrace.cells (would be made)\n"},
	{{.kind = TOPICS_EPOCH, .topic = "main", .what = "new", .is = "00000000000000ab"}, "~ cell main: under a new epoch 00000000000000ab\n",
	 "~ cell main: would be under a new epoch\n"},
	{{.kind = TOPICS_EPOCH, .topic = "main", .what = "again", .is = "00000000000000ab"},
	 "~ cell main: under a new epoch 00000000000000ab\n  some of its topics are made again: its processors ask for a confirmation then\n",
	 "~ cell main: would be under a new epoch\n  some of its topics are made again: its processors ask for a confirmation then\n"},
	{{.kind = TOPICS_DIFFERS, .topic = "millrace.cells", .what = "replicas", .is = "1", .should = "3"},
	 "! topic millrace.cells: replicas is 1, should be 3\n", "! topic millrace.cells: replicas is 1, should be 3\n"},
};

static char *print(const struct topics_run *run)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	topics_print(run, out);
	fclose(out);
	return text;
}

START_TEST(printed_lines)
{
	struct topics_line line = lines[_i].line;
	struct topics_run run = {.first = &line, .nr_made = line.kind == TOPICS_MADE, .nr_differences = line.kind == TOPICS_DIFFERS, .nr_wishes = 18};
	char *text = print(&run);

	ck_assert_msg(strncmp(text, lines[_i].says, strlen(lines[_i].says)) == 0, "%s", text);
	free(text);
	run.dry_run = true;
	text = print(&run);
	ck_assert_msg(strncmp(text, lines[_i].says_dry, strlen(lines[_i].says_dry)) == 0, "%s", text);
	free(text);
}
END_TEST

START_TEST(summaries)
{
	struct topics_run run = {.nr_wishes = 18};
	char *text = print(&run);

	ck_assert_str_eq(text, "all 18 topics are there: nothing made\n");
	free(text);
	run.nr_made = 8;
	text = print(&run);
	ck_assert_str_eq(text, "8 topics made, 10 were there\n");
	free(text);
	run.dry_run = true;
	run.nr_differences = 2;
	text = print(&run);
	ck_assert_str_eq(text, "8 topics would be made, 10 were there\n"
			       "2 differences: not changed; correct them with kafka-configs.sh, or say --replication-factor as it is\n");
	free(text);
}
END_TEST

START_TEST(as_json)
{
	static const char want[] = "{\n  \"created\": [\n    \"millrace.cells\"\n  ],\n  \"epochs\": [\n    {\n      \"cell\": \"main\",\n"
				   "      \"epoch\": \"00000000000000ab\"\n    }\n  ],\n  \"differences\": [\n    {\n      \"topic\": \"millrace.cells\",\n"
				   "      \"what\": \"replicas\",\n      \"is\": \"1\",\n      \"should\": \"3\"\n    }\n  ],\n  \"topics\": 18\n}\n";
	struct topics_line list[] = {lines[3].line, lines[0].line, lines[1].line};
	struct topics_run run = {.first = list, .nr_wishes = 18};
	struct json_writer w;
	struct buf text = BUF_INIT;

	list[0].next = &list[1];
	list[1].next = &list[2];
	json_write_begin(&w);
	topics_write_json(&run, &w);
	ck_assert_int_eq(json_write_end(&w, &text, NULL), 0);
	ck_assert_msg(str_eq(buf_str(&text), STR(want)), STR_FMT, STR_ARG(buf_str(&text)));
	buf_fini(&text);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ctl/topics");
	TCase *t = tcase_create("topics");

	tcase_add_loop_test(t, printed_lines, 0, NR(lines));
	tcase_add_test(t, summaries);
	tcase_add_test(t, as_json);
	suite_add_tcase(s, t);
	return unit_main(s);
}
