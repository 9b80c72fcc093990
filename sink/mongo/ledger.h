/* ledger.h - what became of one partition's records, and so which offset may be committed.
 *
 * Records are taken in the order of their offsets, in spans: a span is the part of one batch that came from this partition. Several may be
 * filled at a time, as a topic's records may go to several collections. Batches come back in any order. The committed offset never passes a record that is not settled: stored, already stored,
 * dead-lettered (and acknowledged), or dropped by a control. Invariants:
 *  I1  Spans lie in the order of their first records, and each is opened to take one: so no open span has a record before the begin of the
 *      oldest open one, however they grow.
 *  I2  Offsets between records (control records of transactions) belong to whatever follows them.
 *  I3  A span is settled only by outcomes that add up to the records it took. One that does not stays open for ever, and so
 *      holds back every later commit: an imbalance stops commits by itself.
 * Pure: no I/O, no clock. One owner (the poll thread). It lives as long as its partition's assignment. */
#ifndef MILLRACE_SINK_MONGO_LEDGER_H
#define MILLRACE_SINK_MONGO_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

/* Records by what became of them. */
struct ledger_outcome {
	uint64_t stored, already_stored, dead_lettered, dropped;
};

struct ledger_span {
	uint64_t id;
	int64_t begin;  /* committable while this span is the oldest open one */
	uint64_t taken; /* records */
	int64_t first_ms; /* the first one's timestamp; 0: none taken yet */
	bool settled;
};

struct ledger {
	int64_t next;           /* follows the last record taken */
	int64_t last_ms;        /* the timestamp of that; 0: none was taken */
	uint64_t consumed;      /* records taken since ledger_init() */
	struct ledger_outcome settled;
	struct ledger_span *spans; /* a ring: the oldest at head */
	size_t head, len, cap;
	uint64_t next_id;
	bool broken;            /* I3 was violated */
};

/* An empty ledger; the first record to be taken has offset begin or a higher one. */
void ledger_init(struct ledger *l, int64_t begin);

/* Frees the spans. */
void ledger_fini(struct ledger *l);

/* Starts a span behind all others and returns its number in *id. -1 with *err set when memory is short. */
int ledger_open(struct ledger *l, uint64_t *id, struct err *err);

/* Takes the record at offset (>= next) into the span of this number, which must be open. t_ms: its timestamp, of any clock. */
void ledger_take(struct ledger *l, uint64_t id, int64_t offset, int64_t t_ms);

/* Nothing more will come before offset (the partition's end was reached there): moves next up to it, never back. */
void ledger_skip_to(struct ledger *l, int64_t offset);

/* Settles a span. ERR_FATAL, and the span stays open, when the outcomes do not add up to what it took, or it is settled already. */
int ledger_settle(struct ledger *l, uint64_t id, const struct ledger_outcome *outcome, struct err *err);

/* The offset that may be committed: all records before it are settled. */
int64_t ledger_committable(const struct ledger *l);

/* The timestamp of the oldest record, by offset, that was taken and is not settled; 0: there is none. */
int64_t ledger_oldest_ms(const struct ledger *l);

/* Does consumed equal what is settled plus what the open spans took? False also after a failed ledger_settle(). */
bool ledger_balanced(const struct ledger *l);

#endif
