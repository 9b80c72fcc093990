/* txn_bench.h - what the tests of the transactional producer share: a mock cluster with a cell's topics, and an open producer. */
#ifndef MILLRACE_TESTS_TXN_BENCH_H
#define MILLRACE_TESTS_TXN_BENCH_H

#include "common/clock.h"
#include "common/kafka.h"
#include "common/report.h"
#include "processor/txn.h"
#include "tests/unit/common/kafka_mock.h"

enum { API_FIND_COORDINATOR = 10, API_ADD_PARTITIONS = 24, API_ADD_OFFSETS = 25, API_END_TXN = 26, API_TXN_OFFSET_COMMIT = 28, WAIT_MS = 30000 };

/* A cluster with a cell's topics, and an open producer. */
struct bench {
	struct mock mock;
	char cell[8];
	struct cell_topics topics;
	struct txn *txn;
	rd_kafka_consumer_group_metadata_t *group;
	rd_kafka_topic_partition_list_t *offsets;
};

/* Opens, however often that must be tried. */
static inline void must_open(struct bench *b)
{
	int64_t until = clock_mono_ms() + WAIT_MS;
	struct err err = ERR_INIT;

	while (txn_open(b->txn, &err) < 0)
		ck_assert_msg(err.kind == ERR_RETRY && clock_mono_ms() < until, "%s", err.msg);
	ck_assert(txn_is_idle(b->txn));
}

static inline void bench_init(struct bench *b)
{
	memset(b, 0, sizeof(*b));
	mock_init(&b->mock);
	snprintf(b->cell, sizeof(b->cell), "main");
	b->mock.program.common.cell = b->cell;
	topics_name(&b->topics, b->cell);
	b->topics.partitions = 2;
	mock_topic(&b->mock, b->topics.minutely, 2);
	mock_topic(&b->mock, b->topics.hourly, 2);
	mock_topic(&b->mock, b->topics.samples_state, 2);
	mock_topic(&b->mock, b->topics.events_state, 2);
	mock_topic(&b->mock, b->topics.exemplars, 2);
	mock_topic(&b->mock, b->topics.alerts, 2);
	mock_topic(&b->mock, TOPIC_DEADLETTER, 1);
	b->txn = txn_new(&b->mock.program, &b->topics);
	b->group = rd_kafka_consumer_group_metadata_new_with_genid("millrace-processor-main", 3, "member", NULL);
	b->offsets = rd_kafka_topic_partition_list_new(1);
	rd_kafka_topic_partition_list_add(b->offsets, b->topics.samples, 1)->offset = 42;
	must_open(b);
}

static inline void bench_fini(struct bench *b)
{
	txn_free(b->txn);
	rd_kafka_consumer_group_metadata_destroy(b->group);
	rd_kafka_topic_partition_list_destroy(b->offsets);
	mock_fini(&b->mock);
}

/* Everything up to the commit. -1: a step failed, and the transaction was aborted as it must be. */
static inline int fill(struct bench *b, struct txn_delivery *delivery, struct err *err)
{
	if (txn_begin(b->txn, err) == 0 &&
	    txn_produce(b->txn, TXN_SAMPLES_STATE, 1, (struct str){0}, STR("chunk"), delivery, err) == 0 &&
	    txn_produce(b->txn, TXN_MINUTELY, 1, STR("key"), STR("fragment"), NULL, err) == 0 && txn_flush(b->txn, err) == 0 &&
	    txn_send_offsets(b->txn, b->offsets, b->group, err) == 0)
		return 0;
	txn_abort(b->txn);
	return -1;
}

/* A transaction that must be committed. */
static inline void must_commit(struct bench *b)
{
	struct txn_delivery delivery;
	struct err err = ERR_INIT;

	ck_assert_msg(fill(b, &delivery, &err) == 0, "%s", err.msg);
	ck_assert_int_ge(delivery.offset, 0);
	ck_assert_msg(txn_commit(b->txn, &err) == TXN_COMMITTED, "%s", err.msg);
	ck_assert(txn_is_idle(b->txn));
}

#endif
