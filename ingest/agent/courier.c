/* courier.c - see courier.h.
 *
 * Invariants, cited as (I1)..:
 *  I1  A payload is in the spool from before its first post until an answer ends it: the courier holds no payload's only copy.
 *  I2  A payload is on one lane at most: the backlog's lane looks for one only while the live one is idle, and the live lane passes over
 *      what is in flight as backlog.
 *  I3  While a live payload waits, for its turn or for a hold to end, no post of backlog begins.
 *  I4  Nothing is posted while its lane is on hold; what the server asked for is never shortened, but by a new key after a 401.
 *
 * Why backlog passes over a payload: newest first, one that always fails (an answer that a proxy makes of its bytes, say) would keep all
 * older ones until it is given up for its age. So one that fails again, though another was taken since, goes behind all others. */
#include "ingest/agent/courier.h"

#include <curl/curl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/random.h>
#include <xxhash.h>

#include "common/wire.h"
#include "ingest/agent/bearer.h"
#include "ingest/agent/halves.h"
#include "ingest/agent/outcome.h"
#include "ingest/agent/post.h"
#include "ingest/agent/reply.h"
#include "ingest/agent/spool.h"
#include "ingest/agent/squeeze.h"

enum { LIVE, BACKLOG, NR_LANES };
enum { PASSED_OVER_MAX = 16, REASONS_TOLD_MAX = 64, WORDS_MAX = 150 };

struct lane {
	struct post *post;
	bool busy;
	uint64_t id;          /* of the payload in flight, or of the last one */
	struct envelope e;
	struct buf body;      /* what e.body borrows */
	int64_t began_ms;     /* real, as all times in here */
	int64_t hold_ms;      /* no post before */
	unsigned failures;    /* in a row */
};

struct courier {
	struct spool *spool;
	const struct clock *clock;
	const struct log *log;
	struct wire *wire;
	struct lane lanes[NR_LANES];
	uint64_t live[COURIER_LIVE_MAX]; /* the latest flush; from live_at on they wait */
	size_t live_len, live_at;
	uint64_t passed_over[PASSED_OVER_MAX];
	size_t passed_over_len;
	uint64_t suspect; /* the backlog's last failure, and whether another payload was taken since */
	bool suspect_alone;
	struct bearer bearer;
	int64_t key_looked_ms;
	bool stopping;
	int64_t mono_ms; /* of this turn */
	struct courier_status status;
	char told[REASONS_TOLD_MAX][REPLY_REASON_SIZE]; /* reasons of rejected samples that were logged */
	size_t told_len;
};

static uint64_t draw(void)
{
	uint64_t bits = 0;

	if (getrandom(&bits, sizeof(bits), 0) != (ssize_t)sizeof(bits))
		bits = (uint64_t)clock_mono_ms() * UINT64_C(0x9e3779b97f4a7c15);
	return bits;
}

static bool live_waits(const struct courier *c)
{
	return c->live_at < c->live_len;
}

static void hold(struct lane *l, int64_t until_ms)
{
	if (l->hold_ms < until_ms)
		l->hold_ms = until_ms;
}

/* A wait the server asks for, and a little more, so that those who were told the same do not come at once; else full jitter. */
static int64_t wait_ms(struct lane *l, int64_t retry_after_ms)
{
	l->failures++;
	if (retry_after_ms >= 0)
		return retry_after_ms + outcome_wait_ms(1, draw());
	return outcome_wait_ms(l->failures, draw());
}

/* What holds live holds backlog, too (I3); and so does what is about all posts alike. */
static void hold_after(struct courier *c, struct lane *l, int64_t wait, bool both)
{
	hold(l, c->mono_ms + wait);
	if (both || l == &c->lanes[LIVE])
		hold(&c->lanes[BACKLOG], c->mono_ms + wait);
	if (both)
		hold(&c->lanes[LIVE], c->mono_ms + wait);
}

/* What fails at every post, while the server takes others, is passed over until nothing else is left (see above). An outage fails all
 * alike, and nothing is passed over then: when it ends, the newest is still the first. */
