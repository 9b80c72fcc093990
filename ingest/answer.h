/* answer.h - what a client is told, in the form that it asked in.
 *
 * Natively, in JSON: 202 {"accepted": n, "rejected": [{"index": "metrics[3].points[0]", "reason": "name"}], "rejected_total": n}, or a refusal
 * {"error": "name", "detail": "text"}. Counts are samples (payload.h); the list is cut at PAYLOAD_REJECTIONS_MAX entries, the
 * total never. To /v1/auth: 200 {"site": "id"}.
 *
 * To OTLP, as its specification has it (OTLP/HTTP Response): 200 with an ExportMetricsServiceResponse or its like, in the request's own type, whose
 * partial_success is there only when something was rejected; or a refusal as google.rpc.Status. A status that clients do not repeat is not
 * given for what a repetition would mend. When a refused client may come back is admission's to say. */
#ifndef MILLRACE_INGEST_ANSWER_H
#define MILLRACE_INGEST_ANSWER_H

#include <stdbool.h>

#include "common/str.h"
#include "ingest/otlp.h"
#include "ingest/payload.h"
#include "ingest/refusal.h"

/* How a client wants to be told; {0}: natively. */
struct answer_form {
	bool otlp, protobuf;     /* natively it is always JSON */
	enum otlp_signal signal;
};

struct answer {
	struct answer_form form; /* of the body */
	int status;             /* 0: none yet */
	bool refused;           /* reason tells why */
	enum reason reason;
	unsigned retry_after_s; /* 0: no such header */
	struct buf body;        /* owned */
};

#define ANSWER_INIT {0}

/* Frees the body; the answer is as after ANSWER_INIT. */
void answer_fini(struct answer *a);

/* The answer to a payload whose every part is acknowledged. a is empty before. */
void answer_accept(struct answer *a, const struct answer_form *form, const struct payload *p);

/* The answer to a good key. a is empty before. */
void answer_auth(struct answer *a, struct str site);

/* The answer to a refused request; replaces what was there. retry_after_s 0: none. */
void answer_refuse(struct answer *a, const struct answer_form *form, const struct refusal *no, unsigned retry_after_s);

/* The body's media type; a literal. */
const char *answer_type(const struct answer *a);

#endif
