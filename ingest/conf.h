/* conf.h - the settings of millrace-ingest, beside those that all programs share. */
#ifndef MILLRACE_INGEST_CONF_H
#define MILLRACE_INGEST_CONF_H

#include <stdint.h>

#include "common/conf.h"

struct ingest_conf {
	char *listen;                  /* host:port of the Push API; port 0 is any free one */
	int64_t max_body_bytes;        /* as it arrives */
	int64_t max_record_bytes;      /* one part of a payload, encoded */
	int64_t inflight_budget_bytes; /* all bodies and records that Kafka has not acknowledged */
	int64_t connections_max;
	int64_t idle_timeout_ms;       /* real; a connection on which nothing moves is closed */
	int64_t message_timeout_ms;    /* real; what Kafka has not acknowledged by then is a 503 */
	int64_t linger_ms;             /* real; how long a record waits for company */
	int64_t drain_timeout_ms;      /* real; how long SIGTERM waits for requests in flight */
};

/* Rows for a struct ingest_conf; ended by {0}. */
extern const struct conf_field ingest_conf_fields[];

#endif
