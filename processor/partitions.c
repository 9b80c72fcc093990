/* partitions.c - see partitions.h.
 *
 * Invariants:
 *  I1  tasks[p] is not NULL exactly while the group says that p is ours: it is made in the assigned hook and dropped before the revoked hook
 *      returns, so that nobody else can own p while we still could commit for it.
 *  I2  Only a task that is TASK_RUNNING is fed, and it becomes so only by consumer_start() at its own position.
 *  I3  At most one task is being restored (ps->restoring), the lowest partition that waits: a snapshot may be large, and two would need twice
 *      the room.
 *  I4  While reading is held up for want of memory, no task runs: those that did are TASK_HELD, and none is started. */
#include "processor/partitions.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/memory.h"
#include "processor/room.h"

enum {
	REVOKE_MS = 5000,          /* how long a revoke may try to save; the group waits meanwhile */
	START_AGAIN_MS = 200,
	PUMP_MS = 50,
};

struct partitions {
	struct partitions_parts with;
	struct consumer *consumer;
	struct restore *restore;
	struct checkpoint *checkpoint;
	struct task *restoring;       /* the one that restore works on; NULL: none */
	int64_t restoring_mono_ms;    /* since when */
	struct consent consent;       /* what operators allow */
	struct feed feed;
	struct shares shares;
	struct room room;             /* in memory; while it holds reading up, no task runs (I4) */
	struct err fatal;             /* set where a hook could only return */
	int32_t nr;                   /* inputs: a partition here is one of them, by its number (topics.h) */
	struct task *tasks[];         /* by that; NULL: not ours */
};

struct partitions *partitions_new(const struct partitions_parts *parts, struct err *err)
{
	size_t nr = (size_t)topics_inputs(parts->topics->partitions);
	struct partitions *ps = calloc(1, sizeof(*ps) + nr * sizeof(ps->tasks[0]));

	if (!ps) {
		err_nomem(err, "the partitions");
		return NULL;
	}
	ps->with = *parts;
	ps->nr = (int32_t)nr;
	ps->shares = shares_of(parts->program->common.memory_budget_bytes);
	room_init(&ps->room, &ps->shares);
	ps->feed.with = (struct feed_parts){parts->program, parts->conf, parts->topics, parts->stats};
	ps->feed.alarm = (struct alarm){&parts->program->log, parts->report, parts->topics};
	return ps;
}

/* How many of our tasks are in a phase. */
static size_t count_phase(const struct partitions *ps, enum task_phase phase)
{
	size_t nr = 0;

	for (int32_t i = 0; i < ps->nr; i++)
		nr += ps->tasks[i] && ps->tasks[i]->phase == phase;
	return nr;
}

static size_t count_assigned(const struct partitions *ps)
{
	size_t nr = 0;

	for (int32_t i = 0; i < ps->nr; i++)
		nr += ps->tasks[i] != NULL;
	return nr;
}

static void gauge_phases(struct partitions *ps)
{
	stats_gauge(ps->with.stats, STATS_PARTITIONS_ASSIGNED, (double)count_assigned(ps));
	stats_gauge(ps->with.stats, STATS_PARTITIONS_RUNNING, (double)count_phase(ps, TASK_RUNNING));
	stats_gauge(ps->with.stats, STATS_PARTITIONS_REFUSED, (double)count_phase(ps, TASK_REFUSED));
}

void partitions_free(struct partitions *ps)
{
	if (!ps)
		return;
	for (int32_t i = 0; i < ps->nr; i++) {
		stats_forget(ps->with.stats, i);
		task_free(ps->tasks[i]);
		ps->tasks[i] = NULL;
	}
	gauge_phases(ps); /* nobody works on them here any more, but the process may live on */
	feed_fini(&ps->feed);
	free(ps);
}

void partitions_attach(struct partitions *ps, struct consumer *consumer, struct restore *restore, struct checkpoint *checkpoint)
{
	ps->consumer = ps->feed.consumer = consumer;
	ps->restore = restore;
	ps->checkpoint = checkpoint;
}

static const struct log *log_of(const struct partitions *ps)
{
	return &ps->with.program->log;
}

static struct task *task_of(const struct partitions *ps, int32_t partition)
{
	return partition >= 0 && partition < ps->nr ? ps->tasks[partition] : NULL;
}

static void drop_task(struct partitions *ps, int32_t partition)
{
	if (ps->restoring == ps->tasks[partition])
		ps->restoring = NULL;
	restore_forget(ps->restore, partition);
	trim_forget(ps->with.trim, partition);
	stats_forget(ps->with.stats, partition);
	task_free(ps->tasks[partition]);
	ps->tasks[partition] = NULL;
}

