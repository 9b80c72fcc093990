/* topic_admin.h - making topics in Kafka. Blocking, with deadlines; what should be, topic_spec.h knows. */
#ifndef MILLRACE_CTL_TOPIC_ADMIN_H
#define MILLRACE_CTL_TOPIC_ADMIN_H

#include <librdkafka/rdkafka.h>
#include <stddef.h>

#include "common/arena.h"
#include "common/err.h"
#include "common/kafka.h"
#include "common/topic_list.h"
#include "deploy/ctl/topic_spec.h"

/* A topic that should be there. */
struct topic_wish {
	const struct topic_spec *spec;
	char name[KAFKA_TOPIC_SIZE];
	int partitions;
};

/* Makes nr topics with so many replicas each, and returns when all of them can be written to. The first
 * refusal becomes *err; others may have been made all the same. */
int topic_admin_create(rd_kafka_t *rk, const struct topic_wish *wishes, size_t nr, int replicas, struct err *err);

#endif
