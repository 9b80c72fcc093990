/* fake_consumer.c - stands in for consumer.c and scout.c at link time: the same headers, above fake_kafka.h.
 *
 * An archive's member is linked for what is not defined yet, so that defining everything that the product calls of these keeps them, and librdkafka
 * behind them, out. What is lost with them is what they guard against in the client (G1 to G11); rule D is kept here as consumer.c keeps
 * it: the metadata is taken at the top of each callback and held until the next. A host that has died goes on through whatever C code it is in, and
 * nothing it does reaches a broker: to the others it is the same as a process that is gone. G11 is kept here as well. */
#include <stdlib.h>
#include <string.h>

#include "processor/consumer.h"
#include "processor/scout.h"
#include "tests/unit/processor/fake_kafka.h"

enum { LEAKS = 2, DISCONNECTED_MS = 30000 };

/* How the client reads one partition. */
struct fetch {
	bool started;
	bool exact;    /* was sought just now: the next record is the one at that offset */
	bool told_end;
	int leaks;     /* records that come although it is paused */
	int64_t at;
};

struct consumer {
	struct fake_host *host;
	struct consumer_hooks hooks;
	int64_t member, generation; /* as the client's thread knows them; 0: thrown out */
	struct fake_metadata held;  /* member 0: none */
	uint32_t mine;              /* inputs that the callback has given and not taken */
	enum fake_call call;
	uint32_t called_with;
	int64_t told_member;        /* as of the last callback */
	bool lost;                  /* thrown out, and not yet told */
	bool untold;                /* thrown out while a callback was waiting: will never be told */
	bool broken;
	bool joined;
	bool failed;                /* for good */
	struct fetch fetch[FAKE_INPUTS];
};

struct scout {
	struct fake_host *host;
	const char *topic; /* NULL: reads nothing */
	int32_t partition; /* of it */
	const struct fake_log *log;
	int64_t at, sent_ms, polled_ms;
	int64_t end; /* of the log, at the last fetch; -1: none yet */
	int64_t told_end; /* where it was told last; -1: not yet */
};

/* A message with what librdkafka keeps behind it. */
struct fake_message {
	rd_kafka_message_t message;
	int64_t timestamp_ms;
};

static rd_kafka_message_t *new_message(const char *topic, int32_t partition, int64_t offset, rd_kafka_resp_err_t code)
{
	struct fake_message *m = calloc(1, sizeof(*m));

	ck_assert_ptr_nonnull(m);
	m->message.rkt = (rd_kafka_topic_t *)(uintptr_t)topic;
	m->message.partition = partition;
	m->message.offset = offset;
	m->message.err = code;
	return &m->message;
}

static rd_kafka_message_t *record_message(const char *topic, int32_t partition, int64_t offset, const struct fake_record *record, int64_t now_ms)
{
	static const uint8_t newer[] = {0, 0, 0, 3, 0xe7, 'n', 'e', 'w', 'e', 'r'};
	rd_kafka_message_t *message = new_message(topic, partition, offset, RD_KAFKA_RESP_ERR_NO_ERROR);
	bool readable = now_ms >= record->readable_ms;

	((struct fake_message *)message)->timestamp_ms = record->timestamp_ms;
	message->payload = readable ? record->bytes : (void *)(uintptr_t)newer; /* only read */
	message->len = readable ? record->len : sizeof(newer);
	return message;
}

void rd_kafka_message_destroy(rd_kafka_message_t *message)
{
	free(message);
}

int64_t rd_kafka_message_timestamp(const rd_kafka_message_t *message, rd_kafka_timestamp_type_t *type)
{
	*type = RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME;
	return ((const struct fake_message *)message)->timestamp_ms;
}

const char *rd_kafka_topic_name(const rd_kafka_topic_t *rkt)
{
	return (const char *)rkt;
}

const char *rd_kafka_message_errstr(const rd_kafka_message_t *message)
{
	return rd_kafka_err2name(message->err);
}

