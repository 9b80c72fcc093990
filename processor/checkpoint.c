/* checkpoint.c - see checkpoint.h.
 *
 * One transaction, in order: windows are closed into the outboxes, all of them where the budget asks for more than is due; every fragment, dead
 * letter and chunk is produced; the producer is flushed, as the offset of the first chunk, which goes into the metadata, is known with
 * its acknowledgement only; offsets; commit. */
#include "processor/checkpoint.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "processor/alarm.h"
#include "processor/budget.h"
#include "processor/emission.h"

enum { OPEN_EVERY_MS = 1000, ASK_MS = 200, NOW_TURN_MS = 50, TRIGGERS_EVERY_MS = 500, SHADOW_SHARE = 8 /* of the state */ };

struct checkpoint {
	struct checkpoint_parts with;
	struct due_rules rules;
	size_t growth_bytes; /* what the closings of one transaction may make the state grow by, unless it is of one partition */
	struct emission_part *parts; /* room for every input */
	size_t nr_parts;
	size_t first; /* which task is looked at first */
	struct emission emission;
	struct buf metadata;
	bool in_doubt;             /* some task's attempt is */
	int64_t retry_mono_ms;     /* no new transaction before */
	int64_t open_mono_ms;      /* no new try to open the producer before */
	int64_t positions_mono_ms; /* when positions were committed last */
	bool open_complained;
	struct rules *triggers;    /* held: what partitions are to go by; NULL: nobody judges */
	int64_t triggers_mono_ms;  /* when that was asked for */
	size_t state_bytes;        /* the share of the state */
	size_t shadow_bytes;       /* of each partition of samples */
};

struct checkpoint *checkpoint_new(const struct checkpoint_parts *parts, struct err *err)
{
	struct checkpoint *cp = calloc(1, sizeof(*cp));
	struct shares shares;

	if (cp)
		cp->parts = calloc((size_t)topics_inputs(parts->topics->partitions), sizeof(*cp->parts));
	if (!cp || !cp->parts) {
		free(cp);
		err_nomem(err, "checkpoints");
		return NULL;
	}
	cp->with = *parts;
	cp->rules = (struct due_rules){parts->conf, &parts->program->clock, parts->topics->partitions, NULL};
	shares = shares_of(parts->program->common.memory_budget_bytes);
	cp->growth_bytes = budget_of(&shares).growth_bytes;
	cp->state_bytes = shares.bytes[SHARE_STATE];
	cp->emission = (struct emission){.txn = parts->txn, .topics = parts->topics, .chunk_bytes = (size_t)parts->conf->chunk_bytes};
	return cp;
}

void checkpoint_free(struct checkpoint *cp)
{
	if (!cp)
		return;
	rules_drop(cp->triggers);
	emission_fini(&cp->emission);
	buf_fini(&cp->metadata);
	free(cp->parts);
	free(cp);
}

const struct due_rules *checkpoint_rules(const struct checkpoint *cp)
{
	return &cp->rules;
}

size_t checkpoint_triggers_bytes(const struct checkpoint *cp)
{
	return cp->triggers ? 2 * rules_bytes(cp->triggers) : 0; /* rules hold each row's bytes and what they say; the rulebook holds the bytes again */
}

bool checkpoint_is_able(const struct checkpoint *cp)
{
	return txn_is_idle(cp->with.txn) && !cp->in_doubt;
}

/* A transaction came to nothing, or nobody knows. */
static void note_failure(struct checkpoint *cp, enum txn_outcome outcome, const struct err *err)
{
	const char *reason = txn_reason(cp->with.txn);

	cp->retry_mono_ms = clock_mono_ms() + cp->with.conf->retry_interval_ms;
	stats_abort(cp->with.stats, reason);
	if (outcome == TXN_UNKNOWN)
		stats_count(cp->with.stats, STATS_UNKNOWN_OUTCOMES, 1);
	log_warn(&cp->with.program->log, outcome == TXN_UNKNOWN ? "checkpoint_in_doubt" : "checkpoint_aborted", LOG_STR("reason", reason),
		 LOG_STR("error", err->msg));
}

static void note_alerts(struct checkpoint *cp, const struct task *t)
{
	const struct alert_letter *l = t->alert_outbox.first;
	uint64_t nr[NR_ALERT_EVENT_KINDS] = {0};

	for (size_t i = 0; i < t->attempt.nr_alerts; i++, l = l->next)
		nr[l->kind]++;
	for (int kind = 0; kind < NR_ALERT_EVENT_KINDS; kind++)
		stats_alert_events(cp->with.stats, t->partition, (enum alert_event_kind)kind, nr[kind]);
}

