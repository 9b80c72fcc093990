/* term.c - see term.h.
 *
 *  T1  Nothing is delivered but what is committed: the desk gives out jobs only after desk_committed().
 *  T2  Each transaction carries the positions of all partitions whose position is known, and there is at least one: by the group metadata beside them the broker
 *      tells a former owner from the owner. Without valid metadata nothing is written.
 *  T3  What was committed an hour ago is committed again, though nothing has moved: Kafka forgets offsets of a topic that no member subscribes to.
 *  T4  Whoever finds out that a term is over only marks it (tenure); it is taken down in one place, between turns, as some find out inside callbacks.
 *  T5  Nothing is decided before all events are taken that were there when the term began: what an absence of days has piled up is told as it is in the
 *      end. Not for ever, as a partition may be away.
 *  T6  What is written is an incident as a whole, up to a mebibyte for one alert more: so after large ones there is a pause, as long as their size
 *      commands. Small ones are let be, as a crowd of them is not written over and over. */
#include "sink/notify/term.h"

#include <stdlib.h>

#include "common/events.h"
#include "sink/notify/intake.h"
#include "sink/notify/journal.h"
#include "sink/notify/letters.h"
#include "sink/notify/loading.h"
#include "sink/notify/owner.h"

enum {
	EVENTS_A_TURN = 1000,
	WRITE_MS = 100,        /* between two transactions */
	BYTES_A_MS = 256,      /* (T6) that is what goes into the topics in the long run ... */
	PAUSE_MAX_MS = 3000,   /* ... unless there are many of them, as notifications wait for it */
	LARGE_BYTES = 4096,
	OFFSETS_MS = 1000,     /* the same, when nothing but offsets has moved */
	AGAIN_MS = 3600000,    /* (T3) */
	RETRY_MS = 500,
	HOLD_MS = 5000,        /* until a record of an unknown schema is looked at again */
	ASK_MS = 500,
	CATCH_UP_MS = 600000,  /* (T5) */
	REFUSAL_MS = 3600000,  /* between two Notices of the same */
};

struct term {
	struct term_spec spec;
	const struct log *log;
	struct desk *desk; /* the dispatch's */
	struct owner *owner;
	struct journal *journal;
	uint64_t number;         /* of the tenure's term that what follows belongs to */
	struct loading *loading; /* NULL: not begun, or done */
	bool loaded;
	struct intake *intake;
	struct letters letters;
	struct arena arena;      /* of one event */
	struct buf key, value;   /* of one record */
	int64_t next_try_mono_ms, next_write_mono_ms, written_mono_ms, active_mono_ms;
	uint64_t bytes;          /* of the large records in the last transaction */
	int64_t next_refusal_mono_ms;
	bool caught_up;          /* (T5) */
	bool left_behind;
};

static int64_t now_ms(const struct term *t)
{
	return clock_now_ms(&t->spec.program->clock);
}

/* Logs a failure that the loop outlives. */
static void complain(const struct term *t, const char *event, const struct err *err)
{
	log_repeat(t->log, event, LOG_STR("error", err->msg));
}

static int load_incident(void *ctx, const struct incident *incident, struct err *err)
{
	struct term *t = ctx;

	return desk_take_incident(t->desk, now_ms(t), incident, err);
}

static int load_sent(void *ctx, const struct sent *sent, struct err *err)
{
	struct term *t = ctx;

	return desk_take_sent(t->desk, sent, err);
}

static void on_leaving(void *ctx, bool lost)
{
	struct term *t = ctx;

	if (!lost)
		term_write(t);
}

struct term *term_new(const struct term_spec *spec, struct err *err)
{
	struct term *t = calloc(1, sizeof(*t));

	if (!t) {
		err_nomem(err, "a term");
		return NULL;
	}
	*t = (struct term){.spec = *spec, .log = &spec->program->log, .desk = dispatch_desk(spec->dispatch)};
	t->journal = journal_new(spec->program);
	if (!t->journal)
		err_nomem(err, "the journal");
	else
		t->owner = owner_new(spec->program, spec->cell->partitions, spec->wake_fd, on_leaving, t, err);
	if (t->owner)
		return t;
	term_free(t, 0);
	return NULL;
}

