/* test_term.c - how much is written when thousands of alerts open one by one in an incident, whose record is written as a whole. */
#include "sink/notify/term.h"

#include "tests/unit/notify/desk_world.h"

enum { ALERTS = 10000, EVERY_MS = 50 };

static void open_one(struct desk *d, uint32_t series)
{
	char host[16];
	struct tag tag = {STR("host"), {host, (size_t)snprintf(host, sizeof(host), "host-%u", series)}};
	struct alert_event ev = {.kind = ALERT_EVENT_KIND_OPENED, .trigger = STR("slow"), .cell = STR("main"), .site = STR("shop"), .site_name = STR("Shop"),
				 .description = STR("slow"), .condition = STR("p95 > 1"), .name = STR("http.duration"), .tags = &tag, .tags_len = 1,
				 .reason = STR("")};

	memcpy(ev.fingerprint, &series, sizeof(series));
	memcpy(ev.episode, &series, sizeof(series));
	ck_assert_int_eq(desk_take_event(d, 0, &ev, NULL), 0);
}

/* One transaction; the bytes of its large records. */
static uint64_t write_all(struct desk *d, uint64_t *all)
{
	struct buf key = BUF_INIT, value = BUF_INIT;
	enum desk_topic topic;
	uint64_t large = 0;

	while (desk_next_record(d, &topic, &key, &value, NULL) == 1) {
		*all += value.len;
		large += value.len > 4096 ? value.len : 0;
	}
	desk_committed(d);
	buf_fini(&key);
	buf_fini(&value);
	return large;
}

START_TEST(bytes_of_a_storm)
{
	struct desk *d = desk_new(&(struct desk_conf){0}, NULL);
	int64_t next_ms = 0;
	uint64_t all = 0;

	for (uint32_t i = 0; i < ALERTS; i++) {
		int64_t now_ms = (int64_t)i * EVERY_MS;

		open_one(d, i);
		if (now_ms >= next_ms)
			next_ms = now_ms + term_pause_ms(write_all(d, &all));
	}
	ck_assert_uint_gt(all, 1 << 20);
	ck_assert_uint_lt(all / (ALERTS * EVERY_MS / 1000), 300 * 1000); /* a second */
	desk_free(d);
}
END_TEST

static const struct { uint64_t bytes; int64_t ms; } pauses[] = {{0, 100}, {25600, 100}, {256 * 1000, 1000}, {1 << 20, 3000}, {UINT64_MAX, 3000}};

START_TEST(pause)
{
	ck_assert_int_eq(term_pause_ms(pauses[_i].bytes), pauses[_i].ms);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("term");
	TCase *tc = tcase_create("term");

	tcase_add_test(tc, bytes_of_a_storm);
	tcase_add_loop_test(tc, pause, 0, NR(pauses));
	suite_add_tcase(s, tc);
	return unit_main(s);
}
