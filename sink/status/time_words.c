/* time_words.c - see time_words.h.
 *
 * Hours are never local ones: readers of a status page live everywhere, and what a browser could convert needs a script. */
#include "sink/status/time_words.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "sink/status/escape.h"
#include "sink/status/verdict.h"

/* Names of months by table: strftime's are those of a locale. */
static const char *const months[] = {"January", "February", "March",     "April",   "May",      "June",
				     "July",    "August",   "September", "October", "November", "December"};

/* The time of day there, whatever the machine's zone. */
static struct tm utc(int64_t t_ms)
{
	time_t seconds = (time_t)(t_ms / 1000);
	struct tm tm = {0};

	gmtime_r(&seconds, &tm);
	return tm;
}

void time_words_stamp(struct buf *out, int64_t t_ms)
{
	struct tm tm = utc(t_ms);

	buf_printf(out, "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

/* The day only when it is another one, the year likewise: shorter is easier to read, and the element has all of it. */
static void at(struct buf *out, int64_t t_ms, int64_t now_ms, bool exact)
{
	struct tm tm = utc(t_ms), now = utc(now_ms);

	markup(out, "<time datetime=\"");
	time_words_stamp(out, t_ms);
	markup(out, "\">");
	if (tm.tm_year != now.tm_year)
		buf_printf(out, "%d %.3s %d, ", tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900);
	else if (tm.tm_yday != now.tm_yday)
		buf_printf(out, "%d %.3s, ", tm.tm_mday, months[tm.tm_mon]);
	buf_printf(out, "%02d:%02d", tm.tm_hour, tm.tm_min);
	if (exact)
		buf_printf(out, ":%02d", tm.tm_sec);
	markup(out, " UTC</time>");
}

void time_words_at(struct buf *out, int64_t t_ms, int64_t now_ms)
{
	at(out, t_ms, now_ms, false);
}

void time_words_exact(struct buf *out, int64_t t_ms, int64_t now_ms)
{
	at(out, t_ms, now_ms, true);
}

/* With blanks at which no line is broken: "2" at the end of one and "days ago" below it is hard to read. */
static void unbroken(struct buf *out, const char *words)
{
	for (; *words; words++)
		if (*words == ' ')
			markup(out, "\xc2\xa0");
		else
			buf_add(out, words, 1);
}

void time_words_ago(struct buf *out, int64_t t_ms, int64_t now_ms)
{
	char words[VERDICT_DURATION_SIZE], all[VERDICT_DURATION_SIZE + 8];
	int64_t ms = now_ms - t_ms;

	if (llabs(ms) < 1000)
		snprintf(all, sizeof(all), "just now");
	else if (ms > 0)
		snprintf(all, sizeof(all), "%s ago", verdict_duration(ms, words));
	else
		snprintf(all, sizeof(all), "in %s", verdict_duration(-ms, words));
	unbroken(out, all);
}

void time_words_month(struct buf *out, int64_t t_ms)
{
	struct tm tm = utc(t_ms);

	buf_printf(out, "%s %d", months[tm.tm_mon], tm.tm_year + 1900);
}

int64_t time_words_month_begin(int64_t t_ms)
{
	struct tm tm = utc(t_ms);

	tm.tm_mday = 1;
	tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
	return (int64_t)timegm(&tm) * 1000;
}