/* A fresh task in the place of whatever was there. */
static struct task *put_task(struct partitions *ps, int32_t partition)
{
	if (ps->tasks[partition])
		drop_task(ps, partition);
	ps->tasks[partition] = task_new(partition, topics_input(ps->with.topics, partition).kind);
	if (ps->tasks[partition])
		ps->tasks[partition]->windows.series.caps.limits = ps->with.limits;
	else
		err_nomem(&ps->fatal, "a partition's task");
	return ps->tasks[partition];
}

static void on_assigned(void *ctx, const int32_t *partitions, size_t nr)
{
	struct partitions *ps = ctx;

	stats_count(ps->with.stats, STATS_REBALANCES, 1);
	log_info(log_of(ps), "assigned", LOG_UINT("partitions", nr));
	for (size_t i = 0; i < nr; i++)
		if (partitions[i] >= 0 && partitions[i] < ps->nr)
			put_task(ps, partitions[i]);
}

static void on_revoked(void *ctx, const int32_t *partitions, size_t nr, bool lost)
{
	struct partitions *ps = ctx;
	struct err err = ERR_INIT;

	stats_count(ps->with.stats, STATS_REBALANCES, 1);
	log_info(log_of(ps), "revoked", LOG_UINT("partitions", nr), LOG_BOOL("lost", lost));
	/* Lost: somebody else may have owned them for long. What is committed now would count twice. */
	if (!lost && checkpoint_now(ps->checkpoint, ps->tasks, (size_t)ps->nr, partitions, nr, REVOKE_MS, &err) < 0) {
		if (err.kind == ERR_FATAL)
			ps->fatal = err;
		log_warn(log_of(ps), "revoked_unsaved", LOG_STR("error", err.msg));
	}
	for (size_t i = 0; i < nr; i++)
		if (task_of(ps, partitions[i]))
			drop_task(ps, partitions[i]);
}

struct consumer_hooks partitions_hooks(struct partitions *ps)
{
	return (struct consumer_hooks){on_assigned, on_revoked, ps};
}

int partitions_drain(struct partitions *ps, int max, struct err *err)
{
	size_t weight = 0;

	for (int i = 0; i < max && weight < ps->room.budget.turn_bytes; i++) {
		rd_kafka_message_t *message = consumer_poll(ps->consumer);
		struct task *t;
		size_t panes;
		int rc;

		if (ps->fatal.kind) {
			if (message)
				rd_kafka_message_destroy(message);
			*err = ps->fatal;
			return -1;
		}
		if (consumer_is_broken(ps->consumer)) {
			if (message)
				rd_kafka_message_destroy(message);
			return err_set(err, ERR_RETRY, "the group has taken us for gone in the middle of a rebalance");
		}
		if (!message)
			return 0;
		t = task_of(ps, topics_message_number(ps->with.topics, message));
		panes = t ? window_store_panes(&t->windows) : 0;
		rc = feed_take(&ps->feed, t, message, err);
		panes = t ? window_store_panes(&t->windows) - panes : 0;
		weight += budget_weight(message->len, panes);
		ps->room.weight += budget_weight(message->len, panes);
		rd_kafka_message_destroy(message);
		if (rc < 0)
			return -1;
	}
	return 1;
}

/* The next task to be restored. */
static struct task *next_pending(const struct partitions *ps)
{
	for (int32_t i = 0; i < ps->nr; i++)
		if (ps->tasks[i] && ps->tasks[i]->phase == TASK_PENDING)
			return ps->tasks[i];
	return NULL;
}

/* What operators allow has changed: who was refused is judged anew at once, and a refusal that is still one is told again when more is allowed. */
static void follow_controls(struct partitions *ps)
{
	struct consent now = consent_of(ps->with.controls, ps->with.topics->cell);
	bool changed = !consent_equal(&now, &ps->consent), more = (now.accept && !ps->consent.accept) || (now.forget && !ps->consent.forget);

	ps->consent = now;
	restore_allow(ps->restore, &now);
	for (int32_t i = 0; changed && i < ps->nr; i++)
		if (ps->tasks[i] && ps->tasks[i]->phase == TASK_REFUSED) {
			ps->tasks[i]->retry_mono_ms = 0;
			ps->tasks[i]->complained &= !more;
		}
}

