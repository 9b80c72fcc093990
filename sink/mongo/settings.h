/* settings.h - the sink's own settings, and the topics it copies. */
#ifndef MILLRACE_SINK_MONGO_SETTINGS_H
#define MILLRACE_SINK_MONGO_SETTINGS_H

#include <stdint.h>

#include "common/conf.h"

/* A topic of the cell, and the collection of the same name. */
enum sink_topic { SINK_MINUTELY, SINK_HOURLY, NR_SINK_TOPICS };

struct sink_conf {
	char *mongo_uri;      /* a secret: it may hold a password */
	char *mongo_database;
	int64_t wtimeout_ms;  /* of the write concern */
	int64_t writers;      /* threads, each with a connection */
	int64_t batch_documents, batch_bytes, batch_age_ms;
	int64_t latency_target_ms;
	int64_t inflight_bytes; /* 0: a quarter of memory.budget */
	int64_t retention_ms[NR_SINK_TOPICS];
};

/* Rows over struct sink_conf, ended by {0}. */
extern const struct conf_field sink_conf_fields[];

/* "minutely", ..: of the collection, and the last part of the topic. */
const char *sink_topic_name(enum sink_topic topic);

/* How long the windows in this topic are. */
int32_t sink_topic_window_ms(enum sink_topic topic);

#endif
