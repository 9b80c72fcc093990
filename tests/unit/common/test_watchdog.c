/* test_watchdog.c - children that hang, are frozen, come round, or are not watched: what each ends with. */
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/watchdog.h"
#include "tests/unit/unit.h"

enum { LIMIT_MS = 300, TURNS = 20, TURN_MS = 50, WELL = 3, LONG_MS = 20000 };

/* A wait that signals do not cut short. */
static void pass(int64_t ms)
{
	int64_t until = clock_mono_ms() + ms;

	while (clock_mono_ms() < until)
		poll(NULL, 0, (int)(until - clock_mono_ms()));
}

static void be_hung(struct watchdog *w)
{
	watchdog_feed(w, LIMIT_MS, "stopping: leaving the group");
	pass(LONG_MS);
}

static void be_hung_later(struct watchdog *w)
{
	watchdog_feed(w, LONG_MS, "a turn");
	watchdog_feed(w, LIMIT_MS, "stopping: leaving the group");
	pass(LONG_MS);
}

static void come_round(struct watchdog *w)
{
	for (int i = 0; i < TURNS; i++) {
		watchdog_feed(w, LIMIT_MS, "a turn");
		pass(TURN_MS);
	}
}

static void be_let_off(struct watchdog *w)
{
	watchdog_feed(w, LIMIT_MS, "a turn");
	watchdog_feed(w, 0, "as long as it likes");
	pass(4 * LIMIT_MS);
}

static void be_stopped(struct watchdog *w)
{
	watchdog_feed(w, LIMIT_MS, "a turn");
	watchdog_stop(w);
	watchdog_feed(w, LIMIT_MS, "nobody looks");
	pass(4 * LIMIT_MS);
}

/* Somebody else's alarm is none of ours. */
static void be_alarmed(struct watchdog *w)
{
	watchdog_feed(w, LONG_MS, "a turn");
	for (int i = 0; i < 5; i++)
		raise(SIGALRM);
}

static const struct {
	const char *name;
	void (*live)(struct watchdog *w);
	int code;
	const char *said;
} cases[] = {
	{"hung", be_hung, WATCHDOG_EXIT_CODE, "event=hung doing=\"stopping: leaving the group\" limit_ms=300"},
	{"hung later", be_hung_later, WATCHDOG_EXIT_CODE, "event=hung doing=\"stopping: leaving the group\" limit_ms=300"},
	{"comes round", come_round, WELL, NULL},
	{"is let off", be_let_off, WELL, NULL},
	{"is not watched", be_stopped, WELL, NULL},
	{"gets another's alarm", be_alarmed, WELL, NULL},
};

static pid_t begin(int log_fd, void (*live)(struct watchdog *w))
{
	pid_t pid = fork();

	if (pid == 0) {
		struct log log = {.fd = log_fd, .level = LOG_LEVEL_INFO, .program = "millrace-test"};
		struct watchdog w = WATCHDOG_INIT;
		struct err err = ERR_INIT;

		if (watchdog_start(&w, &log, &err) < 0)
			_exit(1);
		live(&w);
		_exit(WELL);
	}
	return pid;
}

static int end(pid_t pid)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

START_TEST(each_ends_as_it_lived)
{
	int fd = memfd_create("log", MFD_CLOEXEC), code = end(begin(fd, cases[_i].live));
	char text[8192];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	text[n < 0 ? 0 : n] = '\0';
	ck_assert_msg(code == cases[_i].code, "%s: ended with %d: %s", cases[_i].name, code, text);
	ck_assert_msg(cases[_i].said ? strstr(text, cases[_i].said) != NULL : n == 0, "%s: %s", cases[_i].name, text);
	close(fd);
}
END_TEST

enum { FROZEN_LIMIT_MS = 1500 };

/* Tells that it waits, is frozen past its limit meanwhile, and comes round as soon as it can. */
static void be_frozen(struct watchdog *w)
{
	int64_t begun = clock_mono_ms();

	watchdog_feed(w, FROZEN_LIMIT_MS, "a turn");
	log_info(w->log, "ready", LOG_INT("limit_ms", FROZEN_LIMIT_MS));
	while (clock_mono_ms() - begun < FROZEN_LIMIT_MS)
		poll(NULL, 0, 10);
	watchdog_feed(w, LONG_MS, "the next turn");
}

START_TEST(one_that_was_frozen_gets_time_to_come_round)
{
	int ends[2], status;
	char text[256];
	pid_t pid;

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	pid = begin(ends[1], be_frozen);
	ck_assert_int_gt(read(ends[0], text, sizeof(text)), 0);
	kill(pid, SIGSTOP);
	ck_assert_int_eq(waitpid(pid, &status, WUNTRACED), pid);
	ck_assert(WIFSTOPPED(status));
	pass(FROZEN_LIMIT_MS + 200);
	kill(pid, SIGCONT);
	ck_assert_int_eq(end(pid), WELL);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("watchdog");
	TCase *tc = tcase_create("watchdog");

	tcase_add_loop_test(tc, each_ends_as_it_lived, 0, (int)(sizeof(cases) / sizeof(cases[0])));
	tcase_add_test(tc, one_that_was_frozen_gets_time_to_come_round);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	return unit_main(suite);
}
