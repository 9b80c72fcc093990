/* identity.h - who this run of the agent is, and the numbers its payloads go by.
 *
 * (agent_id, seq) makes a payload countable exactly once. agent_id is drawn at each start: a machine's image or spool may be copied, a run of
 * a process cannot. floor tells the server which numbers may still come; it never falls, and is never further below seq than the server
 * remembers. A payload of this agent_id with a seq below floor would be taken for a duplicate: identity_gave_up() says which ones must not be
 * sent any more. Not thread-safe: one owner. */
#ifndef MILLRACE_AGENT_IDENTITY_H
#define MILLRACE_AGENT_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

enum { IDENTITY_BYTES = 16, IDENTITY_SPAN_MAX = 65536 /* seq - floor, as the server takes it */ };

struct identity {
	uint8_t agent_id[IDENTITY_BYTES];
	uint64_t next_seq; /* from 1 */
	uint64_t floor;    /* of the latest payload; 1 before the first */
};

/* Draws the id. ERR_FATAL when the system gives no random bits. */
int identity_init(struct identity *id, struct err *err);

/* Numbers the next payload. lowest_pending: this agent's lowest seq that is still kept somewhere, 0: none (spool_lowest_seq() before the flush;
 * the flush's own first payload counts too, once it is numbered, so that its parts share a floor). Writes seq and floor. */
void identity_stamp(struct identity *id, uint64_t lowest_pending, uint64_t *seq, uint64_t *floor);

/* Is this a payload of this agent's that lies below its floor: given up, to be reported instead of sent? */
bool identity_gave_up(const struct identity *id, const uint8_t agent_id[IDENTITY_BYTES], uint64_t seq);

#endif
