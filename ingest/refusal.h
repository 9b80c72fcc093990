/* refusal.h - why a payload is not taken: ingest's error value towards the client.
 *
 * A room that refuses returns -1 and fills a struct refusal on its caller's stack; the server makes the answer of it. The
 * reason is one of schemas/reasons.txt with an HTTP status, the detail says what exactly was wrong (it may quote the client,
 * so it can hold any bytes). Untouched on success. */
#ifndef MILLRACE_INGEST_REFUSAL_H
#define MILLRACE_INGEST_REFUSAL_H

#include <stdint.h>

#include "schemas/reasons.h"

struct refusal {
	enum reason reason;
	int64_t wait_ms;  /* the client need not come back sooner; 0: not known */
	char detail[384]; /* "": the reason's own text says it all */
};

/* Sets reason and detail (printf format; cut at its end); wait_ms is 0. Always -1: "return refuse(...)". */
int refuse(struct refusal *no, enum reason reason, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
