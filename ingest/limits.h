/* limits.h - what the settings come to on this machine: shares of the memory budget, open files, and settings that contradict each other. */
#ifndef MILLRACE_INGEST_LIMITS_H
#define MILLRACE_INGEST_LIMITS_H

#include <stdint.h>

#include "common/log.h"
#include "common/program.h"
#include "ingest/conf.h"

/* Bytes that may be in flight: push.inflight_budget, but at most a quarter of memory.budget. A second quarter is for payloads that are
 * being decoded (lane.c), and the rest for what librdkafka and the kernel's buffers keep of both, connections, tables and slack. */
int64_t limits_inflight_bytes(const struct ingest_conf *conf, int64_t memory_budget_bytes);

/* Refuses settings that cannot be meant together. -1 with *err set. */
int limits_check(const struct program *p, const struct ingest_conf *conf, struct err *err);

/* Raises the limit of open files to what push.connections_max needs, as far as the system lets it; where it does not, lowers the setting and
 * says so. */
void limits_raise_files(struct ingest_conf *conf, const struct log *log);

#endif
