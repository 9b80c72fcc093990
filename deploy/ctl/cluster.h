/* cluster.h - one run's view of Kafka: the tables as they are, and writes that are certain.
 *
 * A change is read-modify-write: the tables are read to their end, then a whole record is produced
 * (idempotent, acks=all) and awaited until it comes back through the table. Compaction keeps the last
 * record of a key, so of two operators who change the same key at once the later one wins; whoever reads a
 * foreign row between its own read and its own write says so. Not thread-safe: one owner. */
#ifndef MILLRACE_CTL_CLUSTER_H
#define MILLRACE_CTL_CLUSTER_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/program.h"
#include "deploy/ctl/progress.h"
#include "deploy/ctl/store.h"

struct cluster;

/* Would a client of this tool be refused for p's kafka.*? Makes none. 0, or -1 with *err set. */
int cluster_check(const struct program *p, struct err *err);

/* Connects within 5 s, or ERR_RETRY saying where it looked. Borrows p and progress, which may be NULL, until cluster_free(). NULL with *err
 * set on failure. */
struct cluster *cluster_new(const struct program *p, struct progress *progress, struct err *err);

/* Closes; NULL is a no-op. */
void cluster_free(struct cluster *c);

/* A set of kinds is made of their bits; cells, sites and controls are what every command reads. */
#define CLUSTER_BIT(kind) (1u << (kind))
#define CLUSTER_BASE (CLUSTER_BIT(STORE_CELLS) | CLUSTER_BIT(STORE_SITES) | CLUSTER_BIT(STORE_CONTROLS))

/* Reads the tables of these kinds to their end. ERR_RETRY when a topic is not there (says what to run). Once a run. */
int cluster_load(struct cluster *c, unsigned kinds, struct err *err);

/* What has been read so far, own writes included. Borrowed. */
const struct store *cluster_store(const struct cluster *c);

/* The client, for admin requests. Borrowed. */
rd_kafka_t *cluster_client(const struct cluster *c);

/* A consumer, for lag_read(); there from cluster_load() on. Not to be polled: it reads the tables. Borrowed. */
rd_kafka_t *cluster_consumer(const struct cluster *c);

/* Writes a whole record, or its deletion (tombstone), and waits until the table shows it. ERR_REJECT: it is
 * another's to change (written by a newer millrace-ctl), or was changed by somebody else meanwhile;
 * ERR_RETRY: not acknowledged in time, so that it may or may not be there. */
int cluster_put_cell(struct cluster *c, const struct cell *cell, struct err *err);
int cluster_put_site(struct cluster *c, const struct site *site, struct err *err);            /* see above */
int cluster_put_control(struct cluster *c, const struct control *control, struct err *err);   /* see above */
int cluster_put_trigger(struct cluster *c, const struct trigger *trigger, struct err *err);   /* see above */
int cluster_put_receiver(struct cluster *c, const struct receiver *receiver, struct err *err); /* see above */
int cluster_remove(struct cluster *c, enum store_kind kind, struct str key, struct err *err); /* see above */

/* Takes what comes into the tables, for up to timeout_ms (real) or until something came. Rows that cannot be read become items with a
 * fault, as ever; ERR_FATAL when the tables may be wrong. */
int cluster_follow(struct cluster *c, int timeout_ms, struct err *err);

/* The offset of the last row that was read of a kind's topic; -1: none yet. */
int64_t cluster_seen(const struct cluster *c, enum store_kind kind);

/* A record as it is to be written. key.p, value.p NULL: it has none. */
struct cluster_record {
	const char *topic;
	int32_t partition;
	struct str key, value;
	const struct header *headers;
	size_t nr_headers;
};

/* What became of it. */
struct cluster_delivery {
	bool done;
	rd_kafka_resp_err_t code;
	int64_t offset;
};

/* Queues a record, copied, for a partition that is there; d is filled by cluster_settle() and must live until then. -1 with *err set:
 * nothing was queued. */
int cluster_send(struct cluster *c, const struct cluster_record *record, struct cluster_delivery *d, struct err *err);

/* Waits until every record that was queued is acknowledged, or given up after 30 s: every delivery is done then. */
void cluster_settle(struct cluster *c);

/* 0 when it was acknowledged, else -1 with *err set: ERR_RETRY, it may or may not be there; ERR_REJECT, Kafka does not take it. */
int cluster_judge(const struct cluster_delivery *d, const char *topic, struct err *err);

/* Writes one record to partition 0 of a topic that is no table of ours, or deletes its key (value.p NULL), and waits for the acknowledgement; offset, which may
 * be NULL: where it stands. Errors as cluster_judge() has them. */
int cluster_write(struct cluster *c, const char *topic, struct str key, struct str value, int64_t *offset, struct err *err);

/* Appends to the operator log and waits for the acknowledgement. */
int cluster_notice(struct cluster *c, const struct notice *notice, struct err *err);

#endif
