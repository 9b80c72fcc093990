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

static int judge(const struct rd_kafka_metadata *metadata, const char *topic, int32_t partitions, struct err *err)
{
	const struct rd_kafka_metadata_topic *mt = metadata->topics;

	if (metadata->topic_cnt != 1 || mt->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || mt->partition_cnt == 0)
		return err_set(err, ERR_RETRY, "topic %s does not exist: run millrace-ctl topics apply", topic);
	if (mt->err != RD_KAFKA_RESP_ERR_NO_ERROR)
		return kafka_code(err, mt->err, topic);
	if (mt->partition_cnt != partitions)
		return err_set(err, ERR_REJECT, "topic %s has %d partitions, the cell's record says %d", topic, mt->partition_cnt, partitions);
	return 0;
}

int topics_check(rd_kafka_t *rk, const char *topic, int32_t partitions, int timeout_ms, struct err *err)
{
	rd_kafka_topic_t *rkt = rd_kafka_topic_new(rk, topic, NULL);
	const struct rd_kafka_metadata *metadata;
	rd_kafka_resp_err_t code;
	int rc;

	if (!rkt)
		return kafka_code(err, rd_kafka_last_error(), topic);
	code = rd_kafka_metadata(rk, 0, rkt, &metadata, timeout_ms);
	rd_kafka_topic_destroy(rkt);
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		return kafka_code(err, code, topic);
	rc = judge(metadata, topic, partitions, err);
	rd_kafka_metadata_destroy(metadata);
	return rc;
}
