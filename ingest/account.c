/* account.c - see account.h.
 *
 * All metrics exist from the start, at zero: a rate over a counter that appears with its first event misses that event. */
#include "ingest/account.h"

enum { STATUS_UNAVAILABLE = 503 };

/* A sample's reason and a request's never share a metric: the one is about data, the other about its sender or us. */
static void init_reasons(struct account *a, struct metrics *m)
{
	for (int i = 0; i < NR_REASONS; i++) {
		const char *name = reason_name((enum reason)i);

		if (reason_status((enum reason)i) == 0) {
			a->rejected_samples[i] = metrics_counter(m, "millrace_ingest_rejected_samples_total",
								 "Samples that were bad on their own", "reason", name, NULL);
			continue;
		}
		a->refused_samples[i] = metrics_counter(m, "millrace_ingest_refused_samples_total",
							"Samples of payloads that were refused once decoded", "reason", name, NULL);
		a->refused_requests[i] = metrics_counter(m, "millrace_ingest_refused_requests_total",
							 "Requests that were refused", "reason", name, NULL);
	}
}

void account_init(struct account *a, struct metrics *m)
{
	*a = (struct account){
		.inflight_bytes = metrics_gauge(m, "millrace_ingest_inflight_bytes",
						"Bodies and records that Kafka has not acknowledged", NULL),
		.connections_waiting = metrics_gauge(m, "millrace_ingest_waiting_connections",
						     "Connections suspended until Kafka acknowledges", NULL),
		.accepted_samples = metrics_counter(m, "millrace_ingest_accepted_samples_total",
						    "Samples acknowledged by Kafka", NULL),
		.truncated_samples = metrics_counter(m, "millrace_ingest_truncated_samples_total",
						     "Samples that agents report as given up", NULL),
		.requests_accepted = metrics_counter(m, "millrace_ingest_accepted_requests_total", "Requests answered with 202", NULL),
		.records = metrics_counter(m, "millrace_ingest_records_total", "Records acknowledged by Kafka", NULL),
		.record_bytes = metrics_counter(m, "millrace_ingest_record_bytes_total", "Bytes of those records, uncompressed", NULL),
		.body_bytes = metrics_counter(m, "millrace_ingest_body_bytes_total", "Bytes of bodies read", NULL),
		.sites = metrics_gauge(m, "millrace_ingest_sites", "Sites in the table", NULL),
	};
	init_reasons(a, m);
}

struct tally account_tally(const struct payload *p)
{
	struct tally t = {.accepted = p->accepted,
			  .rejected = p->rejected,
			  .truncated = (uint64_t)payload_truncated_samples(p)};

	for (int i = 0; i < NR_REASONS; i++)
		t.rejected_by[i] = p->rejected_by[i];
	return t;
}

void account_accept(struct account *a, const struct tally *t)
{
	metric_add(a->requests_accepted, 1);
	metric_add(a->accepted_samples, t->accepted);
	metric_add(a->truncated_samples, t->truncated);
	for (int i = 0; i < NR_REASONS; i++)
		if (t->rejected_by[i])
			metric_add(a->rejected_samples[i], t->rejected_by[i]);
}

void account_refuse(struct account *a, enum reason reason, const struct tally *t)
{
	metric_add(a->refused_requests[reason], 1);
	if (t)
		metric_add(a->refused_samples[reason], t->accepted + t->rejected);
}

void account_records(struct account *a, size_t records, size_t bytes)
{
	metric_add(a->records, records);
	metric_add(a->record_bytes, bytes);
}

/* Under load a line for each refusal would be the load; and what clients do wrong is theirs to see, in their answers. */
void account_log(struct account *a, const struct log *log)
{
	for (int i = 0; i < NR_REASONS; i++) {
		uint64_t now = (uint64_t)metric_value(a->refused_requests[i]);

		if (reason_status((enum reason)i) == STATUS_UNAVAILABLE && now > a->logged[i])
			log_warn(log, "requests_refused", LOG_STR("reason", reason_name((enum reason)i)),
				 LOG_UINT("requests", now - a->logged[i]), LOG_STR("meaning", reason_text((enum reason)i)));
		a->logged[i] = now;
	}
}
