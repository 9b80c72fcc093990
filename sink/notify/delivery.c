/* delivery.c - see delivery.h.
 *
 * Invariants, cited as (I1)..:
 *  I1  An entry leaves its lane by end_entry() alone, which tells of it, or with everything (delivery_clear(), delivery_free()).
 *  I2  A lane has one request under way at most, and none that is not of its first entry of that incident.
 *  I3  Lanes take turns at what is bounded for all: a turn begins where the last one ended.
 *  I4  nr_in_flight is the number of lanes with something under way, bytes the sum of entry_bytes() over all lanes.
 *  I5  What waits behind another notification of its receiver takes half of the memory at most, so that those that hang do not hold up the others. */
#include "sink/notify/delivery.h"

#include <curl/curl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/build.h"
#include "common/clock.h"
#include "common/receiver.h"
#include "common/wire.h"
#include "sink/notify/lane.h"

enum { TIMEOUT_MS = 10000 };

struct delivery {
	struct request_conf conf;
	char *secrets_dir, *ca_file, *external_url, *user_agent;
	delivery_done_fn done;
	void *ctx;
	struct lane_leave leave;
	const struct log *log;
	struct wire *wire;
	struct lane **lanes;
	size_t nr, cap, turn_at; /* I3 */
	size_t nr_in_flight;
	bool stopping;
	int64_t mono_ms; /* of this turn */
	struct delivery_stats stats;
};

static uint64_t draw(void)
{
	uint64_t bits = 0;

	if (getrandom(&bits, sizeof(bits), 0) != (ssize_t)sizeof(bits))
		bits = (uint64_t)clock_mono_ms() * UINT64_C(0x9e3779b97f4a7c15);
	return bits;
}

static void count(struct delivery *d, enum delivery_outcome outcome)
{
	d->stats.delivered += outcome == DELIVERY_DELIVERED;
	d->stats.gave_up += outcome == DELIVERY_GAVE_UP;
	d->stats.cancelled += outcome == DELIVERY_CANCELLED;
	d->stats.superseded += outcome == DELIVERY_SUPERSEDED;
}

/* See (I1). */
static void end_entry(struct delivery *d, struct lane *l, struct entry *e, enum delivery_outcome outcome)
{
	struct delivery_done done = {.site = e->site, .receiver = l->id, .sequence = e->sequence, .version = e->version, .state = e->state,
				     .outcome = outcome, .attempts = (int32_t)e->attempts, .took_ms = e->took_ms, .error = e->error};

	memcpy(done.incident, e->id, sizeof(done.incident));
	lane_take(l, e);
	d->stats.queued--;
	d->stats.bytes -= entry_bytes(e);
	count(d, outcome);
	d->done(d->ctx, &done);
	entry_free(e);
}

static void tell_failed(struct delivery *d, struct lane *l, const struct entry *e, int64_t wait_ms)
{
	char id[NOTIFICATION_ID_SIZE], receiver[65], site[65];
	uint64_t about;

	snprintf(receiver, sizeof(receiver), "%.*s", (int)(l->id.len < 64 ? l->id.len : 64), l->id.p);
	snprintf(site, sizeof(site), STR_FMT, STR_ARG(e->site));
	about = log_about(receiver) ^ log_about(e->error); /* a receiver that is away fails all that it should get */
	log_repeat_about(d->log, "notification_failed", about ? about : 1, LOG_STR("site", site), LOG_STR("receiver", receiver),
			 LOG_STR("incident", notification_hex(e->id, id)), LOG_INT("sequence", e->sequence), LOG_INT("attempts", e->attempts),
			 LOG_STR("error", e->error), LOG_INT("retry_in_ms", wait_ms), LOG_STR("meaning", "it is sent again"));
}

/* An attempt that came to nothing, but may yet. */
static void end_failed(struct delivery *d, struct lane *l, struct entry *e, int64_t retry_after_ms)
{
	if (e->cancelled) {
		end_entry(d, l, e, DELIVERY_CANCELLED);
	} else if (d->mono_ms - e->since_ms >= DELIVERY_GIVE_UP_MS) {
		lane_failed(l, e, d->mono_ms, retry_after_ms, draw());
		end_entry(d, l, e, DELIVERY_GAVE_UP);
	} else {
		tell_failed(d, l, e, lane_failed(l, e, d->mono_ms, retry_after_ms, draw()));
	}
}

static struct lane *lane_of(struct delivery *d, const CURL *transfer)
{
	for (size_t i = 0; i < d->nr; i++)
		if (d->lanes[i]->under_way && request_transfer(d->lanes[i]->request) == transfer)
			return d->lanes[i];
	return NULL;
}

