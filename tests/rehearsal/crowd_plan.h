/* crowd_plan.h - what one agent of the crowd is told, and when: drawn from a seed, slot by slot.
 *
 * Series go by turns of counter, gauge, distribution; the first half are the site's (tag route: each agent of the site tells them), the
 * others the agent's own (tag host). In each slot of 30 s a series has 0 to twice the mean of values, at times that rise strictly within
 * the series. A value is told when its time comes; one in fifty is told then but belongs 1 to 20 minutes before, into a slot that was cut,
 * and never before the plan began. Times are virtual. Not thread-safe: one owner. */
#ifndef MILLRACE_CROWD_PLAN_H
#define MILLRACE_CROWD_PLAN_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "ingest/agent/store.h"

struct crowd_series {
	enum store_kind kind;
	char name[48], tag_key[8], tag_value[40];
	char tags[56]; /* as StatsD writes it: key:value */
};

struct crowd_value {
	int64_t due_ms; /* when it is to be told */
	int64_t t_ms;   /* its own time, due_ms or before */
	int64_t k;      /* in 1024ths; |k| < 200000 */
	uint16_t series;
};

struct crowd_plan {
	struct crowd_series *series;
	size_t nr_series, mean;
	struct crowd_value *values; /* of the slot, by due_ms; those before at are told */
	size_t len, at;
	int64_t slot_ms;            /* the slot that values are of */
	int64_t began_ms;
	uint64_t random;
};

/* Makes the plan of an agent that is called host. began_ms: now. -1 with *err set when memory is short; crowd_plan_fini() all the same. */
int crowd_plan_init(struct crowd_plan *p, uint64_t seed, const char *host, size_t nr_series, size_t mean, int64_t began_ms, struct err *err);
void crowd_plan_fini(struct crowd_plan *p);

/* The next value that is due by until_ms, borrowed until the next call; NULL: none is. After a long standstill the slots of the last
 * minutes are made up for, and those before are left out. */
const struct crowd_value *crowd_plan_next(struct crowd_plan *p, int64_t until_ms);

#endif
