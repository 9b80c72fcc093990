/* test_spool_memory.c - how a process ends whose payloads are in memory, as the disk refused them: on the disk after all, or named in the log. */
#include "ingest/agent/spool.h"

#include <errno.h>
#include <sys/mman.h>

#include "tests/unit/agent/spool_house.h"

static struct spool_figures figures(const struct spool *s)
{
	struct spool_figures f;

	spool_figures(s, &f);
	return f;
}

static void put(struct spool *s, uint64_t seq)
{
	struct envelope e = {.seq = seq, .floor = 1, .created_at_ms = HOUSE_NOW_MS, .samples = 10 * seq, .body = STR("body")};
	struct err err = ERR_INIT;
	uint64_t id;

	memset(e.agent_id, 'a', sizeof(e.agent_id));
	ck_assert_msg(spool_put(s, &e, &id, &err) == 0, "%s", err.msg);
}

START_TEST(the_disk_is_asked_once_more_before_memory_ends)
{
	struct house h;
	struct spool *s;

	house_init(&h);
	h.conf.retry_ms = 60000;
	s = house_open(&h);
	house_fail(&h, 1, 1UL << 40, ENOSPC);
	h.faults.which = 1U << SPOOL_CALL_CREATE;
	for (uint64_t seq = 1; seq <= 20; seq++)
		put(s, seq);
	ck_assert_uint_eq(figures(s).in_memory, 20);
	house_heal(&h);
	spool_free(s);
	s = house_open(&h);
	ck_assert_uint_eq(figures(s).in_memory, 0);
	ck_assert_uint_eq(figures(s).payloads, 20);
	ck_assert(!losses_open(spool_losses(s)));
	spool_free(s);
	house_fini(&h);
}
END_TEST

START_TEST(what_dies_with_memory_is_logged)
{
	char text[8192] = "";
	struct house h;
	struct spool *s;

	house_init(&h);
	close(h.log.fd);
	h.log.fd = memfd_create("log", MFD_CLOEXEC);
	if (_i) /* a folder that never was there: no losses' file either */
		house_fail(&h, 1, 1UL << 40, EROFS);
	s = house_open(&h);
	house_fail(&h, 1, 1UL << 40, EROFS);
	h.faults.which = _i ? 0 : 1U << SPOOL_CALL_CREATE;
	put(s, 1);
	put(s, 2);
	spool_free(s);
	ck_assert_int_gt(pread(h.log.fd, text, sizeof(text) - 1, 0), 0);
	ck_assert_msg(strstr(text, "memory_lost") && strstr(text, "payloads=2") && strstr(text, "samples=30"), "%s", text);
	ck_assert_msg(!strstr(text, "next start") == (_i == 1), "%s", text);
	house_heal(&h);
	house_fini(&h);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("spool_memory");
	TCase *tc = tcase_create("spool_memory");

	tcase_add_test(tc, the_disk_is_asked_once_more_before_memory_ends);
	tcase_add_loop_test(tc, what_dies_with_memory_is_logged, 0, 2);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
