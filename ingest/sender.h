/* sender.h - what the sender's clock says: the two headers of a native payload.
 *
 * Millrace-Sent-At is the sender's time at this attempt, Millrace-Created-At repeats the payload's created_at; both are milliseconds since
 * the epoch. Their difference, by one and the same clock, tells backlog from live data before a byte of the body is read. And what
 * Sent-At differs from our time is the sender's skew, by which its samples are shifted (schemas/README.md, "Identity"). Pure. */
#ifndef MILLRACE_INGEST_SENDER_H
#define MILLRACE_INGEST_SENDER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/clock.h"
#include "ingest/budget.h"
#include "ingest/refusal.h"

#define SENDER_BACKLOG_MS INT64_C(120000) /* a payload that was sent so much later than it was made is backlog */
#define SENDER_SKEW_STEP_MS INT64_C(30000) /* clocks that differ by less are taken as right */

struct sender {
	enum traffic traffic;
	bool has_created_at;
	int64_t created_at_ms; /* as the header says it */
	int64_t shift_ms;      /* to be added to the sender's times; 0: its clock is right */
};

/* Below which difference a sender's clock is taken as right. On an accelerated test clock that is as much more: what a request takes on its
 * way is real time, and seconds of it must not look like minutes of a wrong clock. */
int64_t sender_skew_step_ms(const struct clock *clock);

/* Reads the headers (NULL: absent) of a request received at received_at_ms; shifts are multiples of step_ms, as above. Refuses what is no
 * time with bad_header. */
int sender_read(const char *sent_at, const char *created_at, int64_t received_at_ms, int64_t step_ms, struct sender *out, struct refusal *no);

#endif
