/* stats.c - see stats.h.
 *
 * Handles are made at their first use and kept, as looking one up takes the registry's lock. A gauge that was removed is made anew when its
 * partition comes back. */
#include "processor/stats.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/site_metrics.h"
#include "processor/topics.h"

struct figure_spec {
	const char *name;
	bool gauge;
};

static const struct figure_spec by_partition[NR_STATS_PARTITION] = {
	[STATS_LAG_RECORDS] = {"millrace_processor_lag_records", true},
	[STATS_LAG_SECONDS] = {"millrace_processor_lag_seconds", true},
	[STATS_STATE_BYTES] = {"millrace_processor_snapshot_bytes", true},
	[STATS_MEMORY_BYTES] = {"millrace_processor_state_bytes", true},
	[STATS_DEDUP_AGENTS] = {"millrace_processor_dedup_agents", true},
	[STATS_DEDUP_BYTES] = {"millrace_processor_dedup_bytes", true},
	[STATS_REQUEST_KEYS] = {"millrace_processor_request_keys", true},
	[STATS_REQUEST_KEY_BYTES] = {"millrace_processor_request_keys_bytes", true},
	[STATS_BASELINES] = {"millrace_processor_baselines", true},
	[STATS_BASELINE_BYTES] = {"millrace_processor_baselines_bytes", true},
	[STATS_SERIES] = {"millrace_processor_series", true},
	[STATS_WINDOWS] = {"millrace_processor_windows", true},
	[STATS_EXEMPLARS_HELD] = {"millrace_processor_exemplars_held", true},
	[STATS_ALERTS_OPEN] = {"millrace_processor_alerts_open", true},
	[STATS_ALERTS_HELD_SERIES] = {"millrace_processor_alerts_held_series", true},
	[STATS_CHECK_INS] = {"millrace_processor_check_ins", true},
	[STATS_SAMPLES] = {"millrace_processor_samples_total", false},
	[STATS_EVENTS] = {"millrace_processor_events_total", false},
	[STATS_LATE] = {"millrace_processor_late_samples_total", false},
	[STATS_OVERFLOW_SAMPLES] = {"millrace_processor_overflow_samples_total", false},
	[STATS_DUPLICATES] = {"millrace_processor_duplicates_total", false},
	[STATS_DUPLICATE_SAMPLES] = {"millrace_processor_duplicate_samples_total", false},
	[STATS_DUPLICATE_EVENTS] = {"millrace_processor_duplicate_events_total", false},
	[STATS_UNREMEMBERED] = {"millrace_processor_unremembered_agents_total", false},
	[STATS_UNREMEMBERED_KEYS] = {"millrace_processor_unremembered_keys_total", false},
	[STATS_DEAD_LETTERS] = {"millrace_processor_dead_letters_total", false},
	[STATS_GAP_RECORDS] = {"millrace_processor_gap_records_total", false},
	[STATS_CHECKPOINTS] = {"millrace_processor_checkpoints_total", false},
	[STATS_TRIMMED] = {"millrace_processor_trimmed_records_total", false},
	[STATS_UNKNOWN_WINDOWS] = {"millrace_processor_alerts_unknown_windows_total", false},
};

static const struct figure_spec by_instance[NR_STATS_INSTANCE] = {
	[STATS_PARTITIONS_ASSIGNED] = {"millrace_processor_partitions_assigned", true},
	[STATS_PARTITIONS_RUNNING] = {"millrace_processor_partitions_running", true},
	[STATS_PARTITIONS_REFUSED] = {"millrace_processor_partitions_refused", true},
	[STATS_CHECKPOINT_SECONDS] = {"millrace_processor_checkpoint_seconds", true},
	[STATS_RESTORE_SECONDS] = {"millrace_processor_restore_seconds", true},
	[STATS_READING_HELD] = {"millrace_processor_reading_held", true},
	[STATS_CROWDED] = {"millrace_processor_state_crowded", true},
	[STATS_UNFLUSHABLE_LIMIT] = {"millrace_processor_unflushable_limit_bytes", true},
	[STATS_TRIGGERS] = {"millrace_processor_triggers", true},
	[STATS_RECORDS] = {"millrace_processor_records_total", false},
	[STATS_REBALANCES] = {"millrace_processor_rebalances_total", false},
	[STATS_REFETCHES] = {"millrace_processor_refetches_total", false},
	[STATS_UNKNOWN_OUTCOMES] = {"millrace_processor_unknown_outcomes_total", false},
	[STATS_TRIMS_FAILED] = {"millrace_processor_trims_failed_total", false},
};

