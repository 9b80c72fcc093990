/* host_disk.h - how full the file systems are. */
#ifndef MILLRACE_AGENT_HOST_DISK_H
#define MILLRACE_AGENT_HOST_DISK_H

#include "ingest/agent/host_report.h"

/* Each file system on a local disk once, by device and mount; the overlay of a container's root stands for the disk it lies on. */
void host_disk_read(struct host_report *r);

#endif
