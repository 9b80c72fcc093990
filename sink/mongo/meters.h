/* meters.h - the sink's figures, made once; each handle may be used by any thread. */
#ifndef MILLRACE_SINK_MONGO_METERS_H
#define MILLRACE_SINK_MONGO_METERS_H

#include "common/metrics.h"
#include "sink/mongo/breaker.h"
#include "sink/mongo/settings.h"
#include "sink/mongo/verdict.h"

struct meters {
	struct metrics *registry; /* borrowed */
	const char *cell;         /* borrowed */
	struct metric *consumed[NR_SINK_TOPICS]; /* records by what became of them; consumed is their sum, or more while some are open */
	struct metric *stored[NR_SINK_TOPICS], *already_stored[NR_SINK_TOPICS];
	struct metric *dead_lettered[NR_SINK_TOPICS], *dropped[NR_SINK_TOPICS];
	struct metric *cut_off[NR_SINK_TOPICS];  /* offsets that retention took before the sink came */
	struct metric *repeated[NR_SINK_TOPICS]; /* records below the position, skipped */
	struct metric *retries[NR_VERDICT_REASONS];
	struct metric *inserts, *insert_time;
	struct metric *breaker_state, *breaker_open[NR_BREAKER_REASONS], *breaker_openings; /* [0], no reason, is NULL */
	struct metric *batch_limit, *writers_limit, *latency, *reference_latency, *drainable_lag;
	struct metric *memory_budget, *inflight_bytes, *inflight_batches, *waiting_partitions, *braked, *paused;
};

/* Makes all handles in registry; cell and registry are borrowed. */
void meters_init(struct meters *m, struct metrics *registry, const char *cell);

/* The lag of one partition, in records and in seconds: made when it is assigned, dropped by metrics_remove() when it moves away. */
struct metric *meters_lag(struct meters *m, const char *topic, int32_t partition);
struct metric *meters_lag_seconds(struct meters *m, const char *topic, int32_t partition); /* see above */

#endif
