/* replicas.c - see replicas.h. */
#include "ingest/replicas.h"

#include <string.h>

#define PREFIX "millrace."

int64_t replicas_missing(const struct rd_kafka_metadata *metadata)
{
	int64_t missing = 0;

	for (int i = 0; i < metadata->topic_cnt; i++) {
		const struct rd_kafka_metadata_topic *topic = &metadata->topics[i];

		if (strncmp(topic->topic, PREFIX, sizeof(PREFIX) - 1) != 0)
			continue;
		for (int k = 0; k < topic->partition_cnt; k++)
			missing += topic->partitions[k].isr_cnt < topic->partitions[k].replica_cnt;
	}
	return missing;
}

int64_t replicas_ask(rd_kafka_t *rk, int timeout_ms)
{
	const struct rd_kafka_metadata *metadata;
	int64_t missing;

	if (rd_kafka_metadata(rk, 1, NULL, &metadata, timeout_ms) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return -1;
	missing = replicas_missing(metadata);
	rd_kafka_metadata_destroy(metadata);
	return missing;
}
