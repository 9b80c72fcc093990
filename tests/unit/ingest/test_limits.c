/* test_limits.c - open files for as many connections as there may be, at their worst, or fewer connections. */
#include "ingest/limits.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/unit/unit.h"

enum { SPARE_A_THREAD = 64 /* what a server accepts beyond its limit */ };

static const struct {
	rlim_t soft, hard; /* before */
	int64_t connections_max, threads;
	bool lowered;
} machines[] = {
	{256, 8192, 4096, 2, false}, {256, 8192, 4096, 16, false}, {8000, 8192, 100, 2, false},
	{256, 2048, 4096, 8, true},  {256, 1024, 4096, 16, true},  {256, 512, 4096, 1, true},
};

START_TEST(files_are_enough_for_the_worst)
{
	const struct rlimit before = {machines[_i].soft, machines[_i].hard};
	struct ingest_conf conf = {.connections_max = machines[_i].connections_max, .threads = machines[_i].threads};
	const struct log log = {.fd = open("/dev/null", O_WRONLY | O_CLOEXEC), .level = LOG_LEVEL_ERROR, .program = "test"};
	struct rlimit after;

	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	limits_raise_files(&conf, &log);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &after), 0);
	ck_assert_int_eq(conf.connections_max < machines[_i].connections_max, machines[_i].lowered);
	ck_assert_int_gt(conf.connections_max, 0);
	ck_assert(after.rlim_cur >= before.rlim_cur && after.rlim_max == before.rlim_max);
	if (after.rlim_cur >= 2048) /* else nothing is enough */
		ck_assert_int_ge((int64_t)after.rlim_cur, conf.connections_max + SPARE_A_THREAD * conf.threads + 128);
	close(log.fd);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("limits");
	TCase *tc = tcase_create("limits");

	tcase_add_loop_test(tc, files_are_enough_for_the_worst, 0, (int)NR(machines));
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
