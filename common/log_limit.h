/* log_limit.h - how many lines of an event a log may have.
 *
 * A flood of bad requests, or a loop that fails at every turn, must not become a flood of lines. Each event word of each level has a bucket: burst
 * lines, refilled at a rate. A line may also say that it repeats: what the event has told within the last 10 s it does not tell again. What is
 * kept back is counted and never forgotten: the event's next line tells how many were, and after the flood log_limit_overdue() does.
 * Any thread; a call holds a mutex for a short walk, and never while anything is written. */
#ifndef MILLRACE_LOG_LIMIT_H
#define MILLRACE_LOG_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

enum {
	LOG_LIMIT_EVENTS = 256,     /* distinct (level, event) that have a bucket of their own; those beyond share the last one */
	LOG_LIMIT_WORD = 48,        /* an event word with its NUL; a longer one counts as its beginning */
	LOG_LIMIT_SAID = 16,        /* different texts of an event that are known to have been told */
	LOG_LIMIT_REPEAT_MS = 10000 /* for how long; and how long after the last line kept back a flood is over */
};

struct log_limit;

/* What became of lines: those of event, at level, that nobody has been told of yet. */
struct log_kept_back {
	char event[LOG_LIMIT_WORD];
	int level;
	uint64_t lines;
};

/* burst lines at once, then per_s a second (both at least 1; per_s at most 1000). NULL when memory is short. */
struct log_limit *log_limit_new(int64_t burst, int64_t per_s);
void log_limit_free(struct log_limit *l); /* NULL is a no-op */

/* May a line of the event be written now? False: it is counted as kept back. True: *kept_back is how many of it were since the caller was last told,
 * and the caller must tell. about: a hash of what the line says if it is one that repeats, else 0. now_mono_ms: clock_mono_ms(). */
bool log_limit_take(struct log_limit *l, int level, const char *event, uint64_t about, int64_t now_mono_ms, uint64_t *kept_back);

/* Is there an event of which lines were kept back, the last one LOG_LIMIT_REPEAT_MS ago or earlier (all: whenever)? True: *out tells of it, and
 * the caller must tell; call again. */
bool log_limit_overdue(struct log_limit *l, bool all, int64_t now_mono_ms, struct log_kept_back *out);

/* All lines kept back since the start, told of or not. */
uint64_t log_limit_kept_back(struct log_limit *l);

#endif
