/* scout.c - see scout.h.
 *
 * What belongs to a former assignment may still be queued when the next begins. librdkafka drops it by version; that topic and partition are the
 * ones asked for is checked on top of it, as a chunk taken for another's would be refused, but an end taken for another's would be believed. */
#include "processor/scout.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/events.h"
#include "common/kafka.h"
#include "processor/shares.h"

struct scout {
	rd_kafka_t *rk;
	rd_kafka_queue_t *queue;
	const char *topic; /* NULL: reads nothing */
	int32_t partition;
};

static rd_kafka_conf_t *scout_conf(const struct program *p, struct err *err)
{
	const struct shares shares = shares_of(p->common.memory_budget_bytes);
	char kbytes[24], fetch_max[24];
	const struct kafka_prop fixed[] = {
		{"group.id", "millrace-processor-scout"}, /* without one a consumer may not poll; never joined */
		{"isolation.level", "read_committed"},    /* chunks of aborted checkpoints were never written */
		{"enable.auto.commit", "false"},
		{"enable.auto.offset.store", "false"},
		{"auto.offset.reset", "error"},           /* a snapshot that is gone must not be replaced by another */
		{"enable.partition.eof", "true"},
		{"queued.min.messages", "1000000"},
		{"queued.max.messages.kbytes", kbytes},
		{"fetch.max.bytes", fetch_max},
		{"fetch.wait.max.ms", "50"},              /* an empty partition says so at once */
		{0},
	};

	snprintf(kbytes, sizeof(kbytes), "%lld", (long long)shares.scout_queue_kbytes);
	snprintf(fetch_max, sizeof(fetch_max), "%lld", (long long)shares.fetch_bytes);
	return kafka_conf(p, "scout", fixed, err);
}

int scout_check(const struct program *p, struct err *err)
{
	return kafka_conf_check(scout_conf(p, err));
}

struct scout *scout_new(const struct program *p, struct err *err)
{
	struct scout *s = calloc(1, sizeof(*s));
	rd_kafka_conf_t *conf;

	if (!s) {
		err_nomem(err, "the reader of snapshots");
		return NULL;
	}
	conf = scout_conf(p, err);
	s->rk = conf ? kafka_open(RD_KAFKA_CONSUMER, conf, err) : NULL;
	if (!s->rk) {
		free(s);
		return NULL;
	}
	rd_kafka_poll_set_consumer(s->rk);
	s->queue = rd_kafka_queue_get_consumer(s->rk);
	return s;
}

void scout_free(struct scout *s, int timeout_ms)
{
	if (!s)
		return;
	rd_kafka_queue_io_event_enable(s->queue, -1, NULL, 0);
	rd_kafka_queue_destroy(s->queue);
	kafka_close(s->rk, timeout_ms);
	free(s);
}

void scout_wake_on(struct scout *s, int fd)
{
	uint64_t one = 1; /* what an eventfd takes */

	rd_kafka_queue_io_event_enable(s->queue, fd, &one, sizeof(one));
}

rd_kafka_t *scout_client(const struct scout *s)
{
	return s->rk;
}

int scout_send(struct scout *s, const char *topic, int32_t partition, int64_t offset, struct err *err)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_resp_err_t code;

	rd_kafka_topic_partition_list_add(list, topic, partition)->offset = offset;
	code = rd_kafka_assign(s->rk, list);
	rd_kafka_topic_partition_list_destroy(list);
	if (code)
		return kafka_code(err, code, topic);
	s->topic = topic;
	s->partition = partition;
	return 0;
}

void scout_recall(struct scout *s)
{
	if (s->topic)
		rd_kafka_assign(s->rk, NULL);
	s->topic = NULL;
}

int64_t scout_end(const struct scout *s)
{
	int64_t low = -1, high = -1;

	if (!s->topic || rd_kafka_get_watermark_offsets(s->rk, s->topic, s->partition, &low, &high) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return -1;
	return high >= 0 ? high : -1;
}

/* Is it about what is read now? Something about a former partition may still be in the queue. */
static bool is_current(const struct scout *s, const rd_kafka_message_t *message)
{
	return s->topic && message->rkt && message->partition == s->partition &&
	       strcmp(rd_kafka_topic_name(message->rkt), s->topic) == 0;
}

rd_kafka_message_t *scout_poll(struct scout *s)
{
	rd_kafka_message_t *message;

	while ((message = rd_kafka_consumer_poll(s->rk, 0)) != NULL) {
		if (is_current(s, message))
			return message;
		rd_kafka_message_destroy(message);
	}
	return NULL;
}
