/* test_journal.c - what a transaction comes to when coordinators and leaders answer with errors: aborted only when nobody was asked to commit and the
 * producer is as good as before, lost whenever anybody might have taken over, committed only by the coordinator's yes.
 *
 * The mock cluster answers with the errors it is given, but keeps no transactions: what it cannot tell is what became of one. */
#include "sink/notify/journal.h"

#include "common/clock.h"
#include "common/kafka.h"
#include "tests/unit/common/kafka_mock.h"

#define E(name) RD_KAFKA_RESP_ERR_##name
#define INCIDENTS "millrace.c.main.incidents"
#define ALERTS "millrace.c.main.alerts"

enum { API_ADD_PARTITIONS = 24, API_ADD_OFFSETS = 25, API_END_TXN = 26, API_TXN_OFFSET_COMMIT = 28, WAIT_MS = 30000 };

struct bench {
	struct mock mock;
	char cell[8];
	struct journal *journal;
	rd_kafka_consumer_group_metadata_t *group;
	rd_kafka_topic_partition_list_t *offsets;
};

static void must_open(struct bench *b)
{
	int64_t until = clock_mono_ms() + WAIT_MS;
	struct err err = ERR_INIT;

	while (journal_open(b->journal, &err) < 0)
		ck_assert_msg(err.kind == ERR_RETRY && clock_mono_ms() < until, "%s", err.msg);
}

static void bench_init(struct bench *b)
{
	memset(b, 0, sizeof(*b));
	mock_init(&b->mock);
	snprintf(b->cell, sizeof(b->cell), "main");
	b->mock.program.common.cell = b->cell;
	mock_topic(&b->mock, INCIDENTS, 1);
	mock_topic(&b->mock, "millrace.c.main.sent", 1);
	mock_topic(&b->mock, ALERTS, 2);
	mock_topic(&b->mock, "millrace.deadletter", 1);
	b->journal = journal_new(&b->mock.program);
	b->group = rd_kafka_consumer_group_metadata_new_with_genid("millrace-notify-main", 3, "member", NULL);
	b->offsets = rd_kafka_topic_partition_list_new(1);
	rd_kafka_topic_partition_list_add(b->offsets, ALERTS, 1)->offset = 42;
	must_open(b);
}

static void bench_fini(struct bench *b)
{
	ck_assert(journal_free(b->journal));
	rd_kafka_consumer_group_metadata_destroy(b->group);
	rd_kafka_topic_partition_list_destroy(b->offsets);
	mock_fini(&b->mock);
}

static enum journal_outcome transact(struct bench *b, struct err *err)
{
	if (journal_begin(b->journal, err) < 0 ||
	    journal_add(b->journal, JOURNAL_INCIDENTS, STR("0123456789abcdef"), STR("incident"), err) < 0 ||
	    journal_add(b->journal, JOURNAL_SENT, STR("0123456789abcdefops"), STR("sent"), err) < 0 ||
	    journal_add(b->journal, JOURNAL_SENT, STR("gone"), (struct str){0}, err) < 0 ||
	    journal_add(b->journal, JOURNAL_DEADLETTER, (struct str){0}, STR("letter"), err) < 0)
		return journal_abort(b->journal);
	return journal_commit(b->journal, b->offsets, b->group, err);
}

static const struct error_case {
	int16_t api;
	rd_kafka_resp_err_t code;
	enum journal_outcome outcome;
	bool fenced;
} cases[] = {
	{API_ADD_PARTITIONS, E(NOT_COORDINATOR), JOURNAL_COMMITTED, false},
	{API_ADD_PARTITIONS, E(CONCURRENT_TRANSACTIONS), JOURNAL_COMMITTED, false},
	{API_ADD_OFFSETS, E(COORDINATOR_LOAD_IN_PROGRESS), JOURNAL_COMMITTED, false},
	{API_TXN_OFFSET_COMMIT, E(COORDINATOR_NOT_AVAILABLE), JOURNAL_COMMITTED, false},
	{API_END_TXN, E(NOT_COORDINATOR), JOURNAL_COMMITTED, false},
	{API_END_TXN, E(_TRANSPORT), JOURNAL_COMMITTED, false},
	{API_PRODUCE, E(NOT_LEADER_FOR_PARTITION), JOURNAL_COMMITTED, false},
	/* The group's coordinator does not know us as its member any more; its callback is on its way to us. */
	{API_TXN_OFFSET_COMMIT, E(ILLEGAL_GENERATION), JOURNAL_ABORTED, false},
	{API_TXN_OFFSET_COMMIT, E(UNKNOWN_MEMBER_ID), JOURNAL_ABORTED, false},
	{API_TXN_OFFSET_COMMIT, E(FENCED_INSTANCE_ID), JOURNAL_ABORTED, false},
	{API_ADD_PARTITIONS, E(TOPIC_AUTHORIZATION_FAILED), JOURNAL_ABORTED, false},
	/* Another producer of our name has come. */
	{API_ADD_PARTITIONS, E(PRODUCER_FENCED), JOURNAL_LOST, true},
	{API_ADD_PARTITIONS, E(INVALID_PRODUCER_EPOCH), JOURNAL_LOST, true},
	{API_TXN_OFFSET_COMMIT, E(INVALID_PRODUCER_EPOCH), JOURNAL_LOST, true},
	{API_PRODUCE, E(INVALID_PRODUCER_EPOCH), JOURNAL_LOST, true},
	{API_END_TXN, E(PRODUCER_FENCED), JOURNAL_LOST, true},
	/* Broken for other reasons. */
	{API_PRODUCE, E(OUT_OF_ORDER_SEQUENCE_NUMBER), JOURNAL_LOST, false},
	{API_ADD_PARTITIONS, E(INVALID_TXN_STATE), JOURNAL_LOST, false},
	/* A commit that was refused: nobody knows. */
	{API_END_TXN, E(INVALID_TXN_STATE), JOURNAL_LOST, false},
	{API_END_TXN, E(UNKNOWN_PRODUCER_ID), JOURNAL_LOST, false},
	{API_END_TXN, E(GROUP_AUTHORIZATION_FAILED), JOURNAL_LOST, false},
};

