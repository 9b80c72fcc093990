/* status.c - see status.h.
 *
 * A table: group and name are the JSON's, the metric's name is millrace_agent_ and what the row says (seconds where the JSON has milliseconds),
 * and a row without one is for people alone (texts, times as text, and the seq, which says nothing without its agent_id). A figure that is only
 * in one of the two would be missed by whoever reads the other. */
#include "ingest/agent/status.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <yajl/yajl_gen.h>

#include "common/clock.h"

enum type { POINTER, TEXT, TIME, AGO_MS, U64, SIZE, INT, WAIT_MS, BOOL };

struct row {
	const char *group, *name; /* a row of group "" stands at the top */
	enum type type;
	size_t offset;
	const char *metric;       /* NULL: none */
	bool counter;
};

#define AT(member) offsetof(struct status, member)

static const struct row rows[] = {
	{"", "version", POINTER, AT(version), NULL, false},
	{"", "host", POINTER, AT(host), NULL, false},
	{"", "agent_id", TEXT, AT(agent_id), NULL, false},
	{"", "last_seq", U64, AT(last_seq), NULL, false},
	{"", "now", TIME, AT(now_ms), NULL, false},
	{"", "started", TIME, AT(started_ms), NULL, false},
	{"flush", "flushes", U64, AT(flushes), "flushes_total", true},
	{"flush", "late", U64, AT(late_flushes), "late_flushes_total", true},
	{"flush", "payloads", U64, AT(payloads_made), "payloads_total", true},
	{"flush", "samples", U64, AT(samples_made), "samples_total", true},
	{"store", "series", SIZE, AT(store.series), "series", false},
	{"store", "bytes", SIZE, AT(store.memory_bytes), "store_bytes", false},
	{"store", "samples", U64, AT(store.samples), "store_samples_total", true},
	{"store", "overflowed", U64, AT(store.overflowed), "overflowed_samples_total", true},
	{"store", "idle_dropped", U64, AT(store.idle_dropped), "idle_series_total", true},
	{"host", "values", U64, AT(host_values), "host_values_total", true},
	{"host", "refused", U64, AT(host_values_refused), "host_values_refused_total", true},
	{"statsd", "datagrams", U64, AT(datagrams.datagrams), "datagrams_total", true},
	{"statsd", "values", U64, AT(datagrams.samples), "datagram_values_total", true},
	{"statsd", "refused", U64, AT(refused_datagram_values), "datagram_values_refused_total", true},
	{"statsd", "events", U64, AT(datagrams.events), "datagram_events_total", true},
	{"statsd", "service_checks", U64, AT(datagrams.service_checks), "datagram_service_checks_total", true},
	{"statsd", "kernel_drops", U64, AT(inlets.kernel_drops), "datagrams_dropped_total", true},
	{"statsd", "truncated", U64, AT(inlets.truncated_datagrams), "datagrams_truncated_total", true},
	{"lines", "connections", SIZE, AT(inlets.connections), "lines_connections", false},
	{"lines", "accepted", U64, AT(lines.accepted), "lines_accepted_total", true},
	{"lines", "refused", U64, AT(refused_lines), "lines_refused_total", true},
	{"lines", "too_long", U64, AT(inlets.lines_too_long), "lines_too_long_total", true},
	{"events", "waiting", SIZE, AT(events.events), "events_waiting", false},
	{"events", "bytes", SIZE, AT(events.bytes), "events_bytes", false},
	{"events", "lost", U64, AT(events.lost), "events_lost_total", true},
	{"push", "url", POINTER, AT(url), NULL, false},
	{"push", "last_attempt", TIME, AT(push.last_attempt_ms), NULL, false},
	{"push", "last_accepted", TIME, AT(push.last_accepted_ms), NULL, false},
	{"push", "last_failed", TIME, AT(push.last_failed_ms), NULL, false},
	{"push", "last_status", INT, AT(push.last_status), "push_last_status", false},
	{"push", "last_error", TEXT, AT(push.last_error), NULL, false},
	{"push", "retry_in_ms", WAIT_MS, AT(push.retry_in_ms), "push_retry_in_seconds", false},
	{"push", "key_refused", BOOL, AT(push.key_refused), "push_key_refused", false},
	{"push", "posts", U64, AT(push.posts), "posts_total", true},
	{"push", "failed_posts", U64, AT(push.failed_posts), "failed_posts_total", true},
	{"push", "accepted_payloads", U64, AT(push.accepted_payloads), "accepted_payloads_total", true},
	{"push", "accepted_samples", U64, AT(push.accepted_samples), "accepted_samples_total", true},
	{"push", "rejected_samples", U64, AT(push.rejected_samples), "rejected_samples_total", true},
	{"push", "set_aside_payloads", U64, AT(push.set_aside_payloads), "set_aside_payloads_total", true},
	{"push", "halved_payloads", U64, AT(push.halved_payloads), "halved_payloads_total", true},
	{"spool", "state", POINTER, AT(spool_state), NULL, false},
	{"spool", "why", TEXT, AT(spool.why), NULL, false},
	{"spool", "payloads", SIZE, AT(spool.payloads), "spool_payloads", false},
	{"spool", "in_memory", SIZE, AT(spool.in_memory), "spool_memory_payloads", false},
	{"spool", "bytes", U64, AT(spool.bytes), "spool_bytes", false},
	{"spool", "memory_bytes", U64, AT(spool.memory_bytes), "spool_memory_bytes", false},
	{"spool", "oldest", TIME, AT(spool.oldest_ms), NULL, false},
	{"spool", "oldest_age_ms", AGO_MS, AT(spool.oldest_ms), "spool_oldest_age_seconds", false},
	{"spool", "dropped_payloads", U64, AT(spool.dropped_payloads), "dropped_payloads_total", true},
	{"spool", "dropped_samples", U64, AT(spool.dropped_samples), "dropped_samples_total", true},
	{"spool", "rejected_payloads", U64, AT(spool.rejected_payloads), "spool_rejected_payloads_total", true},
	{"spool", "set_aside_files", U64, AT(spool.set_aside_files), "spool_set_aside_files_total", true},
	{"losses", "ranges", SIZE, AT(losses.ranges), "losses_ranges", false},
	{"losses", "payloads", U64, AT(losses.payloads), "losses_payloads", false},
	{"losses", "samples", U64, AT(losses.samples), "losses_samples", false},
	{"losses", "unnamed_payloads", U64, AT(losses.unnamed_payloads), "losses_unnamed_payloads", false},
};

