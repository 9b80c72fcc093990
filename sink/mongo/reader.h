/* reader.h - records become batches, batches come back, ledgers are kept: the poll thread's work on data.
 *
 *     consumer_next() -> reader_take(): decode, document, batch -> writers -> reader_turn(): dead letters, ledgers
 *
 * What an operator's control drops goes into a batch as a number only. A control without a site drops all records of its kind, also those
 * that nobody can decode; one with a site, those of which the site can be read. What is in a batch already is stored.
 *
 * The reader never waits for the database. When it has as much in flight as it may, reader_full() says so, and the poll thread
 * stops reading while it keeps polling Kafka (main.c). One owner: the poll thread. */
#ifndef MILLRACE_SINK_MONGO_READER_H
#define MILLRACE_SINK_MONGO_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/controls.h"
#include "common/err.h"
#include "common/program.h"
#include "common/report.h"
#include "sink/mongo/consumer.h"
#include "sink/mongo/meters.h"
#include "sink/mongo/partitions.h"
#include "sink/mongo/settings.h"
#include "sink/mongo/writer.h"

struct reader;

struct reader_spec {
	const struct program *program; /* borrowed, with all below, until reader_free() */
	const struct sink_conf *conf;
	struct meters *meters;
	struct partitions *parts;
	struct writers *writers;
	struct report *report;
	struct controls *controls; /* those of the sink: drop is obeyed here */
	int64_t epoch; /* of the cell's topics: for records that do not say it, and in dead letters of what cannot be decoded */
};

/* NULL with *err set when memory is short. */
struct reader *reader_new(const struct reader_spec *spec, struct err *err);

/* Frees, with all batches. The writers must have stopped, and the report been freed, before: both may still give something back.
 * Kafka's client must still be there, as batches hold its messages. NULL is a no-op. */
void reader_free(struct reader *r);

/* What reader_take() made of a record. */
enum reader_taken {
	READER_TAKEN,  /* it is in a batch, dropped, or on its way to deadletter, and in its partition's ledger */
	READER_UNKNOWN, /* not taken: a schema id that nobody here knows, so a newer writer's. Hold the partition. */
};

/* Takes the next record of part; READER_UNKNOWN leaves message to the caller. -1 with *err (ERR_FATAL): the message is not
 * the caller's any more. */
int reader_take(struct reader *r, struct partition *part, rd_kafka_message_t *message, struct err *err);

/* Gives to the writers what is full or old enough, settles what came back, repeats dead letters. -1 with *err (ERR_FATAL). */
int reader_turn(struct reader *r, struct err *err);

/* Must reading stop for now? */
bool reader_full(struct reader *r);

/* Is so little in flight that reading may begin again after a long stop? */
bool reader_relaxed(const struct reader *r);

/* Gives all to the writers and waits up to timeout_ms (real) until all records of the partitions that are leaving are settled;
 * with all, until every record is. False when the time is over first. */
bool reader_drain(struct reader *r, bool all, int64_t timeout_ms);

/* Bytes and batches in flight. */
size_t reader_inflight_bytes(const struct reader *r);

#endif
