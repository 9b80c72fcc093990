/* test_kafka.c - clients against the mock cluster: what may be configured, what is logged, how they close. */
#include "common/kafka.h"

#include "common/clock.h"
#include "tests/unit/common/kafka_mock.h"

#define NOWHERE "kafka.bootstrap.servers=127.0.0.1:1" /* port 1: nobody listens */

static const struct kafka_prop no_props[] = {{0}};
static const struct kafka_prop acks_all[] = {{"acks", "all"}, {0}};

/* A value of a configuration, as librdkafka sees it. */
static const char *value_of(const rd_kafka_conf_t *conf, const char *name, char out[64])
{
	size_t size = 64;

	ck_assert_int_eq(rd_kafka_conf_get(conf, name, out, &size), RD_KAFKA_CONF_OK);
	return out;
}

START_TEST(defaults_then_users_then_fixed)
{
	static const struct kafka_prop fixed[] = {{"acks", "all"}, {"enable.idempotence", "true"}, {0}};
	struct err err = ERR_INIT;
	struct program p;
	rd_kafka_conf_t *conf;
	char out[64];

	program_make(&p, (const char *const[]){NOWHERE, "kafka.queue.buffering.max.kbytes=777", "kafka.sasl.username=joe", NULL});
	conf = kafka_conf(&p, "role", fixed, &err);
	ck_assert_msg(conf != NULL, "%s", err.msg);
	ck_assert_str_eq(value_of(conf, "client.id", out), "mr-test-role");
	ck_assert_str_eq(value_of(conf, "socket.nagle.disable", out), "true");
	ck_assert_str_eq(value_of(conf, "queued.max.messages.kbytes", out), "16384");
	ck_assert_str_eq(value_of(conf, "queue.buffering.max.kbytes", out), "777");
	ck_assert_str_eq(value_of(conf, "sasl.username", out), "joe");
	ck_assert_str_eq(value_of(conf, "enable.idempotence", out), "true");
	ck_assert_str_eq(value_of(conf, "acks", out), "-1");
	ck_assert_int_eq(err.kind, 0);
	rd_kafka_conf_destroy(conf);
	program_unmake(&p);
}
END_TEST

static const struct {
	const char *options[3];
	const char *says[3]; /* all of them stand in the message */
} refused[] = {
	{{NULL}, {"kafka.bootstrap.servers", "--set", "MILLRACE_KAFKA_BOOTSTRAP_SERVERS"}},
	{{"kafka.acks=1", NOWHERE}, {"key kafka.acks = '1' from --set cannot be set", "millrace-test", "acks = all"}},
	{{NOWHERE, "kafka.acks=all"}, {"kafka.acks = 'all' from --set cannot be set"}}, /* nor to what it is */
	{{NOWHERE, "kafka.request.required.acks=0"}, {"kafka.request.required.acks = '0' from --set cannot be set", "acks = all"}},
	{{NOWHERE, "kafka.no.such.thing=1"}, {"key kafka.no.such.thing = '1' from --set", "No such configuration property"}},
	{{NOWHERE, "kafka.socket.timeout.ms=soon"}, {"key kafka.socket.timeout.ms = 'soon' from --set", "Invalid value"}},
	{{NOWHERE, "kafka.linger.ms=abc"}, {"key kafka.linger.ms = 'abc' from --set"}},
	{{NOWHERE, "kafka.no.such.password=SESAME"}, {"key kafka.no.such.password = '(set)' from --set"}},
};