/* Tells what an operator's control has made of a partition. */
static void tell_accepted(struct partitions *ps, const struct task *t, const struct acceptance *a)
{
	char text[ACCEPTANCE_TEXT_SIZE];

	alarm_confirm(&ps->feed.alarm, t->partition, acceptance_text(a, text), a->why);
	if (acceptance_skipped(a))
		stats_add(ps->with.stats, STATS_GAP_RECORDS, t->partition, acceptance_skipped(a));
}

/* Lets the restore read when there is room for what it takes. */
static void admit_restore(struct partitions *ps, int64_t mono_ms)
{
	bool waits;
	size_t bytes = restore_needs(ps->restore, &waits);

	if (!waits)
		ps->room.wanted_mono_ms = 0; /* the one that did has moved away */
	else if (room_admits(&ps->room, ps->tasks, (size_t)ps->nr, bytes, mono_ms))
		restore_admit(ps->restore);
}

/* One partition at a time, one step a turn. */
static int turn_restore(struct partitions *ps, int64_t mono_ms, struct err *err)
{
	struct err why = ERR_INIT;
	struct task *t = ps->restoring;
	struct input in;

	if (!t) {
		t = ps->restoring = next_pending(ps);
		ps->restoring_mono_ms = mono_ms;
	}
	if (!t)
		return 0;
	admit_restore(ps, mono_ms);
	in = topics_input(ps->with.topics, t->partition);
	switch (restore_turn(ps->restore, t, mono_ms, &why)) {
	case RESTORE_WAITING:
		return 0;
	case RESTORE_DONE:
		t->complained = false;
		if (restore_acceptance(ps->restore))
			tell_accepted(ps, t, restore_acceptance(ps->restore));
		stats_gauge(ps->with.stats, STATS_RESTORE_SECONDS, (double)(mono_ms - ps->restoring_mono_ms) / 1000);
		log_info(log_of(ps), "restored", LOG_STR("topic", in.topic), LOG_INT("partition", in.partition), LOG_INT("position", t->position),
			 LOG_INT("checkpoint", t->saved.id), LOG_INT("bytes", t->saved.bytes));
		break;
	case RESTORE_REFUSED:
		if (!t->complained)
			alarm_raise(&ps->feed.alarm, "partition_refused", t->partition, why.msg);
		t->complained = true;
		t->retry_mono_ms = mono_ms + ps->with.conf->refused_retry_ms;
		break;
	default:
		*err = why;
		return -1;
	}
	ps->restoring = NULL;
	return 0;
}

/* Starts a task that is ready, or one that was held, at its position. */
static void start_task(struct partitions *ps, struct task *t, int64_t mono_ms)
{
	struct input in = topics_input(ps->with.topics, t->partition);
	struct err err = ERR_INIT;

	if (mono_ms < t->retry_mono_ms || ps->room.holding)
		return;
	if (consumer_start(ps->consumer, t->partition, t->position, &err) == 0) {
		t->phase = TASK_RUNNING;
		t->at_end = false;
		return;
	}
	log_debug(log_of(ps), "start_failed", LOG_STR("topic", in.topic), LOG_INT("partition", in.partition), LOG_STR("error", err.msg));
	t->retry_mono_ms = mono_ms + START_AGAIN_MS;
}

static int turn_task(struct partitions *ps, struct task *t, int64_t now_ms, int64_t mono_ms)
{
	int32_t partition = t->partition;
	bool complained = t->complained;

	switch (t->phase) {
	case TASK_READY:
	case TASK_HELD:
		start_task(ps, t, mono_ms);
		return 0;
	case TASK_REFUSED:
		if (mono_ms < t->retry_mono_ms)
			return 0;
		t = put_task(ps, partition);
		if (!t)
			return -1;
		t->complained = complained;
		return 0;
	case TASK_RUNNING:
		if (due_probe(checkpoint_rules(ps->checkpoint), t, now_ms, mono_ms)) {
			t->probed_mono_ms = mono_ms;
			feed_refetch(&ps->feed, t);
		}
		return 0;
	default:
		return 0;
	}
}

/* Reading is held up from now on (I4), or goes on: then turn_task() starts again what was held. */
static void turn_holding(struct partitions *ps)
{
	const struct budget_use *use = &ps->room.use;

	stats_gauge(ps->with.stats, STATS_READING_HELD, ps->room.holding);
	if (!ps->room.holding) {
		log_info(log_of(ps), "reading_goes_on", LOG_UINT("state_bytes", use->state_bytes));
		return;
	}
	log_warn(log_of(ps), "reading_held", LOG_UINT("state_bytes", use->state_bytes), LOG_UINT("share_bytes", ps->room.budget.hard_bytes),
		 LOG_STR("until", "a transaction makes room"));
	for (int32_t i = 0; i < ps->nr; i++)
		if (ps->tasks[i] && ps->tasks[i]->phase == TASK_RUNNING)
			feed_hold(&ps->feed, ps->tasks[i], 0);
}

