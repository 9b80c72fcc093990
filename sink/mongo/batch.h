/* batch.h - records for one collection on their way to the database, and what became of each.
 *
 * A batch is filled by the reader, written by one writer, and settled by the reader. Exactly one thread owns it at any time; it
 * changes hands through queues only. An entry keeps its Kafka message until the end, since a dead letter holds the record whole.
 * Entries of one partition form a span, which is what the partition's ledger knows of the batch. */
#ifndef MILLRACE_SINK_MONGO_BATCH_H
#define MILLRACE_SINK_MONGO_BATCH_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/err.h"
#include "common/str.h"
#include "sink/mongo/ledger.h"
#include "sink/mongo/queue.h"
#include "sink/mongo/settings.h"

enum batch_state {
	BATCH_PENDING, /* its document is to be written */
	BATCH_STORED,
	BATCH_ALREADY, /* was stored before */
	BATCH_CONDEMNED, /* its dead letter is not acknowledged yet */
	BATCH_DEAD,    /* its dead letter is */
};

struct batch_entry {
	rd_kafka_message_t *message; /* owned; NULL in tests without Kafka */
	size_t doc_at;               /* of its document in the batch's bytes */
	size_t doc_len;              /* 0: there is none, or its dead letter is under way; writers let it alone then */
	uint32_t span;
	enum batch_state state;
	const char *code;   /* of a dead letter: a literal */
	const char *reason; /* of a dead letter: in the batch's notes */
};

struct batch_span {
	int32_t partition;
	uint64_t generation; /* of the partition's assignment */
	uint64_t ledger_id;
	uint64_t dropped; /* its records that a control keeps out of the database: they have no entry */
};

struct batch {
	struct queue_item item; /* must be first */
	struct batch *older, *newer; /* among all of the reader's, for the reader alone */
	enum sink_collection collection; /* all its records come from that one's topic */
	uint64_t number;          /* of this batch among the reader's */
	int64_t begun_mono_ms;
	struct batch_entry *entries;
	size_t len, cap;
	struct batch_span *spans;
	size_t nr_spans, cap_spans;
	struct buf documents;
	struct arena notes;
	size_t bytes;             /* what all this weighs in memory, about ... */
	size_t beside_bytes;      /* ... and how much of it are records that are not in here (batch_pass()) */
	size_t pending;           /* entries in this state */
	_Atomic size_t condemned; /* likewise; a writer adds while the poll thread may take a letter off that was sent before */
	bool away;                /* with the writers */
};

/* An empty batch. NULL with *err set when memory is short. */
struct batch *batch_new(enum sink_collection collection, uint64_t number, struct err *err);

/* Frees the batch and the messages in it; NULL is a no-op. */
void batch_free(struct batch *b);

/* Adds a span and returns its index, or -1 with *err set. */
int batch_add_span(struct batch *b, const struct batch_span *span, struct err *err);

/* Adds an entry to span, pending, and returns its index, or -1 with *err set. Takes message on success; copies the document. */
int batch_add(struct batch *b, uint32_t span, rd_kafka_message_t *message, struct str document, struct err *err);

/* Notes that a record of so many bytes, which may have been fetched together with entries' messages, has gone another way: it weighs beside them. */
void batch_pass(struct batch *b, size_t bytes);

/* Notes one more record of span, of so many bytes, that a control drops. It weighs beside entries, whose messages keep its memory (batch.c). */
void batch_drop(struct batch *b, uint32_t span, size_t bytes);

/* Gives up a pending entry: its record goes to deadletter. code is a literal, reason is copied (memory short: "" is noted). */
void batch_condemn(struct batch *b, size_t entry, const char *code, const char *reason);

/* Notes that a pending entry's document is stored, or was; or that a condemned entry's dead letter is acknowledged. */
void batch_settle(struct batch *b, size_t entry, enum batch_state state);

/* Has every entry come to its end, and no writer the batch? */
static inline bool batch_done(const struct batch *b)
{
	return !b->away && b->pending == 0 && b->condemned == 0;
}

/* Sums up the entries of one span, and what was dropped of it. */
void batch_outcome(const struct batch *b, uint32_t span, struct ledger_outcome *out);

#endif
