/* budget.h - how the bytes in flight are shared between live data and backlog.
 *
 * After an outage every agent comes back with what it has spooled, and if that filled the budget, what happens now would be seen hours
 * later. So backlog gets half of what live data leaves, and live data never all: a tenth is backlog's, so that it drains under any load.
 * Not thread-safe: admission's lock is over it. */
#ifndef MILLRACE_INGEST_BUDGET_H
#define MILLRACE_INGEST_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

enum traffic { TRAFFIC_LIVE, TRAFFIC_BACKLOG, NR_TRAFFIC };

struct budget {
	int64_t total_bytes;
	int64_t held_bytes[NR_TRAFFIC];
};

/* Takes bytes (not negative), or takes nothing and is false when that kind of traffic has no room for so many. */
bool budget_take(struct budget *b, enum traffic kind, int64_t bytes);

/* Gives back what was taken. */
void budget_give(struct budget *b, enum traffic kind, int64_t bytes);

#endif
