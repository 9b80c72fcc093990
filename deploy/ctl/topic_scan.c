/* topic_scan.c - see topic_scan.h.
 *
 * Offsets are asked for by time, as rd_kafka_query_watermark_offsets() of 2.0.2 may never return; -1 and -2 stand for end and beginning.
 * Asked by a read_committed client, the end is that of what is committed. */
#include "deploy/ctl/topic_scan.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/kafka.h"

enum { ASK_MS = 10000, SILENCE_MS = 15000, TURN_MS = 200, CLOSE_MS = 3000, TIME_END = -1, TIME_BEGIN = -2 };

struct topic_scan {
	rd_kafka_t *rk;
	struct progress *progress;
};

static const struct kafka_prop fixed_props[] = {
	{"group.id", "millrace-ctl"}, /* never joined */
	{"enable.auto.commit", "false"},
	{"enable.auto.offset.store", "false"},
	{"enable.partition.eof", "true"},
	{"isolation.level", "read_committed"},
	{"auto.offset.reset", "error"},
	{0},
};

struct topic_scan *topic_scan_new(const struct program *p, struct progress *progress, struct err *err)
{
	struct topic_scan *s = calloc(1, sizeof(*s));

	if (!s) {
		err_nomem(err, "a reader");
		return NULL;
	}
	s->progress = progress;
	s->rk = kafka_open(RD_KAFKA_CONSUMER, kafka_conf(p, "scan", fixed_props, err), err);
	if (!s->rk) {
		free(s);
		return NULL;
	}
	rd_kafka_poll_set_consumer(s->rk);
	return s;
}

void topic_scan_free(struct topic_scan *s)
{
	if (!s)
		return;
	kafka_close(s->rk, CLOSE_MS);
	free(s);
}

/* -1 in *offset: no record is that young. */
static int ask(struct topic_scan *s, const char *topic, int32_t partition, int64_t time, int64_t *offset, struct err *err)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_resp_err_t code;

	rd_kafka_topic_partition_list_add(list, topic, partition)->offset = time;
	code = rd_kafka_offsets_for_times(s->rk, list, ASK_MS);
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		code = list->elems[0].err;
	*offset = list->elems[0].offset < 0 ? -1 : list->elems[0].offset;
	rd_kafka_topic_partition_list_destroy(list);
	if (code == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION || code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC ||
	    code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
		return err_set(err, ERR_RETRY, "topic %s does not exist: run millrace-ctl topics apply", topic);
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		return kafka_code(err, code, topic);
	return 0;
}

int topic_scan_bounds(struct topic_scan *s, const char *topic, int32_t partition, int64_t since_ms, int64_t *from, int64_t *to, struct err *err)
{
	int64_t begin, young;
	int rc;

	progress_begin(s->progress, "asking for the ends of %s, partition %" PRId32, topic, partition);
	rc = ask(s, topic, partition, TIME_BEGIN, &begin, err) < 0 || ask(s, topic, partition, TIME_END, to, err) < 0 ||
		     ask(s, topic, partition, since_ms > 0 ? since_ms : 0, &young, err) < 0 ? -1 : 0;
	progress_end(s->progress);
	if (rc < 0)
		return -1;
	if (*to < 0)
		*to = 0;
	*from = young < 0 ? *to : young > begin ? young : begin;
	if (*from > *to)
		*from = *to;
	return 0;
}

/* 1: the end is reached. */
static int take(const rd_kafka_message_t *message, int64_t to, topic_scan_fn fn, void *ctx, struct err *err)
{
	int rc;

	if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
		return 1;
	if (message->err)
		return err_set(err, ERR_RETRY, "read: %s", rd_kafka_message_errstr(message));
	if (message->offset >= to)
		return 1;
	rc = fn(ctx, message, err);
	return rc ? rc : message->offset + 1 >= to;
}

static int read_on(struct topic_scan *s, int64_t from, int64_t to, topic_scan_fn fn, void *ctx, struct err *err)
{
	int64_t heard = clock_mono_ms();
	int rc = 0;

	while (rc == 0) {
		rd_kafka_message_t *message = rd_kafka_consumer_poll(s->rk, TURN_MS);

		if (!message && clock_mono_ms() - heard > SILENCE_MS)
			return err_set(err, ERR_RETRY, "read: nothing came for %d s", SILENCE_MS / 1000);
		if (!message)
			continue;
		if (message->offset >= from && !message->err)
			progress_count(s->progress, (uint64_t)(message->offset - from), (uint64_t)(to - from), "records");
		rc = take(message, to, fn, ctx, err);
		rd_kafka_message_destroy(message);
		heard = clock_mono_ms(); /* fn may have taken long */
	}
	return rc < 0 ? -1 : 0;
}

int topic_scan_read(struct topic_scan *s, const char *topic, int32_t partition, int64_t from, int64_t to, topic_scan_fn fn, void *ctx,
		    struct err *err)
{
	rd_kafka_topic_partition_list_t *list;
	rd_kafka_resp_err_t code;
	int rc;

	if (from >= to)
		return 0;
	list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_topic_partition_list_add(list, topic, partition)->offset = from;
	code = rd_kafka_assign(s->rk, list);
	rd_kafka_topic_partition_list_destroy(list);
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		return kafka_code(err, code, topic);
	progress_begin(s->progress, "reading %s, partition %" PRId32, topic, partition);
	rc = read_on(s, from, to, fn, ctx, err);
	progress_end(s->progress);
	rd_kafka_assign(s->rk, NULL);
	return rc;
}
