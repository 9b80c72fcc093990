/* desk.c - see desk.h: what comes in, the records that go out, and jobs from the commit to their outcome. What is decided, desk_turn.c decides.
 *
 * A told goes TOLD_RESTS -> TOLD_DECIDED (desk_turn) -> TOLD_READY (desk_committed) -> TOLD_OUT (desk_next_job) -> TOLD_RESTS (desk_outcome). Where the
 * incident has said something new before its job was given out, the job is called off: back to TOLD_RESTS with the outcome under_way, as after
 * a restart, and the next number tells all. So what goes out is committed, and what a Sent claims to have told is what was told.
 *
 * Invariants:
 *  D1  under_way counts the tolds whose stage is not TOLD_RESTS, and each receiver counts its own: a receiver that was deleted keeps its row until they have ended.
 *  D2  A told is in ready, and counted in nr_ready, iff its stage is TOLD_READY.
 *  D3  What is handed over is dirty no more. Should it change while it is in the transaction it is both: written again in the next, whatever becomes of this one. */
#include "sink/notify/desk.h"

#include <stdlib.h>

#include "sink/notify/desk_state.h"

enum { INCIDENTS_DEFAULT = 20000, BYTES_DEFAULT = 256 << 20, AT_ONCE = 0 };

struct desk *desk_new(const struct desk_conf *conf, struct err *err)
{
	struct desk *d = calloc(1, sizeof(*d));

	if (!d) {
		err_nomem(err, "the desk");
		return NULL;
	}
	d->controls = conf->controls;
	acks_init(&d->acks);
	rate_init(&d->rate, conf->site_rate);
	cases_init(&d->cases, conf->incidents_max ? conf->incidents_max : INCIDENTS_DEFAULT,
		   conf->memory_max_bytes ? conf->memory_max_bytes : BYTES_DEFAULT);
	TAILQ_INIT(&d->dirty);
	TAILQ_INIT(&d->handed);
	TAILQ_INIT(&d->ready);
	return d;
}

void desk_free(struct desk *d)
{
	if (!d)
		return;
	cases_fini(&d->cases);
	receivers_fini(&d->receivers);
	silences_fini(&d->silences);
	acks_fini(&d->acks);
	rate_fini(&d->rate);
	arena_fini(&d->scratch);
	free(d);
}

/* The queues hold nothing but tolds of cases, which are freed. */
void desk_reset(struct desk *d)
{
	cases_reset(&d->cases);
	receivers_end_all(&d->receivers);
	rate_reset(&d->rate);
	TAILQ_INIT(&d->dirty);
	TAILQ_INIT(&d->handed);
	TAILQ_INIT(&d->ready);
	d->nr_ready = 0;
	d->under_way = 0;
}

bool desk_pauses(const struct desk *d, const struct one_case *c)
{
	return d->controls.pauses && d->controls.pauses(d->controls.ctx, c->rec.site);
}

bool desk_drops(const struct desk *d, const struct one_case *c)
{
	return d->controls.drops && d->controls.drops(d->controls.ctx, c->rec.site);
}

/* Whatever an operator changes may concern any incident: a turn looks at so many, and the next one at the next. */
void desk_recheck(struct desk *d)
{
	agenda_hurry(&d->cases.agenda, AT_ONCE);
}

int desk_take_receiver(void *ctx, const struct table_row *row, struct err *err)
{
	struct desk *d = ctx;

	if (receivers_take(&d->receivers, row, err) < 0)
		return -1;
	desk_recheck(d);
	return 0;
}

int desk_take_silence(void *ctx, const struct table_row *row, struct err *err)
{
	struct desk *d = ctx;

	if (silences_take(&d->silences, row, err) < 0)
		return -1;
	desk_recheck(d);
	return 0;
}

int desk_take_ack(void *ctx, const struct table_row *row, struct err *err)
{
	struct desk *d = ctx;
	struct one_case *c;

	if (acks_take(&d->acks, row, err) < 0)
		return -1;
	c = cases_find(&d->cases, (const uint8_t *)row->key.p);
	if (c)
		agenda_move(&d->cases.agenda, &c->item, AT_ONCE);
	return 0;
}

