/* host_memory.h - memory and swap. */
#ifndef MILLRACE_AGENT_HOST_MEMORY_H
#define MILLRACE_AGENT_HOST_MEMORY_H

#include "ingest/agent/host_report.h"

/* /proc/meminfo. */
void host_memory_read(struct host_report *r);

#endif
