/* loading.h - reads what the cell's notifier remembers: c.CELL.incidents to its end, then c.CELL.sent to its end.
 *
 * One loading for one term, made after the journal has registered its producer: what a former owner had open has come to its end then, and nothing
 * is written behind the ends that are read to. In steps, between turns of the loop. Not thread-safe: one owner. */
#ifndef MILLRACE_SINK_NOTIFY_LOADING_H
#define MILLRACE_SINK_NOTIFY_LOADING_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/program.h"
#include "schemas/schemas.h"

struct loading;

/* Takes one record; borrowed for the call. -1 with *err set when it cannot. */
struct loading_hooks {
	int (*incident)(void *ctx, const struct incident *incident, struct err *err);
	int (*sent)(void *ctx, const struct sent *sent, struct err *err);
	void *ctx;
};

/* Would the client that is made here be refused for p's kafka.*? Makes none. 0, or -1 with *err set. */
int loading_check(const struct program *p, struct err *err);

/* Begins. Borrows p until loading_free(), copies hooks. wake_fd, of events_wake_fd(), is readable when a turn is due. NULL with *err set. */
struct loading *loading_new(const struct program *p, const struct loading_hooks *hooks, int wake_fd, struct err *err);

/* Ends, done or not. False when the client has been left behind: end the process by _exit() then. NULL is true. */
bool loading_free(struct loading *l);

/* Takes what has come, at most some thousand records. 1: all is read; 0: not yet; -1 with *err set: it cannot be read, ERR_RETRY when a newer
 * writer's record is in the way or brokers are; begin anew. */
int loading_turn(struct loading *l, struct err *err);

/* Records so far, and those of them that could not be decoded and were passed over. */
void loading_count(const struct loading *l, uint64_t *records, uint64_t *refused);

#endif
