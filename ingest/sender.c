/* sender.c - see sender.h. */
#include "ingest/sender.h"

#include <math.h>
#include <stddef.h>

enum { DIGITS_MAX = 15 }; /* a time with more lies 30,000 years ahead; with these nothing below can overflow */

/* Digits only: a header's value has no sign, no blanks, no fraction. */
static int read_time(const char *name, const char *text, int64_t *out, struct refusal *no)
{
	size_t n = 0;

	*out = 0;
	for (; text[n] >= '0' && text[n] <= '9' && n < DIGITS_MAX; n++)
		*out = *out * 10 + (text[n] - '0');
	if (n == 0 || text[n])
		return refuse(no, REASON_BAD_HEADER, "%s is %.40s; milliseconds since the epoch are expected", name, text);
	return 0;
}

int64_t sender_skew_step_ms(const struct clock *clock)
{
	return clock->test && clock->speed > 1 ? SENDER_SKEW_STEP_MS * (int64_t)ceil(clock->speed) : SENDER_SKEW_STEP_MS;
}

int sender_read(const char *sent_at, const char *created_at, int64_t received_at_ms, int64_t step_ms, struct sender *out, struct refusal *no)
{
	int64_t sent_at_ms, skew_ms;

	*out = (struct sender){.traffic = TRAFFIC_LIVE, .has_created_at = created_at != NULL};
	if (created_at && read_time("Millrace-Created-At", created_at, &out->created_at_ms, no) < 0)
		return -1;
	if (!sent_at)
		return 0;
	if (read_time("Millrace-Sent-At", sent_at, &sent_at_ms, no) < 0)
		return -1;
	if (created_at && sent_at_ms - out->created_at_ms > SENDER_BACKLOG_MS)
		out->traffic = TRAFFIC_BACKLOG;
	skew_ms = received_at_ms - sent_at_ms;
	out->shift_ms = skew_ms / step_ms * step_ms; /* towards zero: below one step there is none */
	return 0;
}