static void note_exemplars(struct checkpoint *cp, const struct task *t)
{
	const struct specimen *s = t->specimens.first;
	uint64_t nr[NR_EXEMPLAR_KINDS] = {0};

	for (size_t i = 0; i < t->attempt.nr_specimens; i++, s = s->next)
		nr[s->kind]++;
	for (enum exemplar_kind kind = 0; kind < NR_EXEMPLAR_KINDS; kind++)
		stats_exemplars(cp->with.stats, t->partition, kind, nr[kind]);
}

/* The task's attempt is committed. */
static void settle_committed(struct checkpoint *cp, struct task *t)
{
	for (size_t i = 0; i < t->attempt.outbox_len; i++)
		stats_fragments(cp->with.stats, t->partition, t->outbox.panes[i]);
	note_exemplars(cp, t);
	note_alerts(cp, t);
	stats_add(cp->with.stats, STATS_CHECKPOINTS, t->partition, 1);
	stats_set(cp->with.stats, STATS_STATE_BYTES, t->partition, (double)t->attempt.meta.bytes);
	trim_note(cp->with.trim, t->partition, &t->saved, &t->attempt.meta);
	task_committed(t, clock_mono_ms());
	if (t->phase == TASK_NEW)
		t->phase = TASK_READY;
}

static void settle(struct checkpoint *cp, enum txn_outcome outcome)
{
	for (size_t i = 0; i < cp->nr_parts; i++) {
		struct task *t = cp->parts[i].task;

		if (outcome == TXN_COMMITTED)
			settle_committed(cp, t);
		else if (outcome == TXN_ABORTED)
			task_aborted(t);
		else
			t->attempt.in_doubt = cp->in_doubt = true;
	}
}

/* Closes what is due, and flushes the rest when that frees less than the task owes: closed minutes may only have moved into their hours. */
static int close_task(const struct checkpoint *cp, struct task *t, int64_t watermark_ms, const struct close_rules *rules, struct err *err)
{
	size_t before = task_flushable_bytes(t), owed = t->owed_bytes > t->letters.bytes ? t->owed_bytes - t->letters.bytes : 0;
	uint64_t unknown = t->alerts.unknown;

	if (task_close(t, watermark_ms, rules, err) < 0)
		return -1;
	stats_add(cp->with.stats, STATS_UNKNOWN_WINDOWS, t->partition, t->alerts.unknown - unknown);
	t->owed_bytes = 0;
	return owed && before < task_flushable_bytes(t) + owed ? task_flush(t, err) : 0;
}

/* Sites whose samples went to their overflow series: once an hour each. Not at the first record, which would have nothing to tell but itself, and
 * at checkpoints that follow it, so that what came behind the last notice is told too. */
static void tell_overflow(const struct checkpoint *cp, const struct task *t)
{
	const struct alarm alarm = {&cp->with.program->log, cp->with.report, cp->with.topics};
	const struct series_caps *caps = &t->windows.series.caps;
	struct series_caps_refused refused;
	char text[400];

	for (struct series_caps_site *site = caps->sites; site; site = site->next) {
		if (!series_caps_tell(site, t->watermark_ms, &refused))
			continue;
		snprintf(text, sizeof(text),
			 "%" PRIu64 " samples since the last notice were counted in %s, for new series that were refused: %" PRIu64
			 " times by %s (%" PRId64 "; %zu series are known), %" PRIu64 " by series.record_max (%" PRId64
			 "), %" PRIu64 " for want of memory",
			 refused.samples, SERIES_CAPS_OVERFLOW_NAME, refused.series[SERIES_OVER_SITE],
			 site->max ? "the site's series_cap, shared among its partitions" : "series.site_max", site->max ? site->max : caps->site_max,
			 site->nr_series,
			 refused.series[SERIES_OVER_RECORD], caps->record_max, refused.series[SERIES_OVER_MEMORY]);
		alarm_warn_site(&alarm, "series_overflowed", t->partition, site->id, text);
	}
}

/* Sites whose alerts were not begun, as they have too many: once an hour each, too. */
static void tell_refused(const struct checkpoint *cp, struct task *t)
{
	const struct alarm alarm = {&cp->with.program->log, cp->with.report, cp->with.topics};
	const struct alert_site *site;
	uint64_t refused;
	char text[300];
	size_t at = 0;

	while ((site = alerts_tell_refused(&t->alerts, &at, t->watermark_ms, &refused)) != NULL) {
		snprintf(text, sizeof(text), "%" PRIu64 " times since the last notice an alert, or a series that a trigger about absence watches, was not begun: the "
			 "site has %zu here, %zu of them watched; alerts.held_max is %" PRId64 ", and there may be %d in all",
			 refused, site->nr, site->nr_held, cp->with.conf->alerts_held_max, ALERTS_SITE_MAX);
		alarm_warn_site(&alarm, "alerts_overflowed", t->partition, site->id, text);
	}
}