int desk_take_incident(struct desk *d, int64_t now_ms, const struct incident *incident, struct err *err)
{
	return cases_load(&d->cases, now_ms, incident, err);
}

int desk_take_sent(struct desk *d, const struct sent *sent, struct err *err)
{
	struct one_case *c = cases_find(&d->cases, sent->incident);
	struct told *t;

	if (!c)
		return 0;
	t = cases_tell(&d->cases, c, sent->receiver);
	if (!t)
		return err_nomem(err, "what was sent");
	told_load(t, sent);
	return 0;
}

/* What was sent within the last hour has used up its part of the rate. */
void desk_loaded(struct desk *d, int64_t now_ms)
{
	for (size_t i = 0; i < d->cases.agenda.len; i++) {
		const struct one_case *c = (const struct one_case *)d->cases.agenda.heap[i];

		for (size_t k = 0; k < c->nr_tolds; k++)
			if (c->tolds[k]->sequence > 0)
				rate_charge(&d->rate, c->rec.site, c->tolds[k]->at_ms, now_ms);
	}
	desk_recheck(d);
}

/* Under a drop nothing begins, but what is known may end: nobody is told of that, see desk_turn.c. */
int desk_take_event(struct desk *d, int64_t now_ms, const struct alert_event *event, struct err *err)
{
	bool begins = event->kind == ALERT_EVENT_KIND_OPENED || event->kind == ALERT_EVENT_KIND_SUMMARY;
	enum case_taken taken;
	struct one_case *of;

	if (begins && d->controls.drops && d->controls.drops(d->controls.ctx, event->site)) {
		d->counted.events[event->kind]++;
		d->counted.events_dropped++;
		return 0;
	}
	if (cases_apply(&d->cases, now_ms, event, &taken, &of, err) < 0)
		return -1;
	d->counted.events[event->kind]++;
	d->counted.events_ignored += taken == CASE_IGNORED;
	d->counted.events_refused += taken == CASE_REFUSED;
	return 0;
}

int64_t desk_next_ms(const struct desk *d)
{
	const struct agenda_item *first = agenda_first(&d->cases.agenda);

	return first ? first->at_ms : INT64_MAX;
}

void desk_write_sent(struct desk *d, struct told *t)
{
	if (t->dirty)
		return;
	t->dirty = true;
	TAILQ_INSERT_TAIL(&d->dirty, t, in_dirty);
}

void desk_make_ready(struct desk *d, struct told *t)
{
	t->stage = TOLD_READY;
	TAILQ_INSERT_TAIL(&d->ready, t, in_ready);
	d->nr_ready++;
}

/* t's job is on its way no more, whatever became of it. */
static void rest(struct desk *d, struct told *t)
{
	t->stage = TOLD_RESTS;
	receivers_end(&d->receivers, str_from(t->receiver));
	d->under_way--;
	agenda_move(&d->cases.agenda, &t->of->item, AT_ONCE);
}

bool desk_is_dirty(const struct desk *d)
{
	return !TAILQ_EMPTY(&d->cases.dirty) || !TAILQ_EMPTY(&d->dirty);
}

/* Into the transaction. It is dirty no more: what changes from now on makes another record. */
static int hand_incident(struct desk *d, struct one_case *c, struct buf *key, struct buf *value, struct err *err)
{
	struct incident rec;

	arena_clear(&d->scratch);
	if (case_record(c, &d->scratch, &rec, err) < 0 || incident_encode(&rec, value, err) < 0)
		return -1;
	buf_add(key, c->rec.id, sizeof(c->rec.id));
	if (buf_failed(key))
		return err_nomem(err, "an incident's key");
	c->dirty = false;
	TAILQ_REMOVE(&d->cases.dirty, c, in_dirty);
	if (!c->handed)
		TAILQ_INSERT_TAIL(&d->cases.handed, c, in_handed);
	c->handed = true;
	return 1;
}

