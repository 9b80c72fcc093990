/* report.h - what every program says of itself: heartbeats, notices, dead letters.
 *
 * One plain producer (idempotent, acks=all), apart from the data's own. Heartbeats and notices are best effort: they never
 * block, and one that cannot be queued is counted and forgotten. A dead letter is different: its caller waits for the
 * acknowledgement before it moves an offset, and is told through a callback.
 * Not thread-safe: one owner, who also calls report_poll() in its loop. */
#ifndef MILLRACE_REPORT_H
#define MILLRACE_REPORT_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/admin.h"
#include "common/err.h"
#include "common/program.h"
#include "schemas/schemas.h"

#define TOPIC_NOTICES "millrace.notices"
#define TOPIC_DEADLETTER "millrace.deadletter"

struct report;

/* Would the client that is made here be refused for p's kafka.*? Makes none. 0, or -1 with *err set. */
int report_check(const struct program *p, struct err *err);

/* A reporter of this program. Borrows p and admin until report_free(). cell may be NULL. */
struct report *report_new(const struct program *p, const struct admin *admin, const char *cell, struct err *err);

/* Sends a last heartbeat (not ready), waits up to timeout_ms (real) for what is queued, then frees. Brokers that do not answer
 * within half a second are not waited for. What is still queued is given up without a word in the log, but the callbacks of dead
 * letters are called here. NULL is a no-op. */
void report_free(struct report *r, int timeout_ms);

/* Serves delivery reports and sends a heartbeat when one is due (heartbeat.interval, real time). figures are borrowed for the call; what every
 * program tells of itself (memory_bytes, memory_budget_bytes) is added to them. Call once a loop turn. */
void report_poll(struct report *r, const struct figure *figures, size_t nr_figures);

/* The ids of the controls that the program obeys from now on, for its heartbeats; copies. The next report_poll() sends one, due or not: it
 * acknowledges a change, so call this after each, also when the ids are those of before (a control was set again). -1 when memory is
 * short: the ids of before stay. */
int report_set_controls(struct report *r, const struct str *ids, size_t nr, struct err *err);

/* A line of the operator log. event is a fixed word; text for a person; fields may be NULL with nr 0; one named "site", "cell" or
 * "author" becomes the notice's own too. All borrowed. */
void report_notice(struct report *r, enum severity severity, const char *event, const char *text,
		   const struct tag *fields, size_t nr_fields);

/* Fills a DeadLetter from a message and a verdict; all strings borrow message, code, reason and p; headers live in arena. offset and
 * bytes are the message's own. -1 when memory is short. */
int report_deadletter_fill(const struct program *p, const rd_kafka_message_t *message, int64_t epoch, const char *code,
			   const char *reason, struct arena *arena, struct dead_letter *out, struct err *err);

/* The code of a dead letter that holds only the beginning of its record, as that is too large for any topic: compressed, it was not. */
#define REPORT_CUT_CODE "cut_off"

/* From how many bytes on a letter is cut: half of what the topic takes. No record of ours comes near it. */
enum { REPORT_LETTER_BYTES_MAX = 2000000 };

/* Replaces out's content by the letter's record; of a letter over REPORT_LETTER_BYTES_MAX key and value are cut, headers left out, its code is
 * REPORT_CUT_CODE, and its reason says so. -1 with *err set when memory is short. */
int report_deadletter_encode(const struct dead_letter *letter, struct buf *out, struct err *err);

/* Called from report_poll() when a dead letter was acknowledged (ok) or given up. */
typedef void (*report_deadletter_fn)(void *ctx, bool ok, const char *error);

/* Produces a dead letter, cut as above; copies it. done is called exactly once, later, when this returned 0. ERR_RETRY when the queue is full. */
int report_deadletter(struct report *r, const struct dead_letter *letter, report_deadletter_fn done, void *ctx, struct err *err);

/* Heartbeats, notices and dead letters that could not be queued or were given up, since the start. */
uint64_t report_unsent(const struct report *r);

#endif
