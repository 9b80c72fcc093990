/* fake_txn.c - stands in for txn.c at link time: the same header, above fake_kafka.h.
 *
 * Each call may fail in the ways that txn.h leaves open, and each may take long enough for the world to change: what is checked is
 * checked when the call arrives, by what the coordinators know then. */
#include "processor/txn.h"

#include <stdlib.h>

#include "tests/unit/processor/fake_kafka.h"

enum { DEADLINE_MS = 8000 };

struct txn {
	struct fake_host *host;
	enum { TXN_CLOSED, TXN_IDLE, TXN_OPEN } state;
	struct fake_txn *open;
	int64_t producer, deadline_ms;
	const char *reason;
	struct { struct txn_delivery *delivery; int64_t offset; } acks[FAKE_INPUTS];
	size_t nr_acks;
};

struct txn *txn_new(const struct program *p, const struct cell_topics *topics)
{
	struct txn *t = calloc(1, sizeof(*t));

	ck_assert_ptr_nonnull(t);
	t->host = fake_host_of(p);
	ck_assert_str_eq(topics->events_state, t->host->kafka->topics.events_state);
	t->producer = t->host->is_static ? -1 - t->host->number : t->host->incarnation;
	t->reason = "";
	return t;
}

/* The client gives the producer up; the coordinator knows nothing of it. */
static int broken(struct txn *t, const char *reason, struct err *err)
{
	t->state = TXN_CLOSED;
	t->open = NULL;
	t->reason = reason;
	return err_set(err, ERR_RETRY, "%s", reason);
}

static int refused(struct txn *t, const char *reason, struct err *err)
{
	t->reason = reason;
	return err_set(err, ERR_RETRY, "%s", reason);
}

bool txn_free(struct txn *t)
{
	if (t && t->state == TXN_OPEN)
		txn_abort(t);
	free(t);
	return true;
}

int txn_open(struct txn *t, struct err *err)
{
	if (t->state != TXN_CLOSED)
		return 0;
	fake_spend(t->host, 5 + (int64_t)fake_dice(t->host->kafka, 20));
	if (t->host->kafka->outage || fake_fails(t->host, FAKE_OPEN_FAILED, 0))
		return broken(t, "_TIMED_OUT", err);
	fake_txn_finish(t->host->kafka, t->producer);
	t->state = TXN_IDLE;
	return 0;
}

bool txn_is_idle(const struct txn *t)
{
	return t->state == TXN_IDLE;
}

int txn_begin(struct txn *t, struct err *err)
{
	if (t->state != TXN_IDLE)
		return refused(t, "_STATE", err);
	if (t->host->kafka->outage || fake_fails(t->host, FAKE_BEGIN_FAILED, 0))
		return broken(t, "_FATAL", err);
	t->deadline_ms = t->host->kafka->now_ms + DEADLINE_MS;
	t->open = fake_txn_begin(t->host->kafka, t->producer);
	t->nr_acks = 0;
	t->state = TXN_OPEN;
	return 0;
}

int txn_produce(struct txn *t, enum txn_topic topic, int32_t partition, struct str key, struct str value, struct txn_delivery *delivery,
		struct err *err)
{
	struct fake_kafka *k = t->host->kafka;
	bool is_state = topic == TXN_SAMPLES_STATE || topic == TXN_EVENTS_STATE;
	int32_t number = topic == TXN_EVENTS_STATE ? FAKE_PARTITIONS + partition : partition;
	struct fake_log *log = is_state ? &k->state[number] : &k->output;
	struct fake_record *record;

	ck_assert(topic != TXN_ALERTS || (key.len && memmem(value.p, value.len, key.p, key.len))); /* the trigger's id, which is in it */
	ck_assert(partition >= 0 && partition < (topic == TXN_DEADLETTER ? 1 : FAKE_PARTITIONS));
	if (delivery)
		delivery->offset = -1;
	if (t->host->dead || (fake_once_in(k, 16) && fake_fails(t->host, FAKE_PRODUCE_FAILED, topic))) /* there are many of them */
		return refused(t, "_QUEUE_FULL", err);
	if (t->open->fate != FATE_OPEN) /* its epoch is over: the partition refuses the record, and the flush says so */
		return 0;
	record = fake_append(log, value.p, value.len);
	record->txn = t->open;
	record->topic = topic;
	record->partition = partition;
	if (is_state)
		t->open->state_touched |= 1u << number;
	if (delivery) {
		t->acks[t->nr_acks].delivery = delivery;
		t->acks[t->nr_acks++].offset = fake_end(log) - 1;
	}
	return 0;
}

/* A step of the open transaction that asks a broker. */
static int step(struct txn *t, enum fake_event event, struct err *err)
{
	fake_spend(t->host, 1 + (int64_t)fake_dice(t->host->kafka, 20));
	if (t->open->fate != FATE_OPEN)
		return refused(t, "INVALID_PRODUCER_EPOCH", err);
	if (t->host->kafka->now_ms > t->deadline_ms)
		return refused(t, "_TIMED_OUT", err);
	return fake_fails(t->host, event, 0) ? refused(t, "COORDINATOR_NOT_AVAILABLE", err) : 0;
}

