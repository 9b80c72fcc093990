/* case_events.c - what an AlertEvent does to the cases (see cases.h).
 *
 * Partitions are read in no order among each other, and an event may come twice. What decides is the episode: an opening that is known, or not younger than
 * the one that is, is an old story; a closing, or a move, of another episode than the one that is open is none of ours. So a series that is judged
 * elsewhere may open there before it is told that it moved: it is the same alert, with another episode, and the move comes too late to matter. */
#include "sink/notify/case_parts.h"

#include <stdlib.h>

/* The incident that an event would begin. */
static void fill_record(const struct alert_event *ev, int64_t now_ms, struct incident *rec)
{
	*rec = (struct incident){
		.cell = ev->cell,
		.site = ev->site,
		.site_name = ev->site_name,
		.trigger = ev->trigger,
		.description = ev->description,
		.severity = ev->severity,
		.condition = ev->condition,
		.receivers = ev->receivers,
		.receivers_len = ev->receivers_len,
		.state = INCIDENT_STATE_OPEN,
		.opened_at = ev->opened_at,
		.created_at = now_ms,
		.updated_at = now_ms,
	};
	case_id(ev->site, ev->trigger, ev->opened_at, rec->id);
}

/* Opened by the event, whether for the first time or again. */
static void open_alert(struct case_alert *a, const struct alert_event *ev)
{
	memcpy(a->episode, ev->episode, sizeof(a->episode));
	a->state = INCIDENT_ALERT_STATE_OPEN;
	a->has_kind = ev->has_series_kind;
	a->kind = ev->series_kind;
	a->opened_ms = a->episode_ms = ev->opened_at;
	a->has_value = ev->has_value;
	a->value = ev->value;
	a->has_closed = false;
	a->closed_ms = 0;
}

static bool has_episode(const struct case_alert *a, const struct alert_event *ev)
{
	return memcmp(a->episode, ev->episode, sizeof(a->episode)) == 0;
}

/* Is this opening what the case knows already? */
static bool knows(const struct one_case *c, const struct alert_event *ev)
{
	const struct case_alert *a = map_get(&c->alerts, ev->fingerprint);

	return a && (has_episode(a, ev) || ev->opened_at <= a->episode_ms);
}

/* An alert that the case does not know. Where there is no room for it, it is but a number. */
static int add_alert(struct cases *cs, struct one_case *c, const struct alert_event *ev, struct case_alert **a, struct err *err)
{
	struct incident_alert from = {.name = ev->name, .tags = ev->tags, .tags_len = ev->tags_len};

	memcpy(from.fingerprint, ev->fingerprint, sizeof(from.fingerprint));
	if (c->alerts.len < CASE_ALERTS_MAX && cs->bytes < cs->bytes_max) {
		*a = cases_add_alert(cs, c, &from, true, err);
		if (!*a)
			return -1;
		open_alert(*a, ev);
		(*a)->doubles = c->nr_unknown > 0;
	} else {
		c->nr_unknown++;
	}
	/* Of what is but a number after a restart nothing tells its minute, and a closing from before the incident is not taken for its. */
	if ((!*a || !(*a)->listed) && ev->opened_at < c->rec.opened_at)
		c->rec.opened_at = ev->opened_at;
	c->rec.alerts_total++;
	c->rec.open_alerts++;
	return 0;
}

/* The same alert goes on under another episode: nothing that anybody is to be told. */
static void go_on(struct one_case *c, struct case_alert *a, const struct alert_event *ev)
{
	c->nr_moved -= a->state == INCIDENT_ALERT_STATE_MOVED;
	a->state = INCIDENT_ALERT_STATE_OPEN;
	memcpy(a->episode, ev->episode, sizeof(a->episode));
	a->episode_ms = ev->opened_at;
}

/* One that has moved is gone on with only until join_until; what opens later is another. */
static bool goes_on(const struct case_alert *a, const struct alert_event *ev)
{
	return a->state == INCIDENT_ALERT_STATE_OPEN || (a->state == INCIDENT_ALERT_STATE_MOVED && ev->at <= a->join_until_ms);
}

