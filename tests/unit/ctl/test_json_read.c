/* test_json_read.c - trees, lines and paths; what is no JSON; what is hostile. */
#include "deploy/ctl/json_read.h"

#include <string.h>

#include "tests/unit/unit.h"

static const char sample[] =
	"{\n"
	"  \"name\": \"a\\u00e4\\n\", \"n\": -12,\n"
	"  \"list\": [true, false,\n"
	"    null, {\"x\": 1.5e3}],\n"
	"\n"
	"  \"empty\": {}\n"
	"}\n";

START_TEST(tree_with_lines)
{
	struct arena arena = ARENA_INIT;
	struct err err = ERR_INIT;
	struct json *root;
	const struct json *list, *x;

	ck_assert_msg(json_parse(STR(sample), &arena, &root, &err) == 0, "%s", err.msg);
	ck_assert_int_eq(root->type, JSON_OBJECT);
	ck_assert_uint_eq(root->nr, 4);
	ck_assert(str_eq(json_get(root, "name")->text, STR("a\xc3\xa4\n")));
	ck_assert_int_eq(json_get(root, "n")->line, 2);
	ck_assert(str_eq(json_get(root, "n")->text, STR("-12")));
	list = json_get(root, "list");
	ck_assert_int_eq(list->line, 3);
	ck_assert_uint_eq(list->nr, 4);
	ck_assert(list->child->truth && !list->child->next->truth);
	ck_assert_int_eq(list->last->line, 4);
	ck_assert_uint_eq(list->last->index, 3);
	x = json_get(list->last, "x");
	ck_assert_int_eq(json_fail(x, &err, "is %s", "odd"), -1);
	ck_assert_str_eq(err.msg, "line 4, list[3].x: is odd");
	ck_assert_int_eq(json_get(root, "empty")->line, 6);
	ck_assert_ptr_null(json_get(root, "absent"));
	ck_assert_int_eq(json_fail(root, &err, "whole"), -1);
	ck_assert_str_eq(err.msg, "line 1: whole");
	arena_fini(&arena);
}
END_TEST

static const struct { const char *text, *says; } broken[] = {
	{"", "line 1: the document is empty"},
	{"  \n ", "the document is empty"},
	{"{", "line 1: parse error: premature EOF"},
	{"{\n\"a\": tru}", "line 2: lexical error"},
	{"{\n\n\"a\" 1}", "line 3: parse error"},
	{"[1,]", "line 1: parse error"},
	{"{} {}", "trailing garbage"},
	{"{\"a\": NaN}", "line 1: lexical error"},
	{"{\"a\": 01}", "line 1"},
	{"{\"a\": \"\xff\"}", "invalid bytes in UTF8 string"},
	{"{a: 1}", "line 1: lexical error"},
	{"[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]", "nested too deeply"},
};

START_TEST(broken_documents)
{
	struct arena arena = ARENA_INIT;
	struct err err = ERR_INIT;
	struct json *root = NULL;

	ck_assert_int_eq(json_parse(str_from(broken[_i].text), &arena, &root, &err), -1);
	ck_assert_ptr_null(root);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_msg(strstr(err.msg, broken[_i].says) != NULL, "\"%s\" does not say \"%s\"", err.msg, broken[_i].says);
	arena_fini(&arena);
}
END_TEST

START_TEST(hostile_documents)
{
	enum { SIZE = 4 << 20 };
	char *text = malloc(SIZE);
	struct arena arena = ARENA_INIT;
	struct err err = ERR_INIT;
	struct json *root;

	ck_assert_ptr_nonnull(text);
	memset(text, '[', SIZE);
	ck_assert_int_eq(json_parse((struct str){text, SIZE}, &arena, &root, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.msg, "nested too deeply"));
	arena_clear(&arena);
	/* Two bytes a value: the arena's limit, not the machine's memory, ends it. */
	for (size_t i = 0; i < SIZE; i++)
		text[i] = i == 0 ? '[' : i % 2 ? '1' : ',';
	arena.limit_bytes = SIZE;
	ck_assert_int_eq(json_parse((struct str){text, SIZE}, &arena, &root, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.msg, "too large"));
	ck_assert_uint_le(arena.used_bytes, SIZE);
	arena_fini(&arena);
	free(text);
}
END_TEST

