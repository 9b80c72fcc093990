/* host_baseline.h - what the kernel's counters stood at, so that what was counted since can be told.
 *
 * A counter that is new, that was not there at the reading before, or that is lower than it was has no difference: it begins anew. So a
 * device that is replaced, a wrap and a restart give no spike. What is not read any more is forgotten. Not thread-safe: one owner. */
#ifndef MILLRACE_AGENT_HOST_BASELINE_H
#define MILLRACE_AGENT_HOST_BASELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/map.h"
#include "common/str.h"

struct host_baseline_entry {
	uint8_t key[MAP_KEY_BYTES];
	uint64_t value;
	bool seen; /* at this reading */
};

struct host_baseline {
	struct host_baseline_entry *entries; /* in the order in which they are read */
	size_t len, cap;
	size_t cursor; /* where the next one is expected */
};

#define HOST_BASELINE_INIT {0}

/* Frees all; as after HOST_BASELINE_INIT. */
void host_baseline_fini(struct host_baseline *b);

/* The counter of this key stands at value. True, with what was counted since the last reading; false when it begins here, or was told
 * already at this reading. Short of memory, it begins at each reading. */
bool host_baseline_since(struct host_baseline *b, struct str key, uint64_t value, uint64_t *since);

/* A reading ends. */
void host_baseline_end(struct host_baseline *b);

#endif
