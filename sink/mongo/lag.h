/* lag.h - how far behind the sink is, partition by partition, also while it does not read.
 *
 * The lag counts offsets from the oldest record that is not settled to the end that a reader of committed records sees; in seconds it is the age of
 * that record. One owner: the poll thread. */
#ifndef MILLRACE_SINK_MONGO_LAG_H
#define MILLRACE_SINK_MONGO_LAG_H

#include <librdkafka/rdkafka.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/err.h"
#include "sink/mongo/partitions.h"

struct lag;

/* Borrows all arguments until lag_free(); topics: full names by enum sink_topic. NULL with *err set when memory is short. */
struct lag *lag_new(rd_kafka_t *rk, struct partitions *parts, const char *const *topics, const struct clock *clock,
		    struct err *err);

/* Frees; NULL is a no-op. */
void lag_free(struct lag *l);

/* Virtual time of the oldest record of a partition, not level, that is not settled, or the best bound: see lag.c. */
int64_t lag_oldest_ms(const struct partition *part, const struct clock *clock);

/* Sets the lag of every partition that is ours, once a second. May block for a second when partitions are not fetched and Kafka
 * does not answer, at most every five. */
void lag_measure(struct lag *l);

/* The lags as last measured, added up. */
int64_t lag_total(const struct lag *l);

#endif
