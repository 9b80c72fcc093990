/* lane.c - see lane.h.
 *
 * A list rather than a heap: what is tried next depends on what stands before it of the same incident, and there are DELIVERY_QUEUE_MAX entries at the most.
 * 
 * Invariants:
 *  L1  nr is the number of entries, and under_way, when it is set, is one of them.
 *  L2  An entry is encoded when it comes, as what it was made of is the desk's, which goes on; the receiver is decoded at each attempt, as an operator may have
 *      mended it since. */
#include "sink/notify/lane.h"

#include <stdlib.h>
#include <string.h>

#include "common/retry.h"
#include "sink/notify/notification.h"

/* Those of the job's alerts that a body has room for, in its order. */
static size_t pick_alerts(const struct delivery_job *job, struct incident_alert *out)
{
	size_t nr = 0;

	for (int closed = 0; closed <= 1; closed++)
		for (size_t i = 0; i < job->alerts_len && nr < NOTIFICATION_ALERTS_MAX; i++)
			if (notification_is_closed(job->alerts[i]) == closed)
				out[nr++] = *job->alerts[i];
	return nr;
}

/* The incident with what is to be told of it in place of all alerts; the others are counted: a queue holds up to a day of notifications. */
static int encode_incident(struct entry *e, const struct delivery_job *job, struct err *err)
{
	struct incident told = *job->incident;
	int rc;

	told.alerts = calloc(NOTIFICATION_ALERTS_MAX, sizeof(*told.alerts));
	if (!told.alerts)
		return err_nomem(err, "a notification");
	told.alerts_len = pick_alerts(job, told.alerts);
	e->beyond += (int64_t)(job->alerts_len - told.alerts_len);
	rc = incident_encode(&told, &e->incident, err);
	free(told.alerts);
	return rc;
}

struct entry *entry_new(const struct delivery_job *job, int64_t mono_ms, int64_t wall_ms, struct err *err)
{
	const struct incident *i = job->incident;
	struct entry *e = calloc(1, sizeof(*e) + i->site.len + 1);
	char *site;

	if (!e) {
		err_nomem(err, "a notification");
		return NULL;
	}
	site = (char *)(e + 1);
	if (i->site.len)
		memcpy(site, i->site.p, i->site.len);
	e->site = (struct str){site, i->site.len};
	memcpy(e->id, i->id, sizeof(e->id));
	e->sequence = job->sequence;
	e->version = i->version;
	e->state = job->state;
	e->beyond = i->alerts_total > (int64_t)i->alerts_len ? i->alerts_total - (int64_t)i->alerts_len : 0;
	e->since_ms = mono_ms;
	e->wall_ms = wall_ms;
	if (encode_incident(e, job, err) < 0) {
		entry_free(e);
		return NULL;
	}
	return e;
}

void entry_free(struct entry *e)
{
	if (!e)
		return;
	buf_fini(&e->incident);
	free(e);
}

size_t entry_bytes(const struct entry *e)
{
	return sizeof(*e) + e->site.len + e->incident.cap;
}

struct lane *lane_new(const struct receiver *receiver, struct err *err)
{
	struct lane *l = calloc(1, sizeof(*l) + receiver->id.len + 1);
	char *id;

	if (!l) {
		err_nomem(err, "a receiver's queue");
		return NULL;
	}
	id = (char *)(l + 1);
	if (receiver->id.len)
		memcpy(id, receiver->id.p, receiver->id.len);
	l->id = (struct str){id, receiver->id.len};
	if (lane_set_receiver(l, receiver, err) < 0) {
		lane_free(l);
		return NULL;
	}
	return l;
}

void lane_free(struct lane *l)
{
	if (!l)
		return;
	while (l->first) {
		struct entry *e = l->first;

		l->first = e->next;
		entry_free(e);
	}
	request_free(l->request);
	arena_fini(&l->arena);
	buf_fini(&l->receiver);
	free(l);
}

int lane_set_receiver(struct lane *l, const struct receiver *receiver, struct err *err)
{
	struct buf fresh = BUF_INIT;

	if (receiver_encode(receiver, &fresh, err) < 0) {
		buf_fini(&fresh);
		return -1;
	}
	if (l->receiver.len && !str_eq(buf_str(&fresh), buf_str(&l->receiver)))
		lane_forgive(l);
	buf_fini(&l->receiver);
	l->receiver = fresh;
	return 0;
}

void lane_forgive(struct lane *l)
{
	l->hold_ms = 0;
	l->failures = 0;
	for (struct entry *e = l->first; e; e = e->next)
		e->hold_ms = 0;
}

void lane_push(struct lane *l, struct entry *e)
{
	struct entry **at = &l->first;

	while (*at)
		at = &(*at)->next;
	e->next = NULL;
	*at = e;
	l->nr++;
}

void lane_take(struct lane *l, struct entry *e)
{
	struct entry **at = &l->first;

	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	l->nr--;
	if (l->under_way == e)
		l->under_way = NULL;
}

struct entry *lane_last_of(const struct lane *l, const uint8_t incident[16])
{
	struct entry *last = NULL;

	for (struct entry *e = l->first; e; e = e->next)
		if (e != l->under_way && memcmp(e->id, incident, sizeof(e->id)) == 0)
			last = e;
	return last;
}

/* Does no other of its incident stand before it? */
static bool is_first_of_incident(const struct lane *l, const struct entry *wanted)
{
	for (const struct entry *e = l->first; e != wanted; e = e->next)
		if (memcmp(e->id, wanted->id, sizeof(e->id)) == 0)
			return false;
	return true;
}

static bool has_leave(const struct lane *l, const struct entry *e, const struct lane_leave *leave)
{
	return is_first_of_incident(l, e) && (!leave->may_send || leave->may_send(leave->ctx, e->site));
}

struct entry *lane_pick(const struct lane *l, int64_t mono_ms, const struct lane_leave *leave)
{
	struct entry *best = NULL;

	if (l->under_way || l->hold_ms > mono_ms)
		return NULL;
	for (struct entry *e = l->first; e; e = e->next)
		if (e->hold_ms <= mono_ms && (!best || e->attempts < best->attempts) && has_leave(l, e, leave))
			best = e;
	return best;
}

int64_t lane_due_ms(const struct lane *l, const struct lane_leave *leave)
{
	int64_t due = INT64_MAX;

	if (l->under_way)
		return due;
	for (const struct entry *e = l->first; e; e = e->next) {
		int64_t at = e->hold_ms > l->hold_ms ? e->hold_ms : l->hold_ms;

		if (at < due && has_leave(l, e, leave))
			due = at;
	}
	return due;
}

/* What the receiver asks for is never shortened, and a little more, so that those who were told the same do not come at once. */
int64_t lane_failed(struct lane *l, struct entry *e, int64_t mono_ms, int64_t asked_ms, uint64_t random)
{
	static const struct retry_bounds bounds = {LANE_WAIT_BASE_MS, LANE_WAIT_MAX_MS};
	int64_t wait;

	l->failures++;
	wait = asked_ms >= 0 ? asked_ms + retry_wait_ms(1, random, &bounds) : retry_wait_ms(l->failures, random, &bounds);
	l->hold_ms = mono_ms + wait;
	e->hold_ms = mono_ms + retry_wait_ms(e->attempts ? e->attempts : 1, random, &bounds);
	return wait;
}

void lane_answered(struct lane *l)
{
	l->failures = 0;
	l->hold_ms = 0;
}
