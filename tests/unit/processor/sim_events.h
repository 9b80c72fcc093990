/* sim_events.h - the agents of the simulation that send events, and which of these must come out as exemplars, and how often any may.
 *
 * The judgement is made at the end, over all that the fake Kafka's inputs hold, in their order: whatever closed when, the first errors and the slowest
 * transactions of a group and minute, and every marker and check-in, must come out once, and no other event more than once. */
#ifndef MILLRACE_TESTS_PROCESSOR_SIM_EVENTS_H
#define MILLRACE_TESTS_PROCESSOR_SIM_EVENTS_H

#include "tests/unit/processor/events.h"
#include "tests/unit/processor/fake_kafka.h"

enum { SIM_EV_AGENTS = 3, SIM_EV_OPEN = 3, SIM_EV_STRAGGLERS = 4 };

/* A payload that its agent has not given up. */
struct sim_ev_payload {
	int64_t seq;
	bool sent;
	size_t nr;
	struct an_event events[EV_EVENTS];
};

struct sim_ev_agent {
	int64_t last_seq;
	struct sim_ev_payload open[SIM_EV_OPEN]; /* by seq; the first is the floor */
	size_t nr_open;
};

struct sim_events {
	struct fake_kafka *kafka;
	struct sim_ev_agent agents[FAKE_PARTITIONS][SIM_EV_AGENTS];
	struct { struct buf bytes; int32_t partition; } stragglers[SIM_EV_STRAGGLERS];
	size_t nr_stragglers;
	int64_t last_number; /* of an event */
	uint8_t *received;   /* by number: how often it came out */
	struct buf bytes;
};

/* Nothing has been made yet. Borrows k, whose dice are used. */
void sim_events_init(struct sim_events *ev, struct fake_kafka *k);
void sim_events_fini(struct sim_events *ev); /* frees what it holds */

/* Something arrives: a new payload, with an agent's number or without; a copy; poison. */
void sim_events_step(struct sim_events *ev);

/* Everything that was made and not sent yet arrives. */
void sim_events_finish(struct sim_events *ev);

/* An exemplar was committed. */
void sim_events_receive(struct sim_events *ev, const struct fake_record *record, struct arena *scratch);

/* How many events came out wrongly; each is said. */
int sim_events_compare(struct sim_events *ev);

#endif
