/* cases.c - see cases.h: the collection, and records to and fro. What events do to a case stands in case_events.c.
 *
 * Invariants:
 *  I1  A case is in by_id, and on the agenda; the latest of its site and trigger is in latest, and no other is open.
 *  I2  rec.open_alerts = alerts that are open or moved + nr_unknown, and the case is open iff that is not 0.
 *  I3  A record's version stands for one content: what changes after it was handed over makes the next version. */
#include "sink/notify/cases.h"

#include <endian.h>
#include <stdlib.h>

#include "sink/notify/case_parts.h"

void cases_init(struct cases *cs, size_t nr_max, size_t bytes_max)
{
	*cs = (struct cases){.nr_max = nr_max, .bytes_max = bytes_max};
	TAILQ_INIT(&cs->dirty);
	TAILQ_INIT(&cs->handed);
	TAILQ_INIT(&cs->resolved);
}

void cases_fini(struct cases *cs)
{
	while (cs->agenda.len > 0)
		cases_drop(cs, (struct one_case *)cs->agenda.heap[cs->agenda.len - 1]);
	agenda_fini(&cs->agenda);
	map_fini(&cs->by_id);
	map_fini(&cs->latest);
}

void cases_reset(struct cases *cs)
{
	size_t nr_max = cs->nr_max, bytes_max = cs->bytes_max;

	cases_fini(cs);
	cases_init(cs, nr_max, bytes_max);
}

void case_id(struct str site, struct str trigger, int64_t opened_ms, uint8_t out[16])
{
	const uint8_t site_length[2] = {(uint8_t)(site.len & 0xff), (uint8_t)(site.len >> 8 & 0xff)};
	const uint8_t trigger_length[2] = {(uint8_t)(trigger.len & 0xff), (uint8_t)(trigger.len >> 8 & 0xff)};
	uint64_t opened = htobe64((uint64_t)opened_ms);
	uint8_t text[2 * (2 + CASE_NAME_MAX) + sizeof(opened)], *at = text;

	at = (uint8_t *)mempcpy(at, site_length, sizeof(site_length));
	at = (uint8_t *)mempcpy(at, site.p, site.len);
	at = (uint8_t *)mempcpy(at, trigger_length, sizeof(trigger_length));
	at = (uint8_t *)mempcpy(at, trigger.p, trigger.len);
	at = (uint8_t *)mempcpy(at, &opened, sizeof(opened));
	map_key_of((struct str){(const char *)text, (size_t)(at - text)}, out);
}

struct one_case *cases_find(const struct cases *cs, const uint8_t id[16])
{
	return map_get(&cs->by_id, id);
}

/* An alert of a record. Those that it does not list stay in nr_unknown. */
static int load_alert(struct cases *cs, struct one_case *c, const struct incident_alert *from, struct err *err)
{
	struct case_alert *a;

	if (map_get(&c->alerts, from->fingerprint))
		return 0; /* no record of ours names one twice */
	a = cases_add_alert(cs, c, from, true, err);
	if (!a)
		return -1;
	memcpy(a->episode, from->episode, sizeof(a->episode));
	a->state = from->state;
	a->has_kind = from->has_series_kind;
	a->kind = from->series_kind;
	a->opened_ms = a->episode_ms = from->opened_at;
	a->has_closed = from->has_closed_at;
	a->closed_ms = from->closed_at;
	a->has_value = from->has_value;
	a->value = from->value;
	a->changed = from->changed_version;
	a->join_until_ms = from->has_join_until ? from->join_until : INT64_MIN;
	c->nr_moved += a->state == INCIDENT_ALERT_STATE_MOVED;
	c->nr_unknown -= a->state != INCIDENT_ALERT_STATE_CLOSED;
	return 0;
}

/* Of two of a site and trigger: the one that is open, else the younger. */
static bool comes_later(const struct incident *a, const struct incident *b)
{
	if ((a->state == INCIDENT_STATE_OPEN) != (b->state == INCIDENT_STATE_OPEN))
		return a->state == INCIDENT_STATE_OPEN;
	return a->created_at >= b->created_at;
}