rd_kafka_resp_err_t rd_kafka_message_headers(const rd_kafka_message_t *message, rd_kafka_headers_t **headers)
{
	(void)message;
	(void)headers;
	return RD_KAFKA_RESP_ERR__NOENT;
}

struct consumer *consumer_new(const struct program *p, const struct cell_topics *topics, const struct consumer_hooks *hooks, struct err *err)
{
	struct fake_host *host = fake_host_of(p);
	struct consumer *c;
	uint32_t owned;

	ck_assert_str_eq(topics->samples, host->kafka->topics.samples);
	if (fake_fails(host, FAKE_OPEN_FAILED, 1)) {
		err_set(err, ERR_RETRY, "the topic is not there");
		return NULL;
	}
	c = calloc(1, sizeof(*c));
	ck_assert_ptr_nonnull(c);
	c->host = host;
	c->hooks = *hooks;
	host->kafka->clients[host->number] = c;
	c->member = fake_join(host->kafka, c, host, &owned);
	return c;
}

bool consumer_close(struct consumer *c, int timeout_ms)
{
	struct fake_kafka *k = c ? c->host->kafka : NULL;
	struct fake_member *m = c ? fake_member_of(k, c->member) : NULL;

	(void)timeout_ms;
	if (!c)
		return true;
	if (m)
		m->client = NULL;
	if (m && !c->host->dead && !c->host->is_static) /* static members do not leave */
		fake_leave(k, c->member);
	k->clients[c->host->number] = NULL;
	free(c);
	return true;
}

void consumer_wake_on(struct consumer *c, int fd)
{
	(void)c;
	(void)fd;
}

void fake_client_called(struct consumer *c, enum fake_call call, uint32_t partitions, int64_t generation)
{
	c->call = call;
	c->called_with = partitions;
	c->generation = generation;
}

void fake_client_heartbeat(struct consumer *c)
{
	struct fake_kafka *k = c->host->kafka;
	uint32_t owned;

	if (c->host->frozen || c->host->dead || c->lost || c->untold || fake_member_of(k, c->member) || !fake_once_in(k, 4))
		return;
	/* Thrown out: nothing is owned any more, which whoever owned something is told. Before that or after it the client joins again: the
	 * metadata may be of the new generation when the callback comes (FIELD-NOTES: a zombie can commit). */
	c->member = c->generation = 0;
	if (c->call != CALL_NONE) {
		fake_note(k, FAKE_LOST_UNTOLD, c->host, c->mine);
		c->untold = true;
		return;
	}
	c->lost = c->mine != 0;
	if (!c->lost || fake_once_in(k, 2))
		c->member = fake_join(k, c, c->host, &owned);
}

static size_t list_of(uint32_t mask, int32_t list[FAKE_INPUTS])
{
	size_t nr = 0;

	for (int32_t p = 0; p < FAKE_INPUTS; p++)
		if (mask & 1u << p)
			list[nr++] = p;
	return nr;
}

/* The inputs of partitions that the group names. */
static uint32_t inputs_of(uint32_t partitions)
{
	return partitions | partitions << FAKE_PARTITIONS;
}

/* And back: what the group thinks of when inputs are ours. */
static uint32_t named(uint32_t inputs)
{
	return inputs & ((1u << FAKE_PARTITIONS) - 1);
}

static void call_assigned(struct consumer *c, uint32_t mask)
{
	int32_t list[FAKE_INPUTS];
	size_t nr = list_of(mask, list);

	fake_note(c->host->kafka, FAKE_ASSIGN, c->host, mask);
	for (size_t i = 0; i < nr; i++)
		c->fetch[list[i]] = (struct fetch){.at = c->host->kafka->input[list[i]].base, .leaks = LEAKS};
	c->mine |= mask;
	c->joined = true;
	c->hooks.assigned(c->hooks.ctx, list, nr);
}

