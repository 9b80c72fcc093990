/* host.h - how the machine is: CPU, memory, disks, network and the cgroup, from /proc and /sys.
 *
 * METRICS.md lists what there is. Each sample has the tag host. Rates are never computed here: what the kernel counts becomes a counter of
 * what was counted since the last reading, so a first reading gives gauges only, and so does a device's first. A count that is lower than
 * before (wrapped, or another device under the same name) is a new beginning, not a jump.
 *
 * A reading never waits: files of /proc and /sys are in memory, and only file systems on local disks are asked for their use. What is
 * missing or makes no sense is left out, and said once. Bounded: HOST_FILE_MAX_BYTES of a file, HOST_DEVICES_MAX devices of a kind. Not
 * thread-safe: one owner. */
#ifndef MILLRACE_AGENT_HOST_H
#define MILLRACE_AGENT_HOST_H

#include <stdint.h>
#include <sys/statvfs.h>

#include "common/err.h"
#include "common/log.h"
#include "common/str.h"

enum {
	HOST_FILE_MAX_BYTES = 1 << 20,
	HOST_DEVICES_MAX = 64, /* disks, file systems, interfaces: further ones of a kind are left out */
};

enum host_kind { HOST_GAUGE, HOST_COUNTER };

struct host_sample {
	enum host_kind kind;
	struct str name;
	struct str tags; /* as DogStatsD writes them: "host:web-7,device:sda"; no value has a comma */
	double value;    /* finite; of a counter: what was counted since the last reading, 0 or more */
	int64_t t_ms;
};

/* Takes one sample; borrows it for the call. */
typedef void (*host_take_fn)(void *ctx, const struct host_sample *s);

struct host_conf {
	const char *root; /* /proc and /sys are looked for below it: "" in production; a fixture tree, or the host's root seen from a container */
	const char *name; /* of the machine: the tag host */
	int (*statvfs)(const char *path, struct statvfs *out); /* NULL: the system's */
};

struct host;

/* Copies conf's strings, borrows log. NULL with *err set when memory is short. */
struct host *host_new(const struct host_conf *conf, const struct log *log, struct err *err);
void host_free(struct host *h); /* NULL is a no-op */

/* One reading, its samples all at t_ms. */
void host_read(struct host *h, int64_t t_ms, host_take_fn take, void *ctx);

#endif
