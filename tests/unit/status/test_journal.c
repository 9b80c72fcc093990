/* test_journal.c - entries on their way into the topic: in order, each once though an answer was an error, kept while there is no Kafka, and with places that are
 * operators' alone. */
#include "sink/status/journal.h"

#include <poll.h>

#include "common/clock.h"
#include "common/kafka.h"
#include "common/status_incident.h"
#include "tests/unit/common/kafka_mock.h"

enum { WAIT_MS = 30000 };

static int add(struct journal *j, int nr, bool own, struct err *err)
{
	char key[32], value[32];

	snprintf(key, sizeof(key), "incident/%016x", nr);
	snprintf(value, sizeof(value), "entry %d", nr);
	return journal_add(j, str_from(key), str_from(value), own, err);
}

/* Turns until at most so many wait; how many turns said that something was not taken. */
static int turn_until(struct journal *j, size_t waiting)
{
	int64_t until = clock_mono_ms() + WAIT_MS;
	int failures = 0;

	while (journal_waiting(j) > waiting) {
		struct err err = ERR_INIT;

		if (journal_turn(j, &err) < 0) {
			failures++;
			ck_assert_int_eq(err.kind, ERR_RETRY);
			ck_assert_ptr_nonnull(strstr(err.msg, TOPIC_STATUS));
		}
		ck_assert_msg(clock_mono_ms() < until, "%zu still wait", journal_waiting(j));
		poll(NULL, 0, 1);
	}
	return failures;
}

/* The values of the topic, in order, each ended by ';'. */
static void read_back(struct mock *m, size_t nr, char *out, size_t size)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	int64_t until = clock_mono_ms() + WAIT_MS;
	size_t len = 0;
	rd_kafka_t *rk;

	rd_kafka_conf_set(conf, "bootstrap.servers", rd_kafka_mock_cluster_bootstraps(m->cluster), NULL, 0);
	rd_kafka_conf_set(conf, "group.id", "reader", NULL, 0);
	rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, NULL, 0);
	rd_kafka_topic_partition_list_add(list, TOPIC_STATUS, 0)->offset = RD_KAFKA_OFFSET_BEGINNING;
	ck_assert_int_eq(rd_kafka_assign(rk, list), 0);
	for (size_t i = 0; i < nr && clock_mono_ms() < until;) {
		rd_kafka_message_t *message = rd_kafka_consumer_poll(rk, 100);

		if (message && !message->err) {
			len += (size_t)snprintf(out + len, size - len, "%.*s=%.*s;", (int)message->key_len, (const char *)message->key, (int)message->len,
						(const char *)message->payload);
			i++;
		}
		if (message)
			rd_kafka_message_destroy(message);
	}
	rd_kafka_topic_partition_list_destroy(list);
	rd_kafka_consumer_close(rk);
	rd_kafka_destroy(rk);
}

START_TEST(in_order)
{
	struct journal *j;
	struct mock m;
	char text[1000] = "";
	struct err err = ERR_INIT;

	mock_init(&m);
	mock_topic(&m, TOPIC_STATUS, 1);
	ck_assert_int_eq(journal_check(&m.program, &err), 0);
	j = journal_new(&m.program, &err);
	ck_assert_msg(j != NULL, "%s", err.msg);
	for (int k = 1; k <= 3; k++)
		ck_assert_int_eq(add(j, k, k % 2, &err), 0);
	ck_assert_uint_eq(journal_waiting(j), 3);
	ck_assert(str_eq(journal_at(j, 0), STR("entry 1")) && str_eq(journal_at(j, 2), STR("entry 3")));
	ck_assert_int_eq(turn_until(j, 0), 0);
	read_back(&m, 3, text, sizeof(text));
	ck_assert_str_eq(text, "incident/0000000000000001=entry 1;incident/0000000000000002=entry 2;incident/0000000000000003=entry 3;");
	ck_assert(journal_free(j, 1000));
	mock_fini(&m);
}
END_TEST