/* What cannot be flushed has come to be too much, or has fallen again. */
static void turn_crowded(struct partitions *ps)
{
	char text[260];

	stats_gauge(ps->with.stats, STATS_CROWDED, ps->room.crowded);
	if (!ps->room.crowded)
		return;
	snprintf(text, sizeof(text), "agents, Idempotency-Keys, cumulative points and their series, groups of events, and what triggers watch take %zu MiB of memory, more than half of "
		 "the %zu MiB for the state", ps->room.use.unflushable_bytes >> 20, ps->room.budget.hard_bytes >> 20);
	alarm_warn(&ps->feed.alarm, "state_crowded", text);
}

/* Room is made before checkpoints, and judged after them, as what they can give is not there any more. */
static int turn_checkpoints(struct partitions *ps, int64_t mono_ms, struct err *err)
{
	size_t nr = (size_t)ps->nr;
	bool holding = ps->room.holding, crowded = ps->room.crowded, waits;
	size_t reserved_bytes = (ps->restoring ? restore_needs(ps->restore, &waits) : 0) + checkpoint_triggers_bytes(ps->checkpoint);
	bool due = room_due(&ps->room, reserved_bytes, mono_ms);

	if (due)
		room_charge(&ps->room, ps->tasks, nr);
	if (checkpoint_turn(ps->checkpoint, ps->tasks, nr, err) < 0)
		return -1;
	if (!due)
		return 0;
	room_look(&ps->room, ps->tasks, nr, mono_ms);
	for (size_t i = 0; i < nr; i++)
		if (ps->tasks[i])
			task_crowd(ps->tasks[i], ps->room.crowded);
	if (ps->room.holding != holding)
		turn_holding(ps);
	if (ps->room.crowded != crowded)
		turn_crowded(ps);
	return 0;
}

int partitions_turn(struct partitions *ps, struct err *err)
{
	int64_t now_ms = clock_now_ms(&ps->with.program->clock), mono_ms = clock_mono_ms();

	follow_controls(ps);
	if (turn_restore(ps, mono_ms, err) < 0)
		return -1;
	for (int32_t i = 0; i < ps->nr; i++)
		if (ps->tasks[i] && turn_task(ps, ps->tasks[i], now_ms, mono_ms) < 0) {
			*err = ps->fatal;
			return -1;
		}
	return turn_checkpoints(ps, mono_ms, err);
}

/* Lets rebalance callbacks run; records are thrown away, as their positions are not moved. */
static void pump(struct partitions *ps)
{
	rd_kafka_message_t *message;

	poll(NULL, 0, PUMP_MS);
	while ((message = consumer_poll(ps->consumer)) != NULL)
		rd_kafka_message_destroy(message);
}

/* The numbers of all partitions; the caller frees. NULL when memory is short. */
static int32_t *all_numbers(const struct partitions *ps)
{
	int32_t *all = calloc((size_t)ps->nr, sizeof(*all));

	for (int32_t i = 0; all && i < ps->nr; i++)
		all[i] = i;
	return all;
}

int partitions_save(struct partitions *ps, int timeout_ms, struct err *err)
{
	int64_t deadline = clock_mono_ms() + timeout_ms;
	int32_t *all = all_numbers(ps);
	int rc;

	if (!all)
		return err_nomem(err, "the last checkpoint");
	/* In a rebalance the metadata that we hold is of the generation before, and refused: only the callback that waits brings the next. */
	while ((rc = checkpoint_now(ps->checkpoint, ps->tasks, (size_t)ps->nr, all, (size_t)ps->nr, 0, err)) < 0 &&
	       err->kind != ERR_FATAL && clock_mono_ms() < deadline)
		pump(ps);
	free(all);
	return rc;
}

int partitions_save_as_zombie(struct partitions *ps, struct err *err)
{
	int32_t *all = all_numbers(ps);
	int rc;

	if (!all)
		return err_nomem(err, "a zombie's checkpoint");
	/* As if every leader had just said that there is nothing more: then all that is held goes out. */
	for (int32_t i = 0; i < ps->nr; i++)
		if (ps->tasks[i] && ps->tasks[i]->phase == TASK_RUNNING) {
			ps->tasks[i]->at_end = true;
			ps->tasks[i]->end_mono_ms = clock_mono_ms();
		}
	rc = checkpoint_now(ps->checkpoint, ps->tasks, (size_t)ps->nr, all, (size_t)ps->nr, 0, err);
	free(all);
	return rc;
}