START_TEST(conf_refuses)
{
	struct err err = ERR_INIT;
	struct program p;

	program_make(&p, refused[_i].options);
	ck_assert_int_eq(kafka_conf_check(kafka_conf(&p, "role", acks_all, &err)), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_ptr_null(strstr(err.msg, "SESAME"));
	for (int i = 0; i < 3 && refused[_i].says[i]; i++)
		ck_assert_msg(strstr(err.msg, refused[_i].says[i]) != NULL, "'%s' is not in: %s", refused[_i].says[i], err.msg);
	program_unmake(&p);
}
END_TEST

START_TEST(alias_and_mock_say_where_kafka_is)
{
	static const char *const where[] = {"kafka.metadata.broker.list=127.0.0.1:1", "kafka.test.mock.num.brokers=1"};
	struct err err = ERR_INIT;
	struct program p;
	rd_kafka_conf_t *conf;

	program_make(&p, (const char *const[]){where[_i], NULL});
	conf = kafka_conf(&p, "role", no_props, &err);
	ck_assert_msg(conf != NULL, "%s", err.msg);
	ck_assert_int_eq(kafka_conf_check(conf), 0);
	program_unmake(&p);
}
END_TEST

/* Values that librdkafka cannot take together, and secrets it cannot read, which must not be repeated. */
START_TEST(open_refuses)
{
	static const char *const bad[][3] = {
		{"kafka.message.max.bytes=4000000", "kafka.fetch.max.bytes=2000000", "kafka.fetch.max.bytes=2000000"},
		{"kafka.security.protocol=ssl", "kafka.ssl.key.pem=SESAME", "kafka.ssl.certificate.pem=SESAME"},
		{"kafka.security.protocol=ssl", "kafka.ssl.key.password=SESAME", "kafka.ssl.key.location=/nowhere/key"},
	};
	struct err err = ERR_INIT;
	char log[4096];
	struct program p;

	program_make(&p, (const char *const[]){NOWHERE, bad[_i][0], bad[_i][1], bad[_i][2], NULL});
	ck_assert_ptr_null(kafka_open(RD_KAFKA_CONSUMER, kafka_conf(&p, "role", no_props, &err), &err));
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_ptr_null(strstr(err.msg, "SESAME"));
	ck_assert_ptr_null(strstr(program_log(&p, log, sizeof(log)), "SESAME"));
	program_unmake(&p);
}
END_TEST

START_TEST(open_without_conf_keeps_the_error)
{
	struct err err = ERR_INIT;

	err_set(&err, ERR_REJECT, "told before");
	ck_assert_ptr_null(kafka_open(RD_KAFKA_PRODUCER, NULL, &err));
	ck_assert_str_eq(err.msg, "told before");
}
END_TEST

START_TEST(wait_for_a_cluster)
{
	struct err err = ERR_INIT;
	struct mock m;
	rd_kafka_t *rk;

	mock_init(&m);
	rk = kafka_open(RD_KAFKA_PRODUCER, kafka_conf(&m.program, "wait", no_props, &err), &err);
	ck_assert_msg(rk != NULL && kafka_wait(rk, 10000, &err) == 0, "%s", err.msg);
	ck_assert(kafka_close(rk, 5000));
	mock_fini(&m);
}
END_TEST

START_TEST(wait_for_nobody)
{
	int64_t begun, took;
	struct err err = ERR_INIT;
	struct program p;
	rd_kafka_t *rk;

	program_make(&p, (const char *const[]){NOWHERE, NULL});
	rk = kafka_open(RD_KAFKA_PRODUCER, kafka_conf(&p, "wait", no_props, &err), &err);
	ck_assert_msg(rk != NULL, "%s", err.msg);
	begun = clock_mono_ms();
	ck_assert_int_eq(kafka_wait(rk, 700, &err), -1);
	took = clock_mono_ms() - begun;
	ck_assert_int_eq(err.kind, ERR_RETRY);
	ck_assert_msg(strstr(err.msg, "127.0.0.1:1") != NULL, "%s", err.msg);
	ck_assert_msg(took >= 500 && took < 3000, "took %lld ms", (long long)took);
	ck_assert(kafka_close(rk, 5000));
	program_unmake(&p);
}
END_TEST

/* A broker that is away is told once, though librdkafka tries again every 100 ms, and tells each error twice to a consumer; the caller's
 * opaque is nothing that the log may look into, and properties of the other kind of client are no news. */
START_TEST(log_tells_once)
{
	rd_kafka_type_t type = _i ? RD_KAFKA_CONSUMER : RD_KAFKA_PRODUCER;
	struct err err = ERR_INIT;
	rd_kafka_conf_t *conf;
	struct program p;
	char log[16384];
	rd_kafka_t *rk;

	program_make(&p, (const char *const[]){NOWHERE, "kafka.reconnect.backoff.max.ms=100", "kafka.group.id=none", NULL});
	conf = kafka_conf(&p, "log", no_props, &err);
	ck_assert_msg(conf != NULL, "%s", err.msg);
	rd_kafka_conf_set_opaque(conf, (void *)(uintptr_t)1);
	rk = kafka_open(type, conf, &err);
	ck_assert_msg(rk != NULL, "%s", err.msg);
	ck_assert_ptr_eq(rd_kafka_opaque(rk), (void *)(uintptr_t)1);
	if (type == RD_KAFKA_CONSUMER)
		rd_kafka_poll_set_consumer(rk);
	kafka_wait(rk, 1500, &err);
	ck_assert_ptr_null(type == RD_KAFKA_CONSUMER ? rd_kafka_consumer_poll(rk, 100) : NULL);
	ck_assert(kafka_close(rk, 5000));
	program_log(&p, log, sizeof(log));
	ck_assert_msg(count_of(log, "Connection refused") == 1, "%s", log);
	ck_assert_msg(count_of(log, "kafka_client") == count_of(log, "client=mr-test-log#"), "%s", log);
	ck_assert_msg(count_of(log, "will be ignored") == 0, "%s", log);
	program_unmake(&p);
}
END_TEST

/* What a rebalance callback saw and how it answers. */
struct member {
	int assigned, revoked;
	bool stuck; /* leaves the revocation unanswered, as a bug would */
};

static void on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t *partitions, void *opaque)
{
	struct member *member = opaque;

	if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
		member->assigned++;
		rd_kafka_assign(rk, partitions);
		return;
	}
	member->revoked++;
	if (!member->stuck)
		rd_kafka_assign(rk, NULL);
}

