/* test_label.c - names and tags as Millrace knows them: a table, limits, and whatever bytes come, a label that the server takes. */
#include "ingest/agent/label.h"

#include "tests/unit/unit.h"

static const struct {
	const char *name, *tags, *label; /* NULL: refused */
	enum cause why;
} cases[] = {
	{"a", "", "a", 0},
	{"http.duration", "route:/a,env:prod", "http.duration env=prod route=/a", 0},
	{"A-z_0.9:/", "", "A-z_0.9:/", 0},
	{"a b", "", "a_b", 0}, {"caf\xc3\xa9", "", "caf__", 0}, {"\xff", "", "_", 0}, {"a|#@,=", "", "a_____", 0},
	{"a\tb", "", NULL, CAUSE_NAME}, {"a\x7f", "", NULL, CAUSE_NAME}, {"", "", NULL, CAUSE_NAME},
	/* values keep what is UTF-8 */
	{"a", "k:caf\xc3\xa9 1", "a k=caf\xc3\xa9 1", 0}, {"a", "k:\xff\xc3\xa9", "a k=___", 0}, {"a", "k:x\ty\x7f", "a k=x_y_", 0},
	{"a", "u:http://x:80/", "a u=http://x:80/", 0}, {"a", "k:", "a k=", 0},
	{"a", "bare", "a bare=true", 0}, {"a", "k y:v", "a k_y=v", 0}, {"a", "\xc3\xa9:v", "a __=v", 0},
	{"a", ",,k:v,", "a k=v", 0}, {"a", ",", "a", 0},
	{"a", ":v", NULL, CAUSE_TAGS}, {"a", "k:v,:", NULL, CAUSE_TAGS},
	/* the first of a key */
	{"a", "k:1,k:2", "a k=1", 0}, {"a", "k:1,k:1", "a k=1", 0}, {"a", "k y:1,k_y:2,k+y:3", "a k_y=1", 0}, {"a", "k,k:2", "a k=true", 0},
	/* order: bytewise, a prefix first */
	{"a", "b:1,a:2,B:3,ab:4,a.:5", "a B=3 a=2 a.=5 ab=4 b=1", 0},
};

static void describe(const struct label *l, char *out, size_t size)
{
	size_t n = (size_t)snprintf(out, size, "%.*s", STR_ARG(l->name));

	for (size_t i = 0; i < l->tags_len; i++)
		n += (size_t)snprintf(out + n, size - n, " %.*s=%.*s", STR_ARG(l->tags[i].key), STR_ARG(l->tags[i].value));
}

START_TEST(table)
{
	struct label l;
	char got[512];
	enum cause why = label_make(&l, str_from(cases[_i].name), str_from(cases[_i].tags), NULL, 0);

	ck_assert_msg(why == cases[_i].why, "case %d: %s", _i, cause_name(why));
	if (why != CAUSE_NONE)
		return;
	describe(&l, got, sizeof(got));
	ck_assert_msg(strcmp(got, cases[_i].label) == 0, "case %d: %s", _i, got);
}
END_TEST

START_TEST(configured_tags_fill_gaps)
{
	const struct tag more[] = {{STR("region"), STR("eu")}, {STR("env"), STR("prod")}};
	struct label l;
	char got[512];

	ck_assert_int_eq(label_make(&l, STR("a"), STR("z:1,env:test"), more, NR(more)), CAUSE_NONE);
	describe(&l, got, sizeof(got));
	ck_assert_str_eq(got, "a env=test region=eu z=1");
}
END_TEST

/* n tags, k0: to k(n-1):, each value of value_len bytes. */
static size_t many_tags(char *out, size_t n, size_t value_len)
{
	size_t at = 0;

	for (size_t i = 0; i < n; i++) {
		at += (size_t)sprintf(out + at, "%sk%zu:", i ? "," : "", i); /* style: the buffers are the test's */
		memset(out + at, 'v', value_len);
		at += value_len;
	}
	return at;
}

START_TEST(limits)
{
	static char raw[64 * 400], name[300];
	const struct tag known[] = {{STR("k5"), STR("x")}}, other[] = {{STR("other"), STR("x")}};
	struct label l;
	size_t len;

	memset(name, 'n', sizeof(name));
	ck_assert_int_eq(label_make(&l, (struct str){name, 255}, STR(""), NULL, 0), CAUSE_NONE);
	ck_assert_int_eq(label_make(&l, (struct str){name, 256}, STR(""), NULL, 0), CAUSE_NAME);
	len = many_tags(raw, 32, 255);
	ck_assert_int_eq(label_make(&l, (struct str){name, 255}, (struct str){raw, len}, NULL, 0), CAUSE_NONE);
	ck_assert_uint_eq(l.tags_len, 32);
	ck_assert_int_eq(label_make(&l, STR("a"), (struct str){raw, len}, known, 1), CAUSE_NONE);
	ck_assert_int_eq(label_make(&l, STR("a"), (struct str){raw, len}, other, 1), CAUSE_TAGS);
	len += (size_t)sprintf(raw + len, ",k31:again"); /* style: there is room */
	ck_assert_int_eq(label_make(&l, STR("a"), (struct str){raw, len}, NULL, 0), CAUSE_NONE);
	len = many_tags(raw, 33, 1);
	ck_assert_int_eq(label_make(&l, STR("a"), (struct str){raw, len}, NULL, 0), CAUSE_TAGS);
	len = many_tags(raw, 1, 256);
	ck_assert_int_eq(label_make(&l, STR("a"), (struct str){raw, len}, NULL, 0), CAUSE_TAGS);
	ck_assert_int_eq(label_make(&l, STR("a"), (struct str){name, 255}, NULL, 0), CAUSE_NONE); /* a bare tag */
	ck_assert_int_eq(label_make(&l, STR("a"), (struct str){name, 256}, NULL, 0), CAUSE_TAGS);
}
END_TEST

/* What the server asks of a series: schemas/push.proto. */
static void check_label(const struct label *l)
{
	ck_assert(series_name_valid(l->name) && l->tags_len <= SERIES_TAGS_MAX);
	for (size_t i = 0; i < l->tags_len; i++) {
		ck_assert(series_name_valid(l->tags[i].key) && l->tags[i].value.len <= SERIES_STRING_MAX && str_is_utf8(l->tags[i].value));
		ck_assert(i == 0 || str_cmp(l->tags[i - 1].key, l->tags[i].key) < 0);
	}
}

START_TEST(any_bytes)
{
	static const char alphabet[] = "ab:,,::\xc3\xa9\xff\x01 _";
	struct unit_random r = unit_random_new("label");
	int taken = 0;

	for (int round = 0; round < 100000; round++) {
		char name[8], raw[80];
		struct label l;
		size_t name_len = unit_random_below(&r, sizeof(name)), raw_len = unit_random_below(&r, sizeof(raw));

		for (size_t i = 0; i < name_len; i++)
			name[i] = alphabet[unit_random_below(&r, sizeof(alphabet) - 1)];
		for (size_t i = 0; i < raw_len; i++)
			raw[i] = alphabet[unit_random_below(&r, sizeof(alphabet) - 1)];
		if (label_make(&l, (struct str){name, name_len}, (struct str){raw, raw_len}, NULL, 0) != CAUSE_NONE)
			continue;
		check_label(&l);
		taken++;
	}
	ck_assert_int_gt(taken, 1000);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("label");
	TCase *tc = tcase_create("label");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, table, 0, NR(cases));
	tcase_add_test(tc, configured_tags_fill_gaps);
	tcase_add_test(tc, limits);
	tcase_add_test(tc, any_bytes);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
