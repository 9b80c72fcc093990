/* topics.h - the topics of one cell as the processor uses them, and the inputs among their partitions.
 *
 * An input is a partition whose records are read: of the samples' topic or of the events'. Inside, inputs have numbers in [0, topics_inputs()): first the
 * samples' partitions, then the events'. Topic and partition are told from the number at the edges alone: where Kafka is spoken to, and where people
 * read. What an input emits goes to the partition of its own number in its topic, so both have the same in the topics that they share. */
#ifndef MILLRACE_PROCESSOR_TOPICS_H
#define MILLRACE_PROCESSOR_TOPICS_H

#include <librdkafka/rdkafka.h>

#include "common/err.h"
#include "common/kafka.h"

enum input_kind { INPUT_SAMPLES, INPUT_EVENTS, NR_INPUT_KINDS };

struct cell_topics {
	char cell[KAFKA_TOPIC_SIZE]; /* its name */
	char samples[KAFKA_TOPIC_SIZE], samples_state[KAFKA_TOPIC_SIZE], events[KAFKA_TOPIC_SIZE], events_state[KAFKA_TOPIC_SIZE];
	char minutely[KAFKA_TOPIC_SIZE], hourly[KAFKA_TOPIC_SIZE], exemplars[KAFKA_TOPIC_SIZE], alerts[KAFKA_TOPIC_SIZE];
	int64_t epoch;
	int32_t partitions; /* of each of them */
};

/* Where an input's records and its state stand. The names are the topics'. */
struct input {
	enum input_kind kind;
	const char *topic, *state;
	int32_t partition; /* in both, and in what it is emitted to */
};

/* Fills in the names. */
void topics_name(struct cell_topics *topics, const char *cell);

/* How many inputs there are, where each topic has so many partitions. */
static inline int32_t topics_inputs(int32_t partitions)
{
	return NR_INPUT_KINDS * partitions;
}

/* The input of a number below topics_inputs(). */
struct input topics_input(const struct cell_topics *topics, int32_t number);

/* The number of the input that a partition is, by its topic (NULL: no topic) or by that of its state; -1: it is none. */
int32_t topics_number(const struct cell_topics *topics, const char *topic, int32_t partition);
int32_t topics_state_number(const struct cell_topics *topics, const char *state, int32_t partition); /* see above */

/* The same of what a message of the client's is about. */
int32_t topics_message_number(const struct cell_topics *topics, const rd_kafka_message_t *message);

/* "samples" or "events": a label for metrics. */
const char *topics_kind_name(enum input_kind kind);

#endif
