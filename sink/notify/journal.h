/* journal.h - what the notifier remembers, written as transactions: records of incidents and of what was sent, dead letters, and the offsets of the alerts
 * that they come of.
 *
 * One transactional producer, millrace-notify-CELL: registering it ends what a former owner has left open and fences that owner. States: closed ->
 * (journal_open) -> idle -> (journal_begin) -> open -> (journal_commit, journal_abort) -> idle or closed.
 *
 * Each transaction carries offsets, also when none has moved: by them the broker checks that this member of the group is still the owner, whatever
 * producer it has. All steps share one deadline, before the broker would time the transaction out. Not thread-safe: one owner. */
#ifndef MILLRACE_SINK_NOTIFY_JOURNAL_H
#define MILLRACE_SINK_NOTIFY_JOURNAL_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>

#include "common/err.h"
#include "common/program.h"
#include "common/str.h"

enum journal_topic { JOURNAL_INCIDENTS, JOURNAL_SENT, JOURNAL_DEADLETTER, NR_JOURNAL_TOPICS };

enum journal_outcome {
	JOURNAL_COMMITTED,
	JOURNAL_ABORTED, /* nothing of it will ever be seen, and the producer is idle: the same again */
	JOURNAL_LOST,    /* nobody here knows what became of it, or another one has taken over: the producer is closed, and memory is not to be trusted */
};

struct journal;

/* Would the client that is made here be refused for p's kafka.*? Makes none. 0, or -1 with *err set. */
int journal_check(const struct program *p, struct err *err);

/* Closed. Borrows p until journal_free(). NULL when memory is short. */
struct journal *journal_new(const struct program *p);

/* Aborts what is open, and closes; NULL is a no-op. False when a client has been left behind at any time: end the process by _exit() then. */
bool journal_free(struct journal *j);

/* Makes the producer if there is none, and registers it. Takes seconds when brokers are away. 0: idle; -1: ERR_RETRY, call again; others: settings or
 * rights will not do. */
int journal_open(struct journal *j, struct err *err);

/* Throws the producer away, whatever state it is in: the term is over. What is open is never committed. */
void journal_close(struct journal *j);

/* Begins a transaction. After -1 here or from journal_add(): journal_abort(). */
int journal_begin(struct journal *j, struct err *err);

/* Adds a record to the topic's only partition; copies. value.p NULL: a tombstone. */
int journal_add(struct journal *j, enum journal_topic topic, struct str key, struct str value, struct err *err);

/* Adds the offsets on behalf of the member that group was taken from, and commits. offsets has at least one element; both are borrowed. err says why it
 * is not JOURNAL_COMMITTED. */
enum journal_outcome journal_commit(struct journal *j, const rd_kafka_topic_partition_list_t *offsets,
				    const rd_kafka_consumer_group_metadata_t *group, struct err *err);

/* Aborts what was begun: JOURNAL_ABORTED, or JOURNAL_LOST when the producer had to be closed. */
enum journal_outcome journal_abort(struct journal *j);

/* Was it another producer of our name that made the last transaction, or journal_open(), fail? */
bool journal_is_fenced(const struct journal *j);

#endif