/* Likewise. What is news since the decision is in this transaction, too, and is told by the same number: in a storm there is always some, and a job that
 * was called off for it each time would never go out. */
static int hand_sent(struct desk *d, struct told *t, struct buf *key, struct buf *value, struct err *err)
{
	struct sent sent;

	if (t->stage == TOLD_DECIDED && t->state == t->of->rec.state)
		t->version = t->of->rec.version;
	told_record(t, t->of->rec.id, &sent);
	if (sent_encode(&sent, value, err) < 0)
		return -1;
	buf_add(key, sent.incident, sizeof(sent.incident));
	buf_add(key, sent.receiver.p, sent.receiver.len);
	if (buf_failed(key))
		return err_nomem(err, "a notification's key");
	t->dirty = false;
	TAILQ_REMOVE(&d->dirty, t, in_dirty);
	if (!t->handed)
		TAILQ_INSERT_TAIL(&d->handed, t, in_handed);
	t->handed = true;
	return 1;
}

/* Incidents first: should a transaction be all that a successor sees, no Sent is of an incident that it does not know. */
int desk_next_record(struct desk *d, enum desk_topic *topic, struct buf *key, struct buf *value, struct err *err)
{
	buf_clear(key);
	buf_clear(value);
	if (!TAILQ_EMPTY(&d->cases.dirty)) {
		*topic = DESK_INCIDENTS;
		return hand_incident(d, TAILQ_FIRST(&d->cases.dirty), key, value, err);
	}
	if (!TAILQ_EMPTY(&d->dirty)) {
		*topic = DESK_SENT;
		return hand_sent(d, TAILQ_FIRST(&d->dirty), key, value, err);
	}
	return 0;
}

/* From here on a crash forgets nothing of it. */
void desk_committed(struct desk *d)
{
	struct one_case *c;
	struct told *t;

	while ((c = TAILQ_FIRST(&d->cases.handed))) {
		TAILQ_REMOVE(&d->cases.handed, c, in_handed);
		c->handed = false;
	}
	while ((t = TAILQ_FIRST(&d->handed))) {
		TAILQ_REMOVE(&d->handed, t, in_handed);
		t->handed = false;
		if (t->stage == TOLD_DECIDED && !t->dirty)
			desk_make_ready(d, t);
	}
}

/* Nobody has seen the records, so their versions and numbers stand. */
void desk_aborted(struct desk *d)
{
	struct one_case *c;
	struct told *t;

	while ((c = TAILQ_FIRST(&d->cases.handed))) {
		TAILQ_REMOVE(&d->cases.handed, c, in_handed);
		c->handed = false;
		if (!c->dirty)
			TAILQ_INSERT_TAIL(&d->cases.dirty, c, in_dirty);
		c->dirty = true;
	}
	while ((t = TAILQ_FIRST(&d->handed))) {
		TAILQ_REMOVE(&d->handed, t, in_handed);
		t->handed = false;
		desk_write_sent(d, t);
	}
}

/* The outcome is known, and to be written. */
static void finish(struct desk *d, struct told *t, int64_t now_ms, enum sent_outcome outcome, int32_t attempts, struct str error)
{
	t->outcome = outcome;
	t->attempts = attempts;
	t->at_ms = now_ms;
	told_set_error(t, error);
	d->counted.notifications[outcome]++;
	desk_write_sent(d, t);
	rest(d, t);
}

/* May t's job go out as it was decided? Else it is finished, or called off. */
static bool still_stands(struct desk *d, struct told *t, const struct plan_view *view, int64_t now_ms)
{
	if (desk_drops(d, t->of)) {
		finish(d, t, now_ms, SENT_OUTCOME_DROPPED, 0, STR(""));
		return false;
	}
	if (!receivers_find(&d->receivers, str_from(t->receiver))) {
		finish(d, t, now_ms, SENT_OUTCOME_DROPPED, 0, STR("the receiver was deleted"));
		return false;
	}
	if (view->silenced || view->news_version > t->version || t->state != t->of->rec.state) {
		rest(d, t);
		return false;
	}
	return true;
}

