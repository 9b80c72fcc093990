/* log.h - one line an event, key=value or JSON, to standard error.
 *
 * Programs log, library code returns errors; each failure is logged once. A line is an event (a fixed word to search by) and
 * typed fields, so that both formats come from the same call and no value can break a line:
 *     log_warn(log, "record_rejected", LOG_STR("topic", topic), LOG_INT("offset", offset), LOG_STR("error", err.msg));
 * Secrets never go into a field. Any thread may log; a line is one write(2). */
#ifndef MILLRACE_LOG_H
#define MILLRACE_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

enum log_type { LOG_TYPE_END, LOG_TYPE_STR, LOG_TYPE_INT, LOG_TYPE_UINT, LOG_TYPE_NUM, LOG_TYPE_BOOL };

struct log_field {
	const char *key;
	enum log_type type;
	union {
		const char *str; /* NULL is written as empty */
		int64_t integer;
		uint64_t uinteger;
		double number;
		bool boolean;
	} v;
};

#define LOG_STR(k, x) ((struct log_field){.key = (k), .type = LOG_TYPE_STR, .v.str = (x)})
#define LOG_INT(k, x) ((struct log_field){.key = (k), .type = LOG_TYPE_INT, .v.integer = (x)})
#define LOG_UINT(k, x) ((struct log_field){.key = (k), .type = LOG_TYPE_UINT, .v.uinteger = (x)})
#define LOG_NUM(k, x) ((struct log_field){.key = (k), .type = LOG_TYPE_NUM, .v.number = (x)})
#define LOG_BOOL(k, x) ((struct log_field){.key = (k), .type = LOG_TYPE_BOOL, .v.boolean = (x)})

/* Constant once the program has started; embedded in struct program. */
struct log {
	int fd; /* where lines go; 2 unless a test says otherwise */
	enum log_level level; /* lines below it are not written */
	bool json;
	const char *program; /* borrowed; a field of each line */
	char instance[64];   /* likewise; empty: no such field */
};

/* Writes one line: time (UTC, wall clock), level, program, instance, event, then fields up to the one of type LOG_TYPE_END.
 * Strings that are not UTF-8 are escaped; a line is cut at 8 KiB. Prefer the macros below. */
void log_write(const struct log *log, enum log_level level, const char *event, const struct log_field *fields);

/* Keeps a failure that a loop outlives from being logged at every turn. Zeroed is ready; not thread-safe: one owner. */
struct log_repeat {
	char text[512];
	int64_t mono_ms;
};

/* Is text another one than last time, or has it not been told for 10 s? True: log it now; it is remembered. now_mono_ms: clock_mono_ms(). */
bool log_repeat_due(struct log_repeat *r, const char *text, int64_t now_mono_ms);

/* At least one field each. */
#define log_debug(l, event, ...) log_write(l, LOG_LEVEL_DEBUG, event, (const struct log_field[]){__VA_ARGS__, {0}})
#define log_info(l, event, ...) log_write(l, LOG_LEVEL_INFO, event, (const struct log_field[]){__VA_ARGS__, {0}})
#define log_warn(l, event, ...) log_write(l, LOG_LEVEL_WARN, event, (const struct log_field[]){__VA_ARGS__, {0}})
#define log_error(l, event, ...) log_write(l, LOG_LEVEL_ERROR, event, (const struct log_field[]){__VA_ARGS__, {0}})

#endif
