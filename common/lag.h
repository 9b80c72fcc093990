/* lag.h - how far the consumer groups of the cells are behind their topics.
 *
 * Lag is counted in records: the end of a partition as read_committed readers see it, minus what the group
 * has committed. A partition without a commit lags by all that it holds. In a topic written by transactions
 * the end counts control records too, so that a group which has read everything may show 1.
 *
 * Lost is what lies between a commit and a beginning behind it. One record there in a topic that is written by transactions is a control
 * record that nobody reads, and counts as nothing: a topic that was quiet for as long as its retention would be told as a loss. */
#ifndef MILLRACE_LAG_H
#define MILLRACE_LAG_H

#include <librdkafka/rdkafka.h>
#include <stddef.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/err.h"
#include "common/kafka.h"
#include "common/str.h"
#include "common/topic_list.h"

enum { LAG_GROUPS = 3 }; /* of a cell */

struct lag_partition {
	const char *topic; /* without "millrace.c.CELL." */
	int32_t partition;
	int32_t leader;    /* the broker that has it; -1: none */
	int64_t committed; /* -1: none */
	struct str metadata; /* beside it; empty: none */
	int64_t begin, end;
	int64_t lag;       /* records; never negative */
	int64_t lost;      /* records that were cut before the group had read them; as of its next commit they are nobody's any more */
	int64_t age_ms;    /* of the oldest unread record, virtual; 0: nothing is unread; -1: not known. lag_age.h */
	int64_t retention_ms; /* of the topic, real; -1: for ever, or not known */
	int64_t left_ms;   /* until retention cuts the oldest unread record, if the group stood still, real; -1: never, or not known */
	const char *fault; /* why it could not be asked; lag is 0 then. NULL: it could */
};

struct lag_group {
	const char *name;    /* "millrace-processor-main" */
	const char *program; /* "processor", "sink" or "notify" */
	struct str cell;
	struct lag_partition *partitions; /* by topic, in the order of the table of topics, then by number */
	size_t nr;
	int64_t total, lost;
	const struct lag_partition *worst;  /* most records behind. NULL: no lag anywhere */
	const struct lag_partition *oldest; /* with the oldest unread record. NULL: none is known */
	const struct lag_partition *next;   /* whose record is cut next. NULL: none, or not known */
	size_t nr_unknown; /* partitions that are behind and whose oldest record's age is not known */
};

/* A cell's groups, out[0] the processor's, out[1] the sink's, out[2] the notifier's, which keeps its place in alerts there: which of the cell's topics each
 * reads, and the partitions that are there. Everything lives in arena. */
int lag_plan(struct str cell, const struct topic_list *topics, struct arena *arena, struct lag_group out[LAG_GROUPS], struct err *err);

/* Asks Kafka for the groups' commits and the partitions' ends, and fills in the rest; metadata lives in arena. rk: any consumer with a group.id (lag.c says why). What cannot be asked
 * of one partition, broker or group becomes a fault; -1 only when nothing could. A broker that hangs costs 10 s, twice if it
 * is a group's coordinator, too. */
int lag_read(rd_kafka_t *rk, struct lag_group *groups, size_t nr, struct arena *arena, struct err *err);

/* Computes lag, lost, total and worst from committed, begin and end; of the ages nothing is known then. */
void lag_sum(struct lag_group *group);

/* The part of a topic's name behind "millrace.c.CELL.", or NULL when it is none of this cell's. */
const char *lag_topic_of_cell(const char *topic, struct str cell);

/* Writes the whole name of a partition's topic into out and returns out. */
const char *lag_topic_name(const struct lag_group *group, const struct lag_partition *p, char out[KAFKA_TOPIC_SIZE]);

#endif
