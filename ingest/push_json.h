/* push_json.h - the native payload in JSON (schemas/push.proto).
 *
 * Strict where it matters and open where it helps: a known field of the wrong type, or one that stands there twice, refuses
 * the payload by its path; a field nobody here knows is skipped, as newer agents may send it; null means left out. A metric's
 * fields may come in any order, so it is judged when its object ends (check.h), and so is an event (event.h). In an event's tags, params and
 * metadata a value that is no string is taken as its JSON text; in a metric's tags it is of the wrong type, as those name a series. */
#ifndef MILLRACE_INGEST_PUSH_JSON_H
#define MILLRACE_INGEST_PUSH_JSON_H

#include "common/str.h"
#include "ingest/payload.h"
#include "ingest/refusal.h"

enum { PUSH_JSON_DEPTH_MAX = 32 }; /* containers in one another; our own need seven, unknown fields may need more */

/* Reads a whole body into p, which payload_init() has prepared. p borrows body. What does not fit into p's arena is refused as
 * too large. On refusal p is good for nothing but forgetting. */
int push_json_parse(struct str body, struct payload *p, struct refusal *no);

#endif
