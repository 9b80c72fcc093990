/* desk_world.h - a desk in a world of its own: a clock that is told, a Kafka of what was committed, and a delivery that does as it is bidden.
 *
 * Series are called by a letter: series a has the tag host=a. Times are in seconds. */
#ifndef MILLRACE_TESTS_NOTIFY_DESK_WORLD_H
#define MILLRACE_TESTS_NOTIFY_DESK_WORLD_H

#include <stdarg.h>
#include <string.h>

#include "sink/notify/desk.h"
#include "tests/unit/unit.h"

enum { WORLD_RECORDS_MAX = 20000, WORLD_HELD_MAX = 4096, WORLD_TEXT_SIZE = 65536 };

struct world_record {
	enum desk_topic topic;
	struct buf key, value;
};

struct world_job {
	uint8_t incident[16];
	char receiver[65];
	int64_t sequence;
};

/* Told of each job that is given out. */
typedef void (*world_job_fn)(void *ctx, int64_t now_s, const struct desk_job *job);

struct world {
	struct desk *desk;
	struct desk_conf conf;
	int64_t now_s, late_s; /* late: how long ago events were made that are taken now */
	struct world_record records[WORLD_RECORDS_MAX]; /* committed; the newest of each key */
	size_t nr_records, nr_in_txn;
	bool pauses, drops;
	bool holds;                /* jobs get no outcome */
	bool aborts;               /* the next transaction is */
	enum sent_outcome outcome; /* of the others */
	struct world_job held[WORLD_HELD_MAX];
	size_t nr_held, nr_were; /* were: held once, with an outcome now */
	world_job_fn on_job;
	void *ctx;
	char text[WORLD_TEXT_SIZE]; /* the transcript: "30 ops 1 open a+ b+" */
	size_t len;
	struct buf rows[3][64]; /* receivers, silences, acks that a new desk is given, too */
	char row_keys[3][64][65];
	size_t row_key_len[3][64], nr_rows[3];
};

static inline bool world_pauses(void *ctx, struct str site)
{
	(void)site;
	return ((struct world *)ctx)->pauses;
}

static inline bool world_drops(void *ctx, struct str site)
{
	(void)site;
	return ((struct world *)ctx)->drops;
}

static inline struct world *world_new(int64_t site_rate)
{
	struct world *w = calloc(1, sizeof(*w));

	ck_assert_ptr_nonnull(w);
	w->conf = (struct desk_conf){.site_rate = site_rate, .controls = {world_pauses, world_drops, w}};
	w->desk = desk_new(&w->conf, NULL);
	ck_assert_ptr_nonnull(w->desk);
	return w;
}

static inline void world_free(struct world *w)
{
	for (size_t i = 0; i < w->nr_records + w->nr_in_txn; i++) {
		buf_fini(&w->records[i].key);
		buf_fini(&w->records[i].value);
	}
	for (int t = 0; t < 3; t++)
		for (size_t i = 0; i < w->nr_rows[t]; i++)
			buf_fini(&w->rows[t][i]);
	desk_free(w->desk);
	free(w);
}

static inline int world_give_row(struct world *w, int table, struct str key, struct str value, struct err *err)
{
	static const table_row_fn takes[] = {desk_take_receiver, desk_take_silence, desk_take_ack};

	return takes[table](w->desk, &(struct table_row){.key = key, .value = value}, err);
}

/* A row of a table; keeps value's bytes. */
static inline void world_row(struct world *w, int table, struct str key, struct buf value)
{
	size_t i = 0;
	struct err err = ERR_INIT;

	ck_assert_uint_le(key.len, 64);
	while (i < w->nr_rows[table] && !str_eq(key, (struct str){w->row_keys[table][i], w->row_key_len[table][i]}))
		i++;
	ck_assert_uint_lt(i, 64);
	if (i == w->nr_rows[table])
		w->nr_rows[table]++;
	buf_fini(&w->rows[table][i]);
	w->rows[table][i] = value;
	memcpy(w->row_keys[table][i], key.p, key.len);
	w->row_key_len[table][i] = key.len;
	ck_assert_msg(world_give_row(w, table, key, value.p ? buf_str(&value) : (struct str){0}, &err) == 0, "%s", err.msg);
}

static inline void world_receiver(struct world *w, const struct receiver *r)
{
	struct buf value = BUF_INIT;

	ck_assert_int_eq(receiver_encode(r, &value, NULL), 0);
	world_row(w, 0, r->id, value);
}