int cases_load(struct cases *cs, int64_t now_ms, const struct incident *incident, struct err *err)
{
	struct one_case *c = cases_find(cs, incident->id), *other;

	if (incident->site.len > CASE_NAME_MAX || incident->trigger.len > CASE_NAME_MAX)
		return err_set(err, ERR_REJECT, "an incident with names of %zu and %zu bytes", incident->site.len, incident->trigger.len);
	if (c && c->rec.version > incident->version)
		return 0;
	if (c)
		cases_drop(cs, c);
	if (incident->state == INCIDENT_STATE_RESOLVED && now_ms - incident->resolved_at >= CASE_OWED_MS)
		return 0;
	if (incident->state == INCIDENT_STATE_RESOLVED && !cases_make_room(cs))
		return 0;
	other = cases_latest(cs, incident->site, incident->trigger);
	c = cases_add(cs, now_ms, incident, err);
	if (!c)
		return -1;
	c->nr_unknown = incident->open_alerts;
	c->unlisted_changed = incident->alerts_total > (int64_t)incident->alerts_len ? incident->changed_version : 0;
	for (size_t i = 0; i < incident->alerts_len; i++)
		if (load_alert(cs, c, &incident->alerts[i], err) < 0)
			goto failed;
	if (incident->has_acked_at && cases_set_ack_text(cs, c, incident->acked_by, incident->ack_reason, err) < 0)
		goto failed;
	if (c->nr_unknown < 0)
		c->nr_unknown = 0;
	if (other && !comes_later(&c->rec, &other->rec) && cases_make_latest(cs, other, err) < 0)
		goto failed;
	return 0;
failed:
	cases_drop(cs, c);
	return -1;
}

/* What is in a queue, or has a job, is referred to by its address. */
bool cases_forget(struct cases *cs, struct one_case *c)
{
	if (c->dirty || c->handed)
		return false;
	for (size_t i = 0; i < c->nr_tolds; i++)
		if (c->tolds[i]->dirty || c->tolds[i]->handed || c->tolds[i]->stage != TOLD_RESTS)
			return false;
	cases_drop(cs, c);
	return true;
}

static void write_alert(const struct case_alert *a, struct incident_alert *out)
{
	*out = (struct incident_alert){
		.state = a->state,
		.has_series_kind = a->has_kind,
		.series_kind = a->kind,
		.name = a->name,
		.tags = a->tags,
		.tags_len = a->tags_len,
		.changed_version = a->changed,
		.opened_at = a->opened_ms,
		.has_closed_at = a->has_closed,
		.closed_at = a->closed_ms,
		.has_value = a->has_value,
		.value = a->value,
		.has_join_until = a->state == INCIDENT_ALERT_STATE_MOVED,
		.join_until = a->join_until_ms,
	};
	memcpy(out->fingerprint, a->fingerprint, sizeof(out->fingerprint));
	memcpy(out->episode, a->episode, sizeof(out->episode));
}

int case_record(const struct one_case *c, struct arena *arena, struct incident *out, struct err *err)
{
	struct incident_alert *alerts = arena_calloc(arena, c->nr_listed, sizeof(*alerts));

	if (!alerts)
		return err_nomem(err, "an incident's record");
	for (size_t i = 0; i < c->nr_listed; i++)
		write_alert(c->listed[i], &alerts[i]);
	*out = c->rec;
	out->alerts = alerts;
	out->alerts_len = c->nr_listed;
	return 0;
}

/* Where the told of a receiver stands, or should. */
static size_t place(const struct one_case *c, struct str receiver)
{
	size_t from = 0, to = c->nr_tolds;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (str_cmp(str_from(c->tolds[middle]->receiver), receiver) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

struct told *case_told(const struct one_case *c, struct str receiver)
{
	size_t i = place(c, receiver);

	return i < c->nr_tolds && str_eq(str_from(c->tolds[i]->receiver), receiver) ? c->tolds[i] : NULL;
}

struct told *cases_tell(struct cases *cs, struct one_case *c, struct str receiver)
{
	struct told *t = case_told(c, receiver), **more;
	size_t i = place(c, receiver);

	if (t)
		return t;
	more = reallocarray(c->tolds, c->nr_tolds + 1, sizeof(struct told *));
	if (!more)
		return NULL;
	c->tolds = more;
	t = told_new(c, receiver);
	if (!t)
		return NULL;
	memmove(more + i + 1, more + i, (c->nr_tolds - i) * sizeof(struct told *));
	more[i] = t;
	c->nr_tolds++;
	c->bytes += told_bytes(t);
	cs->bytes += told_bytes(t);
	return t;
}
