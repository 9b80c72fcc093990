/* test_cluster.c - reading and writing the tables against librdkafka's mock cluster: what is acknowledged, who else wrote, what brokers do. */
#include "deploy/ctl/cluster.h"

#include "common/clock.h"
#include "tests/unit/common/kafka_mock.h"

enum { WAIT_MS = 20000, FAILOVER_MS = 11000 };

static const char newer[] = "\0\0\0\x27\x0f" "body"; /* a schema id nobody knows */

/* A mock cluster with the topics of the control plane that are needed here, and a run of the tool. */
struct fixture {
	struct mock mock;
	struct cluster *cluster;
};

static struct cluster *must_connect(const struct mock *m)
{
	struct err err = ERR_INIT;
	struct cluster *c = cluster_new(&m->program, NULL, &err);

	ck_assert_msg(c != NULL, "%s", err.msg);
	return c;
}

static void must_load(struct cluster *c)
{
	struct err err = ERR_INIT;

	ck_assert_msg(cluster_load(c, CLUSTER_BASE | CLUSTER_BIT(STORE_BEATS), &err) == 0, "%s", err.msg);
}

static void fixture_init(struct fixture *f)
{
	static const char *const topics[] = {"millrace.cells", "millrace.sites", "millrace.controls", "millrace.heartbeats",
					     "millrace.notices", "millrace.triggers", "millrace.receivers"};

	mock_init(&f->mock);
	for (size_t i = 0; i < NR(topics); i++)
		mock_topic(&f->mock, topics[i], 1);
	f->cluster = must_connect(&f->mock);
}

static void fixture_fini(struct fixture *f)
{
	cluster_free(f->cluster);
	mock_fini(&f->mock);
}

/* A record as somebody else writes it. */
static void foreign(struct fixture *f, const char *topic, const char *key, struct str value)
{
	rd_kafka_resp_err_t code =
		rd_kafka_producev(f->mock.rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(0), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
				  RD_KAFKA_V_KEY(key, strlen(key)), RD_KAFKA_V_VALUE((void *)(uintptr_t)value.p, value.len), RD_KAFKA_V_END);

	ck_assert_int_eq(code, RD_KAFKA_RESP_ERR_NO_ERROR);
	mock_flush(&f->mock);
}

static void foreign_site(struct fixture *f, const char *id, const char *name)
{
	struct route route = {0, STR("main"), 1};
	struct site site = {.id = str_from(id), .name = str_from(name), .routes = &route, .routes_len = 1};
	struct buf value = BUF_INIT;

	ck_assert_int_eq(site_encode(&site, &value, NULL), 0);
	foreign(f, "millrace.sites", id, buf_str(&value));
	buf_fini(&value);
}

static int put_site(struct cluster *c, const char *id, const char *name, struct err *err)
{
	struct route route = {0, STR("main"), 1};
	struct site site = {.id = str_from(id), .name = str_from(name), .routes = &route, .routes_len = 1};

	return cluster_put_site(c, &site, err);
}

static void must_name(const struct cluster *c, const char *id, const char *name)
{
	const struct site *site = store_site(cluster_store(c), str_from(id));

	ck_assert_ptr_nonnull(site);
	ck_assert_msg(str_eq(site->name, str_from(name)), "%s is called " STR_FMT, id, STR_ARG(site->name));
}

/* What another run finds in the topics now. */
static void must_find(const struct fixture *f, const char *id, const char *name)
{
	struct cluster *other = must_connect(&f->mock);

	must_load(other);
	if (name)
		must_name(other, id, name);
	else
		ck_assert_ptr_null(store_item(cluster_store(other), STORE_SITES, str_from(id)));
	cluster_free(other);
}

START_TEST(writes_come_back)
{
	struct cell cell = {.name = STR("main"), .partitions = 3, .epoch = -7};
	struct fixture f;
	struct err err = ERR_INIT;

	fixture_init(&f);
	foreign_site(&f, "blog", "Blog");
	must_load(f.cluster);
	must_name(f.cluster, "blog", "Blog");
	ck_assert_msg(cluster_put_cell(f.cluster, &cell, &err) == 0, "%s", err.msg);
	ck_assert_int_eq(store_cell(cluster_store(f.cluster), STR("main"))->epoch, -7);
	ck_assert_msg(put_site(f.cluster, "shop", "Shop", &err) == 0, "%s", err.msg);
	ck_assert_msg(put_site(f.cluster, "shop", "Shop 2", &err) == 0, "%s", err.msg);
	must_name(f.cluster, "shop", "Shop 2");
	must_find(&f, "shop", "Shop 2");
	ck_assert_msg(cluster_remove(f.cluster, STORE_SITES, STR("shop"), &err) == 0, "%s", err.msg);
	ck_assert_ptr_null(store_site(cluster_store(f.cluster), STR("shop")));
	must_find(&f, "shop", NULL);
	must_find(&f, "blog", "Blog");
	fixture_fini(&f);
}
END_TEST