static void call_revoked(struct consumer *c, uint32_t mask, bool lost)
{
	int32_t list[FAKE_INPUTS];
	size_t nr = list_of(mask, list);

	fake_note(c->host->kafka, lost ? FAKE_LOST : FAKE_REVOKE, c->host, mask);
	c->hooks.revoked(c->hooks.ctx, list, nr, lost);
	c->mine &= ~mask;
}

/* The callback that the coordinator's word made is over. */
static void answer(struct consumer *c, int64_t member, uint32_t given_back)
{
	struct fake_kafka *k = c->host->kafka;
	struct fake_member *m = fake_member_of(k, member);

	if (!m || c->host->dead)
		return;
	m->answering = false;
	m->owned &= ~given_back;
	k->rebalance_due |= given_back != 0;
}

/* The callback that was waiting when the client was thrown out. Then it joins again, with what else it has. */
static void serve_untold(struct consumer *c, enum fake_call call, uint32_t mask, bool stale)
{
	struct fake_kafka *k = c->host->kafka;
	struct fake_member *m;
	uint32_t owned;

	c->untold = false;
	if (call == CALL_ASSIGN)
		call_assigned(c, inputs_of(mask));
	else
		call_revoked(c, inputs_of(mask) & c->mine, stale);
	if (c->host->dead)
		return;
	c->member = fake_join(k, c, c->host, &owned);
	m = fake_member_of(k, c->member);
	if (m)
		m->claimed = named(c->mine) & ~owned;
}

/* The client's queue has come to the rebalance callback. */
static void serve_call(struct consumer *c)
{
	enum fake_call call = c->call;
	uint32_t mask = c->called_with, owned;
	int64_t member = c->member;
	bool stale;

	c->held = (struct fake_metadata){c->member, c->generation}; /* rule D */
	stale = c->told_member != c->member && c->mine;
	c->broken |= stale && !c->lost && (call == CALL_ASSIGN || named(c->mine) & ~mask);
	c->told_member = c->member;
	if (c->lost) {
		call_revoked(c, c->mine, true);
		c->lost = false;
		if (!c->host->dead && !c->member)
			c->member = fake_join(c->host->kafka, c, c->host, &owned);
		return;
	}
	c->call = CALL_NONE;
	if (c->untold) {
		serve_untold(c, call, mask, stale);
		return;
	}
	if (call == CALL_ASSIGN) {
		call_assigned(c, inputs_of(mask));
		answer(c, member, 0);
	} else {
		call_revoked(c, inputs_of(mask), stale);
		answer(c, member, mask);
	}
}

/* One of the client's vices, before it hands over what is at f->at. */
static void misbehave(struct fake_kafka *k, const struct fake_host *host, const struct fake_log *log, struct fetch *f)
{
	int64_t behind = f->at - log->base, ahead = fake_end(log) - f->at - 1;

	if (!k->vices || f->exact || !fake_once_in(k, 80))
		return;
	if (behind > 0 && fake_once_in(k, 2)) {
		f->at -= 1 + (int64_t)fake_dice(k, (uint64_t)(behind < 4 ? behind : 4));
		fake_note(k, FAKE_OLD_OFFSET, host, f->at);
	} else if (ahead > 0) {
		f->at += 1 + (int64_t)fake_dice(k, (uint64_t)ahead);
		fake_note(k, FAKE_JUMP, host, f->at);
	}
}

/* What the client has fetched of a partition. */
static rd_kafka_message_t *fetch(struct consumer *c, int32_t p)
{
	struct fake_kafka *k = c->host->kafka;
	const struct fake_log *log = &k->input[p];
	struct input in = topics_input(&k->topics, p);
	struct fetch *f = &c->fetch[p];

	if (f->started) {
		misbehave(k, c->host, log, f);
	} else {
		if (!f->leaks || !fake_at(log, f->at) || !k->vices || !fake_once_in(k, 4))
			return NULL;
		f->leaks--;
		fake_note(k, FAKE_LEAK, c->host, f->at);
	}
	f->exact = false;
	if (f->at < fake_end(log)) {
		f->told_end = false;
		f->at++;
		return record_message(in.topic, in.partition, f->at - 1, fake_at(log, f->at - 1), k->now_ms);
	}
	if (f->told_end)
		return NULL;
	f->told_end = true;
	k->seen[FAKE_END]++;
	return new_message(in.topic, in.partition, f->at, RD_KAFKA_RESP_ERR__PARTITION_EOF);
}

