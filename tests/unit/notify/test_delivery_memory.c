/* test_delivery_memory.c - what may wait for receivers that hang, all of them together. */
#include "tests/unit/notify/delivery_bench.h"

/* A notification with as many alerts as an incident lists, each with this much text. */
static int submit_large(struct bench *b, const char *receiver, int64_t sequence)
{
	static char text[4096];
	const struct incident_alert *alerts[MAKER_ALERTS_MAX];
	struct tag tag = {STR("k"), {memset(text, 'x', sizeof(text)), sizeof(text)}};
	struct receiver r = bench_receiver(b, receiver);
	struct delivery_job job;
	struct maker m;
	struct err err = ERR_INIT;
	int rc;

	maker_init(&m);
	for (size_t i = 0; i < MAKER_ALERTS_MAX; i++)
		alerts[i] = maker_add(&m, "m", &tag, 1);
	m.incident.id[15] = (uint8_t)sequence;
	m.incident.acked_by = m.incident.ack_reason = STR("");
	job = (struct delivery_job){.incident = &m.incident, .receiver = &r, .sequence = sequence, .alerts = alerts, .alerts_len = MAKER_ALERTS_MAX};
	rc = delivery_submit(b->d, &job, &err);
	ck_assert_msg(rc >= 0, "%s", err.msg);
	return rc;
}

/* Receivers that hang with all that they may hold leave room for others. */
START_TEST(memory_of_those_that_hang_is_bounded)
{
	struct bench b;

	bench_init(&b, NULL, (const char *const[]){""}, 1);
	for (int64_t i = 1; submit_large(&b, "a", i) == 0; i++)
		ck_assert_int_le(i, DELIVERY_QUEUE_MAX);
	for (int64_t i = 1; submit_large(&b, "b", i) == 0; i++)
		ck_assert_int_le(i, DELIVERY_QUEUE_MAX);
	ck_assert_int_eq(submit_large(&b, "c", 1), 0);
	ck_assert_int_eq(bench_submit(&b, "d", 1, 1), 0);
	ck_assert_uint_le(bench_stats(&b).bytes, DELIVERY_BYTES_MAX);
	for (char id = 'e'; id <= 'z'; id++)
		submit_large(&b, (char[]){id, 0}, 1);
	ck_assert_uint_le(bench_stats(&b).bytes, DELIVERY_BYTES_MAX);
	bench_fini(&b);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("delivery_memory");
	TCase *tc = tcase_create("delivery_memory");

	tcase_add_test(tc, memory_of_those_that_hang_is_bounded);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
