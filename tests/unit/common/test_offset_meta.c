/* test_offset_meta.c - the line beside a committed offset: what is ours, and what is not. */
#include "common/offset_meta.h"

#include "tests/unit/unit.h"

START_TEST(writes_what_it_reads)
{
	static const struct offset_meta metas[] = {
		{0, 1, 0, 1, 0},
		{1234567890123456789, 7, 42, 100000, 99},
		{-1, 1, 0, 1, 0},
		{INT64_MIN, INT64_MAX - 1, INT64_MAX, INT64_MAX, INT64_MAX},
		{INT64_MAX, 1, 1, 1, 1},
	};

	for (size_t i = 0; i < NR(metas); i++) {
		char text[OFFSET_META_SIZE];
		struct offset_meta back;
		struct err err = ERR_INIT;

		offset_meta_format(&metas[i], text);
		ck_assert_uint_lt(strlen(text), OFFSET_META_SIZE - 1);
		ck_assert_msg(offset_meta_parse(str_from(text), &back, &err) == 0, "%s: %s", text, err.msg);
		ck_assert(back.epoch == metas[i].epoch && back.id == metas[i].id && back.snapshot == metas[i].snapshot &&
			  back.bytes == metas[i].bytes && back.at == metas[i].at);
	}
}
END_TEST

START_TEST(looks_as_designed)
{
	struct offset_meta meta = {-5, 3, 17, 2048, 1001};
	char text[OFFSET_META_SIZE];

	ck_assert_str_eq(offset_meta_format(&meta, text), "v1 epoch=-5 id=3 snapshot=17 bytes=2048 at=1001");
}
END_TEST

static const char *const hostile[] = {
	"",
	"v",
	"v1",
	"v0 epoch=1 id=1 snapshot=0 bytes=1 at=0",
	"V1 epoch=1 id=1 snapshot=0 bytes=1 at=0",
	" v1 epoch=1 id=1 snapshot=0 bytes=1 at=0",
	"v1 epoch=1 id=1 snapshot=0 bytes=1 at=0 ",
	"v1 epoch=1 id=1 snapshot=0 bytes=1 at=0\n",
	"v1 epoch=1 id=1 snapshot=0 bytes=1 at=",
	"v1 epoch=1 id=1 snapshot=0 bytes=1",
	"v1  epoch=1 id=1 snapshot=0 bytes=1 at=0",
	"v1 id=1 epoch=1 snapshot=0 bytes=1 at=0",
	"v1 epoch=+1 id=1 snapshot=0 bytes=1 at=0",
	"v1 epoch=01 id=1 snapshot=0 bytes=1 at=0",
	"v1 epoch=-0 id=1 snapshot=0 bytes=1 at=0",
	"v1 epoch=- id=1 snapshot=0 bytes=1 at=0",
	"v1 epoch=0x1 id=1 snapshot=0 bytes=1 at=0",
	"v1 epoch=1 id=0 snapshot=0 bytes=1 at=0",
	"v1 epoch=1 id=9223372036854775807 snapshot=0 bytes=1 at=0",
	"v1 epoch=1 id=-1 snapshot=0 bytes=1 at=0",
	"v1 epoch=1 id=1 snapshot=-1 bytes=1 at=0",
	"v1 epoch=1 id=1 snapshot=0 bytes=0 at=0",
	"v1 epoch=1 id=1 snapshot=0 bytes=1 at=-1",
	"v1 epoch=1 id=1 snapshot=0 bytes=1 at=9223372036854775808",
	"v1 epoch=-9223372036854775809 id=1 snapshot=0 bytes=1 at=0",
	"v1 epoch=1 id=1 snapshot=99999999999999999999999999 bytes=1 at=0",
	"v1 epoch=1 id=1 snapshot=0 bytes=1 at=0 at=0",
	"v1 epoch=1 id=1 snapshot=0 bytes=1e3 at=0",
	"an operator's note",
};

START_TEST(refuses_what_is_not_ours)
{
	struct offset_meta out = {.at = 77};
	struct err err = ERR_INIT;

	ck_assert_msg(offset_meta_parse(str_from(hostile[_i]), &out, &err) == -1, "taken: %s", hostile[_i]);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_int_eq(out.at, 77);
}
END_TEST

START_TEST(a_nul_inside_is_no_end)
{
	static const char text[] = "v1 epoch=1 id=1 snapshot=0 bytes=1 at=0\0001";
	struct offset_meta out;

	ck_assert_int_eq(offset_meta_parse((struct str){text, sizeof(text) - 1}, &out, NULL), -1);
	for (size_t len = 0; len < strlen(text); len++)
		ck_assert_int_eq(offset_meta_parse((struct str){text, len}, &out, NULL), -1);
}
END_TEST

START_TEST(names_a_newer_version)
{
	struct offset_meta out;
	struct err err = ERR_INIT;

	ck_assert_int_eq(offset_meta_parse(STR("v2 epoch=1 id=1 snapshot=0 bytes=1 at=0 more=2"), &out, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.msg, "newer version"));
	ck_assert_int_eq(offset_meta_parse(STR("v10"), &out, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.msg, "newer version"));
	ck_assert(offset_meta_is_newer(STR("v2")) && offset_meta_is_newer(STR("v10 x")));
	ck_assert(!offset_meta_is_newer(STR("v1 epoch=1")) && !offset_meta_is_newer(STR("v0")) && !offset_meta_is_newer(STR("by hand")) &&
		  !offset_meta_is_newer(STR("")));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("offset_meta");
	TCase *tc = tcase_create("offset_meta");

	tcase_add_test(tc, writes_what_it_reads);
	tcase_add_test(tc, looks_as_designed);
	tcase_add_loop_test(tc, refuses_what_is_not_ours, 0, (int)NR(hostile));
	tcase_add_test(tc, a_nul_inside_is_no_end);
	tcase_add_test(tc, names_a_newer_version);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