START_TEST(controls_come_back)
{
	struct control control = {.id = STR("ingest/close"), .reason = STR("r"), .author = STR("a"), .created_at = 1, .expires_at = 2};
	struct fixture f;
	struct err err = ERR_INIT;

	fixture_init(&f);
	must_load(f.cluster);
	ck_assert_msg(cluster_put_control(f.cluster, &control, &err) == 0, "%s", err.msg);
	ck_assert_int_eq(store_item(cluster_store(f.cluster), STORE_CONTROLS, control.id)->v.control.expires_at, 2);
	ck_assert_msg(cluster_remove(f.cluster, STORE_CONTROLS, control.id, &err) == 0, "%s", err.msg);
	ck_assert_ptr_null(store_item(cluster_store(f.cluster), STORE_CONTROLS, control.id));
	fixture_fini(&f);
}
END_TEST

START_TEST(rules_come_back)
{
	struct trigger trigger = {.id = STR("slow"), .site = STR("shop"), .metric = STR("m"), .has_absent_minutes = true, .absent_minutes = 5};
	struct receiver receiver = {.id = STR("ops"), .has_webhook = true, .webhook = {.url = STR("https://h/")}};
	struct fixture f;
	struct err err = ERR_INIT;

	fixture_init(&f);
	ck_assert_msg(cluster_load(f.cluster, CLUSTER_BIT(STORE_TRIGGERS) | CLUSTER_BIT(STORE_RECEIVERS), &err) == 0, "%s", err.msg);
	ck_assert_msg(cluster_put_trigger(f.cluster, &trigger, &err) == 0 && cluster_put_receiver(f.cluster, &receiver, &err) == 0, "%s", err.msg);
	ck_assert_int_eq(store_trigger(cluster_store(f.cluster), STR("slow"))->absent_minutes, 5);
	ck_assert(store_receiver(cluster_store(f.cluster), STR("ops"))->has_webhook);
	ck_assert_msg(cluster_remove(f.cluster, STORE_TRIGGERS, trigger.id, &err) == 0, "%s", err.msg);
	ck_assert(!store_trigger(cluster_store(f.cluster), STR("slow")) && store_receiver(cluster_store(f.cluster), STR("ops")));
	fixture_fini(&f);
}
END_TEST

/* What others write after the tables were loaded comes in, and its place is known. */
START_TEST(tables_are_followed)
{
	struct heartbeat beat = {.program = STR("millrace-sink"), .instance = STR("a"), .ready = true};
	struct buf value = BUF_INIT;
	int64_t until = clock_mono_ms() + WAIT_MS;
	struct fixture f;
	struct err err = ERR_INIT;

	fixture_init(&f);
	must_load(f.cluster);
	ck_assert_int_eq(cluster_seen(f.cluster, STORE_BEATS), -1);
	ck_assert_int_eq(heartbeat_encode(&beat, &value, NULL), 0);
	foreign(&f, "millrace.heartbeats", "millrace-sink/a", buf_str(&value));
	foreign(&f, "millrace.heartbeats", "millrace-sink/b", STR("junk"));
	while (cluster_seen(f.cluster, STORE_BEATS) < 1 && clock_mono_ms() < until)
		ck_assert_msg(cluster_follow(f.cluster, 100, &err) == 0, "%s", err.msg);
	ck_assert_int_eq(cluster_seen(f.cluster, STORE_BEATS), 1);
	ck_assert(store_item(cluster_store(f.cluster), STORE_BEATS, STR("millrace-sink/a"))->v.beat.ready);
	ck_assert_ptr_nonnull(store_item(cluster_store(f.cluster), STORE_BEATS, STR("millrace-sink/b"))->fault);
	ck_assert_int_eq(cluster_seen(f.cluster, STORE_CONTROLS), -1);
	buf_fini(&value);
	fixture_fini(&f);
}
END_TEST

