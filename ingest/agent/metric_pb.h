/* metric_pb.h - a series' point as it travels: a packed Payload of schemas/push.proto with one metric in it. */
#ifndef MILLRACE_AGENT_METRIC_PB_H
#define MILLRACE_AGENT_METRIC_PB_H

#include "common/series.h"
#include "common/str.h"
#include "ingest/agent/store.h"

/* protobuf-c takes strings with a NUL; zeroed is ready. Nothing in it outlives a call. */
struct metric_pb {
	char bytes[(1 + 2 * SERIES_TAGS_MAX) * (SERIES_STRING_MAX + 1)];
	size_t used;
};

/* Appends m to out. -1: memory is short, or m is longer than series may be. */
int metric_pb_pack(struct metric_pb *p, const struct store_metric *m, struct buf *out);

#endif
