/* account.c - see account.h. */
#include "ingest/account.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "common/site_metrics.h"

enum { STATUS_UNAVAILABLE = 503 };

/* The figures of each site. */
enum by_site {
	SITE_RECEIVED,
	SITE_ACCEPTED,
	SITE_REJECTED,
	SITE_REFUSED,
	SITE_ACCEPTED_REQUESTS,
	SITE_REFUSED_REQUESTS,
	SITE_TRUNCATED_SAMPLES,
	SITE_TRUNCATED_PAYLOADS,
	SITE_EVENTS,
	SITE_IGNORED,
	NR_BY_SITE
};

static const char *const by_site[NR_BY_SITE] = {
	[SITE_RECEIVED] = "millrace_ingest_received_samples_total",
	[SITE_ACCEPTED] = "millrace_ingest_accepted_samples_total",
	[SITE_REJECTED] = "millrace_ingest_rejected_samples_total",
	[SITE_REFUSED] = "millrace_ingest_refused_samples_total",
	[SITE_ACCEPTED_REQUESTS] = "millrace_ingest_accepted_requests_total",
	[SITE_REFUSED_REQUESTS] = "millrace_ingest_refused_requests_total",
	[SITE_TRUNCATED_SAMPLES] = "millrace_ingest_truncated_samples_total",
	[SITE_TRUNCATED_PAYLOADS] = "millrace_ingest_truncated_payloads_total",
	[SITE_EVENTS] = "millrace_ingest_events_total",
	[SITE_IGNORED] = "millrace_ingest_ignored_records_total",
};

static const char *const ignored_reasons[NR_PAYLOAD_IGNORED] = {
	[PAYLOAD_IGNORED_SPAN] = "span_outside_transactions",
	[PAYLOAD_IGNORED_LOG] = "log_without_exception",
};

struct account {
	struct metric *figures[NR_ACCOUNT_FIGURES];
	struct site_metrics *sites;
	_Atomic uint64_t accepted, accepted_requests, unavailable_requests;
	_Atomic uint64_t refused_requests[NR_REASONS];
	uint64_t logged[NR_REASONS]; /* of these, the ones that account_log() has told of */
};

static const struct {
	const char *name;
	bool gauge;
} figures[NR_ACCOUNT_FIGURES] = {
	[ACCOUNT_INFLIGHT_BYTES] = {"millrace_ingest_inflight_bytes", true},
	[ACCOUNT_INFLIGHT_LIVE_BYTES] = {"millrace_ingest_inflight_live_bytes", true},
	[ACCOUNT_INFLIGHT_BACKLOG_BYTES] = {"millrace_ingest_inflight_backlog_bytes", true},
	[ACCOUNT_CONNECTIONS] = {"millrace_ingest_connections", true},
	[ACCOUNT_WAITING] = {"millrace_ingest_waiting_connections", true},
	[ACCOUNT_EXPECTED_BACK] = {"millrace_ingest_expected_agents", true},
	[ACCOUNT_SITES] = {"millrace_ingest_sites", true},
	[ACCOUNT_TABLES_HELD] = {"millrace_ingest_tables_held_rows", true},
	[ACCOUNT_MEMORY_BUDGET] = {"millrace_ingest_memory_budget_bytes", true},
	[ACCOUNT_UNDER_REPLICATED] = {"millrace_ingest_under_replicated_partitions", true},
	[ACCOUNT_RECORDS] = {"millrace_ingest_records_total", false},
	[ACCOUNT_RECORD_BYTES] = {"millrace_ingest_record_bytes_total", false},
	[ACCOUNT_BODY_BYTES] = {"millrace_ingest_body_bytes_total", false},
	[ACCOUNT_INFLATED_BYTES] = {"millrace_ingest_inflated_bytes_total", false},
	[ACCOUNT_BACKLOG_PAYLOADS] = {"millrace_ingest_backlog_requests_total", false},
	[ACCOUNT_SKEWED_PAYLOADS] = {"millrace_ingest_skewed_payloads_total", false},
	[ACCOUNT_CONNECTIONS_CLOSED_IDLE] = {"millrace_ingest_connections_expired_total", false},
	[ACCOUNT_CONNECTIONS_CLOSED_FULL] = {"millrace_ingest_connections_evicted_total", false},
	[ACCOUNT_STALLS] = {"millrace_ingest_kafka_stalls_total", false},
};

static const struct str nobody = {"__none__", 8};

struct account *account_new(struct metrics *m, size_t sites_max)
{
	struct account *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->sites = site_metrics_new(m, by_site, NR_BY_SITE, sites_max + 1);
	if (!a->sites) {
		account_free(a);
		return NULL;
	}
	site_metrics_get(a->sites, SITE_REFUSED_REQUESTS, nobody, reason_name(REASON_UNAUTHORIZED)); /* its place is not another's */
	for (size_t i = 0; i < NR_ACCOUNT_FIGURES; i++)
		a->figures[i] = figures[i].gauge ? metrics_gauge(m, figures[i].name, NULL)
						 : metrics_counter(m, figures[i].name, NULL);
	return a;
}