enum { SITES_MAX = 1000 };

static const char *const by_site[] = {
	"millrace_processor_gap_payloads_total",
};

/* Handles of one partition; NULL: not made yet, or memory was short. */
struct partition_stats {
	struct metric *figures[NR_STATS_PARTITION];
	struct metric *fragments[NR_PANE_CLASSES][2]; /* [1]: flushed */
	struct metric *points[NR_BASELINE_VERDICTS];
	struct metric *exemplars[NR_EXEMPLAR_KINDS], *dropped[NR_EXEMPLAR_KINDS], *alert_events[NR_ALERT_EVENT_KINDS];
};

struct stats {
	struct metrics *metrics;
	struct metric *instance[NR_STATS_INSTANCE];
	struct site_metrics *sites;
	int32_t partitions; /* of a topic */
	int32_t nr;         /* inputs */
	struct partition_stats by_input[];
};

struct stats *stats_new(struct metrics *metrics, int32_t partitions)
{
	struct stats *s = calloc(1, sizeof(*s) + (size_t)topics_inputs(partitions) * sizeof(s->by_input[0]));

	if (!s)
		return NULL;
	s->metrics = metrics;
	s->sites = site_metrics_new(metrics, by_site, sizeof(by_site) / sizeof(by_site[0]), SITES_MAX);
	s->partitions = partitions;
	s->nr = topics_inputs(partitions);
	for (size_t i = 0; i < NR_STATS_INSTANCE; i++)
		s->instance[i] = by_instance[i].gauge ? metrics_gauge(metrics, by_instance[i].name, NULL)
						      : metrics_counter(metrics, by_instance[i].name, NULL);
	return s;
}

void stats_free(struct stats *s)
{
	if (!s)
		return;
	site_metrics_free(s->sites);
	free(s);
}

/* What an input's figures are labelled with. */
struct labels {
	const char *topic;
	char partition[16];
};

static struct labels labels_of(const struct stats *s, int32_t number)
{
	struct labels l = {.topic = topics_kind_name(number < s->partitions ? INPUT_SAMPLES : INPUT_EVENTS)};

	snprintf(l.partition, sizeof(l.partition), "%" PRId32, number % s->partitions);
	return l;
}

/* The handle of a partition's figure, made at its first use. */
static struct metric *partition_metric(struct stats *s, enum stats_partition what, int32_t partition)
{
	const struct figure_spec *spec = &by_partition[what];
	struct metric **slot;
	struct labels l;

	if (!s || partition < 0 || partition >= s->nr)
		return NULL;
	slot = &s->by_input[partition].figures[what];
	if (!*slot) {
		l = labels_of(s, partition);
		*slot = spec->gauge ? metrics_gauge(s->metrics, spec->name, "topic", l.topic, "partition", l.partition, NULL)
				    : metrics_counter(s->metrics, spec->name, "topic", l.topic, "partition", l.partition, NULL);
	}
	return *slot;
}

void stats_add(struct stats *s, enum stats_partition what, int32_t partition, uint64_t n)
{
	metric_add(partition_metric(s, what, partition), n);
}

void stats_set(struct stats *s, enum stats_partition what, int32_t partition, double value)
{
	metric_set(partition_metric(s, what, partition), value);
}

void stats_count(struct stats *s, enum stats_instance what, uint64_t n)
{
	metric_add(s ? s->instance[what] : NULL, n);
}

void stats_gauge(struct stats *s, enum stats_instance what, double value)
{
	metric_set(s ? s->instance[what] : NULL, value);
}

