/* push.h - the way of one payload: a whole body in, an answer out.
 *
 * The corridor between the server and the rooms inflate, decode, check, split and produce: it owns the memory that all payloads of its
 * thread are decoded in, one after the other, and remembers of each only what its answer needs until Kafka has spoken. Not
 * thread-safe: each serving thread has its own. */
#ifndef MILLRACE_INGEST_PUSH_H
#define MILLRACE_INGEST_PUSH_H

#include <stddef.h>

#include "ingest/account.h"
#include "ingest/admission.h"
#include "ingest/answer.h"
#include "ingest/producer.h"
#include "ingest/scrub.h"

struct push;
struct push_job; /* a payload whose records are in flight */

/* What push works with; all borrowed until push_free(). */
struct push_rooms {
	struct admission *admission;
	struct producer *producer;
	struct account *account;
	const struct otlp_rules *otlp; /* NULL: no OTLP is decoded */
	const struct scrub *scrub; /* NULL: nothing is scrubbed, in tests */
	const struct log *log;     /* NULL: nothing is told of payloads, in tests */
};

struct push_limits {
	size_t decoded_bytes;  /* what a payload may take while it is decoded */
	size_t inflated_bytes; /* a body, inflated */
	size_t inflate_ratio;
	size_t record_bytes;   /* one part, encoded */
};

/* Called once when a job is done, from producer_poll(); takes the answer's content. */
typedef void (*push_done_fn)(void *ctx, struct answer *answer);

/* Copies rooms; NULL when memory is short. */
struct push *push_new(const struct push_rooms *rooms, const struct push_limits *limits);

/* No job may be left: producer_free() comes first, and ends them. NULL is a no-op. */
void push_free(struct push *p);

/* Handles a whole body. NULL: *now has the answer, and the ticket is released. Else a job that will answer through done; it has
 * taken the ticket. body is borrowed for the call only. */
struct push_job *push_start(struct push *p, struct ticket *t, struct str body, push_done_fn done, void *ctx, struct answer *now);

/* Refuses a request whose ticket no job has taken: counts it, writes the answer, and releases the ticket. */
void push_refuse(struct push *p, struct ticket *t, const struct refusal *no, struct answer *answer);

/* Is Kafka gone for a topic that this job waits for? */
bool push_hangs(const struct push_job *job);

/* The client of a job is not to wait any longer: writes the refusal into answer. The job goes on to its end, and done is not called.
 * What Kafka takes of it all the same is told from its retry by the processor. */
void push_abandon(struct push_job *job, const struct refusal *no, struct answer *answer);

#endif
