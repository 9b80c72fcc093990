/* test_check.c - which kafka.* the clients of the processor would refuse, told without making one. */
#include "processor/consumer.h"
#include "processor/scout.h"
#include "processor/txn.h"
#include "tests/unit/common/kafka_mock.h"

#define NOWHERE "kafka.bootstrap.servers=127.0.0.1:1"

enum { CONSUMER = 1, SCOUT = 2, TXN = 4 };

static const struct {
	const char *option;
	int refused_by;
} rows[] = {
	{NULL, CONSUMER | SCOUT | TXN}, /* no brokers */
	{"kafka.statistics.interval.ms=0", 0},
	{"kafka.nonsense=1", CONSUMER | SCOUT | TXN},
	{"kafka.linger.ms=abc", CONSUMER | SCOUT | TXN},
	{"kafka.linger.ms=10", TXN},
	{"kafka.acks=1", TXN},
	{"kafka.transactional.id=mine", TXN},
	{"kafka.isolation.level=read_uncommitted", CONSUMER | SCOUT},
	{"kafka.enable.auto.commit=true", CONSUMER | SCOUT},
	{"kafka.partition.assignment.strategy=range", CONSUMER},
};

START_TEST(refuses)
{
	int (*const checks[])(const struct program *p, struct err *err) = {consumer_check, scout_check, txn_check};
	const char *option = rows[_i].option;
	struct program p;

	program_make(&p, (const char *const[]){option ? NOWHERE : NULL, option, NULL});
	p.common.cell = p.common.instance_id = (char[]){"one"};
	for (int i = 0; i < (int)NR(checks); i++) {
		bool refused = rows[_i].refused_by & 1 << i;
		struct err err = ERR_INIT;

		ck_assert_msg(checks[i](&p, &err) == (refused ? -1 : 0), "%s, client %d: %s", option ? option : "nothing", i, err.msg);
		if (refused && option)
			ck_assert_msg(strstr(err.msg, "key kafka.") && strstr(err.msg, " from --set "), "%s", err.msg);
	}
	program_unmake(&p);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("check");
	TCase *tc = tcase_create("check");

	tcase_add_loop_test(tc, refuses, 0, (int)NR(rows));
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
