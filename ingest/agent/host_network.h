/* host_network.h - what went through the interfaces. */
#ifndef MILLRACE_AGENT_HOST_NETWORK_H
#define MILLRACE_AGENT_HOST_NETWORK_H

#include "ingest/agent/host_report.h"

/* /proc/net/dev, by interface, without lo and without the ends of containers' pairs (veth..). */
void host_network_read(struct host_report *r);

#endif
