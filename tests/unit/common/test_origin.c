/* test_origin.c - the line that a retried record carries: what it looks like, what is refused, and what a broker's copy of it comes to. */
#include "common/origin.h"

#include <string.h>

#include "common/kafka.h"
#include "tests/unit/common/kafka_mock.h"
#include "tests/unit/unit.h"

enum { WAIT_MS = 20000, CASES = 2000 };

START_TEST(looks_as_designed)
{
	struct origin o = {STR("millrace.c.main.minutely"), -5, 3, 1001};
	char text[ORIGIN_SIZE];

	ck_assert_str_eq(origin_format(&o, text), "v1 topic=millrace.c.main.minutely epoch=-5 partition=3 offset=1001");
}
END_TEST

START_TEST(writes_what_it_reads)
{
	static const int64_t numbers[] = {0, 1, 9, 10, INT32_MAX, INT64_C(1) << 40, INT64_MAX};
	struct unit_random dice = unit_random_new("origins");
	char name[ORIGIN_TOPIC_MAX + 1], text[ORIGIN_SIZE];
	struct err err = ERR_INIT;

	memset(name, 'x', sizeof(name));
	for (int i = 0; i < CASES; i++) {
		struct origin back, o = {.topic = {name, 1 + (size_t)unit_random_below(&dice, ORIGIN_TOPIC_MAX)},
					 .epoch = i ? (int64_t)unit_random_next(&dice) : INT64_MIN,
					 .partition = (int32_t)(numbers[unit_random_below(&dice, 5)]),
					 .offset = numbers[unit_random_below(&dice, NR(numbers))]};

		ck_assert_uint_lt(strlen(origin_format(&o, text)), ORIGIN_SIZE - 1);
		ck_assert_msg(origin_parse(str_from(text), &back, &err) == 0, "%s: %s", text, err.msg);
		ck_assert(str_eq(back.topic, o.topic) && back.epoch == o.epoch && back.partition == o.partition && back.offset == o.offset);
	}
}
END_TEST

static const char *const hostile[] = {
	"",
	"v1",
	"v0 topic=t epoch=1 partition=0 offset=0",
	"v1 topic= epoch=1 partition=0 offset=0",
	"v1 topic=a b epoch=1 partition=0 offset=0",
	"v1 topic=a/b epoch=1 partition=0 offset=0",
	"v1 topic=\xc3\xa4 epoch=1 partition=0 offset=0",
	"v1 topic=t\n epoch=1 partition=0 offset=0",
	"v1 epoch=1 topic=t partition=0 offset=0",
	"v1 topic=t epoch=1 partition=0 offset=",
	"v1 topic=t epoch=1 partition=0 offset=0 ",
	" v1 topic=t epoch=1 partition=0 offset=0",
	"v1  topic=t epoch=1 partition=0 offset=0",
	"v1 topic=t epoch=1 partition=0 offset=0 more=1",
	"v1 topic=t epoch=1 partition=-1 offset=0",
	"v1 topic=t epoch=1 partition=2147483648 offset=0",
	"v1 topic=t epoch=1 partition=0 offset=-1",
	"v1 topic=t epoch=1 partition=0 offset=9223372036854775808",
	"v1 topic=t epoch=9223372036854775808 partition=0 offset=0",
	"v1 topic=t epoch=01 partition=0 offset=0",
	"v1 topic=t epoch=+1 partition=0 offset=0",
	"v1 topic=t epoch=1 partition=0 offset=1e3",
	"v2 topic=t epoch=1 partition=0 offset=0",
	"v99999999999999999999 topic=t epoch=1 partition=0 offset=0",
};

START_TEST(refuses_what_is_not_ours)
{
	struct origin out = {.offset = 77};
	struct err err = ERR_INIT;

	ck_assert_msg(origin_parse(str_from(hostile[_i]), &out, &err) == -1, "taken: %s", hostile[_i]);
	ck_assert(err.kind == ERR_REJECT && out.offset == 77);
}
END_TEST

START_TEST(topics_have_a_longest_name)
{
	char text[ORIGIN_SIZE];
	struct origin out;

	for (int len = ORIGIN_TOPIC_MAX; len <= ORIGIN_TOPIC_MAX + 1; len++) {
		snprintf(text, sizeof(text), "v1 topic=%0*d epoch=1 partition=0 offset=0", len, 0);
		ck_assert_int_eq(origin_parse(str_from(text), &out, NULL), len <= ORIGIN_TOPIC_MAX ? 0 : -1);
	}
}
END_TEST

START_TEST(a_cut_line_is_none)
{
	static const char text[] = "v1 topic=t epoch=1 partition=0 offset=0\0001";
	struct origin out;

	ck_assert_int_eq(origin_parse((struct str){text, sizeof(text) - 1}, &out, NULL), -1);
	for (size_t len = 0; len < strlen(text); len++)
		ck_assert_int_eq(origin_parse((struct str){text, len}, &out, NULL), -1);
}
END_TEST