rd_kafka_message_t *consumer_poll(struct consumer *c)
{
	struct fake_kafka *k = c->host->kafka;
	bool called = c->call != CALL_NONE || c->lost;
	int at = (int)fake_dice(k, FAKE_INPUTS);

	if (c->host->dead || c->host->polls_left-- <= 0)
		return NULL;
	if (called && fake_once_in(k, 8)) { /* what was fetched before it comes before it */
		serve_call(c);
		return NULL;
	}
	if (k->vices && fake_once_in(k, 8000)) {
		fake_note(k, FAKE_CLIENT_FAILED, c->host, 0);
		c->failed = true;
	}
	if (c->failed)
		return new_message(k->topics.samples, RD_KAFKA_PARTITION_UA, 0, RD_KAFKA_RESP_ERR__FATAL);
	if (k->vices && fake_once_in(k, 500)) {
		k->seen[FAKE_CLIENT_ERROR]++;
		return new_message(k->topics.samples, (int32_t)fake_dice(k, FAKE_PARTITIONS), 0, RD_KAFKA_RESP_ERR__TRANSPORT);
	}
	for (int i = 0; i < FAKE_INPUTS; i++, at = (at + 1) % FAKE_INPUTS) {
		rd_kafka_message_t *message = c->mine & 1u << at ? fetch(c, at) : NULL;

		if (message)
			return message;
	}
	if (called)
		serve_call(c);
	return NULL;
}

int consumer_refetch(struct consumer *c, int32_t partition, int64_t offset, struct err *err)
{
	struct fetch *f = &c->fetch[partition];

	if (fake_fails(c->host, FAKE_SEEK_FAILED, partition) || !(c->mine & 1u << partition))
		return err_set(err, ERR_RETRY, "seek");
	f->at = offset;
	f->exact = true;
	f->told_end = false;
	return 0;
}

int consumer_start(struct consumer *c, int32_t partition, int64_t offset, struct err *err)
{
	if (consumer_refetch(c, partition, offset, err) < 0)
		return -1;
	c->fetch[partition].started = true;
	return 0;
}

int consumer_hold(struct consumer *c, int32_t partition, struct err *err)
{
	if (fake_fails(c->host, FAKE_SEEK_FAILED, partition))
		return err_set(err, ERR_RETRY, "pause");
	c->fetch[partition].started = false;
	return 0;
}

int consumer_committed(struct consumer *c, int32_t partition, int timeout_ms, struct committed *out, struct buf *buf, struct err *err)
{
	struct fake_kafka *k = c->host->kafka;
	const struct fake_offset *committed = &k->committed[partition];

	fake_spend(c->host, (int64_t)fake_dice(k, 5));
	if (fake_fails(c->host, FAKE_ASK_FAILED, partition))
		return err_set(err, ERR_RETRY, "the coordinator is away");
	if (fake_txn_pending(k, partition)) {
		fake_note(k, FAKE_PENDING, c->host, partition);
		fake_spend(c->host, timeout_ms);
		return err_set(err, ERR_RETRY, "an offset is pending");
	}
	buf_clear(buf);
	buf_add(buf, committed->metadata, strlen(committed->metadata));
	*out = (struct committed){committed->offset, buf_str(buf)};
	return 0;
}

bool consumer_is_fenced(const struct consumer *c)
{
	(void)c;
	return false;
}

bool consumer_is_broken(const struct consumer *c)
{
	return c->broken;
}

bool consumer_joined(const struct consumer *c)
{
	return c->joined;
}

