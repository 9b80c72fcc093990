/* verdict.h - what a reply to an unordered insert says of each of its documents.
 *
 * Judged by code and index alone, never by the driver's return value (it is "failed" even when every document was there
 * already) nor by text. A document counts as stored only when the reply accounts for every document of the batch:
 * inserted + errors = sent. A reply that does not (a hanging server's is empty) says nothing, and all is sent again; since
 * _ids are fixed, that is always safe. Pure: no I/O, no clock. */
#ifndef MILLRACE_SINK_MONGO_VERDICT_H
#define MILLRACE_SINK_MONGO_VERDICT_H

#include <mongoc/mongoc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum verdict_outcome {
	VERDICT_STORED,
	VERDICT_ALREADY, /* a document with this _id was there */
	VERDICT_RETRY,   /* not known to be stored: the same again */
	VERDICT_POISON,  /* this document will never be accepted */
};

/* Why documents must be sent again; also the label of a metric. */
enum verdict_reason {
	VERDICT_REASON_NONE,
	VERDICT_REASON_NETWORK,       /* no server, no answer, or one that makes no sense */
	VERDICT_REASON_NOT_PRIMARY,   /* elections, shutdowns */
	VERDICT_REASON_WRITE_CONCERN, /* not replicated in time */
	VERDICT_REASON_AUTH,          /* credentials or rights */
	VERDICT_REASON_SPACE,         /* disk full, quota */
	VERDICT_REASON_OTHER_INDEX,   /* a unique index beside _id's refuses documents: an operator must drop it */
	VERDICT_REASON_CONTENT,       /* the whole command was refused for what is in it: it must be bisected */
	VERDICT_REASON_SERVER,        /* any other error of the server's */
	NR_VERDICT_REASONS
};

struct verdict_document {
	enum verdict_outcome outcome;
	int32_t code;     /* the server's, 0 without */
	const char *text; /* the server's, borrowed from reply or error; "" without */
};

/* Counts of a batch; reason and code are the worst ones that made a retry necessary. */
struct verdict {
	size_t stored, already_stored, poison, retry;
	bool bisect; /* send these again in halves: one of them is at fault, and which one is not said */
	enum verdict_reason reason;
	int32_t code;
};

/* Judges the reply (never NULL; as the driver filled it, also on failure) to an unordered insert of nr documents. error is the
 * driver's: it names the reason of a retry, and a single document may be given up for it (see verdict.c). Fills all nr documents, in
 * the order sent, and *v. */
void verdict_judge(const bson_t *reply, const bson_error_t *error, struct verdict_document *documents, size_t nr,
		   struct verdict *v);

/* "network", "not_primary", .. */
const char *verdict_reason_name(enum verdict_reason reason);

#endif
