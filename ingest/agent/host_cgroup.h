/* host_cgroup.h - what the agent's own cgroup, which in a container is the container, may use and does. */
#ifndef MILLRACE_AGENT_HOST_CGROUP_H
#define MILLRACE_AGENT_HOST_CGROUP_H

#include "ingest/agent/host_report.h"

/* Memory and CPU, of version 2 or, for the controllers that are there, of version 1. The root cgroup has neither limits nor figures of its
 * own: nothing. */
void host_cgroup_read(struct host_report *r);

#endif
