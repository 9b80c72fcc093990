/* letters.h - records that cannot be taken, as dead letters that wait for the next transaction: with it goes the offset behind them, or neither.
 *
 * Not thread-safe: one owner. */
#ifndef MILLRACE_SINK_NOTIFY_LETTERS_H
#define MILLRACE_SINK_NOTIFY_LETTERS_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "common/program.h"
#include "common/str.h"

enum { LETTERS_MAX = 32 };

/* Zeroed it is empty. */
struct letters {
	struct buf letter[LETTERS_MAX];
	size_t nr;
};

/* No room for another one: a transaction is due first. */
bool letters_full(const struct letters *l);

/* Adds a letter of m; why is for a person. -1 with *err set when memory is short. */
int letters_add(struct letters *l, const struct program *p, const rd_kafka_message_t *m, int64_t epoch, const char *why, struct err *err);

/* Forgets all; keeps the memory. */
void letters_clear(struct letters *l);

/* Frees all. */
void letters_fini(struct letters *l);

#endif
