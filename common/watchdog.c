/* watchdog.c - see watchdog.h.
 *
 * A POSIX timer whose signal goes to the watched thread itself (SIGEV_THREAD_ID), so that the backtrace is of what hangs. The handler calls only
 * what a handler may (timer_settime(), write(), _exit(): not log_write(), as telling the time takes a lock and memory; so its line has none), and
 * backtrace(), which POSIX does not list, but which glibc makes safe once its library is loaded. */
#include "common/watchdog.h"

#include <errno.h>
#include <execinfo.h>
#include <string.h>
#include <unistd.h>

enum { FRAMES_MAX = 48, SECOND_PART = 10, SECOND_MIN_MS = 50 };

static void arm(timer_t timer, int64_t ms)
{
	const struct itimerspec when = {.it_value = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}};

	timer_settime(timer, 0, &when, NULL);
}

static int64_t second_ms(int64_t limit_ms)
{
	return limit_ms / SECOND_PART > SECOND_MIN_MS ? limit_ms / SECOND_PART : SECOND_MIN_MS;
}

/* A line that log_write() could have written; the words are literals without anything to be escaped. */
struct last_words {
	char text[512];
	size_t len;
};

static void add(struct last_words *l, const char *text)
{
	while (*text && l->len < sizeof(l->text) - 1)
		l->text[l->len++] = *text++;
}

static void add_number(struct last_words *l, int64_t n)
{
	char digits[24], *at = digits + sizeof(digits) - 1;

	*at = '\0';
	do
		*--at = (char)('0' + n % 10);
	while ((n /= 10) > 0);
	add(l, at);
}

static void speak(const struct watchdog *w)
{
	bool json = w->log->json;
	struct last_words l = {.len = 0};

	add(&l, json ? "{\"level\":\"error\",\"program\":\"" : "level=error program=");
	add(&l, w->log->program);
	add(&l, json ? "\",\"event\":\"hung\",\"doing\":\"" : " event=hung doing=\"");
	add(&l, w->doing);
	add(&l, json ? "\",\"limit_ms\":" : "\" limit_ms=");
	add_number(&l, w->limit_ms);
	add(&l, json ? "}\n" : " effect=\"the process ends; a backtrace follows\"\n");
	if (write(w->log->fd, l.text, l.len) < 0)
		return; /* there is nobody else to tell */
}

/* Of one that was frozen, the first alarm comes with its waking: only the second one counts. */
static void on_alarm(int number, siginfo_t *info, void *context)
{
	struct watchdog *w = info->si_value.sival_ptr;
	void *frames[FRAMES_MAX];
	int saved = errno;

	(void)number;
	(void)context;
	if (info->si_code != SI_TIMER || !w->limit_ms) /* somebody's kill(), or an alarm that was under way when the watching ended */
		return;
	if (!w->warned) {
		w->warned = 1;
		arm(w->timer, second_ms(w->limit_ms));
		errno = saved;
		return;
	}
	speak(w);
	backtrace_symbols_fd(frames, backtrace(frames, FRAMES_MAX), w->log->fd);
	_exit(WATCHDOG_EXIT_CODE);
}

int watchdog_start(struct watchdog *w, const struct log *log, struct err *err)
{
	struct sigaction action = {.sa_sigaction = on_alarm, .sa_flags = SA_SIGINFO | SA_RESTART};
	struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGALRM, .sigev_value = {.sival_ptr = w}};
	void *frame;

	backtrace(&frame, 1); /* its first call loads a library */
	sigemptyset(&action.sa_mask);
	event._sigev_un._tid = gettid();
	if (sigaction(SIGALRM, &action, NULL) < 0 || timer_create(CLOCK_MONOTONIC, &event, &w->timer) < 0)
		return err_set(err, ERR_FATAL, "no timer to watch the loop by: %s", strerror(errno));
	w->log = log;
	return 0;
}

void watchdog_feed(struct watchdog *w, int64_t limit_ms, const char *doing)
{
	if (!w->log)
		return;
	arm(w->timer, 0);
	w->doing = doing;
	w->limit_ms = limit_ms;
	w->warned = 0;
	arm(w->timer, limit_ms);
}

void watchdog_stop(struct watchdog *w)
{
	if (!w->log)
		return;
	w->limit_ms = 0;
	timer_delete(w->timer);
	w->log = NULL;
}
