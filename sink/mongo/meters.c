/* meters.c - see meters.h.
 *
 * All of them exist from the start, at zero: a rate over a counter that appears with its first event misses that event. */
#include "sink/mongo/meters.h"

#include <stdio.h>

#include "common/kafka.h"

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
