/* diagnose_local.h - the checks of diagnose.h that stay on this machine: the spool and the sockets. */
#ifndef MILLRACE_AGENT_DIAGNOSE_LOCAL_H
#define MILLRACE_AGENT_DIAGNOSE_LOCAL_H

#include <stdio.h>

#include "common/program.h"
#include "ingest/agent/conf.h"

struct diagnosis {
	const struct program *program;
	const struct agent_conf *conf;
	FILE *out;
	int failed;
};

/* A line of a check that went well. */
void diagnose_ok(struct diagnosis *d, const char *check, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Two lines of one that did not, the second is what to do; counted. */
void diagnose_fail(struct diagnosis *d, const char *check, const char *remedy, const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* Spool and sockets. What a running agent holds (it has the spool's lock) is as it should be. */
void diagnose_local(struct diagnosis *d);

#endif
