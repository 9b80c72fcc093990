/* topic_scan.h - reading one partition of a topic from somewhere to its end, record by record.
 *
 * For topics that are no tables: what does not fit into memory is looked at as it comes. Only committed records are shown. Blocking, with
 * deadlines. Not thread-safe. */
#ifndef MILLRACE_CTL_TOPIC_SCAN_H
#define MILLRACE_CTL_TOPIC_SCAN_H

#include <librdkafka/rdkafka.h>
#include <stdint.h>

#include "common/err.h"
#include "common/program.h"
#include "deploy/ctl/progress.h"

struct topic_scan;

/* A client of its own. Borrows p and progress, which may be NULL, until topic_scan_free(). NULL with *err set. */
struct topic_scan *topic_scan_new(const struct program *p, struct progress *progress, struct err *err);

/* Closes; NULL is a no-op. */
void topic_scan_free(struct topic_scan *s);

/* The offset of the first record that is not older than since_ms (Kafka's time; wall clock), and the one behind the last. ERR_RETRY when the
 * topic is not there (says what to run), or nobody answers. */
int topic_scan_bounds(struct topic_scan *s, const char *topic, int32_t partition, int64_t since_ms, int64_t *from, int64_t *to, struct err *err);

/* Takes a record; borrows it. 0 goes on, 1 ends the scan, -1 with *err set too. */
typedef int (*topic_scan_fn)(void *ctx, const rd_kafka_message_t *message, struct err *err);

/* Hands over the records of [from, to), in order; there may be fewer offsets than that. -1 with *err set: fn's, or ERR_RETRY. */
int topic_scan_read(struct topic_scan *s, const char *topic, int32_t partition, int64_t from, int64_t to, topic_scan_fn fn, void *ctx,
		    struct err *err);

#endif
