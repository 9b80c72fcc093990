/* events.h - signals and timers as descriptors, so that a program is one visible poll loop and no handler writes a global. */
#ifndef MILLRACE_EVENTS_H
#define MILLRACE_EVENTS_H

#include <stdint.h>

#include "common/err.h"

/* What each program's loop waits on besides its own descriptors; -1 where one is not open. */
struct events {
	int signal_fd; /* SIGINT, SIGTERM, SIGHUP */
	int timer_fd;  /* ticks */
	int wake_fd;   /* another thread, or a library's, has something for the loop */
};

#define EVENTS_INIT {-1, -1, -1}

/* Opens the three, the timer ticking every tick_ms (real). Call before any thread starts. -1 with *err set on failure; close all the same. */
int events_open(struct events *e, int64_t tick_ms, struct err *err);

/* Closes what is open. */
void events_close(struct events *e);

/* Blocks SIGINT, SIGTERM and SIGHUP in this and all later threads, ignores SIGPIPE, and returns a non-blocking descriptor
 * that is readable when one of the three came. Call before any thread starts. -1 with *err set on failure. */
int events_signal_fd(struct err *err);

/* A non-blocking descriptor, readable every interval_ms real milliseconds from now on. -1 with *err set on failure. */
int events_timer_fd(int64_t interval_ms, struct err *err);

/* A non-blocking descriptor that another thread makes readable with events_wake(). -1 with *err set on failure. */
int events_wake_fd(struct err *err);

/* Makes a descriptor of events_wake_fd() readable. Any thread. */
void events_wake(int fd);

/* Next pending signal number of a descriptor of events_signal_fd(), or 0. */
int events_signal_read(int fd);

/* Reads a timer or wake descriptor empty: how often it fired since the last call, 0 if it did not. */
uint64_t events_read(int fd);

#endif
