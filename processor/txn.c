/* txn.c - see txn.h.
 *
 * librdkafka says what an error demands, and that alone is listened to: retriable, the same call again (send_offsets is not resumable, it is
 * repeated with identical arguments); abort; fatal, or none of these: the producer is thrown away and another made, whose
 * init_transactions() ends what the old one left open. "Sequence desynchronization" after a disconnect (issue 4438) is such a fatal one.
 *
 *  I1  No step is begun behind the deadline, nor a commit when there is little left: a process that was frozen or starved inside a transaction
 *      aborts, rather than commits what the broker is about to time out.
 *  I2  A commit once begun cannot be taken back: librdkafka 2.0.2 refuses to abort while it waits for one, and with a time-out near 0
 *      it leaves the transaction in that state before anything was sent. So a commit is given at least COMMIT_MARGIN_MS, or is not begun.
 *  I3  Of a commit that was begun and failed, only the committed offset tells the outcome. Even a good abort behind it does not: when the
 *      coordinator has forgotten the producer, 2.0.2 calls a transaction aborted that it never asked about, having got a new epoch.
 *  I4  send_offsets may come back later than it was told: 2.0.2 waits for an answer of the coordinator as long as for any request, here 9.9 s
 *      (socket.timeout.ms, derived from transaction.timeout.ms unless set). It is then too late by I1. Or it does not come back (txn_offsets.h):
 *      the producer is given up then.
 *  I5  Nothing is sent until it is flushed: emission.c says why. */
#include "processor/txn.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/kafka.h"
#include "common/report.h"
#include "common/txn_offsets.h"
#include "processor/shares.h"

enum {
	DEADLINE_MS = 8000,   /* of all steps of a transaction; transaction.timeout.ms is 10 s */
	OFFSETS_PATIENCE_MS = 2500, /* behind the deadline, see (I4) */
	COMMIT_MARGIN_MS = 1000, /* what a commit must have left: one takes 30 to 90 ms, under load some 300 */
	LOOK_EVERY = 64,      /* records between two looks at the clock: 25 ns of 1300 a record would be seen, and 64 take a tenth of a ms */
	STALL_MS = DEADLINE_MS + 500, /* of the fault point: behind our deadline, before the broker's */
	INIT_MS = 3000,       /* one try of init_transactions() */
	CHECK_MS = 3000,      /* one look at a topic */
	ABORT_MS = 3000,
	CLOSE_MS = 2000,
	QUEUE_TURN_MS = 20,   /* how long to wait for room in the queue */
	RETRY_TURN_MS = 20,   /* a retriable error may come back at once */
	STAGE_RECORDS = 128,  /* that go to the client in one call: for each call it takes two clocks and three locks */
	STAGED_BYTES_MAX = 1024, /* of a record: for larger ones the call is little */
};

enum txn_state { STATE_CLOSED, STATE_MADE, STATE_IDLE, STATE_OPEN };

enum verdict { VERDICT_OK, VERDICT_RETRY, VERDICT_ABORT, VERDICT_BROKEN };

/* Records of one topic and partition that the client has not got yet, keys and values one behind the other. */
struct stage {
	enum txn_topic topic;
	int32_t partition;
	int nr;
	struct buf bytes;
	rd_kafka_message_t records[STAGE_RECORDS];
};

struct txn {
	const struct program *program;
	const struct cell_topics *topics;
	rd_kafka_t *rk;
	rd_kafka_topic_t *rkt[NR_TXN_TOPICS];
	enum txn_state state;
	int64_t deadline_mono_ms;
	uint64_t failed; /* records of this transaction that were not acknowledged ... */
	rd_kafka_resp_err_t failed_code; /* ... and why one of them was not */
	unsigned int produced; /* in this transaction */
	struct stage stage;
	const char *reason;
	uint64_t left_behind; /* clients that did not end within CLOSE_MS: their threads and memory stay until the process ends */
	uint64_t stall_calls; /* of the fault point ... */
	bool stalled;         /* ... which stalls once */
};

