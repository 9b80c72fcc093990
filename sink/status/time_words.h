/* time_words.h - times as a page tells them: for a reader the hour and how long ago, for a program RFC 3339, always UTC.
 *
 * Pure: now is the page's, so equal pages are equal bytes. All append to out. */
#ifndef MILLRACE_STATUS_TIME_WORDS_H
#define MILLRACE_STATUS_TIME_WORDS_H

#include <stdint.h>

#include "common/str.h"

/* "14:02 UTC"; of another day than now's "26 Nov, 14:02 UTC", of another year "26 Nov 2025, 14:02 UTC"; in a <time>. */
void time_words_at(struct buf *out, int64_t t_ms, int64_t now_ms);

/* The same with seconds. */
void time_words_exact(struct buf *out, int64_t t_ms, int64_t now_ms);

/* "4 s ago", "in 12 min", "just now" below a second either way; with no-break spaces. No markup. */
void time_words_ago(struct buf *out, int64_t t_ms, int64_t now_ms);

/* "November 2026". No markup. */
void time_words_month(struct buf *out, int64_t t_ms);

/* The first millisecond of t's month. */
int64_t time_words_month_begin(int64_t t_ms);

/* RFC 3339 with "Z", to the second: "2026-11-27T14:02:38Z". No markup. */
void time_words_stamp(struct buf *out, int64_t t_ms);

#endif
