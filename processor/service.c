/* service.c - see service.h.
 *
 * Order of opening: the producer first, as its configuration and the topics are checked by it; the consumer late, as once it has joined the
 * group, partitions may come. Closing goes the other way round, and every step of it has a deadline. */
#include "processor/service.h"

#include <poll.h>
#include <stdlib.h>

#include "processor/partitions.h"
#include "processor/trim.h"

enum {
	RECORDS_A_TURN = 2000, /* between two looks at what is due */
	SAVE_MS = 8000,
	CLOSE_MS = 5000,       /* a client that is closed during a rebalance can hang in 2.0.2 */
	FROZEN_MS = 9000,      /* from turn to turn: short of the session time-out, and longer than one takes but for brokers that are away */
	STALL_MS = 6000,       /* in which the client's thread learns of its lost session, and may join again */
};

struct service {
	const struct program *program;
	struct cell_topics topics;
	struct stats *stats;
	struct txn *txn;
	struct scout *scout;
	struct trim *trim;
	struct partitions *partitions;
	struct consumer *consumer;
	struct restore *restore;
	struct checkpoint *checkpoint;
	int64_t turned_mono_ms; /* when the last turn began; 0: never */
	uint64_t fault_calls;
};

/* The parts in the order in which they need each other. */
static int open_parts(struct service *s, const struct service_parts *parts, struct err *err)
{
	struct partitions_parts for_partitions = {parts->program, parts->conf, &s->topics, parts->report, parts->controls,
						     parts->limits, s->stats, NULL};
	struct consumer_hooks hooks;

	s->txn = txn_new(parts->program, &s->topics);
	if (!s->txn)
		return err_nomem(err, "the producer");
	if (txn_open(s->txn, err) < 0)
		return -1;
	s->scout = scout_new(parts->program, err);
	if (!s->scout)
		return -1;
	s->trim = trim_new(&(struct trim_parts){parts->program, parts->conf, &s->topics, s->stats, scout_client(s->scout)}, err);
	for_partitions.trim = s->trim;
	s->partitions = s->trim ? partitions_new(&for_partitions, err) : NULL;
	if (!s->partitions)
		return -1;
	hooks = partitions_hooks(s->partitions);
	s->consumer = consumer_new(parts->program, &s->topics, &hooks, err);
	s->restore = s->consumer ? restore_new(&s->topics, s->consumer, s->scout, err) : NULL;
	if (!s->restore)
		return -1;
	s->checkpoint = checkpoint_new(&(struct checkpoint_parts){parts->program, parts->conf, &s->topics, s->consumer, s->txn, s->stats, s->trim,
								  parts->report, parts->judging}, err);
	if (!s->checkpoint)
		return -1;
	partitions_attach(s->partitions, s->consumer, s->restore, s->checkpoint);
	return 0;
}

/* Closes in reverse; half-made services too. */
static bool close_parts(struct service *s)
{
	bool closed = consumer_close(s->consumer, CLOSE_MS);

	if (!closed)
		log_warn(&s->program->log, "consumer_left_behind", LOG_STR("meaning", "the group waits for the session time-out"));
	checkpoint_free(s->checkpoint);
	restore_free(s->restore);
	partitions_free(s->partitions);
	trim_free(s->trim); /* before its client */
	scout_free(s->scout, CLOSE_MS);
	closed = txn_free(s->txn) && closed;
	stats_free(s->stats);
	free(s);
	return closed;
}

struct service *service_new(const struct service_parts *parts, int64_t epoch, int32_t partitions, struct err *err)
{
	struct service *s = calloc(1, sizeof(*s));

	if (!s) {
		err_nomem(err, "the service");
		return NULL;
	}
	s->program = parts->program;
	topics_name(&s->topics, parts->program->common.cell);
	s->topics.epoch = epoch;
	s->topics.partitions = partitions;
	s->stats = stats_new(parts->metrics, partitions);
	if (open_parts(s, parts, err) < 0) {
		close_parts(s);
		return NULL;
	}
	consumer_wake_on(s->consumer, parts->wake_fd);
	scout_wake_on(s->scout, parts->wake_fd);
	return s;
}

bool service_free(struct service *s, bool save)
{
	struct err err = ERR_INIT;

	if (!s)
		return true;
	/* Before the group is left, so that nobody reads again what we have read. */
	if (save && partitions_save(s->partitions, SAVE_MS, &err) < 0)
		log_warn(&s->program->log, "stopped_unsaved", LOG_STR("error", err.msg));
	return close_parts(s);
}

/* Fault point zombie_checkpoint: what a freeze at the worst moment comes to. Its partitions have long been another's, but the first thing that it
 * does, late, is a checkpoint of all that it holds, before the poll that would tell it. Rule D must have the broker refuse that. */
static void rise_from_the_dead(struct service *s)
{
	struct err err = ERR_INIT;
	int64_t mono_ms = clock_mono_ms();

	if (!s->turned_mono_ms || mono_ms - s->turned_mono_ms < FROZEN_MS || !program_fault(s->program, SERVICE_FAULT_ZOMBIE, &s->fault_calls))
		return;
	log_warn(&s->program->log, "zombie_awake", LOG_INT("frozen_ms", mono_ms - s->turned_mono_ms));
	poll(NULL, 0, STALL_MS);
	partitions_save_as_zombie(s->partitions, &err); /* its failure has been logged where it was counted */
}

int service_turn(struct service *s, struct err *err)
{
	int more;

	rise_from_the_dead(s);
	s->turned_mono_ms = clock_mono_ms();
	more = partitions_drain(s->partitions, RECORDS_A_TURN, err);
	if (more < 0 || partitions_turn(s->partitions, err) < 0)
		return -1;
	trim_turn(s->trim, clock_mono_ms());
	return more;
}

bool service_is_fenced(const struct service *s)
{
	return consumer_is_fenced(s->consumer);
}

const char *service_why_not_ready(const struct service *s)
{
	if (!partitions_ready(s->partitions))
		return partitions_why_not_ready(s->partitions);
	return checkpoint_is_able(s->checkpoint) ? NULL : "transactions cannot be made";
}

void service_figures(struct service *s, struct partitions_figures *out)
{
	partitions_figures(s->partitions, out);
}