/* An answer that is an error is told once, the entry stays first, and is there in the end. */
START_TEST(refused_for_once)
{
	struct journal *j;
	struct mock m;
	char text[1000] = "";

	mock_init(&m);
	mock_topic(&m, TOPIC_STATUS, 1);
	j = journal_new(&m.program, NULL);
	rd_kafka_mock_push_request_errors(m.cluster, API_PRODUCE, 1, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
	ck_assert_int_eq(add(j, 1, false, NULL), 0);
	ck_assert_int_eq(add(j, 2, false, NULL), 0);
	ck_assert_int_eq(turn_until(j, 0), 1);
	read_back(&m, 2, text, sizeof(text));
	ck_assert_str_eq(text, "incident/0000000000000001=entry 1;incident/0000000000000002=entry 2;");
	ck_assert(journal_free(j, 1000));
	mock_fini(&m);
}
END_TEST

/* What the page writes by itself is put off first; an operator's is refused only when all places are taken, and what there is room for is told before. */
START_TEST(places_of_operators)
{
	struct journal *j;
	struct mock m;
	struct err err = ERR_INIT;

	mock_init(&m); /* no turn: nothing is sent */
	j = journal_new(&m.program, NULL);
	ck_assert_uint_eq(journal_room(j), JOURNAL_MAX - JOURNAL_OWN_MAX);
	for (int k = 0; k < JOURNAL_OWN_MAX; k++)
		ck_assert_int_eq(add(j, k, true, &err), 0);
	ck_assert_int_eq(add(j, 9999, true, &err), -1);
	ck_assert_int_eq(err.kind, ERR_RETRY);
	ck_assert_uint_eq(journal_waiting(j), JOURNAL_OWN_MAX);
	for (size_t room = JOURNAL_MAX - JOURNAL_OWN_MAX; room; room--) {
		ck_assert_uint_eq(journal_room(j), room);
		ck_assert_int_eq(add(j, (int)(JOURNAL_MAX - room), false, &err), 0);
	}
	ck_assert_uint_eq(journal_room(j), 0);
	ck_assert_int_eq(add(j, 9999, false, &err), -1);
	ck_assert_int_eq(err.kind, ERR_RETRY);
	ck_assert(str_eq(journal_at(j, JOURNAL_MAX - 1), STR("entry 999")));
	ck_assert(journal_free(j, 0));
	mock_fini(&m);
}
END_TEST

START_TEST(a_key_that_is_none)
{
	static char key[STATUS_KEY_SIZE];
	struct journal *j;
	struct mock m;
	struct err err = ERR_INIT;

	mock_init(&m);
	j = journal_new(&m.program, NULL);
	memset(key, 'k', sizeof(key));
	ck_assert_int_eq(journal_add(j, (struct str){key, STATUS_KEY_SIZE}, STR("x"), false, &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_int_eq(journal_add(j, (struct str){key, STATUS_KEY_SIZE - 1}, STR("x"), false, &err), 0);
	ck_assert(journal_free(j, 0));
	ck_assert(journal_free(NULL, 0));
	mock_fini(&m);
}
END_TEST

/* Kafka is gone: a turn never waits, all is kept; when it is back, all is there, in order. */
START_TEST(without_kafka)
{
	struct journal *j;
	struct mock m;
	int64_t begun, longest = 0;
	char text[1000] = "";

	mock_init(&m);
	mock_topic(&m, TOPIC_STATUS, 1);
	j = journal_new(&m.program, NULL);
	rd_kafka_mock_broker_set_down(m.cluster, 1);
	for (int k = 1; k <= 2; k++)
		ck_assert_int_eq(add(j, k, true, NULL), 0);
	begun = clock_mono_ms();
	while (clock_mono_ms() - begun < 500) {
		int64_t before = clock_mono_ms();

		journal_turn(j, NULL);
		longest = clock_mono_ms() - before > longest ? clock_mono_ms() - before : longest;
		poll(NULL, 0, 5);
	}
	ck_assert_uint_eq(journal_waiting(j), 2);
	ck_assert_int_lt(longest, 400);
	rd_kafka_mock_broker_set_up(m.cluster, 1);
	turn_until(j, 0);
	read_back(&m, 2, text, sizeof(text));
	ck_assert_str_eq(text, "incident/0000000000000001=entry 1;incident/0000000000000002=entry 2;");
	ck_assert(journal_free(j, 1000));
	mock_fini(&m);
}
END_TEST

/* A stop sends what it can, and ends in its time when it cannot. */
START_TEST(a_stop)
{
	struct journal *j;
	struct mock m;
	char text[200] = "";
	int64_t begun;

	mock_init(&m);
	mock_topic(&m, TOPIC_STATUS, 1);
	j = journal_new(&m.program, NULL);
	ck_assert_int_eq(add(j, 1, false, NULL), 0);
	ck_assert(journal_free(j, WAIT_MS));
	read_back(&m, 1, text, sizeof(text));
	ck_assert_str_eq(text, "incident/0000000000000001=entry 1;");
	rd_kafka_mock_broker_set_down(m.cluster, 1);
	j = journal_new(&m.program, NULL);
	ck_assert_int_eq(add(j, 2, false, NULL), 0);
	begun = clock_mono_ms();
	journal_free(j, 300);
	ck_assert_int_lt(clock_mono_ms() - begun, 10000);
	mock_fini(&m);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("journal");
	TCase *tc = tcase_create("journal");

	tcase_set_timeout(tc, 90);
	tcase_add_test(tc, in_order);
	tcase_add_test(tc, refused_for_once);
	tcase_add_test(tc, places_of_operators);
	tcase_add_test(tc, a_key_that_is_none);
	tcase_add_test(tc, without_kafka);
	tcase_add_test(tc, a_stop);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