/* The attempt under way has ended, and its transfer is off the wire. */
static void end_attempt(struct delivery *d, struct lane *l, CURLcode code)
{
	struct entry *e = l->under_way;
	struct request_end end;

	request_ended(l->request, code, clock_wall_ms(), &end);
	l->under_way = NULL;
	l->until_ms = 0;
	d->nr_in_flight--;
	e->attempts++;
	e->took_ms = clock_mono_ms() - e->begun_ms;
	if (end.error[0])
		snprintf(e->error, sizeof(e->error), "%s", end.error);
	d->stats.attempts++;
	d->stats.failed_attempts += end.verdict != REQUEST_DELIVERED;
	d->stats.refused_addresses += end.refused_address;
	if (end.verdict == REQUEST_RETRY) {
		end_failed(d, l, e, end.retry_after_ms);
		return;
	}
	lane_answered(l);
	end_entry(d, l, e, end.verdict == REQUEST_DELIVERED ? DELIVERY_DELIVERED : e->cancelled ? DELIVERY_CANCELLED : DELIVERY_GAVE_UP);
}

/* A mail on its way goes as far as it can, unless its time is up. */
static void talk(struct delivery *d, struct lane *l)
{
	bool writing = false;
	int fd = -1;

	if (!request_talk(l->request, &fd, &writing) && l->until_ms > clock_mono_ms()) {
		wire_watch(d->wire, fd, writing);
		return;
	}
	wire_cut(d->wire, request_transfer(l->request));
	end_attempt(d, l, CURLE_OK);
}

static void on_ended(void *ctx, CURL *transfer, CURLcode code)
{
	struct delivery *d = ctx;
	struct lane *l = lane_of(d, transfer);

	if (!l)
		return;
	if (!request_is_mail(l->request)) {
		end_attempt(d, l, code);
	} else if (code == CURLE_OK) {
		l->until_ms = l->under_way->begun_ms + d->conf.timeout_ms;
		talk(d, l);
	} else {
		wire_cut(d->wire, transfer);
		end_attempt(d, l, code);
	}
}

static char *copy_of(const char *text)
{
	return strdup(text ? text : "");
}

int delivery_check(const struct delivery_conf *conf, struct err *err)
{
	struct guard guard;

	if (conf->external_url && *conf->external_url && receiver_check_url(str_from(conf->external_url), err) < 0)
		return err_wrap(err, "notify.external_url");
	if (guard_init(&guard, conf->allow_http, conf->allow_networks, err) < 0)
		return -1;
	guard_fini(&guard);
	return 0;
}

/* The strings that conf has of its own. */
static int copy_conf(struct delivery *d, const struct delivery_conf *conf, struct err *err)
{
	d->secrets_dir = copy_of(conf->secrets_dir);
	d->ca_file = copy_of(conf->ca_file);
	d->external_url = copy_of(conf->external_url);
	if (conf->user_agent && *conf->user_agent)
		d->user_agent = copy_of(conf->user_agent);
	else if (asprintf(&d->user_agent, "millrace-notify/%s", build_version()) < 0)
		d->user_agent = NULL; /* it is undefined */
	if (!d->secrets_dir || !d->ca_file || !d->external_url || !d->user_agent)
		return err_nomem(err, "deliveries");
	d->conf.secrets_dir = d->secrets_dir;
	d->conf.ca_file = d->ca_file;
	d->conf.user_agent = d->user_agent;
	d->conf.timeout_ms = conf->timeout_ms > 0 ? conf->timeout_ms : TIMEOUT_MS;
	return guard_init(&d->conf.guard, conf->allow_http, conf->allow_networks, err);
}

struct delivery *delivery_new(const struct delivery_conf *conf, delivery_done_fn done, delivery_may_send_fn may_send, void *ctx,
			      const struct log *log, struct err *err)
{
	struct delivery *d = calloc(1, sizeof(*d));

	if (!d) {
		err_nomem(err, "deliveries");
		return NULL;
	}
	*d = (struct delivery){.done = done, .ctx = ctx, .leave = {may_send, ctx}, .log = log};
	if (delivery_check(conf, err) < 0 || copy_conf(d, conf, err) < 0 || !(d->wire = wire_new(on_ended, d, err))) {
		delivery_free(d);
		return NULL;
	}
	return d;
}