void stats_fragments(struct stats *s, int32_t partition, const struct pane *pane)
{
	struct metric **slot;
	struct labels l;

	if (!s || partition < 0 || partition >= s->nr)
		return;
	slot = &s->by_input[partition].fragments[pane->class][pane->flushed];
	l = labels_of(s, partition);
	if (!*slot)
		*slot = metrics_counter(s->metrics, "millrace_processor_fragments_total", "partition", l.partition,
					"topic", pane_length_ms(pane->class) == pane_length_ms(PANE_MINUTE) ? "minutely" : "hourly",
					"reason", pane->flushed ? "budget" : pane_is_late(pane->class) ? "late" : "due", NULL);
	metric_add(*slot, pane->len);
}

void stats_points(struct stats *s, int32_t partition, enum baseline_verdict verdict, uint64_t n)
{
	struct metric **slot;
	struct labels l;

	if (!s || !n || partition < 0 || partition >= s->nr)
		return;
	slot = &s->by_input[partition].points[verdict];
	l = labels_of(s, partition);
	if (!*slot)
		*slot = metrics_counter(s->metrics, "millrace_processor_cumulative_points_total", "topic", l.topic, "partition", l.partition,
					"reason", baseline_verdict_name(verdict), NULL);
	metric_add(*slot, n);
}

/* Adds to a counter of an input's exemplars. */
static void add_exemplars(struct stats *s, int32_t partition, struct metric **slot, const char *name, enum exemplar_kind kind, uint64_t n)
{
	struct labels l = labels_of(s, partition);

	if (!*slot)
		*slot = metrics_counter(s->metrics, name, "topic", l.topic, "partition", l.partition, "kind", exemplar_kind_name(kind), NULL);
	metric_add(*slot, n);
}

void stats_exemplars(struct stats *s, int32_t partition, enum exemplar_kind kind, uint64_t n)
{
	if (s && n && partition >= 0 && partition < s->nr)
		add_exemplars(s, partition, &s->by_input[partition].exemplars[kind], "millrace_processor_exemplars_total", kind, n);
}

void stats_exemplars_dropped(struct stats *s, int32_t partition, enum exemplar_kind kind, uint64_t n)
{
	if (s && n && partition >= 0 && partition < s->nr)
		add_exemplars(s, partition, &s->by_input[partition].dropped[kind], "millrace_processor_exemplars_dropped_total", kind, n);
}

void stats_alert_events(struct stats *s, int32_t partition, enum alert_event_kind kind, uint64_t n)
{
	struct metric **slot;
	struct labels l;

	if (!s || !n || partition < 0 || partition >= s->nr)
		return;
	slot = &s->by_input[partition].alert_events[kind];
	l = labels_of(s, partition);
	if (!*slot)
		*slot = metrics_counter(s->metrics, "millrace_processor_alert_events_total", "topic", l.topic, "partition", l.partition,
					"kind", alert_event_kind_name(kind), NULL);
	metric_add(*slot, n);
}

void stats_gaps(struct stats *s, struct str site, uint64_t n)
{
	if (s && n)
		metric_add(site_metrics_get(s->sites, 0, site, NULL), n);
}

void stats_abort(struct stats *s, const char *reason)
{
	if (s)
		metric_add(metrics_counter(s->metrics, "millrace_processor_aborts_total", "reason", reason, NULL), 1);
}

void stats_memory(struct stats *s, const char *kind, double budget_bytes, double used_bytes)
{
	if (s && budget_bytes >= 0)
		metric_set(metrics_gauge(s->metrics, "millrace_processor_memory_budget_bytes", "kind", kind, NULL), budget_bytes);
	if (s && used_bytes >= 0)
		metric_set(metrics_gauge(s->metrics, "millrace_processor_memory_bytes", "kind", kind, NULL), used_bytes);
}

void stats_forget(struct stats *s, int32_t partition)
{
	if (!s || partition < 0 || partition >= s->nr)
		return;
	for (size_t i = 0; i < NR_STATS_PARTITION; i++) {
		struct metric **slot = &s->by_input[partition].figures[i];

		if (!by_partition[i].gauge || !*slot)
			continue;
		metrics_remove(s->metrics, *slot);
		*slot = NULL;
	}
}
