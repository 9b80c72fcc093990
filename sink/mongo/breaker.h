/* breaker.h - whether the database is worth asking at all.
 *
 *     CLOSED --dead, not ours to write, or too many dead letters--> OPEN --probe is due--> HALF_OPEN --it went well--> CLOSED
 *                                                                     ^------it did not: twice the pause------+
 *
 * Open, nothing is sent but single probes at growing, jittered intervals. A probe is an ordinary small insert of what waits.
 * Dead letters count too: more than BREAKER_LETTERS_A_MINUTE within a minute mean that not the documents are at fault but something that
 * a person must mend (a validator was added; a producer went wild), and a topic must not be dead-lettered for it.
 * Pure: no I/O, times are handed in (monotonic milliseconds). Not thread-safe: gate.h holds the lock. */
#ifndef MILLRACE_SINK_MONGO_BREAKER_H
#define MILLRACE_SINK_MONGO_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#include "sink/mongo/verdict.h"

enum { BREAKER_LETTERS_A_MINUTE = 100 };

enum breaker_state { BREAKER_CLOSED, BREAKER_HALF_OPEN, BREAKER_OPEN }; /* the values of a metric */

/* Why it opened: an enum verdict_reason, or this one. */
enum { BREAKER_LETTERS = NR_VERDICT_REASONS, NR_BREAKER_REASONS };

struct breaker {
	enum breaker_state state;
	int reason;            /* of the last opening */
	uint64_t openings;     /* from CLOSED, since the start */
	int64_t opened_ms;
	unsigned failures;     /* in a row, while closed */
	int64_t pause_ms;      /* the last one before a probe */
	int64_t next_probe_ms;
	uint64_t jitter;       /* state of a random generator */
	int64_t letters_ms[BREAKER_LETTERS_A_MINUTE]; /* a ring: when the last ones were written */
	uint64_t nr_letters;
	int64_t unread_until_ms; /* the reader made one too many */
};

enum breaker_answer {
	BREAKER_GO,
	BREAKER_PROBE, /* you are the probe: breaker_tell() must follow */
	BREAKER_WAIT,
};

/* What came of an insert. */
enum breaker_news {
	BREAKER_GOOD, /* the database did something */
	BREAKER_BAD,
	BREAKER_NONE, /* nothing is known: a probe may be sent again at once */
};

/* Closed. Any seed. */
void breaker_init(struct breaker *b, uint64_t seed);

/* May an insert be sent? On BREAKER_WAIT *until_ms is when to ask again; INT64_MAX: when a probe has come back. */
enum breaker_answer breaker_ask(struct breaker *b, int64_t now_ms, int64_t *until_ms);

/* An insert has come back. reason is looked at for BREAKER_BAD alone. */
void breaker_tell(struct breaker *b, int64_t now_ms, bool probe, enum breaker_news news, enum verdict_reason reason);

/* May one more document be given up to deadletter? True counts it. False: it must stay pending; the breaker is open. A probe under
 * BREAKER_LETTERS may give up its one document, or a topic that begins with a bad one would never go on. */
bool breaker_letter(struct breaker *b, int64_t now_ms, bool probe);

/* A record became a dead letter before anyone was asked: it cannot be decoded. Counts it, whatever else is the matter. */
void breaker_letter_made(struct breaker *b, int64_t now_ms);

/* Before when no record should be read, since each may become one more dead letter; INT64_MAX: not before a probe has come back. A
 * time that is past, or 0: reading is all right. */
int64_t breaker_unread_until_ms(const struct breaker *b);

/* "network", .., "letters"; "none". */
const char *breaker_reason_name(int reason);

#endif
