/* desk_turn.c - one look at an incident (see desk.h): what has become of it by itself, and what is due to whom.
 *
 * Invariants:
 *  I1  A look that decides nothing leaves its incident due later than now. One that decides something is followed by another at once, for what follows
 *      from that, and there are only so many receivers. So turns come to an end, and a thousand incidents that are due at once are a few of them.
 *  I2  A told whose stage is not TOLD_RESTS is left alone: one job at a time for an incident and receiver.
 *  I3  What is decided is only written here; it is given out when that is committed.
 *  I4  What is scarce, as a site's rate or room at a receiver, goes to what has been due for longest, among incidents as among the receivers of one: by
 *      any other order the noisiest could take all, and a new one be told of never. */
#include "sink/notify/desk_state.h"

#include <stdlib.h>

enum {
	LOOK_AGAIN_MS = 5000, /* at what a control holds up, as one may expire unheard */
	ROOM_MS = 1000,       /* at what waits for a receiver, and the more of them there are the longer */
	ROOM_INCIDENTS = 2000,
};

/* Topics of incidents and of what was sent keep a record for thirty days: one that still matters is written again before that. */
#define REFRESH_MS (7 * 24 * CLOCK_HOUR_MS)

/* What a look needs. */
struct look {
	struct desk *d;
	struct one_case *c;
	int64_t now_ms, next_ms;
	int64_t held_since_ms; /* when the first of what is held up was due */
	struct plan_view view;
	bool drops, pauses;
	bool owes;      /* somebody is to be told something, if not now */
	bool told_more; /* what follows from that is not reckoned yet: escalations, repeats */
};

static void at_latest(struct look *l, int64_t at_ms)
{
	if (at_ms < l->next_ms)
		l->next_ms = at_ms;
}

/* Held up though due. */
static void hold(struct look *l, int64_t due_ms, int64_t until_ms)
{
	if (due_ms < l->held_since_ms)
		l->held_since_ms = due_ms;
	l->d->cases.nr_waiting += !l->c->waiting;
	l->c->waiting = true;
	at_latest(l, until_ms);
}

static struct told *told_of(struct look *l, const struct plan_member *m, struct err *err)
{
	struct told *t = cases_tell(&l->d->cases, l->c, m->to->r.id);

	if (!t)
		err_nomem(err, "a notification");
	return t;
}

/* As of now t knows what the case says. */
static void write_told(struct look *l, struct told *t, enum sent_outcome outcome)
{
	if (t->fresh)
		t->first_ms = l->now_ms;
	t->fresh = false;
	t->version = l->c->rec.version;
	t->state = l->c->rec.state;
	t->outcome = outcome;
	t->at_ms = l->now_ms;
	t->attempts = 0;
	told_set_error(t, STR(""));
	l->d->counted.notifications[outcome]++;
	desk_write_sent(l->d, t);
}

/* It counts as told, and nobody is. Where something was told before it takes a number, so that it is not mistaken for what became of that. */
static int pass_over(struct look *l, const struct plan_member *m, enum sent_outcome outcome, struct err *err)
{
	struct told *t = told_of(l, m, err);

	if (!t)
		return -1;
	t->sequence += t->sequence > 0;
	write_told(l, t, outcome);
	l->told_more = true;
	return 0;
}

/* A job of its own number; again: that of before, whose Sent stands. */
static int decide(struct look *l, const struct plan_member *m, bool again, struct err *err)
{
	struct told *t = told_of(l, m, err);

	if (!t)
		return -1;
	if (again) {
		desk_make_ready(l->d, t);
	} else {
		t->sequence++;
		t->stage = TOLD_DECIDED;
		write_told(l, t, SENT_OUTCOME_UNDER_WAY);
	}
	receivers_begin(&l->d->receivers, m->to->r.id);
	l->d->under_way++;
	l->told_more = true;
	return 0;
}

/* What is due may be held up by the silences, a pause, the receiver, the rate, in this order: a token is taken when nothing else stands in the way.
 * A number without an outcome has taken its token. */
static int tell(struct look *l, const struct plan_member *m, struct plan_step next, struct err *err)
{
	bool paid = m->told && m->told->outcome == SENT_OUTCOME_UNDER_WAY;
	int64_t when_ms;

	if (l->view.silenced) {
		if (next.what == PLAN_FIRST && l->c->rec.state == INCIDENT_STATE_RESOLVED)
			return pass_over(l, m, SENT_OUTCOME_SILENCED, err); /* it came and went unheard */
		return 0;
	}
	if (l->pauses) {
		hold(l, next.due_ms, l->now_ms + LOOK_AGAIN_MS);
		return 0;
	}
	if (m->to->under_way >= DESK_UNDER_WAY_MAX || (!m->told && l->d->cases.bytes >= 2 * l->d->cases.bytes_max)) {
		hold(l, next.due_ms, l->now_ms + ROOM_MS * (int64_t)(1 + l->d->cases.by_id.len / ROOM_INCIDENTS));
		return 0;
	}
	if (!paid) {
		when_ms = rate_take(&l->d->rate, l->c->rec.site, l->now_ms);
		if (when_ms > l->now_ms) {
			l->d->counted.notifications[SENT_OUTCOME_LIMITED]++;
			hold(l, next.due_ms, when_ms);
			return 0;
		}
	}
	return decide(l, m, next.what == PLAN_AGAIN, err);
}

/* What a member is to be told next. */
struct due {
	const struct plan_member *m;
	struct plan_step next;
};

