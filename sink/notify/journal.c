/* journal.c - see journal.h.
 *
 *  J1  No step is begun behind the deadline, nor a commit with little left: a process that was frozen inside a transaction aborts, rather than
 *      commits what the broker is about to time out.
 *  J2  Of a commit that was begun and failed nobody knows the outcome, also when an abort behind it goes well: librdkafka 2.0.2 calls a transaction aborted
 *      that it never asked about. That is JOURNAL_LOST. The topics tell: whoever registers the producer next reads them, and goes on from there.
 *  J3  A producer that is fatally broken is closed, and that is JOURNAL_LOST too: why it broke may be that another one has come.
 *  J4  send_offsets may never come back; it is called by common/txn_offsets.
 *
 * processor/txn.c treats the same errors, but keeps its state over a commit that is not known, as reading it again would cost minutes there. Here it costs
 * the reading of two small topics. */
#include "sink/notify/journal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/kafka.h"
#include "common/report.h"
#include "common/txn_offsets.h"

enum {
	DEADLINE_MS = 8000, /* of all steps; transaction.timeout.ms is 10 s */
	OFFSETS_PATIENCE_MS = 2500, /* behind the deadline (J4) */
	COMMIT_MARGIN_MS = 1000,
	INIT_MS = 3000,
	ABORT_MS = 3000,
	CLOSE_MS = 2000,
	TURN_MS = 20, /* between two tries */
};

enum state { STATE_CLOSED, STATE_MADE, STATE_IDLE, STATE_OPEN };

enum verdict { VERDICT_OK, VERDICT_RETRY, VERDICT_ABORT, VERDICT_BROKEN };

struct journal {
	const struct program *program;
	char names[NR_JOURNAL_TOPICS][KAFKA_TOPIC_SIZE];
	rd_kafka_t *rk;
	enum state state;
	int64_t deadline_mono_ms;
	unsigned int failed; /* records of this transaction that were not acknowledged ... */
	rd_kafka_resp_err_t failed_code; /* ... and why one of them was not */
	rd_kafka_resp_err_t code;        /* of the last step that failed */
	unsigned int left_behind;
};

static rd_kafka_conf_t *client_conf(const struct program *p, struct err *err)
{
	char id[KAFKA_TOPIC_SIZE];
	const struct kafka_prop fixed[] = {
		{"transactional.id", id},
		{"transaction.timeout.ms", "10000"},
		{"message.timeout.ms", "7000"}, /* must be below it, and below our own deadline */
		{"enable.idempotence", "true"},
		{"acks", "all"},
		{"queue.buffering.max.messages", "20000"},
		{"queue.buffering.max.kbytes", "16384"},
		{"message.max.bytes", "4194304"}, /* a dead letter holds a whole record */
		{0},
	};

	snprintf(id, sizeof(id), "millrace-notify-%s", p->common.cell);
	return kafka_conf(p, "journal", fixed, err);
}

int journal_check(const struct program *p, struct err *err)
{
	return kafka_conf_check(client_conf(p, err));
}

struct journal *journal_new(const struct program *p)
{
	struct journal *j = calloc(1, sizeof(*j));

	if (!j)
		return NULL;
	j->program = p;
	kafka_cell_topic(j->names[JOURNAL_INCIDENTS], p->common.cell, "incidents");
	kafka_cell_topic(j->names[JOURNAL_SENT], p->common.cell, "sent");
	snprintf(j->names[JOURNAL_DEADLETTER], KAFKA_TOPIC_SIZE, TOPIC_DEADLETTER);
	return j;
}

void journal_close(struct journal *j)
{
	if (j->rk)
		rd_kafka_purge(j->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
	if (!kafka_close(j->rk, CLOSE_MS))
		log_warn(&j->program->log, "producer_left_behind", LOG_UINT("clients", ++j->left_behind));
	j->rk = NULL;
	j->state = STATE_CLOSED;
}

bool journal_free(struct journal *j)
{
	bool ended;

	if (!j)
		return true;
	journal_abort(j);
	journal_close(j);
	ended = j->left_behind == 0;
	free(j);
	return ended;
}

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
	struct journal *j = opaque;

	(void)rk;
	/* The one that was refused makes the client purge the others. */
	if (message->err &&
	    (!j->failed++ || j->failed_code == RD_KAFKA_RESP_ERR__PURGE_QUEUE || j->failed_code == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT))
		j->failed_code = message->err;
}

