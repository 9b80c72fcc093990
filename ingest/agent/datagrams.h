/* datagrams.h - from StatsD datagrams into the store: each line is taken, or counted by the reason why not. */
#ifndef MILLRACE_AGENT_DATAGRAMS_H
#define MILLRACE_AGENT_DATAGRAMS_H

#include <stdint.h>

#include "common/str.h"
#include "ingest/agent/cause.h"

/* A line's own time: so far back, as the server takes twice that and the spool may keep it a day, to so far ahead. */
#define DATAGRAMS_PAST_MS (INT64_C(24) * 3600 * 1000)
#define DATAGRAMS_FUTURE_MS (INT64_C(10) * 60 * 1000)

struct store;

struct datagrams {
	struct store *store; /* borrowed */
	uint64_t datagrams;
	uint64_t lines;      /* of any kind */
	uint64_t samples;    /* values taken by the store */
	uint64_t events;     /* _e{..}: counted, not taken */
	uint64_t service_checks;
	uint64_t refused[NR_CAUSES]; /* values, or lines where they cannot be read */
};

#define DATAGRAMS_INIT(of) {.store = (of)}

/* Takes one datagram, received at now_ms (virtual). */
void datagrams_take(struct datagrams *d, struct str datagram, int64_t now_ms);

/* All that was refused. */
uint64_t datagrams_refused(const struct datagrams *d);

#endif
