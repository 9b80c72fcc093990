/* stats.h - the processor's figures, by partition where they belong to one: by its number as an input (topics.h), shown as topic and partition.
 *
 * Counters stay when a partition moves away, gauges leave with it: a lag that nobody works on here must not be shown here. All calls take
 * a NULL pointer for "memory was short": a missing figure must not stop data. Not thread-safe but for what metrics.h says. */
#ifndef MILLRACE_PROCESSOR_STATS_H
#define MILLRACE_PROCESSOR_STATS_H

#include <stdint.h>

#include "common/metrics.h"
#include "common/str.h"
#include "processor/alert_outbox.h"
#include "processor/baseline.h"
#include "processor/exemplars.h"
#include "processor/pane.h"

/* Figures by partition. */
enum stats_partition {
	STATS_LAG_RECORDS, /* gauges from here ... */
	STATS_LAG_SECONDS,
	STATS_STATE_BYTES,
	STATS_MEMORY_BYTES,
	STATS_DEDUP_AGENTS,
	STATS_DEDUP_BYTES,
	STATS_REQUEST_KEYS,
	STATS_REQUEST_KEY_BYTES,
	STATS_BASELINES,
	STATS_BASELINE_BYTES,
	STATS_SERIES,
	STATS_WINDOWS,
	STATS_EXEMPLARS_HELD,
	STATS_ALERTS_OPEN,
	STATS_ALERTS_HELD_SERIES,
	STATS_CHECK_INS, /* ... to here */
	STATS_SAMPLES,
	STATS_EVENTS,
	STATS_LATE,
	STATS_OVERFLOW_SAMPLES,
	STATS_DUPLICATES,
	STATS_DUPLICATE_SAMPLES,
	STATS_DUPLICATE_EVENTS,
	STATS_UNREMEMBERED,
	STATS_UNREMEMBERED_KEYS,
	STATS_DEAD_LETTERS,
	STATS_GAP_RECORDS,
	STATS_CHECKPOINTS,
	STATS_TRIMMED,
	STATS_UNKNOWN_WINDOWS,
	NR_STATS_PARTITION
};

/* Figures of the instance. */
enum stats_instance {
	STATS_PARTITIONS_ASSIGNED, /* gauges from here ... */
	STATS_PARTITIONS_RUNNING,
	STATS_PARTITIONS_REFUSED,
	STATS_CHECKPOINT_SECONDS,
	STATS_RESTORE_SECONDS,
	STATS_READING_HELD,
	STATS_CROWDED,
	STATS_UNFLUSHABLE_LIMIT,
	STATS_TRIGGERS, /* ... to here */
	STATS_RECORDS,
	STATS_REBALANCES,
	STATS_REFETCHES,
	STATS_UNKNOWN_OUTCOMES,
	STATS_TRIMS_FAILED,
	NR_STATS_INSTANCE
};

struct stats;

/* Figures in metrics, which is borrowed, of all inputs of a cell whose topics have so many partitions. NULL when memory is short. */
struct stats *stats_new(struct metrics *metrics, int32_t partitions);

/* The metrics themselves stay in their registry; NULL is a no-op. */
void stats_free(struct stats *s);

/* Adds to a counter, or sets a gauge, of a partition. */
void stats_add(struct stats *s, enum stats_partition what, int32_t partition, uint64_t n);
void stats_set(struct stats *s, enum stats_partition what, int32_t partition, double value); /* see above */

/* Adds to a counter, or sets a gauge, of the instance. */
void stats_count(struct stats *s, enum stats_instance what, uint64_t n);
void stats_gauge(struct stats *s, enum stats_instance what, double value); /* see above */

/* A committed checkpoint of a partition emitted this pane's windows. */
void stats_fragments(struct stats *s, int32_t partition, const struct pane *pane);

/* Exemplars of a kind that a committed checkpoint of a partition emitted; and events that none was made of. */
void stats_exemplars(struct stats *s, int32_t partition, enum exemplar_kind kind, uint64_t n);
void stats_exemplars_dropped(struct stats *s, int32_t partition, enum exemplar_kind kind, uint64_t n); /* see above */

/* What a committed checkpoint of a partition told of alerts. */
void stats_alert_events(struct stats *s, int32_t partition, enum alert_event_kind kind, uint64_t n);

/* Cumulative points of a partition that came to a verdict. */
void stats_points(struct stats *s, int32_t partition, enum baseline_verdict verdict, uint64_t n);

/* Payloads of a site that never came, by what its agents say of themselves. */
void stats_gaps(struct stats *s, struct str site, uint64_t n);

/* A transaction came to nothing; reason: the client's name of the error. */
void stats_abort(struct stats *s, const char *reason);

/* Memory of a kind: what it may take and what it takes, each negative when it is not known. */
void stats_memory(struct stats *s, const char *kind, double budget_bytes, double used_bytes);

/* The partition has moved away: its gauges go. */
void stats_forget(struct stats *s, int32_t partition);

#endif