START_TEST(an_error_and_what_it_comes_to)
{
	const struct error_case *c = &cases[_i];
	struct err err = ERR_INIT;
	enum journal_outcome outcome;
	struct bench b;

	bench_init(&b);
	ck_assert_int_eq(transact(&b, &err), JOURNAL_COMMITTED); /* the first is slow to start: errors would go to its metadata */
	rd_kafka_mock_push_request_errors(b.mock.cluster, c->api, 1, c->code);
	outcome = transact(&b, &err);
	ck_assert_msg(outcome == c->outcome, "case %d: outcome %d, %s", _i, outcome, err.msg);
	ck_assert_int_eq(journal_is_fenced(b.journal), c->fenced);
	if (outcome != JOURNAL_COMMITTED) {
		ck_assert_int_eq(err.kind, ERR_RETRY);
		ck_assert_str_ne(err.msg, ""); /* which the log tells */
	}
	if (outcome == JOURNAL_LOST) /* nothing is written by a producer that was given up */
		ck_assert_int_eq(journal_begin(b.journal, &err), -1);
	must_open(&b);
	ck_assert_msg(transact(&b, &err) == JOURNAL_COMMITTED, "case %d: the next: %s", _i, err.msg);
	ck_assert(!journal_is_fenced(b.journal));
	bench_fini(&b);
}
END_TEST

/* The records, read back by another client. (Of offsets in transactions the mock keeps nothing: test_notify_owner.py looks at them.) */
START_TEST(records_stand_where_they_belong)
{
	static const struct { const char *topic, *key, *value; } wanted[] = {
		{INCIDENTS, "0123456789abcdef", "incident"}, {"millrace.c.main.sent", "0123456789abcdefops", "sent"},
		{"millrace.c.main.sent", "gone", NULL}, {"millrace.deadletter", NULL, "letter"}};
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(3);
	bool seen[NR(wanted)] = {false};
	size_t nr = 0;
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	struct err err = ERR_INIT;
	struct bench b;
	rd_kafka_t *rk;

	bench_init(&b);
	ck_assert_msg(transact(&b, &err) == JOURNAL_COMMITTED, "%s", err.msg);
	rd_kafka_conf_set(conf, "bootstrap.servers", rd_kafka_mock_cluster_bootstraps(b.mock.cluster), NULL, 0);
	rd_kafka_conf_set(conf, "group.id", "millrace-notify-main", NULL, 0);
	rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, NULL, 0);
	for (size_t i = 0; i < NR(wanted); i += i == 1 ? 2 : 1)
		rd_kafka_topic_partition_list_add(list, wanted[i].topic, 0)->offset = RD_KAFKA_OFFSET_BEGINNING;
	ck_assert_int_eq(rd_kafka_assign(rk, list), 0);
	for (int64_t until = clock_mono_ms() + WAIT_MS; nr < NR(wanted) && clock_mono_ms() < until;) {
		rd_kafka_message_t *m = rd_kafka_consumer_poll(rk, 100);

		for (size_t i = 0; m && !m->err && i < NR(wanted); i++) {
			struct str key = {m->key, m->key_len}, value = {m->payload, m->len};
			bool same = strcmp(rd_kafka_topic_name(m->rkt), wanted[i].topic) == 0 &&
				    str_eq(key, str_from(wanted[i].key ? wanted[i].key : "")) && (wanted[i].value != NULL) == (value.p != NULL) &&
				    str_eq(value, str_from(wanted[i].value ? wanted[i].value : ""));

			nr += same && !seen[i];
			seen[i] |= same;
		}
		if (m)
			rd_kafka_message_destroy(m);
	}
	ck_assert_uint_eq(nr, NR(wanted));
	rd_kafka_topic_partition_list_destroy(list);
	rd_kafka_destroy(rk);
	bench_fini(&b);
}
END_TEST

/* What is given up in the middle is given up for good. */
START_TEST(an_abort_leaves_the_producer_as_it_was)
{
	struct err err = ERR_INIT;
	struct bench b;

	bench_init(&b);
	ck_assert_int_eq(journal_begin(b.journal, &err), 0);
	ck_assert_int_eq(journal_add(b.journal, JOURNAL_INCIDENTS, STR("k"), STR("v"), &err), 0);
	ck_assert_int_eq(journal_abort(b.journal), JOURNAL_ABORTED);
	ck_assert_int_eq(transact(&b, &err), JOURNAL_COMMITTED);
	journal_close(b.journal);
	ck_assert_int_eq(journal_begin(b.journal, &err), -1);
	ck_assert_int_eq(journal_abort(b.journal), JOURNAL_LOST);
	must_open(&b);
	ck_assert_int_eq(transact(&b, &err), JOURNAL_COMMITTED);
	bench_fini(&b);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("journal");
	TCase *tc = tcase_create("journal");

	tcase_add_loop_test(tc, an_error_and_what_it_comes_to, 0, NR(cases));
	tcase_add_test(tc, records_stand_where_they_belong);
	tcase_add_test(tc, an_abort_leaves_the_producer_as_it_was);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
