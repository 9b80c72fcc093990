/* topic_list.h - asking Kafka which topics of ours there are, and how they are set.
 *
 * Blocking calls with deadlines over librdkafka's admin API, by any client. */
#ifndef MILLRACE_TOPIC_LIST_H
#define MILLRACE_TOPIC_LIST_H

#include <librdkafka/rdkafka.h>
#include <stddef.h>

#include "common/arena.h"
#include "common/err.h"

/* A topic that is there. */
struct topic_state {
	const char *name;
	int partitions;
	int replicas;         /* of its first partition */
	int leaderless;       /* partitions without a leader */
	int under_replicated; /* partitions with a copy that is not in sync */
};

struct topic_list {
	struct topic_state *topics; /* sorted by name */
	size_t nr;
	int brokers;
};

/* Takes one setting of one topic as Kafka has it. All borrowed. */
typedef void (*topic_setting_fn)(void *ctx, const char *topic, const char *setting, const char *value);

/* Lists Millrace's topics (by prefix); the list lives in arena. */
int topic_list_read(rd_kafka_t *rk, struct arena *arena, struct topic_list *out, struct err *err);

/* The topic of a name, or NULL. */
const struct topic_state *topic_list_find(const struct topic_list *list, const char *name);

/* Hands over every setting of nr topics, topic by topic. */
int topic_list_settings(rd_kafka_t *rk, const char *const *names, size_t nr, topic_setting_fn fn, void *ctx, struct err *err);

#endif