struct txn *txn_new(const struct program *p, const struct cell_topics *topics)
{
	struct txn *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->program = p;
	t->topics = topics;
	t->reason = "";
	return t;
}

static void drop_topics(void *ctx)
{
	struct txn *t = ctx;

	for (size_t i = 0; i < NR_TXN_TOPICS; i++)
		if (t->rkt[i])
			rd_kafka_topic_destroy(t->rkt[i]);
	memset(t->rkt, 0, sizeof(t->rkt));
}

/* Throws the producer away, within CLOSE_MS. What is in its queue is never sent: the transaction it belongs to will be aborted. A client that
 * hangs is left behind; how many is told, as each keeps some MB and its threads, so that a process which collects them can be seen. */
static void txn_close(struct txn *t)
{
	drop_topics(t);
	if (t->rk)
		rd_kafka_purge(t->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
	if (!kafka_close(t->rk, CLOSE_MS))
		log_warn(&t->program->log, "producer_left_behind", LOG_UINT("clients", ++t->left_behind));
	t->rk = NULL;
	t->state = STATE_CLOSED;
}

bool txn_free(struct txn *t)
{
	bool ended;

	if (!t)
		return true;
	if (t->state == STATE_OPEN)
		txn_abort(t);
	txn_close(t);
	ended = t->left_behind == 0;
	buf_fini(&t->stage.bytes);
	free(t);
	return ended;
}

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
	struct txn *t = opaque;
	struct txn_delivery *delivery = message->_private;

	(void)rk;
	if (message->err) {
		/* The one that was refused makes the client purge the others. */
		if (!t->failed++ || t->failed_code == RD_KAFKA_RESP_ERR__PURGE_QUEUE || t->failed_code == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT)
			t->failed_code = message->err;
	} else if (delivery) {
		delivery->offset = message->offset;
	}
}

/* Judges and destroys an error; NULL is VERDICT_OK. */
static enum verdict judge(struct txn *t, rd_kafka_error_t *error, const char *what, struct err *err)
{
	enum verdict verdict = VERDICT_BROKEN;

	if (!error)
		return VERDICT_OK;
	if (rd_kafka_error_is_fatal(error))
		verdict = VERDICT_BROKEN;
	else if (rd_kafka_error_txn_requires_abort(error))
		verdict = VERDICT_ABORT;
	else if (rd_kafka_error_is_retriable(error))
		verdict = VERDICT_RETRY;
	t->reason = rd_kafka_err2name(rd_kafka_error_code(error));
	kafka_error(err, error, what);
	if (err)
		err->kind = ERR_RETRY; /* what is fatal to a producer is not to us: the next one goes on */
	return verdict;
}

static int left_ms(const struct txn *t)
{
	int64_t left = t->deadline_mono_ms - clock_mono_ms();

	return left > 0 ? (int)left : 0;
}

/* (I1) Is there less than margin_ms left for a step? Nothing of the step may be sent then. */
static bool too_late(struct txn *t, int margin_ms, const char *step, struct err *err)
{
	int64_t left = t->deadline_mono_ms - clock_mono_ms();

	if (left > margin_ms)
		return false;
	t->reason = "STALLED";
	err_set(err, ERR_RETRY, "%s: the transaction has taken %lld of its %d ms", step, (long long)(DEADLINE_MS - left), DEADLINE_MS);
	return true;
}

/* Fault point: once, a process that is frozen in the middle of a transaction. */
static void stall_for_test(struct txn *t)
{
	if (t->stalled || !program_fault(t->program, TXN_FAULT_STALL, &t->stall_calls))
		return;
	t->stalled = true;
	log_warn(&t->program->log, "test_stall", LOG_INT("ms", STALL_MS));
	poll(NULL, 0, STALL_MS);
}

