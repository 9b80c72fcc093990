/* writer.h - the threads that insert.
 *
 * Each takes a batch from a queue, inserts what is pending in it until every document is stored, was stored, or is condemned,
 * and gives it back. When it may send, and how much at once, is gate.h's to say. A writer never gives up on a database: it repeats until
 * the batch is through or the sink stops. The first writer also makes the indexes, so that a dead database holds up nobody else.
 * Threads: a batch belongs to a writer from writers_give() until writers_take() returns it. Settings, log, meters and insert options are
 * constant or atomic; all else belongs to one writer. */
#ifndef MILLRACE_SINK_MONGO_WRITER_H
#define MILLRACE_SINK_MONGO_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/log.h"
#include "sink/mongo/batch.h"
#include "sink/mongo/database.h"
#include "sink/mongo/gate.h"
#include "sink/mongo/meters.h"
#include "sink/mongo/settings.h"

struct writers;

enum writers_indexes {
	WRITERS_INDEXES_PENDING,
	WRITERS_INDEXES_READY,
	WRITERS_INDEXES_CONFLICT, /* logged; tried again every half a minute, documents are written meanwhile */
};

/* Starts conf->writers threads. wake_fd (of events_wake_fd()) becomes readable when a batch comes back. Borrows all arguments until
 * writers_free(). NULL with *err set. */
struct writers *writers_new(struct database *db, const struct sink_conf *conf, const struct log *log, struct meters *meters,
			    int wake_fd, struct err *err);

/* Ends the threads, waiting up to timeout_ms (real) for calls into the driver. All batches come back by writers_take() then, some
 * with entries pending. False when a thread hangs: it is left behind, with what it uses, and the process must end without
 * tearing that down. */
bool writers_stop(struct writers *w, int64_t timeout_ms);

/* Frees, after writers_stop() and when all batches were taken back; NULL is a no-op. */
void writers_free(struct writers *w);

/* Gives a batch to the writers. */
void writers_give(struct writers *w, struct batch *b);

/* Takes back a batch, with nothing pending any more unless the writers were stopped, or condemned documents want their letters sent: then give
 * it again, with doc_len 0 where a letter is under way. Waits up to timeout_ms (real); NULL when there is none. */
struct batch *writers_take(struct writers *w, int64_t timeout_ms);

/* Are there as many batches waiting as there are writers? Then more would only wait longer: let the next one grow. */
bool writers_busy(struct writers *w);

/* From how many bytes of documents on a batch is large enough for the database as it is now. Cheap; any thread. */
size_t writers_batch_bytes(struct writers *w);

/* The poll thread has made a dead letter of a record that has no document. */
void writers_letter_made(struct writers *w);

/* Should no record be read now, since too many became dead letters? Cheap; any thread. */
bool writers_unread(struct writers *w);

/* How the database is asked now. Any thread. */
void writers_look(struct writers *w, struct gate_view *view);

/* How far the indexes are. Any thread. */
enum writers_indexes writers_indexes(const struct writers *w);

#endif
