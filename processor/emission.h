/* emission.h - what stands in a checkpoint's transaction: fragments, exemplars, alerts' events, dead letters, snapshots, offsets.
 *
 * For each partition, in this order: its closed windows, its exemplars, its alerts' events, its dead letters, its whole state in chunks. Then, when all of that is acknowledged, the offsets with the
 * metadata that ties them to their snapshots. Nothing of a task is changed but its attempt, which says what the transaction holds. */
#ifndef MILLRACE_PROCESSOR_EMISSION_H
#define MILLRACE_PROCESSOR_EMISSION_H

#include "processor/task.h"
#include "processor/txn.h"

/* Scratch memory and what it works with, all borrowed. Starts with the first three set and the rest zeroed. */
struct emission {
	struct txn *txn;
	const struct cell_topics *topics;
	size_t chunk_bytes;
	bool pinned;          /* Aggregates are: asked when a transaction is filled */
	size_t waiting_bytes; /* handed to the producer since it was flushed */
	struct buf snapshot, record;
};

/* One partition in a transaction. */
struct emission_part {
	struct task *task;
	struct txn_delivery first_chunk;
	size_t pane, window; /* of the outbox: the next to be emitted */
};

/* Frees the scratch memory. */
void emission_fini(struct emission *e);

/* Fills the open transaction with all parts, and offsets with an element each. -1: ERR_RETRY, the transaction must be aborted; ERR_FATAL, memory. */
int emission_fill(struct emission *e, struct emission_part *parts, size_t nr, rd_kafka_topic_partition_list_t *offsets,
		  const rd_kafka_consumer_group_metadata_t *group, struct err *err);

/* Appends the offset of an input, by its number, with its metadata to list. -1 with ERR_FATAL when memory is short. */
int emission_add_offset(rd_kafka_topic_partition_list_t *list, const struct cell_topics *topics, int32_t number, int64_t offset,
			const struct offset_meta *meta, struct err *err);

#endif
