/* topic_admin.h - asking Kafka which topics there are and how they are set, and making new ones.
 *
 * Blocking calls with deadlines over librdkafka's admin API; what should be, topic_spec.h knows. */
#ifndef MILLRACE_CTL_TOPIC_ADMIN_H
#define MILLRACE_CTL_TOPIC_ADMIN_H

#include <librdkafka/rdkafka.h>
#include <stddef.h>

#include "common/arena.h"
#include "common/err.h"
#include "common/kafka.h"
#include "deploy/ctl/topic_spec.h"

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

/* A topic that should be there. */
struct topic_wish {
	const struct topic_spec *spec;
	char name[KAFKA_TOPIC_SIZE];
	int partitions;
};

/* Takes one setting of one topic as Kafka has it. All borrowed. */
typedef void (*topic_setting_fn)(void *ctx, const char *topic, const char *setting, const char *value);

/* Lists Millrace's topics (by prefix); the list lives in arena. */
int topic_admin_list(rd_kafka_t *rk, struct arena *arena, struct topic_list *out, struct err *err);

/* The topic of a name, or NULL. */
const struct topic_state *topic_list_find(const struct topic_list *list, const char *name);

/* Makes nr topics with so many replicas each, and returns when all of them can be written to. The first
 * refusal becomes *err; others may have been made all the same. */
int topic_admin_create(rd_kafka_t *rk, const struct topic_wish *wishes, size_t nr, int replicas, struct err *err);

/* Hands over every setting of nr topics, topic by topic. */
int topic_admin_settings(rd_kafka_t *rk, const char *const *names, size_t nr, topic_setting_fn fn, void *ctx, struct err *err);

#endif
