/* settings.h - the sink's own settings, the topics it reads, and the collections it writes.
 *
 * Two different things: how far a partition is read is a matter of its topic, what goes into one insert a matter of the collection. The records
 * of exemplars go to four collections, those of every other topic to the one of the same name. */
#ifndef MILLRACE_SINK_MONGO_SETTINGS_H
#define MILLRACE_SINK_MONGO_SETTINGS_H

#include <stdint.h>

#include "common/conf.h"

/* A topic of the cell. */
enum sink_topic { SINK_MINUTELY, SINK_HOURLY, SINK_EXEMPLARS, SINK_ALERTS, SINK_INCIDENTS, NR_SINK_TOPICS };

/* Where documents go. Those of one topic stand together. */
enum sink_collection {
	SINK_IN_MINUTELY,
	SINK_IN_HOURLY,
	SINK_IN_ERRORS,
	SINK_IN_TRACES,
	SINK_IN_MARKERS,
	SINK_IN_CHECKINS,
	SINK_IN_ALERTS,
	SINK_IN_INCIDENTS,
	NR_SINK_COLLECTIONS,
};

struct sink_conf {
	char *mongo_uri;      /* a secret: it may hold a password */
	char *mongo_database;
	int64_t wtimeout_ms;  /* of the write concern */
	int64_t writers;      /* threads, each with a connection */
	int64_t batch_documents, batch_bytes, batch_age_ms;
	int64_t latency_target_ms;
	int64_t inflight_bytes; /* 0: a quarter of memory.budget */
	int64_t retention_ms[NR_SINK_COLLECTIONS];
};

/* Rows over struct sink_conf, ended by {0}. */
extern const struct conf_field sink_conf_fields[];

/* "minutely", ..: the last part of the topic's name. */
const char *sink_topic_name(enum sink_topic topic);

/* How long the windows in this topic of aggregates are. */
int32_t sink_topic_window_ms(enum sink_topic topic);

/* The first of the topic's collections: of what cannot be decoded, and so belongs to none, too. */
enum sink_collection sink_topic_first(enum sink_topic topic);

/* "errors", ..: its name in the database, and the kind by which controls know its documents. */
const char *sink_collection_name(enum sink_collection collection);

/* From which topic its documents come. */
enum sink_topic sink_collection_topic(enum sink_collection collection);

#endif
