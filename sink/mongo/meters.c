/* meters.c - see meters.h.
 *
 * All of them exist from the start, at zero: a rate over a counter that appears with its first event misses that event. */
#include "sink/mongo/meters.h"

#include <stdio.h>

#include "common/kafka.h"

/* How the database is asked. */
static void init_pace(struct meters *m, struct metrics *registry)
{
	const struct { struct metric **to; const char *name, *help; } gauges[] = {
		{&m->breaker_state, "millrace_sink_breaker_state", "0 closed, 1 half-open, 2 open: nothing but probes is sent."},
		{&m->batch_limit, "millrace_sink_batch_limit_bytes", "Bytes of documents that an insert carries at most now."},
		{&m->writers_limit, "millrace_sink_concurrency_limit", "Inserts that may be under way at once now."},
		{&m->latency, "millrace_sink_insert_latency_seconds", "How long inserts take, moving average; 0: not known."},
		{&m->reference_latency, "millrace_sink_reference_latency_seconds",
		 "How long a small insert takes while no other is under way; 0: not known."},
		{&m->drainable_lag, "millrace_sink_drainable_lag_records",
		 "The lag, as far as more sinks could do something about it: 0 while the breaker is not closed or the cell is paused."},
	};

	for (size_t k = 0; k < sizeof(gauges) / sizeof(gauges[0]); k++)
		*gauges[k].to = metrics_gauge(registry, gauges[k].name, gauges[k].help, NULL);
	for (int i = VERDICT_REASON_NONE + 1; i < NR_BREAKER_REASONS; i++)
		m->breaker_open[i] = metrics_gauge(registry, "millrace_sink_breaker_open", "1: the breaker is not closed, for this reason.",
						   "reason", breaker_reason_name(i), NULL);
	m->breaker_openings = metrics_counter(registry, "millrace_sink_breaker_openings_total", "How often the breaker opened.", NULL);
	m->inserts = metrics_counter(registry, "millrace_sink_inserts_total", "Inserts that were answered by the database.", NULL);
	m->insert_ms = metrics_counter(registry, "millrace_sink_insert_milliseconds_total", "What they took, added up.", NULL);
}

void meters_init(struct meters *m, struct metrics *registry, const char *cell)
{
	*m = (struct meters){.registry = registry, .cell = cell};
	for (int i = 0; i < NR_SINK_TOPICS; i++) {
		const struct { struct metric **to; const char *name, *help; } rows[] = {
			{&m->consumed[i], "millrace_sink_consumed_total", "Records taken from Kafka."},
			{&m->stored[i], "millrace_sink_stored_total", "Documents stored by a majority."},
			{&m->already_stored[i], "millrace_sink_already_stored_total", "Documents that were there already."},
			{&m->dead_lettered[i], "millrace_sink_dead_lettered_total", "Records given to deadletter."},
			{&m->dropped[i], "millrace_sink_dropped_total", "Records dropped by a control."},
			{&m->cut_off[i], "millrace_sink_cut_off_total", "Offsets that retention removed before they were read."},
			{&m->repeated[i], "millrace_sink_repeated_total", "Records fetched again, and skipped."},
		};
		char topic[KAFKA_TOPIC_SIZE];

		kafka_cell_topic(topic, cell, sink_topic_name((enum sink_topic)i));
		for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++)
			*rows[k].to = metrics_counter(registry, rows[k].name, rows[k].help, "topic", topic, NULL);
	}
	for (int i = VERDICT_REASON_NONE + 1; i < NR_VERDICT_REASONS; i++)
		m->retries[i] = metrics_counter(registry, "millrace_sink_retries_total", "Inserts that had to be repeated.", "reason",
						verdict_reason_name((enum verdict_reason)i), NULL);
	init_pace(m, registry);
	m->inflight_bytes = metrics_gauge(registry, "millrace_sink_inflight_bytes",
					  "Memory of records and documents that are not stored yet.", NULL);
	m->inflight_batches = metrics_gauge(registry, "millrace_sink_inflight_batches", "Batches that are not stored yet.", NULL);
	m->waiting_partitions = metrics_gauge(registry, "millrace_sink_waiting_partitions",
					      "Partitions that wait for an operator: unknown schema id, or another epoch.", NULL);
	m->braked = metrics_gauge(registry, "millrace_sink_braked", "1 while fetching is paused, as the database cannot take more.", NULL);
	m->paused = metrics_gauge(registry, "millrace_sink_paused", "1 while an operator's control keeps the sink from fetching.", NULL);
}

struct metric *meters_lag(struct meters *m, const char *topic, int32_t partition)
{
	char number[16];

	snprintf(number, sizeof(number), "%d", (int)partition);
	return metrics_gauge(m->registry, "millrace_sink_lag_records", "Offsets from the oldest record not settled to the end.",
			     "topic", topic, "partition", number, NULL);
}
