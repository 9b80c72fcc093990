/* topic_admin.c - see topic_admin.h.
 *
 * librdkafka's admin calls are asynchronous: each gets a queue of its own here and is awaited on it, which
 * makes them plain blocking calls with a deadline. A request that timed out may still be carried out by
 * Kafka: making topics is therefore preceded by the epoch (topics.h), and a second run takes what is there
 * as it is. */
#include "deploy/ctl/topic_admin.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"

enum { METADATA_MS = 5000, CREATE_MS = 30000, VISIBLE_MS = 30000, DESCRIBE_MS = 15000, TURN_MS = 50 };

static const char prefix[] = "millrace.";

static bool is_ours(const char *topic)
{
	return strncmp(topic, prefix, sizeof(prefix) - 1) == 0;
}

static int by_name(const void *a, const void *b)
{
	const struct topic_state *left = a, *right = b;

	return strcmp(left->name, right->name);
}

/* Copies what is asked later; the metadata itself is freed at once. */
static int fill_state(struct topic_state *state, const struct rd_kafka_metadata_topic *mt, struct arena *arena, struct err *err)
{
	state->name = arena_str(arena, str_from(mt->topic)).p;
	if (!state->name)
		return err_nomem(err, "a list of topics");
	state->partitions = mt->partition_cnt;
	state->replicas = mt->partition_cnt ? mt->partitions[0].replica_cnt : 0;
	for (int i = 0; i < mt->partition_cnt; i++) {
		state->leaderless += mt->partitions[i].leader < 0;
		state->under_replicated += mt->partitions[i].isr_cnt < mt->partitions[i].replica_cnt;
	}
	return 0;
}

static int fill_list(const struct rd_kafka_metadata *metadata, struct arena *arena, struct topic_list *out, struct err *err)
{
	*out = (struct topic_list){.brokers = metadata->broker_cnt};
	out->topics = arena_calloc(arena, (size_t)metadata->topic_cnt, sizeof(*out->topics));
	if (!out->topics)
		return err_nomem(err, "a list of topics");
	for (int i = 0; i < metadata->topic_cnt; i++) {
		const struct rd_kafka_metadata_topic *mt = &metadata->topics[i];

		/* A topic that is just being deleted has no partitions. */
		if (is_ours(mt->topic) && mt->partition_cnt > 0 && fill_state(&out->topics[out->nr++], mt, arena, err) < 0)
			return -1;
	}
	qsort(out->topics, out->nr, sizeof(*out->topics), by_name);
	return 0;
}

int topic_admin_list(rd_kafka_t *rk, struct arena *arena, struct topic_list *out, struct err *err)
{
	const struct rd_kafka_metadata *metadata;
	rd_kafka_resp_err_t code = rd_kafka_metadata(rk, 1, NULL, &metadata, METADATA_MS);
	int rc;

	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		return kafka_code(err, code, "list Kafka's topics");
	rc = fill_list(metadata, arena, out, err);
	rd_kafka_metadata_destroy(metadata);
	return rc;
}

const struct topic_state *topic_list_find(const struct topic_list *list, const char *name)
{
	struct topic_state key = {.name = name};

	return list->nr ? bsearch(&key, list->topics, list->nr, sizeof(key), by_name) : NULL;
}

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

/* Waits for the answer to an admin request; the caller destroys it. NULL with *err set when none came, or
 * an error. */
static rd_kafka_event_t *await_event(rd_kafka_queue_t *queue, int timeout_ms, const char *what, struct err *err)
{
	rd_kafka_event_t *event = rd_kafka_queue_poll(queue, timeout_ms);

	if (!event) {
		err_set(err, ERR_RETRY, "%s: no answer within %d s", what, timeout_ms / 1000);
		return NULL;
	}
	if (rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR_NO_ERROR)
		return event;
	err_set(err, kafka_err_kind(rd_kafka_event_error(event)), "%s: %s", what, rd_kafka_event_error_string(event));
	rd_kafka_event_destroy(event);
	return NULL;
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
	event = await_event(queue, CREATE_MS + METADATA_MS, "make topics", err);
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
		int rc = topic_admin_list(rk, &arena, &list, err);

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

/* Hands over every entry, defaults included: a topic that lacks a setting shows the broker's value, which
 * may be right or wrong. */
static int take_settings(rd_kafka_event_t *event, topic_setting_fn fn, void *ctx, struct err *err)
{
	size_t nr, nr_entries;
	const rd_kafka_ConfigResource_t **resources =
		rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event), &nr);

	for (size_t i = 0; i < nr; i++) {
		const char *name = rd_kafka_ConfigResource_name(resources[i]);
		const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(resources[i], &nr_entries);

		if (rd_kafka_ConfigResource_error(resources[i]) != RD_KAFKA_RESP_ERR_NO_ERROR)
			return err_set(err, ERR_RETRY, "settings of topic %s: %s", name,
				       rd_kafka_ConfigResource_error_string(resources[i]));
		for (size_t j = 0; j < nr_entries; j++) {
			const char *value = rd_kafka_ConfigEntry_value(entries[j]);

			fn(ctx, name, rd_kafka_ConfigEntry_name(entries[j]), value ? value : "");
		}
	}
	return 0;
}

int topic_admin_settings(rd_kafka_t *rk, const char *const *names, size_t nr, topic_setting_fn fn, void *ctx, struct err *err)
{
	rd_kafka_ConfigResource_t **resources = calloc(nr + 1, sizeof(*resources));
	rd_kafka_queue_t *queue;
	rd_kafka_event_t *event;
	int rc = -1;

	if (!resources)
		return err_nomem(err, "a request");
	queue = rd_kafka_queue_new(rk);
	for (size_t i = 0; i < nr; i++)
		resources[i] = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, names[i]);
	rd_kafka_DescribeConfigs(rk, resources, nr, NULL, queue);
	event = await_event(queue, DESCRIBE_MS, "ask for the topics' settings", err);
	if (event) {
		rc = take_settings(event, fn, ctx, err);
		rd_kafka_event_destroy(event);
	}
	rd_kafka_ConfigResource_destroy_array(resources, nr);
	rd_kafka_queue_destroy(queue);
	free(resources);
	return rc;
}
