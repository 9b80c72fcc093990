/* metrics.h - counters and gauges in Prometheus' text format (exposition format 0.0.4).
 *
 * A metric is made once and kept as a handle; changing it is one atomic operation, from any thread. Making and rendering take a
 * mutex. Names are millrace_PROGRAM_WHAT_UNIT[_total], labels only cell, site, topic, partition, reason, kind. A handle may be
 * NULL (memory was short when it was made): all operations take that as a no-op, since a missing figure must not stop data. */
#ifndef MILLRACE_METRICS_H
#define MILLRACE_METRICS_H

#include <stdint.h>

#include "common/log.h"
#include "common/str.h"

struct metrics;
struct metric;

/* An empty registry; NULL when memory is short. Also registers process_resident_memory_bytes, process_cpu_seconds_total,
 * process_start_time_seconds, process_open_fds, read from /proc when rendered, and millrace_build_info. */
struct metrics *metrics_new(const char *program);

/* Frees the registry and all of its handles; NULL is a no-op. No thread may use them any more. */
void metrics_free(struct metrics *m);

/* The counter or gauge of this name and these labels, made when it is new. Varargs are label name, label value (const char *,
 * copied, any bytes), .. ended by NULL; at most 4 pairs. help is borrowed for ever. The same name must keep its type. */
struct metric *metrics_counter(struct metrics *m, const char *name, const char *help, ...) __attribute__((sentinel));
struct metric *metrics_gauge(struct metrics *m, const char *name, const char *help, ...) __attribute__((sentinel)); /* see above */

/* Drops one metric from the output (a partition that moved away); the handle must not be used again. */
void metrics_remove(struct metrics *m, struct metric *metric);

/* Adds to a counter. */
void metric_add(struct metric *metric, uint64_t n);

/* Sets a gauge. */
void metric_set(struct metric *metric, double value);

/* The present value, for tests and heartbeats; 0 for NULL. */
double metric_value(const struct metric *metric);

/* From now on millrace_log_suppressed_lines_total tells of this log, which is borrowed until metrics_free(). */
void metrics_follow_log(struct metrics *m, const struct log *log);

/* Appends the whole registry to out, HELP and TYPE lines included, sorted by name, then labels. */
void metrics_render(struct metrics *m, struct buf *out);

#endif
