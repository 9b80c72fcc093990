/* plan.c - see plan.h.
 *
 * What a receiver knows is its told: the version, the state and the time of the latest notification, delivered or not. All times are reckoned from
 * what stands in committed records (created_at, resolved_at, first_at, at), so that a successor comes to the same.
 *
 * Invariants:
 *  P1  Nobody hears of an end whose beginning was not told, or may not have been; but for what came and went within the group wait, which is told once, as over.
 *  P2  A receiver that an incident is not for any more hears of its end, and of nothing else.
 *  P3  Nothing is planned for a told that has a job: what is new meanwhile is found when that has ended. */
#include "sink/notify/plan.h"

/* Durations come from rows: a sum may be beyond the end of time. */
static int64_t later(int64_t at_ms, int64_t by_ms)
{
	int64_t sum_ms;

	return __builtin_add_overflow(at_ms, by_ms, &sum_ms) ? INT64_MAX : sum_ms;
}

bool plan_leaves_out(const struct silences *s, const struct case_alert *a, int64_t now_ms)
{
	return silences_cover(s, a->tags, a->tags_len, now_ms);
}

/* A case without silences needs no look at its alerts. */
struct plan_view plan_view(struct silences *s, const struct one_case *c, int64_t now_ms)
{
	bool open = c->rec.state == INCIDENT_STATE_OPEN;
	struct plan_view v = {.news_version = c->rec.changed_version};
	int64_t nr = open ? c->rec.open_alerts : c->rec.alerts_total; /* alerts that may be left */

	silences_pick(s, c->rec.site, c->rec.trigger);
	v.end_ms = silences_end_ms(s, now_ms);
	if (v.end_ms == INT64_MAX)
		return v;
	if (silences_cover(s, NULL, 0, now_ms)) {
		v.silenced = true;
		v.news_version = 0;
		return v;
	}
	if (c->rec.alerts_total > 0)
		v.news_version = c->unlisted_changed;
	for (size_t i = 0; i < c->nr_listed; i++) {
		const struct case_alert *a = c->listed[i];
		bool out = plan_leaves_out(s, a, now_ms);

		nr -= out && (!open || a->state != INCIDENT_ALERT_STATE_CLOSED);
		if (!out && a->changed > v.news_version)
			v.news_version = a->changed;
	}
	v.silenced = nr == 0 && c->rec.alerts_total > 0;
	return v;
}

bool plan_reappears(const struct silences *s, const struct one_case *c, const struct told *t, int64_t now_ms)
{
	if (s->nr_picked == 0 || c->rec.state != INCIDENT_STATE_OPEN)
		return false;
	for (size_t i = 0; i < c->nr_listed; i++) {
		const struct case_alert *a = c->listed[i];

		if (a->state != INCIDENT_ALERT_STATE_CLOSED && plan_leaves_out(s, a, t->at_ms) && !plan_leaves_out(s, a, now_ms))
			return true;
	}
	return false;
}

/* Was the receiver told, or may it have been? Not by what was dropped, silenced, or given up at once. */
static bool was_told(const struct told *t)
{
	return t && (t->sequence > 1 || (t->sequence == 1 && t->outcome != SENT_OUTCOME_GAVE_UP && t->outcome != SENT_OUTCOME_DROPPED));
}

static struct plan_member *find(struct plan_member *members, size_t nr, struct str id)
{
	for (size_t i = 0; i < nr; i++)
		if (str_eq(members[i].to->r.id, id))
			return &members[i];
	return NULL;
}

/* One step of m's escalation: does it bring somebody in? */
static bool escalate(const struct one_case *c, const struct plan_member *m, struct plan_member *to, int64_t now_ms, int64_t *next_ms)
{
	int64_t due_ms;

	if (!to || to->gets || !m->told || m->told->sequence == 0)
		return false;
	if (!was_told(to->told)) {
		if (c->rec.state != INCIDENT_STATE_OPEN || c->rec.has_acked_at)
			return false;
		due_ms = later(m->told->first_ms, m->to->r.escalate_after_ms);
		if (due_ms > now_ms) {
			*next_ms = due_ms < *next_ms ? due_ms : *next_ms;
			return false;
		}
	}
	to->gets = to->by_escalation = true;
	return true;
}

