/* test_sender.c - what the two headers say: backlog or live, and how wrong the sender's clock is. */
#include <stddef.h>

#include "ingest/sender.h"
#include "tests/unit/unit.h"

#define NOW INT64_C(1795372012000)

static const struct {
	const char *sent_at, *created_at;
	int rc;
	enum traffic traffic;
	int64_t shift_ms;
} cases[] = {
	{NULL, NULL, 0, TRAFFIC_LIVE, 0},
	{"1795372012000", NULL, 0, TRAFFIC_LIVE, 0},
	{NULL, "1795372012000", 0, TRAFFIC_LIVE, 0},
	{NULL, "1000", 0, TRAFFIC_LIVE, 0}, /* one header is no difference */
	{"1795372012000", "1795371892000", 0, TRAFFIC_LIVE, 0},    /* 120 s */
	{"1795372012000", "1795371891999", 0, TRAFFIC_BACKLOG, 0}, /* and a millisecond */
	{"1795372012000", "1795372500000", 0, TRAFFIC_LIVE, 0},    /* made after it was sent */
	{"1795375612000", "1795375491999", 0, TRAFFIC_BACKLOG, -3600000}, /* by one clock, wrong as it is */
	{"1795375612000", "1795375600000", 0, TRAFFIC_LIVE, -3600000},
	{"1795371982001", NULL, 0, TRAFFIC_LIVE, 0}, /* 29.999 s behind */
	{"1795371982000", NULL, 0, TRAFFIC_LIVE, 30000},
	{"1795371952001", NULL, 0, TRAFFIC_LIVE, 30000},
	{"1795371952000", NULL, 0, TRAFFIC_LIVE, 60000},
	{"1795372041999", NULL, 0, TRAFFIC_LIVE, 0},
	{"1795372042000", NULL, 0, TRAFFIC_LIVE, -30000},
	{"0", "0", 0, TRAFFIC_LIVE, NOW / 30000 * 30000},
	{"999999999999999", "1", 0, TRAFFIC_BACKLOG, (NOW - INT64_C(999999999999999)) / 30000 * 30000},
	{"", NULL, -1, TRAFFIC_LIVE, 0},
	{"-5", NULL, -1, TRAFFIC_LIVE, 0},
	{"+5", NULL, -1, TRAFFIC_LIVE, 0},
	{" 5", NULL, -1, TRAFFIC_LIVE, 0},
	{"5 ", NULL, -1, TRAFFIC_LIVE, 0},
	{"1795372012.5", NULL, -1, TRAFFIC_LIVE, 0},
	{"1e12", NULL, -1, TRAFFIC_LIVE, 0},
	{"1000000000000000", NULL, -1, TRAFFIC_LIVE, 0},
	{"18446744073709551616", NULL, -1, TRAFFIC_LIVE, 0},
	{"5", "now", -1, TRAFFIC_LIVE, 0},
	{NULL, "Thu, 26 Nov 2026 08:00:00 GMT", -1, TRAFFIC_LIVE, 0},
};

START_TEST(headers)
{
	struct refusal no = {.reason = NR_REASONS};
	struct sender s;
	int rc = sender_read(cases[_i].sent_at, cases[_i].created_at, NOW, SENDER_SKEW_STEP_MS, &s, &no);

	ck_assert_int_eq(rc, cases[_i].rc);
	ck_assert_int_eq(no.reason, rc ? REASON_BAD_HEADER : NR_REASONS);
	if (rc)
		return;
	ck_assert_int_eq(s.traffic, cases[_i].traffic);
	ck_assert_int_eq(s.shift_ms, cases[_i].shift_ms);
	ck_assert_int_eq(s.has_created_at, cases[_i].created_at != NULL);
	if (s.has_created_at)
		ck_assert_int_eq(s.created_at_ms, strtoll(cases[_i].created_at, NULL, 10));
}
END_TEST

START_TEST(delays_are_real_time)
{
	const struct clock wall = {0}, fast = {.test = true, .speed = 24}, slow = {.test = true, .speed = 0.5};
	struct refusal no = {.reason = NR_REASONS};
	struct sender s;

	ck_assert_int_eq(sender_skew_step_ms(&wall), 30000);
	ck_assert_int_eq(sender_skew_step_ms(&slow), 30000);
	ck_assert_int_eq(sender_skew_step_ms(&fast), 720000);
	ck_assert_int_eq(sender_read("1795371292001", NULL, NOW, sender_skew_step_ms(&fast), &s, &no), 0); /* 29.9 s on the way */
	ck_assert_int_eq(s.shift_ms, 0);
	ck_assert_int_eq(sender_read("1795371292000", NULL, NOW, sender_skew_step_ms(&fast), &s, &no), 0);
	ck_assert_int_eq(s.shift_ms, 720000);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sender");
	TCase *tc = tcase_create("sender");

	tcase_add_loop_test(tc, headers, 0, (int)NR(cases));
	tcase_add_test(tc, delays_are_real_time);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