/* What minutes are judged by. */
static struct judging judging_now(const struct checkpoint *cp, int64_t now_ms)
{
	const struct judging_tables *tables = cp->with.judging;

	if (!tables || !cp->triggers)
		return (struct judging){0};
	return (struct judging){cp->triggers, tables->placements, tables->closures, tables->controls, cp->with.topics->cell, cp->with.topics->epoch, now_ms,
				due_max_age_ms(&cp->rules), cp->with.conf->alerts_held_max, cp->shadow_bytes};
}

/* Goes by what triggers are now. -1 with ERR_FATAL: minutes must not close unjudged. */
static int follow_triggers(struct checkpoint *cp, struct task *const *tasks, size_t nr, int64_t mono_ms, struct err *err)
{
	struct rules *rules;
	size_t of_samples = 0;

	if (!cp->with.judging || (cp->triggers && mono_ms - cp->triggers_mono_ms < TRIGGERS_EVERY_MS))
		return 0;
	cp->triggers_mono_ms = mono_ms;
	for (size_t i = 0; i < nr; i++)
		of_samples += tasks[i] && tasks[i]->kind == INPUT_SAMPLES;
	cp->shadow_bytes = cp->state_bytes / SHADOW_SHARE / (of_samples ? of_samples : 1);
	cp->with.judging->placements->partitions = cp->with.topics->partitions;
	rules = rulebook_rules(cp->with.judging->rulebook, err);
	if (!rules || rules == cp->triggers)
		return rules ? 0 : -1;
	rules_drop(cp->triggers);
	cp->rules.triggers = cp->triggers = rules_hold(rules);
	stats_gauge(cp->with.stats, STATS_TRIGGERS, (double)rules->nr);
	stats_memory(cp->with.stats, "triggers", -1, (double)rules_bytes(rules));
	return 0;
}

/* One checkpoint of cp->parts: closing, transaction, and what follows from its outcome. 0: committed. */
static int run(struct checkpoint *cp, struct err *err)
{
	rd_kafka_topic_partition_list_t *offsets = rd_kafka_topic_partition_list_new((int)cp->nr_parts);
	struct close_rules rules = {cp->with.conf->grace_ms, due_late_rules(&cp->rules), cp->with.conf->agents_max,
				    cp->with.conf->request_keys_max, cp->with.conf->series_site_max, cp->with.conf->series_record_max,
				    judging_now(cp, clock_now_ms(&cp->with.program->clock))};
	int64_t now_ms = clock_now_ms(&cp->with.program->clock), begun_ms = clock_mono_ms();
	enum txn_outcome outcome = TXN_ABORTED;
	int rc = 0;

	for (size_t i = 0; i < cp->nr_parts && rc == 0; i++) {
		struct task *t = cp->parts[i].task;

		rc = close_task(cp, t, task_effective_watermark(t, now_ms, begun_ms, DUE_TRUST_MS), &rules, err);
		if (rc == 0) {
			tell_overflow(cp, t);
			tell_refused(cp, t);
		}
	}
	if (rc == 0 && (rc = txn_begin(cp->with.txn, err)) == 0) {
		if (emission_fill(&cp->emission, cp->parts, cp->nr_parts, offsets, consumer_group(cp->with.consumer), err) == 0)
			outcome = txn_commit(cp->with.txn, err);
		else
			txn_abort(cp->with.txn);
	}
	rd_kafka_topic_partition_list_destroy(offsets);
	settle(cp, outcome);
	stats_gauge(cp->with.stats, STATS_CHECKPOINT_SECONDS, (double)(clock_mono_ms() - begun_ms) / 1000);
	if (outcome == TXN_COMMITTED) {
		cp->positions_mono_ms = begun_ms;
		return 0;
	}
	note_failure(cp, outcome, err);
	return -1;
}

/* What a committed transaction of positions has come to. */
static void note_positions(struct checkpoint *cp, struct task **tasks, const rd_kafka_topic_partition_list_t *offsets)
{
	for (int i = 0; i < offsets->cnt; i++) {
		struct task *t = tasks[topics_number(cp->with.topics, offsets->elems[i].topic, offsets->elems[i].partition)];

		t->committed = offsets->elems[i].offset;
		t->committed_mono_ms = cp->positions_mono_ms;
	}
}

