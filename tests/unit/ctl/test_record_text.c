/* test_record_text.c - records as the operator log keeps them: one line each, with every field. */
#include "deploy/ctl/record_text.h"

#include "schemas/schemas.h"
#include "tests/unit/unit.h"

static void expect(enum record_kind kind, const void *record, const char *text)
{
	struct buf out = BUF_INIT;

	ck_assert_int_eq(record_text(kind, record, &out, NULL), 0);
	buf_add(&out, "", 1);
	ck_assert_str_eq((const char *)out.p, text);
	buf_fini(&out);
}

START_TEST(each_kind)
{
	struct route route = {0, STR("main"), 2};
	struct api_key key = {.id = STR("mr_abc"), .created_at = 7};
	struct str eu[] = {STR("eu"), STR("us")};
	struct tag_selector tags[] = {{STR("host"), SELECTOR_OP_PRESENT, NULL, 0}, {STR("region"), SELECTOR_OP_ONE_OF, eu, 2}};
	struct cell cell = {.name = STR("main"), .partitions = 12, .epoch = 255, .created_at = 5};
	struct site site = {.id = STR("shop"), .name = STR("The \"shop\""), .created_at = 6, .routes = &route, .routes_len = 1, .keys = &key, .keys_len = 1,
			    .samples_per_s = 0.5};
	struct control control = {.id = STR("ingest/close/site=shop"), .on = CONTROL_PROGRAM_INGEST, .action = CONTROL_ACTION_CLOSE, .has_site = true,
				  .site = STR("shop"), .reason = STR("fire"), .author = STR("me"), .created_at = 1, .expires_at = 2};
	struct silence silence = {.id = STR("abcd1234"), .has_trigger = true, .trigger = STR("slow"), .tags = tags, .tags_len = 2, .starts_at = 1,
				  .ends_at = 2, .reason = STR("known"), .author = STR("me"), .created_at = 3};
	struct ack ack = {.incident = {0xab, [15] = 1}, .author = STR("me"), .reason = STR(""), .at = 9};

	expect(RECORD_CELL, &cell, "{\"name\":\"main\",\"partitions\":12,\"epoch\":\"00000000000000ff\",\"created_at\":5}");
	expect(RECORD_SITE, &site, "{\"id\":\"shop\",\"name\":\"The \\\"shop\\\"\",\"disabled\":false,\"created_at\":6,\"routes\":[{\"effective_from\":0,"
				   "\"cell\":\"main\",\"shards\":2}],\"keys\":[{\"id\":\"mr_abc\",\"sha256\":"
				   "\"0000000000000000000000000000000000000000000000000000000000000000\",\"created_at\":7}],\"payloads_per_s\":0,"
				   "\"samples_per_s\":0.5,\"series_cap\":0}");
	expect(RECORD_CONTROL, &control, "{\"id\":\"ingest/close/site=shop\",\"on\":\"ingest\",\"action\":\"close\",\"site\":\"shop\",\"reason\":\"fire\","
					 "\"author\":\"me\",\"created_at\":1,\"expires_at\":2}");
	expect(RECORD_SILENCE, &silence, "{\"id\":\"abcd1234\",\"trigger\":\"slow\",\"tags\":[{\"key\":\"host\",\"op\":\"present\",\"values\":[]},"
					 "{\"key\":\"region\",\"op\":\"one_of\",\"values\":[\"eu\",\"us\"]}],\"starts_at\":1,\"ends_at\":2,"
					 "\"reason\":\"known\",\"author\":\"me\",\"created_at\":3}");
	expect(RECORD_ACK, &ack, "{\"incident\":\"ab000000000000000000000000000001\",\"author\":\"me\",\"reason\":\"\",\"at\":9}");
}
END_TEST

START_TEST(none)
{
	expect(RECORD_SITE, NULL, "null");
	expect(RECORD_ACK, NULL, "null");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("record_text");
	TCase *tc = tcase_create("record_text");

	tcase_add_test(tc, each_kind);
	tcase_add_test(tc, none);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
