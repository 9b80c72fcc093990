/* test_txn.c - the transactional producer against the mock cluster: what every class of error comes to. */
#include "processor/txn.h"

#include "common/member.h"
#include "tests/unit/processor/txn_bench.h"

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

/* Reads everything that a partition holds with a plain consumer: nr records, each of which says where it must be and how many came before it. */
static void must_hold(struct bench *b, const char *topic, int32_t partition, int nr)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	char why[256], text[512];
	rd_kafka_t *rk;

	rd_kafka_conf_set(conf, "bootstrap.servers", rd_kafka_mock_cluster_bootstraps(b->mock.cluster), NULL, 0);
	rd_kafka_conf_set(conf, "group.id", "reader", NULL, 0);
	rd_kafka_conf_set(conf, "isolation.level", "read_uncommitted", NULL, 0); /* the mock's markers are nobody's matter here */
	rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof(why));
	ck_assert_msg(rk != NULL, "%s", why);
	rd_kafka_topic_partition_list_add(list, topic, partition)->offset = 0;
	rd_kafka_assign(rk, list);
	for (int i = 0; i < nr;) {
		rd_kafka_message_t *message = rd_kafka_consumer_poll(rk, WAIT_MS);

		ck_assert_msg(message != NULL, "record %d of %s [%d] does not come", i, topic, partition);
		if (!message->err) {
			snprintf(text, sizeof(text), "%s %d %d", topic, partition, i++);
			ck_assert(message->len >= strlen(text) && memcmp(message->payload, text, strlen(text)) == 0);
			ck_assert(message->key_len == 16 && memcmp(message->key, "0123456789abcdef", 16) == 0);
		}
		rd_kafka_message_destroy(message);
	}
	rd_kafka_topic_partition_list_destroy(list);
	rd_kafka_consumer_close(rk);
	rd_kafka_destroy(rk);
}

/* Small records are handed over many at a time: none may get into another's partition, or be lost when the queue is full. */
START_TEST(each_record_reaches_its_partition_in_order)
{
	enum { RECORDS = 6000, PLACES = 4 };
	struct unit_random r = unit_random_new("txn_stage");
	struct err err = ERR_INIT;
	int nr[PLACES] = {0}, place = 0;
	char value[1500];
	const char *topics[2];
	struct bench b;

	bench_init(&b);
	topics[0] = b.topics.minutely;
	topics[1] = b.topics.hourly;
	memset(value, 'x', sizeof(value));
	ck_assert_int_eq(txn_begin(b.txn, &err), 0);
	for (int i = 0; i < RECORDS; i++) {
		size_t len = 40 + unit_random_below(&r, unit_random_below(&r, 40) ? 200 : sizeof(value) - 40); /* some are too large to be kept back */
		int at;

		if (unit_random_below(&r, 70) == 0)
			place = (int)unit_random_below(&r, PLACES);
		at = snprintf(value, sizeof(value), "%s %d %d", topics[place / 2], place % 2, nr[place]++);
		value[at] = ' ';
		ck_assert_msg(txn_produce(b.txn, place / 2 ? TXN_HOURLY : TXN_MINUTELY, place % 2, STR("0123456789abcdef"), (struct str){value, len},
					  NULL, &err) == 0, "%s", err.msg);
	}
	ck_assert_msg(txn_flush(b.txn, &err) == 0, "%s", err.msg);
	for (int i = 0; i < PLACES; i++)
		must_hold(&b, topics[i / 2], i % 2, nr[i]);
	txn_abort(b.txn);
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

		ck_assert_msg(member_is_valid(g) == copies[i].valid, "copy %zu", i);
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
	tcase_add_test(tc, each_record_reaches_its_partition_in_order);
	tcase_add_test(tc, topics_that_do_not_fit_are_named);
	tcase_add_test(tc, group_metadata_without_member_or_generation_is_invalid);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
