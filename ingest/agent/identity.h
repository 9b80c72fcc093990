/* identity.h - who this run of the agent is, and the numbers its payloads go by.
 *
 * (agent_id, seq) makes a payload countable exactly once. agent_id is drawn at each start: a machine's image or spool may be copied, a
 * run of a process cannot. floor tells the server which numbers may still come: it never falls, and it is never further below seq than
 * the server remembers. A payload of this agent_id below its floor would be taken for a duplicate, so whoever numbers a payload gives up
 * those first (spool_give_up_below()). Not thread-safe: one owner. */
#ifndef MILLRACE_AGENT_IDENTITY_H
#define MILLRACE_AGENT_IDENTITY_H

#include <stdint.h>

#include "common/err.h"
#include "ingest/agent/envelope.h"

enum {
	IDENTITY_BYTES = ENVELOPE_AGENT_ID_BYTES,
	IDENTITY_SPAN_MAX = 65536, /* seq - floor, as the server takes it */
};

struct identity {
	uint8_t agent_id[ENVELOPE_AGENT_ID_BYTES];
	uint64_t next_seq; /* from 1 */
	uint64_t floor;    /* of the latest payload; 1 before the first */
};

/* Draws the id. ERR_FATAL when the system gives no random bits. */
int identity_init(struct identity *id, struct err *err);

/* Numbers the next payload: writes *seq and *floor. lowest_pending: this agent's lowest seq that is not yet acknowledged; 0: none. */
void identity_stamp(struct identity *id, uint64_t lowest_pending, uint64_t *seq, uint64_t *floor);

#endif