static const struct { struct origin o, place; int rc; } places[] = {
	{{{"t", 1}, 7, 1, 4}, {{"t", 1}, 7, 1, 5}, 0},
	{{{"t", 1}, 7, 1, 0}, {{"t", 1}, 7, 1, INT64_MAX}, 0},
	{{{"t", 1}, 7, 1, 5}, {{"t", 1}, 7, 1, 5}, -1}, /* itself */
	{{{"t", 1}, 7, 1, 6}, {{"t", 1}, 7, 1, 5}, -1}, /* what is still to come */
	{{{"u", 1}, 7, 1, 4}, {{"t", 1}, 7, 1, 5}, -1},
	{{{"t", 1}, 7, 2, 4}, {{"t", 1}, 7, 1, 5}, -1},
	{{{"t", 1}, 8, 1, 4}, {{"t", 1}, 7, 1, 5}, -1},
	{{{"tt", 2}, 7, 1, 4}, {{"t", 1}, 7, 1, 5}, -1},
};

START_TEST(a_copy_stands_behind_the_first)
{
	struct err err = ERR_INIT;

	ck_assert_int_eq(origin_check(&places[_i].o, &places[_i].place, &err), places[_i].rc);
	ck_assert_int_eq(err.kind, places[_i].rc ? ERR_REJECT : 0);
}
END_TEST

/* Headers of one record each, of topic "t", partition 0, epoch 7; the first one only takes an offset. */
static const struct { const char *name[3], *value[3]; int rc; int64_t offset; } records[] = {
	{{NULL}, {NULL}, 0, 0},
	{{"h", "Millrace-Origin"}, {"v", "x"}, 0, 0},
	{{ORIGIN_HEADER}, {"v1 topic=t epoch=7 partition=0 offset=0"}, 1, 0},
	{{"a", ORIGIN_HEADER, "b"}, {"1", "v1 topic=t epoch=7 partition=0 offset=2", "3"}, 1, 2},
	{{ORIGIN_HEADER}, {"v1 topic=t epoch=7 partition=0 offset=5"}, -1, 0},
	{{ORIGIN_HEADER}, {"v1 topic=t epoch=8 partition=0 offset=0"}, -1, 0},
	{{ORIGIN_HEADER}, {"v1 topic=u epoch=7 partition=0 offset=0"}, -1, 0},
	{{ORIGIN_HEADER}, {"v1 topic=t epoch=7 partition=1 offset=0"}, -1, 0},
	{{ORIGIN_HEADER}, {NULL}, -1, 0},
	{{ORIGIN_HEADER}, {""}, -1, 0},
	{{ORIGIN_HEADER, ORIGIN_HEADER}, {"v1 topic=t epoch=7 partition=0 offset=0", "v1 topic=t epoch=7 partition=0 offset=0"}, -1, 0},
	{{ORIGIN_HEADER, "x", ORIGIN_HEADER}, {"v1 topic=t epoch=7 partition=0 offset=0", "", "junk"}, -1, 0},
};

static void send_records(struct mock *m)
{
	for (size_t i = 0; i < NR(records); i++) {
		rd_kafka_headers_t *headers = rd_kafka_headers_new(3);

		for (int h = 0; h < 3 && records[i].name[h]; h++)
			rd_kafka_header_add(headers, records[i].name[h], -1, records[i].value[h], -1);
		ck_assert_int_eq(rd_kafka_producev(m->rk, RD_KAFKA_V_TOPIC("t"), RD_KAFKA_V_PARTITION(0), RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END), 0);
		mock_flush(m);
	}
}

static void judge(const rd_kafka_message_t *message)
{
	struct origin out = {.offset = 77};
	struct err err = ERR_INIT;
	size_t i = (size_t)message->offset;
	int rc = origin_of_message(message, 7, &out, &err);

	ck_assert_msg(rc == records[i].rc, "record %zu: %d %s", i, rc, err.msg);
	ck_assert_int_eq(out.offset, rc == 1 ? records[i].offset : 77);
	ck_assert_int_eq(err.kind, rc < 0 ? ERR_REJECT : 0);
	ck_assert(rc != 1 || (str_eq(out.topic, STR("t")) && out.epoch == 7 && out.partition == 0));
}

START_TEST(headers_of_records)
{
	static const struct kafka_prop props[] = {{"group.id", "g"}, {0}};
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	struct err err = ERR_INIT;
	struct mock m;
	rd_kafka_t *rk;

	mock_init(&m);
	mock_topic(&m, "t", 1);
	send_records(&m);
	rk = kafka_open(RD_KAFKA_CONSUMER, kafka_conf(&m.program, "test", props, &err), &err);
	ck_assert_msg(rk != NULL, "%s", err.msg);
	rd_kafka_topic_partition_list_add(list, "t", 0)->offset = 0;
	ck_assert_int_eq(rd_kafka_assign(rk, list), 0);
	for (size_t i = 0; i < NR(records); i++) {
		rd_kafka_message_t *message = rd_kafka_consumer_poll(rk, WAIT_MS);

		ck_assert(message && !message->err && message->offset == (int64_t)i);
		judge(message);
		rd_kafka_message_destroy(message);
	}
	rd_kafka_topic_partition_list_destroy(list);
	kafka_close(rk, WAIT_MS);
	mock_fini(&m);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("origin");
	TCase *tc = tcase_create("origin");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, looks_as_designed);
	tcase_add_test(tc, writes_what_it_reads);
	tcase_add_loop_test(tc, refuses_what_is_not_ours, 0, (int)NR(hostile));
	tcase_add_test(tc, topics_have_a_longest_name);
	tcase_add_test(tc, a_cut_line_is_none);
	tcase_add_loop_test(tc, a_copy_stands_behind_the_first, 0, (int)NR(places));
	tcase_add_test(tc, headers_of_records);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