/* The last write wins, and whoever replaced what it had not read is told. */
START_TEST(foreign_writes_are_noticed)
{
	struct fixture f;
	struct err err = ERR_INIT;

	fixture_init(&f);
	foreign_site(&f, "shop", "Shop");
	must_load(f.cluster);
	foreign_site(&f, "blog", "Blog"); /* another's business */
	ck_assert_msg(put_site(f.cluster, "shop", "ours", &err) == 0, "%s", err.msg);
	must_name(f.cluster, "blog", "Blog");
	foreign_site(&f, "shop", "theirs");
	ck_assert_int_eq(put_site(f.cluster, "shop", "ours again", &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_ptr_nonnull(strstr(err.msg, "somebody else changed \"shop\" at the same time"));
	must_name(f.cluster, "shop", "ours again");
	must_find(&f, "shop", "ours again");
	/* Having read theirs, a further change is a plain one. */
	ck_assert_msg(put_site(f.cluster, "shop", "last", &err) == 0, "%s", err.msg);
	fixture_fini(&f);
}
END_TEST

START_TEST(newer_records_are_left_alone)
{
	struct fixture f;
	struct err err = ERR_INIT;

	fixture_init(&f);
	foreign(&f, "millrace.sites", "shop", STR(newer));
	foreign(&f, "millrace.sites", "junk", STR("junk"));
	must_load(f.cluster);
	ck_assert_int_eq(put_site(f.cluster, "shop", "Shop", &err), -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	ck_assert_ptr_nonnull(strstr(err.msg, "newer millrace-ctl"));
	ck_assert_int_eq(cluster_remove(f.cluster, STORE_SITES, STR("shop"), &err), -1);
	ck_assert(store_item(cluster_store(f.cluster), STORE_SITES, STR("shop"))->newer);
	ck_assert_msg(put_site(f.cluster, "junk", "Repaired", &err) == 0, "%s", err.msg);
	must_find(&f, "junk", "Repaired");
	fixture_fini(&f);
}
END_TEST

/* Errors that brokers make all the time: the record is there in the end, once. */
START_TEST(broker_errors_are_ridden_out)
{
	struct fixture f;
	struct err err = ERR_INIT;

	fixture_init(&f);
	must_load(f.cluster);
	rd_kafka_mock_push_request_errors(f.mock.cluster, API_PRODUCE, 3, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
					  RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT, RD_KAFKA_RESP_ERR__TRANSPORT);
	ck_assert_msg(put_site(f.cluster, "shop", "Shop", &err) == 0, "%s", err.msg);
	must_find(&f, "shop", "Shop");
	fixture_fini(&f);
}
END_TEST

/* The records of one batch go where they are to go, with their headers, and each has its own outcome. */
START_TEST(many_records_with_headers)
{
	struct header headers[] = {{STR("a"), true, STR("1")}, {STR("a"), false, STR("")}, {STR("b"), true, STR("")}};
	struct cluster_record record = {.topic = "data", .partition = 2, .key = STR(""), .value = STR("v"), .headers = headers, .nr_headers = 3};
	struct cluster_delivery d[3];
	struct fixture f;
	struct err err = ERR_INIT;

	fixture_init(&f);
	mock_topic(&f.mock, "data", 3);
	for (size_t i = 0; i < NR(d); i++)
		ck_assert_msg(cluster_send(f.cluster, &record, &d[i], &err) == 0, "%s", err.msg);
	cluster_settle(f.cluster);
	for (size_t i = 0; i < NR(d); i++)
		ck_assert(d[i].done && d[i].offset == (int64_t)i && cluster_judge(&d[i], "data", &err) == 0);
	rd_kafka_mock_push_request_errors(f.mock.cluster, API_PRODUCE, 1, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
	ck_assert_int_eq(cluster_send(f.cluster, &record, &d[0], &err), 0);
	cluster_settle(f.cluster);
	ck_assert(d[0].done && cluster_judge(&d[0], "data", &err) == -1);
	ck_assert_int_eq(err.kind, ERR_REJECT);
	fixture_fini(&f);
}
END_TEST

/* A record that Kafka refuses is an error that says so, and not in the table. */
/* As when the broker dies that leads the table's partition: Kafka takes 9 s to see it, and then another one answers. */
START_TEST(a_failover_is_waited_for)
{
	struct fixture f;
	struct err err = ERR_INIT;

	fixture_init(&f);
	must_load(f.cluster);
	rd_kafka_mock_broker_push_request_error_rtts(f.mock.cluster, 1, API_PRODUCE, 1, RD_KAFKA_RESP_ERR_NO_ERROR, FAILOVER_MS);
	ck_assert_msg(put_site(f.cluster, "shop", "Shop", &err) == 0, "%s", err.msg);
	must_find(&f, "shop", "Shop");
	fixture_fini(&f);
}
END_TEST

START_TEST(refused_records_are_told)
{
	struct fixture f;
	struct err err = ERR_INIT;

	fixture_init(&f);
	must_load(f.cluster);
	rd_kafka_mock_push_request_errors(f.mock.cluster, API_PRODUCE, 1, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
	ck_assert_int_eq(put_site(f.cluster, "shop", "Shop", &err), -1);
	ck_assert_ptr_nonnull(strstr(err.msg, "millrace.sites"));
	ck_assert_ptr_null(store_site(cluster_store(f.cluster), STR("shop")));
	fixture_fini(&f);
}
END_TEST

START_TEST(heartbeats_only_when_asked)
{
	struct heartbeat beat = {.program = STR("millrace-sink"), .instance = STR("a"), .ready = true};
	struct buf value = BUF_INIT;
	struct fixture f;
	struct err err = ERR_INIT;

	fixture_init(&f);
	ck_assert_int_eq(heartbeat_encode(&beat, &value, NULL), 0);
	foreign(&f, "millrace.heartbeats", "millrace-sink/a", buf_str(&value));
	ck_assert_msg(cluster_load(f.cluster, CLUSTER_BASE, &err) == 0, "%s", err.msg);
	ck_assert_ptr_null(store_item(cluster_store(f.cluster), STORE_BEATS, STR("millrace-sink/a")));
	cluster_free(f.cluster);
	f.cluster = must_connect(&f.mock);
	must_load(f.cluster);
	ck_assert(store_item(cluster_store(f.cluster), STORE_BEATS, STR("millrace-sink/a"))->v.beat.ready);
	buf_fini(&value);
	fixture_fini(&f);
}
END_TEST

START_TEST(notices_are_awaited)
{
	struct notice notice = {.program = STR("millrace-ctl"), .event = STR("test"), .text = STR("a test")};
	struct fixture f;
	struct err err = ERR_INIT;

	fixture_init(&f);
	ck_assert_msg(cluster_notice(f.cluster, &notice, &err) == 0, "%s", err.msg);
	rd_kafka_mock_push_request_errors(f.mock.cluster, API_PRODUCE, 1, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
	ck_assert_int_eq(cluster_notice(f.cluster, &notice, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.msg, "millrace.notices"));
	fixture_fini(&f);
}
END_TEST

START_TEST(without_topics)
{
	struct mock m;
	struct cluster *c;
	struct err err = ERR_INIT;

	mock_init(&m);
	mock_topic(&m, "millrace.cells", 1);
	c = must_connect(&m);
	mock_topic(&m, "millrace.sites", 3); /* not what a table may have */
	ck_assert_int_eq(cluster_load(c, CLUSTER_BASE, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.msg, "millrace.sites"));
	cluster_free(c);
	mock_fini(&m);
}
END_TEST

START_TEST(nobody_there)
{
	struct program p;
	struct err err = ERR_INIT;
	int64_t begun = clock_mono_ms();

	program_make(&p, (const char *const[]){"kafka.bootstrap.servers=127.0.0.1:1", NULL});
	ck_assert_ptr_null(cluster_new(&p, NULL, &err));
	ck_assert_int_eq(err.kind, ERR_RETRY);
	ck_assert_ptr_nonnull(strstr(err.msg, "127.0.0.1:1 does not answer"));
	ck_assert_ptr_nonnull(strstr(err.msg, "--kafka HOST:PORT"));
	ck_assert_int_lt(clock_mono_ms() - begun, WAIT_MS);
	program_unmake(&p);
}
END_TEST

/* What certainty rests on cannot be set away. */
START_TEST(settings_that_are_fixed)
{
	static const char *const options[] = {"kafka.acks=1", "kafka.enable.idempotence=false"};
	struct program p;
	struct err err = ERR_INIT;

	program_make(&p, (const char *const[]){"kafka.bootstrap.servers=127.0.0.1:1", options[_i], NULL});
	ck_assert_ptr_null(cluster_new(&p, NULL, &err));
	ck_assert_int_eq(err.kind, ERR_REJECT);
	program_unmake(&p);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ctl/cluster");
	TCase *t = tcase_create("cluster");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, writes_come_back);
	tcase_add_test(t, controls_come_back);
	tcase_add_test(t, rules_come_back);
	tcase_add_test(t, tables_are_followed);
	tcase_add_test(t, foreign_writes_are_noticed);
	tcase_add_test(t, newer_records_are_left_alone);
	tcase_add_test(t, many_records_with_headers);
	tcase_add_test(t, broker_errors_are_ridden_out);
	tcase_add_test(t, a_failover_is_waited_for);
	tcase_add_test(t, refused_records_are_told);
	tcase_add_test(t, heartbeats_only_when_asked);
	tcase_add_test(t, notices_are_awaited);
	tcase_add_test(t, without_topics);
	tcase_add_test(t, nobody_there);
	tcase_add_loop_test(t, settings_that_are_fixed, 0, 2);
	suite_add_tcase(s, t);
	return unit_main(s);
}