static rd_kafka_conf_t *producer_conf(const struct program *p, struct err *err)
{
	const struct shares shares = shares_of(p->common.memory_budget_bytes);
	char id[192], kbytes[24], messages[24];
	const struct kafka_prop fixed[] = {
		{"transactional.id", id},
		{"transaction.timeout.ms", "10000"},
		{"message.timeout.ms", "7000"}, /* must be below it, and below our own deadline */
		{"enable.idempotence", "true"},
		{"acks", "all"},
		{"linger.ms", "5000"}, /* (I5) */
		{"queue.buffering.max.messages", messages},
		{"queue.buffering.max.kbytes", kbytes}, /* its default is 1 GiB; below a message's size nothing would go out */
		{"message.max.bytes", "4194304"}, /* a dead letter holds a whole record */
		{0},
	};

	snprintf(messages, sizeof(messages), "%lld", (long long)shares.produce_messages);
	snprintf(kbytes, sizeof(kbytes), "%lld", (long long)shares.produce_kbytes);
	snprintf(id, sizeof(id), "millrace-processor-%s-%s", p->common.cell, p->instance);
	return kafka_conf(p, "txn", fixed, err);
}

int txn_check(const struct program *p, struct err *err)
{
	return kafka_conf_check(producer_conf(p, err));
}

static int make_producer(struct txn *t, struct err *err)
{
	rd_kafka_conf_t *conf = producer_conf(t->program, err);

	if (!conf)
		return -1;
	rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
	rd_kafka_conf_set_opaque(conf, t);
	t->rk = kafka_open(RD_KAFKA_PRODUCER, conf, err);
	if (!t->rk)
		return -1;
	t->state = STATE_MADE;
	return 0;
}

static int open_topics(struct txn *t, struct err *err)
{
	const char *names[NR_TXN_TOPICS] = {[TXN_MINUTELY] = t->topics->minutely, [TXN_HOURLY] = t->topics->hourly,
					    [TXN_EXEMPLARS] = t->topics->exemplars, [TXN_ALERTS] = t->topics->alerts,
					    [TXN_SAMPLES_STATE] = t->topics->samples_state, [TXN_EVENTS_STATE] = t->topics->events_state, [TXN_DEADLETTER] = TOPIC_DEADLETTER};

	for (size_t i = 0; i < NR_TXN_TOPICS; i++) {
		if (t->rkt[i])
			continue;
		if (kafka_check_topic(t->rk, names[i], i == TXN_DEADLETTER ? 1 : t->topics->partitions, CHECK_MS, err) < 0)
			return -1;
		t->rkt[i] = rd_kafka_topic_new(t->rk, names[i], NULL);
		if (!t->rkt[i])
			return kafka_code(err, rd_kafka_last_error(), names[i]);
	}
	return 0;
}

int txn_open(struct txn *t, struct err *err)
{
	enum verdict verdict;

	if (t->state >= STATE_IDLE)
		return 0;
	if (t->state == STATE_CLOSED && make_producer(t, err) < 0)
		return -1;
	if (open_topics(t, err) < 0)
		return -1;
	verdict = judge(t, rd_kafka_init_transactions(t->rk, INIT_MS), "register the transactional id", err);
	if (verdict == VERDICT_OK) {
		t->state = STATE_IDLE;
		return 0;
	}
	if (verdict != VERDICT_RETRY)
		txn_close(t);
	return -1; /* try again, with this producer or with a new one */
}

bool txn_is_idle(const struct txn *t)
{
	return t->state == STATE_IDLE;
}

int txn_begin(struct txn *t, struct err *err)
{
	if (t->state != STATE_IDLE)
		return err_set(err, ERR_RETRY, "begin a transaction: the producer is not ready");
	t->deadline_mono_ms = clock_mono_ms() + DEADLINE_MS;
	t->failed = 0;
	t->produced = 0;
	t->stage.nr = 0;
	buf_clear(&t->stage.bytes);
	if (judge(t, rd_kafka_begin_transaction(t->rk), "begin a transaction", err) == VERDICT_OK) {
		t->state = STATE_OPEN;
		return 0;
	}
	txn_close(t);
	return -1;
}