struct txn_room txn_room(const struct txn *t)
{
	(void)t;
	return (struct txn_room){8, 4096}; /* so little that rounds are the rule */
}

int txn_flush(struct txn *t, struct err *err)
{
	if (step(t, FAKE_FLUSH_FAILED, err) < 0)
		return -1;
	for (size_t i = 0; i < t->nr_acks; i++)
		t->acks[i].delivery->offset = t->acks[i].offset;
	return 0;
}

int txn_send_offsets(struct txn *t, const rd_kafka_topic_partition_list_t *offsets, const rd_kafka_consumer_group_metadata_t *group,
		     struct err *err)
{
	struct fake_kafka *k = t->host->kafka;
	const struct fake_metadata *metadata = (const struct fake_metadata *)group;

	if (step(t, FAKE_OFFSETS_FAILED, err) < 0)
		return -1;
	if (!fake_member_of(k, metadata->member) || metadata->generation != k->generation) {
		fake_note(k, FAKE_STALE_REFUSED, t->host, metadata->generation);
		return refused(t, "ILLEGAL_GENERATION", err);
	}
	for (int i = 0; i < offsets->cnt; i++) {
		struct fake_offset *to = &t->open->offsets[t->open->nr_offsets++];

		to->partition = topics_number(&k->topics, offsets->elems[i].topic, offsets->elems[i].partition);
		to->offset = offsets->elems[i].offset;
		snprintf(to->metadata, sizeof(to->metadata), "%.*s", (int)offsets->elems[i].metadata_size, (const char *)offsets->elems[i].metadata);
	}
	if (fake_fails(t->host, FAKE_OFFSETS_FAILED, 1)) /* they have arrived, and the answer is lost */
		return refused(t, "_TIMED_OUT", err);
	return 0;
}

/* The request to commit has gone out, and its answer does not come. */
static enum txn_outcome commit_unanswered(struct txn *t, struct err *err)
{
	struct fake_kafka *k = t->host->kafka;
	struct fake_txn *txn = t->open;
	uint64_t what = fake_dice(k, 4);

	if (what == 0) {
		fake_txn_decide(k, txn, FATE_COMMITTED);
		fake_note(k, FAKE_UNKNOWN_COMMITTED, t->host, 0);
	} else if (what == 1) {
		txn->arrives_ms = k->now_ms + 1 + (int64_t)fake_dice(k, 8000);
		fake_note(k, FAKE_UNKNOWN_ON_ITS_WAY, t->host, txn->arrives_ms - k->now_ms);
	} else if (what == 2) {
		fake_note(k, FAKE_UNKNOWN_NEVER, t->host, 0);
	} else {
		if (fake_once_in(k, 2))
			fake_txn_decide(k, txn, FATE_COMMITTED);
		fake_note(k, FAKE_CRASH_COMMITTING, t->host, txn->fate);
		t->host->dead = true;
	}
	broken(t, "_TIMED_OUT", err);
	return TXN_UNKNOWN;
}

enum txn_outcome txn_commit(struct txn *t, struct err *err)
{
	struct fake_kafka *k = t->host->kafka;

	fake_spend(t->host, 10 + (int64_t)fake_dice(k, 60));
	if (t->host->dead || t->open->fate != FATE_OPEN) {
		broken(t, "_FENCED", err);
		return TXN_UNKNOWN;
	}
	if (k->now_ms > t->deadline_ms) { /* nothing was sent */
		refused(t, "STALLED", err);
		txn_abort(t);
		return TXN_ABORTED;
	}
	if (fake_fault(k) || (k->trouble && fake_once_in(k, 16))) {
		if (!fake_once_in(k, 4))
			return commit_unanswered(t, err);
		fake_note(k, FAKE_COMMIT_ABORTED, t->host, 0);
		refused(t, "INVALID_TXN_STATE", err);
		txn_abort(t);
		return TXN_UNKNOWN;
	}
	fake_txn_decide(k, t->open, FATE_COMMITTED);
	fake_note(k, FAKE_COMMITTED, t->host, (int64_t)t->open->nr_offsets);
	t->state = TXN_IDLE;
	return TXN_COMMITTED;
}

void txn_abort(struct txn *t)
{
	if (t->state != TXN_OPEN)
		return;
	if (t->open->fate != FATE_OPEN || fake_fails(t->host, FAKE_ABORT_FAILED, 0)) {
		broken(t, t->reason, NULL);
		return;
	}
	fake_txn_decide(t->host->kafka, t->open, FATE_ABORTED);
	t->state = TXN_IDLE;
}

const char *txn_reason(const struct txn *t)
{
	return t->reason;
}
