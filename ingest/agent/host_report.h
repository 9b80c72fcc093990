/* host_report.h - what the sources of host metrics share: files to read, samples to give, and a word about what is missing.
 *
 * Only host.c and the sources (host_cpu, host_memory, host_disk, host_io, host_network, host_cgroup) include this. A source is a function
 * that reads its files and reports; it keeps nothing from one reading to the next but its counters' baselines, which are here. */
#ifndef MILLRACE_AGENT_HOST_REPORT_H
#define MILLRACE_AGENT_HOST_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/str.h"
#include "ingest/agent/host.h"
#include "ingest/agent/host_baseline.h"

enum { HOST_PATH_MAX = 4096, HOST_TAG_VALUE_MAX = 255, HOST_TAGS_BYTES = 1024 };

/* What may be missing, each said once. */
enum host_source {
	HOST_CPU,
	HOST_LOAD,
	HOST_UPTIME,
	HOST_MEMORY,
	HOST_DISK,
	HOST_IO,
	HOST_NETWORK,
	HOST_CGROUP_MEMORY,
	HOST_TOO_MANY, /* more devices of a kind than HOST_DEVICES_MAX */
	NR_HOST_SOURCES
};

/* Tags of samples, beginning with host. */
struct host_tags {
	char text[HOST_TAGS_BYTES];
	size_t len;
};

struct host_report {
	const struct log *log; /* borrowed */
	char *root;            /* owned, like all below */
	int (*statvfs)(const char *path, struct statvfs *out);
	struct host_tags tags; /* host alone */
	struct buf file;
	struct host_baseline baseline;
	uint32_t told; /* sources that were said to be missing */
	host_take_fn take;
	void *ctx;
	int64_t t_ms;
};

/* Reads all of a file below the root ("/proc/stat"); *out is borrowed until the next file. False: there is none, or it is too large. Never
 * waits. */
bool host_report_read(struct host_report *r, const char *path, struct str *out);

/* Says, once for each source, that (a part of) it is left out, and why. */
void host_report_missing(struct host_report *r, enum host_source source, const char *why);

/* The tag host and one more, whose value is made fit to be one: bytes that end a tag become '_', and so does what is not UTF-8; cut at 255
 * bytes. */
struct host_tags host_report_tag(const struct host_report *r, const char *key, struct str value);
void host_report_tag_more(struct host_tags *tags, const char *key, struct str value); /* one more behind those; see above */

/* A reading. tags NULL: host alone. */
void host_report_gauge(struct host_report *r, const char *name, const struct host_tags *tags, double value);

/* A counter of the kernel's stands at value; what was counted since the last reading is reported, times unit. One that never counted
 * anything is not: most machines have no errors on their network, and no use for the series. */
void host_report_counter(struct host_report *r, const char *name, const struct host_tags *tags, uint64_t value, double unit);

#endif
