/* host.c - see host.h. One source after the other; none of them fails, each leaves out what it cannot tell. */
#include "ingest/agent/host.h"

#include <stdlib.h>

#include "ingest/agent/host_cgroup.h"
#include "ingest/agent/host_cpu.h"
#include "ingest/agent/host_disk.h"
#include "ingest/agent/host_io.h"
#include "ingest/agent/host_memory.h"
#include "ingest/agent/host_network.h"
#include "ingest/agent/host_report.h"

struct host {
	struct host_report report;
};

struct host *host_new(const struct host_conf *conf, const struct log *log, struct err *err)
{
	struct host *h = calloc(1, sizeof(*h));

	if (h)
		h->report.root = strdup(conf->root ? conf->root : "");
	if (!h || !h->report.root) {
		free(h);
		err_nomem(err, "the reader of host metrics");
		return NULL;
	}
	h->report.log = log;
	h->report.statvfs = conf->statvfs ? conf->statvfs : statvfs;
	host_report_tag_more(&h->report.tags, "host", str_from(conf->name));
	return h;
}

void host_free(struct host *h)
{
	if (!h)
		return;
	host_baseline_fini(&h->report.baseline);
	buf_fini(&h->report.file);
	free(h->report.root);
	free(h);
}

void host_read(struct host *h, int64_t t_ms, host_take_fn take, void *ctx)
{
	struct host_report *r = &h->report;

	r->t_ms = t_ms;
	r->take = take;
	r->ctx = ctx;
	host_cpu_read(r);
	host_cpu_read_load(r);
	host_memory_read(r);
	host_disk_read(r);
	host_io_read(r);
	host_network_read(r);
	host_cgroup_read(r);
	host_baseline_end(&r->baseline);
}
