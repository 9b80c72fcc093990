/* told.h - how far one receiver has been told of one incident, and the notification that is on its way.
 *
 * What is committed of it is a Sent record; its stage is what this process alone knows. Not thread-safe. */
#ifndef MILLRACE_NOTIFY_TOLD_H
#define MILLRACE_NOTIFY_TOLD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/err.h"
#include "schemas/schemas.h"

enum { TOLD_ERROR_MAX = 200 };

enum told_stage {
	TOLD_RESTS,   /* nothing is on its way; with outcome under_way: it was, of another process, or it was called off */
	TOLD_DECIDED, /* the Sent is not committed yet */
	TOLD_READY,   /* it is: the job may be given out */
	TOLD_OUT,     /* given out, without an outcome */
};

struct one_case;

struct told {
	struct one_case *of;
	char *receiver; /* id */
	int64_t sequence, version;
	enum incident_state state;
	enum sent_outcome outcome;
	int32_t attempts;
	int64_t first_ms, at_ms;
	char *error; /* NULL: none */
	enum told_stage stage;
	bool dirty, handed; /* in the queues of records to write, and of those in the transaction */
	bool fresh;         /* there is no Sent of it yet: times and outcome mean nothing */
	TAILQ_ENTRY(told) in_dirty, in_handed, in_ready;
};

TAILQ_HEAD(told_queue, told);

/* Of a case's; NULL when memory is short. */
struct told *told_new(struct one_case *of, struct str receiver);

/* Must be in no queue; NULL is a no-op. */
void told_free(struct told *t);

/* Bytes that it takes, but for an error's text. */
size_t told_bytes(const struct told *t);

/* What a Sent record says, of this incident and receiver. */
void told_load(struct told *t, const struct sent *sent);

/* The Sent record of it, borrowing. */
void told_record(const struct told *t, const uint8_t incident[16], struct sent *out);

/* Keeps the beginning of an error's text, as whole characters; without memory, none. */
void told_set_error(struct told *t, struct str error);

#endif