enum { NR_ROWS = sizeof(rows) / sizeof(rows[0]), STALE_MS = 5 * 60000 };

const char *status_trouble(const struct status *s)
{
	if (s->push.key_refused)
		return "the server knows no such key";
	if (s->spool.state != SPOOL_DISK)
		return "the spool's disk takes nothing: payloads wait in memory";
	if (*s->push.last_error && s->now_ms - s->push.last_accepted_ms > STALE_MS)
		return "the Push API takes nothing: payloads wait in the spool";
	return "ok";
}

/* What a row of a number says. */
static double number(const struct row *r, const struct status *s)
{
	const void *at = (const char *)s + r->offset;

	switch (r->type) {
	case U64:
		return (double)*(const uint64_t *)at;
	case SIZE:
		return (double)*(const size_t *)at;
	case INT:
		return *(const int *)at;
	case BOOL:
		return *(const bool *)at;
	case AGO_MS:
		return *(const int64_t *)at ? (double)(s->now_ms - *(const int64_t *)at) : 0;
	default:
		return (double)*(const int64_t *)at;
	}
}

/* As a metric has it: in base units. */
static double figure(const struct row *r, const struct status *s)
{
	return number(r, s) / (r->type == AGO_MS || r->type == WAIT_MS ? 1000 : 1);
}

static void put_text(yajl_gen gen, const char *text)
{
	if (!text || !str_is_utf8(str_from(text)))
		text = ""; /* a host's name may be anything */
	yajl_gen_string(gen, (const unsigned char *)text, strlen(text));
}

static void put_value(yajl_gen gen, const struct row *r, const struct status *s)
{
	const char *at = (const char *)s + r->offset;
	char iso[CLOCK_ISO_SIZE];

	switch (r->type) {
	case POINTER:
		put_text(gen, *(const char *const *)at);
		return;
	case TEXT:
		put_text(gen, at);
		return;
	case TIME:
		if (*(const int64_t *)at)
			put_text(gen, clock_iso(*(const int64_t *)at, iso, sizeof(iso)));
		else
			yajl_gen_null(gen);
		return;
	case BOOL:
		yajl_gen_bool(gen, *(const bool *)at);
		return;
	default:
		yajl_gen_integer(gen, (long long)number(r, s));
	}
}

static void print(void *ctx, const char *text, size_t len)
{
	buf_add(ctx, text, len);
}

static void put_rows(yajl_gen gen, const struct status *s)
{
	const char *group = "";

	for (size_t i = 0; i < NR_ROWS; i++) {
		if (strcmp(rows[i].group, group) != 0) {
			if (*group)
				yajl_gen_map_close(gen);
			group = rows[i].group;
			put_text(gen, group);
			yajl_gen_map_open(gen);
		}
		put_text(gen, rows[i].name);
		put_value(gen, &rows[i], s);
	}
	yajl_gen_map_close(gen);
}

void status_json(const struct status *s, struct buf *out)
{
	yajl_gen gen = yajl_gen_alloc(NULL);

	if (!gen) {
		out->failed = true;
		return;
	}
	yajl_gen_config(gen, yajl_gen_print_callback, print, out);
	yajl_gen_config(gen, yajl_gen_beautify, 1);
	yajl_gen_config(gen, yajl_gen_indent_string, "  ");
	yajl_gen_map_open(gen);
	put_text(gen, "state");
	put_text(gen, status_trouble(s));
	put_rows(gen, s);
	yajl_gen_map_close(gen);
	yajl_gen_free(gen);
}

struct status_metrics {
	struct metric *handle[NR_ROWS];
	double told[NR_ROWS]; /* of a counter: how far it is */
};

struct status_metrics *status_metrics_new(struct metrics *metrics)
{
	struct status_metrics *m = calloc(1, sizeof(*m));
	char name[128];

	for (size_t i = 0; m && i < NR_ROWS; i++) {
		if (!rows[i].metric)
			continue;
		snprintf(name, sizeof(name), "millrace_agent_%s", rows[i].metric);
		m->handle[i] = rows[i].counter ? metrics_counter(metrics, name, NULL) : metrics_gauge(metrics, name, NULL);
	}
	return m;
}

void status_metrics_free(struct status_metrics *m)
{
	free(m);
}

void status_metrics_set(struct status_metrics *m, const struct status *s)
{
	for (size_t i = 0; m && i < NR_ROWS; i++) {
		double value = rows[i].metric ? figure(&rows[i], s) : 0;

		if (!rows[i].metric)
			continue;
		if (!rows[i].counter)
			metric_set(m->handle[i], value);
		else if (value > m->told[i]) {
			metric_add(m->handle[i], (uint64_t)(value - m->told[i]));
			m->told[i] = value;
		}
	}
}