/* The incident as it is committed, and of its alerts those to tell of. */
static int fill_job(struct desk *d, struct told *t, int64_t now_ms, struct arena *arena, struct desk_job *out, struct err *err)
{
	const struct one_case *c = t->of;
	struct incident *rec = arena_alloc(arena, sizeof(*rec));
	const struct incident_alert **alerts = arena_calloc(arena, c->nr_listed, sizeof(struct incident_alert *));

	if (!rec || !alerts)
		return err_nomem(err, "a job");
	if (case_record(c, arena, rec, err) < 0)
		return -1;
	*out = (struct desk_job){
		.receiver_id = str_from(t->receiver),
		.sequence = t->sequence,
		.version = t->version,
		.state = t->state,
		.incident = rec,
		.alerts = alerts,
		.receiver = &receivers_find(&d->receivers, str_from(t->receiver))->r,
	};
	memcpy(out->incident_id, c->rec.id, sizeof(out->incident_id));
	for (size_t i = 0; i < c->nr_listed; i++)
		if (!plan_leaves_out(&d->silences, c->listed[i], now_ms))
			alerts[out->alerts_len++] = &rec->alerts[i];
	return 0;
}

/* Its turn comes again. */
static void put_back(struct desk *d, struct told *t)
{
	TAILQ_REMOVE(&d->ready, t, in_ready);
	TAILQ_INSERT_TAIL(&d->ready, t, in_ready);
}

/* Each of those that are ready is looked at once. */
int desk_next_job(struct desk *d, int64_t now_ms, struct arena *arena, struct desk_job *out, struct err *err)
{
	for (size_t left = d->nr_ready; left > 0; left--) {
		struct told *t = TAILQ_FIRST(&d->ready);
		struct plan_view view;

		if (t->of->dirty || t->of->handed) { /* what it says now is not committed */
			put_back(d, t);
			continue;
		}
		view = plan_view(&d->silences, t->of, now_ms);
		TAILQ_REMOVE(&d->ready, t, in_ready);
		d->nr_ready--;
		if (!still_stands(d, t, &view, now_ms))
			continue;
		if (fill_job(d, t, now_ms, arena, out, err) < 0) {
			desk_make_ready(d, t);
			return -1;
		}
		t->stage = TOLD_OUT;
		return 1;
	}
	return 0;
}

/* The told whose job of this number is out, or NULL. */
static struct told *find_out(const struct desk *d, const uint8_t incident[16], struct str receiver, int64_t sequence)
{
	struct one_case *c = cases_find(&d->cases, incident);
	struct told *t = c ? case_told(c, receiver) : NULL;

	return t && t->stage == TOLD_OUT && t->sequence == sequence ? t : NULL;
}

void desk_job_back(struct desk *d, const uint8_t incident[16], struct str receiver, int64_t sequence)
{
	struct told *t = find_out(d, incident, receiver, sequence);

	if (t)
		desk_make_ready(d, t);
}

bool desk_outcome(struct desk *d, int64_t now_ms, const uint8_t incident[16], struct str receiver, int64_t sequence, enum sent_outcome outcome,
		  int32_t attempts, struct str error)
{
	struct told *t = find_out(d, incident, receiver, sequence);

	if (!t || (outcome != SENT_OUTCOME_DELIVERED && outcome != SENT_OUTCOME_GAVE_UP && outcome != SENT_OUTCOME_DROPPED))
		return false;
	finish(d, t, now_ms, outcome, attempts, error);
	return true;
}

bool desk_next_limited(struct desk *d, int64_t now_ms, char site[CONTROL_SITE_MAX + 1], uint64_t *times)
{
	return rate_next_limited(&d->rate, now_ms, site, times);
}

void desk_figures(const struct desk *d, struct desk_figures *out)
{
	*out = d->counted;
	out->incidents = d->cases.by_id.len;
	out->incidents_open = d->cases.nr_open;
	out->under_way = d->under_way;
	out->waiting = d->cases.nr_waiting;
	out->receivers = d->receivers.rows.len;
	out->silences = d->silences.rows.len;
	out->bytes = d->cases.bytes;
}
