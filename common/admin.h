/* admin.h - the admin port of every program: GET /metrics, /health/live, /health/ready.
 *
 * A thread of its own (libmicrohttpd's) answers, so that a program waiting for Kafka still can be asked how it is. What crosses
 * are atomics only. /health/ready says 200 "ready" or 503 with the reason. /health/live says 503 when the main loop has not
 * called admin_beat() for 60 s: a supervisor may restart the program then. Other paths 404, other methods 405. */
#ifndef MILLRACE_ADMIN_H
#define MILLRACE_ADMIN_H

#include <stdbool.h>

#include "common/err.h"
#include "common/metrics.h"

struct admin;

/* Listens on "host:port" (port 0: any free one); listen "" gives an admin without a server, on which all calls work. Borrows
 * metrics until admin_free(). Starts not ready, with reason "starting". NULL with *err set on failure. */
struct admin *admin_new(const char *listen, struct metrics *metrics, struct err *err);

/* Is text something that admin_new() can be given: "IPv4:port", "[IPv6]:port", or ""? */
bool admin_listen_valid(const char *text);

/* Stops the server and waits for its thread; NULL is a no-op. */
void admin_free(struct admin *a);

/* The main loop has come round. */
void admin_beat(struct admin *a);

/* Sets readiness. reason: why not, a literal or of static lifetime; ignored when ready. */
void admin_set_ready(struct admin *a, bool ready, const char *reason);

/* What /health/ready would say. */
bool admin_is_ready(const struct admin *a);

/* "host:port" it listens on, with the real port; "" without a server. Borrowed. */
const char *admin_address(const struct admin *a);

#endif
