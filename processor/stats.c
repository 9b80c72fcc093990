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
	const char *name, *help;
	bool gauge;
};

static const struct figure_spec by_partition[NR_STATS_PARTITION] = {
	[STATS_LAG_RECORDS] = {"millrace_processor_lag_records", "Records between the position and the partition's end.", true},
	[STATS_LAG_SECONDS] = {"millrace_processor_lag_seconds", "Event time between the watermark and now, 0 at the partition's end.", true},
	[STATS_STATE_BYTES] = {"millrace_processor_snapshot_bytes", "Size of the last snapshot.", true},
	[STATS_MEMORY_BYTES] = {"millrace_processor_state_bytes", "Memory that the state takes now.", true},
	[STATS_DEDUP_AGENTS] = {"millrace_processor_dedup_agents", "Agents whose payloads are remembered.", true},
	[STATS_DEDUP_BYTES] = {"millrace_processor_dedup_bytes", "Memory that they take.", true},
	[STATS_REQUEST_KEYS] = {"millrace_processor_request_keys", "Idempotency-Keys that are remembered.", true},
	[STATS_REQUEST_KEY_BYTES] = {"millrace_processor_request_keys_bytes", "Memory that they take.", true},
	[STATS_BASELINES] = {"millrace_processor_baselines", "Series whose last cumulative point is known.", true},
	[STATS_BASELINE_BYTES] = {"millrace_processor_baselines_bytes", "Memory that these points take.", true},
	[STATS_SERIES] = {"millrace_processor_series", "Series that are known, those of windows on their way out included.", true},
	[STATS_WINDOWS] = {"millrace_processor_windows", "Windows in memory, those on their way out included.", true},
	[STATS_EXEMPLARS_HELD] = {"millrace_processor_exemplars_held", "Exemplars in memory, those on their way out included.", true},
	[STATS_ALERTS_OPEN] = {"millrace_processor_alerts_open", "Alerts that are open.", true},
	[STATS_ALERTS_HELD_SERIES] = {"millrace_processor_alerts_held_series", "Series, by trigger, that are watched for their absence.", true},
	[STATS_CHECK_INS] = {"millrace_processor_check_ins", "Jobs whose check-ins are remembered.", true},
	[STATS_SAMPLES] = {"millrace_processor_samples_total", "Samples counted.", false},
	[STATS_EVENTS] = {"millrace_processor_events_total", "Events taken, be an exemplar made of them or not.", false},
	[STATS_LATE] = {"millrace_processor_late_samples_total", "Samples, or events, whose minute had been closed.", false},
	[STATS_OVERFLOW_SAMPLES] = {"millrace_processor_overflow_samples_total",
				    "Samples counted in the __overflow__ series of their site, as their own was new and over a cap.", false},
	[STATS_DUPLICATES] = {"millrace_processor_duplicates_total", "Records that had been counted before, and were dropped.", false},
	[STATS_DUPLICATE_SAMPLES] = {"millrace_processor_duplicate_samples_total", "Samples in them.", false},
	[STATS_DUPLICATE_EVENTS] = {"millrace_processor_duplicate_events_total", "Events in them.", false},
	[STATS_UNREMEMBERED] = {"millrace_processor_unremembered_agents_total",
				"Records counted without being remembered, as their site has too many agents.", false},
	[STATS_UNREMEMBERED_KEYS] = {"millrace_processor_unremembered_keys_total",
				     "Records counted without being remembered, as their site has too many Idempotency-Keys.", false},
	[STATS_DEAD_LETTERS] = {"millrace_processor_dead_letters_total", "Records that could not be processed.", false},
	[STATS_GAP_RECORDS] = {"millrace_processor_gap_records_total", "Records that the broker did not have any more when they were due.", false},
	[STATS_CHECKPOINTS] = {"millrace_processor_checkpoints_total", "Checkpoints committed.", false},
	[STATS_TRIMMED] = {"millrace_processor_trimmed_records_total",
			   "Offsets by which the state topic's beginning has moved on, from the second deletion in an assignment on.", false},
	[STATS_UNKNOWN_MINUTES] = {"millrace_processor_alerts_unknown_minutes_total",
				   "Minutes of alerts, one by one, that could not be judged: a route changed, ingest was closed, data waited at agents, "
				   "nobody listened, memory was short, or the trigger was muted.", false},
};

