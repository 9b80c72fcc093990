/* test_topics.c - an input's number, and the topic and partition that it stands for, both ways. */
#include "processor/topics.h"

#include <string.h>

#include "tests/unit/unit.h"

enum { PARTITIONS = 3 };

static struct cell_topics topics_of(const char *cell)
{
	struct cell_topics t;

	memset(&t, 0, sizeof(t));
	topics_name(&t, cell);
	t.partitions = PARTITIONS;
	return t;
}

START_TEST(each_number_is_one_partition)
{
	static const struct {
		const char *topic, *state;
		int32_t partition;
		enum input_kind kind;
	} rows[] = {
		{"millrace.c.main.samples", "millrace.c.main.samples-state", 0, INPUT_SAMPLES},
		{"millrace.c.main.samples", "millrace.c.main.samples-state", 1, INPUT_SAMPLES},
		{"millrace.c.main.samples", "millrace.c.main.samples-state", 2, INPUT_SAMPLES},
		{"millrace.c.main.events", "millrace.c.main.events-state", 0, INPUT_EVENTS},
		{"millrace.c.main.events", "millrace.c.main.events-state", 1, INPUT_EVENTS},
		{"millrace.c.main.events", "millrace.c.main.events-state", 2, INPUT_EVENTS},
	};
	struct cell_topics t = topics_of("main");

	ck_assert_int_eq(topics_inputs(PARTITIONS), (int)NR(rows));
	for (int32_t i = 0; i < (int32_t)NR(rows); i++) {
		struct input in = topics_input(&t, i);

		ck_assert_str_eq(in.topic, rows[i].topic);
		ck_assert_str_eq(in.state, rows[i].state);
		ck_assert(in.partition == rows[i].partition && in.kind == rows[i].kind);
		ck_assert_int_eq(topics_number(&t, rows[i].topic, rows[i].partition), i);
		ck_assert_int_eq(topics_state_number(&t, rows[i].state, rows[i].partition), i);
	}
	ck_assert_str_eq(topics_kind_name(INPUT_SAMPLES), "samples");
	ck_assert_str_eq(topics_kind_name(INPUT_EVENTS), "events");
}
END_TEST

START_TEST(what_is_no_input_has_no_number)
{
	struct cell_topics t = topics_of("main");
	rd_kafka_message_t message = {.rkt = NULL, .partition = 1};

	ck_assert_int_eq(topics_number(&t, NULL, 0), -1);
	ck_assert_int_eq(topics_number(&t, t.minutely, 0), -1);
	ck_assert_int_eq(topics_number(&t, t.samples_state, 0), -1);
	ck_assert_int_eq(topics_number(&t, "millrace.c.other.samples", 0), -1);
	ck_assert_int_eq(topics_number(&t, t.samples, -1), -1);
	ck_assert_int_eq(topics_number(&t, t.samples, PARTITIONS), -1);
	ck_assert_int_eq(topics_number(&t, t.events, PARTITIONS), -1);
	ck_assert_int_eq(topics_state_number(&t, t.events, 0), -1);
	ck_assert_int_eq(topics_message_number(&t, &message), -1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("topics");
	TCase *tc = tcase_create("topics");

	tcase_add_test(tc, each_number_is_one_partition);
	tcase_add_test(tc, what_is_no_input_has_no_number);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
