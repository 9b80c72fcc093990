/* test_outcome.c - what each status means, how Retry-After is read, and how jitter is spread. */
#include "ingest/agent/outcome.h"

#include "tests/unit/unit.h"

/* 405, 411, 415 and their like are what a web server or a firewall says that is no Push API: all payloads meet them alike. */
static enum outcome wanted(int status)
{
	switch (status) {
	case 400:
	case 422:
		return OUTCOME_REJECT;
	case 401:
	case 403:
		return OUTCOME_KEY;
	case 413:
		return OUTCOME_HALVE;
	default:
		return status / 100 == 2 ? OUTCOME_DONE : OUTCOME_RETRY;
	}
}

START_TEST(every_status_has_an_outcome)
{
	for (int status = 0; status < 1000; status++)
		ck_assert_msg(outcome_of(status) == wanted(status), "%d", status);
}
END_TEST

enum { NOW_S = 784111777 }; /* Sun, 06 Nov 1994 08:49:37 GMT, the date of RFC 9110's examples */

static const struct {
	const char *retry_after, *date;
	int64_t wait_ms;
} headers[] = {
	{NULL, NULL, -1},
	{"", NULL, -1},
	{"120", NULL, 120000},
	{"120 ", NULL, 120000},
	{"007", NULL, 7000},
	{"0", NULL, 1000},
	{"900", NULL, 900000},
	{"901", NULL, 900000},
	{"18446744073709551617", NULL, 900000},
	{"1.5", NULL, -1},
	{"+5", NULL, -1},
	{"-5", NULL, -1},
	{"5s", NULL, -1},
	{"later", NULL, -1},
	{"Sun, 06 Nov 1994 08:50:37 GMT", NULL, 60000},
	{"Sunday, 06-Nov-94 08:50:37 GMT", NULL, 60000},
	{"Sun Nov  6 08:50:37 1994", NULL, 60000},
	{"Sun, 06 Nov 1994 08:49:37 GMT", NULL, 1000},
	{"Sat, 05 Nov 1994 08:49:37 GMT", NULL, 1000},
	{"Sun, 06 Nov 2094 08:49:37 GMT", NULL, 900000},
	{"Mon, 01 Jan 2001 00:00:30 GMT", "Mon, 01 Jan 2001 00:00:00 GMT", 30000}, /* the server's clock is another one */
	{"Sun, 06 Nov 1994 08:50:37 GMT", "now", 60000},
	{"30", "Mon, 01 Jan 2001 00:00:00 GMT", 30000},
	{"Fri, 01 Jan 2147483647 00:00:00 GMT", NULL, 900000}, /* more milliseconds than there are numbers for */
	{"Fri, 01 Jan 300000000 00:00:00 GMT", NULL, 900000},
	{"Sun, 06 Nov 1994 08:50:37 GMT", "Fri, 01 Jan 300000000 00:00:00 GMT", 1000},
};

START_TEST(retry_after_is_read)
{
	int64_t got = outcome_retry_after_ms(headers[_i].retry_after, headers[_i].date, (int64_t)NOW_S * 1000);

	ck_assert_msg(got == headers[_i].wait_ms, "%s: %lld ms", headers[_i].retry_after ? headers[_i].retry_after : "none", (long long)got);
}
END_TEST

/* Even over all of (0, ceiling], and the ceiling doubles from 1 s to 60 s. */
START_TEST(jitter_is_full)
{
	static const int64_t ceilings[] = {0, 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000};
	struct unit_random r = unit_random_new("jitter");

	for (unsigned failures = 1; failures < NR(ceilings); failures++) {
		double sum = 0;

		for (int i = 0; i < 20000; i++) {
			int64_t wait = outcome_wait_ms(failures, unit_random_next(&r));

			ck_assert(wait >= 1 && wait <= ceilings[failures]);
			sum += (double)wait;
		}
		ck_assert_double_eq_tol(sum / 20000, (double)ceilings[failures] / 2, (double)ceilings[failures] * 0.015);
	}
	ck_assert_int_le(outcome_wait_ms(UINT32_MAX, UINT64_MAX), 60000);
	ck_assert_int_ge(outcome_wait_ms(1, 0), 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("outcome");
	TCase *tc = tcase_create("outcome");

	tcase_add_test(tc, every_status_has_an_outcome);
	tcase_add_loop_test(tc, retry_after_is_read, 0, NR(headers));
	tcase_add_test(tc, jitter_is_full);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
