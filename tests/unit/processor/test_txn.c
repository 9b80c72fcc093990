/* test_txn.c - the transactional producer against the mock cluster: what every class of error comes to. */
#include "processor/txn.h"

#include "common/clock.h"
#include "common/kafka.h"
#include "processor/consumer.h"
#include "tests/unit/common/kafka_mock.h"

enum { API_ADD_PARTITIONS = 24, API_ADD_OFFSETS = 25, API_END_TXN = 26, API_TXN_OFFSET_COMMIT = 28, WAIT_MS = 30000 };

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
static void must_open(struct bench *b)
{
	int64_t until = clock_mono_ms() + WAIT_MS;
	struct err err = ERR_INIT;

	while (txn_open(b->txn, &err) < 0)
		ck_assert_msg(err.kind == ERR_RETRY && clock_mono_ms() < until, "%s", err.msg);
	ck_assert(txn_is_idle(b->txn));
}

static void bench_init(struct bench *b)
{
	memset(b, 0, sizeof(*b));
	mock_init(&b->mock);
	snprintf(b->cell, sizeof(b->cell), "main");
	b->mock.program.common.cell = b->cell;
	topics_name(&b->topics, b->cell);
	b->topics.partitions = 2;
	mock_topic(&b->mock, b->topics.minutely, 2);
	mock_topic(&b->mock, b->topics.hourly, 2);
	mock_topic(&b->mock, b->topics.state, 2);
	mock_topic(&b->mock, TOPIC_DEADLETTER, 1);
	b->txn = txn_new(&b->mock.program, &b->topics);
	b->group = rd_kafka_consumer_group_metadata_new_with_genid("millrace-processor-main", 3, "member", NULL);
	b->offsets = rd_kafka_topic_partition_list_new(1);
	rd_kafka_topic_partition_list_add(b->offsets, b->topics.samples, 1)->offset = 42;
	must_open(b);
}

static void bench_fini(struct bench *b)
{
	txn_free(b->txn);
	rd_kafka_consumer_group_metadata_destroy(b->group);
	rd_kafka_topic_partition_list_destroy(b->offsets);
	mock_fini(&b->mock);
}

/* Everything up to the commit. -1: a step failed, and the transaction was aborted as it must be. */
static int fill(struct bench *b, struct txn_delivery *delivery, struct err *err)
{
	if (txn_begin(b->txn, err) == 0 &&
	    txn_produce(b->txn, TXN_STATE, 1, (struct str){0}, STR("chunk"), delivery, err) == 0 &&
	    txn_produce(b->txn, TXN_MINUTELY, 1, STR("key"), STR("fragment"), NULL, err) == 0 && txn_flush(b->txn, err) == 0 &&
	    txn_send_offsets(b->txn, b->offsets, b->group, err) == 0)
		return 0;
	txn_abort(b->txn);
	return -1;
}

/* A transaction that must be committed. */
static void must_commit(struct bench *b)
{
	struct txn_delivery delivery;
	struct err err = ERR_INIT;

	ck_assert_msg(fill(b, &delivery, &err) == 0, "%s", err.msg);
	ck_assert_int_ge(delivery.offset, 0);
	ck_assert_msg(txn_commit(b->txn, &err) == TXN_COMMITTED, "%s", err.msg);
	ck_assert(txn_is_idle(b->txn));
}

START_TEST(commits_and_knows_offsets_before)
{
	struct bench b;

	bench_init(&b);
	must_commit(&b);
	must_commit(&b);
	bench_fini(&b);
}
END_TEST

START_TEST(an_abort_is_forgotten_and_the_next_commits)
{
	struct txn_delivery delivery;
	struct err err = ERR_INIT;
	struct bench b;

	bench_init(&b);
	ck_assert_int_eq(fill(&b, &delivery, &err), 0);
	txn_abort(b.txn);
	ck_assert(txn_is_idle(b.txn));
	must_commit(&b);
	bench_fini(&b);
}
END_TEST

/* What the coordinator says when the member's copy is of another generation: the transaction ends, the producer lives. */
START_TEST(a_stale_member_is_refused_and_the_producer_lives)
{
	struct txn_delivery delivery;
	struct err err = ERR_INIT;
	struct bench b;

	bench_init(&b);
	rd_kafka_mock_push_request_errors(b.mock.cluster, API_TXN_OFFSET_COMMIT, 1, RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION);
	ck_assert_int_eq(fill(&b, &delivery, &err), -1);
	ck_assert_int_eq(err.kind, ERR_RETRY);
	ck_assert_str_eq(txn_reason(b.txn), "ILLEGAL_GENERATION");
	ck_assert(txn_is_idle(b.txn));
	must_commit(&b);
	bench_fini(&b);
}
END_TEST

START_TEST(retriable_errors_are_outlived)
{
	struct bench b;

	bench_init(&b);
	rd_kafka_mock_push_request_errors(b.mock.cluster, API_ADD_PARTITIONS, 2, RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
					  RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS);
	rd_kafka_mock_push_request_errors(b.mock.cluster, API_ADD_OFFSETS, 1, RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE);
	rd_kafka_mock_push_request_errors(b.mock.cluster, API_TXN_OFFSET_COMMIT, 1, RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS);
	rd_kafka_mock_push_request_errors(b.mock.cluster, API_END_TXN, 1, RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS);
	must_commit(&b);
	bench_fini(&b);
}
END_TEST

