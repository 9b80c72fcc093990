/* txn_offsets.c - see txn_offsets.h.
 *
 * Caller and thread share one struct call. Under its lock exactly one of them comes first: the thread, with an answer that the caller takes, who
 * then frees it; or the caller, who gives up, and the thread frees it, and destroys the client, if it ever comes back. */
#include "common/txn_offsets.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "common/clock.h"
#include "common/kafka.h"

enum { CLOSE_MS = 5000 }; /* whether it ends then is of no interest: nobody waits */

struct call {
	pthread_mutex_t lock;
	pthread_cond_t answered;
	rd_kafka_t *rk;
	rd_kafka_topic_partition_list_t *offsets;
	rd_kafka_consumer_group_metadata_t *group;
	int timeout_ms;
	rd_kafka_error_t *error;
	bool done, given_up;
};

static void call_free(struct call *c)
{
	if (c->offsets)
		rd_kafka_topic_partition_list_destroy(c->offsets);
	if (c->group)
		rd_kafka_consumer_group_metadata_destroy(c->group);
	pthread_cond_destroy(&c->answered);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

/* There is no call that copies group metadata: it is written and read again. */
static rd_kafka_consumer_group_metadata_t *copy_of(const rd_kafka_consumer_group_metadata_t *group)
{
	rd_kafka_consumer_group_metadata_t *copy = NULL;
	rd_kafka_error_t *error;
	void *bytes = NULL;
	size_t size;

	error = rd_kafka_consumer_group_metadata_write(group, &bytes, &size);
	if (!error)
		error = rd_kafka_consumer_group_metadata_read(&copy, bytes, size);
	if (bytes)
		rd_kafka_mem_free(NULL, bytes);
	if (!error)
		return copy;
	rd_kafka_error_destroy(error);
	return NULL;
}

static struct call *call_new(const struct txn_offsets_request *request)
{
	struct call *c = calloc(1, sizeof(*c));
	pthread_condattr_t attr;

	if (!c)
		return NULL;
	pthread_mutex_init(&c->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&c->answered, &attr);
	pthread_condattr_destroy(&attr);
	c->rk = request->rk;
	c->timeout_ms = request->timeout_ms;
	c->offsets = rd_kafka_topic_partition_list_copy(request->offsets);
	c->group = request->group ? copy_of(request->group) : NULL; /* NULL: librdkafka refuses it */
	if (!request->group || c->group)
		return c;
	call_free(c);
	return NULL;
}

static void *call_main(void *arg)
{
	struct call *c = arg;
	rd_kafka_error_t *error = rd_kafka_send_offsets_to_transaction(c->rk, c->offsets, c->group, c->timeout_ms);
	bool given_up;

	pthread_mutex_lock(&c->lock);
	c->error = error;
	c->done = true;
	given_up = c->given_up;
	pthread_cond_signal(&c->answered);
	pthread_mutex_unlock(&c->lock); /* without having given up the caller frees c as soon as it can */
	if (!given_up)
		return NULL;
	if (error)
		rd_kafka_error_destroy(error);
	kafka_close(c->rk, CLOSE_MS);
	call_free(c);
	return NULL;
}

static bool call_await(struct call *c, const struct txn_offsets_request *request)
{
	int64_t until_ms = clock_mono_ms() + request->patience_ms;
	struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
	bool done;

	pthread_mutex_lock(&c->lock);
	while (!c->done && pthread_cond_timedwait(&c->answered, &c->lock, &until) == 0)
		;
	done = c->done;
	c->given_up = !done;
	if (!done) { /* under the lock, as the client is the thread's afterwards */
		kafka_abandon(c->rk);
		request->part(request->ctx);
	}
	pthread_mutex_unlock(&c->lock);
	return done;
}

enum txn_offsets txn_offsets_send(const struct txn_offsets_request *request, rd_kafka_error_t **error, struct err *err)
{
	struct call *c = call_new(request);
	pthread_t thread;

	if (!c) {
		err_nomem(err, "a transaction's offsets");
		return TXN_OFFSETS_NOT_SENT;
	}
	if (pthread_create(&thread, NULL, call_main, c) != 0) {
		call_free(c);
		err_set(err, ERR_RETRY, "send offsets: the system gives no thread");
		return TXN_OFFSETS_NOT_SENT;
	}
	if (!call_await(c, request)) { /* c is not ours any more */
		pthread_detach(thread);
		return TXN_OFFSETS_HANG;
	}
	pthread_join(thread, NULL);
	*error = c->error;
	call_free(c);
	return TXN_OFFSETS_ANSWERED;
}
