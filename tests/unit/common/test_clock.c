/* test_clock.c - virtual time, descriptors for signals and timers, and the error value. */
#include "common/clock.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "common/err.h"
#include "common/events.h"
#include "tests/unit/unit.h"

START_TEST(wall_clock_passes_through)
{
	const struct clock c = {0};
	int64_t before = clock_wall_ms(), now = clock_now_ms(&c), after = clock_wall_ms();

	ck_assert(before <= now && now <= after);
	ck_assert_int_eq(clock_map_ms(&c, 1234567890123), 1234567890123);
	ck_assert_int_eq(clock_real_duration_ms(&c, 500), 500);
}
END_TEST

START_TEST(test_clock_is_a_line)
{
	const struct clock c = {.test = true, .start_ms = 1000000, .real_ms = 5000, .speed = 60};

	ck_assert_int_eq(clock_map_ms(&c, 5000), 1000000);
	ck_assert_int_eq(clock_map_ms(&c, 5001), 1000060);
	ck_assert_int_eq(clock_map_ms(&c, 4999), 999940);
	ck_assert_int_eq(clock_real_duration_ms(&c, 60), 1);
	ck_assert_int_eq(clock_real_duration_ms(&c, 61), 2);
}
END_TEST

static const struct { int64_t t_ms; const char *text; } iso_cases[] = {
	{0, "1970-01-01T00:00:00.000Z"},
	{1524179640007, "2018-04-19T23:14:00.007Z"},
	{951782400000, "2000-02-29T00:00:00.000Z"},
	{253402300799999, "9999-12-31T23:59:59.999Z"},
	{253402300800000, "253402300800000"},
	{-1, "-1"},
};

START_TEST(iso)
{
	char out[CLOCK_ISO_SIZE];

	ck_assert_str_eq(clock_iso(iso_cases[_i].t_ms, out, sizeof(out)), iso_cases[_i].text);
}
END_TEST

START_TEST(timer_fires)
{
	struct err err = ERR_INIT;
	int64_t start = clock_mono_ms();
	int fd = events_timer_fd(20, &err);
	struct pollfd p = {.fd = fd, .events = POLLIN};

	ck_assert_msg(fd >= 0, "%s", err.msg);
	ck_assert_uint_eq(events_read(fd), 0);
	ck_assert_int_eq(poll(&p, 1, 5000), 1);
	ck_assert_int_ge(clock_mono_ms() - start, 19);
	ck_assert_uint_ge(events_read(fd), 1);
	close(fd);
}
END_TEST

START_TEST(wake_makes_readable)
{
	struct err err = ERR_INIT;
	int fd = events_wake_fd(&err);

	ck_assert_msg(fd >= 0, "%s", err.msg);
	ck_assert_uint_eq(events_read(fd), 0);
	events_wake(fd);
	events_wake(fd);
	ck_assert_uint_eq(events_read(fd), 2);
	ck_assert_uint_eq(events_read(fd), 0);
	close(fd);
}
END_TEST

START_TEST(signals_are_read)
{
	struct err err = ERR_INIT;
	int fd = events_signal_fd(&err);

	ck_assert_msg(fd >= 0, "%s", err.msg);
	ck_assert_int_eq(events_signal_read(fd), 0);
	kill(getpid(), SIGTERM);
	ck_assert_int_eq(events_signal_read(fd), SIGTERM);
	ck_assert_int_eq(events_signal_read(fd), 0);
	close(fd);
}
END_TEST

START_TEST(three_descriptors_open_and_close)
{
	struct events e = EVENTS_INIT;
	struct err err = ERR_INIT;

	ck_assert_msg(events_open(&e, 5, &err) == 0, "%s", err.msg);
	events_wake(e.wake_fd);
	kill(getpid(), SIGHUP);
	for (const int *fd = (const int[]){e.signal_fd, e.timer_fd, e.wake_fd, -1}; *fd >= 0; fd++)
		ck_assert_int_eq(poll(&(struct pollfd){.fd = *fd, .events = POLLIN}, 1, 5000), 1);
	ck_assert_int_eq(events_signal_read(e.signal_fd), SIGHUP);
	events_close(&e);
	ck_assert_int_eq(e.wake_fd, -1);
	events_close(&e);
	ck_assert_int_eq(events_open(&e, -1, &err), -1);
	events_close(&e);
}
END_TEST

START_TEST(errors_carry_kind_and_context)
{
	struct err err = ERR_INIT;
	char longer[2 * sizeof(err.msg)];

	ck_assert_str_eq(err_kind_name(err.kind), "none");
	ck_assert_int_eq(err_set(&err, ERR_REJECT, "line %d", 7), -1);
	ck_assert_int_eq(err_wrap(&err, "file %s", "x"), -1);
	ck_assert_str_eq(err.msg, "file x: line 7");
	ck_assert_str_eq(err_kind_name(err.kind), "reject");
	memset(longer, 'a', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	err_set(&err, ERR_RETRY, "%s", longer);
	err_wrap(&err, "%s", "context");
	ck_assert_uint_eq(strlen(err.msg), sizeof(err.msg) - 1);
	ck_assert_int_eq(err_nomem(&err, "a thing"), -1);
	ck_assert_int_eq(err.kind, ERR_FATAL);
	ck_assert_int_eq(err_set(NULL, ERR_FATAL, "nobody listens"), -1);
	ck_assert_int_eq(err_wrap(NULL, "nobody listens"), -1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("clock");
	TCase *tc = tcase_create("clock");

	tcase_add_test(tc, wall_clock_passes_through);
	tcase_add_test(tc, test_clock_is_a_line);
	tcase_add_loop_test(tc, iso, 0, NR(iso_cases));
	tcase_add_test(tc, timer_fires);
	tcase_add_test(tc, wake_makes_readable);
	tcase_add_test(tc, signals_are_read);
	tcase_add_test(tc, three_descriptors_open_and_close);
	tcase_add_test(tc, errors_carry_kind_and_context);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
