/* delivery.h - from what was collected to the Push API: identity, bundle, spool and courier in their order.
 *
 * A flush is spooled, synced, before anything of it is posted; from then on nothing that happens to the process loses it. Not
 * thread-safe. */
#ifndef MILLRACE_AGENT_DELIVERY_H
#define MILLRACE_AGENT_DELIVERY_H

#include <stdint.h>

#include "common/program.h"
#include "ingest/agent/bundle.h"
#include "ingest/agent/conf.h"
#include "ingest/agent/status.h"

struct delivery;

/* Opens the spool and prepares the courier; nothing is sent before delivery_turn(). host: the machine's name as payloads tell it. Borrows
 * all until delivery_free(). ERR_REJECT: a setting cannot be used, named; ERR_FATAL: another agent has the spool, or memory is short. */
struct delivery *delivery_new(const struct program *p, const struct agent_conf *c, const char *host, struct err *err);

/* Lets go of everything; what is spooled stays. NULL is a no-op. */
void delivery_free(struct delivery *d);

/* Payloads of all that the store has before slot_end_ms, and of the events, go to the spool, and are next to be posted. What could not be
 * kept is a loss that later payloads tell, and is logged. */
void delivery_flush(struct delivery *d, struct store *store, struct event_queue *events, int64_t slot_end_ms);

/* When the slot that ends at slot_end_ms is to be flushed, virtual: always the same time after it on this machine. */
int64_t delivery_flush_at_ms(const struct delivery *d, int64_t slot_end_ms);

/* For the loop's poll(): readable when a turn is due. */
int delivery_fd(const struct delivery *d);

/* Real milliseconds until a turn is due though the descriptor is silent; -1: none is. */
int delivery_timeout_ms(const struct delivery *d);

/* Moves posts on. */
void delivery_turn(struct delivery *d);

/* Once a second: the spool's bounds. */
void delivery_every_second(struct delivery *d);

/* Waits within_ms (real) for what is in flight, after the last payloads were begun; then nothing is posted any more. */
void delivery_stop(struct delivery *d, int64_t within_ms);

/* Fills in what the status tells of delivery. */
void delivery_read(const struct delivery *d, struct status *out);

#endif