/* A fence at commit: nobody knows what became of it, the producer is thrown away, and another one goes on. */
START_TEST(a_fenced_commit_is_unknown_and_a_new_producer_goes_on)
{
	struct txn_delivery delivery;
	struct err err = ERR_INIT;
	struct bench b;

	bench_init(&b);
	ck_assert_int_eq(fill(&b, &delivery, &err), 0);
	rd_kafka_mock_push_request_errors(b.mock.cluster, API_END_TXN, 1, RD_KAFKA_RESP_ERR_PRODUCER_FENCED);
	ck_assert_int_eq(txn_commit(b.txn, &err), TXN_UNKNOWN);
	ck_assert(!txn_is_idle(b.txn) && txn_begin(b.txn, &err) == -1);
	must_open(&b);
	must_commit(&b);
	bench_fini(&b);
}
END_TEST

/* A commit that can only be aborted, and is: certain. When the abort fails too, nobody knows. */
START_TEST(a_commit_that_must_be_aborted_is_certain_once_it_is)
{
	struct txn_delivery delivery;
	struct err err = ERR_INIT;
	struct bench b;

	bench_init(&b);
	ck_assert_int_eq(fill(&b, &delivery, &err), 0);
	rd_kafka_mock_push_request_errors(b.mock.cluster, API_END_TXN, 1, RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID);
	ck_assert_msg(txn_commit(b.txn, &err) == TXN_ABORTED, "%s", err.msg);
	must_open(&b);
	ck_assert_int_eq(fill(&b, &delivery, &err), 0);
	rd_kafka_mock_push_request_errors(b.mock.cluster, API_END_TXN, 2, RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED,
					  RD_KAFKA_RESP_ERR_INVALID_TXN_STATE);
	ck_assert_int_eq(txn_commit(b.txn, &err), TXN_UNKNOWN);
	must_open(&b);
	must_commit(&b);
	bench_fini(&b);
}
END_TEST

START_TEST(a_fence_before_the_commit_is_no_doubt)
{
	struct txn_delivery delivery;
	struct err err = ERR_INIT;
	struct bench b;

	bench_init(&b);
	rd_kafka_mock_push_request_errors(b.mock.cluster, API_ADD_OFFSETS, 1, RD_KAFKA_RESP_ERR_PRODUCER_FENCED);
	ck_assert_int_eq(fill(&b, &delivery, &err), -1);
	ck_assert_int_eq(err.kind, ERR_RETRY);
	must_open(&b);
	must_commit(&b);
	bench_fini(&b);
}
END_TEST

START_TEST(topics_that_do_not_fit_are_named)
{
	struct err err = ERR_INIT;
	struct bench b;
	struct cell_topics other;
	struct txn *t;

	bench_init(&b);
	other = b.topics;
	other.partitions = 3;
	t = txn_new(&b.mock.program, &other);
	ck_assert_int_eq(txn_open(t, &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_ptr_nonnull(strstr(err.msg, b.topics.minutely));
	txn_free(t);
	bench_fini(&b);
}
END_TEST

/* Rule D's guard: a copy with which the broker would check nothing. */
START_TEST(group_metadata_without_member_or_generation_is_invalid)
{
	static const struct {
		int32_t generation;
		const char *member, *instance;
		bool valid;
	} copies[] = {{0, "m", NULL, true}, {7, "m", "static", true}, {-1, "m", NULL, false}, {7, "", NULL, false}, {-1, "", NULL, false},
		      {7, "", "static", false}, {INT32_MAX, "a-long-member-id", NULL, true}};

	for (size_t i = 0; i < NR(copies); i++) {
		rd_kafka_consumer_group_metadata_t *g =
			rd_kafka_consumer_group_metadata_new_with_genid("group", copies[i].generation, copies[i].member, copies[i].instance);

		ck_assert_msg(consumer_group_is_valid(g) == copies[i].valid, "copy %zu", i);
		rd_kafka_consumer_group_metadata_destroy(g);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("txn");
	TCase *tc = tcase_create("txn");

	tcase_add_test(tc, commits_and_knows_offsets_before);
	tcase_add_test(tc, an_abort_is_forgotten_and_the_next_commits);
	tcase_add_test(tc, a_stale_member_is_refused_and_the_producer_lives);
	tcase_add_test(tc, retriable_errors_are_outlived);
	tcase_add_test(tc, a_fenced_commit_is_unknown_and_a_new_producer_goes_on);
	tcase_add_test(tc, a_commit_that_must_be_aborted_is_certain_once_it_is);
	tcase_add_test(tc, a_fence_before_the_commit_is_no_doubt);
	tcase_add_test(tc, topics_that_do_not_fit_are_named);
	tcase_add_test(tc, group_metadata_without_member_or_generation_is_invalid);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
