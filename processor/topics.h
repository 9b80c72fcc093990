/* topics.h - the topics of one cell as the processor uses them. */
#ifndef MILLRACE_PROCESSOR_TOPICS_H
#define MILLRACE_PROCESSOR_TOPICS_H

#include <librdkafka/rdkafka.h>

#include "common/err.h"
#include "common/kafka.h"

struct cell_topics {
	char cell[KAFKA_TOPIC_SIZE]; /* its name */
	char samples[KAFKA_TOPIC_SIZE], minutely[KAFKA_TOPIC_SIZE], hourly[KAFKA_TOPIC_SIZE], state[KAFKA_TOPIC_SIZE];
	int64_t epoch;
	int32_t partitions; /* of each of them */
};

#define TOPIC_DEADLETTER "millrace.deadletter"

/* Fills in the names. */
void topics_name(struct cell_topics *topics, const char *cell);

/* Asks the brokers whether topic is there with so many partitions, up to timeout_ms (real). Also makes the client know its leaders, without which the first
 * message would be up to a second late. ERR_RETRY when it is not there (yet); ERR_REJECT when the number differs. */
int topics_check(rd_kafka_t *rk, const char *topic, int32_t partitions, int timeout_ms, struct err *err);

#endif
