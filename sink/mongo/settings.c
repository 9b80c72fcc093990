/* settings.c - see settings.h.
 *
 * The batch's defaults are small for the database's sake: one insert of everything that waits is how a slow replica set is locked for
 * good. */
#include "sink/mongo/settings.h"

#include <stddef.h>

#include "common/clock.h"

#define DAYS_MS(n) (INT64_C(86400000) * (n))
#define AT(member) offsetof(struct sink_conf, member)

/* expireAfterSeconds is 32 bits: 24,855 days. */
const struct conf_field sink_conf_fields[] = {
	{"mongo.uri", CONF_SECRET, AT(mongo_uri), "mongodb://127.0.0.1:27017", 1, 4096,
	 "where the replica set is; time-outs that it does not name are set by the sink"},
	{"mongo.database", CONF_STR, AT(mongo_database), "millrace", 1, 63, "database of the collections"},
	{"mongo.wtimeout", CONF_MS, AT(wtimeout_ms), "5s", 100, 600000, "how long a majority may take to have a batch"},
	{"writers", CONF_INT, AT(writers), "2", 1, 64, "threads that insert, one connection each"},
	{"batch.documents", CONF_INT, AT(batch_documents), "1000", 1, 100000, "documents that an insert carries at most"},
	{"batch.bytes", CONF_BYTES, AT(batch_bytes), "1Mi", 1024, 40 << 20, "bytes of documents from which an insert is full"},
	{"batch.age", CONF_MS, AT(batch_age_ms), "200ms", 1, 60000, "real time after which an insert goes out though not full"},
	{"latency.target", CONF_MS, AT(latency_target_ms), "200ms", 1, 60000,
	 "an insert that takes no longer is never held to be late; late ones make batches smaller, then writers fewer"},
	{"inflight.bytes", CONF_BYTES, AT(inflight_bytes), "0", 0, INT64_C(1) << 40,
	 "bytes of records and documents that may wait for the database; 0 is a quarter of memory.budget"},
	{"retention.minutely", CONF_MS, AT(retention_ms[SINK_IN_MINUTELY]), "14d", 3600000, DAYS_MS(24855),
	 "age at which the database drops minutes"},
	{"retention.hourly", CONF_MS, AT(retention_ms[SINK_IN_HOURLY]), "400d", 3600000, DAYS_MS(24855),
	 "age at which the database drops hours"},
	{"retention.errors", CONF_MS, AT(retention_ms[SINK_IN_ERRORS]), "30d", 3600000, DAYS_MS(24855),
	 "age at which the database drops errors"},
	{"retention.traces", CONF_MS, AT(retention_ms[SINK_IN_TRACES]), "14d", 3600000, DAYS_MS(24855),
	 "age at which the database drops slow transactions"},
	{"retention.markers", CONF_MS, AT(retention_ms[SINK_IN_MARKERS]), "400d", 3600000, DAYS_MS(24855),
	 "age at which the database drops deploy markers"},
	{"retention.checkins", CONF_MS, AT(retention_ms[SINK_IN_CHECKINS]), "30d", 3600000, DAYS_MS(24855),
	 "age at which the database drops check-ins"},
	{"retention.alerts", CONF_MS, AT(retention_ms[SINK_IN_ALERTS]), "400d", 3600000, DAYS_MS(24855),
	 "age at which the database drops alerts that opened and closed"},
	{"retention.incidents", CONF_MS, AT(retention_ms[SINK_IN_INCIDENTS]), "400d", 3600000, DAYS_MS(24855),
	 "age, since their last change, at which the database drops incidents"},
	{0},
};

static const struct {
	const char *name;
	int32_t window_ms;
	enum sink_collection first;
} topics[NR_SINK_TOPICS] = {
	[SINK_MINUTELY] = {"minutely", CLOCK_MINUTE_MS, SINK_IN_MINUTELY},
	[SINK_HOURLY] = {"hourly", CLOCK_HOUR_MS, SINK_IN_HOURLY},
	[SINK_EXEMPLARS] = {"exemplars", CLOCK_MINUTE_MS, SINK_IN_ERRORS},
	[SINK_ALERTS] = {"alerts", CLOCK_MINUTE_MS, SINK_IN_ALERTS},
	[SINK_INCIDENTS] = {"incidents", 0, SINK_IN_INCIDENTS},
};

static const struct {
	const char *name;
	enum sink_topic topic;
} collections[NR_SINK_COLLECTIONS] = {
	[SINK_IN_MINUTELY] = {"minutely", SINK_MINUTELY},
	[SINK_IN_HOURLY] = {"hourly", SINK_HOURLY},
	[SINK_IN_ERRORS] = {"errors", SINK_EXEMPLARS},
	[SINK_IN_TRACES] = {"traces", SINK_EXEMPLARS},
	[SINK_IN_MARKERS] = {"markers", SINK_EXEMPLARS},
	[SINK_IN_CHECKINS] = {"checkins", SINK_EXEMPLARS},
	[SINK_IN_ALERTS] = {"alerts", SINK_ALERTS},
	[SINK_IN_INCIDENTS] = {"incidents", SINK_INCIDENTS},
};

const char *sink_topic_name(enum sink_topic topic)
{
	return topics[topic].name;
}

int32_t sink_topic_window_ms(enum sink_topic topic)
{
	return topics[topic].window_ms;
}

enum sink_collection sink_topic_first(enum sink_topic topic)
{
	return topics[topic].first;
}

const char *sink_collection_name(enum sink_collection collection)
{
	return collections[collection].name;
}

enum sink_topic sink_collection_topic(enum sink_collection collection)
{
	return collections[collection].topic;
}
