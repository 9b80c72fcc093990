/* host_cpu.h - what the processors did, and how many wanted them. */
#ifndef MILLRACE_AGENT_HOST_CPU_H
#define MILLRACE_AGENT_HOST_CPU_H

#include "ingest/agent/host_report.h"

/* /proc/stat: shares of the time since the last reading, by state; how many processors. */
void host_cpu_read(struct host_report *r);

/* /proc/loadavg and /proc/uptime. */
void host_cpu_read_load(struct host_report *r);

#endif
