/* event_json.h - one line of JSON becomes one message of schemas/push.proto.
 *
 * The grammar is the definition itself: protobuf-c's descriptors say which fields an Error, a Transaction, a Marker or a CheckIn has and
 * of what type. A new field of theirs is known here as soon as push.proto has it. Only lines.c includes this. */
#ifndef MILLRACE_AGENT_EVENT_JSON_H
#define MILLRACE_AGENT_EVENT_JSON_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/str.h"
#include "ingest/agent/event_queue.h"
#include "ingest/agent/lines.h"

/* An event as it stood there, not judged yet. */
struct event_json {
	enum event_kind kind;
	ProtobufCMessage *message; /* in the arena; maps are sorted by key */
	uint32_t seen;             /* which of its fields stood there and were not null: bits by their place in the descriptor */
};

/* Reads a line of at most LINES_MAX_BYTES. A `t` that is left out, of the event or inside of it, is now_ms. *out lives as long as what
 * arena handed out. False, with *no set, when the line is refused. */
bool event_json_parse(struct str line, int64_t now_ms, struct arena *arena, struct event_json *out, struct lines_refusal *no);

/* Did the field of this name, which there must be, stand there? */
bool event_json_has(const struct event_json *e, const char *field);

/* Refuses: fills *no. Always false. */
bool event_refuse(struct lines_refusal *no, enum lines_reason reason, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
