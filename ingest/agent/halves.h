/* halves.h - a payload that was too large becomes two.
 *
 * Pure: the same payload always makes the same halves. They belong to an agent_id that is drawn from (agent_id, seq) of the whole by a
 * hash, as seq 1 and 2: who has a copy of the whole (a second machine with a copied spool, this one after a crash between the halves)
 * makes the same two, and the server counts each once. With numbers of the running agent's own they would count twice. */
#ifndef MILLRACE_AGENT_HALVES_H
#define MILLRACE_AGENT_HALVES_H

#include "common/err.h"
#include "common/str.h"
#include "ingest/agent/envelope.h"

enum { HALVES_WHOLE_MAX_BYTES = 32 << 20 /* of a message; above what any server takes */ };

/* Splits whole in two by its metrics and events, or by the points of a metric that is alone; created_at stays, `truncated` goes with the
 * first. half[i].body borrows body[i], which the caller owns and ends whatever came of it. ERR_REJECT: a single sample, or no payload;
 * ERR_RETRY: memory is short. */
int halves_make(const struct envelope *whole, struct envelope half[2], struct buf body[2], struct err *err);

#endif