static const struct figure_spec by_instance[NR_STATS_INSTANCE] = {
	[STATS_PARTITIONS_ASSIGNED] = {"millrace_processor_partitions_assigned", "Partitions, of samples and of events, that are this instance's.", true},
	[STATS_PARTITIONS_RUNNING] = {"millrace_processor_partitions_running", "Of these, the ones that read.", true},
	[STATS_PARTITIONS_REFUSED] = {"millrace_processor_partitions_refused", "Of these, the ones whose state must not be used.", true},
	[STATS_CHECKPOINT_SECONDS] = {"millrace_processor_checkpoint_seconds", "Duration of the last transaction.", true},
	[STATS_RESTORE_SECONDS] = {"millrace_processor_restore_seconds", "From assignment to the first record, of the last partition restored.", true},
	[STATS_READING_HELD] = {"millrace_processor_reading_held", "1 while nothing is read, as what would make room in memory cannot be committed.", true},
	[STATS_CROWDED] = {"millrace_processor_state_crowded", "1 while what no flush frees is more than half of the state's share.", true},
	[STATS_TRIGGERS] = {"millrace_processor_triggers", "Triggers of this cell's sites that minutes are judged by.", true},
	[STATS_RECORDS] = {"millrace_processor_records_total", "Records taken.", false},
	[STATS_REBALANCES] = {"millrace_processor_rebalances_total", "Rebalance callbacks.", false},
	[STATS_REFETCHES] = {"millrace_processor_refetches_total", "Records that were fetched again because one was missing.", false},
	[STATS_UNKNOWN_OUTCOMES] = {"millrace_processor_unknown_outcomes_total", "Transactions whose outcome had to be asked for.", false},
	[STATS_TRIMS_FAILED] = {"millrace_processor_trims_failed_total", "Deletions of old snapshots that came to nothing.", false},
};

enum { SITES_MAX = 1000 };

static const struct site_figure by_site[] = {
	{"millrace_processor_gap_payloads_total", "Payloads that an agent numbered and never delivered: lost on the customer's side."},
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
		s->instance[i] = by_instance[i].gauge ? metrics_gauge(metrics, by_instance[i].name, by_instance[i].help, NULL)
						      : metrics_counter(metrics, by_instance[i].name, by_instance[i].help, NULL);
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
		*slot = spec->gauge ? metrics_gauge(s->metrics, spec->name, spec->help, "topic", l.topic, "partition", l.partition, NULL)
				    : metrics_counter(s->metrics, spec->name, spec->help, "topic", l.topic, "partition", l.partition, NULL);
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
		*slot = metrics_counter(s->metrics, "millrace_processor_fragments_total", "Fragments committed.", "partition", l.partition,
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
		*slot = metrics_counter(s->metrics, "millrace_processor_cumulative_points_total",
					"Cumulative points, by what they came to against the last one of their series.", "topic", l.topic, "partition", l.partition,
					"reason", baseline_verdict_name(verdict), NULL);
	metric_add(*slot, n);
}

/* Adds to a counter of an input's exemplars. */
static void add_exemplars(struct stats *s, int32_t partition, struct metric **slot, const char *name, const char *help, enum exemplar_kind kind,
			  uint64_t n)
{
	struct labels l = labels_of(s, partition);

	if (!*slot)
		*slot = metrics_counter(s->metrics, name, help, "topic", l.topic, "partition", l.partition, "kind", exemplar_kind_name(kind), NULL);
	metric_add(*slot, n);
}

void stats_exemplars(struct stats *s, int32_t partition, enum exemplar_kind kind, uint64_t n)
{
	if (s && n && partition >= 0 && partition < s->nr)
		add_exemplars(s, partition, &s->by_input[partition].exemplars[kind], "millrace_processor_exemplars_total", "Exemplars committed.", kind, n);
}

void stats_exemplars_dropped(struct stats *s, int32_t partition, enum exemplar_kind kind, uint64_t n)
{
	if (s && n && partition >= 0 && partition < s->nr)
		add_exemplars(s, partition, &s->by_input[partition].dropped[kind], "millrace_processor_exemplars_dropped_total",
			      "Events beyond those that stand for their group and minute, or too large for a record.", kind, n);
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
		*slot = metrics_counter(s->metrics, "millrace_processor_alert_events_total", "What was told of alerts, committed.", "topic", l.topic,
					"partition", l.partition, "kind", alert_event_kind_name(kind), NULL);
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
		metric_add(metrics_counter(s->metrics, "millrace_processor_aborts_total", "Transactions that came to nothing.", "reason", reason,
					   NULL), 1);
}

void stats_memory(struct stats *s, const char *kind, double budget_bytes, double used_bytes)
{
	if (s && budget_bytes >= 0)
		metric_set(metrics_gauge(s->metrics, "millrace_processor_memory_budget_bytes", "What of memory.budget a kind of memory may take.", "kind",
					 kind, NULL), budget_bytes);
	if (s && used_bytes >= 0)
		metric_set(metrics_gauge(s->metrics, "millrace_processor_memory_bytes", "What a kind of memory takes now.", "kind", kind, NULL),
			   used_bytes);
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
