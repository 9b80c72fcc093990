/* letters.h - dead letters of condemned entries, until Kafka has acknowledged them.
 *
 * An entry's offset must not be committed before its dead letter is safe, so a letter is sent until it is: a refusal by the
 * queue or by Kafka only means "again in a second". How many can be under way is bounded by the bytes of their batches.
 * One owner: the poll thread, who also owns the report. */
#ifndef MILLRACE_SINK_MONGO_LETTERS_H
#define MILLRACE_SINK_MONGO_LETTERS_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/program.h"
#include "common/report.h"
#include "sink/mongo/batch.h"

struct letters;

/* Called, from letters_send(), letters_turn() or report_poll(), when an entry of b has become BATCH_DEAD. */
typedef void (*letters_done_fn)(void *ctx, struct batch *b);

/* Borrows all until letters_free(). NULL: out of memory. */
struct letters *letters_new(const struct program *p, struct report *r, int64_t epoch, letters_done_fn done, void *ctx);

/* Frees. The report must have been freed before: it has callbacks that lead here. NULL is a no-op. */
void letters_free(struct letters *l);

/* Sends the dead letter of a condemned entry; the batch must stay where it is until done was called for it. -1 with *err
 * (ERR_FATAL) when memory is short. */
int letters_send(struct letters *l, struct batch *b, size_t entry, struct err *err);

/* Sends again what could not be sent; call once a loop turn. */
void letters_turn(struct letters *l);

/* How many are not acknowledged yet. */
size_t letters_pending(const struct letters *l);

#endif