bool partitions_ready(const struct partitions *ps)
{
	return consumer_joined(ps->consumer) && count_phase(ps, TASK_RUNNING) == count_assigned(ps);
}

const char *partitions_why_not_ready(const struct partitions *ps)
{
	if (!consumer_joined(ps->consumer))
		return "the group has not been joined";
	if (count_phase(ps, TASK_REFUSED))
		return "a partition is refused";
	if (ps->room.holding)
		return "reading is held up until a transaction makes room in memory";
	if (count_phase(ps, TASK_HELD))
		return "a partition waits for a newer build";
	return "partitions are being restored";
}

/* What takes how much of memory.budget. */
static void gauge_memory(struct partitions *ps)
{
	const struct budget_use *use = &ps->room.use;
	struct memory_figures memory;
	bool waits;

	for (enum share i = 0; i < NR_SHARES; i++)
		stats_memory(ps->with.stats, share_name(i), (double)ps->shares.bytes[i], i == SHARE_STATE ? (double)use->state_bytes : -1);
	stats_memory(ps->with.stats, "restore", -1, (double)restore_needs(ps->restore, &waits));
	stats_memory(ps->with.stats, "unflushable", -1, (double)use->unflushable_bytes); /* a part of the state: its limit is no share */
	stats_gauge(ps->with.stats, STATS_UNFLUSHABLE_LIMIT, (double)ps->room.budget.unflushable_bytes);
	if (!memory_look(&memory))
		return;
	stats_memory(ps->with.stats, "allocated", -1, (double)memory.allocated_bytes);
	stats_memory(ps->with.stats, "resident", -1, (double)memory.resident_bytes);
}

void partitions_figures(struct partitions *ps, struct partitions_figures *out)
{
	int64_t now_ms = clock_now_ms(&ps->with.program->clock);

	*out = (struct partitions_figures){.assigned = (double)count_assigned(ps), .running = (double)count_phase(ps, TASK_RUNNING),
					   .refused = (double)count_phase(ps, TASK_REFUSED)};
	for (int32_t i = 0; i < ps->nr; i++) {
		struct task *t = ps->tasks[i];
		double behind_seconds;
		int64_t end;

		if (!t)
			continue;
		stats_set(ps->with.stats, STATS_MEMORY_BYTES, i, (double)task_bytes(t));
		stats_set(ps->with.stats, STATS_DEDUP_AGENTS, i, (double)t->dedup.agents.len);
		stats_set(ps->with.stats, STATS_DEDUP_BYTES, i, (double)dedup_bytes(&t->dedup));
		stats_set(ps->with.stats, STATS_REQUEST_KEYS, i, (double)t->request_keys.keys.len);
		stats_set(ps->with.stats, STATS_REQUEST_KEY_BYTES, i, (double)request_keys_bytes(&t->request_keys));
		stats_set(ps->with.stats, STATS_BASELINES, i, (double)t->baselines.by_series.len);
		stats_set(ps->with.stats, STATS_BASELINE_BYTES, i, (double)baselines_bytes(&t->baselines));
		stats_set(ps->with.stats, STATS_SERIES, i, (double)t->windows.series.len);
		stats_set(ps->with.stats, STATS_WINDOWS, i, (double)task_windows(t));
		stats_set(ps->with.stats, STATS_ALERTS_OPEN, i, (double)alerts_open(&t->alerts));
		stats_set(ps->with.stats, STATS_ALERTS_HELD_SERIES, i, (double)t->alerts.nr_held);
		stats_set(ps->with.stats, STATS_CHECK_INS, i, (double)t->check_ins.by_group.len);
		stats_set(ps->with.stats, STATS_EXEMPLARS_HELD, i, (double)(t->exemplars.nr_held + t->specimens.nr));
		/* One that is held is behind, too: its end is as of the last try. */
		end = t->phase == TASK_RUNNING || t->phase == TASK_HELD ? consumer_end_offset(ps->consumer, i) : -1;
		if (end < 0)
			continue;
		end = end > t->position ? end - t->position : 0;
		behind_seconds = (double)task_behind_ms(t, now_ms) / 1000;
		out->lag_records += (double)end;
		out->lag_seconds = behind_seconds > out->lag_seconds ? behind_seconds : out->lag_seconds;
		stats_set(ps->with.stats, STATS_LAG_RECORDS, i, (double)end);
		stats_set(ps->with.stats, STATS_LAG_SECONDS, i, behind_seconds);
	}
	gauge_memory(ps);
	gauge_phases(ps);
}
