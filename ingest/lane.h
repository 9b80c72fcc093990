/* lane.h - a serving thread: an HTTP server, a producer, and the corridor between them.
 *
 * Lanes share a listening socket and admission, and nothing else: a payload stays in the lane that accepted its connection, so that no
 * state of it needs a lock. A lane has a producer of its own for the same reason: its delivery reports come where they are
 * needed. What is said to a lane are requests (drain, reload), as atomics behind a wake-up. */
#ifndef MILLRACE_INGEST_LANE_H
#define MILLRACE_INGEST_LANE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "common/program.h"
#include "ingest/account.h"
#include "ingest/admission.h"
#include "ingest/conf.h"
#include "ingest/scrub.h"

struct lane;

/* What all lanes share; borrowed until the last lane_free(). */
struct lane_rooms {
	const struct program *program;
	const struct ingest_conf *conf;
	struct admission *admission;
	struct account *account;
	const struct otlp_rules *otlp;
	const struct scrub *scrub;
	int listen_fd;
	int done_fd; /* of events_wake_fd(): woken when a lane has drained */
};

/* A lane that does not run yet. NULL with *err set on failure. */
struct lane *lane_new(const struct lane_rooms *rooms, struct err *err);

/* Starts its thread. Connections are accepted from now on. */
int lane_start(struct lane *l, struct err *err);

/* Asks it to stop accepting, and to finish what is in flight. */
void lane_drain(struct lane *l);

/* Asks it to read certificate and key again. */
void lane_reload(struct lane *l);

/* Asked to drain: is nothing in flight any more, or push.drain_timeout over? */
bool lane_drained(const struct lane *l);

/* Requests whose answers are not out, those of them that wait for Kafka, and open connections, a moment ago. */
size_t lane_requests(const struct lane *l);
size_t lane_waiting(const struct lane *l);     /* see above */
size_t lane_connections(const struct lane *l); /* see above */

/* Asks it to end; lane_free() waits for that. */
void lane_stop(struct lane *l);

/* Ends the thread and frees, answering who still waits with "draining"; NULL is a no-op. */
void lane_free(struct lane *l);

#endif
