/* txn_offsets.h - sending a transaction's offsets within a time, whatever librdkafka does.
 *
 * rd_kafka_send_offsets_to_transaction() of 2.0.2 waits for its client's thread without a limit: while the group has no coordinator that thread asks
 * for one again and again, whatever time was given (rdkafka_coord.c never looks at creq_ts_timeout), and where its request gets lost it waits for ever.
 * So the call is made in a thread of its own, and a client whose call does not come back is left to it. */
#ifndef MILLRACE_TXN_OFFSETS_H
#define MILLRACE_TXN_OFFSETS_H

#include <librdkafka/rdkafka.h>

#include "common/err.h"

enum txn_offsets {
	TXN_OFFSETS_ANSWERED,
	TXN_OFFSETS_HANG,     /* rk belongs to the call from now on: it is destroyed when, and if, the call comes back */
	TXN_OFFSETS_NOT_SENT, /* for want of memory or a thread */
};

/* What is sent, and by whom; all borrowed for the call, but rk when it hangs. */
struct txn_offsets_request {
	rd_kafka_t *rk;
	const rd_kafka_topic_partition_list_t *offsets;
	const rd_kafka_consumer_group_metadata_t *group;
	int timeout_ms;  /* what librdkafka is told */
	int patience_ms; /* how long it is waited for, real; should be more */
	void (*part)(void *ctx); /* it hangs: let go of all that belongs to rk, which is there until this returns, and no longer */
	void *ctx;
};

/* Calls rd_kafka_send_offsets_to_transaction(). ANSWERED sets *error to what it returned, the caller's to destroy; NOT_SENT sets *err. Only rk's one
 * owner may call it. */
enum txn_offsets txn_offsets_send(const struct txn_offsets_request *request, rd_kafka_error_t **error, struct err *err);

#endif