START_TEST(random_bytes_do_no_harm)
{
	static const char alphabet[] = "{}[]\",:0123456789-.eE+truefalsn \n\\u\xc3\xa4\x01";
	struct unit_random r = unit_random_new("json_read");
	int parsed = 0;

	for (int round = 0; round < 20000; round++) {
		char text[64];
		size_t len = unit_random_below(&r, sizeof(text));
		struct arena arena = {.limit_bytes = 1 << 16};
		struct err err = ERR_INIT;
		struct json *root;

		for (size_t i = 0; i < len; i++)
			text[i] = alphabet[unit_random_below(&r, sizeof(alphabet) - 1)];
		if (json_parse((struct str){text, len}, &arena, &root, &err) == 0)
			parsed++;
		else
			ck_assert_int_eq(strncmp(err.msg, "line ", 5), 0);
		arena_fini(&arena);
	}
	printf("%d of 20000 were JSON\n", parsed);
}
END_TEST

static const char fields_sample[] = "{\"t\": \"x\", \"i\": 7, \"d\": 1.5, \"b\": true, \"a\": [], \"big\": 99999999999999999999, \"huge\": 1e999}";

/* Reads field `key` as each type; bit set = accepted: 1 text, 2 int in [0, 10], 4 number, 8 bool, 16 array. */
static const struct { const char *key; int accepted; } typed[] = {
	{"t", 1}, {"i", 2 | 4}, {"d", 4}, {"b", 8}, {"a", 16}, {"big", 4}, {"huge", 0}, {"absent", 0}};

START_TEST(typed_fields)
{
	struct arena arena = ARENA_INIT;
	struct json *root;
	struct str text;
	int64_t integer;
	double number;
	bool truth;
	const struct json *array;
	const char *key = typed[_i].key;
	int accepted;

	ck_assert_int_eq(json_parse(STR(fields_sample), &arena, &root, NULL), 0);
	accepted = (json_get_text(root, key, &text, NULL) == 0) | (json_get_int(root, key, 0, 10, &integer, NULL) == 0) << 1 |
		   (json_get_number(root, key, &number, NULL) == 0) << 2 | (json_get_bool(root, key, &truth, NULL) == 0) << 3 |
		   (json_get_array(root, key, &array, NULL) == 0) << 4;
	ck_assert_int_eq(accepted, typed[_i].accepted);
	arena_fini(&arena);
}
END_TEST

START_TEST(int_range)
{
	struct arena arena = ARENA_INIT;
	struct err err = ERR_INIT;
	struct json *root;
	int64_t out = 0;

	ck_assert_int_eq(json_parse(STR(fields_sample), &arena, &root, NULL), 0);
	ck_assert_int_eq(json_get_int(root, "i", 7, 7, &out, &err), 0);
	ck_assert_int_eq(out, 7);
	ck_assert_int_eq(json_get_int(root, "i", 8, 9, &out, &err), -1);
	ck_assert_str_eq(err.msg, "line 1, i: 7: must be a whole number from 8 to 9");
	ck_assert_int_eq(json_get_int(root, "absent", 0, 1, &out, &err), -1);
	ck_assert_str_eq(err.msg, "line 1: has no field \"absent\"");
	arena_fini(&arena);
}
END_TEST

static const struct { const char *text, *says; } fields[] = {
	{"{\"a\": 1, \"b\": 2}", NULL},
	{"{}", NULL},
	{"[]", "line 1: must be an object"},
	{"{\"a\": 1,\n\"c\": 2}", "line 2, c: there is no such field"},
	{"{\"a\": 1,\n\n\"a\": 2}", "line 3, a: stands there twice"},
};

START_TEST(field_lists)
{
	static const char *const allowed[] = {"a", "b", NULL};
	struct arena arena = ARENA_INIT;
	struct err err = ERR_INIT;
	struct json *root;

	ck_assert_int_eq(json_parse(str_from(fields[_i].text), &arena, &root, &err), 0);
	ck_assert_int_eq(json_check_fields(root, allowed, &err), fields[_i].says ? -1 : 0);
	if (fields[_i].says)
		ck_assert_str_eq(err.msg, fields[_i].says);
	arena_fini(&arena);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ctl/json_read");
	TCase *t = tcase_create("json_read");

	tcase_add_test(t, tree_with_lines);
	tcase_add_loop_test(t, broken_documents, 0, NR(broken));
	tcase_add_test(t, hostile_documents);
	tcase_add_test(t, random_bytes_do_no_harm);
	tcase_add_loop_test(t, typed_fields, 0, NR(typed));
	tcase_add_test(t, int_range);
	tcase_add_loop_test(t, field_lists, 0, NR(fields));
	suite_add_tcase(s, t);
	return unit_main(s);
}