/* The client did not take a record. 0: there may be room now. */
static int wait_for_room(struct txn *t, rd_kafka_resp_err_t code, enum txn_topic topic, struct err *err)
{
	if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
		t->reason = rd_kafka_err2name(code);
		return err_set(err, ERR_RETRY, "produce to %s: %s", rd_kafka_topic_name(t->rkt[topic]), rd_kafka_err2str(code));
	}
	if (too_late(t, 0, "wait for room in the queue", err))
		return -1;
	rd_kafka_flush(t->rk, QUEUE_TURN_MS); /* makes it, if not in this turn; how much is of no interest */
	return 0;
}

/* Keeps those that the client had no room for. -1 when it has refused one for another reason. */
static int keep_refused(struct txn *t, struct err *err)
{
	struct stage *stage = &t->stage;
	int kept = 0;

	for (int i = 0; i < stage->nr; i++) {
		if (!stage->records[i].err)
			continue;
		if (stage->records[i].err != RD_KAFKA_RESP_ERR__QUEUE_FULL)
			return wait_for_room(t, stage->records[i].err, stage->topic, err);
		stage->records[kept++] = stage->records[i];
	}
	stage->nr = kept;
	return kept ? wait_for_room(t, RD_KAFKA_RESP_ERR__QUEUE_FULL, stage->topic, err) : 0;
}

/* Hands what is staged to the client, which copies it. */
static int send_stage(struct txn *t, struct err *err)
{
	struct stage *stage = &t->stage;
	uint8_t *at = stage->bytes.p;

	for (int i = 0; i < stage->nr; i++) {
		rd_kafka_message_t *record = &stage->records[i];

		record->key = at;
		record->payload = at + record->key_len;
		at += record->key_len + record->len;
	}
	while (stage->nr) {
		if (rd_kafka_produce_batch(t->rkt[stage->topic], stage->partition, RD_KAFKA_MSG_F_COPY, stage->records, stage->nr) == stage->nr)
			stage->nr = 0;
		else if (keep_refused(t, err) < 0)
			return -1;
	}
	buf_clear(&stage->bytes);
	return 0;
}

static int stage_record(struct txn *t, enum txn_topic topic, int32_t partition, struct str key, struct str value, struct err *err)
{
	struct stage *stage = &t->stage;

	if ((stage->nr == STAGE_RECORDS || (stage->nr && (stage->topic != topic || stage->partition != partition))) && send_stage(t, err) < 0)
		return -1;
	stage->topic = topic;
	stage->partition = partition;
	buf_add(&stage->bytes, key.p, key.len);
	buf_add(&stage->bytes, value.p, value.len);
	if (buf_failed(&stage->bytes))
		return err_nomem(err, "a transaction");
	stage->records[stage->nr++] = (rd_kafka_message_t){.key_len = key.len, .len = value.len};
	return 0;
}

int txn_produce(struct txn *t, enum txn_topic topic, int32_t partition, struct str key, struct str value, struct txn_delivery *delivery,
		struct err *err)
{
	if (delivery)
		delivery->offset = -1;
	if (t->produced++ % LOOK_EVERY == 0 && too_late(t, 0, "produce", err))
		return -1;
	if (!delivery && key.len && key.len + value.len <= STAGED_BYTES_MAX)
		return stage_record(t, topic, partition, key, value, err);
	if (send_stage(t, err) < 0)
		return -1;
	while (rd_kafka_produce(t->rkt[topic], partition, RD_KAFKA_MSG_F_COPY, (void *)(uintptr_t)value.p, value.len, key.p, key.len, delivery) < 0)
		if (wait_for_room(t, rd_kafka_last_error(), topic, err) < 0)
			return -1;
	return 0;
}

struct txn_room txn_room(const struct txn *t)
{
	const struct shares shares = shares_of(t->program->common.memory_budget_bytes);

	return (struct txn_room){(size_t)shares.produce_messages, (size_t)shares.produce_kbytes * 1024};
}