static void suspect(struct courier *c, const struct lane *l)
{
	if (l != &c->lanes[BACKLOG])
		return;
	if (c->suspect == l->id && c->suspect_alone && c->passed_over_len < PASSED_OVER_MAX)
		c->passed_over[c->passed_over_len++] = l->id;
	c->suspect = l->id;
	c->suspect_alone = false;
}

static bool is_told(struct courier *c, const char *reason)
{
	for (size_t i = 0; i < c->told_len; i++)
		if (strcmp(c->told[i], reason) == 0)
			return true;
	if (c->told_len < REASONS_TOLD_MAX)
		snprintf(c->told[c->told_len++], REPLY_REASON_SIZE, "%s", reason);
	return false;
}

struct agent_hex {
	char text[2 * ENVELOPE_AGENT_ID_BYTES + 1];
};

static struct log_field agent_field(const struct lane *l, struct agent_hex *hex)
{
	return LOG_STR("agent_id", str_hex(l->e.agent_id, sizeof(l->e.agent_id), hex->text));
}

/* Once for each reason, as an application that sends bad names does so every 30 s; the figures go on counting. */
static void tell_rejected(struct courier *c, const struct lane *l, const struct reply *r)
{
	struct agent_hex hex;

	for (size_t i = 0; i < r->reasons_len; i++)
		if (!is_told(c, r->reasons[i].reason))
			log_warn(c->log, "samples_rejected", LOG_STR("reason", r->reasons[i].reason), LOG_UINT("samples", r->reasons[i].samples),
				 agent_field(l, &hex), LOG_UINT("seq", l->e.seq), LOG_STR("meaning", "counted from now on without a line"));
}

/* The spool forgets the payload, and with it the losses that it told. */
static void end_done(struct courier *c, struct lane *l, const struct reply *r)
{
	uint64_t rejected = r->rejected < l->e.samples ? r->rejected : l->e.samples;

	spool_done(c->spool, l->id);
	l->failures = 0;
	c->status.last_accepted_ms = clock_now_ms(c->clock);
	c->status.key_refused = false;
	c->status.accepted_payloads++;
	c->status.accepted_samples += l->e.samples - rejected;
	c->status.rejected_samples += rejected;
	c->suspect_alone = true;
	tell_rejected(c, l, r);
}

/* The end of a payload that no later try would save. */
static void set_aside(struct courier *c, struct lane *l, int status, const char *why)
{
	struct agent_hex hex;

	spool_reject(c->spool, l->id, status);
	l->failures = 0;
	c->status.set_aside_payloads++;
	log_error(c->log, "payload_refused", agent_field(l, &hex), LOG_UINT("seq", l->e.seq), LOG_INT("created_at", l->e.created_at_ms),
		  LOG_UINT("samples", l->e.samples), LOG_INT("status", status), LOG_STR("error", why),
		  LOG_STR("meaning", "it is set aside in rejected/ and reported as lost"));
}

static void tell_failed(struct courier *c, const struct lane *l, const char *error, int64_t wait)
{
	struct agent_hex hex;

	log_repeat_about(c->log, "post_failed", log_about(error), agent_field(l, &hex), LOG_UINT("seq", l->e.seq), LOG_STR("error", error),
			 LOG_INT("retry_in_ms", wait), LOG_STR("meaning", "it is kept and sent again"));
}

/* The payload stays where it is, in the spool. */
static void end_failed(struct courier *c, struct lane *l, const struct post_answer *a, const char *why)
{
	int64_t wait = wait_ms(l, a->retry_after_ms);

	c->status.failed_posts++;
	c->status.last_failed_ms = clock_now_ms(c->clock);
	hold_after(c, l, wait, a->status == 429);
	suspect(c, l);
	tell_failed(c, l, why, wait);
}

