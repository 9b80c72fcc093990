/* conf.h - the settings of millrace-ingest, beside those that all programs share. */
#ifndef MILLRACE_INGEST_CONF_H
#define MILLRACE_INGEST_CONF_H

#include <stdint.h>

#include "common/conf.h"

struct ingest_conf {
	char *listen;                  /* host:port of the Push API; port 0 is any free one */
	int64_t threads;
	int64_t max_body_bytes;        /* as it arrives */
	int64_t max_inflated_bytes;    /* after inflating */
	int64_t max_inflate_ratio;     /* inflated to arrived bytes */
	int64_t max_record_bytes;      /* one part of a payload, encoded */
	int64_t inflight_budget_bytes; /* all bodies and records that Kafka has not acknowledged */
	int64_t connections_max;
	int64_t header_timeout_ms;     /* real; from a request's first line to the end of its headers */
	int64_t body_timeout_ms;       /* real; from the end of the headers to the end of the body */
	int64_t idle_timeout_ms;       /* real; from one request to the next, and for an answer to be taken */
	int64_t message_timeout_ms;    /* real; what Kafka has not acknowledged by then is given up */
	int64_t stall_timeout_ms;      /* real; Kafka is taken for gone when it has acknowledged nothing for so long */
	int64_t linger_ms;             /* real; how long a record waits for company */
	int64_t drain_timeout_ms;      /* real; how long SIGTERM waits for requests in flight */
	int64_t metrics_sites_max;     /* sites with figures of their own */
	char *tables_file;             /* the tables, kept for a start without Kafka; empty: none */
	char *otlp_resource_tags;      /* keys, with commas between them (otlp.h) */
	char *scrub_keys, *scrub_values, *scrub_except; /* see scrub_new() */
	char *tls_cert_file, *tls_key_file, *tls_client_ca_file; /* PEM; empty: none */
};

/* Rows for a struct ingest_conf; ended by {0}. */
extern const struct conf_field ingest_conf_fields[];

#endif
