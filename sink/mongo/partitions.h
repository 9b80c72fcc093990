/* partitions.h - the sink's own table of the partitions it has, and how far it is in each.
 *
 * librdkafka's idea of assignment and position is not trusted (consumer.h says why): this table says what is ours, which
 * offset comes next, and whether we want it fetched now. A partition is fetched only while it is in librdkafka's assignment, to which it is
 * added with an explicit offset, always the table's own. One owner: the poll thread. */
#ifndef MILLRACE_SINK_MONGO_PARTITIONS_H
#define MILLRACE_SINK_MONGO_PARTITIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/metrics.h"
#include "sink/mongo/ledger.h"
#include "sink/mongo/settings.h"

enum { PARTITIONS_MAX = 1024 };

enum partition_state {
	PARTITION_AWAY,    /* somebody else's */
	PARTITION_ASKING,  /* ours; the committed offset is not known yet */
	PARTITION_OWNED,   /* ours, and the ledger says where to go on */
	PARTITION_REFUSED, /* ours, but what is committed belongs to topics of another epoch */
};

/* The span of this partition in a batch that is being filled. */
struct partition_place {
	uint64_t batch_number; /* of the last batch for a collection that took a record of this partition; 0: none yet */
	uint32_t span;
};

struct partition {
	enum sink_topic topic;
	int32_t id;
	enum partition_state state;
	uint64_t generation;   /* counts assignments: what comes back late from an earlier one is known by it */
	bool fetched;          /* stands in librdkafka's assignment */
	bool from_beginning;   /* begins at the earliest offset there is, whatever that is; else at ledger.next */
	int64_t held_until_mono_ms; /* not fetched before: its next record has a schema nobody here knows; 0: not held */
	bool complained;       /* of that, since it was assigned */
	bool leaving;          /* is being revoked: see consumer.h */
	struct ledger ledger;
	int64_t committed;     /* what Kafka has, as far as we know; -1: nothing */
	struct partition_place places[NR_SINK_COLLECTIONS];
	struct metric *lag, *lag_seconds; /* NULL while it is away */
	int64_t measured_ms;   /* when its lag was measured first; 0: not yet. Virtual time, as the next one */
	int64_t level_ms;      /* when it last had none; 0: not since it was assigned */
};

struct partitions {
	struct partition *by_id[NR_SINK_TOPICS][PARTITIONS_MAX]; /* NULL: never seen */
};

/* The partition, made when it was never seen. NULL with *err set: an id out of range, or memory is short. */
struct partition *partitions_get(struct partitions *p, enum sink_topic topic, int32_t id, struct err *err);

/* The partition, or NULL when it was never seen. */
struct partition *partitions_find(const struct partitions *p, enum sink_topic topic, int32_t id);

/* Walks all partitions that were ever seen: *at starts at 0; NULL ends. */
struct partition *partitions_next(const struct partitions *p, size_t *at);

/* How many are in this state. */
size_t partitions_count(const struct partitions *p, enum partition_state state);

/* It has become ours: a new generation, nothing known. */
void partition_assign(struct partition *part);

/* Its committed offset is known: begin there (-1: at the earliest). */
void partition_begin(struct partition *part, int64_t offset);

/* It is ours no longer. The lag's metric is the caller's to remove before. */
void partition_revoke(struct partition *part);

/* Frees the table's content. */
void partitions_fini(struct partitions *p);

#endif