/* A consumer that has its partitions. */
static rd_kafka_t *join(struct mock *m, struct member *member)
{
	static const struct kafka_prop fixed[] = {{"group.id", "g"}, {"auto.offset.reset", "earliest"}, {0}};
	rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
	struct err err = ERR_INIT;
	rd_kafka_conf_t *conf = kafka_conf(&m->program, "member", fixed, &err);
	rd_kafka_t *rk;

	ck_assert_msg(conf != NULL, "%s", err.msg);
	rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
	rd_kafka_conf_set_opaque(conf, member);
	rk = kafka_open(RD_KAFKA_CONSUMER, conf, &err);
	ck_assert_msg(rk != NULL, "%s", err.msg);
	rd_kafka_topic_partition_list_add(topics, "t", RD_KAFKA_PARTITION_UA);
	ck_assert_int_eq(rd_kafka_subscribe(rk, topics), 0);
	rd_kafka_topic_partition_list_destroy(topics);
	for (int64_t until = clock_mono_ms() + 20000; !member->assigned && clock_mono_ms() < until;) {
		rd_kafka_message_t *message = rd_kafka_consumer_poll(rk, 100);

		if (message)
			rd_kafka_message_destroy(message);
	}
	ck_assert_int_eq(member->assigned, 1);
	return rk;
}

START_TEST(close_serves_the_revocation)
{
	struct member member = {0};
	struct mock m;
	rd_kafka_t *rk;

	mock_init(&m);
	mock_topic(&m, "t", 3);
	rk = join(&m, &member);
	for (int i = 0; i < 100; i++) /* records nobody polls for */
		mock_produce(&m, "t", NULL, "record");
	ck_assert(kafka_close(rk, 10000));
	ck_assert_int_eq(member.revoked, 1);
	mock_fini(&m);
}
END_TEST

/* A close that hangs ends at its deadline, and the client left behind says nothing any more. */
START_TEST(close_has_a_deadline)
{
	struct member member = {.stuck = true};
	char before[8192], after[8192];
	int64_t begun, took;
	struct mock m;
	rd_kafka_t *rk;

	mock_init(&m);
	mock_topic(&m, "t", 1);
	rk = join(&m, &member);
	begun = clock_mono_ms();
	ck_assert(!kafka_close(rk, 400));
	took = clock_mono_ms() - begun;
	ck_assert_msg(took >= 400 && took < 3000, "took %lld ms", (long long)took);
	ck_assert_int_eq(member.revoked, 1);
	program_log(&m.program, before, sizeof(before));
	rd_kafka_mock_broker_set_down(m.cluster, -1); /* which a client that can speak complains of */
	rd_kafka_flush(m.rk, 300);
	usleep(300000); /* there is no event for a line that must not come */
	ck_assert_str_eq(program_log(&m.program, after, sizeof(after)), before);
	mock_fini(&m);
}
END_TEST

/* Between the answers to its JoinGroup and its SyncGroup a cooperative-sticky member cannot be destroyed without an abort. */
START_TEST(close_before_the_first_share)
{
	static const struct kafka_prop fixed[] = {{"group.id", "g"}, {"partition.assignment.strategy", "cooperative-sticky"}, {0}};
	rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
	struct err err = ERR_INIT;
	struct mock m;
	rd_kafka_t *rk;

	mock_init(&m);
	mock_topic(&m, "t", 1);
	rd_kafka_mock_broker_push_request_error_rtts(m.cluster, 1, API_SYNC_GROUP, (size_t)1, RD_KAFKA_RESP_ERR_NO_ERROR, 3000);
	rk = kafka_open(RD_KAFKA_CONSUMER, kafka_conf(&m.program, "early", fixed, &err), &err);
	ck_assert_msg(rk != NULL, "%s", err.msg);
	rd_kafka_topic_partition_list_add(topics, "t", RD_KAFKA_PARTITION_UA);
	ck_assert_int_eq(rd_kafka_subscribe(rk, topics), 0);
	rd_kafka_topic_partition_list_destroy(topics);
	for (int64_t until = clock_mono_ms() + 20000; clock_mono_ms() < until;) {
		const char *protocol = rd_kafka_rebalance_protocol(rk);

		ck_assert_ptr_null(rd_kafka_consumer_poll(rk, 50));
		if (protocol && strcmp(protocol, "COOPERATIVE") == 0)
			break;
	}
	ck_assert(!kafka_close(rk, 10000));
	mock_fini(&m);
}
END_TEST

