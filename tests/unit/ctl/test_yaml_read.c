/* test_yaml_read.c - trees and lines; what is no YAML of ours, and the line that it is told by; what is hostile. */
#include "deploy/ctl/yaml_read.h"

#include <string.h>

#include "deploy/ctl/yaml_value.h"
#include "tests/unit/unit.h"

START_TEST(tree_with_lines)
{
	struct yaml_file f;
	const struct yaml *list, *map;
	struct err err = ERR_INIT;

	yaml_parse(&f, STR("# a file\n"
			   "name: \"a\\u00e4\\n\"   # text\n"
			   "n: -12\n"
			   "list:\n"
			   "  - x: 1\n"
			   "    y: {z: [a, 'b']}\n"
			   "  - |\n"
			   "    two\n"
			   "    lines\n"
			   "void:\n"));
	ck_assert_msg(yaml_ok(&f, "f.yml", &err) == 0, "%s", err.msg);
	ck_assert_int_eq(f.root->type, YAML_MAP);
	ck_assert_uint_eq(f.root->nr, 4);
	ck_assert_int_eq(f.root->line, 2);
	ck_assert(str_eq(yaml_get(f.root, "name")->text, STR("a\xc3\xa4\n")) && !yaml_get(f.root, "name")->plain);
	ck_assert(str_eq(yaml_get(f.root, "n")->text, STR("-12")) && yaml_get(f.root, "n")->plain);
	list = yaml_get(f.root, "list");
	ck_assert(list->type == YAML_LIST && list->nr == 2 && list->line == 5);
	map = yaml_get(list->child, "y");
	ck_assert(map->line == 6 && map->column == 8 && str_eq(map->key, STR("y")));
	ck_assert(str_eq(yaml_get(map, "z")->last->text, STR("b")) && yaml_get(map, "z")->child->column == 13);
	ck_assert(str_eq(list->last->text, STR("two\nlines\n")) && list->last->line == 7);
	ck_assert(yaml_get(f.root, "void")->text.len == 0 && yaml_get(f.root, "void")->line == 10);
	ck_assert_ptr_null(yaml_get(f.root, "absent"));
	yaml_fini(&f);
}
END_TEST

/* The whole message of the first fault. */
static const struct { const char *text; int line; const char *says; } broken[] = {
	{"", 1, "the file is empty"},
	{"# nothing\n\n", 1, "the file is empty"},
	{"a: 1\n\nb: [1, 2\nc: 3\n", 4, "did not find expected ',' or ']', while parsing a flow sequence of line 3"},
	{"a: 1\n  b: 2\n", 2, "mapping values are not allowed in this context"},
	{"a:\n\tb: 1\n", 2, "found character that cannot start any token, while scanning for the next token: text that begins so belongs into quotes"},
	{"a: 'x\n\n", 3, "found unexpected end of stream, while scanning a quoted scalar of line 1"},
	{"a: 1\n---\nb: 2\n", 2, "a second document begins here: one file, one document"},
	{"a: &x 1\nb: *x\n", 1, "an anchor (&x) is not read: text that begins with & belongs into quotes"},
	{"a: &x [1]\n", 1, "an anchor (&) is not read"},
	{"a:\n  b: *x\n", 2, "an alias (*x) is not read: text that begins with * belongs into quotes"},
	{"a: 1\nb: * 2\n", 2, "did not find expected alphabetic or numeric character, while scanning an alias: text that begins with & or * belongs into quotes"},
	{"a: !!str 1\n", 1, "a tag (tag:yaml.org,2002:str) is not read: text that begins with ! belongs into quotes"},
	{"a: != 1\n", 1, "a tag (!=) is not read: text that begins with ! belongs into quotes"},
	{"a: !x {b: 1}\n", 1, "a tag (!) is not read"},
	{"a: >= 1\n", 1, "did not find expected comment or line break, while scanning a block scalar: text that begins with > or | belongs into quotes"},
	{"a: `b`\n", 1, "found character that cannot start any token, while scanning for the next token: text that begins so belongs into quotes"},
	{"a: 1\n? [b]\n: 2\n", 2, "a key must be text"},
	{"a: 1\n{b: 1}: 2\n", 2, "a key must be text"},
	{"a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\n", 5, "c stands there twice, first in line 3"},
	{"a: 1\nb: \"\x01\"\n", 2, "control characters are not allowed"},
	{"a: 1\n\nb: \xff\n", 3, "invalid leading UTF-8 octet"},
	{"a: 1\nb: \xc3\n", 2, "invalid trailing UTF-8 octet"},
	{"a: \"\\ud800\"\n", 1, "found invalid Unicode character escape code, while parsing a quoted scalar"},
	{"[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]", 1, "nested deeper than 16"},
	{"%YAML 9.0\n---\na: 1\n", 1, "found incompatible YAML document"},
	{"a: 1\n} b", 2, "did not find expected key, while parsing a block mapping of line 1"},
};

