/* retention.h - how long Kafka keeps the records of the topics that a program reads, as a metric.
 *
 * What is not read within that time is lost, so a lag in seconds means something only beside it. Brokers are asked without waiting for them: at
 * the start, and every ten minutes, as an operator may change it at any time. Where Kafka has ACLs this takes DescribeConfigs of the topics.
 * Not thread-safe: one owner. */
#ifndef MILLRACE_RETENTION_H
#define MILLRACE_RETENTION_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/metrics.h"
#include "common/program.h"

enum { RETENTION_TOPICS_MAX = 8 };

struct retention;

/* Of topics of p's cell by their names ("samples"), at most RETENTION_TOPICS_MAX, each a gauge metric{topic=..}: the name, or the topic's whole
 * name when whole. rk: any client, asked with, not otherwise touched. Borrows all but names' array until retention_free(). NULL with *err set
 * when memory is short. */
struct retention *retention_new(const struct program *p, rd_kafka_t *rk, struct metrics *metrics, const char *metric, bool whole,
				const char *const *names, size_t nr, struct err *err);

/* Before rk is closed; NULL is a no-op. */
void retention_free(struct retention *r);

/* Asks when it is due, and takes what has been answered; never waits. A failure is logged once while it lasts, and what was known stays. Often. */
void retention_turn(struct retention *r, int64_t mono_ms);

/* An answer about one topic (its whole name): its cleanup.policy and retention.ms, as texts; NULL: not told. A topic that nothing is deleted
 * from, or that has no limit, loses its metric. False, and nothing changes: not one of ours, or not to be understood. For the above, and tests. */
bool retention_take(struct retention *r, const char *topic, const char *policy, const char *retention_ms);

#endif
