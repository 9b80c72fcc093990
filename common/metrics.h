/* metrics.h - counters and gauges in Prometheus' text format (exposition format 0.0.4).
 *
 * schemas/metrics.txt is the one list of metrics: type, meaning and label names come from there, and what is not in it is refused: NULL, and
 * millrace_metrics_refused_total counts. A metric is made once and kept as a handle; changing it is one atomic operation, from any thread.
 * Making and rendering take a mutex. A handle may be NULL (refused, or memory was short when it was made): all operations take that as a no-op,
 * since a missing figure must not stop data. */
#ifndef MILLRACE_METRICS_H
#define MILLRACE_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "common/log.h"
#include "common/str.h"

struct metrics;
struct metric;

enum { METRIC_LABELS_MAX = 4 };

/* METRIC_SECONDS: a counter whose name ends in _seconds_total; exact to the nanosecond, for 500 years. */
enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_SECONDS };

/* A row of the list: labels sorted by name, NULL behind the last one unless there are METRIC_LABELS_MAX. */
struct metric_row {
	const char *name, *meaning;
	enum metric_type type;
	const char *labels[METRIC_LABELS_MAX];
};

/* An empty registry; NULL when memory is short. Also registers process_resident_memory_bytes, process_cpu_seconds_total,
 * process_start_time_seconds, process_open_fds, read from /proc when rendered, and millrace_build_info. */
struct metrics *metrics_new(const char *program);

/* The same for tests that make metrics of their own: these rows count as listed too. Borrows own until metrics_free(). */
struct metrics *metrics_new_with(const char *program, const struct metric_row *own, size_t nr_own);

/* Frees the registry and all of its handles; NULL is a no-op. No thread may use them any more. */
void metrics_free(struct metrics *m);

/* The counter or gauge of this name and these labels, made when it is new. Varargs are label name, label value (const char *,
 * copied, any bytes), .. in any order, ended by NULL. NULL when the list has no such name, or has it with another type or other labels. */
struct metric *metrics_counter(struct metrics *m, const char *name, ...) __attribute__((sentinel));
struct metric *metrics_gauge(struct metrics *m, const char *name, ...) __attribute__((sentinel)); /* see above */

/* Drops one metric from the output (a partition that moved away); the handle must not be used again. */
void metrics_remove(struct metrics *m, struct metric *metric);

/* Adds to a counter, in its unit. */
void metric_add(struct metric *metric, uint64_t n);

/* Adds milliseconds to a counter of seconds. */
void metric_add_ms(struct metric *metric, uint64_t ms);

/* Sets a gauge. */
void metric_set(struct metric *metric, double value);

/* The present value in its unit, for tests and heartbeats; 0 for NULL. */
double metric_value(const struct metric *metric);

/* From now on millrace_log_suppressed_lines_total tells of this log, which is borrowed until metrics_free(). */
void metrics_follow_log(struct metrics *m, const struct log *log);

/* Appends the whole registry to out, HELP and TYPE lines included, sorted by name, then labels. */
void metrics_render(struct metrics *m, struct buf *out);

#endif
