/* clock.h - the only way to read time.
 *
 * Virtual time is what the data lives in: event times, windows, ages, expiries. In production it is the wall clock; under
 * --test-clock it is start_ms + (real - real_ms) * speed, the same line for all programs of a stack, so that an hour of
 * windows can be tested in a minute. Real time is for the machinery: position commits, batching, backoff, heartbeats.
 * All times are int64_t milliseconds since the epoch, UTC. A struct clock is constant once filled: any thread may read it. */
#ifndef MILLRACE_CLOCK_H
#define MILLRACE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

struct clock {
	bool test;        /* false: virtual time is the wall clock */
	int64_t start_ms; /* virtual time at real_ms */
	int64_t real_ms;  /* wall clock at which virtual time was start_ms */
	double speed;     /* virtual milliseconds per real one */
};

#define CLOCK_MINUTE_MS INT64_C(60000)
#define CLOCK_HOUR_MS INT64_C(3600000)

/* Virtual time now. */
int64_t clock_now_ms(const struct clock *c);

/* The wall clock mapped to virtual time: what a timestamp stamped by Kafka or by another machine's wall clock means here. */
int64_t clock_map_ms(const struct clock *c, int64_t wall_ms);

/* The wall clock itself, real also under a test clock. */
int64_t clock_wall_ms(void);

/* A real clock that never jumps, for durations and deadlines; the same as CLOCK_MONOTONIC, for timed waits. */
int64_t clock_mono_ms(void);

/* Real milliseconds that a virtual duration takes (rounded up): how long to wait. */
int64_t clock_real_duration_ms(const struct clock *c, int64_t virtual_ms);

enum { CLOCK_ISO_SIZE = 32 };

/* Writes t_ms as "2018-04-19T23:14:00.000Z" into out (at least CLOCK_ISO_SIZE bytes) and returns out. Years 1970 to 9999;
 * outside of them the number itself. */
char *clock_iso(int64_t t_ms, char *out, size_t size);

#endif