void delivery_clear(struct delivery *d)
{
	for (size_t i = 0; i < d->nr; i++) {
		if (d->lanes[i]->under_way)
			wire_cut(d->wire, request_transfer(d->lanes[i]->request));
		lane_free(d->lanes[i]);
	}
	d->nr = d->nr_in_flight = d->turn_at = 0;
	d->stats.queued = d->stats.bytes = 0;
}

void delivery_free(struct delivery *d)
{
	if (!d)
		return;
	delivery_clear(d);
	wire_free(d->wire);
	guard_fini(&d->conf.guard);
	free(d->lanes);
	free(d->secrets_dir);
	free(d->ca_file);
	free(d->external_url);
	free(d->user_agent);
	free(d);
}

static struct lane *find_lane(const struct delivery *d, struct str id)
{
	for (size_t i = 0; i < d->nr; i++)
		if (str_eq(d->lanes[i]->id, id))
			return d->lanes[i];
	return NULL;
}

/* The receiver's lane, by its record; made where there is none. */
static struct lane *lane_for(struct delivery *d, const struct receiver *receiver, struct err *err)
{
	struct lane *l = find_lane(d, receiver->id);

	if (l)
		return lane_set_receiver(l, receiver, err) < 0 ? NULL : l;
	if (d->nr == d->cap) {
		size_t cap = d->cap ? 2 * d->cap : 16;
		struct lane **more = reallocarray(d->lanes, cap, sizeof(struct lane *));

		if (!more) {
			err_nomem(err, "the receivers' queues");
			return NULL;
		}
		d->lanes = more;
		d->cap = cap;
	}
	l = lane_new(receiver, err);
	if (l)
		d->lanes[d->nr++] = l;
	return l;
}

int delivery_submit(struct delivery *d, const struct delivery_job *job, struct err *err)
{
	struct lane *l = lane_for(d, job->receiver, err);
	struct entry *e, *older = NULL;

	if (!l)
		return -1;
	if (l->nr >= DELIVERY_QUEUE_MAX && !(older = lane_last_of(l, job->incident->id)))
		return 1;
	e = entry_new(job, clock_mono_ms(), clock_wall_ms(), err);
	if (!e)
		return -1;
	if (d->stats.bytes + entry_bytes(e) > (size_t)(l->nr ? DELIVERY_WAITING_BYTES_MAX : DELIVERY_BYTES_MAX)) { /* (I5) */
		entry_free(e);
		return 1;
	}
	if (older)
		end_entry(d, l, older, DELIVERY_SUPERSEDED);
	d->stats.queued++;
	d->stats.bytes += entry_bytes(e);
	lane_push(l, e);
	return 0;
}

int delivery_take_receiver(struct delivery *d, const struct receiver *receiver, struct err *err)
{
	struct lane *l = find_lane(d, receiver->id);

	if (!l)
		return 0;
	if (lane_set_receiver(l, receiver, err) < 0)
		return -1;
	lane_forgive(l);
	return 0;
}

static size_t cancel_in(struct delivery *d, struct lane *l, delivery_match_fn match, void *ctx)
{
	size_t nr = 0;

	for (struct entry *e = l->first, *next; e; e = next) {
		next = e->next;
		if (e->cancelled || (match && !match(ctx, e->site, l->id, e->id)))
			continue;
		nr++;
		e->cancelled = true;
		if (e != l->under_way)
			end_entry(d, l, e, DELIVERY_CANCELLED);
	}
	return nr;
}

size_t delivery_cancel(struct delivery *d, delivery_match_fn match, void *ctx)
{
	size_t nr = 0;

	for (size_t i = 0; i < d->nr; i++)
		nr += cancel_in(d, d->lanes[i], match, ctx);
	return nr;
}

int delivery_fd(const struct delivery *d)
{
	return wire_fd(d->wire);
}

/* The time of the deliveries at which the next attempt may begin; INT64_MAX: there is none. */
static int64_t next_attempt_ms(const struct delivery *d)
{
	int64_t due = INT64_MAX;

	for (size_t i = 0; i < d->nr && !d->stopping && d->nr_in_flight < DELIVERY_IN_FLIGHT_MAX; i++) {
		int64_t at = lane_due_ms(d->lanes[i], &d->leave);

		due = at < due ? at : due;
	}
	return due;
}

/* How long nothing that is under way needs a turn, unless the descriptor is ready; -1: ever. */
static int64_t quiet_ms(const struct delivery *d)
{
	int64_t ms = wire_timeout_ms(d->wire), now_ms = clock_mono_ms();

	for (size_t i = 0; i < d->nr; i++) {
		int64_t left = d->lanes[i]->until_ms > now_ms ? d->lanes[i]->until_ms - now_ms : 0;

		if (d->lanes[i]->until_ms && (ms < 0 || left < ms))
			ms = left;
	}
	return ms;
}

