/* test_lag.c - how old the oldest record is said to be that is not stored, from what is known of it and what is not. */
#include "sink/mongo/lag.h"

#include "tests/unit/unit.h"

enum { NONE = 0 };

/* Taken and not settled since; the last one that was taken; when there was last no lag; the first look; and what comes of it. */
static const struct { int64_t open_ms, last_ms, level_ms, measured_ms, oldest_ms; } cases[] = {
	{5000, 9000, 2000, 1000, 5000}, /* known */
	{5000, 9000, 7000, 1000, 5000}, /* whatever else is */
	{5000, 4000, NONE, 8000, 5000},
	{NONE, 9000, 2000, 1000, 9000}, /* behind the last one taken */
	{NONE, 9000, NONE, 1000, 9000},
	{NONE, 3000, NONE, 9000, 3000}, /* in a backlog, older than this assignment */
	{NONE, 3000, 6000, 1000, 6000}, /* long idle: not as old as the last one */
	{NONE, NONE, 6000, 1000, 6000},
	{NONE, NONE, NONE, 1000, 1000}, /* nothing better is known */
};

/* open_ms and last_ms are what Kafka stamped, the rest is virtual time. */
static int64_t oldest(int i, const struct clock *clock)
{
	struct partition part = {.level_ms = cases[i].level_ms, .measured_ms = cases[i].measured_ms};
	struct err err = ERR_INIT;
	int64_t oldest_ms;
	uint64_t id;

	if (cases[i].open_ms) {
		ck_assert_int_eq(ledger_open(&part.ledger, &id, &err), 0);
		ledger_take(&part.ledger, id, 7, cases[i].open_ms);
	}
	part.ledger.last_ms = cases[i].last_ms;
	oldest_ms = lag_oldest_ms(&part, clock);
	ledger_fini(&part.ledger);
	return oldest_ms;
}

START_TEST(oldest_record)
{
	const struct clock wall = {0};

	ck_assert_int_eq(oldest(_i, &wall), cases[_i].oldest_ms);
}
END_TEST

/* Kafka's timestamps are the wall clock's: under a test clock they mean another time. */
START_TEST(test_clock)
{
	const struct clock fast = {.test = true, .start_ms = 0, .real_ms = 0, .speed = 10};

	ck_assert_int_eq(oldest(0, &fast), 50000);
	ck_assert_int_eq(oldest(3, &fast), 90000);
	ck_assert_int_eq(oldest(6, &fast), 30000); /* 3000 of the wall's */
	ck_assert_int_eq(oldest(7, &fast), 6000);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lag");
	TCase *tc = tcase_create("lag");

	tcase_add_loop_test(tc, oldest_record, 0, NR(cases));
	tcase_add_test(tc, test_clock);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
