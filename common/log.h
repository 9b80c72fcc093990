/* log.h - one line an event, key=value or JSON, to standard error.
 *
 * Programs log, library code returns errors; each failure is logged once. A line is an event (a fixed word to search by) and
 * typed fields, so that both formats come from the same call and no value can break a line:
 *     log_warn(log, "record_rejected", LOG_STR("topic", topic), LOG_INT("offset", offset), LOG_STR("error", err.msg));
 * Secrets and contents of payloads never go into a field; ids do. Any thread may log; a line is one write(2).
 *
 * Of each event word of each level only so many lines come in a time (log_limit.h); a line tells by a field "suppressed" how many of its
 * event were kept back before it, and when none comes any more a line "lines_suppressed" does. Lines of level debug are all written: who
 * asks for them looks for something. */
#ifndef MILLRACE_LOG_H
#define MILLRACE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "common/log_limit.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

enum log_type { LOG_TYPE_END, LOG_TYPE_NONE, LOG_TYPE_STR, LOG_TYPE_INT, LOG_TYPE_UINT, LOG_TYPE_NUM, LOG_TYPE_BOOL };

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
#define LOG_NONE ((struct log_field){.type = LOG_TYPE_NONE}) /* no field: where one is not known */
#define LOG_BOOL(k, x) ((struct log_field){.key = (k), .type = LOG_TYPE_BOOL, .v.boolean = (x)})

/* Constant once the program has started; embedded in struct program. */
struct log {
	int fd; /* where lines go; 2 unless a test says otherwise */
	enum log_level level; /* lines below it are not written */
	bool json;
	const char *program; /* borrowed; a field of each line */
	char instance[64];   /* likewise; empty: no such field */
	struct log_limit *limit; /* borrowed; NULL: every line is written */
};

/* Writes one line, if the limit lets it: time (UTC, wall clock), level, program, instance, event, then fields up to the one of type LOG_TYPE_END.
 * Strings that are not UTF-8 are escaped; a line is cut at 8 KiB. Prefer the macros below. */
void log_write(const struct log *log, enum log_level level, const char *event, const struct log_field *fields);

/* A line that would come at every turn of a loop for as long as the failure lasts: what the event has told within the last 10 s, field for field, is
 * kept back. */
void log_write_repeat(const struct log *log, enum log_level level, const char *event, const struct log_field *fields);

/* Likewise, where the caller knows better which lines say the same: they have the same about, which is not 0. */
void log_write_about(const struct log *log, enum log_level level, const char *event, uint64_t about, const struct log_field *fields);

/* The about of what text says; not 0. */
uint64_t log_about(const char *text);

/* To be called about once a second: tells of lines that were kept back, where the event has had none for 10 s. */
void log_tick(const struct log *log);

/* Tells of all lines that were kept back and that no line has told of: before the program ends. */
void log_flush(const struct log *log);

/* Lines that were kept back since the start; millrace_log_suppressed_lines_total. */
uint64_t log_suppressed_lines(const struct log *log);

/* At least one field each. */
#define log_debug(l, event, ...) log_write(l, LOG_LEVEL_DEBUG, event, (const struct log_field[]){__VA_ARGS__, {0}})
#define log_info(l, event, ...) log_write(l, LOG_LEVEL_INFO, event, (const struct log_field[]){__VA_ARGS__, {0}})
#define log_warn(l, event, ...) log_write(l, LOG_LEVEL_WARN, event, (const struct log_field[]){__VA_ARGS__, {0}})
#define log_error(l, event, ...) log_write(l, LOG_LEVEL_ERROR, event, (const struct log_field[]){__VA_ARGS__, {0}})
#define log_repeat(l, event, ...) log_write_repeat(l, LOG_LEVEL_WARN, event, (const struct log_field[]){__VA_ARGS__, {0}})
#define log_repeat_about(l, event, about, ...) \
	log_write_about(l, LOG_LEVEL_WARN, event, about, (const struct log_field[]){__VA_ARGS__, {0}})

#endif