int delivery_timeout_ms(const struct delivery *d, int64_t mono_ms)
{
	int64_t due = next_attempt_ms(d), quiet = quiet_ms(d);

	if (due != INT64_MAX)
		due = due > mono_ms ? due - mono_ms : 0;
	if (quiet >= 0 && quiet < due)
		due = quiet;
	return due == INT64_MAX ? -1 : due > INT32_MAX ? INT32_MAX : (int)due;
}

/* Reads what is to be sent back from the lane, and makes the request. */
static int prepare(struct delivery *d, struct lane *l, struct entry *e, struct err *err)
{
	struct incident incident;
	struct receiver receiver;
	struct notification n = {.incident = &incident, .receiver = l->id, .sequence = e->sequence, .state = e->state, .beyond = e->beyond,
				 .external_url = d->external_url};
	int rc = -1;

	if (!l->request && !(l->request = request_new(&d->conf, err)))
		return -1;
	if (incident_decode(buf_str(&e->incident), &l->arena, &incident, err) == 0 &&
	    receiver_decode(buf_str(&l->receiver), &l->arena, &receiver, err) == 0 &&
	    request_prepare(l->request, &n, &receiver, clock_wall_ms(), e->wall_ms, err) == 0)
		rc = (request_is_mail(l->request) ? wire_begin_kept : wire_begin)(d->wire, request_transfer(l->request), err);
	arena_clear(&l->arena);
	return rc;
}

/* One that cannot be made is an attempt that failed. */
static void begin(struct delivery *d, struct lane *l, struct entry *e)
{
	struct err err = ERR_INIT;

	e->begun_ms = clock_mono_ms();
	if (prepare(d, l, e, &err) == 0) {
		l->under_way = e;
		d->nr_in_flight++;
		return;
	}
	snprintf(e->error, sizeof(e->error), "%.*s", DELIVERY_ERROR_SIZE - 1, err.msg);
	e->attempts++;
	e->took_ms = 0;
	d->stats.attempts++;
	d->stats.failed_attempts++;
	if (err.kind == ERR_REJECT)
		end_entry(d, l, e, DELIVERY_GAVE_UP);
	else
		end_failed(d, l, e, -1);
}

/* A lane that has nothing, and nothing to wait for, is made anew when it is needed. */
static void free_idle_lanes(struct delivery *d)
{
	for (size_t i = d->nr; i-- > 0;) {
		struct lane *l = d->lanes[i];

		if (l->nr || l->hold_ms > d->mono_ms)
			continue;
		lane_free(l);
		d->lanes[i] = d->lanes[--d->nr];
	}
}

void delivery_turn(struct delivery *d, int64_t mono_ms)
{
	size_t nr = d->nr;

	d->mono_ms = mono_ms;
	wire_turn(d->wire);
	for (size_t i = 0; i < nr; i++)
		if (d->lanes[i]->until_ms)
			talk(d, d->lanes[i]);
	for (size_t i = 0; i < nr && !d->stopping && d->nr_in_flight < DELIVERY_IN_FLIGHT_MAX; i++) {
		struct lane *l = d->lanes[d->turn_at++ % nr];
		struct entry *e = lane_pick(l, mono_ms, &d->leave);

		if (e)
			begin(d, l, e);
	}
	free_idle_lanes(d);
}

void delivery_stop(struct delivery *d, int64_t within_ms)
{
	int64_t until_ms = clock_mono_ms() + within_ms;

	d->stopping = true;
	while (d->nr_in_flight) {
		struct pollfd fd = {.fd = delivery_fd(d), .events = POLLIN};
		int64_t left_ms = until_ms - clock_mono_ms(), quiet = quiet_ms(d);

		if (left_ms <= 0)
			break;
		poll(&fd, 1, (int)(quiet >= 0 && quiet < left_ms ? quiet : left_ms));
		delivery_turn(d, clock_mono_ms());
	}
}

void delivery_read_stats(const struct delivery *d, int64_t mono_ms, struct delivery_stats *out)
{
	int64_t oldest = mono_ms;

	*out = d->stats;
	out->in_flight = d->nr_in_flight;
	for (size_t i = 0; i < d->nr; i++)
		for (const struct entry *e = d->lanes[i]->first; e; e = e->next)
			oldest = e->since_ms < oldest ? e->since_ms : oldest;
	out->oldest_ms = mono_ms - oldest;
}
