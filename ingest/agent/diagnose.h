/* diagnose.h - `millrace-agent diagnose`: what between this machine and the Push API is not as it should be, and what to do about it.
 *
 * Reads and tries, and leaves nothing behind: it posts nothing, and may run beside the agent, whose sockets and spool it recognizes by the
 * lock on spool.dir. A line each: "ok" or "FAIL", the check, what was found, and after a FAIL what to do. The key is in none of them. */
#ifndef MILLRACE_AGENT_DIAGNOSE_H
#define MILLRACE_AGENT_DIAGNOSE_H

#include <stdio.h>

#include "common/program.h"
#include "ingest/agent/conf.h"

enum { DIAGNOSE_PATIENCE_MS = 15000, DIAGNOSE_SKEW_MS = 30000 };

/* Runs all checks and writes to out; returns how many failed. Takes DIAGNOSE_PATIENCE_MS for the network, and as long as the system's
 * resolver. */
int diagnose(const struct program *p, const struct agent_conf *c, FILE *out);

#endif