START_TEST(close_anything)
{
	struct err err = ERR_INIT;
	struct mock m;
	rd_kafka_t *rk;

	mock_init(&m);
	ck_assert(kafka_close(NULL, 0));
	rk = kafka_open(RD_KAFKA_CONSUMER, kafka_conf(&m.program, "groupless", no_props, &err), &err);
	ck_assert_msg(rk != NULL, "%s", err.msg);
	ck_assert(kafka_close(rk, 5000));
	rk = kafka_open(RD_KAFKA_PRODUCER, kafka_conf(&m.program, "fresh", no_props, &err), &err);
	ck_assert_msg(rk != NULL, "%s", err.msg);
	ck_assert(kafka_close(rk, 5000));
	mock_fini(&m);
}
END_TEST

static const struct {
	rd_kafka_resp_err_t code;
	enum err_kind kind;
} kinds[] = {
	{RD_KAFKA_RESP_ERR__TRANSPORT, ERR_RETRY},
	{RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, ERR_RETRY},
	{RD_KAFKA_RESP_ERR__TIMED_OUT, ERR_RETRY},
	{RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, ERR_RETRY},
	{RD_KAFKA_RESP_ERR__QUEUE_FULL, ERR_RETRY},
	{RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, ERR_RETRY},
	{RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, ERR_RETRY},
	{RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, ERR_RETRY},
	{RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, ERR_RETRY},
	{RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, ERR_REJECT},
	{RD_KAFKA_RESP_ERR_INVALID_RECORD, ERR_REJECT},
	{RD_KAFKA_RESP_ERR__FENCED, ERR_FATAL},
	{RD_KAFKA_RESP_ERR__FATAL, ERR_FATAL},
	{RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION, ERR_FATAL},
};

START_TEST(kinds_of_errors)
{
	struct err err = ERR_INIT;

	ck_assert_int_eq(kafka_err_kind(kinds[_i].code), kinds[_i].kind);
	ck_assert_int_eq(kafka_code(&err, kinds[_i].code, "do this"), -1);
	ck_assert_int_eq(err.kind, kinds[_i].kind);
	ck_assert(strncmp(err.msg, "do this: ", 9) == 0);
	ck_assert_ptr_nonnull(strstr(err.msg, rd_kafka_err2name(kinds[_i].code)));
	err = (struct err)ERR_INIT;
	ck_assert_int_eq(kafka_error(&err, rd_kafka_error_new(kinds[_i].code, "because %d", 7), "do that"), -1);
	ck_assert_int_eq(err.kind, kinds[_i].kind);
	ck_assert_ptr_nonnull(strstr(err.msg, "do that: because 7"));
	ck_assert_int_eq(kafka_error(NULL, rd_kafka_error_new(kinds[_i].code, "unheard"), "do that"), -1);
}
END_TEST

START_TEST(topic_of_a_cell)
{
	char out[KAFKA_TOPIC_SIZE];

	ck_assert_str_eq(kafka_cell_topic(out, "main", "samples"), "millrace.c.main.samples");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("kafka");
	TCase *tc = tcase_create("kafka");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, defaults_then_users_then_fixed);
	tcase_add_loop_test(tc, conf_refuses, 0, NR(refused));
	tcase_add_loop_test(tc, alias_and_mock_say_where_kafka_is, 0, 2);
	tcase_add_loop_test(tc, open_refuses, 0, 3);
	tcase_add_test(tc, open_without_conf_keeps_the_error);
	tcase_add_test(tc, wait_for_a_cluster);
	tcase_add_test(tc, wait_for_nobody);
	tcase_add_loop_test(tc, log_tells_once, 0, 2);
	tcase_add_test(tc, close_serves_the_revocation);
	tcase_add_test(tc, close_has_a_deadline);
	tcase_add_test(tc, close_before_the_first_share);
	tcase_add_test(tc, close_anything);
	tcase_add_loop_test(tc, kinds_of_errors, 0, NR(kinds));
	tcase_add_test(tc, topic_of_a_cell);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
