/* replicas.h - how many partitions of Millrace's topics miss a replica, by Kafka's metadata.
 *
 * Ingest says it for the whole cluster, as every cell's records pass it and it keeps a client that reads tables all the time. */
#ifndef MILLRACE_INGEST_REPLICAS_H
#define MILLRACE_INGEST_REPLICAS_H

#include <librdkafka/rdkafka.h>
#include <stdint.h>

/* Partitions of topics "millrace.*" with fewer in-sync replicas than replicas. */
int64_t replicas_missing(const struct rd_kafka_metadata *metadata);

/* Asks the brokers that rk is connected to, up to timeout_ms (real). -1: they do not answer. */
int64_t replicas_ask(rd_kafka_t *rk, int timeout_ms);

#endif
