/* command.h - what millrace-agent does besides serving: --once, diagnose, status. Each ends by itself. */
#ifndef MILLRACE_AGENT_COMMAND_H
#define MILLRACE_AGENT_COMMAND_H

#include "common/program.h"
#include "ingest/agent/conf.h"

enum command { COMMAND_SERVE, COMMAND_ONCE, COMMAND_DIAGNOSE, COMMAND_STATUS };

/* For program_spec's usage. */
extern const char command_usage[];

/* Takes the word or option that names a command out of the command line; what is left is common/program's. */
enum command command_take(int *argc, char **argv);

/* Runs one, not COMMAND_SERVE. 0: all is well; 1: it ran, and tells of trouble; -1 with *err set. */
int command_run(enum command command, const struct program *p, const struct agent_conf *c, const char *host, struct err *err);

#endif