int txn_flush(struct txn *t, struct err *err)
{
	rd_kafka_resp_err_t code;

	if (too_late(t, 0, "flush", err) || send_stage(t, err) < 0)
		return -1;
	code = rd_kafka_flush(t->rk, left_ms(t));
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR && !t->failed) {
		stall_for_test(t);
		return 0;
	}
	if (t->failed)
		code = t->failed_code;
	t->reason = rd_kafka_err2name(code);
	return err_set(err, ERR_RETRY, "flush: %s (%llu records were not acknowledged)", rd_kafka_err2str(code), (unsigned long long)t->failed);
}

/* The client belongs to the call that hangs in it. */
static void give_up_client(struct txn *t)
{
	t->rk = NULL;
	t->state = STATE_CLOSED;
	log_warn(&t->program->log, "producer_left_behind", LOG_UINT("clients", ++t->left_behind));
}

/* One call. */
static enum verdict send_offsets(struct txn *t, const rd_kafka_topic_partition_list_t *offsets, const rd_kafka_consumer_group_metadata_t *group,
				 struct err *err)
{
	int left = left_ms(t);
	const struct txn_offsets_request request = {t->rk, offsets, group, left, left + OFFSETS_PATIENCE_MS, drop_topics, t};
	rd_kafka_error_t *error = NULL;

	switch (txn_offsets_send(&request, &error, err)) {
	case TXN_OFFSETS_ANSWERED:
		return judge(t, error, "send offsets", err);
	case TXN_OFFSETS_HANG:
		t->reason = "STALLED";
		err_set(err, ERR_RETRY, "send offsets: no answer within %d ms", DEADLINE_MS + OFFSETS_PATIENCE_MS);
		give_up_client(t);
		return VERDICT_BROKEN;
	default:
		t->reason = "NOT_SENT";
		return VERDICT_ABORT;
	}
}

int txn_send_offsets(struct txn *t, const rd_kafka_topic_partition_list_t *offsets, const rd_kafka_consumer_group_metadata_t *group,
		     struct err *err)
{
	enum verdict verdict;

	for (;;) {
		if (too_late(t, COMMIT_MARGIN_MS, "send offsets", err)) /* there would be no time to commit them */
			return -1;
		verdict = send_offsets(t, offsets, group, err);
		if (verdict == VERDICT_OK)
			return 0;
		if (verdict != VERDICT_RETRY)
			return -1;
		rd_kafka_poll(t->rk, RETRY_TURN_MS);
	}
}

enum txn_outcome txn_commit(struct txn *t, struct err *err)
{
	enum verdict verdict;

	if (too_late(t, COMMIT_MARGIN_MS, "commit", err)) { /* (I2) */
		txn_abort(t);
		return TXN_ABORTED;
	}
	for (;;) {
		verdict = judge(t, rd_kafka_commit_transaction(t->rk, left_ms(t)), "commit", err);
		if (verdict != VERDICT_RETRY || !left_ms(t))
			break;
		rd_kafka_poll(t->rk, RETRY_TURN_MS);
	}
	if (verdict == VERDICT_OK) {
		t->state = STATE_IDLE;
		return TXN_COMMITTED;
	}
	if (verdict == VERDICT_ABORT)
		txn_abort(t);
	else
		txn_close(t);
	return TXN_UNKNOWN; /* (I3) */
}

void txn_abort(struct txn *t)
{
	int64_t deadline = clock_mono_ms() + ABORT_MS;
	const char *reason = t->reason; /* that of the step that failed */
	enum verdict verdict;

	if (t->state != STATE_OPEN)
		return;
	while ((verdict = judge(t, rd_kafka_abort_transaction(t->rk, ABORT_MS), "abort", NULL)) == VERDICT_RETRY &&
	       clock_mono_ms() < deadline)
		rd_kafka_poll(t->rk, RETRY_TURN_MS);
	t->reason = reason;
	if (verdict == VERDICT_OK)
		t->state = STATE_IDLE;
	else
		txn_close(t);
}

const char *txn_reason(const struct txn *t)
{
	return t->reason;
}