/* An opening in a case that does not know it. */
static int open_in(struct cases *cs, struct one_case *c, int64_t now_ms, const struct alert_event *ev, struct err *err)
{
	struct case_alert *a = map_get(&c->alerts, ev->fingerprint);
	bool known = a != NULL, same = a && goes_on(a, ev);
	struct incident rec;

	fill_record(ev, now_ms, &rec);
	if (cases_set_text(cs, c, &rec, err) < 0 || (!known && add_alert(cs, c, ev, &a, err) < 0))
		return -1;
	c->rec.severity = ev->severity;
	if (same) {
		go_on(c, a, ev);
	} else if (known) {
		c->rec.open_alerts += a->state == INCIDENT_ALERT_STATE_CLOSED;
		c->nr_moved -= a->state == INCIDENT_ALERT_STATE_MOVED;
		open_alert(a, ev);
	}
	cases_settle(cs, c, now_ms);
	if (same)
		cases_touch(cs, c, now_ms, false);
	else
		cases_touch_alert(cs, c, now_ms, a);
	return 0;
}

/* A case of the event's id: the one there is, which begins again, or a new one. NULL with *out REFUSED, or with *err set. */
static struct one_case *begin(struct cases *cs, int64_t now_ms, const struct alert_event *ev, enum case_taken *out, bool *is_new, struct err *err)
{
	struct incident rec;
	struct one_case *c;

	fill_record(ev, now_ms, &rec);
	c = cases_find(cs, rec.id);
	*is_new = !c;
	if (c)
		return cases_make_latest(cs, c, err) == 0 ? c : NULL;
	if (cases_make_room(cs))
		return cases_add(cs, now_ms, &rec, err);
	*out = CASE_REFUSED;
	return NULL;
}

/* It belongs to the incident that is open, else to that of its own minute, which may have been over already, else it begins one. */
static int apply_opened(struct cases *cs, int64_t now_ms, const struct alert_event *ev, enum case_taken *out, struct one_case **of, struct err *err)
{
	struct one_case *c = cases_latest(cs, ev->site, ev->trigger);
	bool is_new = false;

	if (c && knows(c, ev))
		return 0;
	if (!c || c->rec.state == INCIDENT_STATE_RESOLVED)
		c = begin(cs, now_ms, ev, out, &is_new, err);
	if (!c)
		return *out == CASE_REFUSED ? 0 : -1;
	if (knows(c, ev))
		return 0;
	if (open_in(cs, c, now_ms, ev, err) < 0) {
		if (is_new)
			cases_drop(cs, c);
		return -1;
	}
	*out = CASE_TAKEN;
	*of = c;
	return 0;
}

/* When that which was judged at at_ms is taken to have become so: to the clock that all else follows it is now, but not what is long past. */
static int64_t taken_at(int64_t now_ms, int64_t at_ms)
{
	if (at_ms >= now_ms - CASE_LATE_MS)
		return now_ms;
	return at_ms > 0 ? at_ms : 0;
}

/* An ending of an episode before the one that is known: then it was one of those that are but a number before it opened elsewhere, and has been counted as
 * two. False: it was not. */
static bool was_counted_twice(struct cases *cs, struct one_case *c, const struct alert_event *ev, int64_t now_ms)
{
	struct case_alert *a = map_get(&c->alerts, ev->fingerprint);

	if (!a || !a->doubles || has_episode(a, ev) || ev->opened_at >= a->episode_ms || c->nr_unknown == 0)
		return false;
	a->doubles = false;
	c->nr_unknown--;
	c->rec.open_alerts--;
	c->rec.alerts_total--;
	cases_settle(cs, c, taken_at(now_ms, ev->at));
	cases_touch(cs, c, now_ms, c->rec.state == INCIDENT_STATE_RESOLVED);
	return true;
}

/* The alert that an ending is about: one that the case knows, or one of those that are but a number, which it becomes known by; nameless, with too many
 * of them. NULL: none, or *err is set. */