static inline void world_silence(struct world *w, const struct silence *s)
{
	struct buf value = BUF_INIT;

	ck_assert_int_eq(silence_encode(s, &value, NULL), 0);
	world_row(w, 1, s->id, value);
}

static inline void world_ack(struct world *w, const uint8_t incident[16])
{
	struct ack ack = {.author = STR("ann"), .reason = STR("on it"), .at = w->now_s * 1000};
	struct buf value = BUF_INIT;

	memcpy(ack.incident, incident, 16);
	ck_assert_int_eq(ack_encode(&ack, &value, NULL), 0);
	world_row(w, 2, (struct str){(const char *)incident, 16}, value);
}

/* A receiver with the defaults. */
static inline struct receiver world_plain_receiver(const char *id)
{
	static const struct webhook_target hook = {.url = {"https://a.example/", 18}, .secret_file = {"", 0}, .bearer_file = {"", 0}};

	return (struct receiver){
		.id = str_from(id), .has_webhook = true, .webhook = hook, .group_wait_ms = 30000, .group_interval_ms = 300000,
		.repeat_ms = 14400000, .resolve = true, .escalate_to = STR(""), .author = STR("ann"),
	};
}

/* An event about a series; the episode is that of its opening at opened_s. */
static inline void world_event(struct world *w, enum alert_event_kind kind, const char *trigger, char series, int64_t opened_s, int64_t minute_s)
{
	char host[2] = {series, 0};
	struct tag tag = {STR("host"), str_from(host)};
	struct alert_event ev = {
		.kind = kind, .trigger = str_from(trigger), .cell = STR("main"), .site = STR("shop"), .site_name = STR("Shop"), .description = STR("slow"),
		.severity = ALERT_SEVERITY_WARNING, .condition = STR("p95 > 1"), .warm_up_minutes = 1, .cooldown_minutes = 1, .name = STR("http.duration"),
		.has_series_kind = true, .series_kind = SERIES_KIND_DISTRIBUTION, .tags = &tag, .tags_len = 1, .opened_at = opened_s * 1000,
		.minute = minute_s * 1000, .reason = STR(""), .at = (w->now_s - w->late_s) * 1000,
	};
	struct err err = ERR_INIT;

	ev.fingerprint[15] = (uint8_t)series;
	ev.episode[0] = (uint8_t)series;
	memcpy(ev.episode + 8, &opened_s, sizeof(opened_s));
	memcpy(ev.id, ev.episode, 16);
	ev.id[1] = (uint8_t)kind;
	ck_assert_msg(desk_take_event(w->desk, w->now_s * 1000, &ev, &err) == 0, "%s", err.msg);
}

static inline void world_say(struct world *w, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	w->len += (size_t)vsnprintf(w->text + w->len, sizeof(w->text) - w->len, fmt, ap);
	va_end(ap);
	ck_assert_uint_lt(w->len, sizeof(w->text));
}

static inline void world_say_job(struct world *w, const struct desk_job *job)
{
	world_say(w, "%lld %.*s %lld %s", (long long)w->now_s, STR_ARG(job->receiver_id), (long long)job->sequence, incident_state_name(job->state));
	for (size_t i = 0; i < job->alerts_len; i++)
		world_say(w, " %.*s%c", STR_ARG(job->alerts[i]->tags[0].value), job->alerts[i]->state == INCIDENT_ALERT_STATE_CLOSED ? '-' : '+');
	if (job->incident->behind_opened > 0)
		world_say(w, " behind %lld/%lld", (long long)job->incident->behind_opened, (long long)job->incident->behind_closed);
	world_say(w, "\n");
}

static inline void world_commit_one(struct world *w, struct world_record *new)
{
	for (size_t i = 0; i < w->nr_records; i++)
		if (w->records[i].topic == new->topic && str_eq(buf_str(&w->records[i].key), buf_str(&new->key))) {
			buf_fini(&w->records[i].key);
			buf_fini(&w->records[i].value);
			w->records[i] = *new;
			return;
		}
	ck_assert_uint_lt(w->nr_records, WORLD_RECORDS_MAX);
	w->records[w->nr_records++] = *new;
}

