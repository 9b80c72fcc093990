/* sim_input.h - the agents of the simulation: payloads into the fake Kafka's input, and into a ledger what they must come to.
 *
 * The ledger is the model that never crashes: a payload is entered when it is made, once, however often it is sent. Nobody sends again what
 * its floor has passed, but for stragglers: copies that were on their way for long. */
#ifndef MILLRACE_TESTS_PROCESSOR_SIM_INPUT_H
#define MILLRACE_TESTS_PROCESSOR_SIM_INPUT_H

#include "tests/unit/processor/batches.h"
#include "tests/unit/processor/fake_kafka.h"

enum { SIM_AGENTS = 4, SIM_OPEN = 4 /* payloads an agent may still send */, SIM_STRAGGLERS = 8 };

/* A payload that its agent has not given up. */
struct sim_payload {
	int64_t seq;
	bool sent;
	struct batch *batch;
};

struct sim_agent {
	int64_t last_seq;
	struct sim_payload open[SIM_OPEN]; /* by seq; the first is the floor */
	size_t nr_open;
};

/* A copy on its way. */
struct sim_straggler {
	struct buf bytes;
	int32_t partition;
	int64_t until_ms; /* no later: its key may be forgotten then */
};

/* A sender of cumulative points. */
struct sim_total {
	double total;
	int64_t started_ms, at_ms; /* at_ms: of its last point; 0: none yet */
};

struct sim_input {
	struct fake_kafka *kafka;
	struct ledger want[FAKE_PARTITIONS]; /* of each partition */
	struct sim_agent agents[FAKE_PARTITIONS][SIM_AGENTS];
	struct sim_total totals[FAKE_PARTITIONS];
	int64_t last_key;
	struct sim_straggler stragglers[SIM_STRAGGLERS];
	size_t nr_stragglers;
	struct buf bytes;
};

/* Nothing has been made yet, and the ledger is empty. Borrows k, whose dice are used. */
void sim_input_init(struct sim_input *in, struct fake_kafka *k);
void sim_input_fini(struct sim_input *in); /* frees what it holds */

/* Something arrives: a new payload, with an agent's number, a request's key or neither; cumulative points; a copy; poison. */
void sim_input_step(struct sim_input *in);

/* Everything that was made and not sent yet arrives. */
void sim_input_finish(struct sim_input *in);

#endif