/* Commits the positions of all tasks that are due, with their metadata as it was. An outcome that is not known does not matter here. */
static int commit_positions(struct checkpoint *cp, struct task **tasks, size_t nr, struct err *err)
{
	rd_kafka_topic_partition_list_t *offsets = rd_kafka_topic_partition_list_new((int)nr);
	enum txn_outcome outcome = TXN_ABORTED;
	int rc = 0;

	for (size_t i = 0; i < nr && rc == 0; i++)
		if (tasks[i] && due_position(tasks[i], cp->positions_mono_ms))
			rc = emission_add_offset(offsets, cp->with.topics, tasks[i]->partition, tasks[i]->position, &tasks[i]->saved, err);
	if (rc == 0 && offsets->cnt && (rc = txn_begin(cp->with.txn, err)) == 0) {
		if (txn_send_offsets(cp->with.txn, offsets, consumer_group(cp->with.consumer), err) == 0)
			outcome = txn_commit(cp->with.txn, err);
		else
			txn_abort(cp->with.txn);
		if (outcome == TXN_COMMITTED)
			note_positions(cp, tasks, offsets);
		else
			note_failure(cp, outcome, err);
	}
	rd_kafka_topic_partition_list_destroy(offsets);
	return rc;
}

/* Opens the producer when it is closed. True when transactions can be made. */
static bool able(struct checkpoint *cp)
{
	struct err err = ERR_INIT;
	int64_t mono_ms = clock_mono_ms();

	if (txn_is_idle(cp->with.txn))
		return true;
	if (mono_ms < cp->open_mono_ms)
		return false;
	if (txn_open(cp->with.txn, &err) == 0) {
		cp->open_complained = false;
		return true;
	}
	cp->open_mono_ms = clock_mono_ms() + OPEN_EVERY_MS;
	if (!cp->open_complained)
		log_error(&cp->with.program->log, "transactions_unavailable", LOG_STR("error", err.msg));
	cp->open_complained = true;
	return false;
}

/* Does a committed offset's metadata name the attempt? Its id alone does not say: who was thrown out of the group meanwhile reads that of the
 * next owner, who counts on from the same snapshot; but no two snapshots begin at one offset. */
static bool is_attempt(const struct committed *c, const struct attempt *a)
{
	struct offset_meta meta;

	return c->offset >= 0 && offset_meta_parse(c->metadata, &meta, NULL) == 0 && meta.epoch == a->meta.epoch && meta.id == a->meta.id &&
	       meta.snapshot == a->meta.snapshot;
}

/* Asks what became of a task's attempt. The producer has been opened anew since, which has ended the transaction one way or the other. */
static int settle_doubt(struct checkpoint *cp, struct task *t, struct err *err)
{
	struct input in = topics_input(cp->with.topics, t->partition);
	struct committed c;

	if (consumer_committed(cp->with.consumer, t->partition, ASK_MS, &c, &cp->metadata, err) < 0)
		return -1;
	if (is_attempt(&c, &t->attempt)) {
		log_info(&cp->with.program->log, "checkpoint_was_committed", LOG_STR("topic", in.topic), LOG_INT("partition", in.partition),
			 LOG_INT("checkpoint", t->attempt.meta.id));
		settle_committed(cp, t);
	} else {
		log_info(&cp->with.program->log, "checkpoint_was_not_committed", LOG_STR("topic", in.topic), LOG_INT("partition", in.partition),
			 LOG_INT("checkpoint", t->attempt.meta.id));
		task_aborted(t);
	}
	return 0;
}

/* Settles everything that is in doubt. False while it is not. */
static bool settled(struct checkpoint *cp, struct task **tasks, size_t nr)
{
	struct err err = ERR_INIT;

	if (!cp->in_doubt)
		return true;
	for (size_t i = 0; i < nr; i++)
		if (tasks[i] && tasks[i]->attempt.in_doubt && settle_doubt(cp, tasks[i], &err) < 0)
			return false;
	cp->in_doubt = false;
	return true;
}

/* Can a transaction be made right now, and on whose behalf? */
static bool prepared(struct checkpoint *cp, struct task **tasks, size_t nr)
{
	return consumer_group(cp->with.consumer) != NULL && clock_mono_ms() >= cp->retry_mono_ms && able(cp) && settled(cp, tasks, nr);
}

/* What a transaction has to do. */
struct load {
	size_t windows, growth_bytes;
};

