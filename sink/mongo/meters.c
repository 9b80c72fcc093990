/* meters.c - see meters.h.
 *
 * All of them exist from the start, at zero: a rate over a counter that appears with its first event misses that event. */
#include "sink/mongo/meters.h"

#include <stdio.h>

#include "common/kafka.h"

/* How the database is asked. */
static void init_pace(struct meters *m, struct metrics *registry)
{
	const struct { struct metric **to; const char *name; } gauges[] = {
		{&m->breaker_state, "millrace_sink_breaker_state"},
		{&m->batch_limit, "millrace_sink_batch_limit_bytes"},
		{&m->writers_limit, "millrace_sink_concurrency_limit"},
		{&m->latency, "millrace_sink_insert_latency_seconds"},
		{&m->reference_latency, "millrace_sink_reference_latency_seconds"},
		{&m->drainable_lag, "millrace_sink_drainable_lag_records"},
	};

	for (size_t k = 0; k < sizeof(gauges) / sizeof(gauges[0]); k++)
		*gauges[k].to = metrics_gauge(registry, gauges[k].name, NULL);
	for (int i = VERDICT_REASON_NONE + 1; i < NR_BREAKER_REASONS; i++)
		m->breaker_open[i] = metrics_gauge(registry, "millrace_sink_breaker_open", "reason", breaker_reason_name(i), NULL);
	m->breaker_openings = metrics_counter(registry, "millrace_sink_breaker_openings_total", NULL);
	m->inserts = metrics_counter(registry, "millrace_sink_inserts_total", NULL);
	m->insert_time = metrics_counter(registry, "millrace_sink_insert_seconds_total", NULL);
}

void meters_init(struct meters *m, struct metrics *registry, const char *cell)
{
	*m = (struct meters){.registry = registry, .cell = cell};
	for (int i = 0; i < NR_SINK_TOPICS; i++) {
		const struct { struct metric **to; const char *name; } rows[] = {
			{&m->consumed[i], "millrace_sink_consumed_total"},
			{&m->stored[i], "millrace_sink_stored_total"},
			{&m->already_stored[i], "millrace_sink_already_stored_total"},
			{&m->dead_lettered[i], "millrace_sink_dead_lettered_total"},
			{&m->dropped[i], "millrace_sink_dropped_total"},
			{&m->cut_off[i], "millrace_sink_cut_off_total"},
			{&m->repeated[i], "millrace_sink_repeated_total"},
		};
		char topic[KAFKA_TOPIC_SIZE];

		kafka_cell_topic(topic, cell, sink_topic_name((enum sink_topic)i));
		for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++)
			*rows[k].to = metrics_counter(registry, rows[k].name, "topic", topic, NULL);
	}
	for (int i = VERDICT_REASON_NONE + 1; i < NR_VERDICT_REASONS; i++)
		m->retries[i] = metrics_counter(registry, "millrace_sink_retries_total", "reason",
						verdict_reason_name((enum verdict_reason)i), NULL);
	init_pace(m, registry);
	m->memory_budget = metrics_gauge(registry, "millrace_sink_memory_budget_bytes", NULL);
	m->inflight_bytes = metrics_gauge(registry, "millrace_sink_inflight_bytes", NULL);
	m->inflight_batches = metrics_gauge(registry, "millrace_sink_inflight_batches", NULL);
	m->waiting_partitions = metrics_gauge(registry, "millrace_sink_waiting_partitions", NULL);
	m->braked = metrics_gauge(registry, "millrace_sink_braked", NULL);
	m->paused = metrics_gauge(registry, "millrace_sink_paused", NULL);
}

static struct metric *of_partition(struct meters *m, const char *name, const char *topic, int32_t partition)
{
	char number[16];

	snprintf(number, sizeof(number), "%d", (int)partition);
	return metrics_gauge(m->registry, name, "topic", topic, "partition", number, NULL);
}

struct metric *meters_lag(struct meters *m, const char *topic, int32_t partition)
{
	return of_partition(m, "millrace_sink_lag_records", topic, partition);
}

struct metric *meters_lag_seconds(struct meters *m, const char *topic, int32_t partition)
{
	return of_partition(m, "millrace_sink_lag_seconds", topic, partition);
}