/* Escalations are followed until they bring in nobody more, which is after as many rounds as there are receivers, round in circles or not. */
size_t plan_members(const struct receivers *rs, const struct one_case *c, int64_t now_ms, struct plan_member *members, int64_t *next_ms)
{
	struct receiver_row *to;
	size_t nr = 0, kept = 0;
	bool more = true;

	for (size_t at = 0; (to = receivers_next(rs, &at)); nr++) {
		struct told *t = case_told(c, to->r.id);

		members[nr] = (struct plan_member){.to = to, .told = t && !t->fresh ? t : NULL, .gets = receiver_gets(&to->r, &c->rec)};
	}
	while (more) {
		more = false;
		for (size_t i = 0; i < nr; i++)
			if (members[i].gets && members[i].told && members[i].to->r.escalate_to.len > 0)
				more |= escalate(c, &members[i], find(members, nr, members[i].to->r.escalate_to), now_ms, next_ms);
	}
	for (size_t i = 0; i < nr; i++)
		if (members[i].gets || members[i].told)
			members[kept++] = members[i];
	return kept;
}

static struct plan_step step(enum plan_what what, int64_t due_ms)
{
	return (struct plan_step){what, due_ms};
}

/* Is a case that is over, and that r was not told of, to be told it as over? Not if it was before we heard of it, as after a long absence there would be
 * thousands, nor before r was what it is. */
static bool tells_of_the_past(const struct one_case *c, const struct receiver *r)
{
	return c->rec.resolved_at >= c->rec.created_at && c->rec.resolved_at >= r->updated_at;
}

/* Of a case that is over. Who was told of it hears of its end at once, and the group wait holds back only what nobody has heard of. */
static struct plan_step next_of_resolved(const struct one_case *c, const struct plan_member *m, bool news)
{
	const struct receiver *r = &m->to->r;
	const struct told *t = m->told;

	if (!r->resolve)
		return step(PLAN_NOTHING, 0);
	if (!t)
		return m->gets && !m->by_escalation && tells_of_the_past(c, r) ? step(PLAN_FIRST, later(c->rec.created_at, r->group_wait_ms)) : step(PLAN_NOTHING, 0);
	if (!was_told(t) || (t->state == INCIDENT_STATE_RESOLVED && !news))
		return step(PLAN_NOTHING, 0);
	return step(PLAN_NEWS, t->state == INCIDENT_STATE_OPEN ? c->rec.resolved_at : later(t->at_ms, r->group_interval_ms));
}

/* Of one that is open: first, changed, or once more. */
static struct plan_step next_of_open(const struct one_case *c, const struct plan_member *m, bool news)
{
	const struct receiver *r = &m->to->r;
	const struct told *t = m->told;

	if (!m->gets)
		return step(PLAN_NOTHING, 0);
	if (!t)
		return step(PLAN_FIRST, m->by_escalation ? c->rec.created_at : later(c->rec.created_at, r->group_wait_ms));
	if (news || t->state == INCIDENT_STATE_RESOLVED)
		return step(PLAN_NEWS, later(t->at_ms, r->group_interval_ms));
	if (c->rec.has_acked_at || r->repeat_ms == 0)
		return step(PLAN_NOTHING, 0);
	return step(PLAN_REPEAT, later(t->at_ms, r->repeat_ms));
}

struct plan_step plan_next(const struct one_case *c, const struct plan_member *m, int64_t news_version, bool reappears)
{
	const struct told *t = m->told;
	bool news = t && (news_version > t->version || reappears);
	struct plan_step next;

	if (t && t->stage != TOLD_RESTS)
		return step(PLAN_NOTHING, 0);
	next = c->rec.state == INCIDENT_STATE_OPEN ? next_of_open(c, m, news) : next_of_resolved(c, m, news);
	if (!t || t->outcome != SENT_OUTCOME_UNDER_WAY)
		return next;
	/* What was on its way has no outcome. Where there is nothing new its very self goes out again, else what is new does, as soon. */
	if (!news && t->state == c->rec.state && (m->gets || t->state == INCIDENT_STATE_RESOLVED))
		return step(PLAN_AGAIN, t->at_ms);
	return next.what == PLAN_NEWS ? step(PLAN_NEWS, t->at_ms) : next;
}
