/* conf.c - see conf.h.
 *
 * Where two settings depend on each other, the defaults agree: a record fits into what a broker takes by default (1,048,588 bytes
 * with its batch), the largest body into the budget, and Kafka's time is over before a client's patience usually is. */
#include "ingest/conf.h"

#define ROW(member) offsetof(struct ingest_conf, member)

const struct conf_field ingest_conf_fields[] = {
	{"push.listen", CONF_STR, ROW(listen), "127.0.0.1:4318", 3, 255, "host:port of the Push API; port 0: any free one"},
	{"push.max_body_bytes", CONF_BYTES, ROW(max_body_bytes), "4Mi", 1024, INT64_C(64) << 20,
	 "largest body; above it 413"},
	{"push.max_record_bytes", CONF_BYTES, ROW(max_record_bytes), "1000000", 1024, INT64_C(16) << 20,
	 "largest record, the samples of one payload for one partition; above it 413; brokers must take it"},
	{"push.inflight_budget", CONF_BYTES, ROW(inflight_budget_bytes), "64Mi", 1024, INT64_C(1) << 40,
	 "bodies and records not yet acknowledged; above it, or above a quarter of memory.budget, 503"},
	{"push.connections_max", CONF_INT, ROW(connections_max), "4096", 1, 1000000, "open connections; more wait in the backlog"},
	{"push.idle_timeout", CONF_MS, ROW(idle_timeout_ms), "30s", 1000, 3600000, "a connection on which nothing moves is closed"},
	{"push.message_timeout", CONF_MS, ROW(message_timeout_ms), "8s", 100, 60000,
	 "what Kafka has not acknowledged by then is answered with 503"},
	{"push.linger", CONF_MS, ROW(linger_ms), "5ms", 0, 1000, "how long a record waits for others of its partition"},
	{"push.drain_timeout", CONF_MS, ROW(drain_timeout_ms), "10s", 0, 60000, "how long SIGTERM waits for requests in flight"},
	{0},
};
