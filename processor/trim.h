/* trim.h - deletes the snapshots that nobody will read again.
 *
 * Behind a committed checkpoint, all that lies before its partition's last but one snapshot goes (marks.h). Requests are batched and
 * answered while the loop turns; nothing waits for them, and nothing depends on them but the size of the topic. Not thread-safe: one owner. */
#ifndef MILLRACE_PROCESSOR_TRIM_H
#define MILLRACE_PROCESSOR_TRIM_H

#include <librdkafka/rdkafka.h>

#include "common/offset_meta.h"
#include "common/program.h"
#include "processor/conf.h"
#include "processor/stats.h"
#include "processor/topics.h"

struct trim;

/* What it works with; all borrowed. */
struct trim_parts {
	const struct program *program;
	const struct processor_conf *conf;
	const struct cell_topics *topics;
	struct stats *stats;
	rd_kafka_t *rk; /* of a client that outlives it: scout_client() */
};

/* NULL with ERR_FATAL when memory is short. */
struct trim *trim_new(const struct trim_parts *parts, struct err *err);

/* An answer that is still to come is not waited for. NULL is a no-op. */
void trim_free(struct trim *tr);

/* Notes that a checkpoint of a partition is known to be committed; see marks_committed(). NULL is a no-op. */
void trim_note(struct trim *tr, int32_t partition, const struct offset_meta *former, const struct offset_meta *present);

/* The partition is ours no more. NULL is a no-op. */
void trim_forget(struct trim *tr, int32_t partition);

/* Once a turn of the loop, behind the checkpoints: takes an answer, and asks when a checkpoint was noted since the turn before and the last
 * request is answered and state.trim_interval old. mono_ms: real time now. */
void trim_turn(struct trim *tr, int64_t mono_ms);

#endif
