/* envelope.h - a payload as it is sent, and what must be known of it without decoding it.
 *
 * The identity (agent_id, seq, floor, created_at) stands in the body too and is fixed when the payload is made: who keeps a payload
 * for later copies an envelope and changes nothing in it but `attempted`. */
#ifndef MILLRACE_AGENT_ENVELOPE_H
#define MILLRACE_AGENT_ENVELOPE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/str.h"

enum { ENVELOPE_AGENT_ID_BYTES = 16 };

struct envelope {
	uint8_t agent_id[ENVELOPE_AGENT_ID_BYTES];
	uint64_t seq, floor;   /* 1 <= floor <= seq */
	int64_t created_at_ms; /* by the sender's (virtual) clock; > 0 */
	uint64_t samples;      /* in the body; an event counts as one */
	bool attempted;        /* a post of it was begun: it may have arrived */
	struct str body;       /* Payload of push.proto, zstd-compressed; borrowed */
};

#endif
