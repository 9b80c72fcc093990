/* txn.h - the transactional producer, and what to do when it fails.
 *
 * One producer an instance serves all its partitions (KIP-447): what protects from a former owner is the group metadata that goes with the offsets,
 * not the transactional id. States: closed -> (txn_open) -> idle -> (txn_begin) -> open -> (txn_commit, txn_abort) -> idle. Any step may end in
 * closed: librdkafka has then given the producer up, and a new one is made (checkpoint.h, rule C).
 *
 * A watchdog: all steps of one transaction share one deadline, which lies before transaction.timeout.ms: a transaction that the broker has timed
 * out is fatal to the producer, and readers of all its partitions wait that long. A step that would begin behind it, or a commit that could not be
 * answered before it, sends nothing and fails with the reason "STALLED", whatever kept the process from going on. Not thread-safe: one owner. */
#ifndef MILLRACE_PROCESSOR_TXN_H
#define MILLRACE_PROCESSOR_TXN_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/program.h"
#include "common/str.h"
#include "processor/topics.h"

enum txn_topic { TXN_MINUTELY, TXN_HOURLY, TXN_EXEMPLARS, TXN_ALERTS, TXN_SAMPLES_STATE, TXN_EVENTS_STATE, TXN_DEADLETTER, NR_TXN_TOPICS };

enum txn_outcome {
	TXN_COMMITTED,
	TXN_ABORTED, /* nothing of it will ever be seen: it was not tried to commit */
	TXN_UNKNOWN, /* once the producer is idle (again), the transaction has ended, and the committed offset tells */
};

/* Where a record went; owned by the caller, alive until the transaction has ended. */
struct txn_delivery {
	int64_t offset; /* -1 until it is acknowledged */
};

struct txn;

/* The fault point that stalls once, behind the N-th flush, for longer than a transaction may take. */
#define TXN_FAULT_STALL "stall_in_transaction"

/* Would the client that is made here be refused for p's kafka.*? Makes none. 0, or -1 with *err set. */
int txn_check(const struct program *p, struct err *err);

/* A closed producer. Borrows p and topics. NULL when memory is short. */
struct txn *txn_new(const struct program *p, const struct cell_topics *topics);

/* Ends an open transaction by aborting it and closes; NULL is a no-op. False when a client has been left behind at any time: then end the process by
 * _exit(), as its threads may still run. */
bool txn_free(struct txn *t);

/* Makes the producer if there is none and registers its id with the coordinator, which ends whatever a former producer of this id
 * left open. Takes seconds when brokers are away. 0 when idle or open. ERR_RETRY: call again; ERR_REJECT or ERR_FATAL: the
 * configuration or the topics will not do. */
int txn_open(struct txn *t, struct err *err);

/* Idle, and not in a transaction? */
bool txn_is_idle(const struct txn *t);

/* Begins a transaction. After -1 here, or from a later step, call txn_abort(). */
int txn_begin(struct txn *t, struct err *err);

/* Produces one record, into a partition of that topic; copies. delivery may be NULL. Waits for room in the producer's queue. */
int txn_produce(struct txn *t, enum txn_topic topic, int32_t partition, struct str key, struct str value, struct txn_delivery *delivery,
		struct err *err);

/* How much the producer can hold between two flushes. */
struct txn_room {
	size_t records, bytes;
};

/* Beyond it txn_produce() has to wait, which is expensive. Constant. */
struct txn_room txn_room(const struct txn *t);

/* Sends what has been produced, and waits until all of it is acknowledged: nothing is sent before that unless the queue is full. */
int txn_flush(struct txn *t, struct err *err);

/* Adds consumer offsets, on behalf of the group member that group was taken from; both borrowed. */
int txn_send_offsets(struct txn *t, const rd_kafka_topic_partition_list_t *offsets, const rd_kafka_consumer_group_metadata_t *group,
		     struct err *err);

/* Commits; the producer is idle or closed afterwards. err says why when the outcome is not TXN_COMMITTED. */
enum txn_outcome txn_commit(struct txn *t, struct err *err);

/* Aborts what was begun; the producer is idle or closed afterwards, and nothing of the transaction will be seen. */
void txn_abort(struct txn *t);

/* The name of the client's error that made the last step fail, such as "ILLEGAL_GENERATION", or "STALLED": a label for metrics. Static. */
const char *txn_reason(const struct txn *t);

#endif
