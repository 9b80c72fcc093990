/* words.c - see words.h.
 *
 * A time is told with its duration, as readers live in other zones than the page; a recovery that is not known is said to be not known. */
#include "sink/status/words.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "sink/status/verdict.h"

enum { HOUR_SIZE = 64 };

#define DAY_MS INT64_C(86400000)

static const char *const months[] = {"January", "February", "March",     "April",   "May",      "June",
				     "July",    "August",   "September", "October", "November", "December"};

/* "23:41 UTC"; with the day when it is not the day of now_ms. */
static const char *hour(int64_t t_ms, int64_t now_ms, char out[HOUR_SIZE])
{
	time_t seconds = (time_t)(t_ms / 1000);
	struct tm tm;

	gmtime_r(&seconds, &tm);
	if (t_ms / DAY_MS == now_ms / DAY_MS)
		snprintf(out, HOUR_SIZE, "%02d:%02d UTC", tm.tm_hour, tm.tm_min);
	else
		snprintf(out, HOUR_SIZE, "%02d:%02d UTC on %d %s", tm.tm_hour, tm.tm_min, tm.tm_mday, months[tm.tm_mon]);
	return out;
}

void words_title(struct buf *out, const struct status_component *leader)
{
	struct str id = leader->id;
	struct str title = leader->title;

	if (str_take(&id, "storage/")) {
		str_take(&title, "Storage, ");
		buf_printf(out, "Storing data in " STR_FMT " is delayed", STR_ARG(title));
	} else if (str_eq(id, STR("push"))) {
		buf_printf(out, leader->state == COMPONENT_STATE_MAJOR_OUTAGE ? "The Push API does not take data" : "The Push API takes only a part of the data");
	} else if (str_eq(id, STR("processing"))) {
		buf_printf(out, "Processing is delayed");
	} else if (str_eq(id, STR("alerts"))) {
		buf_printf(out, "Alerts are delayed");
	} else {
		buf_printf(out, "Notifications are delayed");
	}
}

int64_t words_recovery_at(const struct status_component *const *components, size_t nr, int64_t now_ms)
{
	int64_t latest = 0;

	for (size_t i = 0; i < nr; i++) {
		const struct status_component *c = components[i];

		if (c->state <= COMPONENT_STATE_MAINTENANCE || c->waiting_records <= 0)
			continue;
		if (c->recovery_ms < 0)
			return 0;
		if (now_ms + c->recovery_ms > latest)
			latest = now_ms + c->recovery_ms;
	}
	return latest;
}

/* A full minute at least: what is over in seconds is over when it is read. */
static void expect(struct buf *out, int64_t recovery_at, int64_t now_ms)
{
	char at[HOUR_SIZE], in[VERDICT_DURATION_SIZE];
	int64_t in_ms = recovery_at - now_ms;

	if (!recovery_at)
		buf_printf(out, " When it will be over is not known yet.");
	else
		buf_printf(out, " It is expected to be over at about %s, in %s.", hour(recovery_at, now_ms, at), verdict_duration(in_ms < 60000 ? 60000 : in_ms, in));
}

static void details(struct buf *out, const struct status_component *const *components, size_t nr)
{
	bool first = true;

	for (size_t i = 0; i < nr; i++) {
		if (components[i]->state <= COMPONENT_STATE_MAINTENANCE || !components[i]->detail.len)
			continue;
		buf_printf(out, "%s" STR_FMT, first ? "" : " ", STR_ARG(components[i]->detail));
		first = false;
	}
}

void words_trouble(struct buf *out, const struct status_component *const *components, size_t nr, int64_t now_ms, bool still)
{
	if (still)
		buf_printf(out, "It goes on. ");
	details(out, components, nr);
	expect(out, words_recovery_at(components, nr, now_ms), now_ms);
}

void words_recovering(struct buf *out, const struct status_component *const *components, size_t nr, int64_t now_ms)
{
	buf_printf(out, "It is becoming less. ");
	details(out, components, nr);
	expect(out, words_recovery_at(components, nr, now_ms), now_ms);
}

void words_over(struct buf *out, const struct status_component *const *components, size_t nr, int64_t since_ms)
{
	char at[HOUR_SIZE];
	int64_t lost = 0;
	bool waits = false;

	for (size_t i = 0; i < nr; i++) {
		struct str id = components[i]->id;

		lost += components[i]->lost_records;
		waits |= !str_eq(id, STR("push"));
	}
	buf_printf(out, "It has been over since %s.", hour(since_ms, since_ms, at));
	if (lost)
		buf_printf(out, " %" PRId64 " record%s expired before %s read.", lost, lost == 1 ? "" : "s", lost == 1 ? "it was" : "they were");
	else if (waits)
		buf_printf(out, " All that waited has been taken, and nothing was lost.");
	else
		buf_printf(out, " What agents have kept meanwhile comes in now.");
}