/* Not the payload's fault, and no backoff: a person has to act. Said once, until a post is taken again. */
static void end_key_refused(struct courier *c, struct lane *l, const struct post_answer *a)
{
	int64_t wait = COURIER_KEY_RETRY_MS + outcome_wait_ms(1, draw());

	wait = wait < a->retry_after_ms ? a->retry_after_ms : wait;
	if (!c->status.key_refused)
		log_error(c->log, "key_refused", LOG_INT("status", a->status), LOG_INT("retry_in_ms", wait),
			  LOG_STR("meaning", "payloads are kept; set a good key"));
	c->status.key_refused = true;
	c->status.failed_posts++;
	c->status.last_failed_ms = clock_now_ms(c->clock);
	hold_after(c, l, wait, true);
}

static void note_too_large(struct courier *c, size_t bytes)
{
	if (bytes > 0 && (c->status.too_large_bytes == 0 || bytes < c->status.too_large_bytes))
		c->status.too_large_bytes = bytes;
}

/* Until both halves are in the spool the whole stays there, and will be refused again. */
static void end_halve(struct courier *c, struct lane *l, const struct post_answer *a)
{
	struct envelope half[2];
	struct buf body[2] = {BUF_INIT, BUF_INIT};
	struct err err = ERR_INIT;
	struct agent_hex hex;

	if (halves_make(&l->e, half, body, &err) == 0 && spool_replace(c->spool, l->id, half, 2, &err) == 0) {
		l->failures = 0;
		c->status.halved_payloads++;
		note_too_large(c, squeeze_inflated_bytes(l->e.body));
		log_info(c->log, "payload_halved", agent_field(l, &hex), LOG_UINT("seq", l->e.seq), LOG_UINT("samples", l->e.samples),
			 LOG_UINT("body_bytes", l->e.body.len));
	} else if (err.kind == ERR_REJECT) {
		set_aside(c, l, a->status, err.msg);
	} else {
		end_failed(c, l, a, err.msg);
	}
	buf_fini(&body[0]);
	buf_fini(&body[1]);
}

static void describe(const struct post_answer *a, const struct reply *r, char *out, size_t size)
{
	if (a->status == 0)
		snprintf(out, size, "%s", a->error);
	else
		snprintf(out, size, "status %d %.*s%s%.*s", a->status, REPLY_REASON_SIZE, r->error, r->detail[0] ? ": " : "", WORDS_MAX, r->detail);
}

static void end_post(struct courier *c, struct lane *l, CURLcode code)
{
	char *why = c->status.last_error;
	struct post_answer a;
	struct reply r;
	enum outcome outcome;

	post_ended(l->post, code, &a);
	reply_read(a.body, str_from(c->bearer.key.text), &r);
	outcome = outcome_of(a.status);
	why[0] = '\0';
	if (outcome != OUTCOME_DONE)
		describe(&a, &r, why, sizeof(c->status.last_error));
	c->status.last_status = a.status;
	l->busy = false;
	if (l == &c->lanes[BACKLOG]) {
		int64_t took = c->mono_ms - l->began_ms;

		took = took < COURIER_PAUSE_MIN_MS ? COURIER_PAUSE_MIN_MS : took < COURIER_PAUSE_MAX_MS ? took : COURIER_PAUSE_MAX_MS;
		hold(l, c->mono_ms + took);
	}
	if (outcome == OUTCOME_DONE)
		end_done(c, l, &r);
	else if (outcome == OUTCOME_REJECT)
		set_aside(c, l, a.status, why);
	else if (outcome == OUTCOME_HALVE)
		end_halve(c, l, &a);
	else if (outcome == OUTCOME_KEY)
		end_key_refused(c, l, &a);
	else
		end_failed(c, l, &a, why);
	if (l == &c->lanes[LIVE] && outcome != OUTCOME_KEY && outcome != OUTCOME_RETRY && live_waits(c) && c->live[c->live_at] == l->id)
		c->live_at++;
}

static void on_ended(void *ctx, CURL *transfer, CURLcode code)
{
	struct courier *c = ctx;

	for (size_t i = 0; i < NR_LANES; i++)
		if (c->lanes[i].busy && post_is(c->lanes[i].post, transfer))
			end_post(c, &c->lanes[i], code);
}