static struct case_alert *alert_of(struct cases *cs, struct one_case *c, const struct alert_event *ev, struct case_alert *nameless, int *rc,
				   struct err *err)
{
	struct incident_alert from = {.name = STR("")};
	struct case_alert *a = map_get(&c->alerts, ev->fingerprint);

	*rc = 0;
	if (a || c->nr_unknown == 0 || ev->opened_at < c->rec.opened_at)
		return a && has_episode(a, ev) && a->state != INCIDENT_ALERT_STATE_CLOSED ? a : NULL;
	memcpy(from.fingerprint, ev->fingerprint, sizeof(from.fingerprint));
	a = c->alerts.len < 2 * CASE_ALERTS_MAX ? cases_add_alert(cs, c, &from, false, err) : nameless;
	if (!a) {
		*rc = -1;
		return NULL;
	}
	open_alert(a, ev);
	c->nr_unknown--;
	return a;
}

/* minute_ms: the one that was judged, as in a Kafka that is behind it is not now. */
static void close_alert(struct one_case *c, struct case_alert *a, int64_t minute_ms, int64_t ended_ms)
{
	if (ended_ms > c->ended_ms)
		c->ended_ms = ended_ms;
	c->nr_moved -= a->state == INCIDENT_ALERT_STATE_MOVED;
	a->state = INCIDENT_ALERT_STATE_CLOSED;
	a->has_closed = true;
	a->closed_ms = minute_ms;
	c->rec.open_alerts--;
}

static int64_t minutes_later(int64_t at_ms, int64_t minutes)
{
	int64_t later_ms;

	return __builtin_add_overflow(at_ms, minutes * CLOCK_MINUTE_MS, &later_ms) ? INT64_MAX : later_ms;
}

/* Closed, or moved: only what is open can be. */
static int apply_ending(struct cases *cs, int64_t now_ms, const struct alert_event *ev, enum case_taken *out, struct one_case **of, struct err *err)
{
	struct one_case *c = cases_latest(cs, ev->site, ev->trigger);
	struct case_alert nameless = {.state = INCIDENT_ALERT_STATE_OPEN}, *a;
	int rc;

	if (!c || c->rec.state == INCIDENT_STATE_RESOLVED)
		return 0;
	if (was_counted_twice(cs, c, ev, now_ms)) {
		*out = CASE_TAKEN;
		*of = c;
		return 0;
	}
	a = alert_of(cs, c, ev, &nameless, &rc, err);
	if (!a || (ev->kind == ALERT_EVENT_KIND_MOVED && a->state == INCIDENT_ALERT_STATE_MOVED))
		return rc;
	*out = CASE_TAKEN;
	*of = c;
	if (ev->kind == ALERT_EVENT_KIND_CLOSED) {
		close_alert(c, a, ev->minute, taken_at(now_ms, ev->at));
		cases_settle(cs, c, c->ended_ms);
		cases_touch_alert(cs, c, now_ms, a);
		return 0;
	}
	if (a == &nameless) { /* nobody could find it again: it stays open until it closes elsewhere */
		c->nr_unknown++;
		return 0;
	}
	a->state = INCIDENT_ALERT_STATE_MOVED;
	a->join_until_ms = minutes_later(ev->at, (int64_t)ev->warm_up_minutes + ev->cooldown_minutes + CASE_JOIN_MINUTES);
	c->nr_moved++;
	cases_touch(cs, c, now_ms, false);
	return 0;
}

/* 1: it is known, 0: it is from now on. The oldest ids give way: an event that comes twice comes soon. */
static int note_summary(struct one_case *c, const struct alert_event *ev, struct err *err)
{
	uint8_t(*more)[16];

	for (size_t i = 0; i < c->nr_summaries; i++)
		if (memcmp(c->summaries[i], ev->id, sizeof(c->summaries[i])) == 0)
			return 1;
	if (c->nr_summaries < CASE_SUMMARIES_MAX) {
		more = reallocarray(c->summaries, c->nr_summaries + 1, sizeof(*more));
		if (!more)
			return err_nomem(err, "a summary");
		c->summaries = more;
		c->nr_summaries++;
	}
	memmove(c->summaries + 1, c->summaries, (c->nr_summaries - 1) * sizeof(*c->summaries));
	memcpy(c->summaries[0], ev->id, sizeof(c->summaries[0]));
	return 0;
}

