/* log_limit.c - see log_limit.h.
 *
 * A bucket holds time, not lines: a line costs a thousandth of a rate's second, and credit grows by what has passed. Whole milliseconds are
 * exact, so that no rounding adds a line in a million. Invariants:
 *  I1  Every line asked for is written or counted, and every count is handed out once: told + untold = kept_back.
 *  I2  A new event's bucket is full: its first line always comes.
 *  I3  Of an event, no more than burst + rate * time lines come within any time, repeats or not.
 *
 * Programs have far fewer event words than the table has rows (tests/style/test_log_words.py counts them), so that the shared last row is for a
 * mistake only, and a linear walk over rows in use is short. Words are compared by content: the same literal has an address in each file. */
#include "common/log_limit.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* A text that was written lately. */
struct said {
	uint64_t about; /* 0: free */
	int64_t at_mono_ms;
};

struct row {
	char event[LOG_LIMIT_WORD];
	int level;
	int64_t credit_us, at_mono_ms; /* what was in the bucket then */
	int64_t kept_back_mono_ms;     /* the last line that was */
	uint64_t untold;
	struct said said[LOG_LIMIT_SAID];
};

struct log_limit {
	pthread_mutex_t lock; /* over all below */
	int64_t cost_us, full_us;
	uint64_t kept_back;
	size_t nr;
	struct row rows[LOG_LIMIT_EVENTS];
};

struct log_limit *log_limit_new(int64_t burst, int64_t per_s)
{
	struct log_limit *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	pthread_mutex_init(&l->lock, NULL);
	l->cost_us = (1000000 + per_s - 1) / per_s; /* upwards: I3 */
	l->full_us = burst * l->cost_us;
	return l;
}

void log_limit_free(struct log_limit *l)
{
	if (!l)
		return;
	pthread_mutex_destroy(&l->lock);
	free(l);
}

static struct row *row_of(struct log_limit *l, int level, const char *event, int64_t now_mono_ms)
{
	struct row *row;

	for (size_t i = 0; i < l->nr; i++)
		if (l->rows[i].level == level && strncmp(l->rows[i].event, event, LOG_LIMIT_WORD - 1) == 0)
			return &l->rows[i];
	if (l->nr == LOG_LIMIT_EVENTS)
		return &l->rows[l->nr - 1];
	row = &l->rows[l->nr++];
	strncpy(row->event, event, LOG_LIMIT_WORD - 1); /* the rest is zero already */
	row->level = level;
	row->credit_us = l->full_us;
	row->at_mono_ms = now_mono_ms;
	return row;
}

/* Lets time flow into the bucket. Threads may come with the time in another order than that of the lock: what one takes out of it by coming late,
 * the next brings back. */
static void refill(const struct log_limit *l, struct row *row, int64_t now_mono_ms)
{
	int64_t missing_us = l->full_us - row->credit_us, passed_ms = now_mono_ms - row->at_mono_ms;

	row->credit_us = passed_ms > missing_us / 1000 ? l->full_us : row->credit_us + passed_ms * 1000;
	row->at_mono_ms = now_mono_ms;
}

/* Where the text stands, or else the one that was told the longest ago. */
static struct said *said_of(struct row *row, uint64_t about)
{
	struct said *oldest = &row->said[0];

	for (size_t i = 0; i < LOG_LIMIT_SAID; i++) {
		if (row->said[i].about == about)
			return &row->said[i];
		if (row->said[i].about == 0 || (oldest->about && row->said[i].at_mono_ms < oldest->at_mono_ms))
			oldest = &row->said[i];
	}
	return oldest;
}

static bool take(struct log_limit *l, struct row *row, uint64_t about, int64_t now_mono_ms)
{
	struct said *said = about ? said_of(row, about) : NULL;

	refill(l, row, now_mono_ms);
	if (said && said->about == about && now_mono_ms - said->at_mono_ms < LOG_LIMIT_REPEAT_MS)
		return false;
	if (row->credit_us < l->cost_us)
		return false;
	row->credit_us -= l->cost_us;
	if (said)
		*said = (struct said){about, now_mono_ms};
	return true;
}

bool log_limit_take(struct log_limit *l, int level, const char *event, uint64_t about, int64_t now_mono_ms, uint64_t *kept_back)
{
	struct row *row;
	bool taken;

	pthread_mutex_lock(&l->lock);
	row = row_of(l, level, event, now_mono_ms);
	taken = take(l, row, about, now_mono_ms);
	if (taken) {
		*kept_back = row->untold;
		row->untold = 0;
	} else {
		row->untold++;
		row->kept_back_mono_ms = now_mono_ms;
		l->kept_back++;
	}
	pthread_mutex_unlock(&l->lock);
	return taken;
}

bool log_limit_overdue(struct log_limit *l, bool all, int64_t now_mono_ms, struct log_kept_back *out)
{
	bool found = false;

	pthread_mutex_lock(&l->lock);
	for (size_t i = 0; i < l->nr && !found; i++) {
		struct row *row = &l->rows[i];

		if (row->untold == 0 || (!all && now_mono_ms - row->kept_back_mono_ms < LOG_LIMIT_REPEAT_MS))
			continue;
		memcpy(out->event, row->event, sizeof(out->event));
		out->level = row->level;
		out->lines = row->untold;
		row->untold = 0;
		found = true;
	}
	pthread_mutex_unlock(&l->lock);
	return found;
}

uint64_t log_limit_kept_back(struct log_limit *l)
{
	uint64_t lines;

	pthread_mutex_lock(&l->lock);
	lines = l->kept_back;
	pthread_mutex_unlock(&l->lock);
	return lines;
}
