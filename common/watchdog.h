/* watchdog.h - ends a process whose loop does not come round any more.
 *
 * A library can hang inside a call that promised to come back (librdkafka waits without a limit in several of them), and then nothing that the loop
 * has been told, SIGTERM too, is heard by anybody. All that Millrace keeps survives kill -9, so ending is always right, and better than holding
 * partitions that nobody works on: whoever looks after the process starts it again. The last line tells where it hung. */
#ifndef MILLRACE_WATCHDOG_H
#define MILLRACE_WATCHDOG_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "common/err.h"
#include "common/log.h"

/* How a process ends that was hung. */
enum { WATCHDOG_EXIT_CODE = 70 };

struct watchdog {
	const struct log *log; /* NULL: not started, and all calls do nothing */
	timer_t timer;
	const char *volatile doing;
	volatile int64_t limit_ms;
	volatile sig_atomic_t warned; /* the limit has passed once since the last feeding */
};

#define WATCHDOG_INIT {0}

/* Starts it for the calling thread, whose loop is watched, and takes SIGALRM for it; nothing happens before it is first fed. The watchdog stays where it
 * is until watchdog_stop(). One a process. Borrows log. -1 with *err set when the system gives no timer. */
int watchdog_start(struct watchdog *w, const struct log *log, struct err *err);

/* The loop has come round, and begins what may take limit_ms (real; 0: as long as it likes): doing (a literal) names it. Later than that the process
 * logs "hung" with a backtrace on stderr and ends with WATCHDOG_EXIT_CODE; a process that was frozen past its limit gets a tenth of it again, since it was
 * not its fault. Called by the thread that started it. */
void watchdog_feed(struct watchdog *w, int64_t limit_ms, const char *doing);

/* Ends watching. Not having been started is fine. */
void watchdog_stop(struct watchdog *w);

#endif
