/* gate.h - which writer may insert now, and how much: aimd.h and breaker.h under one lock.
 *
 * A writer that has something to send comes to gate_enter(), where it waits its turn, first come, first served: until the breaker
 * lets it by and fewer inserts are under way than there may be. It goes by gate_leave() with what came of it.
 * All functions may be called by any thread, but _new and _free. */
#ifndef MILLRACE_SINK_MONGO_GATE_H
#define MILLRACE_SINK_MONGO_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "sink/mongo/aimd.h"
#include "sink/mongo/breaker.h"
#include "sink/mongo/settings.h"

struct gate;

/* Leave for one insert. */
struct gate_permit {
	size_t bytes;     /* send documents until their bytes reach this, */
	size_t documents; /* or there are so many */
	bool probe;
	bool letter;      /* a document of a probe was given up: gate_letter() has told the breaker */
	struct aimd_insert insert;
};

/* What came of it. */
struct gate_news {
	const struct verdict *verdict;
	size_t bytes;   /* sent */
	bool full;      /* as many documents as one insert ever carries */
	bool connected; /* it may have had to make its connection first */
};

/* The present state, for the operator's eyes. */
struct gate_view {
	enum breaker_state state;
	int reason;            /* of the last opening; breaker_reason_name() */
	uint64_t openings;
	int64_t opened_mono_ms;
	uint64_t other_index;  /* inserts of which another unique index refused documents, since the start */
	size_t batch_bytes, writers;
	double latency_ms, reference_ms; /* 0: not known */
};

/* NULL with *err set when memory is short. */
struct gate *gate_new(const struct sink_conf *conf, struct err *err);

/* Frees; nobody may be inside. NULL is a no-op. */
void gate_free(struct gate *g);

/* Waits until one more insert may be sent. True: *permit, and gate_leave() must follow. False: the gate is closed for good. */
bool gate_enter(struct gate *g, struct gate_permit *permit);

/* The same for a writer that has better to do than wait for probes: false, too, as soon as the breaker is not closed. */
bool gate_enter_unless_open(struct gate *g, struct gate_permit *permit);

/* The insert has ended. True: it failed and nobody else says when to try again, so the writer should pause by itself. */
bool gate_leave(struct gate *g, const struct gate_permit *permit, const struct gate_news *news);

/* May a document of this insert, which the database refuses for good, be given up to deadletter? False: it stays pending. */
bool gate_letter(struct gate *g, struct gate_permit *permit);

/* A record went to deadletter without coming here. */
void gate_letter_made(struct gate *g);

/* Should no record be read now, since too many became dead letters? Cheap. */
bool gate_unread(struct gate *g);

/* From how many bytes on a batch is large enough. Cheap. */
size_t gate_batch_bytes(struct gate *g);

/* Is the breaker closed? Cheap. */
bool gate_is_open_to_all(struct gate *g);

/* Fills *view. */
void gate_look(struct gate *g, struct gate_view *view);

/* The sink stops: whoever waits is turned away at once, now and from now on. */
void gate_close(struct gate *g);

#endif
