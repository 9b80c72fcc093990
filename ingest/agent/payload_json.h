/* payload_json.h - a payload as people read it, for --once: the JSON form of schemas/push.proto, which the Push API takes too. */
#ifndef MILLRACE_AGENT_PAYLOAD_JSON_H
#define MILLRACE_AGENT_PAYLOAD_JSON_H

#include "common/err.h"
#include "common/str.h"

enum { PAYLOAD_JSON_MAX_BYTES = 32 << 20 }; /* of a message that is unpacked */

/* Appends the JSON of a payload's body (an envelope's: zstd-compressed protobuf), over several lines, with a line end. ERR_REJECT: it is
 * none, or inflates to more than PAYLOAD_JSON_MAX_BYTES; ERR_FATAL: memory is short. On failure out may hold a part. */
int payload_json(struct str body, struct buf *out, struct err *err);

#endif