static int open_lanes(struct courier *c, const struct courier_conf *conf, struct err *err)
{
	const struct post_conf post = {
		.url = conf->url,
		.ca_file = conf->ca_file,
		.connect_timeout_ms = conf->connect_timeout_ms ? conf->connect_timeout_ms : COURIER_CONNECT_MS,
		.timeout_ms = conf->timeout_ms ? conf->timeout_ms : COURIER_WHOLE_MS,
	};

	for (size_t i = 0; i < NR_LANES; i++) {
		c->lanes[i].hold_ms = INT64_MIN;
		c->lanes[i].post = post_new(&post, err);
		if (!c->lanes[i].post)
			return -1;
	}
	return 0;
}

struct courier *courier_new(const struct courier_conf *conf, struct spool *spool, const struct clock *clock, const struct log *log,
			    struct err *err)
{
	struct courier *c = calloc(1, sizeof(*c));

	if (!c) {
		err_nomem(err, "the courier");
		return NULL;
	}
	*c = (struct courier){.spool = spool, .clock = clock, .log = log, .key_looked_ms = INT64_MIN};
	if (bearer_init(&c->bearer, conf->key, conf->key_file, err) < 0 || open_lanes(c, conf, err) < 0 ||
	    !(c->wire = wire_new(on_ended, c, err))) {
		courier_free(c);
		return NULL;
	}
	return c;
}

void courier_free(struct courier *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < NR_LANES; i++) {
		if (c->lanes[i].busy)
			wire_cut(c->wire, post_transfer(c->lanes[i].post));
		post_free(c->lanes[i].post);
		buf_fini(&c->lanes[i].body);
	}
	wire_free(c->wire);
	bearer_fini(&c->bearer);
	free(c);
}

void courier_take_live(struct courier *c, const uint64_t *ids, size_t nr)
{
	c->live_at = 0;
	c->live_len = nr < COURIER_LIVE_MAX ? nr : COURIER_LIVE_MAX;
	if (nr)
		memcpy(c->live, ids, c->live_len * sizeof(*ids));
}

/* Begins the post of a payload. 0: begun, or the lane waits; 1: this one is not to be had, another may. */
static int begin_post(struct courier *c, struct lane *l, uint64_t id)
{
	struct err err = ERR_INIT;
	int64_t now_ms = clock_now_ms(c->clock);

	l->id = id;
	if (spool_get(c->spool, id, &l->e, &l->body, &err) < 0 && err.kind == ERR_REJECT)
		return 1;
	if (err.kind == 0)
		spool_attempted(c->spool, id);
	if (err.kind != 0 || post_prepare(l->post, l->e.body, &c->bearer.key, l->e.created_at_ms, now_ms, &err) < 0 ||
	    wire_begin(c->wire, post_transfer(l->post), &err) < 0) {
		int64_t wait = wait_ms(l, -1);

		hold_after(c, l, wait, false);
		tell_failed(c, l, err.msg, wait);
		return 0;
	}
	l->busy = true;
	l->began_ms = c->mono_ms;
	c->status.posts++;
	c->status.last_attempt_ms = now_ms;
	return 0;
}

static bool may_begin(const struct courier *c, const struct lane *l)
{
	return !l->busy && l->hold_ms <= c->mono_ms;
}

static void begin_live(struct courier *c)
{
	const struct lane *backlog = &c->lanes[BACKLOG];

	while (live_waits(c) && may_begin(c, &c->lanes[LIVE])) {
		uint64_t id = c->live[c->live_at];

		if ((backlog->busy && backlog->id == id) || begin_post(c, &c->lanes[LIVE], id) > 0)
			c->live_at++;
	}
}