/* Under a drop what waits is thrown away, be it due or not; but a repeat is not waiting before it is due. */
static int look_at_due(struct look *l, const struct due *due, struct err *err)
{
	const struct plan_step next = due->next;

	if (l->drops && (next.what != PLAN_REPEAT || next.due_ms <= l->now_ms))
		return pass_over(l, due->m, SENT_OUTCOME_DROPPED, err);
	if (next.due_ms <= l->now_ms)
		return tell(l, due->m, next, err);
	at_latest(l, next.due_ms);
	return 0;
}

/* Who has been waiting for longest comes first; among equals the order of ids. */
static int compare_due(const void *a, const void *b)
{
	const struct due *x = a, *y = b;

	if (x->next.due_ms != y->next.due_ms)
		return x->next.due_ms < y->next.due_ms ? -1 : 1;
	return x->m < y->m ? -1 : x->m > y->m;
}

static int look_at_members(struct look *l, struct err *err)
{
	struct arena *scratch = &l->d->scratch;
	struct plan_member *members;
	struct due *due;
	size_t nr, nr_due = 0;

	arena_clear(scratch);
	members = arena_calloc(scratch, l->d->receivers.rows.len, sizeof(*members));
	due = arena_calloc(scratch, l->d->receivers.rows.len, sizeof(*due));
	if (!members || !due)
		return err_nomem(err, "receivers");
	nr = plan_members(&l->d->receivers, l->c, l->now_ms, members, &l->next_ms);
	for (size_t i = 0; i < nr; i++) {
		const struct plan_member *m = &members[i];
		bool reappears = m->told && plan_reappears(&l->d->silences, l->c, m->told, l->now_ms);

		due[nr_due] = (struct due){m, plan_next(l->c, m, l->view.news_version, reappears)};
		nr_due += due[nr_due].next.what != PLAN_NOTHING;
	}
	l->owes = nr_due > 0;
	if (nr_due > 1)
		qsort(due, nr_due, sizeof(*due), compare_due);
	for (size_t i = 0; i < nr_due; i++)
		if (look_at_due(l, &due[i], err) < 0)
			return -1;
	return 0;
}

static void refresh(struct look *l)
{
	struct one_case *c = l->c;

	if (l->now_ms - c->rec.updated_at >= REFRESH_MS) {
		cases_touch(&l->d->cases, c, l->now_ms, false);
		for (size_t i = 0; i < c->nr_tolds; i++)
			if (!c->tolds[i]->fresh)
				desk_write_sent(l->d, c->tolds[i]);
	}
	at_latest(l, c->rec.updated_at + REFRESH_MS);
}

/* What becomes of a case without an event. */
static int age(struct look *l, bool behind, struct err *err)
{
	struct one_case *c = l->c;
	const struct ack *ack = acks_find(&l->d->acks, c->rec.id);

	if (ack && cases_acknowledge(&l->d->cases, c, ack, l->now_ms, err) < 0)
		return -1;
	if (!behind)
		at_latest(l, cases_expire(&l->d->cases, c, l->now_ms));
	else if (c->nr_moved > 0)
		at_latest(l, l->now_ms + LOOK_AGAIN_MS);
	if (c->rec.state == INCIDENT_STATE_OPEN)
		refresh(l);
	return 0;
}

/* Forgets a case that has been over for long: later when somebody is still to be told of it. */
static bool forget(struct look *l)
{
	struct one_case *c = l->c;
	int64_t kept_ms = l->owes ? CASE_OWED_MS : CASE_KEPT_MS;

	if (c->rec.state == INCIDENT_STATE_OPEN)
		return false;
	if (l->now_ms - c->rec.resolved_at < kept_ms) {
		at_latest(l, c->rec.resolved_at + kept_ms);
		return false;
	}
	if (cases_forget(&l->d->cases, c))
		return true;
	at_latest(l, l->now_ms + LOOK_AGAIN_MS);
	return false;
}

static int look_at(struct desk *d, struct one_case *c, int64_t now_ms, bool behind, struct err *err)
{
	struct look l = {.d = d, .c = c, .now_ms = now_ms, .next_ms = INT64_MAX, .held_since_ms = INT64_MAX,
			 .drops = desk_drops(d, c), .pauses = desk_pauses(d, c)};

	if (age(&l, behind, err) < 0)
		return -1;
	d->cases.nr_waiting -= c->waiting;
	c->waiting = false;
	l.view = plan_view(&d->silences, c, now_ms);
	if (l.view.end_ms != INT64_MAX)
		at_latest(&l, l.view.end_ms);
	if (look_at_members(&l, err) < 0)
		return -1;
	if (forget(&l))
		return 0;
	if (l.told_more)
		l.next_ms = now_ms;
	else if (l.next_ms <= now_ms)
		l.next_ms = now_ms + 1;
	c->item.since_ms = l.held_since_ms < INT64_MAX ? l.held_since_ms : c->rec.created_at; /* (I4) */
	agenda_move(&d->cases.agenda, &c->item, l.next_ms);
	return 0;
}

int desk_turn(struct desk *d, int64_t now_ms, bool behind, struct err *err)
{
	for (int i = 0; i < DESK_TURN_MAX; i++) {
		struct agenda_item *first = agenda_first(&d->cases.agenda);

		if (!first || first->at_ms > now_ms)
			return 0;
		if (look_at(d, (struct one_case *)first, now_ms, behind, err) < 0)
			return -1;
	}
	return 0;
}