/* (T4) Everything that belongs to a term which is over. */
static void take_down(struct term *t)
{
	bool ended = loading_free(t->loading);

	ended &= intake_free(t->intake);
	t->left_behind |= !ended;
	t->loading = NULL;
	t->intake = NULL;
	t->loaded = false;
	letters_clear(&t->letters);
	journal_close(t->journal);
	dispatch_reset(t->spec.dispatch);
	metric_set(t->spec.meters->active, 0);
}

bool term_free(struct term *t, int timeout_ms)
{
	bool ended;

	if (!t)
		return true;
	if (t->owner)
		term_write(t);
	take_down(t);
	ended = journal_free(t->journal);
	ended &= owner_free(t->owner, timeout_ms);
	if (!ended || t->left_behind)
		return false;
	letters_fini(&t->letters);
	arena_fini(&t->arena);
	buf_fini(&t->key);
	buf_fini(&t->value);
	free(t);
	return true;
}

/* One step of becoming the owner. 0: try on; -1 with *err set: later. */
static int begin_intake(struct term *t, struct err *err)
{
	const struct intake_spec spec = {t->spec.program, t->spec.report, t->spec.cell->epoch, t->spec.cell->partitions, t->spec.wake_fd};
	rd_kafka_topic_partition_list_t *list;
	int rc;

	if (!t->intake && !(t->intake = intake_new(&spec, err)))
		return -1;
	list = intake_list(t->intake);
	rc = owner_committed(t->owner, list, ASK_MS, err) < 0 || intake_begin(t->intake, list, err) < 0 ? -1 : 0;
	rd_kafka_topic_partition_list_destroy(list);
	return rc;
}

/* 1: all is read. */
static int load(struct term *t, struct err *err)
{
	const struct loading_hooks hooks = {load_incident, load_sent, t};
	uint64_t records, refused;
	int rc;

	if (t->loaded)
		return 1;
	if (!t->loading) {
		dispatch_reset(t->spec.dispatch);
		t->loading = loading_new(t->spec.program, &hooks, t->spec.wake_fd, err);
		if (!t->loading)
			return -1;
	}
	rc = loading_turn(t->loading, err);
	if (rc == 0)
		return 0;
	loading_count(t->loading, &records, &refused);
	t->left_behind |= !loading_free(t->loading);
	t->loading = NULL;
	if (rc < 0)
		return -1;
	t->loaded = true;
	desk_loaded(t->desk, now_ms(t));
	log_info(t->log, "loaded", LOG_UINT("records", records), LOG_UINT("refused", refused));
	return 1;
}

static int acquire(struct term *t, struct err *err)
{
	int rc;

	if (journal_open(t->journal, err) < 0)
		return -1;
	rc = load(t, err);
	if (rc <= 0)
		return rc;
	if (begin_intake(t, err) < 0)
		return -1;
	t->next_write_mono_ms = t->written_mono_ms = 0;
	t->active_mono_ms = clock_mono_ms();
	t->caught_up = false;
	tenure_acquired(owner_tenure(t->owner));
	metric_set(t->spec.meters->active, 1);
	log_info(t->log, "active", LOG_STR("cell", t->spec.cell->name), LOG_INT("epoch", t->spec.cell->epoch));
	return 0;
}

/* Somebody will not be told of something, and an operator has to know why. */
static void tell_of_refusal(struct term *t)
{
	static const char text[] = "there is no room for more incidents (memory.budget): alerts that opened are in none, and nobody is told of them";
	const struct tag fields[] = {{STR("cell"), str_from(t->spec.cell->name)}};

	if (clock_mono_ms() < t->next_refusal_mono_ms)
		return;
	t->next_refusal_mono_ms = clock_mono_ms() + REFUSAL_MS;
	log_error(t->log, "alerts_refused", LOG_STR("text", text));
	report_notice(t->spec.report, SEVERITY_ALARM, "alerts_refused", text, fields, 1);
}

/* An event that was thrown away is charged to the control that did it. */
static int give_to_desk(struct term *t, const struct alert_event *event, struct err *err)
{
	struct desk_figures before, after;

	desk_figures(t->desk, &before);
	if (desk_take_event(t->desk, now_ms(t), event, err) < 0)
		return -1;
	desk_figures(t->desk, &after);
	if (after.events_dropped != before.events_dropped)
		drops_count(t->spec.drops, event->site, after.events_dropped - before.events_dropped, 0);
	if (after.events_refused != before.events_refused)
		tell_of_refusal(t);
	return 0;
}