/* Judges and destroys an error; NULL is VERDICT_OK. librdkafka says what an error demands, and that alone is listened to. */
static enum verdict judge(struct journal *j, rd_kafka_error_t *error, const char *what, struct err *err)
{
	enum verdict verdict = VERDICT_BROKEN;

	if (!error)
		return VERDICT_OK;
	if (!rd_kafka_error_is_fatal(error) && rd_kafka_error_txn_requires_abort(error))
		verdict = VERDICT_ABORT;
	else if (!rd_kafka_error_is_fatal(error) && rd_kafka_error_is_retriable(error))
		verdict = VERDICT_RETRY;
	j->code = rd_kafka_error_code(error);
	kafka_error(err, error, what);
	if (err)
		err->kind = ERR_RETRY; /* what is fatal to a producer is not to us: the next one goes on */
	return verdict;
}

static int left_ms(const struct journal *j)
{
	int64_t left = j->deadline_mono_ms - clock_mono_ms();

	return left > 0 ? (int)left : 0;
}

/* (J1) */
static bool too_late(struct journal *j, int margin_ms, const char *step, struct err *err)
{
	if (left_ms(j) > margin_ms)
		return false;
	err_set(err, ERR_RETRY, "%s: the transaction has used up its %d ms", step, DEADLINE_MS);
	return true;
}

static int make_producer(struct journal *j, struct err *err)
{
	rd_kafka_conf_t *conf = client_conf(j->program, err);

	if (!conf)
		return -1;
	rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
	rd_kafka_conf_set_opaque(conf, j);
	j->rk = kafka_open(RD_KAFKA_PRODUCER, conf, err);
	if (!j->rk)
		return -1;
	j->state = STATE_MADE;
	return 0;
}

int journal_open(struct journal *j, struct err *err)
{
	enum verdict verdict;

	if (j->state >= STATE_IDLE)
		return 0;
	if (j->state == STATE_CLOSED && make_producer(j, err) < 0)
		return -1;
	j->code = RD_KAFKA_RESP_ERR_NO_ERROR;
	verdict = judge(j, rd_kafka_init_transactions(j->rk, INIT_MS), "register the transactional id", err);
	if (verdict == VERDICT_OK) {
		j->state = STATE_IDLE;
		return 0;
	}
	if (verdict != VERDICT_RETRY)
		journal_close(j);
	return -1; /* again, with this producer or a new one */
}

int journal_begin(struct journal *j, struct err *err)
{
	if (j->state != STATE_IDLE)
		return err_set(err, ERR_RETRY, "begin a transaction: the producer is not ready");
	j->deadline_mono_ms = clock_mono_ms() + DEADLINE_MS;
	j->failed = 0;
	j->code = j->failed_code = RD_KAFKA_RESP_ERR_NO_ERROR;
	if (judge(j, rd_kafka_begin_transaction(j->rk), "begin a transaction", err) == VERDICT_OK) {
		j->state = STATE_OPEN;
		return 0;
	}
	journal_close(j);
	return -1;
}

int journal_add(struct journal *j, enum journal_topic topic, struct str key, struct str value, struct err *err)
{
	for (;;) {
		rd_kafka_resp_err_t code;

		if (too_late(j, 0, "write", err))
			return -1;
		code = rd_kafka_producev(j->rk, RD_KAFKA_V_TOPIC(j->names[topic]), RD_KAFKA_V_PARTITION(0),
					 RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(key.p, key.len),
					 RD_KAFKA_V_VALUE((void *)(uintptr_t)value.p, value.len), RD_KAFKA_V_END);
		if (!code)
			return 0;
		if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
			j->code = code;
			return err_set(err, ERR_RETRY, "write to %s: %s", j->names[topic], rd_kafka_err2str(code));
		}
		rd_kafka_flush(j->rk, TURN_MS); /* makes room, if not in this turn */
	}
}

