/* push.h - the way of one payload: a whole body in, an answer out.
 *
 * The corridor between the server and the rooms decode, check, split and produce: it owns the arena that all payloads are decoded
 * in, one after the other, and remembers of each only what its answer needs until Kafka has spoken. Not thread-safe. */
#ifndef MILLRACE_INGEST_PUSH_H
#define MILLRACE_INGEST_PUSH_H

#include <stddef.h>

#include "common/clock.h"
#include "ingest/account.h"
#include "ingest/admission.h"
#include "ingest/answer.h"
#include "ingest/producer.h"
#include "ingest/sites.h"

struct push;
struct push_job; /* a payload whose records are in flight */

/* What push works with; all borrowed until push_free(). */
struct push_rooms {
	const struct clock *clock;
	struct sites *sites;
	struct admission *admission;
	struct producer *producer;
	struct account *account;
};

/* Called once when a job is done, from producer_poll(); takes the answer's content. */
typedef void (*push_done_fn)(void *ctx, struct answer *answer);

/* Copies rooms; NULL when memory is short. */
struct push *push_new(const struct push_rooms *rooms, size_t max_body_bytes, size_t max_record_bytes);

/* No job may be left: producer_free() comes first, and ends them. NULL is a no-op. */
void push_free(struct push *p);

/* Handles a whole body. NULL: *now has the answer, and the ticket is released. Else a job that will answer through done; it has
 * taken the ticket's charge. body is borrowed for the call only. */
struct push_job *push_start(struct push *p, struct ticket *t, struct str body, push_done_fn done, void *ctx, struct answer *now);

/* The client is gone: the job goes on to its end, and done is not called. NULL is a no-op. */
void push_forget(struct push_job *job);

#endif
