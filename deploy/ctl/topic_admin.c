/* topic_admin.c - see topic_admin.h.
 *
 * A request that timed out may still be carried out by Kafka: making topics is therefore preceded by the epoch (topics.h), and a second run takes what is there
 * as it is. */
#include "deploy/ctl/topic_admin.h"

#include <stdlib.h>

#include "common/clock.h"

enum { ANSWER_MS = 5000, CREATE_MS = 30000, VISIBLE_MS = 30000, TURN_MS = 50 };

/* All settings go with the request: there is no moment in which a topic exists with a broker's defaults. */
static rd_kafka_NewTopic_t *new_topic(const struct topic_wish *wish, int replicas, struct err *err)
{
	struct topic_setting settings[TOPIC_SETTINGS_MAX];
	size_t nr = topic_spec_settings(wish->spec, replicas, settings);
	char why[256];
	rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(wish->name, wish->partitions, replicas, why, sizeof(why));

	if (!topic) {
		err_set(err, ERR_REJECT, "topic %s: %s", wish->name, why);
		return NULL;
	}
	for (size_t i = 0; i < nr; i++)
		rd_kafka_NewTopic_set_config(topic, settings[i].name, settings[i].value);
	return topic;
}

/* The request as a whole succeeds even when single topics were refused. ALREADY_EXISTS is an error here: we
 * asked for topics that were not there, so somebody else is at it, perhaps under another epoch. */
static int check_created(const rd_kafka_event_t *event, struct err *err)
{
	size_t nr;
	const rd_kafka_topic_result_t **results =
		rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result((rd_kafka_event_t *)(uintptr_t)event), &nr);

	for (size_t i = 0; i < nr; i++) {
		rd_kafka_resp_err_t code = rd_kafka_topic_result_error(results[i]);
		const char *name = rd_kafka_topic_result_name(results[i]), *why = rd_kafka_topic_result_error_string(results[i]);

		if (code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
			return err_set(err, ERR_RETRY, "topic %s was made by somebody else at the same time: run this again", name);
		if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
			return err_set(err, ERR_REJECT, "topic %s cannot be made: %s", name, why ? why : rd_kafka_err2str(code));
	}
	return 0;
}

static int request_create(rd_kafka_t *rk, rd_kafka_NewTopic_t **topics, size_t nr, struct err *err)
{
	rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
	rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(rk, RD_KAFKA_ADMIN_OP_CREATETOPICS);
	rd_kafka_event_t *event;
	int rc = -1;

	rd_kafka_AdminOptions_set_request_timeout(options, CREATE_MS, NULL, 0);
	rd_kafka_AdminOptions_set_operation_timeout(options, CREATE_MS, NULL, 0);
	rd_kafka_CreateTopics(rk, topics, nr, options, queue);
	event = kafka_await_event(queue, CREATE_MS + ANSWER_MS, "make topics", err);
	if (event) {
		rc = check_created(event, err);
		rd_kafka_event_destroy(event);
	}
	rd_kafka_AdminOptions_destroy(options);
	rd_kafka_queue_destroy(queue);
	return rc;
}

/* The controller answers before every broker has heard of the topics: wait until the one we ask knows a
 * leader for each. */
static int await_visible(rd_kafka_t *rk, const struct topic_wish *wishes, size_t nr, struct err *err)
{
	int64_t deadline = clock_mono_ms() + VISIBLE_MS;

	for (;;) {
		struct arena arena = ARENA_INIT;
		struct topic_list list;
		size_t visible = 0;
		int rc = topic_list_read(rk, &arena, &list, err);

		for (size_t i = 0; rc == 0 && i < nr; i++) {
			const struct topic_state *state = topic_list_find(&list, wishes[i].name);

			visible += state && !state->leaderless;
		}
		arena_fini(&arena);
		if (rc < 0 || visible == nr)
			return rc;
		if (clock_mono_ms() >= deadline)
			return err_set(err, ERR_RETRY, "%zu of %zu new topics have no leader after %d s", nr - visible, nr,
				       VISIBLE_MS / 1000);
		rd_kafka_poll(rk, TURN_MS);
	}
}

int topic_admin_create(rd_kafka_t *rk, const struct topic_wish *wishes, size_t nr, int replicas, struct err *err)
{
	rd_kafka_NewTopic_t **topics = calloc(nr + 1, sizeof(*topics));
	size_t made = 0;
	int rc = -1;

	if (!topics)
		return err_nomem(err, "a request");
	while (made < nr && (topics[made] = new_topic(&wishes[made], replicas, err)))
		made++;
	if (made == nr)
		rc = nr ? request_create(rk, topics, nr, err) : 0;
	rd_kafka_NewTopic_destroy_array(topics, made);
	free(topics);
	return rc < 0 ? -1 : await_visible(rk, wishes, nr, err);
}
