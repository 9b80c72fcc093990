/* host_io.h - what disks read and wrote. */
#ifndef MILLRACE_AGENT_HOST_IO_H
#define MILLRACE_AGENT_HOST_IO_H

#include "ingest/agent/host_report.h"

/* /proc/diskstats, by whole disks; not their partitions, which would count all of it twice, and nothing that is memory. */
void host_io_read(struct host_report *r);

#endif