/* 0: taken; 1: its partition waits; -1: not taken, memory is short. */
static int take_record(struct term *t, const rd_kafka_message_t *m, struct err *err)
{
	struct alert_event event;
	struct err why = ERR_INIT;
	int rc = -1;

	arena_clear(&t->arena);
	if (m->payload)
		rc = alert_event_decode((struct str){m->payload, m->len}, &t->arena, &event, &why);
	else
		err_set(&why, ERR_REJECT, "the record has no value");
	if (rc == 0)
		rc = give_to_desk(t, &event, &why);
	if (rc < 0 && why.kind == ERR_RETRY) {
		intake_hold(t->intake, m, HOLD_MS);
		return 1;
	}
	if (rc < 0 && why.kind == ERR_REJECT) {
		metric_add(t->spec.meters->letters, 1);
		log_warn(t->log, "record_rejected", LOG_STR("topic", rd_kafka_topic_name(m->rkt)), LOG_INT("partition", m->partition), LOG_INT("offset", m->offset),
			 LOG_STR("error", why.msg));
		rc = letters_add(&t->letters, t->spec.program, m, t->spec.cell->epoch, why.msg, &why);
	}
	if (rc < 0) {
		*err = why;
		return -1;
	}
	intake_took(t->intake, m);
	return 0;
}

/* Nobody knows which partitions are read from here on, and where: the next term begins with all of them. */
static void end_reading(struct term *t, const struct err *why)
{
	complain(t, "alerts_not_read", why);
	tenure_broken(owner_tenure(t->owner), false, clock_mono_ms());
}

/* 1: there may be more. */
static int take_events(struct term *t, struct err *err)
{
	for (int i = 0; i < EVENTS_A_TURN; i++) {
		struct err why = ERR_INIT;
		rd_kafka_message_t *m;
		int rc;

		if (letters_full(&t->letters))
			return 1;
		m = intake_next(t->intake, &why);
		if (!m && why.kind)
			end_reading(t, &why);
		if (!m)
			return 0;
		rc = take_record(t, m, err);
		rd_kafka_message_destroy(m);
		if (rc < 0)
			return -1;
	}
	return 1;
}

static bool is_due(const struct term *t, int64_t mono_ms)
{
	if (mono_ms < t->next_write_mono_ms)
		return false;
	if (desk_is_dirty(t->desk) || t->letters.nr)
		return true;
	if (intake_moved(t->intake) && mono_ms >= t->written_mono_ms + OFFSETS_MS)
		return true;
	return mono_ms >= t->written_mono_ms + AGAIN_MS; /* (T3) */
}

static int add_all(struct term *t, struct err *err)
{
	enum desk_topic topic;
	int rc;

	t->bytes = 0;
	for (size_t i = 0; i < t->letters.nr; i++)
		if (journal_add(t->journal, JOURNAL_DEADLETTER, (struct str){0}, buf_str(&t->letters.letter[i]), err) < 0)
			return -1;
	while ((rc = desk_next_record(t->desk, &topic, &t->key, &t->value, err)) > 0) {
		t->bytes += t->value.len > LARGE_BYTES ? t->value.len : 0;
		if (journal_add(t->journal, topic == DESK_INCIDENTS ? JOURNAL_INCIDENTS : JOURNAL_SENT, buf_str(&t->key), buf_str(&t->value),
				err) < 0)
			return -1;
	}
	return rc;
}

static enum journal_outcome transact(struct term *t, const rd_kafka_topic_partition_list_t *offsets, struct err *err)
{
	if (journal_begin(t->journal, err) < 0 || add_all(t, err) < 0)
		return journal_abort(t->journal);
	return journal_commit(t->journal, offsets, owner_group(t->owner), err);
}

int64_t term_pause_ms(uint64_t bytes)
{
	uint64_t pause_ms = bytes / BYTES_A_MS;

	if (pause_ms < WRITE_MS)
		return WRITE_MS;
	return pause_ms < PAUSE_MAX_MS ? (int64_t)pause_ms : PAUSE_MAX_MS;
}

