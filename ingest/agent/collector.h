/* collector.h - all that comes in: the applications' datagrams and lines, and this machine's own figures, up to the store.
 *
 * Not thread-safe: the loop owns it. */
#ifndef MILLRACE_AGENT_COLLECTOR_H
#define MILLRACE_AGENT_COLLECTOR_H

#include <poll.h>
#include <stddef.h>

#include "common/program.h"
#include "ingest/agent/conf.h"
#include "ingest/agent/status.h"

struct store;
struct event_queue;
struct collector;

enum { COLLECTOR_FDS_MAX = 80 };

/* Opens the inlets. lenient: one that is in use by somebody else is left out and logged, for --once beside a running agent. Borrows all
 * until collector_free(). ERR_FATAL: an inlet cannot be opened, or memory is short; ERR_REJECT: a setting. */
struct collector *collector_new(const struct program *p, const struct agent_conf *c, const char *host, bool lenient, struct err *err);
void collector_free(struct collector *c); /* closes the inlets and takes their paths away; NULL is a no-op */

/* What to poll for; the same order until the next turn. Returns how many, up to COLLECTOR_FDS_MAX. */
size_t collector_fds(const struct collector *c, struct pollfd fds[COLLECTOR_FDS_MAX]);

/* Takes what has come, a bounded part of it; what is left is readable at the next poll(). */
void collector_turn(struct collector *c, const struct pollfd *fds, size_t nr);

/* A slot ends: the machine is measured into it. Call before the flush. */
void collector_measure(struct collector *c);

/* Takes all that the kernel holds for us, within a bound, before the last flush. */
void collector_drain(struct collector *c);

/* Where its samples go. Borrowed, until collector_free(). */
struct store *collector_store(struct collector *c);

/* Where its events go. Borrowed likewise. */
struct event_queue *collector_events(struct collector *c);

/* Fills in what the status tells of it. */
void collector_read(const struct collector *c, struct status *out);

#endif
