/* test_replicas.c - which partitions miss a replica. */
#include "ingest/replicas.h"

#include "tests/unit/common/kafka_mock.h"

/* A partition with so many replicas, so many of them in sync. */
static struct rd_kafka_metadata_partition partition(int replicas, int in_sync)
{
	return (struct rd_kafka_metadata_partition){.replica_cnt = replicas, .isr_cnt = in_sync};
}

START_TEST(ours_that_miss_one)
{
	struct rd_kafka_metadata_partition ours[] = {partition(3, 3), partition(3, 2), partition(3, 0), partition(1, 1)};
	struct rd_kafka_metadata_partition one[] = {partition(2, 1)}, others[] = {partition(3, 1)};
	char name[] = "millrace.sites", none[] = "millrace.none", cell[] = "millrace.c.main.samples", other[] = "millrace-x", shorter[] = "millrace";
	struct rd_kafka_metadata_topic topics[] = {
		{.topic = name, .partition_cnt = NR(ours), .partitions = ours}, {.topic = none},
		{.topic = cell, .partition_cnt = 1, .partitions = one},         {.topic = other, .partition_cnt = 1, .partitions = others},
		{.topic = shorter, .partition_cnt = 1, .partitions = others},
	};

	ck_assert_int_eq(replicas_missing(&(struct rd_kafka_metadata){.topic_cnt = NR(topics), .topics = topics}), 3);
	ck_assert_int_eq(replicas_missing(&(struct rd_kafka_metadata){.topic_cnt = 2, .topics = topics}), 2);
	ck_assert_int_eq(replicas_missing(&(struct rd_kafka_metadata){0}), 0);
}
END_TEST

START_TEST(brokers_are_asked)
{
	struct mock m;

	mock_init(&m);
	mock_topic(&m, "millrace.sites", 3);
	ck_assert_int_eq(replicas_ask(m.rk, 10000), 0);
	rd_kafka_mock_broker_set_down(m.cluster, 1);
	ck_assert_int_eq(replicas_ask(m.rk, 50), -1);
	mock_fini(&m);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("replicas");
	TCase *tc = tcase_create("replicas");

	tcase_add_test(tc, ours_that_miss_one);
	tcase_add_test(tc, brokers_are_asked);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