static void settle(struct term *t, enum journal_outcome outcome, const struct err *why)
{
	int64_t now = clock_mono_ms();

	if (outcome == JOURNAL_COMMITTED) {
		desk_committed(t->desk);
		intake_committed(t->intake);
		letters_clear(&t->letters);
		metric_add(t->spec.meters->transactions, 1);
		t->written_mono_ms = now;
		t->next_write_mono_ms = now + term_pause_ms(t->bytes);
		return;
	}
	desk_aborted(t->desk);
	t->next_write_mono_ms = now + RETRY_MS;
	complain(t, outcome == JOURNAL_ABORTED ? "transaction_aborted" : "term_lost", why);
	metric_add(outcome == JOURNAL_ABORTED ? t->spec.meters->aborted : t->spec.meters->lost, 1);
	if (outcome == JOURNAL_LOST)
		tenure_broken(owner_tenure(t->owner), journal_is_fenced(t->journal), now);
}

void term_write(struct term *t)
{
	rd_kafka_topic_partition_list_t *offsets;
	struct err why = ERR_INIT;

	if (!term_is_active(t) || !owner_group(t->owner)) /* (T2) */
		return;
	offsets = intake_offsets(t->intake);
	if (offsets->cnt && (desk_is_dirty(t->desk) || t->letters.nr || intake_moved(t->intake) ||
			     clock_mono_ms() >= t->written_mono_ms + AGAIN_MS))
		settle(t, transact(t, offsets, &why), &why);
	rd_kafka_topic_partition_list_destroy(offsets);
}

static int serve(struct term *t, struct err *err)
{
	struct err why = ERR_INIT;
	int more = take_events(t, err);

	if (more < 0)
		return -1;
	if (tenure_phase(owner_tenure(t->owner), clock_mono_ms()) != TENURE_ACTIVE)
		return 1;
	if (intake_turn(t->intake, &why) < 0) {
		end_reading(t, &why);
		return 1;
	}
	t->caught_up = t->caught_up || intake_caught_up(t->intake) || clock_mono_ms() >= t->active_mono_ms + CATCH_UP_MS;
	if (t->caught_up && desk_next_ms(t->desk) <= now_ms(t) && desk_turn(t->desk, now_ms(t), intake_behind(t->intake), err) < 0)
		return -1;
	if (is_due(t, clock_mono_ms()))
		term_write(t);
	return more;
}

int term_turn(struct term *t, struct err *err)
{
	struct tenure *tenure = owner_tenure(t->owner);
	struct err why = ERR_INIT;

	if (owner_turn(t->owner, err) < 0)
		return -1;
	if (tenure->term != t->number) {
		t->number = tenure->term;
		take_down(t);
		t->next_try_mono_ms = 0;
	}
	switch (tenure_phase(tenure, clock_mono_ms())) {
	case TENURE_ACTIVE:
		return serve(t, err);
	case TENURE_ACQUIRING:
		if (clock_mono_ms() < t->next_try_mono_ms)
			return 0;
		if (acquire(t, &why) < 0) {
			complain(t, "not_yet_active", &why);
			t->next_try_mono_ms = clock_mono_ms() + RETRY_MS;
		}
		return term_is_active(t);
	default:
		return 0;
	}
}

bool term_is_active(const struct term *t)
{
	const struct tenure *tenure = owner_tenure(t->owner);

	return tenure->term == t->number && tenure_phase(tenure, clock_mono_ms()) == TENURE_ACTIVE;
}

const char *term_why_not_ready(const struct term *t)
{
	if (!owner_joined(t->owner))
		return "the group has not given an assignment yet";
	if (term_is_active(t))
		return intake_held(t->intake) ? "partitions of alerts wait for a newer version: see the log" : NULL;
	switch (tenure_phase(owner_tenure(t->owner), clock_mono_ms())) {
	case TENURE_STANDBY:
		return NULL;
	case TENURE_WAITING:
		return "another instance has taken over: waiting for the group's word";
	default:
		return "incidents are being read";
	}
}

int64_t term_lag(const struct term *t)
{
	return term_is_active(t) ? intake_lag(t->intake) : 0;
}

double term_lag_seconds(struct term *t)
{
	return term_is_active(t) ? (double)intake_lag_ms(t->intake) / 1000 : 0;
}

int32_t term_held(const struct term *t)
{
	return term_is_active(t) ? intake_held(t->intake) : 0;
}

bool term_is_level(const struct term *t)
{
	return term_is_active(t) && !intake_behind(t->intake);
}
