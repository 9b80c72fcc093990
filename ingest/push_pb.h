/* push_pb.h - the native payload in protobuf (schemas/push.proto).
 *
 * Says the same as push_json.h does wherever both formats can, and is proto3 (protobuf.dev, "Encoding") where they differ:
 *  - Fields come in any order. Of a singular field that stands there several times the last is taken; a histogram that
 *    does is read on, as if its bytes had been one: scalars are replaced, lists go on. Lists of numbers may be packed or not. In a
 *    map's entry, key and value may be missing: empty strings. A key in two entries is a doubled tag, as in JSON.
 *  - What the schema gives no presence is left out when it is 0 or empty: agent_id, seq, floor, created_at, t (of a breadcrumb, too), count,
 *    last_at.
 *  - Unknown fields are skipped, groups too, to a depth. A known field with another wire type refuses the payload, and so does text
 *    that is not UTF-8.
 *  - Numbers beyond int64 do not wrap: a count (of a point, a bucket, zeros) becomes INT64_MAX, which no check lets pass;
 *    in seq, floor and a truncation, where it could be taken for another number, it refuses the payload as bad_payload. Of enums,
 *    uint32 and sint32 the low 32 bits are taken, as the format says.
 *  - Each occurrence of a field must be sound, also one that is replaced later. */
#ifndef MILLRACE_INGEST_PUSH_PB_H
#define MILLRACE_INGEST_PUSH_PB_H

#include "common/str.h"
#include "ingest/payload.h"
#include "ingest/refusal.h"

/* Reads a whole body into p, which payload_init() has prepared. p borrows body. What does not fit into p's arena is refused as
 * too large. A refusal's detail names the byte and the field: "byte 71, metrics[0].points[2].v: ..". On refusal p is good for
 * nothing but forgetting. */
int push_pb_parse(struct str body, struct payload *p, struct refusal *no);

#endif
