/* events.c - see events.h. */
#include "common/events.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

int events_signal_fd(struct err *err)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaction(SIGPIPE, &ignore, NULL);
	if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0)
		return err_set(err, ERR_FATAL, "cannot block signals");
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		return err_set(err, ERR_FATAL, "cannot make a signal descriptor: %s", strerror(errno));
	return fd;
}

int events_timer_fd(int64_t interval_ms, struct err *err)
{
	struct timespec every = {.tv_sec = interval_ms / 1000, .tv_nsec = interval_ms % 1000 * 1000000};
	struct itimerspec spec = {.it_interval = every, .it_value = every};
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);

	if (fd < 0)
		return err_set(err, ERR_FATAL, "cannot make a timer descriptor: %s", strerror(errno));
	if (timerfd_settime(fd, 0, &spec, NULL) < 0) {
		err_set(err, ERR_FATAL, "cannot start a timer of %lld ms: %s", (long long)interval_ms, strerror(errno));
		close(fd);
		return -1;
	}
	return fd;
}

int events_wake_fd(struct err *err)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	if (fd < 0)
		return err_set(err, ERR_FATAL, "cannot make an event descriptor: %s", strerror(errno));
	return fd;
}

void events_wake(int fd)
{
	uint64_t one = 1;
	ssize_t n = write(fd, &one, sizeof(one));

	(void)n; /* full means readable already: nothing is lost */
}

int events_signal_read(int fd)
{
	struct signalfd_siginfo info;

	if (read(fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return 0;
	return (int)info.ssi_signo;
}

uint64_t events_read(int fd)
{
	uint64_t fired = 0;

	if (read(fd, &fired, sizeof(fired)) != (ssize_t)sizeof(fired))
		return 0;
	return fired;
}

int events_open(struct events *e, int64_t tick_ms, struct err *err)
{
	if ((e->signal_fd = events_signal_fd(err)) < 0 || (e->timer_fd = events_timer_fd(tick_ms, err)) < 0 ||
	    (e->wake_fd = events_wake_fd(err)) < 0)
		return -1;
	return 0;
}

void events_close(struct events *e)
{
	const int fds[] = {e->signal_fd, e->timer_fd, e->wake_fd};

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	*e = (struct events)EVENTS_INIT;
}