/* Takes a task into the checkpoint unless the others already make it as large as one transaction should be: it must be through before its
 * deadline, and one that is too large fails the same way every time; and there must be room for what all of them close, until they are
 * committed. The first always fits. True when it was taken. */
static bool take_part(struct checkpoint *cp, struct task *t, struct load *load)
{
	struct load all = {load->windows + task_windows(t), load->growth_bytes + window_store_growth(&t->windows)};

	if (cp->nr_parts && (all.windows > (size_t)cp->with.conf->transaction_windows || all.growth_bytes > cp->growth_bytes))
		return false;
	*load = all;
	cp->parts[cp->nr_parts++] = (struct emission_part){.task = t};
	return true;
}

/* The tasks that are due, those first that owe memory. */
static void collect_due(struct checkpoint *cp, struct task **tasks, size_t nr, int64_t now_ms, int64_t mono_ms)
{
	struct load load = {0};

	cp->nr_parts = 0;
	for (int owing = 1; owing >= 0; owing--)
		for (size_t i = 0; i < nr; i++) {
			struct task *t = tasks[(cp->first + i) % nr];

			if (!t || (t->owed_bytes > 0) != owing || !due_checkpoint(&cp->rules, t, now_ms, mono_ms))
				continue;
			if (!take_part(cp, t, &load)) {
				cp->first = (cp->first + i) % nr; /* begins the next transaction, so that nobody waits for ever */
				return;
			}
		}
}

int checkpoint_turn(struct checkpoint *cp, struct task **tasks, size_t nr, struct err *err)
{
	int64_t now_ms = clock_now_ms(&cp->with.program->clock), mono_ms = clock_mono_ms();
	struct err why = ERR_INIT;
	int rc = 0;

	if (follow_triggers(cp, tasks, nr, mono_ms, err) < 0)
		return -1;
	collect_due(cp, tasks, nr, now_ms, mono_ms);
	if (!cp->nr_parts && !cp->in_doubt && txn_is_idle(cp->with.txn) &&
	    mono_ms - cp->positions_mono_ms < cp->with.conf->position_interval_ms)
		return 0;
	if (!prepared(cp, tasks, nr))
		return 0;
	if (cp->nr_parts) {
		rc = run(cp, &why);
	} else if (mono_ms - cp->positions_mono_ms >= cp->with.conf->position_interval_ms) {
		cp->positions_mono_ms = mono_ms;
		rc = commit_positions(cp, tasks, nr, &why);
	}
	if (rc == 0 || why.kind != ERR_FATAL)
		return 0;
	*err = why;
	return -1;
}

/* The tasks among these that have something to save, as many as one transaction takes. A new one has not: whoever owns it next begins as we did.
 * None of them owes any memory: it will be free without a flush. */
static void collect_dirty(struct checkpoint *cp, struct task **all, size_t nr_all, const int32_t *partitions, size_t nr)
{
	struct load load = {0};

	cp->nr_parts = 0;
	for (size_t i = 0; i < nr; i++) {
		struct task *t = (size_t)partitions[i] < nr_all ? all[partitions[i]] : NULL;

		if (!t || (t->phase != TASK_RUNNING && t->phase != TASK_HELD) || !task_dirty(t))
			continue;
		t->owed_bytes = 0;
		if (!take_part(cp, t, &load))
			break;
	}
}

int checkpoint_now(struct checkpoint *cp, struct task **all, size_t nr_all, const int32_t *partitions, size_t nr, int timeout_ms,
		   struct err *err)
{
	int64_t deadline = clock_mono_ms() + timeout_ms;
	struct err why = ERR_INIT;

	cp->retry_mono_ms = 0;
	do {
		do { /* a transaction may not take all of them */
			collect_dirty(cp, all, nr_all, partitions, nr);
			if (!cp->nr_parts)
				return 0;
			if (!prepared(cp, all, nr_all)) {
				poll(NULL, 0, NOW_TURN_MS); /* the coordinator is away, or a pause is due: there is nothing to be woken by */
				break;
			}
			collect_dirty(cp, all, nr_all, partitions, nr); /* settling a doubt may have saved some */
			if (!cp->nr_parts)
				return 0;
		} while (run(cp, &why) == 0);
		if (why.kind == ERR_FATAL) {
			*err = why;
			return -1;
		}
	} while (clock_mono_ms() < deadline);
	return err_set(err, ERR_RETRY, "%zu partitions were not saved within %d ms: %s", cp->nr_parts, timeout_ms,
		       why.msg[0] ? why.msg : "transactions cannot be made");
}