START_TEST(broken_files)
{
	struct yaml_file f;
	struct err err = ERR_INIT;
	char want[512];

	yaml_parse(&f, str_from(broken[_i].text));
	snprintf(want, sizeof(want), "f.yml:%d: %s", broken[_i].line, broken[_i].says);
	ck_assert_int_eq(yaml_ok(&f, "f.yml", &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_str_eq(err.msg, want);
	yaml_fini(&f);
}
END_TEST

/* The second of a key is told of, and is not there. */
START_TEST(keys_that_stand_twice)
{
	struct yaml_file f;

	yaml_parse(&f, STR("a: 1\nb: 2\na: {c: 3}\nd: 4\n"));
	ck_assert(f.nr_faults == 1 && f.root->nr == 3 && str_eq(yaml_get(f.root, "a")->text, STR("1")) && str_eq(f.root->last->key, STR("d")));
	yaml_fini(&f);
}
END_TEST

START_TEST(as_deep_as_it_may_be)
{
	struct yaml_file f;

	yaml_parse(&f, STR("[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]"));
	ck_assert(f.root && !f.nr_faults);
	yaml_fini(&f);
}
END_TEST

/* As a reader would ask for each. */
static const char values[] =
	"text: a\n"
	"nul: null\n"
	"tilde: ~\n"
	"list: [a, b]\n"
	"map: {a: 1}\n"
	"quoted: \"5\"\n"
	"int: 5\n"
	"big: 1000\n"
	"octal: 010\n"
	"plus: +5\n"
	"huge: 99999999999999999999\n"
	"float: -1.5e3\n"
	"dot: .5\n"
	"nan: .nan\n"
	"inf: 1e999\n"
	"yes: yes\n"
	"true: true\n"
	"bare: 30\n"
	"ms: 30s\n"
	"long: 31d\n"
	"bad: 3 weeks\n"
	"twice: [a, b, a]\n"
	"nested: [a, [b]]\n"
	"word: high\n"
	"empty: \"\"\n";

enum how { TEXT, INT, NUMBER, BOOL, MS, TEXTS, WORD };

static const struct { enum how how; const char *key; int line; const char *says; /* NULL: good */ } asked[] = {
	{TEXT, "text", 0, NULL}, {TEXT, "int", 0, NULL}, {TEXT, "true", 0, NULL}, {TEXT, "empty", 0, NULL}, {TEXT, "absent", 0, ""},
	{TEXT, "nul", 2, "nul: has no value"}, {TEXT, "tilde", 3, "tilde: has no value"}, {TEXT, "list", 4, "list: must be text"},
	{TEXT, "map", 5, "map: must be text"},
	{INT, "int", 0, NULL}, {INT, "absent", 0, ""}, {INT, "quoted", 6, "quoted: must be a whole number, without quotes"},
	{INT, "big", 8, "big: 1000 is out of range -7..100"}, {INT, "octal", 9, "octal: 010 is no whole number"}, {INT, "plus", 10, "plus: +5 is no whole number"},
	{INT, "huge", 11, "huge: 99999999999999999999 is no whole number"}, {INT, "float", 12, "float: -1.5e3 is no whole number"},
	{INT, "text", 1, "text: a is no whole number"}, {INT, "map", 5, "map: must be text"},
	{NUMBER, "float", 0, NULL}, {NUMBER, "int", 0, NULL}, {NUMBER, "octal", 9, "octal: 010 is no number"}, {NUMBER, "dot", 13, "dot: .5 is no number"},
	{NUMBER, "nan", 14, "nan: .nan is no number"}, {NUMBER, "inf", 15, "inf: 1e999 is no number"}, {NUMBER, "quoted", 6, "quoted: must be a number, without quotes"},
	{BOOL, "true", 0, NULL}, {BOOL, "yes", 16, "yes: must be true or false"}, {BOOL, "absent", 0, ""}, {BOOL, "int", 7, "int: must be true or false"},
	{MS, "ms", 0, NULL}, {MS, "bare", 18, "bare: 30 has no unit: 30s, 5m, 4h, 2d"}, {MS, "long", 20, "long: 31d is out of range 0ms..30d"},
	{MS, "bad", 21, "bad: 3 weeks"}, {MS, "absent", 0, ""},
	{TEXTS, "list", 0, NULL}, {TEXTS, "text", 0, NULL}, {TEXTS, "twice", 22, "a stands there twice"}, {TEXTS, "nested", 23, "must be text"},
	{TEXTS, "map", 5, "map: must be a list of text, at most 1000"}, {TEXTS, "nul", 2, "nul: has no value"},
	{WORD, "text", 0, NULL}, {WORD, "word", 24, "word: high is none of a, b"}, {WORD, "absent", 0, ""},
};

/* Everything that may be taken, with what it holds while nothing is. */
struct taken {
	struct str text, *texts;
	int64_t number;
	double real;
	bool truth;
	size_t index, nr;
};

static bool ask(struct yaml_file *f, enum how how, const char *key, struct taken *t)
{
	static const char *const words[] = {"a", "b"};

	switch (how) {
	case TEXT: return yaml_get_text(f, f->root, key, &t->text);
	case INT: return yaml_get_int(f, f->root, key, -7, 100, &t->number);
	case NUMBER: return yaml_get_number(f, f->root, key, &t->real);
	case BOOL: return yaml_get_bool(f, f->root, key, &t->truth);
	case MS: return yaml_get_ms(f, f->root, key, INT64_C(30) * 86400000, &t->number);
	case TEXTS: return yaml_get_texts(f, f->root, key, &t->texts, &t->nr);
	case WORD: return yaml_get_word(f, f->root, key, words, 2, &t->index);
	}
	return false;
}

START_TEST(values_as_they_are_asked_for)
{
	struct yaml_file f;
	struct taken t = {.number = 77, .real = 77, .index = 77, .nr = 77};
	bool good;

	yaml_parse(&f, STR(values));
	ck_assert_uint_eq(f.nr_faults, 0);
	good = ask(&f, asked[_i].how, asked[_i].key, &t);
	ck_assert_msg(good == !asked[_i].says, "%d of %s", asked[_i].how, asked[_i].key);
	ck_assert_uint_eq(f.nr_faults, asked[_i].says && *asked[_i].says);
	ck_assert(good || (t.number == 77 && t.real == 77 && t.index == 77 && t.nr == 77));
	if (f.nr_faults) {
		ck_assert_int_eq(f.faults[0].line, asked[_i].line);
		ck_assert_msg(strncmp(f.faults[0].text, asked[_i].says, strlen(asked[_i].says)) == 0, "\"%s\"", f.faults[0].text);
	}
	yaml_fini(&f);
}
END_TEST

START_TEST(what_is_taken)
{
	struct yaml_file f;
	struct taken t = {0};

	yaml_parse(&f, STR(values));
	ck_assert(ask(&f, TEXT, "int", &t) && str_eq(t.text, STR("5")));
	ck_assert(ask(&f, INT, "int", &t) && t.number == 5);
	ck_assert(ask(&f, NUMBER, "float", &t) && t.real == -1500.0);
	ck_assert(ask(&f, BOOL, "true", &t) && t.truth);
	ck_assert(ask(&f, MS, "ms", &t) && t.number == 30000);
	ck_assert(ask(&f, TEXTS, "list", &t) && t.nr == 2 && str_eq(t.texts[1], STR("b")));
	ck_assert(ask(&f, TEXTS, "text", &t) && t.nr == 1 && str_eq(t.texts[0], STR("a")));
	ck_assert(ask(&f, WORD, "text", &t) && t.index == 0);
	yaml_fini(&f);
}
END_TEST

/* Six faults in one map, told in the file's order whatever the order of looking. */
START_TEST(many_faults_in_order)
{
	static const char *const known[] = {"severity", "site", "threshold", NULL};
	static const char want[] = "f.yml:1: id is missing\nf.yml:1: unknown key sverity: did you mean severity?\nf.yml:2: unknown key stie: did you mean site?\n"
				   "f.yml:3: threshold: x is no number\nf.yml:4: unknown key colour\n";
	struct yaml_file f;
	struct err err = ERR_INIT;
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	double number;

	yaml_parse(&f, STR("sverity: x\nstie: y\nthreshold: x\ncolour: red\n"));
	ck_assert(!yaml_get_number(&f, f.root, "threshold", &number));
	ck_assert(yaml_check_map(&f, f.root, known));
	ck_assert_ptr_null(yaml_need(&f, f.root, "id"));
	yaml_print_faults(&f, "f.yml", out);
	fclose(out);
	ck_assert_str_eq(text, want);
	ck_assert_int_eq(yaml_ok(&f, "f.yml", &err), -1);
	ck_assert_str_eq(err.msg, "f.yml:1: id is missing (and 4 more)");
	free(text);
	yaml_fini(&f);
}
END_TEST

/* Of a hundred, found from the end to the beginning or the other way, the first twenty are kept. */
START_TEST(too_many_faults)
{
	struct yaml_file f;
	struct buf text = BUF_INIT;
	const struct yaml *nodes[100];
	size_t nr = 0;
	char *printed = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&printed, &len);

	for (int i = 0; i < 100; i++)
		buf_printf(&text, "- \"%d\x1b\"\n", i);
	for (size_t i = 0; i < text.len; i++)
		text.p[i] = text.p[i] == 0x1b ? 'e' : text.p[i]; /* libyaml refuses the bytes themselves */
	yaml_parse(&f, buf_str(&text));
	for (const struct yaml *node = f.root->child; node; node = node->next)
		nodes[nr++] = node;
	for (size_t i = 0; i < nr; i++)
		yaml_fail(&f, nodes[_i ? i : nr - 1 - i], "number %zu\x1b[2J", _i ? i : nr - 1 - i);
	yaml_print_faults(&f, "f\x1b.yml", out);
	fclose(out);
	ck_assert_uint_eq(f.nr_faults, 100);
	for (int i = 0; i < YAML_FAULTS_MAX; i++)
		ck_assert_int_eq(f.faults[i].line, i + 1);
	ck_assert_ptr_nonnull(strstr(printed, "f?.yml:20: number 19?[2J\nand 80 more\n"));
	free(printed);
	buf_fini(&text);
	yaml_fini(&f);
}
END_TEST

/* The same tree from both languages. */
START_TEST(json_is_read_alike)
{
	struct arena arena = ARENA_INIT;
	struct json *root;
	struct yaml_file f;
	struct err err = ERR_INIT;
	double number = 0;
	bool truth = false;

	ck_assert_int_eq(json_parse(STR("{\"a\": \"5\",\n \"n\": 1.5, \"t\": true,\n \"z\": null, \"l\": [1, {\"x\": \"\\u00e4\"}], \"a\": 2}"), &arena, &root, &err), 0);
	yaml_from_json(&f, root);
	ck_assert(yaml_get_number(&f, f.root, "n", &number) && number == 1.5);
	ck_assert(yaml_get_bool(&f, f.root, "t", &truth) && truth);
	ck_assert(yaml_get(f.root, "l")->nr == 2 && str_eq(yaml_get(yaml_get(f.root, "l")->last, "x")->text, STR("\xc3\xa4")));
	ck_assert_int_eq(yaml_get(f.root, "l")->line, 3);
	ck_assert_uint_eq(f.nr_faults, 1); /* a stands there twice */
	ck_assert(!yaml_get_number(&f, f.root, "a", &number) && !yaml_get_text(&f, f.root, "z", &(struct str){0}));
	ck_assert_uint_eq(f.nr_faults, 3);
	yaml_fini(&f);
	arena_fini(&arena);
}
END_TEST

static void repeat(struct buf *b, const char *text, size_t bytes)
{
	buf_clear(b);
	while (b->len + strlen(text) <= bytes)
		buf_add(b, text, strlen(text));
	ck_assert(!buf_failed(b));
}

/* Each of the largest size, read within a second or so and refused or bounded. */
START_TEST(hostile_files)
{
	static const struct { const char *text; size_t bytes; const char *says; } files[] = {
		{"[", YAML_BYTES_MAX, "nested deeper"}, {"{", YAML_BYTES_MAX, ""}, {"- ", YAML_BYTES_MAX, "nested deeper"}, {"? ", YAML_BYTES_MAX, ""},
		{"a: ", YAML_BYTES_MAX, "mapping values"}, {"a: b\n", YAML_BYTES_MAX, "stands there twice"}, {"- a\n", YAML_BYTES_MAX, NULL},
		{"-\n", YAML_BYTES_MAX, NULL}, {"#", YAML_BYTES_MAX, "empty"}, {"\n", YAML_BYTES_MAX, "empty"}, {" ", YAML_BYTES_MAX, "empty"},
		{"\"", YAML_BYTES_MAX, ""}, {"a", YAML_BYTES_MAX, NULL}, {"- a\n", YAML_BYTES_MAX + 4, "larger than 1024 KiB"}, {"--- a\n", YAML_BYTES_MAX, "second document"},
		{"&a ", YAML_BYTES_MAX, ""}, {"!", YAML_BYTES_MAX, ""}, {"'a' ", YAML_BYTES_MAX, ""}, {"\\", YAML_BYTES_MAX, NULL}, {"%a\n", YAML_BYTES_MAX, ""},
	};
	struct buf text = BUF_INIT;

	for (size_t i = 0; i < NR(files); i++) {
		struct yaml_file f;
		struct err err = ERR_INIT;

		repeat(&text, files[i].text, files[i].bytes);
		yaml_parse(&f, buf_str(&text));
		ck_assert_msg(yaml_ok(&f, "f", &err) == (files[i].says ? -1 : 0), "\"%s\": %s", files[i].text, err.msg);
		ck_assert_msg(!files[i].says || strstr(err.msg, files[i].says), "\"%s\": %s", files[i].text, err.msg);
		ck_assert_uint_lt(f.arena.held_bytes, 128u << 20);
		yaml_fini(&f);
	}
	buf_clear(&text);
	for (int i = 0; i < 100000; i++)
		buf_printf(&text, "k%d:\n", i);
	{
		struct yaml_file f;

		yaml_parse(&f, buf_str(&text));
		ck_assert_uint_eq(f.nr_faults, 1);
		ck_assert_int_eq(f.faults[0].line, YAML_KEYS_MAX + 1);
		yaml_fini(&f);
	}
	buf_fini(&text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("yaml_read");
	TCase *tc = tcase_create("yaml");

	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	tcase_add_test(tc, tree_with_lines);
	tcase_add_loop_test(tc, broken_files, 0, NR(broken));
	tcase_add_test(tc, keys_that_stand_twice);
	tcase_add_test(tc, as_deep_as_it_may_be);
	tcase_add_loop_test(tc, values_as_they_are_asked_for, 0, NR(asked));
	tcase_add_test(tc, what_is_taken);
	tcase_add_test(tc, many_faults_in_order);
	tcase_add_loop_test(tc, too_many_faults, 0, 2);
	tcase_add_test(tc, json_is_read_alike);
	tcase_add_test(tc, hostile_files);
	return unit_main(suite);
}
