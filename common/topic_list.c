/* topic_list.c - see topic_list.h.
 *
 * librdkafka's admin calls are asynchronous: each gets a queue of its own and is awaited on it, which makes them plain blocking calls with a
 * deadline. */
#include "common/topic_list.h"

#include <stdlib.h>
#include <string.h>

#include "common/kafka.h"

enum { METADATA_MS = 5000, DESCRIBE_MS = 15000 };

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

int topic_list_read(rd_kafka_t *rk, struct arena *arena, struct topic_list *out, struct err *err)
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

int topic_list_settings(rd_kafka_t *rk, const char *const *names, size_t nr, topic_setting_fn fn, void *ctx, struct err *err)
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
	event = kafka_await_event(queue, DESCRIBE_MS, "ask for the topics' settings", err);
	if (event) {
		rc = take_settings(event, fn, ctx, err);
		rd_kafka_event_destroy(event);
	}
	rd_kafka_ConfigResource_destroy_array(resources, nr);
	rd_kafka_queue_destroy(queue);
	free(resources);
	return rc;
}
