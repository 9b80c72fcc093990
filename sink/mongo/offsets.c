/* offsets.c - see offsets.h.
 *
 * Commits go through a queue of their own instead of librdkafka's blocking call, which waits as long as the group's coordinator
 * is away: in a revoke callback that would cost the place in the group. An answer that never comes is given up after ANSWER_LIMIT_MS,
 * and the next commit carries everything anew, since each is computed from the ledgers and not from the one before. */
#include "sink/mongo/offsets.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/kafka.h"
#include "sink/mongo/alarm.h"

enum { METADATA_SIZE = 64, ANSWER_LIMIT_MS = 15000 };

#define METADATA_VERSION "v1"

struct offsets {
	rd_kafka_t *rk;
	struct partitions *parts;
	const char *const *topics;
	int64_t epoch;
	const struct log *log;
	struct report *report;
	rd_kafka_queue_t *answers; /* of commits; polled by the owner, so that a wait for one has an end */
	bool awaiting;
	int64_t sent_mono_ms;
	bool failing; /* the last commit was refused: logged once */
};

struct offsets *offsets_new(rd_kafka_t *rk, struct partitions *parts, const char *const *topics, int64_t epoch,
			    const struct log *log, struct report *report, struct err *err)
{
	struct offsets *o = calloc(1, sizeof(*o));

	if (!o) {
		err_nomem(err, "the table of offsets");
		return NULL;
	}
	*o = (struct offsets){.rk = rk, .parts = parts, .topics = topics, .epoch = epoch, .log = log, .report = report};
	o->answers = rd_kafka_queue_new(rk);
	return o;
}

void offsets_free(struct offsets *o)
{
	if (!o)
		return;
	rd_kafka_queue_destroy(o->answers);
	free(o);
}

/* The partition of a list's element; NULL when it is not a topic of ours. */
static struct partition *partition_of(const struct offsets *o, const rd_kafka_topic_partition_t *tp)
{
	for (int i = 0; i < NR_SINK_TOPICS; i++)
		if (strcmp(o->topics[i], tp->topic) == 0)
			return partitions_find(o->parts, (enum sink_topic)i, tp->partition);
	return NULL;
}

int offsets_parse_epoch(const char *metadata, size_t len, int64_t *epoch)
{
	char text[METADATA_SIZE], *end;
	const char *number = text + strlen(METADATA_VERSION " epoch=");

	if (len == 0)
		return 0;
	if (len >= sizeof(text))
		return -1;
	memcpy(text, metadata, len);
	text[len] = 0;
	if (strncmp(text, METADATA_VERSION " epoch=", strlen(METADATA_VERSION " epoch=")) != 0)
		return -1;
	*epoch = strtoll(number, &end, 10);
	return end == number || *end ? -1 : 1;
}

/* One partition's answer. Without a commit it begins at the earliest record: what was stored before is refused by its _id. */
static void take_answer(struct offsets *o, const rd_kafka_topic_partition_t *tp)
{
	struct partition *part = partition_of(o, tp);
	char text[256];
	int64_t epoch;
	int known;

	if (!part || part->state != PARTITION_ASKING || tp->err)
		return;
	if (tp->offset < 0) {
		partition_begin(part, -1);
		return;
	}
	known = offsets_parse_epoch(tp->metadata, tp->metadata_size, &epoch);
	if (known < 0 || (known > 0 && epoch != o->epoch)) {
		part->state = PARTITION_REFUSED;
		snprintf(text, sizeof(text),
			 "the offset was committed for topics of epoch %" PRId64 ", these are of epoch %" PRId64 ": the partition is not read "
			 "until the group's offsets are deleted", known > 0 ? epoch : 0, o->epoch);
		alarm_raise(o->log, o->report, "epoch_differs", tp->topic, tp->partition, tp->offset, text);
		return;
	}
	partition_begin(part, tp->offset);
}