static int flush(struct journal *j, struct err *err)
{
	rd_kafka_resp_err_t code = rd_kafka_flush(j->rk, left_ms(j));

	if (!code && !j->failed)
		return 0;
	j->code = j->failed ? j->failed_code : code;
	return err_set(err, ERR_RETRY, "flush: %s (%u records were not acknowledged)", rd_kafka_err2str(j->code), j->failed);
}

static void no_topics(void *ctx)
{
	(void)ctx; /* there is nothing of the client's but the client */
}

static enum verdict send_once(struct journal *j, const rd_kafka_topic_partition_list_t *offsets,
			      const rd_kafka_consumer_group_metadata_t *group, struct err *err)
{
	int left = left_ms(j);
	const struct txn_offsets_request request = {j->rk, offsets, group, left, left + OFFSETS_PATIENCE_MS, no_topics, NULL};
	rd_kafka_error_t *error = NULL;

	switch (txn_offsets_send(&request, &error, err)) {
	case TXN_OFFSETS_ANSWERED:
		return judge(j, error, "send offsets", err);
	case TXN_OFFSETS_HANG: /* (J4) the client belongs to the call that hangs in it */
		j->rk = NULL;
		j->state = STATE_CLOSED;
		log_warn(&j->program->log, "producer_left_behind", LOG_UINT("clients", ++j->left_behind));
		err_set(err, ERR_RETRY, "send offsets: no answer within %d ms", DEADLINE_MS + OFFSETS_PATIENCE_MS);
		return VERDICT_BROKEN;
	default:
		return VERDICT_ABORT;
	}
}

static int send_offsets(struct journal *j, const rd_kafka_topic_partition_list_t *offsets, const rd_kafka_consumer_group_metadata_t *group,
			struct err *err)
{
	enum verdict verdict;

	for (;;) {
		if (too_late(j, COMMIT_MARGIN_MS, "send offsets", err)) /* there would be no time to commit them */
			return -1;
		verdict = send_once(j, offsets, group, err);
		if (verdict != VERDICT_RETRY)
			return verdict == VERDICT_OK ? 0 : -1;
		rd_kafka_poll(j->rk, TURN_MS); /* send_offsets is not resumable, but repeated */
	}
}

enum journal_outcome journal_commit(struct journal *j, const rd_kafka_topic_partition_list_t *offsets,
				    const rd_kafka_consumer_group_metadata_t *group, struct err *err)
{
	enum verdict verdict;

	if (flush(j, err) < 0 || send_offsets(j, offsets, group, err) < 0 || too_late(j, COMMIT_MARGIN_MS, "commit", err))
		return journal_abort(j);
	for (;;) {
		verdict = judge(j, rd_kafka_commit_transaction(j->rk, left_ms(j)), "commit", err);
		if (verdict != VERDICT_RETRY || !left_ms(j))
			break;
		rd_kafka_poll(j->rk, TURN_MS);
	}
	if (verdict == VERDICT_OK) {
		j->state = STATE_IDLE;
		return JOURNAL_COMMITTED;
	}
	journal_close(j);
	return JOURNAL_LOST; /* (J2) */
}

enum journal_outcome journal_abort(struct journal *j)
{
	int64_t deadline = clock_mono_ms() + ABORT_MS;
	rd_kafka_resp_err_t code = j->code; /* of the step that failed */
	enum verdict verdict;

	if (j->state != STATE_OPEN)
		return j->state == STATE_IDLE ? JOURNAL_ABORTED : JOURNAL_LOST;
	for (;;) {
		int64_t left = deadline - clock_mono_ms();

		verdict = judge(j, rd_kafka_abort_transaction(j->rk, left > 0 ? (int)left : 0), "abort", NULL);
		if (verdict != VERDICT_RETRY || left <= 0)
			break;
		rd_kafka_poll(j->rk, TURN_MS);
	}
	if (verdict == VERDICT_OK) {
		j->code = code;
		j->state = STATE_IDLE;
		return JOURNAL_ABORTED;
	}
	if (!journal_is_fenced(j))
		j->code = code;
	journal_close(j); /* (J3) */
	return JOURNAL_LOST;
}

bool journal_is_fenced(const struct journal *j)
{
	return j->code == RD_KAFKA_RESP_ERR__FENCED || j->code == RD_KAFKA_RESP_ERR_PRODUCER_FENCED ||
	       j->code == RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH;
}
