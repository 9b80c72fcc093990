/* test_database.c - which settings of the sink make no sense to its driver or its reader, told before anything is opened. */
#include "sink/mongo/consumer.h"
#include "sink/mongo/database.h"
#include "tests/unit/common/kafka_mock.h"

static const struct {
	const char *option, *message; /* message: what it begins with; NULL: nothing is wrong */
} rows[] = {
	{"mongo.database=millrace", NULL},
	{"mongo.uri=mongodb://a:b@127.0.0.1:1/?replicaSet=r", NULL},
	{"mongo.uri=nonsense", "key mongo.uri = '(set)' from --set is not a connection string: "},
	{"mongo.uri=mongodb://us:p%ss@h", "key mongo.uri = '(set)' from --set is not a connection string: "},
	{"mongo.database=a b/$", "key mongo.database = 'a b/$' from --set is no database's name: "},
	{"mongo.database=a.b", "key mongo.database = 'a.b' from --set is no database's name: "},
	{"kafka.acks=1", NULL}, /* no producer here */
	{"kafka.isolation.level=read_uncommitted", "key kafka.isolation.level = 'read_uncommitted' from --set cannot be set: "},
	{"kafka.enable.auto.commit=true", "key kafka.enable.auto.commit = 'true' from --set cannot be set: "},
	{"kafka.fetch.max.bytes=x", "key kafka.fetch.max.bytes = 'x' from --set is refused by Kafka's client: "},
};

START_TEST(refuses)
{
	static char *const no_environment[] = {NULL};
	struct program p = {.name = "millrace-sink", .common.cell = (char[]){"main"}, .common.instance_id = (char[]){""}};
	const char *message = rows[_i].message;
	struct sink_conf conf;
	struct err err = ERR_INIT;
	int rc;

	p.conf = conf_new(&(struct conf_section){sink_conf_fields, &conf}, 1);
	ck_assert_int_eq(conf_set_option(p.conf, "kafka.bootstrap.servers=127.0.0.1:1", &err), 0);
	ck_assert_int_eq(conf_set_option(p.conf, rows[_i].option, &err), 0);
	ck_assert_msg(conf_load(p.conf, no_environment, &err) == 0, "%s", err.msg);
	rc = database_check(p.conf, &conf, &err) < 0 || consumer_check(&p, &err) < 0 ? -1 : 0;
	ck_assert_msg(rc == (message ? -1 : 0), "%s", err.msg);
	ck_assert_msg(!message || strncmp(err.msg, message, strlen(message)) == 0, "%s", err.msg);
	conf_free(p.conf);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("database");
	TCase *tc = tcase_create("database");

	tcase_add_loop_test(tc, refuses, 0, (int)NR(rows));
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