void account_free(struct account *a)
{
	if (!a)
		return;
	site_metrics_free(a->sites);
	free(a);
}

void account_add(struct account *a, enum account_figure figure, uint64_t n)
{
	metric_add(a ? a->figures[figure] : NULL, n);
}

void account_set(struct account *a, enum account_figure figure, double value)
{
	metric_set(a ? a->figures[figure] : NULL, value);
}

struct tally account_tally(const struct payload *p)
{
	struct tally t = {.accepted = p->accepted,
			  .rejected = p->rejected,
			  .truncated_samples = (uint64_t)payload_truncated_samples(p),
			  .truncated_payloads = (uint64_t)payload_truncated_payloads(p)};

	for (int i = 0; i < NR_REASONS; i++)
		t.rejected_by[i] = p->rejected_by[i];
	for (int i = 0; i < NR_PAYLOAD_EVENT_KINDS; i++)
		t.events[i] = p->accepted_events[i];
	for (int i = 0; i < NR_PAYLOAD_IGNORED; i++)
		t.ignored[i] = p->ignored[i];
	return t;
}

/* Counts n of a site's figure, if there is anything to count; reason NULL: it has none. */
static void count(struct account *a, enum by_site figure, struct str site, const char *reason, uint64_t n)
{
	if (n)
		metric_add(site_metrics_get(a->sites, figure, site.len ? site : nobody, reason), n);
}

void account_receive(struct account *a, struct str site, const struct tally *t)
{
	count(a, SITE_RECEIVED, site, NULL, t->accepted + t->rejected);
}

void account_accept(struct account *a, struct str site, const struct tally *t)
{
	atomic_fetch_add_explicit(&a->accepted, t->accepted, memory_order_relaxed);
	atomic_fetch_add_explicit(&a->accepted_requests, 1, memory_order_relaxed);
	count(a, SITE_ACCEPTED_REQUESTS, site, NULL, 1);
	count(a, SITE_ACCEPTED, site, NULL, t->accepted);
	count(a, SITE_TRUNCATED_SAMPLES, site, NULL, t->truncated_samples);
	count(a, SITE_TRUNCATED_PAYLOADS, site, NULL, t->truncated_payloads);
	for (int i = 0; i < NR_REASONS && t->rejected; i++)
		count(a, SITE_REJECTED, site, reason_name((enum reason)i), t->rejected_by[i]);
	for (int i = 0; i < NR_PAYLOAD_IGNORED; i++)
		count(a, SITE_IGNORED, site, ignored_reasons[i], t->ignored[i]);
	for (int i = 0; i < NR_PAYLOAD_EVENT_KINDS; i++)
		if (t->events[i])
			metric_add(site_metrics_get_by(a->sites, SITE_EVENTS, site.len ? site : nobody, "kind", payload_event_name((enum payload_event_kind)i)),
				   t->events[i]);
}

void account_refuse(struct account *a, struct str site, enum reason reason, const struct tally *t)
{
	if (!t)
		atomic_fetch_add_explicit(&a->refused_requests[reason], 1, memory_order_relaxed);
	if (reason_status(reason) == STATUS_UNAVAILABLE)
		atomic_fetch_add_explicit(&a->unavailable_requests, 1, memory_order_relaxed);
	count(a, SITE_REFUSED_REQUESTS, site, reason_name(reason), 1);
	if (t)
		count(a, SITE_REFUSED, site, reason_name(reason), t->accepted + t->rejected);
}

uint64_t account_accepted(const struct account *a)
{
	return atomic_load_explicit(&a->accepted, memory_order_relaxed);
}

uint64_t account_accepted_requests(const struct account *a)
{
	return atomic_load_explicit(&a->accepted_requests, memory_order_relaxed);
}

uint64_t account_unavailable_requests(const struct account *a)
{
	return atomic_load_explicit(&a->unavailable_requests, memory_order_relaxed);
}

/* Requests that were turned away at the door have no ids to be told by, and under load a line for each would be the load; what clients do wrong is
 * theirs to see, in their answers. Payloads that were read have lines of their own (complaint.h). */
void account_log(struct account *a, const struct log *log)
{
	for (int i = 0; i < NR_REASONS; i++) {
		uint64_t now = atomic_load_explicit(&a->refused_requests[i], memory_order_relaxed);

		if (reason_status((enum reason)i) == STATUS_UNAVAILABLE && now > a->logged[i])
			log_warn(log, "requests_refused", LOG_STR("reason", reason_name((enum reason)i)),
				 LOG_UINT("requests", now - a->logged[i]), LOG_STR("meaning", reason_text((enum reason)i)));
		a->logged[i] = now;
	}
}
