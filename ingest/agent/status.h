/* status.h - how the agent is: one list of figures, told as JSON by the status socket and as metrics by the admin port.
 *
 * The list is in status.c: what stands there is in both. Never in it: the key. Not thread-safe: the loop owns it. */
#ifndef MILLRACE_AGENT_STATUS_H
#define MILLRACE_AGENT_STATUS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/metrics.h"
#include "common/str.h"
#include "ingest/agent/courier.h"
#include "ingest/agent/datagrams.h"
#include "ingest/agent/event_queue.h"
#include "ingest/agent/inlets.h"
#include "ingest/agent/lines.h"
#include "ingest/agent/losses.h"
#include "ingest/agent/spool.h"
#include "ingest/agent/store.h"

/* A snapshot of everything, as main.c gathers it. Times are virtual milliseconds since the epoch, 0: never. */
struct status {
	const char *version, *host, *url;
	char agent_id[2 * ENVELOPE_AGENT_ID_BYTES + 1];
	uint64_t last_seq;                    /* the latest number that was drawn, of a payload or of a loss; 0: none */
	int64_t started_ms, now_ms;
	uint64_t flushes, late_flushes;       /* late: more than a slot after their time */
	uint64_t payloads_made, samples_made; /* since the start */
	const char *spool_state;              /* spool_state_name() of spool.state */
	struct courier_status push;
	struct spool_figures spool;
	struct losses_figures losses;
	struct store_figures store;
	struct inlets_figures inlets;
	struct datagrams datagrams;
	struct event_queue_figures events;
	struct lines_figures lines;
	uint64_t refused_datagram_values, refused_lines;  /* sums over all reasons */
	uint64_t host_values, host_values_refused;        /* of this machine's own figures */
};

/* "ok", or the worst of what is wrong, as words: for a person and for /health/ready. A literal. */
const char *status_trouble(const struct status *s);

/* Appends s as JSON over several lines. Check buf_failed(). */
void status_json(const struct status *s, struct buf *out);

struct status_metrics;

/* Registers the figures; NULL when memory is short, which all calls take. Borrows metrics. */
struct status_metrics *status_metrics_new(struct metrics *metrics);
void status_metrics_free(struct status_metrics *m); /* NULL is a no-op; the metrics stay */

/* Sets all figures to what s says; counters never fall. */
void status_metrics_set(struct status_metrics *m, const struct status *s);

#endif
