/* sim_alerts.h - triggers in the simulated world: they come, change and go, are muted, ingest is closed, routes change; and what of alerts was committed must hold together.
 *
 * Each instance follows the triggers in its own time, as tables come to processes. At the end, of each partition, trigger and series: what opened is closed before it opens
 * again, each once, with the same episode, and in the order of its minutes; and what cannot be open any more, a while after the last sample, has closed. That it does
 * not matter when a partition is restored is for sim_twin.h: twins tell the same, byte for byte. */
#ifndef MILLRACE_TESTS_PROCESSOR_SIM_ALERTS_H
#define MILLRACE_TESTS_PROCESSOR_SIM_ALERTS_H

#include "processor/judging.h"
#include "tests/unit/processor/fake_kafka.h"

enum { SIM_TRIGGERS = 8, SIM_ALERTS = 400, SIM_ROUTES = 3 };

/* A trigger as it is now. */
struct sim_trigger {
	bool there;
	double threshold;
	int warm_up, cooldown;
	uint64_t version;
};

/* What has been told of one series and trigger in a partition. */
struct sim_alert {
	int32_t partition;
	char trigger[16];
	uint8_t fingerprint[16], episode[16];
	bool open;
	int64_t opened_ms, ended_ms;
};

struct sim_alerts {
	struct fake_kafka *kafka;
	struct sim_trigger triggers[SIM_TRIGGERS];
	uint64_t version;
	struct placements placements;
	struct closures *closures;
	struct controls *controls;
	struct rulebook *books[FAKE_HOSTS]; /* NULL: not running */
	uint64_t followed[FAKE_HOSTS];
	struct judging_tables tables[FAKE_HOSTS];
	int64_t routes_ms[SIM_ROUTES];
	int nr_routes;
	bool is_away;        /* the last route leads elsewhere, or may */
	struct sim_alert told[SIM_ALERTS];
	size_t nr_told;
	struct buf bytes;
};

/* Borrows k. */
void sim_alerts_init(struct sim_alerts *a, struct fake_kafka *k);
void sim_alerts_fini(struct sim_alerts *a); /* frees what it holds */

/* The tables of a host's process that starts, and that has ended. */
const struct judging_tables *sim_alerts_start(struct sim_alerts *a, int host);
void sim_alerts_end(struct sim_alerts *a, int host); /* see above */

/* A host's tables may take what has changed; all: they must. */
void sim_alerts_follow(struct sim_alerts *a, int host, bool all);

/* Something changes. */
void sim_alerts_step(struct sim_alerts *a);

/* An AlertEvent was committed, in order. */
void sim_alerts_receive(struct sim_alerts *a, const struct fake_record *record, struct arena *scratch);

/* How many alerts are not as they must be in the end; each is said. */
int sim_alerts_compare(const struct sim_alerts *a);

#endif
