/* reply.h - what the body of an answer says: samples that were rejected, or why the payload was refused.
 *
 * Answers may come from anything that listens there. All is bounded, and what is kept of foreign text is printable ASCII. A body that is
 * no JSON, or other JSON than the Push API's, says nothing, which is no error: the status decides. */
#ifndef MILLRACE_AGENT_REPLY_H
#define MILLRACE_AGENT_REPLY_H

#include <stddef.h>
#include <stdint.h>

#include "common/str.h"

enum { REPLY_MAX_BYTES = 256 << 10, REPLY_REASONS_MAX = 24, REPLY_REASON_SIZE = 48, REPLY_WORDS_SIZE = 200 };

struct reply_reason {
	char reason[REPLY_REASON_SIZE];
	uint64_t samples; /* as far as they are listed */
};

struct reply {
	uint64_t accepted, rejected; /* samples */
	struct reply_reason reasons[REPLY_REASONS_MAX];
	size_t reasons_len;
	char error[REPLY_REASON_SIZE], detail[REPLY_WORDS_SIZE]; /* of a refusal; empty: not said */
};

/* Reads as far as it is well-formed. *out is set in any case. A text that holds secret (if that is not empty) is not kept. */
void reply_read(struct str body, struct str secret, struct reply *out);

#endif
