/* crowd_agent.h - one agent of the crowd: the agent's own store, slots and delivery, told by a plan instead of sockets.
 *
 * What stands in the ledger about a value is which flush cuts it, so flushes are made exactly as they were announced: the slot that is
 * open first, then, where time went on meanwhile, all that ended since. Not thread-safe: one owner. */
#ifndef MILLRACE_CROWD_AGENT_H
#define MILLRACE_CROWD_AGENT_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/program.h"
#include "ingest/agent/delivery.h"
#include "ingest/agent/slots.h"
#include "ingest/agent/store.h"
#include "tests/rehearsal/crowd_conf.h"
#include "tests/rehearsal/crowd_ledger.h"
#include "tests/rehearsal/crowd_plan.h"

struct crowd_agent {
	uint16_t number;
	char host[32];
	char site[64];
	char spool_dir[PATH_MAX], journal[PATH_MAX], none[1];
	struct agent_conf conf;      /* what its delivery borrows; strings are those above or of whoever made it */
	const struct program *program;
	struct crowd_ledger *ledger; /* borrowed */
	struct store *store;
	struct delivery *delivery;
	struct crowd_plan plan;
	struct slots slots;
	uint32_t flushes;
	uint64_t last_seq;
	uint64_t ended;              /* posts, for whoever counts answers */
};

/* Opens an agent whose number, site, program, ledger, conf.key and flushes (of earlier starts) are set. Its folders' parents, DIR/spool and DIR/journal, are there.
 * -1 with *err set; crowd_agent_close() all the same. */
int crowd_agent_open(struct crowd_agent *a, const struct crowd_conf *c, struct err *err);

/* What is spooled stays. */
void crowd_agent_close(struct crowd_agent *a);

/* Tells what is due by now (if telling), flushes what is due. ERR_FATAL: the store refused a value. */
int crowd_agent_step(struct crowd_agent *a, bool telling, struct err *err);

/* Flushes all that was told, the open slot among it, at once. */
void crowd_agent_flush_all(struct crowd_agent *a);

#endif
