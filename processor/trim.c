/* trim.c - see trim.h.
 *
 * Why the scout's client: it is there as long as we serve, and is neither the transactional producer, where a stuck request would be one more thing to
 * wait for when it is thrown away, nor the group's member, whose closing is delicate enough.
 *
 * Why it is safe, whoever asks: a mark is older than a snapshot that was committed after it, and the committed offset never goes back to an
 * older snapshot. So what a frozen instance deletes when it wakes, or the broker when it takes up an old request, lies before everything that the
 * present owner will ever be asked to restore. Only topics that were made again, with offsets from 0, could be hurt by an old mark: therefore nothing is
 * asked for but in the turn that has seen a commit, which that very topic and group have just let through.
 *
 * What the broker refuses (no right to delete, a compacted topic, an offset it does not have any more) costs disk and nothing else: it is
 * said once, counted, and asked again with the next. (2.0.2 leaks one queue, 176 bytes, of a client that has ever asked; not one a request.) */
#include "processor/trim.h"

#include <stdlib.h>

#include "common/clock.h"
#include "processor/marks.h"

enum { REQUEST_MS = 10000, BROKER_MS = 5000 }; /* until the client gives up; until the broker does, whose replicas must follow */

struct trim {
	struct trim_parts with;
	struct marks marks;
	rd_kafka_queue_t *answers;
	bool noted;    /* a checkpoint since the last turn */
	bool waiting;  /* for an answer */
	int64_t asked_mono_ms; /* when the last request was made; 0: none yet */
};

struct trim *trim_new(const struct trim_parts *parts, struct err *err)
{
	struct trim *tr = calloc(1, sizeof(*tr));

	if (!tr || marks_init(&tr->marks, topics_inputs(parts->topics->partitions), err) < 0) {
		free(tr);
		err_nomem(err, "the deletion of snapshots");
		return NULL;
	}
	tr->with = *parts;
	tr->answers = rd_kafka_queue_new(parts->rk);
	return tr;
}

void trim_free(struct trim *tr)
{
	if (!tr)
		return;
	rd_kafka_queue_destroy(tr->answers);
	marks_fini(&tr->marks);
	free(tr);
}

void trim_note(struct trim *tr, int32_t partition, const struct offset_meta *former, const struct offset_meta *present)
{
	if (!tr)
		return;
	marks_committed(&tr->marks, partition, former, present);
	tr->noted = true;
}

void trim_forget(struct trim *tr, int32_t partition)
{
	if (tr)
		marks_forget(&tr->marks, partition);
}

static void complain(struct trim *tr, const char *topic, const char *why)
{
	stats_count(tr->with.stats, STATS_TRIMS_FAILED, 1);
	log_repeat(&tr->with.program->log, "old_snapshots_stay", LOG_STR("topic", topic), LOG_STR("error", why));
}

/* One partition's part of an answer. */
static void take_partition(struct trim *tr, const rd_kafka_topic_partition_t *tp)
{
	int32_t number = topics_state_number(tr->with.topics, tp->topic, tp->partition);
	int64_t gone;

	if (tp->err) {
		marks_failed(&tr->marks, number);
		complain(tr, tp->topic, rd_kafka_err2str(tp->err));
		return;
	}
	gone = marks_done(&tr->marks, number, tp->offset);
	stats_add(tr->with.stats, STATS_TRIMMED, number, (uint64_t)gone);
	log_debug(&tr->with.program->log, "trimmed", LOG_STR("topic", tp->topic), LOG_INT("partition", tp->partition), LOG_INT("begins_at", tp->offset));
}

/* The request as a whole came to nothing. */
static void take_failure(struct trim *tr, const char *why)
{
	for (int32_t i = 0; i < tr->marks.nr; i++)
		marks_failed(&tr->marks, i);
	complain(tr, tr->with.topics->samples_state, why);
}

static void take_answer(struct trim *tr)
{
	rd_kafka_event_t *event = rd_kafka_queue_poll(tr->answers, 0);
	const rd_kafka_DeleteRecords_result_t *result = event ? rd_kafka_event_DeleteRecords_result(event) : NULL;

	if (result) {
		tr->waiting = false;
		if (rd_kafka_event_error(event)) {
			take_failure(tr, rd_kafka_event_error_string(event));
		} else {
			const rd_kafka_topic_partition_list_t *list = rd_kafka_DeleteRecords_result_offsets(result);

			for (int i = 0; i < list->cnt; i++)
				take_partition(tr, &list->elems[i]);
		}
	}
	if (event)
		rd_kafka_event_destroy(event);
}

/* Sends one request about all of these partitions. */
static void send_request(struct trim *tr, const rd_kafka_topic_partition_list_t *before)
{
	rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(tr->with.rk, RD_KAFKA_ADMIN_OP_DELETERECORDS);
	rd_kafka_DeleteRecords_t *request = rd_kafka_DeleteRecords_new(before);

	/* Both numbers are in their ranges. */
	rd_kafka_AdminOptions_set_request_timeout(options, REQUEST_MS, NULL, 0);
	rd_kafka_AdminOptions_set_operation_timeout(options, BROKER_MS, NULL, 0);
	rd_kafka_DeleteRecords(tr->with.rk, &request, 1, options, tr->answers);
	rd_kafka_DeleteRecords_destroy(request);
	rd_kafka_AdminOptions_destroy(options);
}

static void ask(struct trim *tr, int64_t mono_ms)
{
	rd_kafka_topic_partition_list_t *before = rd_kafka_topic_partition_list_new(tr->marks.nr);

	for (int32_t i = 0; i < tr->marks.nr; i++) {
		struct input in = topics_input(tr->with.topics, i);
		int64_t mark = marks_ask(&tr->marks, i);

		if (mark)
			rd_kafka_topic_partition_list_add(before, in.state, in.partition)->offset = mark;
	}
	if (before->cnt) {
		send_request(tr, before);
		tr->waiting = true;
		tr->asked_mono_ms = mono_ms;
	}
	rd_kafka_topic_partition_list_destroy(before);
}

void trim_turn(struct trim *tr, int64_t mono_ms)
{
	bool noted = tr->noted;

	tr->noted = false;
	if (tr->waiting)
		take_answer(tr);
	if (noted && !tr->waiting && (!tr->asked_mono_ms || mono_ms - tr->asked_mono_ms >= tr->with.conf->trim_interval_ms))
		ask(tr, mono_ms);
}