const rd_kafka_consumer_group_metadata_t *consumer_group(const struct consumer *c)
{
	return c->held.member && c->held.generation && !c->broken ? (const rd_kafka_consumer_group_metadata_t *)&c->held : NULL;
}

int64_t consumer_end_offset(struct consumer *c, int32_t partition)
{
	return fake_end(&c->host->kafka->input[partition]);
}

/* The scout. */

struct scout *scout_new(const struct program *p, struct err *err)
{
	struct scout *s = calloc(1, sizeof(*s));

	(void)err;
	ck_assert_ptr_nonnull(s);
	s->host = fake_host_of(p);
	return s;
}

void scout_free(struct scout *s, int timeout_ms)
{
	(void)timeout_ms;
	free(s);
}

void scout_wake_on(struct scout *s, int fd)
{
	(void)s;
	(void)fd;
}

rd_kafka_t *scout_client(const struct scout *s)
{
	(void)s;
	return NULL;
}

int scout_send(struct scout *s, const char *topic, int32_t partition, int64_t offset, struct err *err)
{
	struct fake_kafka *k = s->host->kafka;
	int32_t number = topics_number(&k->topics, topic, partition), state = topics_state_number(&k->topics, topic, partition);

	(void)err;
	ck_assert((number < 0) != (state < 0));
	s->topic = topic;
	s->partition = partition;
	s->log = state < 0 ? &k->input[number] : &k->state[state];
	s->at = offset == RD_KAFKA_OFFSET_BEGINNING ? s->log->low : offset == RD_KAFKA_OFFSET_END ? fake_end(s->log) : offset;
	s->end = -1;
	s->told_end = -1;
	s->sent_ms = k->now_ms;
	fake_note(k, state < 0 ? FAKE_BEGINNING_READ : FAKE_SNAPSHOT_READ, s->host, s->at);
	return 0;
}

void scout_recall(struct scout *s)
{
	s->topic = NULL;
}

/* Passes over markers and what was aborted. False: the end of what can be read for now. */
static bool scout_advance(struct scout *s)
{
	struct fake_kafka *k = s->host->kafka;
	const struct fake_record *record;

	for (; (record = fake_at(s->log, s->at)) != NULL; s->at++) {
		if (record->marker)
			continue;
		if (!record->txn)
			return true;
		if (!fake_txn_seen(k, record->txn, s->log >= &k->state[FAKE_PARTITIONS] ? TXN_EVENTS_STATE : TXN_SAMPLES_STATE)) {
			fake_note(k, FAKE_MARKER_AWAITED, s->host, s->at);
			return false;
		}
		if (record->txn->fate == FATE_COMMITTED)
			return true;
	}
	return false;
}

int64_t scout_end(const struct scout *s)
{
	return s->end;
}

rd_kafka_message_t *scout_poll(struct scout *s)
{
	struct fake_kafka *k = s->host->kafka;

	if (k->now_ms - s->polled_ms > DISCONNECTED_MS) /* was frozen: its connections are gone */
		s->sent_ms = k->now_ms;
	s->polled_ms = k->now_ms;
	if (!s->topic || s->host->dead || (k->vices && k->now_ms - s->sent_ms < 3000 && fake_once_in(k, 2)))
		return NULL;
	if (k->vices && fake_once_in(k, 50))
		return new_message(s->topic, s->partition, s->at, RD_KAFKA_RESP_ERR__TRANSPORT);
	s->end = fake_end(s->log);
	if (s->at < s->log->low)
		return new_message(s->topic, s->partition, s->at, RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET);
	if (scout_advance(s)) {
		s->at++;
		return record_message(s->topic, s->partition, s->at - 1, fake_at(s->log, s->at - 1), k->now_ms);
	}
	if (s->told_end == s->at)
		return NULL;
	s->told_end = s->at; /* aborted records were passed over: another end */
	return new_message(s->topic, s->partition, s->at, RD_KAFKA_RESP_ERR__PARTITION_EOF);
}