/* One at a time, and none while a live payload waits or is under way (I3). */
static void begin_backlog(struct courier *c)
{
	struct spool_skip skip = {.ids = c->passed_over, .nr = c->passed_over_len};
	struct lane *l = &c->lanes[BACKLOG];
	uint64_t id;

	if (live_waits(c) || c->lanes[LIVE].busy || !may_begin(c, l))
		return;
	if (!spool_newest(c->spool, &skip, &id)) {
		c->passed_over_len = skip.nr = 0;
		if (!spool_newest(c->spool, &skip, &id))
			return;
	}
	if (begin_post(c, l, id) > 0)
		hold(l, c->mono_ms + COURIER_PAUSE_MIN_MS); /* the spool has set it aside, or given it up */
}

/* A new key is tried at once: it is another question than the one that was answered by "later". */
static void look_at_key(struct courier *c)
{
	struct err err = ERR_INIT;
	int changed;

	if (c->key_looked_ms != INT64_MIN && c->mono_ms - c->key_looked_ms < COURIER_KEY_LOOK_MS)
		return;
	c->key_looked_ms = c->mono_ms;
	changed = bearer_refresh(&c->bearer, &err);
	if (changed < 0)
		log_warn(c->log, "key_unreadable", LOG_STR("error", err.msg), LOG_STR("meaning", "going on with the old key"));
	if (changed <= 0)
		return;
	log_info(c->log, "key_changed", LOG_BOOL("was_refused", c->status.key_refused));
	for (size_t i = 0; i < NR_LANES && c->status.key_refused; i++)
		c->lanes[i].hold_ms = c->mono_ms;
}

int courier_fd(const struct courier *c)
{
	return wire_fd(c->wire);
}

static int sooner(int64_t a_ms, int64_t b_ms)
{
	int64_t ms = a_ms < 0 || (b_ms >= 0 && b_ms < a_ms) ? b_ms : a_ms;

	return ms > INT32_MAX ? INT32_MAX : (int)ms;
}

int courier_timeout_ms(const struct courier *c, int64_t mono_ms)
{
	int64_t due = wire_timeout_ms(c->wire);
	const struct lane *next = &c->lanes[live_waits(c) ? LIVE : BACKLOG];
	uint64_t id;

	if (c->stopping)
		return (int)due;
	if (c->bearer.path)
		due = sooner(due, c->key_looked_ms == INT64_MIN ? 0 : c->key_looked_ms + COURIER_KEY_LOOK_MS > mono_ms ?
								  c->key_looked_ms + COURIER_KEY_LOOK_MS - mono_ms : 0);
	if (!next->busy && (live_waits(c) || (!c->lanes[LIVE].busy && spool_newest(c->spool, NULL, &id))))
		due = sooner(due, next->hold_ms > mono_ms ? next->hold_ms - mono_ms : 0);
	return (int)due;
}

void courier_turn(struct courier *c, int64_t mono_ms)
{
	c->mono_ms = mono_ms;
	wire_turn(c->wire);
	if (c->stopping)
		return;
	look_at_key(c);
	begin_live(c);
	begin_backlog(c);
}

void courier_stop(struct courier *c, int64_t within_ms)
{
	int64_t until_ms = clock_mono_ms() + within_ms;

	c->stopping = true;
	while (c->lanes[LIVE].busy || c->lanes[BACKLOG].busy) {
		struct pollfd fd = {.fd = courier_fd(c), .events = POLLIN};
		int64_t left_ms = until_ms - clock_mono_ms();

		if (left_ms <= 0)
			break;
		poll(&fd, 1, sooner(wire_timeout_ms(c->wire), left_ms));
		courier_turn(c, clock_mono_ms());
	}
}

void courier_read_status(const struct courier *c, int64_t mono_ms, struct courier_status *out)
{
	const struct lane *l = &c->lanes[LIVE];

	*out = c->status;
	out->retry_in_ms = l->hold_ms > mono_ms ? l->hold_ms - mono_ms : 0;
}

int64_t courier_flush_at_ms(int64_t slot_end_ms, const char *machine)
{
	return slot_end_ms + (int64_t)(XXH3_64bits(machine, strlen(machine)) % COURIER_FLUSH_SPREAD_MS);
}