int offsets_ask(struct offsets *o, int timeout_ms, struct err *err)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(8);
	rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
	struct partition *part;
	size_t at = 0;

	while ((part = partitions_next(o->parts, &at)) != NULL)
		if (part->state == PARTITION_ASKING)
			rd_kafka_topic_partition_list_add(list, o->topics[part->topic], part->id);
	if (list->cnt)
		code = rd_kafka_committed(o->rk, list, timeout_ms);
	/* While a former owner's commit is pending the answer is an error, with offsets that look like "none". */
	for (int i = 0; code == RD_KAFKA_RESP_ERR_NO_ERROR && i < list->cnt; i++)
		take_answer(o, &list->elems[i]);
	rd_kafka_topic_partition_list_destroy(list);
	return code == RD_KAFKA_RESP_ERR_NO_ERROR ? 0 : kafka_code(err, code, "ask for committed offsets");
}

/* Has this partition something to commit? An imbalance holds back ledger_committable() by itself. */
static bool is_due(const struct partition *part)
{
	return part->state == PARTITION_OWNED && !part->from_beginning && ledger_balanced(&part->ledger) &&
	       ledger_committable(&part->ledger) != part->committed;
}

static void add_commit(struct offsets *o, rd_kafka_topic_partition_list_t *list, const struct partition *part)
{
	rd_kafka_topic_partition_t *tp = rd_kafka_topic_partition_list_add(list, o->topics[part->topic], part->id);
	char *metadata = malloc(METADATA_SIZE); /* the list's to free */

	tp->offset = ledger_committable(&part->ledger);
	if (!metadata)
		return; /* a commit without an epoch counts as an operator's: accepted */
	tp->metadata_size = (size_t)snprintf(metadata, METADATA_SIZE, METADATA_VERSION " epoch=%" PRId64, o->epoch);
	tp->metadata = metadata;
}

static void on_commit(rd_kafka_t *rk, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t *list, void *opaque)
{
	struct offsets *o = opaque;
	const char *error = code ? rd_kafka_err2name(code) : NULL;

	(void)rk;
	o->awaiting = false;
	for (int i = 0; list && i < list->cnt; i++) {
		struct partition *part = partition_of(o, &list->elems[i]);

		if (list->elems[i].err && !error)
			error = rd_kafka_err2name(list->elems[i].err);
		else if (!code && !list->elems[i].err && part && part->state == PARTITION_OWNED)
			part->committed = list->elems[i].offset;
	}
	/* Around a rebalance a refusal is ordinary: what was not committed is committed at the next turn, or by the next owner. */
	if (error && !o->failing)
		log_info(o->log, "commit_refused", LOG_STR("error", error));
	o->failing = error != NULL;
}

void offsets_commit(struct offsets *o)
{
	rd_kafka_topic_partition_list_t *list;
	rd_kafka_resp_err_t code;
	struct partition *part;
	size_t at = 0;

	if (o->awaiting && clock_mono_ms() - o->sent_mono_ms < ANSWER_LIMIT_MS)
		return;
	list = rd_kafka_topic_partition_list_new(8);
	while ((part = partitions_next(o->parts, &at)) != NULL)
		if (is_due(part))
			add_commit(o, list, part);
	if (list->cnt) {
		code = rd_kafka_commit_queue(o->rk, list, o->answers, on_commit, o);
		o->awaiting = code == RD_KAFKA_RESP_ERR_NO_ERROR;
		o->sent_mono_ms = clock_mono_ms();
	}
	rd_kafka_topic_partition_list_destroy(list);
}

void offsets_poll(struct offsets *o)
{
	while (rd_kafka_queue_poll_callback(o->answers, 0) > 0)
		;
}

static bool any_due(const struct offsets *o)
{
	struct partition *part;
	size_t at = 0;

	while ((part = partitions_next(o->parts, &at)) != NULL)
		if (is_due(part))
			return true;
	return false;
}

bool offsets_commit_now(struct offsets *o, int timeout_ms)
{
	int64_t deadline = clock_mono_ms() + timeout_ms;
	bool sent = false;

	/* The first answer may be that of an older commit. */
	while (clock_mono_ms() < deadline) {
		if (!o->awaiting && (sent || !any_due(o)))
			return !any_due(o);
		if (!o->awaiting) {
			offsets_commit(o);
			sent = true;
		}
		rd_kafka_queue_poll_callback(o->answers, 50);
	}
	return !any_due(o);
}
