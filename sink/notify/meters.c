/* meters.c - see meters.h.
 *
 * Desk and delivery count for themselves, so that they can be tested without a registry; what has come since the last look is added here. */
#include "sink/notify/meters.h"

static void init_counters(struct meters *m, struct metrics *registry)
{
	const struct { struct metric **to; const char *name; } counters[] = {
		{&m->ignored, "millrace_notify_events_ignored_total"},
		{&m->dropped, "millrace_notify_dropped_total"},
		{&m->refused, "millrace_notify_events_refused_total"},
		{&m->letters, "millrace_notify_dead_lettered_total"},
		{&m->attempts, "millrace_notify_attempts_total"},
		{&m->failed_attempts, "millrace_notify_failed_attempts_total"},
		{&m->refused_addresses, "millrace_notify_refused_addresses_total"},
		{&m->delivery_time, "millrace_notify_delivery_seconds_total"},
		{&m->transactions, "millrace_notify_transactions_total"},
		{&m->aborted, "millrace_notify_transactions_aborted_total"},
		{&m->lost, "millrace_notify_terms_lost_total"},
	};

	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
		*counters[i].to = metrics_counter(registry, counters[i].name, NULL);
	for (int i = 0; i < METERS_KINDS; i++)
		m->events[i] = metrics_counter(registry, "millrace_notify_events_total", "kind",
					       alert_event_kind_name((enum alert_event_kind)i), NULL);
	for (int i = 0; i < METERS_OUTCOMES; i++)
		m->notifications[i] = metrics_counter(registry, "millrace_notify_notifications_total", "kind",
						      sent_outcome_name((enum sent_outcome)i), NULL);
}

void meters_init(struct meters *m, struct metrics *registry)
{
	const struct { struct metric **to; const char *name; } gauges[] = {
		{&m->active, "millrace_notify_active"},
		{&m->lag, "millrace_notify_lag_records"},
		{&m->lag_seconds, "millrace_notify_lag_seconds"},
		{&m->memory_budget, "millrace_notify_memory_budget_bytes"},
		{&m->held, "millrace_notify_waiting_partitions"},
		{&m->incidents, "millrace_notify_incidents_open"},
		{&m->under_way, "millrace_notify_under_way"},
		{&m->waiting, "millrace_notify_waiting"},
		{&m->queue, "millrace_notify_queue"},
		{&m->oldest, "millrace_notify_queue_oldest_seconds"},
	};

	*m = (struct meters){0};
	for (size_t i = 0; i < sizeof(gauges) / sizeof(gauges[0]); i++)
		*gauges[i].to = metrics_gauge(registry, gauges[i].name, NULL);
	init_counters(m, registry);
}

static void add(struct metric *metric, uint64_t now, uint64_t before)
{
	metric_add(metric, now - before);
}

static void follow_desk(struct meters *m, const struct desk_figures *now)
{
	for (int i = 0; i < METERS_KINDS; i++)
		add(m->events[i], now->events[i], m->desk.events[i]);
	for (int i = 0; i < METERS_OUTCOMES; i++)
		add(m->notifications[i], now->notifications[i], m->desk.notifications[i]);
	add(m->ignored, now->events_ignored, m->desk.events_ignored);
	add(m->dropped, now->events_dropped, m->desk.events_dropped);
	add(m->refused, now->events_refused, m->desk.events_refused);
	metric_set(m->incidents, (double)now->incidents_open);
	metric_set(m->under_way, (double)now->under_way);
	metric_set(m->waiting, (double)now->waiting);
	m->desk = *now;
}

void meters_follow(struct meters *m, const struct desk *desk, const struct delivery *delivery, int64_t mono_ms)
{
	struct desk_figures figures;
	struct delivery_stats stats;

	desk_figures(desk, &figures);
	follow_desk(m, &figures);
	delivery_read_stats(delivery, mono_ms, &stats);
	add(m->attempts, stats.attempts, m->delivery.attempts);
	add(m->failed_attempts, stats.failed_attempts, m->delivery.failed_attempts);
	add(m->refused_addresses, stats.refused_addresses, m->delivery.refused_addresses);
	metric_set(m->queue, (double)stats.queued);
	metric_set(m->oldest, (double)stats.oldest_ms / 1000);
	m->delivery = stats;
}