/* One transaction of all that is dirty. */
static inline void world_transaction(struct world *w)
{
	static struct world_record txn[WORLD_RECORDS_MAX]; /* style: too large for a stack */
	size_t nr = 0;
	int rc;

	while ((rc = desk_next_record(w->desk, &txn[nr].topic, &txn[nr].key, &txn[nr].value, NULL)) == 1)
		ck_assert_uint_lt(++nr, WORLD_RECORDS_MAX);
	ck_assert_int_eq(rc, 0);
	buf_fini(&txn[nr].key);
	buf_fini(&txn[nr].value);
	for (size_t i = 0; i < nr; i++)
		if (w->aborts) {
			buf_fini(&txn[i].key);
			buf_fini(&txn[i].value);
		} else {
			world_commit_one(w, &txn[i]);
		}
	memset(txn, 0, (nr + 1) * sizeof(txn[0]));
	if (w->aborts)
		desk_aborted(w->desk);
	else
		desk_committed(w->desk);
	w->aborts = false;
}

static inline void world_hold(struct world *w, const struct desk_job *job)
{
	struct world_job *held = &w->held[w->nr_held++];

	for (size_t i = 0; i + 1 < w->nr_held; i++)
		ck_assert_msg(memcmp(w->held[i].incident, job->incident_id, 16) != 0 || !str_eq(str_from(w->held[i].receiver), job->receiver_id),
			      "two jobs at once");
	ck_assert_uint_lt(w->nr_held, WORLD_HELD_MAX);
	memcpy(held->incident, job->incident_id, 16);
	snprintf(held->receiver, sizeof(held->receiver), "%.*s", STR_ARG(job->receiver_id));
	held->sequence = job->sequence;
}

static inline bool world_outcome(struct world *w, const struct world_job *job, enum sent_outcome outcome)
{
	return desk_outcome(w->desk, w->now_s * 1000, job->incident, str_from(job->receiver), job->sequence, outcome, 1,
			    outcome == SENT_OUTCOME_GAVE_UP ? STR("404") : STR(""));
}

/* All that happens now: turns, transactions, jobs, outcomes, until nothing is left to do. */
static inline void world_turn(struct world *w)
{
	struct arena arena = ARENA_INIT;
	struct desk_job job;
	struct err err = ERR_INIT;
	bool more = true;

	while (more) {
		more = false;
		while (desk_next_ms(w->desk) <= w->now_s * 1000)
			ck_assert_msg(desk_turn(w->desk, w->now_s * 1000, false, &err) == 0, "%s", err.msg);
		while (desk_is_dirty(w->desk))
			world_transaction(w);
		while (desk_next_job(w->desk, w->now_s * 1000, &arena, &job, &err) == 1) {
			more = true;
			if (w->on_job)
				w->on_job(w->ctx, w->now_s, &job);
			else
				world_say_job(w, &job);
			world_hold(w, &job);
			if (!w->holds)
				ck_assert(world_outcome(w, &w->held[--w->nr_held], w->outcome));
			arena_clear(&arena);
		}
		more |= desk_is_dirty(w->desk);
	}
	arena_fini(&arena);
}

/* The desk's process is gone, with what it had not committed, and another one takes over. */
static inline void world_restart(struct world *w)
{
	struct arena arena = ARENA_INIT;

	desk_free(w->desk);
	w->desk = desk_new(&w->conf, NULL);
	w->nr_held = 0;
	for (int t = 0; t < 3; t++)
		for (size_t i = 0; i < w->nr_rows[t]; i++)
			if (w->rows[t][i].p)
				ck_assert_int_eq(world_give_row(w, t, (struct str){w->row_keys[t][i], w->row_key_len[t][i]}, buf_str(&w->rows[t][i]), NULL), 0);
	for (enum desk_topic topic = DESK_INCIDENTS; topic <= DESK_SENT; topic++)
		for (size_t i = 0; i < w->nr_records; i++) {
			struct incident incident;
			struct sent sent;

			if (w->records[i].topic != topic)
				continue;
			arena_clear(&arena);
			if (topic == DESK_INCIDENTS) {
				ck_assert_int_eq(incident_decode(buf_str(&w->records[i].value), &arena, &incident, NULL), 0);
				ck_assert_int_eq(desk_take_incident(w->desk, w->now_s * 1000, &incident, NULL), 0);
			} else {
				ck_assert_int_eq(sent_decode(buf_str(&w->records[i].value), &arena, &sent, NULL), 0);
				ck_assert_int_eq(desk_take_sent(w->desk, &sent, NULL), 0);
			}
		}
	desk_loaded(w->desk, w->now_s * 1000);
	arena_fini(&arena);
}

/* The id of the newest incident that was committed. */
static inline void world_newest(const struct world *w, uint8_t id[16])
{
	for (size_t i = 0; i < w->nr_records; i++)
		if (w->records[i].topic == DESK_INCIDENTS)
			memcpy(id, w->records[i].key.p, 16);
}

#endif