/* Each partition has a summary of its own: those that come within a while of each other are one case. */
static bool takes_summary(const struct one_case *c, int64_t now_ms)
{
	return c->rec.state == INCIDENT_STATE_OPEN || (c->rec.alerts_total == 0 && now_ms - c->rec.created_at < 5 * CLOCK_MINUTE_MS);
}

/* Of an open incident it is a note; else an incident that is over as it begins. */
static int apply_summary(struct cases *cs, int64_t now_ms, const struct alert_event *ev, enum case_taken *out, struct one_case **of, struct err *err)
{
	struct one_case *c = cases_latest(cs, ev->site, ev->trigger);
	bool is_new = false;
	int rc;

	if (!c || !takes_summary(c, now_ms))
		c = begin(cs, now_ms, ev, out, &is_new, err);
	if (!c)
		return *out == CASE_REFUSED ? 0 : -1;
	rc = note_summary(c, ev, err);
	if (rc != 0) {
		if (is_new)
			cases_drop(cs, c);
		return rc < 0 ? -1 : 0;
	}
	c->rec.behind_opened += ev->opened;
	c->rec.behind_closed += ev->closed;
	cases_settle(cs, c, taken_at(now_ms, ev->at));
	cases_touch(cs, c, now_ms, c->rec.state == INCIDENT_STATE_RESOLVED);
	*out = CASE_TAKEN;
	*of = c;
	return 0;
}

int cases_apply(struct cases *cs, int64_t now_ms, const struct alert_event *event, enum case_taken *out, struct one_case **of, struct err *err)
{
	*out = CASE_IGNORED;
	*of = NULL;
	if (event->site.len > CASE_NAME_MAX || event->trigger.len > CASE_NAME_MAX)
		return err_set(err, ERR_REJECT, "an event with names of %zu and %zu bytes", event->site.len, event->trigger.len);
	switch (event->kind) {
	case ALERT_EVENT_KIND_OPENED:
		return apply_opened(cs, now_ms, event, out, of, err);
	case ALERT_EVENT_KIND_SUMMARY:
		return apply_summary(cs, now_ms, event, out, of, err);
	default:
		return apply_ending(cs, now_ms, event, out, of, err);
	}
}

int64_t cases_expire(struct cases *cs, struct one_case *c, int64_t now_ms)
{
	const struct map_slot *slot;
	int64_t next_ms = INT64_MAX;

	for (size_t at = 0; c->nr_moved > 0 && (slot = map_next(&c->alerts, &at));) {
		struct case_alert *a = slot->value;

		if (a->state != INCIDENT_ALERT_STATE_MOVED)
			continue;
		if (a->join_until_ms >= now_ms) {
			next_ms = a->join_until_ms < next_ms ? a->join_until_ms : next_ms;
			continue;
		}
		close_alert(c, a, a->join_until_ms, taken_at(now_ms, a->join_until_ms));
		cases_touch_alert(cs, c, now_ms, a);
	}
	cases_settle(cs, c, c->ended_ms);
	return next_ms == INT64_MAX ? next_ms : next_ms + 1;
}

int cases_acknowledge(struct cases *cs, struct one_case *c, const struct ack *ack, int64_t now_ms, struct err *err)
{
	if (c->rec.state != INCIDENT_STATE_OPEN || (c->rec.has_acked_at && c->rec.acked_at >= ack->at))
		return 0;
	if (cases_set_ack_text(cs, c, ack->author, ack->reason, err) < 0)
		return -1;
	c->rec.has_acked_at = true;
	c->rec.acked_at = ack->at;
	cases_touch(cs, c, now_ms, false);
	return 0;
}
