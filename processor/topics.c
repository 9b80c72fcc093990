/* topics.c - see topics.h.
 *
 * A partition's number must mean the same in all topics of a cell: fragments and state go to the partition of their source. */
#include "processor/topics.h"

#include <stdio.h>
#include <string.h>

void topics_name(struct cell_topics *topics, const char *cell)
{
	snprintf(topics->cell, sizeof(topics->cell), "%s", cell);
	kafka_cell_topic(topics->samples, cell, "samples");
	kafka_cell_topic(topics->samples_state, cell, "samples-state");
	kafka_cell_topic(topics->events, cell, "events");
	kafka_cell_topic(topics->events_state, cell, "events-state");
	kafka_cell_topic(topics->minutely, cell, "minutely");
	kafka_cell_topic(topics->hourly, cell, "hourly");
	kafka_cell_topic(topics->exemplars, cell, "exemplars");
	kafka_cell_topic(topics->alerts, cell, "alerts");
}

struct input topics_input(const struct cell_topics *topics, int32_t number)
{
	if (number < topics->partitions)
		return (struct input){INPUT_SAMPLES, topics->samples, topics->samples_state, number};
	return (struct input){INPUT_EVENTS, topics->events, topics->events_state, number - topics->partitions};
}

/* The number of a partition in one of two topics. */
static int32_t number_in(const struct cell_topics *topics, const char *samples, const char *events, const char *topic, int32_t partition)
{
	if (!topic || partition < 0 || partition >= topics->partitions)
		return -1;
	if (strcmp(topic, samples) == 0)
		return partition;
	return strcmp(topic, events) == 0 ? topics->partitions + partition : -1;
}

int32_t topics_number(const struct cell_topics *topics, const char *topic, int32_t partition)
{
	return number_in(topics, topics->samples, topics->events, topic, partition);
}

int32_t topics_state_number(const struct cell_topics *topics, const char *state, int32_t partition)
{
	return number_in(topics, topics->samples_state, topics->events_state, state, partition);
}

int32_t topics_message_number(const struct cell_topics *topics, const rd_kafka_message_t *message)
{
	return topics_number(topics, message->rkt ? rd_kafka_topic_name(message->rkt) : NULL, message->partition);
}

const char *topics_kind_name(enum input_kind kind)
{
	return kind == INPUT_SAMPLES ? "samples" : "events";
}
